//! What was sent: a partition of the data in flight.
//!
//! The data octets of `[SND.UNA, SND.NXT)` are divided into records, one for each segment or
//! super-segment that was sent. A record holds only its end: it starts where the one before
//! ends, and the first one starts at SND.UNA. SYN and FIN are not in it: their state is in the
//! connection, so that opening and closing take no storage.

use crate::{SACK, SeqNum};

/// One stretch of sent data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Record {
    /// The octet after its last.
    pub(crate) end: SeqNum,
    /// When it was last sent, in microseconds, wrapping after 71 minutes.
    //= https://www.rfc-editor.org/rfc/rfc8985#section-4
    //# For each data segment sent, the sender MUST store its most recent
    //# transmission time with a timestamp whose granularity is finer than 1/4
    //# of the minimum RTT of the connection.
    pub(crate) sent: u32,
    /// What had been delivered of the connection when it was sent, in octets, wrapping.
    pub(crate) delivered: u32,
    /// Payload of one wire segment when it was sent: where it may be cut.
    pub(crate) mss: u16,
    pub(crate) marks: u8,
    /// Retransmissions, saturating.
    pub(crate) retransmissions: u8,
}

const _: () = assert!(size_of::<Record>() == 16);

/// So few places are moved in no time.
const FEW: usize = 64;

/// The peer has it, out of order.
pub(crate) const SACKED: u8 = 1;
/// It is taken as lost and has not been retransmitted since, or not all of it.
pub(crate) const LOST: u8 = 1 << 1;
/// It was sent when the application had nothing more to send.
#[cfg(feature = "bbr")]
pub(crate) const APP_LIMITED: u8 = 1 << 2;
/// The model of the path knows that it is lost.
#[cfg(feature = "bbr")]
pub(crate) const NOTED: u8 = 1 << 3;
/// The table was full: it is of several sendings, and its time is that of the last.
const MERGED: u8 = 1 << 4;
/// It is the beginning of such a one: nobody knows when it was sent.
const UNTIMED: u8 = 1 << 5;
/// It was sent again since the last reduction, as lost and not as a probe.
#[cfg(feature = "rack")]
pub(crate) const REPAIRED: u8 = 1 << 6;

impl Record {
    /// No record: all bytes zero.
    pub const EMPTY: Record = Record {
        end: SeqNum(0),
        sent: 0,
        delivered: 0,
        mss: 0,
        marks: 0,
        retransmissions: 0,
    };

    #[inline]
    pub(crate) fn is(&self, mark: u8) -> bool {
        (SACK || mark != SACKED) && self.marks & mark != 0
    }

    #[inline]
    pub(crate) fn mark(&mut self, mark: u8) {
        self.marks |= mark;
    }

    #[inline]
    pub(crate) fn unmark(&mut self, mark: u8) {
        self.marks &= !mark;
    }

    /// Whether it is known when it was sent: what it tells of the path's time is told by that.
    #[cfg(feature = "fast-retransmit")]
    #[inline]
    pub(crate) fn is_timed(&self) -> bool {
        self.marks & UNTIMED == 0
    }

    /// All of it was sent just now.
    #[cfg(feature = "fast-retransmit")]
    pub(crate) fn set_sent(&mut self, now: u32) {
        self.sent = now;
        self.unmark(MERGED | UNTIMED);
    }

    /// Sent once, when is known, and nothing else.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.marks & (SACKED | LOST | UNTIMED) == 0 && self.retransmissions == 0
    }

    /// How many records a connection keeps in so many places: all, of a few; of many an eighth
    /// stays free, so that what lives, which is in one piece, is moved back to the start once for
    /// that many newcomers. Without it a full table would be moved for each.
    #[inline]
    pub const fn most(places: usize) -> usize {
        if places < FEW {
            places
        } else {
            places.saturating_sub(places >> 3)
        }
    }
}

/// Where the live records are in their storage: in one piece, oldest first. Those that are done
/// leave from the front; when the end of the storage is reached, what lives moves back to its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct RecordTable {
    head: u16,
    len: u16,
}

