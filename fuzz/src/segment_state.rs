//! A connection in each of its states, then anything: segments, calls, timers.
//!
//! The peer is modelled: byte `n` of its stream is a function of `n`, wherever a segment puts
//! it, so that whatever is delivered can be checked; ours is checked the same way.

use arbitrary::Unstructured;
use netloom_stack::driver::Instant;
use netloom_tcp::{
    Connection, End, Env, HalfOpen, IcmpError, Io, Keepalive, Next, OpenParams, Outcome, Plan,
    Range, Record, Segment, SeqNum, State, TimeWaitState, Tunables, closed, listen, syn_received,
    time_wait,
};
use netloom_wire::{SackBlocks, TcpFlags, TcpOptions, Timestamps};

/// Runs one script.
pub fn run(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let _ = script(&mut u);
}

fn script(u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let mut host = Host::new(u)?;
    host.reach(u)?;
    let mut steps = 0;
    while !u.is_empty() && steps < 200 {
        steps += 1;
        host.step(u)?;
        host.check();
    }
    Ok(())
}

/// Options as they arrive: with as many SACK blocks as a header holds.
fn emit<'a>(options: &TcpOptions, buffer: &'a mut [u8; 40]) -> &'a [u8] {
    let mut options = *options;
    while options.len() > buffer.len() {
        options.sack.truncate(options.sack.len() - 1);
    }
    options.emit(buffer).expect("it fits");
    &buffer[..options.len()]
}

/// Byte `n` of a stream.
fn byte(stream: u32, n: u32) -> u8 {
    (n.wrapping_add(stream).wrapping_mul(0x9e37_79b1) >> 24) as u8
}

const OURS: u32 = 1;
const THEIRS: u32 = 2;

/// What stands for the connection, over its whole life.
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
    tunables: Tunables,
    now: u64,
    gso: u32,
    /// The peer's initial sequence number.
    irs: SeqNum,
    /// Bytes written and read so far.
    written: u32,
    read: u32,
    /// The rightmost edge of the window that was ever told to the peer.
    edge: Option<SeqNum>,
    una: Option<SeqNum>,
    /// The last plan that was sent.
    last: Option<Plan>,
    ended: bool,
    /// Our offset of the peer's timestamps.
    peer_ts: u32,
    timestamps: bool,
}

