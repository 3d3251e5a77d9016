//! Sleeping until a device, another thread or a deadline needs attention.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Device, Interest};
use crate::sys::{self, PollFd};

/// Sleeps for whoever drives devices, on a descriptor of its own besides theirs, by which other
/// threads wake it.
#[derive(Debug)]
pub struct Waiter {
    event: Arc<File>,
    /// The event first, then the devices of the last call.
    entries: Vec<PollFd>,
    /// When the devices of the last call were to be driven whatever poll(2) says.
    retries: Vec<Option<Instant>>,
}

/// Ends the sleep of a [`Waiter`], from any thread. Cheap to clone.
///
/// A wake is never lost: if the waiter is not asleep, its next sleep ends at once. Several wakes
/// before that count as one.
#[derive(Debug, Clone)]
pub struct Waker {
    event: Arc<File>,
}

/// Why [`Waiter::wait`] returned. If neither, the time was up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Readiness {
    /// A [`Waker`] was used.
    pub woken: bool,
    /// How many devices are to be driven; [`Waiter::is_ready`] says which.
    pub devices: usize,
}

impl Waiter {
    /// Makes a waiter.
    ///
    /// # Errors
    /// When the process or the system has too many open descriptors.
    pub fn new() -> io::Result<Waiter> {
        let event = Arc::new(File::from(sys::event_fd()?));
        Ok(Waiter {
            event,
            entries: Vec::new(),
            retries: Vec::new(),
        })
    }

    /// What a runtime of another kind waits on: readable once a [`Waker`] was used.
    #[cfg(feature = "tokio")]
    pub(crate) fn event(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }

    /// What another thread wakes this one by.
    pub fn waker(&self) -> Waker {
        Waker {
            event: Arc::clone(&self.event),
        }
    }

    /// Sleeps until one of `devices` is to be driven, a [`Waker`] is used, or `timeout` has
    /// passed (`None`, and what no clock can count: no limit), whichever is first. Signals do not
    /// end it. Never returns before the time without a reason, and the timeout is exact to the
    /// clock's resolution, not to a millisecond.
    ///
    /// Devices that have failed for good are left out.
    ///
    /// # Errors
    /// What poll(2) says: out of memory, or more devices than descriptors are allowed.
    pub fn wait(
        &mut self,
        devices: &[&dyn Device],
        timeout: Option<Duration>,
    ) -> io::Result<Readiness> {
        self.wait_for(devices.iter().map(|d| (d.as_fd(), d.interest())), timeout)
    }

    /// [`Waiter::wait`] for devices somebody else drives meanwhile: each is a descriptor and what
    /// is awaited of it.
    pub(crate) fn wait_for<'d>(
        &mut self,
        devices: impl Iterator<Item = (BorrowedFd<'d>, Interest)>,
        timeout: Option<Duration>,
    ) -> io::Result<Readiness> {
        let mut deadline = timeout.and_then(|t| Instant::now().checked_add(t));
        self.entries.clear();
        self.retries.clear();
        self.entries
            .push(PollFd::new(self.event.as_fd(), true, false));
        for (fd, interest) in devices {
            self.entries
                .push(if interest.readable || interest.writable {
                    PollFd::new(fd, interest.readable, interest.writable)
                } else {
                    PollFd::IGNORED
                });
            self.retries.push(interest.retry_at);
            deadline = [deadline, interest.retry_at].into_iter().flatten().min();
        }
        poll_until(&mut self.entries, deadline)?;
        let woken = self.entries[0].is_ready();
        if woken {
            // Resets the counter. Whoever wakes us from here on is heard next time.
            let _ = self.event.as_ref().read(&mut [0; 8]);
        }
        let devices = (0..self.retries.len())
            .filter(|&i| self.is_ready(i))
            .count();
        Ok(Readiness { woken, devices })
    }

    /// Whether the device at `index` of the slice that [`Waiter::wait`] last got is to be driven:
    /// something arrived, or a frame that waits can be offered again.
    pub fn is_ready(&self, index: usize) -> bool {
        let polled = self
            .entries
            .get(index + 1)
            .is_some_and(|entry| entry.is_ready());
        let retry = self.retries.get(index).copied().flatten();
        polled || retry.is_some_and(|time| time <= Instant::now())
    }
}

impl Waker {
    /// Ends the present or next sleep of the waiter.
    pub fn wake(&self) {
        // It fails only when the counter is at its end, and then the waiter is awake already.
        let _ = self.event.as_ref().write(&1_u64.to_ne_bytes());
    }
}

impl std::task::Wake for Waker {
    fn wake(self: Arc<Self>) {
        Waker::wake(&self);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        Waker::wake(self);
    }
}

/// Polls until an entry is ready or the deadline has passed, going on after signals.
fn poll_until(entries: &mut [PollFd], deadline: Option<Instant>) -> io::Result<usize> {
    loop {
        let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
        match sys::poll(entries, left) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests;
