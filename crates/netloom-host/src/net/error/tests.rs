use netloom_stack::Error as StackError;

use super::*;

#[test]
fn kinds_are_those_of_std() {
    for (error, kind) in [
        (StackError::AddressInUse, io::ErrorKind::AddrInUse),
        (
            StackError::AddressNotAvailable,
            io::ErrorKind::AddrNotAvailable,
        ),
        (StackError::NoRoute, io::ErrorKind::NetworkUnreachable),
        (StackError::NotConnected, io::ErrorKind::NotConnected),
        (StackError::SendAfterShutdown, io::ErrorKind::BrokenPipe),
    ] {
        let io = to_io(error);
        assert_eq!(io.kind(), kind, "{error}");
        let ours = Error::of(&io).unwrap();
        assert_eq!((ours.kind(), ours.reason()), (kind, &Reason::Stack(error)));
        assert_eq!(io.to_string(), error.to_string());
    }
}

#[test]
fn ends_that_differ_are_told_apart() {
    let mut kinds = Vec::new();
    for (end, kind) in [
        (CloseReason::Finished, io::ErrorKind::BrokenPipe),
        (CloseReason::PeerReset, io::ErrorKind::ConnectionReset),
        (CloseReason::Refused, io::ErrorKind::ConnectionRefused),
        (CloseReason::RetransmissionTimedOut, io::ErrorKind::TimedOut),
        (
            CloseReason::NextHopUnresolved,
            io::ErrorKind::HostUnreachable,
        ),
        (
            CloseReason::NetworkUnreachable,
            io::ErrorKind::NetworkUnreachable,
        ),
        (CloseReason::InterfaceRemoved, io::ErrorKind::NetworkDown),
    ] {
        let io = to_io(StackError::Closed(end));
        assert_eq!(io.kind(), kind);
        let reason = Error::of(&io).map(Error::reason);
        assert_eq!(reason, Some(&Reason::Closed(end)));
        assert!(!kinds.contains(&kind), "{kind:?} says two things");
        kinds.push(kind);
    }
}

#[test]
fn a_slow_transfer_blocks_and_a_slow_connect_times_out() {
    let transfer = Error::slow_transfer();
    assert_eq!(transfer.kind(), io::ErrorKind::WouldBlock);
    assert_eq!(transfer.reason(), &Reason::TimedOut);
    assert_eq!(
        Error::from(Reason::TimedOut).kind(),
        io::ErrorKind::TimedOut
    );
}

#[test]
fn errors_of_others_have_no_reason() {
    assert_eq!(Error::of(&io::ErrorKind::WouldBlock.into()), None);
    assert_eq!(Error::of(&io::Error::from_raw_os_error(1)), None);
    assert_eq!(Error::of(&to_io(StackError::WouldBlock)), None);
}
