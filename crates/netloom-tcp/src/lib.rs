//! One TCP connection as a pure state machine (RFC 9293): no sockets, no IP, no clock, no heap.
//!
//! A [`Connection`] is 316 bytes at most and holds no buffers: its storage is lent to each call
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
//!
//! # Features
//!
//! All are on by default; each only adds. What is on beyond them is what RFC 9293 demands.
//!
//! | feature | what it is | without it |
//! |---|---|---|
//! | `active-open` | connections opened from this side, simultaneous opens | a connection begins in a SYN entry |
//! | `autotune` | receive buffers that grow with what the peer sends | they have the size they were given |
//! | `cubic` | CUBIC (RFC 9438), HyStart++ (RFC 9406) | Reno (RFC 5681) |
//! | `metrics` | what a connection knew of its path, for the next one (RFC 9040) | each begins anew |
//! | `plpmtud` | path MTU discovery by segments (RFC 8899) | ICMP errors alone tell |
//! | `rack` | RACK-TLP (RFC 8985), PRR (RFC 6937), F-RTO (RFC 5682), ECN (RFC 3168); needs `sack` | RFC 6675 |
//! | `sack` | SACK (RFC 2018, RFC 2883); needs the next two | neither offered nor answered |
//! | `fast-retransmit` | fast retransmit, fast recovery (RFC 5681, RFC 6582) | the retransmission timer alone finds losses, and no [`Record`] is kept |
//! | `out-of-order` | what arrives out of order is kept | it is acknowledged and dropped, and no [`Range`] is kept |
//! | `timestamps` | timestamps and PAWS (RFC 7323) | neither offered nor answered |
//! | `window-scale` | window scaling (RFC 7323) | neither offered nor answered |
//! | `delayed-ack` | delayed acknowledgments (RFC 9293 SHLD-18) | what arrived together is acknowledged at once, by the answer if there is one |
//! | `slow-start-after-idle` | the restart window (RFC 5681 §4.1) | an idle connection keeps its window |
//! | `half-closed-timeout` | half-closed connections end after a time | they stay |
//! | `keepalive` | keep-alives | there are none |
//! | `tunables` | tunables that can be set | they are constants, the default ones |
//! | `user-timeout` | a user timeout of a connection's own (RFC 9293 MUST-21) | that of [`Tunables`] is everybody's |
//! | `linger` | closing within a time | closing takes as long as it takes |
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
    not(all(feature = "active-open", feature = "sack", feature = "timestamps")),
    allow(dead_code)
)]

#[cfg(test)]
extern crate std;

mod acknowledge;
#[cfg(feature = "autotune")]
mod autotune;
#[cfg(all(target_pointer_width = "64", feature = "fast-retransmit"))]
mod bare;
mod buffers;
mod close;
mod congestion;
mod connection;
#[cfg(feature = "bbr")]
mod delivery;
#[cfg(feature = "rack")]
mod ecn;
mod env;
mod error;
#[cfg(test)]
#[cfg(feature = "active-open")]
mod explore;
#[cfg(all(target_pointer_width = "64", feature = "fast-retransmit"))]
mod fast;
#[cfg(feature = "fastopen")]
mod fast_open;
mod flags;
mod info;
mod inspect;
mod ip;
mod keepalive;
mod lent;
#[cfg(feature = "metrics")]
mod metrics;
mod open;
mod outcome;
#[cfg(feature = "bbr")]
mod pacing;
#[cfg(feature = "bbr")]
mod path;
#[cfg(feature = "plpmtud")]
mod path_search;
#[cfg(feature = "gather")]
mod placed;
mod plan;
mod probe;
mod ranges;
#[cfg(feature = "bbr")]
mod rate;
mod receive;
mod records;
mod recovery;
mod ring;
mod rtt;
mod segment;
mod sent;
mod seq;
mod settings;
mod state;
mod syn_sent;
#[cfg(test)]
mod testing;
mod text;
mod timers;
mod transmit;
mod tunables;
mod tunables_ref;
#[cfg(feature = "bbr")]
mod watch;

pub mod closed;
pub mod listen;
pub mod syn_cookie;
pub mod syn_received;
pub mod time_wait;

pub use congestion::{CongestionControl, NoSuchCongestionControl};
pub use connection::Connection;
pub use env::{Env, Io, Keepalive, OpenParams};
pub use error::IcmpError;
#[cfg(feature = "bbr")]
pub use info::BbrInfo;
pub use info::{CaState, TcpInfo};
pub use inspect::RunningTimer;
pub use listen::SynOffer;
#[cfg(feature = "metrics")]
pub use metrics::PathMetrics;
pub use outcome::{Discard, End, News, Outcome, Reply, Reset};
#[cfg(feature = "bbr")]
pub use path::PathState;
pub use plan::{Next, Plan, PlanKind};
pub use ranges::Range;
pub use records::Record;
pub use segment::Segment;
pub use seq::SeqNum;
pub use settings::Settings;
pub use state::{CloseReason, State};
pub use syn_received::HalfOpen;
pub use time_wait::TimeWaitState;
pub use timers::Timer;
pub use tunables::Tunables;
pub use tunables_ref::{TunablesRef, tunables_ref};

/// Whether connections may be opened from this side: what only they need is left out otherwise.
pub(crate) const ACTIVE_OPEN: bool = cfg!(feature = "active-open");

// The features, for code that the compiler can leave out by itself.
pub(crate) const DELAYED_ACK: bool = cfg!(feature = "delayed-ack");
pub(crate) const DISCARDS: bool = cfg!(any(test, feature = "discards"));
pub(crate) const EVENTS: bool = cfg!(any(test, feature = "events"));
pub(crate) const FAST_RETRANSMIT: bool = cfg!(feature = "fast-retransmit");
pub(crate) const HALF_CLOSED_TIMEOUT: bool = cfg!(feature = "half-closed-timeout");
pub(crate) const KEEPALIVE: bool = cfg!(feature = "keepalive");
pub(crate) const LINGER: bool = cfg!(feature = "linger");
pub(crate) const OFFLOAD: bool = cfg!(any(test, feature = "offload"));
pub(crate) const OUT_OF_ORDER: bool = cfg!(feature = "out-of-order");
pub(crate) const SACK: bool = cfg!(feature = "sack");
pub(crate) const SLOW_START_AFTER_IDLE: bool = cfg!(feature = "slow-start-after-idle");
pub(crate) const TIMESTAMPS: bool = cfg!(feature = "timestamps");
pub(crate) const USER_TIMEOUT: bool = cfg!(feature = "user-timeout");
pub(crate) const WINDOW_SCALE: bool = cfg!(feature = "window-scale");

/// The greatest window scale (RFC 7323 §2.3).
pub(crate) const MAX_WINDOW_SCALE: u8 = 14;
