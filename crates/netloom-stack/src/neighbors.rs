//! The stack's side of neighbour resolution: asking, learning, and moving on those who waited.

use netloom_driver::{FrameSink, Full, TxMeta};
use netloom_wire::{Addr, MacAddr};

use crate::counters::DropReason;
use crate::error::Error;
use crate::event::IfaceId;
use crate::list::Kind;
use crate::log::note;
use crate::neighbor::{Action, Learn, Neighbor, NeighborId};
use crate::stack::{Sent, Stack};

/// Header, ARP packet.
const ARP_REQUEST: usize = 14 + 28;
/// Header, IPv6 header, solicitation with an option.
const SOLICITATION: usize = 14 + 40 + 32;
/// How long a solicitation waits that found the device full.
const RETRY_MICROS: u64 = 10_000;

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
        if cfg!(feature = "nud") && self.routes.set_gateway_reachable(iface, addr, true) {
            self.recent.forget();
        }
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

    /// Asks for an interface's neighbours that are to be asked for, and tells those who waited
    /// in vain. `false` if the device was full.
    ///
    /// Solicitations go straight into the device: were they queued with the packets that wait
    /// for their answer, a full queue would never empty.
    #[inline]
    pub(crate) fn fire_neighbors(
        &mut self,
        iface: u8,
        sink: &mut dyn FrameSink,
        sent: &mut Sent,
    ) -> bool {
        self.neighbors.is_calm() || self.fire_due_neighbors(iface, sink, sent)
    }

    fn fire_due_neighbors(&mut self, iface: u8, sink: &mut dyn FrameSink, sent: &mut Sent) -> bool {
        let now = self.clock.now;
        while let Some(action) = self
            .neighbors
            .poll_iface(now, iface, &self.neighbor_tunables)
        {
            match action {
                Action::Solicit {
                    addr, unicast, id, ..
                } => {
                    if self.solicit(iface, &addr, unicast, sink, sent).is_err() {
                        // Due again, but not now: a full device makes no busy loop.
                        self.neighbors.not_sent(id, now.plus_micros(RETRY_MICROS));
                        return false;
                    }
                }
                Action::Failed { id } => {
                    note!(debug, "a neighbour does not answer");
                    self.fail_waiting(id);
                }
                Action::Expired { iface, addr, .. } => {
                    self.recent.forget();
                    self.routes.set_gateway_reachable(iface, &addr, false);
                    #[cfg(feature = "icmp-errors")]
                    self.destinations.forget_router(&addr);
                }
            }
        }
        true
    }

    /// Asks for a neighbour's link-layer address. Without an address to ask from nothing is
    /// sent, and the neighbour counts as not answering.
    fn solicit(
        &mut self,
        iface: u8,
        addr: &Addr,
        unicast: Option<MacAddr>,
        sink: &mut dyn FrameSink,
        sent: &mut Sent,
    ) -> Result<(), Full> {
        let source = self.source_for(addr, iface, addr);
        let (Some(mac), Some(source)) = (self.interface(iface).map(|i| i.mac), source) else {
            self.drop_output(DropReason::SourceGone);
            return Ok(());
        };
        let len = if addr.is_v4() {
            ARP_REQUEST
        } else {
            SOLICITATION
        };
        sink.frame(len, &TxMeta::default(), &mut |frame| {
            match addr.v4_octets() {
                #[cfg(feature = "ipv4")]
                Some(_) => crate::arp::request(frame, mac, source, addr, unicast),
                #[cfg(feature = "ipv6")]
                None => crate::icmp::solicitation(frame, mac, source, addr, unicast),
                #[cfg(not(all(feature = "ipv4", feature = "ipv6")))]
                _ => 0,
            };
        })?;
        self.count_sent(sent);
        Ok(())
    }

    /// The neighbour does not answer: packets are dropped, connections and sockets are told.
    fn fail_waiting(&mut self, id: NeighborId) {
        while let Some(item) = self.pop_waiting(id) {
            match item.kind() {
                #[cfg(feature = "hold")]
                Some(Kind::Packet) => {
                    #[cfg(feature = "udp")]
                    self.held_datagram_failed(item.index());
                    self.drop_held(item.index(), DropReason::NeighborFailed);
                }
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

    /// Tells the cache a neighbour's link-layer address as if a request from it had been heard:
    /// used at once, verified when it is used, aged and replaced as others are. For a protocol
    /// that knows the address from its own messages, as a DHCP server does before its client
    /// answers ARP (RFC 2131 §4.1).
    ///
    /// # Errors
    /// [`Error::NoSuchInterface`] if it is not an Ethernet interface; [`Error::InvalidArgument`]
    /// for a group address; [`Error::NoRoute`] if the address is not on the interface's link;
    /// [`Error::CapacityExhausted`] if the cache has no room for it.
    pub fn seed_neighbor(
        &mut self,
        iface: IfaceId,
        addr: impl Into<Addr>,
        mac: MacAddr,
    ) -> Result<(), Error> {
        let addr = addr.into();
        self.interface(iface.0)
            .filter(|interface| interface.ethernet)
            .ok_or(Error::NoSuchInterface)?;
        if !addr.is_unicast() || !mac.is_unicast() {
            return Err(Error::InvalidArgument);
        }
        if !self.routes.is_on_link(iface.0, &addr) {
            return Err(Error::NoRoute);
        }
        self.learn_neighbor(iface.0, &addr, mac, Learn::Request);
        let known = self.neighbors.find(iface.0, &addr);
        known
            .filter(|neighbor| neighbor.mac().is_some())
            .map(|_| ())
            .ok_or(Error::CapacityExhausted)
    }

    /// Forgets everything learned of an interface's neighbours, static entries excepted.
    pub fn flush_neighbors(&mut self, iface: IfaceId) {
        self.neighbors.flush(iface.0);
    }

    /// The link-layer address of an Ethernet interface; `None` if it is none.
    pub fn mac(&self, iface: IfaceId) -> Option<MacAddr> {
        self.interface(iface.0)
            .filter(|interface| interface.ethernet)
            .map(|interface| interface.mac)
    }

    /// The neighbour cache.
    pub fn neighbors(&self) -> impl Iterator<Item = &Neighbor> {
        self.neighbors.iter()
    }
}
