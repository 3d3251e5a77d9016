//! What arrived out of order: a bounded list of ranges, apart from each other, the one touched last
//! first. The octets themselves are in the receive ring, where they belong.

use netloom_wire::TcpOptionWords;

use crate::SeqNum;

/// A stretch of received data beyond a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Range {
    /// Its first octet.
    pub(crate) left: SeqNum,
    /// The octet after its last.
    pub(crate) right: SeqNum,
}

impl Range {
    /// No range: all bytes zero.
    pub const EMPTY: Range = Range {
        left: SeqNum(0),
        right: SeqNum(0),
    };

    /// Whether the two overlap, or leave nothing between them.
    fn touches(&self, other: &Range) -> bool {
        self.left.le(other.right) && self.right.ge(other.left)
    }
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

fn live(ranges: &mut [Range], count: u16) -> &mut [Range] {
    ranges.get_mut(..usize::from(count)).unwrap_or_default()
}

/// Adds `[left, right)`, merged with what it touches or overlaps.
pub(crate) fn insert(ranges: &mut [Range], count: &mut u16, left: SeqNum, right: SeqNum) -> Insert {
    let new = Range { left, right };
    let mut merged = new;
    let mut result = Insert::Done;
    let mut kept = *count;
    // Those in the list are apart: what touches the union touches the newcomer.
    for range in live(ranges, *count)
        .iter()
        .filter(|range| range.touches(&new))
    {
        if range.left.le(left) && range.right.ge(right) {
            result = Insert::Known;
        }
        merged.left = merged.left.min(range.left);
        merged.right = merged.right.max(range.right);
        kept = kept.wrapping_sub(1);
    }
    if usize::from(kept) >= ranges.len() || kept == u16::MAX {
        return Insert::Full;
    }
    take_out(ranges, count, &new);
    // The union goes first, and the others move up by one.
    *count = count.wrapping_add(1);
    for place in live(ranges, *count) {
        core::mem::swap(place, &mut merged);
    }
    result
}

/// The first part of `what` that is in the list already; empty if there is none.
pub(crate) fn overlap(ranges: &[Range], count: u16, what: &Range) -> Range {
    let mut first = Range {
        left: what.right,
        right: what.right,
    };
    for range in ranges.iter().take(usize::from(count)) {
        if range.right.gt(what.left) && range.left.lt(first.left) {
            first.left = range.left.max(what.left);
            first.right = range.right.min(what.right);
        }
    }
    first
}

/// Takes out the ranges that touch `what`, such as text in order; returns where it gets to with
/// them.
pub(crate) fn take_out(ranges: &mut [Range], count: &mut u16, what: &Range) -> SeqNum {
    let mut reached = what.right;
    let mut kept = 0usize;
    for i in 0..usize::from(*count) {
        let Some(range) = ranges.get(i).copied() else {
            break;
        };
        if range.touches(what) {
            reached = reached.max(range.right);
        } else if let Some(place) = ranges.get_mut(kept) {
            *place = range;
            kept = kept.wrapping_add(1);
        }
    }
    *count = kept as u16;
    reached
}

/// Appends the `n` most recently touched ranges to a SACK option, latest first.
pub(crate) fn report(ranges: &[Range], options: &mut TcpOptionWords, n: u8) {
    //= https://www.rfc-editor.org/rfc/rfc2018#section-4
    //# The first SACK block (i.e., the one immediately following the
    //# kind and length fields in the option) MUST specify the contiguous
    //# block of data containing the segment which triggered this ACK,
    //# unless that segment advanced the Acknowledgment Number field in
    //# the header.
    //= https://www.rfc-editor.org/rfc/rfc2018#section-4
    //# * The SACK option SHOULD be filled out by repeating the most
    //# recently reported SACK blocks (based on first SACK blocks in
    //# previous SACK options) that are not subsets of a SACK block
    //# already included in the SACK option being constructed.
    for range in ranges.iter().take(usize::from(n)) {
        options.push(range.left.0);
        options.push(range.right.0);
    }
}

#[cfg(test)]
mod tests;
