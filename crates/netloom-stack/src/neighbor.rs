//! Which link-layer address a neighbour has: one cache for ARP and ND.
//!
//! ARP (RFC 826) says how to ask and RFC 1122 §2.3.2.1 that what was learnt must not be believed
//! for ever; RFC 4861 §7.3 says how to do that well, so both versions run its machine:
//!
//! ```text
//!            first use                     answer, solicited
//!     (none) ---------> Incomplete ---------------------------> Reachable <---+
//!        |                  |   \ answer, unsolicited              | time     |
//!        | they ask us      |    +------------------------> Stale <-+         | answer, or
//!        +------------------|-------------------------------> | use           | the upper
//!                           | no answer                       v               | layer confirms
//!                           v                                Delay -----------+
//!                         Failed                              | 5 s           |
//!                                                             v               |
//!                          (deleted) <--------- no answer -- Probe -----------+
//! ```
//!
//! The cache never sends. [`NeighborCache::poll`] says what is to be solicited and what has
//! failed, and the stack does it.
//!
//! # What an attacker can do to it
//!
//! Entries exist only because this host sent to an address, or because somebody asked for one of
//! its own addresses. Neither can be refused, so both are confined: unanswered resolutions (a
//! scan through the host, spoofed sources) hold at most a quarter of the table, and so do entries
//! that were never used (a flood of solicitations). Such entries are the first to be evicted and
//! are replaced by one another, so that neighbours in use stay, least recently used first to go.

mod cache;
mod learn;
#[cfg(feature = "alloc")]
mod queues;
#[cfg(not(feature = "alloc"))]
#[path = "neighbor/scan.rs"]
mod queues;
mod unreachability;

/// Whether neighbours are watched while they are used (RFC 4861 §7.3). Without it what is known of
/// one is believed for its time, then asked for again.
//= https://www.rfc-editor.org/rfc/rfc1122#section-2.3.2.1
//# An implementation of the Address Resolution Protocol (ARP)
//# [LINK:2] MUST provide a mechanism to flush out-of-date cache
//# entries.
const NUD: bool = cfg!(feature = "nud");

use netloom_driver::Instant;
use netloom_wire::{Addr, MacAddr};

pub use cache::NeighborCache;

use crate::keyed_table::{ItemId, Keyed, TableLinks};
#[cfg(feature = "alloc")]
use crate::list::List;

/// Where an entry stands (RFC 4861 §7.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NeighborState {
    /// An unused slot.
    #[default]
    Free,
    /// INCOMPLETE: asked for, not yet answered; there is no link-layer address.
    Incomplete,
    /// REACHABLE: known to have received what was sent within the last `reachable_time`.
    Reachable,
    /// STALE: the address is known, whether it still holds is not; nothing is done about that
    /// before it is used.
    Stale,
    /// DELAY: stale and in use; the upper layer is given time to confirm it.
    Delay,
    /// PROBE: being asked directly.
    Probe,
    /// Configured; never expires, never learnt over.
    Static,
    /// Nobody answered. The slot is the first to be reused, and remembers when it may be
    /// asked for again.
    Failed,
}

/// The timing of neighbour discovery, for ARP and ND alike. Milliseconds.
///
/// RFC 4861 §10 defaults. A router's advertisement may change them for its interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeighborTunables {
    /// How long a confirmation is believed (Linux: `base_reachable_time_ms`, randomised).
    /// Default 30 000. See [`set_reachable_time`](Self::set_reachable_time).
    pub reachable_time: u32,
    /// Least time between two solicitations of a neighbour (`retrans_time_ms`). Default 1 000.
    pub retrans_timer: u32,
    /// How long a stale neighbour in use may go unconfirmed before it is probed
    /// (`delay_first_probe_time`, there in seconds). Default 5 000.
    pub delay_first_probe_time: u32,
    /// Broadcast or multicast solicitations before resolution has failed (`mcast_solicit`).
    /// Default 3.
    pub max_multicast_solicit: u8,
    /// Unicast probes before a neighbour is taken for unreachable (`ucast_solicit`). Default 3.
    pub max_unicast_solicit: u8,
}

