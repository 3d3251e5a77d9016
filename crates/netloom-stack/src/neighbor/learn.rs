//! What packets say of link-layer addresses: RFC 826's merge, RFC 4861 §7.2.3 and §7.2.5.

use netloom_driver::Instant;
use netloom_wire::{Addr, MacAddr};

use super::cache::{Queue, tick};
use super::{Learn, NUD, NeighborCache, NeighborId, NeighborState};

impl NeighborCache {
    /// Applies what a packet said of `addr`'s link-layer address.
    ///
    /// The packet must have passed its own checks (hop limit 255, lengths), and `addr` must be on
    /// the link of `iface` by the routes: who is not a neighbour has no place here.
    /// `mac` is `None` for an ND message without the option. Addresses that are not unicast, on
    /// either layer, are ignored.
    ///
    /// Returns the entry if this resolved it: what waits in it can be sent. After a
    /// [`Learn::Reply`], see [`take_lost_router`](Self::take_lost_router).
    pub fn learn(
        &mut self,
        now: Instant,
        iface: u8,
        addr: &Addr,
        mac: impl Into<Option<MacAddr>>,
        how: Learn,
    ) -> Option<NeighborId> {
        let mac: Option<MacAddr> = mac.into();
        if !addr.is_unicast() || mac.is_some_and(|mac| !mac.is_unicast()) {
            return None;
        }
        if !NUD {
            return self.believe(now, iface, addr, mac?, how);
        }
        let Some(index) = self.entries.lookup(iface, addr) else {
            self.create_stale(now, iface, addr, mac?, how);
            return None;
        };
        let entry = self.entries.get(index)?;
        if entry.state == NeighborState::Static {
            return None;
        }
        if entry.mac().is_none() {
            return self.answer(now, index, mac?, how);
        }
        self.update(now, index, mac, how);
        None
    }

    /// [`learn`](Self::learn) where what is told is believed for its time, from whom ever it comes.
    fn believe(
        &mut self,
        now: Instant,
        iface: u8,
        addr: &Addr,
        mac: MacAddr,
        how: Learn,
    ) -> Option<NeighborId> {
        let index = match self.entries.lookup(iface, addr) {
            Some(index) => index,
            None if how.creates() => self.make_room(iface, addr)?,
            None => return None,
        };
        let entry = self.entries.get_mut(index)?;
        if entry.state == NeighborState::Static {
            return None;
        }
        // That of a new entry too, in which nobody waits.
        let resolved = entry.mac().is_none();
        entry.mac = mac;
        entry.state = NeighborState::Reachable;
        entry.confirmed = now;
        entry.used_at = tick(now).wrapping_sub(1);
        if cfg!(feature = "ipv6") {
            entry.router = router_after(entry.router, how);
        }
        resolved.then(|| NeighborId(self.entries.id(index)))
    }

    /// A new entry, if need be in the place of one that nobody waits in.
    fn make_room(&mut self, iface: u8, addr: &Addr) -> Option<u16> {
        match self.entries.insert(iface, addr) {
            None if self.evict(Queue::Cold) => self.entries.insert(iface, addr),
            made => made,
        }
    }

    /// An entry that had no address gets one.
    fn answer(&mut self, now: Instant, index: u16, mac: MacAddr, how: Learn) -> Option<NeighborId> {
        //= https://www.rfc-editor.org/rfc/rfc4861#section-7.2.5
        //# If the advertisement's Solicited flag is set, the state of the
        //# entry is set to REACHABLE; otherwise, it is set to STALE.
        let solicited = matches!(
            how,
            Learn::Reply {
                solicited: true,
                ..
            }
        );
        self.change(index, |entry| {
            // Whoever asked for it is about to send to it. A failed entry has no such user.
            entry.used = entry.state == NeighborState::Incomplete;
            entry.used_at = tick(now).wrapping_sub(1);
            entry.mac = mac;
            entry.state = if solicited {
                entry.confirmed = now;
                NeighborState::Reachable
            } else {
                NeighborState::Stale
            };
            entry.router = router_after(entry.router, how);
        });
        Some(NeighborId(self.entries.id(index)))
    }

