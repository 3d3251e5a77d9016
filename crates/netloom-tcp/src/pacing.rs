//! Pacing: data leaves no faster than a rate, each piece at its time.
//!
//! There is no timer for it. A connection that is paced has a next departure time; before that,
//! [`Connection::next`] waits for it, to the microsecond, and its answer is what the next deadline
//! is made of. A piece, which is a super-segment where the device cuts those, moves the departure
//! time on by as long as it takes at the rate. Who comes late, because timers do, may catch up a
//! little ([`CREDIT`]): so the rate is kept, and what is woken less often sends more at once.
//!
//! The rate is the congestion control's, if it has one (BBR), else it follows from the window and
//! the round trip; and never more than the user allows.

use netloom_driver::Instant;

use crate::congestion::Controller;
use crate::flags::Flags;
use crate::rate::Rate;
use crate::{Connection, Env, Io, PathState, Tunables, TunablesRef};

/// How much may be caught up with after the departure time has passed, in microseconds; what a
/// super-segment takes at most.
const CREDIT: u32 = 1_000;

/// No departure time lies further ahead, in microseconds: the clock wraps.
const HORIZON: u32 = 1 << 23;
/// The same in milliseconds, rounded up.
const HORIZON_MS: u32 = (HORIZON >> 10) + (HORIZON >> 14);

/// The largest super-segment of a paced connection, in octets.
const LARGEST_QUANTUM: u32 = 1 << 16;

/// What pacing a connection takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Pacer {
    /// At which rate data may leave; zero: as it is not known yet, at any.
    rate: Rate,
    /// What the user allows; zero: any.
    most: Rate,
    /// The next departure time, in microseconds, wrapping.
    departure: u32,
    /// By how much of a microsecond the departure time is later, in 65 536ths of an octet.
    owed: u32,
}

impl Pacer {
    pub(crate) const EMPTY: Pacer = Pacer {
        rate: Rate::ZERO,
        most: Rate::ZERO,
        departure: 0,
        owed: 0,
    };

    /// The rate that the congestion control wants.
    pub(crate) fn rate(&self) -> Rate {
        self.rate
    }

    /// Whether there was never a rate.
    pub(crate) fn is_new(&self) -> bool {
        self.rate == Rate::ZERO
    }

    pub(crate) fn set_rate(&mut self, rate: Rate) {
        self.rate = rate;
    }

    /// The rate that holds; zero: any.
    fn limit(&self) -> Rate {
        match (self.rate, self.most) {
            (rate, Rate::ZERO) => rate,
            (Rate::ZERO, most) => most,
            (rate, most) => rate.min(most),
        }
    }

    /// C.send_quantum of draft-ietf-ccwg-bbr-06 §5.6.3: what leaves in one piece at most.
    pub(crate) fn quantum(&self, mss: u32) -> u32 {
        let least = mss.saturating_mul(2);
        match self.limit() {
            Rate::ZERO => LARGEST_QUANTUM.max(least),
            rate => rate.over(CREDIT).min(LARGEST_QUANTUM).max(least),
        }
    }

    /// Microseconds until the next departure; 0: now.
    fn wait(&self, now: u32) -> u32 {
        match self.departure.wrapping_sub(now) {
            ahead if ahead <= HORIZON => ahead,
            _ => 0,
        }
    }

    /// `octets` have left, the first after a `silence` longer than what a departure time tells of.
    fn depart(&mut self, now: u32, octets: u32, silence: bool) {
        let rate = self.limit();
        let late = now.wrapping_sub(self.departure);
        if silence || (self.wait(now) == 0 && late > CREDIT) {
            self.departure = now.wrapping_sub(CREDIT);
            self.owed = 0;
        }
        let (time, owed) = rate.time(octets, self.owed);
        let ahead = self.departure.wrapping_add(time.min(HORIZON));
        // A rate that fell while much was under way must not have it wait beyond the horizon.
        let most = now.wrapping_add(HORIZON);
        self.departure = if (ahead.wrapping_sub(most) as i32) > 0 {
            most
        } else {
            ahead
        };
        self.owed = owed;
    }
}

impl PathState {
    /// What the user allows of a rate, in octets of payload a second; `None`: no bound. As Linux's
    /// `SO_MAX_PACING_RATE`.
    pub fn set_max_pacing_rate(&mut self, octets: Option<u64>) {
        self.pacer.most = octets.map_or(Rate::ZERO, Rate::per_second);
    }

