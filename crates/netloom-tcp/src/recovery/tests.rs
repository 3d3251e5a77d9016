//! The fast path does what the slow path does, and counters agree with the records.

use netloom_driver::Instant;
use netloom_wire::{SackBlocks, TcpFlags, TcpOptions, Timestamps};
use proptest::prelude::*;
use std::vec;
use std::vec::Vec;

use crate::flags::Flags;
use crate::records::{LOST, SACKED};
use crate::{
    CongestionControl, Connection, Env, Io, Keepalive, Next, OpenParams, Outcome, Plan, PlanKind,
    Range, Record, Segment, SeqNum, State, Tunables,
};

const ISS: SeqNum = SeqNum(0xffff_ff00);
const IRS: SeqNum = SeqNum(0x7fff_ff00);

/// One end, without a peer.
pub(crate) struct Side {
    pub(crate) c: Connection,
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
        /// Beyond ACK and PSH.
        flags: u16,
        ce: bool,
        count: u16,
    },
    Setting(Setting),
    Write(usize),
    Read(usize),
    Send(usize),
    Sleep(u64),
}

/// What a user does but for reading and writing.
#[derive(Debug, Clone, Copy)]
enum Setting {
    Nodelay(bool),
    Keepalive(bool),
    UserTimeout(Option<u64>),
    ReceiveBuffer(u32),
    PathMss(u16),
    Quickack,
    Urgent,
    ShutRead,
    ShutWrite,
    Close,
}

fn setting() -> impl Strategy<Value = Setting> {
    prop_oneof![
        any::<bool>().prop_map(Setting::Nodelay),
        any::<bool>().prop_map(Setting::Keepalive),
        prop::option::of(0u64..3_000_000).prop_map(Setting::UserTimeout),
        (1000u32..6000).prop_map(Setting::ReceiveBuffer),
        (100u16..600).prop_map(Setting::PathMss),
        Just(Setting::Quickack),
        Just(Setting::Urgent),
        Just(Setting::ShutRead),
        Just(Setting::ShutWrite),
        Just(Setting::Close),
    ]
}

/// The algorithms whose connections take the fast path.
fn without_model() -> Vec<CongestionControl> {
    let all = CongestionControl::ALL.iter().copied();
    all.filter(|algorithm| algorithm.name() != "bbr").collect()
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
            (
                prop_oneof![40 => Just(0u16), 1 => Just(1u16), 1 => 0u16..0x200],
                prop_oneof![9 => Just(false), 1 => Just(true)],
                prop_oneof![9 => Just(1u16), 1 => 1u16..4],
            ),
        ).prop_map(|(seq, ack, len, window, push, ts, sack, (flags, ce, count))| {
            Op::Segment { seq, ack, len, window, push, ts, sack, flags, ce, count }
        }),
        1 => prop_oneof![9 => Just(Setting::Nodelay(true)), 6 => setting()].prop_map(Op::Setting),
        2 => (1usize..4000).prop_map(Op::Write),
        2 => (1usize..4000).prop_map(Op::Read),
        4 => (1usize..20).prop_map(Op::Send),
        1 => prop_oneof![1u64..400_000, 1u64..5_000].prop_map(Op::Sleep),
    ]
}

impl Side {
    /// Open, by an active open of segments with 500 octets of options and text.
    pub(crate) fn new(env: &Env<'_>, timestamps: bool, sack: bool, ecn: bool) -> Side {
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
        let mut bytes = [0; 40];
        options.emit(&mut bytes).unwrap();
        let ece = if ecn { TcpFlags::ECE } else { TcpFlags::NONE };
        let syn_ack = Segment {
            seq: IRS,
            ack: ISS + 1,
            flags: TcpFlags::SYN | TcpFlags::ACK | ece,
            window: 30_000,
            urgent: 0,
            timestamps: options.timestamps,
            options: &bytes[..options.len()],
            payload: &[],
            count: 1,
            ce: false,
        };
        let _ = side.receive(env, &syn_ack);
        side.send(env, 9);
        side
    }

    pub(crate) fn io(&mut self) -> (&mut Connection, Io<'_>) {
        let Side {
            c,
            rx,
            tx,
            records,
            ranges,
        } = self;
        (c, Io::new(rx, tx, records, ranges))
    }

