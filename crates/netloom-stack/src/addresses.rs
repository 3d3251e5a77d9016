//! The stack's own addresses and its routes: added, removed, chosen from.

use netloom_wire::{Addr, Cidr};

use crate::address::InterfaceAddress;
use crate::address_selection::{SourceQuery, select_source};
use crate::error::Error;
use crate::event::IfaceId;
use crate::route::Route;
use crate::stack::Stack;

impl Stack {
    /// Gives an interface an address; its prefix is on the link.
    ///
    /// # Errors
    /// [`Error::NoSuchInterface`]; [`Error::InvalidArgument`] for an address that cannot be a
    /// host's; [`Error::AddressInUse`] if the interface has it already;
    /// [`Error::CapacityExhausted`].
    #[doc(alias = "SetAddr")]
    pub fn add_address(&mut self, iface: IfaceId, cidr: Cidr) -> Result<(), Error> {
        self.interface(iface.0).ok_or(Error::NoSuchInterface)?;
        if !cidr.addr.is_unicast() || cidr.addr.is_unspecified() {
            return Err(Error::InvalidArgument);
        }
        if self.addresses.contains(iface.0, &cidr.addr) {
            return Err(Error::AddressInUse);
        }
        self.recent.forget();
        if !cfg!(feature = "routes") && self.routes.is_full() {
            return Err(Error::CapacityExhausted);
        }
        self.addresses
            .push(InterfaceAddress::new(iface.0, cidr))
            .map_err(|_| Error::CapacityExhausted)?;
        let added = self.routes.add(Route::on_link(cidr, iface.0));
        if cfg!(feature = "routes") && added.is_err() {
            self.addresses.remove(iface.0, &cidr.addr);
            return Err(Error::CapacityExhausted);
        }
        Ok(())
    }

    /// Takes an address from an interface. Its connections end with
    /// [`CloseReason::AddressRemoved`](netloom_tcp::CloseReason::AddressRemoved); nothing more
    /// is sent for them, as nothing could come back.
    ///
    /// # Errors
    /// [`Error::AddressNotAvailable`] if the interface does not have it.
    pub fn remove_address(&mut self, iface: IfaceId, addr: impl Into<Addr>) -> Result<(), Error> {
        let addr = addr.into();
        self.recent.forget();
        let removed = self
            .addresses
            .remove(iface.0, &addr)
            .ok_or(Error::AddressNotAvailable)?;
        let still_used = self.addresses.iter(iface.0).any(|other| {
            other.cidr.prefix == removed.cidr.prefix
                && other.cidr.network() == removed.cidr.network()
        });
        if !still_used {
            self.routes.remove(removed.cidr, None, iface.0);
        }
        #[cfg(feature = "tcp")]
        self.end_connections_of(iface.0, &addr);
        Ok(())
    }

    /// Makes `router` the default router of its version on an interface.
    ///
    /// # Errors
    /// [`Error::NoSuchInterface`], [`Error::InvalidArgument`] for a group address,
    /// [`Error::CapacityExhausted`].
    pub fn add_gateway(&mut self, iface: IfaceId, router: impl Into<Addr>) -> Result<(), Error> {
        self.add_route(Route::default_via(router.into(), iface.0))
    }

    /// Adds a route; one with the same destination, gateway and interface is replaced.
    ///
    /// # Errors
    /// As [`add_gateway`](Stack::add_gateway).
    pub fn add_route(&mut self, route: Route) -> Result<(), Error> {
        self.interface(route.iface).ok_or(Error::NoSuchInterface)?;
        if route.via.is_some_and(|via| !via.is_unicast()) {
            return Err(Error::InvalidArgument);
        }
        // What was found before may lie elsewhere from now on.
        self.recent.forget();
        self.routes.add(route).map_err(|_| Error::CapacityExhausted)
    }

