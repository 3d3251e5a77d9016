use super::*;

#[test]
fn kinds_are_those_of_std() {
    for (error, kind) in [
        (Error::WouldBlock, io::ErrorKind::WouldBlock),
        (Error::AddressInUse, io::ErrorKind::AddrInUse),
        (Error::AddressNotAvailable, io::ErrorKind::AddrNotAvailable),
        (Error::NoRoute, io::ErrorKind::NetworkUnreachable),
        (Error::NotConnected, io::ErrorKind::NotConnected),
        (Error::SendAfterShutdown, io::ErrorKind::BrokenPipe),
        (
            Error::Closed(CloseReason::PeerReset),
            io::ErrorKind::ConnectionReset,
        ),
        (
            Error::Closed(CloseReason::Refused),
            io::ErrorKind::ConnectionRefused,
        ),
        (
            Error::Closed(CloseReason::RetransmissionTimedOut),
            io::ErrorKind::TimedOut,
        ),
        (
            Error::Closed(CloseReason::NextHopUnresolved),
            io::ErrorKind::HostUnreachable,
        ),
    ] {
        let io = to_io(error);
        assert_eq!(io.kind(), kind, "{error}");
        assert_eq!(reason(&io), Some(error));
        assert_eq!(io.to_string(), error.to_string());
    }
}

#[test]
fn errors_of_others_have_no_reason() {
    assert_eq!(reason(&io::ErrorKind::WouldBlock.into()), None);
    assert_eq!(reason(&io::Error::from_raw_os_error(1)), None);
}