    pub(crate) fn receive(&mut self, env: &Env<'_>, segment: &Segment<'_>) -> Outcome {
        #[cfg(target_pointer_width = "64")]
        self.receive_broken(env, segment);
        let (c, mut io) = self.io();
        c.receive(env, &mut io, segment)
    }

    /// A segment that turns out to be broken changes nothing.
    #[cfg(target_pointer_width = "64")]
    fn receive_broken(&mut self, env: &Env<'_>, segment: &Segment<'_>) {
        let (before, rx) = (self.c.clone(), self.rx.clone());
        let (c, mut io) = self.io();
        assert_eq!(c.receive_plain(env, &mut io, segment, || false), None);
        assert!(self.c == before && self.rx == rx);
    }

    /// Sends a segment on the fast path, if it is one for it.
    #[cfg(target_pointer_width = "64")]
    pub(crate) fn send_plain(&mut self, env: &Env<'_>) -> Option<Plan> {
        let (c, mut io) = self.io();
        let plan = c.next_plain(env, &io)?;
        assert_eq!(c.next(env, &io), Next::Send(plan));
        // The long way records the same and says the same of what is to follow.
        let (mut long, mut records) = (c.clone(), io.records.to_vec());
        let more = c.sent_plain(env, &mut io, &plan);
        let mut io = Io {
            records: &mut records,
            ..io
        };
        assert_eq!(long.sent(env, &mut io, &plan).owes_frame(), more);
        if !more {
            assert_eq!(long.deadline_plain(env), long.deadline(env));
            assert!(long.due_timer(env).is_none());
        }
        assert!(long == self.c && records == self.records);
        Some(plan)
    }

    /// Sends a segment without text on its fast path, if it is one for it.
    #[cfg(target_pointer_width = "64")]
    pub(crate) fn send_bare(&mut self, env: &Env<'_>) -> Option<Plan> {
        let (c, mut io) = self.io();
        let plan = c.next_bare()?;
        assert_eq!(c.next(env, &io), Next::Send(plan));
        let mut long = c.clone();
        let outcome = c.sent_bare(env, &plan);
        assert_eq!(long.sent(env, &mut io, &plan), outcome);
        if !outcome.owes_frame() && !outcome.ended() {
            assert_eq!(long.deadline_bare(env), long.deadline(env));
            assert!(long.due_timer(env).is_none());
        }
        assert!(long == *c);
        Some(plan)
    }

