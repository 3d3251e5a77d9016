//! Settings. Times are milliseconds, where nothing else is said.

use crate::CongestionControl;

/// Every setting of TCP, with an expert's choice as default. One set serves all connections of
/// a stack; what a connection can override is said there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tunables {
    /// The retransmission timeout before any round trip was measured.
    /// Default 1 s; 200 ms to 60 s. RFC 6298 (2.1). Linux: `TCP_TIMEOUT_INIT`.
    pub rto_initial: u32,
    /// The least variance term of a retransmission timeout, and so the least timeout, in
    /// microseconds.
    /// Default 200 ms; 1 ms to 1 s. RFC 6298 (2.4) asks for 1 s; today's networks and Linux
    /// (`tcp_rto_min_us`) do with less.
    pub rto_min: u32,
    /// The greatest retransmission timeout after back-off.
    /// Default 120 s; at least 60 s. RFC 6298 (2.5). Linux: `tcp_rto_max_ms`.
    pub rto_max: u32,
    /// The longest time between zero-window probes.
    /// Default 120 s; at least 60 s. RFC 9293 §3.8.6.1. Linux: `tcp_rto_max_ms`.
    pub persist_max: u32,
    /// How long an acknowledgment may wait for company.
    /// Default 40 ms; 0 to 499 ms. RFC 9293 §3.8.6.3. Linux: `TCP_DELACK_MIN`.
    pub delayed_ack: u32,
    /// Retransmissions of a SYN before giving up (R2 for SYN).
    /// Default 7 (247 s with the other defaults; MUST-23 wants 180 s); 0 to 30. Linux:
    /// `tcp_syn_retries`.
    pub syn_retries: u8,
    /// Retransmissions of a SYN-ACK before giving up.
    /// Default 5; 0 to 7. Linux: `tcp_synack_retries`.
    pub synack_retries: u8,
    /// Retransmissions of the same data before IP is advised and the user told (R1).
    /// Default 3; at least 3 (SHLD-10). Linux: `tcp_retries1`.
    pub retries1: u8,
    /// How long data may stay unacknowledged (R2); 0: for ever. Overridden by
    /// [`Connection::set_user_timeout`](crate::Connection::set_user_timeout).
    /// Default 300 s; at least 100 s (SHLD-11). Linux: `tcp_retries2`, as a time.
    pub user_timeout: u32,
    /// Idle time before the first keep-alive probe, where a connection has keep-alives on and
    /// does not say otherwise.
    /// Default 7200 s (MUST-28). Linux: `tcp_keepalive_time`.
    pub keepalive_time: u32,
    /// Time between keep-alive probes.
    /// Default 75 s. Linux: `tcp_keepalive_intvl`.
    pub keepalive_intvl: u32,
    /// Unanswered keep-alive probes that end a connection.
    /// Default 9; at least 2 (MUST-29). Linux: `tcp_keepalive_probes`.
    pub keepalive_probes: u8,
    /// How long FIN-WAIT-2 lasts at most once the user has gone.
    /// Default 60 s. Linux: `tcp_fin_timeout`.
    pub fin_timeout: u32,
    /// How long a connection closed in one direction may stay silent; 0: for ever.
    /// Default 0. No Linux setting; flows use 7200 s.
    pub half_closed_timeout: u32,
    /// The TIME-WAIT delay, 2 MSL.
    /// Default 60 s. RFC 9293 §3.6.1. Linux: `TCP_TIMEWAIT_LEN`.
    pub time_wait: u32,
    /// The initial congestion window, in segments.
    /// Default 10; 1 to 10. RFC 6928. Linux: route attribute `initcwnd`.
    pub initial_window: u8,
    /// The congestion control algorithm a connection begins with. Overridden by
    /// [`Connection::set_congestion`](crate::Connection::set_congestion).
    /// Default CUBIC where it is compiled in. Linux: `tcp_congestion_control`.
    pub congestion_control: CongestionControl,
    /// Whether the congestion window begins anew when nothing was sent for longer than a
    /// retransmission timeout (RFC 5681 §4.1), and is halved when not half of it was used for five
    /// minutes (RFC 7661 §4.4.3). Default on. Linux: `tcp_slow_start_after_idle`.
    #[cfg(feature = "cubic")]
    pub slow_start_after_idle: bool,
    /// Whether the path MTU is searched by segments of growing size. 0: no; 1: when data is lost
    /// again and again; 2: from the beginning. Default 0. RFC 8899. Linux: `tcp_mtu_probing`.
    #[cfg(feature = "plpmtud")]
    pub mtu_probing: u8,
    /// The payload of segments such a search begins with, in octets: BASE_PLPMTU, less headers.
    /// Default 1024; 1 and up. Linux: `tcp_base_mss`.
    #[cfg(feature = "plpmtud")]
    pub base_mss: u16,
    /// The least payload a black hole brings segments down to, in octets.
    /// Default 48; 1 and up. Linux: `tcp_mtu_probe_floor`.
    #[cfg(feature = "plpmtud")]
    pub mtu_probe_floor: u16,
    /// How long what was found is kept before more is tried (PMTU_RAISE_TIMER).
    /// Default 600 s. RFC 8899 §5.1.1. Linux: `tcp_probe_interval`.
    #[cfg(feature = "plpmtud")]
    pub probe_interval: u32,
    /// The search ends when what the path carries is known to so many octets.
    /// Default 8. Linux: `tcp_probe_threshold`.
    #[cfg(feature = "plpmtud")]
    pub probe_threshold: u16,
    /// Whether all connections are paced, whatever their congestion control. Default off: BBR paces
    /// itself, the others send as acknowledgments arrive. Overridden by
    /// [`Connection::set_paced`](crate::Connection::set_paced). Linux: the
    /// queueing discipline `fq`.
    #[cfg(feature = "bbr")]
    pub pacing: bool,
    /// Where the congestion control has no rate of its own: at which part of the congestion window
    /// a round trip data leaves in slow start, in hundredths.
    /// Default 200; 1 to 1000. Linux: `tcp_pacing_ss_ratio`.
    #[cfg(feature = "bbr")]
    pub pacing_ss_ratio: u16,
    /// The same in congestion avoidance.
    /// Default 120; 1 to 1000. Linux: `tcp_pacing_ca_ratio`.
    #[cfg(feature = "bbr")]
    pub pacing_ca_ratio: u16,
    /// Whether ECN is used. 0: no; 1: asked for and accepted; 2: accepted where the peer asks.
    /// Default 2. RFC 3168. Linux: `tcp_ecn`.
    #[cfg(feature = "rack")]
    pub ecn: u8,
    /// Whether losses are found by RACK (RFC 8985) on connections with SACK, and not as RFC 6675
    /// does. Default on. Linux: bit 0 of `tcp_recovery`.
    #[cfg(feature = "rack")]
    pub recovery: bool,
    /// Whether tail loss probes are sent, where RACK is on. Default on. RFC 8985 §7. Linux:
    /// `tcp_early_retrans`.
    #[cfg(feature = "rack")]
    pub early_retrans: bool,
    /// Whether it is found out if a retransmission timeout was a mistake. Default on. RFC 5682.
    /// Linux: `tcp_frto`.
    #[cfg(feature = "rack")]
    pub frto: bool,
    /// The least time between two challenge ACKs, or two answers to unacceptable segments
    /// without data, of one connection.
    /// Default 500 ms; 0: no limit. RFC 5961 §7. Linux: `tcp_invalid_ratelimit`.
    pub challenge_ack_interval: u32,
    /// The least MSS believed of a peer or a path, in octets.
    /// Default 48; at least 1. Linux: `tcp_min_snd_mss`.
    pub min_snd_mss: u16,
    /// Whether timestamps are offered and accepted. Default on. RFC 7323. Linux:
    /// `tcp_timestamps`.
    pub timestamps: bool,
    /// Whether selective acknowledgments are offered and accepted. Default on. RFC 2018. Linux:
    /// `tcp_sack`.
    pub sack: bool,
    /// Whether window scaling is offered and accepted. Default on. RFC 7323 §2. Linux:
    /// `tcp_window_scaling`.
    pub window_scaling: bool,
    /// The greatest window scale we ask for.
    /// Default 14; 0 to 14 (RFC 7323 §2.3).
    pub max_window_scale: u8,
    /// The largest receive buffer a connection may ever be given with
    /// [`Connection::set_rcv_buf`](crate::Connection::set_rcv_buf), in octets: decides the window
    /// scale, which cannot change later; 0: the buffer it starts with.
    /// Default 0. Linux: the third number of `tcp_rmem`.
    pub rcv_buf_max: u32,
    /// Whether the Nagle algorithm is on at first. Default on (SHLD-7). Linux: the inverse of
    /// `TCP_NODELAY`.
    pub nagle: bool,
    /// Duplicate acknowledgments taken as loss.
    /// Default 3; 2 to 127. RFC 5681. Linux: `tcp_reordering`.
    pub dupack_threshold: u8,
    /// Segments at the start of a connection that are acknowledged at once, so that the peer's
    /// slow start does not wait for delayed acknowledgments.
    /// Default 16; 0 to 255. Linux: `TCP_MAX_QUICKACKS`.
    pub quick_acks: u8,
}

