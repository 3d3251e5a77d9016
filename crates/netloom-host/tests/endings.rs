//! How connections end when something goes wrong, and that nothing of them is left.
#![cfg(target_os = "linux")]

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use common::{Need, PATIENCE, carries, eventually, in_namespace, run};
use netloom_host::device::{LinkEnd, PacketSocket, Tap};
use netloom_host::net::{Builder, Keepalive, Net, TcpListener, TcpStream};
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

/// A stack and the kernel on two ends of a TAP interface or of a veth pair.
struct Place {
    net: Net,
    /// The interface that has the kernel's addresses.
    kernel_end: String,
    /// The other end of the pair, if it is one.
    own_end: Option<String>,
}

/// The stack's addresses, one of each version. IPv6 first: the kernel forgets it on an interface
/// whose MTU falls below 1 280, as IPv4's test has it.
const OURS: [&str; 2] = ["fd71::2", "10.71.0.2"];
/// The kernel's.
const KERNELS: [&str; 2] = ["10.71.0.1/24", "fd71::1/64"];

impl Place {
    fn on_tap(name: &str) -> Place {
        Place::settle();
        let tap = Tap::create(name).unwrap();
        let builder = KERNELS
            .iter()
            .fold(tap.address("10.71.0.2/24"), |builder, &at| {
                builder.kernel_address(at)
            });
        Place {
            net: Place::start(builder),
            kernel_end: name.to_owned(),
            own_end: None,
        }
    }

    fn on_veth(name: &str) -> Place {
        Place::settle();
        let (own, kernel) = (format!("{name}0"), format!("{name}1"));
        run(&format!("ip link add {own} type veth peer name {kernel}"));
        for end in [&own, &kernel] {
            run(&format!("ip link set {end} up"));
        }
        for at in KERNELS {
            run(&format!("ip addr add {at} dev {kernel}"));
        }
        carries(&own);
        carries(&kernel);
        let socket = PacketSocket::open(&own).unwrap();
        Place {
            net: Place::start(socket.address("10.71.0.2/24")),
            kernel_end: kernel,
            own_end: Some(own),
        }
    }

    /// The kernel uses its IPv6 addresses at once, and keeps them while a cable is pulled.
    fn settle() {
        for (conf, setting, value) in [
            ("default", "accept_dad", "0"),
            ("all", "keep_addr_on_down", "1"),
        ] {
            let path = format!("/proc/sys/net/ipv6/conf/{conf}/{setting}");
            std::fs::write(path, value).unwrap();
        }
    }

    fn start(builder: Builder) -> Net {
        builder
            .address("fd71::2/64")
            .tunable("tcp_time_wait", 1)
            .tunable("tcp_fin_timeout", 1)
            .start()
            .unwrap()
    }

    fn set_mtu(&self, mtu: u16) {
        for end in self.own_end.iter().chain([&self.kernel_end]) {
            run(&format!("ip link set {end} mtu {mtu}"));
        }
    }

    fn pull_cable(&self) {
        run(&format!("ip link set {} down", self.kernel_end));
    }

    fn plug_in(&self) {
        run(&format!("ip link set {} up", self.kernel_end));
    }
}

/// Does `each` on a TAP interface, as the test `name`.
fn on_tap(name: &'static str, each: impl Fn(&Place, &str) + Send + 'static) {
    in_namespace(name, &[Need::Tun, Need::Program("ip")], move || {
        let place = Place::on_tap("end0");
        OURS.iter().for_each(|ip| each(&place, ip));
        nothing_is_left(&place.net);
    });
}

/// Does `each` on a veth pair, with AF_PACKET.
fn on_veth(name: &'static str, each: impl Fn(&Place, &str) + Send + 'static) {
    in_namespace(name, &[Need::Program("ip")], move || {
        let place = Place::on_veth("end");
        OURS.iter().for_each(|ip| each(&place, ip));
        nothing_is_left(&place.net);
    });
}

