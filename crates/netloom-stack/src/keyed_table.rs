//! A table of things kept per (interface, address), with O(1) lookup and O(1) queues.
//!
//! The neighbour cache and the destination cache both need the same four things of their
//! memory: find the item of an address without a scan, take the oldest when there is no room,
//! keep timers in order, and cost nothing beside the items themselves, so that a program lends
//! one array and is done. Hence every item carries [`TableLinks`]: the head of one hash bucket, the
//! next item of its own bucket, and its neighbours in whatever [`Order`] its owner keeps it in.
//!
//! Without the feature `alloc` all memory is lent and capacities are small: then the items are
//! scanned instead of hashed.
//!
//! All links are index + 1 and the all-zero bytes are an empty table: the memory lies in `.bss`
//! and is not touched before it is used.

use netloom_wire::Addr;

use crate::memory::Mem;
use crate::rand::WordHash;

/// What an item carries for the table. Owned by the table; `EMPTY` is all-zero.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TableLinks {
    /// First item of the bucket with this item's index: belongs to the slot, not to the item.
    bucket: u16,
    /// Next item of the bucket this item is in, or the next free slot.
    chain: u16,
    prev: u16,
    next: u16,
    /// Counts the lives of the slot, so that an id of an earlier life is seen to be stale.
    generation: u16,
}

impl TableLinks {
    /// On no list.
    pub(crate) const EMPTY: TableLinks = TableLinks {
        bucket: 0,
        chain: 0,
        prev: 0,
        next: 0,
        generation: 0,
    };
}

/// What can be kept in a [`KeyedTable`].
pub(crate) trait Keyed: 'static {
    /// An unused item; all-zero bytes.
    const EMPTY: Self;
    /// The interface and the address the item is about.
    fn key(&self) -> (u8, &Addr);
    /// Sets what [`key`](Keyed::key) returns.
    fn set_key(&mut self, iface: u8, addr: &Addr);
    /// The table's links.
    fn links(&self) -> &TableLinks;
    /// The table's links.
    fn links_mut(&mut self) -> &mut TableLinks;
}

/// Which item of a table, in which of its lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ItemId {
    index: u16,
    generation: u16,
}

impl ItemId {
    /// The slot.
    pub(crate) fn index(self) -> u16 {
        self.index
    }
}

/// A queue of items of one table: the front is the oldest, or the earliest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    head: u16,
    tail: u16,
    len: u16,
}

impl Order {
    /// Nothing queued; all-zero bytes.
    pub(crate) const EMPTY: Order = Order {
        head: 0,
        tail: 0,
        len: 0,
    };

    /// How many items are queued.
    pub(crate) fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// The item at the front.
    pub(crate) fn front(&self) -> Option<u16> {
        self.head.checked_sub(1)
    }
}

/// The table. Holds at most 65 534 items, whatever the memory.
#[derive(Debug)]
pub(crate) struct KeyedTable<T: Keyed> {
    items: Mem<T>,
    #[cfg(feature = "alloc")]
    key: WordHash,
    #[cfg(feature = "alloc")]
    len: u16,
    /// Slots from here on were never used.
    #[cfg(feature = "alloc")]
    fresh: u16,
    #[cfg(feature = "alloc")]
    free: u16,
    /// The last item found, index + 1: in bulk a lookup is one comparison.
    #[cfg(feature = "alloc")]
    last: u16,
}

/// Entries above this are left unused: links are 16 bits, and 0 means none.
const MOST: usize = u16::MAX as usize - 1;

impl<T: Keyed> KeyedTable<T> {
    /// A table without memory: every insertion fails.
    pub(crate) const fn empty() -> Self {
        Self::over(Mem::none())
    }

    /// A table in lent memory, whose items must be `EMPTY`.
    pub(crate) const fn lent(items: &'static mut [T]) -> Self {
        let used = if items.len() > MOST {
            MOST
        } else {
            items.len()
        };
        let (items, _) = items.split_at_mut(used);
        Self::over(Mem::Lent(items))
    }

