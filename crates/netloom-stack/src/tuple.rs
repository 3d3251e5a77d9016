//! Who speaks with whom.

use netloom_wire::Addr;

/// The local and remote end of a connection or flow, and the link they are on if their
/// addresses are link-local.
///
/// The link is kept inside the local address, in bytes that are zero in every link-local
/// address (RFC 4291 §2.5.6), so that a tuple stays within 36 bytes and comparing tuples
/// compares scopes too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tuple {
    local: Addr,
    pub(crate) remote: Addr,
    pub(crate) local_port: u16,
    pub(crate) remote_port: u16,
}

impl Tuple {
    pub(crate) const EMPTY: Tuple = Tuple {
        local: Addr::UNSPECIFIED,
        remote: Addr::UNSPECIFIED,
        local_port: 0,
        remote_port: 0,
    };

    /// The tuple of a packet that came in, or is to go out, on `iface`.
    #[inline]
    pub(crate) fn new(local: (Addr, u16), remote: (Addr, u16), iface: u8) -> Tuple {
        Tuple {
            local: scoped(local.0, iface),
            remote: remote.0,
            local_port: local.1,
            remote_port: remote.1,
        }
    }

    /// The local address.
    #[inline]
    pub(crate) fn local(&self) -> Addr {
        unscoped(self.local)
    }

    /// The interface, if the local address is link-local.
    pub(crate) fn scope(&self) -> Option<u8> {
        scope(&self.local)
    }

    /// Whether this is the tuple of a packet between these addresses, whose ports are the local
    /// one and the remote one in one word. Not for addresses with a scope.
    #[cfg(all(
        feature = "alloc",
        feature = "ipv4",
        feature = "fast-retransmit",
        target_pointer_width = "64"
    ))]
    #[inline]
    pub(crate) fn is_of(&self, local: &Addr, remote: &Addr, ports: u32) -> bool {
        self.ports() == ports && self.remote == *remote && self.local == *local
    }

    /// Both ports in one word.
    #[inline]
    pub(crate) fn ports(&self) -> u32 {
        u32::from(self.local_port) << 16 | u32::from(self.remote_port)
    }

    /// The local address with its scope, for hashing.
    #[inline]
    pub(crate) fn scoped_local(&self) -> &Addr {
        &self.local
    }
}

#[cfg(feature = "ipv6")]
#[inline]
fn scoped(addr: Addr, iface: u8) -> Addr {
    match addr.octets16() {
        [0xfe, b, rest @ ..] if b & 0xc0 == 0x80 => {
            let mut octets = [0; 16];
            octets[0] = 0xfe;
            octets[1] = b;
            octets[2..].copy_from_slice(&rest);
            octets[3] = iface.saturating_add(1);
            Addr::v6(octets)
        }
        _ => addr,
    }
}

#[cfg(feature = "ipv6")]
#[inline]
fn unscoped(addr: Addr) -> Addr {
    match addr.octets16() {
        mut octets @ [0xfe, b, ..] if b & 0xc0 == 0x80 => {
            octets[3] = 0;
            Addr::v6(octets)
        }
        _ => addr,
    }
}

#[cfg(feature = "ipv6")]
fn scope(addr: &Addr) -> Option<u8> {
    match addr.octets16() {
        [0xfe, b, _, scope, ..] if b & 0xc0 == 0x80 => scope.checked_sub(1),
        _ => None,
    }
}

#[cfg(not(feature = "ipv6"))]
fn scoped(addr: Addr, _iface: u8) -> Addr {
    addr
}

#[cfg(not(feature = "ipv6"))]
fn unscoped(addr: Addr) -> Addr {
    addr
}

#[cfg(not(feature = "ipv6"))]
fn scope(_addr: &Addr) -> Option<u8> {
    None
}
