//! Connections in SYN-RECEIVED: 64 bytes each, no buffers.

use netloom_tcp::HalfOpen;

use crate::list::Links;
#[cfg(feature = "alloc")]
use crate::list::List;
use crate::memory::slab::Item;
use crate::tuple::Tuple;

/// A handshake a peer has begun.
pub(crate) struct HalfOpenEntry {
    pub(crate) tuple: Tuple,
    /// Of a flow's the timestamp is elsewhere: see [`Stack::half_open`](crate::stack::Stack).
    pub(crate) half: HalfOpen,
    /// On an interface's control list (a SYN-ACK is owed), on a neighbour's waiting list, or
    /// on the queue of its number of retransmissions. The tag is the 4 ms tick at which the
    /// last SYN-ACK left.
    pub(crate) links: Links,
}

const _: () = assert!(size_of::<HalfOpenEntry>() <= 64);

#[cfg(feature = "flows")]
impl HalfOpenEntry {
    /// The place of the flow this is, + 1; 0: a listener's.
    pub(crate) const fn flow(&self) -> u32 {
        self.half.lodger()
    }
}

impl Item for HalfOpenEntry {
    const EMPTY: HalfOpenEntry = HalfOpenEntry {
        tuple: Tuple::EMPTY,
        half: HalfOpen::EMPTY,
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

/// Longest back-off in steps: a SYN-ACK is repeated at most this often.
pub(crate) const LEVELS: u8 = 8;

/// All handshakes under way, in queues by how often their SYN-ACK was repeated: each queue is
/// in order of time, so that only its front need be looked at.
pub(crate) struct SynQueue {
    /// `levels[n]`: the SYN-ACK was sent n + 1 times, the wait is `rto << n`.
    #[cfg(feature = "alloc")]
    pub(crate) levels: [List; LEVELS as usize],
    /// When the last SYN cookie was sent; `None`: never.
    #[cfg(feature = "syn-cookies")]
    pub(crate) last_cookie: Option<u32>,
}

impl SynQueue {
    pub(crate) const EMPTY: SynQueue = SynQueue {
        #[cfg(feature = "alloc")]
        levels: [List::EMPTY; LEVELS as usize],
        #[cfg(feature = "syn-cookies")]
        last_cookie: None,
    };
}
