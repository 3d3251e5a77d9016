//! Two stacks on a cable, what may happen to them, and what comes of it.

use core::net::SocketAddr;
use std::collections::VecDeque;
use std::format;
use std::string::String;
use std::vec;
use std::vec::Vec;

use netloom_driver::{
    Driver, FrameSink, Full, Instant, Receiver, RxChecksum, RxMeta, TxCaps, TxMeta,
};
use netloom_wire::MacAddr;
use proptest::prelude::*;

use crate::tcp::How;
use crate::{Config, IfaceId, InterfaceConfig, Limits, ListenerHandle, Seed, Stack, TcpHandle};

pub(super) const IFACE: IfaceId = IfaceId::FIRST;
/// One more at each end, without an address.
const SECOND: IfaceId = IfaceId(2);

/// One direction of a cable between devices that cut and merge segments.
#[derive(Default)]
pub(super) struct Wire {
    pub(super) frames: VecDeque<(Vec<u8>, RxMeta)>,
    /// Its devices finish no checksum and cut nothing; their frames are long all the same.
    bare: bool,
}

impl FrameSink for Wire {
    fn caps(&self) -> TxCaps {
        if self.bare {
            return TxCaps::plain(65_535);
        }
        TxCaps {
            mtu: 1500,
            checksum: true,
            gso_max: 65_535,
        }
    }

    fn frame(
        &mut self,
        len: usize,
        meta: &TxMeta,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), Full> {
        let mut frame = vec![0; len];
        fill(&mut frame);
        let meta = RxMeta {
            checksum: match meta.checksum {
                Some(partial) => RxChecksum::Partial(partial),
                None => RxChecksum::Unverified,
            },
            gso_size: meta.gso.map_or(0, |gso| gso.size),
        };
        self.frames.push_back((frame, meta));
        Ok(())
    }
}

/// The far end of a wire, at which so many frames have arrived.
pub(super) struct End<'w> {
    wire: &'w mut Wire,
    arrived: usize,
    /// Reads into pieces of memory, as a TAP device does.
    pieces: bool,
    /// Bytes that stood in pieces.
    apart: &'w mut usize,
    /// What the device's memory holds of earlier frames.
    stale: &'w mut Vec<u8>,
}

impl End<'_> {
    fn next(&mut self) -> Option<(Vec<u8>, RxMeta)> {
        self.arrived = self.arrived.checked_sub(1)?;
        self.wire.frames.pop_front()
    }
}

impl Driver for End<'_> {
    fn receive(&mut self, each: &mut dyn FnMut(&[u8], &RxMeta)) -> usize {
        let mut count = 0;
        while let Some((frame, meta)) = self.next() {
            each(&frame, &meta);
            count += 1;
        }
        count
    }

    fn receive_into(&mut self, receiver: &mut dyn Receiver) -> usize {
        if !self.pieces {
            return self.receive(&mut |frame, meta| receiver.frame(frame, meta));
        }
        let mut count = 0;
        loop {
            // As a device does that takes so many frames at a time.
            if self.arrived == 0 {
                return count;
            }
            let place = receiver.place();
            let Some((frame, meta)) = self.next() else {
                return count;
            };
            count += 1;
            let (head, rest) = frame.split_at(place.head_len.min(frame.len()));
            let (first, second) = place.pieces;
            let mut memory = core::mem::take(self.stale);
            memory.resize(frame.len().max(memory.len()), 0xee);
            let rest_of = memory.split_off(frame.len());
            memory[..head.len()].copy_from_slice(head);
            let one = rest.len().min(first.len());
            first[..one].copy_from_slice(&rest[..one]);
            let two = (rest.len() - one).min(second.len());
            second[..two].copy_from_slice(&rest[one..one + two]);
            let apart = one + two;
            memory[head.len() + apart..].copy_from_slice(&rest[apart..]);
            *self.apart += apart;
            if apart > 0 {
                receiver.frame_apart(&mut memory, &meta, apart);
            } else {
                receiver.frame(&memory, &meta);
            }
            memory.extend(rest_of);
            *self.stale = memory;
        }
    }

    fn sink(&mut self) -> &mut dyn FrameSink {
        self.wire
    }
}

