//! A plan was emitted: only now is it recorded.

use netloom_driver::Instant;
use netloom_wire::TcpFlags;

use crate::congestion::Controller;
use crate::flags::Flags;
use crate::records::{LOST, Record};
use crate::{Connection, Env, Io, Next, Outcome, Plan, PlanKind, State};

impl Connection {
    /// `plan`, which [`Connection::next`] returned just before, was emitted.
    pub fn sent(&mut self, env: &Env<'_>, io: &mut Io<'_>, plan: &Plan) -> Outcome {
        let mut out = Outcome::nothing();
        match plan.kind {
            PlanKind::Syn => self.sent_syn(env),
            PlanKind::Data => self.sent_data_segment(env, io, plan),
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
            PlanKind::DuplicateAck => self.dup_acks_owed = self.dup_acks_owed.saturating_sub(1),
            PlanKind::Reset => {
                self.flags.clear(Flags::RESET_OWED);
                out.end = self.close_reason.map(crate::End::Closed);
                return out;
            }
        }
        if plan.flags.contains(TcpFlags::ACK) {
            self.acknowledged(plan);
        }
        if self.state == State::TimeWait && !self.flags.has(Flags::ACK_NOW) {
            self.leave_for_time_wait(&mut out);
        }
        out.owes_frame = self.has_more(env, io);
        out
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
    fn acknowledged(&mut self, plan: &Plan) {
        let scale = if plan.flags.contains(TcpFlags::SYN) {
            0
        } else {
            self.rcv_wscale
        };
        self.rcv_adv = self
            .rcv_adv
            .max(plan.ack.plus(u32::from(plan.window) << scale));
        self.last_ack_sent = plan.ack;
        self.ack_deadline = Instant::ZERO;
        self.flags.clear(Flags::ACK_NOW);
        if !plan.options.sack.is_empty() || plan.len == 0 {
            self.flags.clear(Flags::DSACK);
        }
    }

    fn sent_syn(&mut self, env: &Env<'_>) {
        self.flags.clear(Flags::SYN_OWED);
        self.snd_nxt = self.iss.plus(1);
        if self.una_since == Instant::ZERO {
            self.una_since = env.now;
        }
        self.arm_retransmission(env);
    }

    fn sent_data_segment(&mut self, env: &Env<'_>, io: &mut Io<'_>, plan: &Plan) {
        // Text that answers a request carries its acknowledgment: no need to be quick.
        if self.flags.has(Flags::ACK_NOW) || self.ack_deadline != Instant::ZERO {
            self.quick_acks = 0;
        }
        if self.flight() == 0 {
            if self.is_idle(env) {
                self.congestion.on_idle(self.restart_window(env));
            }
            self.una_since = env.now;
        }
        let end = plan.seq.plus(plan.len);
        let record = Record::new(end, plan.mss, env.now, self.delivered);
        self.records.push(io.records, record);
        self.snd_nxt = end;
        if plan.len < u32::from(plan.mss) || plan.len.wrapping_rem(u32::from(plan.mss.max(1))) != 0
        {
            self.snd_sml = end;
        }
        if plan.flags.contains(TcpFlags::FIN) {
            self.flags.set(Flags::FIN_SENT);
            self.snd_nxt += 1;
        }
        self.last_sent_ms = env.now_ms;
        self.flags
            .clear(Flags::OVERRIDE.with(Flags::PROBED).with(Flags::PROBE_OWED));
        self.start_retransmission_timer(env, plan.seq == self.snd_una);
    }

    fn sent_fin(&mut self, env: &Env<'_>) {
        if self.flags.has(Flags::FIN_SENT) {
            self.total_retransmissions = self.total_retransmissions.wrapping_add(1);
        } else {
            if self.flight() == 0 {
                self.una_since = env.now;
                self.rtx_deadline = Instant::ZERO;
            }
            self.snd_nxt += 1;
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
        let mut start = self.snd_una;
        for i in 0..self.records.len() {
            let Some(record) = self.records.get_mut(io.records, i) else {
                break;
            };
            if record.end.gt(plan.seq) {
                if plan.seq == start || record.retransmissions == 0 {
                    record.retransmissions = record.retransmissions.saturating_add(1);
                }
                record.set_sent(env.now);
                if end.ge(record.end) {
                    record.unmark(LOST);
                }
                break;
            }
            start = record.end;
        }
        self.rtx_nxt = end;
        self.recount(io);
        if plan.flags.contains(TcpFlags::FIN) {
            self.flags.clear(Flags::FIN_LOST);
        }
        self.flags
            .clear(Flags::RETRANSMIT_NOW.with(Flags::PROBE_OWED));
        self.last_sent_ms = env.now_ms;
        self.total_retransmissions = self.total_retransmissions.wrapping_add(1);
        self.start_retransmission_timer(env, plan.seq == self.snd_una);
    }

    fn start_retransmission_timer(&mut self, env: &Env<'_>, restart: bool) {
        //= https://www.rfc-editor.org/rfc/rfc6298#section-5
        //# Every time a packet containing data is sent (including a
        //# retransmission), if the timer is not running, start it running
        //# so that it will expire after RTO seconds (for the current value
        //# of RTO).
        if restart || self.rtx_deadline == Instant::ZERO {
            self.arm_retransmission(env);
        }
    }
}
