//! Text that stands in the receive ring before its segment is looked at.
//!
//! Whoever can read a segment's text to where it belongs, as a device can that reads a frame into
//! several pieces of memory, spares the copy: [`Connection::rx_space`] is where the text would be
//! placed that comes next. Until a segment with that text is [received](Connection::receive), what
//! stands there means nothing.

use netloom_wire::TcpFlags;

use crate::flags::Flags;
use crate::{Connection, Segment};

impl Connection {
    /// How many octets of text the window lets come next whose place in the ring is free; 0 where
    /// text has come that is beyond a gap, or where none is stored.
    pub fn placeable(&self) -> u32 {
        const AGAINST: Flags = Flags::READ_SHUT.with(Flags::ORPHAN).with(Flags::FIN_AHEAD);
        if !self.is_receiving() || self.range_count > 0 || self.flags.any(AGAINST) {
            return 0;
        }
        self.rcv_adv.saturating_since(self.rcv_nxt)
    }

    /// Where in the ring the next octets belong, `most` of them or as many as it has room for.
    pub fn rx_space<'a>(&self, rx: &'a mut [u8], most: usize) -> (&'a mut [u8], &'a mut [u8]) {
        let most = most.min(self.rx.room(rx.len()));
        self.rx.slices_mut(rx, self.rx.len as usize, most)
    }

    /// Whether all text of a segment belongs where [`rx_space`](Connection::rx_space) is: then
    /// [`receive`](Connection::receive) may be told that it
    /// [stands there](crate::Io::placed).
    pub fn belongs_next(&self, rx: &[u8], segment: &Segment<'_>) -> bool {
        let len = segment.payload.len();
        segment.flags.without(TcpFlags::PSH) == TcpFlags::ACK
            && segment.seq == self.rcv_nxt
            && len <= self.placeable() as usize
            && len <= self.rx.room(rx.len())
    }
}

#[cfg(test)]
mod tests;
