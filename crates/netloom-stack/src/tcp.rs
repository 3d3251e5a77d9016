//! TCP around its connections: demultiplexing, handshakes, the ends of connections, sockets.
//!
//! What a single connection does is [`netloom_tcp`]'s; this module finds it, lends it memory,
//! emits what it plans, and applies the [`Outcome`](netloom_tcp::Outcome) of every call.

mod accept;
mod buffers;
#[cfg(feature = "syn-cookies")]
mod cookies;
mod end;
mod handshake;
mod input;
mod listener;
mod open;
mod output;

mod slot;
mod socket;
mod syn_queue;
mod time_wait;

pub use listener::{Backlog, ListenAddr, ListenOptions};
pub use socket::How;

pub(crate) use buffers::BufferPool;
pub(crate) use listener::Listener;
pub(crate) use slot::{Flags, TcpSlot};
pub(crate) use syn_queue::{HalfOpenEntry, SynQueue};
pub(crate) use time_wait::TimeWaitEntry;

use crate::deadlines::Deadlines;
use crate::list::List;
use crate::port_alloc::PortAllocator;
use crate::tuple::Tuple;
use netloom_wire::Addr;

/// What TCP keeps beside its connections.
pub(crate) struct TcpState {
    pub(crate) buffers: BufferPool,
    pub(crate) deadlines: Deadlines,
    pub(crate) syn: SynQueue,
    /// Connections in TIME-WAIT, oldest first.
    pub(crate) time_wait: List,
    pub(crate) ports: PortAllocator,
    /// Connections that finish without an owner.
    pub(crate) orphans: u32,
    /// The listener found last for an address and port on an interface; forgotten when
    /// listeners come or go.
    pub(crate) last_listener: Option<((Addr, u16, u8), u32)>,
    /// The secrets of a tuple that were asked for last, and whose.
    pub(crate) secrets: (u32, u32),
    pub(crate) secrets_of: Tuple,
}

impl TcpState {
    pub(crate) const fn new(buffers: BufferPool, deadlines: Deadlines) -> TcpState {
        TcpState {
            buffers,
            deadlines,
            syn: SynQueue::EMPTY,
            time_wait: List::EMPTY,
            ports: PortAllocator::EMPTY,
            orphans: 0,
            last_listener: None,
            secrets: (0, 0),
            secrets_of: Tuple::EMPTY,
        }
    }
}
