//! Everything the stack keeps by index.

use netloom_driver::Instant;

use crate::deadlines::Truth;
use crate::list::{Kind, Links, Ref};
#[cfg(any(feature = "tcp", feature = "udp"))]
use crate::memory::slab::Slab;
#[cfg(feature = "hold")]
use crate::packet::Packets;
#[cfg(feature = "tcp")]
use crate::tcp::{HalfOpenEntry, Listener, TcpSlot, TimeWaitEntry};
use crate::timers::{TimerLinks, TimerNodes};
#[cfg(feature = "udp")]
use crate::udp::UdpSlot;

pub(crate) struct Tables {
    #[cfg(feature = "tcp")]
    pub(crate) connections: Slab<TcpSlot>,
    #[cfg(feature = "tcp")]
    pub(crate) half_open: Slab<HalfOpenEntry>,
    #[cfg(feature = "tcp")]
    pub(crate) time_wait: Slab<TimeWaitEntry>,
    #[cfg(feature = "tcp")]
    pub(crate) listeners: Slab<Listener>,
    #[cfg(feature = "udp")]
    pub(crate) udp: Slab<UdpSlot>,
    #[cfg(feature = "flows")]
    pub(crate) flows: Slab<crate::flow::FlowSlot>,
    #[cfg(feature = "hold")]
    pub(crate) packets: Packets,
}

/// The links of an item, borrowed by the slabs' `get` or `get_mut`: those by which it waits to be
/// sent, or, for news, to be told of or accepted.
macro_rules! links {
    ($tables:expr, $item:expr, $news:expr, $get:ident, $($borrow:tt)+) => {{
        let index = $item.index();
        match ($item.kind()?, $news) {
            #[cfg(feature = "tcp")]
            (Kind::Connection, false) => Some($($borrow)+ $tables.connections.$get(index)?.links),
            #[cfg(feature = "tcp")]
            (Kind::Connection, true) => Some($($borrow)+ $tables.connections.$get(index)?.news),
            #[cfg(feature = "tcp")]
            (Kind::HalfOpen, false) => Some($($borrow)+ $tables.half_open.$get(index)?.links),
            #[cfg(all(feature = "tcp", feature = "alloc"))]
            (Kind::TimeWait, false) => Some($($borrow)+ $tables.time_wait.$get(index)?.links),
            #[cfg(all(feature = "tcp", not(feature = "alloc")))]
            (Kind::TimeWait, false) => None,
            #[cfg(feature = "tcp")]
            (Kind::Listener, true) => Some($($borrow)+ $tables.listeners.$get(index)?.news),
            #[cfg(feature = "udp")]
            (Kind::Udp, false) => Some($($borrow)+ $tables.udp.$get(index)?.links),
            #[cfg(feature = "udp")]
            (Kind::Udp, true) => Some($($borrow)+ $tables.udp.$get(index)?.news),
            #[cfg(not(feature = "hold"))]
            (Kind::Packet, false) => None,
            #[cfg(feature = "hold")]
            (Kind::Packet, false) => Some($($borrow)+ $tables.packets.packets.$get(index)?.links),
            (Kind::HalfOpen | Kind::TimeWait | Kind::Packet, true)
            | (Kind::Listener, false)
            | (Kind::Echo, _) => None,
            #[cfg(not(feature = "tcp"))]
            (Kind::Connection, _)
            | (Kind::HalfOpen | Kind::TimeWait, false)
            | (Kind::Listener, true) => None,
            #[cfg(not(feature = "udp"))]
            (Kind::Udp, _) => None,
        }
    }};
}

impl Tables {
    /// An item's links for sending, or for its user's news; `None` if there is no such item.
    #[inline(never)]
    pub(crate) fn links_mut(&mut self, item: Ref, news: bool) -> Option<&mut Links> {
        links!(self, item, news, get_mut, &mut)
    }

    /// As [`links_mut`](Tables::links_mut), to be read.
    #[cfg(not(feature = "alloc"))]
    #[inline(never)]
    pub(crate) fn links(&self, item: Ref, news: bool) -> Option<&Links> {
        links!(self, item, news, get, &)
    }
}

/// The deadlines of connections.
#[cfg(feature = "tcp")]
pub(crate) struct ConnectionTimers<'a>(pub(crate) &'a mut Slab<TcpSlot>);

#[cfg(feature = "tcp")]
impl TimerNodes for ConnectionTimers<'_> {
    #[inline]
    #[cfg(feature = "alloc")]
    fn timer(&mut self, index: u32) -> Option<&mut TimerLinks> {
        Some(&mut self.0.get_mut(index)?.timer)
    }

    /// Lent memory is scanned: there is no wheel, and nothing hangs in it.
    #[cfg(not(feature = "alloc"))]
    fn timer(&mut self, _: u32) -> Option<&mut TimerLinks> {
        None
    }
}

#[cfg(feature = "tcp")]
impl Truth for Slab<TcpSlot> {
    fn bound(&self) -> u32 {
        self.high_water()
    }
    fn deadline(&self, index: u32) -> Option<Instant> {
        self.get(index)?.deadline()
    }
}

#[cfg(feature = "tcp")]
impl Truth for ConnectionTimers<'_> {
    fn bound(&self) -> u32 {
        self.0.bound()
    }
    fn deadline(&self, index: u32) -> Option<Instant> {
        self.0.deadline(index)
    }
}

/// The wake-up times of UDP sockets.
#[cfg(feature = "udp")]
pub(crate) struct UdpTimers<'a>(pub(crate) &'a mut Slab<UdpSlot>);

#[cfg(feature = "udp")]
impl TimerNodes for UdpTimers<'_> {
    #[inline]
    fn timer(&mut self, index: u32) -> Option<&mut TimerLinks> {
        Some(&mut self.0.get_mut(index)?.timer)
    }
}

#[cfg(feature = "udp")]
impl Truth for Slab<UdpSlot> {
    fn bound(&self) -> u32 {
        self.high_water()
    }
    fn deadline(&self, index: u32) -> Option<Instant> {
        let slot = self.get(index)?;
        if slot.live { slot.wake_at } else { None }
    }
}

#[cfg(feature = "udp")]
impl Truth for UdpTimers<'_> {
    fn bound(&self) -> u32 {
        self.0.bound()
    }
    fn deadline(&self, index: u32) -> Option<Instant> {
        self.0.deadline(index)
    }
}
