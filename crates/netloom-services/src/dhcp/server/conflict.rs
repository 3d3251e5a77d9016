//! What is offered, and the look whether somebody has it, before: by ARP on the server's own link,
//! by ICMP echo in networks behind relay agents, where ARP does not reach.

use core::net::Ipv4Addr;

use netloom_stack::driver::Instant;
use netloom_stack::{Error, IfaceId, Stack};
use netloom_wire::MacAddr;
use netloom_wire::dhcpv4::{Dhcpv4View, Hardware};

use super::binding::{Binding, BindingState, ClientKey};
use super::choose::Asking;
use super::event::ServerEvent;
use super::store::Store;
use super::{SECOND, Server};

/// The longest DISCOVER that is kept while its address is looked for. A longer one is answered
/// without a look.
const MESSAGE: usize = 600;

/// A client that has asked, and not been given anything yet: a place for one, lent by the program.
#[derive(Debug, Clone)]
pub struct Pending {
    stage: Stage,
    client: ClientKey,
    /// Its interface: what that says of the address is no conflict.
    mac: Option<MacAddr>,
    address: Ipv4Addr,
    /// It is behind a relay agent.
    is_far: bool,
    /// When the next thing is due: a probe, the end of the look, the end of the offer.
    at: Instant,
    /// When the look ends.
    looked_until: Instant,
    message: [u8; MESSAGE],
    len: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Free,
    /// The stack watches as many addresses as it can: later.
    Queued,
    /// Asked whether somebody has it.
    Looking,
    /// Offered.
    Offered,
}

impl Pending {
    /// A place nobody has.
    pub const FREE: Pending = Pending {
        stage: Stage::Free,
        client: ClientKey::NOBODY,
        mac: None,
        address: Ipv4Addr::UNSPECIFIED,
        is_far: false,
        at: Instant::FAR_FUTURE,
        looked_until: Instant::FAR_FUTURE,
        message: [0; MESSAGE],
        len: 0,
    };

    pub(super) fn is_used(&self) -> bool {
        self.stage != Stage::Free
    }

    /// Watches the address, and asks whether anybody has it.
    fn ask(&self, stack: &mut Stack, iface: IfaceId) -> Result<(), Error> {
        if self.is_far {
            return match stack.echo_probe(iface, self.address) {
                // It is watched all the same, and there is a second request.
                Err(Error::OutOfMemory) => Ok(()),
                done => done,
            };
        }
        stack.arp_watch(iface, self.address)?;
        let _ = stack.arp_probe(iface, self.address.into());
        Ok(())
    }

    /// Somebody who has the address, his station if that is known.
    fn found(&self, stack: &mut Stack, iface: IfaceId) -> Option<Option<MacAddr>> {
        if self.is_far {
            let answered = stack.echo_probe_answered(iface, self.address);
            return answered.then_some(None);
        }
        // A client may still use an address whose lease has ended.
        let claim = stack.arp_claim_heard(iface, self.address)?;
        (self.mac != Some(claim.mac)).then_some(Some(claim.mac))
    }

    fn keep(&mut self, message: &[u8]) -> bool {
        let Some(place) = self.message.get_mut(..message.len()) else {
            return false;
        };
        place.copy_from_slice(message);
        self.len = message.len() as u16;
        true
    }
}

