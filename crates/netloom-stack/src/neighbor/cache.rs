//! The cache's table and queues: looking up, making room, configured entries.

use netloom_driver::Instant;
use netloom_wire::{Addr, MacAddr};

use super::queues::Queues;
use super::{CacheFull, NUD, Neighbor, NeighborId, NeighborState, NeighborTunables, Resolve};
use crate::keyed_table::KeyedTable;
use crate::rand::WordHash;

/// The queue an entry is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Queue {
    /// Incomplete and Probe, by deadline.
    Soliciting,
    /// Delay, by deadline.
    Delayed,
    /// Reachable and Stale entries that were used, least recently used first.
    Recent,
    /// What is evicted first: failed, or never used; oldest first.
    Cold,
}

/// Which queue an entry belongs in; `None` for one that is free or static.
pub(super) fn queue_of(entry: &Neighbor) -> Option<Queue> {
    match entry.state {
        NeighborState::Free | NeighborState::Static => None,
        NeighborState::Incomplete => Some(Queue::Soliciting),
        _ if !NUD => Some(Queue::Cold),
        NeighborState::Probe => Some(Queue::Soliciting),
        NeighborState::Delay => Some(Queue::Delayed),
        NeighborState::Reachable | NeighborState::Stale if entry.used => Some(Queue::Recent),
        NeighborState::Reachable | NeighborState::Stale | NeighborState::Failed => {
            Some(Queue::Cold)
        }
    }
}

pub(super) fn millis(count: u32) -> u64 {
    u64::from(count) * 1_000
}

/// Who has which link-layer address, for all interfaces. See the [module](super).
#[derive(Debug)]
pub struct NeighborCache {
    pub(super) entries: KeyedTable<Neighbor>,
    pub(super) queues: Queues,
    #[cfg(feature = "ipv6")]
    pub(super) lost_router: Option<(u8, Addr)>,
}

impl NeighborCache {
    /// A cache without memory: every resolution is [`Resolve::Full`].
    pub const fn empty() -> Self {
        Self::over(KeyedTable::empty())
    }

    /// A cache in lent memory, whose entries must be [`Neighbor::EMPTY`]. At most 65 534 of
    /// them are used.
    pub const fn lent(entries: &'static mut [Neighbor]) -> Self {
        Self::over(KeyedTable::lent(entries))
    }

    /// A cache of `capacity` entries on the heap.
    #[cfg(feature = "alloc")]
    pub fn heap(capacity: usize) -> Self {
        Self::over(KeyedTable::heap(capacity))
    }

    const fn over(entries: KeyedTable<Neighbor>) -> Self {
        Self {
            entries,
            queues: Queues::EMPTY,
            #[cfg(feature = "ipv6")]
            lost_router: None,
        }
    }

    /// Keys the hash, so that no neighbour can choose addresses that collide. To be called
    /// before the first use; later calls change nothing.
    pub fn set_hash_key(&mut self, key: WordHash) {
        self.entries.set_hash_key(key);
    }

    /// How many entries there are, failed ones included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many fit.
    pub fn capacity(&self) -> usize {
        self.entries.capacity()
    }

    /// How many entries may be Incomplete at a time, and how many may be there unused: a
    /// quarter of the table, but at least two.
    pub(super) fn share(&self) -> usize {
        (self.capacity() / 4).max(2)
    }

    /// The entry with this id, if it is still the same neighbour's.
    pub fn get(&self, id: NeighborId) -> Option<&Neighbor> {
        self.entries.get(self.entries.index(id.0)?)
    }

    /// The entry with this id, if it is still the same neighbour's.
    pub fn get_mut(&mut self, id: NeighborId) -> Option<&mut Neighbor> {
        let index = self.entries.index(id.0)?;
        self.entries.get_mut(index)
    }

    /// The entry in a place of the cache, whoever's it is.
    pub(crate) fn at_mut(&mut self, index: u16) -> Option<&mut Neighbor> {
        self.entries.get_mut(index)
    }

    /// The entry of an address.
    pub fn find(&self, iface: u8, addr: &Addr) -> Option<&Neighbor> {
        self.entries.get(self.entries.lookup(iface, addr)?)
    }

