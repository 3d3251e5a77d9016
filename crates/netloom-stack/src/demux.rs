//! Whose segment or datagram is this? One table for everything that has a tuple.

use crate::keys::Keys;
use crate::list::{Kind, Ref};
use crate::tables::Tables;
use crate::tuple::Tuple;

/// IP protocol numbers.
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;

/// The table: an index on the heap, or, where capacities are small and memory is lent, the
/// slabs themselves, compared tuple by tuple.
pub(crate) struct Demux {
    #[cfg(feature = "alloc")]
    index: Option<crate::index::Index>,
    /// What was found or added last: bulk transfers and handshakes hit it.
    #[cfg(feature = "alloc")]
    last: Ref,
    /// The hash computed last, and of what: who is looked up in vain is often inserted next.
    #[cfg(feature = "alloc")]
    hashed: (u8, Tuple, u64),
}

impl Demux {
    /// Compares tuples: for lent memory.
    pub(crate) const fn scan() -> Demux {
        Demux {
            #[cfg(feature = "alloc")]
            index: None,
            #[cfg(feature = "alloc")]
            last: Ref::NONE,
            #[cfg(feature = "alloc")]
            hashed: (0, Tuple::EMPTY, 0),
        }
    }

    /// Hashes tuples: for the heap.
    #[cfg(feature = "alloc")]
    pub(crate) fn indexed(limit: u32) -> Demux {
        Demux {
            index: Some(crate::index::Index::heap(limit)),
            last: Ref::NONE,
            hashed: (0, Tuple::EMPTY, 0),
        }
    }

    /// What a tuple belongs to; [`Ref::NONE`] if to nothing.
    #[inline]
    pub(crate) fn find(
        &mut self,
        keys: &Keys,
        tables: &Tables,
        protocol: u8,
        tuple: &Tuple,
    ) -> Ref {
        #[cfg(feature = "alloc")]
        if let Some(index) = &mut self.index {
            if is_at(tables, self.last, protocol, tuple) {
                return self.last;
            }
            let hash = remembered(&mut self.hashed, keys, protocol, tuple);
            let found = index
                .find(hash, |r| is_at(tables, r, protocol, tuple))
                .unwrap_or(Ref::NONE);
            if found.is_some() {
                self.last = found;
            }
            return found;
        }
        let _ = keys;
        scan(tables, protocol, tuple)
    }

    /// Entries of the index.
    #[cfg(all(test, feature = "alloc", feature = "flows"))]
    pub(crate) fn len(&self) -> u32 {
        self.index.as_ref().map_or(0, crate::index::Index::len)
    }

    /// The connection that was found last, if that was one and it is there still. Whether it has
    /// the tuple of a segment is to be looked at.
    #[cfg(all(
        feature = "alloc",
        feature = "tcp",
        feature = "ipv4",
        feature = "fast-retransmit",
        target_pointer_width = "64"
    ))]
    #[inline]
    pub(crate) fn last_connection(&self) -> Option<u32> {
        (self.last.kind() == Some(Kind::Connection)).then(|| self.last.index())
    }

    /// Adds an item under its tuple. Says whether there was memory for it.
    pub(crate) fn insert(&mut self, keys: &Keys, protocol: u8, tuple: &Tuple, item: Ref) -> bool {
        #[cfg(feature = "alloc")]
        if let Some(index) = &mut self.index {
            let hash = remembered(&mut self.hashed, keys, protocol, tuple);
            // What is added is what is looked for next.
            self.last = item;
            return index.insert(hash, item).is_ok();
        }
        let _ = (keys, protocol, tuple, item);
        true
    }

    /// Puts an item in another's place, as when a handshake is complete or a connection goes to
    /// TIME-WAIT.
    pub(crate) fn replace(&mut self, keys: &Keys, protocol: u8, tuple: &Tuple, old: Ref, new: Ref) {
        #[cfg(feature = "alloc")]
        if let Some(index) = &mut self.index {
            let hash = remembered(&mut self.hashed, keys, protocol, tuple);
            index.replace(hash, old, new);
            if self.last == old {
                self.last = new;
            }
        }
        let _ = (keys, protocol, tuple, old, new);
    }

    /// Forgets an item.
    pub(crate) fn remove(&mut self, keys: &Keys, protocol: u8, tuple: &Tuple, item: Ref) {
        #[cfg(feature = "alloc")]
        if let Some(index) = &mut self.index {
            // Mostly of a TIME-WAIT that is over: what was hashed last is needed again before.
            let hash = if self.hashed.0 == protocol && self.hashed.1 == *tuple {
                self.hashed.2
            } else {
                keys.index_hash(protocol, tuple)
            };
            index.remove(hash, item);
            if self.last == item {
                self.last = Ref::NONE;
            }
        }
        let _ = (keys, protocol, tuple, item);
    }
}

