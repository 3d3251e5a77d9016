//! The device's own limit: a program that only fakes TCP, for one connection at a time.
//!
//! Its headers are constant but for the numbers the kernel would drop a segment over; it keeps
//! the kernel's window and nothing else: no buffers, no timers, no retransmission, no copies.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;

use netloom_host::device::{Device, Offload, Tap, Tun, Waiter};
use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::station::{BUFFER, NAP, STATION, Service, Stop};
use crate::vnet::{self, HEADER_LEN, MSS};

/// The link's header on a TAP interface, and on a TUN interface.
const ETHERNET: usize = 14;
const BARE: usize = 0;

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const PSH: u8 = 8;
const ACK: u8 = 16;

/// Frames sent between two looks at what arrived.
const BURST: usize = 16;
/// Whole segments in a super-segment.
const MERGED: usize = 44;

/// Frames have `LINK` bytes of a link's header.
struct Fake<const LINK: usize> {
    file: File,
    offload: bool,
    /// Payload of a full frame: a super-segment's, or one segment's.
    full: usize,
    mac: [u8; 6],
    rx: Box<[u8]>,
    /// A frame to the kernel, its payload all zeros.
    tx: Box<[u8]>,
    service: Option<Service>,
    snd_nxt: u32,
    snd_una: u32,
    rcv_nxt: u32,
    window: u32,
    scale: u8,
}

/// A station on a TAP interface that reads until something comes, and can wait for nothing else.
pub fn run(tap: Tap, stop: &Stop) {
    Fake::<ETHERNET>::new(&tap, tap.offload(), tap.mac()).run(&tap, stop, true);
}

/// The same, waiting in echoes too as a program must that has timers and other threads.
pub fn run_waiting(tap: Tap, stop: &Stop) {
    Fake::<ETHERNET>::new(&tap, tap.offload(), tap.mac()).run(&tap, stop, false);
}

/// A station behind a TUN interface, for whatever address is asked for.
pub fn run_tun(tun: Tun, stop: &Stop) {
    Fake::<BARE>::new(&tun, tun.offload(), [0; 6]).run(&tun, stop, true);
}

impl<const LINK: usize> Fake<LINK> {
    const IP: usize = HEADER_LEN + LINK;
    const TCP: usize = Self::IP + 20;
    const PAYLOAD: usize = Self::TCP + 20;

    fn new(device: &impl AsFd, offload: Offload, mac: [u8; 6]) -> Fake<LINK> {
        let offload = offload != Offload::None;
        Fake {
            file: File::from(device.as_fd().try_clone_to_owned().expect("a descriptor")),
            offload,
            full: if offload { MERGED * MSS } else { MSS },
            mac,
            rx: vec![0; 1 << 17].into(),
            tx: vec![0; 1 << 17].into(),
            service: None,
            snd_nxt: 0,
            snd_una: 0,
            rcv_nxt: 0,
            window: 0,
            scale: 0,
        }
    }

    fn run(&mut self, device: &dyn Device, stop: &Stop, blocking: bool) {
        let mut waiter = Waiter::new().expect("a descriptor is free");
        while !stop.is_told() {
            waiter.wait(&[device], Some(NAP)).expect("waiting works");
            while self.receive_all() > 0 {
                match self.service {
                    Some(Service::Generate) => self.generate(),
                    Some(Service::Echo) if blocking => self.echo(),
                    Some(Service::Echo) => self.echo_waiting(&mut waiter, device),
                    Some(Service::Discard) | None => {}
                }
            }
        }
    }

    /// Takes in what there is, and acknowledges it if it was data.
    fn receive_all(&mut self) -> usize {
        let mut count = 0;
        let before = self.rcv_nxt;
        while let Ok(len) = self.file.read(&mut self.rx) {
            count += 1;
            self.receive(len);
            if self.service == Some(Service::Echo) {
                break;
            }
        }
        if self.service == Some(Service::Discard) && self.rcv_nxt != before {
            self.send(ACK, 0);
        }
        count
    }

    fn receive(&mut self, len: usize) {
        if LINK > 0 && self.rx[Self::IP - 2..Self::IP] == [8, 6] {
            self.answer_arp();
        } else if len >= Self::PAYLOAD && self.rx[Self::IP] == 0x45 && self.rx[Self::IP + 9] == 6 {
            self.segment(len);
        }
    }

