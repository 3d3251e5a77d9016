//! The connection.

use crate::ring::Ring;
use crate::{
    CloseReason, Env, HalfOpen, IcmpError, Io, Keepalive, Next, OpenParams, Outcome, Plan, Segment,
    SeqNum, State, TcpInfo, Timer,
};

/// One TCP connection.
#[derive(Debug, Clone, PartialEq)]
#[repr(C)]
pub struct Connection {
    state: State,
    close_reason: Option<CloseReason>,
    rcv_nxt: SeqNum,
    rx: Ring,
    tx: Ring,
}

impl Connection {
    /// No connection: all bytes zero, state CLOSED.
    pub const EMPTY: Connection = Connection {
        state: State::Closed,
        close_reason: None,
        rcv_nxt: SeqNum(0),
        rx: Ring::EMPTY,
        tx: Ring::EMPTY,
    };

    /// An active open: CLOSED to SYN-SENT.
    pub fn connect(_params: &OpenParams, _env: &Env<'_>) -> Connection {
        Connection {
            state: State::SynSent,
            ..Connection::EMPTY
        }
    }

    /// A passive open whose SYN-ACK was sent from a SYN entry or a cookie, in SYN-RECEIVED. Give
    /// it the segment that completed the handshake next. `params` must be those the SYN-ACK was
    /// made with.
    pub fn from_half_open(_params: &OpenParams, _entry: &HalfOpen, _env: &Env<'_>) -> Connection {
        Connection {
            state: State::SynReceived,
            ..Connection::EMPTY
        }
    }

    /// The receive ring's capacity that `segment` needs in order to be stored, if its sequence
    /// number and acknowledgment are acceptable; else 0. Changes nothing.
    pub fn rx_need(&self, _segment: &Segment<'_>) -> usize {
        0
    }

    /// A segment arrived.
    pub fn receive(&mut self, _env: &Env<'_>, _io: &mut Io<'_>, _segment: &Segment<'_>) -> Outcome {
        Outcome::nothing()
    }

    /// What the connection does next. Changes nothing.
    pub fn next(&self, _env: &Env<'_>, _io: &Io<'_>) -> Next {
        Next::Wait(None)
    }

    /// `plan`, which `next` returned, was emitted.
    pub fn sent(&mut self, _env: &Env<'_>, _io: &mut Io<'_>, _plan: &Plan) -> Outcome {
        Outcome::nothing()
    }

    /// `next` returned `Fire(timer)`.
    pub fn fire(&mut self, _env: &Env<'_>, _io: &mut Io<'_>, _timer: Timer) -> Outcome {
        Outcome::nothing()
    }

    /// Queues data to send and returns how many octets were taken.
    pub fn write(&mut self, _io: &mut Io<'_>, _data: &[u8]) -> usize {
        0
    }

    /// How many octets `write` would take now.
    pub fn write_room(&self, _io: &Io<'_>) -> usize {
        0
    }

    /// The first contiguous free part of the send ring, to be filled and then announced with
    /// [`Connection::tx_commit`].
    pub fn tx_space<'a>(&mut self, _io: &'a mut Io<'_>) -> &'a mut [u8] {
        &mut []
    }

    /// The first `n` octets of [`Connection::tx_space`] were filled.
    pub fn tx_commit(&mut self, _io: &Io<'_>, _n: usize) {}

    /// Reads received data.
    pub fn read(&mut self, _io: &mut Io<'_>, _out: &mut [u8]) -> usize {
        0
    }

    /// Copies received data without consuming it, from `offset` octets after the next unread one.
    pub fn peek(&self, _io: &Io<'_>, _offset: usize, _out: &mut [u8]) -> usize {
        0
    }

    /// The unread data in place.
    pub fn rx_slices<'a>(&self, _io: &'a Io<'_>) -> (&'a [u8], &'a [u8]) {
        (&[], &[])
    }

