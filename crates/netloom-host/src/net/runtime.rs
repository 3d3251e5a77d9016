//! The lock, the blocked calls that wait on it, and the thread that drives the device.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use netloom_stack::{Error, Stack};

use super::clock::{Clock, until as time_until};
use super::engine::{Engine, Next};
use super::error::to_io;
use super::parking::{Parking, Side};
use crate::device::{Device, Waiter, Waker};

/// How long the last handle waits for what was written to be acknowledged.
const LINGER: Duration = Duration::from_secs(1);

/// What sockets and the driver share.
#[derive(Debug)]
pub(super) struct Shared {
    engine: Mutex<Engine>,
    waker: Waker,
}

/// Keeps a stack running: every [`Net`](super::Net) and every socket holds it. The last one to go
/// ends the driver, after what was written is delivered.
#[derive(Debug)]
pub(super) struct Running {
    shared: Arc<Shared>,
    driver: Option<JoinHandle<()>>,
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
    ) -> io::Result<Running> {
        let waiter = Waiter::new()?;
        // The thread must not hold the lock while it waits for the device.
        let descriptor = device.as_fd().try_clone_to_owned()?;
        let name = format!("netloom {}", device.name());
        let shared = Arc::new(Shared {
            engine: Mutex::new(Engine::new(stack, device, clock)),
            waker: waiter.waker(),
        });
        let driven = Arc::clone(&shared);
        let driver = thread::Builder::new()
            .name(name)
            .spawn(move || drive(&driven, waiter, &descriptor))?;
        Ok(Running {
            shared,
            driver: Some(driver),
        })
    }

    /// What the sockets call the engine through.
    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.lock().close(Instant::now() + LINGER);
        self.shared.waker.wake();
        if let Some(driver) = self.driver.take() {
            // It has told everybody already if it panicked.
            let _ = driver.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Engine> {
        // After a panic under the lock the driver ends, and calls find that out themselves.
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives up the lock after something may have changed: what is owed is sent first, and those
    /// it concerns are woken after.
    fn unlock(&self, mut engine: MutexGuard<'_, Engine>) {
        let wake_driver = engine.settle();
        let wakes = engine.take_wakes();
        drop(engine);
        if wake_driver {
            self.waker.wake();
        }
        wakes.deliver();
    }

    /// Calls the engine, then sends what the call gave it to send.
    pub(super) fn with<T>(&self, call: impl FnOnce(&mut Engine) -> T) -> T {
        let mut engine = self.lock();
        let value = call(&mut engine);
        self.unlock(engine);
        value
    }

    /// Looks at the engine without changing anything that others must learn of.
    pub(super) fn look<T>(&self, look: impl FnOnce(&mut Engine) -> T) -> T {
        look(&mut self.lock())
    }

    /// Calls the engine until it has something else to say than [`Error::WouldBlock`], waiting
    /// in between.
    pub(super) fn block<T>(
        &self,
        parking: &Parking,
        side: Side,
        patience: Patience,
        mut call: impl FnMut(&mut Engine) -> Result<T, Error>,
    ) -> io::Result<T> {
        let mut engine = self.lock();
        let mut expired = false;
        let result = loop {
            match call(&mut engine) {
                Err(Error::WouldBlock) => {}
                result => break result.map_err(to_io),
            }
            // What came before the fault can still be read; nothing comes after it.
            if let Some(fault) = engine.fault() {
                break Err(fault);
            }
            match patience {
                Patience::Until(deadline) if !expired => {
                    (engine, expired) = parking.wait(side, engine, deadline);
                }
                Patience::Until(_) | Patience::None => break Err(to_io(Error::WouldBlock)),
            }
        };
        self.unlock(engine);
        result
    }

    /// One turn of whoever drives the device: receives, sends, wakes, and says what to wait for.
    fn poll_once(&self) -> (Next, Option<Duration>) {
        let mut engine = self.lock();
        let next = engine.drive();
        let timeout = match next {
            Next::Wait { until, .. } => until.map(|until| time_until(engine.clock.now(), until)),
            Next::Again | Next::End => None,
        };
        let wakes = engine.take_wakes();
        drop(engine);
        wakes.deliver();
        (next, timeout)
    }
}

/// Drives the device until it fails or nobody is left to drive it for.
fn drive(shared: &Shared, mut waiter: Waiter, descriptor: &OwnedFd) {
    let _end = EndOfDriving(shared);
    loop {
        let (next, timeout) = shared.poll_once();
        match next {
            Next::Again => thread::yield_now(),
            Next::Wait { interest, .. } => {
                let device = std::iter::once((descriptor.as_fd(), interest));
                if waiter.wait_for(device, timeout).is_err() {
                    // Memory is short for a moment: look again rather than spin.
                    thread::sleep(Duration::from_millis(1));
                }
            }
            Next::End => return,
        }
    }
}

/// Tells everybody who waits when driving ends, by a panic too.
struct EndOfDriving<'s>(&'s Shared);

impl Drop for EndOfDriving<'_> {
    fn drop(&mut self) {
        let mut engine = self.0.lock();
        engine.end();
        let wakes = engine.take_wakes();
        drop(engine);
        wakes.deliver();
    }
}
