//! One TCP connection as a pure state machine (RFC 9293): no sockets, no IP, no clock, no heap.
//!
//! A [`Connection`] is 288 bytes at most and holds no buffers: its storage is lent to each call
//! as an [`Io`], the time and the settings as an [`Env`]. It never reaches out. What a call
//! leaves for the caller to do is in the [`Outcome`] it returns.
//!
//! * Segments come in with [`Connection::receive`].
//! * [`Connection::next`] says what the connection does next, and is the only place that
//!   decides it: send a [`Plan`], fire a [`Timer`], or wait. It changes nothing.
//! * A plan that was emitted is recorded with [`Connection::sent`]; a plan that was not, because
//!   the device was full, has not happened.
//!
//! The states before and after a connection's life hold no buffers and have types of their own:
//! [`listen`], [`HalfOpen`] with [`syn_received`] and [`syn_cookie`], [`TimeWaitState`] with
//! [`time_wait`], and [`closed`] for no connection at all.
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[cfg(test)]
extern crate std;

mod acknowledge;
mod buffers;
mod close;
mod congestion;
mod connection;
mod env;
mod error;
mod flags;
mod info;
mod ip;
mod keepalive;
mod open;
mod outcome;
mod plan;
mod probe;
mod ranges;
mod receive;
mod records;
mod recovery;
mod ring;
mod rtt;
mod segment;
mod sent;
mod seq;
mod state;
mod syn_sent;
mod text;
mod timers;
mod transmit;
mod tunables;

pub mod closed;
pub mod listen;
pub mod syn_cookie;
pub mod syn_received;
pub mod time_wait;

pub use connection::Connection;
pub use env::{Env, Io, Keepalive, OpenParams};
pub use error::IcmpError;
pub use info::TcpInfo;
pub use listen::SynOffer;
pub use outcome::{Discard, End, News, Outcome, Reply, Reset};
pub use plan::{Next, Plan, PlanKind};
pub use ranges::Range;
pub use records::Record;
pub use segment::Segment;
pub use seq::SeqNum;
pub use state::{CloseReason, State};
pub use syn_received::HalfOpen;
pub use time_wait::TimeWaitState;
pub use timers::Timer;
pub use tunables::Tunables;

/// The greatest window scale (RFC 7323 §2.3).
pub(crate) const MAX_WINDOW_SCALE: u8 = 14;
