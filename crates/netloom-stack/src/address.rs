//! The addresses of this host, and which destinations are its own.
//!
//! netloom follows the weak host model (RFC 1122 §3.3.4.2): a packet for any of the host's
//! addresses is accepted on any interface, except that a link-local address is only that of its
//! own interface. A host with two interfaces in one network, or with a service address on its
//! loopback interface, works without configuration; who wants the strong model asks
//! [`AddressTable::contains`] instead of [`AddressTable::is_local`].

use netloom_wire::{Addr, Cidr};

use crate::memory::Mem;

/// Whether an address may be used (RFC 4862 §2). IPv4 addresses use the same states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AddressState {
    /// Its uniqueness is being verified: not a source, not a destination.
    #[default]
    Tentative,
    /// Optimistic DAD (RFC 4429): usable, but not to be told to others, and the last choice.
    Optimistic,
    /// In use.
    Preferred,
    /// Still accepted; not chosen for new conversations.
    Deprecated,
}

/// An address of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// The address and the length of its prefix.
    pub cidr: Cidr,
    /// The interface it is on.
    pub iface: u8,
    /// Whether it may be used.
    pub state: AddressState,
    /// A temporary address (RFC 8981), preferred as a source over public ones.
    pub temporary: bool,
    /// Accepted, but not answered for in ARP and ND: a virtual address that others share.
    pub silent: bool,
    /// The router that advertised the prefix; [`Addr::UNSPECIFIED`] if none did.
    pub advertised_by: Addr,
}

impl InterfaceAddress {
    /// An unused entry; all-zero bytes.
    pub const EMPTY: InterfaceAddress = InterfaceAddress {
        cidr: Cidr {
            addr: Addr::UNSPECIFIED,
            prefix: 0,
        },
        iface: 0,
        state: AddressState::Tentative,
        temporary: false,
        silent: false,
        advertised_by: Addr::UNSPECIFIED,
    };

    /// A preferred, public address.
    pub fn new(iface: u8, cidr: Cidr) -> InterfaceAddress {
        InterfaceAddress {
            cidr,
            iface,
            state: AddressState::Preferred,
            ..InterfaceAddress::EMPTY
        }
    }

    /// The address.
    pub fn addr(&self) -> &Addr {
        &self.cidr.addr
    }

    /// Whether packets may be sent from it and are accepted for it.
    pub fn is_assigned(&self) -> bool {
        match self.state {
            //= https://www.rfc-editor.org/rfc/rfc4862#section-5.4
            //# An address on which the Duplicate Address Detection procedure is
            //# applied is said to be tentative until the procedure has completed
            //# successfully.
            AddressState::Tentative => false,
            AddressState::Optimistic | AddressState::Preferred | AddressState::Deprecated => true,
        }
    }

    /// Whether ARP requests and Neighbor Solicitations for it are to be answered.
    pub fn is_answered(&self) -> bool {
        self.is_assigned() && !self.silent
    }

    /// Whether `addr` is this prefix's directed broadcast address, in its standard or its
    /// obsolete form. A /31 or /32 has neither.
    ///
    //= https://www.rfc-editor.org/rfc/rfc1122#section-3.3.6
    //# recognize and accept any of these non-standard broadcast
    //# addresses as the destination address of an incoming datagram.
    pub fn is_directed_broadcast(&self, addr: &Addr) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc3021#section-2.1
        //# In a point-to-point link with
        //# a 31-bit subnet mask, the two addresses above MUST be interpreted as
        //# host addresses.
        match self.cidr.broadcast() {
            Some(broadcast) => *addr == broadcast || *addr == self.cidr.network(),
            None => false,
        }
    }
}

/// Why an address could not be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressError {
    /// The table is full.
    Full,
    /// Unspecified, multicast, broadcast, or the prefix is longer than the address.
    NotUnicast,
}

impl core::fmt::Display for AddressError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            AddressError::Full => "the address table is full",
            AddressError::NotUnicast => "not the address of a host",
        })
    }
}

impl core::error::Error for AddressError {}

/// The addresses of all interfaces, in the order in which they were added.
#[derive(Debug)]
pub struct AddressTable {
    addresses: Mem<InterfaceAddress>,
    len: u16,
}

impl AddressTable {
    /// A table without memory: nothing can be added.
    pub const fn empty() -> Self {
        Self::over(Mem::none())
    }

    /// A table in lent memory.
    pub const fn lent(addresses: &'static mut [InterfaceAddress]) -> Self {
        Self::over(Mem::Lent(addresses))
    }

    /// A table of `capacity` addresses on the heap.
    #[cfg(feature = "alloc")]
    pub fn heap(capacity: usize) -> Self {
        Self::over(Mem::Heap(
            alloc::vec![InterfaceAddress::EMPTY; capacity].into_boxed_slice(),
        ))
    }

    const fn over(addresses: Mem<InterfaceAddress>) -> Self {
        Self { addresses, len: 0 }
    }

