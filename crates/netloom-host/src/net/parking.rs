//! Where the threads blocked in one socket's calls wait.
//!
//! Each socket has a place of its own, so that news of one wakes nobody else's threads.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, MutexGuard, PoisonError};
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

/// Where the threads of one socket wait, on the engine's lock.
#[derive(Debug, Default)]
pub(super) struct Parking {
    read: Lane,
    write: Lane,
}

#[derive(Debug, Default)]
struct Lane {
    condvar: Condvar,
    /// Threads that wait. It changes under the engine's lock only.
    waiting: AtomicU32,
}

impl Parking {
    fn lane(&self, side: Side) -> &Lane {
        match side {
            Side::Read => &self.read,
            Side::Write => &self.write,
        }
    }

    /// Whether a thread waits on that side. Under the engine's lock it stays true.
    pub(super) fn is_occupied(&self, side: Side) -> bool {
        self.lane(side).waiting.load(Ordering::Relaxed) > 0
    }

    /// Gives up the engine's lock until somebody wakes this side, or `deadline`. Says whether the
    /// deadline has passed. May return early for no reason: ask again whether there is something
    /// to do.
    pub(super) fn wait<'e>(
        &self,
        side: Side,
        engine: MutexGuard<'e, Engine>,
        deadline: Option<Instant>,
    ) -> (MutexGuard<'e, Engine>, bool) {
        let Lane { condvar, waiting } = self.lane(side);
        waiting.fetch_add(1, Ordering::Relaxed);
        let (engine, expired) = match deadline {
            None => {
                let engine = condvar.wait(engine);
                (engine.unwrap_or_else(PoisonError::into_inner), false)
            }
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                let (engine, _) = condvar
                    .wait_timeout(engine, left)
                    .unwrap_or_else(PoisonError::into_inner);
                (engine, Instant::now() >= deadline)
            }
        };
        waiting.fetch_sub(1, Ordering::Relaxed);
        (engine, expired)
    }
}

/// Threads to wake once the engine's lock is given up: they would only wait for it again.
#[derive(Debug, Default)]
#[must_use = "the threads wait until `deliver`"]
pub(super) struct Wakes(Vec<(Arc<Parking>, Side)>);

impl Wakes {
    /// Has everybody woken who waits on that side.
    pub(super) fn add(&mut self, parking: &Arc<Parking>, side: Side) {
        if parking.is_occupied(side) {
            self.0.push((Arc::clone(parking), side));
        }
    }

    /// Has everybody woken who waits with that socket.
    pub(super) fn add_both(&mut self, parking: &Arc<Parking>) {
        self.add(parking, Side::Read);
        self.add(parking, Side::Write);
    }

    /// Wakes them. To be called without the engine's lock.
    pub(super) fn deliver(self) {
        for (parking, side) in self.0 {
            parking.lane(side).condvar.notify_all();
        }
    }
}
