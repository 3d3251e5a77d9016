//! Time is an argument.

use core::time::Duration;

/// A point on a monotonic clock, in microseconds since an origin the program chooses (power-on,
/// the start of a simulation). 64 bits last 584 000 years.
///
/// All arithmetic saturates: no time from outside can overflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// The clock's origin.
    pub const ZERO: Instant = Instant(0);
    /// The end of time: later than every instant that is ever reached.
    pub const FAR_FUTURE: Instant = Instant(u64::MAX);

    /// The instant `micros` microseconds after the origin.
    #[inline]
    pub const fn from_micros(micros: u64) -> Instant {
        Instant(micros)
    }

    /// The instant `millis` milliseconds after the origin.
    #[inline]
    pub const fn from_millis(millis: u64) -> Instant {
        Instant(millis.saturating_mul(1_000))
    }

    /// The instant `secs` seconds after the origin.
    #[inline]
    pub const fn from_secs(secs: u64) -> Instant {
        Instant(secs.saturating_mul(1_000_000))
    }

    /// Microseconds since the origin.
    #[inline]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// `micros` microseconds later, at most [`Instant::FAR_FUTURE`].
    #[must_use]
    // 64-bit arithmetic is long on 32 bits: there a call is shorter.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub const fn plus_micros(self, micros: u64) -> Instant {
        Instant(self.0.saturating_add(micros))
    }

    /// `micros` microseconds earlier, at least [`Instant::ZERO`].
    #[inline]
    #[must_use]
    pub const fn minus_micros(self, micros: u64) -> Instant {
        Instant(self.0.saturating_sub(micros))
    }

    /// Microseconds from `earlier` to here; 0 if `earlier` is later.
    #[inline]
    pub const fn micros_since(self, earlier: Instant) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The time from `earlier` to here; zero if `earlier` is later.
    #[inline]
    pub const fn saturating_duration_since(self, earlier: Instant) -> Duration {
        Duration::from_micros(self.micros_since(earlier))
    }
}

impl core::ops::Add<Duration> for Instant {
    type Output = Instant;
    /// Saturates at [`Instant::FAR_FUTURE`]. Fractions of a microsecond are dropped.
    fn add(self, rhs: Duration) -> Instant {
        let micros = rhs
            .as_secs()
            .saturating_mul(1_000_000)
            .saturating_add(u64::from(rhs.subsec_micros()));
        self.plus_micros(micros)
    }
}
