//! CUBIC (RFC 9438): the window is a cubic function of the time since it was last reduced, whatever
//! the round trip.
//!
//! Windows are octets, times milliseconds, and nothing is a fraction: what a division leaves is
//! carried over to the next acknowledgment.

use super::hystart::{Growth, HyStart};
use super::{Acked, Controller, UnusedSince};

//= https://www.rfc-editor.org/rfc/rfc9438#section-4.6
//# The parameter β__cubic_ SHOULD be set to 0.7, which is different from
//# the multiplicative decrease factor used in [RFC5681] (and [RFC6675])
//# during fast recovery.
const BETA: (u32, u32) = (7, 10);
/// (1 + β) / 2, for fast convergence.
const CONVERGENCE: (u32, u32) = (17, 20);
/// α = 3 (1 - β) / (1 + β).
const ALPHA: (u64, u64) = (9, 17);
/// Milliseconds beyond which the function is of no more use: windows are full by then.
const LONGEST: u64 = 1 << 19;
/// CUBIC's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Cubic {
    cwnd: u32,
    ssthresh: u32,
    stage: Stage,
}

/// One number below for each algorithm there is, this one included where it is not the last.
const FIRST: u8 = if cfg!(feature = "bbr") { 3 } else { 1 };

/// Numbered so that the enum around it has zero for Reno and needs no number of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
enum Stage {
    /// The first slow start, before anything was lost.
    First {
        unused_since: UnusedSince,
        start: HyStart,
    } = FIRST,
    /// Anything later.
    Later {
        unused_since: UnusedSince,
        epoch: Epoch,
    } = FIRST + 1,
}

impl Stage {
    const FIRST: Stage = Stage::First {
        unused_since: UnusedSince::NEVER,
        start: HyStart::NEW,
    };

    fn later(epoch: Epoch) -> Stage {
        Stage::Later {
            unused_since: UnusedSince::NEVER,
            epoch,
        }
    }

    fn unused_since(&mut self) -> &mut UnusedSince {
        match self {
            Stage::First { unused_since, .. } | Stage::Later { unused_since, .. } => unused_since,
        }
    }
}

const _: () = assert!(size_of::<super::Congestion>() <= 28);

/// A congestion avoidance stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Epoch {
    /// W_max; 0: none, as after a timeout.
    w_max: u32,
    /// t_epoch + K, on the millisecond clock: when the window is W_max again. 0: the stage begins
    /// with the next acknowledgment.
    plateau: u32,
    /// W_est, in quarters of an octet.
    w_est4: u32,
    /// What of (target - cwnd) * octets is left over, less than cwnd.
    rest: u32,
}

impl Epoch {
    const NONE: Epoch = Epoch {
        w_max: 0,
        plateau: 0,
        w_est4: 0,
        rest: 0,
    };
}

fn scaled(octets: u32, by: (u32, u32)) -> u32 {
    let (over, under) = (u64::from(by.0), u64::from(by.1));
    u32::try_from(u64::from(octets).saturating_mul(over) / under.max(1)).unwrap_or(u32::MAX)
}

/// The greatest integer whose cube is no more than `n`.
fn cube_root(n: u64) -> u32 {
    let mut root = 0u64;
    let mut bit = 1u64 << 21;
    while bit > 0 {
        let more = root | bit;
        // At most (2^22)^3, but for the first bits: too much there is more than any `n`.
        let cube = more.checked_mul(more).and_then(|s| s.checked_mul(more));
        if cube.is_some_and(|cube| cube <= n) {
            root = more;
        }
        bit >>= 1;
    }
    root as u32
}

