//! UDP sockets as their users see them.

use core::net::SocketAddr;

use netloom_driver::Instant;
use netloom_wire::Addr;

use crate::deadlines::Deadlines;
use crate::demux::UDP;
use crate::error::Error;
use crate::event::{Event, Readiness, UdpHandle};
use crate::keys::Purpose;
use crate::list::{Kind, Links, Ref};
use crate::memory::mem::Mem;
#[cfg(feature = "alloc")]
use crate::memory::pool::Pool;
use crate::memory::slab::Item;
use crate::port_alloc::PortAllocator;
use crate::stack::Stack;
use crate::tables::UdpTimers;
use crate::timers::TimerLinks;
use crate::tuple::Tuple;
use crate::udp::bind::{UdpBind, wildcard_keys};
use crate::udp::queue::{DatagramQueue, Meta, PushError, Received};
use crate::version::{Version, addr_of, scope_of};

/// A UDP socket.
pub(crate) struct UdpSlot {
    /// What the index knows it by: both ends if it is connected.
    pub(crate) tuple: Tuple,
    pub(crate) live: bool,
    connected: bool,
    broadcast: bool,
    pub(crate) wants_room: bool,
    /// It was told its wake-up time has come, and has not set another.
    woken: bool,
    /// The interface it is bound to, + 1; 0: none.
    bound_iface: u8,
    /// The interface its next datagram leaves by.
    pub(crate) iface: u8,
    ttl: u8,
    /// TTL or hop limit of datagrams to groups.
    multicast_ttl: u8,
    /// Whether this host's members hear what the socket sends to their group.
    multicast_loop: bool,
    /// It takes datagrams for addresses that are not this host's yet.
    unaddressed: bool,
    tos: u8,
    generation: u32,
    free: u32,
    /// The flow this is.
    #[cfg(feature = "flows")]
    pub(crate) flow: crate::flow::FlowId,
    /// It is a flow of ICMP echo messages.
    #[cfg(feature = "flows")]
    pub(crate) echo: bool,
    pub(crate) error: Option<Error>,
    pub(crate) links: Links,
    pub(crate) news: Links,
    pub(crate) timer: TimerLinks,
    pub(crate) wake_at: Option<Instant>,
    pub(crate) rx: DatagramQueue,
    pub(crate) tx: DatagramQueue,
    pub(crate) rx_memory: Mem<u8>,
    pub(crate) tx_memory: Mem<u8>,
}

impl UdpSlot {
    pub(crate) fn lend(&mut self, rx: &'static mut [u8], tx: &'static mut [u8]) {
        self.rx_memory = Mem::Lent(rx);
        self.tx_memory = Mem::Lent(tx);
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.connected
    }

    /// Whether it is for packets of this protocol, which is not TCP.
    #[inline]
    pub(crate) fn is_of(&self, protocol: u8) -> bool {
        #[cfg(feature = "flows")]
        return (protocol == UDP) != self.echo;
        #[cfg(not(feature = "flows"))]
        return protocol == UDP;
    }
}

#[cfg(feature = "flows")]
impl UdpSlot {
    pub(super) fn generation(&self) -> u32 {
        self.generation
    }

    pub(super) fn connect_flow(&mut self, ttl: u8) {
        self.connected = true;
        self.ttl = ttl;
        self.multicast_ttl = 1;
    }
}

impl Item for UdpSlot {
    const EMPTY: UdpSlot = UdpSlot {
        tuple: Tuple::EMPTY,
        live: false,
        connected: false,
        broadcast: false,
        wants_room: false,
        woken: false,
        bound_iface: 0,
        iface: 0,
        ttl: 0,
        multicast_ttl: 0,
        multicast_loop: false,
        unaddressed: false,
        tos: 0,
        generation: 0,
        free: 0,
        #[cfg(feature = "flows")]
        flow: crate::flow::FlowId::NONE,
        #[cfg(feature = "flows")]
        echo: false,
        error: None,
        links: Links::EMPTY,
        news: Links::EMPTY,
        timer: TimerLinks::EMPTY,
        wake_at: None,
        rx: DatagramQueue::EMPTY,
        tx: DatagramQueue::EMPTY,
        rx_memory: Mem::None,
        tx_memory: Mem::None,
    };

