//! Memory for one frame, between a stack that writes once and a kernel that may say "not yet".

use std::time::{Duration, Instant};

use netloom_driver::Full;

/// How long a frame waits after the kernel ran out of queue or memory. A queue that is full of
/// full-sized frames at 1 Gbit/s has shrunk by 80 of them after this time.
const RETRY_DELAY: Duration = Duration::from_millis(1);

/// How often a frame is offered to a kernel that is out of queue or memory before it is dropped.
/// It must end: a queueing discipline or filter that refuses a frame for good gives the same
/// error as a full queue.
const MAX_ATTEMPTS: u8 = 4;

/// Longest frame a sink takes, in bytes. Longer ones can only be a mistake of the caller.
const MAX_FRAME: usize = 1 << 20;

/// What became of a frame that was offered to the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offered {
    /// Taken.
    Sent,
    /// Not taken, and never will be.
    Dropped,
    /// Not taken; the descriptor becomes writable when it can be.
    WouldBlock,
    /// Not taken for want of queue or memory.
    NoBuffers,
}

/// Bytes of payload that are cheaper copied than named to the kernel as a piece of their own.
const SHORT: usize = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Retry {
    WhenWritable,
    At(Instant),
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    /// Length of the frame with the header in front.
    end: usize,
    retry: Retry,
    /// How often it met a full queue.
    attempts: u8,
}

/// Frames that went through a [`TxSlot`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct TxCounts {
    pub(super) sent: u64,
    pub(super) dropped: u64,
    pub(super) deferred: u64,
}

/// See the [module's](super) account of when the kernel takes no frame.
#[derive(Debug)]
pub(super) struct TxSlot {
    /// The device's own header, then the frame. Only grows; always initialised.
    buffer: Vec<u8>,
    waiting: Option<Waiting>,
    counts: TxCounts,
    now: fn() -> Instant,
}

impl TxSlot {
    /// An empty slot.
    pub(super) fn new() -> TxSlot {
        TxSlot::with_clock(Instant::now)
    }

    fn with_clock(now: fn() -> Instant) -> TxSlot {
        TxSlot {
            buffer: Vec::new(),
            waiting: None,
            counts: TxCounts::default(),
            now,
        }
    }

    /// Lends `len` bytes to `fill` and gives the frame, behind the device's own `header`, to
    /// `offer`; [`Full`], without calling `fill`, while an earlier frame waits.
    pub(super) fn send(
        &mut self,
        header: &[u8],
        len: usize,
        fill: &mut dyn FnMut(&mut [u8]),
        offer: &mut dyn FnMut(&[u8]) -> Offered,
    ) -> Result<(), Full> {
        if len > MAX_FRAME {
            return Err(Full);
        }
        self.retry(offer)?;
        let end = header.len() + len;
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        let (front, frame) = self.buffer[..end].split_at_mut(header.len());
        front.copy_from_slice(header);
        fill(frame);
        self.offer(end, 0, offer);
        Ok(())
    }

    /// As [`send`](TxSlot::send) for a frame whose payload stands elsewhere: `offer` gets the
    /// front of the frame and the payload. That is copied only if it is short, or the kernel does
    /// not take it now.
    pub(super) fn gather(
        &mut self,
        header: &[u8],
        head_len: usize,
        fill: &mut dyn FnMut(&mut [u8]),
        (first, second): (&[u8], &[u8]),
        offer: &mut dyn FnMut(&[&[u8]; 3]) -> Offered,
    ) -> Result<(), Full> {
        let front = header.len() + head_len;
        let end = front
            .saturating_add(first.len())
            .saturating_add(second.len());
        if end > MAX_FRAME {
            return Err(Full);
        }
        self.retry(&mut |frame| offer(&[frame, &[], &[]]))?;
        if self.buffer.len() < front {
            self.buffer.resize(front, 0);
        }
        let (to_header, head) = self.buffer[..front].split_at_mut(header.len());
        to_header.copy_from_slice(header);
        fill(head);
        let whole = end - front <= SHORT;
        if whole {
            self.append(front, first, second);
        }
        let offered = if whole {
            offer(&[&self.buffer[..end], &[], &[]])
        } else {
            offer(&[&self.buffer[..front], first, second])
        };
        if !whole && matches!(offered, Offered::WouldBlock | Offered::NoBuffers) {
            self.append(front, first, second);
        }
        self.heed(offered, end, 0);
        Ok(())
    }

    /// Copies a payload behind the first `front` bytes of the buffer.
    fn append(&mut self, front: usize, first: &[u8], second: &[u8]) {
        self.buffer.truncate(front);
        self.buffer.extend_from_slice(first);
        self.buffer.extend_from_slice(second);
    }

    /// Offers the waiting frame again if its time has come. [`Full`] if one still waits.
    pub(super) fn retry(&mut self, offer: &mut dyn FnMut(&[u8]) -> Offered) -> Result<(), Full> {
        let Some(Waiting {
            end,
            retry,
            attempts,
        }) = self.waiting
        else {
            return Ok(());
        };
        match retry {
            Retry::At(time) if (self.now)() < time => return Err(Full),
            Retry::At(_) | Retry::WhenWritable => {}
        }
        self.offer(end, attempts, offer);
        if self.waiting.is_some() {
            Err(Full)
        } else {
            Ok(())
        }
    }

    fn offer(&mut self, end: usize, attempts: u8, offer: &mut dyn FnMut(&[u8]) -> Offered) {
        let offered = offer(&self.buffer[..end]);
        self.heed(offered, end, attempts);
    }

    /// Counts what became of the frame that stands in the buffer up to `end`, and remembers it if
    /// it has to wait.
    fn heed(&mut self, offered: Offered, end: usize, attempts: u8) {
        self.waiting = None;
        let wait = match offered {
            Offered::Sent => {
                self.counts.sent += 1;
                return;
            }
            Offered::NoBuffers if attempts + 1 < MAX_ATTEMPTS => {
                let retry = Retry::At((self.now)() + RETRY_DELAY);
                Waiting {
                    end,
                    retry,
                    attempts: attempts + 1,
                }
            }
            Offered::Dropped | Offered::NoBuffers => {
                self.counts.dropped += 1;
                return;
            }
            Offered::WouldBlock => Waiting {
                end,
                retry: Retry::WhenWritable,
                attempts,
            },
        };
        self.counts.deferred += 1;
        self.waiting = Some(wait);
    }

    /// Drops the waiting frame: the device is gone.
    pub(super) fn abandon(&mut self) {
        if self.waiting.take().is_some() {
            self.counts.dropped += 1;
        }
    }

    /// Whether a frame waits for the descriptor to become writable.
    pub(super) fn wants_writable(&self) -> bool {
        matches!(
            self.waiting,
            Some(Waiting {
                retry: Retry::WhenWritable,
                ..
            })
        )
    }

    /// When a frame that waits for queue or memory is to be offered again.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        match self.waiting?.retry {
            Retry::At(time) => Some(time),
            Retry::WhenWritable => None,
        }
    }

    /// What went through.
    pub(super) fn counts(&self) -> TxCounts {
        self.counts
    }
}

#[cfg(test)]
mod tests;
