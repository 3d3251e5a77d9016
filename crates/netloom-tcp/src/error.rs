//! ICMP errors, as far as TCP distinguishes them.

use crate::CloseReason;

/// What an ICMP (or ICMPv6) error says of the path or the destination. "Packet too big" is not
/// among them: the caller lowers the path MSS instead. Source Quench never gets here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum IcmpError {
    /// Destination unreachable, network (code 0), or ICMPv6 "no route" (code 0): soft.
    NetworkUnreachable = 1,
    /// Destination unreachable, host (code 1), or ICMPv6 "address unreachable" (code 3): soft.
    HostUnreachable,
    /// Source route failed (code 5), or ICMPv6 "beyond scope" (code 2): soft.
    SourceRouteFailed,
    /// Time exceeded, any code: soft.
    TimeExceeded,
    /// Parameter problem, any code: soft.
    ParameterProblem,
    /// Destination unreachable, protocol (code 2), or ICMPv6 "unrecognized next header": hard.
    ProtocolUnreachable,
    /// Destination unreachable, port (code 3), or ICMPv6 port unreachable (code 4): hard.
    PortUnreachable,
    /// Administratively prohibited (codes 9, 10, 13), or ICMPv6 code 1: hard.
    Prohibited,
}

impl IcmpError {
    /// Whether RFC 9293 §3.9.2.2 calls the error hard: an attempt to connect ends with it.
    pub const fn is_hard(self) -> bool {
        match self {
            IcmpError::ProtocolUnreachable | IcmpError::PortUnreachable | IcmpError::Prohibited => {
                true
            }
            IcmpError::NetworkUnreachable
            | IcmpError::HostUnreachable
            | IcmpError::SourceRouteFailed
            | IcmpError::TimeExceeded
            | IcmpError::ParameterProblem => false,
        }
    }

    /// The reason a connection ends with when this error ends it.
    pub const fn close_reason(self) -> CloseReason {
        match self {
            IcmpError::ProtocolUnreachable => CloseReason::ProtocolUnreachable,
            IcmpError::PortUnreachable => CloseReason::PortUnreachable,
            IcmpError::NetworkUnreachable => CloseReason::NetworkUnreachable,
            IcmpError::HostUnreachable
            | IcmpError::SourceRouteFailed
            | IcmpError::TimeExceeded
            | IcmpError::ParameterProblem
            | IcmpError::Prohibited => CloseReason::HostUnreachable,
        }
    }
}
