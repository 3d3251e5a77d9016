//! Two stacks, and the same two with a device that reads text to where it belongs: they do the same.

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

use super::Guess;
use crate::tcp::How;
use crate::{Config, IfaceId, InterfaceConfig, Limits, Seed, Stack, TcpHandle};

const IFACE: IfaceId = IfaceId::FIRST;

/// One direction of a cable between devices that cut and merge segments.
#[derive(Default)]
struct Wire {
    frames: VecDeque<(Vec<u8>, RxMeta)>,
}

impl FrameSink for Wire {
    fn caps(&self) -> TxCaps {
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
struct End<'w> {
    wire: &'w mut Wire,
    arrived: usize,
    /// Reads into pieces of memory, as a TAP device does.
    pieces: bool,
    /// Bytes that stood in pieces.
    apart: &'w mut usize,
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
            let place = receiver.place();
            let Some((frame, meta)) = self.next() else {
                return count;
            };
            count += 1;
            let (head, rest) = frame.split_at(place.head_len.min(frame.len()));
            let (first, second) = place.pieces;
            let mut memory = vec![0xee; frame.len()];
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
        }
    }

    fn sink(&mut self) -> &mut dyn FrameSink {
        self.wire
    }
}

#[derive(Debug, Clone)]
enum Op {
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
}

fn op() -> impl Strategy<Value = Op> {
    // Mostly one way, in one of two connections.
    let side = || prop_oneof![5 => Just(0usize), 1 => Just(1usize)];
    let conn = || prop_oneof![5 => Just(0usize), 1 => Just(1usize)];
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
        1 => (0usize..2, 1usize..2).prop_map(|(s, c)| Op::ShutWrite(s, c)),
        1 => (0usize..2, 1usize..2).prop_map(|(s, c)| Op::ShutRead(s, c)),
        1 => (0usize..2, 1usize..2).prop_map(|(s, c)| Op::Close(s, c)),
    ]
}

struct World {
    now: u64,
    stacks: [Stack; 2],
    wires: [Wire; 2],
    conns: [[TcpHandle; 2]; 2],
    written: [[u32; 2]; 2],
    pieces: bool,
    /// Bytes that stood in pieces when their frame was taken in.
    apart: usize,
}

impl World {
    fn new(ethernet: bool, v6: bool, pieces: bool) -> World {
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
            let prefix = if v6 { 64 } else { 24 };
            let cidr = format!("{}/{prefix}", address(n)).parse().unwrap();
            let mut config = Config::new(interface).address(cidr);
            config.tunables.tcp_rmem = 300_000;
            config.tunables.tcp_wmem = 300_000;
            Stack::with_heap(config, Limits::default(), Seed::from([n; 32]))
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
            wires: [Wire::default(), Wire::default()],
            conns: [[none; 2]; 2],
            written: [[0; 2]; 2],
            pieces,
            apart: 0,
        };
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

    fn send(&mut self, side: usize) {
        let now = Instant::from_micros(self.now);
        let _ = self.stacks[side].transmit(now, IFACE, &mut self.wires[side]);
    }

    fn deliver(&mut self, from: usize, most: usize) -> usize {
        let mut end = End {
            wire: &mut self.wires[from],
            arrived: most,
            pieces: self.pieces,
            apart: &mut self.apart,
        };
        let now = Instant::from_micros(self.now);
        self.stacks[1 - from].receive_all(now, IFACE, &mut end)
    }

