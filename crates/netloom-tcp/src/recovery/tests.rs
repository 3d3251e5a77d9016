//! The fast path does what the slow path does, and counters agree with the records.

use netloom_driver::Instant;
use netloom_wire::{SackBlocks, TcpFlags, TcpOptions, Timestamps};
use proptest::prelude::*;
use std::vec;
use std::vec::Vec;

use crate::flags::Flags;
use crate::records::{LOST, SACKED};
use crate::{
    Connection, Env, Io, Next, OpenParams, Outcome, Plan, Range, Record, Segment, SeqNum, Tunables,
};

const ISS: SeqNum = SeqNum(0xffff_ff00);
const IRS: SeqNum = SeqNum(0x7fff_ff00);

struct Side {
    c: Connection,
    rx: Vec<u8>,
    tx: Vec<u8>,
    records: Vec<Record>,
    ranges: Vec<Range>,
}

#[derive(Debug, Clone)]
enum Op {
    /// Sequence and acknowledgment are offsets from where the connection stands.
    Segment {
        seq: i32,
        ack: i32,
        len: u32,
        window: u16,
        push: bool,
        ts: i32,
        sack: (u32, u32),
    },
    Write(usize),
    Read(usize),
    Send(usize),
    Sleep(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (
            prop_oneof![5 => Just(0i32), 1 => -300i32..300],
            prop_oneof![1 => Just(0i32), 4 => 0i32..3000, 1 => -100i32..6000],
            prop_oneof![Just(0u32), 1u32..1000],
            prop_oneof![5 => Just(30_000u16), 1 => Just(0u16), 1 => any::<u16>()],
            any::<bool>(),
            prop_oneof![5 => 0i32..3, 1 => -5i32..0],
            prop_oneof![4 => Just((0u32, 0u32)), 1 => (0u32..5000, 0u32..5000)],
        ).prop_map(|(seq, ack, len, window, push, ts, sack)| {
            Op::Segment { seq, ack, len, window, push, ts, sack }
        }),
        2 => (1usize..4000).prop_map(Op::Write),
        2 => (1usize..4000).prop_map(Op::Read),
        4 => (1usize..20).prop_map(Op::Send),
        1 => (1u64..400_000).prop_map(Op::Sleep),
    ]
}

impl Side {
    fn new(env: &Env<'_>, timestamps: bool, sack: bool) -> Side {
        let params = OpenParams {
            iss: ISS,
            mss: 500,
            path_mss: 500,
            rcv_buf: 5000,
            ..OpenParams::default()
        };
        let mut side = Side {
            c: Connection::connect(&params, env),
            rx: vec![0; 5000],
            tx: vec![0; 7001],
            records: vec![Record::EMPTY; 7],
            ranges: vec![Range::EMPTY; 3],
        };
        side.send(env, 1);
        let options = TcpOptions {
            mss: Some(500),
            sack_permitted: sack,
            timestamps: timestamps.then_some(Timestamps {
                value: 1000,
                echo: 0,
            }),
            ..TcpOptions::default()
        };
        let syn_ack = Segment {
            seq: IRS,
            ack: ISS + 1,
            flags: TcpFlags::SYN | TcpFlags::ACK,
            window: 30_000,
            urgent: 0,
            options,
            payload: &[],
            count: 1,
            ce: false,
        };
        let _ = side.receive(env, &syn_ack);
        side.send(env, 9);
        side
    }

    fn io(&mut self) -> (&mut Connection, Io<'_>) {
        let Side {
            c,
            rx,
            tx,
            records,
            ranges,
        } = self;
        (
            c,
            Io {
                rx,
                tx,
                records,
                ranges,
            },
        )
    }

    fn receive(&mut self, env: &Env<'_>, segment: &Segment<'_>) -> Outcome {
        let (c, mut io) = self.io();
        c.receive(env, &mut io, segment)
    }

    fn send(&mut self, env: &Env<'_>, most: usize) -> Vec<Plan> {
        let mut plans = Vec::new();
        while plans.len() < most {
            let (c, mut io) = self.io();
            match c.next(env, &io) {
                Next::Wait(_) => break,
                Next::Fire(timer) => {
                    let _ = c.fire(env, &mut io, timer);
                }
                Next::Send(plan) => {
                    let _ = c.sent(env, &mut io, &plan);
                    plans.push(plan);
                }
            }
        }
        plans
    }

