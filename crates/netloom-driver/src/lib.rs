//! The contract between a network device and the netloom stack, and nothing else.
//!
//! A driver written against this crate keeps working while the stack changes: there is no
//! protocol here, no address type, no stack type; the crate has no dependencies of its own
//! unless a wrapper's feature asks for one.
//!
//! * [`Driver`]: a device that can be drained of received frames and lends a [`FrameSink`].
//! * [`FrameSink`]: where frames are written, straight into the device's own memory.
//! * [`RxMeta`], [`TxMeta`], [`TxCaps`]: what a device says of a frame it received, what the
//!   stack says of a frame it sends, and what a device can do for the stack.
//! * `Receiver` and `Place` (feature `gather`): where the text of a frame is wanted, for devices that
//!   can put it there.
//! * `FrameQueue` (feature `alloc`): a device that is memory, for tests and to join two stacks.
//! * [`Instant`]: microseconds of a monotonic clock; time is always an argument.
//!
//! Behind features of their own there are wrappers that any device can wear, and that are
//! devices themselves: `pcapng` records frames for Wireshark, `narrate` tells of each in a line,
//! `impair` loses, reorders, duplicates, corrupts and delays them by a seed.
//!
//! # Writing a driver
//!
//! ```
//! use netloom_driver::{FrameSink, Full, TxCaps, TxMeta};
//!
//! /// A device with room for a single frame.
//! struct OneSlot {
//!     memory: [u8; 1514],
//!     len: usize,
//! }
//!
//! impl FrameSink for OneSlot {
//!     fn caps(&self) -> TxCaps {
//!         TxCaps::plain(1500)
//!     }
//!     fn frame(
//!         &mut self,
//!         len: usize,
//!         _meta: &TxMeta,
//!         fill: &mut dyn FnMut(&mut [u8]),
//!     ) -> Result<(), Full> {
//!         if self.len != 0 {
//!             return Err(Full); // `fill` has not run: nothing is lost
//!         }
//!         let slot = self.memory.get_mut(..len).ok_or(Full)?;
//!         fill(slot);
//!         self.len = len;
//!         Ok(())
//!     }
//! }
//! # let mut slot = OneSlot { memory: [0; 1514], len: 0 };
//! # assert!(slot.frame(60, &TxMeta::default(), &mut |b| b.fill(1)).is_ok());
//! # assert!(slot.frame(60, &TxMeta::default(), &mut |b| b.fill(1)).is_err());
//! ```
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[cfg(any(test, feature = "alloc"))]
extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

#[cfg(feature = "impair")]
pub mod impair;
mod meta;
#[cfg(feature = "narrate")]
pub mod narrate;
#[cfg(feature = "pcapng")]
pub mod pcapng;
#[cfg(feature = "alloc")]
mod queue;
#[cfg(feature = "gather")]
mod receiver;
#[cfg(all(test, any(feature = "impair", feature = "narrate", feature = "pcapng")))]
mod test_device;
mod time;

pub use meta::{Gso, PartialChecksum, RxChecksum, RxMeta, TxCaps, TxMeta};
#[cfg(feature = "alloc")]
pub use queue::FrameQueue;
#[cfg(feature = "gather")]
pub use receiver::{Place, Receiver};
pub use time::Instant;

/// A sink had no room for the frame. Nothing was written; offer the frame again after the
/// device has made progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl core::fmt::Display for Full {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the device has no room for a frame")
    }
}

impl core::error::Error for Full {}

/// Which way a frame goes, seen from the device's host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Received by the device.
    Inbound,
    /// Sent by the stack.
    Outbound,
}

/// Whether a device can carry frames just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum LinkState {
    /// Frames are carried.
    #[default]
    Up,
    /// The cable is out, the access point lost, the device removed.
    Down,
}

/// Where frames leave: a ring of descriptors, a socket, a queue, a vector.
///
/// Always used as `dyn`, so that the protocol engine is compiled once for all devices.
pub trait FrameSink {
    /// What this device can do for the stack. Asked once per transmit turn.
    fn caps(&self) -> TxCaps;

