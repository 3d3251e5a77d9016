//! A device that is memory.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

use crate::{FrameSink, Full, TxCaps, TxMeta};

/// What the memory of a frame holds before it is written, as a device's does: anything.
const STALE: u8 = 0xaa;

/// Frames kept in the order they were sent: for tests, and to join two stacks of one program.
///
/// ```
/// use netloom_driver::{FrameQueue, FrameSink, TxMeta};
///
/// let mut queue = FrameQueue::default();
/// queue.frame(60, &TxMeta::default(), &mut |frame| frame.fill(1))?;
/// assert_eq!(queue.frames.pop_front(), Some(vec![1; 60]));
/// # Ok::<(), netloom_driver::Full>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameQueue {
    /// The frames, the oldest first. Whoever takes them makes room.
    pub frames: VecDeque<Vec<u8>>,
    /// How many frames there are at most; what comes then is refused with [`Full`].
    pub room: usize,
    /// What the stack may leave to the device: nothing, unless that is changed.
    pub caps: TxCaps,
}

impl FrameQueue {
    /// An empty queue with room for any number of frames of an interface with this MTU, in bytes.
    pub const fn new(mtu: u16) -> FrameQueue {
        FrameQueue {
            frames: VecDeque::new(),
            room: usize::MAX,
            caps: TxCaps::plain(mtu),
        }
    }
}

impl Default for FrameQueue {
    /// Of an interface with an MTU of 1500.
    fn default() -> FrameQueue {
        FrameQueue::new(1500)
    }
}

impl FrameSink for FrameQueue {
    fn caps(&self) -> TxCaps {
        self.caps
    }

    fn frame(
        &mut self,
        len: usize,
        _meta: &TxMeta,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), Full> {
        if self.frames.len() >= self.room {
            return Err(Full);
        }
        let mut frame = vec![STALE; len];
        fill(&mut frame);
        self.frames.push_back(frame);
        Ok(())
    }
}
