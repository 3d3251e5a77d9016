//! One direction of a link at work: a queue, a transmitter, and frames on their way.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use netloom_driver::impair::{DelayLine, Dice, Fate};
use netloom_driver::{Direction, Instant};

use crate::capture::Verdict;
use crate::link::{Link, Medium, Path};

/// What became of the frames of one direction of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChannelStats {
    /// Frames the sender handed over.
    pub offered: u64,
    /// Copies made of them on the way.
    pub duplicated: u64,
    /// Frames that arrived, good or corrupted, copies included.
    pub delivered: u64,
    /// Frames lost by chance or by a filter.
    pub lost: u64,
    /// Frames that found the queue full.
    pub queue_full: u64,
    /// Frames larger than the MTU.
    pub too_big: u64,
    /// Frames lost because the link was down.
    pub down: u64,
    /// Of those on their way or delivered, how many had a bit flipped.
    pub corrupted: u64,
    /// Of those on their way or delivered, how many were held back to be overtaken.
    pub reordered: u64,
    /// Bytes handed over, link headers included.
    pub bytes: u64,
}

/// One direction of a link by itself: give it frames and the time, and take out what has arrived.
///
/// Worlds are made of these. Alone, it serves programs that keep time themselves and have frames of
/// their own, such as two kernels joined in real time.
pub struct Wire {
    pub(crate) medium: Medium,
    pub(crate) mtu: u16,
    path: Path,
    dice: Dice,
    up: bool,
    /// When each frame that still occupies the queue has left it, in nanoseconds, and its size.
    queue: VecDeque<(u64, usize)>,
    queued_bytes: usize,
    /// When the transmitter is free again, in nanoseconds.
    free_at: u64,
    line: DelayLine<Vec<u8>>,
    stats: ChannelStats,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire")
            .field("path", &self.path)
            .field("stats", &self.stats)
            .field("in_flight", &self.line.len())
            .finish_non_exhaustive()
    }
}

impl Wire {
    /// The direction of a link from its first host to its second ([`Direction::Outbound`]) or back.
    /// The fates of frames are drawn from [`Path::seed`], if the path has one, else from `seed`.
    pub fn new(link: &Link, direction: Direction, seed: u64) -> Wire {
        let path = match direction {
            Direction::Outbound => &link.forward,
            Direction::Inbound => &link.backward,
        };
        Wire {
            medium: link.medium,
            mtu: link.mtu,
            path: path.clone(),
            dice: Dice::new(path.seed.unwrap_or(seed)),
            up: true,
            queue: VecDeque::new(),
            queued_bytes: 0,
            free_at: 0,
            line: DelayLine::new(),
            stats: ChannelStats::default(),
        }
    }

    /// What became of its frames so far.
    pub fn stats(&self) -> ChannelStats {
        self.stats
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.line.len()
    }

    pub(crate) fn set_up(&mut self, up: bool) {
        self.up = up;
    }

    /// Frames in = delivered + dropped + on their way?
    pub(crate) fn is_balanced(&self) -> bool {
        let s = &self.stats;
        s.offered + s.duplicated
            == s.delivered + s.lost + s.queue_full + s.too_big + s.down + self.line.len() as u64
    }

    fn is_down(&self, now: Instant) -> bool {
        !self.up
            || self
                .path
                .outages
                .iter()
                .any(|(from, until)| (*from..*until).contains(&now))
    }

    /// Whether the sender's device has room for another frame.
    pub(crate) fn has_room(&mut self, now: Instant) -> bool {
        self.drain_queue(now);
        self.path
            .device_ring
            .is_none_or(|ring| self.queue.len() < ring)
    }

    /// When a frame leaves the queue next.
    pub(crate) fn next_departure(&self) -> Option<Instant> {
        let (nanos, _) = self.queue.front()?;
        Some(Instant::from_micros(nanos.div_ceil(1_000)))
    }

