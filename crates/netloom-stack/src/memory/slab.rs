//! Items of one kind, found by index, that never move.

use alloc::{boxed::Box, vec::Vec};

use netloom_wire::hint::cold_path;

#[cfg(test)]
mod tests;

/// Items in a heap chunk, as a power of two.
const CHUNK_BITS: u32 = 6;
const CHUNK: u32 = 1 << CHUNK_BITS;

/// Set in an item's link while the item is free; see [`Item::free_link`].
pub const FREE: u32 = 1 << 31;

/// The most items a slab holds: an index fits the 28 bits of a [`Ref`](crate::list::Ref).
pub const MAX_ITEMS: u32 = 1 << 28;

/// What a [`Slab`] stores.
pub trait Item: Sized {
    /// An unused item. All bytes zero, so that a static array of them lies in `.bss`.
    const EMPTY: Self;

    /// A field the slab may use as it likes while the item is free.
    ///
    /// While the item is in use the field is the item's own, for values below [`FREE`]: that bit
    /// tells a free item from a used one, so that freeing an item twice is refused.
    fn free_link(&mut self) -> &mut u32;

    /// Makes the item unused again, when it is removed. Override it to keep what must outlive the
    /// item, such as the generation of its slot.
    #[inline]
    fn reset(&mut self) {
        *self = Self::EMPTY;
    }
}

/// Items of one kind, found by index, that never move.
///
/// The memory is a slice lent by the program, or heap chunks of 64 items taken as they are needed,
/// up to a limit: a slab for a million items costs a few words until they come. Every operation
/// takes constant time, but for the allocation of a chunk.
///
/// A freed index is the next to be handed out, as its memory is still in the cache.
pub struct Slab<T: Item + 'static> {
    /// Lent memory; none where it is the heap's.
    lent: &'static mut [T],
    /// A chunk never moves. All have one size, which is known to who looks for an item.
    // Beside lent memory, not instead of it: who looks for an item, as is done a hundred times for each
    // packet, looks here and is mostly done.
    chunks: Vec<Box<[T; CHUNK as usize]>>,
    /// Items there can ever be.
    limit: u32,
    /// Items that were ever in use: those from here on were never touched.
    high: u32,
    /// Items in use.
    len: u32,
    /// The first free item below `high`, as index + 1.
    free: u32,
}

