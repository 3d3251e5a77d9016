//! What a connection waits for, as a table of connections shows it.

use crate::{Connection, Env, Timer};

/// A timer that runs, and how far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunningTimer {
    /// Which.
    pub timer: Timer,
    /// How long until it fires, in milliseconds; 0: it is due.
    pub left: u32,
    /// How often it has fired without an answer: retransmissions, or probes.
    pub tries: u8,
}

impl Connection {
    /// The timer that says most about the connection, if one runs: for retransmission or
    /// zero-window probes, else the one that will end it, else for keep-alive. That is the order of
    /// Linux's `/proc/net/tcp`, which does not tell of delayed acknowledgments either.
    pub fn running_timer(&self, env: &Env<'_>) -> Option<RunningTimer> {
        let (timer, deadline, tries) = if self.rtx_deadline != 0 {
            if self.flight() > 0 || !self.state.is_synchronized() {
                (Timer::Retransmit, self.rtx_deadline, self.backoff)
            } else {
                (Timer::Persist, self.rtx_deadline, self.probes)
            }
        } else if self.close_deadline != 0 {
            (Timer::Close, self.close_deadline, 0)
        } else {
            (Timer::KeepAlive, self.keepalive_deadline, self.probes)
        };
        let left = env.until(deadline);
        (left != u32::MAX).then_some(RunningTimer { timer, left, tries })
    }

    /// What is worth remembering of it beyond its end: the smoothed round-trip time in
    /// microseconds, 0 if none was measured, and segments sent again.
    pub fn history(&self) -> (u32, u32) {
        (self.rtt.srtt(), self.total_retransmissions)
    }
}
