//! What a connection does next.

use netloom_driver::Instant;
use netloom_wire::TcpFlags;

use crate::{Connection, Io, SeqNum, Timer};

/// What a connection does next: the one predicate behind transmission and deadlines.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Next {
    /// Emit this segment, then say so with [`Connection::sent`].
    Send(Plan),
    /// Call [`Connection::fire`] now: a timer is due, or is to be started.
    Fire(Timer),
    /// Nothing until then; `None`: nothing ever, unless something comes from outside.
    Wait(Option<Instant>),
}

/// What kind of segment a [`Plan`] is: decides what [`Connection::sent`] records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PlanKind {
    /// A SYN, or a SYN-ACK, first or repeated.
    Syn,
    /// Data never sent before; FIN may ride on it.
    Data,
    /// Data never sent before, in a segment larger than the path is known to carry (RFC 8899).
    PathProbe,
    /// Data sent before; FIN may ride on it.
    Retransmission,
    /// A FIN alone, first or repeated.
    Fin,
    /// One octet against a closed window (RFC 9293 §3.8.6.1).
    WindowProbe,
    /// A keep-alive probe (RFC 9293 §3.8.4).
    KeepAlive,
    /// An acknowledgment or window update.
    Ack,
    /// One of the duplicate acknowledgments owed to a peer without SACK.
    DuplicateAck,
    /// The RST of an abort.
    Reset,
}

/// A segment to emit. Nothing is recorded as sent until [`Connection::sent`] is called.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// SEG.SEQ.
    pub seq: SeqNum,
    /// SEG.ACK; 0 unless `flags` has ACK.
    pub ack: SeqNum,
    /// Control bits.
    pub flags: TcpFlags,
    /// The window field as it goes on the wire.
    pub window: u16,
    /// The urgent pointer field; 0 unless `flags` has URG.
    pub urgent: u16,
    /// Where the payload starts, in octets from the front of the send queue.
    pub offset: u32,
    /// How many octets of payload.
    pub len: u32,
    /// The payload of one wire segment: when `len` is more, this is a super-segment.
    pub mss: u16,
    /// SACK blocks among its options.
    pub(crate) sack_blocks: u8,
    /// What it is.
    pub kind: PlanKind,
}

impl Plan {
    /// Leaves out what is beyond `most` octets of text, and what says that it ends the queue.
    #[cfg(feature = "rack")]
    pub(crate) fn shorten(&mut self, most: u32) {
        if self.len > most {
            self.len = most;
            self.flags = self.flags.without(TcpFlags::PSH | TcpFlags::FIN);
        }
    }

    /// The payload, in at most two pieces of the send ring.
    #[inline]
    pub fn payload<'a>(&self, connection: &Connection, io: &'a Io<'_>) -> (&'a [u8], &'a [u8]) {
        connection
            .tx_ring()
            .slices(io.tx, self.offset as usize, self.len as usize)
    }
}

impl Connection {
    /// An acknowledgment of all that came, from which every other plan is made.
    #[inline(always)]
    pub(crate) fn plain_ack(&self, window: u16, sack_blocks: u8) -> Plan {
        Plan {
            seq: self.snd_nxt,
            ack: self.rcv_nxt,
            flags: TcpFlags::ACK,
            window,
            urgent: 0,
            offset: 0,
            len: 0,
            mss: self.mss,
            sack_blocks,
            kind: PlanKind::Ack,
        }
    }
}