    /// A table of `capacity` items on the heap.
    #[cfg(feature = "alloc")]
    pub(crate) fn heap(capacity: usize) -> Self {
        let mut items = alloc::vec::Vec::new();
        items.resize_with(capacity.min(MOST), || T::EMPTY);
        Self::over(Mem::Heap(items.into_boxed_slice()))
    }

    const fn over(items: Mem<T>) -> Self {
        Self {
            items,
            #[cfg(feature = "alloc")]
            key: WordHash::new(0, 0),
            #[cfg(feature = "alloc")]
            len: 0,
            #[cfg(feature = "alloc")]
            fresh: 0,
            #[cfg(feature = "alloc")]
            free: 0,
            #[cfg(feature = "alloc")]
            last: 0,
        }
    }

    /// Sets the key of the hash, so that nobody outside can choose addresses that collide.
    /// Only while the table is empty; later calls change nothing.
    pub(crate) fn set_hash_key(&mut self, key: WordHash) {
        #[cfg(feature = "alloc")]
        if self.fresh == 0 {
            self.key = key;
        }
        let _ = key;
    }

    /// How many items are kept.
    pub(crate) fn len(&self) -> usize {
        #[cfg(feature = "alloc")]
        return usize::from(self.len);
        #[cfg(not(feature = "alloc"))]
        self.slots().filter(|item| !is_free(*item)).count()
    }

    /// How many items fit.
    pub(crate) fn capacity(&self) -> usize {
        self.items.len()
    }

    /// The item at `index`.
    #[inline]
    pub(crate) fn get(&self, index: u16) -> Option<&T> {
        self.items.get(usize::from(index))
    }

    /// The item at `index`.
    #[inline]
    pub(crate) fn get_mut(&mut self, index: u16) -> Option<&mut T> {
        self.items.get_mut(usize::from(index))
    }

    /// The id of the present life of the item at `index`.
    pub(crate) fn id(&self, index: u16) -> ItemId {
        ItemId {
            index,
            generation: self.get(index).map_or(0, |item| item.links().generation),
        }
    }

    /// The index of `id`, if that life has not ended.
    pub(crate) fn index(&self, id: ItemId) -> Option<u16> {
        let item = self.get(id.index)?;
        (item.links().generation == id.generation && id.index < self.end()).then_some(id.index)
    }

    /// Every slot ever used, in memory order; free ones too, which their owner tells apart.
    #[cfg(feature = "alloc")]
    pub(crate) fn slots(&self) -> impl Iterator<Item = &T> {
        self.items.iter().take(usize::from(self.end()))
    }

    /// Every slot, in memory order; free ones too, which their owner tells apart.
    #[cfg(not(feature = "alloc"))]
    pub(crate) fn slots(&self) -> impl Iterator<Item = &T> {
        self.items.iter()
    }

    /// One past the highest index ever used.
    #[cfg(feature = "alloc")]
    pub(crate) fn end(&self) -> u16 {
        self.fresh
    }

    /// One past the highest index there is.
    #[cfg(not(feature = "alloc"))]
    pub(crate) fn end(&self) -> u16 {
        self.capacity() as u16
    }

    /// Finds the item of an address.
    #[cfg(not(feature = "alloc"))]
    pub(crate) fn find(&mut self, iface: u8, addr: &Addr) -> Option<u16> {
        self.lookup(iface, addr)
    }