impl NeighborTunables {
    /// REACHABLE_TIME 30 s (not randomised), RETRANS_TIMER 1 s, DELAY_FIRST_PROBE_TIME 5 s,
    /// MAX_MULTICAST_SOLICIT 3, MAX_UNICAST_SOLICIT 3.
    pub const DEFAULT: NeighborTunables = NeighborTunables {
        reachable_time: 30_000,
        retrans_timer: 1_000,
        delay_first_probe_time: 5_000,
        max_multicast_solicit: 3,
        max_unicast_solicit: 3,
    };

    /// Sets ReachableTime from BaseReachableTime (milliseconds) and 32 random bits.
    pub fn set_reachable_time(&mut self, base_reachable_time: u32, random: u32) {
        //= https://www.rfc-editor.org/rfc/rfc4861#section-6.3.2
        //# This value should be a uniformly distributed
        //# random value between MIN_RANDOM_FACTOR and
        //# MAX_RANDOM_FACTOR times BaseReachableTime
        //# milliseconds.
        let spread = ((u64::from(base_reachable_time) * u64::from(random)) >> 32) as u32;
        self.reachable_time = (base_reachable_time / 2).saturating_add(spread);
    }
}

impl Default for NeighborTunables {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// An entry of the cache.
#[derive(Debug)]
pub struct Neighbor {
    /// Who waits for the answer, in order. The stack appends to it while the entry is
    /// [`Incomplete`](NeighborState::Incomplete), and empties it when the cache says that the
    /// entry was resolved or has failed.
    #[cfg(feature = "alloc")]
    pub waiting: List,
    /// How many wait: kept, and bounded, by whoever has them wait.
    pub waiting_count: u16,
    links: TableLinks,
    addr: Addr,
    mac: MacAddr,
    iface: u8,
    state: NeighborState,
    /// Solicitations sent since the state was entered.
    probes: u8,
    router: bool,
    /// This host has sent to it; else it is only here because it asked for us.
    used: bool,
    /// When it was last used: microseconds / 2^20, close to a second, wrapping.
    used_at: u32,
    /// When Incomplete and Probe solicit again or give up, and Delay begins to probe.
    deadline: Instant,
    /// No solicitation before this, whatever the state.
    quiet_until: Instant,
    /// When reachability was last confirmed.
    confirmed: Instant,
}

impl Neighbor {
    /// A free slot; all-zero bytes.
    pub const EMPTY: Neighbor = Neighbor {
        #[cfg(feature = "alloc")]
        waiting: List::EMPTY,
        waiting_count: 0,
        links: TableLinks::EMPTY,
        addr: Addr::UNSPECIFIED,
        mac: MacAddr([0; 6]),
        iface: 0,
        state: NeighborState::Free,
        probes: 0,
        router: false,
        used: false,
        used_at: 0,
        deadline: Instant::ZERO,
        quiet_until: Instant::ZERO,
        confirmed: Instant::ZERO,
    };

    /// The neighbour's IP address.
    pub fn addr(&self) -> &Addr {
        &self.addr
    }

    /// The interface it is on.
    pub fn iface(&self) -> u8 {
        self.iface
    }

    /// Its link-layer address, in every state that has one.
    pub fn mac(&self) -> Option<MacAddr> {
        match self.state {
            NeighborState::Free | NeighborState::Incomplete | NeighborState::Failed => None,
            NeighborState::Reachable
            | NeighborState::Stale
            | NeighborState::Delay
            | NeighborState::Probe
            | NeighborState::Static => Some(self.mac),
        }
    }

    /// Its state at `now`. An expired Reachable entry is Stale from here on, though the cache
    /// only writes that down when the entry is used.
    pub fn state(&self, now: Instant, tunables: &NeighborTunables) -> NeighborState {
        if self.state == NeighborState::Reachable && self.is_expired(now, tunables) {
            NeighborState::Stale
        } else {
            self.state
        }
    }

    /// Whether it is a router (IsRouter, RFC 4861 §5.1).
    pub fn is_router(&self) -> bool {
        self.router
    }

