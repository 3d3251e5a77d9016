//! CLOSED: the answer to a segment for no connection at all (RFC 9293 §3.10.7.1).

use netloom_wire::TcpFlags;

use crate::{Reset, Segment, SeqNum};

/// The RST that answers `segment` where no connection is; `None` for a RST.
pub fn reset_for(segment: &Segment<'_>) -> Option<Reset> {
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.1
    //# An incoming
    //# segment containing a RST is discarded.
    if segment.has(TcpFlags::RST) {
        return None;
    }
    Some(reset_of(segment))
}

/// The RST that answers a segment that is none.
#[inline(always)]
pub(crate) fn reset_of(segment: &Segment<'_>) -> Reset {
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.1
    //# If the ACK bit is off, sequence number zero is used,
    let (seq, ack, flags) = if segment.has(TcpFlags::ACK) {
        (segment.ack, SeqNum(0), TcpFlags::RST)
    } else {
        (
            SeqNum(0),
            segment.seq + segment.len(),
            TcpFlags::RST | TcpFlags::ACK,
        )
    };
    Reset { seq, ack, flags }
}