    /// Removes a route, whatever its metric; says whether there was one.
    pub fn remove_route(&mut self, dst: Cidr, via: Option<Addr>, iface: IfaceId) -> bool {
        self.recent.forget();
        self.routes.remove(dst, via, iface.0)
    }

    /// Removes the route with this destination, gateway, interface and metric, and no other that
    /// leads the same way; says whether there was one.
    pub fn remove_exact_route(&mut self, route: &Route) -> bool {
        self.recent.forget();
        self.routes.remove_exact(route)
    }

    /// The largest IP packet an interface sends, in bytes, as far as the stack knows: the device's
    /// own limit applies too.
    ///
    /// # Errors
    /// [`Error::NoSuchInterface`].
    pub fn interface_mtu(&self, iface: IfaceId) -> Result<u16, Error> {
        let interface = self.interface(iface.0).ok_or(Error::NoSuchInterface)?;
        Ok(interface.mtu)
    }

    /// Changes it, as what configures the interface may have to (RFC 2132 §5.1). Segments of open
    /// connections follow, up to what their peer announced.
    ///
    /// # Errors
    /// [`Error::NoSuchInterface`]; [`Error::InvalidArgument`] for an MTU below 68 bytes.
    pub fn set_interface_mtu(&mut self, iface: IfaceId, mtu: u16) -> Result<(), Error> {
        if mtu < 68 {
            return Err(Error::InvalidArgument);
        }
        let interface = self.interface_mut(iface.0).ok_or(Error::NoSuchInterface)?;
        interface.mtu = mtu;
        Ok(())
    }

    /// Whether an address is one this stack may speak for: its own, or, with flows, anybody's.
    pub(crate) fn speaks_for(&self, addr: &Addr) -> bool {
        #[cfg(feature = "flows")]
        if self.flows.is_open() {
            return true;
        }
        self.addresses.is_local(addr)
    }

    /// All addresses.
    pub fn addresses(&self) -> &[InterfaceAddress] {
        self.addresses.addresses()
    }

    /// All routes.
    pub fn routes(&self) -> &[Route] {
        self.routes.routes()
    }

    /// The source address for packets to `dst` that leave by `iface` towards `next_hop`
    /// (RFC 6724 §5, RFC 1122 §3.3.4.3).
    pub(crate) fn source_for(&self, dst: &Addr, iface: u8, next_hop: &Addr) -> Option<Addr> {
        if dst.is_loopback() || self.addresses.is_local(dst) {
            return Some(*dst);
        }
        select_source(
            &SourceQuery::new(dst, iface, next_hop),
            self.addresses.addresses().iter(),
        )
    }

    /// [`source_for`](Stack::source_for) a destination that is routed, for those who open many
    /// connections.
    #[cfg(all(feature = "tcp", feature = "active-open"))]
    pub(crate) fn source_again(&mut self, dst: &Addr, iface: u8, next_hop: &Addr) -> Option<Addr> {
        if let Some(known) = self.recent.source(dst, iface) {
            return Some(known);
        }
        let source = self.source_for(dst, iface, next_hop)?;
        self.recent.note_source(dst, iface, &source);
        Some(source)
    }

    /// Gives an Ethernet interface its link-local address (RFC 4291 §2.5.1, appendix A).
    #[cfg(all(feature = "ipv6", feature = "ethernet"))]
    pub(crate) fn add_link_local(&mut self, iface: u8) {
        let Some(interface) = self.interface(iface).filter(|i| i.ethernet) else {
            return;
        };
        let mut octets = [0; 16];
        let (prefix, id) = octets.split_at_mut(8);
        prefix.copy_from_slice(&[0xfe, 0x80, 0, 0, 0, 0, 0, 0]);
        id.copy_from_slice(&interface.mac.interface_identifier());
        if let Some(cidr) = Cidr::new(Addr::v6(octets), 64) {
            let _ = self.add_address(IfaceId(iface), cidr);
        }
    }
}
