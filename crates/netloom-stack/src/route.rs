//! Where a packet goes next: the routing table, by longest prefix.
//!
//! A host has a handful of routes: one for the prefix of each of its addresses, one default
//! route for each version, perhaps some that DHCP (RFC 3442) or a router (RFC 4191) told. They
//! are kept in the order in which they are tried, longest prefix first and least metric first
//! among equals, so that a lookup is a short scan that stops at the first match. What is sent in
//! bulk keeps its next hop and asks again only when [`RouteTable::generation`] has changed.

/// Whether routes have metrics, and others to fall back on. Without it there are connected networks
/// and gateways: the longest prefix is taken.
const ROUTES: bool = cfg!(feature = "routes");

/// Whether anything is sent to groups: TCP speaks to one at a time.
pub(crate) const GROUPS: bool = cfg!(any(
    feature = "udp",
    feature = "ipv6",
    feature = "icmp-errors"
));

use netloom_wire::{Addr, Cidr};

use crate::memory::Mem;

/// Where a route came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RouteOrigin {
    /// The program, or whoever configures it.
    #[default]
    Static,
    /// The prefix of one of the interface's own addresses.
    Connected,
    /// A DHCP server.
    Dhcp,
    /// A Router Advertisement.
    RouterAdvertisement,
}

/// One route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Destinations it is for. Only the network part counts.
    pub dst: Cidr,
    /// The gateway; `None` if the destinations are on the link themselves.
    pub via: Option<Addr>,
    /// The interface it leads out of.
    pub iface: u8,
    /// Among routes of the same prefix the least metric wins.
    pub metric: u16,
    /// Where it came from.
    pub origin: RouteOrigin,
    /// The gateway does not answer: used only where no other route has the same prefix.
    pub unreachable: bool,
}

impl Route {
    /// An unused entry; all-zero bytes.
    pub const EMPTY: Route = Route {
        dst: Cidr {
            addr: Addr::UNSPECIFIED,
            prefix: 0,
        },
        via: None,
        iface: 0,
        metric: 0,
        origin: RouteOrigin::Static,
        unreachable: false,
    };

    /// A route to a prefix that is on the link of `iface`, metric 0.
    pub fn on_link(dst: Cidr, iface: u8) -> Route {
        Route {
            dst,
            iface,
            origin: RouteOrigin::Connected,
            ..Route::EMPTY
        }
    }

    /// A route through a gateway, metric 0.
    pub fn via(dst: Cidr, gateway: Addr, iface: u8) -> Route {
        Route {
            dst,
            via: Some(gateway),
            iface,
            ..Route::EMPTY
        }
    }

    /// The default route of `gateway`'s version, metric 0.
    pub fn default_via(gateway: Addr, iface: u8) -> Route {
        let addr = if gateway.is_v4() {
            Addr::V4_UNSPECIFIED
        } else {
            Addr::UNSPECIFIED
        };
        Route::via(Cidr { addr, prefix: 0 }, gateway, iface)
    }

    /// Whether it is a default route.
    pub fn is_default(&self) -> bool {
        self.dst.prefix == 0
    }

    /// Whether `other` is the same route, perhaps with another gateway.
    fn same_slot(&self, other: &Route) -> bool {
        self.dst == other.dst && self.metric == other.metric && self.iface == other.iface
    }

    fn same_prefix(&self, other: &Route) -> bool {
        self.dst == other.dst
    }
}

/// Where to send a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteHit {
    /// Out of this interface,
    pub iface: u8,
    /// to this neighbour: the gateway, or the destination itself.
    pub next_hop: Addr,
    /// Whether the neighbour is a gateway.
    pub gateway: bool,
}

/// The table has no room for another route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoutesFull;

impl core::fmt::Display for RoutesFull {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the routing table is full")
    }
}

impl core::error::Error for RoutesFull {}

/// The routes, in the order in which they are tried.
#[derive(Debug)]
pub struct RouteTable {
    routes: Mem<Route>,
    len: u16,
    generation: u32,
}

