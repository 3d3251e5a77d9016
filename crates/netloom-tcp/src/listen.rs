//! LISTEN: what a segment does where only a listener is (RFC 9293 §3.10.7.2).

use netloom_wire::TcpFlags;
use netloom_wire::tcp_options::SynOptions;

use crate::{Discard, Reset, Segment, SeqNum, closed};

/// What a SYN offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SynOffer {
    /// IRS: the peer's initial sequence number.
    pub irs: SeqNum,
    /// The MSS option, if there was one.
    pub mss: Option<u16>,
    /// The window scale option, if there was one; at most 14.
    pub window_scale: Option<u8>,
    /// Whether SACK was permitted.
    pub sack: bool,
    /// The value of the timestamps option, if there was one.
    pub timestamps: Option<u32>,
    /// Whether ECN was requested (RFC 3168 §6.1.1).
    pub ecn: bool,
    /// The window field, unscaled.
    pub window: u16,
}

impl SynOffer {
    pub(crate) fn of(segment: &Segment<'_>) -> SynOffer {
        // Its options are checked: a segment is not made of others.
        let options = SynOptions::find(segment.options).unwrap_or_default();
        SynOffer {
            irs: segment.seq,
            mss: options.mss,
            window_scale: options.window_scale,
            sack: options.sack_permitted,
            //= https://www.rfc-editor.org/rfc/rfc7323#section-3.2
            //# When the ACK bit is not set, the receiver MUST ignore
            //# the value of the TSecr field.
            timestamps: segment.timestamps.map(|timestamps| timestamps.value),
            ecn: segment.has(TcpFlags::ECE) && segment.has(TcpFlags::CWR),
            window: segment.window,
        }
    }
}

/// What a segment for a listener calls for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Disposition {
    /// Nothing.
    Drop(Discard),
    /// Send this.
    Reset(Reset),
    /// A connection request.
    Syn(SynOffer),
}

/// Judges a segment for a listener. Data that came with a SYN is left to be retransmitted.
pub fn receive(segment: &Segment<'_>) -> Disposition {
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.2
    //# An incoming RST should be ignored.
    if segment.has(TcpFlags::RST) {
        return Disposition::Drop(Discard::BadRst);
    }
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.2
    //# Any acknowledgment is bad if it arrives on a connection still
    //# in the LISTEN state.
    if segment.has(TcpFlags::ACK) {
        return Disposition::Reset(closed::reset_of(segment));
    }
    if !segment.has(TcpFlags::SYN) {
        return Disposition::Drop(Discard::NotSyn);
    }
    // No TCP sends a FIN with its SYN; scanners do.
    if segment.has(TcpFlags::FIN) {
        return Disposition::Drop(Discard::BadFlags);
    }
    Disposition::Syn(SynOffer::of(segment))
}
