//! The eleven states, and why a connection ended.

use core::fmt;

/// The state of a connection (RFC 9293 §3.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum State {
    /// No connection at all.
    #[default]
    Closed = 0,
    /// Waiting for a connection request from any remote TCP.
    Listen,
    /// A connection request was sent; a matching one is awaited.
    SynSent,
    /// A connection request was received and one sent; its acknowledgment is awaited.
    SynReceived,
    /// Open: data can be sent and received.
    Established,
    /// Our FIN is queued or sent; its acknowledgment, or the peer's FIN, is awaited.
    FinWait1,
    /// Our FIN is acknowledged; the peer's FIN is awaited.
    FinWait2,
    /// The peer's FIN was received; the local user has not closed.
    CloseWait,
    /// Both FINs crossed; the acknowledgment of ours is awaited.
    Closing,
    /// The peer closed first, then we did; the acknowledgment of our FIN is awaited.
    LastAck,
    /// Both sides closed; the connection waits for old segments to die.
    TimeWait,
}

impl State {
    /// The RFC's name, such as `SYN-SENT`.
    pub const fn name(self) -> &'static str {
        match self {
            State::Closed => "CLOSED",
            State::Listen => "LISTEN",
            State::SynSent => "SYN-SENT",
            State::SynReceived => "SYN-RECEIVED",
            State::Established => "ESTABLISHED",
            State::FinWait1 => "FIN-WAIT-1",
            State::FinWait2 => "FIN-WAIT-2",
            State::CloseWait => "CLOSE-WAIT",
            State::Closing => "CLOSING",
            State::LastAck => "LAST-ACK",
            State::TimeWait => "TIME-WAIT",
        }
    }

    /// Whether both ends have agreed on sequence numbers: ESTABLISHED and everything after it.
    pub const fn is_synchronized(self) -> bool {
        match self {
            State::Closed | State::Listen | State::SynSent | State::SynReceived => false,
            State::Established
            | State::FinWait1
            | State::FinWait2
            | State::CloseWait
            | State::Closing
            | State::LastAck
            | State::TimeWait => true,
        }
    }

    /// Whether the peer's FIN has been received, in order.
    pub const fn peer_closed(self) -> bool {
        match self {
            State::CloseWait | State::Closing | State::LastAck | State::TimeWait => true,
            State::Closed
            | State::Listen
            | State::SynSent
            | State::SynReceived
            | State::Established
            | State::FinWait1
            | State::FinWait2 => false,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a connection ended. Every ended connection has exactly one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum CloseReason {
    /// Both sides sent FIN and both were acknowledged.
    Finished = 1,
    /// The peer sent RST on a connection that was open.
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.6
    //# If the local TCP connection is closed by the
    //# remote side due to a FIN or RST received from the remote side, then
    //# the local application MUST be informed whether it closed normally or
    //# was aborted (MUST-12).
    PeerReset,
    /// The peer answered our SYN with RST.
    Refused,
    /// The local user aborted.
    Aborted,
    /// The local user closed with data unread; the peer was told by RST (RFC 9293 §3.6.1).
    ClosedWithUnreadData,
    /// The peer sent data after the local user had closed both directions (RFC 9293 §3.6.1).
    DataAfterClose,
    /// Our SYN, or our SYN-ACK, was never acknowledged.
    HandshakeTimedOut,
    /// Data stayed unacknowledged through all retransmissions (R2, RFC 9293 §3.8.3).
    RetransmissionTimedOut,
    /// Data stayed unacknowledged longer than this connection's own user timeout.
    UserTimedOut,
    /// The peer answered none of the keep-alive probes.
    KeepAliveTimedOut,
    /// The peer never sent FIN after ours was acknowledged and the local user had gone.
    FinWait2TimedOut,
    /// The connection was closed in one direction and silent for too long.
    HalfClosedTimedOut,
    /// Data was still unacknowledged when the linger time ended.
    LingerTimedOut,
    /// ICMP: the destination does not speak TCP.
    ProtocolUnreachable,
    /// ICMP: nobody listens on the destination's port.
    PortUnreachable,
    /// ICMP: the destination host cannot be reached.
    HostUnreachable,
    /// ICMP: the destination's network cannot be reached.
    NetworkUnreachable,
    /// The next hop's link-layer address could not be resolved.
    NextHopUnresolved,
    /// The local address was taken away.
    AddressRemoved,
    /// The interface was taken away.
    InterfaceRemoved,
    /// The listener was closed before the connection was accepted.
    ListenerClosed,
    /// No memory was left for it.
    OutOfMemory,
    /// Nobody claimed the connection in time.
    PeerNeverAppeared,
    /// A new incarnation of the same connection took its place.
    Replaced,
    /// Neither side sent anything for as long as a flow may be silent.
    IdleTimedOut,
}

impl CloseReason {
    /// One plain sentence.
    pub const fn message(self) -> &'static str {
        match self {
            CloseReason::Finished => "both sides closed in order",
            CloseReason::PeerReset => "the peer reset the connection",
            CloseReason::Refused => "the peer refused the connection",
            CloseReason::Aborted => "the connection was aborted locally",
            CloseReason::ClosedWithUnreadData => "the connection was closed with data unread",
            CloseReason::DataAfterClose => "the peer sent data after the connection was closed",
            CloseReason::HandshakeTimedOut => "the peer did not complete the handshake in time",
            CloseReason::RetransmissionTimedOut => "the peer stopped acknowledging data",
            CloseReason::UserTimedOut => "data was not acknowledged within the user timeout",
            CloseReason::KeepAliveTimedOut => "the peer did not answer keep-alive probes",
            CloseReason::FinWait2TimedOut => "the peer did not close its side in time",
            CloseReason::HalfClosedTimedOut => "the half-closed connection was silent for too long",
            CloseReason::LingerTimedOut => "data was not acknowledged within the linger time",
            CloseReason::ProtocolUnreachable => "the destination does not speak TCP",
            CloseReason::PortUnreachable => "the destination port is unreachable",
            CloseReason::HostUnreachable => "the destination host is unreachable",
            CloseReason::NetworkUnreachable => "the destination network is unreachable",
            CloseReason::NextHopUnresolved => "the next hop did not answer",
            CloseReason::AddressRemoved => "the local address was removed",
            CloseReason::InterfaceRemoved => "the interface was removed",
            CloseReason::ListenerClosed => {
                "the listener was closed before the connection was taken"
            }
            CloseReason::OutOfMemory => "no memory was left for the connection",
            CloseReason::PeerNeverAppeared => "nobody claimed the connection in time",
            CloseReason::Replaced => "a new connection took the place of this one",
            CloseReason::IdleTimedOut => "neither side sent anything for too long",
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl core::error::Error for CloseReason {}
