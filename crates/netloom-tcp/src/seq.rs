//! Sequence numbers: a circle of 2^32, compared by the shorter way round.

use core::fmt;
use core::ops::{Add, AddAssign, Sub};

/// A TCP sequence number (RFC 9293 §3.4).
///
/// Arithmetic is modulo 2^32 and comparisons are those of a window: `a.lt(b)` holds when `b` is
/// less than 2^31 ahead of `a`. There is deliberately no `Ord`: the relation is not transitive.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SeqNum(pub u32);

impl SeqNum {
    /// How far `self` lies after `other`; negative if it lies before.
    #[inline]
    pub const fn distance(self, other: SeqNum) -> i32 {
        self.0.wrapping_sub(other.0) as i32
    }

    /// How many octets lie from `earlier` to `self`, where `earlier` is known not to be later.
    #[inline]
    pub const fn since(self, earlier: SeqNum) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }

    /// Like [`SeqNum::since`], but 0 when `earlier` is in fact later.
    #[inline]
    pub const fn saturating_since(self, earlier: SeqNum) -> u32 {
        if self.gt(earlier) {
            self.since(earlier)
        } else {
            0
        }
    }

    /// `self < other` in the sense of a window.
    #[inline]
    pub const fn lt(self, other: SeqNum) -> bool {
        self.distance(other) < 0
    }

    /// `self =< other` in the sense of a window.
    #[inline]
    pub const fn le(self, other: SeqNum) -> bool {
        self.distance(other) <= 0
    }

    /// `self > other` in the sense of a window.
    #[inline]
    pub const fn gt(self, other: SeqNum) -> bool {
        self.distance(other) > 0
    }

    /// `self >= other` in the sense of a window.
    #[inline]
    pub const fn ge(self, other: SeqNum) -> bool {
        self.distance(other) >= 0
    }

    /// The later of the two.
    #[inline]
    #[must_use]
    pub const fn max(self, other: SeqNum) -> SeqNum {
        if self.lt(other) { other } else { self }
    }

    /// The earlier of the two.
    #[inline]
    #[must_use]
    pub const fn min(self, other: SeqNum) -> SeqNum {
        if self.lt(other) { self } else { other }
    }

    /// `n` octets earlier.
    #[inline]
    #[must_use]
    pub const fn minus(self, n: u32) -> SeqNum {
        SeqNum(self.0.wrapping_sub(n))
    }

    /// `n` octets later.
    #[inline]
    #[must_use]
    pub const fn plus(self, n: u32) -> SeqNum {
        SeqNum(self.0.wrapping_add(n))
    }
}

impl Add<u32> for SeqNum {
    type Output = SeqNum;
    #[inline]
    fn add(self, n: u32) -> SeqNum {
        self.plus(n)
    }
}

impl Sub<u32> for SeqNum {
    type Output = SeqNum;
    #[inline]
    fn sub(self, n: u32) -> SeqNum {
        self.minus(n)
    }
}

impl AddAssign<u32> for SeqNum {
    #[inline]
    fn add_assign(&mut self, n: u32) {
        *self = self.plus(n);
    }
}

impl fmt::Debug for SeqNum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for SeqNum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl From<u32> for SeqNum {
    #[inline]
    fn from(n: u32) -> SeqNum {
        SeqNum(n)
    }
}

#[cfg(test)]
mod tests;
