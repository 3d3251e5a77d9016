//! How much of the budget one connection's rings may have, so that those that stand still leave
//! enough to the others.
//!
//! A ring grows as far as a part of what is left: many that only grow come ever closer to their
//! share of the budget and never reach it, as queues in a switch with shared memory do (Choudhury
//! and Hahne's dynamic thresholds). Small rings are granted beyond that share, out of one of their
//! own. And always is each connection granted the ring of a [`Pledge`] and a few records, without
//! which it sends nothing: so much is put by when it is made, up to a part of the budget.

use super::{Heap, Taken};

/// Bytes that every connection is pledged.
#[derive(Clone, Copy)]
pub(super) enum Pledge {
    /// Of its first ring: a request, an answer. What does not fit is cut, and comes again only when
    /// its sender's timer has expired.
    Ring = 1024,
    /// Of its records.
    Records = 256,
}

impl Pledge {
    const ALL: usize = Pledge::Ring as usize + Pledge::Records as usize;
}

/// The length of a small ring: two segments or so.
pub(super) const SMALL: usize = 4096;

/// A ring beyond that takes no more than this part of what is left for such; one that is no
/// longer than [`MODEST`], so that small budgets are made use of, no more than the other.
const PART: usize = 16;
const MODEST_PART: usize = 4;
const MODEST: usize = 128 << 10;

/// And a small ring takes no more than this part of what is left for those.
const SMALL_PART: usize = 8;

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
    /// Bytes of pledges that are kept: of connections with a ring, and of those with records.
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
        let all = connections.saturating_mul(Pledge::ALL);
        all.saturating_sub(self.granted).min(self.pledges)
    }

    /// Something was granted, the first of its kind if a pledge was kept by it.
    pub(super) fn grant(&mut self, kept: Option<Pledge>) {
        let bytes = kept.map_or(0, |pledge| pledge as usize);
        self.granted = self.granted.saturating_add(bytes);
    }

    /// The last of its kind was given back.
    pub(super) fn gave(&mut self, pledge: Pledge) {
        self.granted = self.granted.saturating_sub(pledge as usize);
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
    /// of their kind yet if there is a `pledge` to keep.
    pub(super) fn longest(&self, pledge: Option<Pledge>, want: usize) -> Option<usize> {
        let most = self.most(pledge.map_or(0, |pledge| pledge as usize));
        if want <= most {
            return Some(want);
        }
        1usize.checked_shl(most.checked_ilog2()?)
    }

    fn most(&self, pledged: usize) -> usize {
        let taken = self.spoken_for().saturating_sub(pledged);
        let left = self.shares.large.saturating_sub(taken);
        let part = (left / PART).max((left / MODEST_PART).min(MODEST));
        if part > SMALL {
            return part;
        }
        let small = self.shares.small.saturating_sub(taken) / SMALL_PART;
        small.min(SMALL).max(pledged)
    }

    /// A ring was given back.
    pub(super) fn gave_ring(&mut self, taken: &Taken) {
        if !taken.holds() {
            self.shares.gave(Pledge::Ring);
        }
    }
}
