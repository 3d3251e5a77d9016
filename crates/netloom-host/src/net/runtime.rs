//! The lock, the blocked calls that wait on it, and the thread that drives the device.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use netloom_stack::{Error as StackError, Stack};

use super::clock::{Clock, until as time_until};
use super::engine::{Engine, Next};
use super::error::{Error, to_io};
use super::parking::{Lane, Parking, Side, thread_number};
use super::poller::{Polling, Step};
use super::wakes::Wakers;
use crate::device::{Device, Interest, Waiter};
use crate::sys;

/// How long the last handle waits for what was written to be acknowledged. With the time the
/// thread needs to end, all is over within a second.
const LINGER: Duration = Duration::from_millis(900);

/// What sockets and the driver share.
#[derive(Debug)]
pub(super) struct Shared {
    engine: Mutex<Engine>,
    wakers: Wakers,
    /// What a caller waits on that polls the device. Nobody but him locks it, and he may lock the
    /// engine meanwhile; who holds the engine must not lock this without having the role.
    waiter: Mutex<Waiter>,
    /// The device, to be polled without the lock.
    device: OwnedFd,
    /// Where the device's interface announces its changes.
    changes: Option<OwnedFd>,
    /// Readable and writable, always.
    always_ready: File,
}

/// Keeps a stack running: every [`Net`](super::Net) and every socket holds it. The last one to go
/// ends the driver, after what was written is delivered.
#[derive(Debug)]
pub(super) struct Running {
    shared: Arc<Shared>,
    driver: Option<JoinHandle<()>>,
    #[cfg(feature = "control")]
    pub(super) control: Option<crate::control::Server>,
}

/// How long a blocked call waits.
#[derive(Debug, Clone, Copy)]
pub(super) enum Patience {
    /// Not at all.
    None,
    /// Until this time; `None`: for ever.
    Until(Option<Instant>),
}

impl Patience {
    /// As long as `timeout` from now; `None`, and what no clock can count, for ever.
    pub(super) fn of(timeout: Option<Duration>) -> Patience {
        Patience::Until(timeout.and_then(|timeout| Instant::now().checked_add(timeout)))
    }
}

impl Running {
    /// Starts a stack on a device, with a thread that drives it.
    pub(super) fn start(
        stack: Stack,
        device: Box<dyn Device>,
        clock: Clock,
        polling: Polling,
    ) -> io::Result<Running> {
        let name = format!("netloom {}", device.name());
        let (shared, waiter) = Shared::new(stack, device, clock, polling)?;
        let driven = Arc::clone(&shared);
        let driver = thread::Builder::new()
            .name(name)
            .spawn(move || drive(&driven, waiter))?;
        Ok(Running {
            shared,
            driver: Some(driver),
            #[cfg(feature = "control")]
            control: None,
        })
    }

    /// Keeps a stack running that a task drives.
    #[cfg(feature = "tokio")]
    pub(super) fn driven_by_task(shared: Arc<Shared>) -> Running {
        Running {
            shared,
            driver: None,
            #[cfg(feature = "control")]
            control: None,
        }
    }

    /// What the sockets call the engine through.
    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// What shares the engine without keeping it running.
    #[cfg(feature = "control")]
    pub(super) fn weak(&self) -> std::sync::Weak<Shared> {
        Arc::downgrade(&self.shared)
    }
}

impl Shared {
    /// Everything that sockets and the driver share, and what the driver waits with.
    pub(super) fn new(
        stack: Stack,
        device: Box<dyn Device>,
        clock: Clock,
        polling: Polling,
    ) -> io::Result<(Arc<Shared>, Waiter)> {
        let (waiter, caller) = (Waiter::new()?, Waiter::new()?);
        let descriptor = device.as_fd().try_clone_to_owned()?;
        let changes = device.changes().map(|fd| fd.try_clone_to_owned());
        let always_ready = File::from(sys::event_fd()?);
        (&always_ready).write_all(&1_u64.to_ne_bytes())?;
        let shared = Arc::new(Shared {
            engine: Mutex::new(Engine::new(stack, device, clock, polling)),
            wakers: Wakers {
                thread: waiter.waker(),
                caller: caller.waker(),
            },
            waiter: Mutex::new(caller),
            device: descriptor,
            changes: changes.transpose()?,
            always_ready,
        });
        Ok((shared, waiter))
    }

