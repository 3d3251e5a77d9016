//! Two connections over a bad channel on a virtual clock: whatever the sizes, whatever is lost,
//! delayed, repeated or refused by the device, both streams arrive whole and both sides close.

use netloom_driver::Instant;
use netloom_tcp::{
    CloseReason, Connection, End, Env, HalfOpen, Io, Next, OpenParams, Range, Record, Segment,
    SeqNum, State, TimeWaitState, Timer, Tunables, closed, listen, syn_received, time_wait,
};
use netloom_wire::{TcpFlags, TcpOptionWords, TcpOptions};
use proptest::prelude::*;

/// xorshift64*: the channel's dice.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }
    fn percent(&mut self, p: u32) -> bool {
        (self.roll() % 100) < u64::from(p)
    }
    fn below(&mut self, n: u64) -> u64 {
        self.roll() % n.max(1)
    }
}

#[derive(Clone, Debug)]
struct Sizes {
    rx: usize,
    tx: usize,
    records: usize,
    ranges: usize,
    mss: u16,
    gso: u32,
}

#[derive(Clone, Debug)]
struct Case {
    sizes: [Sizes; 2],
    iss: [u32; 2],
    data: [usize; 2],
    loss: u32,
    reorder: u32,
    duplicate: u32,
    full: u32,
    delay: u64,
    sack: bool,
    timestamps: bool,
    scaling: bool,
    nodelay: bool,
    simultaneous: bool,
    seed: u64,
}

/// What travels.
#[derive(Clone, Debug)]
struct Packet {
    seq: SeqNum,
    ack: SeqNum,
    flags: TcpFlags,
    window: u16,
    urgent: u16,
    options: TcpOptions,
    payload: Vec<u8>,
}

/// Options as they are sent.
fn read_options(words: &TcpOptionWords) -> TcpOptions {
    let mut buffer = [0; 40];
    words.emit(&mut buffer).unwrap();
    TcpOptions::parse(&buffer[..words.len()]).unwrap()
}

enum Life {
    Listening,
    HalfOpen(HalfOpen),
    Live(Box<Connection>),
    TimeWait(TimeWaitState),
    Gone,
}

struct Host {
    life: Life,
    rx: Vec<u8>,
    tx: Vec<u8>,
    records: Vec<Record>,
    ranges: Vec<Range>,
    params: OpenParams,
    gso: u32,
    send: Vec<u8>,
    written: usize,
    expect: Vec<u8>,
    read: usize,
    closed_write: bool,
    end: Option<End>,
    edge: Option<SeqNum>,
}

macro_rules! io {
    ($host:expr) => {
        Io::new(
            &mut $host.rx,
            &mut $host.tx,
            &mut $host.records,
            &mut $host.ranges,
        )
    };
}

struct World {
    hosts: [Host; 2],
    wire: Vec<(u64, u64, usize, Packet)>,
    now: u64,
    order: u64,
    dice: Dice,
    tunables: Tunables,
    case: Case,
    packets: u64,
}

fn stream(len: usize, seed: u64) -> Vec<u8> {
    let mut dice = Dice(seed | 1);
    (0..len).map(|_| dice.roll() as u8).collect()
}

impl World {
    fn new(case: &Case) -> World {
        let mut tunables = Tunables::default();
        tunables.sack = case.sack;
        tunables.timestamps = case.timestamps;
        tunables.window_scaling = case.scaling;
        tunables.min_snd_mss = 1;
        tunables.user_timeout = 0;
        tunables.syn_retries = 100;
        tunables.synack_retries = 100;
        let streams = [
            stream(case.data[0], case.seed ^ 1),
            stream(case.data[1], case.seed ^ 2),
        ];
        let host = |i: usize| {
            let s = &case.sizes[i];
            Host {
                life: Life::Listening,
                rx: vec![0xaa; s.rx],
                tx: vec![0xaa; s.tx],
                records: vec![Record::EMPTY; s.records],
                ranges: vec![Range::EMPTY; s.ranges],
                params: OpenParams {
                    iss: SeqNum(case.iss[i]),
                    ts_offset: case.iss[1 - i],
                    mss: s.mss,
                    path_mss: s.mss,
                    rcv_buf: s.rx as u32,
                    is_v6: false,
                    nodelay: case.nodelay,
                },
                gso: s.gso,
                send: streams[i].clone(),
                written: 0,
                expect: streams[1 - i].clone(),
                read: 0,
                closed_write: false,
                end: None,
                edge: None,
            }
        };
        World {
            hosts: [host(0), host(1)],
            wire: Vec::new(),
            now: 1_000_000,
            order: 0,
            dice: Dice(case.seed | 1),
            tunables,
            case: case.clone(),
            packets: 0,
        }
    }

