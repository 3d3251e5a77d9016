//! One connection's place in the stack.

use netloom_driver::Instant;
use netloom_tcp::{CloseReason, Connection};

use crate::list::Links;
use crate::memory::slab::Item;
use crate::tcp::buffers::Buffers;
#[cfg(feature = "alloc")]
use crate::timers::TimerLinks;
use crate::tuple::Tuple;

/// A connection with everything the stack keeps beside it.
#[repr(C)]
pub(crate) struct TcpSlot {
    pub(crate) conn: Connection,
    pub(crate) tuple: Tuple,
    /// The interface its frames last left on.
    pub(crate) iface: u8,
    pub(crate) ttl: u8,
    /// DSCP in the upper six bits, as in the IP header.
    pub(crate) tos: u8,
    pub(crate) flags: Flags,
    pub(crate) generation: u32,
    /// Index + 1 of the listener while the connection is not accepted.
    pub(crate) listener: u32,
    /// On its interface's list, or on a neighbour's waiting list.
    pub(crate) links: Links,
    /// On the event list, or on its listener's accept queue.
    pub(crate) news: Links,
    #[cfg(feature = "alloc")]
    pub(crate) timer: TimerLinks,
    /// When the connection wants to be looked at again, whatever happens: the truth that
    /// the wheel only approximates. Zero: never.
    pub(crate) wake_at: Instant,
    /// The largest the send ring may grow to.
    pub(crate) tx_limit: u32,
    pub(crate) reason: Option<CloseReason>,
    pub(crate) buffers: Buffers,
}

// An idle connection whose buffers are drained: all of it within 512 bytes, its place in an index
// that is half full included.
const _: () = assert!(size_of::<TcpSlot>() + 16 <= 512);

/// What holds of a slot beside its connection's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Flags(u8);

impl Flags {
    /// The slot is taken.
    pub(crate) const LIVE: Flags = Flags(1);
    /// A program holds a handle.
    pub(crate) const OWNED: Flags = Flags(2);
    /// The index names it.
    pub(crate) const INDEXED: Flags = Flags(4);
    /// The end of its connection was applied.
    pub(crate) const ENDED: Flags = Flags(8);
    /// A soft error waits to be taken.
    pub(crate) const SOFT_ERROR: Flags = Flags(16);
    /// Urgent data was announced.
    pub(crate) const URGENT: Flags = Flags(32);
    /// The user reads no more: for it the stream has ended.
    pub(crate) const READ_SHUT: Flags = Flags(64);

    pub(crate) fn has(self, flag: Flags) -> bool {
        self.0 & flag.0 != 0
    }

    pub(crate) fn set(&mut self, flag: Flags) {
        self.0 |= flag.0;
    }

    pub(crate) fn clear(&mut self, flag: Flags) {
        self.0 &= !flag.0;
    }
}

impl TcpSlot {
    pub(crate) const NEW: TcpSlot = TcpSlot {
        conn: Connection::EMPTY,
        tuple: Tuple::EMPTY,
        iface: 0,
        ttl: 0,
        tos: 0,
        flags: Flags(0),
        generation: 0,
        listener: 0,
        links: Links::EMPTY,
        news: Links::EMPTY,
        #[cfg(feature = "alloc")]
        timer: TimerLinks::EMPTY,
        wake_at: Instant::ZERO,
        tx_limit: 0,
        reason: None,
        buffers: Buffers::EMPTY,
    };
}

impl TcpSlot {
    /// When to look at the connection again; `None` if only something from outside matters.
    #[inline]
    pub(crate) fn deadline(&self) -> Option<Instant> {
        if self.wake_at == Instant::ZERO || !self.flags.has(Flags::LIVE) {
            None
        } else {
            Some(self.wake_at)
        }
    }
}

impl TcpSlot {
    /// Whether the wheel, as it was armed last, hands the connection out by `until`: mostly so,
    /// because deadlines move away with every acknowledgment.
    #[inline]
    pub(crate) fn is_armed_by(&self, until: Option<Instant>) -> bool {
        #[cfg(feature = "alloc")]
        if let Some(until) = until {
            return self.timer.is_armed() && self.wake_at != Instant::ZERO && self.wake_at <= until;
        }
        until.is_none()
    }
}

impl Item for TcpSlot {
    const EMPTY: TcpSlot = TcpSlot::NEW;

    fn free_link(&mut self) -> &mut u32 {
        &mut self.listener
    }

    /// The next connection here has another generation, and the same lent memory.
    fn reset(&mut self) {
        let generation = self.generation.wrapping_add(1);
        let buffers = core::mem::replace(&mut self.buffers, Buffers::EMPTY);
        *self = TcpSlot::NEW;
        self.generation = generation;
        self.buffers = buffers;
        self.buffers.forget();
    }
}
