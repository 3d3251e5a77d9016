//! What a client asks, and what it is answered.

use core::net::Ipv4Addr;

use netloom_stack::Stack;
use netloom_wire::dhcpv4::{Dhcpv4View, MessageType, code};

use super::Server;
use super::binding::{Binding, BindingState};
use super::choose::Asking;
use super::config::end_of_lease;
use super::event::ServerEvent;
use super::store::Store;

impl<S: Store> Server<'_, S> {
    /// Takes in a client's message.
    pub(super) fn answer(
        &mut self,
        stack: &mut Stack,
        view: &Dhcpv4View<'_>,
        source: Ipv4Addr,
        message: &[u8],
    ) {
        let Some(kind) = view.message_type() else {
            count!(self.counters, malformed);
            return;
        };
        match kind {
            MessageType::Discover => count!(self.counters, discovers),
            MessageType::Request => count!(self.counters, requests),
            MessageType::Decline => count!(self.counters, declines),
            MessageType::Release => count!(self.counters, releases),
            MessageType::Inform => count!(self.counters, informs),
            MessageType::Offer | MessageType::Ack | MessageType::Nak | MessageType::Other(_) => {
                count!(self.counters, unexpected);
                return;
            }
        }
        if !view.giaddr().is_unspecified() {
            count!(self.counters, relayed);
        }
        let asking = self.asking(stack, view);
        match kind {
            MessageType::Inform => self.informs(stack, view, source),
            // No pool is for where the client is: another server's business.
            _ if self.network_at(asking.at).is_none() => {
                if kind == MessageType::Request && self.is_wrong_here(view) {
                    let asked = view.requested_address().unwrap_or(view.ciaddr());
                    self.refuse(stack, view, asked);
                } else {
                    count!(self.counters, no_network);
                }
            }
            MessageType::Discover => self.discovered(stack, view, &asking, message),
            MessageType::Request => self.requested(stack, view, &asking),
            MessageType::Decline => self.declined(stack, view, &asking),
            MessageType::Release => self.released(stack, view, &asking),
            MessageType::Offer | MessageType::Ack | MessageType::Nak | MessageType::Other(_) => {}
        }
    }

    /// RFC 2131 §4.3.2: what a REQUEST means depends on what it has in it.
    fn requested(&mut self, stack: &mut Stack, view: &Dhcpv4View<'_>, asking: &Asking) {
        let asked = view.requested_address();
        match (view.server_identifier(), asked) {
            (Some(server), asked) => self.selecting(stack, view, asking, server, asked),
            (None, Some(asked)) => self.rebooting(stack, view, asking, asked),
            (None, None) if !view.ciaddr().is_unspecified() => {
                self.extending(stack, view, asking, view.ciaddr());
            }
            (None, None) => count!(self.counters, incomplete),
        }
    }

    /// The client takes what a server offered: this one, or another.
    fn selecting(
        &mut self,
        stack: &mut Stack,
        view: &Dhcpv4View<'_>,
        asking: &Asking,
        server: Ipv4Addr,
        asked: Option<Ipv4Addr>,
    ) {
        if !self.is_this(stack, server) {
            //= https://www.rfc-editor.org/rfc/rfc2131#section-3.1
            //# Those servers
            //# not selected by the DHCPREQUEST message use the message as
            //# notification that the client has declined that server's offer.
            self.forget_offer(stack, &asking.client);
            count!(self.counters, other_server);
            return;
        }
        // Some clients have the address in ciaddr here.
        let asked = asked.unwrap_or(view.ciaddr());
        let now = self.time(stack);
        if self.may_have(asking, asked) && self.is_free_for(stack, &asking.client, asked, now) {
            self.give(stack, view, asking, asked);
        } else {
            self.refuse(stack, view, asked);
        }
    }

    /// The client remembers an address.
    fn rebooting(
        &mut self,
        stack: &mut Stack,
        view: &Dhcpv4View<'_>,
        asking: &Asking,
        asked: Ipv4Addr,
    ) {
        let network = self.network_at(asking.at);
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.2
        //# Server SHOULD send a DHCPNAK message to the client if the 'requested
        //# IP address' is incorrect, or is on the wrong network.
        if !network.is_some_and(|network| network.contains(&asked.into())) {
            self.refuse(stack, view, asked);
            return;
        }
        let known = network.and_then(|n| self.store.by_client(&asking.client, &n));
        match known {
            Some(known) if known.address == asked => self.extending(stack, view, asking, asked),
            Some(_) => self.refuse(stack, view, asked),
            None => self.unknown(stack, view, asked),
        }
    }

    /// The client has an address and wants it for longer.
    fn extending(
        &mut self,
        stack: &mut Stack,
        view: &Dhcpv4View<'_>,
        asking: &Asking,
        address: Ipv4Addr,
    ) {
        let known = self.store.by_address(address);
        let Some(known) = known.filter(|known| known.client == asking.client) else {
            let taken = known.is_some_and(|known| known.is_active(self.time(stack)));
            if taken || !self.may_have(asking, address) {
                self.refuse(stack, view, address);
            } else {
                self.unknown(stack, view, address);
            }
            return;
        };
        let now = self.time(stack);
        let in_force = known.state != BindingState::Quarantined;
        if in_force
            && self.may_have(asking, address)
            && self.is_free_for(stack, &asking.client, address, now)
        {
            self.give(stack, view, asking, address);
        } else {
            self.refuse(stack, view, address);
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.2
    //# If the DHCP server has no record of this client, then it MUST
    //# remain silent, and MAY output a warning to the network administrator.
    // Unless it knows that there is no other that could have one.
    fn unknown(&mut self, stack: &mut Stack, view: &Dhcpv4View<'_>, asked: Ipv4Addr) {
        if self.config.authoritative {
            self.refuse(stack, view, asked);
        } else {
            count!(self.counters, unknown);
        }
    }

    /// The client asks for an address of a network there is no pool for: whether that is wrong here.
    fn is_wrong_here(&self, view: &Dhcpv4View<'_>) -> bool {
        let came_here = view.giaddr().is_unspecified();
        self.config.authoritative && came_here && view.server_identifier().is_none()
    }

    /// Gives an address: keeps it first, then says so.
    fn give(
        &mut self,
        stack: &mut Stack,
        view: &Dhcpv4View<'_>,
        asking: &Asking,
        address: Ipv4Addr,
    ) {
        let now = self.time(stack);
        let Some(pool) = self.pool_of(asking, address) else {
            return;
        };
        let wish = view.option(code::LEASE_TIME).and_then(|o| o.u32());
        let seconds = pool.lease_time.given(wish);
        let again = self
            .store
            .by_address(address)
            .is_some_and(|known| known.client == asking.client && known.is_active(now));
        let binding = Binding {
            address,
            client: asking.client,
            hardware: view.hardware(),
            state: BindingState::Leased,
            expires: end_of_lease(now, seconds),
        };
        if self.store.put(&binding, now).is_err() {
            self.store_failed();
            return;
        }
        self.forget_offer(stack, &asking.client);
        self.send_ack(stack, view, address, seconds);
        self.tell(ServerEvent::Leased {
            address,
            to: view.hardware(),
            seconds,
            again,
        });
    }

    fn refuse(&mut self, stack: &mut Stack, view: &Dhcpv4View<'_>, address: Ipv4Addr) {
        self.send_nak(stack, view);
        self.tell(ServerEvent::Refused {
            address,
            to: view.hardware(),
        });
    }

    //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.3
    //# The server MUST mark the network address
    //# as not available and SHOULD notify the local system administrator of
    //# a possible configuration problem.
    fn declined(&mut self, stack: &mut Stack, view: &Dhcpv4View<'_>, asking: &Asking) {
        let for_this = view
            .server_identifier()
            .is_some_and(|s| self.is_this(stack, s));
        if !for_this {
            count!(self.counters, other_server);
            return;
        }
        let Some(address) = view.requested_address() else {
            count!(self.counters, incomplete);
            return;
        };
        // Only who got an address can decline it: else anybody could empty the pool.
        let known = self.store.by_address(address);
        let had = known.is_some_and(|known| known.client == asking.client)
            || self.offered_to(stack.now(), &asking.client) == Some(address);
        if !had {
            count!(self.counters, unknown);
            return;
        }
        self.forget_offer(stack, &asking.client);
        self.quarantine(stack, address, view.hardware());
        self.tell(ServerEvent::Declined {
            address,
            by: view.hardware(),
        });
    }

    //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.4
    //# Upon receipt of a DHCPRELEASE message, the server marks the network
    //# address as not allocated.  The server SHOULD retain a record of the
    //# client's initialization parameters for possible reuse in response to
    //# subsequent requests from the client.
    fn released(&mut self, stack: &mut Stack, view: &Dhcpv4View<'_>, asking: &Asking) {
        let address = view.ciaddr();
        let known = self.store.by_address(address);
        let own =
            |known: &Binding| known.client == asking.client && known.state == BindingState::Leased;
        let Some(known) = known.filter(own) else {
            count!(self.counters, unknown);
            return;
        };
        let now = self.time(stack);
        let binding = Binding {
            state: BindingState::Released,
            expires: now,
            ..known
        };
        if self.store.put(&binding, now).is_err() {
            self.store_failed();
            return;
        }
        self.tell(ServerEvent::Released {
            address,
            by: view.hardware(),
        });
    }

    //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.5
    //# The server responds to a DHCPINFORM message by sending a DHCPACK
    //# message directly to the address given in the 'ciaddr' field of the
    //# DHCPINFORM message.
    fn informs(&mut self, stack: &mut Stack, view: &Dhcpv4View<'_>, source: Ipv4Addr) {
        // Some clients leave it out and have an address all the same.
        let address = if view.ciaddr().is_unspecified() {
            source
        } else {
            view.ciaddr()
        };
        if self.network_at(address).is_none() {
            count!(self.counters, no_network);
            return;
        }
        if self.send_information(stack, view, address) {
            self.tell(ServerEvent::Informed { address });
        }
    }

    fn is_this(&self, stack: &Stack, server: Ipv4Addr) -> bool {
        self.config.server_identifier == Some(server) || stack.is_local(server)
    }
}