    /// When its reachability was last confirmed; [`Instant::ZERO`] if it never was.
    pub fn confirmed(&self) -> Instant {
        self.confirmed
    }

    /// Whether somebody waits in it. Where packets do not, nobody is counted: while it is asked for
    /// somebody may.
    #[cfg(not(feature = "alloc"))]
    fn is_waited_for(&self) -> bool {
        if cfg!(feature = "hold") {
            self.waiting_count > 0
        } else {
            self.state == NeighborState::Incomplete
        }
    }

    /// Whether somebody waits in it.
    #[cfg(feature = "alloc")]
    fn is_waited_for(&self) -> bool {
        self.waiting_count > 0
    }

    fn is_expired(&self, now: Instant, tunables: &NeighborTunables) -> bool {
        now.micros_since(self.confirmed) >= u64::from(tunables.reachable_time) * 1_000
    }
}

impl Keyed for Neighbor {
    const EMPTY: Self = Neighbor::EMPTY;

    fn key(&self) -> (u8, &Addr) {
        (self.iface, &self.addr)
    }

    fn set_key(&mut self, iface: u8, addr: &Addr) {
        self.iface = iface;
        self.addr = *addr;
    }

    fn links(&self) -> &TableLinks {
        &self.links
    }

    fn links_mut(&mut self) -> &mut TableLinks {
        &mut self.links
    }
}

/// Names an entry. If the entry has since been given to another neighbour, the id is stale and
/// finds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NeighborId(ItemId);

impl NeighborId {
    /// The entry's place in the cache, for those who remember where they wait.
    pub(crate) fn index(self) -> u16 {
        self.0.index()
    }
}

/// What is known of a next hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolve {
    /// Send to this address.
    Found(MacAddr),
    /// It is being asked for: wait in this entry's list.
    Pending(NeighborId),
    /// There is no room to ask: as many others are being asked for as the cache allows.
    Full,
}

/// How a link-layer address came to be known, which decides what it may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learn {
    /// A Neighbor Advertisement (RFC 4861 §7.2.5), with its three flags; or an ARP reply to
    /// this host, which is `solicited` and `override_flag` and says nothing of routers.
    Reply {
        /// It answers a solicitation of this host.
        solicited: bool,
        /// It may replace another link-layer address.
        override_flag: bool,
        /// The sender is a router.
        router: bool,
    },
    /// An ARP packet, of either kind, that asks or tells this host's own address: it may create
    /// an entry.
    Request,
    /// An ARP packet that is not for this host: it may update an entry, not create one.
    Gratuitous,
    /// The source of a valid Neighbor Solicitation for one of this host's addresses.
    NdSolicitation,
    /// The source of a Router Solicitation: it is not a router.
    RouterSolicitation,
    /// The source of a Router Advertisement: it is a router.
    RouterAdvertisement,
    /// The target of a Redirect.
    Redirect {
        /// The target is not the destination itself, so it is a router.
        to_router: bool,
    },
}

/// What the stack is to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Send an ARP request or a Neighbor Solicitation.
    Solicit {
        /// On this interface,
        iface: u8,
        /// for this address,
        addr: Addr,
        /// to this link-layer address; if `None`, to all (ARP) or to the solicited-node group.
        unicast: Option<MacAddr>,
        /// Whose entry it is.
        id: NeighborId,
    },
    /// Nobody answered: tell whoever waits in the entry that the host is unreachable, and
    /// empty its list.
    Failed {
        /// The entry; it is gone once its list is empty and room is needed.
        id: NeighborId,
    },
    /// A neighbour that had answered no longer does; its entry was deleted. If it is a router,
    /// another should be chosen.
    Expired {
        /// The interface it was on.
        iface: u8,
        /// Its address.
        addr: Addr,
        /// Whether it was a router.
        router: bool,
    },
}

/// The cache has no room for another entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheFull;

impl core::fmt::Display for CacheFull {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the neighbour cache is full")
    }
}

impl core::error::Error for CacheFull {}

#[cfg(test)]
#[cfg(feature = "ipv6")]
mod tests;
