//! Which IP versions a socket without an address speaks.

use core::net::{IpAddr, SocketAddr};

use netloom_wire::Addr;

use crate::tuple::Tuple;

/// Which IP versions a listener or socket on every address takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub(crate) enum Version {
    /// Both.
    #[default]
    Any = 0,
    V4 = 1,
    V6 = 2,
}

/// Whether the stack speaks one version alone.
#[cfg(feature = "tcp")]
pub(crate) const ONE_VERSION: bool = !cfg!(all(feature = "ipv4", feature = "ipv6"));

impl Version {
    /// The version of an address.
    #[inline]
    pub(crate) fn of(addr: &Addr) -> Version {
        if addr.is_v4() {
            Version::V4
        } else {
            Version::V6
        }
    }

    /// The version of an address to listen at. Where there is but one it is not told apart from
    /// both.
    #[cfg(feature = "tcp")]
    #[inline]
    pub(crate) fn to_listen(addr: &Addr) -> Version {
        if ONE_VERSION {
            Version::Any
        } else {
            Version::of(addr)
        }
    }

    /// The tuple under which the index knows a listener or socket on every address of these
    /// versions, and perhaps only of one interface.
    ///
    /// No connection has an unspecified remote address, so these keys are nobody else's.
    pub(crate) fn key(self, port: u16, on: Option<u8>) -> Tuple {
        let addr = match self {
            Version::V4 => Addr::v4([0; 4]),
            Version::Any | Version::V6 => Addr::UNSPECIFIED,
        };
        let on = on.map_or(0, |iface| u16::from(iface).wrapping_add(1) << 8);
        Tuple::new((addr, port), (Addr::UNSPECIFIED, on | self as u16), 0)
    }

    /// The versions that a socket speaks, by its tuple: of a socket on every address, which has no
    /// remote end, what [`key`](Version::key) wrote there.
    #[cfg(feature = "udp")]
    pub(crate) fn of_tuple(tuple: &Tuple) -> Version {
        let local = tuple.local();
        match tuple.remote_port & 0xff {
            0 if local.is_unspecified() && tuple.remote.is_unspecified() => Version::Any,
            _ => Version::of(&local),
        }
    }

    /// Whether an address is of these versions.
    #[cfg(feature = "udp")]
    pub(crate) fn speaks_with(self, addr: &Addr) -> bool {
        self == Version::Any || self == Version::of(addr)
    }
}

/// The stack's form of an address; `None` for a version it was built without.
pub(crate) fn addr_of(ip: IpAddr) -> Option<Addr> {
    match ip {
        IpAddr::V4(ip) => Some(ip.into()),
        #[cfg(feature = "ipv6")]
        IpAddr::V6(ip) => Some(ip.into()),
        #[cfg(not(feature = "ipv6"))]
        IpAddr::V6(_) => None,
    }
}

/// [`addr_of`] for a place to listen at. An address of a version that the stack was built
/// without becomes one that no interface can have, so that it is refused like any foreign one.
pub(crate) fn local_addr_of(ip: IpAddr) -> Addr {
    addr_of(ip).unwrap_or(Addr::V4_BROADCAST)
}

/// The interface that a `SocketAddr` names by its scope id, which is the interface's number + 1;
/// 0 if it names none.
pub(crate) fn scope_of(at: &SocketAddr) -> Option<u8> {
    match at {
        SocketAddr::V6(at) => at
            .scope_id()
            .checked_sub(1)
            .and_then(|id| u8::try_from(id).ok()),
        SocketAddr::V4(_) => None,
    }
}
