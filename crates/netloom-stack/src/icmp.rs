//! ICMP: echoes answered, errors sent and delivered to those they concern.

#[cfg(any(feature = "ipv4", feature = "ipv6"))]
mod echo;
#[cfg(feature = "acd")]
mod echo_probe;
#[cfg(feature = "echo")]
mod echo_socket;
pub mod error_limit;
#[cfg(all(feature = "icmp-errors", any(feature = "ipv4", feature = "ipv6")))]
mod errors;
#[cfg(feature = "ipv4")]
mod v4;
#[cfg(feature = "ipv6")]
mod v6;

#[cfg(feature = "echo")]
pub(crate) use echo_socket::EchoState;
#[cfg(feature = "echo")]
pub use echo_socket::{EchoError, EchoReply, EchoRequest};
#[cfg(all(feature = "icmp-errors", any(feature = "ipv4", feature = "ipv6")))]
use errors::quote;
#[cfg(all(feature = "ipv6", feature = "ethernet"))]
pub(crate) use v6::solicitation;

#[cfg(feature = "alloc")]
use crate::output::IpHeader;

/// An echo reply that is made of the frame its request came in.
#[cfg(feature = "alloc")]
#[derive(Clone, Copy)]
pub(crate) struct ReplyInPlace {
    pub(crate) ip: IpHeader,
    /// Type, code and checksum; all else of the message stays as it is.
    pub(crate) head: [u8; 4],
    /// Octets of the message.
    pub(crate) len: u16,
}

/// What an ICMP error that arrived says, whatever its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A packet was too big for a link of this MTU (0: the router did not say).
    PacketTooBig(u32),
    NetworkUnreachable,
    HostUnreachable,
    ProtocolUnreachable,
    PortUnreachable,
    Prohibited,
    SourceRouteFailed,
    TimeExceeded,
    ParameterProblem,
}
