//! What servers say, and what follows from it.

use core::net::Ipv4Addr;

use netloom_stack::driver::Instant;
use netloom_stack::{Error, Stack};
use netloom_wire::dhcpv4::{Dhcpv4View, Hardware, MessageType, Op, code};
use netloom_wire::{Addr, MacAddr};

use super::event::{Event, Loss};
use super::lease::{self, Lease};
use super::{Client, OfferPolicy, State};
use crate::dhcp::acd::{MAX_CONFLICTS, RATE_LIMIT_INTERVAL};
use crate::dhcp::{SECOND, is_host};

/// The longest message read: more than servers were told to send, for those that do not listen.
const BUFFER: usize = 1024;
/// Messages read in one turn; the stack's queue holds the others.
const TURN: usize = 32;

/// An offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) server: Ipv4Addr,
    pub(super) address: Ipv4Addr,
    seconds: u32,
}

impl Client {
    /// Takes in what has arrived.
    // Its buffer is not to lie on the stack of a program that only sends.
    #[inline(never)]
    pub(super) fn receive(&mut self, stack: &mut Stack) {
        self.unread = false;
        let mut buffer = [0; BUFFER];
        for _ in 0..TURN {
            match stack.udp_recv(self.socket, &mut buffer) {
                Ok(received) => {
                    // One that was cut does not parse, or says less than its sender meant.
                    if received.copied != usize::from(received.meta.len) {
                        count!(self.counters, cut);
                        continue;
                    }
                    let message = buffer.get(..received.copied).unwrap_or_default();
                    self.message(stack, received.meta.remote, message);
                }
                Err(Error::WouldBlock | Error::StaleHandle) => return,
                // What ICMP said of a message sent before: the server is not there just now.
                Err(_) => {}
            }
        }
        self.unread = true;
    }

    /// Takes in a message, if it is the answer waited for.
    fn message(&mut self, stack: &mut Stack, from: Addr, message: &[u8]) {
        let Ok(view) = Dhcpv4View::new(message) else {
            count!(self.counters, malformed);
            return;
        };
        if !self.is_answer(&view) {
            return;
        }
        let Some(kind) = view.message_type() else {
            count!(self.counters, malformed);
            return;
        };
        // Never `siaddr`: that is another server's, and often 0.
        let Some(server) = view
            .server_identifier()
            .or_else(|| from.v4_octets().map(Ipv4Addr::from))
            .filter(|server| is_host(*server))
        else {
            count!(self.counters, unusable);
            return;
        };
        match kind {
            MessageType::Offer => self.offered(stack, &view),
            MessageType::Ack => self.acknowledged(stack, &view, server),
            MessageType::Nak => self.refused(stack, server),
            MessageType::Discover
            | MessageType::Request
            | MessageType::Decline
            | MessageType::Release
            | MessageType::Inform
            | MessageType::Other(_) => count!(self.counters, unexpected),
        }
    }

    /// Whether a message answers this client's last one; counts what does not.
    fn is_answer(&mut self, view: &Dhcpv4View<'_>) -> bool {
        if view.op() != Op::Reply {
            count!(self.counters, unexpected);
            return false;
        }
        if view.xid() != self.xid {
            count!(self.counters, wrong_xid);
            return false;
        }
        if view.hardware() != Hardware::ethernet(self.mac.0) {
            count!(self.counters, wrong_hardware);
            return false;
        }
        //= https://www.rfc-editor.org/rfc/rfc6842#section-3
        //# If the two client identifiers do
        //# not match, the client MUST silently discard the message.
        let is_own = view
            .option(code::CLIENT_IDENTIFIER)
            .is_none_or(|id| id.is(self.settings.client_id.as_bytes()));
        if !is_own {
            count!(self.counters, wrong_id);
        }
        is_own
    }

    fn offered(&mut self, stack: &mut Stack, view: &Dhcpv4View<'_>) {
        if self.state != State::Selecting {
            count!(self.counters, unexpected);
            return;
        }
        let address = view.yiaddr();
        // An offer that cannot be used, or not be asked for, is none.
        let server = view.server_identifier().filter(|server| is_host(*server));
        let (Some(server), Some(_)) = (server, lease::address(view, address)) else {
            count!(self.counters, unusable);
            return;
        };
        let seconds = view.option(code::LEASE_TIME).and_then(|o| o.u32());
        let offer = Choice {
            server,
            address,
            seconds: seconds.unwrap_or(0),
        };
        match self.settings.offers {
            OfferPolicy::First => {
                count!(self.counters, offers);
                self.choice = Some(offer);
                self.take_offer(stack);
            }
            OfferPolicy::BestWithin(time) => match self.choice {
                None => {
                    count!(self.counters, offers);
                    self.choice = Some(offer);
                    self.collect_until = stack.now() + time;
                }
                Some(best) => {
                    let rank = |offer: &Choice| (self.wish == Some(offer.address), offer.seconds);
                    if rank(&offer) > rank(&best) {
                        count!(self.counters, offers);
                        self.choice = Some(offer);
                    } else {
                        count!(self.counters, passed_over);
                    }
                }
            },
        }
    }

    /// Asks for the offer chosen.
    pub(super) fn take_offer(&mut self, stack: &mut Stack) {
        self.state = State::Requesting;
        self.backoff = super::Backoff::START;
        self.send_selecting(stack);
        self.at = stack.now().plus_micros(self.backoff.next(stack));
    }

