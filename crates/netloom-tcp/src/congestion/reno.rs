//! Slow start and congestion avoidance (RFC 5681), counting octets (RFC 3465).

use super::{Acked, Controller};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reno {
    cwnd: u32,
    ssthresh: u32,
    /// Octets acknowledged in congestion avoidance that have not opened the window yet.
    credit: u32,
}

/// `L` of RFC 3465 §2.2.
const LIMIT: u32 = 2;

impl Reno {
    pub(crate) const EMPTY: Reno = Reno {
        cwnd: 0,
        ssthresh: 0,
        credit: 0,
    };

    pub(crate) fn new(initial_window: u32) -> Reno {
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.1
        //# The initial value of ssthresh SHOULD be set arbitrarily high (e.g.,
        //# to the size of the largest possible advertised window), but ssthresh
        //# MUST be reduced in response to congestion.
        Reno {
            cwnd: initial_window,
            ssthresh: u32::MAX,
            credit: 0,
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

    fn on_ack(&mut self, acked: &Acked) {
        let Acked {
            octets,
            flight,
            mss,
            unit,
            after_timeout,
        } = *acked;
        // A window that was not used is not known to be good (RFC 7661 §4.2): no growth while
        // less than half of it is.
        if flight < self.cwnd >> 1 {
            return;
        }
        if self.cwnd < self.ssthresh {
            // RFC 3465 §2.3: L is 1 in the slow start that follows a timeout.
            let limit = if after_timeout {
                mss
            } else {
                unit.max(mss).saturating_mul(LIMIT)
            };
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
        if self.credit >= self.cwnd {
            self.credit = self.credit.saturating_sub(self.cwnd);
            self.cwnd = self.cwnd.saturating_add(mss);
        }
    }

    fn on_loss(&mut self, flight: u32, mss: u32) {
        // Inflation by duplicate acknowledgments is not needed: what they report has left the
        // network is taken off the pipe instead (RFC 6675).
        self.ssthresh = Reno::half(flight, mss);
        self.cwnd = self.ssthresh;
        self.credit = 0;
    }

    fn on_rto(&mut self, flight: u32, mss: u32, first: bool) {
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.1
        //# On the other hand, when a TCP sender detects segment loss using the
        //# retransmission timer and the given segment has already been
        //# retransmitted by way of the retransmission timer at least once, the
        //# value of ssthresh is held constant.
        if first {
            self.ssthresh = Reno::half(flight, mss);
        }
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.1
        //# Furthermore, upon a timeout (as specified in [RFC2988]) cwnd MUST be
        //# set to no more than the loss window, LW, which equals 1 full-sized
        //# segment (regardless of the value of IW).
        self.cwnd = mss;
        self.credit = 0;
    }

    fn on_idle(&mut self, restart: u32) {
        //= https://www.rfc-editor.org/rfc/rfc5681#section-4.1
        //# For the purposes of this standard, we define RW = min(IW,cwnd).
        self.cwnd = self.cwnd.min(restart);
        self.credit = 0;
    }
}
