//! The cache's table, its queues, and the transitions between states.

use netloom_driver::Instant;
use netloom_wire::{Addr, MacAddr};

use super::{
    Action, CacheFull, Learn, Neighbor, NeighborId, NeighborState, NeighborTunables, Resolve,
};
use crate::keyed_table::{KeyedTable, Order};
use crate::rand::SipHash13;

/// How far an eviction looks for an entry nobody waits in. Entries that may be evicted have no
/// waiters once the stack has done what it was told, so that the first one nearly always does.
const EVICTION_REACH: usize = 8;

/// The queue an entry is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Queue {
    /// Incomplete and Probe, by deadline.
    Soliciting,
    /// Delay, by deadline.
    Delayed,
    /// Reachable and Stale entries that were used, least recently used first.
    Recent,
    /// What is evicted first: failed, or never used; oldest first.
    Cold,
}

#[derive(Debug)]
struct Queues {
    soliciting: Order,
    delayed: Order,
    recent: Order,
    cold: Order,
}

impl Queues {
    fn get(&mut self, queue: Queue) -> &mut Order {
        match queue {
            Queue::Soliciting => &mut self.soliciting,
            Queue::Delayed => &mut self.delayed,
            Queue::Recent => &mut self.recent,
            Queue::Cold => &mut self.cold,
        }
    }
}

/// Which queue an entry belongs in; `None` for one that is free or static.
fn queue_of(entry: &Neighbor) -> Option<Queue> {
    match entry.state {
        NeighborState::Free | NeighborState::Static => None,
        NeighborState::Incomplete | NeighborState::Probe => Some(Queue::Soliciting),
        NeighborState::Delay => Some(Queue::Delayed),
        NeighborState::Reachable | NeighborState::Stale if entry.used => Some(Queue::Recent),
        NeighborState::Reachable | NeighborState::Stale | NeighborState::Failed => {
            Some(Queue::Cold)
        }
    }
}

fn deadline_of(entry: &Neighbor) -> Instant {
    entry.deadline
}

fn millis(count: u32) -> u64 {
    u64::from(count) * 1_000
}

