//! What arrived out of order.

use crate::SeqNum;

/// A stretch of received data beyond a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Range {
    /// Its first octet.
    pub(crate) left: SeqNum,
    /// The octet after its last.
    pub(crate) right: SeqNum,
    /// Ranges with a higher stamp were touched more recently.
    pub(crate) stamp: u32,
}

impl Range {
    /// No range: all bytes zero.
    pub const EMPTY: Range = Range {
        left: SeqNum(0),
        right: SeqNum(0),
        stamp: 0,
    };
}
