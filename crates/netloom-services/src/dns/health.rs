//! Which servers to ask first.

use netloom_stack::driver::Instant;

use super::config::{Config, MAX_SERVERS};

/// How long a silent server is asked last, in microseconds.
const SHUNNED: u64 = 30_000_000;

/// Until when each server is asked last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Health {
    shunned_until: [Instant; MAX_SERVERS],
}

impl Health {
    pub(super) const GOOD: Health = Health {
        shunned_until: [Instant::ZERO; MAX_SERVERS],
    };

    pub(super) fn silent(&mut self, server: u8, now: Instant) {
        if let Some(until) = self.shunned_until.get_mut(usize::from(server)) {
            *until = now.plus_micros(SHUNNED);
        }
    }

    pub(super) fn answered(&mut self, server: u8) {
        if let Some(until) = self.shunned_until.get_mut(usize::from(server)) {
            *until = Instant::ZERO;
        }
    }

    /// The servers' numbers in the order in which to ask them, and how many there are.
    pub(super) fn order(&self, config: &Config, now: Instant) -> ([u8; MAX_SERVERS], u8) {
        let (mut order, mut len) = ([0; MAX_SERVERS], 0_u8);
        for shunned in [false, true] {
            for (number, until) in (0_u8..)
                .zip(&self.shunned_until)
                .take(config.servers().count())
            {
                if (*until > now) == shunned {
                    if let Some(place) = order.get_mut(usize::from(len)) {
                        *place = number;
                        len = len.saturating_add(1);
                    }
                }
            }
        }
        (order, len)
    }
}
