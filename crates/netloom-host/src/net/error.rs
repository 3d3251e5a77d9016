//! The stack's errors as those of `std::io`.

use std::io;

use netloom_stack::{CloseReason, Error};

/// The [`io::Error`] of an error of the stack: of the kind std's sockets report, and carrying the
/// error itself, for [`reason`].
pub(super) fn to_io(error: Error) -> io::Error {
    io::Error::new(kind(error), error)
}

/// The stack's own error in an [`io::Error`] of one of its sockets; `None` in any other.
///
/// ```
/// # use netloom_host::net::reason;
/// assert_eq!(reason(&std::io::Error::other("another's")), None);
/// ```
pub fn reason(error: &io::Error) -> Option<Error> {
    error.get_ref()?.downcast_ref::<Error>().copied()
}

fn kind(error: Error) -> io::ErrorKind {
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
        Error::NoRoute | Error::NetworkUnreachable => io::ErrorKind::NetworkUnreachable,
        Error::HostUnreachable => io::ErrorKind::HostUnreachable,
        Error::PortUnreachable => io::ErrorKind::ConnectionRefused,
        Error::CapacityExhausted | Error::OutOfMemory => io::ErrorKind::OutOfMemory,
        Error::StaleHandle | Error::NotConnected => io::ErrorKind::NotConnected,
        Error::SendAfterShutdown => io::ErrorKind::BrokenPipe,
        Error::NoSuchInterface | Error::NoSuchTunable => io::ErrorKind::NotFound,
        Error::Closed(reason) => kind_of_end(reason),
        // The enum may grow in a compatible release of its crate.
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