    #[cfg(feature = "alloc")]
    fn free_link(&mut self) -> &mut u32 {
        &mut self.free
    }

    #[cfg(not(feature = "alloc"))]
    fn is_free(&self) -> bool {
        !self.live
    }

    fn reset(&mut self) {
        let generation = self.generation.wrapping_add(1);
        let (rx, tx) = (self.rx_memory.take(), self.tx_memory.take());
        *self = UdpSlot::EMPTY;
        self.generation = generation;
        self.rx_memory = rx;
        self.tx_memory = tx;
    }
}

/// What UDP keeps beside its sockets.
pub(crate) struct UdpState {
    pub(crate) ports: PortAllocator,
    pub(crate) deadlines: Deadlines,
    /// Sockets bound to an interface: while there are none, lookups are shorter.
    pub(crate) bound_to_interfaces: u32,
    /// Sockets that take datagrams for addresses not this host's.
    unaddressed: u32,
    #[cfg(feature = "alloc")]
    pub(crate) groups: crate::udp::groups::Groups,
    #[cfg(feature = "alloc")]
    memory: Option<Pool<u8>>,
}

/// Bytes of each queue of a socket on the heap: taken when a datagram comes, given back when
/// all are read.
#[cfg(feature = "alloc")]
const HEAP_QUEUE: usize = 1 << 17;

impl UdpState {
    pub(crate) const fn lent() -> UdpState {
        UdpState {
            ports: PortAllocator::EMPTY,
            deadlines: Deadlines::scan(),
            bound_to_interfaces: 0,
            unaddressed: 0,
            #[cfg(feature = "alloc")]
            groups: crate::udp::groups::Groups::NONE,
            #[cfg(feature = "alloc")]
            memory: None,
        }
    }

    #[cfg(feature = "alloc")]
    pub(crate) fn heap(budget: usize) -> UdpState {
        UdpState {
            ports: PortAllocator::EMPTY,
            deadlines: Deadlines::wheel(),
            bound_to_interfaces: 0,
            unaddressed: 0,
            groups: crate::udp::groups::Groups::NONE,
            memory: Some(Pool::new(budget)),
        }
    }
}

#[cfg(feature = "flows")]
impl UdpState {
    #[cfg(feature = "alloc")]
    pub(super) fn memory(&self) -> Option<&Pool<u8>> {
        self.memory.as_ref()
    }

    #[cfg(feature = "alloc")]
    pub(super) fn memory_mut(&mut self) -> Option<&mut Pool<u8>> {
        self.memory.as_mut()
    }

    /// Whether queues are taken from the heap.
    pub(super) fn is_on_heap(&self) -> bool {
        #[cfg(feature = "alloc")]
        return self.memory.is_some();
        #[cfg(not(feature = "alloc"))]
        return false;
    }
}

/// What is set of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct UdpSettings {
    /// Whether it may send to broadcast addresses ([`Stack::udp_set_broadcast`]).
    pub broadcast: bool,
    /// TTL or hop limit of unicast datagrams ([`Stack::udp_set_ttl`]).
    pub ttl: u8,
    /// DSCP and ECN byte of datagrams sent ([`Stack::udp_set_tos`]).
    pub tos: u8,
    /// TTL or hop limit of datagrams to groups ([`Stack::udp_set_multicast_ttl`]).
    pub multicast_ttl: u8,
    /// Whether members on this host hear them ([`Stack::udp_set_multicast_loop`]).
    pub multicast_loop: bool,
}

/// A datagram to send.
#[derive(Debug, Clone, Copy)]
pub struct UdpMessage {
    /// Where to; `None` on a connected socket.
    pub to: Option<SocketAddr>,
    /// Where from; `None` has the stack choose.
    pub from: Option<core::net::IpAddr>,
}

impl Stack {
    /// Opens a UDP socket.
    ///
    /// # Errors
    /// [`Error::AddressNotAvailable`], [`Error::AddressInUse`], [`Error::PortsExhausted`],
    /// [`Error::NoSuchInterface`], [`Error::CapacityExhausted`], [`Error::OutOfMemory`].
    pub fn udp_bind(&mut self, at: impl Into<UdpBind>) -> Result<UdpHandle, Error> {
        self.udp_open(at.into())
    }

