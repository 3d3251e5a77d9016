//! A plan was emitted: only now is it recorded.

use netloom_wire::TcpFlags;

#[cfg(feature = "fast-retransmit")]
use crate::SeqNum;
use crate::congestion::Controller;
use crate::flags::Flags;
#[cfg(feature = "rack")]
use crate::records::REPAIRED;
#[cfg(feature = "fast-retransmit")]
use crate::records::{LOST, Record};
#[cfg(feature = "rack")]
use crate::recovery::{Marks, Phase};
use crate::{
    ACTIVE_OPEN, Connection, DELAYED_ACK, Env, Io, News, Next, OFFLOAD, OUT_OF_ORDER, Outcome,
    Plan, PlanKind, State,
};

impl Connection {
    /// `plan`, which [`Connection::next`] returned just before, was emitted.
    pub fn sent(&mut self, env: &Env<'_>, io: &mut Io<'_>, plan: &Plan) -> Outcome {
        match plan.kind {
            PlanKind::Syn => {
                if ACTIVE_OPEN {
                    self.sent_syn(env, plan);
                }
            }
            PlanKind::Data => self.sent_data_segment(env, io, plan),
            PlanKind::PathProbe => {
                self.sent_data_segment(env, io, plan);
                #[cfg(feature = "plpmtud")]
                self.sent_path_probe(env, plan);
            }
            PlanKind::Retransmission => self.sent_again(env, io, plan),
            PlanKind::Fin => self.sent_fin(env),
            PlanKind::WindowProbe => {
                self.flags.clear(Flags::PROBE_OWED);
                if self.flight() == 0 {
                    self.flags.set(Flags::PROBED);
                }
            }
            PlanKind::KeepAlive => self.flags.clear(Flags::KEEPALIVE_OWED),
            PlanKind::Ack => {}
            PlanKind::DuplicateAck => {
                if OUT_OF_ORDER {
                    self.dup_acks_owed = self.dup_acks_owed.saturating_sub(1);
                }
            }
            PlanKind::Reset => {
                self.flags.clear(Flags::RESET_OWED);
                self.report(News::ENDED);
                return self.take_outcome();
            }
        }
        if plan.flags.contains(TcpFlags::ACK) {
            self.acknowledged(plan);
        }
        if self.state == State::TimeWait && !self.flags.has(Flags::ACK_NOW) {
            self.leave_for_time_wait();
        }
        if self.has_more(env, io) {
            self.report(News::OWES_FRAME);
        }
        self.take_outcome()
    }

    /// Whether [`Connection::next`] is to be asked again: never `false` when it would be `Send`,
    /// or start a timer.
    #[inline]
    fn has_more(&self, env: &Env<'_>, io: &Io<'_>) -> bool {
        // Small machines ask always: for them the code is dearer than the time.
        if !cfg!(target_pointer_width = "64") {
            return true;
        }
        let more = self.unsent() > 0 || self.wants_keepalive_timer() || self.owes_frame();
        debug_assert!(
            more || self.due_timer(env).is_some() || matches!(self.next(env, io), Next::Wait(_))
        );
        more
    }

    /// What every segment with ACK does: it acknowledges, and it offers a window.
    #[inline]
    pub(crate) fn acknowledged(&mut self, plan: &Plan) {
        let scale = if ACTIVE_OPEN && plan.flags.contains(TcpFlags::SYN) {
            0
        } else {
            self.rcv_shift()
        };
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6
        //# A TCP receiver SHOULD NOT shrink the window, i.e., move the right
        //# window edge to the left (SHLD-14).
        self.rcv_adv = self
            .rcv_adv
            .max(plan.ack.plus(u32::from(plan.window) << scale));
        self.last_ack_sent = plan.ack;
        self.ack_deadline = 0;
        self.flags.clear(Flags::ACK_NOW);
        if plan.sack_blocks > 0 || plan.len == 0 {
            self.flags.clear(Flags::DSACK);
        }
    }

