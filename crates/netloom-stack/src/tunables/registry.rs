//! Tunables by their names: read, set and listed.

#[cfg(feature = "tcp")]
use netloom_tcp::CongestionControl;

use super::Tunables;
use crate::error::Error;

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
    /// Where a value is the place of a name in a list, as with `tcp_congestion_control`: the list;
    /// elsewhere empty.
    pub choices: &'static [&'static str],
}

impl Tunable {
    /// The name its value stands for; empty where it is a number.
    pub fn text(&self) -> &'static str {
        let at = usize::try_from(self.value).ok();
        let choice = at.and_then(|at| self.choices.get(at));
        choice.copied().unwrap_or_default()
    }
}

/// One row of the registry: everything about a tunable in one place.
struct Row {
    name: &'static str,
    doc: &'static str,
    min: u64,
    max: u64,
    /// How many of the field's units one unit of the name is: milliseconds in a second, where
    /// Linux counts seconds.
    unit: u64,
    choices: &'static [&'static str],
    get: fn(&Tunables) -> u64,
    set: fn(&mut Tunables, u64),
}

/// Milliseconds in the unit Linux uses for some names.
const SECOND: u64 = 1_000;

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
                choices: registry!(@choices $ty),
                get: |t| registry!(@get $ty, t.$($path).+),
                set: |t, v| t.$($path).+ = registry!(@set $ty, v),
            },
        )+];
    };
    (@choices CongestionControl) => { CongestionControl::NAMES };
    (@choices $ty:tt) => { &[] };
    (@get CongestionControl, $v:expr) => { place_of($v) };
    (@get $ty:tt, $v:expr) => { u64::from($v) };
    (@set CongestionControl, $v:expr) => { in_place($v) };
    (@set bool, $v:expr) => { $v != 0 };
    // The range was checked against the row's maximum, which fits the field's type.
    (@set $ty:tt, $v:expr) => { $ty::try_from($v).unwrap_or($ty::MAX) };
}

/// Where an algorithm stands among all there are.
#[cfg(feature = "tcp")]
fn place_of(algorithm: CongestionControl) -> u64 {
    let mut all = CongestionControl::ALL.iter();
    all.position(|one| *one == algorithm).unwrap_or(0) as u64
}

#[cfg(feature = "tcp")]
fn in_place(value: u64) -> CongestionControl {
    let all = CongestionControl::ALL.iter();
    let found = (0u64..).zip(all).find(|(place, _)| *place == value);
    found.map_or(CongestionControl::DEFAULT, |(_, one)| *one)
}