/// K, in milliseconds, for a window that is `below` octets below W_max.
fn time_to_regain(below: u32, mss: u32) -> u32 {
    // cbrt(below / mss / 0.4 s^-3) s = cbrt(below * 2.5 * 10^9 / mss) ms.
    //= https://www.rfc-editor.org/rfc/rfc9438#section-5.1
    //# Therefore, _C_ SHOULD be set to 0.4.
    //= https://www.rfc-editor.org/rfc/rfc9438#section-5.1
    //# However, it is NOT RECOMMENDED to set _C_ to a very low value like
    //# 0.04, since CUBIC with a low _C_ cannot efficiently use the bandwidth
    //# in fast and long- distance networks.
    let n = u64::from(below).saturating_mul(2_500_000_000) / u64::from(mss.max(1));
    cube_root(n)
}

impl Epoch {
    /// W_cubic at a moment of the millisecond clock, in octets.
    fn w_cubic(&self, at: u32, mss: u32) -> u32 {
        let beyond = at.wrapping_sub(self.plateau) as i32;
        let from_k = u64::from(beyond.unsigned_abs()).min(LONGEST);
        // C * (t - K)^3 = from_k^3 * mss / (2.5 * 10^9); at most 2^57 before the first division.
        let cube = from_k.saturating_mul(from_k).saturating_mul(from_k);
        let off = (cube / 2_500).saturating_mul(u64::from(mss)) / 1_000_000;
        let off = u32::try_from(off).unwrap_or(u32::MAX);
        if beyond < 0 {
            self.w_max.saturating_sub(off)
        } else {
            self.w_max.saturating_add(off)
        }
    }

    /// The stage begins, with the window as it is.
    fn begin(&mut self, now_ms: u32, cwnd: u32, mss: u32) {
        self.rest = 0;
        //= https://www.rfc-editor.org/rfc/rfc9438#section-4.8
        //# In
        //# addition, for the Reno-friendly region, _W_est_ SHOULD be set to the
        //# congestion window size at the beginning of the current congestion
        //# avoidance stage.
        self.w_est4 = cwnd.saturating_mul(4);
        self.w_max = self.w_max.max(cwnd);
        let k = time_to_regain(self.w_max.wrapping_sub(cwnd), mss);
        self.plateau = now_ms.wrapping_add(k).max(1);
    }

    /// The window that Reno would have.
    fn estimate(&mut self, acked: &Acked, cwnd: u32) -> u32 {
        //= https://www.rfc-editor.org/rfc/rfc9438#section-4.3
        //# Once _W_est_ has grown to reach the _cwnd_ at the time of most
        //# recently setting _ssthresh_ -- that is, _W_est_ >= _cwnd_prior_ --
        //# the sender SHOULD set α__cubic_ to 1 to ensure that it can achieve
        //# the same congestion window increment rate as Reno, which uses AIMD(1,
        //# 0.5).
        let (over, under) = if self.w_est4 >> 2 >= acked.prior_cwnd {
            (1, 1)
        } else {
            ALPHA
        };
        let more = u64::from(acked.octets)
            .saturating_mul(u64::from(acked.mss))
            .saturating_mul(over.saturating_mul(4));
        let per = u64::from(cwnd.max(1)).saturating_mul(under);
        let more = more.saturating_add(per >> 1).checked_div(per).unwrap_or(0);
        self.w_est4 = self
            .w_est4
            .saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
        self.w_est4 >> 2
    }

