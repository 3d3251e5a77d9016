//! Deadlines, and what happens when one is reached.
//!
//! A deadline is a moment on the millisecond clock ([`Env::now_ms`]), 24 days ahead at most.

use crate::flags::Flags;
#[cfg(feature = "rack")]
use crate::recovery::Marks;
use crate::{
    ACTIVE_OPEN, CloseReason, Connection, DELAYED_ACK, Env, Io, KEEPALIVE, News, Outcome, State,
};
use netloom_driver::Instant;

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

/// The longest time a deadline may lie ahead on the millisecond clock, which wraps.
pub(crate) const LONGEST_WAIT: u32 = i32::MAX as u32;

impl Env<'_> {
    /// The deadline in `millis` milliseconds. Zero means none, so that moment comes a little later.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn after(&self, millis: u32) -> u32 {
        self.now_ms.wrapping_add(millis.min(LONGEST_WAIT)).max(1)
    }

    /// Milliseconds until a deadline, 0 if it is reached; [`u32::MAX`]: there is none.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn until(&self, deadline: u32) -> u32 {
        if deadline == 0 {
            return u32::MAX;
        }
        match deadline.wrapping_sub(self.now_ms) {
            left if left > LONGEST_WAIT => 0,
            left => left,
        }
    }

    /// Milliseconds since a moment of the clock.
    #[inline]
    pub(crate) fn since(&self, moment: u32) -> u32 {
        self.now_ms.wrapping_sub(moment)
    }

    /// The microsecond clock of round trips, wrapping after 71 minutes.
    #[inline]
    pub(crate) fn micros(&self) -> u32 {
        self.now.as_micros() as u32
    }

    /// The moment after a time that [`Connection::wait`] returned.
    #[inline]
    pub(crate) fn moment(&self, wait: u32) -> Option<Instant> {
        (wait != u32::MAX).then(|| self.now.plus_micros(u64::from(wait).wrapping_mul(1_000)))
    }
}

impl Connection {
    /// Milliseconds until the first deadline, 0 if it is reached; [`u32::MAX`]: there is none.
    pub(crate) fn wait(&self, env: &Env<'_>) -> u32 {
        env.until(self.rtx_deadline)
            .min(env.until(if DELAYED_ACK { self.ack_deadline } else { 0 }))
            .min(env.until(if KEEPALIVE {
                self.keepalive_deadline
            } else {
                0
            }))
            .min(env.until(self.close_deadline))
            .min(env.until(self.user_deadline(env)))
    }

    /// When something happens without anything from outside: the least of all deadlines.
    /// [`Connection::next`] says the same when it waits, unless text waits for the time at which it
    /// may leave: for that it is to be asked itself.
    pub fn deadline(&self, env: &Env<'_>) -> Option<Instant> {
        env.moment(self.wait(env))
    }

    /// The timer that is due, if any; those that end the connection first.
    pub(crate) fn due_timer(&self, env: &Env<'_>) -> Option<Timer> {
        let due = |deadline| env.until(deadline) == 0;
        Some(if due(self.user_deadline(env)) {
            Timer::User
        } else if due(self.close_deadline) {
            Timer::Close
        } else if KEEPALIVE && due(self.keepalive_deadline) {
            Timer::KeepAlive
        } else if due(self.rtx_deadline) {
            if self.flight() == 0 {
                Timer::Persist
            } else {
                Timer::Retransmit
            }
        } else if DELAYED_ACK && due(self.ack_deadline) {
            Timer::DelayedAck
        } else {
            return None;
        })
    }

    /// When what is waited for has been waited for too long; zero: never.
    pub(crate) fn user_deadline(&self, env: &Env<'_>) -> u32 {
        if self.una_since == 0 {
            return 0;
        }
        let limit = if self.flags.has(Flags::OWN_USER_TIMEOUT) {
            self.user_timeout
        } else if self.state.is_synchronized() {
            env.tunables.user_timeout
        } else {
            0 // the handshake counts retransmissions instead
        };
        if limit == 0 {
            0
        } else {
            self.una_since.wrapping_add(limit.min(LONGEST_WAIT)).max(1)
        }
    }

