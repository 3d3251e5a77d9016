//! How many frames to take at a time.

#[cfg(test)]
mod tests;

use super::BATCH;

/// Bytes handed over by one call, beyond which it ends: what came in is read by its program while
/// it is still in the processor's cache, and the buffer it waits in stays short. Three
/// super-segments: each call is followed by one acknowledgment, which costs a write. With one or
/// with four a call merged segments come in a tenth slower.
const MOST_BYTES: usize = 192 << 10;

/// Of so many calls in a row that find a single frame, one looks whether there are more.
const LOOK_AGAIN: u8 = 8;

/// Decides when a call of `receive` has taken enough.
///
/// A reader learns that nothing is left only by a read that fails. In a conversation, where frames
/// come one by one, that would be every other read: after a call that found one frame the next
/// ones expect no more, and leave it to poll(2) to say otherwise, but for one in a few.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Calls in a row that found one frame, modulo [`LOOK_AGAIN`].
    lone: u8,
    frames: usize,
    bytes: usize,
}

impl Batch {
    /// A call begins.
    pub(super) fn begin(&mut self) {
        self.frames = 0;
        self.bytes = 0;
    }

    /// Whether another frame is to be asked for.
    pub(super) fn wants_more(&self) -> bool {
        if self.lone > 0 && self.frames == 1 {
            return false;
        }
        self.frames < BATCH && self.bytes < MOST_BYTES
    }

    /// A frame of `len` bytes was taken, and perhaps dropped.
    pub(super) fn took(&mut self, len: usize) {
        self.frames += 1;
        self.bytes += len;
    }

    /// The call ends.
    pub(super) fn end(&mut self) {
        match self.frames {
            0 => {}
            1 => self.lone = (self.lone + 1) % LOOK_AGAIN,
            _ => self.lone = 0,
        }
    }
}
