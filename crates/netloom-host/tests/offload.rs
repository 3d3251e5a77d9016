//! Bulk transfers between a stack and the kernel with and without offloads: every byte right,
//! no checksum counted as bad, and far fewer frames than segments where frames may be merged.
#![cfg(target_os = "linux")]

mod common;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use common::{Need, carries, in_namespace};
use netloom_host::device::{
    Counters, KernelEnd, Offload, PacketSocket, Tap, Tun, create_veth_pair,
};
use netloom_host::net::Net;

/// Bytes each way.
const MUCH: usize = 256 << 20;
/// The same for the combinations that are slow.
const LESS: usize = 16 << 20;

/// What is sent: a block whose length no segment, buffer or page divides, over and over.
struct Pattern {
    block: Vec<u8>,
    at: usize,
}

impl Pattern {
    fn new() -> Pattern {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let block = (0..65_521)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state as u8
            })
            .collect();
        Pattern { block, at: 0 }
    }

    fn next(&mut self, most: usize) -> &[u8] {
        let start = self.at % self.block.len();
        let end = self.block.len().min(start + most);
        self.at += end - start;
        &self.block[start..end]
    }
}

fn send_pattern(mut to: impl Write, len: usize) {
    let mut pattern = Pattern::new();
    let mut left = len;
    while left > 0 {
        let piece = pattern.next(left);
        left -= piece.len();
        to.write_all(piece).expect("the other end reads on");
    }
}

fn receive_pattern(mut from: impl Read, len: usize) {
    let mut pattern = Pattern::new();
    let mut buffer = vec![0; 1 << 18];
    let mut received = 0;
    loop {
        let count = from.read(&mut buffer).expect("the other end writes on");
        if count == 0 {
            break;
        }
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            let piece = pattern.next(rest.len());
            let (head, tail) = rest.split_at(piece.len());
            assert!(head == piece, "wrong bytes after {received}");
            received += head.len();
            rest = tail;
        }
    }
    assert_eq!(received, len);
}

/// Moves `len` bytes to the kernel and as many back; returns what the device counted meanwhile.
fn both_ways(net: &Net, listen: &str, len: usize) -> Counters {
    let before = net.device_counters();
    let listener = TcpListener::bind(listen).expect("the kernel has the address");
    let address = listener.local_addr().expect("it is bound");
    let ours = net.tcp_connect(address).expect("the kernel listens");
    let (theirs, _) = listener.accept().expect("the handshake is over");
    thread::scope(|scope| {
        scope.spawn(|| {
            send_pattern(&ours, len);
            ours.shutdown(Shutdown::Write).expect("it is open");
        });
        scope
            .spawn(|| receive_pattern(&theirs, len))
            .join()
            .expect("right bytes out");
        scope.spawn(|| {
            send_pattern(&theirs, len);
            theirs.shutdown(Shutdown::Write).expect("it is open");
        });
        receive_pattern(&ours, len);
    });
    drop::<TcpStream>(theirs);
    let mut counters = net.device_counters();
    counters.rx_frames -= before.rx_frames;
    counters.tx_frames -= before.tx_frames;
    counters
}

/// Checks a transfer over both IP versions.
fn check(net: &Net, offload: Offload, len: usize) {
    for listen in ["10.71.0.1:0", "[fd71::1]:0"] {
        let counters = both_ways(net, listen, len);
        assert_eq!((counters.tx_dropped, counters.rx_dropped), (0, 0));
        let segments = len as u64 / 1448;
        match offload {
            Offload::Segmentation => {
                // Acknowledgements included.
                assert!(counters.tx_frames < segments, "{listen} {counters:?}");
                assert!(counters.rx_frames < segments, "{listen} {counters:?}");
            }
            // What arrives at a packet socket is as its sender made it.
            Offload::None | Offload::Checksum => {
                assert!(counters.tx_frames > segments, "{listen} {counters:?}");
            }
        }
    }
    let dropped = net.counters();
    assert_eq!(dropped.dropped(netloom_stack::DropReason::TcpChecksum), 0);
}

fn on_tap(offload: Offload) -> Net {
    let tap = Tap::create("nlo%d").expect("a TAP interface");
    tap.with_offload(offload)
        .expect("the kernel has it")
        .address("10.71.0.2/24")
        .address("fd71::2/64")
        .kernel_address("10.71.0.1/24")
        .kernel_address("fd71::1/64")
        .start()
        .expect("a running stack")
}

fn on_tun(offload: Offload) -> Net {
    let tun = Tun::create("nlo%d").expect("a TUN interface");
    tun.with_offload(offload)
        .expect("the kernel has it")
        .address("10.71.0.2/24")
        .address("fd71::2/64")
        .kernel_address("10.71.0.1/24")
        .kernel_address("fd71::1/64")
        .start()
        .expect("a running stack")
}

/// On one end of a veth pair, the kernel having the other.
fn on_veth(offload: Offload) -> Net {
    create_veth_pair("nlo0", "nlo1").expect("a pair");
    let kernel = |name, addresses: &[&str]| {
        let mut end = KernelEnd::of(name).expect("the interface");
        for address in addresses {
            let address = address.parse().expect("an address");
            end.address(address, 24)
                .expect("an address of the kernel's");
        }
        end.up().expect("it is up");
    };
    kernel("nlo0", &[]);
    kernel("nlo1", &["10.71.0.1", "fd71::1"]);
    carries("nlo1");
    let socket = PacketSocket::open("nlo0").expect("a packet socket");
    socket
        .with_offload(offload)
        .address("10.71.0.2/24")
        .address("fd71::2/64")
        .start()
        .expect("a running stack")
}

#[test]
fn packet_socket_with_segmentation() {
    let needs = [Need::Program("ip")];
    in_namespace("packet_socket_with_segmentation", &needs, || {
        check(&on_veth(Offload::Segmentation), Offload::Segmentation, MUCH);
    });
}

#[test]
fn packet_socket_without() {
    let needs = [Need::Program("ip")];
    in_namespace("packet_socket_without", &needs, || {
        check(&on_veth(Offload::None), Offload::None, LESS);
    });
}

#[test]
fn tap_with_segmentation() {
    in_namespace("tap_with_segmentation", &[Need::Tun], || {
        check(&on_tap(Offload::Segmentation), Offload::Segmentation, MUCH);
    });
}

#[test]
fn tun_with_segmentation() {
    in_namespace("tun_with_segmentation", &[Need::Tun], || {
        check(&on_tun(Offload::Segmentation), Offload::Segmentation, LESS);
    });
}

#[test]
fn with_checksums_alone_and_with_nothing() {
    in_namespace(
        "with_checksums_alone_and_with_nothing",
        &[Need::Tun],
        || {
            for offload in [Offload::Checksum, Offload::None] {
                check(&on_tap(offload), offload, LESS);
                check(&on_tun(offload), offload, LESS);
            }
        },
    );
}
