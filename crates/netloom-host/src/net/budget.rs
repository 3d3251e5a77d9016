//! A bound on what is sent while the lock is held.

use netloom_driver::{FrameSink, Full, TxCaps, TxMeta};

/// A sink that is full after so many frames, whatever the device says.
pub(super) struct Budget<'s> {
    sink: &'s mut dyn FrameSink,
    left: usize,
    spent: bool,
}

impl<'s> Budget<'s> {
    pub(super) fn new(sink: &'s mut dyn FrameSink, frames: usize) -> Budget<'s> {
        Budget {
            sink,
            left: frames,
            spent: false,
        }
    }

    /// Whether a frame was refused that the device might have taken.
    pub(super) fn is_spent(&self) -> bool {
        self.spent
    }
}

impl FrameSink for Budget<'_> {
    fn caps(&self) -> TxCaps {
        self.sink.caps()
    }

    fn frame(
        &mut self,
        len: usize,
        meta: &TxMeta,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), Full> {
        let Some(left) = self.left.checked_sub(1) else {
            self.spent = true;
            return Err(Full);
        };
        self.sink.frame(len, meta, fill)?;
        self.left = left;
        Ok(())
    }

    fn flush(&mut self) {
        self.sink.flush();
    }
}
