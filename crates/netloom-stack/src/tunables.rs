//! Everything that can be tuned: a name, a default, a range, a line of documentation.
//!
//! Names are Linux's where the meaning is the same. Values can be read and set by name at run
//! time ([`Tunables::get`], [`Tunables::set`]) and listed ([`Tunables::iter`]).

use crate::error::Error;
use crate::icmp::error_limit::ErrorLimitTunables;
use crate::neighbor::NeighborTunables;

/// The tunables of a stack.
#[derive(Debug, Clone)]
pub struct Tunables {
    /// TCP's own.
    #[cfg(feature = "tcp")]
    pub tcp: netloom_tcp::Tunables,
    /// Receive buffer promised to a new connection, in bytes.
    pub tcp_rmem: u32,
    /// Send buffer of a new connection, in bytes.
    pub tcp_wmem: u32,
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

impl Default for Tunables {
    fn default() -> Tunables {
        Tunables {
            #[cfg(feature = "tcp")]
            tcp: netloom_tcp::Tunables::default(),
            tcp_rmem: 1 << 20,
            tcp_wmem: 1 << 20,
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
        }
    }
}

/// What is known of one tunable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tunable {
    /// Its name: Linux's where it means the same.
    pub name: &'static str,
    /// What it does, with its unit.
    pub doc: &'static str,
    /// Its value now.
    pub value: u64,
    /// The smallest value it takes.
    pub min: u64,
    /// The largest value it takes.
    pub max: u64,
}

/// One row of the registry: everything about a tunable in one place.
struct Row {
    name: &'static str,
    doc: &'static str,
    min: u64,
    max: u64,
    /// How many of the field's units one unit of the name is: microseconds in a second, where
    /// Linux counts seconds.
    unit: u64,
    get: fn(&Tunables) -> u64,
    set: fn(&mut Tunables, u64),
}

/// Microseconds, as the units Linux uses for some names.
const MS: u64 = 1_000;
const SECOND: u64 = 1_000_000;

