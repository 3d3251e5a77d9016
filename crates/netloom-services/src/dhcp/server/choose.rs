//! Which address a client gets (RFC 2131 §4.3.1).

use core::net::Ipv4Addr;

use netloom_stack::Stack;
use netloom_wire::dhcpv4::Dhcpv4View;
use netloom_wire::{Addr, Cidr, MacAddr};

use super::binding::{Binding, ClientKey};
use super::config::Pool;
use super::store::Store;
use super::{Server, own_addresses};

/// A client that asks, and from where.
pub(super) struct Asking {
    pub(super) client: ClientKey,
    pub(super) mac: Option<MacAddr>,
    /// An address of the network it is in.
    pub(super) at: Ipv4Addr,
}

impl<'a, S: Store> Server<'a, S> {
    /// Who asks, and where it is: behind the relay agent, where its address is, or here.
    pub(super) fn asking(&self, stack: &Stack, view: &Dhcpv4View<'_>) -> Asking {
        let at = if !view.giaddr().is_unspecified() {
            view.giaddr()
        } else if !view.ciaddr().is_unspecified() {
            view.ciaddr()
        } else {
            let own = own_addresses(stack, self.iface).map(|(addr, _)| addr);
            let served = own.filter(|addr| self.pools_at(*addr).next().is_some());
            served
                .into_iter()
                .next()
                .or(self.config.server_identifier)
                .unwrap_or(Ipv4Addr::UNSPECIFIED)
        };
        Asking {
            client: ClientKey::of(view),
            mac: view.hardware().mac(),
            at,
        }
    }

    /// The pools of the network an address is in.
    pub(super) fn pools_at(&self, at: Ipv4Addr) -> impl Iterator<Item = &'a Pool<'a>> + use<'a, S> {
        let at = Addr::from(at);
        let pools: &'a [Pool<'a>] = self.config.pools;
        pools.iter().filter(move |pool| pool.network.contains(&at))
    }

    /// The network an address is in.
    pub(super) fn network_at(&self, at: Ipv4Addr) -> Option<Cidr> {
        self.pools_at(at).next().map(|pool| pool.network)
    }

    /// The address kept for a client.
    fn reserved(&self, asking: &Asking) -> Option<Ipv4Addr> {
        let network = self.network_at(asking.at)?;
        self.config
            .reservations
            .iter()
            .find(|r| network.contains(&r.address.into()) && r.who.is(&asking.client, asking.mac))
            .map(|r| r.address)
    }

    /// Whether a client may have an address at all: it is of its network, in a pool or kept for it,
    /// and for nobody else.
    pub(super) fn may_have(&self, asking: &Asking, address: Ipv4Addr) -> bool {
        let Some(network) = self.network_at(asking.at) else {
            return false;
        };
        if !network.contains(&address.into()) {
            return false;
        }
        let kept = self
            .config
            .reservations
            .iter()
            .find(|r| r.address == address);
        match (kept, self.reserved(asking)) {
            // Who has a reservation has no other address.
            (_, Some(own)) => own == address,
            (Some(_), None) => false,
            (None, None) => self.pools_at(address).any(|pool| pool.contains(address)),
        }
    }

    /// Whether nobody else has an address, was offered it, or is the server itself.
    pub(super) fn is_free_for(
        &self,
        stack: &Stack,
        client: &ClientKey,
        address: Ipv4Addr,
        now: u64,
    ) -> bool {
        let taken = self
            .store
            .by_address(address)
            .is_some_and(|known| known.client != *client && known.is_active(now));
        !taken
            && !self.is_pending_for_another(stack.now(), client, address)
            && !stack.is_local(address)
            && self.config.server_identifier != Some(address)
    }

    /// The address for a client that asks for one.
    pub(super) fn choose(
        &self,
        stack: &Stack,
        asking: &Asking,
        wish: Option<Ipv4Addr>,
    ) -> Option<Ipv4Addr> {
        let now = self.time(stack);
        let good = |address: &Ipv4Addr| {
            self.may_have(asking, *address)
                && self.is_free_for(stack, &asking.client, *address, now)
        };
        if let Some(reserved) = self.reserved(asking) {
            return Some(reserved).filter(good);
        }
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
        //# o The client's current address as recorded in the client's current
        //# binding, ELSE
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
        //# o The client's previous address as recorded in the client's (now
        //# expired or released) binding, if that address is in the server's
        //# pool of available addresses and not already allocated, ELSE
        let network = self.network_at(asking.at)?;
        let before = self.store.by_client(&asking.client, &network);
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
        //# o The address requested in the 'Requested IP Address' option, if that
        //# address is valid and not already allocated, ELSE
        let known = before.map(|known| known.address).filter(good);
        if let Some(address) = known.or(wish.filter(good)) {
            return Some(address);
        }
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
        //# o A new address allocated from the server's pool of available
        //# addresses; the address is selected based on the subnet from which
        //# the message was received (if 'giaddr' is 0) or on the address of
        //# the relay agent that forwarded the message ('giaddr' when not 0).
        let mut oldest: Option<Binding> = None;
        for pool in self.pools_at(asking.at) {
            let start = asking.client.spread();
            for n in 0..pool.size() {
                let place = start
                    .checked_rem(pool.size())
                    .unwrap_or(0)
                    .saturating_add(n);
                let address = pool.address(place);
                if !good(&address) {
                    continue;
                }
                // One that nobody ever had, before those whose clients may come back.
                match self.store.by_address(address) {
                    None => return Some(address),
                    Some(known) => {
                        if oldest.is_none_or(|oldest| known.expires < oldest.expires) {
                            oldest = Some(known);
                        }
                    }
                }
            }
        }
        oldest.map(|binding| binding.address)
    }
}
