//! The answers given last to questions every packet asks: are these addresses good, where does this
//! destination lie, and how is its neighbour addressed? One of each, forgotten when an address or a
//! route changes; the neighbour's also when any neighbour changes, and after a second at most.

#[cfg(feature = "alloc")]
mod one;
#[cfg(not(feature = "alloc"))]
#[path = "recent/nothing.rs"]
mod one;

pub(crate) use one::Recent;

/// A version of the neighbour cache, and a second of the clock.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Epoch {
    pub(crate) version: u32,
    pub(crate) tick: u32,
}