    fn emit(&mut self, from: usize, packet: Packet) {
        self.packets += 1;
        let copies = 1 + usize::from(self.dice.percent(self.case.duplicate));
        for _ in 0..copies {
            if self.dice.percent(self.case.loss) {
                continue;
            }
            let mut at = self.now + self.case.delay;
            if self.dice.percent(self.case.reorder) {
                at += self.dice.below(self.case.delay * 4 + 1000);
            }
            self.order += 1;
            self.wire.push((at, self.order, 1 - from, packet.clone()));
        }
    }

    /// Lets host `i` send until it has nothing to send or the device is full.
    fn transmit(&mut self, i: usize) {
        let mut turns = 0;
        loop {
            turns += 1;
            assert!(turns < 100_000, "a connection that never stops sending");
            let host = &mut self.hosts[i];
            let env = Env {
                gso_max: host.gso,
                ..Env::at(Instant::from_micros(self.now), &self.tunables)
            };
            let Life::Live(connection) = &mut host.life else {
                return;
            };
            let io = io!(host);
            match connection.next(&env, &io) {
                Next::Wait(_) => return,
                Next::Fire(timer) => {
                    let mut io = io;
                    let out = connection.fire(&env, &mut io, timer);
                    self.apply(i, out);
                }
                Next::Send(plan) => {
                    if self.dice.percent(self.case.full) {
                        let again = connection.next(&env, &io);
                        assert_eq!(again, Next::Send(plan), "a refused plan changed something");
                        return;
                    }
                    let (a, b) = plan.payload(connection, &io);
                    let payload = [a, b].concat();
                    assert_eq!(payload.len(), plan.len as usize);
                    let options = read_options(&connection.options(&env, &io, &plan));
                    let mut io = io;
                    let out = connection.sent(&env, &mut io, &plan);
                    if plan.flags.contains(TcpFlags::ACK) && !plan.flags.contains(TcpFlags::RST) {
                        let info = connection.info(&env);
                        let scale = if plan.flags.contains(TcpFlags::SYN) {
                            0
                        } else {
                            info.rcv_wscale.unwrap_or(0)
                        };
                        let edge = plan.ack + (u32::from(plan.window) << scale);
                        if let Some(before) = self.hosts[i].edge {
                            let slack = (1i32 << scale) - 1;
                            assert!(edge.distance(before) >= -slack, "the window moved left");
                        }
                        let before = self.hosts[i].edge.unwrap_or(edge);
                        self.hosts[i].edge = Some(edge.max(before));
                    }
                    // What a device does with a super-segment.
                    let mss = usize::from(plan.mss).max(1);
                    let mut offset = 0;
                    loop {
                        let rest = payload.len() - offset;
                        let n = if rest > mss && plan.len > u32::from(plan.mss) {
                            mss
                        } else {
                            rest
                        };
                        let last = offset + n == payload.len();
                        let mut flags = plan.flags;
                        if !last {
                            flags = flags.without(TcpFlags::FIN).without(TcpFlags::PSH);
                        }
                        let packet = Packet {
                            seq: plan.seq + offset as u32,
                            ack: plan.ack,
                            flags,
                            window: plan.window,
                            urgent: plan.urgent,
                            options,
                            payload: payload[offset..offset + n].to_vec(),
                        };
                        self.emit(i, packet);
                        offset += n;
                        if last {
                            break;
                        }
                    }
                    self.apply(i, out);
                }
            }
        }
    }