impl Host {
    fn new(u: &mut Unstructured<'_>) -> arbitrary::Result<Host> {
        let bits: u8 = u.arbitrary()?;
        let size = |u: &mut Unstructured<'_>| -> arbitrary::Result<usize> {
            Ok([1, 64, 1000, 4096, 70_000][u.choose_index(5)?])
        };
        let mut tunables = Tunables::default();
        tunables.sack = bits & 1 == 0;
        tunables.timestamps = bits & 2 == 0;
        tunables.window_scaling = bits & 4 == 0;
        if bits & 8 != 0 {
            tunables.min_snd_mss = 1;
        }
        let (rx, tx) = (size(u)?, size(u)?);
        let records = [1, 2, 4, 64][u.choose_index(4)?];
        let ranges = [0, 1, 4, 32][u.choose_index(4)?];
        let mss = [48, 536, 1460, 65_000][u.choose_index(4)?];
        let near = |bit: bool| if bit { 0xffff_fff0 } else { 1_000_000 };
        let iss = SeqNum(near(bits & 16 != 0));
        let irs = SeqNum(near(bits & 32 != 0));
        Ok(Host {
            life: Life::Listening,
            rx: vec![0xAA; rx],
            tx: vec![0xAA; tx],
            records: vec![Record::EMPTY; records],
            ranges: vec![Range::EMPTY; ranges],
            params: OpenParams {
                iss,
                ts_offset: 77,
                mss,
                path_mss: mss,
                rcv_buf: rx as u32,
                is_v6: bits & 64 != 0,
                nodelay: bits & 128 != 0,
            },
            tunables,
            now: 1_000_000,
            gso: if u.ratio(1, 4)? { 65_000 } else { 0 },
            irs,
            written: 0,
            read: 0,
            edge: None,
            una: None,
            last: None,
            ended: false,
            peer_ts: near(bits & 16 != 0),
            timestamps: true,
        })
    }

    /// Brings the connection into a state by the book.
    fn reach(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let (irs, ours) = (self.irs, self.params.iss);
        let options = TcpOptions {
            mss: Some([1, 536, 1460, 0][u.choose_index(4)?]),
            window_scale: u.ratio(3, 4)?.then_some(u.int_in_range(0..=15)?),
            sack_permitted: u.ratio(3, 4)?,
            timestamps: u.ratio(3, 4)?.then_some(Timestamps {
                value: self.peer_ts,
                echo: 0,
            }),
            ..TcpOptions::default()
        };
        self.timestamps = options.timestamps.is_some();
        let window = u.arbitrary()?;
        let mut bytes = [0; 40];
        let bytes = emit(&options, &mut bytes);
        let syn = |flags, ack| Segment {
            seq: irs,
            ack,
            flags,
            window,
            urgent: 0,
            timestamps: options.timestamps,
            options: bytes,
            payload: &[],
            count: 1,
            ce: false,
        };
        let target = u.choose_index(11)?;
        if target == 0 {
            return Ok(());
        }
        let active = target == 1 || u.arbitrary()?;
        if active {
            let connection = Connection::connect(&self.params, &self.env());
            self.life = Life::Live(Box::new(connection));
            self.drive(u, false)?;
            if target == 1 {
                return Ok(());
            }
            if target == 2 {
                // A simultaneous open.
                self.deliver(&syn(TcpFlags::SYN, SeqNum(0)));
                return self.drive(u, false);
            }
            self.deliver(&syn(TcpFlags::SYN | TcpFlags::ACK, ours + 1));
        } else {
            self.deliver(&syn(TcpFlags::SYN, SeqNum(0)));
            if target == 2 {
                return Ok(());
            }
            self.honest(TcpFlags::ACK, 0, window);
        }
        self.drive(u, false)?;
        self.write(u.int_in_range(0..=3000)?);
        self.drive(u, false)?;
        if u.arbitrary()? {
            self.honest(TcpFlags::ACK, u.int_in_range(0..=1000)?, window);
            self.drive(u, false)?;
        }
        let fin = TcpFlags::FIN | TcpFlags::ACK;
        match target {
            3 => {}
            // FIN-WAIT-1, FIN-WAIT-2, CLOSING, TIME-WAIT.
            4..=7 => {
                self.shutdown();
                self.drive(u, false)?;
                match target {
                    5 => self.honest(TcpFlags::ACK, 0, u16::MAX),
                    6 => self.unacknowledged_fin(),
                    7 => self.honest(fin, 0, u16::MAX),
                    _ => {}
                }
            }
            // CLOSE-WAIT, LAST-ACK.
            _ => {
                self.honest(fin, 0, u16::MAX);
                if target >= 9 {
                    self.shutdown();
                }
                if target == 10 {
                    self.drive(u, false)?;
                    self.honest(TcpFlags::ACK, 0, u16::MAX);
                }
            }
        }
        self.drive(u, false)
    }

    fn step(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        match u.int_in_range(0..=15u8)? {
            0..=6 => self.any_segment(u)?,
            7 => {
                let flags = TcpFlags(u.int_in_range(0..=0x1ffu16)?);
                self.honest(flags, u.int_in_range(0..=2000)?, u.arbitrary()?);
            }
            8 | 9 => self.drive(u, true)?,
            10 => {
                // Mostly to the next deadline, sometimes short of or far beyond it.
                let ahead = match u.choose_index(4)? {
                    0 => u64::from(u.arbitrary::<u16>()?),
                    1 => u64::from(u.arbitrary::<u32>()?),
                    _ => match &self.life {
                        Life::Live(connection) => connection
                            .deadline(&self.env())
                            .map_or(0, |at| at.as_micros().saturating_sub(self.now)),
                        _ => 1_000_000,
                    },
                };
                self.now += ahead;
                self.drive(u, false)?;
            }
            11 => self.write(u.int_in_range(0..=5000)?),
            12 => self.drain(u.int_in_range(1..=5000)?),
            13 => self.shutdown(),
            14 => self.call(u)?,
            _ => {
                self.drain(usize::MAX);
                self.drive(u, false)?;
            }
        }
        Ok(())
    }

    /// Calls that are made now and then.
    fn call(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let env = Env {
            gso_max: self.gso,
            ..Env::at(Instant::from_micros(self.now), &self.tunables)
        };
        let Life::Live(connection) = &mut self.life else {
            return Ok(());
        };
        let before = connection.state();
        let out = match u.int_in_range(0..=11u8)? {
            0 => connection.close(&env),
            1 => connection.abort(),
            2 => {
                const ERRORS: [IcmpError; 4] = [
                    IcmpError::ProtocolUnreachable,
                    IcmpError::PortUnreachable,
                    IcmpError::NetworkUnreachable,
                    IcmpError::HostUnreachable,
                ];
                let error = ERRORS[u.choose_index(4)?];
                let info = connection.info(&env);
                let at = if u.arbitrary()? {
                    info.snd_una
                } else {
                    SeqNum(u.arbitrary()?)
                };
                connection.icmp_error(error, at)
            }
            3 => connection.next_hop_failed(),
            4 => {
                connection.shutdown_read();
                // What was read is no prefix any more.
                self.read = u32::MAX;
                Outcome::default()
            }
            5 => {
                let mut io = Io::new(
                    &mut self.rx,
                    &mut self.tx,
                    &mut self.records,
                    &mut self.ranges,
                );
                connection.set_path_mss(&mut io, u.arbitrary()?);
                Outcome::default()
            }
            6 => {
                connection.set_keepalive(Some(Keepalive {
                    idle: u64::from(u.arbitrary::<u32>()?),
                    interval: u64::from(u.arbitrary::<u32>()?),
                    count: u.arbitrary()?,
                }));
                Outcome::default()
            }
            7 => {
                connection.set_nodelay(u.arbitrary()?);
                Outcome::default()
            }
            8 => {
                connection.set_user_timeout(Some(u64::from(u.arbitrary::<u32>()?)));
                Outcome::default()
            }
            9 => {
                connection.set_linger(Some(u64::from(u.arbitrary::<u32>()?)));
                Outcome::default()
            }
            10 => {
                connection.mark_urgent();
                Outcome::default()
            }
            _ => {
                connection.set_quickack();
                Outcome::default()
            }
        };
        self.legal(before);
        self.apply(&out);
        Ok(())
    }

    /// A segment of any kind near where the connection is.
    fn any_segment(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let (nxt, una) = self.expected();
        let seq = nxt + delta(u)?;
        let ack = una + delta(u)?;
        let flags = match u.int_in_range(0..=7u8)? {
            0 => TcpFlags(u.int_in_range(0..=0x1ffu16)?),
            1 => TcpFlags::RST,
            2 => TcpFlags::RST | TcpFlags::ACK,
            3 => TcpFlags::SYN,
            4 => TcpFlags::FIN | TcpFlags::ACK,
            _ => TcpFlags::ACK,
        };
        let len = match u.int_in_range(0..=3u8)? {
            0 => usize::from(u.arbitrary::<u16>()?),
            1 => u.int_in_range(0..=1460)?,
            _ => 0,
        };
        let mut sack = SackBlocks::default();
        for _ in 0..u.int_in_range(0..=4u8)? {
            let left = una + delta(u)?;
            let _ = sack.push(left.0, (left + delta(u)?).0);
        }
        let timestamps = match u.int_in_range(0..=3u8)? {
            0 => None,
            1 => Some(Timestamps {
                value: u.arbitrary()?,
                echo: u.arbitrary()?,
            }),
            _ => self.stamps(),
        };
        let options = TcpOptions {
            timestamps,
            sack,
            ..TcpOptions::default()
        };
        let payload = self.payload(seq, flags, len);
        self.deliver(&Segment {
            seq,
            ack,
            flags,
            window: u.arbitrary()?,
            urgent: if u.ratio(1, 8)? { u.arbitrary()? } else { 0 },
            timestamps,
            options: emit(&options, &mut [0; 40]),
            payload: &payload,
            count: 1 + (len / 1460) as u16,
            ce: u.ratio(1, 16)?,
        });
        Ok(())
    }

    /// A segment just as the peer would send it next, acknowledging all.
    fn honest(&mut self, flags: TcpFlags, len: usize, window: u16) {
        let (seq, ack) = self.expected();
        self.send_from(seq, ack, flags, len, window);
    }

    /// The peer's FIN, sent before it got ours.
    fn unacknowledged_fin(&mut self) {
        let (seq, ack) = self.expected();
        let flags = TcpFlags::FIN | TcpFlags::ACK;
        self.send_from(seq, ack - 1, flags, 0, u16::MAX);
    }

    fn send_from(&mut self, seq: SeqNum, ack: SeqNum, flags: TcpFlags, len: usize, window: u16) {
        let payload = self.payload(seq, flags, len);
        let options = TcpOptions {
            timestamps: self.stamps(),
            ..TcpOptions::default()
        };
        self.deliver(&Segment {
            seq,
            ack,
            flags,
            window,
            urgent: 0,
            timestamps: options.timestamps,
            options: emit(&options, &mut [0; 40]),
            payload: &payload,
            count: 1,
            ce: false,
        });
    }

    fn stamps(&self) -> Option<Timestamps> {
        self.timestamps.then(|| Timestamps {
            value: self.peer_ts.wrapping_add((self.now / 1000) as u32),
            echo: ((self.now / 1000) as u32).wrapping_add(self.params.ts_offset),
        })
    }

    /// The peer's bytes from `seq` on.
    fn payload(&self, seq: SeqNum, flags: TcpFlags, len: usize) -> Vec<u8> {
        let syn = flags.contains(TcpFlags::SYN);
        let unknown = match &self.life {
            Life::Listening => true,
            Life::Live(connection) => connection.state() == State::SynSent,
            Life::HalfOpen(_) | Life::TimeWait(_) | Life::Gone => false,
        };
        let first = match (syn, unknown) {
            // It is this one that says where the stream begins.
            (true, true) => 0,
            _ => (seq + u32::from(syn)).since(self.irs + 1),
        };
        (0..len as u32)
            .map(|n| byte(THEIRS, first.wrapping_add(n)))
            .collect()
    }

    /// RCV.NXT and SND.NXT, as far as there are any.
    fn expected(&self) -> (SeqNum, SeqNum) {
        match &self.life {
            Life::Listening | Life::Gone => (self.irs + 1, self.params.iss + 1),
            Life::HalfOpen(entry) => (entry.irs() + 1, entry.iss() + 1),
            Life::Live(connection) => {
                let info = connection.info(&self.env());
                (info.rcv_nxt, info.snd_nxt)
            }
            Life::TimeWait(state) => (state.rcv_nxt(), state.snd_nxt()),
        }
    }

    fn env(&self) -> Env<'_> {
        Env {
            gso_max: self.gso,
            ..Env::at(Instant::from_micros(self.now), &self.tunables)
        }
    }

    fn deliver(&mut self, segment: &Segment<'_>) {
        let env = Env {
            gso_max: self.gso,
            ..Env::at(Instant::from_micros(self.now), &self.tunables)
        };
        let params = self.params;
        match &mut self.life {
            Life::Listening => {
                if let listen::Disposition::Syn(offer) = listen::receive(segment) {
                    self.irs = offer.irs;
                    let entry = HalfOpen::new(params.iss, &offer, &self.tunables);
                    let reply = entry.syn_ack(&env, params.ts_offset, params.mss, params.rcv_buf);
                    self.edge = Some(reply.ack + u32::from(reply.window));
                    self.life = Life::HalfOpen(entry);
                }
            }
            Life::HalfOpen(entry) => {
                use syn_received::Disposition;
                match entry.receive(&env, segment, params.ts_offset, params.rcv_buf) {
                    Disposition::Drop(_) | Disposition::Ack(_) | Disposition::Reset(_) => {}
                    Disposition::SynAck => {
                        entry.count_retry();
                        let _ = entry.syn_ack(&env, params.ts_offset, params.mss, params.rcv_buf);
                    }
                    Disposition::Gone => {
                        self.edge = None;
                        self.life = Life::Listening;
                    }
                    Disposition::Established => {
                        let connection = Connection::from_half_open(&params, entry, &env);
                        self.life = Life::Live(Box::new(connection));
                        self.deliver(segment);
                    }
                }
            }
            Life::Live(connection) => {
                let before = connection.state();
                let need = connection.rx_need(segment);
                assert!(need <= self.rx.len(), "{need} bytes were never promised");
                let mut io = Io::new(
                    &mut self.rx,
                    &mut self.tx,
                    &mut self.records,
                    &mut self.ranges,
                );
                let out = connection.receive(&env, &mut io, segment);
                if !connection.owes_frame() && !out.ended() {
                    let next = connection.next(&env, &io);
                    assert!(
                        !matches!(next, Next::Send(_)),
                        "owes {next:?} but did not say so"
                    );
                }
                if before == State::SynSent && connection.state() != State::SynSent {
                    self.irs = segment.seq;
                }
                self.legal(before);
                self.apply(&out);
            }
            Life::TimeWait(state) => match state.receive(&env, segment, params.ts_offset) {
                time_wait::Disposition::Drop(_) | time_wait::Disposition::Ack { .. } => {}
                time_wait::Disposition::Reopen { min_iss } => {
                    assert!(min_iss.gt(state.snd_nxt()) || min_iss == state.snd_nxt());
                }
            },
            Life::Gone => {
                let reset = closed::reset_for(segment);
                assert_eq!(reset.is_none(), segment.flags.contains(TcpFlags::RST));
            }
        }
    }

    /// Lets the connection do what it wants, until it waits. If `may_refuse`, the device is now
    /// and then full.
    fn drive(&mut self, u: &mut Unstructured<'_>, may_refuse: bool) -> arbitrary::Result<()> {
        for turn in 0.. {
            assert!(turn < 80_000, "it never waits");
            let env = Env {
                gso_max: self.gso,
                ..Env::at(Instant::from_micros(self.now), &self.tunables)
            };
            let Life::Live(connection) = &mut self.life else {
                return Ok(());
            };
            let before = connection.state();
            let mut io = Io::new(
                &mut self.rx,
                &mut self.tx,
                &mut self.records,
                &mut self.ranges,
            );
            let out = match connection.next(&env, &io) {
                Next::Wait(at) => {
                    assert!(at.is_none_or(|at| at > env.now), "waits for what was");
                    return Ok(());
                }
                Next::Fire(timer) => connection.fire(&env, &mut io, timer),
                Next::Send(plan) => {
                    if may_refuse && u.ratio(1, 8)? {
                        let again = connection.next(&env, &io);
                        assert_eq!(again, Next::Send(plan), "asking changed something");
                        return Ok(());
                    }
                    let (a, b) = plan.payload(connection, &io);
                    assert_eq!(a.len() + b.len(), plan.len as usize);
                    let first = plan.seq.since(self.params.iss + 1);
                    for (n, got) in a.iter().chain(b).enumerate() {
                        assert_eq!(*got, byte(OURS, first.wrapping_add(n as u32)));
                    }
                    let info = connection.info(&env);
                    let out = connection.sent(&env, &mut io, &plan);
                    // The window of a SYN is never scaled: it may say less than is promised.
                    let told = plan.flags.contains(TcpFlags::ACK)
                        && !plan.flags.contains(TcpFlags::RST)
                        && !plan.flags.contains(TcpFlags::SYN);
                    if told {
                        let scale = info.rcv_wscale.unwrap_or(0);
                        let edge = plan.ack + (u32::from(plan.window) << scale);
                        // What the scale cannot express.
                        let slack = (1 << scale) - 1;
                        let old = self.edge.unwrap_or(edge);
                        assert!(
                            edge.distance(old) >= -slack,
                            "the window moved left by {}: {plan:?} {info:?}",
                            old.since(edge)
                        );
                        self.edge = Some(edge.max(old));
                    }
                    self.last = Some(plan);
                    out
                }
            };
            self.legal(before);
            self.apply(&out);
        }
        Ok(())
    }

    fn apply(&mut self, out: &Outcome) {
        if !out.ended() {
            return;
        }
        let Life::Live(connection) = &self.life else {
            return;
        };
        let end = connection.ended().expect("it said so");
        assert!(!self.ended, "it ended twice");
        self.ended = true;
        // What arrived before the end can be read after it.
        self.drain(usize::MAX);
        self.life = match end {
            End::TimeWait(state) => Life::TimeWait(state),
            End::Closed(_) => Life::Gone,
        };
    }

    fn write(&mut self, len: usize) {
        let data: Vec<u8> = (0..len as u32)
            .map(|n| byte(OURS, self.written.wrapping_add(n)))
            .collect();
        let Life::Live(connection) = &mut self.life else {
            return;
        };
        let mut io = Io::new(
            &mut self.rx,
            &mut self.tx,
            &mut self.records,
            &mut self.ranges,
        );
        let room = connection.write_room(&io);
        let n = connection.write(&mut io, &data);
        assert_eq!(n, room.min(len));
        self.written = self.written.wrapping_add(n as u32);
    }

    fn drain(&mut self, most: usize) {
        let Life::Live(connection) = &mut self.life else {
            return;
        };
        let mut io = Io::new(
            &mut self.rx,
            &mut self.tx,
            &mut self.records,
            &mut self.ranges,
        );
        let mut buffer = vec![0; most.min(connection.readable_bytes())];
        let n = connection.read(&mut io, &mut buffer);
        assert_eq!(n, buffer.len());
        if self.read == u32::MAX {
            return;
        }
        for got in &buffer {
            assert_eq!(*got, byte(THEIRS, self.read), "byte {}", self.read);
            self.read += 1;
        }
    }

    fn shutdown(&mut self) {
        if let Life::Live(connection) = &mut self.life {
            let before = connection.state();
            connection.shutdown_write();
            self.legal(before);
        }
    }

    fn check(&mut self) {
        let Life::Live(connection) = &self.life else {
            return;
        };
        let info = connection.info(&self.env());
        assert!(info.snd_una.le(info.snd_nxt));
        let una = self.una.unwrap_or(info.snd_una);
        assert!(info.snd_una.ge(una), "SND.UNA moved left");
        assert!(u64::from(info.sacked) + u64::from(info.lost) <= u64::from(info.unacked) + 1);
        assert!(info.unread as usize <= self.rx.len());
        assert!(connection.range_count() <= self.ranges.len());
        assert!(connection.record_count() <= self.records.len());
        self.una = Some(info.snd_una);
    }

    /// Whether the state could change like this: along the arrows of RFC 9293's figure 5, of
    /// which one segment may take several.
    fn legal(&self, before: State) {
        let Life::Live(connection) = &self.life else {
            return;
        };
        let after = connection.state();
        assert!(
            leads_to(before, after),
            "from {before} to {after} leads no way"
        );
    }
}

/// Mostly none, sometimes small, sometimes anything.
fn delta(u: &mut Unstructured<'_>) -> arbitrary::Result<u32> {
    Ok(match u.int_in_range(0..=7u8)? {
        0 => u.arbitrary()?,
        1 => u32::from(u.arbitrary::<u16>()?),
        2 => u32::from(u.arbitrary::<u16>()?).wrapping_neg(),
        3 => u32::from(u.arbitrary::<u8>()?),
        4 => u32::from(u.arbitrary::<u8>()?).wrapping_neg(),
        _ => 0,
    })
}

fn leads_to(from: State, to: State) -> bool {
    use State::*;
    if from == to || to == Closed {
        return true;
    }
    let next: &[State] = match from {
        Closed | Listen => &[],
        SynSent => &[SynReceived, Established],
        SynReceived => &[Established, FinWait1],
        Established => &[FinWait1, CloseWait],
        FinWait1 => &[FinWait2, Closing, TimeWait],
        FinWait2 | Closing => &[TimeWait],
        CloseWait => &[LastAck],
        LastAck | TimeWait => &[],
    };
    next.iter().any(|state| leads_to(*state, to))
}
