//! NTP's times (RFC 5905 §6): 32 bits of seconds and 32 of fraction since 1900, in eras of 136
//! years that the format does not tell apart.

use core::fmt;
use core::time::Duration;

/// Seconds from the first day of era 0, 1 January 1900, to that of Unix time.
const UNIX: u64 = 2_208_988_800;

const NANOS: u64 = 1_000_000_000;

/// A point in time within its era: seconds in the upper half, their fraction in the lower.
/// Zero is "unknown".
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash)]
pub struct NtpTimestamp(pub u64);

impl NtpTimestamp {
    /// From the octets of a message.
    #[must_use]
    pub const fn from_octets(octets: [u8; 8]) -> Self {
        Self(u64::from_be_bytes(octets))
    }

    /// The octets of a message.
    #[must_use]
    pub const fn to_octets(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    /// Whether it is known at all.
    #[must_use]
    pub const fn is_known(self) -> bool {
        self.0 != 0
    }

    /// From the time since 1 January 1970, in UTC without leap seconds, as hosts count it.
    #[must_use]
    pub fn from_unix(since_1970: Duration) -> Self {
        let seconds = since_1970.as_secs().wrapping_add(UNIX);
        // Rounded, so that there and back again is the same nanosecond.
        let fraction = ((u64::from(since_1970.subsec_nanos()) << 32) + NANOS / 2) / NANOS;
        Self((seconds << 32).wrapping_add(fraction))
    }

    /// The time since 1 January 1970. Of all eras it takes the one in which the time is nearest to
    /// `about`, at most 68 years away; `None` if that lies before 1970.
    #[must_use]
    pub fn to_unix(self, about: Duration) -> Option<Duration> {
        let away = self.nanos_since(Self::from_unix(about));
        let distance = Duration::from_nanos(away.unsigned_abs());
        if away < 0 {
            about.checked_sub(distance)
        } else {
            about.checked_add(distance)
        }
    }

    /// Nanoseconds from `earlier` to here; negative if `earlier` is later. The two may lie in
    /// different eras, up to 68 years apart.
    //= https://www.rfc-editor.org/rfc/rfc5905#section-6
    //# Eras cannot be produced by NTP directly, nor is there need to do so.
    #[must_use]
    pub fn nanos_since(self, earlier: NtpTimestamp) -> i64 {
        let difference = self.0.wrapping_sub(earlier.0) as i64;
        // |difference| < 2^63, so the product fits 128 bits and the result 62.
        let scaled = i128::from(difference) * i128::from(NANOS);
        ((scaled + (1 << 31)) >> 32) as i64
    }
}

/// Era-less seconds with their fraction, in hexadecimal as it is customary.
impl fmt::Debug for NtpTimestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}.{:08x}", self.0 >> 32, self.0 as u32)
    }
}

/// A short span of time: 16 bits of seconds and 16 of fraction.
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NtpShort(pub u32);

impl NtpShort {
    /// The span in nanoseconds.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        (self.0 as u64 * NANOS) >> 16
    }

    /// A span of nanoseconds, rounded up; at most 65 535 seconds and a fraction.
    #[must_use]
    pub fn from_nanos(nanos: u64) -> Self {
        let scaled = (u128::from(nanos) << 16).div_ceil(u128::from(NANOS));
        Self(u32::try_from(scaled).unwrap_or(u32::MAX))
    }
}

impl fmt::Debug for NtpShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", Duration::from_nanos(self.as_nanos()))
    }
}