    /// `lost`, `sacked` and the partition are what the records say.
    fn check(&self) {
        let c = &self.c;
        let (mut start, mut lost, mut sacked) = (c.snd_una, 0, 0);
        for i in 0..c.records.len() {
            let record = c.records.get(&self.records, i).unwrap();
            assert!(record.end.gt(start), "an empty record");
            let len = record.end.since(start);
            if record.is(SACKED) {
                assert!(!record.is(LOST));
                sacked += len;
            } else if record.is(LOST) {
                lost += record.end.since(c.retransmitted_to(start, record.end));
            }
            start = record.end;
        }
        if c.records.len() > 0 {
            assert_eq!(start, c.data_end(), "the records cover what is in flight");
        }
        assert_eq!(c.lost, lost);
        if c.flags.has(Flags::SACK) {
            assert_eq!(c.sacked, sacked);
        }
        assert!(c.sacked.saturating_add(c.lost) <= c.flight());
    }
}

/// Cases a run: `NETLOOM_TCP_CASES` for a long one.
fn cases() -> u32 {
    std::env::var("NETLOOM_TCP_CASES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(3_000)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]
    #[test]
    fn the_fast_path_equals_the_slow_path(
        ops in prop::collection::vec(op(), 1..60),
        timestamps in any::<bool>(),
        sack in any::<bool>(),
        gso in prop_oneof![Just(0u32), Just(2000u32)],
    ) {
        let tunables = Tunables::default();
        let mut now = 1_000_000u64;
        let env = |now: u64| Env { gso_max: gso, ..Env::at(Instant::from_micros(now), &tunables) };
        let mut fast = Side::new(&env(now), timestamps, sack);
        let mut slow = Side::new(&env(now), timestamps, sack);
        slow.c.flags.set(Flags::NO_PREDICTION);
        let data = [7u8; 8000];
        let mut value = 1000i32;
        for op in ops {
            let env = env(now);
            match op {
                Op::Segment { seq, ack, len, window, push, ts, sack } => {
                    value += ts;
                    let mut blocks = SackBlocks::new();
                    if sack.0 != sack.1 {
                        let una = fast.c.snd_una;
                        blocks.push(una.plus(sack.0).0, una.plus(sack.1).0);
                    }
                    let segment = Segment {
                        seq: SeqNum(fast.c.rcv_nxt.0.wrapping_add_signed(seq)),
                        ack: SeqNum(fast.c.snd_una.0.wrapping_add_signed(ack)),
                        flags: if push { TcpFlags::ACK | TcpFlags::PSH } else { TcpFlags::ACK },
                        window,
                        urgent: 0,
                        options: TcpOptions {
                            timestamps: timestamps.then_some(Timestamps { value: value as u32, echo: 0 }),
                            sack: blocks,
                            ..TcpOptions::default()
                        },
                        payload: &data[..len as usize],
                        count: 1,
                        ce: false,
                    };
                    prop_assert_eq!(fast.receive(&env, &segment), slow.receive(&env, &segment));
                }
                Op::Write(n) => {
                    for side in [&mut fast, &mut slow] {
                        let (c, mut io) = side.io();
                        c.write(&mut io, &data[..n]);
                    }
                }
                Op::Read(n) => {
                    let mut out = [0; 4000];
                    for side in [&mut fast, &mut slow] {
                        let (c, mut io) = side.io();
                        c.read(&mut io, &mut out[..n]);
                    }
                }
                Op::Send(n) => prop_assert_eq!(fast.send(&env, n), slow.send(&env, n)),
                Op::Sleep(micros) => now += micros,
            }
            let mut same = slow.c.clone();
            same.flags.clear(Flags::NO_PREDICTION);
            prop_assert_eq!(&fast.c, &same);
            prop_assert!(fast.records == slow.records && fast.ranges == slow.ranges);
            prop_assert!(fast.rx == slow.rx);
            fast.check();
        }
    }
}
