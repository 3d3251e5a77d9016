//! The stack's clock on a host: microseconds since the stack began.

use std::time::{Duration, Instant};

use netloom_driver::Instant as StackInstant;

/// Turns the host's monotonic clock into the stack's and back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    origin: Instant,
}

/// The stack's time begins here, not at zero, which its timers take for "never".
const START: StackInstant = StackInstant::from_secs(1);

impl Clock {
    pub(super) fn new() -> Clock {
        Clock {
            origin: Instant::now(),
        }
    }

    /// The stack's time now.
    pub(super) fn now(&self) -> StackInstant {
        START + self.origin.elapsed()
    }

    /// How long the stack has run.
    #[cfg(feature = "control")]
    pub(super) fn age(self) -> Duration {
        self.origin.elapsed()
    }

    /// A time of the stack's as the host counts it.
    pub(super) fn to_std(self, at: StackInstant) -> Instant {
        self.origin + at.saturating_duration_since(START)
    }
}

/// How long until `deadline`; zero if it has passed.
pub(super) fn until(now: StackInstant, deadline: StackInstant) -> Duration {
    deadline.saturating_duration_since(now)
}
