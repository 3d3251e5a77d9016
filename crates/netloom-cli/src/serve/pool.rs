//! Threads, and a bound on their number.

use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

#[cfg(test)]
mod tests;

/// How much a connection's thread may put on its stack, in octets. The buffers are on the heap.
const STACK_SIZE: usize = 256 * 1024;

/// How long to wait at most before another thread is tried for: the system may have refused one, and
/// one may have ended just before it was waited for.
const RETRY: Duration = Duration::from_millis(50);

/// Runs jobs on threads of their own, at most a fixed number at once.
#[derive(Debug)]
pub(crate) struct Pool {
    limit: usize,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    running: Mutex<usize>,
    ended: Condvar,
}

impl Pool {
    /// A pool of at most `limit` threads, at least one.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            shared: Arc::default(),
        }
    }

    /// Runs `job` on a thread, waiting first until there may be one more; `while_full` is called now
    /// and then meanwhile.
    ///
    /// A job that panics ends its own thread only.
    pub(crate) fn run<F: FnOnce() + Send + 'static>(&self, job: F, mut while_full: impl FnMut()) {
        // The job is handed over only once there is a thread, so that a thread the system refuses
        // does not take the job with it.
        let thread = loop {
            if let Some(permit) = self.permit() {
                let (give, take) = sync_channel::<F>(1);
                let body = move |_permit| {
                    if let Ok(job) = take.recv() {
                        job();
                    }
                };
                if spawn(permit, body) {
                    break give;
                }
            }
            while_full();
            self.wait_for_an_end();
        };
        // It fails only if the thread is gone, and a thread waits for its job.
        let _ = thread.send(job);
    }

    /// Runs `job` on a thread if there may be one more. Says whether it does. When the job has ended,
    /// by a panic too, and its thread is given back, `then` is called.
    pub(crate) fn try_run<F, T>(&self, job: F, then: T) -> bool
    where
        F: FnOnce() + Send + 'static,
        T: FnOnce() + Send + 'static,
    {
        let Some(permit) = self.permit() else {
            return false;
        };
        spawn(permit, move |permit| {
            let _then = Then(Some(then));
            // Dropped first.
            let _permit = permit;
            job();
        })
    }

    /// The right to one more thread, if there may be one.
    fn permit(&self) -> Option<Permit> {
        let mut running = lock(&self.shared.running);
        if *running >= self.limit {
            return None;
        }
        *running += 1;
        Some(Permit(Arc::clone(&self.shared)))
    }

    /// Waits until a thread may have ended, for a moment at most.
    fn wait_for_an_end(&self) {
        let running = lock(&self.shared.running);
        drop(self.shared.ended.wait_timeout(running, RETRY));
    }
}

/// The right to one thread, given back when dropped, by a panic too.
struct Permit(Arc<Shared>);

impl Drop for Permit {
    fn drop(&mut self) {
        *lock(&self.0.running) -= 1;
        self.0.ended.notify_one();
    }
}

/// Runs `body`, which has the permit, on a thread of its own. Says whether the system gave one.
fn spawn<F: FnOnce(Permit) + Send + 'static>(permit: Permit, body: F) -> bool {
    let thread = thread::Builder::new()
        .name("serve".into())
        .stack_size(STACK_SIZE);
    thread.spawn(move || body(permit)).is_ok()
}

/// What is called when this is dropped.
struct Then<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Drop for Then<F> {
    fn drop(&mut self) {
        if let Some(then) = self.0.take() {
            then();
        }
    }
}

/// The number under this lock is right whoever panicked with it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