#[derive(Debug, Clone)]
pub(super) enum Op {
    Write(usize, usize, usize),
    Read(usize, usize, usize),
    Send(usize),
    /// Hands the oldest frames from a side to the other.
    Deliver(usize, usize),
    /// Breaks a byte of the oldest frame from a side.
    Break(usize, usize, u8),
    /// The device of the other side leaves the oldest frame's checksum to its stack.
    Doubt(usize),
    Lose(usize),
    Repeat(usize),
    Overtake(usize),
    Sleep(u64),
    ShutWrite(usize, usize),
    ShutRead(usize, usize),
    Close(usize, usize),
    /// Changes the oldest frame's shape: a tag, padding, options, an extension header, or a cut.
    Shape(usize, u8, usize),
    /// A copy of the oldest frame comes before it, with other text, a sequence number so much further
    /// on, and perhaps other flags; whether the device says that its checksum is right.
    Forge(usize, i32, bool, u8),
    /// A stack sends itself so much.
    Local(usize, usize),
    /// Frames to a side come by the other interface from now on.
    Switch(usize),
    /// Aborts a connection and makes another, which may lie where it lay.
    Reopen(usize),
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    // Mostly one way, in one of two connections.
    let side = || prop_oneof![5 => Just(0usize), 1 => Just(1usize)];
    let conn = || prop_oneof![5 => Just(0usize), 1 => Just(1usize)];
    let conn1 = || prop_oneof![4 => Just(1usize), 1 => Just(0usize)];
    let len = || prop_oneof![1 => 1usize..3000, 4 => 20_000usize..140_000];
    prop_oneof![
        10 => (side(), conn(), len()).prop_map(|(s, c, n)| Op::Write(s, c, n)),
        10 => (side(), conn(), len()).prop_map(|(s, c, n)| Op::Read(1 - s, c, n)),
        12 => (0usize..2).prop_map(Op::Send),
        16 => (0usize..2, 1usize..5).prop_map(|(s, n)| Op::Deliver(s, n)),
        1 => (side(), 0usize..120, 1u8..=255).prop_map(|(s, at, by)| Op::Break(s, at, by)),
        1 => side().prop_map(Op::Doubt),
        1 => side().prop_map(Op::Lose),
        1 => side().prop_map(Op::Repeat),
        1 => side().prop_map(Op::Overtake),
        3 => prop_oneof![20 => 1u64..2_000, 5 => 1u64..600_000, 1 => 1u64..70_000_000]
            .prop_map(Op::Sleep),
        1 => (0usize..2, conn1()).prop_map(|(s, c)| Op::ShutWrite(s, c)),
        1 => (0usize..2, conn1()).prop_map(|(s, c)| Op::ShutRead(s, c)),
        1 => (0usize..2, conn1()).prop_map(|(s, c)| Op::Close(s, c)),
        2 => (side(), 0u8..6, 1usize..400).prop_map(|(s, k, n)| Op::Shape(s, k, n)),
        2 => (side(), prop_oneof![3 => Just(0i32), 2 => -70_000i32..70_000], any::<bool>(), 0u8..64).prop_map(|(s, d, b, f)| Op::Forge(s, d, b, f)),
        2 => (0usize..2, prop_oneof![20usize..200, 20_000usize..80_000]).prop_map(|(s, n)| Op::Local(s, n)),
        1 => (0usize..2).prop_map(Op::Switch),
        1 => conn1().prop_map(Op::Reopen),
    ]
}

pub(super) struct World {
    pub(super) now: u64,
    pub(super) stacks: [Stack; 2],
    pub(super) wires: [Wire; 2],
    pub(super) conns: [[TcpHandle; 2]; 2],
    pub(super) written: [[u32; 2]; 2],
    pieces: bool,
    /// Bytes that stood in pieces when their frame was taken in.
    pub(super) apart: usize,
    /// Connections of each stack with itself.
    locals: [Option<(TcpHandle, TcpHandle)>; 2],
    stale: Vec<u8>,
    /// By which interface frames to each come.
    by: [IfaceId; 2],
    ethernet: bool,
    v6: bool,
    listener: ListenerHandle,
}

