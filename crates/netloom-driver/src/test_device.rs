//! A device for the tests of what wears it.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::{Driver, FrameSink, Full, LinkState, RxMeta, TxCaps, TxMeta};

/// Receives what a test queued, keeps what is sent, has as much room as the test says.
#[derive(Debug)]
pub(crate) struct TestDevice {
    pub(crate) incoming: VecDeque<Vec<u8>>,
    pub(crate) sent: Vec<Vec<u8>>,
    pub(crate) room: usize,
    pub(crate) flushed: usize,
    pub(crate) groups: Vec<[u8; 6]>,
    pub(crate) mtu: u16,
    /// Sends answers from where their frames were received, as the LAN9118's driver does.
    pub(crate) answers: bool,
}

impl TestDevice {
    pub(crate) fn new() -> TestDevice {
        TestDevice {
            incoming: VecDeque::new(),
            sent: Vec::new(),
            room: usize::MAX,
            flushed: 0,
            groups: Vec::new(),
            mtu: 1400,
            answers: false,
        }
    }
}

impl FrameSink for TestDevice {
    fn caps(&self) -> TxCaps {
        TxCaps {
            mtu: self.mtu,
            checksum: true,
            gso_max: 65_535,
        }
    }

    fn frame(
        &mut self,
        len: usize,
        _meta: &TxMeta,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), Full> {
        if self.sent.len() >= self.room {
            return Err(Full);
        }
        let mut frame = alloc::vec![0; len];
        fill(&mut frame);
        self.sent.push(frame);
        Ok(())
    }

    fn flush(&mut self) {
        self.flushed += 1;
    }
}

impl Driver for TestDevice {
    fn receive(&mut self, each: &mut dyn FnMut(&[u8], &RxMeta)) -> usize {
        let frames = core::mem::take(&mut self.incoming);
        frames
            .iter()
            .for_each(|frame| each(frame, &RxMeta::VERIFIED));
        frames.len()
    }

    fn receive_answering(
        &mut self,
        each: &mut dyn FnMut(&mut [u8], &RxMeta) -> usize,
    ) -> Option<usize> {
        if !self.answers {
            return None;
        }
        let frames = core::mem::take(&mut self.incoming);
        let count = frames.len();
        for mut frame in frames {
            let len = each(&mut frame, &RxMeta::VERIFIED);
            if len > 0 {
                frame.truncate(len);
                self.sent.push(frame);
            }
        }
        Some(count)
    }

    fn sink(&mut self) -> &mut dyn FrameSink {
        self
    }

    fn link(&self) -> LinkState {
        LinkState::Down
    }

    fn set_multicast(&mut self, groups: &[[u8; 6]]) {
        self.groups = groups.to_vec();
    }
}

/// Sends a frame through any driver.
pub(crate) fn send(driver: &mut dyn Driver, frame: &[u8]) -> Result<(), Full> {
    let sink = driver.sink();
    sink.frame(frame.len(), &TxMeta::default(), &mut |out| {
        out.copy_from_slice(frame);
    })
}

/// Everything a driver has received.
pub(crate) fn receive(driver: &mut dyn Driver) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let count = driver.receive(&mut |frame, _| frames.push(frame.to_vec()));
    assert_eq!(count, frames.len());
    frames
}