    /// All addresses.
    pub fn addresses(&self) -> &[InterfaceAddress] {
        self.addresses
            .get(..usize::from(self.len))
            .unwrap_or_default()
    }

    fn addresses_mut(&mut self) -> &mut [InterfaceAddress] {
        self.addresses
            .get_mut(..usize::from(self.len))
            .unwrap_or_default()
    }

    /// How many addresses there are.
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds an address, or replaces what was known of it.
    ///
    /// # Errors
    /// [`AddressError::Full`], or [`AddressError::NotUnicast`] for what cannot be a host's.
    pub fn add(&mut self, address: InterfaceAddress) -> Result<(), AddressError> {
        if let Some(known) = self.get_mut(address.iface, &address.cidr.addr) {
            check(&address.cidr)?;
            *known = address;
            return Ok(());
        }
        self.push(address)
    }

    /// [`add`](AddressTable::add) of an address that is not in the table.
    pub(crate) fn push(&mut self, address: InterfaceAddress) -> Result<(), AddressError> {
        check(&address.cidr)?;
        let place = self.addresses.get_mut(usize::from(self.len));
        *place.ok_or(AddressError::Full)? = address;
        self.len = self.len.checked_add(1).ok_or(AddressError::Full)?;
        Ok(())
    }

    /// Removes an address and returns what was known of it.
    pub fn remove(&mut self, iface: u8, addr: &Addr) -> Option<InterfaceAddress> {
        let addresses = self.addresses_mut();
        let at = addresses
            .iter()
            .position(|known| known.iface == iface && known.addr() == addr)?;
        let after = addresses.get_mut(at..)?;
        let removed = after.first().copied();
        after.rotate_left(1);
        self.len = self.len.saturating_sub(1);
        removed
    }

    /// What is known of an address of `iface`, in whatever state.
    pub fn get(&self, iface: u8, addr: &Addr) -> Option<&InterfaceAddress> {
        self.iter(iface).find(|known| known.addr() == addr)
    }

    /// What is known of an address of `iface`, in whatever state, to change its state. Its
    /// address and interface must stay.
    pub fn get_mut(&mut self, iface: u8, addr: &Addr) -> Option<&mut InterfaceAddress> {
        self.addresses_mut()
            .iter_mut()
            .find(|known| known.iface == iface && known.addr() == addr)
    }

    /// The addresses of an interface, in whatever state.
    pub fn iter(&self, iface: u8) -> impl Iterator<Item = &InterfaceAddress> {
        self.addresses()
            .iter()
            .filter(move |known| known.iface == iface)
    }

    /// Whether `addr` is assigned to `iface`.
    pub fn contains(&self, iface: u8, addr: &Addr) -> bool {
        self.is_assigned(Some(iface), addr)
    }

    /// Whether `addr` is assigned to this interface, or to any if none is given.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn is_assigned(&self, iface: Option<u8>, addr: &Addr) -> bool {
        self.addresses().iter().any(|known| {
            known.addr() == addr
                && known.is_assigned()
                && iface.is_none_or(|iface| iface == known.iface)
        })
    }

    /// Whether a packet for `addr` that arrived on `iface` is for this host: `addr` is assigned
    /// to any interface, or, if it is link-local, to this one.
    ///
    //= https://www.rfc-editor.org/rfc/rfc1122#section-3.3.4.2
    //# (A)  A host MAY silently discard an incoming datagram whose
    //# destination address does not correspond to the physical
    //# interface through which it is received.
    pub fn is_local_on(&self, iface: u8, addr: &Addr) -> bool {
        self.is_assigned(addr.is_link_local().then_some(iface), addr)
    }

    /// Whether `addr` is assigned to any interface.
    pub fn is_local(&self, addr: &Addr) -> bool {
        self.is_assigned(None, addr)
    }

    /// Whether `addr` is a broadcast address on `iface`: the limited one, or that of the prefix
    /// of one of its addresses.
    pub fn is_broadcast_for(&self, iface: u8, addr: &Addr) -> bool {
        if addr.is_broadcast() {
            return true;
        }
        addr.is_v4()
            && self
                .iter(iface)
                .any(|known| known.is_directed_broadcast(addr))
    }

    /// Whether `group` is the solicited-node group of an address of `iface`, tentative ones
    /// included: a host is a member of it as long as it has the address (RFC 4291 §2.8), and
    /// before it asks whether somebody else has (RFC 4862 §5.4.2).
    #[cfg(feature = "ipv6")]
    pub fn joins_solicited_node(&self, iface: u8, group: &Addr) -> bool {
        self.iter(iface)
            .any(|known| known.addr().is_v6() && known.addr().solicited_node() == *group)
    }
}

/// Whether an address can be a host's.
fn check(cidr: &Cidr) -> Result<(), AddressError> {
    // An address of a subnet is not its broadcast address, except where there is no subnet.
    let Cidr { addr, prefix } = *cidr;
    if !addr.is_unicast() || prefix > addr.width() || cidr.broadcast() == Some(addr) {
        return Err(AddressError::NotUnicast);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