    fn answer_arp(&mut self) {
        let request = &self.rx[Self::IP..Self::IP + 28];
        if request[7] != 1 || request[24..28] != STATION {
            return;
        }
        let (theirs, kernel) = (&request[8..14], &request[14..18]);
        let frame = &mut self.tx[..Self::IP + 28];
        frame.fill(0);
        frame[HEADER_LEN..HEADER_LEN + 6].copy_from_slice(theirs);
        frame[HEADER_LEN + 6..HEADER_LEN + 12].copy_from_slice(&self.mac);
        frame[HEADER_LEN + 12..Self::IP + 8].copy_from_slice(&[8, 6, 0, 1, 8, 0, 6, 4, 0, 2]);
        frame[Self::IP + 8..Self::IP + 14].copy_from_slice(&self.mac);
        frame[Self::IP + 14..Self::IP + 18].copy_from_slice(&STATION);
        frame[Self::IP + 18..Self::IP + 24].copy_from_slice(theirs);
        frame[Self::IP + 24..Self::IP + 28].copy_from_slice(kernel);
        let _ = (&self.file).write(&self.tx[..Self::IP + 28]);
    }

    #[inline]
    fn segment(&mut self, len: usize) {
        let frame = &self.rx[..len];
        let word = |at: usize| {
            u32::from_be_bytes([frame[at], frame[at + 1], frame[at + 2], frame[at + 3]])
        };
        let half = |at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
        let (seq, ack, flags) = (
            word(Self::TCP + 4),
            word(Self::TCP + 8),
            frame[Self::TCP + 13],
        );
        let data = len - Self::TCP - usize::from(frame[Self::TCP + 12] >> 4) * 4;
        if flags & SYN != 0 {
            self.rcv_nxt = seq.wrapping_add(1);
            self.service = Service::of_port(half(Self::TCP + 2));
            self.open(len);
            return;
        }
        // Whatever is left of the connection of another run.
        if frame[Self::TCP..Self::TCP + 2] != self.tx[Self::TCP + 2..Self::TCP + 4] {
            return;
        }
        if flags & RST != 0 || self.service.is_none() {
            self.service = None;
            return;
        }
        if flags & ACK != 0 {
            self.snd_una = ack;
            self.window = u32::from(half(Self::TCP + 14)) << self.scale;
        }
        if seq == self.rcv_nxt {
            self.rcv_nxt = self.rcv_nxt.wrapping_add(data as u32);
        }
        if flags & FIN != 0 {
            self.send(RST | ACK, 0);
            self.service = None;
        }
    }

    /// Answers a SYN of `len` bytes, which stands in the receive buffer.
    fn open(&mut self, len: usize) {
        let options = &self.rx[Self::PAYLOAD..len];
        let scale = options.windows(3).find(|o| o[..2] == [3, 3]);
        self.scale = scale.map_or(0, |o| o[2]);
        let (rx, tx) = (&self.rx, &mut self.tx);
        tx.fill(0);
        if LINK > 0 {
            tx[HEADER_LEN..HEADER_LEN + 6].copy_from_slice(&rx[HEADER_LEN + 6..HEADER_LEN + 12]);
            tx[HEADER_LEN + 6..HEADER_LEN + 12].copy_from_slice(&self.mac);
            tx[HEADER_LEN + 12..Self::IP].copy_from_slice(&[8, 0]);
        }
        tx[Self::IP..Self::IP + 2].copy_from_slice(&[0x45, 0]);
        tx[Self::IP + 6..Self::IP + 10].copy_from_slice(&[0x40, 0, 64, 6]);
        tx[Self::IP + 12..Self::IP + 16].copy_from_slice(&rx[Self::IP + 16..Self::IP + 20]);
        tx[Self::IP + 16..Self::IP + 20].copy_from_slice(&rx[Self::IP + 12..Self::IP + 16]);
        tx[Self::TCP..Self::TCP + 2].copy_from_slice(&rx[Self::TCP + 2..Self::TCP + 4]);
        tx[Self::TCP + 2..Self::TCP + 4].copy_from_slice(&rx[Self::TCP..Self::TCP + 2]);
        tx[Self::TCP + 12] = 7 << 4;
        // As much as the queue of the interface holds segments; on a TAP interface that is as much
        // as the others have buffer. A TUN interface's is half as long.
        let most = if LINK > 0 { BUFFER } else { BUFFER / 2 };
        let window = (most >> 7) as u16;
        tx[Self::TCP + 14..Self::TCP + 16].copy_from_slice(&window.to_be_bytes());
        tx[Self::PAYLOAD..Self::PAYLOAD + 8].copy_from_slice(&[2, 4, 5, 0xb4, 3, 3, 7, 1]);
        self.snd_nxt = 1;
        self.send(SYN | ACK, 8);
        self.snd_nxt = 2;
        self.snd_una = 2;
        self.tx[Self::TCP + 12] = 5 << 4;
        self.tx[Self::PAYLOAD..Self::PAYLOAD + 8].fill(0);
    }

