//! How much of the budget one connection's rings may have, so that those that stand still leave
//! enough to the others.
//!
//! A ring grows as far as a part of what is left: many that only grow come ever closer to their
//! share of the budget and never reach it, as queues in a switch with shared memory do (Choudhury
//! and Hahne's dynamic thresholds). Small rings are granted beyond that share. And always is each
//! connection granted a ring of the smallest size and as much for its records, without which it
//! sends nothing: so much is put by when it is made, up to a part of the budget.

use super::{Heap, Taken};

/// Bytes of the ring that every connection is pledged, and of its records: the smallest block.
pub(super) const PLEDGE: usize = 256;

/// The length of a small ring: two segments or so.
pub(super) const SMALL: usize = 4096;

/// A ring beyond that takes no more than this part of what is left for such; one that is no
/// longer than [`MODEST`], so that small budgets are made use of, no more than the other.
const PART: usize = 16;
const MODEST_PART: usize = 4;
const MODEST: usize = 128 << 10;

/// What rings may take.
pub(super) struct Shares {
    /// Bytes that all memory of connections may come to while only small rings are taken, pledges
    /// among them.
    pub(super) small: usize,
    /// The same for larger ones.
    pub(super) large: usize,
    /// Bytes that are pledged at most.
    pub(super) pledges: usize,
    /// Connections there are.
    pub(super) connections: usize,
    /// Pledges that are kept: connections with a ring, and those with records.
    granted: usize,
}

impl Shares {
    /// Everything, where nobody says otherwise.
    pub(super) const WHOLE: Shares = Shares {
        small: usize::MAX,
        large: usize::MAX,
        pledges: usize::MAX,
        connections: 0,
        granted: 0,
    };

    /// Bytes pledged to so many connections that they do not hold yet.
    pub(super) fn pledged(&self, connections: usize) -> usize {
        let all = connections.saturating_mul(2);
        let pledged = all.saturating_sub(self.granted).saturating_mul(PLEDGE);
        pledged.min(self.pledges)
    }

    /// Something was granted, perhaps the first of its kind.
    pub(super) fn grant(&mut self, first: bool) {
        self.granted = self.granted.saturating_add(usize::from(first));
    }

    /// The last of its kind was given back.
    pub(super) fn gave(&mut self) {
        self.granted = self.granted.saturating_sub(1);
    }
}

impl Taken {
    /// Whether the connection holds a ring.
    pub(super) fn holds(&self) -> bool {
        !(self.rx.is_empty() && self.tx.is_empty())
    }
}

impl Heap {
    /// Bytes that are in use or pledged.
    pub(super) fn spoken_for(&self) -> usize {
        let used = self.bytes.in_use() + self.records.in_use() + self.ranges.in_use();
        used.saturating_add(self.paths())
            .saturating_add(self.shares.pledged(self.shares.connections))
    }

    /// Bytes that may be taken now of `want`, each a power of two, by a connection that has none
    /// of their kind if they are its `first`.
    pub(super) fn longest(&self, first: bool, want: usize) -> Option<usize> {
        let most = self.most(first);
        if want <= most {
            return Some(want);
        }
        1usize.checked_shl(most.checked_ilog2()?)
    }

    fn most(&self, first: bool) -> usize {
        let pledged = if first { PLEDGE } else { 0 };
        let taken = self.spoken_for().saturating_sub(pledged);
        let left = self.shares.large.saturating_sub(taken);
        let part = (left / PART).max((left / MODEST_PART).min(MODEST));
        if part > SMALL {
            return part;
        }
        let small = self.shares.small.saturating_sub(taken).min(SMALL);
        if first { small.max(PLEDGE) } else { small }
    }

    /// A ring was given back.
    pub(super) fn gave_ring(&mut self, taken: &Taken) {
        if !taken.holds() {
            self.shares.gave();
        }
    }
}