    /// All entries, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Neighbor> {
        self.entries
            .slots()
            .filter(|entry| entry.state != NeighborState::Free)
    }

    /// Where to send what goes to `addr` over `iface`, which is about to be done: an unknown
    /// neighbour begins to be asked for (a solicitation is due at once), a stale one to be
    /// verified.
    #[inline]
    pub fn resolve(
        &mut self,
        now: Instant,
        iface: u8,
        addr: &Addr,
        tunables: &NeighborTunables,
    ) -> Resolve {
        let Some(index) = self.entries.find(iface, addr) else {
            return self.begin(now, iface, addr);
        };
        let Some(entry) = self.entries.get(index) else {
            return Resolve::Full;
        };
        if NUD
            && entry.state == NeighborState::Reachable
            && entry.used_at == tick(now)
            && !entry.is_expired(now, tunables)
        {
            return Resolve::Found(entry.mac);
        }
        self.use_entry(now, index, tunables)
    }

    /// [`resolve`](Self::resolve) of a known entry, off the fast path.
    fn use_entry(&mut self, now: Instant, index: u16, tunables: &NeighborTunables) -> Resolve {
        let Some(entry) = self.entries.get(index) else {
            return Resolve::Full;
        };
        let (mac, state) = (entry.mac, entry.state(now, tunables));
        match state {
            NeighborState::Static => Resolve::Found(mac),
            NeighborState::Delay | NeighborState::Probe if NUD => Resolve::Found(mac),
            NeighborState::Incomplete => Resolve::Pending(NeighborId(self.entries.id(index))),
            NeighborState::Reachable => {
                // Last in the order of use; at most once a tick, so that bulk does not relink.
                self.change(index, |entry| {
                    entry.used = true;
                    entry.used_at = tick(now);
                });
                Resolve::Found(mac)
            }
            NeighborState::Stale if NUD => {
                //= https://www.rfc-editor.org/rfc/rfc4861#section-7.3.3
                //# The first time a node sends a packet to a neighbor whose entry is
                //# STALE, the sender changes the state to DELAY and sets a timer to
                //# expire in DELAY_FIRST_PROBE_TIME seconds.
                let deadline = now.plus_micros(millis(tunables.delay_first_probe_time));
                self.change(index, |entry| {
                    entry.state = NeighborState::Delay;
                    entry.used = true;
                    entry.used_at = tick(now);
                    entry.deadline = deadline;
                });
                Resolve::Found(mac)
            }
            NeighborState::Failed
            | NeighborState::Free
            | NeighborState::Stale
            | NeighborState::Delay
            | NeighborState::Probe => {
                if self.incomplete() >= self.share() {
                    return Resolve::Full;
                }
                self.change(index, |entry| {
                    entry.state = NeighborState::Incomplete;
                    entry.probes = 0;
                    //= https://www.rfc-editor.org/rfc/rfc1122#section-2.3.2.1
                    //# A mechanism to prevent ARP flooding (repeatedly sending an
                    //# ARP Request for the same IP address, at a high rate) MUST be
                    //# included.
                    entry.deadline = now.max(entry.quiet_until);
                });
                Resolve::Pending(NeighborId(self.entries.id(index)))
            }
        }
    }

    /// Begins to ask for an unknown neighbour.
    fn begin(&mut self, now: Instant, iface: u8, addr: &Addr) -> Resolve {
        if self.incomplete() >= self.share() || !addr.is_unicast() {
            return Resolve::Full;
        }
        let inserted = match self.entries.insert(iface, addr) {
            Some(index) => Some(index),
            // Even one that is being verified, or a small table would be closed to others for
            // seconds.
            None if self.evict(Queue::Cold)
                || (NUD && (self.evict(Queue::Recent) || self.evict(Queue::Delayed))) =>
            {
                self.entries.insert(iface, addr)
            }
            None => None,
        };
        let Some(index) = inserted else {
            return Resolve::Full;
        };
        self.change(index, |entry| {
            entry.state = NeighborState::Incomplete;
            entry.deadline = now;
        });
        Resolve::Pending(NeighborId(self.entries.id(index)))
    }

    /// Adds an entry that never expires and is never learnt over, or makes one such. If
    /// something waited for it, it waits in the entry returned, and can be sent.
    ///
    /// # Errors
    /// [`CacheFull`] if there is no room, or either address is not unicast.
    pub fn add_static(
        &mut self,
        iface: u8,
        addr: &Addr,
        mac: MacAddr,
    ) -> Result<NeighborId, CacheFull> {
        if !addr.is_unicast() || !mac.is_unicast() {
            return Err(CacheFull);
        }
        let known = self.entries.lookup(iface, addr);
        let index = match known.or_else(|| self.entries.insert(iface, addr)) {
            Some(index) => Some(index),
            None if self.evict(Queue::Cold) || self.evict(Queue::Recent) => {
                self.entries.insert(iface, addr)
            }
            None => None,
        };
        let index = index.ok_or(CacheFull)?;
        self.change(index, |entry| {
            entry.state = NeighborState::Static;
            entry.mac = mac;
        });
        Ok(NeighborId(self.entries.id(index)))
    }

    /// Forgets a neighbour, static or not, and returns whether it was known. If somebody waits
    /// for it, its entry fails at the next [`poll`](Self::poll) instead, so that they are told.
    pub fn remove(&mut self, iface: u8, addr: &Addr) -> bool {
        match self.entries.lookup(iface, addr) {
            Some(index) => {
                self.forget(index);
                true
            }
            None => false,
        }
    }

    /// Forgets all neighbours of an interface, static ones included, as
    /// [`remove`](Self::remove) does.
    pub fn flush(&mut self, iface: u8) {
        for index in 0..self.entries.end() {
            let on_iface =
                |entry: &Neighbor| entry.iface == iface && entry.state != NeighborState::Free;
            if self.entries.get(index).is_some_and(on_iface) {
                self.forget(index);
            }
        }
    }

    fn forget(&mut self, index: u16) {
        let Some(entry) = self.entries.get(index) else {
            return;
        };
        if !entry.is_waited_for() {
            self.delete(index);
        } else {
            self.change(index, |entry| {
                entry.state = NeighborState::Incomplete;
                entry.probes = u8::MAX;
                entry.deadline = Instant::ZERO;
            });
        }
    }

    pub(super) fn delete(&mut self, index: u16) {
        self.change(index, |entry| entry.state = NeighborState::Free);
        self.entries.remove(index);
    }

    /// Frees the oldest entry of a queue that nobody waits in.
    pub(super) fn evict(&mut self, queue: Queue) -> bool {
        match self.oldest_idle(queue) {
            Some(index) => {
                self.delete(index);
                true
            }
            None => false,
        }
    }
}

/// The unit of the order of use: 2^20 microseconds.
pub(super) fn tick(now: Instant) -> u32 {
    (now.as_micros() >> 20) as u32
}
