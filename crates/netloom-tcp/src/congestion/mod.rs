//! Congestion control: how much may be in the network.
//!
//! The connection detects loss and keeps the scoreboard; a controller only turns events into a
//! window. Windows are octets.

mod algorithm;
#[cfg(feature = "bbr")]
mod bbr;
#[cfg(feature = "cubic")]
mod cubic;
#[cfg(feature = "cubic")]
mod hystart;
mod reno;

pub use algorithm::{CongestionControl, NoSuchCongestionControl};
#[cfg(feature = "bbr")]
use bbr::BbrWindow;
#[cfg(feature = "bbr")]
pub(crate) use bbr::{Ack, BbrState, Lost};
#[cfg(feature = "cubic")]
use cubic::Cubic;
use reno::Reno;

/// New data was acknowledged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Acked {
    /// Octets newly acknowledged.
    pub(crate) octets: u32,
    /// FlightSize before the acknowledgment.
    pub(crate) flight: u32,
    /// Octets of a full-sized segment.
    pub(crate) mss: u32,
    /// The most of them that had left in one piece, and so may be acknowledged in one: an MSS, or a
    /// super-segment.
    #[cfg(feature = "fast-retransmit")]
    pub(crate) unit: u32,
    /// Whether a retransmission timeout is being recovered from.
    pub(crate) after_timeout: bool,
    /// The congestion window before it was last reduced; 0: it never was.
    #[cfg(feature = "cubic")]
    pub(crate) prior_cwnd: u32,
    /// Now, on the millisecond clock.
    #[cfg(feature = "cubic")]
    pub(crate) now_ms: u32,
    /// The round trip this acknowledgment measured, in microseconds; 0: none.
    #[cfg(feature = "cubic")]
    pub(crate) rtt: u32,
    /// SRTT, in microseconds.
    #[cfg(feature = "cubic")]
    pub(crate) srtt: u32,
    /// SND.UNA and SND.NXT after it: what rounds are counted by.
    #[cfg(feature = "cubic")]
    pub(crate) una: crate::SeqNum,
    #[cfg(feature = "cubic")]
    pub(crate) nxt: crate::SeqNum,
}

/// `L` of RFC 3465 §2.2, in segments.
const LIMIT: u32 = 2;

impl Acked {
    /// What an acknowledgment opens the window by at most in standard slow start, in octets. A
    /// super-segment that is acknowledged in one piece counts whole: it left in one piece too, so
    /// that no larger burst answers it.
    fn slow_start_limit(&self) -> u32 {
        if self.after_timeout {
            // RFC 3465 §2.3: L is 1 in the slow start that follows a timeout.
            return self.mss;
        }
        self.segments(LIMIT)
    }

    /// So many segments, or what left in one piece if that is more.
    fn segments(&self, count: u32) -> u32 {
        let octets = self.mss.saturating_mul(count);
        #[cfg(feature = "fast-retransmit")]
        let octets = octets.max(self.unit);
        octets
    }
}

/// An algorithm. Every method is called by the connection when the event has happened.
//= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.2
//# An endpoint MAY implement such alternative
//# algorithms provided that the algorithms are conformant with the TCP
//# specifications from the IETF Standards Track as described in RFC
//# 2914, RFC 5033 [7], and RFC 8961 [15] (MAY-18).
pub(crate) trait Controller {
    /// The congestion window.
    fn cwnd(&self) -> u32;
    /// The slow-start threshold.
    fn ssthresh(&self) -> u32;
    /// Whether so little was in flight that an acknowledgment does not tell the window to be good
    /// (RFC 7661 §4.2): less than half of it.
    #[inline]
    fn is_unused(&self, flight: u32) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc9438#section-4.6
        //# Implementations that use _cwnd_ MUST use other measures to prevent
        //# _cwnd_ from growing when the volume of bytes in flight is smaller than
        //# _cwnd_.
        flight < self.cwnd() >> 1
    }
    /// New data was acknowledged while the window was unused: it does not grow. Says whether it has
    /// been unused for so long that it is to be given up in part: [`Controller::on_long_unused`].
    #[inline]
    fn on_unused(&mut self, _now_ms: u32) -> bool {
        false
    }
    /// The window was not used for the non-validated period; `least` is the initial window.
    #[cfg(feature = "cubic")]
    fn on_long_unused(&mut self, _least: u32) {}
    /// New data was acknowledged, outside fast recovery.
    fn on_ack(&mut self, acked: &Acked);
    /// Loss was detected with `flight` octets outstanding: fast recovery begins.
    fn on_loss(&mut self, flight: u32, mss: u32);
    /// The retransmission timer expired; `first`: not since new data was last acknowledged.
    fn on_rto(&mut self, flight: u32, mss: u32, first: bool);
    /// Nothing was sent for longer than a timeout; `restart` is the restart window.
    fn on_idle(&mut self, restart: u32);
    /// The network said with a mark that it is congested, with `flight` octets outstanding.
    #[cfg(feature = "rack")]
    fn on_ecn(&mut self, flight: u32, mss: u32);
    /// The last reduction was a mistake: before it the window and ssthresh were these.
    #[cfg(feature = "rack")]
    fn on_undo(&mut self, cwnd: u32, ssthresh: u32);
    /// In recovery: the window is what proportional rate reduction makes of it.
    #[cfg(feature = "rack")]
    fn set_cwnd(&mut self, cwnd: u32);
}