    /// The window after an acknowledgment in congestion avoidance.
    fn grown(&mut self, acked: &Acked, cwnd: u32) -> u32 {
        let now = acked.now_ms;
        if self.plateau == 0 {
            self.begin(now, cwnd, acked.mss);
        }
        let w_est = self.estimate(acked, cwnd);
        //= https://www.rfc-editor.org/rfc/rfc9438#section-4.3
        //# If so, CUBIC is in the
        //# Reno-friendly region and _cwnd_ SHOULD be set to _W_est_ at each
        //# reception of a new ACK.
        if self.w_cubic(now, acked.mss) < w_est {
            return w_est.max(cwnd);
        }
        let rtt = acked.srtt / 1_000;
        let most = cwnd.saturating_add(cwnd >> 1);
        let target = self
            .w_cubic(now.wrapping_add(rtt), acked.mss)
            .clamp(cwnd, most);
        //= https://www.rfc-editor.org/rfc/rfc9438#section-4.4
        //# In this region, _cwnd_ MUST be incremented
        //# by
        //= https://www.rfc-editor.org/rfc/rfc9438#section-4.5
        //# In this region, _cwnd_ MUST be
        //# incremented by
        let owed = u64::from(target.wrapping_sub(cwnd))
            .saturating_mul(u64::from(acked.octets))
            .saturating_add(u64::from(self.rest));
        let per = u64::from(cwnd.max(1));
        self.rest = owed.checked_rem(per).unwrap_or(0) as u32;
        let more = owed.checked_div(per).unwrap_or(0);
        cwnd.saturating_add(u32::try_from(more).unwrap_or(u32::MAX))
    }
}

impl Cubic {
    pub(crate) fn new(initial_window: u32) -> Cubic {
        Cubic {
            cwnd: initial_window,
            ssthresh: u32::MAX,
            stage: Stage::FIRST,
        }
    }

    /// With the window another algorithm left.
    pub(crate) fn resuming(cwnd: u32, ssthresh: u32) -> Cubic {
        let stage = if ssthresh == u32::MAX {
            Stage::FIRST
        } else {
            Stage::later(Epoch::NONE)
        };
        Cubic {
            cwnd,
            ssthresh,
            stage,
        }
    }

    fn w_max(&self) -> u32 {
        match self.stage {
            Stage::First { .. } => 0,
            Stage::Later { epoch, .. } => epoch.w_max,
        }
    }

    /// The new ssthresh, and in `W_max` what the window was.
    fn reduce(&mut self, flight: u32) {
        //= https://www.rfc-editor.org/rfc/rfc9438#section-4.7
        //# To speed up this
        //# bandwidth release by existing flows, the following fast convergence
        //# mechanism SHOULD be implemented.
        let w_max = if self.cwnd < self.w_max() {
            scaled(self.cwnd, CONVERGENCE)
        } else {
            self.cwnd
        };
        self.stage = Stage::later(Epoch {
            w_max,
            ..Epoch::NONE
        });
        // What is in flight beyond the window was let go by limited transmit.
        self.ssthresh = scaled(flight.min(self.cwnd), BETA);
    }
}

impl Controller for Cubic {
    #[inline]
    fn cwnd(&self) -> u32 {
        self.cwnd
    }

    #[inline]
    fn ssthresh(&self) -> u32 {
        self.ssthresh
    }

    #[inline]
    fn on_unused(&mut self, now_ms: u32) -> bool {
        // The curve stands still: it goes on, with the next acknowledgment of a window that is
        // used, from where it was.
        //= https://www.rfc-editor.org/rfc/rfc9438#section-4.2
        //# The elapsed time _t_ in Figure 1 MUST NOT include periods during
        //# which _cwnd_ has not been updated due to application-limited behavior
        //# (see Section 5.8).
        if let Stage::Later { epoch, .. } = &mut self.stage {
            epoch.plateau = 0;
        }
        self.stage.unused_since().note(now_ms)
    }

    fn on_long_unused(&mut self, least: u32) {
        (self.cwnd, self.ssthresh) = super::given_up(self.cwnd, self.ssthresh, least);
    }

