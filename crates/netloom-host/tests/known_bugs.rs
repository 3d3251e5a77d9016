//! Bugs of the sockets before these ones, each by its number: what they did wrong, done right.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use netloom_host::device::{DeviceError, LinkEnd, PacketSocket, Tap, Tun};
use netloom_host::net::{Net, TcpStream, reason};
use netloom_stack::{CloseReason, Error};

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
        let stale = Err(Error::StaleHandle);
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
            let due = Error::Closed(CloseReason::PeerReset);
            assert_eq!(reason(&error), Some(due));
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
        assert_eq!(reason(&error), Some(Error::SendAfterShutdown));
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

extern "C" fn count_signal(_: libc::c_int) {
    SIGNALS.fetch_add(1, Ordering::SeqCst);
}

/// Has calls interrupted, not restarted, by SIGUSR2.
fn catch_signals() {
    let handler = count_signal as extern "C" fn(libc::c_int);
    // SAFETY: all-zero is a valid sigaction, to which a handler is added that only increments
    // an atomic, which is async-signal-safe.
    let done = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as usize;
        libc::sigaction(libc::SIGUSR2, &action, std::ptr::null_mut())
    };
    assert_eq!(done, 0);
}

/// Interrupts every thread of this process that drives a device or is named `waits`, so many
/// times each.
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
    // A read that waits.
    thread::scope(|scope| {
        let reader = waits().spawn_scoped(scope, || {
            let mut buffer = [0; 5];
            (&server).read_exact(&mut buffer).map(|()| buffer)
        });
        let reader = reader.unwrap();
        interrupt(30);
        assert!(!reader.is_finished(), "ended by a signal");
        (&client).write_all(b"hello").unwrap();
        assert_eq!(&reader.join().unwrap().unwrap(), b"hello");
    });
    // A write that waits: four megabytes have no room anywhere.
    let sent: Vec<u8> = (0..4 << 20_u32).map(|i| (i >> 3) as u8 ^ i as u8).collect();
    thread::scope(|scope| {
        let writer = waits().spawn_scoped(scope, || {
            // Not `write_all`, which would hide an interruption.
            let mut rest = &sent[..];
            while !rest.is_empty() {
                let n = (&client).write(rest).unwrap();
                rest = &rest[n..];
            }
            client.shutdown(Shutdown::Write).unwrap();
        });
        let writer = writer.unwrap();
        interrupt(30);
        assert!(!writer.is_finished(), "nobody has read");
        let mut received = Vec::new();
        (&server).read_to_end(&mut received).unwrap();
        assert!(received == sent);
        writer.join().unwrap();
    });
    // Both drivers and both threads were interrupted.
    assert!(SIGNALS.load(Ordering::SeqCst) >= 90);
}
