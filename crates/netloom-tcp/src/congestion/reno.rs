//! Slow start and congestion avoidance (RFC 5681), counting octets (RFC 3465).

#[cfg(feature = "cubic")]
use super::UnusedSince;
use super::{Acked, Controller};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Reno {
    cwnd: u32,
    ssthresh: u32,
    /// Octets acknowledged in congestion avoidance that have not opened the window yet.
    credit: u32,
    #[cfg(feature = "cubic")]
    unused_since: UnusedSince,
}

impl Reno {
    pub(crate) const EMPTY: Reno = Reno {
        cwnd: 0,
        ssthresh: 0,
        credit: 0,
        #[cfg(feature = "cubic")]
        unused_since: UnusedSince::NEVER,
    };

    /// With the window another algorithm left.
    #[cfg(any(feature = "cubic", feature = "bbr"))]
    pub(crate) fn resuming(cwnd: u32, ssthresh: u32) -> Reno {
        Reno {
            cwnd,
            ssthresh,
            credit: 0,
            #[cfg(feature = "cubic")]
            unused_since: UnusedSince::NEVER,
        }
    }

    pub(crate) fn new(initial_window: u32) -> Reno {
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.1
        //# The initial value of ssthresh SHOULD be set arbitrarily high (e.g.,
        //# to the size of the largest possible advertised window), but ssthresh
        //# MUST be reduced in response to congestion.
        Reno {
            cwnd: initial_window,
            //= https://www.rfc-editor.org/rfc/rfc5681#section-7
            //# The recommended initial value for ssthresh has been changed to say
            //# that it SHOULD be arbitrarily high, where it was previously MAY.
            ssthresh: u32::MAX,
            credit: 0,
            #[cfg(feature = "cubic")]
            unused_since: UnusedSince::NEVER,
        }
    }

    /// What was counted for the window before counts no more.
    fn forget(&mut self) {
        self.credit = 0;
        #[cfg(feature = "cubic")]
        {
            self.unused_since = UnusedSince::NEVER;
        }
    }

    fn half(flight: u32, mss: u32) -> u32 {
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.1
        //# ssthresh = max (FlightSize / 2, 2*SMSS)            (4)
        (flight >> 1).max(mss.saturating_mul(2))
    }
}

impl Controller for Reno {
    #[inline]
    fn cwnd(&self) -> u32 {
        self.cwnd
    }

    #[inline]
    fn ssthresh(&self) -> u32 {
        self.ssthresh
    }

    #[cfg(feature = "cubic")]
    #[inline]
    fn on_unused(&mut self, now_ms: u32) -> bool {
        self.unused_since.note(now_ms)
    }

    #[cfg(feature = "cubic")]
    fn on_long_unused(&mut self, least: u32) {
        (self.cwnd, self.ssthresh) = super::given_up(self.cwnd, self.ssthresh, least);
        self.credit = 0;
    }

    fn on_ack(&mut self, acked: &Acked) {
        #[cfg(feature = "cubic")]
        {
            self.unused_since = UnusedSince::NEVER;
        }
        let Acked { octets, mss, .. } = *acked;
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.1
        //# The slow start and congestion avoidance algorithms MUST be used by a
        //# TCP sender to control the amount of outstanding data being injected
        //# into the network.
        if self.cwnd < self.ssthresh {
            let limit = acked.slow_start_limit();
            //= https://www.rfc-editor.org/rfc/rfc5681#section-3.1
            //# cwnd += min (N, SMSS)                      (2)
            self.cwnd = self.cwnd.saturating_add(octets.min(limit));
            return;
        }
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.1
        //# When the number of bytes
        //# acknowledged reaches cwnd, then cwnd can be incremented by up to SMSS
        //# bytes.
        self.credit = self.credit.saturating_add(octets);
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.1
        //# * SHOULD increment cwnd per equation (2) once per RTT
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.1
        //# * MUST NOT increment cwnd by more than SMSS bytes
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.1
        //# The RECOMMENDED way to increase cwnd during congestion avoidance is
        //# to count the number of bytes that have been acknowledged by ACKs for
        //# new data.
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.1
        //# Note that during congestion avoidance, cwnd MUST NOT be
        if self.credit >= self.cwnd {
            self.credit = self.credit.saturating_sub(self.cwnd);
            self.cwnd = self.cwnd.saturating_add(mss);
        }
    }

    fn on_loss(&mut self, flight: u32, mss: u32) {
        // Inflation by duplicate acknowledgments is not needed: what they report has left the
        // network is taken off the pipe instead (RFC 6675).
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.2
        //# When the third duplicate ACK is received, a TCP MUST set ssthresh
        //# to no more than the value given in equation (4).
        //= https://www.rfc-editor.org/rfc/rfc5681#section-4.3
        //# That is, when the first loss in a window of data is detected,
        //# ssthresh MUST be set to no more than the value given by equation (4).
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.2
        //# When [RFC3042] is in use, additional data sent in limited
        //# transmit MUST NOT be included in this calculation.
        // What is in flight beyond the window was let go by limited transmit.
        let flight = flight.min(self.cwnd);
        self.ssthresh = Reno::half(flight, mss);
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.2
        //# When the next ACK arrives that acknowledges previously
        //# unacknowledged data, a TCP MUST set cwnd to ssthresh (the value
        //# set in step 2).
        //= https://www.rfc-editor.org/rfc/rfc5681#section-4.3
        //# has been successfully retransmitted, cwnd MUST be set to no more than
        //# ssthresh and congestion avoidance MUST be used to further increase
        //# cwnd.
        self.cwnd = self.ssthresh;
        self.forget();
    }

    fn on_rto(&mut self, flight: u32, mss: u32, first: bool) {
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.1
        //# On the other hand, when a TCP sender detects segment loss using the
        //# retransmission timer and the given segment has already been
        //# retransmitted by way of the retransmission timer at least once, the
        //# value of ssthresh is held constant.
        if first {
            //= https://www.rfc-editor.org/rfc/rfc5681#section-3.1
            //# When a TCP sender detects segment loss using the retransmission timer
            //# and the given segment has not yet been resent by way of the
            //# retransmission timer, the value of ssthresh MUST be set to no more
            //# than the value given in equation (4):
            // After a retransmission was lost the window is lower than what is in flight.
            self.ssthresh = Reno::half(flight.min(self.cwnd), mss);
        }
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.1
        //# Furthermore, upon a timeout (as specified in [RFC2988]) cwnd MUST be
        //# set to no more than the loss window, LW, which equals 1 full-sized
        //# segment (regardless of the value of IW).
        self.cwnd = mss;
        self.forget();
    }

    fn on_idle(&mut self, restart: u32) {
        //= https://www.rfc-editor.org/rfc/rfc5681#section-4.1
        //# For the purposes of this standard, we define RW = min(IW,cwnd).
        self.cwnd = self.cwnd.min(restart);
        self.forget();
    }

    #[cfg(feature = "rack")]
    fn on_ecn(&mut self, flight: u32, mss: u32) {
        // As for a loss (RFC 3168 §6.1.2), down to one segment.
        let flight = flight.min(self.cwnd);
        self.ssthresh = Reno::half(flight, mss);
        self.cwnd = (flight >> 1).max(mss);
        self.forget();
    }

    #[cfg(feature = "rack")]
    fn on_undo(&mut self, cwnd: u32, ssthresh: u32) {
        self.cwnd = self.cwnd.max(cwnd);
        self.ssthresh = self.ssthresh.max(ssthresh);
    }

    #[cfg(feature = "rack")]
    fn set_cwnd(&mut self, cwnd: u32) {
        self.cwnd = cwnd;
    }
}
