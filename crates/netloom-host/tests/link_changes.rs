//! An interface that changes while it is in use: its MTU, its carrier, its end.
#![cfg(target_os = "linux")]

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{self, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use common::{Need, PATIENCE, carries, eventually, in_namespace, run};
use netloom_driver::Driver;
use netloom_host::device::{KernelEnd, Offload, PacketSocket, Tap, create_veth_pair};
use netloom_host::net::{self, Net};
use netloom_stack::DropReason;

fn on_tap(offload: Offload) -> Net {
    let tap = Tap::create("nlc0").expect("a TAP interface");
    tap.with_offload(offload)
        .expect("the kernel has it")
        .address("10.71.0.2/24")
        .kernel_address("10.71.0.1/24")
        .start()
        .expect("a running stack")
}

fn on_veth() -> Net {
    create_veth_pair("nlc0", "nlc1").expect("a pair");
    KernelEnd::of("nlc0").unwrap().up().unwrap();
    let mut kernel = KernelEnd::of("nlc1").unwrap();
    let address = "10.71.0.1".parse().unwrap();
    kernel.address(address, 24).unwrap().up().unwrap();
    carries("nlc1");
    let socket = PacketSocket::open("nlc0").expect("a packet socket");
    socket.address("10.71.0.2/24").start().expect("a stack")
}

fn connect(net: &Net) -> (net::TcpStream, TcpStream) {
    let listener = TcpListener::bind("10.71.0.1:0").expect("an address of the kernel's");
    let ours = net.tcp_connect(listener.local_addr().unwrap());
    let (theirs, _) = listener.accept().expect("the handshake is over");
    (ours.expect("the kernel listens"), theirs)
}

/// Sends until told otherwise, checking every byte, while `meanwhile` runs.
fn while_sending(net: &Net, meanwhile: impl FnOnce()) {
    let (mut ours, mut theirs) = connect(net);
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

#[test]
fn segments_follow_the_mtu_in_flight() {
    let needs = [Need::Tun, Need::Program("ip")];
    in_namespace("segments_follow_the_mtu_in_flight", &needs, || {
        let net = on_tap(Offload::None);
        while_sending(&net, || {
            eventually("no full segment was ever sent", || {
                longest_frame("nlc0") == 1500 + 14
            });
            run("ip link set nlc0 mtu 1280");
            eventually("the new MTU was never heeded", || {
                (1000..=1280 + 14).contains(&longest_frame("nlc0"))
            });
        });
    });
}

#[test]
fn super_segments_are_cut_to_the_mtu_in_flight() {
    let needs = [Need::Tun, Need::Program("ip")];
    in_namespace(
        "super_segments_are_cut_to_the_mtu_in_flight",
        &needs,
        || {
            let net = on_tap(Offload::Segmentation);
            while_sending(&net, || drop(run("ip link set nlc0 mtu 1280")));
            while_sending(&net, || drop(run("ip link set nlc0 mtu 9000")));
        },
    );
}

#[test]
fn a_cable_pulled_and_put_back_loses_no_byte() {
    let needs = [Need::Program("ip")];
    in_namespace("a_cable_pulled_and_put_back_loses_no_byte", &needs, || {
        let net = on_veth();
        while_sending(&net, || {
            run("ip link set nlc1 down");
            thread::sleep(Duration::from_millis(300));
            run("ip link set nlc1 up");
            carries("nlc1");
        });
    });
}

#[test]
fn a_tap_down_and_up_loses_no_byte() {
    let needs = [Need::Tun, Need::Program("ip")];
    in_namespace("a_tap_down_and_up_loses_no_byte", &needs, || {
        let net = on_tap(Offload::Segmentation);
        while_sending(&net, || {
            run("ip link set nlc0 down");
            thread::sleep(Duration::from_millis(300));
            run("ip link set nlc0 up");
        });
    });
}

/// Reads until the device ends it.
fn ends_with_the_device(net: &Net, remove: impl FnOnce()) {
    let (mut ours, theirs) = connect(net);
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
        let net = on_tap(Offload::Segmentation);
        ends_with_the_device(&net, || drop(run("ip link delete nlc0")));
        drop(net);
        let net = on_veth();
        ends_with_the_device(&net, || drop(run("ip link delete nlc1")));
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
