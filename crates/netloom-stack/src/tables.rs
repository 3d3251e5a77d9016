//! Everything the stack keeps by index, and the two ways items hang together: what owes
//! frames, and what owes news.

use netloom_driver::Instant;

use crate::deadlines::Truth;
use crate::list::{Kind, Links, Nodes, Ref};
#[cfg(any(feature = "tcp", feature = "udp"))]
use crate::memory::slab::Slab;
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
    pub(crate) packets: Packets,
}

/// The links by which items owe frames: to an interface, to a neighbour, to a clock.
pub(crate) struct Sending<'a>(pub(crate) &'a mut Tables);

impl Nodes for Sending<'_> {
    #[inline]
    fn links(&mut self, r: Ref) -> Option<&mut Links> {
        let index = r.index();
        match r.kind()? {
            #[cfg(feature = "tcp")]
            Kind::Connection => Some(&mut self.0.connections.get_mut(index)?.links),
            #[cfg(feature = "tcp")]
            Kind::HalfOpen => Some(&mut self.0.half_open.get_mut(index)?.links),
            #[cfg(feature = "tcp")]
            Kind::TimeWait => Some(&mut self.0.time_wait.get_mut(index)?.links),
            #[cfg(feature = "udp")]
            Kind::Udp => Some(&mut self.0.udp.get_mut(index)?.links),
            Kind::Packet => Some(&mut self.0.packets.packets.get_mut(index)?.links),
            Kind::Listener | Kind::Echo => None,
            #[cfg(not(feature = "tcp"))]
            Kind::Connection | Kind::HalfOpen | Kind::TimeWait => None,
            #[cfg(not(feature = "udp"))]
            Kind::Udp => None,
        }
    }
}

/// The links by which items owe their user news: events and accept queues.
pub(crate) struct News<'a>(pub(crate) &'a mut Tables);

impl Nodes for News<'_> {
    #[inline]
    fn links(&mut self, r: Ref) -> Option<&mut Links> {
        let index = r.index();
        match r.kind()? {
            #[cfg(feature = "tcp")]
            Kind::Connection => Some(&mut self.0.connections.get_mut(index)?.news),
            #[cfg(feature = "tcp")]
            Kind::Listener => Some(&mut self.0.listeners.get_mut(index)?.news),
            #[cfg(feature = "udp")]
            Kind::Udp => Some(&mut self.0.udp.get_mut(index)?.news),
            Kind::HalfOpen | Kind::TimeWait | Kind::Packet | Kind::Echo => None,
            #[cfg(not(feature = "tcp"))]
            Kind::Connection | Kind::Listener => None,
            #[cfg(not(feature = "udp"))]
            Kind::Udp => None,
        }
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
