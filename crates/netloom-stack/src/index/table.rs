//! One hash table: open addressing, entries of 8 bytes, no tombstones.
//!
//! Robin Hood order: along a run of entries the homes never decrease. A search therefore ends at
//! the first entry that is nearer to its home than the searcher is to its own, found or not, after
//! three or four entries on average however full the table; a removal shifts back what follows.

use super::IndexFull;
use crate::list::Ref;
use crate::memory::Mem;

/// The bits of a tag that say where in a table the entry belongs.
pub(super) const HOME_BITS: u32 = 12;
/// The largest table.
pub(super) const MAX_SIZE: u32 = 1 << HOME_BITS;

/// An entry of the index: half of the hash, and whose it is. 8 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    tag: u32,
    r: Ref,
}

impl Entry {
    /// A free entry. All bytes zero.
    pub const EMPTY: Entry = Entry {
        tag: 0,
        r: Ref::NONE,
    };

    pub(super) const fn new(tag: u32, r: Ref) -> Entry {
        Entry { tag, r }
    }

    #[cfg(feature = "alloc")]
    pub(super) const fn tag(self) -> u32 {
        self.tag
    }

    const fn is_empty(self) -> bool {
        self.r.is_none()
    }
}

/// A table of up to [`MAX_SIZE`] entries.
#[derive(Debug)]
pub(super) struct Table {
    entries: Mem<Entry>,
    len: u32,
    /// Entries that may be used.
    limit: u32,
    /// How many upper bits of the tag all entries have in common.
    #[cfg(feature = "alloc")]
    pub(super) depth: u32,
}

impl Table {
    pub(super) fn new(mut entries: Mem<Entry>) -> Table {
        entries.fill(Entry::EMPTY);
        let size = (entries.len() as u32).min(MAX_SIZE);
        Table {
            entries,
            len: 0,
            limit: (size - size / 8 - size / 32).min(size.saturating_sub(1)),
            #[cfg(feature = "alloc")]
            depth: 0,
        }
    }

    /// Entries in use.
    #[cfg(feature = "alloc")]
    pub(super) const fn len(&self) -> u32 {
        self.len
    }

    /// Entries there is memory for.
    #[inline]
    pub(super) fn size(&self) -> u32 {
        (self.entries.len() as u32).min(MAX_SIZE)
    }

    /// Entries that may be used: 27/32 of all, as runs get long beyond. One is always free.
    #[inline]
    pub(super) const fn limit(&self) -> u32 {
        self.limit
    }

    /// All entries in use, in the order of their homes.
    #[cfg(feature = "alloc")]
    pub(super) fn iter(&self) -> impl Iterator<Item = Entry> {
        self.entries
            .iter()
            .copied()
            .filter(|entry| !entry.is_empty())
    }

    /// The entry with this tag that `matches`.
    #[inline]
    pub(super) fn find(&self, tag: u32, matches: impl FnMut(Ref) -> bool) -> Option<Ref> {
        let at = self.search(tag, matches)?;
        self.entries.get(at).map(|entry| entry.r)
    }

    /// Where `r` is written.
    pub(super) fn place(&mut self, tag: u32, r: Ref) -> Option<&mut Ref> {
        let at = self.search(tag, |other| other == r)?;
        self.entries.get_mut(at).map(|entry| &mut entry.r)
    }

    #[inline]
    fn search(&self, tag: u32, mut matches: impl FnMut(Ref) -> bool) -> Option<usize> {
        let size = self.size();
        let entries = self.entries.get(..size as usize)?;
        let mut at = home(tag, size);
        for distance in 0..size {
            let entry = entries.get(at as usize)?;
            if entry.tag == tag {
                if entry.is_empty() {
                    return None;
                }
                if matches(entry.r) {
                    return Some(at as usize);
                }
            } else if entry.is_empty() || self::distance(*entry, at, size) < distance {
                return None;
            }
            at = following(at, size);
        }
        None
    }

    /// Adds an entry, unless the limit is reached.
    pub(super) fn insert(&mut self, mut entry: Entry) -> Result<(), IndexFull> {
        if self.len >= self.limit() {
            return Err(IndexFull);
        }
        let size = self.size();
        let entries = self.entries.get_mut(..size as usize).ok_or(IndexFull)?;
        let mut at = home(entry.tag, size);
        // Its place is before the first that is nearer to its own home. Ends, as one entry is
        // always free.
        for distance in 0..size {
            let resident = entries.get(at as usize).ok_or(IndexFull)?;
            if resident.is_empty() || self::distance(*resident, at, size) < distance {
                break;
            }
            at = following(at, size);
        }
        // All that follow, up to a free one, move on by one: their order stays as it is.
        while let Some(place) = entries.get_mut(at as usize) {
            let moved = core::mem::replace(place, entry);
            if moved.is_empty() {
                self.len += 1;
                break;
            }
            entry = moved;
            at = following(at, size);
        }
        Ok(())
    }

    /// Removes the entry of `r`. False if there is none with this tag.
    pub(super) fn remove(&mut self, tag: u32, r: Ref) -> bool {
        let Some(mut free) = self.search(tag, |other| other == r) else {
            return false;
        };
        let size = self.size();
        let Some(entries) = self.entries.get_mut(..size as usize) else {
            return false;
        };
        loop {
            // What follows moves back by one, up to the first that is at home, or to a free one.
            let next = following(free as u32, size);
            let moved = entries
                .get(next as usize)
                .copied()
                .filter(|entry| !entry.is_empty() && home(entry.tag, size) != next);
            if let Some(entry) = entries.get_mut(free) {
                *entry = moved.unwrap_or(Entry::EMPTY);
            }
            if moved.is_none() {
                break;
            }
            free = next as usize;
        }
        self.len -= 1;
        true
    }
}

/// Where an entry with this tag belongs: the lower bits of the tag, scaled to the size, so that a
/// table need not be a power of two, and growing it keeps the order of its entries.
#[inline]
const fn home(tag: u32, size: u32) -> u32 {
    (tag % MAX_SIZE * size) >> HOME_BITS
}

/// How far from its home the entry at `at` is.
#[inline]
const fn distance(entry: Entry, at: u32, size: u32) -> u32 {
    let home = home(entry.tag, size);
    if at >= home {
        at - home
    } else {
        at + size - home
    }
}

#[inline]
const fn following(at: u32, size: u32) -> u32 {
    if at + 1 == size { 0 } else { at + 1 }
}
