//! Round-trip time and the retransmission timeout (RFC 6298).

use crate::TunablesRef;

/// SRTT and RTTVAR in fixed point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RttEstimator {
    /// Eight times SRTT, in microseconds; 0: no sample yet.
    srtt8: u32,
    /// Four times RTTVAR, in microseconds.
    rttvar4: u32,
    /// The least sample of the last [`MIN_WINDOW`], 0: none; and in the upper four bits when that
    /// was, as [`spell`] tells.
    least: u32,
}

/// How long the least round trip counts, in milliseconds: what the path was like before may be no
/// longer true. In spells: five minutes, give or take one of them.
//= https://www.rfc-editor.org/rfc/rfc8985#section-6.2
//# The sender SHOULD track a windowed min-filtered estimate of recent
//# RTT measurements that can adapt when migrating to significantly
//# longer paths rather than tracking a simple global minimum of all RTT
//# measurements.
const MIN_WINDOW: u32 = 4;

/// Whether anything asks for it but [`TcpInfo`](crate::TcpInfo).
const KEEPS_LEAST: bool = cfg!(any(
    test,
    feature = "autotune",
    feature = "cubic",
    feature = "rack"
));

/// Which sixteenth of 17 minutes a moment of the millisecond clock lies in: a spell of 66 seconds.
fn spell(now_ms: u32) -> u32 {
    now_ms >> 16 & 15
}

/// What is left of `least` for the sample.
const LEAST: u32 = LONGEST - 1;

/// No sample is believed to be longer: 268 s. Keeps the fixed point within 32 bits.
const LONGEST: u32 = 1 << 28;

/// RFC 6298 (5.7): the timeout when data begins after a SYN had to be repeated.
const AFTER_LOST_SYN: u32 = 3_000;

impl RttEstimator {
    pub(crate) const EMPTY: RttEstimator = RttEstimator {
        srtt8: 0,
        rttvar4: 0,
        least: 0,
    };

    /// The least sample of the last five minutes, in microseconds; 0: none.
    #[inline]
    pub(crate) fn min(&self) -> u32 {
        self.least & LEAST
    }

    /// Takes in a measurement of `micros`, made at `now_ms` of the millisecond clock.
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(crate) fn sample(&mut self, micros: u32, now_ms: u32) {
        let r = micros.clamp(1, LONGEST);
        let age = spell(now_ms).wrapping_sub(self.least >> 28) & 15;
        if KEEPS_LEAST && (self.least == 0 || r <= self.min() || age > MIN_WINDOW) {
            self.least = spell(now_ms) << 28 | r.min(LEAST);
        }
        if self.srtt8 == 0 {
            //= https://www.rfc-editor.org/rfc/rfc6298#section-2
            //# SRTT <- R
            //# RTTVAR <- R/2
            //= https://www.rfc-editor.org/rfc/rfc6298#section-2
            //# (2.2) When the first RTT measurement R is made, the host MUST set
            self.srtt8 = r << 3;
            self.rttvar4 = r << 1;
            return;
        }
        //= https://www.rfc-editor.org/rfc/rfc8961#section-4
        //# (a)  The RTO SHOULD be set based on multiple observations of the
        //# FT when available.
        //= https://www.rfc-editor.org/rfc/rfc6298#section-2
        //# RTTVAR <- (1 - beta) * RTTVAR + beta * |SRTT - R'|
        //# SRTT <- (1 - alpha) * SRTT + alpha * R'
        //= https://www.rfc-editor.org/rfc/rfc6298#section-2
        //# (2.3) When a subsequent RTT measurement R' is made, a host MUST set
        //= https://www.rfc-editor.org/rfc/rfc6298#section-2
        //# That
        //# is, updating RTTVAR and SRTT MUST be computed in the above
        //# order.
        //= https://www.rfc-editor.org/rfc/rfc6298#section-2
        //# The above SHOULD be computed using alpha=1/8 and beta=1/4 (as
        //# suggested in [JK88]).
        let srtt = self.srtt8 >> 3;
        // Neither leaves 32 bits, nor comes to 0: no sample is longer than LONGEST, nor 0.
        self.rttvar4 = self
            .rttvar4
            .wrapping_sub(self.rttvar4 >> 2)
            .wrapping_add(srtt.abs_diff(r));
        self.srtt8 = self.srtt8.wrapping_sub(srtt).wrapping_add(r);
    }

    /// Another connection has measured these, in microseconds, before the one sample there may be.
    #[cfg(feature = "metrics")]
    pub(crate) fn precede(&mut self, srtt: u32, rttvar: u32, now_ms: u32) {
        let own = self.srtt();
        self.srtt8 = srtt.min(LONGEST) << 3;
        self.rttvar4 = rttvar.min(LONGEST) << 2;
        if own > 0 {
            self.sample(own, now_ms);
        }
    }

    /// SRTT in microseconds; 0 before the first sample.
    pub(crate) fn srtt(&self) -> u32 {
        self.srtt8 >> 3
    }

    /// RTTVAR in microseconds.
    pub(crate) fn rttvar(&self) -> u32 {
        self.rttvar4 >> 2
    }

    /// RTO in milliseconds, without back-off.
    pub(crate) fn rto(&self, tunables: TunablesRef<'_>, syn_repeated: bool) -> u32 {
        if self.srtt8 == 0 {
            //= https://www.rfc-editor.org/rfc/rfc6298#section-5
            //# If the timer expires awaiting the ACK of a SYN segment and the
            //# TCP implementation is using an RTO less than 3 seconds, the RTO
            //# MUST be re-initialized to 3 seconds when data transmission
            //# begins (i.e., after the three-way handshake completes).
            let initial = tunables.rto_initial;
            return if syn_repeated {
                initial.max(AFTER_LOST_SYN)
            } else {
                initial
            };
        }
        //= https://www.rfc-editor.org/rfc/rfc6298#section-2
        //# RTO <- SRTT + max (G, K*RTTVAR)
        //= https://www.rfc-editor.org/rfc/rfc6298#section-2
        //# After the computation, a host MUST update
        //# RTO <- SRTT + max (G, K*RTTVAR)
        //= https://www.rfc-editor.org/rfc/rfc6298#section-4
        //# However, if the K*RTTVAR term in the RTO calculation equals zero, the
        //# variance term MUST be rounded to G seconds (i.e., use the equation
        //# given in step 2.3).
        let rto = (self.srtt8 >> 3).saturating_add(self.rttvar4.max(tunables.rto_min));
        rto.div_ceil(1_000).min(tunables.rto_max)
    }
}

/// `rto` doubled `backoff` times, at most `max`.
pub(crate) fn backed_off(rto: u32, backoff: u8, max: u32) -> u32 {
    //= https://www.rfc-editor.org/rfc/rfc6298#section-5
    //# The host MUST set RTO <- RTO * 2 ("back off the timer").
    //= https://www.rfc-editor.org/rfc/rfc8961#section-4
    //# (4)  Each time the RTO is used to detect a loss, the value of the RTO
    //# MUST be exponentially backed off such that the next firing
    //# requires a longer interval.
    let backoff = backoff.min(16);
    if rto > max >> backoff {
        max
    } else {
        rto << backoff
    }
}

#[cfg(test)]
mod tests;