    fn udp_open(&mut self, at: UdpBind) -> Result<UdpHandle, Error> {
        if let Some(iface) = at.iface {
            self.interface(iface.0).ok_or(Error::NoSuchInterface)?;
        }
        let group = at.addr.is_multicast() || at.addr.is_broadcast();
        if !at.addr.is_unspecified() && !group && !self.addresses.is_local(&at.addr) {
            return Err(Error::AddressNotAvailable);
        }
        let port = if at.port == 0 {
            self.pick_udp_port(&at)?
        } else if self.udp_port_taken(&at, at.port) {
            return Err(Error::AddressInUse);
        } else {
            at.port
        };
        let tuple = at.key(port);
        let index = self.tables.udp.insert().ok_or(Error::CapacityExhausted)?;
        let item = Ref::new(Kind::Udp, index);
        if !self.demux.insert(&self.keys, UDP, &tuple, item) {
            self.tables.udp.remove(index);
            return Err(Error::OutOfMemory);
        }
        let ttl = self.tunables.ip_default_ttl;
        let slot = self.tables.udp.get_mut(index).ok_or(Error::StaleHandle)?;
        slot.live = true;
        slot.tuple = tuple;
        slot.ttl = ttl;
        //= https://www.rfc-editor.org/rfc/rfc1112#section-6.1
        //# If the
        //# upper-layer protocol chooses not to specify a time-to-live, it should
        //# default to 1 for all multicast IP datagrams, so that an explicit
        //# choice is required to multicast beyond a single network.
        slot.multicast_ttl = 1;
        slot.multicast_loop = true;
        if let Some(iface) = at.iface {
            slot.bound_iface = iface.0.wrapping_add(1);
            slot.iface = iface.0;
            self.udp.bound_to_interfaces = self.udp.bound_to_interfaces.wrapping_add(1);
        }
        Ok(UdpHandle {
            index,
            generation: slot.generation,
        })
    }

    fn udp_port_taken(&mut self, at: &UdpBind, port: u16) -> bool {
        let mut find = |key: &Tuple| {
            self.demux
                .find(&self.keys, &self.tables, UDP, key)
                .is_some()
        };
        if find(&at.key(port)) {
            return true;
        }
        // A socket on every address of both versions and one of a single version overlap.
        if at.addr.is_unspecified() {
            let on = at.iface.map(|iface| iface.0);
            return match at.version {
                Version::Any => {
                    find(&Version::V4.key(port, on)) || find(&Version::V6.key(port, on))
                }
                Version::V4 | Version::V6 => find(&Version::Any.key(port, on)),
            };
        }
        false
    }

    fn pick_udp_port(&mut self, at: &UdpBind) -> Result<u16, Error> {
        let salt = self.rng.next_u32();
        let key = at.key(0);
        let (offset, table) = self.keys.secrets(Purpose::Port, &key);
        let offset = offset ^ salt;
        let mut ports = core::mem::replace(&mut self.udp.ports, PortAllocator::EMPTY);
        let picked = ports.pick(offset, table, |port| self.udp_port_taken(at, port));
        self.udp.ports = ports;
        picked.ok_or(Error::PortsExhausted)
    }

    fn udp(&self, handle: UdpHandle) -> Result<&UdpSlot, Error> {
        self.tables
            .udp
            .get(handle.index)
            .filter(|slot| slot.live && slot.generation == handle.generation)
            .ok_or(Error::StaleHandle)
    }

    fn udp_mut(&mut self, handle: UdpHandle) -> Result<&mut UdpSlot, Error> {
        self.tables
            .udp
            .get_mut(handle.index)
            .filter(|slot| slot.live && slot.generation == handle.generation)
            .ok_or(Error::StaleHandle)
    }

