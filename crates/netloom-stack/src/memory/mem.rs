//! A slice of memory, whoever provided it.

#[cfg(feature = "alloc")]
use alloc::boxed::Box;
use core::ops::{Deref, DerefMut};

#[cfg(any(test, feature = "alloc", feature = "udp"))]
use netloom_wire::hint::cold_path;

#[cfg(test)]
mod tests;

/// A slice that is absent, lent by the program for ever, or owned on the heap.
///
/// It reads and writes as `[T]`; an absent one is the empty slice. Because lent memory is
/// `'static`, what holds a `Mem` needs no lifetime.
pub enum Mem<T: 'static> {
    /// No memory: the empty slice. Where all memory is lent there is no need of it.
    #[cfg(any(test, feature = "alloc", feature = "udp"))]
    None,
    /// Memory the program gave away.
    Lent(&'static mut [T]),
    /// Memory of the heap, freed on drop.
    #[cfg(feature = "alloc")]
    Heap(Box<[T]>),
}

impl<T> Mem<T> {
    /// No memory.
    #[inline]
    #[must_use]
    pub const fn none() -> Mem<T> {
        #[cfg(any(test, feature = "alloc", feature = "udp"))]
        return Mem::None;
        #[cfg(not(any(test, feature = "alloc", feature = "udp")))]
        Mem::Lent(&mut [])
    }

    /// Whether there is no memory here. A lent slice of length 0 is not `None`.
    #[inline]
    pub const fn is_none(&self) -> bool {
        #[cfg(any(test, feature = "alloc", feature = "udp"))]
        return matches!(self, Mem::None);
        #[cfg(not(any(test, feature = "alloc", feature = "udp")))]
        false
    }

    /// Moves the memory out and leaves [`Mem::none`].
    #[inline]
    #[must_use]
    pub fn take(&mut self) -> Mem<T> {
        core::mem::take(self)
    }
}

impl<T> Default for Mem<T> {
    fn default() -> Mem<T> {
        Mem::none()
    }
}

impl<T> Deref for Mem<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match self {
            #[cfg(any(test, feature = "alloc", feature = "udp"))]
            Mem::None => {
                cold_path();
                &[]
            }
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
            #[cfg(any(test, feature = "alloc", feature = "udp"))]
            Mem::None => {
                cold_path();
                &mut []
            }
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
            #[cfg(any(test, feature = "alloc", feature = "udp"))]
            Mem::None => f.write_str("None"),
            Mem::Lent(slice) => write!(f, "Lent({})", slice.len()),
            #[cfg(feature = "alloc")]
            Mem::Heap(slice) => write!(f, "Heap({})", slice.len()),
        }
    }
}