    /// Sends a segment with `len` bytes of what stands in the buffer.
    #[inline]
    fn send(&mut self, flags: u8, len: usize) {
        let total = (Self::PAYLOAD + len - Self::IP) as u16;
        let tx = &mut self.tx[..Self::PAYLOAD + len];
        tx[Self::IP + 2..Self::IP + 4].copy_from_slice(&total.to_be_bytes());
        tx[Self::IP + 10..Self::IP + 12].fill(0);
        let sum = !vnet::fold(vnet::sum(&tx[Self::IP..Self::TCP], 0)) as u16;
        tx[Self::IP + 10..Self::IP + 12].copy_from_slice(&sum.to_be_bytes());
        tx[Self::TCP + 4..Self::TCP + 8].copy_from_slice(&self.snd_nxt.to_be_bytes());
        tx[Self::TCP + 8..Self::TCP + 12].copy_from_slice(&self.rcv_nxt.to_be_bytes());
        tx[Self::TCP + 13] = flags;
        tx[Self::TCP + 16..Self::TCP + 18].fill(0);
        let (header, frame) = tx.split_at_mut(HEADER_LEN);
        header.fill(0);
        if self.offload {
            vnet::finish(header, frame, LINK);
        } else {
            let tcp = Self::TCP - HEADER_LEN;
            // Payload is zeros, or the options of a SYN.
            let summed = frame.len().min(tcp + 28);
            let sum = vnet::sum(&frame[tcp..summed], vnet::pseudo_header(frame, LINK, tcp));
            let sum = !vnet::fold(sum) as u16;
            frame[tcp + 16..tcp + 18].copy_from_slice(&sum.to_be_bytes());
        }
        let _ = (&self.file).write(&self.tx[..Self::PAYLOAD + len]);
    }

    /// Sends as much as the kernel's window takes.
    fn generate(&mut self) {
        while self.service == Some(Service::Generate) {
            let full = self.full as u32;
            let mut sent = 0;
            while sent < BURST
                && self.snd_nxt.wrapping_sub(self.snd_una).wrapping_add(full) <= self.window
            {
                self.send(ACK, self.full);
                self.snd_nxt = self.snd_nxt.wrapping_add(full);
                sent += 1;
            }
            if self.receive_all() == 0 && sent == 0 {
                return;
            }
        }
    }

    /// Sends back a byte for each that arrives, with as few system calls as there can be.
    fn echo(&mut self) {
        self.set_blocking(true);
        while self.service == Some(Service::Echo) {
            let before = self.rcv_nxt;
            let Ok(len) = self.file.read(&mut self.rx) else {
                break;
            };
            self.receive(len);
            if self.rcv_nxt != before {
                self.send(ACK | PSH, 1);
                self.snd_nxt = self.snd_nxt.wrapping_add(1);
            }
        }
        self.set_blocking(false);
    }

    fn echo_waiting(&mut self, waiter: &mut Waiter, device: &dyn Device) {
        while self.service == Some(Service::Echo) {
            waiter.wait(&[device], Some(NAP)).expect("waiting works");
            let before = self.rcv_nxt;
            let Ok(len) = self.file.read(&mut self.rx) else {
                continue;
            };
            self.receive(len);
            if self.rcv_nxt != before {
                self.send(ACK | PSH, 1);
                self.snd_nxt = self.snd_nxt.wrapping_add(1);
            }
        }
    }

    fn set_blocking(&self, blocking: bool) {
        let flags = if blocking {
            OFlag::empty()
        } else {
            OFlag::O_NONBLOCK
        };
        fcntl(&self.file, FcntlArg::F_SETFL(flags)).expect("the descriptor is open");
    }
}
