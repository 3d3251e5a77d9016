//! ICMP: echoes answered, errors sent and delivered to those they concern.

pub mod error_limit;
#[cfg(any(feature = "ipv4", feature = "ipv6"))]
mod messages;
#[cfg(feature = "ipv4")]
mod v4;
#[cfg(feature = "ipv6")]
mod v6;

#[cfg(any(feature = "ipv4", feature = "ipv6"))]
use messages::quote;
#[cfg(all(feature = "ipv6", feature = "ethernet"))]
pub(crate) use v6::solicitation;

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
