//! One answer of each kind.

use netloom_wire::Addr;

use super::Epoch;
use crate::output::LinkHeader;

/// What was asked last, and the answer.
pub(crate) struct Recent {
    /// Source, destination and interface of a packet whose addresses were good; the last two
    /// bytes say whether there is one and whether its destination was unicast.
    source: Addr,
    destination: Addr,
    arrived_on: u8,
    addresses_known: bool,
    unicast: bool,
    /// A destination that is the same on every link, its interface and next hop.
    routed: Addr,
    next_hop: Addr,
    leaves_by: u8,
    route_known: bool,
    /// The address packets to that destination come from; unspecified: not asked for yet.
    #[cfg(all(feature = "tcp", feature = "active-open"))]
    comes_from: Addr,
    /// The link header towards that destination.
    link: Option<Link>,
}

/// A link header that was asked for, and when that holds.
#[derive(Clone, Copy)]
struct Link {
    header: LinkHeader,
    at: Epoch,
    /// The neighbour was confirmed since.
    confirmed: bool,
}

impl Recent {
    pub(crate) const NONE: Recent = Recent {
        source: Addr::UNSPECIFIED,
        destination: Addr::UNSPECIFIED,
        arrived_on: 0,
        addresses_known: false,
        unicast: false,
        routed: Addr::UNSPECIFIED,
        next_hop: Addr::UNSPECIFIED,
        leaves_by: 0,
        route_known: false,
        #[cfg(all(feature = "tcp", feature = "active-open"))]
        comes_from: Addr::UNSPECIFIED,
        link: None,
    };

    /// Whether a packet with these addresses was good when it last came, and if so whether its
    /// destination is one address of this stack.
    #[inline]
    pub(crate) fn addresses(&self, src: &Addr, dst: &Addr, iface: u8) -> Option<bool> {
        (self.addresses_known
            && self.source == *src
            && self.destination == *dst
            && self.arrived_on == iface)
            .then_some(self.unicast)
    }

    /// Notes that a packet's addresses are good.
    pub(crate) fn note_addresses(&mut self, src: &Addr, dst: &Addr, iface: u8, unicast: bool) {
        self.source = *src;
        self.destination = *dst;
        self.arrived_on = iface;
        self.unicast = unicast;
        self.addresses_known = true;
    }

    /// The interface and next hop last found for a destination.
    #[inline]
    pub(crate) fn route(&self, dst: &Addr) -> Option<(u8, Addr)> {
        (self.route_known && self.routed == *dst).then_some((self.leaves_by, self.next_hop))
    }

    /// Whether the route last found was this destination's, and leaves by this interface.
    #[inline]
    pub(crate) fn leads_to(&self, dst: &Addr, iface: u8) -> bool {
        self.route_known && self.leaves_by == iface && self.routed == *dst
    }

    /// Notes where a destination lies.
    pub(crate) fn note_route(&mut self, dst: &Addr, iface: u8, next_hop: &Addr) {
        self.routed = *dst;
        self.leaves_by = iface;
        self.next_hop = *next_hop;
        self.route_known = true;
        self.link = None;
        #[cfg(all(feature = "tcp", feature = "active-open"))]
        {
            self.comes_from = Addr::UNSPECIFIED;
        }
    }

    /// The source address last chosen for a destination that leaves by an interface.
    #[cfg(all(feature = "tcp", feature = "active-open"))]
    pub(crate) fn source(&self, dst: &Addr, iface: u8) -> Option<Addr> {
        (self.leads_to(dst, iface) && !self.comes_from.is_unspecified()).then_some(self.comes_from)
    }

    /// Notes the source address for the destination that was routed last.
    #[cfg(all(feature = "tcp", feature = "active-open"))]
    pub(crate) fn note_source(&mut self, dst: &Addr, iface: u8, source: &Addr) {
        if self.leads_to(dst, iface) {
            self.comes_from = *source;
        }
    }

    /// The link header towards a destination by an interface, if it was asked for last, and in this
    /// epoch.
    #[inline]
    pub(crate) fn link(&self, dst: &Addr, iface: u8, now: Epoch) -> Option<LinkHeader> {
        let link = self.link.filter(|link| link.at == now)?;
        (self.leads_to(dst, iface)).then_some(link.header)
    }

    /// Notes the link header towards the destination that was routed last.
    #[inline]
    pub(crate) fn note_link(&mut self, dst: &Addr, iface: u8, header: LinkHeader, now: Epoch) {
        if self.leads_to(dst, iface) {
            self.link = Some(Link {
                header,
                at: now,
                confirmed: false,
            });
        }
    }

    /// Whether the neighbour towards a destination was confirmed in this epoch; it counts as
    /// confirmed from now on, if it is the one that was asked for last.
    #[inline]
    pub(crate) fn confirms_again(&mut self, dst: &Addr, iface: u8, now: Epoch) -> bool {
        if !(self.leads_to(dst, iface)) {
            return false;
        }
        match &mut self.link {
            Some(link) if link.at == now => core::mem::replace(&mut link.confirmed, true),
            Some(_) | None => false,
        }
    }

    /// An address or a route has changed.
    pub(crate) fn forget(&mut self) {
        self.addresses_known = false;
        self.route_known = false;
        self.link = None;
    }
}
