//! Where bytes are on their way: one buffer a thread, not one a relay.

use std::cell::RefCell;

/// The longest that is passed on at once: the longest datagram with an ICMP header, and of a stream
/// as much.
pub(super) const LEN: usize = (64 << 10) + 8;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; LEN].into());
}

/// Lends the buffer between two waits, and never longer.
pub(super) fn with<T>(call: impl FnOnce(&mut [u8]) -> T) -> T {
    SCRATCH.with_borrow_mut(|scratch| call(scratch))
}