/// The algorithm of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Congestion {
    /// RFC 5681 with appropriate byte counting.
    Reno(Reno),
    /// RFC 9438.
    #[cfg(feature = "cubic")]
    Cubic(Cubic),
    /// draft-ietf-ccwg-bbr.
    #[cfg(feature = "bbr")]
    Bbr(BbrWindow),
}

impl Congestion {
    /// All bytes zero; of no use until replaced by [`Congestion::new`].
    pub(crate) const EMPTY: Congestion = Congestion::Reno(Reno::EMPTY);

    /// A controller that starts with `initial_window` octets.
    pub(crate) fn new(algorithm: CongestionControl, initial_window: u32) -> Congestion {
        match algorithm {
            CongestionControl::Reno => Congestion::Reno(Reno::new(initial_window)),
            #[cfg(feature = "cubic")]
            CongestionControl::Cubic => Congestion::Cubic(Cubic::new(initial_window)),
            #[cfg(feature = "bbr")]
            CongestionControl::Bbr => Congestion::Bbr(BbrWindow::new(initial_window)),
        }
    }

    /// Which algorithm it is.
    pub(crate) const fn algorithm(&self) -> CongestionControl {
        match self {
            Congestion::Reno(_) => CongestionControl::Reno,
            #[cfg(feature = "cubic")]
            Congestion::Cubic(_) => CongestionControl::Cubic,
            #[cfg(feature = "bbr")]
            Congestion::Bbr(_) => CongestionControl::Bbr,
        }
    }

    /// Whether it is a model of the path: it has a rate of its own, and says itself what a loss and
    /// an idle time mean.
    #[inline]
    pub(crate) const fn is_model(&self) -> bool {
        #[cfg(feature = "bbr")]
        return matches!(self, Congestion::Bbr(_));
        #[cfg(not(feature = "bbr"))]
        false
    }

    /// The model, if it is one and lent, with what else it works on.
    #[cfg(feature = "bbr")]
    pub(crate) fn model<'a>(
        &'a mut self,
        io: &'a mut crate::Io<'_>,
    ) -> Option<(
        &'a mut BbrState,
        &'a mut BbrWindow,
        &'a mut crate::pacing::Pacer,
    )> {
        match (self, &mut io.path) {
            (Congestion::Bbr(window), Some(path)) => Some((&mut path.bbr, window, &mut path.pacer)),
            _ => None,
        }
    }

    /// Begins with a slow-start threshold that another connection has found.
    #[cfg(feature = "metrics")]
    pub(crate) fn begin_below(&mut self, ssthresh: u32) {
        let cwnd = self.cwnd();
        *self = match self.algorithm() {
            CongestionControl::Reno => Congestion::Reno(Reno::resuming(cwnd, ssthresh)),
            CongestionControl::Cubic => Congestion::Cubic(Cubic::resuming(cwnd, ssthresh)),
            // A model has no such threshold.
            #[cfg(feature = "bbr")]
            CongestionControl::Bbr => return,
        };
    }

    /// Has an algorithm take over, with the window as it stands.
    pub(crate) fn switch(&mut self, algorithm: CongestionControl) {
        // Without another one there is nothing to switch to.
        #[cfg(any(feature = "cubic", feature = "bbr"))]
        if algorithm != self.algorithm() {
            let (cwnd, ssthresh) = (self.cwnd(), self.ssthresh());
            *self = match algorithm {
                CongestionControl::Reno => Congestion::Reno(Reno::resuming(cwnd, ssthresh)),
                #[cfg(feature = "cubic")]
                CongestionControl::Cubic => Congestion::Cubic(Cubic::resuming(cwnd, ssthresh)),
                #[cfg(feature = "bbr")]
                CongestionControl::Bbr => Congestion::Bbr(BbrWindow::new(cwnd)),
            };
        }
        #[cfg(not(any(feature = "cubic", feature = "bbr")))]
        let _ = algorithm;
    }
}