    /// Sends one frame of exactly `len` bytes.
    ///
    /// If there is room, lends `len` initialised bytes of the device's own memory to `fill`,
    /// which writes every one of them, and returns `Ok`. If there is none, returns
    /// [`Full`] without calling `fill`. `fill` therefore runs exactly once for `Ok` and
    /// never for `Err`: the stack takes `Ok` as "sent" and nothing else.
    ///
    /// `len` is at most the link header plus [`TxCaps::mtu`], or, when `meta.gso` is set, the
    /// link header plus [`TxCaps::gso_max`].
    ///
    /// # Errors
    /// [`Full`] when there is no room now.
    #[doc(alias = "l3_tx_buffer")]
    #[doc(alias = "l3_tx")]
    fn frame(
        &mut self,
        len: usize,
        meta: &TxMeta,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), Full>;

    /// Sends one frame whose end already stands somewhere: `head_len` bytes that `fill` writes,
    /// then the two pieces of `payload`. Used for what needs no checksum from the stack
    /// ([`TxMeta::checksum`]); all else is as for [`frame`](FrameSink::frame), into which the
    /// payload is copied unless a device can do better.
    ///
    /// # Errors
    /// [`Full`] when there is no room now.
    #[cfg(feature = "gather")]
    fn gather(
        &mut self,
        head_len: usize,
        meta: &TxMeta,
        fill: &mut dyn FnMut(&mut [u8]),
        payload: (&[u8], &[u8]),
    ) -> Result<(), Full> {
        let (first, second) = payload;
        let len = head_len
            .saturating_add(first.len())
            .saturating_add(second.len());
        self.frame(len, meta, &mut |frame| {
            let (head, rest) = frame.split_at_mut(head_len.min(frame.len()));
            fill(head);
            let (to_first, to_second) = rest.split_at_mut(first.len().min(rest.len()));
            for (to, from) in [(to_first, first), (to_second, second)] {
                if to.len() == from.len() {
                    to.copy_from_slice(from);
                }
            }
        })
    }

    /// Rings the doorbell: called once at the end of a transmit turn in which at least one
    /// frame was accepted.
    fn flush(&mut self) {}
}

/// A device: frames in, and a sink for frames out.
pub trait Driver {
    /// Hands over frames that have arrived, oldest first, and returns how many there were.
    ///
    /// Must not block, and should hand over a bounded batch (64 is a good number) so that a
    /// flooded device cannot keep timers from running; 0 says that nothing is waiting.
    fn receive(&mut self, each: &mut dyn FnMut(&[u8], &RxMeta)) -> usize;

    /// [`receive`](Driver::receive) for a device that can send a frame from where it received it:
    /// `each` may turn the frame into the answer to it, whose length it returns, at most the
    /// frame's own; 0 if there is none. Only frames whose answer the device has room for are
    /// handed over; the others stay where they are.
    ///
    /// `None`, and nothing was done, if the device cannot do that.
    fn receive_answering(
        &mut self,
        each: &mut dyn FnMut(&mut [u8], &RxMeta) -> usize,
    ) -> Option<usize> {
        let _ = each;
        None
    }

    /// [`receive`](Driver::receive) for a device that can read a frame into several pieces of memory:
    /// `receiver` is asked before each frame where it wants the frame's end. Other devices hand
    /// over whole frames.
    #[cfg(feature = "gather")]
    fn receive_into(&mut self, receiver: &mut dyn Receiver) -> usize {
        self.receive(&mut |frame, meta| receiver.frame(frame, meta))
    }

    /// Where frames for this device go.
    fn sink(&mut self) -> &mut dyn FrameSink;

    /// Whether the device carries frames just now.
    fn link(&self) -> LinkState {
        LinkState::Up
    }

    /// Replaces the set of link-layer multicast addresses to receive. A device that
    /// receives everything may ignore it.
    fn set_multicast(&mut self, groups: &[[u8; 6]]) {
        let _ = groups;
    }
}

impl<D: Driver + ?Sized> Driver for &mut D {
    fn receive(&mut self, each: &mut dyn FnMut(&[u8], &RxMeta)) -> usize {
        (**self).receive(each)
    }
    fn receive_answering(
        &mut self,
        each: &mut dyn FnMut(&mut [u8], &RxMeta) -> usize,
    ) -> Option<usize> {
        (**self).receive_answering(each)
    }
    #[cfg(feature = "gather")]
    fn receive_into(&mut self, receiver: &mut dyn Receiver) -> usize {
        (**self).receive_into(receiver)
    }
    fn sink(&mut self) -> &mut dyn FrameSink {
        (**self).sink()
    }
    fn link(&self) -> LinkState {
        (**self).link()
    }
    fn set_multicast(&mut self, groups: &[[u8; 6]]) {
        (**self).set_multicast(groups);
    }
}