impl World {
    pub(super) fn new(ethernet: bool, v6: bool, pieces: bool) -> World {
        World::over(ethernet, v6, pieces, false, 1 << 30)
    }

    /// Over a bare wire or not, and with so much memory for text in each stack.
    pub(super) fn over(
        ethernet: bool,
        v6: bool,
        pieces: bool,
        bare: bool,
        buffers: usize,
    ) -> World {
        let address = |n: u8| match v6 {
            false => format!("10.0.0.{n}"),
            true => format!("fd00::{n}"),
        };
        let stack = |n: u8| {
            let interface = if ethernet {
                InterfaceConfig::ethernet(MacAddr([2, 0, 0, 0, 0, n]))
            } else {
                InterfaceConfig::ip()
            };
            let interface = if bare {
                interface.mtu(65_535)
            } else {
                interface
            };
            let prefix = if v6 { 64 } else { 24 };
            let cidr = format!("{}/{prefix}", address(n)).parse().unwrap();
            let mut config = Config::new(interface).address(cidr);
            config.tunables.tcp_rmem = 300_000;
            config.tunables.tcp_wmem = 300_000;
            let limits = Limits {
                buffers,
                ..Limits::default()
            };
            Stack::with_heap(config, limits, Seed::from([n; 32]))
        };
        let none = TcpHandle {
            index: 0,
            generation: 0,
        };
        let mut stacks = [stack(1), stack(2)];
        let listener = stacks[1].tcp_listen(80).unwrap();
        let mut world = World {
            now: 1_000_000,
            stacks,
            wires: [(); 2].map(|()| Wire {
                bare,
                ..Wire::default()
            }),
            conns: [[none; 2]; 2],
            written: [[0; 2]; 2],
            pieces,
            apart: 0,
            locals: [None; 2],
            stale: Vec::new(),
            by: [IFACE; 2],
            ethernet,
            v6,
            listener,
        };
        for side in 0..2u8 {
            let interface = if ethernet {
                InterfaceConfig::ethernet(MacAddr([2, 0, 0, 0, 0, side + 1]))
            } else {
                InterfaceConfig::ip()
            };
            let _ = world.stacks[usize::from(side)].add_interface(interface);
        }
        for conn in 0..2 {
            let to = SocketAddr::new(address(2).parse().unwrap(), 80);
            let client = world.stacks[0].tcp_connect(to).unwrap();
            for _ in 0..4 {
                for side in [0, 1] {
                    world.send(side);
                    world.deliver(side, 64);
                }
            }
            let server = world.stacks[1].tcp_accept(listener).unwrap();
            world.conns[conn] = [client, server.expect("the handshake is complete")];
        }
        world
    }

    pub(super) fn send(&mut self, side: usize) {
        let now = Instant::from_micros(self.now);
        let _ = self.stacks[side].transmit(now, IFACE, &mut self.wires[side]);
    }

    pub(super) fn deliver(&mut self, from: usize, most: usize) -> usize {
        let mut end = End {
            wire: &mut self.wires[from],
            arrived: most,
            pieces: self.pieces,
            apart: &mut self.apart,
            stale: &mut self.stale,
        };
        let now = Instant::from_micros(self.now);
        self.stacks[1 - from].receive_all(now, self.by[1 - from], &mut end)
    }

