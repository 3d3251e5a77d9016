//! How many ICMP errors a host sends.
//!
//! A token bucket, for both versions and all destinations, since what it protects is shared: the
//! link, and whoever is being flooded through this host by forged sources.
//!
//! # Not an oracle
//!
//! A bucket that everybody shares and that can be counted is a side channel: by forging packets
//! to a range of ports, then sending one of his own and seeing whether it is answered, an
//! attacker learns how many of the forged ones were (SAD DNS, CVE-2020-25705: the open port of a
//! resolver's query in seconds). So nobody can count this one: each error costs a random amount
//! between nothing and two tokens, one on average, and each time the bucket has filled up again
//! its depth is drawn anew, between half of `burst` and all of it. One answer more or less
//! drowns in that; the long-term rate is exact.

use netloom_driver::Instant;

use crate::rand::Rng;

/// How many ICMP errors are sent. RFC 4443 §2.4 (f), RFC 1812 §4.3.2.8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorLimitTunables {
    /// Errors a second in the long term (Linux: `icmp_msgs_per_sec`). 0: none at all.
    /// Default 1000. Above 1 000 000 it counts as that.
    pub rate: u32,
    /// Errors at once, at most (`icmp_msgs_burst`). Default 50.
    pub burst: u32,
}

impl ErrorLimitTunables {
    /// 1000 a second, 50 at once.
    pub const DEFAULT: ErrorLimitTunables = ErrorLimitTunables {
        rate: 1_000,
        burst: 50,
    };
}

impl Default for ErrorLimitTunables {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The bucket. All-zero is a full one.
///
/// Kept as the time at which it will be full again, so that there is nothing to refill.
#[derive(Debug, Clone, Copy)]
pub struct ErrorLimit {
    full_at: Instant,
    /// The depth drawn when it was last full, microseconds of `rate`.
    depth: u64,
}

impl ErrorLimit {
    /// A full bucket; all-zero bytes.
    pub const EMPTY: ErrorLimit = ErrorLimit {
        full_at: Instant::ZERO,
        depth: 0,
    };

    /// Whether an error may be sent now; if so it counts as sent.
    ///
    //= https://www.rfc-editor.org/rfc/rfc4443#section-2.4
    //# Finally, in order to limit the bandwidth and forwarding costs
    //# incurred by originating ICMPv6 error messages, an IPv6 node MUST
    //# limit the rate of ICMPv6 error messages it originates.
    pub fn allow(&mut self, now: Instant, tunables: &ErrorLimitTunables, rng: &mut Rng) -> bool {
        // What one error costs, on average: the time in which one token comes back.
        let Some(interval) = 1_000_000_u32.checked_div(tunables.rate) else {
            return false;
        };
        let interval = interval.max(1);
        if self.full_at <= now {
            let tokens = tunables.burst - rng.below(tunables.burst / 2 + 1);
            self.depth = u64::from(tokens) * u64::from(interval);
            self.full_at = now;
        }
        if self.full_at.micros_since(now) >= self.depth {
            return false;
        }
        let cost = rng.below(interval.saturating_mul(2).saturating_add(1));
        self.full_at = self.full_at.plus_micros(u64::from(cost));
        true
    }
}

#[cfg(test)]
mod tests;