registry! {
    #[cfg(feature = "tcp")]
    "tcp_rto_initial_ms", 1_000, 60_000, u32, 1, tcp.rto_initial, "retransmission timeout before a round trip was measured, ms";
    #[cfg(feature = "tcp")]
    "tcp_rto_min_us", 1_000, 1_000_000, u32, 1, tcp.rto_min, "least retransmission timeout, us";
    #[cfg(feature = "tcp")]
    "tcp_rto_max_ms", 60_000, 4_000_000, u32, 1, tcp.rto_max, "greatest retransmission timeout, ms";
    #[cfg(feature = "tcp")]
    "tcp_persist_max_ms", 60_000, 4_000_000, u32, 1, tcp.persist_max, "longest time between zero-window probes, ms";
    #[cfg(feature = "tcp")]
    "tcp_delayed_ack_ms", 0, 499, u32, 1, tcp.delayed_ack, "how long an acknowledgment may wait for company, ms";
    #[cfg(feature = "tcp")]
    "tcp_syn_retries", 0, 30, u8, 1, tcp.syn_retries, "retransmissions of a SYN";
    #[cfg(feature = "tcp")]
    "tcp_synack_retries", 0, 7, u8, 1, tcp.synack_retries, "retransmissions of a SYN-ACK";
    #[cfg(feature = "tcp")]
    "tcp_retries1", 3, 255, u8, 1, tcp.retries1, "retransmissions before IP is advised (R1)";
    #[cfg(feature = "tcp")]
    "tcp_user_timeout", 0, 2_000_000, u32, SECOND, tcp.user_timeout, "how long data may stay unacknowledged (R2), s; 0: for ever";
    #[cfg(feature = "tcp")]
    "tcp_keepalive_time", 1, 2_000_000, u32, SECOND, tcp.keepalive_time, "idle time before the first keep-alive probe, s";
    #[cfg(feature = "tcp")]
    "tcp_keepalive_intvl", 1, 2_000_000, u32, SECOND, tcp.keepalive_intvl, "time between keep-alive probes, s";
    #[cfg(feature = "tcp")]
    "tcp_keepalive_probes", 2, 255, u8, 1, tcp.keepalive_probes, "unanswered keep-alive probes that end a connection";
    #[cfg(feature = "tcp")]
    "tcp_fin_timeout", 1, 2_000_000, u32, SECOND, tcp.fin_timeout, "how long FIN-WAIT-2 lasts without an owner, s";
    #[cfg(feature = "tcp")]
    "tcp_half_closed_timeout", 0, 2_000_000, u32, SECOND, tcp.half_closed_timeout, "how long a half-closed connection may be silent, s; 0: for ever";
    #[cfg(feature = "tcp")]
    "tcp_time_wait", 1, 240, u32, SECOND, tcp.time_wait, "TIME-WAIT (2 MSL), s";
    #[cfg(feature = "tcp")]
    "tcp_initial_window", 1, 10, u8, 1, tcp.initial_window, "initial congestion window, segments";
    #[cfg(feature = "tcp")]
    "tcp_congestion_control", 0, CongestionControl::ALL.len() as u64 - 1, CongestionControl, 1, tcp.congestion_control, "congestion control of new connections, by its name";
    #[cfg(feature = "cubic")]
    "tcp_slow_start_after_idle", 0, 1, bool, 1, tcp.slow_start_after_idle, "begin anew with the initial window when nothing was sent for a timeout";
    #[cfg(feature = "plpmtud")]
    "tcp_mtu_probing", 0, 2, u8, 1, tcp.mtu_probing, "search what the path carries by segments; 0: off, 1: when data is lost again and again, 2: from the beginning";
    #[cfg(feature = "plpmtud")]
    "tcp_base_mss", 48, 65535, u16, 1, tcp.base_mss, "payload of segments such a search begins with";
    #[cfg(feature = "plpmtud")]
    "tcp_mtu_probe_floor", 48, 65535, u16, 1, tcp.mtu_probe_floor, "least payload a search comes down to";
    #[cfg(feature = "plpmtud")]
    "tcp_probe_interval", 0, 2_000_000, u32, SECOND, tcp.probe_interval, "how long what a search found is kept before more is tried, s";
    #[cfg(feature = "plpmtud")]
    "tcp_probe_threshold", 1, 65535, u16, 1, tcp.probe_threshold, "a search ends when what the path carries is known to so many bytes";
    #[cfg(feature = "bbr")]
    "tcp_pacing", 0, 1, bool, 1, tcp.pacing, "pace all connections, whatever their congestion control; BBR is paced anyway";
    #[cfg(feature = "bbr")]
    "tcp_pacing_ss_ratio", 1, 1000, u16, 1, tcp.pacing_ss_ratio, "pacing without BBR: the part of the congestion window sent a round trip in slow start, %";
    #[cfg(feature = "bbr")]
    "tcp_pacing_ca_ratio", 1, 1000, u16, 1, tcp.pacing_ca_ratio, "pacing without BBR: the part of the congestion window sent a round trip in congestion avoidance, %";
    #[cfg(feature = "rack")]
    "tcp_ecn", 0, 2, u8, 1, tcp.ecn, "explicit congestion notification; 0: off, 1: asked for and accepted, 2: accepted where the peer asks";
    #[cfg(feature = "rack")]
    "tcp_recovery", 0, 1, bool, 1, tcp.recovery, "find losses by time (RACK, RFC 8985) where SACK is in use";
    #[cfg(feature = "rack")]
    "tcp_early_retrans", 0, 1, bool, 1, tcp.early_retrans, "send tail loss probes (RFC 8985), where RACK is on";
    #[cfg(feature = "rack")]
    "tcp_frto", 0, 1, bool, 1, tcp.frto, "find out if a retransmission timeout was a mistake (F-RTO, RFC 5682)";
    #[cfg(feature = "tcp")]
    "tcp_invalid_ratelimit", 0, 60_000, u32, 1, tcp.challenge_ack_interval, "least time between challenge ACKs of a connection, ms";
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
    "tcp_rmem_min", 0, 0x4000_0000, u32, 1, tcp_rmem_min, "receive buffer of a new connection when memory is short, bytes";
    #[cfg(feature = "tcp")]
    "tcp_rmem_max", 0, 0x4000_0000, u32, 1, tcp.rcv_buf_max, "what a receive buffer may grow to, bytes: decides the window scale";
    #[cfg(feature = "autotune")]
    "tcp_moderate_rcvbuf", 0, 1, bool, 1, tcp_moderate_rcvbuf, "have receive buffers grow with what is read in a round trip";
    "tcp_wmem", 256, 0x4000_0000, u32, 1, tcp_wmem, "send buffer of a new connection, bytes";
    #[cfg(feature = "autotune")]
    "tcp_wmem_max", 0, 0x4000_0000, u32, 1, tcp_wmem_max, "what a send buffer may grow to, bytes";
    #[cfg(feature = "autotune")]
    "tcp_wmem_min", 256, 0x4000_0000, u32, 1, tcp_wmem_min, "the least a send buffer shrinks to when memory is short, bytes";
    #[cfg(feature = "metrics")]
    "tcp_no_metrics_save", 0, 1, bool, 1, tcp_no_metrics_save, "forget what connections learn of their paths";
    #[cfg(feature = "metrics")]
    "tcp_no_ssthresh_metrics_save", 0, 1, bool, 1, tcp_no_ssthresh_metrics_save, "forget the slow-start threshold that connections find";
    #[cfg(feature = "fastopen")]
    "tcp_fastopen", 0, 0x607, u16, 1, tcp_fastopen, "data on SYNs; bits: 1: opens, 2: listeners, 4: opens without cookie, 512: listeners without cookie, 1024: all listeners";
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

    /// Sets a tunable by its name to what a text says: a number, or one of the tunable's
    /// [choices](Tunable::choices).
    ///
    /// # Errors
    /// [`Error::NoSuchTunable`]; [`Error::OutOfRange`]; for `tcp_congestion_control`
    /// [`Error::NoSuchCongestionControl`], whose text names those there are. Nothing is changed.
    pub fn set_named(&mut self, name: &str, text: &str) -> Result<(), Error> {
        let tunable = self.get(name).ok_or(Error::NoSuchTunable)?;
        let mut choices = (0u64..).zip(tunable.choices);
        let value = match choices.find(|(_, choice)| **choice == text) {
            Some((place, _)) => place,
            #[cfg(feature = "tcp")]
            None if !tunable.choices.is_empty() => return Err(Error::NoSuchCongestionControl),
            None => text.parse().map_err(|_| Error::OutOfRange)?,
        };
        self.set(name, value)
    }

    /// The names of all tunables, in the order of the registry.
    pub fn names() -> impl Iterator<Item = &'static str> {
        REGISTRY.iter().map(|row| row.name)
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
            choices: row.choices,
        }
    }
}