    fn local(&mut self, side: usize, len: usize) -> String {
        let now = Instant::from_micros(self.now);
        let to = if self.v6 { "[::1]:99" } else { "127.0.0.1:99" };
        if self.locals[side].is_none() {
            let stack = &mut self.stacks[side];
            let Ok(listener) = stack.tcp_listen(99) else {
                return String::new();
            };
            let a = stack
                .tcp_connect(to.parse::<SocketAddr>().unwrap())
                .unwrap();
            for _ in 0..4 {
                let _ = stack.transmit(now, IFACE, &mut self.wires[side]);
            }
            let b = stack.tcp_accept(listener).unwrap().unwrap();
            self.locals[side] = Some((a, b));
        }
        let (a, b) = self.locals[side].unwrap();
        let data: Vec<u8> = (0..len as u32).map(letter).collect();
        let n = self.stacks[side].tcp_write(a, &data);
        let _ = self.stacks[side].transmit(now, IFACE, &mut self.wires[side]);
        let mut out = vec![0; 300_000];
        let m = self.stacks[side].tcp_read(b, &mut out);
        out.truncate(m.unwrap_or(0));
        format!("{n:?} {m:?} {out:?}")
    }

    fn shape(&mut self, from: usize, kind: u8, n: usize) {
        let link = if self.ethernet { 14 } else { 0 };
        let v6 = self.v6;
        let Some((frame, _)) = self.wires[from].frames.front_mut() else {
            return;
        };
        if frame.len() < link + 40 {
            return;
        }
        match kind {
            0 if self.ethernet => {
                frame.splice(12..12, [0x81, 0, 0x40, if n > 350 { 1 } else { 0 }]);
            }
            1 => frame.extend(vec![0x45; n]),
            2 => {
                let len = frame.len() - n.min(frame.len() - 1);
                frame.truncate(len);
            }
            3 if !v6 && frame[link] == 0x45 => {
                let total = u16::from_be_bytes([frame[link + 2], frame[link + 3]]);
                let Some(total) = total.checked_add(4) else {
                    return;
                };
                frame[link] = 0x46;
                frame[link + 2..link + 4].copy_from_slice(&total.to_be_bytes());
                frame.splice(link + 20..link + 20, [1, 1, 1, 0]);
                fix(&mut frame[link..link + 24]);
            }
            4 if v6 && frame[link] >> 4 == 6 => {
                let len = u16::from_be_bytes([frame[link + 4], frame[link + 5]]);
                let Some(len) = len.checked_add(8) else {
                    return;
                };
                frame[link + 4..link + 6].copy_from_slice(&len.to_be_bytes());
                let next = core::mem::replace(&mut frame[link + 6], 60);
                frame.splice(link + 40..link + 40, [next, 0, 1, 4, 0, 0, 0, 0]);
            }
            5 if !v6 && frame[link] == 0x45 => {
                // A fragment.
                frame[link + 6] = 0x20;
                let ihl = usize::from(frame[link] & 15) * 4;
                if let Some(header) = frame.get_mut(link..link + ihl) {
                    fix(header);
                }
            }
            _ => {}
        }
    }

    fn forge(&mut self, from: usize, by: i32, verified: bool, flags: u8) {
        let tcp = (if self.ethernet { 14 } else { 0 }) + if self.v6 { 40 } else { 20 };
        let Some((frame, meta)) = self.wires[from].frames.front().cloned() else {
            return;
        };
        let (mut frame, mut meta) = (frame, meta);
        if frame.len() < tcp + 40 {
            return;
        }
        let seq = u32::from_be_bytes(frame[tcp + 4..tcp + 8].try_into().unwrap());
        frame[tcp + 4..tcp + 8].copy_from_slice(&seq.wrapping_add_signed(by).to_be_bytes());
        if flags != 0 {
            frame[tcp + 13] = flags;
        }
        let begin = tcp + usize::from(frame[tcp + 12] >> 4) * 4;
        for b in frame.get_mut(begin..).unwrap_or_default() {
            *b = b'X';
        }
        if !verified {
            meta.checksum = RxChecksum::Unverified;
        }
        if flags & 1 == 0 {
            meta.gso_size = 0;
        }
        self.wires[from].frames.push_front((frame, meta));
    }

