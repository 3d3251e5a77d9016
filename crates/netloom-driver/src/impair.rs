//! A device made worse by a seed: frames lost, reordered, duplicated, corrupted and delayed.
//!
//! [`Impair`] wears any [`Driver`]. Its parts serve simulations too: [`Impairments`] says how bad
//! a path is, [`Dice`] draws what happens to each frame, [`DelayLine`] holds frames back. The
//! same seed gives the same fates, whatever the frames contain.

mod delay_line;
mod dice;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;

use crate::{Driver, FrameSink, Full, Instant, LinkState, RxMeta, TxCaps, TxMeta};

pub use delay_line::DelayLine;
pub use dice::{Dice, Fate};

/// How bad a path is, in one direction. Probabilities are parts per million (1 000 000: always);
/// times are microseconds. The default is a perfect path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Impairments {
    /// Frames lost.
    pub loss: u32,
    /// Frames delivered twice.
    pub duplicate: u32,
    /// Frames with one bit flipped.
    pub corrupt: u32,
    /// Frames held back until later ones have overtaken them.
    pub reorder: u32,
    /// How many later frames overtake a reordered one; 0 counts as 1.
    pub reorder_by: u16,
    /// How long a reordered frame waits at most for others to overtake it.
    pub reorder_wait: u64,
    /// The time every frame takes.
    pub delay: u64,
    /// More time, drawn for each frame from 0 to this. Order is kept: a frame never arrives
    /// before the one ahead of it.
    pub jitter: u64,
}

impl Impairments {
    /// A perfect path.
    pub const NONE: Impairments = Impairments {
        loss: 0,
        duplicate: 0,
        corrupt: 0,
        reorder: 0,
        reorder_by: 1,
        reorder_wait: 20_000,
        delay: 0,
        jitter: 0,
    };
}

impl Default for Impairments {
    fn default() -> Impairments {
        Impairments::NONE
    }
}

/// One direction of an impaired device.
#[derive(Debug)]
struct Path<T> {
    impairments: Impairments,
    dice: Dice,
    line: DelayLine<T>,
    lost: u64,
}

impl<T: Clone> Path<T> {
    fn new(impairments: Impairments, seed: u64) -> Path<T> {
        Path {
            impairments,
            dice: Dice::new(seed),
            line: DelayLine::new(),
            lost: 0,
        }
    }

    /// Takes a frame in; `frame_of` finds the bytes in an item.
    fn push(&mut self, now: Instant, mut item: T, frame_of: fn(&mut T) -> &mut [u8]) {
        let fate = self.dice.fate(&self.impairments);
        if fate.lost {
            self.lost = self.lost.wrapping_add(1);
            return;
        }
        fate.corrupt(frame_of(&mut item));
        let due = now.plus_micros(fate.delay);
        let wait = self.impairments.reorder_wait;
        if fate.duplicated {
            self.line.push(item.clone(), due, fate.overtaken_by, wait);
            self.line.push(item, due, 0, wait);
        } else {
            self.line.push(item, due, fate.overtaken_by, wait);
        }
    }
}

type Inbound = (Vec<u8>, RxMeta);

/// A device whose frames suffer [`Impairments`], chosen for each direction.
///
/// Time is what [`set_now`](Impair::set_now) says. Frames that wait leave when
/// [`receive`](Driver::receive) or [`flush`](FrameSink::flush) is called after their time:
/// sleep no longer than to [`next_due`](Impair::next_due). Offloads are not announced, so that
/// frames suffer one by one.
#[derive(Debug)]
pub struct Impair<D> {
    device: D,
    /// The device's MTU as of the last time its sink was lent, which takes `&mut`.
    mtu: u16,
    now: Instant,
    inbound: Path<Inbound>,
    outbound: Path<Vec<u8>>,
    /// A frame the device had no room for when its time came.
    refused: Option<Vec<u8>>,
}