    /// Does something, and says what came of it.
    fn act(&mut self, op: &Op) -> String {
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

/// What is written at a place of a stream.
fn letter(at: u32) -> u8 {
    (at.wrapping_mul(2_654_435_761) >> 24) as u8
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn text_in_pieces_is_the_same_text(
        ethernet in any::<bool>(),
        v6 in any::<bool>(),
        ops in prop::collection::vec(op(), 1..150),
    ) {
        let mut pieces = World::new(ethernet, v6, true);
        let mut whole = World::new(ethernet, v6, false);
        for op in &ops {
            prop_assert_eq!(pieces.act(op), whole.act(op));
            for side in [0, 1] {
                prop_assert_eq!(&pieces.wires[side].frames, &whole.wires[side].frames);
                let (a, b) = (&pieces.stacks[side], &whole.stacks[side]);
                // All but which way it went.
                let mut counters = a.counters().clone();
                counters.tcp_unpredicted_received = b.counters().tcp_unpredicted_received;
                prop_assert_eq!(&counters, b.counters());
                prop_assert_eq!(a.next_deadline(), b.next_deadline());
                let used = (a.buffers_in_use(), b.buffers_in_use());
                // Each of the two may have found memory for more than came.
                prop_assert!(used.0.saturating_sub(used.1) <= 2 << 18, "{:?}", used);
            }
            for side in [0, 1] {
                for conn in 0..2 {
                    let info = |world: &mut World| {
                        let handle = world.conns[conn][side];
                        format!("{:?}", world.stacks[side].tcp_info(handle))
                    };
                    prop_assert_eq!(info(&mut pieces), info(&mut whole));
                }
            }
        }
    }
}

/// A transfer as a device of this machine shows it: large pieces, and the end of what was written
/// at a time.
#[test]
fn a_transfer_stands_in_pieces() {
    for (ethernet, v6) in [(false, false), (true, false), (true, true)] {
        let mut world = World::new(ethernet, v6, true);
        let mut read = 0;
        let mut buffer = vec![0; 200_000];
        for _ in 0..100 {
            world.act(&Op::Write(0, 0, 100_000));
            for side in [0, 1] {
                world.send(side);
                world.deliver(side, 64);
            }
            let len = world.stacks[1].tcp_read(world.conns[0][1], &mut buffer);
            for (at, byte) in (read..).zip(&buffer[..len.unwrap()]) {
                assert_eq!(*byte, letter(at));
            }
            read += len.unwrap() as u32;
            world.now += 500;
        }
        assert!(read > 5_000_000, "{read}");
        // All but the first piece, and slow start's.
        assert!(
            world.apart > read as usize * 9 / 10,
            "{} of {read}",
            world.apart
        );
    }
}

/// Memory is found before text comes. Where none comes it is given back.
#[test]
fn no_memory_is_held_for_text_that_does_not_come() {
    let mut world = World::new(true, false, true);
    let mut buffer = vec![0; 300_000];
    for _ in 0..10 {
        world.act(&Op::Write(0, 0, 100_000));
        for side in [0, 1] {
            world.send(side);
            world.deliver(side, 64);
        }
        let _ = world.stacks[1].tcp_read(world.conns[0][1], &mut buffer);
        world.send(1);
        world.deliver(1, 64);
        // The device is asked again, in vain.
        world.deliver(0, 64);
        assert_eq!(world.stacks[1].buffers_in_use(), 0);
    }
    assert!(world.apart > 0);
}

/// What nobody looks at again before its text is taken in must be what was guessed to the letter.
#[test]
fn another_frame_is_not_what_was_guessed() {
    for (ethernet, v6) in [(true, false), (true, true), (false, false)] {
        let mut world = World::new(ethernet, v6, true);
        for _ in 0..8 {
            world.act(&Op::Write(0, 0, 100_000));
            for side in [0, 1] {
                world.send(side);
                world.deliver(side, 64);
            }
            let _ = world.stacks[1].tcp_read(world.conns[0][1], &mut [0; 300_000]);
            world.send(1);
            world.deliver(1, 64);
        }
        world.act(&Op::Write(0, 0, 100_000));
        world.send(0);
        let (frame, meta) = world.wires[0].frames.pop_front().unwrap();
        let stack = &mut world.stacks[1];
        let guess = stack.tcp.placed.next.expect("more of the same is guessed");
        let apart = frame.len() - guess.head_len;
        assert!(stack.place_for(guess).is_some());
        let mut guessed = |frame: &[u8], meta: &RxMeta, guess, apart| {
            stack.is_guessed(IFACE.0, guess, frame, meta, apart)
        };
        assert!(guessed(&frame, &meta, guess, apart));

        // Its sum is to be looked at.
        let doubtful = RxMeta {
            checksum: RxChecksum::Unverified,
            ..meta
        };
        assert!(!guessed(&frame, &doubtful, guess, apart));
        // Some of its text stands elsewhere, or headers do.
        assert!(!guessed(&frame, &meta, guess, apart - 1));
        for head_len in [guess.head_len - 4, guess.head_len + 4] {
            let guess = Guess { head_len, ..guess };
            assert!(!guessed(&frame, &meta, guess, frame.len() - head_len));
        }
        // What follows the packet is not of it: then the text begins earlier than was guessed.
        let later = Guess {
            head_len: guess.head_len + 4,
            ..guess
        };
        let padded = [&frame[..], &[0; 4]].concat();
        assert!(!guessed(&padded, &meta, later, apart));
        // Another address, port, sequence number, or flag; another protocol.
        let link = if ethernet { 14 } else { 0 };
        let tcp = link + if v6 { 40 } else { 20 };
        let addresses = link + if v6 { 8 } else { 12 };
        let protocol = link + if v6 { 6 } else { 9 };
        for at in [
            addresses,
            tcp - 1,
            tcp,
            tcp + 3,
            tcp + 7,
            tcp + 13,
            protocol,
        ] {
            let mut other = frame.clone();
            other[at] ^= 1;
            assert!(!guessed(&other, &meta, guess, apart), "{at}");
        }
    }
}
