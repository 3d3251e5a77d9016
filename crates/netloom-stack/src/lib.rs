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

pub mod index;
pub mod list;
pub mod memory;
pub mod rand;
pub mod timers;

/// What TCP needs around its connections.
pub mod tcp {
    pub mod port_alloc;
}
