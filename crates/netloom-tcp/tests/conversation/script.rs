//! Scripts that read like packet traces.
//!
//! Sequence numbers are relative to each side's ISN, as in packetdrill: the SYN is 0, the first
//! octet of data 1. Every script runs twice: with small numbers, and with both ISNs just below
//! the wrap. The octet at relative sequence number `n` is always `pattern(n)`.

use std::fmt::Debug;

use netloom_driver::Instant;
use netloom_tcp::{
    CongestionControl, Connection, End, Env, HalfOpen, Io, News, Next, OpenParams, Outcome, Plan,
    PlanKind, Range, Record, Reply, Reset, Segment, SeqNum, State, Timer, Tunables, closed, listen,
    syn_received,
};
use netloom_wire::{SackBlocks, TcpFlags, TcpOptionWords, TcpOptions, Timestamps};

pub(crate) fn pattern(n: u32) -> u8 {
    (n.wrapping_mul(167) >> 3) as u8
}

/// What the peer offers and what we have.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) tunables: Tunables,
    pub(crate) mss: u16,
    pub(crate) path_mss: u16,
    pub is_v6: bool,
    pub(crate) rx: usize,
    pub(crate) tx: usize,
    pub(crate) records: usize,
    pub(crate) ranges: usize,
    pub(crate) gso: u32,
    pub(crate) peer_mss: Option<u16>,
    pub(crate) peer_scale: Option<u8>,
    pub(crate) peer_sack: bool,
    pub(crate) peer_ts: bool,
    pub(crate) peer_window: u16,
    pub(crate) nodelay: bool,
    pub(crate) iss: u32,
    pub(crate) irs: u32,
}

impl Setup {
    pub(crate) fn with(change: impl FnOnce(&mut Setup)) -> Setup {
        let mut setup = Setup {
            tunables: Tunables::default(),
            mss: 1000,
            path_mss: 1460,
            is_v6: false,
            rx: 20_000,
            tx: 100_000,
            records: 64,
            ranges: 16,
            gso: 0,
            peer_mss: Some(1000),
            peer_scale: None,
            peer_sack: false,
            peer_ts: false,
            peer_window: 60_000,
            nodelay: false,
            iss: 100,
            irs: 5000,
        };
        setup.tunables.quick_acks = 0;
        // Scripts count on RFC 5681's numbers, unless they choose another algorithm.
        setup.tunables.congestion_control = CongestionControl::Reno;
        setup.tunables.ecn = 0;
        setup.tunables.recovery = false;
        setup.tunables.early_retrans = false;
        setup.tunables.frto = false;
        change(&mut setup);
        setup
    }
}

/// A segment as scripts write it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seg {
    pub(crate) flags: String,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) win: u16,
    pub(crate) len: u32,
    pub(crate) mss: Option<u16>,
    pub(crate) ws: Option<u8>,
    pub(crate) sackok: bool,
    pub(crate) ts: Option<(u32, u32)>,
    pub(crate) sack: Vec<(u32, u32)>,
    pub(crate) urg: u16,
    pub(crate) count: u16,
    pub(crate) kind: Option<PlanKind>,
    pub(crate) seg_mss: u16,
}

impl Default for Seg {
    fn default() -> Seg {
        Seg {
            flags: ".".into(),
            seq: 1,
            ack: 1,
            win: 60_000,
            len: 0,
            mss: None,
            ws: None,
            sackok: false,
            ts: None,
            sack: Vec::new(),
            urg: 0,
            count: 1,
            kind: None,
            seg_mss: 0,
        }
    }
}

pub(crate) fn flags(text: &str) -> TcpFlags {
    let mut set = TcpFlags::NONE;
    for letter in text.chars() {
        set |= match letter {
            'F' => TcpFlags::FIN,
            'S' => TcpFlags::SYN,
            'R' => TcpFlags::RST,
            'P' => TcpFlags::PSH,
            '.' => TcpFlags::ACK,
            'U' => TcpFlags::URG,
            'E' => TcpFlags::ECE,
            'W' => TcpFlags::CWR,
            '-' => TcpFlags::NONE,
            other => panic!("no flag {other}"),
        };
    }
    set
}

