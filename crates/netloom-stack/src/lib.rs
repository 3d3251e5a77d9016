//! A TCP/IP stack that is driven, not run: bytes and time in, bytes and deadlines out.
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
mod addresses;
#[cfg(all(feature = "ethernet", feature = "ipv4"))]
mod arp;
mod clock;
mod config;
mod counters;
mod deadlines;
mod demux;
pub mod destination;
mod error;
mod event;
pub mod icmp;
#[cfg(feature = "alloc")]
pub mod index;
mod interface;
mod ip;
mod keyed_table;
mod keys;
mod link;
pub mod list;
#[cfg(feature = "alloc")]
mod loopback;
pub mod martian;
pub mod memory;
pub mod neighbor;
#[cfg(feature = "ethernet")]
mod neighbors;
mod output;
mod packet;
mod path;
pub mod rand;
pub mod route;
mod stack;
mod storage;
mod tables;
#[cfg(feature = "tcp")]
pub mod tcp;
pub mod timers;
mod tunables;
mod tuple;
#[cfg(feature = "udp")]
pub mod udp;
mod version;

#[cfg(any(feature = "tcp", feature = "udp"))]
pub mod port_alloc;

#[cfg(feature = "alloc")]
pub use config::Limits;
pub use config::{Config, InterfaceConfig, Medium};
pub use counters::{Count, Counters, DropReason, Imbalance, Layer};
pub use error::{Error, ErrorKind};
#[cfg(feature = "udp")]
pub use event::UdpHandle;
pub use event::{Event, IfaceId, Readiness};
#[cfg(feature = "tcp")]
pub use event::{ListenerHandle, TcpHandle};
pub use rand::Seed;
pub use stack::{Sent, Stack};
pub use storage::Storage;
pub use tunables::{Tunable, Tunables};

pub use netloom_driver as driver;
#[cfg(feature = "tcp")]
pub use netloom_tcp::{CloseReason, Keepalive, State, TcpInfo};
pub use netloom_wire as wire;
