//! Where the stack's memory comes from: lent by the program, or taken from the heap.
//!
//! * [`Mem`]: a slice that is lent, on the heap, or absent.
//! * [`Slab`]: items of one kind, found by index; they never move.
//! * [`pool::Pool`]: byte buffers in powers of two under one budget (feature `alloc`).

pub mod mem;
#[cfg(not(feature = "alloc"))]
pub mod places;
#[cfg(feature = "alloc")]
pub mod pool;
#[cfg(feature = "alloc")]
pub mod slab;
#[cfg(not(feature = "alloc"))]
pub use places as slab;

pub use mem::Mem;
#[cfg(feature = "alloc")]
pub use pool::Pool;
pub use slab::{Item, Slab};