/// Has the algorithm at hand do it.
macro_rules! each {
    ($congestion:expr, $controller:ident => $call:expr) => {
        match $congestion {
            Congestion::Reno($controller) => $call,
            #[cfg(feature = "cubic")]
            Congestion::Cubic($controller) => $call,
            #[cfg(feature = "bbr")]
            Congestion::Bbr($controller) => $call,
        }
    };
}

impl Controller for Congestion {
    #[inline]
    fn cwnd(&self) -> u32 {
        each!(self, controller => controller.cwnd())
    }
    #[inline]
    fn ssthresh(&self) -> u32 {
        each!(self, controller => controller.ssthresh())
    }
    #[inline]
    fn on_unused(&mut self, now_ms: u32) -> bool {
        each!(self, controller => controller.on_unused(now_ms))
    }
    #[cfg(feature = "cubic")]
    fn on_long_unused(&mut self, least: u32) {
        each!(self, controller => controller.on_long_unused(least));
    }
    #[inline]
    fn on_ack(&mut self, acked: &Acked) {
        if self.is_unused(acked.flight) {
            #[cfg(feature = "cubic")]
            let _ = self.on_unused(acked.now_ms);
        } else {
            each!(self, controller => controller.on_ack(acked));
        }
    }
    fn on_loss(&mut self, flight: u32, mss: u32) {
        each!(self, controller => controller.on_loss(flight, mss));
    }
    fn on_rto(&mut self, flight: u32, mss: u32, first: bool) {
        each!(self, controller => controller.on_rto(flight, mss, first));
    }
    fn on_idle(&mut self, restart: u32) {
        each!(self, controller => controller.on_idle(restart));
    }
    #[cfg(feature = "rack")]
    fn on_ecn(&mut self, flight: u32, mss: u32) {
        each!(self, controller => controller.on_ecn(flight, mss));
    }
    #[cfg(feature = "rack")]
    fn on_undo(&mut self, cwnd: u32, ssthresh: u32) {
        each!(self, controller => controller.on_undo(cwnd, ssthresh));
    }
    #[cfg(feature = "rack")]
    fn set_cwnd(&mut self, cwnd: u32) {
        each!(self, controller => controller.set_cwnd(cwnd));
    }
}

/// Since when a window is unused: its non-validated phase (RFC 7661 §4.4). In units of 4.096 s, so
/// that it has room beside an algorithm's state; 0: it is used.
#[cfg(feature = "cubic")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct UnusedSince(u8);

#[cfg(feature = "cubic")]
impl UnusedSince {
    pub(crate) const NEVER: UnusedSince = UnusedSince(0);

    /// The non-validated period: a little less than the five minutes that RFC 7661 §4.4 has it not
    /// exceed, because the units are coarse.
    const PERIOD: u8 = 72;

    /// The window is unused now. Says whether it has been for the period, which begins anew then.
    #[inline]
    fn note(&mut self, now_ms: u32) -> bool {
        let now = ((now_ms >> 12) as u8).max(1);
        let is_over = self.0 != 0 && now.wrapping_sub(self.0) >= UnusedSince::PERIOD;
        if self.0 == 0 || is_over {
            self.0 = now;
        }
        is_over
    }
}

/// The window and ssthresh after a window was unused for long (RFC 7661 §4.4.3).
//= https://www.rfc-editor.org/rfc/rfc7661#section-4.4.3
//# The sender MUST then update cwnd to be not greater than:
#[cfg(feature = "cubic")]
fn given_up(cwnd: u32, ssthresh: u32, least: u32) -> (u32, u32) {
    let kept = (cwnd >> 1).max(least).min(cwnd);
    (kept, ssthresh.max(cwnd.wrapping_sub(cwnd >> 2)))
}

/// IW (RFC 6928 §2): `segments` of `mss`, bounded for large ones as ten of 1460 would be.
pub(crate) fn initial_window(segments: u8, mss: u16) -> u32 {
    let mss = u32::from(mss);
    let segments = u32::from(segments.max(1));
    let cap = segments.saturating_mul(1460).max(mss.saturating_mul(2));
    //= https://www.rfc-editor.org/rfc/rfc5681#section-3.1
    //# IW, the initial value of cwnd, MUST be set using the following
    //# guidelines as an upper bound.
    segments.saturating_mul(mss).min(cap)
}

#[cfg(test)]
mod tests;
