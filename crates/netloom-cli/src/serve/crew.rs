//! How many threads serve: as many as are wanted, whoever of them waits for a client.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::Pool;
use crate::stream::Attendant;

#[cfg(test)]
mod tests;

/// How long a thread that is one too many stays before it ends: the next that waits calls it.
const SPARE_TIME: Duration = Duration::from_secs(5);

/// Whether a connection waits for room.
#[derive(Debug, Default)]
pub(crate) struct Pressure(AtomicBool);

impl Pressure {
    /// Whether a connection that could end should: another one waits for its place.
    pub(crate) fn is_crowded(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, crowded: bool) {
        self.0.store(crowded, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(crate) fn crowded() -> Self {
        Self(AtomicBool::new(true))
    }
}

/// Threads of which a number serves. One that begins to wait for a client is replaced; when it has
/// waited, there may be one more for a while. Where there is no thread to replace it, and nobody
/// serves, the first of those that wait that can give up its client does.
pub(crate) struct Crew {
    me: Weak<Crew>,
    pool: Pool,
    /// How many are to serve.
    wanted: usize,
    counts: Mutex<Counts>,
    called: Condvar,
    /// How long a thread that is one too many stays.
    spare_time: Duration,
    /// What a thread does: [`Member::stays`] tells it how long.
    work: Box<dyn Fn() -> Box<dyn FnOnce() + Send> + Send + Sync>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Threads that serve, and those that were called to.
    serving: usize,
    /// Threads that wait to be called.
    spare: usize,
    /// Calls that none of them has heard yet.
    calls: usize,
    /// Nothing is left to do.
    ended: bool,
}

impl fmt::Debug for Crew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crew")
            .field("wanted", &self.wanted)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

/// A thread that serves, until this is dropped, by a panic too.
#[derive(Debug)]
pub(crate) struct Member<'c> {
    crew: &'c Crew,
    serves: bool,
}

impl Crew {
    /// A crew of which `wanted` serve, and that has at most `limit` threads. `work` makes what a
    /// thread does, whose first act is [`Crew::join`].
    pub(crate) fn new(
        limit: usize,
        wanted: usize,
        work: impl Fn() -> Box<dyn FnOnce() + Send> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Self::with_spare_time(limit, wanted, SPARE_TIME, work)
    }

    fn with_spare_time(
        limit: usize,
        wanted: usize,
        spare_time: Duration,
        work: impl Fn() -> Box<dyn FnOnce() + Send> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            pool: Pool::new(limit),
            wanted,
            counts: Mutex::default(),
            called: Condvar::new(),
            spare_time,
            work: Box::new(work),
        })
    }

    /// Has as many serve as are wanted, as far as there are threads. Says whether any does.
    pub(crate) fn fill(&self) -> bool {
        let mut counts = self.counts();
        self.fill_up(&mut counts);
        counts.serving > 0
    }

    fn fill_up(&self, counts: &mut Counts) {
        while counts.serving < self.wanted && !counts.ended {
            if counts.spare > counts.calls {
                counts.calls += 1;
                self.called.notify_one();
            } else {
                // Whose thread ends, by a panic too, is replaced, as far as there was none before.
                let me = self.me.clone();
                let then = move || {
                    if let Some(crew) = me.upgrade() {
                        crew.fill();
                    }
                };
                if !self.pool.try_run((self.work)(), then) {
                    return;
                }
            }
            counts.serving += 1;
        }
    }

    /// The calling thread, which was started to serve, does.
    pub(crate) fn join(&self) -> Member<'_> {
        Member {
            crew: self,
            serves: true,
        }
    }

    /// Has all threads end once they have served whom they serve.
    pub(crate) fn end(&self) {
        self.counts().ended = true;
        self.called.notify_all();
    }

    /// The counts are right whoever panicked beside them.
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member<'_> {
    /// Whether the thread is to serve another one. If it is one too many, this waits whether it will
    /// be needed.
    pub(crate) fn stays(&mut self) -> bool {
        let crew = self.crew;
        let mut counts = crew.counts();
        if counts.ended {
            return false;
        }
        if counts.serving <= crew.wanted {
            return true;
        }
        counts.serving -= 1;
        counts.spare += 1;
        self.serves = false;
        let idle = |counts: &mut Counts| counts.calls == 0 && !counts.ended;
        let waited = crew
            .called
            .wait_timeout_while(counts, crew.spare_time, idle);
        let (mut counts, _) = waited.unwrap_or_else(PoisonError::into_inner);
        counts.spare -= 1;
        if counts.calls > 0 {
            // Whoever called has counted it.
            counts.calls -= 1;
            self.serves = true;
        }
        self.serves
    }
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        if self.serves {
            self.crew.counts().serving -= 1;
        }
    }
}

impl Attendant for Arc<Crew> {
    fn begins_to_wait(&self) {
        let mut counts = self.counts();
        counts.serving -= 1;
        self.fill_up(&mut counts);
    }

    fn has_waited(&self) {
        self.counts().serving += 1;
    }

    /// One thread that serves is enough, and more will be called when it waits itself.
    fn is_needed(&self) -> bool {
        let mut counts = self.counts();
        // There may be another thread again.
        self.fill_up(&mut counts);
        let is_needed = counts.serving == 0 && !counts.ended;
        if is_needed {
            counts.serving += 1;
        }
        is_needed
    }
}
