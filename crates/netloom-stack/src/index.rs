//! The demultiplexer's table: from (protocol, scope, tuple) to what belongs to it.
//!
//! One table serves SYN entries, connections, TIME-WAIT entries and flows, as [`Ref`]s. It stores
//! no tuples: the caller gives a keyed hash, and compares the tuple of the item found.
//!
//! * Few items (a lent slice, 32 at the most being sensible): all are compared, nothing is hashed.
//! * Many, in lent memory: one hash table of fixed size.
//! * Many, on the heap: hash tables of at most 4096 entries, which grow and split alone, so that no
//!   insertion pays for more than one of them.

use netloom_wire::hint::cold_path;

use crate::list::Ref;
use crate::memory::Mem;

#[cfg(feature = "alloc")]
mod directory;
mod table;
#[cfg(test)]
mod tests;

pub use table::Entry;
use table::Table;

/// There is no room for another entry: the limit is reached, or the heap is exhausted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexFull;

impl core::fmt::Display for IndexFull {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the index of connections is full")
    }
}

impl core::error::Error for IndexFull {}

/// Finds items by the hash of their tuple.
///
/// The hash must be keyed with a secret: then nobody can make entries collide. Its upper half is
/// what counts. Two entries may have the same hash, even the same tuple: `find` returns one of
/// those that match.
#[derive(Debug)]
pub struct Index {
    shape: Shape,
    len: u32,
    limit: u32,
    /// The entry found last: packets come in trains.
    last_hash: u64,
    last: Ref,
}

#[derive(Debug)]
enum Shape {
    /// The first `len` are in use.
    Few(Mem<Ref>),
    Fixed(Table),
    #[cfg(feature = "alloc")]
    Many(directory::Directory),
}

impl Index {
    /// An index for nothing.
    pub const fn none() -> Index {
        Index::small(Mem::none())
    }

    /// An index for as many items as `memory` has. It compares them all, which is the fastest way
    /// up to about 32, and ignores hashes.
    pub const fn small(memory: Mem<Ref>) -> Index {
        let limit = match &memory {
            Mem::None => 0,
            Mem::Lent(refs) => refs.len(),
            #[cfg(feature = "alloc")]
            Mem::Heap(refs) => refs.len(),
        };
        Index::new(Shape::Few(memory), limit as u32)
    }

    /// An index in lent memory, of which 27/32 are used at most, and 4096 entries. The memory
    /// should be [`Entry::EMPTY`]; what it holds is lost.
    pub fn fixed(memory: &'static mut [Entry]) -> Index {
        let table = Table::new(Mem::Lent(memory));
        let limit = table.limit();
        Index::new(Shape::Fixed(table), limit)
    }

    /// An index on the heap for at most `limit` items. Memory grows with the items, at 8 bytes an
    /// entry and 9.5 to 14 with what is free.
    #[cfg(feature = "alloc")]
    pub const fn heap(limit: u32) -> Index {
        Index::new(Shape::Many(directory::Directory::new()), limit)
    }

    const fn new(shape: Shape, limit: u32) -> Index {
        Index {
            shape,
            len: 0,
            limit,
            last_hash: 0,
            last: Ref::NONE,
        }
    }

    /// Whether the hashes given are looked at; if not, any number does.
    #[inline]
    pub const fn needs_hash(&self) -> bool {
        !matches!(self.shape, Shape::Few(_))
    }

    /// Entries.
    #[inline]
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Whether there are no entries.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Entries there can be.
    #[inline]
    pub const fn capacity(&self) -> u32 {
        self.limit
    }

    /// The entry with this hash for which `matches` is true, which it should be if the item's tuple
    /// is the one looked for. It is asked about few others: one in thousands of those whose hash
    /// is different.
    #[inline]
    pub fn find(&mut self, hash: u64, mut matches: impl FnMut(Ref) -> bool) -> Option<Ref> {
        if let Shape::Few(refs) = &self.shape {
            cold_path();
            let used = refs.iter().take(self.len as usize);
            return used.copied().find(|r| matches(*r));
        }
        if self.last_hash == hash && self.last.is_some() && matches(self.last) {
            return Some(self.last);
        }
        let tag = tag(hash);
        let table = match &self.shape {
            Shape::Few(_) => None,
            Shape::Fixed(table) => Some(table),
            #[cfg(feature = "alloc")]
            Shape::Many(directory) => directory.table(tag),
        };
        let found = table?.find(tag, matches)?;
        self.last_hash = hash;
        self.last = found;
        Some(found)
    }

    /// Adds an entry. Whether there is one for the tuple already is not looked at.
    pub fn insert(&mut self, hash: u64, r: Ref) -> Result<(), IndexFull> {
        if self.len >= self.limit || r.is_none() {
            cold_path();
            return Err(IndexFull);
        }
        let entry = Entry::new(tag(hash), r);
        match &mut self.shape {
            Shape::Few(refs) => {
                cold_path();
                *refs.get_mut(self.len as usize).ok_or(IndexFull)? = r;
            }
            Shape::Fixed(table) => {
                cold_path();
                table.insert(entry)?;
            }
            #[cfg(feature = "alloc")]
            Shape::Many(directory) => directory.insert(entry, self.len)?,
        }
        self.len += 1;
        Ok(())
    }

    /// Removes the entry of `r`. False if there is none with this hash.
    pub fn remove(&mut self, hash: u64, r: Ref) -> bool {
        let tag = tag(hash);
        let removed = match &mut self.shape {
            Shape::Few(refs) => {
                cold_path();
                remove_few(refs, self.len as usize, r)
            }
            Shape::Fixed(table) => {
                cold_path();
                table.remove(tag, r)
            }
            #[cfg(feature = "alloc")]
            Shape::Many(directory) => directory.remove(tag, r),
        };
        self.len -= u32::from(removed);
        self.forget(r);
        removed
    }

    /// Makes the entry of `old` one of `new`, in its place. False if there is none with this hash.
    pub fn replace(&mut self, hash: u64, old: Ref, new: Ref) -> bool {
        if new.is_none() {
            return false;
        }
        let tag = tag(hash);
        self.forget(old);
        let place = match &mut self.shape {
            Shape::Few(refs) => {
                cold_path();
                refs.iter_mut().take(self.len as usize).find(|r| **r == old)
            }
            Shape::Fixed(table) => {
                cold_path();
                table.place(tag, old)
            }
            #[cfg(feature = "alloc")]
            Shape::Many(directory) => directory
                .table_mut(tag)
                .and_then(|table| table.place(tag, old)),
        };
        place.map(|place| *place = new).is_some()
    }

    fn forget(&mut self, r: Ref) {
        if self.last == r {
            self.last = Ref::NONE;
        }
    }
}

/// The half of the hash that is kept: its upper bits choose the table, its lower the place there.
#[inline]
const fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// Takes `r` out of the first `len`, which stay without a gap.
fn remove_few(refs: &mut [Ref], len: usize, r: Ref) -> bool {
    let Some(used) = refs.get_mut(..len) else {
        return false;
    };
    let Some(at) = used.iter().position(|other| *other == r) else {
        return false;
    };
    used.swap(at, len - 1);
    true
}
