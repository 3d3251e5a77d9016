//! Connections that are held by name, waited for and made again.
#![cfg(target_os = "linux")]

mod lossy;

use std::io::{self, ErrorKind, Read, Write};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use lossy::lossy_pair;
use netloom_host::device::LinkEnd;
use netloom_host::net::{Backoff, Error, Keepalive, Net, Reason, TcpConnection};
use netloom_stack::CloseReason;

/// How long to wait for what must come. Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long to wait for what must not come.
const SHORT: Duration = Duration::from_millis(20);

fn pair() -> (Net, Net) {
    let (a, b) = LinkEnd::pair(1500).unwrap();
    let a = a.address("10.0.0.1/24").address("fd00::1/64").start();
    let b = b.address("10.0.0.2/24").address("fd00::2/64").start();
    (a.unwrap(), b.unwrap())
}

fn quick(attempts: u32) -> Backoff {
    Backoff {
        first: Duration::from_millis(1),
        most: Duration::from_millis(4),
        attempts,
    }
}

/// A resolver that answers whatever is in the list now, and counts how often it was asked.
fn resolver(
    answers: &Arc<Mutex<Vec<IpAddr>>>,
    asked: &Arc<AtomicUsize>,
) -> impl Fn(&Net, &str, Duration) -> io::Result<Vec<IpAddr>> + use<> {
    let (answers, asked) = (Arc::clone(answers), Arc::clone(asked));
    move |_, host, _| {
        assert_eq!(host, "plc.local");
        asked.fetch_add(1, Ordering::SeqCst);
        Ok(answers.lock().unwrap().clone())
    }
}

#[test]
fn reconnecting_asks_for_the_name_again_and_keeps_the_options() {
    let (a, b) = pair();
    let answers = Arc::new(Mutex::new(vec!["10.0.0.2".parse().unwrap()]));
    let asked = Arc::new(AtomicUsize::new(0));
    let a = a.with_resolver(resolver(&answers, &asked));
    let listener = b.tcp_listen("[::]:502").unwrap();
    let mut plc = TcpConnection::connect(&a, "plc.local:502", PATIENCE).unwrap();
    assert_eq!(plc.remote().to_string(), "plc.local:502");
    let keepalive = Keepalive {
        idle: Duration::from_secs(30),
        interval: Duration::from_secs(5),
        count: 3,
    };
    plc.set_keepalive(Some(keepalive)).unwrap();
    plc.set_nodelay(true).unwrap();
    let (first, _) = listener.accept().unwrap();
    first.abort().unwrap();
    let mut buffer = [0; 8];
    let lost = plc.read_at_least_one(&mut buffer, PATIENCE).unwrap_err();
    assert_eq!(lost.reason(), &Reason::Closed(CloseReason::PeerReset));
    assert!(!plc.is_connected());

    *answers.lock().unwrap() = vec!["fd00::2".parse().unwrap()];
    plc.reconnect(Backoff::default()).unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    assert!(plc.is_connected());
    let stream = plc.stream().unwrap();
    assert!(stream.peer_addr().unwrap().is_ipv6());
    assert_eq!(stream.keepalive().unwrap(), Some(keepalive));
    assert!(stream.nodelay().unwrap());
    let (mut second, _) = listener.accept().unwrap();
    plc.write_within(b"hello", PATIENCE).unwrap();
    second.read_exact(&mut buffer[..5]).unwrap();
    assert_eq!(&buffer[..5], b"hello");
}