    fn apply(&mut self, i: usize, out: netloom_tcp::Outcome) {
        let host = &mut self.hosts[i];
        let ended = match &host.life {
            Life::Live(connection) if out.ended() => connection.ended(),
            _ => None,
        };
        assert_eq!(ended.is_some(), out.ended());
        if let Some(end) = ended {
            assert!(host.end.is_none(), "ended twice");
            host.end = Some(end);
            drain(host);
            host.life = match end {
                End::TimeWait(state) => Life::TimeWait(state),
                End::Closed(_) => Life::Gone,
            };
        }
    }

    fn reply(&mut self, i: usize, reply: &netloom_tcp::Reply) {
        self.emit(
            i,
            Packet {
                seq: reply.seq,
                ack: reply.ack,
                flags: reply.flags,
                window: reply.window,
                urgent: 0,
                options: read_options(&reply.options),
                payload: Vec::new(),
            },
        );
    }

    fn deliver(&mut self, to: usize, packet: &Packet) {
        let mut options = [0; 40];
        packet.options.emit(&mut options).unwrap();
        let segment = Segment {
            seq: packet.seq,
            ack: packet.ack,
            flags: packet.flags,
            window: packet.window,
            urgent: packet.urgent,
            timestamps: packet.options.timestamps,
            options: &options[..packet.options.len()],
            payload: &packet.payload,
            count: 1,
            ce: false,
        };
        let tunables = self.tunables.clone();
        let env = Env::at(Instant::from_micros(self.now), &tunables);
        let host = &mut self.hosts[to];
        let params = host.params;
        match &mut host.life {
            Life::Listening => match listen::receive(&segment) {
                listen::Disposition::Drop(_) => {}
                listen::Disposition::Reset(reset) => self.reply(to, &reset.into()),
                listen::Disposition::Syn(offer) => {
                    let entry = HalfOpen::new(params.iss, &offer, &tunables);
                    let reply = entry.syn_ack(&env, params.ts_offset, params.mss, params.rcv_buf);
                    host.life = Life::HalfOpen(entry);
                    self.reply(to, &reply);
                }
            },
            Life::HalfOpen(entry) => {
                use syn_received::Disposition;
                match entry.receive(&env, &segment, params.ts_offset, params.rcv_buf) {
                    Disposition::Drop(_) => {}
                    Disposition::SynAck => {
                        let r = entry.syn_ack(&env, params.ts_offset, params.mss, params.rcv_buf);
                        self.reply(to, &r);
                    }
                    Disposition::Ack(reply) => self.reply(to, &reply),
                    Disposition::Reset(reset) => self.reply(to, &reset.into()),
                    Disposition::Gone => host.life = Life::Listening,
                    Disposition::Established => {
                        let connection = Connection::from_half_open(&params, entry, &env);
                        host.life = Life::Live(Box::new(connection));
                        self.deliver(to, packet);
                    }
                }
            }
            Life::Live(connection) => {
                let need = connection.rx_need(&segment);
                assert!(
                    need <= host.rx.len(),
                    "a segment that needs more than was promised"
                );
                let mut io = io!(host);
                let out = connection.receive(&env, &mut io, &segment);
                if !connection.owes_frame() && !out.ended() {
                    let next = connection.next(&env, &io);
                    assert!(
                        !matches!(next, Next::Send(_)),
                        "owed {next:?} but said nothing"
                    );
                }
                self.apply(to, out);
                if let Some(reset) = closed::reset_for(&segment).filter(|_| out.resets()) {
                    self.reply(to, &reset.into());
                }
            }
            Life::TimeWait(state) => match state.receive(&env, &segment, params.ts_offset) {
                time_wait::Disposition::Drop(_) => {}
                time_wait::Disposition::Ack { reply, .. } => self.reply(to, &reply),
                time_wait::Disposition::Reopen { .. } => panic!("nobody sent a new SYN"),
            },
            Life::Gone => {
                if let Some(reset) = closed::reset_for(&segment) {
                    self.reply(to, &reset.into());
                }
            }
        }
    }