    /// The descriptors of the device, and of the changes of its interface.
    #[cfg(feature = "tokio")]
    pub(super) fn descriptors(&self) -> (BorrowedFd<'_>, Option<BorrowedFd<'_>>) {
        (self.device.as_fd(), self.changes.as_ref().map(AsFd::as_fd))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let deadline = Instant::now() + LINGER;
        self.shared.with(|engine| engine.begin_to_close(deadline));
        if let Some(driver) = self.driver.take() {
            // A task that the driver woke may take the last handle with it: the driver goes on by
            // itself then, and nobody waits for it.
            if driver.thread().id() == thread::current().id() {
                return;
            }
            // It has told everybody already if it panicked.
            let _ = driver.join();
        }
    }
}

impl Shared {
    /// A descriptor that is readable and writable, always.
    pub(super) fn always_ready(&self) -> BorrowedFd<'_> {
        self.always_ready.as_fd()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Engine> {
        // After a panic under the lock the driver ends, and calls find that out themselves.
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives up the lock after something may have changed: what is owed is sent first, and those
    /// it concerns are woken after.
    pub(super) fn unlock(&self, mut engine: MutexGuard<'_, Engine>) {
        engine.settle();
        self.release(engine);
    }

    /// Gives up the lock and wakes whom that concerns.
    pub(super) fn release(&self, mut engine: MutexGuard<'_, Engine>) {
        if engine.wakes_nobody() {
            return;
        }
        let wakes = engine.take_wakes();
        drop(engine);
        wakes.deliver(&self.wakers);
    }

    /// Calls the engine, then sends what the call gave it to send. What the call begins counts from
    /// now, not from when something happened last.
    pub(super) fn with<T>(&self, call: impl FnOnce(&mut Engine) -> T) -> T {
        let mut engine = self.lock();
        engine.advance();
        let value = call(&mut engine);
        self.unlock(engine);
        value
    }

    /// Looks at the engine without changing anything that others must learn of.
    pub(super) fn look<T>(&self, look: impl FnOnce(&mut Engine) -> T) -> T {
        look(&mut self.lock())
    }

    /// Calls the engine until it has something else to say than that it would block, waiting in
    /// between.
    pub(super) fn block<T>(
        &self,
        parking: &Parking,
        side: Side,
        patience: Patience,
        mut call: impl FnMut(&mut Engine) -> Result<T, StackError>,
    ) -> io::Result<T> {
        let mut engine = self.lock();
        let mut expired = false;
        let result = loop {
            engine.advance();
            match call(&mut engine) {
                Err(StackError::WouldBlock) => {}
                result => break result.map_err(to_io),
            }
            // What came before the fault can still be read; nothing comes after it.
            if let Some(fault) = engine.fault() {
                break Err(fault.into());
            }
            match patience {
                Patience::None => break Err(to_io(StackError::WouldBlock)),
                Patience::Until(_) if expired => break Err(Error::slow_transfer().into()),
                Patience::Until(deadline) => {
                    (engine, expired) = self.wait(parking.lane(side), engine, deadline);
                }
            }
        };
        self.unlock(engine);
        result
    }

    /// Waits for news of one side of a socket: at the device, if the role is to be had.
    fn wait<'e>(
        &'e self,
        lane: &Lane,
        mut engine: MutexGuard<'e, Engine>,
        deadline: Option<Instant>,
    ) -> (MutexGuard<'e, Engine>, bool) {
        // What leaves now may bring what this thread is going to wait for: it looks again.
        if engine.let_go() {
            self.release(engine);
            let expired = deadline.is_some_and(|deadline| Instant::now() >= deadline);
            return (self.lock(), expired);
        }
        let thread = thread_number();
        let now = engine.stack.now();
        let Some(disturb) = engine.poller.take(thread, now) else {
            // The turns just taken at the device may have news for others, the driver thread among
            // them if it is to take over: they are woken before this thread sleeps. It looks again
            // first, because the lock was given up for that.
            if !engine.wakes_nobody() {
                self.release(engine);
                let expired = deadline.is_some_and(|deadline| Instant::now() >= deadline);
                return (self.lock(), expired);
            }
            return lane.wait(thread, engine, deadline);
        };
        if disturb {
            engine.disturb_thread();
        }
        lane.begin_polling(thread);
        let mut waiter = self.waiter.lock().unwrap_or_else(PoisonError::into_inner);
        let end = EndOfPanic(self);
        let (mut engine, expired) = self.poll_device(lane, &mut waiter, engine, deadline);
        // It is for a panic in there only: this may be called while another one unwinds, and the
        // engine is locked.
        std::mem::forget(end);
        lane.end_polling();
        let now = engine.stack.now();
        if engine.poller.give_up(now) {
            engine.disturb_thread();
        }
        (engine, expired)
    }

