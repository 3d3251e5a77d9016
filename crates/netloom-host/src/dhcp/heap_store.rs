//! Leases on the heap, found by address and by client.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use netloom_services::dhcp::{Binding, ClientKey, Store, StoreError};
use netloom_stack::wire::Cidr;

/// A [`Store`] that ends with the program, and has room for whatever its server gives away: one
/// binding for each address of its pools.
#[derive(Debug, Clone, Default)]
pub struct HeapStore {
    bindings: HashMap<Ipv4Addr, Binding>,
    /// The addresses each client has bindings for.
    clients: HashMap<ClientKey, Vec<Ipv4Addr>>,
}

impl HeapStore {
    /// An empty store.
    pub fn new() -> HeapStore {
        HeapStore::default()
    }

    /// How many bindings there are.
    pub fn len(&self) -> usize {
        self.bindings.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bindings.is_empty()
    }

    /// Every binding, in no particular order.
    pub(super) fn bindings(&self) -> impl Iterator<Item = &Binding> {
        self.bindings.values()
    }

    pub(super) fn keep(&mut self, binding: &Binding) {
        let before = self.bindings.insert(binding.address, *binding);
        if let Some(before) = before.filter(|before| before.client != binding.client) {
            self.forget_client(&before);
        }
        let addresses = self.clients.entry(binding.client).or_default();
        if !addresses.contains(&binding.address) {
            addresses.push(binding.address);
        }
    }

    pub(super) fn forget(&mut self, binding: &Binding) {
        self.bindings.remove(&binding.address);
        self.forget_client(binding);
    }

    fn forget_client(&mut self, binding: &Binding) {
        if let Some(addresses) = self.clients.get_mut(&binding.client) {
            addresses.retain(|address| *address != binding.address);
            if addresses.is_empty() {
                self.clients.remove(&binding.client);
            }
        }
    }
}

impl Store for HeapStore {
    fn by_address(&self, address: Ipv4Addr) -> Option<Binding> {
        self.bindings.get(&address).copied()
    }

    fn by_client(&self, client: &ClientKey, network: &Cidr) -> Option<Binding> {
        self.clients
            .get(client)?
            .iter()
            .filter(|address| network.contains(&(**address).into()))
            .filter_map(|address| self.bindings.get(address))
            .max_by_key(|binding| binding.expires)
            .copied()
    }

    fn put(&mut self, binding: &Binding, _now: u64) -> Result<(), StoreError> {
        self.keep(binding);
        Ok(())
    }

    fn for_each(&self, each: &mut dyn FnMut(&Binding)) {
        self.bindings.values().for_each(each);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use netloom_services::dhcp::BindingState;
    use netloom_stack::wire::dhcpv4::Hardware;

    fn binding(n: u32, client: u8) -> Binding {
        Binding {
            address: Ipv4Addr::from(0x0a00_0000 + n),
            client: ClientKey::from_bytes(&[1, client]).unwrap(),
            hardware: Hardware::ethernet([2, 0, 0, 0, 0, client]),
            state: BindingState::Leased,
            expires: u64::from(n),
        }
    }

    #[test]
    fn as_many_bindings_as_there_are_addresses() {
        let mut store = HeapStore::new();
        assert!(store.is_empty());
        for n in 0..5000 {
            store.put(&binding(n, 7), 0).unwrap();
        }
        assert_eq!(store.len(), 5000);
        let mut seen = 0;
        store.for_each(&mut |_| seen += 1);
        assert_eq!(seen, 5000);
        let network = "10.0.0.0/8".parse().unwrap();
        let known =
            |store: &HeapStore, client| store.by_client(&binding(0, client).client, &network);
        // Of several the one that lasts longest.
        assert_eq!(known(&store, 7), Some(binding(4999, 7)));
        // What another client gets is the first one's no more.
        store.put(&binding(4999, 8), 0).unwrap();
        assert_eq!(known(&store, 7), Some(binding(4998, 7)));
        assert_eq!(known(&store, 8), Some(binding(4999, 8)));
        assert_eq!(
            store.by_address(binding(4999, 8).address),
            Some(binding(4999, 8))
        );
        assert_eq!(store.len(), 5000);
    }
}
