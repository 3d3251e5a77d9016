//! The fast path of what opens and closes an undisturbed connection: segments without text.
//!
//! As in `fast.rs`, nothing is decided here: each call says that it is not for this segment, with
//! nothing changed, or does what its counterpart does on the long way.
//!
//! - [`Connection::receive_bare`] is the counterpart of [`Connection::receive`], which tries it,
//! - [`Connection::next_bare`] the counterpart of [`Connection::next`],
//! - [`Connection::sent_bare`] of [`Connection::sent`], and [`Connection::deadline_bare`] after it of
//!   [`Connection::deadline`].

use netloom_driver::Instant;
use netloom_wire::TcpFlags;
use netloom_wire::hint::cold_path;

use crate::congestion::Controller;
use crate::flags::Flags;
use crate::transmit::plan_fin;
use crate::{Connection, Env, News, Outcome, Plan, PlanKind, Segment, SeqNum, State};

/// Facts that call for another segment than a first SYN or FIN, or an acknowledgment, or for a timer.
const UNUSUAL: Flags = Flags::FIN_AHEAD
    .with(Flags::PROBED)
    .with(Flags::URGENT_OUT)
    .with(Flags::WATCHED)
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

impl Connection {
    /// [`Connection::receive`] of a FIN, of the acknowledgment of ours, or of both in one, or of what
    /// completes the handshake of a passive open, while nothing is unusual and no text is in flight. Returns
    /// what happened; `None`: it is not such a segment, and nothing has changed.
    #[inline(always)]
    pub fn receive_bare(&mut self, env: &Env<'_>, segment: &Segment<'_>) -> Option<Outcome> {
        let fin = segment.has(TcpFlags::FIN);
        let acked = segment.ack.since(self.snd_una);
        let flight = self.flight();
        let expected = match self.state {
            State::Established | State::FinWait2 => fin && flight == 0 && acked == 0,
            // What is in flight is the FIN: there is no text.
            State::FinWait1 => flight == 1 && acked == 1,
            State::Closing | State::LastAck => !fin && flight == 1 && acked == 1,
            State::SynReceived => {
                !fin && acked == 1 && flight == 1 && !self.flags.has(Flags::ACTIVE)
            }
            State::Closed | State::Listen | State::SynSent | State::CloseWait | State::TimeWait => {
                false
            }
        };
        let opens = self.state == State::SynReceived;
        if !expected
            || !self.is_calm(UNUSUAL)
            || self.records.len() > 0
            || segment.seq != self.rcv_nxt
            || segment.flags.without(TcpFlags::FIN) != TcpFlags::ACK
            || !segment.payload.is_empty()
            || segment.window == 0
            || (!opens && (self.snd_wnd == 0 || self.congestion.cwnd() == 0))
            || self.close_reason.is_some()
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

        self.heard(env);
        if opens {
            self.complete_handshake(env, segment);
            self.update_ts_recent(segment);
            return Some(self.take_outcome());
        }
        self.take_window(segment);
        if acked > 0 {
            self.take_ack(env, segment.ack, None, flight, 0, 0);
            self.report(News::PATH_CONFIRMED);
            self.on_fin_acked(env);
            if self.close_reason.is_some() {
                return Some(self.take_outcome());
            }
        } else if self.rtx_deadline != 0 || self.unsent() > 0 {
            self.settle_persist(env);
        }
        self.update_ts_recent(segment);
        if fin {
            self.rcv_fin = segment.seq;
            self.accept_fin(env);
        }
        Some(self.take_outcome())
    }

    /// [`Connection::next`] if that is to send the first SYN or FIN, or an acknowledgment, while
    /// nothing is unusual, no timer runs and no text is queued; `None`: it is another thing, or nothing.
    #[inline(always)]
    pub fn next_bare(&self) -> Option<Plan> {
        let timers = self.rtx_deadline | self.una_since | self.ack_deadline | self.close_deadline;
        if !self.is_calm(UNUSUAL) || self.tx.len | timers != 0 || self.close_reason.is_some() {
            cold_path();
            return None;
        }
        let mut plan = self.plain_ack(0, 0);
        let fin = self.flags.has(Flags::FIN_QUEUED) && !self.flags.has(Flags::FIN_SENT);
        let syn = self.flags.has(Flags::SYN_OWED);
        match self.state {
            State::SynSent if syn && !self.flags.any(Flags::FIN_QUEUED.with(Flags::ACK_NOW)) => {
                self.plan_syn(&mut plan);
                return Some(plan);
            }
            State::Established
            | State::FinWait1
            | State::FinWait2
            | State::CloseWait
            | State::Closing
            | State::LastAck
                if fin && !syn =>
            {
                plan_fin(&mut plan, self.snd_nxt);
            }
            State::Established
            | State::FinWait1
            | State::FinWait2
            | State::CloseWait
            | State::Closing
            | State::LastAck
            | State::TimeWait
                if self.flags.has(Flags::ACK_NOW) && !syn => {}
            State::Closed
            | State::Listen
            | State::SynSent
            | State::SynReceived
            | State::Established
            | State::FinWait1
            | State::FinWait2
            | State::CloseWait
            | State::Closing
            | State::LastAck
            | State::TimeWait => return None,
        }
        plan.window = self.window_to_offer().0;
        Some(plan)
    }

    /// [`Connection::sent`] of what [`Connection::next_bare`] returned just before.
    #[inline(always)]
    pub fn sent_bare(&mut self, env: &Env<'_>, plan: &Plan) -> Outcome {
        match plan.kind {
            PlanKind::Syn => self.sent_syn(env, plan),
            PlanKind::Fin => self.sent_fin(env),
            _ => {}
        }
        if plan.flags.contains(TcpFlags::ACK) {
            self.acknowledged(plan);
        }
        if self.state == State::TimeWait {
            self.leave_for_time_wait();
        }
        if self.owes_window_update() {
            self.report(News::OWES_FRAME);
        }
        self.take_outcome()
    }

    /// [`Connection::deadline`] when [`Connection::sent_bare`] has just said that nothing more is owed
    /// and that the connection goes on: what remains is that something in flight is waited for.
    #[inline(always)]
    pub fn deadline_bare(&self, env: &Env<'_>) -> Option<Instant> {
        let left = env.until(self.rtx_deadline);
        env.moment(left.min(env.until(self.user_deadline(env))))
    }
}
