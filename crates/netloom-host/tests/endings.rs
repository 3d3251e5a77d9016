//! How connections end when something goes wrong, and that nothing of them is left.
#![cfg(target_os = "linux")]

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use common::{Need, PATIENCE, eventually, in_namespace, run};
use netloom_host::device::{LinkEnd, Tap};
use netloom_host::net::{Keepalive, Net, TcpStream};
use netloom_stack::{CloseReason, Limits, Usage};

fn pair() -> (Net, Net) {
    let (a, b) = LinkEnd::pair(1500).unwrap();
    let start = |end: LinkEnd, address: &str| {
        end.address(address)
            .tunable("tcp_time_wait", 1)
            .tunable("tcp_fin_timeout", 1)
            .start()
            .unwrap()
    };
    (start(a, "10.0.0.1/24"), start(b, "10.0.0.2/24"))
}

fn on_tap(name: &str) -> Net {
    Tap::create(name)
        .unwrap()
        .address("10.71.0.2/24")
        .kernel_address("10.71.0.1/24")
        .tunable("tcp_time_wait", 1)
        .tunable("tcp_fin_timeout", 1)
        .start()
        .unwrap()
}

/// Waits until the stack holds nothing any more, and every packet is accounted for.
fn nothing_is_left(net: &Net) {
    eventually("something is left", || {
        let usage = net.usage();
        usage == Usage::default() || {
            thread::sleep(Duration::from_millis(20));
            false
        }
    });
    net.counters().balance().unwrap();
}

#[test]
fn thousands_that_say_nothing_cost_no_buffers_and_leave_nothing() {
    let (a, b) = pair();
    let listener = b.tcp_listen("10.0.0.2:80").unwrap();
    let mut open = Vec::new();
    for _ in 0..4000 {
        let client = a.tcp_connect("10.0.0.2:80").unwrap();
        open.push((client, listener.accept().unwrap().0));
    }
    let usage = b.usage();
    assert_eq!((usage.connections, usage.buffers), (4000, 0), "{usage:?}");
    assert_eq!(usage.timers, 0, "nothing is due on an idle connection");
    // The others go on.
    let (client, server) = &mut open[1234];
    client.write_all(b"here").unwrap();
    server.read_exact(&mut [0; 4]).unwrap();
    drop((open, listener));
    nothing_is_left(&a);
    nothing_is_left(&b);
}

#[test]
fn slow_readers_hold_what_they_may_and_no_more() {
    let (a, b) = pair();
    let listener = b.tcp_listen("10.0.0.2:80").unwrap();
    let mut open = Vec::new();
    for _ in 0..50 {
        let client = a.tcp_connect("10.0.0.2:80").unwrap();
        let (mut server, _) = listener.accept().unwrap();
        server.set_nonblocking(true).unwrap();
        server.set_send_buffer_size(100_000).unwrap();
        client.set_recv_buffer_size(50_000).unwrap();
        while server.write(&[1; 10_000]).is_ok() {}
        open.push((client, server));
    }
    // Powers of two, each side.
    let (sent, received) = (b.usage().buffers, a.usage().buffers);
    assert!(sent <= 50 * (1 << 18), "{sent}");
    assert!(received <= 50 * (1 << 18), "{received}");
    // One reader that is not slow is served beside them.
    let mut client = a.tcp_connect("10.0.0.2:80").unwrap();
    let (mut server, _) = listener.accept().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            server.write_all(&vec![1; 4 << 20]).unwrap();
            server.shutdown(Shutdown::Write).unwrap();
        });
        assert_eq!(client.read_to_end(&mut Vec::new()).unwrap(), 4 << 20);
    });
    // And the slow ones get everything when they come round to it.
    let (slow, writer) = &mut open[0];
    writer.shutdown(Shutdown::Write).unwrap();
    slow.read_to_end(&mut Vec::new()).unwrap();
    drop((open, listener, client, server));
    nothing_is_left(&a);
    nothing_is_left(&b);
}

/// What the stack may take bounds what its clients can make it take.
#[test]
fn a_small_budget_is_kept() {
    let (a, b) = LinkEnd::pair(1500).unwrap();
    let a = a.address("10.0.0.1/24").start().unwrap();
    let limits = Limits {
        connections: 100,
        buffers: 1 << 20,
        ..Limits::default()
    };
    let b = b.address("10.0.0.2/24").limits(limits).start().unwrap();
    let listener = b.tcp_listen("10.0.0.2:80").unwrap();
    let mut open = Vec::new();
    for _ in 0..90 {
        let mut client = a.tcp_connect("10.0.0.2:80").unwrap();
        client.set_nonblocking(true).unwrap();
        let _ = client.write(&[1; 100_000]);
        open.push((client, listener.accept().unwrap().0));
        assert!(b.usage().buffers <= 1 << 20, "{:?}", b.usage());
    }
    // What found no room is sent again once others have given theirs back.
    let (client, mut server) = open.pop().unwrap();
    drop(open);
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    server.read_exact(&mut [0; 50_000]).unwrap();
    assert!(client.close_reason().is_none());
}