impl Tunables {
    /// The defaults.
    pub const DEFAULT: Tunables = Tunables {
        //= https://www.rfc-editor.org/rfc/rfc6298#section-2
        //# (2.1) Until a round-trip time (RTT) measurement has been made for a
        //# segment sent between the sender and receiver, the sender SHOULD
        //# set RTO <- 1 second, though the "backing off" on repeated
        //# retransmission discussed in (5.5) still applies.
        //= https://www.rfc-editor.org/rfc/rfc8961#section-4
        //# In the absence of any knowledge about the latency of a
        //# path, the initial RTO MUST be conservatively set to no less than
        //# 1 second.
        rto_initial: 1_000,
        rto_min: 200_000,
        //= https://www.rfc-editor.org/rfc/rfc8961#section-4
        //# A maximum value MAY be placed on the RTO.  The maximum RTO MUST
        //# NOT be less than 60 seconds (as specified in [RFC6298]).
        rto_max: 120_000,
        persist_max: 120_000,
        delayed_ack: 40,
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.3
        //# In particular, R2 for a SYN segment MUST be set large
        //# enough to provide retransmission of the segment for at least 3
        //# minutes (MUST-23).
        syn_retries: 7,
        synack_retries: 5,
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.3
        //# The value of R1 SHOULD correspond to at least 3 retransmissions, at
        //# the current RTO (SHLD-10).
        retries1: 3,
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.3
        //# The value of R2 SHOULD correspond to at
        //# least 100 seconds (SHLD-11).
        user_timeout: 300_000,
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.4
        //# This interval MUST
        //# be configurable (MUST-27) and MUST default to no less than two hours
        //# (MUST-28).
        keepalive_time: 7_200_000,
        keepalive_intvl: 75_000,
        keepalive_probes: 9,
        fin_timeout: 60_000,
        half_closed_timeout: 0,
        time_wait: 60_000,
        initial_window: 10,
        congestion_control: CongestionControl::DEFAULT,
        #[cfg(feature = "cubic")]
        slow_start_after_idle: true,
        #[cfg(feature = "plpmtud")]
        mtu_probing: 0,
        #[cfg(feature = "plpmtud")]
        base_mss: 1024,
        #[cfg(feature = "plpmtud")]
        mtu_probe_floor: 48,
        #[cfg(feature = "plpmtud")]
        probe_interval: 600_000,
        #[cfg(feature = "plpmtud")]
        probe_threshold: 8,
        #[cfg(feature = "bbr")]
        pacing: false,
        #[cfg(feature = "bbr")]
        pacing_ss_ratio: 200,
        #[cfg(feature = "bbr")]
        pacing_ca_ratio: 120,
        #[cfg(feature = "rack")]
        ecn: 2,
        #[cfg(feature = "rack")]
        recovery: true,
        #[cfg(feature = "rack")]
        early_retrans: true,
        #[cfg(feature = "rack")]
        frto: true,
        //= https://www.rfc-editor.org/rfc/rfc5961#section-7
        //# 2) The values for both the time and number of ACKs SHOULD be tunable
        //# by the system administrator to accommodate different perceived
        //# levels of threat and/or system resources.
        //= https://www.rfc-editor.org/rfc/rfc5961#section-7
        //# The time limit SHOULD be tunable to help timeout brute force attacks
        //# faster than a potential legitimate flood of RSTs.
        challenge_ack_interval: 500,
        min_snd_mss: 48,
        timestamps: true,
        sack: true,
        window_scaling: true,
        max_window_scale: 14,
        rcv_buf_max: 0,
        nagle: true,
        dupack_threshold: 3,
        quick_acks: 16,
    };

    /// The window scale to offer for a receive buffer of `rcv_buf` octets.
    pub(crate) fn window_scale(&self, rcv_buf: u32) -> u8 {
        let largest = rcv_buf.max(self.rcv_buf_max);
        let mut scale = 0;
        //= https://www.rfc-editor.org/rfc/rfc7323#section-2.2
        //# The maximum scale exponent is limited to 14 for a maximum permissible
        //# receive window size of 1 GiB (2^(14+16)).
        //= https://www.rfc-editor.org/rfc/rfc7323#section-2.3
        //# Thus, the shift count
        //# MUST be limited to 14 (which allows windows of 2^30 = 1 GiB).
        while scale < self.max_window_scale.min(crate::MAX_WINDOW_SCALE)
            && (largest >> scale) > 0xffff
        {
            scale = u8::saturating_add(scale, 1);
        }
        scale
    }
}

impl Default for Tunables {
    fn default() -> Tunables {
        Tunables::DEFAULT
    }
}
