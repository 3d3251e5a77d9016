//! A cable in memory that loses frames, or all of them.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use netloom_driver::{Driver, FrameSink, LinkState, RxMeta};
use netloom_host::device::{Counters, Device, DeviceError, Interest, LinkEnd, Medium};
use netloom_host::net::{Builder, Net};

/// How many of a million frames are lost.
#[derive(Debug, Clone, Default)]
pub(crate) struct Loss(Arc<AtomicU32>);

impl Loss {
    pub(crate) fn set(&self, of_a_million: u32) {
        self.0.store(of_a_million, Ordering::Relaxed);
    }
}

/// One end of the cable: it loses what it should receive.
#[derive(Debug)]
struct LossyEnd {
    end: LinkEnd,
    loss: Loss,
    random: u64,
}

impl LossyEnd {
    fn loses(random: &mut u64, loss: &Loss) -> bool {
        // Marsaglia's xorshift64: any fair dice will do.
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        *random % 1_000_000 < u64::from(loss.0.load(Ordering::Relaxed))
    }
}

impl Driver for LossyEnd {
    fn receive(&mut self, each: &mut dyn FnMut(&[u8], &RxMeta)) -> usize {
        let LossyEnd { end, loss, random } = self;
        end.receive(&mut |frame, meta| {
            if !LossyEnd::loses(random, loss) {
                each(frame, meta);
            }
        })
    }

    fn sink(&mut self) -> &mut dyn FrameSink {
        self.end.sink()
    }

    fn link(&self) -> LinkState {
        self.end.link()
    }
}

impl AsFd for LossyEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.as_fd()
    }
}

impl Device for LossyEnd {
    fn name(&self) -> &str {
        self.end.name()
    }
    fn medium(&self) -> Medium {
        self.end.medium()
    }
    fn mtu(&self) -> u16 {
        self.end.mtu()
    }
    fn refresh(&mut self) -> Result<(), DeviceError> {
        self.end.refresh()
    }
    fn interest(&self) -> Interest {
        self.end.interest()
    }
    fn fault(&self) -> Option<DeviceError> {
        self.end.fault()
    }
    fn counters(&mut self) -> Counters {
        self.end.counters()
    }
}

/// Two stacks, 10.0.0.1 and 10.0.0.2, on such a cable, which loses nothing at first.
pub(crate) fn lossy_pair(seed: u64, finish: impl Fn(Builder) -> Builder) -> (Net, Net, Loss) {
    let loss = Loss::default();
    let (a, b) = LinkEnd::pair(1500).unwrap();
    let start = |end, address, random| {
        let end = LossyEnd {
            end,
            loss: loss.clone(),
            random,
        };
        finish(Net::builder(end).address(address)).start().unwrap()
    };
    let a = start(a, "10.0.0.1/24", seed);
    let b = start(b, "10.0.0.2/24", !seed);
    (a, b, loss)
}