impl<D: Driver> Impair<D> {
    /// Wraps a device. The same seed gives the same fates.
    pub fn new(mut device: D, seed: u64, inbound: Impairments, outbound: Impairments) -> Impair<D> {
        let mut dice = Dice::new(seed);
        Impair {
            mtu: device.sink().caps().mtu,
            device,
            now: Instant::ZERO,
            inbound: Path::new(inbound, dice.next_u64()),
            outbound: Path::new(outbound, dice.next_u64()),
            refused: None,
        }
    }

    /// Tells the time. It never goes back: an earlier instant changes nothing.
    pub fn set_now(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// When the next frame that waits is due, in either direction.
    pub fn next_due(&self) -> Option<Instant> {
        let refused = self.refused.as_ref().map(|_| self.now);
        [
            refused,
            self.inbound.line.next_due(),
            self.outbound.line.next_due(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Frames lost so far on purpose: inbound, outbound.
    pub fn lost(&self) -> (u64, u64) {
        (self.inbound.lost, self.outbound.lost)
    }

    /// The device.
    pub fn get_ref(&self) -> &D {
        &self.device
    }

    /// The device, to change it.
    pub fn get_mut(&mut self) -> &mut D {
        &mut self.device
    }

    /// Takes the wrapper off; frames that wait are gone.
    pub fn into_inner(self) -> D {
        self.device
    }

    /// Takes the device's frames in: each comes when its time has come, if ever.
    fn take_in(&mut self) {
        self.release();
        let (now, inbound) = (self.now, &mut self.inbound);
        self.device.receive(&mut |frame, meta| {
            inbound.push(now, (frame.to_vec(), *meta), |item| &mut item.0);
        });
    }

    /// Hands frames whose time has come to the device.
    fn release(&mut self) {
        let sink = self.device.sink();
        while let Some(frame) = self
            .refused
            .take()
            .or_else(|| self.outbound.line.pop(self.now))
        {
            let sent = sink.frame(frame.len(), &TxMeta::default(), &mut |out| {
                for (to, from) in out.iter_mut().zip(&frame) {
                    *to = *from;
                }
            });
            if sent.is_err() {
                self.refused = Some(frame);
                break;
            }
        }
        sink.flush();
    }
}

impl<D: Driver> FrameSink for Impair<D> {
    fn caps(&self) -> TxCaps {
        TxCaps::plain(self.mtu)
    }

    fn frame(
        &mut self,
        len: usize,
        _meta: &TxMeta,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), Full> {
        if self.refused.is_some() {
            self.release();
            if self.refused.is_some() {
                return Err(Full);
            }
        }
        let mut frame = alloc::vec![0; len];
        fill(&mut frame);
        self.outbound.push(self.now, frame, |frame| frame);
        Ok(())
    }

    fn flush(&mut self) {
        self.release();
    }
}

impl<D: Driver> Driver for Impair<D> {
    fn receive(&mut self, each: &mut dyn FnMut(&[u8], &RxMeta)) -> usize {
        self.take_in();
        let mut handed = 0;
        while let Some((frame, meta)) = self.inbound.line.pop(self.now) {
            each(&frame, &meta);
            handed += 1;
        }
        handed
    }

    /// Whatever the device can: its frames are copied anyway, and answers go where all frames go.
    fn receive_answering(
        &mut self,
        each: &mut dyn FnMut(&mut [u8], &RxMeta) -> usize,
    ) -> Option<usize> {
        self.take_in();
        let mut handed = 0;
        while let Some((mut frame, meta)) = self.inbound.line.pop(self.now) {
            let len = each(&mut frame, &meta);
            if len > 0 {
                frame.truncate(len);
                self.outbound.push(self.now, frame, |frame| frame);
            }
            handed += 1;
        }
        self.release();
        Some(handed)
    }

    fn sink(&mut self) -> &mut dyn FrameSink {
        self.mtu = self.device.sink().caps().mtu;
        self
    }

    fn link(&self) -> LinkState {
        self.device.link()
    }

    fn set_multicast(&mut self, groups: &[[u8; 6]]) {
        self.device.set_multicast(groups);
    }
}
