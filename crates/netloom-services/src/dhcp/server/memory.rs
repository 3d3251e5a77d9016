//! A store that ends with the program.

use core::net::Ipv4Addr;

use netloom_wire::Cidr;

use super::binding::{Binding, ClientKey};
use super::store::{Store, StoreError};

/// At most `N` bindings in memory. When it is full, the one that ended first makes way; leases in
/// force never do.
#[derive(Debug, Clone)]
pub struct MemoryStore<const N: usize> {
    bindings: [Binding; N],
    len: usize,
}

impl<const N: usize> MemoryStore<N> {
    /// An empty store.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bindings: [Binding::NONE; N],
            len: 0,
        }
    }

    fn known(&self) -> &[Binding] {
        self.bindings.get(..self.len).unwrap_or(&[])
    }
}

impl<const N: usize> Default for MemoryStore<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Store for MemoryStore<N> {
    fn by_address(&self, address: Ipv4Addr) -> Option<Binding> {
        let mut known = self.known().iter();
        known.find(|binding| binding.address == address).copied()
    }

    fn by_client(&self, client: &ClientKey, network: &Cidr) -> Option<Binding> {
        self.known()
            .iter()
            .filter(|b| b.client == *client && network.contains(&b.address.into()))
            .max_by_key(|binding| binding.expires)
            .copied()
    }

    fn put(&mut self, binding: &Binding, now: u64) -> Result<(), StoreError> {
        let len = self.len;
        let known = self.bindings.get_mut(..len).unwrap_or_default();
        if let Some(place) = known.iter_mut().find(|b| b.address == binding.address) {
            *place = *binding;
            return Ok(());
        }
        if let Some(place) = self.bindings.get_mut(len) {
            *place = *binding;
            self.len = len.saturating_add(1);
            return Ok(());
        }
        let place = self
            .bindings
            .iter_mut()
            .filter(|b| !b.is_active(now))
            .min_by_key(|b| b.expires)
            .ok_or(StoreError::Full)?;
        *place = *binding;
        Ok(())
    }

    fn for_each(&self, each: &mut dyn FnMut(&Binding)) {
        self.known().iter().for_each(each);
    }
}