    pub(crate) fn send(&mut self, env: &Env<'_>, most: usize) -> Vec<Plan> {
        let mut plans = Vec::new();
        while plans.len() < most {
            #[cfg(target_pointer_width = "64")]
            if let Some(plan) = self.send_plain(env).or_else(|| self.send_bare(env)) {
                plans.push(plan);
                continue;
            }
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

    /// Text is written.
    pub(crate) fn write(&mut self, octets: usize) {
        let (c, mut io) = self.io();
        assert_eq!(c.write(&mut io, &vec![7; octets]), octets);
    }

    /// An acknowledgment without text arrives.
    pub(crate) fn acknowledge(&mut self, env: &Env<'_>, ack: SeqNum) -> Outcome {
        self.acknowledge_with(env, ack, TcpFlags::NONE)
    }

    /// An acknowledgment without text arrives, with more flags than ACK.
    pub(crate) fn acknowledge_with(
        &mut self,
        env: &Env<'_>,
        ack: SeqNum,
        flags: TcpFlags,
    ) -> Outcome {
        let segment = Segment {
            seq: self.c.rcv_nxt,
            ack,
            flags: flags | TcpFlags::ACK,
            window: 30_000,
            urgent: 0,
            timestamps: None,
            options: &[],
            payload: &[],
            count: 1,
            ce: false,
        };
        self.receive(env, &segment)
    }

    fn set(&mut self, env: &Env<'_>, setting: Setting) {
        let (c, mut io) = self.io();
        match setting {
            Setting::Nodelay(on) => c.set_nodelay(on),
            Setting::Keepalive(on) => c.set_keepalive(on.then_some(Keepalive {
                idle: 1_000_000,
                interval: 1_000_000,
                count: 2,
            })),
            Setting::UserTimeout(timeout) => c.set_user_timeout(timeout),
            Setting::ReceiveBuffer(octets) => c.set_rcv_buf(octets),
            Setting::PathMss(mss) => c.set_path_mss(&mut io, mss),
            Setting::Quickack => c.set_quickack(),
            Setting::Urgent => c.mark_urgent(),
            Setting::ShutRead => c.shutdown_read(),
            Setting::ShutWrite => c.shutdown_write(),
            Setting::Close => {
                let _ = c.close(env);
            }
        }
    }

    /// `lost`, `sacked` and the partition are what the records say.
    fn check(&self) {
        let c = &self.c;
        let (mut start, mut lost, mut sacked) = (c.snd_una, 0, 0);
        for record in c.records.live(&self.records) {
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
        ecn in any::<bool>(),
        mtu_probing in prop_oneof![4 => Just(0u8), 1 => Just(2u8)],
        gso in prop_oneof![Just(0u32), Just(2000u32)],
        congestion_control in prop::sample::select(without_model()),
    ) {
        let tunables = Tunables {
            congestion_control,
            #[cfg(feature = "rack")]
            ecn: if ecn { 1 } else { 2 },
            #[cfg(feature = "plpmtud")]
            mtu_probing,
            #[cfg(feature = "plpmtud")]
            base_mss: 100,
            ..Tunables::default()
        };
        let mut now = 1_000_000u64;
        let env = |now: u64| Env { gso_max: gso, ..Env::at(Instant::from_micros(now), &tunables) };
        let mut fast = Side::new(&env(now), timestamps, sack, ecn);
        let mut slow = Side::new(&env(now), timestamps, sack, ecn);
        slow.c.flags.set(Flags::WATCHED);
        let data = [7u8; 8000];
        let mut value = 1000i32;
        for op in ops {
            let env = env(now);
            match op {
                Op::Setting(setting) => {
                    fast.set(&env, setting);
                    slow.set(&env, setting);
                }
                Op::Segment { seq, ack, len, window, push, ts, sack, flags, ce, count } => {
                    value += ts;
                    let mut blocks = SackBlocks::new();
                    if sack.0 != sack.1 {
                        let una = fast.c.snd_una;
                        blocks.push(una.plus(sack.0).0, una.plus(sack.1).0);
                    }
                    let options = TcpOptions {
                        timestamps: timestamps.then_some(Timestamps { value: value as u32, echo: 0 }),
                        sack: blocks,
                        ..TcpOptions::default()
                    };
                    let mut bytes = [0; 40];
                    options.emit(&mut bytes).unwrap();
                    let segment = Segment {
                        seq: SeqNum(fast.c.rcv_nxt.0.wrapping_add_signed(seq)),
                        ack: SeqNum(fast.c.snd_una.0.wrapping_add_signed(ack)),
                        flags: TcpFlags(flags)
                            | if push { TcpFlags::ACK | TcpFlags::PSH } else { TcpFlags::ACK },
                        window,
                        urgent: 0,
                        timestamps: options.timestamps,
                        options: &bytes[..options.len()],
                        payload: &data[..len as usize],
                        count,
                        ce,
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
            same.flags.clear(Flags::WATCHED);
            prop_assert_eq!(&fast.c, &same);
            prop_assert!(fast.records == slow.records && fast.ranges == slow.ranges);
            prop_assert!(fast.rx == slow.rx);
            fast.check();
        }
    }
}

/// Requests and responses, of one octet and of a full segment, and the acknowledgments that are owed
/// at once go the fast path: else the test above would compare the long way with itself.
#[cfg(target_pointer_width = "64")]
#[test]
fn an_undisturbed_transfer_takes_the_fast_path() {
    let tunables = Tunables::default();
    let mut now = 1_000_000;
    let env = |now: u64| Env::at(Instant::from_micros(now), &tunables);
    let mut side = Side::new(&env(now), true, true, false);
    let mut options = [0; 40];
    for turn in 0..100u32 {
        let len = if turn % 2 == 0 { 1 } else { 488 };
        now += 100;
        let env = env(now);
        let (c, mut io) = side.io();
        assert_eq!(c.write(&mut io, &[7; 488][..len]), len);
        if turn == 0 {
            // The window restarts: nothing was sent for long.
            assert_eq!(side.send(&env, 1).len(), 1);
        } else {
            let plan = side.send_plain(&env).expect("nothing is unusual");
            assert_eq!((plan.kind, plan.len as usize), (PlanKind::Data, len));
        }
        let timestamps = Timestamps {
            value: 1_000 + turn,
            echo: 0,
        };
        let mut words = netloom_wire::TcpOptionWords::new();
        words.push_timestamps(false, Some(timestamps));
        words.emit(&mut options).unwrap();
        let segment = Segment {
            seq: side.c.rcv_nxt,
            ack: side.c.snd_nxt,
            flags: TcpFlags::ACK | TcpFlags::PSH,
            window: 30_000,
            urgent: 0,
            timestamps: Some(timestamps),
            options: &options[..12],
            payload: &[9; 488][..len],
            count: 1,
            ce: false,
        };
        let (c, mut io) = side.io();
        let news = c.receive_plain(&env, &mut io, &segment, || true);
        assert!(news.is_some(), "{turn}");
        let mut out = [0; 500];
        assert_eq!(c.read(&mut io, &mut out), len);
        if turn % 3 == 0 {
            // Nothing to answer: an acknowledgment alone, if one is owed at once.
            let owed = side.c.flags.has(Flags::ACK_NOW);
            let plan = side.send_plain(&env);
            assert_eq!(plan.map(|plan| plan.kind), owed.then_some(PlanKind::Ack));
        }
    }
    assert_eq!(side.c.state, State::Established);
}

/// RFC 7661 §4.4: a window of which a little is used, now and then, for longer than five minutes.
#[cfg(all(feature = "cubic", feature = "slow-start-after-idle"))]
#[test]
fn a_window_that_is_not_used_is_halved_after_five_minutes() {
    use crate::congestion::{Congestion, Controller};
    //= https://www.rfc-editor.org/rfc/rfc7661#section-4.4.3
    //= type=test
    //# The sender MUST then update cwnd to be not greater than:
    for (is_on, algorithm) in [
        (true, CongestionControl::Reno),
        (true, CongestionControl::Cubic),
        (false, CongestionControl::Cubic),
    ] {
        let tunables = Tunables {
            slow_start_after_idle: is_on,
            ..Tunables::default()
        };
        let mut now = 1_000_000;
        let env = |now: u64| Env::at(Instant::from_micros(now), &tunables);
        let mut side = Side::new(&env(now), true, true, false);
        let mut windows = vec![];
        for turn in 0..3_600u32 {
            now += 100_000;
            let env = env(now);
            if turn == 1 {
                // Not before the first segment, before which nothing was sent for long.
                side.c.congestion = Congestion::new(algorithm, 40_000);
                side.c.congestion.on_loss(40_000, 1_000);
                side.c.congestion.on_undo(100_000, 20_000);
            }
            let (c, mut io) = side.io();
            c.write(&mut io, &[7; 100]);
            side.send(&env, 1);
            let timestamps = Timestamps {
                value: 1_000 + turn,
                echo: env.now_ms.wrapping_add(side.c.ts_offset),
            };
            let mut words = netloom_wire::TcpOptionWords::new();
            words.push_timestamps(false, Some(timestamps));
            let mut options = [0; 40];
            words.emit(&mut options).unwrap();
            let segment = Segment {
                seq: side.c.rcv_nxt,
                ack: side.c.snd_nxt,
                flags: TcpFlags::ACK,
                window: 30_000,
                urgent: 0,
                timestamps: Some(timestamps),
                options: &options[..12],
                payload: &[],
                count: 1,
                ce: false,
            };
            let (c, mut io) = side.io();
            let _ = c.receive(&env, &mut io, &segment);
            let window = side.c.congestion.cwnd();
            if turn > 0 && windows.last() != Some(&window) {
                windows.push(window);
            }
        }
        let expected: &[u32] = if is_on {
            &[100_000, 50_000]
        } else {
            &[100_000]
        };
        assert_eq!(windows, expected, "{algorithm:?}");
        let ssthresh = if is_on { 75_000 } else { 20_000 };
        assert_eq!(side.c.congestion.ssthresh(), ssthresh);
    }
}
