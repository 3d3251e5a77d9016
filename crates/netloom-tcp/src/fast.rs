//! The fast path of an undisturbed transfer: header prediction (V. Jacobson, 1990) for what arrives,
//! and its counterpart for what is sent.
//!
//! Nearly every segment of an open connection is the next one in order, acknowledges something or
//! carries text, and finds nothing lost, nothing out of order, no timer due, nobody closing. For
//! those the long way asks a hundred questions whose answers are known. Here they are asked at once
//! ([`Connection::is_undisturbed`]), and what is left is what such a segment does. There are four
//! calls, each the counterpart of one of the long way's:
//!
//! - [`Connection::receive_plain`] of [`Connection::receive`],
//! - [`Connection::next_plain`] of [`Connection::next`],
//! - [`Connection::sent_plain`] of [`Connection::sent`], and [`Connection::deadline_plain`], once it
//!   says that nothing more is owed, of [`Connection::deadline`].
//!
//! They decide nothing of their own. Each says `None`, with nothing changed, unless it does exactly
//! what its counterpart does; a test drives two connections through the same random life, one of
//! them on the long way only, and compares all of their state after each step. So a rule is changed
//! on the long way, where the RFCs are quoted, and the test tells whether it must be changed here.
//!
//! Everything is inlined into the caller, which has the storage, the clock and the segment's fields
//! in registers. Small machines go the long way always: for them the code is dearer than the time.

use netloom_driver::Instant;
use netloom_wire::TcpFlags;
use netloom_wire::hint::cold_path;

use crate::congestion::Controller;
use crate::flags::Flags;
use crate::records::Record;
#[cfg(feature = "rack")]
use crate::recovery::Marks;
use crate::recovery::{NewAck, Phase};
use crate::timers::LONGEST_WAIT;
use crate::{Connection, DELAYED_ACK, Env, Io, News, Plan, PlanKind, Segment, SeqNum, State};

/// Facts that make a segment that arrives more than the next piece of a transfer.
const UNUSUAL: Flags = Flags::READ_SHUT
    .with(Flags::ORPHAN)
    .with(Flags::FIN_AHEAD)
    .with(Flags::FIN_QUEUED)
    .with(Flags::FIN_SENT)
    .with(Flags::PROBED)
    .with(Flags::URGENT_OUT)
    .with(Flags::WATCHED);

/// Facts that call for another segment than new text or an acknowledgment, or for a timer.
const UNUSUAL_TO_SEND: Flags = UNUSUAL
    .with(Flags::SYN_OWED)
    .with(Flags::FIN_LOST)
    .with(Flags::RESET_OWED)
    .with(Flags::RETRANSMIT_NOW)
    .with(Flags::KEEPALIVE)
    .with(Flags::KEEPALIVE_OWED)
    .with(Flags::PROBE_OWED)
    .with(Flags::OVERRIDE)
    .with(Flags::DSACK)
    .with(Flags::OWN_USER_TIMEOUT)
    .with(Flags::LINGERING);

/// What is under way of recovery and of congestion notification.
#[cfg(feature = "rack")]
const BUSY: Marks = {
    let busy = Marks::REO_TIMER
        .with(Marks::PROBE_DUE)
        .with(Marks::PROBED)
        .with(Marks::DSACK_ROUND)
        .with(Marks::ECE_OWED)
        .with(Marks::CWR_OWED);
    #[cfg(feature = "plpmtud")]
    let busy = busy.with(Marks::PATH_PROBE);
    busy
};

impl Connection {
    /// Whether the connection is open, nothing is known to be missing either way, and none of
    /// `unusual` holds.
    #[inline(always)]
    fn is_undisturbed(&self, unusual: Flags) -> bool {
        (self.state == State::Established) & self.is_calm(unusual)
    }