    /// Drops `n` unread octets.
    pub fn consume(&mut self, _io: &Io<'_>, _n: usize) {}

    /// Unread octets.
    pub fn readable_bytes(&self) -> usize {
        0
    }

    /// Octets queued and never sent.
    pub fn unsent_bytes(&self) -> usize {
        0
    }

    /// Octets sent and not acknowledged.
    pub fn unacked_bytes(&self) -> usize {
        0
    }

    /// End of file: the peer's FIN was received and everything before it was read.
    pub fn peer_finished(&self) -> bool {
        false
    }

    /// Whether the user may still write.
    pub fn can_write(&self) -> bool {
        false
    }

    /// Closes the sending direction: FIN follows the queued data.
    pub fn shutdown_write(&mut self) {}

    /// Closes the receiving direction: unread and further data is discarded.
    pub fn shutdown_read(&mut self, _io: &Io<'_>) {}

    /// Closes both directions and gives the connection up.
    pub fn close(&mut self, _env: &Env<'_>) -> Outcome {
        Outcome::nothing()
    }

    /// How long `close` may leave data unacknowledged, in microseconds: `None` for as long as it
    /// takes, `Some(0)` to abort instead of closing.
    pub fn set_linger(&mut self, _linger: Option<u64>) {}

    /// Aborts: `next` yields a RST if the peer should get one.
    pub fn abort(&mut self, _reason: CloseReason) -> Outcome {
        Outcome::nothing()
    }

    /// Octets of the receive ring that hold live data, in order or not; 0: the ring may be taken
    /// away.
    pub fn rx_extent(&self) -> usize {
        0
    }

    /// Octets of the send ring that hold live data; 0: the ring may be taken away.
    pub fn tx_extent(&self) -> usize {
        0
    }

    /// Records in use; 0: their storage may be taken away.
    pub fn record_count(&self) -> usize {
        0
    }

    /// Ranges in use; 0: their storage may be taken away.
    pub fn range_count(&self) -> usize {
        0
    }

    /// Moves the live contents of the receive ring to other memory, of at least
    /// [`Connection::rx_extent`] octets.
    pub fn move_rx(&mut self, _from: &[u8], _to: &mut [u8]) {}

    /// Moves the live contents of the send ring to other memory, of at least
    /// [`Connection::tx_extent`] octets.
    pub fn move_tx(&mut self, _from: &[u8], _to: &mut [u8]) {}

    /// Moves the live records to other memory, of at least [`Connection::record_count`] entries.
    pub fn move_records(&mut self, _from: &[crate::Record], _to: &mut [crate::Record]) {}

    /// Moves the live ranges to other memory, of at least [`Connection::range_count`] entries.
    pub fn move_ranges(&mut self, _from: &[crate::Range], _to: &mut [crate::Range]) {}

    /// Changes what the window may promise. A window already promised stays promised.
    pub fn set_rcv_buf(&mut self, _rcv_buf: u32) {}

    /// Changes how many octets of options and payload the path carries.
    pub fn set_path_mss(&mut self, _path_mss: u16, _env: &Env<'_>) {}

    /// Switches the Nagle algorithm off or on.
    pub fn set_nodelay(&mut self, _nodelay: bool) {}

    /// Switches keep-alives on or off.
    pub fn set_keepalive(&mut self, _keepalive: Option<Keepalive>, _env: &Env<'_>) {}

    /// Sets this connection's own user timeout in microseconds; 0: for ever; `None`: the
    /// tunable's.
    pub fn set_user_timeout(&mut self, _timeout: Option<u64>) {}

    /// Acknowledges the next segments at once.
    pub fn set_quickack(&mut self, _env: &Env<'_>) {}

    /// Marks the end of the data queued so far as the end of urgent data.
    pub fn mark_urgent(&mut self) {}

    /// Octets of urgent data still to be read; 0 if none is known.
    pub fn urgent_bytes(&self) -> usize {
        0
    }

    /// The state.
    pub fn state(&self) -> State {
        self.state
    }

    /// Why the connection ended, once it has.
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.close_reason
    }

    /// The last soft ICMP error, which is forgotten by asking.
    pub fn take_soft_error(&mut self) -> Option<IcmpError> {
        None
    }

    /// Numbers about the connection.
    pub fn info(&self, _env: &Env<'_>, _io: &Io<'_>) -> TcpInfo {
        TcpInfo::default()
    }

    /// ICMP reported an error about a segment of ours that started at `quoted_seq`.
    pub fn icmp_error(&mut self, _error: IcmpError, _quoted_seq: SeqNum) -> Outcome {
        Outcome::nothing()
    }

    pub(crate) fn tx_ring(&self) -> Ring {
        self.tx
    }
}
