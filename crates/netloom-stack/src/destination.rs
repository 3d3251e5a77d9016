//! What was learnt of a path: its MTU, its first hop, its round trip time.
//!
//! Bounded and least recently used first to go, because entries are made by packets from
//! outside: ICMP errors (which the stack has checked to quote something it sent) and the ends of
//! connections. Losing an entry costs one more ICMP exchange, nothing else.

use netloom_driver::Instant;
use netloom_wire::Addr;

use crate::keyed_table::{Keyed, KeyedTable, Order, TableLinks};
use crate::rand::WordHash;

/// How path information is believed and kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DestinationTunables {
    /// Seconds until a learnt path MTU is forgotten, so that a larger one is tried (Linux:
    /// `route.mtu_expires`). Default 600; less than 300 counts as 300 (RFC 1191 §3, RFC 8201
    /// §4). `u32::MAX`: never.
    pub mtu_expires: u32,
    /// The smallest IPv4 path MTU believed, in bytes (`route.min_pmtu`). Default 552; less
    /// than 68 counts as 68. A lower report sets this: the path then fragments.
    pub min_pmtu: u16,
    /// Seconds until round trip times and thresholds are forgotten. Default 3600.
    pub metrics_expire: u32,
}

impl DestinationTunables {
    /// 600 s, 552 bytes, 3600 s.
    pub const DEFAULT: DestinationTunables = DestinationTunables {
        mtu_expires: 600,
        min_pmtu: 552,
        metrics_expire: 3_600,
    };
}

impl Default for DestinationTunables {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The least MTU of an IPv4 link (RFC 791 §3.2), bytes.
pub const IPV4_MIN_MTU: u16 = 68;
/// The least MTU of an IPv6 link (RFC 8200 §5), bytes.
pub const IPV6_MIN_MTU: u16 = 1280;

/// What a finished connection knew of its path, for the next one (RFC 9040 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PathMetrics {
    /// Smoothed round trip time, microseconds; 0: not measured.
    pub srtt: u32,
    /// Its variation, microseconds.
    pub rttvar: u32,
    /// Slow start threshold, bytes; 0: never reached.
    pub ssthresh: u32,
    /// Whether packets overtook each other.
    pub reordering: bool,
    /// Whether SYNs that ask for ECN get lost.
    pub ecn_failed: bool,
}

impl PathMetrics {
    /// What is known after one more connection: round trips and thresholds are the mean of what
    /// was known and what is new, where both are.
    //= https://www.rfc-editor.org/rfc/rfc9040#section-6.3
    //# As a result, the cached RTT (and its variation)
    //# is an average of its previous value with the contents of the
    //# currently active TCB for that host, when a TCB is closed.
    //= https://www.rfc-editor.org/rfc/rfc9040#section-6.3
    //# The updates for RTT, RTTVAR, and ssthresh rely on existing
    //# information, i.e., old values.  Should no such values exist, the
    //# current values are cached instead.
    #[must_use]
    pub fn merged(self, new: PathMetrics) -> PathMetrics {
        let mean = |old: u32, new: u32| match (old, new) {
            (0, value) | (value, 0) => value,
            (old, new) => (old >> 1) + (new >> 1) + (old & new & 1),
        };
        if self.srtt == 0 {
            return new;
        }
        PathMetrics {
            srtt: mean(self.srtt, new.srtt),
            rttvar: mean(self.rttvar, new.rttvar),
            ssthresh: mean(self.ssthresh, new.ssthresh),
            reordering: new.reordering,
            ecn_failed: self.ecn_failed || new.ecn_failed,
        }
    }
}

/// What a server has given for fast opens, and when they failed (RFC 7413 §4.1.3).
#[cfg(feature = "fastopen")]
#[derive(Debug, Clone, Copy)]
struct FastOpenPath {
    cookie: Option<netloom_wire::FastOpenCookie>,
    /// The MSS option that came with it.
    mss: u16,
    /// The port to which one failed last, and until when none is tried there.
    failed_port: u16,
    failed_until: Instant,
}

#[cfg(feature = "fastopen")]
impl FastOpenPath {
    const NONE: FastOpenPath = FastOpenPath {
        cookie: None,
        mss: 0,
        failed_port: 0,
        failed_until: Instant::ZERO,
    };
}

