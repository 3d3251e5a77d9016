//! What the stack's data structures cost: nanoseconds for each operation, at several sizes.
//!
//! `cargo run --release -p netloom-stack --example structures`
//!
//! Accesses are in random order, which is the worst for the caches and what a flood looks like.

use netloom_driver::Instant;
use netloom_stack::index::Index;
use netloom_stack::list::{Kind, Ref};
use netloom_stack::memory::{Item, Mem, Pool, Slab};
use netloom_stack::rand::{Rng, Seed, WordHash};
use netloom_stack::timers::{TimerLinks, TimerNodes, Wheel};
use std::hint::black_box;

/// Operations measured at each size.
const ROUNDS: u32 = 2_000_000;

/// A socket of 128 bytes, as large as the hot part of a connection.
#[derive(Clone, Copy)]
struct Socket {
    link: u32,
    timer: TimerLinks,
    tuple: [u32; 4],
    deadline: u64,
    rest: [u64; 10],
}

impl Item for Socket {
    const EMPTY: Socket = Socket {
        link: 0,
        timer: TimerLinks::EMPTY,
        tuple: [0; 4],
        deadline: 0,
        rest: [0; 10],
    };
    fn free_link(&mut self) -> &mut u32 {
        &mut self.link
    }
}

struct Sockets(Slab<Socket>);

impl TimerNodes for Sockets {
    fn timer(&mut self, index: u32) -> Option<&mut TimerLinks> {
        Some(&mut self.0.get_mut(index)?.timer)
    }
}

/// Nanoseconds for each of `rounds` calls.
fn measure(rounds: u32, mut work: impl FnMut(u32)) -> f64 {
    let start = std::time::Instant::now();
    (0..rounds).for_each(&mut work);
    start.elapsed().as_nanos() as f64 / f64::from(rounds)
}

fn tuple(number: u32) -> [u32; 4] {
    [
        6,
        0x0A00_0001,
        0xC0A8_0000 + number / 60_000,
        ((number % 60_000) << 16) | 80,
    ]
}

fn fill(count: u32, key: &WordHash) -> (Sockets, Index) {
    let mut sockets = Slab::<Socket>::heap(count);
    let few = vec![Ref::NONE; count as usize].into_boxed_slice();
    let mut index = if count <= 32 {
        Index::small(Mem::Heap(few))
    } else {
        Index::heap(count)
    };
    for number in 0..count {
        let Some(at) = sockets.insert() else {
            panic!("no memory for {count} sockets")
        };
        if let Some(socket) = sockets.get_mut(at) {
            socket.tuple = tuple(number);
        }
        let added = index.insert(
            key.hash_words(&tuple(number)),
            Ref::new(Kind::Connection, at),
        );
        assert!(added.is_ok());
    }
    (Sockets(sockets), index)
}

fn main() {
    let mut rng = Rng::new(&Seed::for_tests(1));
    let key = rng.derive_key(0);
    println!(
        "SipHash-1-3 of an IPv4 tuple (16 bytes) {:6.1} ns",
        measure(ROUNDS, |n| {
            black_box(key.hash_words(black_box(&tuple(n))));
        })
    );
    println!(
        "SipHash-1-3 of an IPv6 tuple (40 bytes) {:6.1} ns",
        measure(ROUNDS, |n| {
            black_box(key.hash_words(black_box(&[n; 10])));
        })
    );
    println!(
        "random number                           {:6.1} ns",
        measure(ROUNDS, |_| {
            black_box(rng.next_u64());
        })
    );
    let mut pool = Pool::<u8>::new(64 << 20);
    println!(
        "a buffer of 64 KiB taken and given back {:6.1} ns",
        measure(ROUNDS, |_| {
            if let Some(block) = pool.take(65_536) {
                pool.give(black_box(block));
            }
        })
    );
    println!();
    println!("  sockets    find  and look    miss   churn     arm  lazily  expire   (ns)");
    for count in [1, 32, 100, 1_000, 10_000, 100_000, 1_000_000] {
        let (mut sockets, mut index) = fill(count, &key);
        let order: Vec<u32> = (0..ROUNDS).map(|_| rng.below(count)).collect();
        let pick = |round: u32| order.get(round as usize).copied().unwrap_or(0);
        // The hash is computed in each, as for a packet.
        let find = measure(ROUNDS, |round| {
            let number = pick(round);
            let hash = if index.needs_hash() {
                key.hash_words(&tuple(number))
            } else {
                0
            };
            black_box(index.find(hash, |r| r.index() == number));
        });
        let look = measure(ROUNDS, |round| {
            let wanted = tuple(pick(round));
            let hash = if index.needs_hash() {
                key.hash_words(&wanted)
            } else {
                0
            };
            let is_it = |r: Ref| sockets.0.get(r.index()).is_some_and(|s| s.tuple == wanted);
            assert!(black_box(index.find(hash, is_it)).is_some());
        });
        let miss = measure(ROUNDS, |round| {
            let wanted = tuple(pick(round) + 2_000_000);
            let hash = if index.needs_hash() {
                key.hash_words(&wanted)
            } else {
                0
            };
            let is_it = |r: Ref| sockets.0.get(r.index()).is_some_and(|s| s.tuple == wanted);
            assert!(black_box(index.find(hash, is_it)).is_none());
        });
        let churn = measure(ROUNDS, |round| {
            let number = pick(round);
            let hash = if index.needs_hash() {
                key.hash_words(&tuple(number))
            } else {
                0
            };
            let r = Ref::new(Kind::Connection, number);
            assert!(index.remove(hash, r) && index.insert(hash, r).is_ok());
        });

        let mut wheel = Wheel::heap();
        let delays: Vec<u64> = (0..count)
            .map(|_| u64::from(rng.below(2_000_000)))
            .collect();
        let deadlines = delays.iter().map(|delay| Instant::from_micros(*delay));
        let deadlines: Vec<Instant> = deadlines.collect();
        let at = |number: u32| {
            deadlines
                .get(number as usize)
                .copied()
                .unwrap_or(Instant::ZERO)
        };
        // All armed and taken out again, often enough to be measured.
        let passes = (ROUNDS / 4 / count).max(1);
        let (mut arm, mut expire) = (0.0, 0.0);
        for _ in 0..passes {
            arm += measure(count, |number| wheel.arm(&mut sockets, number, at(number)));
            (0..count).for_each(|number| wheel.disarm(&mut sockets, number));
        }
        (0..count).for_each(|number| wheel.arm(&mut sockets, number, at(number)));
        let lazily = measure(ROUNDS, |round| {
            let number = pick(round);
            wheel.arm(
                &mut sockets,
                number,
                at(number).plus_micros(u64::from(round)),
            );
        });
        let mut fired = 0u32;
        let start = std::time::Instant::now();
        while let Some(now) = wheel.next_deadline() {
            while let Some(number) = wheel.expire(&mut sockets, now) {
                if at(number) > now {
                    wheel.arm(&mut sockets, number, at(number));
                } else {
                    fired += 1;
                }
            }
        }
        assert_eq!(fired, count);
        expire += start.elapsed().as_nanos() as f64 / f64::from(count);
        let arm = arm / f64::from(passes);
        println!(
            "{count:9} {find:7.1} {look:9.1} {miss:7.1} {churn:7.1} {arm:7.1} {lazily:7.1} {expire:7.1}"
        );
        black_box(
            sockets
                .0
                .get(0)
                .map(|socket| (socket.deadline, socket.rest)),
        );
    }
}