/// The hash of a tuple, computed again only if it is another.
#[cfg(feature = "alloc")]
#[inline]
fn remembered(last: &mut (u8, Tuple, u64), keys: &Keys, protocol: u8, tuple: &Tuple) -> u64 {
    if last.0 != protocol || last.1 != *tuple {
        *last = (protocol, *tuple, keys.index_hash(protocol, tuple));
    }
    last.2
}

/// Whether an item is of the protocol and has the tuple.
// On 64 bits without a call: it is asked of what was found last for every segment.
#[cfg(feature = "alloc")]
#[cfg_attr(target_pointer_width = "64", inline(always))]
#[cfg_attr(not(target_pointer_width = "64"), inline)]
fn is_at(tables: &Tables, item: Ref, protocol: u8, tuple: &Tuple) -> bool {
    let index = item.index();
    match item.kind() {
        #[cfg(feature = "tcp")]
        Some(Kind::Connection) => {
            protocol == TCP
                && tables
                    .connections
                    .get(index)
                    .is_some_and(|c| c.flags.has(crate::tcp::Flags::INDEXED) && c.tuple == *tuple)
        }
        #[cfg(feature = "tcp")]
        Some(Kind::HalfOpen) => {
            protocol == TCP
                && tables
                    .half_open
                    .get(index)
                    .is_some_and(|h| h.tuple == *tuple)
        }
        #[cfg(feature = "tcp")]
        Some(Kind::TimeWait) => {
            protocol == TCP
                && tables
                    .time_wait
                    .get(index)
                    .is_some_and(|t| t.tuple == *tuple)
        }
        #[cfg(feature = "tcp")]
        Some(Kind::Listener) => {
            protocol == TCP
                && tables
                    .listeners
                    .get(index)
                    .is_some_and(|l| l.live && l.key == *tuple)
        }
        #[cfg(feature = "udp")]
        Some(Kind::Udp) => {
            protocol != TCP
                && tables
                    .udp
                    .get(index)
                    .is_some_and(|u| u.live && u.is_of(protocol) && u.tuple == *tuple)
        }
        Some(_) | None => false,
    }
}

/// Compares the tuple of every item there is.
#[cfg(feature = "alloc")]
#[cold]
#[inline(never)]
fn scan(tables: &Tables, protocol: u8, tuple: &Tuple) -> Ref {
    #[cfg(feature = "tcp")]
    if protocol == TCP {
        for &(kind, bound) in &[
            (Kind::Connection, tables.connections.high_water()),
            (Kind::HalfOpen, tables.half_open.high_water()),
            (Kind::TimeWait, tables.time_wait.high_water()),
            (Kind::Listener, tables.listeners.high_water()),
        ] {
            for index in 0..bound {
                let item = Ref::new(kind, index);
                if is_at(tables, item, protocol, tuple) {
                    return item;
                }
            }
        }
    }
    #[cfg(feature = "udp")]
    if protocol != TCP {
        for index in 0..tables.udp.high_water() {
            let item = Ref::new(Kind::Udp, index);
            if is_at(tables, item, protocol, tuple) {
                return item;
            }
        }
    }
    let _ = (tables, protocol, tuple);
    Ref::NONE
}

/// Compares the tuple of every item there is, but for listeners: see
/// [`listener_at`](crate::stack::Stack::listener_at).
#[cfg(not(feature = "alloc"))]
fn scan(tables: &Tables, protocol: u8, tuple: &Tuple) -> Ref {
    let found: Option<(Kind, usize)> = match protocol {
        #[cfg(feature = "tcp")]
        TCP => {
            let connections = &mut tables.connections.items();
            let half_open = &mut tables.half_open.items();
            let time_wait = &mut tables.time_wait.items();
            let indexed = crate::tcp::Flags::INDEXED;
            if let Some(at) = connections.position(|c| c.flags.has(indexed) && c.tuple == *tuple) {
                Some((Kind::Connection, at))
            } else if let Some(at) = half_open.position(|h| h.tuple == *tuple) {
                Some((Kind::HalfOpen, at))
            } else {
                let at = time_wait.position(|t| t.tuple == *tuple);
                at.map(|at| (Kind::TimeWait, at))
            }
        }
        #[cfg(feature = "udp")]
        _ => {
            let mut sockets = tables.udp.items();
            let is_it = |u: &crate::udp::UdpSlot| u.live && u.is_of(protocol) && u.tuple == *tuple;
            sockets.position(is_it).map(|at| (Kind::Udp, at))
        }
        #[cfg(not(feature = "udp"))]
        _ => None,
    };
    let _ = (tables, tuple);
    found.map_or(Ref::NONE, |(kind, at)| Ref::new(kind, at as u32))
}
