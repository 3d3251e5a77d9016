//! One connection's place in the stack.

use netloom_driver::Instant;
use netloom_tcp::{CloseReason, Connection};

use crate::list::Links;
use crate::memory::slab::Item;
use crate::tcp::buffers::{BufferPool, Buffers};
#[cfg(feature = "alloc")]
use crate::timers::TimerLinks;
use crate::tunables::Settings;
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
    /// Index + 1 of the listener while the connection is not accepted: see [`TcpSlot::listener`].
    /// Of a flow's connection its place instead, [`TcpSlot::flow`]: nobody accepts that.
    origin: u32,
    /// On its interface's list, or on a neighbour's waiting list.
    pub(crate) links: Links,
    /// On the event list, or on its listener's accept queue.
    pub(crate) news: Links,
    #[cfg(feature = "alloc")]
    pub(crate) timer: TimerLinks,
    pub(crate) reason: Option<CloseReason>,
    /// When the connection wants to be looked at again, whatever happens: the truth that
    /// the wheel only approximates. Zero: never.
    pub(crate) wake_at: Instant,
    pub(crate) buffers: Buffers,
}

// An idle connection whose buffers are drained: all of it within 512 bytes, its place in an index
// that is half full included.
const _: () = assert!(size_of::<TcpSlot>() + 16 <= 512);

/// Set in [`TcpSlot::origin`] where it is the place of a flow: indices have 28 bits, and the uppermost
/// marks a free slot.
#[cfg(feature = "flows")]
const OF_FLOW: u32 = 1 << 30;

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
    /// Opened with text on the SYN, or asking for it, and not established yet.
    #[cfg(feature = "fastopen")]
    pub(crate) const FAST_OPEN: Flags = Flags(128);
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
        origin: 0,
        links: Links::EMPTY,
        news: Links::EMPTY,
        #[cfg(feature = "alloc")]
        timer: TimerLinks::EMPTY,
        wake_at: Instant::ZERO,
        reason: None,
        buffers: Buffers::EMPTY,
    };
}

impl TcpSlot {
    /// Index + 1 of the listener that the connection waits to be accepted from, else 0.
    #[inline]
    pub(crate) fn listener(&self) -> u32 {
        #[cfg(feature = "flows")]
        if self.origin & OF_FLOW != 0 {
            return 0;
        }
        self.origin
    }

    /// Sets what [`TcpSlot::listener`] says.
    pub(crate) fn set_listener(&mut self, listener: u32) {
        self.origin = listener;
    }

    /// The place of the flow that the connection was last, index + 1, else 0: see
    /// [`connection_flow`](crate::stack::Stack::connection_flow).
    #[cfg(feature = "flows")]
    #[inline]
    pub(crate) fn flow(&self) -> u32 {
        if self.origin & OF_FLOW == 0 {
            return 0;
        }
        self.origin & !OF_FLOW
    }

    /// The connection is that of the flow at a place.
    #[cfg(feature = "flows")]
    pub(crate) fn set_flow(&mut self, place: u32) {
        self.origin = place | OF_FLOW;
    }

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

impl TcpSlot {
    /// Whether the wheel has the connection.
    #[inline]
    pub(crate) fn is_armed(&self) -> bool {
        #[cfg(feature = "alloc")]
        return self.timer.is_armed();
        #[cfg(not(feature = "alloc"))]
        false
    }

    /// Takes a slot into use for a connection whose state is set already.
    pub(crate) fn open(
        &mut self,
        tuple: &Tuple,
        iface: u8,
        tunables: &Settings,
        pool: &mut BufferPool,
    ) {
        self.tuple = *tuple;
        self.iface = iface;
        self.ttl = tunables.ip_default_ttl;
        self.buffers.tx_limit = tunables.tcp_wmem;
        self.flags.set(Flags::LIVE);
        self.flags.set(Flags::INDEXED);
        #[cfg(feature = "bbr")]
        if self.conn.wants_path(&tunables.tcp) {
            pool.ensure_path(&mut self.buffers);
        }
        #[cfg(not(feature = "bbr"))]
        let _ = pool;
    }
}

impl Item for TcpSlot {
    const EMPTY: TcpSlot = TcpSlot::NEW;

    #[cfg(feature = "alloc")]
    fn free_link(&mut self) -> &mut u32 {
        &mut self.origin
    }

    #[cfg(not(feature = "alloc"))]
    fn is_free(&self) -> bool {
        !self.flags.has(Flags::LIVE)
    }

    /// The next connection here has another generation, and the same lent memory.
    fn reset(&mut self) {
        let TcpSlot {
            conn,
            tuple,
            iface,
            ttl,
            tos,
            flags,
            generation,
            origin,
            links,
            news,
            #[cfg(feature = "alloc")]
            timer,
            reason,
            wake_at,
            buffers,
        } = self;
        *conn = Connection::EMPTY;
        *tuple = Tuple::EMPTY;
        (*iface, *ttl, *tos, *flags) = (0, 0, 0, Flags(0));
        *generation = generation.wrapping_add(1);
        *origin = 0;
        (*links, *news) = (Links::EMPTY, Links::EMPTY);
        #[cfg(feature = "alloc")]
        {
            *timer = TimerLinks::EMPTY;
        }
        *reason = None;
        *wake_at = Instant::ZERO;
        buffers.forget();
    }
}
