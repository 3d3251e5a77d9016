//! What is measured: a station at the far end of a TAP interface, with the services the kernel
//! asks it for.

use std::sync::atomic::{AtomicBool, Ordering};

use netloom_host::device::Tap;

/// The station's address, and the kernel's.
pub const STATION: [u8; 4] = [10, 71, 0, 2];
/// The kernel's address on the same segment.
pub const KERNEL: [u8; 4] = [10, 71, 0, 1];
/// Bytes of each socket's buffers.
pub const BUFFER: usize = 1 << 20;
/// Bytes the station's program reads or writes at a time.
pub const CHUNK: usize = 1 << 16;

/// Bytes that may be queued when a program that sends without end writes again, a chunk at a time:
/// less than half of the buffer, so that what is written lies in the processor's cache still when the
/// kernel copies it, and more than what is under way until the peer's reader is awake.
pub const ROOMY: usize = 6 * CHUNK;

/// What a connection is for; each has its well-known port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// The station sends back what it receives (RFC 862).
    Echo,
    /// The station discards what it receives (RFC 863).
    Discard,
    /// The station sends without end (RFC 864).
    Generate,
}

impl Service {
    /// All there are.
    pub const ALL: [Service; 3] = [Service::Echo, Service::Discard, Service::Generate];

    /// Where it is to be had.
    pub const fn port(self) -> u16 {
        match self {
            Service::Echo => 7,
            Service::Discard => 9,
            Service::Generate => 19,
        }
    }

    /// What is to be had at a port.
    pub fn of_port(port: u16) -> Option<Service> {
        Service::ALL.into_iter().find(|s| s.port() == port)
    }
}

/// Runs a station until it is told to stop.
pub type Run = fn(Tap, &Stop);

/// Tells a station to end, which it notices after its next wake-up.
#[derive(Debug, Default)]
pub struct Stop(AtomicBool);

impl Stop {
    /// Tells the station to end.
    pub fn tell(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it is to end.
    pub fn is_told(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How long a station sleeps at most, so that it notices [`Stop`].
pub const NAP: std::time::Duration = std::time::Duration::from_millis(50);