/// How long no fast open is tried where one has failed.
#[cfg(feature = "fastopen")]
const FAST_OPEN_PAUSE_MICROS: u64 = 3_600_000_000;

/// The largest MSS that a SYN with data counts on: more may be fragmented, or puzzle others.
//= https://www.rfc-editor.org/rfc/rfc7413#section-4.1.3
//# Therefore, the client MAY limit the cached MSS
//# to 1460 bytes for IPv4 or 1440 for IPv6.
#[cfg(feature = "fastopen")]
const FAST_OPEN_MSS: u16 = 1440;

/// An entry of the cache.
#[derive(Debug)]
pub struct Destination {
    #[cfg(feature = "fastopen")]
    fast_open: FastOpenPath,
    links: TableLinks,
    addr: Addr,
    /// The next hop a Redirect told of, else unspecified.
    redirect: Addr,
    pmtu: u16,
    iface: u8,
    used: bool,
    pmtu_until: Instant,
    metrics: PathMetrics,
    metrics_until: Instant,
}

impl Destination {
    /// An unused entry; all-zero bytes.
    pub const EMPTY: Destination = Destination {
        #[cfg(feature = "fastopen")]
        fast_open: FastOpenPath::NONE,
        links: TableLinks::EMPTY,
        addr: Addr::UNSPECIFIED,
        redirect: Addr::UNSPECIFIED,
        pmtu: 0,
        iface: 0,
        used: false,
        pmtu_until: Instant::ZERO,
        metrics: PathMetrics {
            srtt: 0,
            rttvar: 0,
            ssthresh: 0,
            reordering: false,
            ecn_failed: false,
        },
        metrics_until: Instant::ZERO,
    };

    /// The destination.
    pub fn addr(&self) -> &Addr {
        &self.addr
    }

    /// The path MTU, bytes, and how long it is believed.
    pub fn pmtu(&self) -> Option<(u16, Instant)> {
        (self.pmtu != 0).then_some((self.pmtu, self.pmtu_until))
    }

    /// The next hop a Redirect told of.
    pub fn redirect(&self) -> Option<&Addr> {
        (!self.redirect.is_unspecified()).then_some(&self.redirect)
    }
}

impl Keyed for Destination {
    const EMPTY: Self = Destination::EMPTY;

    fn key(&self) -> (u8, &Addr) {
        (self.iface, &self.addr)
    }

    fn set_key(&mut self, iface: u8, addr: &Addr) {
        self.iface = iface;
        self.addr = *addr;
    }

    fn links(&self) -> &TableLinks {
        &self.links
    }

    fn links_mut(&mut self) -> &mut TableLinks {
        &mut self.links
    }
}

/// What is known of paths, by destination address.
#[derive(Debug)]
pub struct DestinationCache {
    entries: KeyedTable<Destination>,
    /// Least recently changed or looked up first.
    order: Order,
}

impl DestinationCache {
    /// A cache without memory: it forgets everything at once.
    pub const fn empty() -> Self {
        Self::over(KeyedTable::empty())
    }

    /// A cache in lent memory, whose entries must be [`Destination::EMPTY`].
    pub const fn lent(entries: &'static mut [Destination]) -> Self {
        Self::over(KeyedTable::lent(entries))
    }

    /// A cache of `capacity` entries on the heap.
    #[cfg(feature = "alloc")]
    pub fn heap(capacity: usize) -> Self {
        Self::over(KeyedTable::heap(capacity))
    }

    const fn over(entries: KeyedTable<Destination>) -> Self {
        Self {
            entries,
            order: Order::EMPTY,
        }
    }

    /// Keys the hash, so that nobody can choose addresses that collide. To be called before the
    /// first use; later calls change nothing.
    pub fn set_hash_key(&mut self, key: WordHash) {
        self.entries.set_hash_key(key);
    }

