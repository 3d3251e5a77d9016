//! The answers given last to questions every packet asks: are these addresses good, and where does
//! this destination lie? One of each, forgotten when an address or a route changes.

use netloom_wire::Addr;

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
    }

    /// An address or a route has changed.
    pub(crate) fn forget(&mut self) {
        self.addresses_known = false;
        self.route_known = false;
    }
}
