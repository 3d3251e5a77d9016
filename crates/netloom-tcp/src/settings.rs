//! A connection's settings, as its user may read them back.

use crate::flags::Flags;
use crate::{CongestionControl, Connection, Keepalive};

/// What the user of a connection has set, or the defaults it began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// Whether small segments leave at once: the Nagle algorithm is off (RFC 9293 §3.7.4).
    pub nodelay: bool,
    /// Keep-alive (RFC 9293 §3.8.4); `None`: off, as it is once the connection has ended.
    pub keepalive: Option<Keepalive>,
    /// The connection's own user timeout in microseconds, in whole milliseconds, 0 for ever; `None`: the tunable's.
    pub user_timeout: Option<u64>,
    /// How long `close` may leave data unacknowledged, in microseconds; `None`: as long as it
    /// takes.
    pub linger: Option<u64>,
    /// What the window may promise, in octets.
    pub rcv_buf: u32,
    /// The congestion control algorithm.
    pub congestion: CongestionControl,
}

fn micros(millis: u32) -> u64 {
    u64::from(millis).saturating_mul(1_000)
}

impl Connection {
    /// What the user has set.
    pub fn settings(&self) -> Settings {
        let keepalive = Keepalive {
            idle: micros(self.keepalive_idle),
            interval: micros(self.keepalive_interval),
            count: self.keepalive_count,
        };
        let own_timeout = self.flags.has(Flags::OWN_USER_TIMEOUT);
        Settings {
            nodelay: self.flags.has(Flags::NODELAY),
            keepalive: self.flags.has(Flags::KEEPALIVE).then_some(keepalive),
            user_timeout: own_timeout.then_some(micros(self.user_timeout)),
            linger: self.flags.has(Flags::LINGER).then_some(micros(self.linger)),
            rcv_buf: self.rcv_buf,
            congestion: self.congestion.algorithm(),
        }
    }

    /// Chooses the congestion control algorithm, also while data is under way: the window stays
    /// as it is.
    pub fn set_congestion(&mut self, algorithm: CongestionControl) {
        self.congestion.switch(algorithm);
        #[cfg(feature = "bbr")]
        self.begin_pacing(None);
    }
}