/// An outcome that a script may ignore.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    outcome: Outcome,
    /// The RST it asks for.
    pub(crate) reset: Option<Reset>,
}

impl std::ops::Deref for Answer {
    type Target = Outcome;
    fn deref(&self) -> &Outcome {
        &self.outcome
    }
}

/// Options as they arrive: with as many SACK blocks as a header holds.
fn option_bytes<'a>(options: &TcpOptions, buffer: &'a mut [u8; 40]) -> &'a [u8] {
    let mut options = *options;
    while options.len() > buffer.len() {
        options.sack.truncate(options.sack.len() - 1);
    }
    options.emit(buffer).unwrap();
    &buffer[..options.len()]
}

/// Options as they are sent.
fn read_options(words: &TcpOptionWords) -> TcpOptions {
    let mut buffer = [0; 40];
    words.emit(&mut buffer).unwrap();
    TcpOptions::parse(&buffer[..words.len()]).unwrap()
}

/// One side of a conversation.
pub(crate) struct Host {
    pub(crate) c: Connection,
    pub(crate) setup: Setup,
    pub(crate) rx: Vec<u8>,
    pub(crate) tx: Vec<u8>,
    pub(crate) records: Vec<Record>,
    pub(crate) ranges: Vec<Range>,
    pub(crate) now: u64,
    pub(crate) written: u32,
    pub(crate) read: u32,
    /// News since the script last asked.
    pub(crate) news: News,
    pub(crate) end: Option<End>,
    pub(crate) last: Outcome,
}

/// Runs `$body` with the host's storage as an `Io`, and its `Env`.
macro_rules! with {
    ($host:expr, |$c:ident, $env:ident, $io:ident| $body:expr) => {{
        let host = &mut *$host;
        let $env = netloom_tcp::Env {
            gso_max: host.setup.gso,
            ..netloom_tcp::Env::at(
                netloom_driver::Instant::from_micros(host.now),
                &host.setup.tunables,
            )
        };
        #[allow(unused_mut)]
        let mut $io = netloom_tcp::Io::new(
            &mut host.rx,
            &mut host.tx,
            &mut host.records,
            &mut host.ranges,
        );
        let $c = &mut host.c;
        $body
    }};
}
pub(crate) use with;

pub(crate) fn seconds(s: u64) -> u64 {
    s * 1_000_000
}

pub(crate) fn millis(ms: u64) -> u64 {
    ms * 1_000
}

impl Host {
    /// Not connected.
    pub(crate) fn blank(setup: &Setup) -> Host {
        Host {
            c: Connection::EMPTY,
            rx: vec![0xaa; setup.rx],
            tx: vec![0xaa; setup.tx],
            records: vec![Record::EMPTY; setup.records],
            ranges: vec![Range::EMPTY; setup.ranges],
            now: seconds(1000),
            written: 0,
            read: 0,
            news: News::NONE,
            end: None,
            last: Outcome::default(),
            setup: setup.clone(),
        }
    }

    pub(crate) fn params(&self) -> OpenParams {
        OpenParams {
            iss: SeqNum(self.setup.iss),
            ts_offset: 0x1000,
            mss: self.setup.mss,
            path_mss: self.setup.path_mss,
            rcv_buf: self.setup.rx as u32,
            is_v6: self.setup.is_v6,
            nodelay: self.setup.nodelay,
        }
    }

    /// In SYN-SENT, with the SYN not sent yet.
    pub(crate) fn connecting(setup: Setup) -> Host {
        let mut host = Host::blank(&setup);
        let params = host.params();
        host.c = with!(&mut host, |_c, env, _io| Connection::connect(&params, &env));
        host
    }

    /// What a SYN from the peer looks like.
    pub(crate) fn peer_syn(&self) -> Seg {
        let s = &self.setup;
        Seg {
            flags: "S".into(),
            seq: 0,
            ack: 0,
            win: s.peer_window,
            mss: s.peer_mss,
            ws: s.peer_scale,
            sackok: s.peer_sack,
            ts: s.peer_ts.then_some((7_000, 0)),
            ..Seg::default()
        }
    }

