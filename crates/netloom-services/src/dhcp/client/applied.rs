//! A lease in the stack: put there, changed, taken back.

use core::net::Ipv4Addr;

use netloom_stack::route::{Route, RouteOrigin};
use netloom_stack::{Error, IfaceId, Stack};
use netloom_wire::{Addr, Cidr};

use super::lease::{Lease, MAX_ROUTES};
use crate::dhcp::fixed::List;

/// A route by hand, of metric 0, goes before one that was told.
const METRIC: u16 = 100;

/// A route that was put there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Installed {
    dst: Cidr,
    via: Option<Addr>,
    metric: u16,
}

impl Installed {
    const NONE: Installed = Installed {
        dst: Cidr {
            addr: Addr::UNSPECIFIED,
            prefix: 0,
        },
        via: None,
        metric: 0,
    };

    fn route(self, iface: IfaceId) -> Route {
        let Installed { dst, via, metric } = self;
        Route {
            dst,
            via,
            iface: iface.index() as u8,
            metric,
            origin: RouteOrigin::Dhcp,
            unreachable: false,
        }
    }
}

/// What of the stack's configuration is the client's doing.
#[derive(Debug)]
pub(super) struct Applied {
    address: Option<Cidr>,
    /// The interface had the address already: it is not the client's to remove.
    found: bool,
    /// The routes of a lease, and as many to routers off the link.
    routes: List<Installed, { 2 * MAX_ROUTES }>,
    /// What the MTU was before.
    mtu: Option<u16>,
}

impl Applied {
    pub(super) const NOTHING: Applied = Applied {
        address: None,
        found: false,
        routes: List::new(Installed::NONE),
        mtu: None,
    };

    /// Whether there is an address.
    pub(super) fn is_something(&self) -> bool {
        self.address.is_some()
    }

    /// The address.
    pub(super) fn address(&self) -> Option<Cidr> {
        self.address
    }

    /// Gives the interface an address alone. What there was is withdrawn.
    pub(super) fn set_address(
        &mut self,
        stack: &mut Stack,
        iface: IfaceId,
        address: Cidr,
    ) -> Result<(), Error> {
        if self.address == Some(address) {
            return Ok(());
        }
        self.withdraw(stack, iface);
        self.found = match stack.add_address(iface, address) {
            Ok(()) => false,
            Err(Error::AddressInUse) => true,
            Err(error) => return Err(error),
        };
        self.address = Some(address);
        Ok(())
    }

    /// Makes the interface what a lease says, changing only what differs: connections over an
    /// address that stays go on.
    pub(super) fn apply(
        &mut self,
        stack: &mut Stack,
        iface: IfaceId,
        lease: &Lease,
    ) -> Result<(), Error> {
        self.set_address(stack, iface, lease.address)?;
        self.set_mtu(stack, iface, lease.mtu);
        self.remove_routes(stack, iface);
        for (n, route) in lease.routes.iter().enumerate() {
            let on_link = route.router.is_unspecified();
            let router = Addr::from(route.router);
            let is_reached = |known: &netloom_wire::dhcpv4::ClasslessRoute| {
                known.router.is_unspecified() && known.dst.contains(&router)
            };
            if !on_link && !lease.address.contains(&router) && !lease.routes.iter().any(is_reached)
            {
                // A router outside the prefix: it is on the link, or it could not be one.
                let host = Cidr {
                    addr: router,
                    prefix: 32,
                };
                self.add_route(stack, iface, host, None, 0);
            }
            let before = lease.routes.iter().take(n);
            let rank = before.filter(|known| known.dst == route.dst).count() as u16;
            let via = (!on_link).then_some(router);
            self.add_route(stack, iface, route.dst, via, rank);
        }
        Ok(())
    }

    /// Adds a route to everywhere.
    pub(super) fn add_router(&mut self, stack: &mut Stack, iface: IfaceId, router: Ipv4Addr) {
        let all = Cidr {
            addr: Addr::V4_UNSPECIFIED,
            prefix: 0,
        };
        self.add_route(stack, iface, all, Some(router.into()), 0);
    }

    /// Adds a route, behind so many to the same place, if the table has room; on lent memory there
    /// is little.
    fn add_route(
        &mut self,
        stack: &mut Stack,
        iface: IfaceId,
        dst: Cidr,
        via: Option<Addr>,
        rank: u16,
    ) {
        let metric = METRIC.saturating_add(rank);
        let added = Installed { dst, via, metric };
        if stack.add_route(added.route(iface)).is_ok() && !self.routes.push(added) {
            stack.remove_exact_route(&added.route(iface));
        }
    }

    fn remove_routes(&mut self, stack: &mut Stack, iface: IfaceId) {
        // One by hand may lead the same way.
        while let Some(added) = self.routes.take_first() {
            stack.remove_exact_route(&added.route(iface));
        }
    }

    fn set_mtu(&mut self, stack: &mut Stack, iface: IfaceId, mtu: Option<u16>) {
        let Ok(now) = stack.interface_mtu(iface) else {
            return;
        };
        let before = self.mtu.unwrap_or(now);
        // More than the device can carry is not to be had by asking.
        let wanted = mtu.map_or(before, |mtu| mtu.min(before));
        if wanted != now && stack.set_interface_mtu(iface, wanted).is_ok() {
            self.mtu = Some(before);
        }
    }

    /// Takes everything back; says whether there was an address.
    pub(super) fn withdraw(&mut self, stack: &mut Stack, iface: IfaceId) -> bool {
        self.remove_routes(stack, iface);
        self.set_mtu(stack, iface, None);
        self.mtu = None;
        let Some(address) = self.address.take() else {
            return false;
        };
        if !self.found {
            // It may have been taken away by hand.
            let _ = stack.remove_address(iface, address.addr);
        }
        true
    }
}