    /// [`is_undisturbed`](Connection::is_undisturbed) in whatever state.
    #[inline(always)]
    pub(crate) fn is_calm(&self, unusual: Flags) -> bool {
        #[cfg(feature = "rack")]
        let busy = self.marks.any(BUSY);
        #[cfg(not(feature = "rack"))]
        let busy = false;
        // One branch for all of it. What is lost is being repaired: the phase says so.
        let missing = self.sacked | u32::from(self.range_count);
        let owed = u32::from(self.dup_acks_owed);
        (self.phase == Phase::Open) & (missing | owed == 0) & !self.flags.any(unusual) & !busy
    }

    /// [`Connection::receive`] of a segment that is the next one in order and has room, or
    /// acknowledges something new, while nothing is unusual. Returns what happened; `None`: it is
    /// not such a segment, and nothing has changed.
    ///
    /// `intact` is asked at the end whether the segment is, before anything changes: looking for
    /// that takes longer than the rest, and is in vain for segments of another kind.
    #[inline(always)]
    pub fn receive_plain(
        &mut self,
        env: &Env<'_>,
        io: &mut Io<'_>,
        segment: &Segment<'_>,
        intact: impl FnOnce() -> bool,
    ) -> Option<News> {
        if !self.is_undisturbed(UNUSUAL)
            || segment.flags.without(TcpFlags::PSH) != TcpFlags::ACK
            || segment.seq != self.rcv_nxt
            || segment.window == 0
            || segment.ce
            || self.snd_wnd == 0
            || !segment.is_plain()
        {
            cold_path();
            return None;
        }
        if self.flags.has(Flags::TIMESTAMPS) {
            let value = segment.timestamps?.value;
            if SeqNum(value).lt(SeqNum(self.ts_recent)) {
                cold_path();
                return None;
            }
        }
        let flight = self.flight();
        let acked = segment.ack.since(self.snd_una);
        if acked > flight {
            cold_path();
            return None;
        }
        let len = segment.payload.len();
        let window = self.rcv_adv.saturating_since(self.rcv_nxt) as usize;
        let room = self.rx.room(io.rx.len());
        if len > window || len > room || (len == 0 && acked == 0) {
            cold_path();
            return None;
        }
        let (done, unit, sample) = self.acknowledged_records(env, io.records, segment.ack)?;
        if !intact() {
            cold_path();
            return None;
        }

        let mut news = News::NONE;
        self.heard(env);
        self.take_window(segment);
        if acked > 0 {
            self.records.drop_front(done);
            self.delivered = self.delivered.wrapping_add(acked);
            self.take_ack(env, segment.ack, sample, flight, unit, io.tx.len());
            news = News::PATH_CONFIRMED.with(News::WRITABLE);
        }
        if self.rtx_deadline != 0 || self.unsent() > 0 {
            self.settle_persist(env);
        }
        self.update_ts_recent(segment);
        if len > 0 {
            self.measure_peer(segment);
            if !io.is_placed() {
                self.rx.place(io.rx, self.rx.len as usize, segment.payload);
            }
            self.rx.len = self.rx.len.wrapping_add(len as u32);
            self.rcv_nxt = self.rcv_nxt.plus(len as u32);
            self.schedule_ack(env, segment);
            // A round trip of reading may be over.
            let more = self.take_outcome().news;
            news = news.with(more).with(News::READABLE);
        }
        Some(news)
    }

    /// How many records `ack` covers, the octets of the largest, and the age of the last; `None` if
    /// anything is known of one of them, or of the one it ends in.
    #[inline(always)]
    fn acknowledged_records(
        &self,
        env: &Env<'_>,
        records: &[Record],
        ack: SeqNum,
    ) -> Option<(u16, u32, Option<u32>)> {
        let mut done = 0u16;
        let mut sample = None;
        let (mut start, mut unit) = (self.snd_una, 0);
        for record in self.records.live(records) {
            if !record.is_plain() {
                cold_path();
                return None;
            }
            if record.end.gt(ack) {
                break;
            }
            sample = Some(env.micros().wrapping_sub(record.sent));
            unit = unit.max(record.end.since(start));
            start = record.end;
            done = done.saturating_add(1);
        }
        Some((done, unit, sample))
    }