    /// Does something, and says what came of it.
    pub(super) fn act(&mut self, op: &Op) -> String {
        match *op {
            Op::Write(side, conn, len) => {
                let from = self.written[conn][side];
                let data: Vec<u8> = (from..).take(len).map(letter).collect();
                let written = self.stacks[side].tcp_write(self.conns[conn][side], &data);
                self.written[conn][side] += written.unwrap_or(0) as u32;
                format!("{written:?}")
            }
            Op::Read(side, conn, len) => {
                let mut data = vec![0; len];
                let read = self.stacks[side].tcp_read(self.conns[conn][side], &mut data);
                data.truncate(read.unwrap_or(0));
                format!("{read:?} {data:?}")
            }
            Op::Send(side) => {
                self.send(side);
                String::new()
            }
            Op::Deliver(from, most) => format!("{}", self.deliver(from, most)),
            Op::Break(from, at, by) => {
                let first = self.wires[from].frames.front_mut();
                if let Some(byte) = first.and_then(|(frame, _)| frame.get_mut(at)) {
                    *byte ^= by;
                }
                String::new()
            }
            Op::Doubt(from) => {
                if let Some((_, meta)) = self.wires[from].frames.front_mut() {
                    meta.checksum = RxChecksum::Unverified;
                }
                String::new()
            }
            Op::Lose(from) => format!("{:?}", self.wires[from].frames.pop_front()),
            Op::Repeat(from) => {
                let again = self.wires[from].frames.front().cloned();
                self.wires[from].frames.extend(again);
                String::new()
            }
            Op::Overtake(from) => {
                if self.wires[from].frames.len() > 1 {
                    self.wires[from].frames.swap(0, 1);
                }
                String::new()
            }
            Op::Sleep(micros) => {
                self.now += micros;
                String::new()
            }
            Op::ShutWrite(side, conn) => self.shut(side, conn, How::Write),
            Op::ShutRead(side, conn) => self.shut(side, conn, How::Read),
            Op::Shape(from, kind, n) => {
                self.shape(from, kind, n);
                String::new()
            }
            Op::Forge(from, by, verified, flags) => {
                self.forge(from, by, verified, flags);
                String::new()
            }
            Op::Reopen(conn) => {
                for side in 0..2 {
                    let _ = self.stacks[side].tcp_abort(self.conns[conn][side]);
                    let _ = self.stacks[side].tcp_close(self.conns[conn][side]);
                }
                let to = SocketAddr::new(
                    if self.v6 { "fd00::2" } else { "10.0.0.2" }
                        .parse()
                        .unwrap(),
                    80,
                );
                let Ok(client) = self.stacks[0].tcp_connect(to) else {
                    return String::new();
                };
                for _ in 0..4 {
                    for side in [0, 1] {
                        self.send(side);
                        self.deliver(side, 64);
                    }
                }
                let server = self.stacks[1].tcp_accept(self.listener).ok().flatten();
                if let Some(server) = server {
                    self.conns[conn] = [client, server];
                    self.written[conn] = [0; 2];
                }
                format!("{server:?}")
            }
            Op::Local(side, len) => self.local(side, len),
            Op::Switch(side) => {
                self.by[side] = if self.by[side] == IFACE {
                    SECOND
                } else {
                    IFACE
                };
                String::new()
            }
            Op::Close(side, conn) => {
                format!("{:?}", self.stacks[side].tcp_close(self.conns[conn][side]))
            }
        }
    }

    fn shut(&mut self, side: usize, conn: usize, how: How) -> String {
        format!(
            "{:?}",
            self.stacks[side].tcp_shutdown(self.conns[conn][side], how)
        )
    }
}

/// The checksum of an IPv4 header.
fn fix(header: &mut [u8]) {
    header[10] = 0;
    header[11] = 0;
    let mut sum: u32 = header
        .chunks(2)
        .map(|c| u32::from(u16::from_be_bytes([c[0], c[1]])))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let sum = !(sum as u16);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// What is written at a place of a stream.
pub(super) fn letter(at: u32) -> u8 {
    (at.wrapping_mul(2_654_435_761) >> 24) as u8
}
