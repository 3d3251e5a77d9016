//! A connection as seen from outside.

use crate::{CloseReason, SeqNum, State};

/// Numbers about a connection, named as Linux's `tcp_info` where they mean the same. Times are
/// microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TcpInfo {
    /// The state.
    pub state: State,
    /// Why it ended, once it has.
    pub close_reason: Option<CloseReason>,
    /// Whether timestamps are in use.
    pub timestamps: bool,
    /// Whether selective acknowledgments are in use.
    pub sack: bool,
    /// The peer's window scale, if scaling is in use.
    pub snd_wscale: Option<u8>,
    /// Our window scale, if scaling is in use.
    pub rcv_wscale: Option<u8>,
    /// SND.UNA.
    pub snd_una: SeqNum,
    /// SND.NXT.
    pub snd_nxt: SeqNum,
    /// SND.WND, in octets.
    pub snd_wnd: u32,
    /// RCV.NXT.
    pub rcv_nxt: SeqNum,
    /// RCV.WND as last advertised, in octets.
    pub rcv_wnd: u32,
    /// The payload of a full-sized segment we send, in octets.
    pub snd_mss: u16,
    /// The MSS we advertised.
    pub advmss: u16,
    /// What the path carries: options and payload, in octets.
    pub path_mss: u16,
    /// Smoothed round-trip time; 0 before the first measurement.
    pub srtt: u32,
    /// Round-trip time variation.
    pub rttvar: u32,
    /// The least round-trip time seen; 0 before the first measurement.
    pub min_rtt: u32,
    /// The retransmission timeout without back-off.
    pub rto: u32,
    /// How many times the timeout is doubled now.
    pub backoff: u8,
    /// Unanswered probes (window or keep-alive).
    pub probes: u8,
    /// Congestion window, in octets.
    pub cwnd: u32,
    /// Slow-start threshold, in octets.
    pub ssthresh: u32,
    /// Octets sent and not acknowledged.
    pub unacked: u32,
    /// Octets selectively acknowledged.
    pub sacked: u32,
    /// Octets taken as lost and not retransmitted yet.
    pub lost: u32,
    /// Octets queued and never sent.
    pub unsent: u32,
    /// Octets received in order and not read.
    pub unread: u32,
    /// Segments (or super-segments) retransmitted.
    pub total_retransmissions: u32,
    /// Octets delivered to the peer, wrapping.
    pub delivered: u32,
}
