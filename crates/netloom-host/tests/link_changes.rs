//! An interface that changes while it is in use: its MTU, its carrier, its end.
#![cfg(target_os = "linux")]

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{self, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use common::{Need, PATIENCE, carries, eventually, in_namespace, run};
use netloom_driver::Driver;
use netloom_host::device::{KernelEnd, Offload, PacketSocket, Tap, create_veth_pair};
use netloom_host::net::{self, Net};
use netloom_stack::DropReason;

/// The kernel's addresses, one of each version.
const KERNELS: [&str; 2] = ["fd71::1", "10.71.0.1"];

/// The kernel uses its IPv6 addresses at once, and keeps them while a cable is pulled.
fn settle() {
    for (conf, setting, value) in [
        ("default", "accept_dad", "0"),
        ("all", "keep_addr_on_down", "1"),
    ] {
        let path = format!("/proc/sys/net/ipv6/conf/{conf}/{setting}");
        std::fs::write(path, value).expect("it is this namespace's own");
    }
}

fn on_tap(offload: Offload) -> Net {
    settle();
    let tap = Tap::create("nlc0").expect("a TAP interface");
    tap.with_offload(offload)
        .expect("the kernel has it")
        .address("10.71.0.2/24")
        .address("fd71::2/64")
        .kernel_address("10.71.0.1/24")
        .kernel_address("fd71::1/64")
        .start()
        .expect("a running stack")
}

fn on_veth(offload: Offload) -> Net {
    settle();
    create_veth_pair("nlc0", "nlc1").expect("a pair");
    KernelEnd::of("nlc0").unwrap().up().unwrap();
    let mut kernel = KernelEnd::of("nlc1").unwrap();
    kernel.address("10.71.0.1".parse().unwrap(), 24).unwrap();
    kernel.address("fd71::1".parse().unwrap(), 64).unwrap();
    kernel.up().unwrap();
    carries("nlc1");
    let socket = PacketSocket::open("nlc0").expect("a packet socket");
    socket
        .with_offload(offload)
        .address("10.71.0.2/24")
        .address("fd71::2/64")
        .start()
        .expect("a stack")
}

fn connect(net: &Net, to: &str) -> (net::TcpStream, TcpStream) {
    let at = SocketAddr::new(to.parse().unwrap(), 0);
    let listener = TcpListener::bind(at).expect("an address of the kernel's");
    let ours = net.tcp_connect(listener.local_addr().unwrap());
    let (theirs, _) = listener.accept().expect("the handshake is over");
    (ours.expect("the kernel listens"), theirs)
}

/// Sends until told otherwise, checking every byte, while `meanwhile` runs.
fn while_sending(net: &Net, to: &str, meanwhile: impl FnOnce()) {
    let (mut ours, mut theirs) = connect(net, to);
    thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            let mut count = 0_usize;
            loop {
                match theirs
                    .read(&mut buffer)
                    .expect("nothing but the end ends it")
                {
                    0 => return count,
                    len => {
                        let right = (count..count + len).zip(&buffer);
                        assert!(right.into_iter().all(|(at, &byte)| byte == at as u8));
                        count += len;
                    }
                }
            }
        });
        let block: Vec<u8> = (0..1 << 16).map(|at: u32| at as u8).collect();
        let (stop, stopped) = mpsc::channel::<()>();
        let writer = scope.spawn(move || {
            let mut count = 0;
            // Once at least, however late this thread runs first.
            loop {
                ours.write_all(&block).expect("it is open");
                count += block.len();
                if stopped.try_recv() != Err(TryRecvError::Empty) {
                    return count;
                }
            }
        });
        thread::sleep(Duration::from_millis(50));
        meanwhile();
        thread::sleep(Duration::from_millis(50));
        drop(stop);
        let sent = writer.join().expect("no write fails");
        assert_eq!(reader.join().expect("all bytes are right"), sent);
        assert!(sent > 0);
    });
}

/// The longest frame that crosses an interface within a moment.
fn longest_frame(interface: &str) -> usize {
    let mut ear = PacketSocket::open(interface).expect("a packet socket");
    let mut longest = 0;
    let until = Instant::now() + Duration::from_millis(20);
    while Instant::now() < until {
        ear.receive(&mut |frame, _| longest = longest.max(frame.len()));
    }
    longest
}

/// Each of these interfaces: a veth pair's frames are no longer than either end allows.
fn set_mtu(interfaces: &[&str], mtu: u16) {
    for interface in interfaces {
        run(&format!("ip link set {interface} mtu {mtu}"));
    }
}

/// What the stack sends to `to` arrives at the last of the interfaces, the kernel's.
fn segments_follow(net: &Net, to: &str, interfaces: &[&str]) {
    let kernels = interfaces.last().expect("there is one");
    while_sending(net, to, || {
        eventually(&format!("no full segment was ever sent to {to}"), || {
            longest_frame(kernels) == 1500 + 14
        });
        set_mtu(interfaces, 1280);
        eventually(&format!("the new MTU was never heeded to {to}"), || {
            (1000..=1280 + 14).contains(&longest_frame(kernels))
        });
        set_mtu(interfaces, 9000);
        eventually(&format!("no longer segment was ever sent to {to}"), || {
            longest_frame(kernels) == 1500 + 14
        });
    });
    while_sending(net, to, || {
        eventually(&format!("no long segment was ever sent to {to}"), || {
            longest_frame(kernels) == 9000 + 14
        });
    });
}

