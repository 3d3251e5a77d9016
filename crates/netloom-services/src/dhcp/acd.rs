//! Address conflict detection (RFC 5227): probe before an address is used, announce it, defend it.

use core::net::Ipv4Addr;

use netloom_stack::driver::Instant;
use netloom_stack::{IfaceId, Stack};
use netloom_wire::{Addr, MacAddr};

use super::SECOND;

/// How long to look whether somebody has an address before it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ConflictCheck {
    /// As RFC 5227 §1.1 says: three probes within 2 to 5 seconds, and 2 seconds more.
    #[default]
    Full,
    /// Three probes within 0.4 seconds, and 0.2 seconds more: enough on a wire, and where somebody
    /// waits.
    Quick,
    /// Not at all. The address is announced and defended all the same.
    None,
}

/// RFC 5227 §1.1, in microseconds.
#[derive(Debug, Clone, Copy)]
struct Times {
    probe_wait: u64,
    probe_min: u64,
    probe_max: u64,
    announce_wait: u64,
}

impl ConflictCheck {
    const fn times(self) -> Times {
        match self {
            //= https://www.rfc-editor.org/rfc/rfc5227#section-1.1
            //# PROBE_WAIT           1 second   (initial random delay)
            ConflictCheck::Full | ConflictCheck::None => Times {
                probe_wait: SECOND,
                probe_min: SECOND,
                probe_max: 2 * SECOND,
                announce_wait: 2 * SECOND,
            },
            ConflictCheck::Quick => Times {
                probe_wait: SECOND / 10,
                probe_min: SECOND / 10,
                probe_max: SECOND / 5,
                announce_wait: SECOND / 5,
            },
        }
    }
}

const PROBE_NUM: u8 = 3;
const ANNOUNCE_NUM: u8 = 2;
const ANNOUNCE_INTERVAL: u64 = 2 * SECOND;
/// After so many conflicts a host is slow to try again (RFC 5227 §2.1.1).
pub(super) const MAX_CONFLICTS: u8 = 10;
pub(super) const RATE_LIMIT_INTERVAL: u64 = 60 * SECOND;
const DEFEND_INTERVAL: u64 = 10 * SECOND;

/// What became of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nobody has it: it may be used now, and is announced from now on.
    Free,
    /// Somebody has it, or is about to: it may not be used.
    Taken(MacAddr),
    /// Somebody took it although it was defended: it may not be used any more.
    Lost(MacAddr),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    Probing,
    Announcing,
    Guarding,
}

/// One address under watch.
#[derive(Debug)]
pub(super) struct Acd {
    phase: Phase,
    times: Times,
    address: Ipv4Addr,
    /// Probes or announcements sent.
    sent: u8,
    at: Instant,
    defended: Option<Instant>,
}

impl Acd {
    /// Nothing is watched.
    pub(super) const IDLE: Acd = Acd {
        phase: Phase::Idle,
        times: ConflictCheck::Full.times(),
        address: Ipv4Addr::UNSPECIFIED,
        sent: 0,
        at: Instant::FAR_FUTURE,
        defended: None,
    };

    /// Begins to find out whether an address may be used; [`poll`](Acd::poll) tells.
    pub(super) fn begin(
        &mut self,
        stack: &mut Stack,
        iface: IfaceId,
        address: Ipv4Addr,
        check: ConflictCheck,
    ) {
        self.end(stack, iface);
        let times = check.times();
        // Without room to listen there is nothing to wait for: probing would be blind.
        let deaf = stack.arp_watch(iface, address).is_err();
        let now = stack.now();
        let blind = deaf || check == ConflictCheck::None;
        *self = Acd {
            phase: Phase::Probing,
            times,
            address,
            sent: if blind { PROBE_NUM } else { 0 },
            at: if blind {
                now
            } else {
                //= https://www.rfc-editor.org/rfc/rfc5227#section-2.1.1
                //# When ready to begin probing, the host should then wait for a random
                //# time interval selected uniformly in the range zero to PROBE_WAIT
                //# seconds, and should then send PROBE_NUM probe packets, each of these
                //# probe packets spaced randomly and uniformly, PROBE_MIN to PROBE_MAX
                //# seconds apart.
                now.plus_micros(between(stack, 0, times.probe_wait))
            },
            defended: None,
        };
    }