    /// Fixes the remote end: only its datagrams are taken from now on, and the socket learns of
    /// ICMP errors about what it sends there.
    ///
    /// # Errors
    /// [`Error::InvalidRemote`]; [`Error::BroadcastForbidden`] unless it was allowed
    /// ([`Stack::udp_set_broadcast`]); [`Error::NoRoute`], [`Error::NoSourceAddress`],
    /// [`Error::AddressNotAvailable`] if the socket is bound to an address, or all addresses, of the
    /// other IP version; [`Error::AddressInUse`] if another socket has both ends already.
    pub fn udp_connect(&mut self, handle: UdpHandle, remote: SocketAddr) -> Result<(), Error> {
        let slot = self.udp(handle)?;
        let (old, bound) = (slot.tuple, slot.bound_iface.checked_sub(1));
        let broadcast = slot.broadcast;
        let dst = addr_of(remote.ip()).ok_or(Error::InvalidRemote)?;
        if dst.is_unspecified() || remote.port() == 0 {
            return Err(Error::InvalidRemote);
        }
        if !Version::of_tuple(&old).speaks_with(&dst) {
            return Err(Error::AddressNotAvailable);
        }
        let local = old.local();
        let (iface, next_hop) = self
            .udp_route(&dst, scope_of(&remote).or(bound))
            .ok_or(Error::NoRoute)?;
        if !broadcast && dst.is_v4() && self.addresses.is_broadcast_for(iface, &dst) {
            return Err(Error::BroadcastForbidden);
        }
        let src = if local.is_unspecified() {
            self.source_for(&dst, iface, &next_hop)
                .ok_or(Error::NoSourceAddress)?
        } else {
            local
        };
        let tuple = Tuple::new((src, old.local_port), (dst, remote.port()), iface);
        let item = Ref::new(Kind::Udp, handle.index);
        if tuple == old {
            return Ok(());
        }
        if self
            .demux
            .find(&self.keys, &self.tables, UDP, &tuple)
            .is_some()
        {
            return Err(Error::AddressInUse);
        }
        if !self.demux.insert(&self.keys, UDP, &tuple, item) {
            return Err(Error::OutOfMemory);
        }
        self.demux.remove(&self.keys, UDP, &old, item);
        let slot = self.udp_mut(handle)?;
        slot.tuple = tuple;
        slot.connected = true;
        slot.iface = iface;
        slot.rx.clear();
        Ok(())
    }

    fn udp_route(&self, dst: &Addr, on: Option<u8>) -> Option<(u8, Addr)> {
        if let Some(iface) = on {
            return self.udp_next_hop(dst, iface).map(|hop| (iface, hop));
        }
        if dst.is_broadcast() || dst.is_multicast() {
            // Without a route for it, a group is on the first link.
            return self
                .route(dst, None)
                .map(|(iface, _)| (iface, *dst))
                .or(Some((0, *dst)));
        }
        self.route(dst, None)
    }

    /// The next hop towards an address on an interface.
    pub(crate) fn udp_next_hop(&self, dst: &Addr, iface: u8) -> Option<Addr> {
        if dst.is_broadcast() || dst.is_multicast() {
            return Some(*dst);
        }
        let (found, next_hop) = self.route(dst, Some(iface))?;
        (found == iface).then_some(next_hop)
    }

    /// Queues a datagram to a connected socket's remote end. All of it or nothing is taken.
    ///
    /// # Errors
    /// [`Error::NotConnected`], and as [`udp_send_to`](Stack::udp_send_to).
    pub fn udp_send(&mut self, handle: UdpHandle, data: &[u8]) -> Result<(), Error> {
        self.udp_send_message(
            handle,
            &UdpMessage {
                to: None,
                from: None,
            },
            data,
        )
    }

    /// Queues a datagram. All of it or nothing is taken; it leaves in the next transmit turn.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] when the queue is full (an event tells when it no longer is);
    /// [`Error::MessageTooLong`] beyond the interface's MTU (nothing is fragmented) or the
    /// queue; [`Error::InvalidRemote`]; [`Error::BroadcastForbidden`] unless it was allowed
    /// ([`Stack::udp_set_broadcast`]); [`Error::NoRoute`], [`Error::NoSourceAddress`];
    /// [`Error::AddressNotAvailable`] if the address the socket is bound to is gone, or of the
    /// other IP version; an error that ICMP reported of an earlier datagram, once.
    pub fn udp_send_to(
        &mut self,
        handle: UdpHandle,
        data: &[u8],
        to: SocketAddr,
    ) -> Result<(), Error> {
        self.udp_send_message(
            handle,
            &UdpMessage {
                to: Some(to),
                from: None,
            },
            data,
        )
    }