    #[inline]
    pub(crate) fn sent_syn(&mut self, env: &Env<'_>, plan: &Plan) {
        self.flags.clear(Flags::SYN_OWED);
        // Text that went with an earlier one may still be acknowledged.
        self.snd_nxt = self.snd_nxt.max(self.iss.plus(1).plus(plan.len));
        #[cfg(feature = "fastopen")]
        self.forget_cookie();
        self.xmit_ts = env.micros();
        if self.una_since == 0 {
            self.una_since = env.now_ms.max(1);
        }
        self.arm_retransmission(env);
    }

    fn sent_data_segment(&mut self, env: &Env<'_>, io: &mut Io<'_>, plan: &Plan) {
        // Text that answers a request carries its acknowledgment: no need to be quick.
        if DELAYED_ACK && (self.flags.has(Flags::ACK_NOW) || self.ack_deadline != 0) {
            self.quick_acks = 0;
        }
        if self.flight() == 0 {
            if self.is_idle(env) {
                self.congestion.on_idle(self.restart_window(env));
            }
            self.una_since = env.now_ms.max(1);
        }
        let end = plan.seq.plus(plan.len);
        self.record_sent(env, io, plan, end);
        self.snd_nxt = end;
        let mss = u32::from(plan.mss);
        if plan.len < mss || (OFFLOAD && plan.len.wrapping_rem(mss.max(1)) != 0) {
            self.snd_sml = end;
        }
        if plan.flags.contains(TcpFlags::FIN) {
            self.flags.set(Flags::FIN_SENT);
            self.snd_nxt += 1;
        }
        self.flags
            .clear(Flags::OVERRIDE.with(Flags::PROBED).with(Flags::PROBE_OWED));
        #[cfg(feature = "bbr")]
        self.watch_sent(env, io, plan);
        self.last_sent_ms = env.now_ms;
        #[cfg(feature = "rack")]
        self.sent_new(env, plan);
        #[cfg(not(feature = "rack"))]
        self.start_retransmission_timer(env, plan.seq == self.snd_una);
    }

    /// What new data does to recovery.
    #[cfg(feature = "rack")]
    #[inline]
    fn sent_new(&mut self, env: &Env<'_>, plan: &Plan) {
        if self.phase == Phase::Recovery {
            self.prr.out = self.prr.out.saturating_add(plan.len);
        }
        if plan.flags.contains(TcpFlags::CWR) {
            self.marks.clear(Marks::CWR_OWED);
        }
        if self.marks.has(Marks::PROBE_DUE) {
            self.sent_loss_probe(env, plan.kind);
        } else if self.marks.has(Marks::PTO_TIMER)
            || self.rtx_deadline == 0
            || plan.seq == self.snd_una
        {
            self.arm_probe(env);
        }
    }

    /// What a retransmission does to recovery.
    #[cfg(feature = "rack")]
    fn sent_old(&mut self, env: &Env<'_>, plan: &Plan) {
        if self.phase == Phase::Recovery {
            self.prr.out = self.prr.out.saturating_add(plan.len);
        }
        self.note_retransmission(env, plan.len);
        if self.marks.has(Marks::PROBE_DUE) {
            self.sent_loss_probe(env, plan.kind);
        }
    }

    #[inline]
    pub(crate) fn sent_fin(&mut self, env: &Env<'_>) {
        if self.flags.has(Flags::FIN_SENT) {
            self.total_retransmissions = self.total_retransmissions.wrapping_add(1);
        } else {
            if self.flight() == 0 {
                self.una_since = env.now_ms.max(1);
                self.rtx_deadline = 0;
            }
            self.snd_nxt += 1;
        }
        #[cfg(feature = "rack")]
        if self.marks.has(Marks::PROBE_DUE) {
            self.sent_loss_probe(env, PlanKind::Fin);
        }
        self.flags.set(Flags::FIN_SENT);
        self.flags.clear(
            Flags::FIN_LOST
                .with(Flags::RETRANSMIT_NOW)
                .with(Flags::PROBED),
        );
        self.start_retransmission_timer(env, false);
    }

