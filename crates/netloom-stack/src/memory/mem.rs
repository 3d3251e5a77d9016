//! A slice of memory, whoever provided it.

#[cfg(feature = "alloc")]
use alloc::boxed::Box;
use core::ops::{Deref, DerefMut};

#[cfg(test)]
mod tests;

/// A slice that is absent, lent by the program for ever, or owned on the heap.
///
/// It reads and writes as `[T]`; an absent one is the empty slice. Because lent memory is
/// `'static`, what holds a `Mem` needs no lifetime.
#[derive(Default)]
pub enum Mem<T: 'static> {
    /// No memory: the empty slice.
    #[default]
    None,
    /// Memory the program gave away.
    Lent(&'static mut [T]),
    /// Memory of the heap, freed on drop.
    #[cfg(feature = "alloc")]
    Heap(Box<[T]>),
}

impl<T> Mem<T> {
    /// Whether there is no memory here. A lent slice of length 0 is not `None`.
    #[inline]
    pub const fn is_none(&self) -> bool {
        matches!(self, Mem::None)
    }

    /// Moves the memory out and leaves [`Mem::None`].
    #[inline]
    #[must_use]
    pub fn take(&mut self) -> Mem<T> {
        core::mem::take(self)
    }
}

impl<T> Deref for Mem<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match self {
            Mem::None => &[],
            Mem::Lent(slice) => slice,
            #[cfg(feature = "alloc")]
            Mem::Heap(slice) => slice,
        }
    }
}

impl<T> DerefMut for Mem<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        match self {
            Mem::None => &mut [],
            Mem::Lent(slice) => slice,
            #[cfg(feature = "alloc")]
            Mem::Heap(slice) => slice,
        }
    }
}

impl<T> From<&'static mut [T]> for Mem<T> {
    fn from(slice: &'static mut [T]) -> Mem<T> {
        Mem::Lent(slice)
    }
}

#[cfg(feature = "alloc")]
impl<T> From<Box<[T]>> for Mem<T> {
    fn from(slice: Box<[T]>) -> Mem<T> {
        Mem::Heap(slice)
    }
}

/// Says where the memory is and how long, not what is in it: it may be megabytes of payload.
impl<T> core::fmt::Debug for Mem<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Mem::None => f.write_str("None"),
            Mem::Lent(slice) => write!(f, "Lent({})", slice.len()),
            #[cfg(feature = "alloc")]
            Mem::Heap(slice) => write!(f, "Heap({})", slice.len()),
        }
    }
}
