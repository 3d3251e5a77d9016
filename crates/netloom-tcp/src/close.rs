//! Closing: in order, half, with a limit, or at once.

use netloom_driver::Instant;

use crate::flags::Flags;
use crate::records::RecordTable;
use crate::ring::Ring;
use crate::{
    CloseReason, Connection, End, Env, IcmpError, News, Outcome, SeqNum, State, TimeWaitState,
};

impl Connection {
    /// Closes the sending direction: FIN follows the queued data. Receiving goes on.
    pub fn shutdown_write(&mut self) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.4
        //# Queue this until all preceding SENDs have been segmentized, then
        //# form a FIN segment and send it.  In any case, enter FIN-WAIT-1
        //# state.
        match self.state {
            State::SynSent | State::SynReceived => {}
            State::Established => self.state = State::FinWait1,
            State::CloseWait => self.state = State::LastAck,
            State::Closed
            | State::Listen
            | State::FinWait1
            | State::FinWait2
            | State::Closing
            | State::LastAck
            | State::TimeWait => return,
        }
        self.flags.set(Flags::FIN_QUEUED);
    }

    /// Closes the receiving direction: unread and further data is discarded.
    pub fn shutdown_read(&mut self) {
        self.flags.set(Flags::READ_SHUT);
        self.rx = Ring::EMPTY;
    }

    /// Closes both directions and gives the connection up: it ends by itself, within the time
    /// the tunables allow. Unread data, and data that arrives later, reset it; so does a linger
    /// time of zero.
    pub fn close(&mut self, env: &Env<'_>) -> Outcome {
        let mut out = Outcome::nothing();
        if self.close_reason.is_some() || self.flags.has(Flags::ORPHAN) {
            return out;
        }
        match self.state {
            State::Closed | State::Listen => return out,
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.4
            //# Delete the TCB and return "error: closing" responses to any
            //# queued SENDs, or RECEIVEs.
            State::SynSent => {
                self.end(CloseReason::Aborted, &mut out);
                return out;
            }
            State::SynReceived
            | State::Established
            | State::FinWait1
            | State::FinWait2
            | State::CloseWait
            | State::Closing
            | State::LastAck
            | State::TimeWait => {}
        }
        self.flags.set(Flags::ORPHAN);
        out.owes_frame = true;
        if self.rx.len > 0 && self.state != State::TimeWait {
            self.reset(CloseReason::ClosedWithUnreadData);
            return out;
        }
        if self.flags.has(Flags::LINGER) && self.linger == 0 {
            return self.abort();
        }
        self.shutdown_write();
        if self.state == State::FinWait2 {
            self.start_fin_wait_2(env);
        } else if self.flags.has(Flags::LINGER) {
            self.flags.set(Flags::LINGERING);
            self.close_deadline = env.now.plus_micros(self.linger);
        } else {
            self.close_deadline = Instant::ZERO;
        }
        out
    }

    /// Aborts: the peer gets a RST if it should, then the connection ends as
    /// [`CloseReason::Aborted`].
    pub fn abort(&mut self) -> Outcome {
        self.abort_with(CloseReason::Aborted)
    }

    /// Aborts for `reason`: because an address or memory was taken away, for example.
    pub fn abort_with(&mut self, reason: CloseReason) -> Outcome {
        let mut out = Outcome::nothing();
        if self.close_reason.is_some() {
            out.owes_frame = self.flags.has(Flags::RESET_OWED);
            return out;
        }
        match self.state {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.5
            //# All queued SENDs and RECEIVEs should be given "connection reset"
            //# notification; all segments queued for transmission (except for the
            //# RST formed above) or retransmission should be flushed.
            State::SynReceived
            | State::Established
            | State::FinWait1
            | State::FinWait2
            | State::CloseWait => {
                self.reset(reason);
                out.owes_frame = true;
            }
            State::Closed
            | State::Listen
            | State::SynSent
            | State::Closing
            | State::LastAck
            | State::TimeWait => self.end(reason, &mut out),
        }
        out
    }

    /// The connection is over; unread data stays readable.
    #[cold]
    #[inline(never)]
    pub(crate) fn end(&mut self, reason: CloseReason, out: &mut Outcome) {
        self.finish(reason);
        out.end = Some(End::Closed(reason));
    }

    /// The connection is over but for a RST to be sent.
    #[cold]
    #[inline(never)]
    pub(crate) fn reset(&mut self, reason: CloseReason) {
        self.finish(reason);
        self.flags.set(Flags::RESET_OWED);
    }

    #[cold]
    #[inline(never)]
    fn finish(&mut self, reason: CloseReason) {
        const GONE: Flags = Flags::SYN_OWED
            .with(Flags::ACK_NOW)
            .with(Flags::FIN_LOST)
            .with(Flags::FIN_AHEAD)
            .with(Flags::KEEPALIVE)
            .with(Flags::KEEPALIVE_OWED)
            .with(Flags::PROBE_OWED)
            .with(Flags::RETRANSMIT_NOW)
            .with(Flags::OVERRIDE)
            .with(Flags::DSACK);
        self.state = State::Closed;
        self.close_reason = Some(reason);
        self.flags.clear(GONE);
        self.stop();
    }

    /// Turns off all timers and lets go of everything but unread data.
    #[cold]
    #[inline(never)]
    fn stop(&mut self) {
        self.rtx_deadline = Instant::ZERO;
        self.ack_deadline = Instant::ZERO;
        self.keepalive_deadline = Instant::ZERO;
        self.close_deadline = Instant::ZERO;
        self.una_since = Instant::ZERO;
        self.dup_acks_owed = 0;
        self.tx = Ring::EMPTY;
        self.records = RecordTable::EMPTY;
        self.range_count = 0;
        self.sacked = 0;
        self.lost = 0;
    }

    /// Both FINs are exchanged and ours is acknowledged. TIME-WAIT begins when the
    /// acknowledgment of the peer's has been sent.
    pub(crate) fn enter_time_wait(&mut self, out: &mut Outcome) {
        self.state = State::TimeWait;
        self.flags
            .clear(Flags::KEEPALIVE.with(Flags::KEEPALIVE_OWED));
        self.stop();
        if !self.flags.has(Flags::ACK_NOW) {
            self.leave_for_time_wait(out);
        }
    }

    /// Everything is said: what is left of the connection fits a [`TimeWaitState`].
    pub(crate) fn leave_for_time_wait(&mut self, out: &mut Outcome) {
        if self.close_reason.is_none() {
            self.close_reason = Some(CloseReason::Finished);
            out.end = Some(End::TimeWait(TimeWaitState::of(self)));
        }
    }

    /// FIN-WAIT-2 begins, or its user goes.
    pub(crate) fn start_fin_wait_2(&mut self, env: &Env<'_>) {
        self.flags.clear(Flags::LINGERING);
        self.close_deadline = Instant::ZERO;
        if self.flags.has(Flags::ORPHAN) {
            self.close_deadline = env.now.plus_micros(env.tunables.fin_timeout);
        } else {
            self.start_half_closed(env);
        }
    }

    /// One direction is closed: the other may not stay silent for ever, if so set.
    pub(crate) fn start_half_closed(&mut self, env: &Env<'_>) {
        if env.tunables.half_closed_timeout > 0 {
            self.close_deadline = env.now.plus_micros(env.tunables.half_closed_timeout);
        }
    }

    pub(crate) fn on_close_timeout(&mut self, env: &Env<'_>, out: &mut Outcome) {
        self.close_deadline = Instant::ZERO;
        if self.flags.has(Flags::LINGERING) {
            *out = self.abort_with(CloseReason::LingerTimedOut);
            return;
        }
        let orphan = self.flags.has(Flags::ORPHAN);
        match self.state {
            State::FinWait2 if orphan => self.end(CloseReason::FinWait2TimedOut, out),
            State::FinWait2 | State::CloseWait => {
                let limit = env.tunables.half_closed_timeout;
                let silent_ms = env.now_ms.wrapping_sub(self.last_received_ms);
                let silent = u64::from(silent_ms).saturating_mul(1_000);
                if limit == 0 {
                    return;
                }
                if silent >= limit {
                    *out = self.abort_with(CloseReason::HalfClosedTimedOut);
                } else {
                    let rest = limit.saturating_sub(silent);
                    self.close_deadline = env.now.plus_micros(rest);
                }
            }
            State::Closed
            | State::Listen
            | State::SynSent
            | State::SynReceived
            | State::Established
            | State::FinWait1
            | State::Closing
            | State::LastAck
            | State::TimeWait => {}
        }
    }

    /// ICMP reported an error about a segment of ours that started at `quoted_seq`.
    pub fn icmp_error(&mut self, error: IcmpError, quoted_seq: SeqNum) -> Outcome {
        let mut out = Outcome::nothing();
        // RFC 5927 §4.1: only what quotes a sequence number in flight is believed.
        let in_flight = quoted_seq.ge(self.snd_una) && quoted_seq.lt(self.snd_nxt);
        if !in_flight || self.close_reason.is_some() {
            return out;
        }
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.2.2
        //# Since these Unreachable messages indicate soft error conditions, a
        //# TCP implementation MUST NOT abort the connection (MUST-56), and it
        //# SHOULD make the information available to the application (SHLD-25).
        if error.is_hard() && !self.state.is_synchronized() {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.2.2
            //# These are hard error conditions, so TCP implementations SHOULD
            //# abort the connection (SHLD-26).
            self.end(error.close_reason(), &mut out);
            return out;
        }
        // On a synchronized connection a hard error is taken as soft (RFC 5927 §5.2, RFC 5461).
        self.soft_error_seen = Some(error);
        out.news.insert(News::SOFT_ERROR);
        out
    }
}