    /// Takes over the peer's window, which is open and was, from a segment at RCV.NXT.
    #[inline(always)]
    pub(crate) fn take_window(&mut self, segment: &Segment<'_>) {
        let newer = self.snd_wl1.lt(segment.seq)
            || (self.snd_wl1 == segment.seq && self.snd_wl2.le(segment.ack))
            || self.snd_wl2.lt(segment.ack);
        if newer {
            self.snd_wnd = u32::from(segment.window) << self.snd_shift();
            self.max_snd_wnd = self.max_snd_wnd.max(self.snd_wnd);
            self.snd_wl1 = segment.seq;
            self.snd_wl2 = segment.ack;
        }
    }

    /// SND.UNA moves up to `ack`; `flight` octets were in flight, of what is acknowledged `unit`
    /// had left in one piece at the most, and the newest was sent `sample` microseconds ago.
    #[inline(always)]
    pub(crate) fn take_ack(
        &mut self,
        env: &Env<'_>,
        ack: SeqNum,
        sample: Option<u32>,
        flight: u32,
        unit: u32,
        tx_capacity: usize,
    ) {
        let octets = ack.since(self.snd_una);
        self.snd_una = ack;
        self.forget_recovery();
        self.rtx_nxt = self.rtx_nxt.max(ack);
        self.tx.consume(tx_capacity, octets);
        self.tx.rewind();
        if let Some(sample) = sample {
            self.rtt.sample(sample, env.now_ms);
            #[cfg(feature = "rack")]
            self.measured(sample);
            self.backoff = 0;
        }
        self.retries = 0;
        self.dup_acks = 0;
        let ack = NewAck {
            octets,
            flight,
            #[cfg(feature = "fast-retransmit")]
            unit,
            #[cfg(feature = "cubic")]
            rtt: sample.unwrap_or(0),
        };
        self.grow(env, &ack, false);
        if octets < flight {
            self.una_since = env.now_ms.max(1);
            self.arm_plain(env);
        } else {
            self.una_since = 0;
            self.rtx_deadline = 0;
            #[cfg(feature = "rack")]
            self.marks.clear(Marks::TIMERS);
        }
    }

    /// [`Connection::next`] if that is to send new text of at most one segment, or else an
    /// acknowledgment, while nothing is unusual; `None`: it is another thing, or nothing.
    #[inline(always)]
    pub fn next_plain(&self, env: &Env<'_>, io: &Io<'_>) -> Option<Plan> {
        if !self.is_undisturbed(UNUSUAL_TO_SEND) || self.has_due_timer(env) {
            cold_path();
            return None;
        }
        let mut plan = self.plain_ack(0, 0);
        let flight = self.flight();
        let unsent = self.tx.len.saturating_sub(flight);
        if unsent > 0 {
            plan.kind = PlanKind::Data;
            plan.offset = flight;
            plan.len = self.plain_text(env, io, flight, unsent)?;
            if plan.len == unsent {
                plan.flags = const { TcpFlags::ACK.with(TcpFlags::PSH) };
            }
        } else if !self.flags.has(Flags::ACK_NOW) {
            return None;
        }
        plan.window = self.window_to_offer().0;
        Some(plan)
    }

    /// Whether a timer is due, of a connection that neither closes nor keeps itself alive.
    #[inline(always)]
    fn has_due_timer(&self, env: &Env<'_>) -> bool {
        let due = |deadline: u32| (deadline != 0) & (deadline.wrapping_sub(env.now_ms) as i32 <= 0);
        let waits = (self.una_since != 0) & (env.tunables.user_timeout != 0);
        let limit = env.tunables.user_timeout.min(LONGEST_WAIT);
        let user = self.una_since.wrapping_add(limit).max(1);
        due(self.rtx_deadline) | due(self.ack_deadline) | (waits & due(user))
    }

