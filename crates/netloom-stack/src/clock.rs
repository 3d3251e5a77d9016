//! The stack's view of time: the last instant it was told, and TCP's millisecond clock.

use netloom_driver::Instant;

/// A time in which nothing is due, so that it need not be looked for: never too long, perhaps too
/// short. On 32 bits, where little is waited for, it is not kept.
#[cfg(feature = "tcp")]
pub(crate) struct Quiet {
    #[cfg(target_pointer_width = "64")]
    until: Instant,
}

#[cfg(feature = "tcp")]
impl Quiet {
    /// Over already.
    pub(crate) const NONE: Quiet = Quiet {
        #[cfg(target_pointer_width = "64")]
        until: Instant::ZERO,
    };

    /// Whether nothing is due yet.
    #[inline]
    pub(crate) fn lasts(&self, now: Instant) -> bool {
        #[cfg(target_pointer_width = "64")]
        return now < self.until;
        #[cfg(not(target_pointer_width = "64"))]
        {
            let _ = now;
            false
        }
    }

    /// Begins: nothing is due before `until`.
    #[inline]
    pub(crate) fn begin(&mut self, until: Instant) {
        #[cfg(target_pointer_width = "64")]
        {
            self.until = until;
        }
        let _ = until;
    }

    /// Something more is waited for, and due at `at` or later.
    #[inline]
    pub(crate) fn end_by(&mut self, at: Instant) {
        #[cfg(target_pointer_width = "64")]
        {
            self.until = self.until.min(at);
        }
        let _ = at;
    }
}

/// The time of the call in progress.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    pub(crate) now: Instant,
    /// Milliseconds since the origin, wrapping: the timestamp clock of RFC 7323.
    pub(crate) now_ms: u32,
    /// The instant at which `now_ms` last changed.
    tick: Instant,
}

impl Clock {
    pub(crate) const START: Clock = Clock {
        now: Instant::ZERO,
        now_ms: 0,
        tick: Instant::ZERO,
    };

    /// Moves on to `now`. Time never goes back: an earlier instant changes nothing.
    ///
    /// 32-bit divisions only: firmware has no 64-bit one for free.
    pub(crate) fn advance(&mut self, now: Instant) {
        if now <= self.now {
            return;
        }
        self.now = now;
        loop {
            let micros = now.micros_since(self.tick);
            let part = u32::try_from(micros).unwrap_or(u32::MAX);
            let ticks = part / 1_000;
            self.now_ms = self.now_ms.wrapping_add(ticks);
            self.tick = self.tick.plus_micros(u64::from(ticks.wrapping_mul(1_000)));
            if u64::from(part) == micros {
                return;
            }
        }
    }

    /// The circumstances of a call on a connection.
    #[cfg(feature = "tcp")]
    #[inline]
    pub(crate) fn env<'a>(
        &self,
        tunables: &'a netloom_tcp::Tunables,
        gso_max: u32,
    ) -> netloom_tcp::Env<'a> {
        netloom_tcp::Env {
            now: self.now,
            now_ms: self.now_ms,
            tunables: netloom_tcp::tunables_ref(tunables),
            gso_max,
        }
    }

    /// The clock of SYN and TIME-WAIT entries: 4 ms a tick, wrapping after 262 s.
    pub(crate) fn quarter(&self) -> u16 {
        (self.now_ms >> 2) as u16
    }

    /// The instant at which [`quarter`](Clock::quarter) will be so many more.
    #[cfg(feature = "tcp")]
    #[inline]
    pub(crate) fn after_quarters(&self, ticks: u16) -> Instant {
        let millis = (u32::from(ticks) << 2).saturating_sub(self.now_ms & 3);
        self.tick.plus_micros(u64::from(millis.wrapping_mul(1_000)))
    }
}