    /// Finds the item of an address.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn find(&mut self, iface: u8, addr: &Addr) -> Option<u16> {
        if let Some(index) = self.last.checked_sub(1) {
            if self
                .get(index)
                .is_some_and(|item| item.key() == (iface, addr))
            {
                return Some(index);
            }
        }
        let index = self.lookup(iface, addr)?;
        self.last = index + 1;
        Some(index)
    }

    /// [`find`](Self::find) that remembers nothing: a scan, where there are but a few items.
    #[cfg(not(feature = "alloc"))]
    pub(crate) fn lookup(&self, iface: u8, addr: &Addr) -> Option<u16> {
        let known = |item: &T| item.key() == (iface, addr) && !is_free(item);
        let index = self.slots().position(known)?;
        Some(index as u16)
    }

    /// [`find`](Self::find) that remembers nothing.
    #[cfg(feature = "alloc")]
    pub(crate) fn lookup(&self, iface: u8, addr: &Addr) -> Option<u16> {
        if self.len == 0 {
            return None;
        }
        let mut link = self.get(self.bucket(iface, addr))?.links().bucket;
        while let Some(index) = link.checked_sub(1) {
            let item = self.get(index)?;
            if item.key() == (iface, addr) {
                return Some(index);
            }
            link = item.links().chain;
        }
        None
    }

    #[cfg(feature = "alloc")]
    fn bucket(&self, iface: u8, addr: &Addr) -> u16 {
        let hash = match addr.v4_octets() {
            Some(octets) => self
                .key
                .hash_words(&[u32::from(iface), u32::from_le_bytes(octets)]),
            None => {
                let octets = addr.octets16();
                let mut words = [u32::from(iface), 0, 0, 0, 0];
                for (word, chunk) in words.iter_mut().skip(1).zip(octets.chunks_exact(4)) {
                    *word = chunk
                        .iter()
                        .fold(0, |word, byte| word << 8 | u32::from(*byte));
                }
                self.key.hash_words(&words)
            }
        };
        // A product of 32 and 16 bits: its upper part is below `capacity`, without a division.
        let spread = (hash & 0xffff_ffff) * self.capacity() as u64;
        (spread >> 32) as u16
    }

    /// Adds an `EMPTY` item for an address that is not in the table. `None` if there is no room.
    #[cfg(not(feature = "alloc"))]
    pub(crate) fn insert(&mut self, iface: u8, addr: &Addr) -> Option<u16> {
        let index = self.slots().position(is_free)?;
        self.items.get_mut(index)?.set_key(iface, addr);
        Some(index as u16)
    }

    /// Frees the slot of an item that is in no [`Order`].
    #[cfg(not(feature = "alloc"))]
    pub(crate) fn remove(&mut self, index: u16) {
        if let Some(item) = self.get_mut(index) {
            let generation = item.links().generation.wrapping_add(1);
            *item = T::EMPTY;
            item.links_mut().generation = generation;
        }
    }

    /// Adds an `EMPTY` item for an address that is not in the table. `None` if there is no room.
    #[cfg(feature = "alloc")]
    pub(crate) fn insert(&mut self, iface: u8, addr: &Addr) -> Option<u16> {
        let index = match self.free.checked_sub(1) {
            Some(index) => {
                self.free = self.get(index)?.links().chain;
                index
            }
            None if usize::from(self.fresh) < self.capacity() => {
                self.fresh += 1;
                self.fresh - 1
            }
            None => return None,
        };
        let chain = self.enter_bucket(iface, addr, index)?;
        let item = self.get_mut(index)?;
        let slot = *item.links();
        *item = T::EMPTY;
        item.set_key(iface, addr);
        *item.links_mut() = TableLinks {
            bucket: slot.bucket,
            chain,
            prev: 0,
            next: 0,
            generation: slot.generation,
        };
        self.len += 1;
        Some(index)
    }

    /// Frees the slot of an item that is in no [`Order`].
    #[cfg(feature = "alloc")]
    pub(crate) fn remove(&mut self, index: u16) {
        if self.leave_bucket(index).is_none() {
            return;
        }
        let free = self.free;
        if let Some(item) = self.get_mut(index) {
            let slot = *item.links();
            *item = T::EMPTY;
            *item.links_mut() = TableLinks {
                bucket: slot.bucket,
                chain: free,
                prev: 0,
                next: 0,
                generation: slot.generation.wrapping_add(1),
            };
        }
        self.free = index + 1;
        self.last = 0;
        self.len = self.len.saturating_sub(1);
    }

    /// Makes `index` the first item of an address's bucket; returns the link to the next.
    #[cfg(feature = "alloc")]
    fn enter_bucket(&mut self, iface: u8, addr: &Addr, index: u16) -> Option<u16> {
        let bucket = self.bucket(iface, addr);
        let head = self.get_mut(bucket)?.links_mut();
        Some(core::mem::replace(&mut head.bucket, index + 1))
    }

    /// Takes an item out of its bucket; `None` if it is in none.
    #[cfg(feature = "alloc")]
    fn leave_bucket(&mut self, index: u16) -> Option<()> {
        let item = self.get(index)?;
        let (iface, addr) = item.key();
        let addr = *addr;
        let after = item.links().chain;
        let bucket = self.bucket(iface, &addr);
        let head = self.get_mut(bucket)?;
        if head.links().bucket == index + 1 {
            head.links_mut().bucket = after;
            return Some(());
        }
        let mut link = head.links().bucket;
        loop {
            let before = self.get_mut(link.checked_sub(1)?)?;
            link = before.links().chain;
            if link == index + 1 {
                before.links_mut().chain = after;
                return Some(());
            }
        }
    }

    /// Appends an item that is in no order.
    pub(crate) fn push_back(&mut self, order: &mut Order, index: u16) {
        self.insert_after(order, order.tail, index);
    }

    /// Puts an item that is in no order where `key` says, an order ascending by `key`. Looked
    /// for from the back, where it nearly always belongs.
    pub(crate) fn insert_sorted<K: Ord>(
        &mut self,
        order: &mut Order,
        index: u16,
        key: fn(&T) -> K,
    ) {
        let Some(item) = self.get(index) else { return };
        let at = key(item);
        let mut after = order.tail;
        while let Some(before) = after.checked_sub(1).and_then(|before| self.get(before)) {
            if key(before) <= at {
                break;
            }
            after = before.links().prev;
        }
        self.insert_after(order, after, index);
    }

    /// TableLinks `index` behind `after` (index + 1; 0: at the front).
    fn insert_after(&mut self, order: &mut Order, after: u16, index: u16) {
        let link = index + 1;
        let next = match after.checked_sub(1) {
            None => core::mem::replace(&mut order.head, link),
            Some(before) => match self.get_mut(before) {
                Some(before) => core::mem::replace(&mut before.links_mut().next, link),
                None => return,
            },
        };
        match next.checked_sub(1) {
            None => order.tail = link,
            Some(next) => {
                if let Some(next) = self.get_mut(next) {
                    next.links_mut().prev = link;
                }
            }
        }
        if let Some(item) = self.get_mut(index) {
            item.links_mut().prev = after;
            item.links_mut().next = next;
        }
        order.len += 1;
    }

    /// Takes an item out of the order it is in.
    pub(crate) fn unlink(&mut self, order: &mut Order, index: u16) {
        let Some(item) = self.get_mut(index) else {
            return;
        };
        let links = item.links_mut();
        let prev = core::mem::take(&mut links.prev);
        let next = core::mem::take(&mut links.next);
        match prev.checked_sub(1) {
            None => order.head = next,
            Some(prev) => {
                if let Some(prev) = self.get_mut(prev) {
                    prev.links_mut().next = next;
                }
            }
        }
        match next.checked_sub(1) {
            None => order.tail = prev,
            Some(next) => {
                if let Some(next) = self.get_mut(next) {
                    next.links_mut().prev = prev;
                }
            }
        }
        order.len = order.len.saturating_sub(1);
    }

    /// The item behind `index` in its order.
    pub(crate) fn after(&self, index: u16) -> Option<u16> {
        self.get(index)?.links().next.checked_sub(1)
    }
}

/// Whether a slot is free: it has the key of no address.
#[cfg(not(feature = "alloc"))]
fn is_free<T: Keyed>(item: &T) -> bool {
    item.key().1.is_unspecified()
}

#[cfg(test)]
mod tests;
