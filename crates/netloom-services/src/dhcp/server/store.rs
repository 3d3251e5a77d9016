//! Where a server keeps what it gave away.

use core::fmt;
use core::net::Ipv4Addr;

use netloom_wire::Cidr;

use super::binding::{Binding, ClientKey};

/// Where a server keeps what it gave away: at most one [`Binding`] an address.
///
/// What [`put`](Store::put) has answered `Ok` to is kept whatever happens afterwards, as far as the
/// store promises that at all: the client is told only then.
pub trait Store {
    /// What is known of an address.
    fn by_address(&self, address: Ipv4Addr) -> Option<Binding>;

    /// The client's binding in a network; the one that lasts longest if there are several.
    fn by_client(&self, client: &ClientKey, network: &Cidr) -> Option<Binding>;

    /// Keeps a binding in place of what was known of its address. What has ended by `now`, in
    /// seconds by the store's clock, may make way for it.
    ///
    /// # Errors
    /// [`StoreError`]: the binding is not kept.
    fn put(&mut self, binding: &Binding, now: u64) -> Result<(), StoreError>;

    /// Shows every binding, in no particular order.
    fn for_each(&self, each: &mut dyn FnMut(&Binding));
}

impl<S: Store + ?Sized> Store for &mut S {
    fn by_address(&self, address: Ipv4Addr) -> Option<Binding> {
        (**self).by_address(address)
    }

    fn by_client(&self, client: &ClientKey, network: &Cidr) -> Option<Binding> {
        (**self).by_client(client, network)
    }

    fn put(&mut self, binding: &Binding, now: u64) -> Result<(), StoreError> {
        (**self).put(binding, now)
    }

    fn for_each(&self, each: &mut dyn FnMut(&Binding)) {
        (**self).for_each(each);
    }
}

/// A binding could not be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreError {
    /// There is no room for another.
    Full,
    /// The medium failed.
    Failed,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StoreError::Full => "the store of leases is full",
            StoreError::Failed => "the store of leases failed",
        })
    }
}

impl core::error::Error for StoreError {}
