//! The cache's entries in order, linked: by when they are due, by how long they were not used.

use netloom_driver::Instant;

use super::cache::{NeighborCache, Queue, queue_of};
use super::{Neighbor, NeighborState};
use crate::keyed_table::Order;

/// How far an eviction looks for an entry nobody waits in. Entries that may be evicted have no
/// waiters once the stack has done what it was told, so that the first one nearly always does.
const EVICTION_REACH: usize = 8;

/// An order for each [`Queue`].
#[derive(Debug)]
pub(super) struct Queues {
    soliciting: Order,
    delayed: Order,
    recent: Order,
    cold: Order,
    /// How many entries are Incomplete.
    incomplete: u16,
    /// Counts the changes of entries.
    version: u32,
}

impl Queues {
    pub(super) const EMPTY: Queues = Queues {
        soliciting: Order::EMPTY,
        delayed: Order::EMPTY,
        recent: Order::EMPTY,
        cold: Order::EMPTY,
        incomplete: 0,
        version: 0,
    };

    pub(super) fn get(&mut self, queue: Queue) -> &mut Order {
        match queue {
            Queue::Soliciting => &mut self.soliciting,
            Queue::Delayed => &mut self.delayed,
            Queue::Recent => &mut self.recent,
            Queue::Cold => &mut self.cold,
        }
    }
}

/// Where an entry is queued: if any of this changes, it moves.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    queue: Option<Queue>,
    incomplete: bool,
    deadline: Instant,
    used_at: u32,
}

impl Place {
    fn of(entry: &Neighbor) -> Place {
        Place {
            queue: queue_of(entry),
            incomplete: entry.state == NeighborState::Incomplete,
            deadline: entry.deadline,
            used_at: entry.used_at,
        }
    }
}

impl NeighborCache {
    /// Another number after each change of an entry but for a confirmation: what was resolved still
    /// holds, for a while, where it is the same.
    #[inline]
    pub(crate) fn version(&self) -> u32 {
        self.queues.version
    }

    /// Whether nobody is to be asked for, now or later.
    #[inline]
    pub(crate) fn is_calm(&self) -> bool {
        self.queues.soliciting.front().is_none() && self.queues.delayed.front().is_none()
    }

    /// How many entries are Incomplete.
    pub(super) fn incomplete(&self) -> usize {
        usize::from(self.queues.incomplete)
    }

    /// How many entries are in [`Queue::Cold`].
    pub(super) fn cold(&self) -> usize {
        self.queues.cold.len()
    }

    /// Changes an entry, and moves it to the place it then has in its queue, or to another.
    #[inline]
    pub(super) fn change(&mut self, index: u16, how: impl FnOnce(&mut Neighbor)) {
        let Some(entry) = self.entries.get_mut(index) else {
            return;
        };
        let before = Place::of(entry);
        how(entry);
        self.queues.version = self.queues.version.wrapping_add(1);
        self.requeue(index, before);
    }

    /// Apart from [`change`](Self::change), which is compiled once for every change.
    fn requeue(&mut self, index: u16, before: Place) {
        let Some(entry) = self.entries.get(index) else {
            return;
        };
        let after = Place::of(entry);
        let queues = &mut self.queues;
        queues.incomplete = (queues.incomplete + u16::from(after.incomplete))
            .saturating_sub(u16::from(before.incomplete));
        if before == after {
            return;
        }
        if let Some(queue) = before.queue {
            self.entries.unlink(queues.get(queue), index);
        }
        match after.queue {
            Some(queue @ (Queue::Soliciting | Queue::Delayed)) => {
                let order = queues.get(queue);
                self.entries
                    .insert_sorted(order, index, |entry| entry.deadline);
            }
            Some(queue @ (Queue::Recent | Queue::Cold)) => {
                self.entries.push_back(queues.get(queue), index);
            }
            None => {}
        }
    }

    /// The oldest entry of a queue, if nobody waits in it.
    pub(super) fn oldest_idle(&mut self, queue: Queue) -> Option<u16> {
        let mut next = self.queues.get(queue).front();
        for _ in 0..EVICTION_REACH {
            let index = next?;
            next = self.entries.after(index);
            let idle = |entry: &Neighbor| entry.waiting_count == 0;
            if self.entries.get(index).is_some_and(idle) {
                return Some(index);
            }
        }
        None
    }

    /// The first entry that is due in a queue by deadline, on `iface` if one is given.
    pub(super) fn first_due(
        &mut self,
        queue: Queue,
        now: Instant,
        iface: Option<u8>,
    ) -> Option<u16> {
        let mut next = self.queues.get(queue).front();
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

    /// When [`poll`](Self::poll) will next have something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        let first = |order: &Order| Some(self.entries.get(order.front()?)?.deadline);
        match (first(&self.queues.soliciting), first(&self.queues.delayed)) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
}
