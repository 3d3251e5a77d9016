//! The user's side: writing, reading, and the storage behind it.

use crate::flags::Flags;
use crate::ring::Ring;
use crate::{Connection, Io, Range, Record, SeqNum, State};

impl Connection {
    pub(crate) fn tx_ring(&self) -> Ring {
        self.tx
    }

    /// Whether the user may write: the sending direction is open, or about to be.
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub fn can_write(&self) -> bool {
        let open = match self.state {
            State::SynSent | State::SynReceived | State::Established | State::CloseWait => true,
            State::Closed
            | State::Listen
            | State::FinWait1
            | State::FinWait2
            | State::Closing
            | State::LastAck
            | State::TimeWait => false,
        };
        open && !self.flags.has(Flags::FIN_QUEUED)
    }

    /// How many octets [`Connection::write`] would take now.
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub fn write_room(&self, io: &Io<'_>) -> usize {
        if self.can_write() {
            self.tx.room(io.tx.len())
        } else {
            0
        }
    }

    /// Queues data to send and returns how many octets were taken: fewer when the ring is full,
    /// none when the sending direction is closed.
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub fn write(&mut self, io: &mut Io<'_>, data: &[u8]) -> usize {
        let n = self.write_room(io).min(data.len());
        let data = data.get(..n).unwrap_or(&[]);
        let n = self.tx.place(io.tx, self.tx.len as usize, data);
        self.tx.len = self.tx.len.wrapping_add(n as u32);
        n
    }

    /// The first contiguous free part of the send ring, to be filled and then announced with
    /// [`Connection::tx_commit`].
    pub fn tx_space<'a>(&mut self, io: &'a mut Io<'_>) -> &'a mut [u8] {
        let room = self.write_room(io);
        self.tx.slices_mut(io.tx, self.tx.len as usize, room).0
    }

    /// The first `n` octets of [`Connection::tx_space`] were filled.
    pub fn tx_commit(&mut self, io: &Io<'_>, n: usize) {
        let n = n.min(self.write_room(io));
        self.tx.len = self.tx.len.saturating_add(n as u32);
    }

    /// Reads received data in order; 0 if there is none.
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub fn read(&mut self, io: &mut Io<'_>, out: &mut [u8]) -> usize {
        let n = self.peek(io, 0, out);
        self.consume(io, n);
        n
    }

    /// Copies received data without consuming it, from `offset` octets after the next unread one.
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub fn peek(&self, io: &Io<'_>, offset: usize, out: &mut [u8]) -> usize {
        self.rx.copy_out(io.rx, offset, out)
    }