impl RouteTable {
    /// A table without memory: nothing can be added.
    pub const fn empty() -> Self {
        Self::over(Mem::none())
    }

    /// A table in lent memory.
    pub const fn lent(routes: &'static mut [Route]) -> Self {
        Self::over(Mem::Lent(routes))
    }

    /// A table of `capacity` routes on the heap.
    #[cfg(feature = "alloc")]
    pub fn heap(capacity: usize) -> Self {
        Self::over(Mem::Heap(
            alloc::vec![Route::EMPTY; capacity].into_boxed_slice(),
        ))
    }

    const fn over(routes: Mem<Route>) -> Self {
        Self {
            routes,
            len: 0,
            generation: 0,
        }
    }

    /// The routes, in the order in which they are tried.
    pub fn routes(&self) -> &[Route] {
        self.routes.get(..usize::from(self.len)).unwrap_or_default()
    }

    fn routes_mut(&mut self) -> &mut [Route] {
        self.routes
            .get_mut(..usize::from(self.len))
            .unwrap_or_default()
    }

    /// The routes, in the order in which they are tried.
    pub fn iter(&self) -> core::slice::Iter<'_, Route> {
        self.routes().iter()
    }

    /// Whether no route can be added.
    pub fn is_full(&self) -> bool {
        usize::from(self.len) >= self.routes.len()
    }

    /// How many routes there are.
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Changes whenever a lookup might have another result: what remembers a [`RouteHit`] must
    /// look again.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Adds a route, or replaces the one with the same destination, metric and interface.
    ///
    /// # Errors
    /// [`RoutesFull`] if there is no room.
    pub fn add(&mut self, route: Route) -> Result<(), RoutesFull> {
        let mut route = route;
        route.dst = Cidr {
            addr: route.dst.network(),
            prefix: route.dst.prefix.min(route.dst.addr.width()),
        };
        if !ROUTES {
            let place = self.routes.get_mut(usize::from(self.len));
            *place.ok_or(RoutesFull)? = route;
            self.len = self.len.wrapping_add(1);
            return Ok(());
        }
        let same = |known: &&mut Route| known.same_slot(&route);
        if let Some(known) = self.routes_mut().iter_mut().find(same) {
            *known = route;
        } else {
            let tried_before = |known: &&Route| {
                known.dst.prefix > route.dst.prefix
                    || (known.dst.prefix == route.dst.prefix && known.metric <= route.metric)
            };
            let at = self.iter().take_while(tried_before).count();
            // One beyond the routes: each moves on by one place.
            let moved = self.routes.get_mut(at..=usize::from(self.len));
            let moved = moved.ok_or(RoutesFull)?;
            for place in moved {
                core::mem::swap(place, &mut route);
            }
            self.len = self.len.checked_add(1).ok_or(RoutesFull)?;
        }
        self.generation = self.generation.wrapping_add(1);
        Ok(())
    }

    /// Removes the route with this destination, gateway and interface, whatever its metric, and
    /// returns whether there was one.
    pub fn remove(&mut self, dst: Cidr, via: Option<Addr>, iface: u8) -> bool {
        let network = dst.network();
        self.retain(|route| {
            let this = route.dst.addr == network
                && route.dst.prefix == dst.prefix
                && route.via == via
                && route.iface == iface;
            !this
        })
    }

    /// Removes the route with this destination, gateway, interface and metric, and returns whether
    /// there was one.
    pub fn remove_exact(&mut self, route: &Route) -> bool {
        let network = route.dst.network();
        self.retain(|known| {
            let this = known.dst.addr == network
                && known.dst.prefix == route.dst.prefix
                && known.via == route.via
                && known.iface == route.iface
                && known.metric == route.metric;
            !this
        })
    }

    /// Removes every route for which `keep` is false, and returns whether there was one. The
    /// routes of an interface that goes, or of a lease that ended.
    pub fn retain(&mut self, mut keep: impl FnMut(&Route) -> bool) -> bool {
        let routes = self.routes_mut();
        let mut kept: u16 = 0;
        for index in 0..routes.len() {
            let Some(route) = routes.get(index).copied() else {
                break;
            };
            if keep(&route) {
                if let Some(place) = routes.get_mut(usize::from(kept)) {
                    *place = route;
                }
                kept += 1;
            }
        }
        let removed = kept != self.len;
        self.len = kept;
        if removed {
            self.generation = self.generation.wrapping_add(1);
        }
        removed
    }

    /// Where a packet for `dst` goes; only out of `scope_iface`, if one is given. Link-local
    /// and multicast destinations, and the limited broadcast address, need one: they mean
    /// something else on every link.
    ///
    /// `None`: there is no route to the host.
    pub fn lookup(&self, dst: &Addr, scope_iface: Option<u8>) -> Option<RouteHit> {
        if GROUPS && (dst.is_multicast() || dst.is_broadcast()) {
            //= https://www.rfc-editor.org/rfc/rfc4861#section-5.2
            //# For multicast packets, the next-hop is always
            //# the (multicast) destination address and is considered to be on-link.
            let iface = match scope_iface {
                Some(iface) => iface,
                None => self.longest(dst, None)?.iface,
            };
            return Some(RouteHit {
                iface,
                next_hop: *dst,
                gateway: false,
            });
        }
        let route = self.longest(dst, scope_iface)?;
        Some(RouteHit {
            iface: route.iface,
            next_hop: route.via.unwrap_or(*dst),
            gateway: route.via.is_some(),
        })
    }

    fn longest(&self, dst: &Addr, scope_iface: Option<u8>) -> Option<&Route> {
        if !ROUTES {
            let mut longest: Option<&Route> = None;
            for route in self.routes() {
                let leads = route.dst.contains(dst)
                    && scope_iface.is_none_or(|iface| iface == route.iface)
                    && longest.is_none_or(|longest| longest.dst.prefix < route.dst.prefix);
                if leads {
                    longest = Some(route);
                }
            }
            return longest;
        }
        let mut fallback: Option<&Route> = None;
        for route in self.routes() {
            if fallback.is_some_and(|fallback| !fallback.same_prefix(route)) {
                // A shorter prefix is another destination's route, not a better gateway.
                if fallback.is_some_and(|fallback| fallback.dst.prefix > route.dst.prefix) {
                    break;
                }
                continue;
            }
            if !route.dst.contains(dst) || scope_iface.is_some_and(|iface| iface != route.iface) {
                continue;
            }
            if !route.unreachable {
                return Some(route);
            }
            fallback = fallback.or(Some(route));
        }
        fallback
    }

    /// Notes that a gateway does not answer, or does again (RFC 1122 §3.3.1.4 dead gateway
    /// detection, RFC 4861 §6.3.6). Returns whether that changed anything.
    ///
    //= https://www.rfc-editor.org/rfc/rfc4861#section-6.3.6
    //# 1) Routers that are reachable or probably reachable (i.e., in any
    //# state other than INCOMPLETE) SHOULD be preferred over routers
    //# whose reachability is unknown or suspect
    pub fn set_gateway_reachable(&mut self, iface: u8, gateway: &Addr, reachable: bool) -> bool {
        let mut changed = false;
        for route in self.routes_mut() {
            if route.iface == iface && route.via == Some(*gateway) {
                changed |= route.unreachable == reachable;
                route.unreachable = !reachable;
            }
        }
        if changed {
            self.generation = self.generation.wrapping_add(1);
        }
        changed
    }

    /// Whether a prefix that contains `addr` is on the link of `iface`.
    pub fn is_on_link(&self, iface: u8, addr: &Addr) -> bool {
        self.lookup(addr, Some(iface))
            .is_some_and(|hit| !hit.gateway)
    }

    /// Whether `addr` is the directed broadcast address of a prefix on the link of `iface`. A
    /// /31 has none (RFC 3021 §2.1).
    pub fn is_directed_broadcast(&self, iface: u8, addr: &Addr) -> bool {
        self.iter().any(|route| {
            route.iface == iface && route.via.is_none() && route.dst.broadcast() == Some(*addr)
        })
    }
}

#[cfg(test)]
mod tests;
