//! Options that all kinds of sockets share.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::error::invalid;
use super::parking::Side;
use super::runtime::Patience;

/// How a connection finds out that a silent peer is gone (RFC 9293 §3.8.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    /// Silence before the first probe; at least 1 s.
    pub idle: Duration,
    /// Between probes; at least 1 s.
    pub interval: Duration,
    /// Unanswered probes that end the connection; at least 2.
    pub count: u8,
}

impl Keepalive {
    /// What the stack would refuse, with a word on why.
    pub(super) fn check(self) -> io::Result<()> {
        let second = Duration::from_secs(1);
        if self.idle < second || self.interval < second || self.count < 2 {
            return Err(invalid(
                "keep-alive: at least 1 s of silence, 1 s between probes, 2 probes",
            ));
        }
        Ok(())
    }

    pub(super) fn of_stack(keepalive: netloom_stack::Keepalive) -> Keepalive {
        Keepalive {
            idle: Duration::from_micros(keepalive.idle),
            interval: Duration::from_micros(keepalive.interval),
            count: keepalive.count,
        }
    }

    pub(super) fn to_stack(self) -> netloom_stack::Keepalive {
        let Keepalive {
            idle,
            interval,
            count,
        } = self;
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        netloom_stack::Keepalive {
            idle: micros(idle),
            interval: micros(interval),
            count,
        }
    }
}

/// A timeout that clones of a socket share; off at first.
#[derive(Debug, Default)]
pub(super) struct Timeout {
    /// Nanoseconds; 0: none.
    nanos: AtomicU64,
}

impl Timeout {
    pub(super) fn set(&self, timeout: Option<Duration>) -> io::Result<()> {
        let nanos = match timeout {
            None => 0,
            Some(timeout) if timeout.is_zero() => return Err(zero_timeout()),
            // 584 years are as good as no limit.
            Some(timeout) => u64::try_from(timeout.as_nanos()).unwrap_or(0),
        };
        self.nanos.store(nanos, Ordering::Relaxed);
        Ok(())
    }

    pub(super) fn get(&self) -> Option<Duration> {
        match self.nanos.load(Ordering::Relaxed) {
            0 => None,
            nanos => Some(Duration::from_nanos(nanos)),
        }
    }
}

/// Zero could mean "at once" or "never": std's sockets refuse it too.
pub(super) fn zero_timeout() -> io::Error {
    invalid("a timeout of zero is not possible: use set_nonblocking, or None for no timeout")
}

/// How long each kind of call of a socket waits. Clones of the socket share it.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) read: Timeout,
    pub(super) write: Timeout,
    nonblocking: AtomicBool,
}

impl Waiting {
    pub(super) fn set_nonblocking(&self, nonblocking: bool) {
        self.nonblocking.store(nonblocking, Ordering::Relaxed);
    }

    /// How long calls on that side wait.
    pub(super) fn patience(&self, side: Side) -> Patience {
        let timeout = match side {
            Side::Read => &self.read,
            Side::Write => &self.write,
        };
        if self.nonblocking.load(Ordering::Relaxed) {
            Patience::None
        } else {
            Patience::of(timeout.get())
        }
    }
}

/// A TTL as std's sockets take it.
pub(super) fn ttl(ttl: u32) -> io::Result<u8> {
    u8::try_from(ttl)
        .ok()
        .filter(|&ttl| ttl > 0)
        .ok_or_else(|| invalid("a TTL is 1 to 255"))
}
