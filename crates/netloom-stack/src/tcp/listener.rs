//! Who takes new connections.

#[cfg(feature = "fastopen")]
use netloom_driver::Instant;
use netloom_wire::Addr;

use crate::list::Links;
#[cfg(feature = "alloc")]
use crate::list::List;
use crate::memory::slab::Item;
use crate::stack::Stack;
#[cfg(not(feature = "alloc"))]
use crate::tcp::{HalfOpenEntry, TcpSlot};
use crate::tuple::Tuple;
use crate::version::{Version, local_addr_of, scope_of};

/// Where to listen: made from a port (every address), or from a `SocketAddr` (one address, or
/// every address of one version).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenAddr {
    pub(crate) addr: Addr,
    pub(crate) port: u16,
    pub(crate) version: Version,
    pub(crate) scope: u8,
}

impl From<u16> for ListenAddr {
    /// Every address of both versions.
    fn from(port: u16) -> ListenAddr {
        ListenAddr {
            addr: Addr::UNSPECIFIED,
            port,
            version: Version::Any,
            scope: 0,
        }
    }
}

impl From<core::net::SocketAddr> for ListenAddr {
    /// `0.0.0.0` and `::` mean every address of that version.
    fn from(at: core::net::SocketAddr) -> ListenAddr {
        let addr = local_addr_of(at.ip());
        let version = Version::to_listen(&addr);
        ListenAddr {
            addr: if addr.is_unspecified() {
                Addr::UNSPECIFIED
            } else {
                addr
            },
            port: at.port(),
            version,
            scope: scope_of(&at).unwrap_or(0),
        }
    }
}

impl ListenAddr {
    /// The tuple under which the index knows a listener here.
    pub(crate) fn key(&self) -> Tuple {
        if self.addr.is_unspecified() {
            self.version.key(self.port, None)
        } else {
            Tuple::new((self.addr, self.port), (Addr::UNSPECIFIED, 0), self.scope)
        }
    }
}

/// How to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenOptions {
    /// Connections that may be in SYN-RECEIVED, and, separately, that may wait to be
    /// accepted. 1 and up.
    pub backlog: u16,
    /// Whether other listeners that say so too may share the address and port; new
    /// connections are spread over them by the hash of their addresses.
    pub reuse_port: bool,
    /// How many connections may be open at once by data on their SYN (RFC 7413) whose handshake is
    /// not complete; 0: no such data is taken. The tunable `tcp_fastopen` must allow it too. Such
    /// data may arrive twice.
    #[cfg(feature = "fastopen")]
    pub fast_open: u16,
}

impl Default for ListenOptions {
    /// A backlog of 128, not shared.
    fn default() -> ListenOptions {
        ListenOptions {
            backlog: 128,
            reuse_port: false,
            #[cfg(feature = "fastopen")]
            fast_open: 0,
        }
    }
}

/// How full a listener's queues are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// Handshakes under way.
    pub half_open: u16,
    /// Connections that wait to be accepted.
    pub to_accept: u16,
    /// The bound of each.
    pub limit: u16,
}

/// A listener.
pub(crate) struct Listener {
    /// What the index knows it by: see [`ListenAddr::key`].
    pub(crate) key: Tuple,
    pub(crate) live: bool,
    pub(crate) reuse_port: bool,
    pub(crate) backlog: u16,
    /// Counted where there is a heap; else by a look at all, when it matters.
    #[cfg(feature = "alloc")]
    pub(crate) half_open: u16,
    #[cfg(feature = "alloc")]
    pub(crate) to_accept: u16,
    #[cfg(feature = "fastopen")]
    pub(crate) fast_open: u16,
    /// PendingFastOpenRequests.
    #[cfg(feature = "fastopen")]
    pub(crate) fast_pending: u16,
    /// How many of these were reset, and until when they count.
    #[cfg(feature = "fastopen")]
    pub(crate) fast_reset: u16,
    #[cfg(feature = "fastopen")]
    pub(crate) fast_reset_until: Instant,
    pub(crate) generation: u32,
    /// Connections to accept, oldest first.
    #[cfg(feature = "alloc")]
    pub(crate) queue: List,
    /// On the event list.
    pub(crate) news: Links,
    /// The next listener that shares address and port (index + 1, 0 ends).
    pub(crate) next: u32,
}

impl Item for Listener {
    const EMPTY: Listener = Listener {
        key: Tuple::EMPTY,
        live: false,
        reuse_port: false,
        backlog: 0,
        #[cfg(feature = "alloc")]
        half_open: 0,
        #[cfg(feature = "alloc")]
        to_accept: 0,
        #[cfg(feature = "fastopen")]
        fast_open: 0,
        #[cfg(feature = "fastopen")]
        fast_pending: 0,
        #[cfg(feature = "fastopen")]
        fast_reset: 0,
        #[cfg(feature = "fastopen")]
        fast_reset_until: Instant::ZERO,
        generation: 0,
        #[cfg(feature = "alloc")]
        queue: List::EMPTY,
        news: Links::EMPTY,
        next: 0,
    };

    #[cfg(feature = "alloc")]
    fn free_link(&mut self) -> &mut u32 {
        &mut self.next
    }

    #[cfg(not(feature = "alloc"))]
    fn is_free(&self) -> bool {
        !self.live
    }

    fn reset(&mut self) {
        let generation = self.generation.wrapping_add(1);
        *self = Listener::EMPTY;
        self.generation = generation;
    }
}

impl Stack {
    /// How full a listener's queues are.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn backlog(&self, listener: u32) -> Option<Backlog> {
        let listener = self.tables.listeners.get(listener)?;
        Some(Backlog {
            half_open: listener.half_open,
            to_accept: listener.to_accept,
            limit: listener.backlog,
        })
    }

    /// How full a listener's queues are.
    #[cfg(not(feature = "alloc"))]
    pub(crate) fn backlog(&self, listener: u32) -> Option<Backlog> {
        let limit = self.tables.listeners.get(listener)?.backlog;
        let of_it = |slot: &&TcpSlot| slot.listener() == listener.wrapping_add(1);
        let to_accept = self.tables.connections.items().filter(of_it).count() as u16;
        let under_way = |entry: &&HalfOpenEntry| {
            let iface = entry.tuple.scope().unwrap_or(0);
            !entry.is_free() && self.find_listener(&entry.tuple, iface) == Some(listener)
        };
        let half_open = self.tables.half_open.items().filter(under_way).count() as u16;
        Some(Backlog {
            half_open,
            to_accept,
            limit,
        })
    }
}