#[test]
fn attempts_go_on_until_somebody_listens() {
    let (a, b) = pair();
    let listener = b.tcp_listen("10.0.0.2:502").unwrap();
    let mut plc = TcpConnection::connect(&a, "10.0.0.2:502", PATIENCE).unwrap();
    drop(listener);
    let error = plc.reconnect(quick(3)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    let later = thread::spawn(move || {
        thread::sleep(SHORT);
        b.tcp_listen("10.0.0.2:502").unwrap()
    });
    plc.reconnect(quick(u32::MAX)).unwrap();
    let listener = later.join().unwrap();
    let _server = listener.accept().unwrap();
    assert!(plc.is_connected());
}

#[test]
fn attempts_end_at_once_when_none_can_succeed() {
    let (a, b) = pair();
    let _listener = b.tcp_listen("10.0.0.2:502").unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let a = a.with_resolver(move |_: &Net, _: &str, _: Duration| {
        match count.fetch_add(1, Ordering::SeqCst) {
            0 => Ok(vec!["10.0.0.2".parse().unwrap()]),
            _ => Err(io::Error::new(ErrorKind::InvalidInput, "not a name")),
        }
    });
    let mut plc = TcpConnection::connect(&a, "plc:502", PATIENCE).unwrap();
    // It would wait for ever otherwise.
    let endless = Backoff {
        attempts: u32::MAX,
        ..Backoff::default()
    };
    let error = plc.reconnect(endless).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    let error = TcpConnection::connect(&a, "10.0.0.2:502", Duration::ZERO).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let error = TcpConnection::connect(&a, "nonsense", PATIENCE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_dead_address_does_not_hide_a_living_one() {
    let (a, b) = pair();
    let _listener = b.tcp_listen("[::]:502").unwrap();
    // Nobody answers there, and the next is refused: both are passed over.
    let dead = ["10.0.0.99", "fd00::99", "10.0.0.1", "fd00::2"];
    let answers = dead.map(|addr| addr.parse().unwrap()).to_vec();
    let asked = Arc::default();
    let a = a.with_resolver(resolver(&Arc::new(Mutex::new(answers)), &asked));
    let plc = TcpConnection::connect(&a, "plc.local:502", PATIENCE).unwrap();
    let peer = plc.stream().unwrap().peer_addr().unwrap();
    assert_eq!(peer.ip().to_string(), "fd00::2");
    // Those that were too late are gone.
    assert_eq!(a.usage().connections, 1);
}

#[test]
fn the_error_is_that_of_the_last_address() {
    let (a, _b) = pair();
    let answers = ["192.0.2.1", "10.0.0.2"].map(|addr| addr.parse().unwrap());
    let asked = Arc::default();
    let answers = Arc::new(Mutex::new(answers.to_vec()));
    let a = a.with_resolver(resolver(&answers, &asked));
    let error = TcpConnection::connect(&a, "plc.local:502", PATIENCE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    answers.lock().unwrap().clear();
    let error = TcpConnection::connect(&a, "plc.local:502", PATIENCE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(a.usage().connections, 0);
}

#[test]
fn a_timeout_of_zero_looks_without_waiting() {
    let (a, b) = pair();
    let listener = b.tcp_listen("10.0.0.2:502").unwrap();
    let mut plc = TcpConnection::connect(&a, "10.0.0.2:502", PATIENCE).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let mut buffer = [0; 8];
    let error = plc.read_at_least_one(&mut buffer, Duration::ZERO);
    assert_eq!(error.unwrap_err().kind(), ErrorKind::TimedOut);
    server.write_all(b"now").unwrap();
    assert_eq!(plc.read_at_least_one(&mut buffer, PATIENCE).unwrap(), 3);
    plc.write_within(b"at once", Duration::ZERO).unwrap();
    let error = plc.read_at_least_one(&mut [], PATIENCE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    plc.write_within(b"", Duration::ZERO).unwrap();
}

#[test]
fn a_silent_peer_is_found_out_by_keepalive() {
    let (a, b, loss) = lossy_pair(7, |builder| builder);
    let listener = b.tcp_listen("10.0.0.2:502").unwrap();
    let second = Duration::from_secs(1);
    let mut plc = TcpConnection::connect(&a, "10.0.0.2:502", PATIENCE).unwrap();
    let _server = listener.accept().unwrap();
    loss.set(1_000_000);
    assert!(plc.is_connected(), "nothing is known of it yet");
    plc.set_keepalive(Some(Keepalive {
        idle: second,
        interval: second,
        count: 2,
    }))
    .unwrap();
    let error = plc.read_at_least_one(&mut [0], PATIENCE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    // Not that the time was over, but that the connection is.
    assert_eq!(
        error.reason(),
        &Reason::Closed(CloseReason::KeepAliveTimedOut)
    );
    assert!(!plc.is_connected());
    let error = plc.set_keepalive(Some(Keepalive {
        idle: Duration::ZERO,
        interval: second,
        count: 2,
    }));
    assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_partial_write_converts_into_an_io_error_of_its_kind() {
    let (a, b) = pair();
    let _listener = b.tcp_listen("10.0.0.2:502").unwrap();
    let mut plc = TcpConnection::connect(&a, "10.0.0.2:502", PATIENCE).unwrap();
    plc.stream()
        .unwrap()
        .shutdown(std::net::Shutdown::Write)
        .unwrap();
    let partial = plc.write_within(b"late", SHORT).unwrap_err();
    assert_eq!(partial.written, 0);
    assert_eq!(partial.error.kind(), ErrorKind::BrokenPipe);
    let text = partial.to_string();
    let error = io::Error::from(partial);
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    assert_eq!(error.to_string(), text);
    assert!(Error::of(&error).is_none());
    // What is left is a stream like any other.
    assert!(plc.into_stream().is_ok());
}