    /// Queues a datagram with everything said of it.
    ///
    /// # Errors
    /// As [`udp_send_to`](Stack::udp_send_to); [`Error::AddressNotAvailable`] for a source
    /// that is not this stack's, or of the other IP version.
    //= https://www.rfc-editor.org/rfc/rfc1122#section-4.1.3.5
    //# An application program MUST be able to specify the IP source
    //# address to be used for sending a UDP datagram or to leave it
    //# unspecified (in which case the networking software will
    //# choose an appropriate source address).
    pub fn udp_send_message(
        &mut self,
        handle: UdpHandle,
        message: &UdpMessage,
        data: &[u8],
    ) -> Result<(), Error> {
        let slot = self.udp_mut(handle)?;
        if let Some(error) = slot.error.take() {
            return Err(error);
        }
        let (tuple, bound) = (slot.tuple, slot.bound_iface.checked_sub(1));
        let (connected, broadcast) = (slot.connected, slot.broadcast);
        let (ttl, tos) = (slot.ttl, slot.tos);
        let (multicast_ttl, multicast_loop) = (slot.multicast_ttl, slot.multicast_loop);
        let (dst, port, on) = match message.to {
            Some(to) => {
                let dst = addr_of(to.ip()).ok_or(Error::InvalidRemote)?;
                (dst, to.port(), scope_of(&to).or(bound))
            }
            None if connected => (tuple.remote, tuple.remote_port, tuple.scope().or(bound)),
            None => return Err(Error::NotConnected),
        };
        if dst.is_unspecified() || port == 0 {
            return Err(Error::InvalidRemote);
        }
        // Its replies could not be received, and an address of one version is no source for the other.
        if !Version::of_tuple(&tuple).speaks_with(&dst) {
            return Err(Error::AddressNotAvailable);
        }
        let (iface, next_hop) = self.udp_route(&dst, on).ok_or(Error::NoRoute)?;
        let group = dst.is_v4() && self.addresses.is_broadcast_for(iface, &dst);
        if group && !broadcast {
            return Err(Error::BroadcastForbidden);
        }
        let local = tuple.local();
        let src = match message.from {
            Some(from) => {
                let from = addr_of(from).ok_or(Error::AddressNotAvailable)?;
                let good = self.addresses.is_local(&from) && from.is_v4() == dst.is_v4();
                if !from.is_unspecified() && !good {
                    return Err(Error::AddressNotAvailable);
                }
                from
            }
            None if !local.is_unspecified()
                && !local.is_multicast()
                && !local.is_broadcast()
                && !self.addresses.is_broadcast_for(iface, &local) =>
            {
                if !self.speaks_for(&local) {
                    return Err(Error::AddressNotAvailable);
                }
                local
            }
            None => match self.source_for(&dst, iface, &next_hop) {
                Some(src) => src,
                // DHCP speaks before it has an address.
                None if bound.is_some() && dst.is_broadcast() => Addr::V4_UNSPECIFIED,
                None => return Err(Error::NoSourceAddress),
            },
        };
        let to_group = dst.is_multicast();
        let mtu = self.path_mtu(&dst, iface);
        let headers = crate::output::header_len(&dst).wrapping_add(8);
        if data.len().saturating_add(headers) > usize::from(mtu) {
            return Err(Error::MessageTooLong);
        }
        let meta = Meta {
            remote: dst,
            remote_port: port,
            local: src,
            iface,
            hop_limit: if to_group { multicast_ttl } else { ttl },
            tos,
            len: 0,
        };
        // A datagram to a group that may not even leave stays on this host.
        if !to_group || multicast_ttl > 0 {
            self.udp_tx_memory(handle.index);
            let slot = self.udp_mut(handle)?;
            match slot.tx.push(&mut slot.tx_memory, &meta, &[], data) {
                Ok(()) => {}
                Err(PushError::Full) => {
                    slot.wants_room = true;
                    return Err(Error::WouldBlock);
                }
                Err(_) => {
                    #[cfg(feature = "flows")]
                    if self.udp_lacks_memory(handle.index) {
                        let flow = self.udp(handle)?.flow;
                        self.flow_is_hungry(flow);
                        return Err(Error::WouldBlock);
                    }
                    return Err(Error::MessageTooLong);
                }
            }
            slot.iface = iface;
            #[cfg(feature = "flows")]
            {
                let flow = slot.flow;
                self.flow_is_active(flow, false);
            }
            self.owe(iface, Ref::new(Kind::Udp, handle.index));
        }
        #[cfg(feature = "alloc")]
        if to_group && multicast_loop {
            self.udp_to_own_member(&meta, tuple.local_port, data);
        }
        let _ = multicast_loop;
        Ok(())
    }

