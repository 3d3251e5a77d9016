//! A stack on real devices, against the kernel's own sockets.
#![cfg(target_os = "linux")]

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::thread;

use common::{Need, carries, eventually, in_namespace, run};
use netloom_host::device::{KernelEnd, PacketSocket, Tap, Tun, create_veth_pair};
use netloom_host::net::{Interest, Net};
use netloom_stack::CloseReason;

fn on_tap(name: &str) -> Net {
    let tap = Tap::create(name).expect("a TAP interface");
    tap.address("10.71.0.2/24")
        .address("fd71::2/64")
        .kernel_address("10.71.0.1/24")
        .kernel_address("fd71::1/64")
        .start()
        .expect("a running stack")
}

fn on_tun(name: &str) -> Net {
    let tun = Tun::create(name).expect("a TUN interface");
    tun.address("10.71.0.2/24")
        .address("fd71::2/64")
        .kernel_address("10.71.0.1/24")
        .kernel_address("fd71::1/64")
        .start()
        .expect("a running stack")
}

/// Echoes one connection of the kernel's through the stack, at both addresses.
fn serves_the_kernel(net: &Net) {
    let listener = net.tcp_listen("[::]:7").unwrap();
    for address in ["10.71.0.2:7", "[fd71::2]:7"] {
        let mut client = TcpStream::connect(address).unwrap();
        let (mut server, peer) = listener.accept().unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        client.write_all(&[7; 300_000]).unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let mut received = Vec::new();
        server.read_to_end(&mut received).unwrap();
        assert_eq!(received, [7; 300_000]);
        server.write_all(b"done").unwrap();
        drop(server);
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "done");
    }
}

/// Connects to the kernel and gets what it says.
fn is_served_by_the_kernel(net: &Net) {
    for address in ["10.71.0.1:0", "[fd71::1]:0"] {
        let listener = TcpListener::bind(address).unwrap();
        let mut client = net.tcp_connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        server.write_all(b"from the kernel").unwrap();
        drop(server);
        let mut received = String::new();
        client.read_to_string(&mut received).unwrap();
        assert_eq!(received, "from the kernel");
        let socket = UdpSocket::bind(address).unwrap();
        let ours = net.udp_bind(address.replace("1:0", "2:0").replace("1]", "2]").as_str());
        let ours = ours.unwrap();
        ours.send_to(b"ping", socket.local_addr().unwrap()).unwrap();
        let mut buffer = [0; 8];
        let (len, from) = socket.recv_from(&mut buffer).unwrap();
        socket.send_to(&buffer[..len], from).unwrap();
        assert_eq!(ours.recv(&mut buffer).unwrap(), 4);
    }
}

#[test]
fn over_tap() {
    in_namespace("over_tap", &[Need::Tun], || {
        let net = on_tap("rt0");
        serves_the_kernel(&net);
        is_served_by_the_kernel(&net);
    });
}

#[test]
fn over_tun() {
    in_namespace("over_tun", &[Need::Tun], || {
        let net = on_tun("rt0");
        serves_the_kernel(&net);
        is_served_by_the_kernel(&net);
    });
}

#[test]
fn over_a_packet_socket() {
    in_namespace("over_a_packet_socket", &[Need::Program("ip")], || {
        create_veth_pair("rt0", "rt1").unwrap();
        let exists = create_veth_pair("rt0", "rt2").unwrap_err();
        assert_eq!(exists.kind(), ErrorKind::AlreadyExists);
        KernelEnd::of("rt0").unwrap().up().unwrap();
        let mut end = KernelEnd::of("rt1").unwrap();
        end.address(Ipv4Addr::new(10, 71, 0, 1).into(), 24).unwrap();
        end.up().unwrap();
        carries("rt1");
        let socket = PacketSocket::open("rt0").unwrap();
        let net = socket.address("10.71.0.2/24").start().unwrap();
        let listener = net.tcp_listen("10.71.0.2:7").unwrap();
        let mut client = TcpStream::connect("10.71.0.2:7").unwrap();
        let (mut server, _) = listener.accept().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                client.write_all(&[7; 1_000_000]).unwrap();
                client.shutdown(std::net::Shutdown::Write).unwrap();
            });
            let mut received = Vec::new();
            server.read_to_end(&mut received).unwrap();
            assert_eq!(received.len(), 1_000_000);
        });
    });
}