    fn drain_queue(&mut self, now: Instant) {
        let now = now.as_micros().saturating_mul(1_000);
        while let Some((_, bytes)) = self.queue.pop_front_if_before(now) {
            self.queued_bytes -= bytes;
        }
    }

    /// Takes a frame from the sender, and says what will become of it.
    pub fn offer(&mut self, now: Instant, frame: Vec<u8>) -> Verdict {
        self.offer_unless(now, frame, &mut |_, _| false)
    }

    /// The same, but a frame is lost too if `lose` says so, by its number from 0 and its bytes.
    pub(crate) fn offer_unless(
        &mut self,
        now: Instant,
        frame: Vec<u8>,
        lose: &mut dyn FnMut(u64, &[u8]) -> bool,
    ) -> Verdict {
        let number = self.stats.offered;
        self.stats.offered += 1;
        self.stats.bytes += frame.len() as u64;
        // Drawn before anything else, so that a frame's fate depends on its number alone.
        let fate = self.dice.fate(&self.path.impairments);
        if self.is_down(now) {
            self.stats.down += 1;
            return Verdict::Down;
        }
        if frame.len() > usize::from(self.mtu) + self.medium.header_len() {
            self.stats.too_big += 1;
            return Verdict::TooBig;
        }
        self.drain_queue(now);
        let fits = self.queue.len() < self.path.queue_packets
            && (self.queue.is_empty() || self.queued_bytes + frame.len() <= self.path.queue_bytes);
        if !fits {
            self.stats.queue_full += 1;
            return Verdict::QueueFull;
        }
        let departure = self.depart(now, frame.len());
        if fate.lost | lose(number, &frame) {
            self.stats.lost += 1;
            return Verdict::Lost;
        }
        self.launch(departure, frame, &fate)
    }

    /// Puts a frame's bits on the wire, after those ahead of it; returns when the last one has
    /// left.
    fn depart(&mut self, now: Instant, bytes: usize) -> Instant {
        let Some(rate) = self.path.rate else {
            return now;
        };
        let start = self.free_at.max(now.as_micros().saturating_mul(1_000));
        self.free_at = start + rate.nanos(bytes);
        self.queue.push_back((self.free_at, bytes));
        self.queued_bytes += bytes;
        Instant::from_micros(self.free_at.div_ceil(1_000))
    }

    fn launch(&mut self, departure: Instant, mut frame: Vec<u8>, fate: &Fate) -> Verdict {
        let flipped = fate.flipped_bit(frame.len());
        fate.corrupt(&mut frame);
        self.stats.corrupted += u64::from(flipped.is_some());
        self.stats.reordered += u64::from(fate.overtaken_by > 0);
        let due = departure.plus_micros(fate.delay);
        let wait = self.path.impairments.reorder_wait;
        if fate.duplicated {
            self.stats.duplicated += 1;
            self.line.push(frame.clone(), due, fate.overtaken_by, wait);
            self.line.push(frame, due, 0, wait);
        } else {
            self.line.push(frame, due, fate.overtaken_by, wait);
        }
        Verdict::Sent {
            duplicated: fate.duplicated,
            flipped_bit: flipped,
            overtaken_by: fate.overtaken_by,
        }
    }

    /// When the next frame arrives.
    pub fn next_due(&self) -> Option<Instant> {
        self.line.next_due()
    }

    /// Takes out the next frame that has arrived.
    pub fn arrive(&mut self, now: Instant) -> Option<Vec<u8>> {
        loop {
            let frame = self.line.pop(now)?;
            if self.is_down(now) {
                self.stats.down += 1;
                continue;
            }
            self.stats.delivered += 1;
            return Some(frame);
        }
    }
}

/// What a queue of departures needs.
trait Departures {
    fn pop_front_if_before(&mut self, nanos: u64) -> Option<(u64, usize)>;
}

impl Departures for VecDeque<(u64, usize)> {
    fn pop_front_if_before(&mut self, nanos: u64) -> Option<(u64, usize)> {
        let (left, _) = self.front()?;
        (*left <= nanos).then(|| self.pop_front()).flatten()
    }
}
