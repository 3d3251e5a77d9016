//! Microseconds from the core's SysTick timer.

use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::exception;
use netloom_driver::Instant;

/// Processor cycles in a microsecond.
const CYCLES_PER_MICRO: u32 = 25;
/// Processor cycles between two interrupts: a millisecond.
const PERIOD: u32 = 1_000 * CYCLES_PER_MICRO;

/// Milliseconds, modulo 2³².
static TICKS: AtomicU32 = AtomicU32::new(0);

#[exception]
fn SysTick() {
    // The only writer, so a load and a store do.
    let ticks = TICKS.load(Ordering::Relaxed);
    TICKS.store(ticks.wrapping_add(1), Ordering::Relaxed);
}

/// A monotonic clock: an interrupt counts milliseconds, the timer's own count divides them.
#[derive(Debug)]
pub struct Clock {
    /// [`TICKS`] when last looked at.
    ticks: u32,
    /// The time at that tick, in microseconds: `ticks` without its wrap every 49 days.
    at_tick: u64,
    /// What was last returned, in microseconds.
    last: u64,
}

impl Clock {
    /// Starts the timer.
    pub(crate) fn start(mut timer: SYST) -> Clock {
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(PERIOD - 1);
        timer.clear_current();
        timer.enable_interrupt();
        timer.enable_counter();
        // The timer is never stopped or reprogrammed from here on: reading it needs no owner.
        Clock {
            ticks: TICKS.load(Ordering::Relaxed),
            at_tick: 0,
            last: 0,
        }
    }

    /// The time since the clock was started. Never goes back; to be called at least once in 49
    /// days, which [`crate::Board::idle_until`] does.
    pub fn now(&mut self) -> Instant {
        let (ticks, count) = loop {
            let ticks = TICKS.load(Ordering::Relaxed);
            let count = SYST::get_current();
            if TICKS.load(Ordering::Relaxed) == ticks {
                break (ticks, count);
            }
        };
        let elapsed = ticks.wrapping_sub(self.ticks);
        self.ticks = ticks;
        self.at_tick += u64::from(elapsed) * 1_000;
        // The timer counts down, and the interrupt comes as it reaches 0: 0 is a period's start.
        let cycles = if count == 0 { 0 } else { PERIOD - count };
        let now = self.at_tick + u64::from(cycles / CYCLES_PER_MICRO);
        // While interrupts are masked a new period can begin that is not counted yet; the clock
        // then stands still rather than go back.
        self.last = self.last.max(now);
        Instant::from_micros(self.last)
    }
}
