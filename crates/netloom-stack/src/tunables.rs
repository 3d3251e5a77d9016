//! Everything that can be tuned: a name, a default, a range, a line of documentation.
//!
//! Names are Linux's where the meaning is the same. Values can be read and set by name at run
//! time ([`Tunables::get`], [`Tunables::set`]) and listed ([`Tunables::iter`]).

#[cfg(not(feature = "tunables"))]
mod fixed;
#[cfg(feature = "tunables")]
mod registry;

#[cfg(not(feature = "tunables"))]
pub(crate) use fixed::NeighborSettings;
#[cfg(not(feature = "tunables"))]
pub use fixed::Settings;
#[cfg(feature = "tunables")]
pub use registry::Tunable;

#[cfg(feature = "icmp-errors")]
use crate::icmp::error_limit::ErrorLimitTunables;
#[cfg(feature = "tunables")]
use crate::neighbor::NeighborTunables;

/// What a program sets: all there is.
#[cfg(feature = "tunables")]
pub(crate) type Settings = Tunables;

/// The settings of the neighbour cache.
#[cfg(feature = "tunables")]
pub(crate) type NeighborSettings = NeighborTunables;

/// The tunables of a stack.
#[derive(Debug, Clone)]
pub struct Tunables {
    /// TCP's own.
    #[cfg(feature = "tcp")]
    pub tcp: netloom_tcp::Tunables,
    /// Receive buffer promised to a new connection, in bytes. Linux: the second number of
    /// `tcp_rmem`; the third is [`rcv_buf_max`](netloom_tcp::Tunables::rcv_buf_max).
    pub tcp_rmem: u32,
    /// Receive buffer promised at least, however short memory is, in bytes; four segments if that
    /// is more. Linux: the first number of `tcp_rmem`.
    pub tcp_rmem_min: u32,
    /// Whether receive buffers grow with what is read in a round trip. Linux:
    /// `tcp_moderate_rcvbuf`.
    #[cfg(feature = "autotune")]
    pub tcp_moderate_rcvbuf: bool,
    /// Send buffer of a new connection, in bytes. Linux: the second number of `tcp_wmem`.
    pub tcp_wmem: u32,
    /// What a send buffer may grow to, in bytes; nothing grows if it is not more than `tcp_wmem`.
    /// Linux: the third number of `tcp_wmem`.
    #[cfg(feature = "autotune")]
    pub tcp_wmem_max: u32,
    /// The least a send buffer shrinks to when memory is short, in bytes. Linux: the first number
    /// of `tcp_wmem`.
    #[cfg(feature = "autotune")]
    pub tcp_wmem_min: u32,
    /// Whether what connections learn of their paths is forgotten with them. Linux:
    /// `tcp_no_metrics_save`.
    #[cfg(feature = "metrics")]
    pub tcp_no_metrics_save: bool,
    /// Whether the slow-start threshold alone is: it says more of the moment than of the path.
    /// Linux: `tcp_no_ssthresh_metrics_save`.
    #[cfg(feature = "metrics")]
    pub tcp_no_ssthresh_metrics_save: bool,
    /// Who may send and take data on SYNs (RFC 7413), as bits: 1: opens of this side, where a
    /// program says so; 2: listeners, where one does; 4: also without a cookie, opens; 0x200: the
    /// same, listeners; 0x400: all listeners. Linux: `tcp_fastopen`.
    #[cfg(feature = "fastopen")]
    pub tcp_fastopen: u16,
    /// Connections without an owner that may finish on their own; beyond it they are reset.
    pub tcp_max_orphans: u32,
    /// Whether SYN cookies answer when a SYN queue is full.
    pub tcp_syncookies: bool,
    /// First ephemeral port.
    pub ip_local_port_first: u16,
    /// Last ephemeral port.
    pub ip_local_port_last: u16,
    /// TTL and hop limit of packets sent.
    pub ip_default_ttl: u8,
    /// ICMP errors sent a second at most.
    pub icmp_msgs_per_sec: u32,
    /// ICMP errors sent at once at most.
    pub icmp_msgs_burst: u32,
    /// Whether echo requests are left unanswered.
    pub icmp_echo_ignore_all: bool,
    /// Time a neighbour is taken as reachable after a confirmation, in milliseconds.
    pub neigh_base_reachable_time_ms: u32,
    /// Time between solicitations, in milliseconds.
    pub neigh_retrans_time_ms: u32,
    /// Solicitations before a neighbour counts as unreachable.
    pub neigh_mcast_solicit: u8,
    /// Packets that may wait for one neighbour.
    pub neigh_unres_qlen: u8,
}

