//! Connections in TIME-WAIT: 64 bytes each, no buffers.

use netloom_tcp::TimeWaitState;

use crate::list::Links;
use crate::memory::slab::Item;
use crate::tuple::Tuple;

/// A connection that is over and only guards its tuple.
pub(crate) struct TimeWaitEntry {
    pub(crate) tuple: Tuple,
    pub(crate) state: TimeWaitState,
    /// On the one queue in order of time. The tag is the 4 ms tick at which 2 MSL began.
    pub(crate) links: Links,
}

const _: () = assert!(size_of::<TimeWaitEntry>() <= 64);

impl Item for TimeWaitEntry {
    const EMPTY: TimeWaitEntry = TimeWaitEntry {
        tuple: Tuple::EMPTY,
        state: TimeWaitState::EMPTY,
        links: Links::EMPTY,
    };
    #[cfg(feature = "alloc")]
    fn free_link(&mut self) -> &mut u32 {
        self.links.raw()
    }

    #[cfg(not(feature = "alloc"))]
    fn is_free(&self) -> bool {
        self.tuple.local_port == 0
    }
}
