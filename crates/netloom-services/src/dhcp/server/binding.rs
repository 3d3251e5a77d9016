//! An address and the client that has it.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::net::Ipv4Addr;

use netloom_wire::dhcpv4::{Dhcpv4View, Hardware, code};

use crate::dhcp::fixed::List;
use crate::dhcp::identity::ClientId;

/// Bytes of a key: what kind it is, and the identifier.
const KEY: usize = ClientId::MAX + 1;
/// The kinds.
const NOBODY: u8 = 0;
const BY_ID: u8 = 1;
const BY_HARDWARE: u8 = 2;

/// What a server knows a client by: its identifier if it sends one, else its interface.
//= https://www.rfc-editor.org/rfc/rfc2131#section-4.2
//# If the client does not provide a 'client identifier' option, the
//# server MUST use the contents of the 'chaddr' field to identify the
//# client.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ClientKey {
    bytes: List<u8, KEY>,
}

impl ClientKey {
    /// Nobody: the key of an address in quarantine.
    pub const NOBODY: ClientKey = ClientKey {
        bytes: List::new(NOBODY),
    };

    /// That of the client a message is from. Identifiers longer than [`ClientId::MAX`], which no
    /// kind in use reaches, count as none.
    pub(super) fn of(view: &Dhcpv4View<'_>) -> ClientKey {
        let mut key = ClientKey::NOBODY;
        let id = view.option(code::CLIENT_IDENTIFIER);
        if let Some(id) = id.and_then(|id| ClientId::from_option(&id)) {
            key.bytes.push(BY_ID);
            key.bytes.extend(id.as_bytes().iter().copied());
        } else {
            let hardware = view.hardware();
            key.bytes.extend([BY_HARDWARE, hardware.htype]);
            key.bytes.extend(hardware.as_bytes().iter().copied());
        }
        key
    }

    /// From [`as_bytes`](ClientKey::as_bytes); `None` for bytes that are no key.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<ClientKey> {
        let mut key = ClientKey::NOBODY;
        let fits = bytes.iter().all(|byte| key.bytes.push(*byte));
        let known = matches!(bytes.first(), None | Some(&(BY_ID | BY_HARDWARE)));
        (fits && known).then_some(key)
    }

    /// The key as bytes, for stores.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The identifier, if the client is known by one.
    #[must_use]
    pub fn id(&self) -> Option<&[u8]> {
        match self.bytes.split_first() {
            Some((&BY_ID, id)) => Some(id),
            Some(_) | None => None,
        }
    }

    /// A number that depends on the key alone: where its search for an address begins, so that the
    /// same client tends to get the same one (FNV-1a).
    pub(super) fn spread(&self) -> u32 {
        let start = 0x811c_9dc5_u32;
        self.bytes.iter().fold(start, |hash, byte| {
            (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
        })
    }
}

impl Hash for ClientKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, byte) in self.bytes.iter().enumerate() {
            if n > 0 {
                f.write_str(":")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// What has become of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BindingState {
    /// Given to the client, until it expires.
    Leased,
    /// Given back: kept in mind, so that the client gets it again if nobody else did.
    Released,
    /// Somebody has it who did not get it from here: given to nobody, until it expires.
    Quarantined,
}

/// An address, who has it, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// The address.
    pub address: Ipv4Addr,
    /// The client; [`ClientKey::NOBODY`] in quarantine.
    pub client: ClientKey,
    /// Its interface.
    pub hardware: Hardware,
    /// What has become of it.
    pub state: BindingState,
    /// When that ends, in seconds by the store's clock; [`u64::MAX`]: never.
    pub expires: u64,
}

impl Binding {
    pub(super) const NONE: Binding = Binding {
        address: Ipv4Addr::UNSPECIFIED,
        client: ClientKey::NOBODY,
        hardware: Hardware::ethernet([0; 6]),
        state: BindingState::Released,
        expires: 0,
    };

    /// Whether nobody else may have the address now.
    #[must_use]
    pub fn is_active(&self, now: u64) -> bool {
        match self.state {
            BindingState::Leased | BindingState::Quarantined => now < self.expires,
            BindingState::Released => false,
        }
    }
}
