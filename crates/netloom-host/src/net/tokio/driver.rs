//! The task that drives a device.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use ::tokio::io::Interest as Readiness;
use ::tokio::io::unix::AsyncFd;
use ::tokio::runtime::Handle;
use netloom_stack::Stack;

use super::super::clock::Clock;
use super::super::engine::Next;
use super::super::poller::Polling;
use super::super::runtime::{EndOfDriving, Running, Shared};
use crate::device::{Device, Interest, Waiter};
use crate::sys;

/// Starts a stack on a device, with a task that drives it.
pub(in super::super) fn start_on(
    runtime: &Handle,
    stack: Stack,
    device: Box<dyn Device>,
) -> io::Result<Running> {
    let (shared, waiter) = Shared::new(stack, device, Clock::new(), Polling::Thread)?;
    let descriptors = {
        let _inside = runtime.enter();
        // A runtime without a clock says so here, as one without I/O does, not when the first timer
        // is due.
        drop(::tokio::time::sleep(Duration::ZERO));
        Descriptors::new(&shared, waiter)?
    };
    let driven = Driven(Arc::clone(&shared));
    runtime.spawn(drive(driven, descriptors));
    Ok(Running::driven_by_task(shared))
}

/// What the task waits on, as the runtime knows it.
struct Descriptors {
    device: AsyncFd<OwnedFd>,
    changes: Option<AsyncFd<OwnedFd>>,
    /// What wakers write to.
    event: AsyncFd<OwnedFd>,
    waiter: Waiter,
}

impl Descriptors {
    fn new(shared: &Shared, waiter: Waiter) -> io::Result<Descriptors> {
        let (device, changes) = shared.descriptors();
        let both = Readiness::READABLE | Readiness::WRITABLE;
        let device = sys::async_fd(device.try_clone_to_owned()?, both)?;
        let changes = match changes {
            Some(fd) => {
                let fd = fd.try_clone_to_owned()?;
                Some(sys::async_fd(fd, Readiness::READABLE)?)
            }
            None => None,
        };
        let event = sys::async_fd(waiter.event().try_clone_to_owned()?, Readiness::READABLE)?;
        Ok(Descriptors {
            device,
            changes,
            event,
            waiter,
        })
    }

    /// Whether there is something at the device, or of a waker, already. The runtime tells of
    /// changes only, and the device may have been left before it was empty.
    fn is_ready(&mut self, shared: &Shared, interest: Interest) -> bool {
        let device = std::iter::once((shared.descriptors().0, interest));
        let ready = self.waiter.wait_for(device, Some(Duration::ZERO));
        ready.is_ok_and(|ready| ready.woken || ready.devices > 0)
    }

    /// Sleeps until there is something to do. Says whether the interface has changed.
    async fn sleep(&mut self, interest: Interest, timeout: Option<Duration>) -> bool {
        let retry = interest
            .retry_at
            .map(|at| at.saturating_duration_since(std::time::Instant::now()));
        let timeout = [timeout, retry].into_iter().flatten().min();
        let readable = async {
            if interest.readable {
                if let Ok(mut guard) = self.device.readable().await {
                    guard.clear_ready();
                    return;
                }
            }
            std::future::pending().await
        };
        let writable = async {
            if interest.writable {
                if let Ok(mut guard) = self.device.writable().await {
                    guard.clear_ready();
                    return;
                }
            }
            std::future::pending().await
        };
        let changed = async {
            if let Some(changes) = &self.changes {
                if let Ok(mut guard) = changes.readable().await {
                    guard.clear_ready();
                    return;
                }
            }
            std::future::pending().await
        };
        let woken = async {
            if let Ok(mut guard) = self.event.readable().await {
                guard.clear_ready();
            }
        };
        let late = async {
            match timeout {
                Some(timeout) => ::tokio::time::sleep(timeout).await,
                None => std::future::pending().await,
            }
        };
        first_of(readable, writable, changed, woken, late).await
    }
}

/// Waits for whichever is first; says whether it was the third.
async fn first_of(
    readable: impl Future<Output = ()>,
    writable: impl Future<Output = ()>,
    changed: impl Future<Output = ()>,
    woken: impl Future<Output = ()>,
    late: impl Future<Output = ()>,
) -> bool {
    let mut readable = std::pin::pin!(readable);
    let mut writable = std::pin::pin!(writable);
    let mut changed = std::pin::pin!(changed);
    let mut woken = std::pin::pin!(woken);
    let mut late = std::pin::pin!(late);
    std::future::poll_fn(|cx| {
        if changed.as_mut().poll(cx).is_ready() {
            return std::task::Poll::Ready(true);
        }
        let ready = readable.as_mut().poll(cx).is_ready()
            || writable.as_mut().poll(cx).is_ready()
            || woken.as_mut().poll(cx).is_ready()
            || late.as_mut().poll(cx).is_ready();
        if ready {
            std::task::Poll::Ready(false)
        } else {
            std::task::Poll::Pending
        }
    })
    .await
}

/// What the task drives. All who wait are told when it is dropped, which a runtime that ends does
/// to a task that never ran as well.
struct Driven(Arc<Shared>);

impl Drop for Driven {
    fn drop(&mut self) {
        drop(EndOfDriving(&self.0));
    }
}

/// Drives the device until it fails or nobody is left to drive it for.
async fn drive(driven: Driven, mut descriptors: Descriptors) {
    let shared = &driven.0;
    loop {
        let next = {
            let mut engine = shared.lock();
            let _ = engine.poller.step();
            let next = engine.turn();
            let next = match next {
                Next::Wait { interest, until } => {
                    engine.poller.sleep(until, interest);
                    let now = engine.clock.now();
                    let timeout = until.map(|until| until.saturating_duration_since(now));
                    Some((interest, timeout))
                }
                Next::Again => None,
                Next::End => {
                    shared.release(engine);
                    return;
                }
            };
            shared.release(engine);
            next
        };
        match next {
            None => ::tokio::task::yield_now().await,
            Some((interest, timeout)) => {
                if timeout.is_some_and(|timeout| timeout.is_zero())
                    || descriptors.is_ready(shared, interest)
                {
                    ::tokio::task::yield_now().await;
                } else if descriptors.sleep(interest, timeout).await {
                    shared.lock().note_change();
                }
            }
        }
    }
}
