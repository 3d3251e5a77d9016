//! Rates and times, briefly.

use std::time::Duration;

/// Bits per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(pub u64);

impl Rate {
    /// Nanoseconds that `bytes` take; 0 for a rate of 0, which stands for no limit.
    pub(crate) fn nanos(self, bytes: usize) -> u64 {
        let bits = bytes as u64 * 8;
        (bits * 1_000_000_000).checked_div(self.0).unwrap_or(0)
    }
}

/// Thousands of bits per second.
pub const fn kbit(n: u64) -> Rate {
    Rate(n * 1_000)
}

/// Millions of bits per second.
pub const fn mbit(n: u64) -> Rate {
    Rate(n * 1_000_000)
}

/// Thousands of millions of bits per second.
pub const fn gbit(n: u64) -> Rate {
    Rate(n * 1_000_000_000)
}

/// Microseconds.
pub const fn us(n: u64) -> Duration {
    Duration::from_micros(n)
}

/// Milliseconds.
pub const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Seconds.
pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Whole microseconds.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// A probability from 0 to 1 in parts per million.
pub(crate) fn ppm(probability: f64) -> u32 {
    (probability.clamp(0.0, 1.0) * 1e6).round() as u32
}