    /// Stops watching.
    pub(super) fn end(&mut self, stack: &mut Stack, iface: IfaceId) {
        if self.phase != Phase::Idle {
            stack.arp_unwatch(iface, self.address);
            *self = Acd::IDLE;
        }
    }

    /// Another has stopped watching, perhaps the same address.
    pub(super) fn watch_again(&self, stack: &mut Stack, iface: IfaceId) {
        if self.phase != Phase::Idle {
            // Without room it is deaf, as it may have been before.
            let _ = stack.arp_watch(iface, self.address);
        }
    }

    /// When [`poll`](Acd::poll) has something to do.
    pub(super) fn deadline(&self) -> Instant {
        self.at
    }

    /// Sends what is due, and says what became of the address if that has changed.
    pub(super) fn poll(&mut self, stack: &mut Stack, iface: IfaceId) -> Option<Verdict> {
        if self.phase == Phase::Idle {
            return None;
        }
        let now = stack.now();
        let addr = Addr::from(self.address);
        let heard = stack.arp_claim_heard(iface, addr);
        match self.phase {
            Phase::Idle => None,
            Phase::Probing => {
                if let Some(claim) = heard {
                    self.end(stack, iface);
                    return Some(Verdict::Taken(claim.mac));
                }
                if now < self.at {
                    return None;
                }
                if self.sent < PROBE_NUM {
                    // What could not be sent is as good as lost on the way.
                    let _ = stack.arp_probe(iface, addr);
                    self.sent = self.sent.saturating_add(1);
                    let Times {
                        probe_min,
                        probe_max,
                        announce_wait,
                        ..
                    } = self.times;
                    self.at = now.plus_micros(if self.sent < PROBE_NUM {
                        between(stack, probe_min, probe_max)
                    } else {
                        announce_wait
                    });
                    return None;
                }
                self.phase = Phase::Announcing;
                self.sent = 0;
                self.at = now;
                Some(Verdict::Free)
            }
            Phase::Announcing | Phase::Guarding => {
                if let Some(claim) = heard.filter(|claim| !claim.probe) {
                    //= https://www.rfc-editor.org/rfc/rfc5227#section-2.4
                    //# (b) If a host currently has active TCP connections or other reasons
                    //# to prefer to keep the same IPv4 address, and it has not seen any
                    //# other conflicting ARP packets within the last DEFEND_INTERVAL
                    //# seconds, then it MAY elect to attempt to defend its address by
                    //# recording the time that the conflicting ARP packet was received,
                    //# and then broadcasting one single ARP Announcement
                    if self
                        .defended
                        .is_some_and(|at| now.micros_since(at) < DEFEND_INTERVAL)
                    {
                        self.end(stack, iface);
                        return Some(Verdict::Lost(claim.mac));
                    }
                    self.defended = Some(now);
                    let _ = stack.arp_announce(iface, addr);
                }
                if now >= self.at {
                    let _ = stack.arp_announce(iface, addr);
                    self.sent = self.sent.saturating_add(1);
                    if self.sent < ANNOUNCE_NUM {
                        self.at = now.plus_micros(ANNOUNCE_INTERVAL);
                    } else {
                        self.phase = Phase::Guarding;
                        self.at = Instant::FAR_FUTURE;
                    }
                }
                None
            }
        }
    }
}

/// A number of microseconds from `low` to `high`, all equally likely.
pub(super) fn between(stack: &mut Stack, low: u64, high: u64) -> u64 {
    let width = u32::try_from(high.saturating_sub(low)).unwrap_or(u32::MAX);
    // The high half of a product: no division.
    let offset = (u64::from(stack.random_u32()) * (u64::from(width).saturating_add(1))) >> 32;
    low.saturating_add(offset)
}
