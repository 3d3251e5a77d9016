//! Where items wait: to be sent, to be told of, to be accepted. Nothing scans all sockets.
//!
//! Every item has two places to wait at ([`Links`](crate::list::Links)): one to be sent from,
//! one for its user. [`On`] names the list. On the heap lists are linked
//! ([`List`](crate::list::List)); on lent memory alone, where there are a handful of items, each
//! says where it waits and since when, and the first is found by a look at all of them.

#[cfg(feature = "alloc")]
mod linked;
#[cfg(not(feature = "alloc"))]
mod scanned;

#[cfg(feature = "tcp")]
use netloom_wire::hint::cold_path;

use crate::list::{Kind, Ref};
use crate::neighbor::NeighborId;
use crate::stack::Stack;

/// The name of a list that items wait on: kept in their links, so that they can be taken off from
/// the middle. Never 0.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct On(u32);

impl On {
    const CONTROL: u32 = 0x100;
    const OWING: u32 = 0x200;
    const HANDSHAKE: u32 = 0x300;
    /// Set in the names of neighbours' waiting lists: the other bits are the place in the cache.
    const NEIGHBOR: u32 = 0x4000;
    /// Set in the names of lists on which items wait for their users. The others fit 15 bits.
    const NEWS: u32 = 1 << 31;

    /// What owes its user news.
    pub(crate) const EVENTS: On = On(On::NEWS | Ref::MAX_INDEX);
    /// Connections in TIME-WAIT, oldest first.
    #[cfg(all(feature = "tcp", feature = "alloc"))]
    pub(crate) const TIME_WAIT: On = On(0x400);

    /// What an interface sends before any data.
    pub(crate) const fn control(iface: u8) -> On {
        On(On::CONTROL | iface as u32)
    }

    /// Connections and sockets that may owe an interface frames, in turn.
    pub(crate) const fn owing(iface: u8) -> On {
        On(On::OWING | iface as u32)
    }

    /// Handshakes whose SYN-ACK was repeated this often.
    #[cfg(feature = "tcp")]
    pub(crate) const fn handshake(level: u8) -> On {
        On(On::HANDSHAKE | level as u32)
    }

    /// Those who wait for the neighbour in this place of the cache, below 2^14.
    const fn neighbor(index: u16) -> On {
        On(On::NEIGHBOR | index as u32)
    }

    /// Connections that wait to be accepted from this listener.
    #[cfg(feature = "tcp")]
    pub(crate) const fn accept(listener: u32) -> On {
        On(On::NEWS | listener)
    }

    /// The name of a list of what is to be sent, as its members' links keep it.
    #[cfg(feature = "alloc")]
    pub(crate) const fn name(self) -> u16 {
        self.0 as u16
    }

    /// Whether items wait there for their users, not for the network.
    const fn is_news(self) -> bool {
        self.0 & On::NEWS != 0
    }
}

impl Stack {
    /// Puts an item on its interface's control list.
    pub(crate) fn push_control(&mut self, iface: u8, item: Ref) {
        self.put(On::control(iface), item);
    }

    /// Has an item looked at in the interface's next transmit turn.
    #[inline]
    pub(crate) fn owe(&mut self, iface: u8, item: Ref) {
        self.put(On::owing(iface), item);
    }

    /// [`owe`](Stack::owe) for a connection: one look at it is enough while the list is empty.
    #[cfg(feature = "tcp")]
    #[inline]
    pub(crate) fn owe_connection(&mut self, iface: u8, index: u32) {
        let item = Ref::new(Kind::Connection, index);
        #[cfg(all(feature = "alloc", target_pointer_width = "64"))]
        if let (Some(slot), Some(interface)) = (
            self.tables.connections.get_mut(index),
            self.interfaces.get_mut(usize::from(iface)),
        ) {
            let name = On::owing(iface).name();
            if interface.owing.begin_with(&mut slot.links, item, name) {
                return;
            }
        }
        cold_path();
        self.owe(iface, item);
    }

    /// Has an item's news told, once.
    #[inline]
    pub(crate) fn news(&mut self, item: Ref) {
        if cfg!(feature = "events") {
            self.put(On::EVENTS, item);
        }
    }

    /// Takes an item's news back.
    #[inline]
    pub(crate) fn forget_news(&mut self, item: Ref) {
        if cfg!(feature = "events") {
            self.take_off(On::EVENTS, item);
        }
    }

    /// Puts an item on a neighbour's waiting list, if there is room.
    pub(crate) fn wait_for(&mut self, id: NeighborId, item: Ref) -> bool {
        // Connections cost nothing while they wait and are bounded by their number; packets
        // are bounded here.
        #[cfg(feature = "hold")]
        let limit = u16::from(self.tunables.neigh_unres_qlen);
        #[cfg(feature = "hold")]
        let full = |count| count >= limit && item.kind() == Some(Kind::Packet);
        #[cfg(feature = "hold")]
        if self.neighbors.get(id).is_none_or(|n| full(n.waiting_count)) {
            return false;
        }
        #[cfg(not(feature = "hold"))]
        if self.neighbors.get(id).is_none() {
            return false;
        }
        if !self.put(On::neighbor(id.index()), item) {
            return false;
        }
        #[cfg(feature = "hold")]
        if let Some(neighbor) = self.neighbors.get_mut(id) {
            neighbor.waiting_count = neighbor.waiting_count.saturating_add(1);
        }
        true
    }

    /// Takes the first of those who wait for a neighbour.
    pub(crate) fn pop_waiting(&mut self, id: NeighborId) -> Option<Ref> {
        self.neighbors.get(id)?;
        let item = self.take_first(On::neighbor(id.index()))?;
        #[cfg(feature = "hold")]
        self.leave_neighbor(id.index());
        Some(item)
    }

    /// One fewer waits for the neighbour in this place of the cache.
    #[cfg(feature = "hold")]
    fn leave_neighbor(&mut self, index: u16) {
        if let Some(neighbor) = self.neighbors.at_mut(index) {
            neighbor.waiting_count = neighbor.waiting_count.saturating_sub(1);
        }
    }
}
