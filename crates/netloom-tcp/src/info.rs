//! A connection as seen from outside.

use crate::congestion::Controller;
use crate::flags::Flags;
use crate::recovery::Phase;
use crate::{CloseReason, Connection, Env, SeqNum, State};

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
    /// Whether explicit congestion notification is in use.
    pub ecn: bool,
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
    /// The least round-trip time seen; 0 before the first measurement, and where neither `rack` nor
    /// `cubic` nor `autotune` is compiled in.
    pub min_rtt: u32,
    /// The retransmission timeout without back-off, in whole milliseconds.
    pub rto: u32,
    /// How many times the timeout is doubled now.
    pub backoff: u8,
    /// Timeouts in a row, for want of an acknowledgment of anything new.
    pub retransmits: u8,
    /// Unanswered probes (window or keep-alive).
    pub probes: u8,
    /// Whether something was lost or the network is congested.
    pub ca_state: CaState,
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
    /// The rate at which data leaves, in octets of payload a second; 0: it is not paced. What the
    /// connection itself does not know: [`PathState::tell`](crate::PathState::tell) fills it in.
    #[cfg(feature = "bbr")]
    pub pacing_rate: u64,
    /// What the user allows of it, in octets of payload a second; `None`: no bound. From there too.
    #[cfg(feature = "bbr")]
    pub max_pacing_rate: Option<u64>,
    /// What BBR knows of the path, where it is in use. From there too.
    #[cfg(feature = "bbr")]
    pub bbr: Option<BbrInfo>,
}

/// What a connection knows of loss and congestion, named and numbered as Linux's `tcpi_ca_state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum CaState {
    /// All is well.
    #[default]
    Open = 0,
    /// Something arrived out of order, or is missing: it is not known yet which.
    Disorder,
    /// The network said that it is congested, and the window was reduced.
    Cwr,
    /// Something was lost, and is repaired by fast recovery.
    Recovery,
    /// The retransmission timer expired.
    Loss,
}

/// What BBR knows of a path, named as Linux's `tcp_bbr_info`.
#[cfg(feature = "bbr")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BbrInfo {
    /// The state's name as the draft has it, such as `ProbeBW_CRUISE`.
    pub state: &'static str,
    /// BBR.bw: the rate it works with, in octets a second.
    pub bw: u64,
    /// BBR.min_rtt, in microseconds; 0: there was no round trip yet.
    pub min_rtt: u32,
    /// BBR.pacing_gain and BBR.cwnd_gain, in hundredths.
    pub pacing_gain: u32,
    /// See `pacing_gain`.
    pub cwnd_gain: u32,
    /// BBR.inflight_longterm, in octets; `None`: there is no such bound.
    pub inflight_longterm: Option<u32>,
}

impl Connection {
    /// Numbers about the connection.
    pub fn info(&self, env: &Env<'_>) -> TcpInfo {
        let scaling = self.flags.has(Flags::SCALING);
        TcpInfo {
            state: self.state,
            close_reason: self.close_reason,
            timestamps: self.flags.has(Flags::TIMESTAMPS),
            sack: self.flags.has(Flags::SACK),
            #[cfg(feature = "rack")]
            ecn: self.marks.has(crate::recovery::Marks::ECN),
            #[cfg(not(feature = "rack"))]
            ecn: false,
            snd_wscale: scaling.then_some(self.snd_wscale),
            rcv_wscale: scaling.then_some(self.rcv_wscale),
            snd_una: self.snd_una,
            snd_nxt: self.snd_nxt,
            snd_wnd: self.snd_wnd,
            rcv_nxt: self.rcv_nxt,
            rcv_wnd: self.rcv_adv.saturating_since(self.rcv_nxt),
            //= https://www.rfc-editor.org/rfc/rfc8899#section-4.4
            //# To determine the largest data block that can be sent,
            //# a PL SHOULD provide applications with a primitive that returns the
            //# MPS, derived from the current PLPMTU.
            //= https://www.rfc-editor.org/rfc/rfc8899#section-3
            //# To assist applications in choosing a suitable data block size, the
            //# PL is RECOMMENDED to provide a primitive that returns the MPS
            //# derived from the PLPMTU to the higher layer using the PL.
            snd_mss: self.mss,
            advmss: self.our_mss,
            path_mss: self.path_mss,
            srtt: self.rtt.srtt(),
            rttvar: self.rtt.rttvar(),
            min_rtt: self.rtt.min(),
            rto: self
                .rtt
                .rto(env.tunables, self.flags.has(Flags::SYN_REPEATED))
                .saturating_mul(1_000),
            backoff: self.backoff,
            retransmits: self.retries,
            probes: self.probes,
            ca_state: self.ca_state(),
            // Never less than a segment, also while an echoed mark has closed it.
            cwnd: self.congestion.cwnd().max(u32::from(self.mss)),
            ssthresh: self.congestion.ssthresh(),
            unacked: self.flight(),
            sacked: self.sacked,
            lost: self.lost,
            unsent: self.unsent(),
            unread: self.rx.len,
            total_retransmissions: self.total_retransmissions,
            delivered: self.delivered,
            #[cfg(feature = "bbr")]
            pacing_rate: 0,
            #[cfg(feature = "bbr")]
            max_pacing_rate: None,
            #[cfg(feature = "bbr")]
            bbr: None,
        }
    }

    fn ca_state(&self) -> CaState {
        match self.phase {
            Phase::Open if self.sacked > 0 || self.dup_acks > 0 => CaState::Disorder,
            Phase::Open => CaState::Open,
            Phase::Recovery => CaState::Recovery,
            Phase::Loss => CaState::Loss,
            #[cfg(feature = "rack")]
            Phase::Probation | Phase::Trial | Phase::Resent => CaState::Loss,
            #[cfg(feature = "rack")]
            Phase::Reduced => CaState::Cwr,
        }
    }
}
