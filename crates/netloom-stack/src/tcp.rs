//! TCP around its connections: demultiplexing, handshakes, the ends of connections, sockets.
//!
//! What a single connection does is [`netloom_tcp`]'s; this module finds it, lends it memory,
//! emits what it plans, and applies the [`Outcome`](netloom_tcp::Outcome) of every call.

mod accept;
#[cfg(feature = "autotune")]
mod autotune;
mod buffers;
#[cfg(feature = "syn-cookies")]
mod cookies;
mod end;
#[cfg(all(
    feature = "alloc",
    feature = "ipv4",
    feature = "fast-retransmit",
    target_pointer_width = "64"
))]
mod fast;
#[cfg(feature = "fastopen")]
mod fast_open;
mod handshake;
mod input;
mod link_loss;
mod listener;
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(feature = "active-open")]
mod open;
mod output;
#[cfg(all(feature = "alloc", feature = "gather", target_pointer_width = "64"))]
mod placed;
mod settings;
mod slot;
mod socket;
mod syn_queue;
mod time_wait;

pub use listener::{Backlog, ListenAddr, ListenOptions};
#[cfg(feature = "active-open")]
pub use open::ConnectFrom;
pub use settings::TcpSettings;
pub use socket::How;

pub(crate) use buffers::BufferPool;
#[cfg(all(
    feature = "alloc",
    feature = "ipv4",
    feature = "fast-retransmit",
    target_pointer_width = "64"
))]
pub(crate) use fast::PlainTurn;
#[cfg(feature = "flows")]
pub(crate) use input::drop_reason;
#[cfg(not(feature = "alloc"))]
pub(crate) use input::reply_head;
pub(crate) use listener::Listener;
#[cfg(all(feature = "alloc", feature = "gather", target_pointer_width = "64"))]
pub(crate) use placed::Taking;
pub(crate) use slot::{Flags, TcpSlot};
#[cfg(not(feature = "alloc"))]
pub(crate) use syn_queue::LEVELS;
pub(crate) use syn_queue::{HalfOpenEntry, SynQueue};
pub(crate) use time_wait::TimeWaitEntry;

use crate::clock::Quiet;
use crate::deadlines::Deadlines;
#[cfg(feature = "alloc")]
use crate::list::List;
use crate::port_alloc::PortAllocator;
#[cfg(any(
    target_pointer_width = "64",
    all(feature = "alloc", feature = "active-open")
))]
use crate::tuple::Tuple;
#[cfg(feature = "alloc")]
use netloom_wire::Addr;

/// What TCP keeps beside its connections.
pub(crate) struct TcpState {
    pub(crate) buffers: BufferPool,
    pub(crate) deadlines: Deadlines,
    pub(crate) syn: SynQueue,
    /// No SYN entry and no TIME-WAIT is due.
    pub(crate) quiet: Quiet,
    /// Connections in TIME-WAIT, oldest first.
    #[cfg(feature = "alloc")]
    pub(crate) time_wait: List,
    pub(crate) ports: PortAllocator,
    /// The keys of Fast Open cookies, once there are any.
    #[cfg(feature = "fastopen")]
    pub(crate) cookie_keys: Option<fast_open::CookieKeys>,
    /// Connections that finish without an owner.
    pub(crate) orphans: u32,
    /// The listener found last for an address and port on an interface; forgotten when
    /// listeners come or go.
    #[cfg(feature = "alloc")]
    pub(crate) last_listener: Option<((Addr, u16, u8), u32)>,
    /// The secrets of a tuple that were asked for last, and whose. To remember them is dear on
    /// small machines.
    #[cfg(target_pointer_width = "64")]
    pub(crate) secrets: (u32, u32),
    #[cfg(target_pointer_width = "64")]
    pub(crate) secrets_of: Tuple,
    /// What a port was chosen with last, and for which ends.
    #[cfg(all(feature = "alloc", feature = "active-open"))]
    pub(crate) port_secrets: (u32, u32),
    #[cfg(all(feature = "alloc", feature = "active-open"))]
    pub(crate) port_secrets_of: Tuple,
    /// Whose text is guessed to come next, and whose stands in its ring already.
    #[cfg(all(feature = "alloc", feature = "gather", target_pointer_width = "64"))]
    placed: placed::Placed,
}

impl TcpState {
    pub(crate) const fn new(buffers: BufferPool, deadlines: Deadlines) -> TcpState {
        TcpState {
            buffers,
            deadlines,
            syn: SynQueue::EMPTY,
            quiet: Quiet::NONE,
            #[cfg(feature = "alloc")]
            time_wait: List::EMPTY,
            ports: PortAllocator::EMPTY,
            #[cfg(feature = "fastopen")]
            cookie_keys: None,
            orphans: 0,
            #[cfg(feature = "alloc")]
            last_listener: None,
            #[cfg(target_pointer_width = "64")]
            secrets: (0, 0),
            #[cfg(target_pointer_width = "64")]
            secrets_of: Tuple::EMPTY,
            #[cfg(all(feature = "alloc", feature = "active-open"))]
            port_secrets: (0, 0),
            #[cfg(all(feature = "alloc", feature = "active-open"))]
            port_secrets_of: Tuple::EMPTY,
            #[cfg(all(feature = "alloc", feature = "gather", target_pointer_width = "64"))]
            placed: placed::Placed::NONE,
        }
    }
}
