//! The connections a relay carries now, and the end of those that only take up room.
//!
//! The threads of a connection wait in calls that know of no time, for a client that may never say
//! another word: others end the connection for them.

use std::net::{Shutdown, TcpStream};
use std::ops::Deref;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use netloom::net::kernel_send_queue;

use super::{Follow, Limits, fail, reset};

#[cfg(test)]
mod tests;

/// One connection.
#[derive(Debug)]
pub(super) struct Carried {
    pub(super) kernel: TcpStream,
    netloom: OnceLock<netloom::TcpStream>,
    progress: Mutex<Progress>,
}

#[derive(Debug, Clone, Copy)]
struct Progress {
    /// When the last octets went either way, or the client took some of what the kernel has for it.
    moved: Instant,
    /// What the kernel had for the client when that was looked at last, in octets.
    queued: usize,
    /// In how many directions the relay has octets in its hands.
    held: u8,
    /// netloom's end has said all it has to say.
    is_answered: bool,
    /// It was ended here: its threads are about to go.
    is_given_up: bool,
}

impl Progress {
    /// Whether something is on its way: whoever ends the connection now loses it.
    fn is_under_way(&self) -> bool {
        self.held > 0 || self.queued > 0
    }

    fn silence(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.moved)
    }
}

impl Carried {
    fn new(kernel: TcpStream) -> Carried {
        Carried {
            kernel,
            netloom: OnceLock::new(),
            progress: Mutex::new(Progress {
                moved: Instant::now(),
                queued: 0,
                held: 0,
                is_answered: false,
                is_given_up: false,
            }),
        }
    }

    /// The other end. `None` if the connection has been given up meanwhile.
    pub(super) fn connected(&self, netloom: netloom::TcpStream) -> Option<&netloom::TcpStream> {
        // Under the lock, so that whoever gives it up now sees this end, or is seen.
        let progress = lock(&self.progress);
        let netloom = self.netloom.get_or_init(|| netloom);
        if progress.is_given_up {
            let _ = netloom.abort();
            return None;
        }
        Some(netloom)
    }

    /// How it goes on, with what the kernel alone knows: a client may take what it has for it while
    /// no thread here has anything to do.
    fn look(&self) -> MutexGuard<'_, Progress> {
        let mut progress = lock(&self.progress);
        // It fails for no connection; then nothing is known to be on its way.
        let queued = kernel_send_queue(self.kernel.as_fd()).unwrap_or(0);
        if queued != progress.queued {
            progress.queued = queued;
            progress.moved = Instant::now();
        }
        progress
    }

    /// Ends the connection if `may` says so of it, and whatever the threads wait in.
    fn end_if(&self, may: impl FnOnce(&Progress) -> bool) {
        let mut progress = self.look();
        if progress.is_given_up || !may(&progress) {
            return;
        }
        progress.is_given_up = true;
        let Some(netloom) = self.netloom.get() else {
            reset(&self.kernel);
            let _ = self.kernel.shutdown(Shutdown::Both);
            return;
        };
        if progress.is_answered && !progress.is_under_way() {
            // The client has all, and its end: for it the connection ends in order. The server is
            // told that the client did not end its side.
            let _ = netloom.abort();
            let _ = self.kernel.shutdown(Shutdown::Read);
        } else {
            fail(&self.kernel, netloom);
            let _ = self.kernel.shutdown(Shutdown::Both);
        }
    }
}

impl Follow for Carried {
    fn took(&self) {
        let mut progress = lock(&self.progress);
        progress.moved = Instant::now();
        progress.held += 1;
    }

    fn moved(&self) {
        lock(&self.progress).moved = Instant::now();
    }

    fn gave(&self) {
        lock(&self.progress).held -= 1;
    }

    fn answered(&self) {
        let mut progress = lock(&self.progress);
        progress.moved = Instant::now();
        progress.is_answered = true;
    }
}

/// All of a relay's.
#[derive(Debug, Default)]
pub(super) struct Table(Mutex<Vec<Arc<Carried>>>);

impl Table {
    /// A new connection, until what is returned is dropped.
    pub(super) fn add(self: &Arc<Self>, kernel: TcpStream) -> Listed {
        let carried = Arc::new(Carried::new(kernel));
        lock(&self.0).push(Arc::clone(&carried));
        Listed {
            table: Arc::clone(self),
            carried,
        }
    }

    /// Ends what has nothing to move and has moved nothing for too long.
    pub(super) fn end_idle(&self, limits: &Limits) {
        let now = Instant::now();
        for carried in lock(&self.0).iter() {
            carried.end_if(|progress| {
                let limit = if progress.is_answered {
                    limits.linger
                } else {
                    limits.idle
                };
                !progress.is_under_way() && progress.silence(now) >= limit
            });
        }
    }

    /// Ends the connection that has moved nothing for the longest time, if that is long enough; one
    /// with something on its way only if there is no other.
    pub(super) fn make_room(&self, limits: &Limits) {
        let now = Instant::now();
        let may = |progress: &Progress| {
            let limit = if progress.is_under_way() {
                limits.stuck
            } else {
                limits.room
            };
            progress.silence(now) >= limit
        };
        let table = lock(&self.0);
        let looked = table.iter().map(|carried| (*carried.look(), carried));
        let longest = looked
            .filter(|(progress, _)| !progress.is_given_up && may(progress))
            .min_by_key(|(progress, _)| (progress.is_under_way(), progress.moved));
        if let Some((_, carried)) = longest {
            carried.end_if(may);
        }
    }
}

/// A connection in the table. Dropped, by a panic too, it is there no more.
#[derive(Debug)]
pub(super) struct Listed {
    table: Arc<Table>,
    carried: Arc<Carried>,
}

impl Deref for Listed {
    type Target = Carried;

    fn deref(&self) -> &Carried {
        &self.carried
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        lock(&self.table.0).retain(|other| !Arc::ptr_eq(other, &self.carried));
    }
}

/// What is under these locks is right whoever panicked with them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