    fn on_ack(&mut self, acked: &Acked) {
        *self.stage.unused_since() = UnusedSince::NEVER;
        //= https://www.rfc-editor.org/rfc/rfc9438#section-4.10
        //# When _cwnd_ is no more than _ssthresh_, CUBIC MUST employ a slow
        //# start algorithm.
        match &mut self.stage {
            //= https://www.rfc-editor.org/rfc/rfc9438#section-4.10
            //# In general, CUBIC SHOULD use the HyStart++ slow
            //# start algorithm [RFC9406] or MAY use the Reno TCP slow start
            //# algorithm [RFC5681] in the rare cases when HyStart++ is not suitable.
            //= https://www.rfc-editor.org/rfc/rfc9406#section-4.3
            //# An implementation SHOULD use HyStart++ only for the initial slow
            //# start (when the ssthresh is at its initial value of arbitrarily high
            //# per [RFC5681]) and fall back to using standard slow start for the
            //# remainder of the connection lifetime.
            Stage::First { start, .. } => match start.on_ack(acked) {
                Growth::By(octets) => self.cwnd = self.cwnd.saturating_add(octets),
                Growth::Last(octets) => {
                    self.cwnd = self.cwnd.saturating_add(octets);
                    self.ssthresh = self.cwnd;
                    self.stage = Stage::later(Epoch::NONE);
                }
            },
            Stage::Later { epoch, .. } => {
                if self.cwnd < self.ssthresh {
                    let limit = acked.slow_start_limit();
                    self.cwnd = self.cwnd.saturating_add(acked.octets.min(limit));
                } else {
                    self.cwnd = epoch.grown(acked, self.cwnd);
                }
            }
        }
    }

    fn on_loss(&mut self, flight: u32, mss: u32) {
        //= https://www.rfc-editor.org/rfc/rfc9438#section-4.6
        //# In the case of packet loss, the
        //# sender MUST reduce _cwnd_ and _ssthresh_ immediately upon entering
        //# loss recovery, similar to [RFC5681] (and [RFC6675]).
        self.reduce(flight);
        self.ssthresh = self.ssthresh.max(mss.saturating_mul(2));
        self.cwnd = self.ssthresh;
    }

    #[cfg(feature = "rack")]
    fn on_ecn(&mut self, flight: u32, mss: u32) {
        //= https://www.rfc-editor.org/rfc/rfc9438#section-4.6
        //# Note that CUBIC MUST continue to reduce _cwnd_ in response to
        //# congestion events detected by ECN-Echo ACKs until it reaches a value
        //# of 1 SMSS.
        self.reduce(flight);
        self.cwnd = self.ssthresh.max(mss);
        self.ssthresh = self.ssthresh.max(mss.saturating_mul(2));
    }

    fn on_rto(&mut self, flight: u32, mss: u32, first: bool) {
        if first {
            self.reduce(flight);
            self.ssthresh = self.ssthresh.max(mss.saturating_mul(2));
        }
        // RFC 9438 §4.8: the first stage after a timeout begins without W_max.
        self.stage = Stage::later(Epoch::NONE);
        self.cwnd = mss;
    }

    fn on_idle(&mut self, restart: u32) {
        self.cwnd = self.cwnd.min(restart);
        *self.stage.unused_since() = UnusedSince::NEVER;
        if let Stage::Later { epoch, .. } = &mut self.stage {
            epoch.plateau = 0;
        }
    }

    #[cfg(feature = "rack")]
    fn on_undo(&mut self, cwnd: u32, ssthresh: u32) {
        //= https://www.rfc-editor.org/rfc/rfc9438#section-4.9.2
        //# In rare cases, when the detection happens long after a spurious fast
        //# retransmit event and the current _cwnd_ is already higher than
        //# _cwnd_prior_, CUBIC SHOULD continue to use the current and the most
        //# recent values of these variables.
        if self.cwnd < cwnd {
            self.cwnd = cwnd;
            self.ssthresh = ssthresh;
            self.stage = if ssthresh == u32::MAX {
                Stage::FIRST
            } else {
                Stage::later(Epoch {
                    w_max: self.w_max(),
                    ..Epoch::NONE
                })
            };
        }
    }

    #[cfg(feature = "rack")]
    fn set_cwnd(&mut self, cwnd: u32) {
        self.cwnd = cwnd;
    }
}

#[cfg(test)]
mod tests;