    /// ESTABLISHED by an active open.
    pub(crate) fn client(setup: Setup) -> Host {
        let mut host = Host::connecting(setup);
        let syn = host.emit();
        let echo = syn.ts.map_or(0, |ts| ts.0);
        let answer = Seg {
            flags: "S.".into(),
            ack: 1,
            ts: host.setup.peer_ts.then_some((7_000, echo)),
            ..host.peer_syn()
        };
        host.recv(answer);
        assert_eq!(host.c.state(), State::Established);
        let ack = host.emit();
        assert_eq!((ack.seq, ack.ack, ack.len), (1, 1, 0));
        host.news = News::NONE;
        host
    }

    /// In SYN-RECEIVED by a passive open, at a moment of the clock in microseconds.
    pub(crate) fn half_opened_at(now: u64, setup: Setup) -> Host {
        let mut host = Host {
            now,
            ..Host::blank(&setup)
        };
        let entry = host.half_open();
        let params = host.params();
        host.c = with!(&mut host, |_c, env, _io| Connection::from_half_open(
            &params, &entry, &env
        ));
        host
    }

    /// ESTABLISHED by a passive open.
    pub(crate) fn server(setup: Setup) -> Host {
        let mut host = Host::half_opened_at(seconds(1000), setup);
        let ts = host
            .setup
            .peer_ts
            .then(|| (7_001, (host.now / 1000) as u32 + 0x1000));
        host.recv(Seg {
            win: host.setup.peer_window,
            ts,
            ..Seg::default()
        });
        assert_eq!(host.c.state(), State::Established);
        host.news = News::NONE;
        host
    }

