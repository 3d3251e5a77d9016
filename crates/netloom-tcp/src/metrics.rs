//! What a connection knew of its path, for the next one to the same destination (RFC 9040 §6).

use crate::congestion::Controller;
use crate::flags::Flags;
use crate::recovery::Marks;
use crate::{Connection, Env};

/// What a connection has learnt of its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PathMetrics {
    /// Smoothed round-trip time, in microseconds; 0: not measured.
    pub srtt: u32,
    /// Its variation, in microseconds.
    pub rttvar: u32,
    /// Slow-start threshold, in octets; 0: nothing has reduced it.
    pub ssthresh: u32,
    /// Whether segments overtook each other.
    pub reordering: bool,
    /// Whether a SYN that asked for ECN went unanswered, and one that did not was answered.
    pub ecn_failed: bool,
}

impl Connection {
    /// What the connection has learnt of its path; `None` if that is nothing, as before it was
    /// established.
    pub fn path_metrics(&self, env: &Env<'_>) -> Option<PathMetrics> {
        let asked = self.flags.has(Flags::ACTIVE) && env.tunables.ecn == 1;
        let ssthresh = self.congestion.ssthresh();
        let metrics = PathMetrics {
            srtt: self.rtt.srtt(),
            rttvar: self.rtt.rttvar(),
            ssthresh: if ssthresh == u32::MAX { 0 } else { ssthresh },
            reordering: self.marks.has(Marks::REORDERING_SEEN),
            ecn_failed: asked && self.flags.has(Flags::SYN_REPEATED) && !self.marks.has(Marks::ECN),
        };
        (metrics.srtt > 0).then_some(metrics)
    }

    /// The connection has just been established: it begins with what another one has learnt. The
    /// round trip of its own handshake counts as a measurement after the other's.
    pub fn adopt_metrics(&mut self, env: &Env<'_>, metrics: &PathMetrics) {
        self.rtt.precede(metrics.srtt, metrics.rttvar, env.now_ms);
        if metrics.ssthresh > 0 {
            let least = u32::from(self.mss).saturating_mul(2);
            self.congestion.begin_below(metrics.ssthresh.max(least));
        }
        if metrics.reordering {
            self.marks.set(Marks::REORDERING_SEEN);
        }
    }

    /// Does not ask for ECN: something on the path drops SYNs that do (RFC 3168 §6.1.1.1).
    pub fn avoid_ecn(&mut self) {
        self.marks.clear(Marks::ECN);
    }
}

#[cfg(test)]
mod tests;