    /// `timer` is due, or is to be started: [`Connection::next`] returned `Fire(timer)`. Does
    /// nothing if neither is so.
    pub fn fire(&mut self, env: &Env<'_>, io: &mut Io<'_>, timer: Timer) -> Outcome {
        if self.due_timer(env) == Some(timer) {
            match timer {
                Timer::User => self.on_user_timeout(),
                Timer::Close => self.on_close_timeout(env),
                Timer::KeepAlive => {
                    if KEEPALIVE {
                        self.on_keepalive_timer(env);
                    }
                }
                Timer::Persist => self.on_persist_timer(env),
                Timer::Retransmit => {
                    self.on_retransmit_timer(env, io);
                    #[cfg(feature = "bbr")]
                    self.watch_timer(env, io);
                }
                Timer::DelayedAck => {
                    self.ack_deadline = 0;
                    self.flags.set(Flags::ACK_NOW);
                }
            }
        } else if timer == Timer::Persist && self.wants_persist_timer(io) {
            self.start_persist(env);
        } else if timer == Timer::KeepAlive && self.wants_keepalive_timer() {
            self.on_keepalive_timer(env);
        }
        if self.close_reason.is_none() {
            self.report(News::OWES_FRAME);
        }
        self.take_outcome()
    }

    fn on_user_timeout(&mut self) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.3
        //# When the number of transmissions of the same segment reaches a
        //# threshold R2 greater than R1, close the connection.
        let reason = if self.flags.has(Flags::OWN_USER_TIMEOUT) {
            CloseReason::UserTimedOut
        } else {
            CloseReason::RetransmissionTimedOut
        };
        self.end(reason);
    }

    fn on_retransmit_timer(&mut self, env: &Env<'_>, io: &mut Io<'_>) {
        match self.state {
            State::SynSent | State::SynReceived => {
                if ACTIVE_OPEN {
                    self.on_syn_timeout(env);
                } else {
                    self.end(CloseReason::HandshakeTimedOut);
                }
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
        #[cfg(feature = "fastopen")]
        if self.is_unconfirmed() {
            self.repeat_fast_syn_ack(env);
            return;
        }
        if self.snd_wnd == 0 && self.tx.len > 0 {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6
            //# The sender MAY also
            //# retransmit old data beyond SND.UNA+SND.WND (MAY-7), but SHOULD NOT
            //# time out the connection if data beyond the right window edge is not
            //# acknowledged (SHLD-17).
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6
            //# If the window shrinks to zero, the TCP
            //# implementation MUST probe it in the standard way (described below)
            //# (MUST-35).
            // The window was closed over data in flight: nothing says it was lost.
            #[cfg(feature = "rack")]
            self.marks.clear(Marks::TIMERS);
            self.probe_window(env);
            return;
        }
        #[cfg(feature = "rack")]
        if self.fire_rack_timer(env, io) {
            return;
        }
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.2
        //# A TCP endpoint MUST implement the basic congestion control algorithms
        //# slow start, congestion avoidance, and exponential backoff of RTO to
        //# avoid creating congestion collapse conditions (MUST-19).
        //= https://www.rfc-editor.org/rfc/rfc8961#section-4
        //# (3)  Loss detected by the RTO mechanism MUST be taken as an
        //# indication of network congestion and the sending rate adapted
        //# using a standard mechanism (e.g., TCP collapses the congestion
        //# window to one packet [RFC5681]).
        self.on_retransmission_timeout(env, io);
        self.count_retry(env);
        #[cfg(feature = "plpmtud")]
        self.suspect_black_hole(env, io);
        self.backoff = self.backoff.saturating_add(1);
        //= https://www.rfc-editor.org/rfc/rfc6298#section-5
        //# Start the retransmission timer, such that it expires after RTO
        //# seconds (for the value of RTO after the doubling operation
        //# outlined in 5.5).
        self.arm_retransmission(env);
    }

    /// SYN or SYN-ACK went unanswered.
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.3
    //# SYN retransmissions MUST be handled in the
    //# general way just described for data retransmissions, including
    //# notification of the application layer.
    fn on_syn_timeout(&mut self, env: &Env<'_>) {
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
            self.end(reason);
            return;
        }
        self.count_retry(env);
        self.backoff = self.backoff.saturating_add(1);
        self.total_retransmissions = self.total_retransmissions.wrapping_add(1);
        self.flags.set(Flags::SYN_OWED.with(Flags::SYN_REPEATED));
        self.arm_retransmission(env);
    }

    /// Counts towards R1.
    fn count_retry(&mut self, env: &Env<'_>) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.3
        //# The following
        //# procedure MUST be used to handle excessive retransmissions of data
        //# segments (MUST-20):
        self.retries = self.retries.saturating_add(1);
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.3
        //# (e)  TCP implementations SHOULD inform the application of the
        //# delivery problem (unless such information has been disabled by
        //# the application; see the "Asynchronous Reports" section
        //# (Section 3.9.1.8)), when R1 is reached and before R2 (SHLD-9).
        if self.retries == env.tunables.retries1.max(1) {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.3
            //# When the number of transmissions of the same segment reaches or
            //# exceeds threshold R1, pass negative advice (see Section 3.3.1.4
            //# of [19]) to the IP layer, to trigger dead-gateway diagnosis.
            self.report(News::NEGATIVE_ADVICE | News::SOFT_ERROR);
        }
    }
}
