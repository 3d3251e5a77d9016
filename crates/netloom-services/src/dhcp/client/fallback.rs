//! An address for want of a lease: link-local (RFC 3927), or static.

use core::net::Ipv4Addr;

use netloom_stack::driver::Instant;
use netloom_stack::{IfaceId, Stack};
use netloom_wire::{Cidr, MacAddr};

use super::applied::Applied;
use super::event::Event;
use super::request::Fallback;
use super::{Client, EVENTS, State};
use crate::dhcp::acd::{Acd, MAX_CONFLICTS, RATE_LIMIT_INTERVAL, Verdict};
use crate::dhcp::fixed::List;

/// The fallback under way.
#[derive(Debug)]
pub(super) struct FallbackRun {
    /// When it begins; [`Instant::ZERO`]: as long after the next look as the request says.
    at: Instant,
    acd: Acd,
    /// The address that is tried or used.
    address: Option<Cidr>,
    router: Option<Ipv4Addr>,
    applied: Applied,
    /// Link-local addresses tried in vain.
    conflicts: u8,
}

impl FallbackRun {
    pub(super) const IDLE: FallbackRun = FallbackRun {
        at: Instant::FAR_FUTURE,
        acd: Acd::IDLE,
        address: None,
        router: None,
        applied: Applied::NOTHING,
        conflicts: 0,
    };

    /// It begins some time from now, unless it has.
    pub(super) fn schedule_anew(&mut self) {
        if self.address.is_none() {
            self.at = Instant::ZERO;
            self.conflicts = 0;
        }
    }

    /// It does not begin.
    pub(super) fn cancel(&mut self) {
        self.at = Instant::FAR_FUTURE;
    }

    pub(super) fn deadline(&self) -> Instant {
        self.at.min(self.acd.deadline())
    }

    /// The address in use.
    pub(super) fn address(&self) -> Option<Cidr> {
        self.applied.address()
    }

    /// Takes the address back; says which it was.
    pub(super) fn end(&mut self, stack: &mut Stack, iface: IfaceId) -> Option<Cidr> {
        let used = self.applied.address();
        self.applied.withdraw(stack, iface);
        self.acd.end(stack, iface);
        self.address = None;
        self.router = None;
        used
    }

    /// [`end`](FallbackRun::end), and the program is told.
    pub(super) fn end_with_word(
        &mut self,
        stack: &mut Stack,
        iface: IfaceId,
        events: &mut List<Event, EVENTS>,
    ) {
        if let Some(address) = self.end(stack, iface) {
            events.push(Event::FallbackLost(address));
        }
    }
}

impl Client {
    /// Begins the fallback if it is time, and looks after its address. Says whether it did
    /// something.
    pub(super) fn run_fallback(&mut self, stack: &mut Stack) -> bool {
        let (now, iface) = (stack.now(), self.iface);
        match self.settings.fallback {
            Fallback::None => self.fallback.cancel(),
            Fallback::LinkLocal | Fallback::Static(..) => {}
        }
        if self.fallback.at == Instant::ZERO {
            self.fallback.at = now + self.settings.fallback_after;
        }
        if now >= self.fallback.at {
            self.fallback.cancel();
            self.try_fallback(stack);
            return true;
        }
        let verdict = self.fallback.acd.poll(stack, iface);
        let Some(address) = self.fallback.address else {
            return false;
        };
        match verdict {
            None => return false,
            Some(Verdict::Free) => self.use_fallback(stack, address),
            Some(Verdict::Taken(mac) | Verdict::Lost(mac)) => {
                self.fallback_taken(stack, address, mac);
            }
        }
        true
    }

    fn try_fallback(&mut self, stack: &mut Stack) {
        let address = match self.settings.fallback {
            Fallback::None => return,
            Fallback::Static(address, router) => {
                self.fallback.router = router;
                address
            }
            Fallback::LinkLocal => link_local(self.mac, self.fallback.conflicts),
        };
        self.fallback.address = Some(address);
        let ip = super::lease::v4(&address.addr);
        let check = self.settings.conflict_check;
        self.fallback.acd.begin(stack, self.iface, ip, check);
    }

    fn use_fallback(&mut self, stack: &mut Stack, address: Cidr) {
        let FallbackRun {
            applied, router, ..
        } = &mut self.fallback;
        match applied.set_address(stack, self.iface, address) {
            Ok(()) => {
                if let Some(router) = *router {
                    applied.add_router(stack, self.iface, router);
                }
                self.tell(Event::FallbackInUse(address));
            }
            Err(error) => self.tell(Event::NotApplied(error)),
        }
    }

    /// Somebody has the address: another is tried, if it is this client's to choose.
    fn fallback_taken(&mut self, stack: &mut Stack, address: Cidr, mac: MacAddr) {
        let used = self.fallback.end(stack, self.iface);
        self.tell(match used {
            Some(address) => Event::FallbackLost(address),
            None => Event::Conflict {
                address: super::lease::v4(&address.addr),
                mac,
            },
        });
        if self.settings.fallback != Fallback::LinkLocal || self.state == State::Bound {
            return;
        }
        self.fallback.conflicts = self.fallback.conflicts.saturating_add(1);
        //= https://www.rfc-editor.org/rfc/rfc3927#section-2.2.1
        //# A host should maintain a counter of the number of address conflicts
        //# it has experienced in the process of trying to acquire an address,
        //# and if the number of conflicts exceeds MAX_CONFLICTS then the host
        //# MUST limit the rate at which it probes for new addresses to no more
        //# than one new address per RATE_LIMIT_INTERVAL.
        let wait = if self.fallback.conflicts > MAX_CONFLICTS {
            RATE_LIMIT_INTERVAL
        } else {
            0
        };
        self.fallback.at = stack.now().plus_micros(wait.max(1));
    }
}

/// The link-local address tried after so many conflicts.
//= https://www.rfc-editor.org/rfc/rfc3927#section-2.1
//# The pseudo-random number generation algorithm MUST be chosen so that
//# different hosts do not generate the same sequence of numbers.  If the
//# host has access to persistent information that is different for each
//# host, such as its IEEE 802 MAC address, then the pseudo-random number
//# generator SHOULD be seeded using a value derived from this
//# information.
pub(super) fn link_local(mac: MacAddr, attempt: u8) -> Cidr {
    let [a, b, c, d, e, f] = mac.0;
    // SplitMix64: any two seeds are far apart.
    let mut bits = u64::from_be_bytes([attempt, 0x3f, a, b, c, d, e, f]);
    for multiplier in [0xbf58_476d_1ce4_e5b9_u64, 0x94d0_49bb_1331_11eb] {
        bits = (bits ^ (bits >> 29)).wrapping_mul(multiplier);
    }
    bits ^= bits >> 32;
    //= https://www.rfc-editor.org/rfc/rfc3927#section-2.1
    //# When a host wishes to configure an IPv4 Link-Local address, it
    //# selects an address using a pseudo-random number generator with a
    //# uniform distribution in the range from 169.254.1.0 to 169.254.254.255
    //# inclusive.
    let third = 1 + (((bits & 0xffff) * 254) >> 16) as u8;
    let fourth = (bits >> 16) as u8;
    Cidr {
        addr: netloom_wire::Addr::v4([169, 254, third, fourth]),
        prefix: 16,
    }
}