fn listen(place: &Place, ip: &str) -> TcpListener {
    let at = SocketAddr::new(ip.parse().unwrap(), 0);
    place.net.tcp_listen(at).unwrap()
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

/// A program connects through the kernel as descriptor 3, does this, and waits to be killed.
fn kernel_client(to: SocketAddr, does: &str) -> Child {
    let (ip, port) = (to.ip(), to.port());
    Command::new("bash")
        .arg("-c")
        .arg(format!("exec 3<>/dev/tcp/{ip}/{port}; {does}"))
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}

fn kill(mut client: Child) {
    client.kill().unwrap();
    client.wait().unwrap();
}

fn a_client_is_killed(place: &Place, ip: &str) {
    let listener = listen(place, ip);
    let at = listener.local_addr().unwrap();
    for unread in [false, true] {
        let client = kernel_client(at, "echo -n hello >&3; exec sleep 100");
        let (mut server, _) = listener.accept().unwrap();
        server.read_exact(&mut [0; 5]).unwrap();
        if unread {
            server.write_all(&[1; 1000]).unwrap();
            eventually("it never arrived", || {
                server.tcp_info().is_ok_and(|info| info.unacked == 0)
            });
        }
        kill(client);
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
    nothing_is_left(&place.net);
}

#[test]
fn a_client_that_is_killed() {
    on_tap("a_client_that_is_killed", a_client_is_killed);
}

#[test]
fn a_client_that_is_killed_on_veth() {
    on_veth("a_client_that_is_killed_on_veth", a_client_is_killed);
}

/// What must have gone one way before the client is killed in the middle of it.
const UNDER_WAY: usize = 3_000_000;

fn a_client_is_killed_in_mid_transfer(place: &Place, ip: &str) {
    let listener = listen(place, ip);
    let at = listener.local_addr().unwrap();

    // It fetches.
    let client = kernel_client(at, "exec cat <&3 >/dev/null");
    let (mut server, _) = listener.accept().unwrap();
    let block = [1; 65_536];
    let mut sent = 0;
    while sent < UNDER_WAY {
        sent += server.write(&block).unwrap();
    }
    kill(client);
    // What is still sent finds nobody.
    let error = loop {
        if let Err(error) = server.write(&block) {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(server.close_reason(), Some(CloseReason::PeerReset));
    drop(server);
    let mut listener_alone = Usage::default();
    listener_alone.listeners = 1;
    eventually("something is left of a download", || {
        place.net.usage() == listener_alone
    });

    // It sends.
    let client = kernel_client(at, "exec cat /dev/zero >&3");
    let (mut server, _) = listener.accept().unwrap();
    let mut buffer = [1; 65_536];
    let mut received = 0;
    while received < UNDER_WAY {
        received += server.read(&mut buffer).unwrap();
    }
    kill(client);
    // What it had sent comes, then its end: it has read all there was.
    while server.read(&mut buffer).unwrap() > 0 {}
    assert_eq!(server.close_reason(), None, "this side has not finished");
    drop((server, listener));
    nothing_is_left(&place.net);
}

#[test]
fn a_client_that_is_killed_in_mid_transfer() {
    let name = "a_client_that_is_killed_in_mid_transfer";
    on_tap(name, a_client_is_killed_in_mid_transfer);
}

#[test]
fn a_client_that_is_killed_in_mid_transfer_on_veth() {
    let name = "a_client_that_is_killed_in_mid_transfer_on_veth";
    on_veth(name, a_client_is_killed_in_mid_transfer);
}

/// A connection of the kernel's to a listener of ours.
fn from_the_kernel(place: &Place, ip: &str) -> (std::net::TcpStream, TcpStream) {
    let listener = listen(place, ip);
    let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

fn the_cable_is_pulled(place: &Place, ip: &str) {
    let (_c1, mut writer) = from_the_kernel(place, ip);
    let (_c2, mut idle) = from_the_kernel(place, ip);
    let (mut c3, mut patient) = from_the_kernel(place, ip);
    writer
        .set_user_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    let keepalive = Keepalive {
        idle: Duration::from_secs(1),
        interval: Duration::from_secs(1),
        count: 2,
    };
    idle.set_keepalive(Some(keepalive)).unwrap();
    place.pull_cable();
    writer.write_all(b"into the void").unwrap();
    patient.write_all(b"kept").unwrap();
    let error = writer.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(writer.close_reason(), Some(CloseReason::UserTimedOut));
    let error = idle.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(idle.close_reason(), Some(CloseReason::KeepAliveTimedOut));
    // Plugged in again: who had patience goes on.
    place.plug_in();
    c3.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut buffer = [0; 4];
    c3.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"kept");
    c3.write_all(b"back").unwrap();
    patient.read_exact(&mut buffer).unwrap();
    assert_eq!(patient.close_reason(), None);
    drop((writer, idle, c3, patient));
    nothing_is_left(&place.net);
}

#[test]
fn a_cable_that_is_pulled() {
    on_tap("a_cable_that_is_pulled", the_cable_is_pulled);
}

#[test]
fn a_cable_that_is_pulled_on_veth() {
    on_veth("a_cable_that_is_pulled_on_veth", the_cable_is_pulled);
}

/// Ends what looks at it, also when a test panics.
struct SetWhenDropped<'a>(&'a AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn the_mtu_changes_under_way(place: &Place, ip: &str) {
    // With less than 1 280 an interface has no IPv6.
    let mtus = if ip.contains(':') {
        [1280, 1500, 1300, 1400]
    } else {
        [1280, 1500, 1000, 1400]
    };
    for out in [true, false] {
        let (kernel, ours) = from_the_kernel(place, ip);
        let sent: Vec<u8> = (0..30_000_000_u32).map(|i| ((i * 31) >> 7) as u8).collect();
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let _stops = SetWhenDropped(&done);
            scope.spawn(|| {
                for mtu in mtus.into_iter().cycle() {
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                    place.set_mtu(mtu);
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
    place.set_mtu(1500);
    nothing_is_left(&place.net);
}

#[test]
fn an_mtu_that_changes_under_way() {
    on_tap("an_mtu_that_changes_under_way", the_mtu_changes_under_way);
}

#[test]
fn an_mtu_that_changes_under_way_on_veth() {
    let name = "an_mtu_that_changes_under_way_on_veth";
    on_veth(name, the_mtu_changes_under_way);
}

/// Reads to the end.
fn read_all(mut stream: impl Read) -> Vec<u8> {
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    received
}
