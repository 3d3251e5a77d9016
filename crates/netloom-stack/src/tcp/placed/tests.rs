//! Two stacks, and the same two with a device that reads text to where it belongs: they do the same.

use std::format;
use std::vec;

use netloom_driver::{RxChecksum, RxMeta};
use proptest::prelude::*;

use super::Guess;
use world::{IFACE, Op, World, letter, op};

mod memory;
mod world;

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
                prop_assert!(used.0.saturating_sub(used.1) <= 4 << 18, "{:?}", used);
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