/// A program connects through the kernel, says "hello", and waits to be killed.
fn kernel_client(port: u16) -> std::process::Child {
    Command::new("bash")
        .arg("-c")
        .arg(format!(
            "exec 3<>/dev/tcp/10.71.0.2/{port}; echo -n hello >&3; exec sleep 100"
        ))
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn a_client_that_is_killed() {
    let needs = [Need::Tun, Need::Program("ip")];
    in_namespace("a_client_that_is_killed", &needs, || {
        let net = on_tap("kill0");
        let listener = net.tcp_listen("10.71.0.2:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        for unread in [false, true] {
            let mut client = kernel_client(port);
            let (mut server, _) = listener.accept().unwrap();
            server.read_exact(&mut [0; 5]).unwrap();
            if unread {
                server.write_all(&[1; 1000]).unwrap();
                eventually("it never arrived", || {
                    server.tcp_info().is_ok_and(|info| info.unacked == 0)
                });
            }
            client.kill().unwrap();
            client.wait().unwrap();
            // With data unread the kernel resets (RFC 9293 §3.6.1), else it finishes.
            let end = server.read(&mut [0]).map_err(|error| error.kind());
            if unread {
                assert_eq!(end, Err(ErrorKind::ConnectionReset));
                assert_eq!(server.close_reason(), Some(CloseReason::PeerReset));
            } else {
                assert_eq!(end, Ok(0));
                assert_eq!(server.close_reason(), None, "this side has not finished");
            }
        }
        drop(listener);
        nothing_is_left(&net);
    });
}

/// A connection of the kernel's to a listener of ours.
fn from_the_kernel(net: &Net) -> (std::net::TcpStream, TcpStream) {
    let listener = net.tcp_listen("10.71.0.2:0").unwrap();
    let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

#[test]
fn a_cable_that_is_pulled() {
    let needs = [Need::Tun, Need::Program("ip")];
    in_namespace("a_cable_that_is_pulled", &needs, || {
        let net = on_tap("pull0");
        let (_c1, mut writer) = from_the_kernel(&net);
        let (_c2, mut idle) = from_the_kernel(&net);
        let (mut c3, mut patient) = from_the_kernel(&net);
        writer
            .set_user_timeout(Some(Duration::from_secs(1)))
            .unwrap();
        let keepalive = Keepalive {
            idle: Duration::from_secs(1),
            interval: Duration::from_secs(1),
            count: 2,
        };
        idle.set_keepalive(Some(keepalive)).unwrap();
        run("ip link set pull0 down");
        writer.write_all(b"into the void").unwrap();
        patient.write_all(b"kept").unwrap();
        let error = writer.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(writer.close_reason(), Some(CloseReason::UserTimedOut));
        let error = idle.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(idle.close_reason(), Some(CloseReason::KeepAliveTimedOut));
        // Plugged in again: who had patience goes on.
        run("ip link set pull0 up");
        c3.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut buffer = [0; 4];
        c3.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"kept");
        c3.write_all(b"back").unwrap();
        patient.read_exact(&mut buffer).unwrap();
        assert_eq!(patient.close_reason(), None);
        drop((writer, idle, c3, patient));
        nothing_is_left(&net);
    });
}

/// Ends what looks at it, also when a test panics.
struct SetWhenDropped<'a>(&'a AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn an_mtu_that_changes_under_way() {
    let needs = [Need::Tun, Need::Program("ip")];
    in_namespace("an_mtu_that_changes_under_way", &needs, || {
        let net = on_tap("mtu0");
        for out in [true, false] {
            let (kernel, ours) = from_the_kernel(&net);
            let sent: Vec<u8> = (0..30_000_000_u32).map(|i| ((i * 31) >> 7) as u8).collect();
            let done = AtomicBool::new(false);
            thread::scope(|scope| {
                let _stops = SetWhenDropped(&done);
                scope.spawn(|| {
                    for mtu in [1280, 1500, 1000, 1400].into_iter().cycle() {
                        if done.load(Ordering::Relaxed) {
                            break;
                        }
                        run(&format!("ip link set mtu0 mtu {mtu}"));
                        thread::sleep(Duration::from_millis(10));
                    }
                });
                let received = if out {
                    scope.spawn(|| {
                        (&ours).write_all(&sent).unwrap();
                        ours.shutdown(Shutdown::Write).unwrap();
                    });
                    read_all(&kernel)
                } else {
                    scope.spawn(|| {
                        (&kernel).write_all(&sent).unwrap();
                        kernel.shutdown(Shutdown::Write).unwrap();
                    });
                    read_all(&ours)
                };
                assert!(received == sent);
            });
            assert!(matches!(
                ours.close_reason(),
                None | Some(CloseReason::Finished)
            ));
        }
        run("ip link set mtu0 mtu 1500");
        nothing_is_left(&net);
    });
}

/// Reads to the end.
fn read_all(mut stream: impl Read) -> Vec<u8> {
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    received
}
