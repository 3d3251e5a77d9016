//! Where the stack's memory comes from: lent by the program, or taken from the heap.
//!
//! * [`Mem`]: a slice that is lent, on the heap, or absent.
//! * [`Slab`]: items of one kind, found by index; they never move.
//! * [`pool::Pool`]: byte buffers in powers of two under one budget (feature `alloc`).

pub mod mem;
#[cfg(feature = "alloc")]
pub mod pool;
pub mod slab;

pub use mem::Mem;
#[cfg(feature = "alloc")]
pub use pool::Pool;
pub use slab::{Item, Slab};