    /// The unread data in place, in at most two pieces.
    pub fn rx_slices<'a>(&self, io: &'a Io<'_>) -> (&'a [u8], &'a [u8]) {
        self.rx.slices(io.rx, 0, self.rx.len as usize)
    }

    /// Drops `n` unread octets. If that opens the window far enough, [`Connection::next`] has a
    /// window update to send.
    pub fn consume(&mut self, io: &Io<'_>, n: usize) {
        let n = u32::try_from(n).unwrap_or(u32::MAX);
        self.rx.consume(io.rx.len(), n);
        // Text out of order lies where the head says.
        if self.range_count == 0 {
            self.rx.rewind();
        }
        self.retire_urgent_in();
    }

    /// Unread octets.
    pub fn readable_bytes(&self) -> usize {
        self.rx.len as usize
    }

    /// Octets queued and never sent.
    pub fn unsent_bytes(&self) -> usize {
        self.unsent() as usize
    }

    /// Octets sent and not acknowledged.
    pub fn unacked_bytes(&self) -> usize {
        self.sent_data() as usize
    }

    /// End of file: the peer's FIN was received and everything before it was read.
    pub fn peer_finished(&self) -> bool {
        self.flags.has(Flags::FIN_RECEIVED) && self.rx.len == 0
    }

    /// Octets of urgent data still to be read; 0 if none is known.
    pub fn urgent_bytes(&self) -> usize {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.5
        //# The TCP implementation MUST (MUST-33)
        //# provide a way for the application to learn how much urgent data
        //# remains to be read from the connection, or at least to determine
        //# whether more urgent data remains to be read [19].
        if !self.flags.has(Flags::URGENT_IN) {
            return 0;
        }
        let unread = self.first_unread();
        self.rcv_up.saturating_since(unread) as usize
    }

    /// The first octet that was not read yet.
    fn first_unread(&self) -> SeqNum {
        let fin = u32::from(self.flags.has(Flags::FIN_RECEIVED));
        self.rcv_nxt.minus(fin).minus(self.rx.len)
    }

    /// The user has read on: RCV.UP that was reached is forgotten. Two gigabytes later it would lie
    /// ahead again.
    #[inline]
    pub(crate) fn retire_urgent_in(&mut self) {
        if self.flags.has(Flags::URGENT_IN) && self.rcv_up.le(self.first_unread()) {
            self.flags.clear(Flags::URGENT_IN);
        }
    }

    /// SND.UNA has moved: the same for SND.UP.
    #[inline]
    pub(crate) fn retire_urgent_out(&mut self) {
        if self.flags.has(Flags::URGENT_OUT) && self.snd_up.le(self.snd_una) {
            self.flags.clear(Flags::URGENT_OUT);
            // In its place there was no other moment.
            #[cfg(feature = "rack")]
            self.marks.clear(crate::recovery::Marks::UNDOABLE);
        }
    }

    /// Marks the end of the data queued so far as the end of urgent data. New programs should
    /// not use the urgent mechanism (RFC 6093 §4).
    pub fn mark_urgent(&mut self) {
        if self.tx.len > 0 {
            self.snd_up = self.data_una().plus(self.tx.len);
            self.flags.set(Flags::URGENT_OUT);
        }
    }

    /// Octets of the receive ring that hold live data, in order or not; 0: the ring may be taken
    /// away.
    pub fn rx_extent(&self) -> usize {
        if self.flags.has(Flags::READ_SHUT) {
            return 0;
        }
        let beyond = if self.range_count > 0 {
            self.rcv_high.saturating_since(self.rcv_nxt)
        } else {
            0
        };
        self.rx.len.saturating_add(beyond) as usize
    }

    /// Octets of the send ring that hold live data; 0: the ring may be taken away.
    pub fn tx_extent(&self) -> usize {
        self.tx.len as usize
    }

    /// Records in use; 0: their storage may be taken away.
    pub fn record_count(&self) -> usize {
        self.records.len()
    }

    /// Ranges in use; 0: their storage may be taken away. They are the first of their slice.
    pub fn range_count(&self) -> usize {
        usize::from(self.range_count)
    }

    /// Moves the live contents of the receive ring to other memory, of at least
    /// [`Connection::rx_extent`] octets.
    pub fn move_rx(&mut self, from: &[u8], to: &mut [u8]) {
        let extent = self.rx_extent();
        self.rx.relocate(from, to, extent);
    }

    /// Moves the live contents of the send ring to other memory, of at least
    /// [`Connection::tx_extent`] octets.
    pub fn move_tx(&mut self, from: &[u8], to: &mut [u8]) {
        let extent = self.tx.len as usize;
        self.tx.relocate(from, to, extent);
    }

    /// Moves the live records to other memory, of at least [`Connection::record_count`] entries.
    /// A plain copy of the slice would not do: the records are a ring too.
    pub fn move_records(&mut self, from: &[Record], to: &mut [Record]) {
        self.records.relocate(from, to);
    }

    /// Moves the live ranges to other memory, of at least [`Connection::range_count`] entries.
    pub fn move_ranges(&mut self, from: &[Range], to: &mut [Range]) {
        for (place, range) in to.iter_mut().zip(from.iter()).take(self.range_count()) {
            *place = *range;
        }
    }
}

#[cfg(all(test, feature = "fast-retransmit"))]
mod tests;
