//! Services on netloom's sockets, one module a protocol.
//!
//! They use [`netloom_stack`]'s public calls only, wait for nothing and read no clock. What DHCP, DNS
//! and NTP want done later they ask the stack's timers for, so the stack's
//! [`next_deadline`](netloom_stack::Stack::next_deadline) covers them too. `http::Server` has no UDP
//! socket to be woken by: it is told the time, and has a `next_deadline` of its own beside the
//! stack's. None needs a heap: they fit firmware as they fit a host.
//!
//! `docs/services.md` has the use of each, on a host and without one, its defaults and its limits.
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[cfg(any(test, feature = "std"))]
extern crate std;

#[cfg(any(feature = "dhcp-client", feature = "dhcp-server", feature = "http"))]
#[macro_use]
mod counting;
#[cfg(any(feature = "dhcp-client", feature = "dhcp-server"))]
pub mod dhcp;
#[cfg(feature = "dns")]
pub mod dns;
#[cfg(feature = "http")]
pub mod http;
#[cfg(any(feature = "ntp-client", feature = "ntp-server"))]
pub mod ntp;
