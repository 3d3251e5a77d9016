//! An Ethernet segment inside this process: two stations, no kernel, no rights.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use netloom_driver::{Driver, FrameSink, Full, LinkState, RxMeta, TxCaps, TxMeta};

use super::{BATCH, Counters, Device, DeviceError, Interest, Medium};
use crate::sys;

#[cfg(test)]
mod tests;

/// Frames under way in one direction at most; the sink is full beyond.
const CAPACITY: usize = 256;

/// One of the two stations of an Ethernet segment in memory.
///
/// Nothing is lost or reordered, and every frame is carried as its sender's stack made it,
/// checksums included. When one end is dropped the other's link is down, and what it sends is
/// dropped and counted, as on a cable that leads nowhere.
#[derive(Debug)]
pub struct LinkEnd {
    name: String,
    mac: [u8; 6],
    mtu: u16,
    incoming: Arc<Direction>,
    outgoing: Arc<Direction>,
    /// Wakes this end: frames have come, or there is room again.
    bell: Arc<File>,
    /// Wakes the other end.
    far_bell: Arc<File>,
    /// The other end sleeps through what is sent until the turn is over.
    unannounced: bool,
    counters: Counters,
}

/// The frames on their way to one end.
#[derive(Debug, Default)]
struct Direction {
    queue: Mutex<Queue>,
    /// One of its ends was dropped.
    cut: AtomicBool,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Vec<u8>>,
    /// Memory of frames that have arrived, for new ones.
    spare: Vec<Vec<u8>>,
    /// The sender was refused and waits for room.
    refused: bool,
}

impl Direction {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Whoever panicked left whole frames behind: each is pushed and popped in one step.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LinkEnd {
    /// Both ends of a new segment whose IP packets have at most `mtu` bytes.
    ///
    /// # Errors
    /// [`DeviceError::InvalidArgument`] for an MTU below 68 bytes (RFC 791 §3.2);
    /// [`DeviceError::Os`] when there are no descriptors left.
    pub fn pair(mtu: u16) -> Result<(LinkEnd, LinkEnd), DeviceError> {
        if mtu < 68 {
            let reason = format!("an MTU of {mtu} bytes is too small for IP: use 68 or more");
            return Err(DeviceError::InvalidArgument { reason });
        }
        let bell = || {
            sys::event_fd()
                .map(|fd| Arc::new(File::from(fd)))
                .map_err(|source| DeviceError::Os {
                    action: "make an event descriptor".to_owned(),
                    source,
                })
        };
        let (left_bell, right_bell) = (bell()?, bell()?);
        let (to_left, to_right) = (Arc::default(), Arc::default());
        let left = LinkEnd::new(
            "link0",
            1,
            mtu,
            (&to_left, &to_right),
            (&left_bell, &right_bell),
        );
        let right = LinkEnd::new(
            "link1",
            2,
            mtu,
            (&to_right, &to_left),
            (&right_bell, &left_bell),
        );
        Ok((left, right))
    }

    fn new(
        name: &str,
        station: u8,
        mtu: u16,
        (incoming, outgoing): (&Arc<Direction>, &Arc<Direction>),
        (bell, far_bell): (&Arc<File>, &Arc<File>),
    ) -> LinkEnd {
        LinkEnd {
            name: name.to_owned(),
            // Locally administered; the segment is ours alone, so any two will do.
            mac: [0x02, 0, 0, 0, 0, station],
            mtu,
            incoming: Arc::clone(incoming),
            outgoing: Arc::clone(outgoing),
            bell: Arc::clone(bell),
            far_bell: Arc::clone(far_bell),
            unannounced: false,
            counters: Counters::default(),
        }
    }

    /// The MAC of this station.
    pub fn mac(&self) -> [u8; 6] {
        self.mac
    }

    fn is_cut(&self) -> bool {
        self.outgoing.cut.load(Ordering::Acquire)
    }
}

fn ring(bell: &File) {
    let mut bell = bell;
    // It fails only when the counter is at its end, and then it has been heard already.
    let _ = bell.write(&1_u64.to_ne_bytes());
}

impl Drop for LinkEnd {
    fn drop(&mut self) {
        self.incoming.cut.store(true, Ordering::Release);
        self.outgoing.cut.store(true, Ordering::Release);
        ring(&self.far_bell);
    }
}

impl Driver for LinkEnd {
    fn receive(&mut self, each: &mut dyn FnMut(&[u8], &RxMeta)) -> usize {
        // Silenced before looking: whatever comes later rings again.
        let _ = self.bell.as_ref().read(&mut [0; 8]);
        let mut count = 0;
        while count < BATCH {
            let Some(frame) = self.incoming.lock().frames.pop_front() else {
                break;
            };
            self.counters.rx_frames += 1;
            count += 1;
            each(&frame, &RxMeta::default());
            self.incoming.lock().spare.push(frame);
        }
        let mut queue = self.incoming.lock();
        if !queue.frames.is_empty() {
            ring(&self.bell);
        }
        // Half the queue free before the sender is called back, so that it sends in bursts.
        if queue.refused && queue.frames.len() <= CAPACITY / 2 {
            queue.refused = false;
            ring(&self.far_bell);
        }
        count
    }

    fn sink(&mut self) -> &mut dyn FrameSink {
        self
    }

    fn link(&self) -> LinkState {
        if self.is_cut() {
            LinkState::Down
        } else {
            LinkState::Up
        }
    }
}

impl FrameSink for LinkEnd {
    fn caps(&self) -> TxCaps {
        TxCaps::plain(self.mtu)
    }

    fn frame(
        &mut self,
        len: usize,
        _meta: &TxMeta,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), Full> {
        let mut queue = self.outgoing.lock();
        if self.is_cut() {
            // Nobody makes room any more.
            queue.frames.clear();
        }
        if queue.frames.len() >= CAPACITY {
            queue.refused = true;
            self.counters.tx_deferred += 1;
            drop(queue);
            // What is in the queue must be fetched for there ever to be room.
            self.flush();
            return Err(Full);
        }
        let mut frame = queue.spare.pop().unwrap_or_default();
        frame.resize(len, 0);
        fill(&mut frame);
        if self.is_cut() {
            self.counters.tx_dropped += 1;
            return Ok(());
        }
        queue.frames.push_back(frame);
        self.counters.tx_frames += 1;
        self.unannounced = true;
        Ok(())
    }

    fn flush(&mut self) {
        if std::mem::take(&mut self.unannounced) {
            ring(&self.far_bell);
        }
    }
}

impl AsFd for LinkEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

impl Device for LinkEnd {
    fn name(&self) -> &str {
        &self.name
    }

    fn medium(&self) -> Medium {
        Medium::Ethernet { mac: self.mac }
    }

    fn mtu(&self) -> u16 {
        self.mtu
    }

    fn refresh(&mut self) -> Result<(), DeviceError> {
        Ok(())
    }

    fn interest(&self) -> Interest {
        // Room, too, is announced by the bell.
        Interest {
            readable: true,
            ..Interest::default()
        }
    }

    fn fault(&self) -> Option<DeviceError> {
        None
    }

    fn counters(&mut self) -> Counters {
        self.counters
    }
}