    /// Takes the oldest datagram; what does not fit `buffer` is lost, and the answer says so.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] if there is none; an error that ICMP reported, once.
    pub fn udp_recv(&mut self, handle: UdpHandle, buffer: &mut [u8]) -> Result<Received, Error> {
        let slot = self.udp_mut(handle)?;
        if let Some(error) = slot.error.take() {
            return Err(error);
        }
        let received = slot.rx.recv_into(&slot.rx_memory, buffer);
        let drained = slot.rx.is_empty();
        if drained {
            self.give_udp_memory(handle.index);
        }
        received.ok_or(Error::WouldBlock)
    }

    /// [`udp_recv`](Stack::udp_recv) that leaves the datagram where it is.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] if there is none.
    pub fn udp_peek(&self, handle: UdpHandle, buffer: &mut [u8]) -> Result<Received, Error> {
        let slot = self.udp(handle)?;
        slot.rx
            .peek_into(&slot.rx_memory, buffer)
            .ok_or(Error::WouldBlock)
    }

    /// Takes the error that ICMP last reported of this socket's datagrams.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn udp_take_error(&mut self, handle: UdpHandle) -> Result<Option<Error>, Error> {
        Ok(self.udp_mut(handle)?.error.take())
    }

    /// What can be done with a socket now.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn udp_readiness(&self, handle: UdpHandle) -> Result<Readiness, Error> {
        Ok(readiness(self.udp(handle)?))
    }

    /// The local address and port. The address is unspecified if the socket is bound to all.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    //= https://www.rfc-editor.org/rfc/rfc1122#section-4.1.3.5
    //# There SHOULD be a
    //# way to communicate the chosen source address up to the
    //# application layer (e.g, so that the application can later
    //# receive a reply datagram only from the corresponding
    //# interface).
    pub fn udp_local_addr(&self, handle: UdpHandle) -> Result<SocketAddr, Error> {
        let tuple = &self.udp(handle)?.tuple;
        Ok(SocketAddr::new(tuple.local().into(), tuple.local_port))
    }

    /// The remote end of a connected socket.
    ///
    /// # Errors
    /// [`Error::NotConnected`].
    pub fn udp_peer_addr(&self, handle: UdpHandle) -> Result<SocketAddr, Error> {
        let slot = self.udp(handle)?;
        if !slot.connected {
            return Err(Error::NotConnected);
        }
        Ok(SocketAddr::new(
            slot.tuple.remote.into(),
            slot.tuple.remote_port,
        ))
    }

    /// Allows or forbids datagrams to broadcast addresses. Forbidden by default.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn udp_set_broadcast(&mut self, handle: UdpHandle, allowed: bool) -> Result<(), Error> {
        self.udp_mut(handle)?.broadcast = allowed;
        Ok(())
    }

    /// Has a socket bound to an interface and to no address take datagrams for addresses that are
    /// not this host's, if the link delivered them to this host alone. So does a DHCP client hear
    /// a server that answers to the address it offers (RFC 2131 §4.1, RFC 1542 §3.1.1). Nothing
    /// is said of such datagrams if the socket does not take them.
    ///
    /// # Errors
    /// [`Error::StaleHandle`]; [`Error::InvalidArgument`] if the socket is bound to an address, or
    /// to no interface.
    pub fn udp_accept_unaddressed(&mut self, handle: UdpHandle, on: bool) -> Result<(), Error> {
        let slot = self.udp_mut(handle)?;
        if slot.bound_iface == 0 || slot.connected || !slot.tuple.local().is_unspecified() {
            return Err(Error::InvalidArgument);
        }
        let was = core::mem::replace(&mut slot.unaddressed, on);
        let count = &mut self.udp.unaddressed;
        *count = count
            .wrapping_add(u32::from(on))
            .wrapping_sub(u32::from(was));
        Ok(())
    }

    /// Whether a socket takes a datagram for an address that is not this host's.
    #[cfg(feature = "ipv4")]
    pub(crate) fn takes_unaddressed(&mut self, iface: u8, dst: &Addr, udp: &[u8]) -> bool {
        if self.udp.unaddressed == 0 || !dst.is_unicast() {
            return false;
        }
        let Ok(view) = netloom_wire::UdpView::new(udp) else {
            return false;
        };
        wildcard_keys(dst, view.dst_port(), Some(iface))
            .iter()
            .map(|key| self.demux.find(&self.keys, &self.tables, UDP, key))
            .find(|found| found.is_some())
            .and_then(|found| self.tables.udp.get(found.index()))
            .is_some_and(|slot| slot.live && slot.unaddressed)
    }

    /// Sets the TTL or hop limit of unicast datagrams, 1 to 255.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for 0.
    pub fn udp_set_ttl(&mut self, handle: UdpHandle, ttl: u8) -> Result<(), Error> {
        if ttl == 0 {
            return Err(Error::InvalidArgument);
        }
        self.udp_mut(handle)?.ttl = ttl;
        Ok(())
    }

    /// What is set of a socket.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn udp_settings(&self, handle: UdpHandle) -> Result<UdpSettings, Error> {
        let slot = self.udp(handle)?;
        Ok(UdpSettings {
            broadcast: slot.broadcast,
            ttl: slot.ttl,
            tos: slot.tos,
            multicast_ttl: slot.multicast_ttl,
            multicast_loop: slot.multicast_loop,
        })
    }

    /// Sets the TTL or hop limit of datagrams to groups; 1 at first, 0: they do not leave this
    /// host.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn udp_set_multicast_ttl(&mut self, handle: UdpHandle, ttl: u8) -> Result<(), Error> {
        self.udp_mut(handle)?.multicast_ttl = ttl;
        Ok(())
    }

    /// Sets whether members on this host hear what the socket sends to their group; they do at
    /// first.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn udp_set_multicast_loop(&mut self, handle: UdpHandle, on: bool) -> Result<(), Error> {
        self.udp_mut(handle)?.multicast_loop = on;
        Ok(())
    }

    /// Sets the DSCP and ECN byte of datagrams sent.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn udp_set_tos(&mut self, handle: UdpHandle, tos: u8) -> Result<(), Error> {
        self.udp_mut(handle)?.tos = tos;
        Ok(())
    }

    /// Asks for an event at a time, so that a service's timers are covered by the stack's
    /// [`next_deadline`](Stack::next_deadline). `None` takes it back.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn udp_wake_at(&mut self, handle: UdpHandle, at: Option<Instant>) -> Result<(), Error> {
        let slot = self.udp_mut(handle)?;
        slot.wake_at = at;
        slot.woken = false;
        if let Some(at) = at {
            self.udp
                .deadlines
                .arm(&mut UdpTimers(&mut self.tables.udp), handle.index, at);
        }
        Ok(())
    }

    /// Closes a socket. What it has queued to send and the device has not taken is dropped.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn udp_close(&mut self, handle: UdpHandle) -> Result<(), Error> {
        let slot = self.udp(handle)?;
        #[cfg(not(feature = "flows"))]
        let tuple = slot.tuple;
        let bound = slot.bound_iface != 0;
        let unaddressed = u32::from(slot.unaddressed);
        self.udp.unaddressed = self.udp.unaddressed.wrapping_sub(unaddressed);
        let item = Ref::new(Kind::Udp, handle.index);
        self.unlink(item);
        self.forget_news(item);
        self.udp
            .deadlines
            .disarm(&mut UdpTimers(&mut self.tables.udp), handle.index);
        #[cfg(feature = "flows")]
        self.forget_udp_tuple(handle.index);
        #[cfg(not(feature = "flows"))]
        self.demux.remove(&self.keys, UDP, &tuple, item);
        if bound {
            self.udp.bound_to_interfaces = self.udp.bound_to_interfaces.wrapping_sub(1);
        }
        if let Some(slot) = self.tables.udp.get_mut(handle.index) {
            slot.rx.clear();
            slot.tx.clear();
            #[cfg(feature = "flows")]
            {
                let flow = slot.flow;
                self.flow_forget(flow);
            }
        }
        self.give_udp_memory(handle.index);
        self.tables.udp.remove(handle.index);
        Ok(())
    }

    #[cfg(feature = "events")]
    pub(crate) fn udp_event(&mut self, index: u32) -> Option<Event> {
        let slot = self.tables.udp.get(index).filter(|slot| slot.live)?;
        let handle = UdpHandle {
            index,
            generation: slot.generation,
        };
        Some(Event::Udp(handle, readiness(slot)))
    }

    /// Tells sockets whose wake-up time has come.
    pub(crate) fn fire_udp(&mut self) {
        let now = self.clock.now;
        while let Some(index) = self
            .udp
            .deadlines
            .expire(&mut UdpTimers(&mut self.tables.udp), now)
        {
            let Some(slot) = self.tables.udp.get_mut(index) else {
                continue;
            };
            match slot.wake_at {
                Some(at) if at <= now => {
                    slot.wake_at = None;
                    slot.woken = true;
                    self.news(Ref::new(Kind::Udp, index));
                }
                Some(at) => {
                    self.udp
                        .deadlines
                        .arm(&mut UdpTimers(&mut self.tables.udp), index, at);
                }
                None => {}
            }
        }
    }

    /// Sees to it that a socket has a receive queue.
    pub(crate) fn udp_memory(&mut self, index: u32) {
        #[cfg(feature = "alloc")]
        if let (Some(pool), Some(slot)) = (&mut self.udp.memory, self.tables.udp.get_mut(index)) {
            if slot.rx_memory.is_none() {
                if let Some(block) = pool.take(queue_len(slot, pool)) {
                    slot.rx_memory = Mem::Heap(block);
                }
            }
        }
        let _ = index;
    }

    fn udp_tx_memory(&mut self, index: u32) {
        #[cfg(feature = "alloc")]
        if let (Some(pool), Some(slot)) = (&mut self.udp.memory, self.tables.udp.get_mut(index)) {
            if slot.tx_memory.is_none() {
                if let Some(block) = pool.take(queue_len(slot, pool)) {
                    slot.tx_memory = Mem::Heap(block);
                }
            }
        }
        let _ = index;
    }

    /// Takes back the queues a socket does not need now.
    pub(crate) fn give_udp_memory(&mut self, index: u32) {
        #[cfg(feature = "alloc")]
        if let (Some(pool), Some(slot)) = (&mut self.udp.memory, self.tables.udp.get_mut(index)) {
            if slot.rx.is_empty() {
                if let Mem::Heap(block) = slot.rx_memory.take() {
                    slot.rx.clear();
                    pool.give(block);
                }
            }
            if slot.tx.is_empty() {
                if let Mem::Heap(block) = slot.tx_memory.take() {
                    slot.tx.clear();
                    pool.give(block);
                }
            }
        }
        let _ = index;
    }
}

/// Bytes of a socket's queue. A flow has a larger one while there is plenty, and the less the less
/// there is left for all.
#[cfg(feature = "alloc")]
fn queue_len(slot: &UdpSlot, pool: &Pool<u8>) -> usize {
    #[cfg(feature = "flows")]
    if slot.flow.is_some() {
        let left = pool.budget().saturating_sub(pool.in_use());
        // The longest datagram fits the smallest.
        let len = (left / 32).clamp(HEAP_QUEUE, HEAP_QUEUE << 3);
        return if len.is_power_of_two() {
            len
        } else {
            len.next_power_of_two() / 2
        };
    }
    let _ = (slot, pool);
    HEAP_QUEUE
}

fn readiness(slot: &UdpSlot) -> Readiness {
    Readiness {
        readable: !slot.rx.is_empty(),
        writable: !slot.wants_room,
        error: slot.error.is_some(),
        woken: slot.woken,
        ..Readiness::default()
    }
}