    /// The programs on top: write what there is room for, read some of what came, close.
    fn run_users(&mut self, i: usize) {
        let patience = self.dice.below(4);
        let host = &mut self.hosts[i];
        if let Life::Live(connection) = &mut host.life {
            let mut io = Io::new(
                &mut host.rx,
                &mut host.tx,
                &mut host.records,
                &mut host.ranges,
            );
            if host.written < host.send.len() {
                host.written += connection.write(&mut io, &host.send[host.written..]);
            }
            if host.written == host.send.len() && !host.closed_write && connection.can_write() {
                host.closed_write = true;
                connection.shutdown_write();
            }
        }
        if patience != 0 {
            drain(host);
        }
    }

    fn earliest(&self) -> Option<u64> {
        let wire = self.wire.iter().map(|packet| packet.0).min();
        let mut least = wire;
        for host in &self.hosts {
            if let Life::Live(connection) = &host.life {
                let env = Env {
                    gso_max: host.gso,
                    ..Env::at(Instant::from_micros(self.now), &self.tunables)
                };
                if let Some(at) = connection.deadline(&env) {
                    least = Some(least.map_or(at.as_micros(), |l| l.min(at.as_micros())));
                }
            }
        }
        least
    }

    fn done(&self) -> bool {
        self.hosts.iter().all(|host| {
            host.read == host.expect.len() && matches!(host.life, Life::TimeWait(_) | Life::Gone)
        })
    }

    fn run(&mut self) {
        let env = Env::at(Instant::from_micros(self.now), &self.tunables);
        let first = Connection::connect(&self.hosts[0].params, &env);
        let second = self
            .case
            .simultaneous
            .then(|| Connection::connect(&self.hosts[1].params, &env));
        self.hosts[0].life = Life::Live(Box::new(first));
        if let Some(second) = second {
            self.hosts[1].life = Life::Live(Box::new(second));
        }
        let mut steps = 0u64;
        let mut stuck_entry = 0u64;
        while !self.done() {
            steps += 1;
            assert!(steps < 300_000, "no end: {}", self.describe());
            for i in 0..2 {
                self.run_users(i);
                self.transmit(i);
            }
            // Batches: everything that arrives at the same time is received before sending.
            self.wire.sort_by_key(|packet| (packet.0, packet.1));
            let next = self.earliest();
            let step = self.now + 200 + self.dice.below(800);
            let syn_entry = self
                .hosts
                .iter()
                .any(|h| matches!(h.life, Life::HalfOpen(_)));
            self.now = match next {
                Some(at) => at.max(self.now + 1).min(step.max(at)),
                None => {
                    stuck_entry += 1;
                    assert!(
                        syn_entry || stuck_entry < 100 || self.case.full > 0,
                        "deadlock: {}",
                        self.describe()
                    );
                    step
                }
            };
            if syn_entry && self.dice.percent(10) {
                let tunables = self.tunables.clone();
                let env = Env::at(Instant::from_micros(self.now), &tunables);
                for i in 0..2 {
                    if let Life::HalfOpen(entry) = &self.hosts[i].life {
                        let p = self.hosts[i].params;
                        let r = entry.syn_ack(&env, p.ts_offset, p.mss, p.rcv_buf);
                        self.reply(i, &r);
                    }
                }
            }
            while let Some(at) = self.wire.iter().position(|packet| packet.0 <= self.now) {
                let (_, _, to, packet) = self.wire.remove(at);
                self.deliver(to, &packet);
            }
        }
        for host in &self.hosts {
            assert!(host.read == host.expect.len());
            let finished = matches!(
                host.end,
                Some(End::TimeWait(_) | End::Closed(CloseReason::Finished))
            );
            assert!(finished, "ended by {:?}", host.end);
        }
    }

    fn describe(&self) -> String {
        let env = Env::at(Instant::from_micros(self.now), &self.tunables);
        self.hosts
            .iter()
            .map(|host| match &host.life {
                Life::Live(c) => format!(
                    "\n{:?}\nread {}/{} written {}/{}\n{c:?}",
                    c.info(&env),
                    host.read,
                    host.expect.len(),
                    host.written,
                    host.send.len()
                ),
                Life::Listening => "\nlistening".into(),
                Life::HalfOpen(e) => format!("\n{e:?}"),
                Life::TimeWait(t) => format!("\n{t:?} read {}/{}", host.read, host.expect.len()),
                Life::Gone => format!("\ngone read {}/{}", host.read, host.expect.len()),
            })
            .collect()
    }
}

