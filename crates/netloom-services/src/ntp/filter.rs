//! The clock filter (RFC 5905 §10): of the last eight exchanges the one with the least delay is
//! believed, because what delayed the others made them wrong.

use netloom_stack::driver::Instant;

use super::{MAX_DISPERSION, drift};

/// NSTAGE: exchanges that are kept.
const STAGES: usize = 8;

/// What an exchange has shown. Times are in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// By how much the clock is behind the server's; negative if it is ahead.
    pub offset: i64,
    /// The round trip, without the time the server took.
    pub delay: u64,
    /// How much both clocks may have erred meanwhile, by their resolution and drift.
    pub dispersion: u64,
    /// When the reply came.
    pub at: Instant,
}

/// What the filter makes of the samples it has. Times are in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filtered {
    /// The sample to believe.
    pub best: Sample,
    /// The peer dispersion: that of all samples, the best ones weighing most. Places without a
    /// sample count as 16 s, so it is large while there are few.
    pub dispersion: u64,
    /// The RMS difference of the other samples' offsets from the best one's; 0 if it is alone.
    pub jitter: u64,
}

/// The last eight samples.
#[derive(Debug, Clone, Default)]
pub struct ClockFilter {
    /// The newest first.
    stages: [Option<Sample>; STAGES],
    /// When the sample came that was last believed.
    used: Option<Instant>,
}

impl ClockFilter {
    /// No samples.
    #[must_use]
    pub const fn new() -> ClockFilter {
        ClockFilter {
            stages: [None; STAGES],
            used: None,
        }
    }

    /// Takes in a sample. Returns what follows, unless the best is one that was believed before.
    //= https://www.rfc-editor.org/rfc/rfc5905#section-10
    //# If the first tuple epoch t_0 is not
    //# later than the last valid sample epoch tp, the routine exits without
    //# affecting the current peer variables.
    pub fn add(&mut self, sample: Sample) -> Option<Filtered> {
        self.shift(Some(sample));
        let filtered = self.filtered(sample.at)?;
        if self.used.is_some_and(|used| filtered.best.at <= used) {
            return None;
        }
        self.used = Some(filtered.best.at);
        Some(filtered)
    }

    /// Three polls in a row were not answered: the oldest sample goes.
    pub fn add_nothing(&mut self) {
        self.shift(None);
    }

    fn shift(&mut self, newest: Option<Sample>) {
        self.stages.rotate_right(1);
        if let Some(first) = self.stages.first_mut() {
            *first = newest;
        }
    }

    /// Samples there are.
    pub fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.stages.iter().flatten()
    }

    /// What the samples say now.
    #[must_use]
    pub fn filtered(&self, now: Instant) -> Option<Filtered> {
        let mut sorted = self.stages;
        // Places without a sample come last; of equal delays the newer one is better.
        sorted.sort_unstable_by_key(|stage| match stage {
            Some(sample) => (sample.delay, u64::MAX - sample.at.as_micros()),
            None => (u64::MAX, u64::MAX),
        });
        let best = sorted.first().copied().flatten()?;
        let (mut dispersion, mut squares, mut others) = (0_u64, 0_u128, 0_u128);
        for (index, stage) in (1_u32..).zip(&sorted) {
            let own = stage.map_or(MAX_DISPERSION, |sample| aged(&sample, now));
            dispersion = dispersion.saturating_add(own >> index);
            if let Some(other) = stage.filter(|_| index > 1) {
                let difference = u128::from(best.offset.abs_diff(other.offset));
                squares = squares.saturating_add(difference.saturating_mul(difference));
                others = others.saturating_add(1);
            }
        }
        // The formula of §10 divides the root by n-1, the code of its appendix A.5.2 what is
        // under it: that is what an RMS average is.
        let mean = squares.checked_div(others).unwrap_or(0);
        Some(Filtered {
            best,
            dispersion,
            jitter: u64::try_from(mean.isqrt()).unwrap_or(u64::MAX),
        })
    }
}

/// The dispersion of a sample now, 16 s at most.
pub(super) fn aged(sample: &Sample, now: Instant) -> u64 {
    sample
        .dispersion
        .saturating_add(drift(now.micros_since(sample.at)))
        .min(MAX_DISPERSION)
}
