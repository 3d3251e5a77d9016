//! Congestion control: how much may be in the network.
//!
//! The connection detects loss and keeps the scoreboard; a controller only turns events into a
//! window. Windows are octets.

mod reno;

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
    /// Octets that leave, and so may be acknowledged, in one piece: an MSS, or a super-segment.
    pub(crate) unit: u32,
    /// Whether a retransmission timeout is being recovered from.
    pub(crate) after_timeout: bool,
}

/// An algorithm. Every method is called by the connection when the event has happened.
pub(crate) trait Controller {
    /// The congestion window.
    fn cwnd(&self) -> u32;
    /// The slow-start threshold.
    fn ssthresh(&self) -> u32;
    /// New data was acknowledged, outside fast recovery.
    fn on_ack(&mut self, acked: &Acked);
    /// Loss was detected with `flight` octets outstanding: fast recovery begins.
    fn on_loss(&mut self, flight: u32, mss: u32);
    /// The retransmission timer expired; `first`: not since new data was last acknowledged.
    fn on_rto(&mut self, flight: u32, mss: u32, first: bool);
    /// Nothing was sent for longer than a timeout; `restart` is the restart window.
    fn on_idle(&mut self, restart: u32);
}

/// The algorithm of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Congestion {
    /// RFC 5681 with appropriate byte counting.
    Reno(Reno),
}

impl Congestion {
    /// All bytes zero; of no use until replaced by [`Congestion::new`].
    pub(crate) const EMPTY: Congestion = Congestion::Reno(Reno::EMPTY);

    /// A controller that starts with `initial_window` octets.
    pub(crate) fn new(initial_window: u32) -> Congestion {
        Congestion::Reno(Reno::new(initial_window))
    }
}

impl Controller for Congestion {
    #[inline]
    fn cwnd(&self) -> u32 {
        match self {
            Congestion::Reno(reno) => reno.cwnd(),
        }
    }
    #[inline]
    fn ssthresh(&self) -> u32 {
        match self {
            Congestion::Reno(reno) => reno.ssthresh(),
        }
    }
    #[inline]
    fn on_ack(&mut self, acked: &Acked) {
        match self {
            Congestion::Reno(reno) => reno.on_ack(acked),
        }
    }
    fn on_loss(&mut self, flight: u32, mss: u32) {
        match self {
            Congestion::Reno(reno) => reno.on_loss(flight, mss),
        }
    }
    fn on_rto(&mut self, flight: u32, mss: u32, first: bool) {
        match self {
            Congestion::Reno(reno) => reno.on_rto(flight, mss, first),
        }
    }
    fn on_idle(&mut self, restart: u32) {
        match self {
            Congestion::Reno(reno) => reno.on_idle(restart),
        }
    }
}

/// IW (RFC 6928 §2): `segments` of `mss`, bounded for large ones as ten of 1460 would be.
pub(crate) fn initial_window(segments: u8, mss: u16) -> u32 {
    let mss = u32::from(mss);
    let segments = u32::from(segments.max(1));
    let cap = segments.saturating_mul(1460).max(mss.saturating_mul(2));
    segments.saturating_mul(mss).min(cap)
}

#[cfg(test)]
mod tests;
