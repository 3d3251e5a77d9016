//! The cache's entries in order, where there are but a few: found by a look at all of them.

use netloom_driver::Instant;

use super::cache::{NeighborCache, Queue, queue_of};
use super::{Neighbor, NeighborState};

/// Nothing is linked.
#[derive(Debug)]
pub(super) struct Queues;

impl Queues {
    pub(super) const EMPTY: Queues = Queues;
}

impl NeighborCache {
    /// What was resolved is not remembered where it is found by a look at a few entries.
    pub(crate) fn version(&self) -> u32 {
        0
    }

    /// Whether nobody is to be asked for, now or later: that takes the look it would save.
    pub(crate) fn is_calm(&self) -> bool {
        false
    }

    /// How many entries are Incomplete.
    pub(super) fn incomplete(&self) -> usize {
        let incomplete = |entry: &&Neighbor| entry.state == NeighborState::Incomplete;
        self.entries.slots().filter(incomplete).count()
    }

    /// How many entries are in [`Queue::Cold`].
    pub(super) fn cold(&self) -> usize {
        let cold = |entry: &&Neighbor| queue_of(entry) == Some(Queue::Cold);
        self.entries.slots().filter(cold).count()
    }

    /// Changes an entry.
    #[inline]
    pub(super) fn change(&mut self, index: u16, how: impl FnOnce(&mut Neighbor)) {
        if let Some(entry) = self.entries.get_mut(index) {
            how(entry);
        }
    }

    /// The entry of a queue that was used longest ago, of those nobody waits in.
    pub(super) fn oldest_idle(&mut self, queue: Queue) -> Option<u16> {
        let mut oldest = (u16::MAX, u32::MAX);
        for (index, entry) in (0..).zip(self.entries.slots()) {
            // What was learnt in the first tick was last used in the one before it.
            let used_at = entry.used_at.wrapping_add(1);
            if queue_of(entry) == Some(queue) && !entry.is_waited_for() && used_at < oldest.1 {
                oldest = (index, used_at);
            }
        }
        (oldest.1 != u32::MAX).then_some(oldest.0)
    }

    /// An entry that is due in a queue by deadline, on `iface` if one is given.
    pub(super) fn first_due(
        &mut self,
        queue: Queue,
        now: Instant,
        iface: Option<u8>,
    ) -> Option<u16> {
        let due = |entry: &Neighbor| {
            queue_of(entry) == Some(queue)
                && entry.deadline <= now
                && iface.is_none_or(|iface| iface == entry.iface)
        };
        self.entries.slots().position(due).map(|at| at as u16)
    }

    /// When [`poll`](Self::poll) will next have something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        let mut earliest = Instant::FAR_FUTURE;
        for entry in self.entries.slots() {
            if let Some(Queue::Soliciting | Queue::Delayed) = queue_of(entry) {
                earliest = earliest.min(entry.deadline);
            }
        }
        (earliest < Instant::FAR_FUTURE).then_some(earliest)
    }
}
