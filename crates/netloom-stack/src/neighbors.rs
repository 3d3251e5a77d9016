//! The stack's side of neighbour resolution: asking, learning, and moving on those who waited.

use netloom_wire::{Addr, MacAddr};

use crate::counters::DropReason;
use crate::error::Error;
use crate::event::IfaceId;
use crate::list::{Kind, Ref};
use crate::log::note;
use crate::neighbor::{Action, Learn, Neighbor, NeighborId};
use crate::stack::Stack;
use crate::tables::Sending;

impl Stack {
    /// Takes a link-layer address into the cache and lets those go on who waited for it.
    pub(crate) fn learn_neighbor(
        &mut self,
        iface: u8,
        addr: &Addr,
        mac: impl Into<Option<MacAddr>>,
        how: Learn,
    ) {
        // What is not on the link cannot be reached by a link-layer address: only routes say
        // where it is.
        let link_local = addr.is_link_local() && !addr.is_v4();
        if !link_local && !self.routes.is_on_link(iface, addr) {
            return;
        }
        self.routes.set_gateway_reachable(iface, addr, true);
        if let Some(id) = self.neighbors.learn(self.clock.now, iface, addr, mac, how) {
            self.release_waiting(iface, id);
        }
    }

    /// Those who waited for a neighbour owe their frames again, in the order they came.
    fn release_waiting(&mut self, iface: u8, id: NeighborId) {
        while let Some(item) = self.pop_waiting(id) {
            match item.kind() {
                Some(Kind::Connection | Kind::Udp) => self.owe(iface, item),
                Some(_) => self.push_control(iface, item),
                None => {}
            }
        }
    }

    fn pop_waiting(&mut self, id: NeighborId) -> Option<Ref> {
        let neighbor = self.neighbors.get_mut(id)?;
        let item = neighbor.waiting.pop_front(&mut Sending(&mut self.tables))?;
        neighbor.waiting_count = neighbor.waiting_count.saturating_sub(1);
        Some(item)
    }

    /// Asks for the neighbours that are to be asked for, and tells those who waited in vain.
    pub(crate) fn fire_neighbors(&mut self) {
        while let Some(action) = self.neighbors.poll(self.clock.now, &self.neighbor_tunables) {
            match action {
                Action::Solicit {
                    iface,
                    addr,
                    unicast,
                    id,
                } => {
                    // What could not be queued is as good as lost on the wire. Asking again at
                    // once would ask without end.
                    let _ = (id, self.solicit(iface, &addr, unicast));
                }
                Action::Failed { id } => {
                    note!(debug, "a neighbour does not answer");
                    self.fail_waiting(id);
                }
                Action::Expired { iface, addr, .. } => {
                    self.routes.set_gateway_reachable(iface, &addr, false);
                    self.destinations.forget_router(&addr);
                }
            }
        }
    }

    fn solicit(
        &mut self,
        iface: u8,
        addr: &Addr,
        unicast: Option<MacAddr>,
    ) -> Result<(), DropReason> {
        let mac = self
            .interface(iface)
            .map(|i| i.mac)
            .ok_or(DropReason::NoInterface)?;
        #[cfg(feature = "ipv4")]
        if addr.is_v4() {
            return self.solicit_arp(iface, mac, addr, unicast);
        }
        #[cfg(feature = "ipv6")]
        {
            self.solicit_nd(iface, mac, addr, unicast)
        }
        #[cfg(not(feature = "ipv6"))]
        {
            let _ = (mac, unicast);
            Err(DropReason::UnknownVersion)
        }
    }

    /// The neighbour does not answer: packets are dropped, connections and sockets are told.
    fn fail_waiting(&mut self, id: NeighborId) {
        while let Some(item) = self.pop_waiting(id) {
            match item.kind() {
                Some(Kind::Packet) => self.drop_held(item.index(), DropReason::NeighborFailed),
                #[cfg(feature = "tcp")]
                Some(Kind::Connection) => self.next_hop_failed(item.index()),
                #[cfg(feature = "tcp")]
                Some(Kind::HalfOpen) => self.drop_half_open(item.index()),
                #[cfg(feature = "udp")]
                Some(Kind::Udp) => self.udp_next_hop_failed(item.index()),
                Some(_) | None => {}
            }
        }
    }

    /// Tells the cache a neighbour's link-layer address for good: it is neither asked for nor
    /// overwritten by what the link says.
    ///
    /// # Errors
    /// [`Error::NoSuchInterface`], [`Error::InvalidArgument`] for a group address,
    /// [`Error::CapacityExhausted`].
    pub fn add_neighbor(
        &mut self,
        iface: IfaceId,
        addr: impl Into<Addr>,
        mac: MacAddr,
    ) -> Result<(), Error> {
        let addr = addr.into();
        self.interface(iface.0).ok_or(Error::NoSuchInterface)?;
        if !addr.is_unicast() || !mac.is_unicast() {
            return Err(Error::InvalidArgument);
        }
        match self.neighbors.add_static(iface.0, &addr, mac) {
            Ok(id) => {
                self.release_waiting(iface.0, id);
                Ok(())
            }
            Err(_) => Err(Error::CapacityExhausted),
        }
    }

    /// Forgets everything learned of an interface's neighbours, static entries excepted.
    pub fn flush_neighbors(&mut self, iface: IfaceId) {
        self.neighbors.flush(iface.0);
    }

    /// The neighbour cache.
    pub fn neighbors(&self) -> impl Iterator<Item = &Neighbor> {
        self.neighbors.iter()
    }
}
