//! Items of one kind, found by index, in lent memory alone: which of them are in use, each says
//! itself, and a free one is looked for.

use netloom_wire::hint::cold_path;

/// The most items a slab holds: an index fits the 28 bits of a [`Ref`](crate::list::Ref).
const MAX_ITEMS: usize = 1 << 28;

/// What a [`Slab`] stores.
pub trait Item: Sized {
    /// An unused item. All bytes zero, so that a static array of them lies in `.bss`.
    const EMPTY: Self;

    /// Whether the item is unused: true of [`EMPTY`](Item::EMPTY) and of what
    /// [`reset`](Item::reset) leaves, and untrue as soon as whoever took it into use has filled it.
    fn is_free(&self) -> bool;

    /// Makes the item unused again, when it is removed. Override it to keep what must outlive the
    /// item, such as the generation of its slot.
    #[inline]
    fn reset(&mut self) {
        *self = Self::EMPTY;
    }
}

/// Items of one kind, found by index, that never move, in a slice lent by the program.
pub struct Slab<T: Item + 'static> {
    items: &'static mut [T],
}

impl<T: Item + 'static> Slab<T> {
    /// A slab for nothing.
    #[cfg(any(test, feature = "flows"))]
    pub const fn empty() -> Slab<T> {
        Slab { items: &mut [] }
    }

    /// A slab in lent memory, for as many items as `memory` has. All are [`Item::EMPTY`], but for
    /// what [`Item::reset`] keeps.
    pub const fn lent(memory: &'static mut [T]) -> Slab<T> {
        assert!(memory.len() <= MAX_ITEMS);
        Slab { items: memory }
    }

    /// Returns the index of the lowest item that is free, to be filled before the next is asked
    /// for; `None` if there is none.
    pub fn insert(&mut self) -> Option<u32> {
        self.items
            .iter()
            .position(Item::is_free)
            .map(|index| index as u32)
    }

    /// Frees an item: it is [reset](Item::reset). False, and nothing is changed, if the item was
    /// not in use.
    pub fn remove(&mut self, index: u32) -> bool {
        match self.get_mut(index) {
            Some(item) if !item.is_free() => {
                item.reset();
                true
            }
            Some(_) | None => {
                cold_path();
                false
            }
        }
    }

    /// The item at `index`, free or not; `None` if there is no memory for it. Who keeps an index
    /// beyond its item's life compares a generation.
    // Called from everywhere: where flash counts a call is a third of it.
    #[inline(never)]
    pub fn get(&self, index: u32) -> Option<&T> {
        self.items.get(index as usize)
    }

    /// Like [`get`](Slab::get), to be written to.
    #[inline(never)]
    pub fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.items.get_mut(index as usize)
    }

    /// Every item, free or not.
    #[inline]
    pub fn items(&self) -> core::slice::Iter<'_, T> {
        self.items.iter()
    }

    /// Every item, free or not, to be written to.
    #[inline]
    pub fn items_mut(&mut self) -> core::slice::IterMut<'_, T> {
        self.items.iter_mut()
    }

    /// Items in use.
    pub fn len(&self) -> u32 {
        self.items().filter(|item| !item.is_free()).count() as u32
    }

    /// Whether no item is in use.
    pub fn is_empty(&self) -> bool {
        self.items().all(Item::is_free)
    }

    /// Whether all items are in use.
    pub fn is_full(&self) -> bool {
        !self.items().any(Item::is_free)
    }

    /// Items there can be: the bound of a scan.
    #[inline]
    pub const fn high_water(&self) -> u32 {
        self.items.len() as u32
    }

    /// Bytes of memory in use.
    #[cfg(feature = "flows")]
    pub fn bytes(&self) -> usize {
        (self.len() as usize).saturating_mul(size_of::<T>())
    }

    /// Bytes of memory that so many items more would use.
    #[cfg(feature = "flows")]
    pub fn growth(&self, more: u32) -> usize {
        (more as usize).saturating_mul(size_of::<T>())
    }

    /// Items there can be.
    #[inline]
    pub const fn capacity(&self) -> u32 {
        self.high_water()
    }
}

impl<T: Item + 'static> core::fmt::Debug for Slab<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Slab")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .finish()
    }
}

#[cfg(test)]
mod tests;