    /// How many destinations are known.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All destinations, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Destination> {
        self.entries.slots().filter(|entry| entry.used)
    }

    /// The path MTU of a destination, bytes, if less than its first link's was learnt and is
    /// still believed.
    pub fn pmtu(&mut self, now: Instant, dst: &Addr) -> Option<u16> {
        let entry = self.touch(dst)?;
        //= https://www.rfc-editor.org/rfc/rfc8201#section-5.3
        //# When a PMTU value
        //# has not been decreased for a while (on the order of 10 minutes), it
        //# should probe to find if a larger PMTU is supported.
        let known = entry.pmtu != 0 && now < entry.pmtu_until;
        known.then_some(entry.pmtu)
    }

    /// The largest packet that the path to a destination carries, whose first link carries `link` bytes.
    #[inline]
    pub(crate) fn path_mtu(&mut self, now: Instant, dst: &Addr, link: u16) -> u16 {
        self.pmtu(now, dst).map_or(link, |pmtu| pmtu.min(link))
    }

    /// A router said that packets to `dst` may have at most `mtu` bytes. The report must have
    /// been checked to quote a packet this host sent. `link_mtu` is the MTU of the first link:
    /// what is assumed while nothing is known.
    ///
    /// Returns the new path MTU if the report lowered it: whoever sends there must be told, even
    /// where there is no room to remember it.
    pub fn update_pmtu(
        &mut self,
        now: Instant,
        dst: &Addr,
        mtu: u16,
        link_mtu: u16,
        tunables: &DestinationTunables,
    ) -> Option<u16> {
        let mtu = if dst.is_v4() {
            //= https://www.rfc-editor.org/rfc/rfc1191#section-3
            //# A host MUST never reduce its estimate of the Path MTU below 68
            //# octets.
            mtu.max(tunables.min_pmtu).max(IPV4_MIN_MTU)
        } else {
            //= https://www.rfc-editor.org/rfc/rfc8201#section-4
            //# If a node receives a Packet Too Big message reporting a next-hop MTU
            //# that is less than the IPv6 minimum link MTU, it must discard it.
            if mtu < IPV6_MIN_MTU {
                return None;
            }
            mtu
        };
        let known = self.pmtu(now, dst).unwrap_or(link_mtu).min(link_mtu);
        //= https://www.rfc-editor.org/rfc/rfc1191#section-3
        //# A host MUST not increase its estimate of the Path MTU in response to
        //# the contents of a Datagram Too Big message.
        //= https://www.rfc-editor.org/rfc/rfc8899#section-3
        //# A
        //# PTB message MUST NOT be used to increase the PLPMTU [RFC8201] but
        //# could trigger a probe to test for a larger PLPMTU.
        if mtu >= known {
            return None;
        }
        let until = match tunables.mtu_expires {
            u32::MAX => Instant::FAR_FUTURE,
            //= https://www.rfc-editor.org/rfc/rfc8201#section-4
            //# An attempt to detect an increase (by
            //# sending a packet larger than the current estimate) must not be done
            //# less than 5 minutes after a Packet Too Big message has been received
            //# for the given path.
            seconds => now.plus_micros(u64::from(seconds.max(300)) * 1_000_000),
        };
        if let Some(entry) = self.touch_or_insert(dst) {
            entry.pmtu = mtu;
            entry.pmtu_until = until;
        }
        Some(mtu)
    }

    /// What the last connection to `dst` knew of the path, if that is still believed.
    pub fn metrics(&mut self, now: Instant, dst: &Addr) -> Option<PathMetrics> {
        let entry = self.touch(dst)?;
        (now < entry.metrics_until).then_some(entry.metrics)
    }

    /// A connection to `dst` has ended and knew this. What was known, and is still believed, is
    /// [merged](PathMetrics::merged) with it.
    pub fn record_metrics(
        &mut self,
        now: Instant,
        dst: &Addr,
        metrics: PathMetrics,
        tunables: &DestinationTunables,
    ) {
        let until = now.plus_micros(u64::from(tunables.metrics_expire) * 1_000_000);
        if let Some(entry) = self.touch_or_insert(dst) {
            entry.metrics = if now < entry.metrics_until {
                entry.metrics.merged(metrics)
            } else {
                metrics
            };
            entry.metrics_until = until;
        }
    }

    /// The cookie that a server has given, and the MSS option that came with it.
    #[cfg(feature = "fastopen")]
    pub fn fast_open(&mut self, dst: &Addr) -> Option<(netloom_wire::FastOpenCookie, u16)> {
        let known = self.touch(dst)?.fast_open;
        Some((known.cookie?, known.mss))
    }

    /// A server gave a cookie, and this MSS option with it, in octets.
    #[cfg(feature = "fastopen")]
    pub fn set_fast_open(&mut self, dst: &Addr, cookie: &netloom_wire::FastOpenCookie, mss: u16) {
        if let Some(entry) = self.touch_or_insert(dst) {
            entry.fast_open = FastOpenPath {
                cookie: Some(*cookie),
                mss: mss.min(FAST_OPEN_MSS),
                ..FastOpenPath::NONE
            };
        }
    }

    /// A server that has given a cookie sent this MSS option without one, in octets.
    #[cfg(feature = "fastopen")]
    pub fn set_fast_open_mss(&mut self, dst: &Addr, mss: u16) {
        if let Some(entry) = self.touch(dst) {
            entry.fast_open.mss = mss.min(FAST_OPEN_MSS);
        }
    }

    /// A fast open to a port failed: none is tried there for an hour, and the cookie is forgotten.
    #[cfg(feature = "fastopen")]
    pub fn fail_fast_open(&mut self, now: Instant, dst: &Addr, port: u16) {
        if let Some(entry) = self.touch_or_insert(dst) {
            entry.fast_open = FastOpenPath {
                failed_port: port,
                failed_until: now.plus_micros(FAST_OPEN_PAUSE_MICROS),
                ..FastOpenPath::NONE
            };
        }
    }

    /// Whether one failed there of late.
    #[cfg(feature = "fastopen")]
    pub fn fast_open_failed(&mut self, now: Instant, dst: &Addr, port: u16) -> bool {
        self.touch(dst).is_some_and(|entry| {
            entry.fast_open.failed_port == port && now < entry.fast_open.failed_until
        })
    }

    /// A valid Redirect said that packets to `dst` better go to `next_hop`.
    pub fn set_redirect(&mut self, dst: &Addr, next_hop: &Addr) {
        if let Some(entry) = self.touch_or_insert(dst) {
            entry.redirect = *next_hop;
        }
    }

    /// The next hop a Redirect told of for `dst`.
    pub fn redirect(&mut self, dst: &Addr) -> Option<Addr> {
        self.touch(dst)?.redirect().copied()
    }

    /// Forgets all redirects to a router: it does not answer, or is no router any more.
    pub fn forget_router(&mut self, router: &Addr) {
        for index in 0..self.entries.end() {
            if let Some(entry) = self.entries.get_mut(index) {
                if entry.redirect == *router {
                    entry.redirect = Addr::UNSPECIFIED;
                }
            }
        }
    }

    /// Forgets all that is known of a destination.
    pub fn remove(&mut self, dst: &Addr) {
        if let Some(index) = self.entries.lookup(0, dst) {
            self.entries.unlink(&mut self.order, index);
            self.entries.remove(index);
        }
    }

    /// The entry of a destination, which thereby is the most recently used.
    fn touch(&mut self, dst: &Addr) -> Option<&mut Destination> {
        let index = self.entries.find(0, dst)?;
        if self.entries.after(index).is_some() {
            self.entries.unlink(&mut self.order, index);
            self.entries.push_back(&mut self.order, index);
        }
        self.entries.get_mut(index)
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn touch_or_insert(&mut self, dst: &Addr) -> Option<&mut Destination> {
        if self.entries.find(0, dst).is_some() {
            return self.touch(dst);
        }
        if self.entries.len() >= self.entries.capacity() {
            let oldest = self.order.front()?;
            self.entries.unlink(&mut self.order, oldest);
            self.entries.remove(oldest);
        }
        let index = self.entries.insert(0, dst)?;
        self.entries.push_back(&mut self.order, index);
        let entry = self.entries.get_mut(index)?;
        entry.used = true;
        Some(entry)
    }
}

/// The MTU to assume when a router says that a packet of `len` bytes was too long but, being
/// older than RFC 1191, not how long one may be: the next plateau below (RFC 1191 §7.1).
pub fn plateau_below(len: u16) -> u16 {
    //= https://www.rfc-editor.org/rfc/rfc1191#section-3
    //# Hosts MUST be able to deal with Datagram Too Big messages that do not
    //# include the next-hop MTU, since it is not feasible to upgrade all the
    //# routers in the Internet in any finite time.
    const PLATEAUS: [u16; 10] = [
        32_000, 17_914, 8_166, 4_352, 2_002, 1_492, 1_006, 508, 296, 68,
    ];
    PLATEAUS
        .into_iter()
        .find(|plateau| *plateau < len)
        .unwrap_or(IPV4_MIN_MTU)
}

#[cfg(test)]
mod tests;
