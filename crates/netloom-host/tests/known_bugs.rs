//! Bugs of the sockets before these ones, each by its number: what they did wrong, done right.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use netloom_host::device::{DeviceError, LinkEnd, PacketSocket, Tap, Tun};
use netloom_host::net::{
    Backoff, Error, Interest, Net, PollEntry, Reason, TcpConnection, TcpStream,
};
use netloom_stack::CloseReason;

/// How long to wait for what must come. Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// Two stacks, 10.0.0.1 and 10.0.0.2, on a link in memory.
fn pair() -> (Net, Net) {
    let (a, b) = LinkEnd::pair(1500).unwrap();
    let a = a.address("10.0.0.1/24").start().unwrap();
    let b = b.address("10.0.0.2/24").start().unwrap();
    (a, b)
}

/// A connection between the stacks of a pair, which it keeps running.
fn connected() -> (TcpStream, TcpStream) {
    let (a, b) = pair();
    let listener = b.tcp_listen("10.0.0.2:80").unwrap();
    let client = a.tcp_connect("10.0.0.2:80").unwrap();
    (client, listener.accept().unwrap().0)
}

/// [`connected`], the client's side held by name; the client's stack comes last.
fn connection() -> (TcpConnection, TcpStream, Net) {
    let (a, b) = pair();
    let listener = b.tcp_listen("10.0.0.2:80").unwrap();
    let client = TcpConnection::connect(&a, "10.0.0.2:80", PATIENCE).unwrap();
    (client, listener.accept().unwrap().0, a)
}

/// Repeats until `done`, giving the other stack time in between.
fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn w01_asking_disturbs_nothing_and_would_block_is_not_closed() {
    let (mut client, mut server, net) = connection();
    // Waiting half a second each time, this would take an hour and a half.
    let asked = Instant::now();
    for _ in 0..10_000 {
        assert!(client.is_connected(), "nothing to read is not an end");
    }
    assert!(asked.elapsed() < PATIENCE);
    client.stream().unwrap().set_nonblocking(true).unwrap();
    assert!(client.is_connected());
    server.write_all(b"all of it").unwrap();
    let mut buffer = [0; 16];
    eventually("never came", || {
        client
            .stream()
            .unwrap()
            .peek(&mut buffer)
            .is_ok_and(|n| n == 9)
    });
    for _ in 0..3 {
        assert!(client.is_connected());
    }
    assert_eq!(client.read_at_least_one(&mut buffer, PATIENCE), Ok(9));
    assert_eq!(&buffer[..9], b"all of it");
    // What was sent before the end is still there to be had.
    server.write_all(b"rest").unwrap();
    server.shutdown(Shutdown::Write).unwrap();
    let finished = |client: &TcpConnection| {
        let stream = client.stream().unwrap();
        let mut entry = [PollEntry::new(stream, Interest::READABLE)];
        net.poll(&mut entry, Some(PATIENCE)).unwrap();
        entry[0].ready().read_closed
    };
    eventually("never finished", || finished(&client));
    assert!(client.is_connected());
    assert_eq!(client.read_at_least_one(&mut buffer, PATIENCE), Ok(4));
    assert!(!client.is_connected(), "nothing will come any more");
    // Asking has destroyed nothing: this direction is open.
    client.write_within(b"still", PATIENCE).unwrap();
    server.read_exact(&mut buffer[..5]).unwrap();
    assert_eq!(&buffer[..5], b"still");
}

#[test]
fn w01_an_interrupted_question_is_not_an_end() {
    catch_signals();
    let (client, _server, _net) = connection();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let asker = thread::Builder::new().name("waits".into());
        let asker = asker.spawn_scoped(scope, || {
            while !stop.load(Ordering::SeqCst) {
                assert!(client.is_connected());
            }
        });
        interrupt(30);
        stop.store(true, Ordering::SeqCst);
        asker.unwrap().join().unwrap();
    });
    assert!(client.is_connected());
}

