//! Rates, in integers.

/// Octets per microsecond with 16 bits of fraction: steps of 15 octets a second, up to 524 Gbit/s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Rate(u32);

/// Microseconds in a second.
const SECOND: u64 = 1_000_000;

impl Rate {
    /// Nothing; where a rate is a bound, none.
    pub(crate) const ZERO: Rate = Rate(0);
    /// No bound.
    pub(crate) const MAX: Rate = Rate(u32::MAX);

    fn of_bits(bits: u64) -> Rate {
        Rate(u32::try_from(bits).unwrap_or(u32::MAX))
    }

    /// `octets` in `micros` microseconds.
    pub(crate) fn of(octets: u32, micros: u32) -> Rate {
        let bits = u64::from(octets) << 16;
        Rate::of_bits(bits / u64::from(micros.max(1)))
    }

    /// So many octets a second, which is at least the least rate there is.
    pub(crate) fn per_second(octets: u64) -> Rate {
        let bits = u128::from(octets) << 16;
        Rate::of_bits(u64::try_from(bits / u128::from(SECOND)).unwrap_or(u64::MAX)).max(Rate(1))
    }

    /// In octets a second.
    pub(crate) fn to_per_second(self) -> u64 {
        (u64::from(self.0).saturating_mul(SECOND)) >> 16
    }

    /// What it comes to in `micros` microseconds, in octets.
    pub(crate) fn over(self, micros: u32) -> u32 {
        let octets = u64::from(self.0).saturating_mul(u64::from(micros)) >> 16;
        u32::try_from(octets).unwrap_or(u32::MAX)
    }

    /// So many hundredths of it.
    pub(crate) fn percent(self, percent: u32) -> Rate {
        Rate::of_bits(u64::from(self.0).saturating_mul(u64::from(percent)) / 100)
    }

    /// How long `octets` take, in microseconds, where `owed` of a microsecond was left over, in
    /// 65 536ths of an octet; and what is left over now. A rate of zero takes no time.
    pub(crate) fn time(self, octets: u32, owed: u32) -> (u32, u32) {
        let bits = (u64::from(octets) << 16).saturating_add(u64::from(owed));
        let rate = u64::from(self.0);
        match (bits.checked_div(rate), bits.checked_rem(rate)) {
            (Some(micros), Some(rest)) => (u32::try_from(micros).unwrap_or(u32::MAX), rest as u32),
            _ => (0, 0),
        }
    }
}

#[cfg(test)]
mod tests;
