//! The one predicate: what a connection does next. Nothing here changes anything.

use netloom_driver::Instant;
use netloom_wire::{SackBlocks, TcpFlags, TcpOptions, Timestamps};

use crate::congestion::{Controller, initial_window};
use crate::flags::Flags;
use crate::ranges;
use crate::records::{LOST, SACKED};
use crate::recovery::Phase;
use crate::syn_received::syn_window;
use crate::{Connection, Env, Io, Next, Plan, PlanKind, SeqNum, State, Timer};

/// SACK blocks are left out of data segments when less than this would be left of them.
const LEAST_PAYLOAD: u16 = 64;

impl Connection {
    /// What the connection does next. Changes nothing: ask again whenever something has
    /// happened, and after each plan that was sent.
    pub fn next(&self, env: &Env<'_>, io: &Io<'_>) -> Next {
        if self.flags.has(Flags::RESET_OWED) {
            return Next::Send(self.plan_reset(env));
        }
        if self.close_reason.is_some() {
            return Next::Wait(None);
        }
        let earliest = self.earliest(env);
        // On small machines asking twice would be more code.
        let due = earliest.is_some_and(|deadline| deadline <= env.now);
        if due || !cfg!(target_pointer_width = "64") {
            if let Some(timer) = self.due_timer(env) {
                return Next::Fire(timer);
            }
        }
        let plan = match self.state {
            State::Closed | State::Listen => None,
            State::SynSent => self.plan_syn(env),
            State::SynReceived => self.plan_syn(env).or_else(|| self.plan_ack(env, io)),
            State::TimeWait => self.plan_ack(env, io),
            State::Established
            | State::FinWait1
            | State::FinWait2
            | State::CloseWait
            | State::Closing
            | State::LastAck => self.plan_synchronized(env, io),
        };
        match plan {
            Some(plan) => Next::Send(plan),
            None if self.wants_persist_timer(io) => Next::Fire(Timer::Persist),
            None if self.wants_keepalive_timer() => Next::Fire(Timer::KeepAlive),
            None => Next::Wait(earliest),
        }
    }

    fn plan_synchronized(&self, env: &Env<'_>, io: &Io<'_>) -> Option<Plan> {
        if self.dup_acks_owed > 0 {
            return Some(self.segment(env, io, PlanKind::DuplicateAck, self.snd_nxt, 0));
        }
        if let Some(plan) = self.plan_retransmission(env, io, true) {
            return Some(plan);
        }
        if let Some(plan) = self.plan_new(env, io) {
            return Some(plan);
        }
        if self.phase == Phase::Recovery && self.sacked > 0 {
            if let Some(plan) = self.plan_retransmission(env, io, false) {
                return Some(plan);
            }
        }
        if self
            .flags
            .any(Flags::PROBE_OWED.with(Flags::KEEPALIVE_OWED))
        {
            return Some(self.plan_probe(env, io));
        }
        self.plan_ack(env, io)
    }

    fn plan_ack(&self, env: &Env<'_>, io: &Io<'_>) -> Option<Plan> {
        (self.flags.has(Flags::ACK_NOW) || self.owes_window_update())
            .then(|| self.segment(env, io, PlanKind::Ack, self.snd_nxt, 0))
    }

