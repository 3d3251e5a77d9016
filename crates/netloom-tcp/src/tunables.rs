//! Settings. Times are microseconds.

/// Every setting of TCP, with an expert's choice as default. One set serves all connections of
/// a stack; what a connection can override is said there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tunables {
    /// The retransmission timeout before any round trip was measured.
    /// Default 1 s; 200 ms to 60 s. RFC 6298 (2.1). Linux: `TCP_TIMEOUT_INIT`.
    pub rto_initial: u32,
    /// The least variance term of a retransmission timeout, and so the least timeout.
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
    /// Default 5; 0 to 30. Linux: `tcp_synack_retries`.
    pub synack_retries: u8,
    /// Retransmissions of the same data before IP is advised and the user told (R1).
    /// Default 3; at least 3 (SHLD-10). Linux: `tcp_retries1`.
    pub retries1: u8,
    /// How long data may stay unacknowledged (R2); 0: for ever. Overridden by
    /// [`Connection::set_user_timeout`](crate::Connection::set_user_timeout).
    /// Default 300 s; at least 100 s (SHLD-11). Linux: `tcp_retries2`, as a time.
    pub user_timeout: u64,
    /// Idle time before the first keep-alive probe, where a connection has keep-alives on and
    /// does not say otherwise.
    /// Default 7200 s (MUST-28). Linux: `tcp_keepalive_time`.
    pub keepalive_time: u64,
    /// Time between keep-alive probes.
    /// Default 75 s. Linux: `tcp_keepalive_intvl`.
    pub keepalive_intvl: u64,
    /// Unanswered keep-alive probes that end a connection.
    /// Default 9; at least 2 (MUST-29). Linux: `tcp_keepalive_probes`.
    pub keepalive_probes: u8,
    /// How long FIN-WAIT-2 lasts at most once the user has gone.
    /// Default 60 s. Linux: `tcp_fin_timeout`.
    pub fin_timeout: u64,
    /// How long a connection closed in one direction may stay silent; 0: for ever.
    /// Default 0. No Linux setting; flows use 7200 s.
    pub half_closed_timeout: u64,
    /// The TIME-WAIT delay, 2 MSL.
    /// Default 60 s. RFC 9293 §3.6.1. Linux: `TCP_TIMEWAIT_LEN`.
    pub time_wait: u64,
    /// The initial congestion window, in segments.
    /// Default 10; 1 to 10. RFC 6928. Linux: route attribute `initcwnd`.
    pub initial_window: u8,
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
        rto_initial: 1_000_000,
        rto_min: 200_000,
        rto_max: 120_000_000,
        persist_max: 120_000_000,
        delayed_ack: 40_000,
        syn_retries: 7,
        synack_retries: 5,
        retries1: 3,
        user_timeout: 300_000_000,
        keepalive_time: 7_200_000_000,
        keepalive_intvl: 75_000_000,
        keepalive_probes: 9,
        fin_timeout: 60_000_000,
        half_closed_timeout: 0,
        time_wait: 60_000_000,
        initial_window: 10,
        challenge_ack_interval: 500_000,
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