macro_rules! registry {
    ($($(#[$cfg:meta])* $name:literal, $min:expr, $max:expr, $ty:tt, $unit:expr, $($path:ident).+ , $doc:literal;)+) => {
        const REGISTRY: &[Row] = &[$(
            $(#[$cfg])*
            Row {
                name: $name,
                doc: $doc,
                min: $min,
                max: $max,
                unit: $unit,
                get: |t| u64::from(t.$($path).+),
                set: |t, v| t.$($path).+ = registry!(@set $ty, v),
            },
        )+];
    };
    (@set bool, $v:expr) => { $v != 0 };
    // The range was checked against the row's maximum, which fits the field's type.
    (@set $ty:tt, $v:expr) => { $ty::try_from($v).unwrap_or($ty::MAX) };
}

registry! {
    #[cfg(feature = "tcp")]
    "tcp_rto_initial_ms", 200, 60_000, u32, MS, tcp.rto_initial, "retransmission timeout before a round trip was measured, ms";
    #[cfg(feature = "tcp")]
    "tcp_rto_min_us", 1_000, 1_000_000, u32, 1, tcp.rto_min, "least retransmission timeout, us";
    #[cfg(feature = "tcp")]
    "tcp_rto_max_ms", 60_000, 4_000_000, u32, MS, tcp.rto_max, "greatest retransmission timeout, ms";
    #[cfg(feature = "tcp")]
    "tcp_persist_max_ms", 60_000, 4_000_000, u32, MS, tcp.persist_max, "longest time between zero-window probes, ms";
    #[cfg(feature = "tcp")]
    "tcp_delayed_ack_ms", 0, 499, u32, MS, tcp.delayed_ack, "how long an acknowledgment may wait for company, ms";
    #[cfg(feature = "tcp")]
    "tcp_syn_retries", 0, 30, u8, 1, tcp.syn_retries, "retransmissions of a SYN";
    #[cfg(feature = "tcp")]
    "tcp_synack_retries", 0, 7, u8, 1, tcp.synack_retries, "retransmissions of a SYN-ACK";
    #[cfg(feature = "tcp")]
    "tcp_retries1", 3, 255, u8, 1, tcp.retries1, "retransmissions before IP is advised (R1)";
    #[cfg(feature = "tcp")]
    "tcp_user_timeout", 0, 1_000_000_000, u64, SECOND, tcp.user_timeout, "how long data may stay unacknowledged (R2), s; 0: for ever";
    #[cfg(feature = "tcp")]
    "tcp_keepalive_time", 1, 1_000_000_000, u64, SECOND, tcp.keepalive_time, "idle time before the first keep-alive probe, s";
    #[cfg(feature = "tcp")]
    "tcp_keepalive_intvl", 1, 1_000_000_000, u64, SECOND, tcp.keepalive_intvl, "time between keep-alive probes, s";
    #[cfg(feature = "tcp")]
    "tcp_keepalive_probes", 2, 255, u8, 1, tcp.keepalive_probes, "unanswered keep-alive probes that end a connection";
    #[cfg(feature = "tcp")]
    "tcp_fin_timeout", 1, 1_000_000_000, u64, SECOND, tcp.fin_timeout, "how long FIN-WAIT-2 lasts without an owner, s";
    #[cfg(feature = "tcp")]
    "tcp_half_closed_timeout", 0, 1_000_000_000, u64, SECOND, tcp.half_closed_timeout, "how long a half-closed connection may be silent, s; 0: for ever";
    #[cfg(feature = "tcp")]
    "tcp_time_wait", 1, 240, u64, SECOND, tcp.time_wait, "TIME-WAIT (2 MSL), s";
    #[cfg(feature = "tcp")]
    "tcp_initial_window", 1, 10, u8, 1, tcp.initial_window, "initial congestion window, segments";
    #[cfg(feature = "tcp")]
    "tcp_invalid_ratelimit", 0, 60_000, u32, MS, tcp.challenge_ack_interval, "least time between challenge ACKs of a connection, ms";
    #[cfg(feature = "tcp")]
    "tcp_min_snd_mss", 1, 65535, u16, 1, tcp.min_snd_mss, "least MSS believed of a peer";
    #[cfg(feature = "tcp")]
    "tcp_timestamps", 0, 1, bool, 1, tcp.timestamps, "offer and accept timestamps (RFC 7323)";
    #[cfg(feature = "tcp")]
    "tcp_sack", 0, 1, bool, 1, tcp.sack, "offer and accept selective acknowledgments (RFC 2018)";
    #[cfg(feature = "tcp")]
    "tcp_window_scaling", 0, 1, bool, 1, tcp.window_scaling, "offer and accept window scaling (RFC 7323)";
    #[cfg(feature = "tcp")]
    "tcp_max_window_scale", 0, 14, u8, 1, tcp.max_window_scale, "greatest window scale asked for";
    #[cfg(feature = "tcp")]
    "tcp_nagle", 0, 1, bool, 1, tcp.nagle, "start connections with the Nagle algorithm on";
    #[cfg(feature = "tcp")]
    "tcp_reordering", 2, 127, u8, 1, tcp.dupack_threshold, "duplicate acknowledgments taken as loss";
    #[cfg(feature = "tcp")]
    "tcp_quick_acks", 0, 255, u8, 1, tcp.quick_acks, "segments acknowledged at once at the start of a connection";
    "tcp_rmem", 256, 0x4000_0000, u32, 1, tcp_rmem, "receive buffer of a new connection, bytes";
    "tcp_wmem", 256, 0x4000_0000, u32, 1, tcp_wmem, "send buffer of a new connection, bytes";
    "tcp_max_orphans", 0, 0xffff_ffff, u32, 1, tcp_max_orphans, "connections that may finish without an owner";
    "tcp_syncookies", 0, 1, bool, 1, tcp_syncookies, "answer with SYN cookies when a SYN queue is full";
    "ip_local_port_first", 1, 65535, u16, 1, ip_local_port_first, "first ephemeral port";
    "ip_local_port_last", 1, 65535, u16, 1, ip_local_port_last, "last ephemeral port";
    "ip_default_ttl", 1, 255, u8, 1, ip_default_ttl, "TTL and hop limit of packets sent";
    "icmp_msgs_per_sec", 0, 0xffff_ffff, u32, 1, icmp_msgs_per_sec, "ICMP errors sent a second at most";
    "icmp_msgs_burst", 0, 0xffff_ffff, u32, 1, icmp_msgs_burst, "ICMP errors sent at once at most";
    "icmp_echo_ignore_all", 0, 1, bool, 1, icmp_echo_ignore_all, "leave echo requests unanswered";
    "neigh_base_reachable_time_ms", 1_000, 3_600_000, u32, 1, neigh_base_reachable_time_ms, "time a confirmation of a neighbour is believed, ms";
    "neigh_retrans_time_ms", 100, 60_000, u32, 1, neigh_retrans_time_ms, "time between solicitations, ms";
    "neigh_mcast_solicit", 1, 100, u8, 1, neigh_mcast_solicit, "solicitations before a neighbour is unreachable";
    "neigh_unres_qlen", 1, 255, u8, 1, neigh_unres_qlen, "packets that may wait for one neighbour";
}

impl Tunables {
    /// What is known of a tunable, its value included.
    pub fn get(&self, name: &str) -> Option<Tunable> {
        REGISTRY
            .iter()
            .find(|row| row.name == name)
            .map(|row| self.describe(row))
    }

    /// Sets a tunable by its name.
    ///
    /// # Errors
    /// [`Error::NoSuchTunable`]; [`Error::OutOfRange`], and nothing is changed.
    pub fn set(&mut self, name: &str, value: u64) -> Result<(), Error> {
        let row = REGISTRY
            .iter()
            .find(|row| row.name == name)
            .ok_or(Error::NoSuchTunable)?;
        if !(row.min..=row.max).contains(&value) {
            return Err(Error::OutOfRange);
        }
        (row.set)(self, value.saturating_mul(row.unit));
        Ok(())
    }

    /// Every tunable, in the order of the registry.
    pub fn iter(&self) -> impl Iterator<Item = Tunable> + '_ {
        REGISTRY.iter().map(|row| self.describe(row))
    }

    fn describe(&self, row: &Row) -> Tunable {
        Tunable {
            name: row.name,
            doc: row.doc,
            value: (row.get)(self) / row.unit,
            min: row.min,
            max: row.max,
        }
    }

    /// The settings of the neighbour cache, the reachable time randomised (RFC 4861 §6.3.2).
    pub(crate) fn neighbor(&self, random: u32) -> NeighborTunables {
        let mut neighbor = NeighborTunables::DEFAULT;
        neighbor.set_reachable_time(self.neigh_base_reachable_time_ms, random);
        neighbor.retrans_timer = self.neigh_retrans_time_ms;
        neighbor.max_multicast_solicit = self.neigh_mcast_solicit;
        neighbor
    }

    /// The settings of the limit on ICMP errors.
    pub(crate) fn icmp_limit(&self) -> ErrorLimitTunables {
        ErrorLimitTunables {
            rate: self.icmp_msgs_per_sec,
            burst: self.icmp_msgs_burst,
        }
    }
}
