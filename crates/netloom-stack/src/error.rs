//! What a call on the stack can answer instead of a result.

use core::fmt;

#[cfg(feature = "tcp")]
use netloom_tcp::CloseReason;

/// Why a call on the stack was refused. Nothing was changed by a call that returns one.
///
/// [`Error::kind`] gives the coarse class that facades map onto `std::io::ErrorKind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The handle names nothing any more: it was closed, and its place may belong to
    /// something else by now.
    StaleHandle,
    /// The call would have to wait: no data to read, no room to write, nothing to accept.
    WouldBlock,
    /// The local address and port are taken.
    AddressInUse,
    /// The local address is not one of this stack's.
    AddressNotAvailable,
    /// The remote address cannot be spoken to: unspecified, broadcast, multicast, port 0.
    InvalidRemote,
    /// The socket may not send to broadcast addresses: it was not allowed to.
    BroadcastForbidden,
    /// The argument makes no sense here (a prefix longer than the address, a port of 0).
    InvalidArgument,
    /// No route leads to the remote address.
    NoRoute,
    /// No source address of the remote's version is configured.
    NoSourceAddress,
    /// Every ephemeral port is taken for this remote.
    PortsExhausted,
    /// A capacity declared by the program is used up (connections, listeners, sockets,
    /// interfaces, addresses, routes, neighbours).
    CapacityExhausted,
    /// The memory budget is used up.
    OutOfMemory,
    /// The socket is not connected.
    NotConnected,
    /// The socket is connected already.
    AlreadyConnected,
    /// This side has finished sending.
    SendAfterShutdown,
    /// The datagram is larger than the socket's queue or the path's MTU.
    MessageTooLong,
    /// The interface does not exist.
    NoSuchInterface,
    /// The name is that of no tunable.
    NoSuchTunable,
    /// The value lies outside the tunable's range.
    OutOfRange,
    /// There is no congestion control algorithm of that name; the text names those there are.
    #[cfg(feature = "tcp")]
    NoSuchCongestionControl,
    /// An ICMP error said that the remote port is closed.
    PortUnreachable,
    /// An ICMP error said that the remote host cannot be reached.
    HostUnreachable,
    /// An ICMP error said that the remote network cannot be reached.
    NetworkUnreachable,
    /// The connection is over; the reason says how it ended.
    #[cfg(feature = "tcp")]
    Closed(CloseReason),
}

/// The coarse class of an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The call is wrong as written, whatever the network does.
    Usage,
    /// Try again when something has happened.
    Again,
    /// A declared limit is reached.
    Exhausted,
    /// The network or the peer refused.
    Network,
    /// The connection is over.
    Closed,
}

impl Error {
    /// The coarse class of this error.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Error::WouldBlock => ErrorKind::Again,
            Error::StaleHandle
            | Error::AddressInUse
            | Error::AddressNotAvailable
            | Error::InvalidRemote
            | Error::BroadcastForbidden
            | Error::InvalidArgument
            | Error::NotConnected
            | Error::AlreadyConnected
            | Error::SendAfterShutdown
            | Error::MessageTooLong
            | Error::NoSuchInterface
            | Error::NoSuchTunable
            | Error::OutOfRange => ErrorKind::Usage,
            #[cfg(feature = "tcp")]
            Error::NoSuchCongestionControl => ErrorKind::Usage,
            Error::PortsExhausted | Error::CapacityExhausted | Error::OutOfMemory => {
                ErrorKind::Exhausted
            }
            Error::NoRoute
            | Error::NoSourceAddress
            | Error::PortUnreachable
            | Error::HostUnreachable
            | Error::NetworkUnreachable => ErrorKind::Network,
            #[cfg(feature = "tcp")]
            Error::Closed(_) => ErrorKind::Closed,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::StaleHandle => "the handle was closed",
            Error::WouldBlock => "the operation would block",
            Error::AddressInUse => "the local address and port are in use",
            Error::AddressNotAvailable => "the local address is not configured here",
            Error::InvalidRemote => "the remote address cannot be connected to",
            Error::BroadcastForbidden => "the socket may not send to broadcast addresses",
            Error::InvalidArgument => "an argument makes no sense",
            Error::NoRoute => "no route leads to the remote address",
            Error::NoSourceAddress => "no local address can reach the remote address",
            Error::PortsExhausted => "every ephemeral port is in use for this remote",
            Error::CapacityExhausted => "a declared capacity is used up",
            Error::OutOfMemory => "the memory budget is used up",
            Error::NotConnected => "the socket is not connected",
            Error::AlreadyConnected => "the socket is connected already",
            Error::SendAfterShutdown => "this side has finished sending",
            Error::MessageTooLong => "the datagram is too long",
            Error::NoSuchInterface => "no such interface",
            #[cfg(not(feature = "tunables"))]
            Error::NoSuchTunable => "no such tunable",
            #[cfg(feature = "tunables")]
            Error::NoSuchTunable => {
                f.write_str("no such tunable; there are:")?;
                return crate::Tunables::names().try_for_each(|name| write!(f, " {name}"));
            }
            Error::OutOfRange => "the value is out of the tunable's range",
            Error::PortUnreachable => "the remote port is closed",
            Error::HostUnreachable => "the remote host is unreachable",
            Error::NetworkUnreachable => "the remote network is unreachable",
            #[cfg(feature = "tcp")]
            Error::NoSuchCongestionControl => return netloom_tcp::NoSuchCongestionControl.fmt(f),
            #[cfg(feature = "tcp")]
            Error::Closed(reason) => return fmt::Display::fmt(reason, f),
        })
    }
}

#[cfg(feature = "tcp")]
impl From<netloom_tcp::NoSuchCongestionControl> for Error {
    fn from(_: netloom_tcp::NoSuchCongestionControl) -> Error {
        Error::NoSuchCongestionControl
    }
}

impl core::error::Error for Error {}
