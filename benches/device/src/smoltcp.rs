//! smoltcp 0.14 with CUBIC, behind an adapter for the same TAP interface with the same offloads.
//!
//! smoltcp knows neither checksum nor segmentation offload. The adapter stores the sum of the
//! pseudo-header where the kernel is to finish a checksum, and names an MTU of 64 KiB: then a
//! segment of smoltcp's is a super-segment that the kernel cuts. The kernel's own MSS must not
//! stand in the way: its route advertises one of 64 KiB, to every station alike.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::time::Instant as Clock;

use netloom_driver::Driver;
use netloom_host::device::{Offload, Tap, Waiter};
use smoltcp::iface::{Config, Interface, PollIngressSingleResult, PollResult, SocketSet};
use smoltcp::phy::{Checksum, Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp::{CongestionControl, Socket, SocketBuffer};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpAddress, IpCidr};

use netloom_bench_device::station::{BUFFER, CHUNK, NAP, ROOMY, STATION, Service, Stop};
use netloom_bench_device::vnet;

/// Frames received between two looks at the sockets: as many as a netloom device hands over.
const BATCH: usize = 64;
/// Bytes of the link's header.
const ETHERNET: usize = 14;

struct Port {
    file: File,
    offload: bool,
    rx: Box<[u8]>,
    tx: Box<[u8]>,
}

struct Rx<'a>(&'a [u8]);
struct Tx<'a> {
    file: &'a File,
    offload: bool,
    buffer: &'a mut [u8],
}

impl RxToken for Rx<'_> {
    #[inline]
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

impl TxToken for Tx<'_> {
    #[inline]
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let (header, rest) = self.buffer.split_at_mut(vnet::HEADER_LEN);
        let frame = &mut rest[..len];
        let result = f(frame);
        header.fill(0);
        if self.offload {
            vnet::finish(header, frame, ETHERNET);
        }
        let mut file = self.file;
        // A frame the kernel does not take is lost, as on a wire.
        let _ = file.write(&self.buffer[..vnet::HEADER_LEN + len]);
        result
    }
}

impl Device for Port {
    type RxToken<'a> = Rx<'a>;
    type TxToken<'a> = Tx<'a>;

    #[inline]
    fn receive(&mut self, _now: Instant) -> Option<(Rx<'_>, Tx<'_>)> {
        let len = self.file.read(&mut self.rx).ok()?;
        let tx = Tx {
            file: &self.file,
            offload: self.offload,
            buffer: &mut self.tx,
        };
        Some((Rx(self.rx.get(vnet::HEADER_LEN..len)?), tx))
    }

    #[inline]
    fn transmit(&mut self, _now: Instant) -> Option<Tx<'_>> {
        Some(Tx {
            file: &self.file,
            offload: self.offload,
            buffer: &mut self.tx,
        })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut caps = DeviceCapabilities::default();
        caps.medium = Medium::Ethernet;
        caps.max_transmission_unit = ETHERNET + if self.offload { 65_535 } else { 1500 };
        if self.offload {
            caps.checksum.tcp = Checksum::None;
        }
        caps
    }
}

/// A station on a TAP interface.
pub(crate) fn run(tap: Tap, stop: &Stop) {
    let mut tap = tap;
    let offload = tap.offload() != Offload::None;
    let mut port = Port {
        file: File::from(tap.as_fd().try_clone_to_owned().expect("a descriptor")),
        offload,
        rx: vec![0; 1 << 17].into(),
        tx: vec![0; 1 << 17].into(),
    };
    // The device itself serves only to be waited for.
    let _ = tap.sink();
    let mut config = Config::new(HardwareAddress::Ethernet(EthernetAddress(tap.mac())));
    config.random_seed = 7;
    let mut interface = Interface::new(config, &mut port, Instant::ZERO);
    interface.update_ip_addrs(|addresses| {
        let [a, b, c, d] = STATION;
        addresses
            .push(IpCidr::new(IpAddress::v4(a, b, c, d), 24))
            .expect("room for an address");
    });
    let mut sockets = SocketSet::new(Vec::new());
    let listeners = Service::ALL.map(|service| {
        let buffer = || SocketBuffer::new(vec![0; BUFFER]);
        let mut socket = Socket::new(buffer(), buffer());
        socket.set_congestion_control(CongestionControl::Cubic);
        socket.set_nagle_enabled(service == Service::Generate);
        socket.listen(service.port()).expect("a free port");
        (service, sockets.add(socket))
    });
    let mut waiter = Waiter::new().expect("a descriptor is free");
    let origin = Clock::now();
    let now = || Instant::from_micros(1_000_000 + origin.elapsed().as_micros() as i64);
    let mut chunk = vec![0; CHUNK];
    while !stop.is_told() {
        let delay = interface.poll_delay(now(), &sockets);
        let timeout = delay.map_or(NAP, |delay| NAP.min(delay.into()));
        waiter.wait(&[&tap], Some(timeout)).expect("waiting works");
        for _ in 0..BATCH {
            let found = interface.poll_ingress_single(now(), &mut port, &mut sockets);
            if found == PollIngressSingleResult::None {
                break;
            }
        }
        for &(service, handle) in &listeners {
            serve(sockets.get_mut(handle), service, &mut chunk);
        }
        // Sending made room for more, as long as the peer's window lasts.
        while interface.poll_egress(now(), &mut port, &mut sockets)
            == PollResult::SocketStateChanged
        {
            let (_, generator) = listeners[2];
            generate(sockets.get_mut(generator), &chunk);
        }
    }
}

/// Writes a chunk to a socket that is connected, if there is room enough.
fn generate(socket: &mut Socket<'_>, chunk: &[u8]) {
    if socket.can_send() && socket.send_queue() < ROOMY {
        let _ = socket.send_slice(chunk);
    }
}

/// Does what the program on top would do.
fn serve(socket: &mut Socket<'_>, service: Service, chunk: &mut [u8]) {
    if !socket.is_open() {
        socket.listen(service.port()).expect("it is closed");
    }
    match service {
        Service::Echo => {
            while socket.can_recv() {
                let len = socket.recv_slice(chunk).unwrap_or(0);
                let _ = socket.send_slice(&chunk[..len]);
            }
        }
        Service::Discard => {
            while socket.can_recv() {
                let _ = socket.recv_slice(chunk);
            }
        }
        Service::Generate => {
            generate(socket, chunk);
        }
    }
    if socket.may_send() && !socket.may_recv() {
        socket.abort();
    }
}
