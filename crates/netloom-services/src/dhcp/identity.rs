//! Who a client is.

use core::fmt;
use core::hash::{Hash, Hasher};

use netloom_wire::MacAddr;
#[cfg(feature = "dhcp-server")]
use netloom_wire::dhcpv4::OptionBytes;

use super::fixed::List;

/// What a client is known by: the client identifier option (RFC 2132 §9.14), type byte included.
///
/// Two clients that share one would share an address; one that changes its identifier is another
/// client. It is the same in every message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ClientId {
    bytes: List<u8, { ClientId::MAX }>,
}

impl ClientId {
    /// The longest identifier, in bytes: more than any kind of DUID in use takes.
    pub const MAX: usize = 40;

    pub(super) const NONE: ClientId = ClientId {
        bytes: List::new(0),
    };

    /// The identifier of RFC 4361 for an interface without memory of its own: type 255, an IAID
    /// from the last four bytes of the MAC, and the DUID made of the MAC (RFC 8415 §11.4).
    //= https://www.rfc-editor.org/rfc/rfc4361#section-6.1
    //# DHCPv4 clients conforming to this specification MUST use stable
    //# DHCPv4 node identifiers in the dhcp-client-identifier option.
    #[must_use]
    pub fn duid(mac: MacAddr) -> ClientId {
        let MacAddr(octets) = mac;
        let [_, _, iaid @ ..] = octets;
        let mut id = ClientId::NONE;
        id.bytes.extend([255]);
        id.bytes.extend(iaid);
        // DUID-LL of an Ethernet interface.
        id.bytes.extend([0, 3, 0, 1]);
        id.bytes.extend(octets);
        id
    }

    /// The identifier of old: hardware type 1 and the MAC.
    #[must_use]
    pub fn hardware(mac: MacAddr) -> ClientId {
        let mut id = ClientId::NONE;
        id.bytes.extend([1]);
        id.bytes.extend(mac.0);
        id
    }

    /// Any identifier, its type byte first; `None` below 2 bytes (RFC 2132 §9.14) or above
    /// [`MAX`](ClientId::MAX).
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<ClientId> {
        let mut id = ClientId::NONE;
        let fits = bytes.iter().all(|byte| id.bytes.push(*byte));
        (fits && bytes.len() >= 2).then_some(id)
    }

    /// One from a message; `None` if it is shorter or longer than one can be.
    #[cfg(feature = "dhcp-server")]
    pub(super) fn from_option(option: &OptionBytes<'_>) -> Option<ClientId> {
        let mut id = ClientId::NONE;
        let fits = option.clone().all(|byte| id.bytes.push(byte));
        (fits && id.bytes.len() >= 2).then_some(id)
    }

    /// The bytes, type byte included.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Hash for ClientId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Display for ClientId {
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

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