/// Who has which link-layer address, for all interfaces. See the [module](super).
#[derive(Debug)]
pub struct NeighborCache {
    entries: KeyedTable<Neighbor>,
    queues: Queues,
    incomplete: u16,
    lost_router: Option<(u8, Addr)>,
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
            queues: Queues {
                soliciting: Order::EMPTY,
                delayed: Order::EMPTY,
                recent: Order::EMPTY,
                cold: Order::EMPTY,
            },
            incomplete: 0,
            lost_router: None,
        }
    }

    /// Keys the hash, so that no neighbour can choose addresses that collide. To be called
    /// before the first use; later calls change nothing.
    pub fn set_hash_key(&mut self, key: SipHash13) {
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
    fn share(&self) -> usize {
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
        if entry.state == NeighborState::Reachable
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
            NeighborState::Static | NeighborState::Delay | NeighborState::Probe => {
                Resolve::Found(mac)
            }
            NeighborState::Incomplete => Resolve::Pending(NeighborId(self.entries.id(index))),
            NeighborState::Reachable => {
                // Last in the order of use; at most once a tick, so that bulk does not relink.
                self.change(index, |entry| {
                    entry.used = true;
                    entry.used_at = tick(now);
                });
                Resolve::Found(mac)
            }
            NeighborState::Stale => {
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
            NeighborState::Failed | NeighborState::Free => {
                if usize::from(self.incomplete) >= self.share() {
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
        if usize::from(self.incomplete) >= self.share() || !addr.is_unicast() {
            return Resolve::Full;
        }
        let inserted = match self.entries.insert(iface, addr) {
            Some(index) => Some(index),
            None if self.evict(Queue::Cold) || self.evict(Queue::Recent) => {
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

    /// Applies what a packet said of `addr`'s link-layer address.
    ///
    /// `mac` is `None` for an ND message without the option. The packet must have passed its
    /// own checks (hop limit 255, addresses, lengths). Addresses that are not unicast, on
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
        let was_router = entry.router;
        let key = (entry.iface, entry.addr);
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
        if was_router && !self.entries.get(index).is_some_and(|entry| entry.router) {
            self.lost_router = Some(key);
        }
    }

    /// Somebody unknown has told us their address.
    fn create_stale(&mut self, now: Instant, iface: u8, addr: &Addr, mac: MacAddr, how: Learn) {
        match how {
            //= https://www.rfc-editor.org/rfc/rfc4861#section-7.2.5
            //# If no entry exists, the advertisement SHOULD be silently discarded.
            Learn::Reply { .. } | Learn::Gratuitous => return,
            //= https://www.rfc-editor.org/rfc/rfc4861#section-7.2.3
            //# If an entry does not already exist, the
            //# node SHOULD create a new one and set its reachability state to STALE
            //# as specified in Section 7.3.3.
            Learn::Request
            | Learn::NdSolicitation
            | Learn::RouterSolicitation
            | Learn::RouterAdvertisement
            | Learn::Redirect { .. } => {}
        }
        // Unused entries only ever displace one another: a flood of requests costs no neighbour
        // in use its place.
        if self.queues.cold.len() >= self.share() {
            self.evict(Queue::Cold);
        }
        let inserted = match self.entries.insert(iface, addr) {
            Some(index) => Some(index),
            None if self.evict(Queue::Cold) => self.entries.insert(iface, addr),
            None => None,
        };
        let Some(index) = inserted else { return };
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
    pub fn take_lost_router(&mut self) -> Option<(u8, Addr)> {
        self.lost_router.take()
    }

    /// The upper layer has seen that what it sent arrives (RFC 4861 §7.3.1): a new
    /// acknowledgment, for instance.
    #[inline]
    pub fn confirm(&mut self, now: Instant, iface: u8, addr: &Addr) {
        let Some(index) = self.entries.find(iface, addr) else {
            return;
        };
        let Some(entry) = self.entries.get_mut(index) else {
            return;
        };
        //= https://www.rfc-editor.org/rfc/rfc4861#section-7.3.3
        //# The one exception is that upper-layer advice
        //# has no effect on entries in the INCOMPLETE state (e.g., for which no
        //# link-layer address is cached).
        match entry.state {
            NeighborState::Reachable => entry.confirmed = now,
            NeighborState::Stale | NeighborState::Delay | NeighborState::Probe => {
                self.change(index, |entry| {
                    entry.state = NeighborState::Reachable;
                    entry.confirmed = now;
                });
            }
            NeighborState::Free
            | NeighborState::Incomplete
            | NeighborState::Static
            | NeighborState::Failed => {}
        }
    }

    /// The upper layer gets no answer through this neighbour (RFC 1122 §2.3.2.1 (4),
    /// RFC 9293 §3.8.3 R1): it is probed as soon as the rate allows. What it is sent meanwhile
    /// still goes to the known address.
    pub fn suspect(&mut self, now: Instant, iface: u8, addr: &Addr) {
        let Some(index) = self.entries.lookup(iface, addr) else {
            return;
        };
        let Some(entry) = self.entries.get(index) else {
            return;
        };
        match entry.state {
            NeighborState::Reachable | NeighborState::Stale | NeighborState::Delay => {
                self.change(index, |entry| {
                    entry.state = NeighborState::Probe;
                    entry.probes = 0;
                    entry.deadline = now.max(entry.quiet_until);
                });
            }
            NeighborState::Free
            | NeighborState::Incomplete
            | NeighborState::Probe
            | NeighborState::Static
            | NeighborState::Failed => {}
        }
    }

    /// The next thing that is due at `now`, on any interface; `None` when nothing is.
    pub fn poll(&mut self, now: Instant, tunables: &NeighborTunables) -> Option<Action> {
        self.poll_where(now, tunables, None)
    }

    /// [`poll`](Self::poll) of one interface, for a stack that sends on one at a time.
    pub fn poll_iface(
        &mut self,
        now: Instant,
        iface: u8,
        tunables: &NeighborTunables,
    ) -> Option<Action> {
        self.poll_where(now, tunables, Some(iface))
    }

    fn poll_where(
        &mut self,
        now: Instant,
        tunables: &NeighborTunables,
        iface: Option<u8>,
    ) -> Option<Action> {
        //= https://www.rfc-editor.org/rfc/rfc4861#section-7.3.3
        //# If the entry is still in
        //# the DELAY state when the timer expires, the entry's state changes to
        //# PROBE.
        while let Some(index) = self.due(&self.queues.delayed, now, iface) {
            self.change(index, |entry| {
                entry.state = NeighborState::Probe;
                entry.probes = 0;
                entry.deadline = now.max(entry.quiet_until);
            });
        }
        let index = self.due(&self.queues.soliciting, now, iface)?;
        let id = NeighborId(self.entries.id(index));
        let entry = self.entries.get(index)?;
        let (iface, addr) = (entry.iface, entry.addr);
        let unicast = entry.mac();
        let most = match unicast {
            Some(_) => tunables.max_unicast_solicit,
            None => tunables.max_multicast_solicit,
        };
        if entry.probes < most {
            self.change(index, |entry| {
                entry.probes += 1;
                //= https://www.rfc-editor.org/rfc/rfc4861#section-7.3.3
                //# A node MUST NOT send Neighbor Solicitations to the
                //# same neighbor more frequently than once every RetransTimer
                //# milliseconds.
                entry.deadline = now.plus_micros(millis(tunables.retrans_timer));
                entry.quiet_until = entry.deadline;
            });
            return Some(Action::Solicit {
                iface,
                addr,
                unicast,
                id,
            });
        }
        if unicast.is_none() || !entry.waiting.is_empty() {
            self.change(index, |entry| entry.state = NeighborState::Failed);
            return Some(Action::Failed { id });
        }
        //= https://www.rfc-editor.org/rfc/rfc4861#section-7.3.3
        //# If no response is
        //# received after waiting RetransTimer milliseconds after sending the
        //# MAX_UNICAST_SOLICIT solicitations, retransmissions cease and the
        //# entry SHOULD be deleted.
        let router = entry.router;
        self.delete(index);
        Some(Action::Expired {
            iface,
            addr,
            router,
        })
    }

    /// The first entry of an order by deadline that is due, on `iface` if one is given.
    fn due(&self, order: &Order, now: Instant, iface: Option<u8>) -> Option<u16> {
        let mut next = order.front();
        while let Some(index) = next {
            let entry = self.entries.get(index)?;
            if entry.deadline > now {
                return None;
            }
            if iface.is_none_or(|iface| iface == entry.iface) {
                return Some(index);
            }
            next = self.entries.after(index);
        }
        None
    }

    /// The solicitation that [`poll`](Self::poll) asked for could not be sent, the device
    /// having no room: it is due again, and was not counted.
    pub fn not_sent(&mut self, id: NeighborId, now: Instant) {
        let Some(index) = self.entries.index(id.0) else {
            return;
        };
        if self.entries.get(index).and_then(queue_of) == Some(Queue::Soliciting) {
            self.change(index, |entry| {
                entry.probes = entry.probes.saturating_sub(1);
                entry.deadline = now;
                entry.quiet_until = now;
            });
        }
    }

    /// When [`poll`](Self::poll) will next have something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        let first = |order: &Order| Some(self.entries.get(order.front()?)?.deadline);
        match (first(&self.queues.soliciting), first(&self.queues.delayed)) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
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
        if entry.waiting.is_empty() {
            self.delete(index);
        } else {
            self.change(index, |entry| {
                entry.state = NeighborState::Incomplete;
                entry.probes = u8::MAX;
                entry.deadline = Instant::ZERO;
            });
        }
    }

    /// Changes an entry, and moves it to the end or the place it then has in its queue.
    fn change(&mut self, index: u16, how: impl FnOnce(&mut Neighbor)) {
        let Self {
            entries,
            queues,
            incomplete,
            lost_router: _,
        } = self;
        let Some(entry) = entries.get_mut(index) else {
            return;
        };
        let from = queue_of(entry);
        let was_incomplete = entry.state == NeighborState::Incomplete;
        let at = (entry.deadline, entry.used_at);
        how(entry);
        let to = queue_of(entry);
        let is_incomplete = entry.state == NeighborState::Incomplete;
        let moved = from != to || at != (entry.deadline, entry.used_at);
        *incomplete =
            (*incomplete + u16::from(is_incomplete)).saturating_sub(u16::from(was_incomplete));
        if !moved {
            return;
        }
        if let Some(from) = from {
            entries.unlink(queues.get(from), index);
        }
        match to {
            Some(queue @ (Queue::Soliciting | Queue::Delayed)) => {
                entries.insert_sorted(queues.get(queue), index, deadline_of);
            }
            Some(queue @ (Queue::Recent | Queue::Cold)) => {
                entries.push_back(queues.get(queue), index);
            }
            None => {}
        }
    }

    fn delete(&mut self, index: u16) {
        self.change(index, |entry| entry.state = NeighborState::Free);
        self.entries.remove(index);
    }

    /// Frees the oldest entry of a queue that nobody waits in.
    fn evict(&mut self, queue: Queue) -> bool {
        let mut next = self.queues.get(queue).front();
        for _ in 0..EVICTION_REACH {
            let Some(index) = next else { return false };
            next = self.entries.after(index);
            let idle = |entry: &Neighbor| entry.waiting.is_empty();
            if self.entries.get(index).is_some_and(idle) {
                self.delete(index);
                return true;
            }
        }
        false
    }
}

/// The unit of the order of use: 2^20 microseconds.
fn tick(now: Instant) -> u32 {
    (now.as_micros() >> 20) as u32
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