    /// A segment with everything filled in but its text.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn segment(
        &self,
        env: &Env<'_>,
        io: &Io<'_>,
        kind: PlanKind,
        seq: SeqNum,
        len: u32,
    ) -> Plan {
        Plan {
            seq,
            ack: self.rcv_nxt,
            flags: TcpFlags::ACK,
            window: self.window_to_offer().0,
            urgent: 0,
            options: self.options(env, io, len > 0),
            offset: seq.saturating_since(self.data_una()),
            len,
            mss: self.mss,
            kind,
        }
    }

    fn timestamps(&self, env: &Env<'_>) -> Option<Timestamps> {
        self.flags.has(Flags::TIMESTAMPS).then(|| Timestamps {
            value: env.now_ms.wrapping_add(self.ts_offset),
            echo: self.ts_recent,
        })
    }

    fn options(&self, env: &Env<'_>, io: &Io<'_>, has_text: bool) -> TcpOptions {
        let mut options = TcpOptions {
            timestamps: self.timestamps(env),
            ..TcpOptions::default()
        };
        if self.range_count > 0 || self.flags.has(Flags::DSACK) {
            options.sack = self.sack_blocks(io, has_text);
        }
        options
    }

    #[cold]
    fn sack_blocks(&self, io: &Io<'_>, has_text: bool) -> SackBlocks {
        let mut blocks = SackBlocks::new();
        if !self.flags.has(Flags::SACK) || (has_text && self.mss < LEAST_PAYLOAD.wrapping_mul(2)) {
            return blocks;
        }
        let most = if self.flags.has(Flags::TIMESTAMPS) {
            3
        } else {
            4
        };
        if self.flags.has(Flags::DSACK) {
            //= https://www.rfc-editor.org/rfc/rfc2883#section-4
            //# (1) A D-SACK block is only used to report a duplicate contiguous
            //# sequence of data received by the receiver in the most recent packet.
            blocks.push(self.dsack.0.0, self.dsack.1.0);
        }
        ranges::report(io.ranges, self.range_count, &mut blocks, most);
        blocks
    }

    /// Payload of a full-sized segment that carries `options`.
    fn payload_with(&self, options: &TcpOptions) -> u16 {
        match options.sack.len() {
            0 => self.mss,
            n => self
                .mss
                .saturating_sub(4u16.wrapping_add((n as u16) << 3))
                .max(1),
        }
    }

    fn plan_syn(&self, env: &Env<'_>) -> Option<Plan> {
        if !self.flags.has(Flags::SYN_OWED) {
            return None;
        }
        let answers = self.state == State::SynReceived;
        let options = TcpOptions {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.7.1
            //# TCP implementations SHOULD send an MSS Option in every SYN segment
            //# when its receive MSS differs from the default 536 for IPv4 or 1220
            //# for IPv6 (SHLD-5), and MAY send it always (MAY-3).
            mss: Some(self.our_mss),
            window_scale: self.flags.has(Flags::SCALING).then_some(self.rcv_wscale),
            sack_permitted: self.flags.has(Flags::SACK),
            timestamps: self.timestamps(env),
            ..TcpOptions::default()
        };
        Some(Plan {
            seq: self.iss,
            ack: if answers { self.rcv_nxt } else { SeqNum(0) },
            flags: if answers {
                TcpFlags::SYN | TcpFlags::ACK
            } else {
                TcpFlags::SYN
            },
            window: syn_window(self.rcv_buf),
            urgent: 0,
            options,
            offset: 0,
            len: 0,
            mss: self.our_mss,
            kind: PlanKind::Syn,
        })
    }

    fn plan_reset(&self, env: &Env<'_>) -> Plan {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.5
        //# <SEQ=SND.NXT><CTL=RST>
        Plan {
            seq: self.snd_nxt,
            ack: self.rcv_nxt,
            flags: TcpFlags::RST | TcpFlags::ACK,
            window: 0,
            urgent: 0,
            options: TcpOptions {
                timestamps: self.timestamps(env),
                ..TcpOptions::default()
            },
            offset: 0,
            len: 0,
            mss: self.mss,
            kind: PlanKind::Reset,
        }
    }

    /// The next text or FIN that is to be sent again. `lost_only`: what is taken as lost; else
    /// also what is merely suspected (NextSeg rule 3, RFC 6675 §4).
    fn plan_retransmission(&self, env: &Env<'_>, io: &Io<'_>, lost_only: bool) -> Option<Plan> {
        if lost_only && self.lost == 0 {
            return self.plan_lost_fin(env, io);
        }
        if self.snd_wnd == 0 {
            return None;
        }
        let (start, end) = self.next_to_retransmit(io, lost_only)?;
        let mut plan = self.segment(env, io, PlanKind::Retransmission, start, 1);
        let payload = self.payload_with(&plan.options);
        let mss = u32::from(payload);
        let forced = self.flags.has(Flags::RETRANSMIT_NOW);
        let mut room = self.congestion.cwnd().saturating_sub(self.pipe());
        if forced {
            room = room.max(mss);
        }
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6
        //# If this happens, the sender SHOULD NOT send new data (SHLD-15), but
        //# SHOULD retransmit normally the old unacknowledged data between
        //# SND.UNA and SND.UNA+SND.WND (SHLD-16).
        let window = self.snd_una.plus(self.snd_wnd).saturating_since(start);
        let whole = end.since(start);
        let mut len = whole.min(window).min(largest(env, mss));
        if len > room {
            if room < mss {
                return None;
            }
            len = room;
        }
        if len > mss {
            len = whole_segments(len, mss, whole);
        }
        if len == 0 {
            return None;
        }
        plan.mss = payload;
        plan.len = len;
        self.finish_text(&mut plan, self.flags.has(Flags::FIN_SENT));
        Some(plan)
    }

    fn next_to_retransmit(&self, io: &Io<'_>, lost_only: bool) -> Option<(SeqNum, SeqNum)> {
        let limit = if lost_only {
            self.data_end()
        } else {
            self.highest_sacked(io)?
        };
        let mut start = self.snd_una;
        for i in 0..self.records.len() {
            let record = self.records.get(io.records, i)?;
            if start.ge(limit) {
                return None;
            }
            let eligible = if lost_only {
                record.is(LOST)
            } else {
                !record.is(SACKED) && record.retransmissions == 0
            };
            if eligible {
                return Some((self.retransmitted_to(start, record.end), record.end));
            }
            start = record.end;
        }
        None
    }

    fn plan_lost_fin(&self, env: &Env<'_>, io: &Io<'_>) -> Option<Plan> {
        if !self.flags.has(Flags::FIN_LOST) {
            return None;
        }
        let mut plan = self.segment(env, io, PlanKind::Fin, self.data_end(), 0);
        plan.flags |= TcpFlags::FIN;
        Some(plan)
    }

    /// PSH and FIN on text that ends the queue; URG where urgent data lies ahead.
    fn finish_text(&self, plan: &mut Plan, fin: bool) {
        if plan.offset.saturating_add(plan.len) >= self.tx.len {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.1.2
            //# MUST set the PSH bit
            //# in the last buffered segment (i.e., when there is no more queued data
            //# to be sent) (MUST-61).
            plan.flags |= TcpFlags::PSH;
            if fin {
                plan.flags |= TcpFlags::FIN;
            }
        }
        if self.flags.has(Flags::URGENT_OUT) && self.snd_up.gt(plan.seq) {
            plan.flags |= TcpFlags::URG;
            plan.urgent = self.snd_up.since(plan.seq).min(0xffff) as u16;
        }
    }

    /// New text, or the first FIN: Nagle, silly-window avoidance, congestion window.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn plan_new(&self, env: &Env<'_>, io: &Io<'_>) -> Option<Plan> {
        let fin = self.flags.has(Flags::FIN_QUEUED) && !self.flags.has(Flags::FIN_SENT);
        let unsent = self.unsent();
        if unsent == 0 {
            return if fin { self.plan_fin(env, io) } else { None };
        }
        if !self.records.has_room(io.records) {
            return None;
        }
        let mut plan = self.segment(env, io, PlanKind::Data, self.data_end(), 1);
        plan.mss = self.payload_with(&plan.options);
        plan.len = self.sendable(env, unsent, u32::from(plan.mss), fin)?;
        self.finish_text(&mut plan, fin);
        Some(plan)
    }

    /// How much of `unsent` octets may be sent now, if any, in segments of `mss`.
    fn sendable(&self, env: &Env<'_>, unsent: u32, mss: u32, fin: bool) -> Option<u32> {
        let flight = self.flight();
        let usable = self.usable_window();
        let cwnd = self.cwnd_now(env);
        let room = cwnd.saturating_sub(self.pipe());
        let allowed = usable.min(room);
        let most = largest(env, mss);
        let len = unsent.min(allowed).min(most);
        if len == 0 {
            return None;
        }
        if len == unsent {
            let tail = if len < mss {
                len
            } else {
                len.checked_rem(mss).unwrap_or(0)
            };
            if tail == 0 || !self.nagle_holds(fin) {
                return Some(len);
            }
            return (len > tail).then(|| len.wrapping_sub(tail));
        }
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.2.1
        //# A TCP implementation MUST include a SWS avoidance algorithm in the
        //# sender (MUST-38).
        if len < mss {
            // Less than a segment, and not the end of the queue: only if nothing else would
            // ever bring an acknowledgment.
            let half = len >= self.max_snd_wnd >> 1 || room < usable;
            return (flight == 0 && (half || self.flags.has(Flags::OVERRIDE))).then_some(len);
        }
        let len = whole_segments(len, mss, unsent);
        // A super-segment cut short by the window would be followed by ever shorter ones: wait
        // for the acknowledgment that is coming.
        let short = most > mss && len < most.min(unsent);
        let window = cwnd.min(self.snd_wnd);
        if short && flight > 0 && allowed < window / 3 {
            return None;
        }
        Some(len)
    }

    /// The Nagle algorithm in Minshall's form: a short segment waits while another short one is
    /// unacknowledged.
    fn nagle_holds(&self, fin: bool) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.7.4
        //# If there is
        //# unacknowledged data (i.e., SND.NXT > SND.UNA), then the sending TCP
        //# endpoint buffers all user data (regardless of the PSH bit) until the
        //# outstanding data has been acknowledged or until the TCP endpoint can
        //# send a full-sized segment (Eff.snd.MSS bytes).
        !fin && !self.flags.has(Flags::NODELAY) && self.snd_sml.gt(self.snd_una)
    }

    fn plan_fin(&self, env: &Env<'_>, io: &Io<'_>) -> Option<Plan> {
        let mut plan = self.segment(env, io, PlanKind::Fin, self.snd_nxt, 0);
        plan.flags |= TcpFlags::FIN;
        Some(plan)
    }

    /// The congestion window, or the restart window after an idle time.
    pub(crate) fn cwnd_now(&self, env: &Env<'_>) -> u32 {
        let cwnd = self.congestion.cwnd();
        if self.flight() == 0 && self.is_idle(env) {
            cwnd.min(self.restart_window(env))
        } else {
            cwnd
        }
    }

    /// Whether nothing was sent for longer than a retransmission timeout.
    pub(crate) fn is_idle(&self, env: &Env<'_>) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc5681#section-4.1
        //# Therefore, a TCP SHOULD set cwnd to no more than RW before beginning
        //# transmission if the TCP has not sent data in an interval exceeding
        //# the retransmission timeout.
        env.now_ms.wrapping_sub(self.last_sent_ms) > self.rto(env) / 1_000
    }

    pub(crate) fn restart_window(&self, env: &Env<'_>) -> u32 {
        initial_window(env.tunables.initial_window, self.mss)
    }

    // The receiver's side of what goes out.

    /// The window field of the next segment, and the right edge it stands for.
    ///
    /// The edge moves only in steps worth telling (silly-window avoidance), and never left. Where
    /// the scale cannot express the promised window it is rounded up as long as the buffer has
    /// the room; only then down, by less than one unit (RFC 7323 §2.4), and the promise is kept.
    pub(crate) fn window_to_offer(&self) -> (u16, SeqNum) {
        let promised = self.rcv_adv.saturating_since(self.rcv_nxt);
        let free = self.rcv_buf.saturating_sub(self.rx.len);
        let unit = (1u32 << self.rcv_wscale).wrapping_sub(1);
        let whole = free & !unit;
        let window = if whole >= promised.saturating_add(self.window_step()) {
            whole
        } else {
            let up = promised.saturating_add(unit) & !unit;
            if up <= free { up } else { promised }
        };
        let field = (window >> self.rcv_wscale).min(0xffff);
        (field as u16, self.rcv_nxt.plus(field << self.rcv_wscale))
    }

    /// By how much the right edge must move for the peer to be told.
    #[inline]
    fn window_step(&self) -> u32 {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.2.2
        //# A TCP implementation MUST include a SWS avoidance algorithm in the
        //# receiver (MUST-39).
        (self.rcv_buf >> 1).min(u32::from(self.our_mss)).max(1)
    }

    /// Whether the user has read enough for a window update of its own: the edge can move by a
    /// step, and the peer may be running out of window.
    pub fn owes_window_update(&self) -> bool {
        let promised = self.rcv_adv.saturating_since(self.rcv_nxt);
        if promised > self.rcv_buf >> 1 || !self.is_receiving() {
            return false;
        }
        // What a SYN could not promise in 16 bits goes with the first acknowledgment of data.
        if self.rcv_nxt == self.irs.plus(1) {
            return false;
        }
        let (_, edge) = self.window_to_offer();
        edge.saturating_since(self.rcv_adv) >= self.window_step()
    }

    /// The least of all deadlines.
    pub(crate) fn earliest(&self, env: &Env<'_>) -> Option<Instant> {
        let deadlines = [
            self.rtx_deadline,
            self.ack_deadline,
            self.keepalive_deadline,
            self.close_deadline,
            self.user_deadline(env),
        ];
        // One less, so that those that are off come last.
        let least = deadlines.iter().fold(u64::MAX, |least, deadline| {
            least.min(deadline.as_micros().wrapping_sub(1))
        });
        (least != u64::MAX).then(|| Instant::from_micros(least.wrapping_add(1)))
    }
}

/// The largest payload of one plan.
#[inline]
fn largest(env: &Env<'_>, mss: u32) -> u32 {
    env.gso_max.max(mss)
}

/// `len` octets of a stretch of `whole`, in whole segments unless it is the end.
fn whole_segments(len: u32, mss: u32, whole: u32) -> u32 {
    if len == whole {
        len
    } else {
        len.wrapping_sub(len.checked_rem(mss).unwrap_or(0))
    }
}