impl<S: Store> Server<'_, S> {
    /// Whether another client was offered an address, or is about to be.
    pub(super) fn is_pending_for_another(
        &self,
        now: Instant,
        client: &ClientKey,
        address: Ipv4Addr,
    ) -> bool {
        self.pending.iter().any(|place| {
            let stands = match place.stage {
                Stage::Free => false,
                Stage::Queued | Stage::Looking => true,
                Stage::Offered => now < place.at,
            };
            stands && place.address == address && place.client != *client
        })
    }

    /// What a client was offered, as long as the offer stands.
    pub(super) fn offered_to(&self, now: Instant, client: &ClientKey) -> Option<Ipv4Addr> {
        let offered = |place: &&Pending| {
            place.stage == Stage::Offered && now < place.at && place.client == *client
        };
        self.pending.iter().find(offered).map(|place| place.address)
    }

    /// The client's offer is taken, or of no use to it.
    pub(super) fn forget_offer(&mut self, stack: &mut Stack, client: &ClientKey) {
        let iface = self.iface;
        for place in self.pending.iter_mut().filter(|p| p.client == *client) {
            if place.stage == Stage::Looking {
                stack.arp_unwatch(iface, place.address);
            }
            // The message stays as it is: nobody reads it.
            place.stage = Stage::Free;
            place.client = ClientKey::NOBODY;
            place.at = Instant::FAR_FUTURE;
        }
    }

    /// A client looks for servers: offers it an address, after a look whether somebody has it.
    pub(super) fn discovered(
        &mut self,
        stack: &mut Stack,
        view: &Dhcpv4View<'_>,
        asking: &Asking,
        message: &[u8],
    ) {
        let now = stack.now();
        let known = self
            .pending
            .iter()
            .position(|place| place.is_used() && place.client == asking.client);
        if let Some(place) = known.and_then(|index| self.pending.get_mut(index)) {
            match place.stage {
                // It asks again because we look: the newest message is the one to answer.
                Stage::Queued | Stage::Looking => {
                    place.keep(message);
                    count!(self.counters, repeated);
                    return;
                }
                Stage::Offered | Stage::Free => {}
            }
        }
        let wish = self
            .offered_to(now, &asking.client)
            .or_else(|| view.requested_address());
        let Some(address) = self.choose(stack, asking, wish) else {
            self.exhausted(view);
            return;
        };
        let stale = |place: &Pending| place.stage == Stage::Offered && now >= place.at;
        let free = known.or_else(|| {
            let free = |place: &Pending| !place.is_used() || stale(place);
            self.pending.iter().position(free)
        });
        let must_look = self.must_look(stack, view, asking, address);
        // Without a place the client has to ask again: by then one may be free.
        let Some(place) = free.and_then(|index| self.pending.get_mut(index)) else {
            count!(self.counters, no_place);
            self.tell(ServerEvent::NoPlace {
                for_whom: view.hardware(),
            });
            return;
        };
        place.client = asking.client;
        place.mac = asking.mac;
        place.address = address;
        place.is_far = !view.giaddr().is_unspecified();
        if must_look && place.keep(message) {
            place.stage = Stage::Queued;
            place.at = now;
            self.run_checks(stack);
        } else {
            self.offer(stack, free, view);
        }
    }

    /// Whether to look for an address before it is offered: not if it is the client's own, which
    /// would answer. On the link the client's own answer is known by its station; beyond it, one
    /// whose lease has ended counts as the client's too.
    //= https://www.rfc-editor.org/rfc/rfc2131#section-3.1
    //# When allocating a new address,
    //# servers SHOULD check that the offered network address is not
    //# already in use; e.g., the server may probe the offered address
    //# with an ICMP Echo Request.
    //= https://www.rfc-editor.org/rfc/rfc2131#section-2.2
    //# As a consistency check, the allocating
    //# server SHOULD probe the reused address before allocating the address,
    //# e.g., with an ICMP echo request, and the client SHOULD probe the
    //# newly received address, e.g., with ARP.
    //= https://www.rfc-editor.org/rfc/rfc2131#section-3.1
    //# Servers SHOULD be implemented so that
    //# network administrators MAY choose to disable probes of newly
    //# allocated addresses.
    fn must_look(
        &self,
        stack: &Stack,
        view: &Dhcpv4View<'_>,
        asking: &Asking,
        address: Ipv4Addr,
    ) -> bool {
        let is_far = !view.giaddr().is_unspecified();
        let own = self.store.by_address(address).is_some_and(|known| {
            known.client == asking.client && (is_far || known.is_active(self.time(stack)))
        });
        let offered = self.offered_to(stack.now(), &asking.client) == Some(address);
        !self.config.conflict_check.is_zero() && !own && !offered
    }

    /// Offers the address of a place.
    fn offer(&mut self, stack: &mut Stack, index: Option<usize>, view: &Dhcpv4View<'_>) {
        let until = stack.now() + self.config.offer_time;
        let Some(place) = index.and_then(|index| self.pending.get_mut(index)) else {
            return;
        };
        place.stage = Stage::Offered;
        place.at = until;
        let address = place.address;
        if self.send_offer(stack, view, address) {
            self.tell(ServerEvent::Offered {
                address,
                to: view.hardware(),
            });
        }
    }

    /// When a look has something due.
    pub(super) fn checks_deadline(&self) -> Instant {
        let due = |place: &Pending| match place.stage {
            Stage::Queued | Stage::Looking => place.at,
            // What was offered is forgotten when it is in the way.
            Stage::Free | Stage::Offered => Instant::FAR_FUTURE,
        };
        let looking = self.pending.iter().map(due).min();
        looking.unwrap_or(Instant::FAR_FUTURE)
    }

    /// Does what is due of every look, then begins those that wait.
    pub(super) fn run_checks(&mut self, stack: &mut Stack) {
        for index in 0..self.pending.len() {
            self.run_check(stack, index);
        }
    }

    fn run_check(&mut self, stack: &mut Stack, index: usize) {
        let (now, iface, look) = (stack.now(), self.iface, self.config.conflict_check);
        let Some(place) = self.pending.get_mut(index) else {
            return;
        };
        let address = place.address;
        match place.stage {
            Stage::Free | Stage::Offered => {}
            Stage::Queued => match place.ask(stack, iface) {
                Ok(()) => {
                    place.stage = Stage::Looking;
                    place.looked_until = now + look;
                    // A second probe half way: one may be lost.
                    place.at = now + look / 2;
                }
                Err(Error::CapacityExhausted) => place.at = now.plus_micros(SECOND / 10),
                // Not an Ethernet interface, or no way there: nothing to look with.
                Err(_) => self.end_check(stack, index),
            },
            Stage::Looking => {
                if let Some(mac) = place.found(stack, iface) {
                    stack.arp_unwatch(iface, address);
                    self.tell(ServerEvent::InUse { address, mac });
                    let hardware =
                        mac.map_or(Binding::NONE.hardware, |mac| Hardware::ethernet(mac.0));
                    self.quarantine(stack, address, hardware);
                    self.try_another(stack, index);
                } else if now >= place.looked_until {
                    stack.arp_unwatch(iface, address);
                    self.end_check(stack, index);
                } else if now >= place.at {
                    // What could not be sent is as good as lost on the way.
                    let _ = place.ask(stack, iface);
                    place.at = place.looked_until;
                }
            }
        }
    }

    /// Nobody has the address: it is offered.
    fn end_check(&mut self, stack: &mut Stack, index: usize) {
        self.with_message(stack, index, |server, stack, view| {
            server.offer(stack, Some(index), view);
        });
    }

    /// Somebody has it: another is tried.
    fn try_another(&mut self, stack: &mut Stack, index: usize) {
        self.with_message(stack, index, |server, stack, view| {
            let asking = server.asking(stack, view);
            let chosen = server.choose(stack, &asking, None);
            let now = stack.now();
            let Some(place) = server.pending.get_mut(index) else {
                return;
            };
            match chosen {
                Some(address) => {
                    place.address = address;
                    place.stage = Stage::Queued;
                    place.at = now;
                }
                None => {
                    *place = Pending::FREE;
                    server.exhausted(view);
                }
            }
        });
        // It may begin at once: a watch has just become free.
        if self
            .pending
            .get(index)
            .is_some_and(|p| p.stage == Stage::Queued)
        {
            self.run_check(stack, index);
        }
    }

    /// Calls `act` with the message a place keeps.
    fn with_message(
        &mut self,
        stack: &mut Stack,
        index: usize,
        act: impl FnOnce(&mut Self, &mut Stack, &Dhcpv4View<'_>),
    ) {
        // Out of the place, which `act` may change.
        let Some((message, len)) = self.pending.get(index).map(|p| (p.message, p.len)) else {
            return;
        };
        let message = message.get(..usize::from(len)).unwrap_or_default();
        match Dhcpv4View::new(message) {
            Ok(view) => act(self, stack, &view),
            // It parsed when it came.
            Err(_) => {
                if let Some(place) = self.pending.get_mut(index) {
                    *place = Pending::FREE;
                }
            }
        }
    }

    /// Gives an address to nobody for a while.
    pub(super) fn quarantine(&mut self, stack: &Stack, address: Ipv4Addr, hardware: Hardware) {
        let micros = self.config.quarantine.as_micros();
        let seconds = u64::try_from(micros).unwrap_or(u64::MAX) / SECOND;
        let now = self.time(stack);
        let binding = Binding {
            address,
            client: ClientKey::NOBODY,
            hardware,
            state: BindingState::Quarantined,
            expires: now.saturating_add(seconds),
        };
        if self.store.put(&binding, now).is_err() {
            self.store_failed();
        }
    }

    pub(super) fn forget_checks(&mut self, stack: &mut Stack) {
        for place in self.pending.iter_mut() {
            if place.stage == Stage::Looking {
                stack.arp_unwatch(self.iface, place.address);
            }
            *place = Pending::FREE;
        }
    }
}