    fn sent_again(&mut self, env: &Env<'_>, io: &mut Io<'_>, plan: &Plan) {
        let end = plan.seq.plus(plan.len);
        self.record_sent_again(env, io, plan, end);
        self.recount(io);
        if plan.flags.contains(TcpFlags::FIN) {
            self.flags.clear(Flags::FIN_LOST);
        }
        self.flags
            .clear(Flags::RETRANSMIT_NOW.with(Flags::PROBE_OWED));
        self.total_retransmissions = self.total_retransmissions.wrapping_add(1);
        #[cfg(feature = "bbr")]
        self.watch_sent(env, io, plan);
        self.last_sent_ms = env.now_ms;
        #[cfg(feature = "rack")]
        self.sent_old(env, plan);
        self.start_retransmission_timer(env, plan.seq == self.snd_una);
    }

    #[cfg(feature = "fast-retransmit")]
    #[inline]
    fn record_sent(&mut self, env: &Env<'_>, io: &mut Io<'_>, plan: &Plan, end: SeqNum) {
        let record = Record {
            end,
            sent: env.micros(),
            delivered: self.delivered,
            mss: plan.mss,
            ..Record::EMPTY
        };
        self.records.push(io.records, record);
    }

    #[cfg(feature = "fast-retransmit")]
    #[inline]
    fn record_sent_again(&mut self, env: &Env<'_>, io: &mut Io<'_>, plan: &Plan, end: SeqNum) {
        // What is sent again has a time of its own: its record too, if there is room for it.
        #[cfg(feature = "rack")]
        self.cut_around(io, plan.seq, end);
        let mut start = self.snd_una;
        for record in self.records.live_mut(io.records) {
            if record.end.gt(plan.seq) {
                if plan.seq == start || record.retransmissions == 0 {
                    record.retransmissions = record.retransmissions.saturating_add(1);
                }
                record.set_sent(env.micros());
                #[cfg(feature = "rack")]
                if !self.marks.has(Marks::PROBE_DUE) {
                    record.mark(REPAIRED);
                }
                if end.ge(record.end) {
                    record.unmark(LOST);
                }
                break;
            }
            start = record.end;
        }
        //= https://www.rfc-editor.org/rfc/rfc6675#section-5
        //# (C.2) If any of the data octets sent in (C.1) are below HighData,
        //# HighRxt MUST be set to the highest sequence number of the
        //# retransmitted segment unless NextSeg () rule (4) was invoked for this
        //# retransmission.
        self.rtx_nxt = end;
    }

    /// Cuts records so that what is sent again, `[start, end)`, is one of its own.
    #[cfg(feature = "rack")]
    fn cut_around(&mut self, io: &mut Io<'_>, start: SeqNum, end: SeqNum) {
        for at in [start, end] {
            let table = self.records;
            let live = table.live(io.records);
            let found = live.iter().position(|record| record.end.ge(at));
            if let Some(i) = found {
                let begins = i.checked_sub(1).and_then(|i| live.get(i));
                let begins = begins.map_or(self.snd_una, |before| before.end);
                if at.gt(begins) && live.get(i).is_some_and(|record| record.end.gt(at)) {
                    self.records.cut(io.records, i, at);
                }
            }
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc6298#section-5
    //# The following is the RECOMMENDED algorithm for managing the
    //# retransmission timer:
    fn start_retransmission_timer(&mut self, env: &Env<'_>, restart: bool) {
        //= https://www.rfc-editor.org/rfc/rfc6298#section-5
        //# Every time a packet containing data is sent (including a
        //# retransmission), if the timer is not running, start it running
        //# so that it will expire after RTO seconds (for the current value
        //# of RTO).
        #[cfg(feature = "rack")]
        let restart = restart && !self.marks.has(Marks::REO_TIMER);
        if restart || self.rtx_deadline == 0 {
            self.arm_retransmission(env);
        }
    }
}
