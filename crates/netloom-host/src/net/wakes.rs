//! Whom to wake once the engine's lock is given up: they would only wait for it again.

use std::sync::Arc;

use super::descriptor::{Descriptor, Level};
use super::parking::{Parking, Side};
use crate::device::Waker;

/// How to wake those who wait at the device.
#[derive(Debug)]
pub(super) struct Wakers {
    /// The driver thread.
    pub(super) thread: Waker,
    /// The caller that waits there instead of it.
    pub(super) caller: Waker,
}

/// Usually one, which takes no memory from the heap.
#[derive(Debug)]
struct Few<T> {
    first: Option<T>,
    others: Vec<T>,
}

impl<T> Default for Few<T> {
    fn default() -> Few<T> {
        Few {
            first: None,
            others: Vec::new(),
        }
    }
}

impl<T> Few<T> {
    fn push(&mut self, item: T) {
        match self.first {
            None => self.first = Some(item),
            Some(_) => self.others.push(item),
        }
    }

    fn into_iter(self) -> impl Iterator<Item = T> {
        self.first.into_iter().chain(self.others)
    }
}

/// Everybody to be woken.
#[derive(Debug, Default)]
#[must_use = "the threads wait until `deliver`"]
pub(super) struct Wakes {
    lanes: Few<(Arc<Parking>, Side)>,
    /// Where one of those who read is enough.
    singles: Few<Arc<Parking>>,
    levels: Few<(Arc<Descriptor>, Level, u64)>,
    /// Tasks to be woken.
    #[cfg(any(feature = "channel", feature = "tokio"))]
    pub(super) tasks: Vec<std::task::Waker>,
    /// The driver thread has something to do.
    pub(super) thread: bool,
    /// The caller that waits at the device has something to do.
    pub(super) caller: bool,
}

impl Wakes {
    /// Whether nobody is to be woken.
    pub(super) fn is_empty(&self) -> bool {
        let Wakes {
            lanes,
            singles,
            levels,
            #[cfg(any(feature = "channel", feature = "tokio"))]
            tasks,
            thread,
            caller,
        } = self;
        #[cfg(any(feature = "channel", feature = "tokio"))]
        if !tasks.is_empty() {
            return false;
        }
        let idle = lanes.first.is_none() && singles.first.is_none() && levels.first.is_none();
        idle && !thread && !caller
    }

    /// Has everybody woken who waits at that condition variable.
    pub(super) fn add(&mut self, parking: &Arc<Parking>, side: Side) {
        self.lanes.push((Arc::clone(parking), side));
    }

    /// Has one of those woken who wait there to read.
    pub(super) fn add_one(&mut self, parking: &Arc<Parking>) {
        self.singles.push(Arc::clone(parking));
    }

    /// Has a socket's descriptor show what can be done with the socket. `serial` tells which of
    /// two such orders is the later one.
    pub(super) fn show(&mut self, descriptor: &Arc<Descriptor>, level: Level, serial: u64) {
        self.levels.push((Arc::clone(descriptor), level, serial));
    }

    /// Wakes them. To be called without the engine's lock.
    pub(super) fn deliver(self, wakers: &Wakers) {
        for (parking, side) in self.lanes.into_iter() {
            parking.lane(side).notify();
        }
        for parking in self.singles.into_iter() {
            parking.lane(Side::Read).notify_one();
        }
        for (descriptor, level, serial) in self.levels.into_iter() {
            descriptor.show(level, serial);
        }
        #[cfg(any(feature = "channel", feature = "tokio"))]
        for task in self.tasks {
            // What others made of their wakers is theirs: a panic in one must not keep the rest from
            // being woken, nor end the driver. It has been reported by then.
            let woken = std::panic::AssertUnwindSafe(|| task.wake());
            let _ = std::panic::catch_unwind(woken);
        }
        if self.caller {
            wakers.caller.wake();
        }
        if self.thread {
            wakers.thread.wake();
        }
    }
}
