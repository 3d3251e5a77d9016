//! Waiting for any number of sockets, by any number of threads.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use netloom_stack::Error as StackError;

use super::Net;
use super::descriptor::Level;
use super::error::invalid;
use super::parking::{Parking, Side};
use super::poll::{Interest, Origin, Ready, Source};
use super::runtime::{Patience, Running};

/// Sockets to wait for, however many: waiting costs what is ready, not what is waited for.
///
/// A socket is armed with a token of the program's own. When it is ready, one [`wait`](PollSet::wait)
/// returns the token, once: to hear of it again, arm it again (as with epoll(7)'s `EPOLLONESHOT`). So
/// several threads may wait with one set, and none of them meets another at a socket. Who waits here
/// polls the device himself where that pays (see [`Polling`](super::Polling)): a program that serves
/// all its connections on one thread this way changes threads for none of them.
///
/// Clones are the same set. Dropping a socket disarms it; a token that was to be told by then still
/// comes, so tokens are better not used again soon.
///
/// ```no_run
/// # fn f(net: netloom_host::net::Net) -> std::io::Result<()> {
/// use netloom_host::net::Interest;
/// use std::io::{Read, Write};
///
/// let (set, listener) = (net.poll_set(), net.tcp_listen("0.0.0.0:7")?);
/// let mut streams = Vec::new();
/// listener.set_nonblocking(true)?;
/// set.arm(&listener, Interest::READABLE, u64::MAX)?;
/// while let Some((token, _)) = set.wait(None)? {
///     if token == u64::MAX {
///         while let Ok((stream, _)) = listener.accept() {
///             set.arm(&stream, Interest::READABLE, streams.len() as u64)?;
///             streams.push(stream);
///         }
///         set.arm(&listener, Interest::READABLE, token)?;
///     } else {
///         let (stream, mut buffer) = (&mut streams[token as usize], [0; 1500]);
///         let count = stream.read(&mut buffer)?;
///         stream.write_all(&buffer[..count])?;
///         if count > 0 {
///             set.arm(stream, Interest::READABLE, token)?;
///         }
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct PollSet {
    running: Arc<Running>,
    set: Arc<Set>,
}

/// What a set and the sockets armed in it share.
#[derive(Debug, Default)]
struct Set {
    /// Where the threads wait.
    parking: Arc<Parking>,
    /// Told, and not taken yet. It changes under the engine's lock only.
    ready: Mutex<VecDeque<(u64, Ready)>>,
}

impl Set {
    fn ready(&self) -> MutexGuard<'_, VecDeque<(u64, Ready)>> {
        // Nothing panics while it is locked.
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next that was told, and whether there are more.
    fn take(&self) -> Option<((u64, Ready), bool)> {
        let mut ready = self.ready();
        let first = ready.pop_front()?;
        Some((first, !ready.is_empty()))
    }
}

/// A socket's place in a set.
#[derive(Debug)]
pub(super) struct Armed {
    set: Arc<Set>,
    interest: Interest,
    token: u64,
}

impl Armed {
    /// Whether both are of one set.
    pub(super) fn is_of_set(&self, other: &Armed) -> bool {
        Arc::ptr_eq(&self.set, &other.set)
    }

    /// Where those wait who are to be told.
    pub(super) fn parking(&self) -> &Arc<Parking> {
        &self.set.parking
    }

    /// Has the set tell of the socket, if it is ready. Says whether it is.
    pub(super) fn tell(&self, level: Level) -> bool {
        let ready = Ready::of(level, self.interest);
        if ready.any() {
            self.set.ready().push_back((self.token, ready));
        }
        ready.any()
    }
}

impl Net {
    /// An empty set of sockets to wait for.
    pub fn poll_set(&self) -> PollSet {
        let set = Arc::<Set>::default();
        let shared = self.running.shared();
        shared.look(|engine| engine.add_set(&set.parking));
        PollSet {
            running: Arc::clone(&self.running),
            set,
        }
    }
}

impl PollSet {
    /// Has the set tell `token` once when the socket is ready for `interest`, or its connection is
    /// over: at once, if it is. What it was armed with in this set before is forgotten.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for a socket of another stack.
    pub fn arm(&self, source: &impl Source, interest: Interest, token: u64) -> io::Result<()> {
        let Origin { running, socket } = source.source();
        if !Arc::ptr_eq(running, &self.running) {
            return Err(invalid(
                "a socket of another stack cannot be waited for here",
            ));
        }
        let armed = Armed {
            set: Arc::clone(&self.set),
            interest,
            token,
        };
        let shared = running.shared();
        let mut engine = shared.lock();
        engine.arm(socket, armed);
        shared.unlock(engine);
        Ok(())
    }

    /// Has the set not tell of a socket any more. Says whether it would have: `false` if its token
    /// was taken, or is waiting to be.
    pub fn disarm(&self, source: &impl Source) -> bool {
        let Origin { running, socket } = source.source();
        let is_it = |armed: &Armed| Arc::ptr_eq(&armed.set, &self.set);
        running.shared().look(|engine| engine.disarm(socket, is_it))
    }

    /// Waits until a socket is ready, at most for `timeout` (`None`: for ever); returns its token
    /// and what it was ready for, or `None` when the time is over.
    ///
    /// # Errors
    /// The device's fault, once all that was ready is told.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<Option<(u64, Ready)>> {
        let patience = match timeout {
            Some(Duration::ZERO) => Patience::None,
            timeout => Patience::of(timeout),
        };
        let parking = &self.set.parking;
        let shared = self.running.shared();
        let waited = shared.block(parking, Side::Read, patience, |engine| {
            let mut next = self.set.take();
            // What is held is let go before this thread waits, and may bring something.
            if next.is_none() && engine.let_go() {
                next = self.set.take();
            }
            let (first, more) = next.ok_or(StackError::WouldBlock)?;
            engine.hold(more);
            if more {
                engine.wake_one(parking);
            }
            Ok(first)
        });
        match waited {
            Ok(ready) => Ok(Some(ready)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}
