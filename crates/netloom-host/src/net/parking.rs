//! Where the threads blocked in one socket's calls wait.
//!
//! Each socket has a place of its own, so that news of one wakes nobody else's threads.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Condvar, MutexGuard, PoisonError};
use std::time::Instant;

use super::engine::Engine;

/// Which calls a thread waits with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Reading, receiving, accepting.
    Read,
    /// Writing, sending, connecting.
    Write,
}

/// Where the threads of one socket wait, on the engine's lock. Everything in it changes under
/// that lock only.
#[derive(Debug, Default)]
pub(super) struct Parking {
    read: Lane,
    write: Lane,
}

/// The threads on one side.
#[derive(Debug, Default)]
pub(super) struct Lane {
    condvar: Condvar,
    /// Threads that wait at `condvar`.
    waiting: AtomicU32,
    /// The thread that came last, by its [`thread_number`].
    waiter: AtomicU64,
    /// The thread of this side that waits at the device, on behalf of all; 0: none does.
    polling: AtomicU64,
    /// There was news for that thread.
    news: AtomicBool,
}

impl Parking {
    pub(super) fn lane(&self, side: Side) -> &Lane {
        match side {
            Side::Read => &self.read,
            Side::Write => &self.write,
        }
    }
}

impl Lane {
    /// Whether a thread waits here. Under the engine's lock it stays true.
    pub(super) fn is_occupied(&self) -> bool {
        self.is_waited_at() || self.is_polling()
    }

    /// Whether a thread waits at the condition variable, to be woken by [`Lane::notify`].
    pub(super) fn is_waited_at(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Whether a thread of this side waits at the device.
    pub(super) fn is_polling(&self) -> bool {
        self.polling().is_some()
    }

    /// The thread of this side that waits at the device.
    pub(super) fn polling(&self) -> Option<u64> {
        Some(self.polling.load(Ordering::Relaxed)).filter(|&thread| thread != 0)
    }

    /// The thread that came last.
    pub(super) fn waiter(&self) -> u64 {
        self.waiter.load(Ordering::Relaxed)
    }

    /// Wakes everybody at the condition variable. To be called without the engine's lock.
    pub(super) fn notify(&self) {
        self.condvar.notify_all();
    }

    /// Wakes one of those at the condition variable. To be called without the engine's lock.
    pub(super) fn notify_one(&self) {
        self.condvar.notify_one();
    }

    /// Notes news for the thread at the device. Says whether there was none yet.
    pub(super) fn leave_news(&self) -> bool {
        !self.news.swap(true, Ordering::Relaxed)
    }

    /// Whether there was news, which is forgotten by asking.
    pub(super) fn take_news(&self) -> bool {
        self.news.swap(false, Ordering::Relaxed)
    }

    /// A thread of this side waits at the device from here on.
    pub(super) fn begin_polling(&self, thread: u64) {
        self.waiter.store(thread, Ordering::Relaxed);
        self.news.store(false, Ordering::Relaxed);
        self.polling.store(thread, Ordering::Relaxed);
    }

    /// It no longer does.
    pub(super) fn end_polling(&self) {
        self.polling.store(0, Ordering::Relaxed);
    }

    /// Gives up the engine's lock until somebody wakes this side, or `deadline`. Says whether the
    /// deadline has passed. May return early for no reason: ask again whether there is something
    /// to do.
    pub(super) fn wait<'e>(
        &self,
        thread: u64,
        engine: MutexGuard<'e, Engine>,
        deadline: Option<Instant>,
    ) -> (MutexGuard<'e, Engine>, bool) {
        self.waiter.store(thread, Ordering::Relaxed);
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let (engine, expired) = match deadline {
            None => {
                let engine = self.condvar.wait(engine);
                (engine.unwrap_or_else(PoisonError::into_inner), false)
            }
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                let (engine, _) = self
                    .condvar
                    .wait_timeout(engine, left)
                    .unwrap_or_else(PoisonError::into_inner);
                (engine, Instant::now() >= deadline)
            }
        };
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        (engine, expired)
    }
}

/// A number of the calling thread's own; never 0.
pub(super) fn thread_number() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    thread_local!(static NUMBER: u64 = LAST.fetch_add(1, Ordering::Relaxed) + 1);
    // A thread that is being torn down has no number any more and needs none.
    NUMBER.try_with(|number| *number).unwrap_or(u64::MAX)
}