impl<T: Item + 'static> Slab<T> {
    /// A slab for nothing.
    pub const fn empty() -> Slab<T> {
        Slab {
            lent: &mut [],
            chunks: Vec::new(),
            limit: 0,
            high: 0,
            len: 0,
            free: 0,
        }
    }

    /// A slab in lent memory, for as many items as `memory` has (at most [`MAX_ITEMS`]). What is
    /// in there is [reset](Item::reset) as it comes into use.
    pub const fn lent(memory: &'static mut [T]) -> Slab<T> {
        let used = if memory.len() > MAX_ITEMS as usize {
            MAX_ITEMS as usize
        } else {
            memory.len()
        };
        let (memory, _) = memory.split_at_mut(used);
        Slab {
            lent: memory,
            chunks: Vec::new(),
            limit: used as u32,
            high: 0,
            len: 0,
            free: 0,
        }
    }

    /// A slab on the heap for at most `limit` items ([`MAX_ITEMS`] if that is less). Nothing is
    /// allocated before the first item, then 64 items at a time.
    pub const fn heap(limit: u32) -> Slab<T> {
        let limit = if limit > MAX_ITEMS { MAX_ITEMS } else { limit };
        Slab {
            lent: &mut [],
            chunks: Vec::new(),
            limit,
            high: 0,
            len: 0,
            free: 0,
        }
    }

    /// Takes an item into use and returns its index: the one freed last, else the lowest that was
    /// never used. The item is [`Item::EMPTY`], or what [`Item::reset`] left.
    ///
    /// `None` if the limit is reached or the heap has no memory.
    pub fn insert(&mut self) -> Option<u32> {
        let index = match self.free.checked_sub(1) {
            Some(index) => {
                let link = self.get_mut(index)?.free_link();
                let next = *link & !FREE;
                *link = 0;
                self.free = next;
                index
            }
            None => {
                cold_path();
                self.insert_untouched()?
            }
        };
        self.len += 1;
        Some(index)
    }

    fn insert_untouched(&mut self) -> Option<u32> {
        let index = self.high;
        if index >= self.capacity() {
            return None;
        }
        match self.lent.get_mut(index as usize) {
            // Lent memory is as a program's `static` made it, and may hold what its owner put there.
            Some(item) => item.reset(),
            None => {
                if index % CHUNK == 0 {
                    let mut chunk = Vec::new();
                    chunk.try_reserve_exact(CHUNK as usize).ok()?;
                    chunk.resize_with(CHUNK as usize, || T::EMPTY);
                    self.chunks.try_reserve(1).ok()?;
                    self.chunks.push(chunk.into_boxed_slice().try_into().ok()?);
                }
            }
        }
        self.high = index + 1;
        Some(index)
    }

    /// Frees an item; it is [reset](Item::reset) at once. False, and nothing is changed, if the
    /// item was not in use.
    pub fn remove(&mut self, index: u32) -> bool {
        let free = self.free;
        if index >= self.high {
            cold_path();
            return false;
        }
        let Some(item) = self.get_mut(index) else {
            cold_path();
            return false;
        };
        if *item.free_link() & FREE != 0 {
            cold_path();
            return false;
        }
        item.reset();
        *item.free_link() = free | FREE;
        self.free = index + 1;
        self.len -= 1;
        true
    }

    /// The item at `index`; `None` if there is no memory for it, as before one ever was there. A
    /// free item is found too, as [`Item::reset`] left it: who keeps an index beyond its item's
    /// life compares a generation.
    // On 32 bits a function of its own: see `get_mut`.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn get(&self, index: u32) -> Option<&T> {
        if let Some(chunk) = self.chunks.get((index >> CHUNK_BITS) as usize) {
            return chunk.get((index % CHUNK) as usize);
        }
        lent(self.lent, self.high, index)
    }

    /// Like [`get`](Slab::get), to be written to.
    // Called from everywhere: inlined it is fast on 64 bits, and where flash counts a call is a
    // third of it.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        if let Some(chunk) = self.chunks.get_mut((index >> CHUNK_BITS) as usize) {
            return chunk.get_mut((index % CHUNK) as usize);
        }
        lent_mut(self.lent, self.high, index)
    }

    /// Two different items at once; `None` if `a == b` or either never was.
    pub fn get2_mut(&mut self, a: u32, b: u32) -> Option<(&mut T, &mut T)> {
        if a == b {
            return None;
        }
        let (low, high) = if a < b { (a, b) } else { (b, a) };
        let (low, high) = self.pair(low, high)?;
        Some(if a < b { (low, high) } else { (high, low) })
    }

    /// The items at `low` and `high`, of which `low` is the lower.
    fn pair(&mut self, low: u32, high: u32) -> Option<(&mut T, &mut T)> {
        if !self.chunks.is_empty() {
            let chunks = &mut self.chunks[..];
            let (low_chunk, high_chunk) = (low >> CHUNK_BITS, high >> CHUNK_BITS);
            let (low, high) = ((low % CHUNK) as usize, (high % CHUNK) as usize);
            if low_chunk == high_chunk {
                return split(&mut chunks.get_mut(low_chunk as usize)?[..], low, high);
            }
            let (first, second) = split(chunks, low_chunk as usize, high_chunk as usize)?;
            return Some((first.get_mut(low)?, second.get_mut(high)?));
        }
        let items = self.lent.get_mut(..self.high as usize)?;
        split(items, low as usize, high as usize)
    }

    /// Whether the item at `index` is in use.
    pub fn contains(&mut self, index: u32) -> bool {
        index < self.high
            && self
                .get_mut(index)
                .is_some_and(|item| *item.free_link() & FREE == 0)
    }

    /// Items in use.
    #[inline]
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Whether no item is in use.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether the limit is reached.
    #[inline]
    pub const fn is_full(&self) -> bool {
        self.len >= self.capacity()
    }

    /// Items there can be.
    #[inline]
    pub const fn capacity(&self) -> u32 {
        self.limit
    }

    /// Bytes of memory taken: on the heap all that ever was, since none is given back; of lent memory
    /// what is in use.
    #[cfg(feature = "flows")]
    pub fn bytes(&self) -> usize {
        (self.allocated() as usize).saturating_mul(size_of::<T>())
    }

    /// Bytes of memory that would be taken for so many items more.
    #[cfg(feature = "flows")]
    pub fn growth(&self, more: u32) -> usize {
        let lacking = self.len.saturating_add(more);
        let lacking = lacking.saturating_sub(self.allocated()) as usize;
        let lacking = if self.lent.is_empty() {
            lacking.next_multiple_of(CHUNK as usize)
        } else {
            lacking
        };
        lacking.saturating_mul(size_of::<T>())
    }

    /// Items that memory was taken for.
    #[cfg(feature = "flows")]
    fn allocated(&self) -> u32 {
        if self.lent.is_empty() {
            return (self.chunks.len() as u32).saturating_mul(CHUNK);
        }
        self.len
    }

    /// Every index ever handed out is below this: the bound of a scan.
    #[inline]
    pub const fn high_water(&self) -> u32 {
        self.high
    }
}

// Apart where there is a heap: see `chunks`.
#[cold]
#[inline(never)]
fn lent<T>(items: &[T], high: u32, index: u32) -> Option<&T> {
    items.get(..high as usize)?.get(index as usize)
}

#[cold]
#[inline(never)]
fn lent_mut<T>(items: &mut [T], high: u32, index: u32) -> Option<&mut T> {
    items.get_mut(..high as usize)?.get_mut(index as usize)
}

/// The items at `low` and `high`, of which `low` is the lower.
fn split<T>(items: &mut [T], low: usize, high: usize) -> Option<(&mut T, &mut T)> {
    let (front, back) = items.split_at_mut_checked(high)?;
    Some((front.get_mut(low)?, back.first_mut()?))
}

impl<T: Item + 'static> Default for Slab<T> {
    fn default() -> Slab<T> {
        Slab::empty()
    }
}

impl<T: Item + 'static> core::fmt::Debug for Slab<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Slab")
            .field("len", &self.len)
            .field("capacity", &self.capacity())
            .finish()
    }
}
