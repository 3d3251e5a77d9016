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

    /// Has the device take a frame, unless as many were taken as may be.
    fn one_more(
        &mut self,
        send: impl FnOnce(&mut dyn FrameSink) -> Result<(), Full>,
    ) -> Result<(), Full> {
        let Some(left) = self.left.checked_sub(1) else {
            self.spent = true;
            return Err(Full);
        };
        send(self.sink)?;
        self.left = left;
        Ok(())
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
        self.one_more(|sink| sink.frame(len, meta, fill))
    }

    // The payload of a segment stays where it is all the way to the device.
    fn gather(
        &mut self,
        head_len: usize,
        meta: &TxMeta,
        fill: &mut dyn FnMut(&mut [u8]),
        payload: (&[u8], &[u8]),
    ) -> Result<(), Full> {
        self.one_more(|sink| sink.gather(head_len, meta, fill, payload))
    }

    fn flush(&mut self) {
        self.sink.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a device was asked for: lengths of whole frames, and of heads and payloads.
    #[derive(Default)]
    struct Device {
        frames: Vec<usize>,
        gathered: Vec<(usize, usize)>,
    }

    impl FrameSink for Device {
        fn caps(&self) -> TxCaps {
            TxCaps::plain(1500)
        }

        fn frame(
            &mut self,
            len: usize,
            _: &TxMeta,
            fill: &mut dyn FnMut(&mut [u8]),
        ) -> Result<(), Full> {
            fill(&mut vec![0; len]);
            self.frames.push(len);
            Ok(())
        }

        fn gather(
            &mut self,
            head_len: usize,
            _: &TxMeta,
            fill: &mut dyn FnMut(&mut [u8]),
            (first, second): (&[u8], &[u8]),
        ) -> Result<(), Full> {
            fill(&mut vec![0; head_len]);
            self.gathered.push((head_len, first.len() + second.len()));
            Ok(())
        }
    }

    #[test]
    fn what_is_gathered_reaches_the_device_as_it_is_and_counts() {
        let mut device = Device::default();
        let mut budget = Budget::new(&mut device, 2);
        let meta = TxMeta::default();
        let payload = (&[0; 700][..], &[0; 300][..]);
        assert_eq!(budget.gather(54, &meta, &mut |_| (), payload), Ok(()));
        assert_eq!(budget.frame(60, &meta, &mut |_| ()), Ok(()));
        assert!(!budget.is_spent());
        assert_eq!(budget.gather(54, &meta, &mut |_| (), payload), Err(Full));
        assert!(budget.is_spent());
        assert_eq!(device.gathered, [(54, 1_000)]);
        assert_eq!(device.frames, [60]);
    }
}
