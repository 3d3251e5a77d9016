//! Closing: in order, half, with a limit, or at once.

use netloom_wire::hint::cold_path;

use crate::flags::Flags;
#[cfg(feature = "fast-retransmit")]
use crate::records::RecordTable;
#[cfg(not(feature = "fast-retransmit"))]
use crate::recovery::RecordTable;
use crate::ring::Ring;
use crate::{
    CloseReason, Connection, End, Env, HALF_CLOSED_TIMEOUT, IcmpError, News, OUT_OF_ORDER, Outcome,
    SeqNum, State, TimeWaitState,
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
        if self.close_reason.is_some() || self.flags.has(Flags::ORPHAN) {
            cold_path();
            return self.take_outcome();
        }
        match self.state {
            State::Closed | State::Listen => {
                cold_path();
                return self.take_outcome();
            }
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.4
            //# Delete the TCB and return "error: closing" responses to any
            //# queued SENDs, or RECEIVEs.
            State::SynSent => {
                cold_path();
                self.end(CloseReason::Aborted);
                return self.take_outcome();
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
        self.report(News::OWES_FRAME);
        if self.rx.len > 0 && self.state != State::TimeWait {
            cold_path();
            self.reset(CloseReason::ClosedWithUnreadData);
            return self.take_outcome();
        }
        if self.flags.has(Flags::LINGER) && self.linger == 0 {
            cold_path();
            return self.abort();
        }
        self.shutdown_write();
        if self.state == State::FinWait2 {
            self.start_fin_wait_2(env);
        } else if self.flags.has(Flags::LINGER) {
            cold_path();
            self.flags.set(Flags::LINGERING);
            self.close_deadline = env.after(self.linger);
        } else {
            self.close_deadline = 0;
        }
        self.take_outcome()
    }

    /// Aborts: the peer gets a RST if it should, then the connection ends as
    /// [`CloseReason::Aborted`].
    pub fn abort(&mut self) -> Outcome {
        self.abort_with(CloseReason::Aborted)
    }

    /// Aborts for `reason`: because an address or memory was taken away, for example.
    pub fn abort_with(&mut self, reason: CloseReason) -> Outcome {
        self.abort_for(reason);
        self.take_outcome()
    }

    fn abort_for(&mut self, reason: CloseReason) {
        if self.close_reason.is_some() {
            return;
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
            | State::CloseWait => self.reset(reason),
            State::Closed
            | State::Listen
            | State::SynSent
            | State::Closing
            | State::LastAck
            | State::TimeWait => self.end(reason),
        }
    }

    /// How the connection ended, once it has, and a RST it may have owed has been sent.
    pub fn ended(&self) -> Option<End> {
        let reason = self.close_reason?;
        if self.flags.has(Flags::RESET_OWED) {
            return None;
        }
        Some(match self.state {
            State::TimeWait => End::TimeWait(TimeWaitState::of(self)),
            State::Closed
            | State::Listen
            | State::SynSent
            | State::SynReceived
            | State::Established
            | State::FinWait1
            | State::FinWait2
            | State::CloseWait
            | State::Closing
            | State::LastAck => End::Closed(reason),
        })
    }

    /// The connection is over; unread data stays readable.
    #[cold]
    #[inline(never)]
    pub(crate) fn end(&mut self, reason: CloseReason) {
        self.finish(reason);
        self.report(News::ENDED);
    }

    /// The connection is over but for a RST to be sent.
    #[cold]
    #[inline(never)]
    pub(crate) fn reset(&mut self, reason: CloseReason) {
        self.finish(reason);
        self.flags.set(Flags::RESET_OWED);
        self.report(News::OWES_FRAME);
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
        self.rtx_deadline = 0;
        self.ack_deadline = 0;
        self.keepalive_deadline = 0;
        self.close_deadline = 0;
        self.una_since = 0;
        self.tx = Ring::EMPTY;
        self.records = RecordTable::EMPTY;
        if OUT_OF_ORDER {
            self.dup_acks_owed = 0;
            self.range_count = 0;
        }
        self.sacked = 0;
        self.lost = 0;
    }

    /// Both FINs are exchanged and ours is acknowledged. TIME-WAIT begins when the
    /// acknowledgment of the peer's has been sent.
    pub(crate) fn enter_time_wait(&mut self) {
        self.state = State::TimeWait;
        self.flags
            .clear(Flags::KEEPALIVE.with(Flags::KEEPALIVE_OWED));
        self.stop();
        if !self.flags.has(Flags::ACK_NOW) {
            self.leave_for_time_wait();
        }
    }

    /// Everything is said: what is left of the connection fits a [`TimeWaitState`].
    pub(crate) fn leave_for_time_wait(&mut self) {
        if self.close_reason.is_none() {
            self.close_reason = Some(CloseReason::Finished);
            self.report(News::ENDED);
        }
    }

    /// FIN-WAIT-2 begins, or its user goes.
    pub(crate) fn start_fin_wait_2(&mut self, env: &Env<'_>) {
        self.flags.clear(Flags::LINGERING);
        self.close_deadline = 0;
        if self.flags.has(Flags::ORPHAN) {
            self.close_deadline = env.after(env.tunables.fin_timeout);
        } else {
            self.start_half_closed(env);
        }
    }

    /// One direction is closed: the other may not stay silent for ever, if so set.
    pub(crate) fn start_half_closed(&mut self, env: &Env<'_>) {
        if HALF_CLOSED_TIMEOUT && env.tunables.half_closed_timeout > 0 {
            self.close_deadline = env.after(env.tunables.half_closed_timeout);
        }
    }

    pub(crate) fn on_close_timeout(&mut self, env: &Env<'_>) {
        self.close_deadline = 0;
        if self.flags.has(Flags::LINGERING) {
            self.abort_for(CloseReason::LingerTimedOut);
            return;
        }
        let orphan = self.flags.has(Flags::ORPHAN);
        match self.state {
            State::FinWait2 if orphan => self.end(CloseReason::FinWait2TimedOut),
            State::FinWait2 | State::CloseWait if HALF_CLOSED_TIMEOUT => {
                let limit = env.tunables.half_closed_timeout;
                let silent = env.since(self.last_received_ms);
                if limit == 0 {
                    return;
                }
                if silent >= limit {
                    self.abort_for(CloseReason::HalfClosedTimedOut);
                } else {
                    self.close_deadline = env.after(limit.saturating_sub(silent));
                }
            }
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
            | State::TimeWait => {}
        }
    }

    /// ICMP reported an error about a segment of ours that started at `quoted_seq`.
    pub fn icmp_error(&mut self, error: IcmpError, quoted_seq: SeqNum) -> Outcome {
        // RFC 5927 §4.1: only what quotes a sequence number in flight is believed.
        let in_flight = quoted_seq.ge(self.snd_una) && quoted_seq.lt(self.snd_nxt);
        if !in_flight || self.close_reason.is_some() {
            return self.take_outcome();
        }
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.2.2
        //# Since these Unreachable messages indicate soft error conditions, a
        //# TCP implementation MUST NOT abort the connection (MUST-56), and it
        //# SHOULD make the information available to the application (SHLD-25).
        if error.is_hard() && !self.state.is_synchronized() {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.2.2
            //# These are hard error conditions, so TCP implementations SHOULD
            //# abort the connection (SHLD-26).
            self.end(error.close_reason());
            return self.take_outcome();
        }
        // On a synchronized connection a hard error is taken as soft (RFC 5927 §5.2, RFC 5461).
        self.soft_error_seen = Some(error);
        self.report(News::SOFT_ERROR);
        self.take_outcome()
    }
}