    /// How much of `unsent` octets goes into the next segment.
    #[inline(always)]
    fn plain_text(&self, env: &Env<'_>, io: &Io<'_>, flight: u32, unsent: u32) -> Option<u32> {
        let mss = u32::from(self.mss);
        let len = unsent.min(mss);
        let usable = self.snd_wnd.saturating_sub(flight);
        let room = self.congestion.cwnd().saturating_sub(flight);
        // The window may have to restart; and a super-segment follows rules of its own.
        let rested = flight == 0 && self.is_idle(env);
        // Larger segments may be tried.
        #[cfg(feature = "plpmtud")]
        if unsent > mss && self.search.low != 0 && self.next_probe_size(env).is_some() {
            return None;
        }
        if len > usable
            || len > room
            || rested
            || unsent.min(env.gso_max) > mss
            || (len < mss && self.nagle_holds(false))
            || self.records.is_full(io.records)
        {
            return None;
        }
        Some(len)
    }

    /// [`Connection::sent`] of what [`Connection::next_plain`] returned just before. Says whether
    /// [`Connection::next`] is to be asked again, as [`News::OWES_FRAME`] does.
    #[inline(always)]
    pub fn sent_plain(&mut self, env: &Env<'_>, io: &mut Io<'_>, plan: &Plan) -> bool {
        if plan.len > 0 {
            self.sent_plain_text(env, io, plan);
        }
        self.rcv_adv = self
            .rcv_adv
            .max(plan.ack.plus(u32::from(plan.window) << self.rcv_shift()));
        self.last_ack_sent = plan.ack;
        self.ack_deadline = 0;
        self.flags.clear(Flags::ACK_NOW);
        self.unsent() > 0 || self.owes_window_update()
    }

    #[inline(always)]
    fn sent_plain_text(&mut self, env: &Env<'_>, io: &mut Io<'_>, plan: &Plan) {
        if DELAYED_ACK && (self.flags.has(Flags::ACK_NOW) || self.ack_deadline != 0) {
            self.quick_acks = 0;
        }
        let first = self.snd_nxt == self.snd_una;
        if first {
            self.una_since = env.now_ms.max(1);
        }
        let end = plan.seq.plus(plan.len);
        let record = Record {
            end,
            sent: env.micros(),
            delivered: self.delivered,
            mss: plan.mss,
            ..Record::EMPTY
        };
        self.records.push(io.records, record);
        self.snd_nxt = end;
        if plan.len < u32::from(plan.mss) {
            self.snd_sml = end;
        }
        self.last_sent_ms = env.now_ms;
        #[cfg(feature = "rack")]
        let probes = self.marks.has(Marks::PTO_TIMER);
        #[cfg(not(feature = "rack"))]
        let probes = false;
        if probes || self.rtx_deadline == 0 || first {
            self.arm_plain(env);
        }
    }

    /// Starts the timer of what is in flight.
    #[inline(always)]
    fn arm_plain(&mut self, env: &Env<'_>) {
        #[cfg(feature = "rack")]
        self.arm_probe(env);
        #[cfg(not(feature = "rack"))]
        self.arm_retransmission(env);
    }

    /// [`Connection::deadline`] when [`Connection::sent_plain`] has just said that nothing more is
    /// owed: no acknowledgment is, so what remains is what is waited for. It is not reached.
    #[inline(always)]
    pub fn deadline_plain(&self, env: &Env<'_>) -> Option<Instant> {
        if self.rtx_deadline == 0 {
            return None;
        }
        let left = self.rtx_deadline.wrapping_sub(env.now_ms);
        let user = match env.tunables.user_timeout {
            0 => u32::MAX,
            limit => env.until(self.una_since.wrapping_add(limit.min(LONGEST_WAIT)).max(1)),
        };
        env.moment(left.min(user))
    }
}
