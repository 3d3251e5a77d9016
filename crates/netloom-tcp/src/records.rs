//! What was sent: a partition of the data in flight.
//!
//! The data octets of `[SND.UNA, SND.NXT)` are divided into records, one for each segment or
//! super-segment that was sent. A record holds only its end: it starts where the one before
//! ends, and the first one starts at SND.UNA. SYN and FIN are not in it: their state is in the
//! connection, so that opening and closing take no storage.

use netloom_driver::Instant;

use crate::SeqNum;

/// One stretch of sent data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Record {
    /// The octet after its last.
    pub(crate) end: SeqNum,
    /// When it was last sent: microseconds, 48 bits.
    sent_low: u32,
    /// What had been delivered of the connection when it was sent, in octets, wrapping.
    pub(crate) delivered: u32,
    sent_high: u16,
    /// Payload of one wire segment when it was sent: where it may be cut.
    pub(crate) mss: u16,
    marks: u8,
    /// Retransmissions, saturating.
    pub(crate) retransmissions: u8,
    _reserved: u16,
}

const _: () = assert!(size_of::<Record>() == 20);

/// The peer has it, out of order.
pub(crate) const SACKED: u8 = 1;
/// It is taken as lost and has not been retransmitted since, or not all of it.
pub(crate) const LOST: u8 = 1 << 1;

impl Record {
    /// No record: all bytes zero.
    pub const EMPTY: Record = Record {
        end: SeqNum(0),
        sent_low: 0,
        delivered: 0,
        sent_high: 0,
        mss: 0,
        marks: 0,
        retransmissions: 0,
        _reserved: 0,
    };

    pub(crate) fn new(end: SeqNum, mss: u16, now: Instant, delivered: u32) -> Record {
        let mut record = Record {
            end,
            mss,
            delivered,
            ..Record::EMPTY
        };
        record.set_sent(now);
        record
    }

    #[inline]
    pub(crate) fn set_sent(&mut self, now: Instant) {
        self.sent_low = now.as_micros() as u32;
        self.sent_high = (now.as_micros() >> 32) as u16;
    }

    /// Microseconds since it was last sent.
    #[inline]
    pub(crate) fn age(&self, now: Instant) -> u64 {
        let sent = u64::from(self.sent_low) | (u64::from(self.sent_high) << 32);
        now.as_micros().wrapping_sub(sent) & 0xffff_ffff_ffff
    }

    #[inline]
    pub(crate) fn is(&self, mark: u8) -> bool {
        self.marks & mark != 0
    }

    #[inline]
    pub(crate) fn mark(&mut self, mark: u8) {
        self.marks |= mark;
    }

    #[inline]
    pub(crate) fn unmark(&mut self, mark: u8) {
        self.marks &= !mark;
    }

    /// Sent once, and nothing is known of it.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.marks == 0 && self.retransmissions == 0
    }
}

/// Where the live records are in their storage, which is a ring of any size.
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

    fn slot(&self, capacity: usize, i: usize) -> usize {
        let at = usize::from(self.head).wrapping_add(i);
        if at >= capacity {
            at.wrapping_sub(capacity)
        } else {
            at
        }
    }

    #[inline]
    fn capacity(memory: &[Record]) -> usize {
        memory.len().min(usize::from(u16::MAX))
    }

    /// The `i`-th record from the oldest.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn get<'a>(&self, memory: &'a [Record], i: usize) -> Option<&'a Record> {
        if i >= self.len() {
            return None;
        }
        memory.get(self.slot(Self::capacity(memory), i))
    }

    /// The `i`-th record from the oldest, to change.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn get_mut<'a>(&self, memory: &'a mut [Record], i: usize) -> Option<&'a mut Record> {
        if i >= self.len() {
            return None;
        }
        let slot = self.slot(Self::capacity(memory), i);
        memory.get_mut(slot)
    }

    /// Where the `i`-th record starts.
    #[inline]
    pub(crate) fn start(&self, memory: &[Record], i: usize, snd_una: SeqNum) -> SeqNum {
        match i.checked_sub(1).and_then(|before| self.get(memory, before)) {
            Some(record) => record.end,
            None => snd_una,
        }
    }

    #[inline]
    pub(crate) fn is_full(&self, memory: &[Record]) -> bool {
        self.len() >= Self::capacity(memory)
    }

    /// Whether data sent now could be recorded: in a record of its own, or merged into the
    /// newest one. Only a plain one takes it: merged into one the peer is known to have, unsent
    /// octets would count as delivered.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn has_room(&self, memory: &[Record]) -> bool {
        !self.is_full(memory)
            || self
                .len()
                .checked_sub(1)
                .and_then(|newest| self.get(memory, newest))
                .is_some_and(Record::is_plain)
    }

    /// Records newly sent data. Does nothing where [`RecordTable::has_room`] says no.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn push(&mut self, memory: &mut [Record], record: Record) {
        if !self.is_full(memory) {
            let slot = self.slot(Self::capacity(memory), self.len());
            if let Some(place) = memory.get_mut(slot) {
                *place = record;
                self.len = self.len.saturating_add(1);
            }
            return;
        }
        let newest = self.len().wrapping_sub(1);
        if let Some(newest) = self
            .get_mut(memory, newest)
            .filter(|record| record.is_plain())
        {
            // The time of the last part: only an acknowledgment of the end is measured.
            *newest = Record {
                mss: newest.mss,
                ..record
            };
        }
    }

    pub(crate) fn pop_front(&mut self, memory: &[Record]) {
        self.head = self.slot(Self::capacity(memory), 1) as u16;
        self.len = self.len.saturating_sub(1);
        if self.len == 0 {
            self.head = 0;
        }
    }

    /// Cuts the `i`-th record in two at `at`; `false` if the table is full.
    pub(crate) fn cut(&mut self, memory: &mut [Record], i: usize, at: SeqNum) -> bool {
        let Some(&whole) = self.get(memory, i) else {
            return false;
        };
        if self.is_full(memory) {
            return false;
        }
        self.len = self.len.saturating_add(1);
        let mut to = self.len().wrapping_sub(1);
        while to > i {
            let moved = self
                .get(memory, to.wrapping_sub(1))
                .copied()
                .unwrap_or(whole);
            if let Some(place) = self.get_mut(memory, to) {
                *place = moved;
            }
            to = to.wrapping_sub(1);
        }
        if let Some(first) = self.get_mut(memory, i) {
            first.end = at;
        }
        true
    }

    /// Copies the live records to the start of other memory and starts there.
    pub(crate) fn relocate(&mut self, from: &[Record], to: &mut [Record]) {
        for i in 0..self.len() {
            if let (Some(&record), Some(place)) = (self.get(from, i), to.get_mut(i)) {
                *place = record;
            }
        }
        self.head = 0;
    }
}

#[cfg(test)]
mod tests;
