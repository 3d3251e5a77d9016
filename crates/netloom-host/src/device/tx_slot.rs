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
    /// The device's own header (none without offloads), then the frame. Only grows; always
    /// initialised.
    buffer: Vec<u8>,
    header_len: usize,
    waiting: Option<Waiting>,
    counts: TxCounts,
    now: fn() -> Instant,
}

impl TxSlot {
    /// A slot whose frames follow `header_len` bytes of the device's own header, which are zero.
    pub(super) fn new(header_len: usize) -> TxSlot {
        TxSlot::with_clock(header_len, Instant::now)
    }

    fn with_clock(header_len: usize, now: fn() -> Instant) -> TxSlot {
        TxSlot {
            buffer: vec![0; header_len],
            header_len,
            waiting: None,
            counts: TxCounts::default(),
            now,
        }
    }

    /// Lends `len` bytes to `fill` and gives the frame to `offer`; [`Full`], without calling
    /// `fill`, while an earlier frame waits.
    pub(super) fn send(
        &mut self,
        len: usize,
        fill: &mut dyn FnMut(&mut [u8]),
        offer: &mut dyn FnMut(&[u8]) -> Offered,
    ) -> Result<(), Full> {
        if len > MAX_FRAME {
            return Err(Full);
        }
        self.retry(offer)?;
        let end = self.header_len + len;
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        fill(&mut self.buffer[self.header_len..end]);
        self.offer(end, 0, offer);
        Ok(())
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
        self.waiting = None;
        let wait = match offer(&self.buffer[..end]) {
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
