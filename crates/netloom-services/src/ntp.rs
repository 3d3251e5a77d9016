//! NTP (RFC 5905): a client that finds out how wrong a clock is, and a simple server.
//!
//! Neither reads a clock: what time it is, since 1 January 1970 in UTC, is an argument of each
//! call. A client does not set one either; it says by how much, and how sure it is:
//!
//! ```
//! # #[cfg(feature = "ntp-client")] {
//! use core::time::Duration;
//! use netloom_services::ntp::{Client, ClientConfig};
//! use netloom_stack::{Seed, Stack};
//!
//! fn ask(stack: &mut Stack, ntp: &mut Client, time: Duration) {
//!     // Whenever the stack has done something:
//!     if ntp.poll(stack, time).is_some() {
//!         if let Some(estimate) = ntp.estimate(stack.now()) {
//!             // The clock is to be moved by this, and that is right to within so much.
//!             let (_by, _within) = (estimate.offset, estimate.error());
//!         }
//!     }
//! }
//! # let _ = ask;
//! let server = "192.0.2.123:123".parse().unwrap();
//! let ntp = Client::new(ClientConfig::new(server), Seed::from([7; 32]));
//! # drop(ntp); }
//! ```
//!
//! | file | what is in it |
//! |---|---|
//! | `client` | exchanges with a server, their times, kisses of death |
//! | `filter` | the clock filter: which of eight exchanges to believe |
//! | `server` | answers, and who gets none |

#[cfg(feature = "ntp-client")]
mod client;
#[cfg(feature = "ntp-client")]
mod filter;
#[cfg(feature = "ntp-server")]
mod server;

#[cfg(feature = "ntp-client")]
pub use client::{Client, ClientConfig, ClientCounters, Estimate, Update};
#[cfg(feature = "ntp-client")]
pub use filter::{ClockFilter, Filtered, Sample};
pub use netloom_wire::ntp::{LeapIndicator, NtpShort, NtpTimestamp, PORT, ReferenceId};
#[cfg(feature = "ntp-server")]
pub use server::{ReferenceClock, Server, ServerCounters, ServerLimits};

/// The frequency tolerance PHI: 15 parts in a million.
const PHI_PPM: u64 = 15;

/// MAXDISP: a dispersion that says nothing, in nanoseconds.
#[cfg(feature = "ntp-client")]
const MAX_DISPERSION: u64 = 16_000_000_000;

/// How much an error has grown after so many microseconds, in nanoseconds.
const fn drift(micros: u64) -> u64 {
    // Parts in a million of microseconds are picoseconds.
    micros.saturating_mul(PHI_PPM) / 1_000
}

/// What a clock of this precision resolves, in nanoseconds: 2^precision seconds, at least 1.
#[cfg(feature = "ntp-client")]
const fn resolution(precision: i8) -> u64 {
    const SECOND: u64 = 1_000_000_000;
    if precision >= 0 {
        let shift = if precision > 6 { 6 } else { precision as u32 };
        SECOND << shift
    } else {
        let shift = precision.unsigned_abs() as u32;
        let nanos = if shift > 30 { 0 } else { SECOND >> shift };
        if nanos == 0 { 1 } else { nanos }
    }
}

#[cfg(test)]
#[cfg(all(feature = "ntp-client", feature = "ntp-server"))]
mod tests;
