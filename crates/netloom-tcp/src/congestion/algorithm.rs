//! The algorithms there are, by name.

use core::fmt;

/// A congestion control algorithm, as a connection or a stack chooses it. Which ones there are
/// depends on the features the crate is built with; Reno is always there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CongestionControl {
    /// Slow start and congestion avoidance of RFC 5681.
    Reno,
    /// CUBIC (RFC 9438) with HyStart++ (RFC 9406).
    #[cfg(feature = "cubic")]
    Cubic,
    /// BBR, version 3 (draft-ietf-ccwg-bbr), which paces what it sends.
    #[cfg(feature = "bbr")]
    Bbr,
}

impl CongestionControl {
    /// All there are.
    pub const ALL: &'static [CongestionControl] = &[
        CongestionControl::Reno,
        #[cfg(feature = "cubic")]
        CongestionControl::Cubic,
        #[cfg(feature = "bbr")]
        CongestionControl::Bbr,
    ];

    /// The names of all there are, in the order of [`CongestionControl::ALL`].
    pub const NAMES: &'static [&'static str] = &[
        CongestionControl::Reno.name(),
        #[cfg(feature = "cubic")]
        CongestionControl::Cubic.name(),
        #[cfg(feature = "bbr")]
        CongestionControl::Bbr.name(),
    ];

    /// The default: the best there is for today's networks.
    #[cfg(feature = "cubic")]
    pub const DEFAULT: CongestionControl = CongestionControl::Cubic;
    /// The default: the best there is for today's networks.
    #[cfg(not(feature = "cubic"))]
    pub const DEFAULT: CongestionControl = CongestionControl::Reno;

    /// What takes over where no memory is lent for a model of the path.
    #[cfg(feature = "bbr")]
    pub(crate) const WITHOUT_MODEL: CongestionControl = CongestionControl::DEFAULT;

    /// Its name, as Linux's `TCP_CONGESTION` has it.
    pub const fn name(self) -> &'static str {
        match self {
            CongestionControl::Reno => "reno",
            #[cfg(feature = "cubic")]
            CongestionControl::Cubic => "cubic",
            #[cfg(feature = "bbr")]
            CongestionControl::Bbr => "bbr",
        }
    }

    /// The algorithm of a name.
    ///
    /// # Errors
    /// [`NoSuchCongestionControl`], which names those there are.
    pub fn from_name(name: &str) -> Result<CongestionControl, NoSuchCongestionControl> {
        let mut all = CongestionControl::ALL.iter();
        all.find(|algorithm| algorithm.name() == name)
            .copied()
            .ok_or(NoSuchCongestionControl)
    }
}

impl Default for CongestionControl {
    fn default() -> CongestionControl {
        CongestionControl::DEFAULT
    }
}

/// There is no congestion control algorithm of that name. Its text names those there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NoSuchCongestionControl;

impl fmt::Display for NoSuchCongestionControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such congestion control; there are:")?;
        for name in CongestionControl::NAMES {
            write!(f, " {name}")?;
        }
        Ok(())
    }
}

impl core::error::Error for NoSuchCongestionControl {}
