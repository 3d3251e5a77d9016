//! What the relays could not pass on.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Datagrams and replies to pings that are too long for a packet to the client: netloom makes no
/// fragments.
static TOO_LONG: AtomicUsize = AtomicUsize::new(0);

/// Counts one.
pub(super) fn too_long() {
    TOO_LONG.fetch_add(1, Ordering::Relaxed);
}

/// How many there were.
pub(super) fn count() -> usize {
    TOO_LONG.load(Ordering::Relaxed)
}
