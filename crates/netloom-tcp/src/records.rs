//! What was sent: a partition of the data in flight.
//!
//! The data octets of `[SND.UNA, SND.NXT)` are divided into records, one for each segment or
//! super-segment that was sent. A record holds only its end; it starts where the one before
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
    sent_high: u16,
    /// Payload of one wire segment when it was sent.
    pub(crate) mss: u16,
    /// How much of the connection had been delivered when it was sent, in octets, wrapping.
    pub(crate) delivered: u32,
    /// Retransmissions, saturating.
    pub(crate) retransmissions: u8,
    flags: u8,
    _reserved: u16,
}

const _: () = assert!(size_of::<Record>() == 20);

impl Record {
    /// No record: all bytes zero.
    pub const EMPTY: Record = Record {
        end: SeqNum(0),
        sent_low: 0,
        sent_high: 0,
        mss: 0,
        delivered: 0,
        retransmissions: 0,
        flags: 0,
        _reserved: 0,
    };
}
