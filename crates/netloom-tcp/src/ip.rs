//! What the layer below asks of a connection and tells it.

use netloom_wire::TcpFlags;

use crate::{ACTIVE_OPEN, CloseReason, Connection, News, Outcome, Reset, SeqNum, State};

impl Connection {
    /// Whether a sequence number is one of what is in flight: what an ICMP error must quote to
    /// be believed (RFC 5927 §4.1).
    pub fn in_flight(&self, seq: SeqNum) -> bool {
        seq.ge(self.snd_una) && seq.lt(self.snd_nxt)
    }

    /// Whether the peer's FIN has been received in order; unread data may remain.
    #[inline]
    pub fn peer_closed(&self) -> bool {
        self.state.peer_closed()
    }

    /// The next hop could not be resolved. An attempt to connect ends with it; on a connection
    /// that is open it is a soft error, and what was to be sent counts as lost.
    pub fn next_hop_failed(&mut self) -> Outcome {
        if self.close_reason.is_some() {
            return self.take_outcome();
        }
        match self.state {
            State::SynSent if ACTIVE_OPEN => self.end(CloseReason::NextHopUnresolved),
            State::Closed
            | State::Listen
            | State::SynSent
            | State::SynReceived
            | State::Established
            | State::FinWait1
            | State::FinWait2
            | State::CloseWait
            | State::Closing
            | State::LastAck
            | State::TimeWait => self.report(News::SOFT_ERROR),
        }
        self.take_outcome()
    }

    /// The RST that tells the peer that this side forgets the connection at once; `None` where
    /// the peer knows nothing of it (RFC 9293 §3.10.5).
    pub fn reset_now(&self) -> Option<Reset> {
        if self.close_reason.is_some() {
            return None;
        }
        match self.state {
            State::SynReceived
            | State::Established
            | State::FinWait1
            | State::FinWait2
            | State::CloseWait => Some(Reset {
                seq: self.snd_nxt,
                ack: self.rcv_nxt,
                flags: TcpFlags::RST | TcpFlags::ACK,
            }),
            State::Closed
            | State::Listen
            | State::SynSent
            | State::Closing
            | State::LastAck
            | State::TimeWait => None,
        }
    }
}

impl Default for crate::Record {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl Default for crate::Range {
    fn default() -> Self {
        Self::EMPTY
    }
}
