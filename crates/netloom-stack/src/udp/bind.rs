//! Where a UDP socket is bound, and the keys it is found by.

use core::net::SocketAddr;

use netloom_wire::Addr;

use crate::event::IfaceId;
use crate::tuple::Tuple;
use crate::version::{Version, local_addr_of, scope_of};

/// Where to bind a UDP socket: made from a port (every address; 0 chooses one) or a
/// `SocketAddr`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UdpBind {
    pub(super) addr: Addr,
    pub(super) port: u16,
    pub(super) version: Version,
    scope: u8,
    pub(super) iface: Option<IfaceId>,
}

impl From<u16> for UdpBind {
    fn from(port: u16) -> UdpBind {
        UdpBind {
            addr: Addr::UNSPECIFIED,
            port,
            version: Version::Any,
            scope: 0,
            iface: None,
        }
    }
}

impl From<SocketAddr> for UdpBind {
    fn from(at: SocketAddr) -> UdpBind {
        let addr = local_addr_of(at.ip());
        UdpBind {
            addr: if addr.is_unspecified() {
                Addr::UNSPECIFIED
            } else {
                addr
            },
            port: at.port(),
            version: Version::of(&addr),
            scope: scope_of(&at).unwrap_or(0),
            iface: None,
        }
    }
}

impl UdpBind {
    /// Binds to an interface too: only what arrives there is taken, and what is sent leaves
    /// there, even while the interface has no address (from 0.0.0.0 then, as DHCP needs).
    #[must_use]
    pub fn on(mut self, iface: IfaceId) -> UdpBind {
        self.iface = Some(iface);
        self
    }

    pub(super) fn key(&self, port: u16) -> Tuple {
        let on = self.iface.map(|iface| iface.0);
        if self.addr.is_unspecified() {
            self.version.key(port, on)
        } else {
            bound_key((self.addr, port), self.scope, on)
        }
    }
}

/// The key of a socket bound to an address.
pub(crate) fn bound_key(local: (Addr, u16), scope: u8, on: Option<u8>) -> Tuple {
    let on = on.map_or(0, |iface| (u16::from(iface).wrapping_add(1)) << 8);
    Tuple::new(local, (Addr::UNSPECIFIED, on), scope)
}

/// The keys of sockets bound to every address that take a datagram for `addr`.
pub(crate) fn wildcard_keys(addr: &Addr, port: u16, on: Option<u8>) -> [Tuple; 2] {
    [Version::of(addr).key(port, on), Version::Any.key(port, on)]
}
