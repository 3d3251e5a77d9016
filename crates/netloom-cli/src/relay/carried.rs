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

use super::{End, Follow, Limits, fail, reset};

#[cfg(test)]
mod tests;

/// Octets that a client takes of what the kernel has for it, to count as one that reads.
const ENOUGH: usize = 64 * 1024;

/// One connection.
#[derive(Debug)]
pub(super) struct Carried {
    pub(super) kernel: TcpStream,
    netloom: OnceLock<netloom::TcpStream>,
    progress: Mutex<Progress>,
}

#[derive(Debug, Clone, Copy)]
struct Progress {
    /// When the last octets went either way, or the client took enough of what the kernel has for it.
    moved: Instant,
    /// What the kernel has for the client, in octets.
    queued: usize,
    /// The most that was since it took enough: an octet now and then is none.
    was_queued: usize,
    /// In how many directions the relay has octets in its hands.
    held: u8,
    /// The client spoke last: its server may have much to do before it answers.
    is_asked: bool,
    /// netloom's end has said all it has to say.
    is_answered: bool,
    /// It was ended here, and when: its threads are about to go.
    given_up: Option<Instant>,
}

impl Progress {
    fn new(now: Instant) -> Progress {
        Progress {
            moved: now,
            queued: 0,
            was_queued: 0,
            held: 0,
            is_asked: false,
            is_answered: false,
            given_up: None,
        }
    }

    /// Whether something is on its way: whoever ends the connection now loses it.
    fn is_under_way(&self) -> bool {
        self.held > 0 || self.queued > 0
    }

    /// How long nothing may move before it makes room for another.
    fn patience(&self, limits: &Limits) -> Duration {
        if self.is_busy() {
            limits.stuck
        } else {
            limits.room
        }
    }

    /// Whether one of its ends waits for the other for a good reason.
    fn is_busy(&self) -> bool {
        self.is_under_way() || self.is_asked
    }

    /// The kernel has so much for the client now.
    fn note_queued(&mut self, queued: usize, now: Instant) {
        self.queued = queued;
        let taken = self.was_queued.saturating_sub(queued);
        if taken >= ENOUGH || (queued == 0 && taken > 0) {
            self.moved = now;
            self.was_queued = queued;
        }
        self.was_queued = self.was_queued.max(queued);
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
            progress: Mutex::new(Progress::new(Instant::now())),
        }
    }

    /// The other end. `None` if the connection has been given up meanwhile.
    pub(super) fn connected(&self, netloom: netloom::TcpStream) -> Option<&netloom::TcpStream> {
        // Under the lock, so that whoever gives it up now sees this end, or is seen.
        let progress = lock(&self.progress);
        let netloom = self.netloom.get_or_init(|| netloom);
        if progress.given_up.is_some() {
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
        progress.note_queued(queued, Instant::now());
        progress
    }

    /// Ends the connection if `may` says so of it, and whatever the threads wait in.
    fn end_if(&self, may: impl FnOnce(&Progress) -> bool) {
        let mut progress = self.look();
        if progress.given_up.is_some() || !may(&progress) {
            return;
        }
        progress.given_up = Some(Instant::now());
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
            // A thread that writes to the client is to stop; else the client is not told of an end in
            // order, which this is not: the reset comes as the threads go.
            let which = if progress.held > 0 {
                Shutdown::Both
            } else {
                Shutdown::Read
            };
            let _ = self.kernel.shutdown(which);
        }
    }
}

impl Follow for Carried {
    fn took(&self, from: End) {
        let mut progress = lock(&self.progress);
        progress.moved = Instant::now();
        progress.held += 1;
        progress.is_asked = from == End::Client;
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
        progress.is_asked = false;
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
    /// with something on its way, or whose server has been asked, only if there is no other. Nothing if
    /// room is being made already.
    pub(super) fn make_room(&self, limits: &Limits) {
        let now = Instant::now();
        let may = |progress: &Progress| progress.silence(now) >= progress.patience(limits);
        let table = lock(&self.0);
        let looked: Vec<_> = table
            .iter()
            .map(|carried| (*carried.look(), carried))
            .collect();
        let going = |at: Instant| now.saturating_duration_since(at) < limits.going;
        if looked
            .iter()
            .any(|(progress, _)| progress.given_up.is_some_and(going))
        {
            return;
        }
        let longest = looked
            .iter()
            .filter(|(progress, _)| progress.given_up.is_none() && may(progress))
            .min_by_key(|(progress, _)| (progress.is_busy(), progress.moved));
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
