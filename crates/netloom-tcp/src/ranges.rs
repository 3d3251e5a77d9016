//! What arrived out of order: a bounded, sorted list of ranges. The octets themselves are in
//! the receive ring, where they belong.

use netloom_wire::SackBlocks;

use crate::SeqNum;

/// A stretch of received data beyond a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Range {
    /// Its first octet.
    pub(crate) left: SeqNum,
    /// The octet after its last.
    pub(crate) right: SeqNum,
    /// Ranges with a later stamp were touched more recently.
    stamp: SeqNum,
}

impl Range {
    /// No range: all bytes zero.
    pub const EMPTY: Range = Range {
        left: SeqNum(0),
        right: SeqNum(0),
        stamp: SeqNum(0),
    };
}

/// What became of a newcomer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Insert {
    /// It is in the list now.
    Done,
    /// All of it was there before.
    Known,
    /// There was no room: nothing changed.
    Full,
}

fn live(ranges: &[Range], count: u16) -> &[Range] {
    ranges.get(..usize::from(count)).unwrap_or(ranges)
}

fn newest_stamp(ranges: &[Range]) -> SeqNum {
    match ranges.split_first() {
        None => SeqNum(0),
        Some((first, rest)) => rest
            .iter()
            .fold(first.stamp, |newest, r| newest.max(r.stamp)),
    }
}

/// Takes out the ranges `from..to`, one after the other: a few ranges do not pay for the code of
/// `memmove`, and there is rarely more than one to take out.
fn close_gap(ranges: &mut [Range], count: &mut u16, from: usize, to: usize) {
    for _ in from..to {
        let mut carried = Range::EMPTY;
        let rest = ranges
            .get_mut(from..usize::from(*count))
            .unwrap_or_default();
        for place in rest.iter_mut().rev() {
            core::mem::swap(place, &mut carried);
        }
        *count = count.saturating_sub(1);
    }
}

/// Adds `[left, right)`, merging it with what it touches or overlaps.
pub(crate) fn insert(ranges: &mut [Range], count: &mut u16, left: SeqNum, right: SeqNum) -> Insert {
    let list = live(ranges, *count);
    let n = list.len();
    let stamp = newest_stamp(list).plus(1);
    // The first range that reaches `left`, and the first one wholly beyond `right`.
    let first = list.iter().position(|r| r.right.ge(left)).unwrap_or(n);
    let beyond = list.iter().position(|r| r.left.gt(right)).unwrap_or(n);
    if first >= beyond {
        if n >= ranges.len().min(usize::from(u16::MAX)) {
            return Insert::Full;
        }
        let mut carried = Range { left, right, stamp };
        for place in ranges.get_mut(first..=n).unwrap_or_default() {
            core::mem::swap(place, &mut carried);
        }
        *count = count.saturating_add(1);
        return Insert::Done;
    }
    let last = beyond.wrapping_sub(1);
    let highest = ranges.get(last).map_or(right, |r| r.right);
    let Some(place) = ranges.get_mut(first) else {
        return Insert::Full;
    };
    place.stamp = stamp;
    if place.left.le(left) && place.right.ge(right) {
        return Insert::Known;
    }
    place.left = place.left.min(left);
    place.right = highest.max(right);
    close_gap(ranges, count, first.wrapping_add(1), beyond);
    Insert::Done
}

/// Takes out the ranges that `rcv_nxt` has reached; returns where it gets to.
pub(crate) fn absorb(ranges: &mut [Range], count: &mut u16, rcv_nxt: SeqNum) -> SeqNum {
    let mut reached = rcv_nxt;
    let mut taken = 0usize;
    for range in live(ranges, *count) {
        if range.left.gt(reached) {
            break;
        }
        reached = reached.max(range.right);
        taken = taken.wrapping_add(1);
    }
    if taken > 0 {
        close_gap(ranges, count, 0, taken);
    }
    reached
}

/// Appends the most recently touched ranges to `blocks`, latest first, until it has `max`.
pub(crate) fn report(ranges: &[Range], count: u16, blocks: &mut SackBlocks, max: usize) {
    //= https://www.rfc-editor.org/rfc/rfc2018#section-4
    //# The first SACK block (i.e., the one immediately following the
    //# kind and length fields in the option) MUST specify the contiguous
    //# block of data containing the segment which triggered this ACK,
    //# unless that segment advanced the Acknowledgment Number field in
    //# the header.
    let list = live(ranges, count);
    let mut before: Option<SeqNum> = None;
    while blocks.len() < max {
        let mut best: Option<&Range> = None;
        for range in list {
            let eligible = before.is_none_or(|stamp| range.stamp.lt(stamp));
            if eligible && best.is_none_or(|best| range.stamp.gt(best.stamp)) {
                best = Some(range);
            }
        }
        let Some(range) = best else { return };
        before = Some(range.stamp);
        blocks.push(range.left.0, range.right.0);
    }
}

#[cfg(test)]
mod tests;
