//! Zero-window probes and the override of silly-window avoidance (RFC 9293 §3.8.6).
//!
//! A probe is the octet at SND.UNA. If it was never sent before, it does not count as sent
//! either, until the peer acknowledges it: SND.NXT stays, so that acknowledgments of ours remain
//! acceptable to a peer whose window is closed.

use crate::flags::Flags;
use crate::rtt::backed_off;
use crate::{Connection, Env, Io, KEEPALIVE, State};

impl Connection {
    /// Whether data waits for a window, with nothing in flight whose acknowledgment would tell
    /// of one.
    pub(crate) fn is_stuck(&self) -> bool {
        self.flight() == 0
            && self.snd_wnd < self.unsent().min(u32::from(self.mss))
            && match self.state {
                State::Established
                | State::CloseWait
                | State::FinWait1
                | State::Closing
                | State::LastAck => true,
                State::Closed
                | State::Listen
                | State::SynSent
                | State::SynReceived
                | State::FinWait2
                | State::TimeWait => false,
            }
    }

    /// Whether the persist timer should run and does not: a write has just made it so.
    #[inline]
    pub(crate) fn wants_persist_timer(&self, io: &Io<'_>) -> bool {
        self.rtx_deadline == 0 && self.is_stuck() && !io.tx.is_empty()
    }

    /// Starts or stops the persist timer, after anything that may have changed the need for it.
    pub(crate) fn settle_persist(&mut self, env: &Env<'_>) {
        if self.flight() > 0 {
            return;
        }
        if self.is_stuck() {
            if self.rtx_deadline == 0 {
                self.start_persist(env);
            }
        } else if self.rtx_deadline != 0 {
            #[cfg(feature = "rack")]
            if self.is_held() {
                return;
            }
            self.rtx_deadline = 0;
            self.una_since = 0;
            self.backoff = 0;
            self.flags.clear(Flags::PROBE_OWED.with(Flags::OVERRIDE));
        }
    }

    pub(crate) fn start_persist(&mut self, env: &Env<'_>) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.1
        //# The transmitting host SHOULD send the first zero-window probe when a
        //# zero window has existed for the retransmission timeout period (SHLD-
        //# 29) (Section 3.8.1), and SHOULD increase exponentially the interval
        //# between successive probes (SHLD-30).
        let rto = self.rtt.rto(env.tunables, false);
        let interval = backed_off(rto, self.backoff, env.tunables.persist_max);
        self.rtx_deadline = env.after(interval);
        if self.una_since == 0 {
            self.una_since = env.now_ms.max(1);
        }
    }

    /// The persist timer is due.
    pub(crate) fn on_persist_timer(&mut self, env: &Env<'_>) {
        #[cfg(feature = "fastopen")]
        if self.is_unconfirmed() {
            self.repeat_fast_syn_ack(env);
            return;
        }
        #[cfg(feature = "rack")]
        self.release();
        if !self.is_stuck() {
            self.rtx_deadline = 0;
        } else if self.snd_wnd > 0 {
            self.flags.set(Flags::OVERRIDE);
            self.start_persist(env);
        } else {
            self.probe_window(env);
        }
    }

    /// Owes a probe, and doubles the time to the next one.
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.1
    //# Probing of zero (offered) windows MUST be supported (MUST-36).
    pub(crate) fn probe_window(&mut self, env: &Env<'_>) {
        self.flags.set(Flags::PROBE_OWED);
        self.backoff = self.backoff.saturating_add(1);
        // Keep-alives count theirs; of these only `TcpInfo` tells.
        if KEEPALIVE {
            self.probes = self.probes.saturating_add(1);
        }
        self.start_persist(env);
    }

    /// The peer's window was closed and is open.
    #[cold]
    pub(crate) fn on_window_opened(&mut self, env: &Env<'_>, io: &mut Io<'_>) {
        self.flags.clear(Flags::PROBE_OWED);
        if self.backoff > 0 && self.flight() > 0 {
            // What was in flight when the window closed was refused, or the probes would have
            // had it acknowledged. No congestion is known: the window stays.
            let phase = self.resending();
            // That it was refused says nothing of the last reduction.
            #[cfg(feature = "rack")]
            self.marks.clear(crate::recovery::Marks::UNDOABLE);
            self.lose_all(io);
            self.phase = phase;
        }
        self.backoff = 0;
        if self.flight() > 0 {
            self.una_since = env.now_ms.max(1);
            self.arm_retransmission(env);
        }
    }
}
