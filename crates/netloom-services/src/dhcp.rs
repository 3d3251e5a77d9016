//! DHCP for IPv4 (RFC 2131): a client that configures an interface, a server that configures
//! others.
//!
//! Both are state machines on a stack's public calls. A program makes one, calls its `poll` in every
//! turn of its loop, between [`receive`](netloom_stack::Stack::receive) and
//! [`transmit`](netloom_stack::Stack::transmit), and gets to know what has changed. Their timers are
//! the stack's: [`next_deadline`](netloom_stack::Stack::next_deadline) covers them.
//!
#![cfg_attr(feature = "dhcp-client", doc = "```no_run")]
#![cfg_attr(not(feature = "dhcp-client"), doc = "```ignore")]
//! # fn turn(mut stack: netloom_stack::Stack) -> Result<(), netloom_stack::Error> {
//! use netloom_services::dhcp::{Client, Request};
//!
//! let mut dhcp = Client::new(&mut stack)?;
//! dhcp.begin(Request { hostname: "loom", ..Request::default() });
//! loop {
//!     // stack.receive_all(now, iface, &mut device);
//!     while let Some(event) = dhcp.poll(&mut stack) {
//!         // "10.0.0.7/24 from 10.0.0.1 for 3600 s": address and routes are in place.
//!         let _ = event;
//!     }
//!     // stack.transmit(now, iface, &mut device); sleep until stack.next_deadline()
//! #   return Ok(());
//! }
//! # }
//! ```
//!
//! | what | where |
//! |---|---|
//! | [`Client`]: from DISCOVER to expiry, with RFC 5227's conflict check, RFC 3927's link-local addresses | `client`, `acd` |
//! | [`Lease`]: what a server gave | `client/lease` |
//! | [`Server`]: pools, reservations, relay agents | `server` |
//! | [`Store`]: where a server keeps what it gave away | `server/store` |

#[cfg(feature = "dhcp-client")]
mod acd;
#[cfg(feature = "dhcp-client")]
mod client;
mod fixed;
mod identity;
#[cfg(feature = "dhcp-server")]
mod server;
#[cfg(test)]
mod testing;

#[cfg(feature = "dhcp-client")]
pub use acd::ConflictCheck;
#[cfg(all(feature = "dhcp-client", feature = "counters"))]
pub use client::ClientCounters;
#[cfg(feature = "dhcp-client")]
pub use client::{Client, Event, Fallback, Lease, Loss, MAX_ROUTES, OfferPolicy, Request, State};
pub use fixed::{List, Text};
pub use identity::ClientId;
#[cfg(feature = "dhcp-server")]
pub use server::*;

/// A lease that does not end (RFC 2131 §3.3).
pub const INFINITE: u32 = u32::MAX;

/// Microseconds of a second.
const SECOND: u64 = 1_000_000;

/// Whether a host can have this address, as far as that can be said without knowing its network:
/// not 0.0.0.0/8, not loopback, not multicast, not reserved.
fn is_host(addr: core::net::Ipv4Addr) -> bool {
    let [first, ..] = addr.octets();
    (1..224).contains(&first) && first != 127
}