    /// Drives the device until there is news for `lane`, the deadline has passed, or the device has
    /// failed.
    fn poll_device<'e>(
        &'e self,
        lane: &Lane,
        waiter: &mut Waiter,
        mut engine: MutexGuard<'e, Engine>,
        deadline: Option<Instant>,
    ) -> (MutexGuard<'e, Engine>, bool) {
        // Nothing was read since the device was last waited for, or was: it tells by itself.
        let mut next = engine.plan();
        let mut looked = false;
        loop {
            if lane.take_news() {
                return (engine, false);
            }
            if matches!(next, Next::Wait { .. }) && !std::mem::replace(&mut looked, true) {
                let (back, found) = self.look_again(engine);
                engine = back;
                if let Some(found) = found {
                    next = found;
                    continue;
                }
            }
            let mut changed = false;
            match next {
                Next::End => {
                    engine.poller.call_thread();
                    return (engine, false);
                }
                Next::Again => {
                    self.release(engine);
                    thread::yield_now();
                }
                Next::Wait { interest, until } => {
                    engine.poller.sleep(until, interest);
                    let due = until.map(|until| time_until(engine.clock.now(), until));
                    let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
                    let timeout = [due, left].into_iter().flatten().min();
                    self.release(engine);
                    changed = self.sleep(waiter, interest, timeout);
                    looked = false;
                }
            }
            engine = self.lock();
            engine.poller.wake_caller();
            if changed {
                engine.note_change();
            }
            next = engine.turn();
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return (engine, true);
            }
        }
    }

    /// Looks at the device once more before sleeping for it, if that was not in vain lately: at
    /// once, and again after others had this core. What to do next; `None`: there was no look.
    fn look_again<'e>(
        &'e self,
        mut engine: MutexGuard<'e, Engine>,
    ) -> (MutexGuard<'e, Engine>, Option<Next>) {
        if !engine.eagerness.is_due() {
            return (engine, None);
        }
        let mut next = engine.turn();
        if !engine.has_received() {
            self.release(engine);
            thread::yield_now();
            engine = self.lock();
            next = engine.turn();
        }
        let found = engine.has_received();
        engine.eagerness.looked(found);
        (engine, Some(next))
    }

    /// Waits for the device, a wake, or the end of `timeout`. Says whether the interface has
    /// changed.
    fn sleep(&self, waiter: &mut Waiter, interest: Interest, timeout: Option<Duration>) -> bool {
        let announced = Interest {
            readable: true,
            ..Interest::default()
        };
        let changes = self.changes.as_ref().map(|fd| (fd.as_fd(), announced));
        let device = std::iter::once((self.device.as_fd(), interest));
        match waiter.wait_for(device.chain(changes), timeout) {
            Ok(_) => changes.is_some() && waiter.is_ready(1),
            Err(_) => {
                // Memory is short for a moment: look again rather than spin.
                thread::sleep(Duration::from_millis(1));
                false
            }
        }
    }
}

/// Drives the device, except while a caller does, until it fails or nobody is left to drive it for.
fn drive(shared: &Shared, mut waiter: Waiter) {
    let _end = EndOfDriving(shared);
    loop {
        let mut engine = shared.lock();
        match engine.poller.step() {
            Step::Rest(timeout) => {
                shared.release(engine);
                if waiter.wait_for(std::iter::empty(), timeout).is_err() {
                    thread::sleep(Duration::from_millis(1));
                }
            }
            Step::Drive => match engine.turn() {
                Next::End => return,
                Next::Again => {
                    shared.release(engine);
                    thread::yield_now();
                }
                Next::Wait { interest, until } => {
                    engine.poller.sleep(until, interest);
                    let timeout = until.map(|until| time_until(engine.clock.now(), until));
                    shared.release(engine);
                    if shared.sleep(&mut waiter, interest, timeout) {
                        shared.lock().note_change();
                    }
                }
            },
        }
    }
}

/// A caller that panics at the device would leave the role taken for ever: all ends instead.
/// Forgotten by one that does not panic.
struct EndOfPanic<'s>(&'s Shared);

impl Drop for EndOfPanic<'_> {
    fn drop(&mut self) {
        drop(EndOfDriving(self.0));
    }
}

/// Tells everybody who waits when driving ends, by a panic too.
pub(super) struct EndOfDriving<'s>(pub(super) &'s Shared);

impl Drop for EndOfDriving<'_> {
    fn drop(&mut self) {
        let mut engine = self.0.lock();
        engine.end();
        self.0.release(engine);
    }
}

#[cfg(test)]
mod tests;