    /// An entry that has an address hears of one, perhaps another.
    fn update(&mut self, now: Instant, index: u16, mac: Option<MacAddr>, how: Learn) {
        let Some(entry) = self.entries.get(index) else {
            return;
        };
        let differs = mac.is_some_and(|mac| mac != entry.mac);
        #[cfg(feature = "ipv6")]
        let (was_router, key) = (entry.router, (entry.iface, entry.addr));
        let (solicited, may_replace) = match how {
            Learn::Reply {
                solicited,
                override_flag,
                ..
            } => (solicited, override_flag),
            Learn::Request
            | Learn::Gratuitous
            | Learn::NdSolicitation
            | Learn::RouterSolicitation
            | Learn::RouterAdvertisement
            | Learn::Redirect { .. } => (false, true),
        };
        if differs && !may_replace {
            //= https://www.rfc-editor.org/rfc/rfc4861#section-7.2.5
            //# a. If the state of the entry is REACHABLE, set it to STALE, but
            //# do not update the entry in any other way.
            //# b. Otherwise, the received advertisement should be ignored and
            //# MUST NOT update the cache.
            if entry.state == NeighborState::Reachable {
                self.change(index, |entry| entry.state = NeighborState::Stale);
            }
            return;
        }
        self.change(index, |entry| {
            if let Some(mac) = mac {
                entry.mac = mac;
            }
            if solicited {
                //= https://www.rfc-editor.org/rfc/rfc4861#section-7.2.5
                //# If the Solicited flag is set, the state of the entry MUST be
                //# set to REACHABLE.
                entry.state = NeighborState::Reachable;
                entry.confirmed = now;
            } else if differs {
                //= https://www.rfc-editor.org/rfc/rfc4861#section-7.2.5
                //# If the Solicited flag is zero and the link-
                //# layer address was updated with a different address, the state
                //# MUST be set to STALE.
                entry.state = NeighborState::Stale;
            }
            entry.router = router_after(entry.router, how);
        });
        #[cfg(feature = "ipv6")]
        if was_router && !self.entries.get(index).is_some_and(|entry| entry.router) {
            self.lost_router = Some(key);
        }
    }

    /// Somebody unknown has told us their address.
    fn create_stale(&mut self, now: Instant, iface: u8, addr: &Addr, mac: MacAddr, how: Learn) {
        if !how.creates() {
            return;
        }
        // Unused entries only ever displace one another: a flood of requests costs no neighbour
        // in use its place.
        if self.cold() >= self.share() {
            self.evict(Queue::Cold);
        }
        let Some(index) = self.make_room(iface, addr) else {
            return;
        };
        self.change(index, |entry| {
            entry.state = NeighborState::Stale;
            entry.mac = mac;
            // So that its first use, even within the same tick, is noticed.
            entry.used_at = tick(now).wrapping_sub(1);
            entry.router = router_after(false, how);
        });
    }

    /// A router said in an advertisement that it no longer is one, since this was last asked:
    /// its interface and address. To be asked after every [`Learn::Reply`].
    ///
    //= https://www.rfc-editor.org/rfc/rfc4861#section-7.3.3
    //# When a node
    //# detects that a neighbor has changed from being a router to being a
    //# host, the node MUST remove that router from the Default Router List
    //# and update the Destination Cache as described in Section 6.3.5.
    #[cfg(feature = "ipv6")]
    pub fn take_lost_router(&mut self) -> Option<(u8, Addr)> {
        self.lost_router.take()
    }
}

impl Learn {
    /// Whether who is not known yet becomes known by it.
    fn creates(self) -> bool {
        match self {
            //= https://www.rfc-editor.org/rfc/rfc4861#section-7.2.5
            //# If no entry exists, the advertisement SHOULD be silently discarded.
            Learn::Reply { .. } | Learn::Gratuitous => false,
            //= https://www.rfc-editor.org/rfc/rfc4861#section-7.2.3
            //# If an entry does not already exist, the
            //# node SHOULD create a new one and set its reachability state to STALE
            //# as specified in Section 7.3.3.
            Learn::Request
            | Learn::NdSolicitation
            | Learn::RouterSolicitation
            | Learn::RouterAdvertisement
            | Learn::Redirect { .. } => true,
        }
    }
}

/// IsRouter after a message (RFC 4861 appendix D).
fn router_after(router: bool, how: Learn) -> bool {
    match how {
        //= https://www.rfc-editor.org/rfc/rfc4861#section-7.2.5
        //# - The IsRouter flag in the cache entry MUST be set based on the
        //# Router flag in the received advertisement.
        Learn::Reply { router, .. } => router,
        Learn::RouterAdvertisement => true,
        Learn::RouterSolicitation => false,
        Learn::Redirect { to_router } => router || to_router,
        //= https://www.rfc-editor.org/rfc/rfc4861#section-7.2.3
        //# If a Neighbor Cache entry already exists, its
        //# IsRouter flag MUST NOT be modified.
        Learn::NdSolicitation | Learn::Request | Learn::Gratuitous => router,
    }
}