#[test]
fn the_last_handle_takes_the_device_with_it() {
    in_namespace(
        "the_last_handle_takes_the_device_with_it",
        &[Need::Tun, Need::Program("ip")],
        || {
            let net = on_tap("rt0");
            let listener = net.tcp_listen("10.71.0.2:7").unwrap();
            drop(net);
            // The listener keeps the stack running.
            let _client = TcpStream::connect("10.71.0.2:7").unwrap();
            let stream = listener.accept().unwrap();
            drop(listener);
            assert!(run("ip -o link").contains("rt0"));
            drop(stream);
            // A program that another test is just starting holds the device until it runs.
            eventually("the device outlived its last handle", || {
                !run("ip -o link").contains("rt0")
            });
        },
    );
}

#[test]
fn a_removed_device_ends_all_blocked_calls() {
    in_namespace(
        "a_removed_device_ends_all_blocked_calls",
        &[Need::Tun, Need::Program("ip")],
        || {
            let net = on_tap("rt0");
            let listener = net.tcp_listen("10.71.0.2:7").unwrap();
            let mut client = TcpStream::connect("10.71.0.2:7").unwrap();
            let (mut stream, _) = listener.accept().unwrap();
            client.write_all(b"kept").unwrap();
            stream.peek(&mut [0; 1]).unwrap();
            let socket = net.udp_bind("10.71.0.2:9").unwrap();
            let (set, empty) = (net.poll_set(), net.poll_set());
            set.arm(&socket, Interest::READABLE, 7).unwrap();
            thread::scope(|scope| {
                let waits = scope.spawn(|| (set.wait(None), set.wait(None)));
                let nothing = scope.spawn(|| empty.wait(None));
                let accept = scope.spawn(|| listener.accept().map(drop));
                let receive = scope.spawn(|| socket.recv(&mut [0; 1]).map(drop));
                let connect = scope.spawn(|| net.tcp_connect("10.71.0.77:1").map(drop));
                run("ip link del rt0");
                for blocked in [accept, receive] {
                    let error = blocked.join().unwrap().unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::NotConnected, "{error}");
                    assert!(error.to_string().contains("rt0"), "{error}");
                }
                // A set tells of what ended, then that nothing more can come.
                let (told, error) = waits.join().unwrap();
                assert_eq!(told.unwrap().unwrap().0, 7);
                for error in [error, nothing.join().unwrap()] {
                    assert_eq!(error.unwrap_err().kind(), ErrorKind::NotConnected);
                }
                // It may have found out by itself that nobody is there.
                connect.join().unwrap().unwrap_err();
            });
            // What had arrived is still there; nothing comes after it.
            let mut buffer = [0; 8];
            assert_eq!(stream.read(&mut buffer).unwrap(), 4);
            let error = stream.read(&mut buffer).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NetworkDown);
            assert_eq!(stream.close_reason(), Some(CloseReason::InterfaceRemoved));
        },
    );
}

#[test]
fn an_idle_stack_sleeps() {
    in_namespace("an_idle_stack_sleeps", &[Need::Tun], || {
        let net = on_tap("idle0");
        let _listener = net.tcp_listen("[::]:7").unwrap();
        let client = TcpStream::connect("10.71.0.2:7").unwrap();
        let ticks = || driver_ticks("netloom idle0");
        eventually("the driver has no thread", || ticks().is_some());
        let before = ticks();
        thread::sleep(std::time::Duration::from_millis(300));
        let used = ticks()
            .zip(before)
            .map_or(0, |(after, before)| after - before);
        // A spinning thread would have used 30 ticks of 10 ms.
        assert!(used < 10, "{used} ticks");
        drop(client);
    });
}

/// The processor time a thread of ours has used, in clock ticks.
fn driver_ticks(name: &str) -> Option<u64> {
    for task in std::fs::read_dir("/proc/self/task").ok()? {
        let stat = std::fs::read_to_string(task.ok()?.path().join("stat")).ok()?;
        let (head, tail) = stat.rsplit_once(')')?;
        if head.ends_with(name) {
            let fields: Vec<_> = tail.split_whitespace().collect();
            let time = |i: usize| fields.get(i)?.parse::<u64>().ok();
            return Some(time(11)? + time(12)?);
        }
    }
    None
}