impl RecordTable {
    pub(crate) const EMPTY: RecordTable = RecordTable { head: 0, len: 0 };

    #[inline]
    pub(crate) fn len(&self) -> usize {
        usize::from(self.len)
    }

    #[inline]
    fn capacity(memory: &[Record]) -> usize {
        memory.len().min(usize::from(u16::MAX))
    }

    /// The live records.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn live<'a>(&self, memory: &'a [Record]) -> &'a [Record] {
        let head = usize::from(self.head);
        memory
            .get(head..head.wrapping_add(self.len()))
            .unwrap_or_default()
    }

    /// The live records, to change.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn live_mut<'a>(&self, memory: &'a mut [Record]) -> &'a mut [Record] {
        let head = usize::from(self.head);
        memory
            .get_mut(head..head.wrapping_add(self.len()))
            .unwrap_or_default()
    }

    #[inline]
    pub(crate) fn is_full(&self, memory: &[Record]) -> bool {
        self.len() >= Record::most(Self::capacity(memory))
    }

    /// Whether data sent now could be recorded: in a record of its own, or merged into the
    /// newest one. Only a plain one takes it: merged into one the peer is known to have, unsent
    /// octets would count as delivered.
    #[inline]
    pub(crate) fn has_room(&self, memory: &[Record]) -> bool {
        !self.is_full(memory) || self.live(memory).last().is_some_and(Record::is_plain)
    }

    /// Makes the live records one more, whose contents are to be set; `false` if the table is
    /// full.
    // As `push`.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn extend(&mut self, memory: &mut [Record]) -> bool {
        let capacity = Self::capacity(memory);
        if self.len() >= Record::most(capacity) {
            return false;
        }
        let head = usize::from(self.head);
        if head.wrapping_add(self.len()) >= capacity {
            for to in 0..self.len() {
                let from = memory.get(head.wrapping_add(to)).copied();
                if let (Some(from), Some(to)) = (from, memory.get_mut(to)) {
                    *to = from;
                }
            }
            self.head = 0;
        }
        self.len = self.len.wrapping_add(1);
        true
    }

    /// Records newly sent data. Does nothing where [`RecordTable::has_room`] says no.
    // On 64 bits without a call: it is asked for every segment with text.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn push(&mut self, memory: &mut [Record], record: Record) {
        let added = self.extend(memory);
        if let Some(newest) = self.live_mut(memory).last_mut() {
            if added {
                *newest = record;
            } else if newest.is_plain() {
                // The time of the last part: only an acknowledgment of the end is measured.
                if newest.sent != record.sent {
                    newest.mark(MERGED);
                }
                newest.end = record.end;
                newest.sent = record.sent;
                newest.delivered = record.delivered;
            }
        }
    }

    /// Drops the `n` oldest records.
    #[inline]
    pub(crate) fn drop_front(&mut self, n: u16) {
        self.len = self.len.saturating_sub(n);
        self.head = if self.len == 0 {
            0
        } else {
            self.head.saturating_add(n)
        };
    }

    /// Cuts the `i`-th record in two at `at`; `false` if the table is full.
    pub(crate) fn cut(&mut self, memory: &mut [Record], i: usize, at: SeqNum) -> bool {
        if !self.extend(memory) {
            return false;
        }
        // Everything from the record on moves up by one; what stays in its place is its first part.
        let rest = self.live_mut(memory).get_mut(i..).unwrap_or_default();
        let mut carried = rest.first().copied().unwrap_or(Record::EMPTY);
        for place in rest.iter_mut().skip(1) {
            core::mem::swap(place, &mut carried);
        }
        if let Some(first) = rest.first_mut() {
            first.end = at;
            if first.is(MERGED) {
                first.mark(UNTIMED);
            }
        }
        true
    }

    /// Copies the live records to the start of other memory and starts there.
    pub(crate) fn relocate(&mut self, from: &[Record], to: &mut [Record]) {
        for (place, record) in to.iter_mut().zip(self.live(from)) {
            *place = *record;
        }
        self.head = 0;
    }
}

#[cfg(test)]
#[cfg(feature = "fast-retransmit")]
mod tests;
