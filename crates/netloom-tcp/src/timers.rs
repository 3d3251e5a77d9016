//! Deadlines, and what happens when one is reached.

use netloom_driver::Instant;

use crate::flags::Flags;
use crate::{CloseReason, Connection, Env, Io, News, Outcome, State};

/// A connection's timers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Timer {
    /// Retransmission (RFC 6298), of SYN, data or FIN.
    Retransmit,
    /// Zero-window probe, or the override of silly-window avoidance (RFC 9293 §3.8.6).
    Persist,
    /// Delayed acknowledgment.
    DelayedAck,
    /// Keep-alive.
    KeepAlive,
    /// User timeout, or R2 (RFC 9293 §3.8.3).
    User,
    /// The end of FIN-WAIT-2 without a user, of the linger time, or of a half-closed connection.
    Close,
}

/// Whether `deadline` is set and reached.
#[inline]
fn reached(deadline: Instant, now: Instant) -> bool {
    deadline != Instant::ZERO && deadline <= now
}

impl Connection {
    /// The timer that is due, if any; those that end the connection first.
    pub(crate) fn due_timer(&self, env: &Env<'_>) -> Option<Timer> {
        let now = env.now;
        if reached(self.user_deadline(env), now) {
            Some(Timer::User)
        } else if reached(self.close_deadline, now) {
            Some(Timer::Close)
        } else if reached(self.keepalive_deadline, now) {
            Some(Timer::KeepAlive)
        } else if reached(self.rtx_deadline, now) {
            Some(if self.flight() == 0 {
                Timer::Persist
            } else {
                Timer::Retransmit
            })
        } else if reached(self.ack_deadline, now) {
            Some(Timer::DelayedAck)
        } else {
            None
        }
    }

    /// When what is waited for has been waited for too long; zero: never.
    pub(crate) fn user_deadline(&self, env: &Env<'_>) -> Instant {
        if self.una_since == Instant::ZERO {
            return Instant::ZERO;
        }
        let limit = if self.flags.has(Flags::OWN_USER_TIMEOUT) {
            self.user_timeout
        } else if self.state.is_synchronized() {
            env.tunables.user_timeout
        } else {
            0 // the handshake counts retransmissions instead
        };
        if limit == 0 {
            Instant::ZERO
        } else {
            self.una_since.plus_micros(limit)
        }
    }

    /// `timer` is due, or is to be started: [`Connection::next`] returned `Fire(timer)`.
    pub fn fire(&mut self, env: &Env<'_>, io: &mut Io<'_>, timer: Timer) -> Outcome {
        let mut out = Outcome::nothing();
        if self.close_reason.is_some() {
            return out;
        }
        match timer {
            Timer::User => {
                if reached(self.user_deadline(env), env.now) {
                    self.on_user_timeout(&mut out);
                }
            }
            Timer::Close => {
                if reached(self.close_deadline, env.now) {
                    self.on_close_timeout(env, &mut out);
                }
            }
            Timer::KeepAlive => self.on_keepalive_timer(env, &mut out),
            Timer::Persist => self.on_persist_timer(env, io),
            Timer::Retransmit => {
                if reached(self.rtx_deadline, env.now) {
                    self.on_retransmit_timer(env, io, &mut out);
                }
            }
            Timer::DelayedAck => {
                self.ack_deadline = Instant::ZERO;
                self.flags.set(Flags::ACK_NOW);
            }
        }
        out.owes_frame = self.close_reason.is_none() || self.flags.has(Flags::RESET_OWED);
        out
    }

    fn on_user_timeout(&mut self, out: &mut Outcome) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.3
        //# When the number of transmissions of the same segment reaches a
        //# threshold R2 greater than R1, close the connection.
        let reason = if self.flags.has(Flags::OWN_USER_TIMEOUT) {
            CloseReason::UserTimedOut
        } else {
            CloseReason::RetransmissionTimedOut
        };
        self.end(reason, out);
    }

    fn on_retransmit_timer(&mut self, env: &Env<'_>, io: &mut Io<'_>, out: &mut Outcome) {
        match self.state {
            State::SynSent | State::SynReceived => {
                self.on_syn_timeout(env, out);
                return;
            }
            State::Closed
            | State::Listen
            | State::Established
            | State::FinWait1
            | State::FinWait2
            | State::CloseWait
            | State::Closing
            | State::LastAck
            | State::TimeWait => {}
        }
        if self.flight() == 0 {
            self.rtx_deadline = Instant::ZERO;
            return;
        }
        if self.snd_wnd == 0 && self.tx.len > 0 {
            // The window was closed over data in flight: nothing says it was lost.
            self.probe_window(env);
            return;
        }
        self.on_retransmission_timeout(io);
        self.count_retry(env, out);
        self.backoff = self.backoff.saturating_add(1);
        //= https://www.rfc-editor.org/rfc/rfc6298#section-5
        //# Start the retransmission timer, such that it expires after RTO
        //# seconds (for the value of RTO after the doubling operation
        //# outlined in 5.5).
        self.arm_retransmission(env);
    }

    /// SYN or SYN-ACK went unanswered.
    fn on_syn_timeout(&mut self, env: &Env<'_>, out: &mut Outcome) {
        let most = if self.state == State::SynSent {
            env.tunables.syn_retries
        } else {
            env.tunables.synack_retries
        };
        if self.retries >= most {
            let reason = match self.soft_error_seen {
                Some(error) => error.close_reason(),
                None => CloseReason::HandshakeTimedOut,
            };
            self.end(reason, out);
            return;
        }
        self.count_retry(env, out);
        self.backoff = self.backoff.saturating_add(1);
        self.total_retransmissions = self.total_retransmissions.wrapping_add(1);
        self.flags.set(Flags::SYN_OWED.with(Flags::SYN_REPEATED));
        self.arm_retransmission(env);
    }

    /// Counts towards R1.
    fn count_retry(&mut self, env: &Env<'_>, out: &mut Outcome) {
        self.retries = self.retries.saturating_add(1);
        if self.retries == env.tunables.retries1.max(1) {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.3
            //# When the number of transmissions of the same segment reaches or
            //# exceeds threshold R1, pass negative advice (see Section 3.3.1.4
            //# of [19]) to the IP layer, to trigger dead-gateway diagnosis.
            out.news.insert(News::NEGATIVE_ADVICE | News::SOFT_ERROR);
        }
    }
}
