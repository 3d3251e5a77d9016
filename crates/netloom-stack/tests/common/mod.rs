//! Two stacks joined by a wire, on a clock that the test turns.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "each test file uses a part of it"
)]

pub mod packets;
pub mod trace;

use std::collections::VecDeque;

use netloom_stack::driver::{FrameSink, Full, Instant, RxMeta, TxCaps, TxMeta};
use netloom_stack::wire::{Cidr, MacAddr};
use netloom_stack::{Config, IfaceId, InterfaceConfig, Limits, Seed, Stack};

/// Frames in a vector, at most so many.
pub struct Queue {
    pub frames: VecDeque<Vec<u8>>,
    pub room: usize,
    pub caps: TxCaps,
    /// What the memory lent for a frame holds before it is written.
    pub poison: u8,
}

impl Queue {
    pub fn new() -> Queue {
        Queue {
            frames: VecDeque::new(),
            room: usize::MAX,
            caps: TxCaps::plain(1500),
            poison: 0xaa,
        }
    }
}

impl FrameSink for Queue {
    fn caps(&self) -> TxCaps {
        self.caps
    }
    fn frame(
        &mut self,
        len: usize,
        _meta: &TxMeta,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), Full> {
        if self.frames.len() >= self.room {
            return Err(Full);
        }
        let mut frame = vec![self.poison; len];
        fill(&mut frame);
        self.frames.push_back(frame);
        Ok(())
    }
}

/// Which memory a stack has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    Heap,
    Lent,
}

/// A stack with 10.0.0.n/24 and fd00::n/64.
pub fn stack(profile: Profile, ethernet: bool, n: u8) -> Stack {
    let interface = if ethernet {
        InterfaceConfig::ethernet(MacAddr([2, 0, 0, 0, 0, n]))
    } else {
        InterfaceConfig::ip()
    };
    let v4: Cidr = format!("10.0.0.{n}/24").parse().unwrap();
    let v6: Cidr = format!("fd00::{n}/64").parse().unwrap();
    let config = Config::new(interface).address(v4).address(v6);
    let seed = Seed::from([n; 32]);
    match profile {
        Profile::Heap => Stack::with_heap(config, Limits::default(), seed),
        Profile::Lent => {
            let storage = Box::leak(Box::new(
                netloom_stack::Storage::<8, 4, 4, 8192, 8192>::new(),
            ));
            Stack::new(config, storage, seed)
        }
    }
}

/// Two stacks, `a` and `b`, and the frames between them.
pub struct Pair {
    pub now: Instant,
    pub a: Stack,
    pub b: Stack,
    pub to_a: Queue,
    pub to_b: Queue,
    pub trace: bool,
}

pub const IF: IfaceId = IfaceId::FIRST;

impl Pair {
    pub fn new(profile: Profile, ethernet: bool) -> Pair {
        Pair {
            now: Instant::from_secs(1),
            a: stack(profile, ethernet, 1),
            b: stack(profile, ethernet, 2),
            to_a: Queue::new(),
            to_b: Queue::new(),
            trace: false,
        }
    }

    /// Carries frames until nothing moves. Returns how many were carried.
    pub fn settle(&mut self) -> usize {
        let mut carried = 0;
        loop {
            let _ = self.a.transmit(self.now, IF, &mut self.to_b);
            let _ = self.b.transmit(self.now, IF, &mut self.to_a);
            if self.to_a.frames.is_empty() && self.to_b.frames.is_empty() {
                break;
            }
            for frame in std::mem::take(&mut self.to_b.frames) {
                carried += 1;
                self.a_to_b(&frame);
            }
            for frame in std::mem::take(&mut self.to_a.frames) {
                carried += 1;
                if self.trace {
                    eprintln!("{} b>a {} bytes", self.now.as_micros(), frame.len());
                }
                self.a.receive(self.now, IF, &frame, &RxMeta::default());
            }
            self.a.counters().balance().unwrap();
            self.b.counters().balance().unwrap();
            assert!(carried < 10_000_000, "the stacks never settle");
        }
        carried
    }

    fn a_to_b(&mut self, frame: &[u8]) {
        if self.trace {
            eprintln!("{} a>b {} bytes", self.now.as_micros(), frame.len());
        }
        self.b.receive(self.now, IF, frame, &RxMeta::default());
    }

    /// Moves time on to the next deadline of either stack, at most by `limit` microseconds.
    pub fn step(&mut self, limit: u64) -> usize {
        let end = self.now.plus_micros(limit);
        let next = [self.a.next_deadline(), self.b.next_deadline()]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(end);
        self.now = next.max(self.now).min(end);
        self.settle()
    }

    /// Lets `micros` of time pass.
    pub fn pass(&mut self, micros: u64) {
        let end = self.now.plus_micros(micros);
        while self.now < end {
            let left = end.micros_since(self.now);
            let before = self.now;
            self.step(left);
            if self.now == before {
                self.now = self.now.plus_micros(1);
            }
        }
        self.settle();
    }
}

/// Numbers that look random and are the same every time (splitmix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// Below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}