    /// What the user allows of a rate, in octets of payload a second; `None`: no bound.
    pub fn max_pacing_rate(&self) -> Option<u64> {
        let most = self.pacer.most;
        (most != Rate::ZERO).then(|| most.to_per_second())
    }

    /// The rate at which data leaves now, in octets of payload a second; `None`: it is not known
    /// yet, and nothing waits.
    pub fn pacing_rate(&self) -> Option<u64> {
        let limit = self.pacer.limit();
        (limit != Rate::ZERO).then(|| limit.to_per_second())
    }
}

impl Connection {
    /// Has the connection paced from now on, whatever its congestion control. Whatever paces
    /// itself is, without being asked.
    pub fn set_paced(&mut self) {
        self.flags.set(Flags::WATCHED);
    }

    /// Whether the connection is paced, so that [`Io::path`] is to be lent.
    pub fn wants_path(&self, tunables: &Tunables) -> bool {
        self.flags.has(Flags::WATCHED) || self.congestion.is_model() || tunables.pacing
    }

    /// The connection begins, or its congestion control is another: from when it is paced once, it
    /// stays so.
    pub(crate) fn begin_pacing(&mut self, tunables: Option<TunablesRef<'_>>) {
        let asked = tunables.is_some_and(|tunables| tunables.pacing);
        if self.congestion.is_model() || asked {
            self.flags.set(Flags::WATCHED);
        }
    }

    /// Whether data has to wait for its time.
    #[inline]
    pub(crate) fn is_held_back(&self, env: &Env<'_>, io: &Io<'_>) -> bool {
        self.flags.has(Flags::WATCHED) && self.pacing_wait(env, io) > 0
    }

    /// Microseconds until data may leave.
    #[cold]
    fn pacing_wait(&self, env: &Env<'_>, io: &Io<'_>) -> u32 {
        match &io.path {
            // Beyond the horizon the clock of departures says nothing.
            Some(path) if !self.was_long_silent(env) => path.pacer.wait(env.micros()),
            Some(_) | None => 0,
        }
    }

    /// Whether nothing has been sent for so long that the clock of departures may have wrapped.
    fn was_long_silent(&self, env: &Env<'_>) -> bool {
        env.since(self.last_sent_ms) > HORIZON_MS
    }

    /// `until`, or the next departure time, if that comes first and there is something to send.
    #[inline]
    pub(crate) fn until_departure(
        &self,
        env: &Env<'_>,
        io: &Io<'_>,
        until: Option<Instant>,
    ) -> Option<Instant> {
        if self.flags.has(Flags::WATCHED) {
            self.earlier_departure(env, io, until)
        } else {
            until
        }
    }

    #[cold]
    fn earlier_departure(
        &self,
        env: &Env<'_>,
        io: &Io<'_>,
        until: Option<Instant>,
    ) -> Option<Instant> {
        let wait = self.pacing_wait(env, io);
        let waits = self.lost > 0 || (self.unsent() > 0 && self.usable_window() > 0);
        if wait == 0 || !waits || self.cwnd_now(env) <= self.pipe() {
            return until;
        }
        let departure = env.now.plus_micros(u64::from(wait));
        Some(until.map_or(departure, |until| until.min(departure)))
    }

    /// What leaves in one piece at most, where that is bounded.
    #[cold]
    pub(crate) fn quantum(&self, io: &Io<'_>, mss: u32) -> u32 {
        io.path
            .as_ref()
            .map_or(u32::MAX, |path| path.pacer.quantum(mss))
    }

    /// `len` octets of payload have left.
    pub(crate) fn departed(&mut self, env: &Env<'_>, io: &mut Io<'_>, len: u32) {
        let silence = self.was_long_silent(env);
        if let Some(path) = &mut io.path {
            path.pacer.depart(env.micros(), len, silence);
        }
    }

    /// The rate that follows from the window, for a congestion control that has none: so much of
    /// it a round trip that it can grow as fast as it wants to.
    pub(crate) fn pace_by_window(&mut self, env: &Env<'_>, io: &mut Io<'_>) {
        let srtt = self.rtt.srtt();
        let Some(path) = &mut io.path else {
            return;
        };
        if srtt == 0 {
            return;
        }
        let cwnd = self.congestion.cwnd();
        let ratio = if cwnd < self.congestion.ssthresh() >> 1 {
            env.tunables.pacing_ss_ratio
        } else {
            env.tunables.pacing_ca_ratio
        };
        let window = cwnd.max(self.flight());
        path.pacer
            .set_rate(Rate::of(window, srtt).percent(u32::from(ratio)));
    }
}

#[cfg(test)]
mod tests;
