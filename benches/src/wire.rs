//! What joins two stacks: a queue of frames in memory that is used again and again.

use netloom_stack::driver::{FrameSink, Full, TxCaps, TxMeta};

/// What the two stacks are joined by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    /// Ethernet frames; else bare IP packets.
    pub(crate) ethernet: bool,
    /// The largest IP packet, in bytes.
    pub(crate) mtu: usize,
}

impl Link {
    /// Bare IP packets of at most `mtu` bytes.
    pub(crate) const fn ip(mtu: usize) -> Link {
        Link {
            ethernet: false,
            mtu,
        }
    }

    /// Ethernet frames around IP packets of at most `mtu` bytes.
    pub(crate) const fn ethernet(mtu: usize) -> Link {
        Link {
            ethernet: true,
            mtu,
        }
    }

    /// The largest frame, in bytes.
    pub(crate) const fn frame(self) -> usize {
        self.mtu + if self.ethernet { 14 } else { 0 }
    }
}

/// Frames under way in one direction. Both stacks measured are joined by it.
///
/// Slots are allocated once. When the queue runs empty it starts again at the first slot, so
/// that the memory written next is the memory most likely still in the cache.
pub(crate) struct Wire {
    slots: Vec<Slot>,
    head: usize,
    tail: usize,
    link: Link,
    /// Frames that were ever put in.
    pub(crate) frames: u64,
}

struct Slot {
    len: usize,
    bytes: Box<[u8]>,
}

impl Wire {
    /// A queue for so many frames.
    pub(crate) fn new(link: Link, slots: usize) -> Wire {
        let slot = || Slot {
            len: 0,
            // Not `vec![0; n]`: pages would only be mapped while they are measured.
            bytes: vec![0xAA; link.frame()].into_boxed_slice(),
        };
        Wire {
            slots: (0..slots).map(|_| slot()).collect(),
            head: 0,
            tail: 0,
            link,
            frames: 0,
        }
    }

    /// Whether there is no room for another frame.
    pub(crate) fn is_full(&self) -> bool {
        self.tail == self.slots.len()
    }

    /// Puts in a frame of `len` bytes, written by `fill`. There must be room.
    #[inline]
    pub(crate) fn put<R>(&mut self, len: usize, fill: impl FnOnce(&mut [u8]) -> R) -> R {
        let slot = &mut self.slots[self.tail];
        slot.len = len;
        self.tail += 1;
        self.frames += 1;
        fill(&mut slot.bytes[..len])
    }

    /// Takes out the oldest frame.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<&[u8]> {
        if self.head == self.tail {
            self.head = 0;
            self.tail = 0;
            return None;
        }
        let slot = &self.slots[self.head];
        self.head += 1;
        Some(&slot.bytes[..slot.len])
    }
}

impl FrameSink for Wire {
    fn caps(&self) -> TxCaps {
        TxCaps::plain(self.link.mtu as u16)
    }

    #[inline]
    fn frame(
        &mut self,
        len: usize,
        _meta: &TxMeta,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), Full> {
        if self.is_full() {
            return Err(Full);
        }
        self.put(len, fill);
        Ok(())
    }
}
