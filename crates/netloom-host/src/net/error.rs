//! Why a call on a socket failed, and the `std::io` form of it.

use std::fmt;
use std::io;
use std::sync::Arc;

use netloom_services::dns::Failure;
use netloom_stack::CloseReason;

use crate::device::DeviceError;

/// Why a call on a socket failed: the kind that std's sockets report, and the reason behind it.
///
/// Sockets return it inside an [`io::Error`] of the same kind, as std's do; [`Error::of`] takes it
/// out again.
///
/// ```
/// use netloom_host::net::{Error, Reason};
///
/// let error = std::io::Error::from(Error::from(Reason::TimedOut));
/// assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
/// assert_eq!(Error::of(&error).map(Error::reason), Some(&Reason::TimedOut));
/// assert!(Error::of(&std::io::Error::other("another's")).is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: io::ErrorKind,
    reason: Reason,
}

/// The reason behind an [`Error`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The socket is non-blocking, and the call would have waited.
    WouldBlock,
    /// The call waited for as long as it may. A connection that was to be opened is given up;
    /// otherwise nothing has changed, and the call may be made again.
    TimedOut,
    /// The connection is over, or never came about: how it ended.
    Closed(CloseReason),
    /// The stack refused the call, or ICMP reported what became of a datagram.
    Stack(netloom_stack::Error),
    /// The device has failed for good: what it said.
    Device(Arc<str>),
    /// A name was looked up in vain.
    Lookup {
        /// The name.
        name: Arc<str>,
        /// Why.
        failure: Failure,
    },
    /// An argument cannot be meant.
    Argument(&'static str),
    /// Something beside the stack failed: what it said. A name without an address, for example.
    Other(Arc<str>),
}

impl Error {
    /// The kind, as std's sockets have it: a timeout, the end, a reset, a refusal and an
    /// unreachable peer are never the same.
    pub fn kind(&self) -> io::ErrorKind {
        self.kind
    }

    /// The reason.
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// The error of one of our sockets in an [`io::Error`]; `None` in any other, and in what a
    /// non-blocking socket says instead of waiting, which is its kind alone and costs nothing.
    pub fn of(error: &io::Error) -> Option<&Error> {
        error.get_ref()?.downcast_ref()
    }

    /// A read or write whose timeout ran out: std reports [`io::ErrorKind::WouldBlock`] on Unix.
    pub(super) fn slow_transfer() -> Error {
        Error {
            kind: io::ErrorKind::WouldBlock,
            reason: Reason::TimedOut,
        }
    }

    /// The device has failed.
    pub(super) fn device(error: &DeviceError) -> Error {
        Error {
            kind: error.kind(),
            reason: Reason::Device(error.to_string().into()),
        }
    }
}

impl From<Reason> for Error {
    fn from(reason: Reason) -> Error {
        let kind = match &reason {
            Reason::WouldBlock => io::ErrorKind::WouldBlock,
            Reason::TimedOut => io::ErrorKind::TimedOut,
            Reason::Closed(end) => kind_of_end(*end),
            Reason::Stack(error) => kind_of_call(*error),
            Reason::Device(_) => io::ErrorKind::NotConnected,
            Reason::Lookup { failure, .. } => kind_of_failure(*failure),
            Reason::Argument(_) => io::ErrorKind::InvalidInput,
            Reason::Other(_) => io::ErrorKind::Other,
        };
        Error { kind, reason }
    }
}