#[test]
fn w02_no_connection_is_an_error_before_anything_is_done_with_it() {
    let (mut client, _server, _net) = connection();
    // The only one there was is taken: nobody listens.
    let error = client.reconnect(Backoff::ONCE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    for _ in 0..3 {
        assert!(!client.is_connected());
        assert_eq!(client.close_reason(), None);
        let partial = client.write_within(b"x", PATIENCE).unwrap_err();
        assert_eq!(partial.written, 0);
        for error in [
            client.read_at_least_one(&mut [0], PATIENCE).unwrap_err(),
            client.tcp_info().unwrap_err(),
            client.stream().unwrap_err(),
            partial.error,
        ] {
            assert_eq!(error.kind(), ErrorKind::NotConnected);
        }
        client.set_nodelay(true).unwrap();
    }
}

#[test]
fn w03_data_the_end_a_timeout_and_an_error_are_four_things() {
    let (mut client, mut server, _net) = connection();
    let mut buffer = [0; 16];
    let short = Duration::from_millis(5);
    let late = client.read_at_least_one(&mut buffer, short).unwrap_err();
    assert_eq!(
        (late.kind(), late.reason()),
        (ErrorKind::TimedOut, &Reason::TimedOut)
    );
    server.write_all(b"data").unwrap();
    assert_eq!(client.read_at_least_one(&mut buffer, PATIENCE), Ok(4));
    server.shutdown(Shutdown::Write).unwrap();
    for _ in 0..3 {
        assert_eq!(client.read_at_least_one(&mut buffer, PATIENCE), Ok(0));
    }
    let (mut client, server, _net) = connection();
    server.abort().unwrap();
    for _ in 0..3 {
        let lost = client.read_at_least_one(&mut buffer, PATIENCE).unwrap_err();
        assert_eq!(lost.kind(), ErrorKind::ConnectionReset);
        assert_eq!(lost.reason(), &Reason::Closed(CloseReason::PeerReset));
    }
}

#[test]
fn w04_a_write_has_one_time_for_all_and_tells_how_much_went() {
    let (mut client, mut server, _net) = connection();
    let sent: Vec<u8> = (0..4 << 20).map(|i: u32| (i % 251) as u8).collect();
    // Nobody reads: there is room for a part only.
    let short = Duration::from_millis(50);
    let partial = client.write_within(&sent, short).unwrap_err();
    assert_eq!(partial.error.kind(), ErrorKind::TimedOut);
    assert!(partial.written > 0 && partial.written < sent.len());
    assert!(client.is_connected());
    // A reader that takes a byte at a time makes room, but no more time.
    let writer = thread::spawn(move || {
        let first = partial.written;
        let rest = client.write_within(&sent[first..], PATIENCE);
        client.stream().unwrap().shutdown(Shutdown::Write).unwrap();
        (rest, sent)
    });
    let mut received = Vec::new();
    server.read_to_end(&mut received).unwrap();
    let (rest, sent) = writer.join().unwrap();
    rest.unwrap();
    assert!(received == sent, "the count was wrong");
}

#[test]
fn w04_room_made_slowly_makes_no_more_time() {
    let (mut client, server, _net) = connection();
    let reader = thread::spawn(move || {
        let mut buffer = [0; 65_536];
        while matches!((&server).read(&mut buffer), Ok(1..)) {
            thread::sleep(Duration::from_millis(5));
        }
    });
    // Five seconds' worth for this reader, who makes room all the time.
    let data = vec![0; 64 << 20];
    let partial = client
        .write_within(&data, Duration::from_millis(100))
        .unwrap_err();
    assert_eq!(partial.error.kind(), ErrorKind::TimedOut);
    client.stream().unwrap().abort().unwrap();
    reader.join().unwrap();
}

#[test]
fn w04_a_reset_ends_a_write_within_its_time() {
    let (mut client, server, _net) = connection();
    let writer = thread::spawn(move || {
        let partial = client
            .write_within(&vec![7; 64 << 20], 4 * PATIENCE)
            .unwrap_err();
        // And every time again.
        let again = client.write_within(b"x", PATIENCE).unwrap_err();
        (partial, again)
    });
    let mut taken = [0; 65_536];
    (&server).read_exact(&mut taken).unwrap();
    server.abort().unwrap();
    let (partial, again) = writer.join().unwrap();
    assert!(partial.written >= taken.len());
    assert_eq!(again.written, 0);
    for error in [partial.error, again.error] {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
}

#[test]
fn w05_connecting_has_a_timeout() {
    let (a, _b) = pair();
    // Nobody has the address, which the stack would find out after three seconds; here after three
    // minutes, however late we look again.
    a.set_tunable("neigh_retrans_time_ms", 60_000).unwrap();
    let error = TcpConnection::connect(&a, "10.0.0.99:80", Duration::from_millis(20)).unwrap_err();
    assert_eq!(
        (error.kind(), error.reason()),
        (ErrorKind::TimedOut, &Reason::TimedOut)
    );
    assert_eq!(a.usage().connections, 0, "the attempt goes on");
}

#[test]
fn w06_each_end_has_an_error_of_its_own() {
    let (mut client, server, _net) = connection();
    client.stream().unwrap().shutdown(Shutdown::Write).unwrap();
    let partial = client.write_within(b"late", PATIENCE).unwrap_err();
    assert_eq!(partial.error.kind(), ErrorKind::BrokenPipe);
    drop(server);
    let (mut client, server, _net) = connection();
    server.abort().unwrap();
    let error = client.read_at_least_one(&mut [0], PATIENCE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    // A silent peer: `a_silent_peer_is_found_out_by_keepalive` in tests/tcp_connection.rs.
    let end = CloseReason::KeepAliveTimedOut;
    assert_eq!(Error::from(Reason::Closed(end)).kind(), ErrorKind::TimedOut);
}

#[test]
fn w02_a_descriptor_of_another_kind_is_an_error() {
    let null = || OwnedFd::from(File::open("/dev/null").unwrap());
    let (pipe, _other_end) = std::io::pipe().unwrap();
    for error in [
        Tun::from_owned_fd(null(), 1500).unwrap_err(),
        Tap::from_owned_fd(null(), 1500).unwrap_err(),
        PacketSocket::from_owned_fd(null()).unwrap_err(),
        PacketSocket::from_owned_fd(OwnedFd::from(pipe)).unwrap_err(),
    ] {
        assert!(matches!(error, DeviceError::WrongKind { .. }), "{error}");
    }
}

#[test]
fn w02_a_closed_handle_is_an_error_and_harms_nobody() {
    let (a, b) = pair();
    let peer = "10.0.0.2:9".parse().unwrap();
    a.with_stack(|stack| {
        let listener = stack.tcp_listen(81).unwrap();
        stack.tcp_close_listener(listener).unwrap();
        let udp = stack.udp_bind(5_000).unwrap();
        stack.udp_close(udp).unwrap();
        let tcp = stack.tcp_connect("10.0.0.2:82".parse().unwrap()).unwrap();
        stack.tcp_abort(tcp).unwrap();
        stack.tcp_close(tcp).unwrap();
        // Others have their places now.
        let _ = stack.tcp_listen(83).unwrap();
        let _ = stack.udp_bind(5_001).unwrap();
        let stale = Err(netloom_stack::Error::StaleHandle);
        for _ in 0..3 {
            assert_eq!(stack.tcp_accept(listener).map(drop), stale);
            assert_eq!(stack.tcp_close_listener(listener), stale);
            assert_eq!(stack.udp_send_to(udp, b"x", peer), stale);
            assert_eq!(stack.udp_close(udp), stale);
            assert_eq!(stack.tcp_read(tcp, &mut [0; 4]).map(drop), stale);
            assert_eq!(stack.tcp_write(tcp, b"x").map(drop), stale);
            assert_eq!(stack.tcp_close(tcp), stale);
        }
    });
    // The stack goes on.
    let listener = b.tcp_listen("10.0.0.2:80").unwrap();
    let mut client = a.tcp_connect("10.0.0.2:80").unwrap();
    let mut server = listener.accept().unwrap().0;
    client.write_all(b"fine").unwrap();
    let mut buffer = [0; 4];
    server.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"fine");
}

#[test]
fn w04_writing_after_a_reset_fails_every_time() {
    let (client, mut server) = connected();
    client.abort().unwrap();
    // Once it is here.
    let error = server.read(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    for nonblocking in [false, true, true, false] {
        server.set_nonblocking(nonblocking).unwrap();
        let one = server.write(b"lost").unwrap_err();
        let parts = [IoSlice::new(b"lost "), IoSlice::new(b"too")];
        let several = server.write_vectored(&parts).unwrap_err();
        for error in [one, several] {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            let due = Reason::Closed(CloseReason::PeerReset);
            assert_eq!(Error::of(&error).map(Error::reason), Some(&due));
        }
    }
    assert_eq!(server.close_reason(), Some(CloseReason::PeerReset));
}

#[test]
fn w04_a_reset_ends_a_write_that_waits() {
    let (client, server) = connected();
    thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        let server = &server;
        let writer = scope.spawn(move || {
            let mut stream = server;
            stream.set_nonblocking(true).unwrap();
            while stream.write(&[0; 65_536]).is_ok() {}
            stream.set_nonblocking(false).unwrap();
            tell.send(()).unwrap();
            // Nobody reads: sooner or later there is no room.
            loop {
                if let Err(error) = stream.write(&[0; 65_536]) {
                    return error;
                }
            }
        });
        told.recv().unwrap();
        // Time to fall asleep; without it the write fails at once, which is right too.
        thread::sleep(Duration::from_millis(50));
        client.abort().unwrap();
        let error = writer.join().unwrap();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn w04_writing_after_the_own_end_is_a_broken_pipe() {
    let (mut client, mut server) = connected();
    client.shutdown(Shutdown::Write).unwrap();
    for _ in 0..3 {
        let error = client.write(b"late").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        let due = Reason::Stack(netloom_stack::Error::SendAfterShutdown);
        assert_eq!(Error::of(&error).map(Error::reason), Some(&due));
    }
    // The other direction is open, and closing it too ends the connection in order.
    server.write_all(b"still").unwrap();
    server.shutdown(Shutdown::Write).unwrap();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"still");
    let deadline = Instant::now() + PATIENCE;
    while server.close_reason().is_none() {
        assert!(Instant::now() < deadline, "never over");
        thread::sleep(Duration::from_millis(1));
    }
    let error = server.write(b"later").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
}

static SIGNALS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Those this thread has caught.
    static CAUGHT: AtomicUsize = const { AtomicUsize::new(0) };
}

extern "C" fn count_signal(_: libc::c_int) {
    CAUGHT.with(|caught| caught.fetch_add(1, Ordering::SeqCst));
    SIGNALS.fetch_add(1, Ordering::SeqCst);
}

/// Has calls interrupted, not restarted, by SIGUSR2.
fn catch_signals() {
    let handler = count_signal as extern "C" fn(libc::c_int);
    // SAFETY: all-zero is a valid sigaction, to which a handler is added that only increments
    // atomics, which need no initialization: that is async-signal-safe.
    let done = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as usize;
        libc::sigaction(libc::SIGUSR2, &action, std::ptr::null_mut())
    };
    assert_eq!(done, 0);
}

/// Interrupts every thread of this process that drives a device or is named `waits`, so many
/// times each; signals that come before another has been caught are one with it.
fn interrupt(times: usize) {
    for _ in 0..times {
        for entry in fs::read_dir("/proc/self/task").unwrap().flatten() {
            let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            if !name.starts_with("netloom ") && name.trim_end() != "waits" {
                continue;
            }
            let thread: libc::c_long = entry.file_name().to_str().unwrap().parse().unwrap();
            let process = libc::c_long::from(std::process::id() as i32);
            let signal = libc::c_long::from(libc::SIGUSR2);
            // SAFETY: tgkill(2) takes no pointers; the signal has a handler, and a thread of
            // this process that ended since is an error, of no consequence.
            unsafe { libc::syscall(libc::SYS_tgkill, process, thread, signal) };
        }
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn w04_interrupted_waits_go_on() {
    catch_signals();
    let (client, server) = connected();
    let waits = || thread::Builder::new().name("waits".into());
    // A thread has its name when it says so, and catches what is sent to it from then on.
    let (begins, begun) = mpsc::channel();
    let caught = || CAUGHT.with(|caught| caught.load(Ordering::SeqCst));
    // A read that waits.
    let while_reading = thread::scope(|scope| {
        let reader = waits().spawn_scoped(scope, || {
            begins.send(()).unwrap();
            let mut buffer = [0; 5];
            (&server).read_exact(&mut buffer).unwrap();
            (buffer, caught())
        });
        let reader = reader.unwrap();
        begun.recv().unwrap();
        interrupt(30);
        assert!(!reader.is_finished(), "ended by a signal");
        (&client).write_all(b"hello").unwrap();
        let (heard, signals) = reader.join().unwrap();
        assert_eq!(&heard, b"hello");
        assert!(signals > 0, "the reader was never interrupted");
        signals
    });
    // A write that waits: four megabytes have no room anywhere.
    let sent: Vec<u8> = (0..4 << 20_u32).map(|i| (i >> 3) as u8 ^ i as u8).collect();
    let while_writing = thread::scope(|scope| {
        let writer = waits().spawn_scoped(scope, || {
            begins.send(()).unwrap();
            // Not `write_all`, which would hide an interruption.
            let mut rest = &sent[..];
            while !rest.is_empty() {
                let n = (&client).write(rest).unwrap();
                rest = &rest[n..];
            }
            client.shutdown(Shutdown::Write).unwrap();
            caught()
        });
        let writer = writer.unwrap();
        begun.recv().unwrap();
        interrupt(30);
        assert!(!writer.is_finished(), "nobody has read");
        let mut received = Vec::new();
        (&server).read_to_end(&mut received).unwrap();
        assert!(received == sent);
        let signals = writer.join().unwrap();
        assert!(signals > 0, "the writer was never interrupted");
        signals
    });
    // Both drivers were interrupted as well, or are now if their threads began so late.
    let by_both = while_reading + while_writing;
    eventually("the drivers were never interrupted", || {
        interrupt(1);
        SIGNALS.load(Ordering::SeqCst) >= by_both + 2
    });
}
