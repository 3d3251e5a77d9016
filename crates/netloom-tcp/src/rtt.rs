//! Round-trip time and the retransmission timeout (RFC 6298).

use crate::Tunables;

/// SRTT and RTTVAR in fixed point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RttEstimator {
    /// Eight times SRTT, in microseconds; 0: no sample yet.
    srtt8: u32,
    /// Four times RTTVAR, in microseconds.
    rttvar4: u32,
    /// The least sample; 0: none.
    pub(crate) min: u32,
}

/// No sample is believed to be longer: 268 s. Keeps the fixed point within 32 bits.
const LONGEST: u64 = 1 << 28;

/// RFC 6298 (5.7): the timeout when data begins after a SYN had to be repeated.
const AFTER_LOST_SYN: u32 = 3_000_000;

impl RttEstimator {
    pub(crate) const EMPTY: RttEstimator = RttEstimator {
        srtt8: 0,
        rttvar4: 0,
        min: 0,
    };

    /// Takes in a measurement of `micros`.
    pub(crate) fn sample(&mut self, micros: u64) {
        let r = micros.clamp(1, LONGEST) as u32;
        if self.min == 0 || r < self.min {
            self.min = r;
        }
        if self.srtt8 == 0 {
            //= https://www.rfc-editor.org/rfc/rfc6298#section-2
            //# SRTT <- R
            //# RTTVAR <- R/2
            self.srtt8 = r << 3;
            self.rttvar4 = r << 1;
            return;
        }
        //= https://www.rfc-editor.org/rfc/rfc6298#section-2
        //# RTTVAR <- (1 - beta) * RTTVAR + beta * |SRTT - R'|
        //# SRTT <- (1 - alpha) * SRTT + alpha * R'
        let srtt = self.srtt8 >> 3;
        self.rttvar4 = self
            .rttvar4
            .saturating_sub(self.rttvar4 >> 2)
            .saturating_add(srtt.abs_diff(r));
        self.srtt8 = self.srtt8.saturating_sub(srtt).saturating_add(r).max(1);
    }

    /// SRTT in microseconds; 0 before the first sample.
    pub(crate) fn srtt(&self) -> u32 {
        self.srtt8 >> 3
    }

    /// RTTVAR in microseconds.
    pub(crate) fn rttvar(&self) -> u32 {
        self.rttvar4 >> 2
    }

    /// RTO in microseconds, without back-off.
    pub(crate) fn rto(&self, tunables: &Tunables, syn_repeated: bool) -> u32 {
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
        let rto = (self.srtt8 >> 3).saturating_add(self.rttvar4.max(tunables.rto_min));
        rto.min(tunables.rto_max)
    }
}

/// `rto` doubled `backoff` times, at most `max`.
pub(crate) fn backed_off(rto: u32, backoff: u8, max: u32) -> u32 {
    //= https://www.rfc-editor.org/rfc/rfc6298#section-5
    //# The host MUST set RTO <- RTO * 2 ("back off the timer").
    rto.saturating_mul(1u32 << backoff.min(16)).min(max)
}

#[cfg(test)]
mod tests;