impl From<netloom_stack::Error> for Error {
    fn from(error: netloom_stack::Error) -> Error {
        match error {
            netloom_stack::Error::WouldBlock => Reason::WouldBlock,
            netloom_stack::Error::Closed(end) => Reason::Closed(end),
            other => Reason::Stack(other),
        }
        .into()
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        match error.reason {
            // Event loops meet it all the time: it must not ask for memory.
            Reason::WouldBlock => error.kind.into(),
            Reason::TimedOut
            | Reason::Closed(_)
            | Reason::Stack(_)
            | Reason::Device(_)
            | Reason::Lookup { .. }
            | Reason::Argument(_)
            | Reason::Other(_) => io::Error::new(error.kind, error),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Reason::WouldBlock => f.write_str("the operation would block"),
            Reason::TimedOut => f.write_str("the operation timed out"),
            Reason::Closed(end) => end.fmt(f),
            Reason::Stack(error) => error.fmt(f),
            Reason::Device(message) => f.write_str(message),
            Reason::Lookup { name, failure } => write!(f, "{name}: {failure}"),
            Reason::Argument(message) => f.write_str(message),
            Reason::Other(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.reason {
            Reason::Stack(error) => Some(error),
            Reason::Lookup { failure, .. } => Some(failure),
            Reason::WouldBlock
            | Reason::TimedOut
            | Reason::Closed(_)
            | Reason::Device(_)
            | Reason::Argument(_)
            | Reason::Other(_) => None,
        }
    }
}

/// The [`io::Error`] of an error of the stack.
pub(super) fn to_io(error: netloom_stack::Error) -> io::Error {
    Error::from(error).into()
}

/// What our sockets, or somebody else, put into an [`io::Error`].
pub(super) fn from_io(error: io::Error) -> Error {
    match Error::of(&error) {
        Some(ours) => ours.clone(),
        None if error.kind() == io::ErrorKind::WouldBlock => Reason::WouldBlock.into(),
        None => Error {
            kind: error.kind(),
            reason: Reason::Other(error.to_string().into()),
        },
    }
}

/// The [`io::Error`] of an argument that cannot be meant.
pub(super) fn invalid(message: &'static str) -> io::Error {
    Error::from(Reason::Argument(message)).into()
}

fn kind_of_call(error: netloom_stack::Error) -> io::ErrorKind {
    use netloom_stack::Error;
    match error {
        Error::WouldBlock => io::ErrorKind::WouldBlock,
        Error::AddressInUse => io::ErrorKind::AddrInUse,
        // The last two are what Linux calls EADDRNOTAVAIL.
        Error::AddressNotAvailable | Error::NoSourceAddress | Error::PortsExhausted => {
            io::ErrorKind::AddrNotAvailable
        }
        Error::InvalidRemote
        | Error::InvalidArgument
        | Error::AlreadyConnected
        | Error::MessageTooLong
        | Error::OutOfRange => io::ErrorKind::InvalidInput,
        Error::BroadcastForbidden => io::ErrorKind::PermissionDenied,
        Error::NoRoute | Error::NetworkUnreachable => io::ErrorKind::NetworkUnreachable,
        Error::HostUnreachable => io::ErrorKind::HostUnreachable,
        Error::PortUnreachable => io::ErrorKind::ConnectionRefused,
        Error::CapacityExhausted | Error::OutOfMemory => io::ErrorKind::OutOfMemory,
        Error::StaleHandle | Error::NotConnected => io::ErrorKind::NotConnected,
        Error::SendAfterShutdown => io::ErrorKind::BrokenPipe,
        Error::NoSuchInterface | Error::NoSuchTunable | Error::NoSuchCongestionControl => {
            io::ErrorKind::NotFound
        }
        Error::Closed(reason) => kind_of_end(reason),
        // The enum may grow in a compatible release of its crate.
        _ => io::ErrorKind::Other,
    }
}

/// A name that was looked up in vain: std has no kinds of its own for that.
fn kind_of_failure(failure: Failure) -> io::ErrorKind {
    match failure {
        Failure::NoSuchName | Failure::NoSuchRecord => io::ErrorKind::NotFound,
        Failure::TimedOut => io::ErrorKind::TimedOut,
        Failure::Unreachable(error) => kind_of_call(error),
        Failure::NoServers => io::ErrorKind::Unsupported,
        Failure::TooLong => io::ErrorKind::OutOfMemory,
        // A server's failure, aliases in a circle; and the enum may grow.
        _ => io::ErrorKind::Other,
    }
}

/// How std's sockets report a connection that ended like this.
fn kind_of_end(reason: CloseReason) -> io::ErrorKind {
    match reason {
        // Reading ends without an error then: only a writer sees it.
        CloseReason::Finished => io::ErrorKind::BrokenPipe,
        CloseReason::PeerReset | CloseReason::Replaced => io::ErrorKind::ConnectionReset,
        CloseReason::Refused | CloseReason::PortUnreachable | CloseReason::ProtocolUnreachable => {
            io::ErrorKind::ConnectionRefused
        }
        CloseReason::Aborted
        | CloseReason::ClosedWithUnreadData
        | CloseReason::DataAfterClose
        | CloseReason::AddressRemoved
        | CloseReason::ListenerClosed => io::ErrorKind::ConnectionAborted,
        CloseReason::HandshakeTimedOut
        | CloseReason::RetransmissionTimedOut
        | CloseReason::UserTimedOut
        | CloseReason::KeepAliveTimedOut
        | CloseReason::FinWait2TimedOut
        | CloseReason::HalfClosedTimedOut
        | CloseReason::LingerTimedOut
        | CloseReason::IdleTimedOut
        | CloseReason::PeerNeverAppeared => io::ErrorKind::TimedOut,
        CloseReason::HostUnreachable | CloseReason::NextHopUnresolved => {
            io::ErrorKind::HostUnreachable
        }
        CloseReason::NetworkUnreachable => io::ErrorKind::NetworkUnreachable,
        CloseReason::InterfaceRemoved => io::ErrorKind::NetworkDown,
        CloseReason::OutOfMemory => io::ErrorKind::OutOfMemory,
        // The enum may grow in a compatible release of its crate.
        _ => io::ErrorKind::Other,
    }
}

#[cfg(test)]
mod tests;
