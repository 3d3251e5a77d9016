//! Which IP versions a socket without an address speaks.

use core::net::SocketAddr;

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
