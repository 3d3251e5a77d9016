//! See the crate description.
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod address;
pub mod address_selection;
pub mod destination;
pub mod index;
mod keyed_table;
pub mod list;
pub mod martian;
pub mod memory;
pub mod neighbor;
pub mod rand;
pub mod route;
pub mod timers;

/// What TCP needs around its connections.
pub mod tcp {
    pub mod port_alloc;
}

/// What ICMP needs beside its messages.
pub mod icmp {
    pub mod error_limit;
}

/// What UDP needs around its sockets.
pub mod udp {
    pub mod queue;
}