    #[inline(never)]
    fn acknowledged(&mut self, stack: &mut Stack, view: &Dhcpv4View<'_>, server: Ipv4Addr) {
        let given = view.yiaddr();
        let expected = match self.state {
            State::Requesting => self
                .choice
                .is_some_and(|c| c.server == server && c.address == given),
            State::Rebooting => self.wish == Some(given),
            State::Renewing | State::Rebinding => {
                self.leased().is_some_and(|(own, _)| own == given)
            }
            State::Informing => {
                self.informed(view, server);
                return;
            }
            State::Stopped
            | State::Init
            | State::Selecting
            | State::InitReboot
            | State::Checking
            | State::Bound
            | State::Informed
            | State::Releasing => {
                count!(self.counters, unexpected);
                return;
            }
        };
        if !expected {
            count!(self.counters, foreign);
            return;
        }
        let random = stack.random_u32();
        let Some(lease) = Lease::parse(view, server, self.asked_at, random) else {
            count!(self.counters, unusable);
            return;
        };
        count!(self.counters, acks);
        self.naks = 0;
        match self.state {
            State::Renewing | State::Rebinding => self.extended(stack, lease),
            _ => {
                //= https://www.rfc-editor.org/rfc/rfc2131#section-4.4.1
                //# The client SHOULD perform a check on the suggested address to ensure
                //# that the address is not already in use.
                let (iface, check) = (self.iface, self.settings.conflict_check);
                self.acd.begin(stack, iface, lease.ip(), check);
                self.lease = Some(lease);
                self.state = State::Checking;
                self.at = Instant::FAR_FUTURE;
            }
        }
    }

    /// The lease goes on.
    fn extended(&mut self, stack: &mut Stack, lease: Lease) {
        let changed = self
            .lease
            .as_ref()
            .is_some_and(|known| known.differs_from(&lease));
        let (server, seconds) = (lease.server, lease.seconds);
        if changed {
            if let Err(error) = self.applied.apply(stack, self.iface, &lease) {
                self.tell(Event::NotApplied(error));
            }
        }
        self.lease = Some(lease);
        self.state = State::Bound;
        self.at = Instant::FAR_FUTURE;
        self.tell(if changed {
            Event::Changed { server, seconds }
        } else {
            Event::Renewed { server, seconds }
        });
    }

    fn informed(&mut self, view: &Dhcpv4View<'_>, server: Ipv4Addr) {
        let Some(own) = self.wish else { return };
        let Some(lease) = Lease::informed(view, own, server, self.asked_at) else {
            count!(self.counters, unusable);
            return;
        };
        count!(self.counters, acks);
        self.lease = Some(lease);
        self.state = State::Informed;
        self.at = Instant::FAR_FUTURE;
        self.tell(Event::Informed { server });
    }

    /// A server says no. Only the one that was asked may.
    fn refused(&mut self, stack: &mut Stack, server: Ipv4Addr) {
        let heeded = match self.state {
            State::Requesting => self.choice.is_some_and(|c| c.server == server),
            State::Checking | State::Renewing => {
                self.leased().is_some_and(|(_, known)| known == server)
            }
            // Everybody was asked.
            State::Rebooting | State::Rebinding => true,
            State::Stopped
            | State::Init
            | State::Selecting
            | State::InitReboot
            | State::Bound
            | State::Informing
            | State::Informed
            | State::Releasing => {
                count!(self.counters, unexpected);
                return;
            }
        };
        if !heeded {
            count!(self.counters, foreign);
            return;
        }
        count!(self.counters, naks);
        self.tell(Event::Refused { server });
        //= https://www.rfc-editor.org/rfc/rfc2131#section-3.1
        //# If the client receives a DHCPNAK message, the client restarts the
        //# configuration process.
        self.lose(stack, Loss::Refused);
        self.wish = None;
        // The first time at once; then ever more slowly, or a server that always refuses would
        // have a storm of it.
        let delay = match self.naks {
            0 => 0,
            n => {
                let mut backoff = super::Backoff::START;
                let mut delay = 0;
                for _ in 0..n {
                    delay = backoff.next(stack);
                }
                delay
            }
        };
        self.naks = self.naks.saturating_add(1).min(5);
        self.restart_in(stack, delay);
    }

    /// The address may not be used any more.
    pub(super) fn lose(&mut self, stack: &mut Stack, why: Loss) {
        self.acd.end(stack, self.iface);
        self.lease = None;
        if self.applied.withdraw(stack, self.iface) {
            self.tell(Event::Lost(why));
            self.fallback.schedule_anew();
        }
    }

    /// Looks for servers again, in so many microseconds.
    pub(super) fn restart_in(&mut self, stack: &mut Stack, micros: u64) {
        self.choice = None;
        self.state = State::Init;
        self.at = stack.now().plus_micros(micros);
    }

    /// Another station has the address.
    pub(super) fn conflict(&mut self, stack: &mut Stack, mac: MacAddr) {
        let Some((address, server)) = self.leased() else {
            return;
        };
        self.tell(Event::Conflict { address, mac });
        self.lose(stack, Loss::Conflict);
        //= https://www.rfc-editor.org/rfc/rfc2131#section-3.1
        //# If the client detects that the address is already in use
        //# (e.g., through the use of ARP), the client MUST send a DHCPDECLINE
        //# message to the server and restarts the configuration process.
        self.send_decline(stack, address, server);
        self.wish = None;
        self.conflicts = self.conflicts.saturating_add(1);
        //= https://www.rfc-editor.org/rfc/rfc2131#section-3.1
        //# The client SHOULD wait a minimum of ten
        //# seconds before restarting the configuration process to avoid
        //# excessive network traffic in case of looping.
        let delay = if self.conflicts > MAX_CONFLICTS {
            RATE_LIMIT_INTERVAL
        } else {
            10 * SECOND
        };
        self.restart_in(stack, delay);
    }
}
