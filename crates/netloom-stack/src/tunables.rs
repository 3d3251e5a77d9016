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
    get: fn(&Tunables) -> u64,
    set: fn(&mut Tunables, u64),
}

macro_rules! registry {
    ($($(#[$cfg:meta])* $name:literal, $min:expr, $max:expr, $ty:tt, $($path:ident).+ , $doc:literal;)+) => {
        const REGISTRY: &[Row] = &[$(
            $(#[$cfg])*
            Row {
                name: $name,
                doc: $doc,
                min: $min,
                max: $max,
                get: |t| registry!(@get $ty, t.$($path).+),
                set: |t, v| t.$($path).+ = registry!(@set $ty, v),
            },
        )+];
    };
    (@get bool, $e:expr) => { u64::from($e) };
    (@get $ty:tt, $e:expr) => { u64::from($e) };
    (@set bool, $v:expr) => { $v != 0 };
    // The range was checked against the row's maximum, which fits the field's type.
    (@set $ty:tt, $v:expr) => { $ty::try_from($v).unwrap_or($ty::MAX) };
}

registry! {
    "tcp_rmem", 256, 0x4000_0000, u32, tcp_rmem, "receive buffer of a new connection, bytes";
    "tcp_wmem", 256, 0x4000_0000, u32, tcp_wmem, "send buffer of a new connection, bytes";
    "tcp_max_orphans", 0, 0xffff_ffff, u32, tcp_max_orphans, "connections that may finish without an owner";
    "tcp_syncookies", 0, 1, bool, tcp_syncookies, "answer with SYN cookies when a SYN queue is full";
    "ip_local_port_first", 1, 65535, u16, ip_local_port_first, "first ephemeral port";
    "ip_local_port_last", 1, 65535, u16, ip_local_port_last, "last ephemeral port";
    "ip_default_ttl", 1, 255, u8, ip_default_ttl, "TTL and hop limit of packets sent";
    "icmp_msgs_per_sec", 0, 0xffff_ffff, u32, icmp_msgs_per_sec, "ICMP errors sent a second at most";
    "icmp_msgs_burst", 0, 0xffff_ffff, u32, icmp_msgs_burst, "ICMP errors sent at once at most";
    "icmp_echo_ignore_all", 0, 1, bool, icmp_echo_ignore_all, "leave echo requests unanswered";
    "neigh_base_reachable_time_ms", 1_000, 3_600_000, u32, neigh_base_reachable_time_ms, "time a confirmation of a neighbour is believed, ms";
    "neigh_retrans_time_ms", 100, 60_000, u32, neigh_retrans_time_ms, "time between solicitations, ms";
    "neigh_mcast_solicit", 1, 100, u8, neigh_mcast_solicit, "solicitations before a neighbour is unreachable";
    "neigh_unres_qlen", 1, 255, u8, neigh_unres_qlen, "packets that may wait for one neighbour";
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
        (row.set)(self, value);
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
            value: (row.get)(self),
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