fn drain(host: &mut Host) {
    if let Life::Live(connection) = &mut host.life {
        let mut buffer = [0u8; 4096];
        loop {
            let mut io = Io::new(
                &mut host.rx,
                &mut host.tx,
                &mut host.records,
                &mut host.ranges,
            );
            let n = connection.read(&mut io, &mut buffer);
            if n == 0 {
                break;
            }
            assert_eq!(
                buffer[..n],
                host.expect[host.read..host.read + n],
                "octets changed on the way"
            );
            host.read += n;
        }
    }
}

fn ring() -> impl Strategy<Value = usize> {
    prop_oneof![
        1usize..16,
        16usize..600,
        600usize..5_000,
        Just(65_536usize),
        Just(200_000usize)
    ]
}

fn sizes() -> impl Strategy<Value = Sizes> {
    (
        ring(),
        ring(),
        prop_oneof![1usize..4, 4usize..40, Just(128usize)],
        prop_oneof![0usize..3, 3usize..32],
        prop_oneof![Just(1460u16), Just(536u16), 60u16..300],
        prop_oneof![3 => Just(0u32), 1 => 1_000u32..65_000],
    )
        .prop_map(|(rx, tx, records, ranges, mss, gso)| Sizes {
            rx,
            tx,
            records,
            ranges,
            mss,
            gso,
        })
}

fn isn() -> impl Strategy<Value = u32> {
    prop_oneof![
        any::<u32>(),
        0xffff_ff00u32..=u32::MAX,
        0x7fff_ff00u32..0x8000_0100
    ]
}

fn case() -> impl Strategy<Value = Case> {
    (
        (
            [sizes(), sizes()],
            [isn(), isn()],
            [0usize..20_000, 0usize..20_000],
        ),
        (
            prop_oneof![2 => Just(0u32), 2 => 1u32..5, 1 => 5u32..25],
            prop_oneof![Just(0u32), 1u32..30],
            prop_oneof![Just(0u32), 1u32..10],
            prop_oneof![Just(0u32), 1u32..40],
            prop_oneof![Just(50u64), 500u64..60_000],
        ),
        (
            any::<bool>(),
            any::<bool>(),
            any::<bool>(),
            any::<bool>(),
            any::<bool>(),
            any::<u64>(),
        ),
    )
        .prop_map(
            |((sizes, iss, mut data), (loss, reorder, duplicate, full, delay), b)| {
                let (sack, timestamps, scaling, nodelay, simultaneous, seed) = b;
                // Tiny buffers move a few octets a round trip: keep the whole thing bounded.
                for i in 0..2 {
                    let least = sizes[i].tx.min(sizes[1 - i].rx);
                    data[i] = data[i].min(least * 60);
                }
                Case {
                    sizes,
                    iss,
                    data,
                    loss,
                    reorder,
                    duplicate,
                    full,
                    delay,
                    sack,
                    timestamps,
                    scaling,
                    nodelay,
                    simultaneous,
                    seed,
                }
            },
        )
}

/// Cases a run: `NETLOOM_TCP_CASES` for a long one.
fn cases() -> u32 {
    std::env::var("NETLOOM_TCP_CASES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1_000)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 40, ..Default::default() })]
    #[test]
    fn both_streams_arrive_whole(case in case()) {
        let mut world = World::new(&case);
        world.run();
    }
}

#[test]
fn a_clean_transfer() {
    let sizes = || Sizes {
        rx: 65_536,
        tx: 65_536,
        records: 64,
        ranges: 16,
        mss: 1460,
        gso: 0,
    };
    let mut world = World::new(&Case {
        sizes: [sizes(), sizes()],
        iss: [0xffff_fff0, 7],
        data: [1_000_000, 300_000],
        loss: 0,
        reorder: 0,
        duplicate: 0,
        full: 0,
        delay: 5_000,
        sack: true,
        timestamps: true,
        scaling: true,
        nodelay: false,
        simultaneous: false,
        seed: 1,
    });
    world.run();
    assert!(world.packets < 1_500, "{} packets", world.packets);
    let _ = (State::Closed, Timer::User);
}
