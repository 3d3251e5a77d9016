mod advertisement;
mod capacity;
mod model;
mod resolution;

use std::boxed::Box;
use std::vec::Vec;

use super::*;

pub(super) const T: NeighborTunables = NeighborTunables::DEFAULT;
pub(super) const A: MacAddr = MacAddr([2, 0, 0, 0, 0, 0xa]);
pub(super) const B: MacAddr = MacAddr([2, 0, 0, 0, 0, 0xb]);

/// Answers a solicitation, for good.
pub(super) const REPLY: Learn = Learn::Reply {
    solicited: true,
    override_flag: true,
    router: false,
};

pub(super) fn cache(capacity: usize) -> NeighborCache {
    let entries: Vec<Neighbor> = (0..capacity).map(|_| Neighbor::EMPTY).collect();
    NeighborCache::lent(Box::leak(entries.into_boxed_slice()))
}

pub(super) fn ip(n: u16) -> Addr {
    let [high, low] = n.to_be_bytes();
    Addr::v4([10, 0, high, low])
}

pub(super) fn secs(n: u64) -> Instant {
    Instant::from_secs(n)
}

pub(super) fn ms(n: u64) -> Instant {
    Instant::from_millis(n)
}

/// Resolves, and expects the entry to be asked for.
pub(super) fn pending(cache: &mut NeighborCache, now: Instant, addr: &Addr) -> NeighborId {
    match cache.resolve(now, 0, addr, &T) {
        Resolve::Pending(id) => id,
        other @ (Resolve::Found(_) | Resolve::Full) => panic!("{addr}: {other:?}"),
    }
}

/// Makes `addr` known, as [`A`] unless told otherwise.
pub(super) fn known(cache: &mut NeighborCache, now: Instant, addr: &Addr) {
    let id = pending(cache, now, addr);
    assert_eq!(cache.learn(now, 0, addr, A, REPLY), Some(id));
}

pub(super) fn state(cache: &NeighborCache, now: Instant, addr: &Addr) -> NeighborState {
    cache
        .find(0, addr)
        .map_or(NeighborState::Free, |entry| entry.state(now, &T))
}

/// All that is due at `now`.
pub(super) fn due(cache: &mut NeighborCache, now: Instant) -> Vec<Action> {
    core::iter::from_fn(|| cache.poll(now, &T)).collect()
}

pub(super) fn solicit(addr: Addr, unicast: Option<MacAddr>, id: NeighborId) -> Action {
    Action::Solicit {
        iface: 0,
        addr,
        unicast,
        id,
    }
}