    pub(crate) fn half_open(&self) -> HalfOpen {
        let syn = self.peer_syn();
        match self.build(&syn, listen::receive) {
            listen::Disposition::Syn(offer) => {
                HalfOpen::new(SeqNum(self.setup.iss), &offer, &self.setup.tunables)
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn entry_receive(
        &self,
        entry: &mut HalfOpen,
        seg: &Seg,
    ) -> syn_received::Disposition {
        let env = Env::at(Instant::from_micros(self.now), &self.setup.tunables);
        let rcv_buf = self.setup.rx as u32;
        self.build(seg, |segment| entry.receive(&env, segment, 0x1000, rcv_buf))
    }

    /// Makes a real segment of a scripted one.
    pub(crate) fn build<R>(&self, seg: &Seg, then: impl FnOnce(&Segment<'_>) -> R) -> R {
        let (iss, irs) = (self.setup.iss, self.setup.irs);
        let payload: Vec<u8> = (0..seg.len)
            .map(|i| pattern(seg.seq.wrapping_add(i)))
            .collect();
        let mut sack = SackBlocks::new();
        for &(left, right) in &seg.sack {
            sack.push(iss.wrapping_add(left), iss.wrapping_add(right));
        }
        let options = TcpOptions {
            mss: seg.mss,
            window_scale: seg.ws,
            sack_permitted: seg.sackok,
            timestamps: seg.ts.map(|(value, echo)| Timestamps { value, echo }),
            sack,
            ..TcpOptions::default()
        };
        let set = flags(&seg.flags);
        then(&Segment {
            seq: SeqNum(irs.wrapping_add(seg.seq)),
            ack: SeqNum(if set.contains(TcpFlags::ACK) {
                iss.wrapping_add(seg.ack)
            } else {
                0
            }),
            flags: set,
            window: seg.win,
            urgent: seg.urg,
            timestamps: options.timestamps,
            options: option_bytes(&options, &mut [0; 40]),
            payload: &payload,
            count: seg.count,
            ce: false,
        })
    }

    /// A segment arrives.
    pub(crate) fn recv(&mut self, seg: Seg) -> Answer {
        let tunables = self.setup.tunables.clone();
        let now = self.now;
        let gso = self.setup.gso;
        let (mut c, mut rx, mut tx) = (
            self.c.clone(),
            std::mem::take(&mut self.rx),
            std::mem::take(&mut self.tx),
        );
        let mut records = std::mem::take(&mut self.records);
        let mut ranges = std::mem::take(&mut self.ranges);
        let (outcome, reset) = self.build(&seg, |segment| {
            let env = Env {
                gso_max: gso,
                ..Env::at(Instant::from_micros(now), &tunables)
            };
            let mut io = Io::new(&mut rx, &mut tx, &mut records, &mut ranges);
            let out = c.receive(&env, &mut io, segment);
            (out, closed::reset_for(segment).filter(|_| out.resets()))
        });
        (self.c, self.rx, self.tx, self.records, self.ranges) = (c, rx, tx, records, ranges);
        self.take(outcome);
        Answer { outcome, reset }
    }

    pub(crate) fn take(&mut self, out: Outcome) {
        self.news = self.news | out.news;
        if out.ended() {
            assert!(self.end.is_none(), "ended twice");
            self.end = self.c.ended();
            assert!(self.end.is_some());
        }
        self.last = out;
    }

    pub(crate) fn next(&mut self) -> Next {
        loop {
            let next = with!(self, |c, env, io| c.next(&env, &io));
            match next {
                Next::Fire(timer) => {
                    let out = with!(self, |c, env, io| c.fire(&env, &mut io, timer));
                    self.take(out);
                }
                Next::Send(_) | Next::Wait(_) => return next,
            }
        }
    }

    pub(crate) fn plan(&mut self) -> Plan {
        match self.next() {
            Next::Send(plan) => plan,
            other => panic!("expected a segment, not {other:?} in {:?}", self.c),
        }
    }

    /// The next segment, emitted.
    pub(crate) fn emit(&mut self) -> Seg {
        let plan = self.plan();
        let payload = with!(self, |c, _env, io| {
            let (a, b) = plan.payload(c, &io);
            [a, b].concat()
        });
        let seg = self.describe(&plan);
        assert_eq!(payload.len(), plan.len as usize);
        for (i, octet) in payload.iter().enumerate() {
            assert_eq!(*octet, pattern(seg.seq + i as u32), "octet {i} of {seg:?}");
        }
        let out = with!(self, |c, env, io| c.sent(&env, &mut io, &plan));
        self.take(out);
        seg
    }

    pub(crate) fn describe(&mut self, plan: &Plan) -> Seg {
        let (iss, irs) = (self.setup.iss, self.setup.irs);
        let options = with!(self, |c, env, io| read_options(&c.options(&env, &io, plan)));
        Seg {
            flags: plan.flags.to_string(),
            seq: plan.seq.0.wrapping_sub(iss),
            ack: if plan.flags.contains(TcpFlags::ACK) {
                plan.ack.0.wrapping_sub(irs)
            } else {
                0
            },
            win: plan.window,
            len: plan.len,
            mss: options.mss,
            ws: options.window_scale,
            sackok: options.sack_permitted,
            ts: options.timestamps.map(|ts| (ts.value, ts.echo)),
            sack: options
                .sack
                .iter()
                .map(|(l, r)| (l.wrapping_sub(irs), r.wrapping_sub(irs)))
                .collect(),
            urg: plan.urgent,
            count: 1,
            kind: Some(plan.kind),
            seg_mss: plan.mss,
        }
    }

    pub(crate) fn describe_reply(&self, reply: &Reply) -> Seg {
        let (iss, irs) = (self.setup.iss, self.setup.irs);
        let options = read_options(&reply.options);
        Seg {
            flags: reply.flags.to_string(),
            seq: reply.seq.0.wrapping_sub(iss),
            ack: if reply.flags.contains(TcpFlags::ACK) {
                reply.ack.0.wrapping_sub(irs)
            } else {
                0
            },
            win: reply.window,
            mss: options.mss,
            ws: options.window_scale,
            sackok: options.sack_permitted,
            ts: options.timestamps.map(|ts| (ts.value, ts.echo)),
            ..Seg::default()
        }
    }

    /// Everything there is to send now.
    pub(crate) fn emit_all(&mut self) -> Vec<Seg> {
        let mut all = Vec::new();
        while let Next::Send(_) = self.next() {
            all.push(self.emit());
            assert!(all.len() < 10_000);
        }
        all
    }

    /// Nothing may be owed now.
    pub(crate) fn quiet(&mut self) {
        if let Next::Send(plan) = self.next() {
            panic!("unexpected {:?}", self.describe(&plan));
        }
    }

    pub(crate) fn deadline(&mut self) -> Option<Instant> {
        with!(self, |c, env, _io| c.deadline(&env))
    }

    pub(crate) fn sleep(&mut self, micros: u64) {
        self.now += micros;
    }

    /// Sleeps until the next deadline; how long that was.
    pub(crate) fn sleep_until_deadline(&mut self) -> u64 {
        match self.next() {
            Next::Wait(Some(at)) => {
                let slept = at.as_micros() - self.now;
                self.now = at.as_micros();
                slept
            }
            other => panic!("no deadline but {other:?} in {:?}", self.c),
        }
    }

    pub(crate) fn write(&mut self, n: u32) {
        let start = 1 + self.written;
        let data: Vec<u8> = (0..n).map(|i| pattern(start + i)).collect();
        let taken = with!(self, |c, _env, io| c.write(&mut io, &data));
        assert_eq!(taken, n as usize);
        self.written += n;
    }

    /// Reads `n` octets, checks them.
    pub(crate) fn read(&mut self, n: u32) {
        let mut buffer = vec![0; n as usize];
        let got = with!(self, |c, _env, io| c.read(&mut io, &mut buffer));
        assert_eq!(got, n as usize, "octets to read");
        for (i, octet) in buffer.iter().enumerate() {
            assert_eq!(*octet, pattern(1 + self.read + i as u32), "octet {i}");
        }
        self.read += n;
    }

    pub(crate) fn info(&mut self) -> netloom_tcp::TcpInfo {
        with!(self, |c, env, _io| c.info(&env))
    }

    pub(crate) fn close(&mut self) {
        let out = with!(self, |c, env, _io| c.close(&env));
        self.take(out);
    }

    pub(crate) fn state(&self) -> State {
        self.c.state()
    }

    pub(crate) fn fire(&mut self, timer: Timer) {
        let out = with!(self, |c, env, io| c.fire(&env, &mut io, timer));
        self.take(out);
    }
}

/// Both must be equal; the segment is shown if not.
pub(crate) fn check<T: PartialEq + Debug>(what: &str, got: &T, wanted: &T, seg: &Seg) {
    assert!(
        got == wanted,
        "{what} is {got:?}, not {wanted:?}, in {seg:?}"
    );
}

/// `recv!(h, "P.", seq: 1, ack: 1, len: 10)`: a segment arrives.
macro_rules! recv {
    ($host:expr, $flags:literal $(, $field:ident : $value:expr)* $(,)?) => {{
        #[allow(clippy::needless_update)]
        let seg = Seg { flags: $flags.into(), $($field: $value,)* ..Seg::default() };
        $host.recv(seg)
    }};
}
pub(crate) use recv;

/// `sends!(h, ".", seq: 1, ack: 11)`: the next segment is this one; it is emitted.
macro_rules! sends {
    ($host:expr, $flags:literal $(, $field:ident : $value:expr)* $(,)?) => {{
        let seg = $host.emit();
        check("flags", &seg.flags.as_str(), &$flags, &seg);
        $(check(stringify!($field), &seg.$field, &$value, &seg);)*
        seg
    }};
}
pub(crate) use sends;

/// `conversation! { name(setup) { .. } }`: a script, run with small sequence numbers and with
/// ones that wrap.
macro_rules! conversation {
    ($($(#[$meta:meta])* $name:ident($setup:ident) $body:block)*) => {$(
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            #[allow(clippy::ptr_arg)]
            fn script($setup: &dyn Fn(&mut Setup)) $body
            $(#[$meta])*
            #[test]
            fn plain() {
                script(&|_| {});
            }
            #[test]
            fn at_the_wrap() {
                script(&|setup| {
                    setup.iss = 0xffff_fff0;
                    setup.irs = 0xffff_fe00;
                });
            }
        }
    )*};
}
pub(crate) use conversation;