#[test]
fn segments_follow_the_mtu_in_flight() {
    let needs = [Need::Tun, Need::Program("ip")];
    in_namespace("segments_follow_the_mtu_in_flight", &needs, || {
        for to in KERNELS {
            segments_follow(&on_tap(Offload::None), to, &["nlc0"]);
        }
    });
}

#[test]
fn segments_follow_the_mtu_in_flight_on_veth() {
    let name = "segments_follow_the_mtu_in_flight_on_veth";
    in_namespace(name, &[Need::Program("ip")], || {
        for to in KERNELS {
            segments_follow(&on_veth(Offload::None), to, &["nlc0", "nlc1"]);
            run("ip link delete nlc0");
        }
    });
}

fn super_segments_are_cut(net: &Net, interfaces: &[&str]) {
    for to in KERNELS {
        for mtu in [1280, 9000] {
            while_sending(net, to, || set_mtu(interfaces, mtu));
        }
    }
}

#[test]
fn super_segments_are_cut_to_the_mtu_in_flight() {
    let name = "super_segments_are_cut_to_the_mtu_in_flight";
    in_namespace(name, &[Need::Tun, Need::Program("ip")], || {
        super_segments_are_cut(&on_tap(Offload::Segmentation), &["nlc0"]);
    });
}

#[test]
fn super_segments_are_cut_to_the_mtu_in_flight_on_veth() {
    let name = "super_segments_are_cut_to_the_mtu_in_flight_on_veth";
    in_namespace(name, &[Need::Program("ip")], || {
        super_segments_are_cut(&on_veth(Offload::Segmentation), &["nlc0", "nlc1"]);
    });
}

#[test]
fn a_cable_pulled_and_put_back_loses_no_byte() {
    let needs = [Need::Program("ip")];
    in_namespace("a_cable_pulled_and_put_back_loses_no_byte", &needs, || {
        let net = on_veth(Offload::Segmentation);
        for to in KERNELS {
            while_sending(&net, to, || {
                run("ip link set nlc1 down");
                thread::sleep(Duration::from_millis(300));
                run("ip link set nlc1 up");
                carries("nlc1");
            });
        }
    });
}

#[test]
fn a_tap_down_and_up_loses_no_byte() {
    let needs = [Need::Tun, Need::Program("ip")];
    in_namespace("a_tap_down_and_up_loses_no_byte", &needs, || {
        let net = on_tap(Offload::Segmentation);
        for to in KERNELS {
            while_sending(&net, to, || {
                run("ip link set nlc0 down");
                thread::sleep(Duration::from_millis(300));
                run("ip link set nlc0 up");
            });
        }
    });
}

/// Reads until the device ends it.
fn ends_with_the_device(net: &Net, to: &str, remove: impl FnOnce()) {
    let (mut ours, theirs) = connect(net, to);
    thread::scope(|scope| {
        let reader = scope.spawn(move || ours.read(&mut [0; 16]).map_err(|e| e.kind()));
        thread::sleep(Duration::from_millis(50));
        let before = Instant::now();
        remove();
        let result = reader.join().expect("no panic");
        assert!(before.elapsed() < PATIENCE);
        assert_eq!(result, Err(ErrorKind::NetworkDown));
    });
    drop(theirs);
}

#[test]
fn a_removed_interface_ends_what_it_carried() {
    let needs = [Need::Tun, Need::Program("ip")];
    in_namespace("a_removed_interface_ends_what_it_carried", &needs, || {
        for to in KERNELS {
            let net = on_tap(Offload::Segmentation);
            ends_with_the_device(&net, to, || drop(run("ip link delete nlc0")));
            drop(net);
            let net = on_veth(Offload::Segmentation);
            ends_with_the_device(&net, to, || drop(run("ip link delete nlc1")));
        }
    });
}

/// Datagrams of the kernel's whose checksum it left unfinished arrive, and none counts as bad.
#[test]
fn unfinished_checksums_of_datagrams_are_taken_as_good() {
    let needs = [Need::Tun, Need::Program("ip")];
    in_namespace(
        "unfinished_checksums_of_datagrams_are_taken_as_good",
        &needs,
        || {
            for net in [on_tap(Offload::Segmentation), on_veth_beside()] {
                let ours = net
                    .udp_bind("10.71.0.2:9")
                    .or_else(|_| net.udp_bind("10.72.0.2:9"));
                let ours = ours.expect("one of the addresses");
                ours.set_read_timeout(Some(PATIENCE)).unwrap();
                let kernel = UdpSocket::bind("0.0.0.0:0").unwrap();
                kernel.connect(ours.local_addr().unwrap()).unwrap();
                let mut buffer = [0; 2000];
                for len in [0, 1, 2, 999, 1400] {
                    kernel.send(&vec![len as u8; len]).unwrap();
                    let got = ours.recv(&mut buffer).unwrap();
                    assert!(got == len && buffer[..len].iter().all(|&b| b == len as u8));
                }
                let counters = net.counters();
                assert_eq!(counters.dropped(DropReason::UdpChecksum), 0);
            }
        },
    );
}

fn on_veth_beside() -> Net {
    create_veth_pair("nld0", "nld1").expect("a pair");
    KernelEnd::of("nld0").unwrap().up().unwrap();
    let mut kernel = KernelEnd::of("nld1").unwrap();
    let address = "10.72.0.1".parse().unwrap();
    kernel.address(address, 24).unwrap().up().unwrap();
    carries("nld1");
    let socket = PacketSocket::open("nld0").expect("a packet socket");
    socket.address("10.72.0.2/24").start().expect("a stack")
}