/// What buffers may grow to at first, in bytes: the most that a window scale of 8 expresses. Twice
/// what 1 Gbit/s over 66 ms needs.
#[cfg(feature = "autotune")]
const LARGEST_BUFFER: u32 = 0xffff << 8;

/// What the stack has a connection begin with.
#[cfg(feature = "tcp")]
const fn tcp_defaults() -> netloom_tcp::Tunables {
    #[cfg_attr(
        not(any(feature = "autotune", feature = "plpmtud")),
        expect(unused_mut, reason = "nothing is changed")
    )]
    let mut tcp = netloom_tcp::Tunables::DEFAULT;
    #[cfg(feature = "autotune")]
    {
        tcp.rcv_buf_max = LARGEST_BUFFER;
    }
    #[cfg(feature = "plpmtud")]
    {
        // Costs nothing before there is a black hole.
        tcp.mtu_probing = 1;
    }
    tcp
}

impl Tunables {
    /// What a stack begins with.
    // A constant: where flash counts it is copied from there, not put together.
    pub(crate) const DEFAULT: Tunables = Tunables {
        #[cfg(feature = "tcp")]
        tcp: tcp_defaults(),
        tcp_rmem: 1 << 20,
        tcp_rmem_min: 4096,
        #[cfg(feature = "autotune")]
        tcp_moderate_rcvbuf: true,
        tcp_wmem: 1 << 20,
        #[cfg(feature = "autotune")]
        tcp_wmem_max: LARGEST_BUFFER,
        #[cfg(feature = "autotune")]
        tcp_wmem_min: 4096,
        #[cfg(feature = "metrics")]
        tcp_no_metrics_save: false,
        #[cfg(feature = "metrics")]
        tcp_no_ssthresh_metrics_save: true,
        //= https://www.rfc-editor.org/rfc/rfc7413#section-2
        //# Therefore, TCP implementations MUST NOT use TFO by default, but only
        //# use TFO if requested explicitly by the application on a per-service-
        //# port basis.
        #[cfg(feature = "fastopen")]
        tcp_fastopen: 0,
        tcp_max_orphans: 1 << 15,
        tcp_syncookies: true,
        ip_local_port_first: 32768,
        ip_local_port_last: 60999,
        ip_default_ttl: 64,
        icmp_msgs_per_sec: 1000,
        icmp_msgs_burst: 50,
        icmp_echo_ignore_all: false,
        neigh_base_reachable_time_ms: 30_000,
        neigh_retrans_time_ms: 1_000,
        neigh_mcast_solicit: 3,
        neigh_unres_qlen: 16,
    };
}

impl Default for Tunables {
    fn default() -> Tunables {
        Tunables::DEFAULT
    }
}

impl Tunables {
    /// The settings of the neighbour cache, the reachable time randomised (RFC 4861 §6.3.2).
    #[cfg(feature = "tunables")]
    pub(crate) fn neighbor(&self, random: u32) -> NeighborTunables {
        let mut neighbor = NeighborTunables::DEFAULT;
        if cfg!(feature = "nud") {
            neighbor.set_reachable_time(self.neigh_base_reachable_time_ms, random);
        } else {
            neighbor.reachable_time = self.neigh_base_reachable_time_ms;
        }
        neighbor.retrans_timer = self.neigh_retrans_time_ms;
        neighbor.max_multicast_solicit = self.neigh_mcast_solicit;
        neighbor
    }

    /// The settings of the limit on ICMP errors.
    #[cfg(feature = "icmp-errors")]
    pub(crate) fn icmp_limit(&self) -> ErrorLimitTunables {
        ErrorLimitTunables {
            rate: self.icmp_msgs_per_sec,
            burst: self.icmp_msgs_burst,
        }
    }
}
