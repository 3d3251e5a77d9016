//! When must somebody look at something again? A wheel on the heap; a scan where memory is lent
//! and capacities are small.

use netloom_driver::Instant;

use crate::timers::TimerNodes;
#[cfg(feature = "alloc")]
use crate::timers::Wheel;

/// Items with deadlines. The truth is the deadline in each item; this only finds them.
pub(crate) struct Deadlines {
    #[cfg(feature = "alloc")]
    wheel: Option<Wheel>,
    /// Nothing in the wheel is due before: most calls end here.
    #[cfg(feature = "alloc")]
    not_before: Instant,
    /// Where a scan for due items goes on.
    cursor: u32,
}

/// Deadlines by index, for scanning.
pub(crate) trait Truth {
    /// Items are below this index.
    fn bound(&self) -> u32;
    /// The item's deadline; `None` if it has none.
    fn deadline(&self, index: u32) -> Option<Instant>;
}

impl Deadlines {
    pub(crate) const fn scan() -> Deadlines {
        Deadlines {
            #[cfg(feature = "alloc")]
            wheel: None,
            #[cfg(feature = "alloc")]
            not_before: Instant::ZERO,
            cursor: 0,
        }
    }

    #[cfg(feature = "alloc")]
    pub(crate) fn wheel() -> Deadlines {
        Deadlines {
            wheel: Some(Wheel::heap()),
            not_before: Instant::ZERO,
            cursor: 0,
        }
    }

    /// Has the item looked at no later than `deadline`.
    #[inline]
    pub(crate) fn arm(&mut self, nodes: &mut impl TimerNodes, index: u32, deadline: Instant) {
        #[cfg(feature = "alloc")]
        if let Some(wheel) = &mut self.wheel {
            self.not_before = self.not_before.min(deadline);
            wheel.arm(nodes, index, deadline);
        }
        let _ = (nodes, index, deadline);
    }

    /// Forgets the item: before it is freed.
    pub(crate) fn disarm(&mut self, nodes: &mut impl TimerNodes, index: u32) {
        #[cfg(feature = "alloc")]
        if let Some(wheel) = &mut self.wheel {
            wheel.disarm(nodes, index);
        }
        let _ = (nodes, index);
    }

    /// Whether [`expire`](Deadlines::expire) is to be asked: not before something may be due.
    #[inline]
    pub(crate) fn may_be_due(&self, now: Instant) -> bool {
        #[cfg(feature = "alloc")]
        return self.wheel.is_none() || now >= self.not_before;
        #[cfg(not(feature = "alloc"))]
        {
            let _ = now;
            true
        }
    }

    /// The next item that may be due; `None` ends a round. The caller compares the item's own
    /// deadline and arms it again if it was early.
    #[inline]
    pub(crate) fn expire<N: TimerNodes + Truth>(
        &mut self,
        nodes: &mut N,
        now: Instant,
    ) -> Option<u32> {
        #[cfg(feature = "alloc")]
        if let Some(wheel) = &mut self.wheel {
            if now < self.not_before {
                return None;
            }
            let due = wheel.expire(nodes, now);
            if due.is_none() {
                self.not_before = wheel.next_deadline().unwrap_or(Instant::FAR_FUTURE);
            }
            return due;
        }
        while self.cursor < nodes.bound() {
            let index = self.cursor;
            self.cursor = self.cursor.wrapping_add(1);
            if nodes.deadline(index).is_some_and(|d| d <= now) {
                return Some(index);
            }
        }
        self.cursor = 0;
        None
    }

    /// No item is due before this instant: [`Instant::FAR_FUTURE`] if none has a deadline.
    pub(crate) fn next(&self, truth: &impl Truth) -> Instant {
        #[cfg(feature = "alloc")]
        if let Some(wheel) = &self.wheel {
            // The wheel's bound may be earlier: calling then would find nothing.
            return wheel
                .next_deadline()
                .map_or(Instant::FAR_FUTURE, |bound| bound.max(self.not_before));
        }
        (0..truth.bound())
            .filter_map(|index| truth.deadline(index))
            .fold(Instant::FAR_FUTURE, Instant::min)
    }
}
