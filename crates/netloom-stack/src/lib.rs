//! A TCP/IP stack that is driven, not run: frames and time in, frames and deadlines out.
//!
//! A [`Stack`] opens no device, starts no thread, reads no clock. A program hands it what arrived
//! and what time it is, and it writes what it owes into the device's own memory:
//!
//! | call | what it does |
//! |---|---|
//! | [`Stack::receive`] | takes in a frame |
//! | [`Stack::transmit`] | fires due timers, writes what is owed into a [`FrameSink`](driver::FrameSink) |
//! | [`Stack::next_deadline`] | says when `transmit` wants to be called if nothing arrives before |
//! | [`Stack::poll_event`] | tells what a user may want to act upon |
//! | `tcp_*`, `udp_*` | sockets: they never wait, and answer [`Error::WouldBlock`] instead |
//!
//! The same sequence of calls, with the same times and the same [`Seed`], gives the same bytes.
//!
//! # Two stacks, no device
//!
//! ```
//! # #[cfg(all(feature = "alloc", feature = "ipv4"))] {
//! use netloom_stack::driver::{FrameQueue, Instant, RxMeta};
//! use netloom_stack::{Config, IfaceId, Limits, Seed, Stack};
//!
//! let stack = |address: &str, seed| {
//!     let config = Config::ip().address(address.parse().unwrap());
//!     Stack::with_heap(config, Limits::default(), Seed::from([seed; 32]))
//! };
//! let (mut a, mut b) = (stack("10.0.0.1/24", 1), stack("10.0.0.2/24", 2));
//! let listener = b.tcp_listen(80)?;
//! let client = a.tcp_connect("10.0.0.2:80".parse().unwrap())?;
//! a.tcp_write(client, b"hello")?; // goes out behind the handshake
//!
//! let now = Instant::from_secs(1);
//! for _ in 0..3 {
//!     let mut wire = FrameQueue::default();
//!     let _ = a.transmit(now, IfaceId::FIRST, &mut wire);
//!     for frame in wire.frames.drain(..) {
//!         b.receive(now, IfaceId::FIRST, &frame, &RxMeta::default());
//!     }
//!     let _ = b.transmit(now, IfaceId::FIRST, &mut wire);
//!     for frame in wire.frames.drain(..) {
//!         a.receive(now, IfaceId::FIRST, &frame, &RxMeta::default());
//!     }
//! }
//! let server = b.tcp_accept(listener)?.unwrap();
//! let mut buffer = [0; 16];
//! assert_eq!(b.tcp_read(server, &mut buffer)?, 5);
//! # }
//! # Ok::<(), netloom_stack::Error>(())
//! ```
//!
//! # Memory
//!
//! A stack works in one of two ways, chosen when it is made and the same afterwards:
//!
//! * [`Stack::new`] with a [`Storage`]: everything is declared by the program, nothing is ever taken
//!   beside it. For firmware.
//! * [`Stack::with_heap`] (feature `alloc`) with [`Limits`]: buffers are taken on first use, grow with
//!   need, are recycled and given back when drained. An idle connection costs about 500 bytes;
//!   in the steady state nothing is allocated.
//!
//! # What is dropped, and why a connection ended
//!
//! Every packet is delivered, held, or dropped under a [`DropReason`]: [`Stack::counters`], and
//! [`Counters::balance`] checks it (feature `counters`). Every connection ends with a [`CloseReason`].
//!
//! # Features
//!
//! `alloc`, `acd`, `ethernet`, `ipv4`, `ipv6`, `tcp`, `udp`, `syn-cookies`, `icmp-errors`, `counters`,
//! `flows` (all on by default) are code that can be left out, and so are the parts that `full` (on by
//! default) names: `nud`, without which a neighbour is asked for again every half minute instead of
//! watched while it is used; `routes`, without which routes have no metrics and none to fall back
//! on, and the source address is the one that shares a network with the next hop; `reuseport`, without
//! which a port has one listener; `vlan`, without which tagged frames are dropped; and `sack`,
//! `fast-retransmit`, `out-of-order`, `timestamps`, `window-scale`, `keepalive`, `user-timeout`,
//! `linger`, `delayed-ack`, `slow-start-after-idle`, `half-closed-timeout`, of which netloom-tcp tells. `inspect` lists what the stack holds;
//! `log` and `defmt` send notes to the crates of those
//! names. Capacities and limits are values.
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
// With a feature left out, what only it uses is unused; the full build says if anything is.
#![cfg_attr(
    not(all(
        feature = "alloc",
        feature = "counters",
        feature = "ethernet",
        feature = "full",
        feature = "icmp-errors",
        feature = "ipv4",
        feature = "ipv6",
        feature = "tcp",
        feature = "udp"
    )),
    allow(
        dead_code,
        unreachable_code,
        unused_imports,
        unused_macros,
        unused_mut,
        unused_variables
    )
)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod address;
pub mod address_selection;
mod addresses;
#[cfg(not(feature = "alloc"))]
mod answer;
#[cfg(all(feature = "ethernet", feature = "ipv4"))]
mod arp;
#[cfg(feature = "acd")]
mod arp_watch;
mod clock;
mod config;
mod counters;
mod deadlines;
mod demux;
pub mod destination;
mod error;
mod event;
#[cfg(feature = "flows")]
pub mod flow;
pub mod icmp;
#[cfg(feature = "alloc")]
pub mod index;
#[cfg(feature = "inspect")]
pub mod inspect;
mod interface;
mod ip;
mod keyed_table;
mod keys;
mod link;
pub mod list;
mod log;
#[cfg(feature = "alloc")]
mod loopback;
pub mod martian;
pub mod memory;
pub mod neighbor;
#[cfg(feature = "ethernet")]
mod neighbors;
mod output;
#[cfg(feature = "hold")]
mod packet;
mod path;
pub mod rand;
mod recent;
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
mod usage;
mod version;
mod waiting;

#[cfg(any(feature = "tcp", feature = "udp"))]
pub mod port_alloc;

#[cfg(feature = "acd")]
pub use arp_watch::ArpClaim;
#[cfg(feature = "alloc")]
pub use config::Limits;
pub use config::{Config, InterfaceConfig, Medium};
#[cfg(feature = "counters")]
pub use counters::{Count, Counters, Imbalance};
pub use counters::{DropReason, Layer};
pub use error::{Error, ErrorKind};
#[cfg(feature = "echo")]
pub use event::EchoHandle;
#[cfg(feature = "udp")]
pub use event::UdpHandle;
pub use event::{Event, IfaceId, Readiness};
#[cfg(feature = "tcp")]
pub use event::{ListenerHandle, TcpHandle};
pub use rand::Seed;
pub use stack::{Sent, Stack};
pub use storage::Storage;
#[cfg(not(feature = "tunables"))]
pub use tunables::Settings;
#[cfg(feature = "tunables")]
pub use tunables::Tunable;
pub use tunables::Tunables;
pub use usage::Usage;

pub use netloom_driver as driver;
#[cfg(feature = "bbr")]
pub use netloom_tcp::BbrInfo;
#[cfg(feature = "tcp")]
pub use netloom_tcp::{CaState, CloseReason, Keepalive, State, TcpInfo};
pub use netloom_wire as wire;
