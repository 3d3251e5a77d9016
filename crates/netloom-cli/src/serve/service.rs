//! All connections of a server: they are accepted, waited for, served and timed out here.

use std::io;
use std::net::SocketAddr;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use netloom::net::{Interest, PollSet};
use netloom::{Net, TcpListener, TcpStream};

use super::crew::{Crew, Pressure};
use super::idle::{Idle, Parked, Stage};
use super::session::{Buffers, MAX_LINGER, Turn, turn};
use super::{Failure, Server};
use crate::stream::{Attendant, Timed};

#[cfg(test)]
mod tests;

/// The token of the listener; those of connections begin at 1.
const LISTENER: u64 = 0;

/// Connections accepted in one go, before others are served.
const ACCEPTED_AT_ONCE: usize = 64;

/// Requests served before it is looked whose time is over.
const SERVED_AT_ONCE: u32 = 64;

/// Of so many it is looked whether they can make room for another.
const ASKED_TO_GO: usize = 256;

/// While there is no memory for another connection.
const BACK_OFF: Duration = Duration::from_millis(50);

/// A server at work.
#[derive(Debug)]
struct Service {
    server: Server,
    listener: TcpListener,
    /// Where all wait: the listener and the connections in `idle`.
    set: PollSet,
    idle: Mutex<Idle<TcpStream>>,
    /// Connections that are open, served or not.
    open: AtomicUsize,
    /// The listener is not waited for: there is no room.
    full: AtomicBool,
    pressure: Pressure,
    crew: Arc<Crew>,
    /// What accepting ended with.
    end: Mutex<Option<io::Error>>,
    ended: Condvar,
}

/// Serves the connections of `listener` until accepting fails for good.
pub(super) fn run(server: Server, net: &Net, listener: TcpListener) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let limits = server.limits;
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let service = Arc::new_cyclic(|service: &Weak<Service>| {
        let service = service.clone();
        let work = move || -> Box<dyn FnOnce() + Send> {
            let service = service.upgrade();
            Box::new(move || service.iter().for_each(|service| service.work()))
        };
        Service {
            server,
            listener,
            set: net.poll_set(),
            idle: Mutex::default(),
            open: AtomicUsize::new(0),
            full: AtomicBool::new(false),
            pressure: Pressure::default(),
            crew: Crew::new(limits.threads, processors, work),
            end: Mutex::default(),
            ended: Condvar::new(),
        }
    });
    service.await_connections()?;
    if !service.crew.fill() {
        let error = io::Error::new(io::ErrorKind::OutOfMemory, "the system gives no thread");
        return Err(error);
    }
    let end = service
        .ended
        .wait_while(lock(&service.end), |end| end.is_none());
    let end = end.unwrap_or_else(PoisonError::into_inner).take();
    end.map_or(Ok(()), Err)
}

impl Service {
    /// What each thread does.
    fn work(&self) {
        let mut member = self.crew.join();
        let mut buffers = Buffers::new(&self.server.limits);
        let mut served = 0_u32;
        while member.stays() {
            served = served.wrapping_add(1);
            // While somebody is ready the clock need not be asked each time.
            let ready = match self.set.wait(Some(Duration::ZERO)) {
                Ok(Some(ready)) if served % SERVED_AT_ONCE != 0 => Ok(Some(ready)),
                Ok(Some(ready)) => {
                    self.end_expired(&mut buffers);
                    Ok(Some(ready))
                }
                Ok(None) => {
                    self.end_expired(&mut buffers);
                    self.set.wait(self.patience())
                }
                Err(error) => Err(error),
            };
            match ready {
                Ok(None) => {}
                Ok(Some((LISTENER, _))) => self.accept(),
                Ok(Some((token, _))) => {
                    let parked = self.idle().take(token);
                    if let Some(parked) = parked {
                        self.go_on(parked, &mut buffers);
                    }
                }
                Err(error) => {
                    self.crew.end();
                    self.fail(error);
                }
            }
        }
    }

    /// How long to wait at most. A thread that parks a connection does not wake those that wait
    /// already: their patience is never longer than a connection's.
    fn patience(&self) -> Option<Duration> {
        let limits = &self.server.limits;
        if self.open.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let first = self.idle().first_deadline();
        let first = first.map(|first| first.saturating_duration_since(Instant::now()));
        let shortest = [
            limits.head_timeout,
            limits.idle_timeout,
            limits.linger_timeout,
        ];
        first.into_iter().chain(shortest).min()
    }

    fn accept(&self) {
        for _ in 0..ACCEPTED_AT_ONCE {
            if !self.is_called() {
                break;
            }
            if !self.has_room() {
                return;
            }
            match self.listener.accept() {
                Ok((stream, peer)) => {
                    self.open.fetch_add(1, Ordering::Relaxed);
                    let limits = &self.server.limits;
                    let attendant: Arc<dyn Attendant> = Arc::new(Arc::clone(&self.crew));
                    // It sends small writes at once: the server hands over whole responses.
                    let (all, short) = (limits.write_timeout, limits.short_timeout);
                    let connection = stream
                        .set_nodelay(true)
                        .and_then(|()| Timed::attended(stream, all, short, attendant));
                    let Ok(connection) = connection else {
                        self.let_go();
                        continue;
                    };
                    self.park(Parked {
                        connection,
                        peer,
                        stage: Stage::Request,
                        deadline: Instant::now() + limits.head_timeout,
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => match Failure::of(&error) {
                    Failure::OfConnection => {}
                    Failure::Passing => {
                        self.crew.begins_to_wait();
                        thread::sleep(BACK_OFF);
                        self.crew.has_waited();
                        break;
                    }
                    Failure::Final => return self.fail(error),
                },
            }
        }
        if let Err(error) = self.await_connections() {
            self.fail(error);
        }
    }

    /// Whether there may be one more connection. If there may not, nobody waits for one until one of
    /// those there are is over, or waits itself.
    fn has_room(&self) -> bool {
        let limit = self.server.limits.connections.max(1);
        loop {
            if self.open.load(Ordering::SeqCst) < limit {
                self.full.store(false, Ordering::SeqCst);
                self.pressure.set(false);
                return true;
            }
            // Who has waited longest makes room, unless something has come from him meanwhile.
            let may_go = |parked: &Parked<TcpStream>| self.set.disarm(parked.connection.inner());
            let longest = self.idle().take_longest(ASKED_TO_GO, may_go);
            if let Some(Parked { connection, .. }) = longest {
                connection.begin_to_close();
                drop(connection);
                self.let_go();
                continue;
            }
            self.pressure.set(true);
            // It is looked once more after this is said: whoever ended or began to wait before may
            // not have heard it.
            if self.full.swap(true, Ordering::SeqCst) {
                return false;
            }
        }
    }

    /// Whether a connection waits to be accepted.
    fn is_called(&self) -> bool {
        self.listener.backlog().is_ok_and(|b| b.to_accept > 0)
    }

    /// Has the set tell of connections to accept.
    fn await_connections(&self) -> io::Result<()> {
        self.set.arm(&self.listener, Interest::READABLE, LISTENER)
    }

    /// A connection is over.
    fn let_go(&self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
        self.tell_of_room();
    }

    /// There may be room now: if somebody waits for it, he is accepted.
    fn tell_of_room(&self) {
        if self.full.load(Ordering::SeqCst) && self.full.swap(false, Ordering::SeqCst) {
            self.pressure.set(false);
            if let Err(error) = self.await_connections() {
                self.fail(error);
            }
        }
    }

    /// Has the set tell of what a connection waits for.
    fn park(&self, parked: Parked<TcpStream>) {
        let stream = parked.connection.inner().try_clone();
        let token = self.idle().park(parked);
        let armed = stream.and_then(|stream| self.set.arm(&stream, Interest::READABLE, token));
        if armed.is_err() && self.idle().take(token).is_some() {
            self.let_go();
        }
        self.tell_of_room();
    }

    /// Something has come for a connection that waited.
    fn go_on(&self, parked: Parked<TcpStream>, buffers: &mut Buffers) {
        let Parked {
            connection,
            peer,
            stage,
            deadline,
        } = parked;
        let (server, pressure) = (&self.server, &self.pressure);
        let Stage::Request = stage else {
            return self.await_end(connection, peer, stage, deadline, buffers);
        };
        // What comes first is there, or is waited for here.
        let wait = server.limits.head_timeout;
        // A panic ends one connection, and neither its thread nor the count of those there are.
        let turn = || turn(server, connection, peer, pressure, buffers, wait);
        let Ok(turn) = catch_unwind(AssertUnwindSafe(turn)) else {
            return self.let_go();
        };
        match turn {
            Turn::Waits(connection, served) => self.park(Parked {
                connection,
                peer,
                stage: Stage::Request,
                deadline: if served {
                    Instant::now() + server.limits.idle_timeout
                } else {
                    deadline
                },
            }),
            Turn::Closes(connection) => self.close(connection, peer, buffers),
            Turn::Over => self.let_go(),
        }
    }

    /// Closes a connection in stages.
    fn close(&self, connection: Timed<TcpStream>, peer: SocketAddr, buffers: &mut Buffers) {
        if !connection.begin_to_close() {
            return self.let_go();
        }
        let deadline = Instant::now() + self.server.limits.linger_timeout;
        self.await_end(connection, peer, Stage::End(MAX_LINGER), deadline, buffers);
    }

    /// Reads away what comes before a client's end.
    fn await_end(
        &self,
        mut connection: Timed<TcpStream>,
        peer: SocketAddr,
        stage: Stage,
        deadline: Instant,
        buffers: &mut Buffers,
    ) {
        let mut octets = match stage {
            Stage::Request => 0,
            Stage::End(octets) => octets,
        };
        if connection.linger(buffers.scratch(), deadline, &mut octets) {
            drop(connection);
            return self.let_go();
        }
        self.park(Parked {
            connection,
            peer,
            stage: Stage::End(octets),
            deadline,
        });
    }

    /// Ends the connections whose time is over.
    fn end_expired(&self, buffers: &mut Buffers) {
        let now = Instant::now();
        loop {
            let expired = self.idle().take_expired(now);
            match expired {
                Some(expired) => self.end_waiting(expired, buffers),
                None => return,
            }
        }
    }

    /// Ends a connection that waits for something.
    fn end_waiting(&self, parked: Parked<TcpStream>, buffers: &mut Buffers) {
        match parked.stage {
            Stage::Request => self.close(parked.connection, parked.peer, buffers),
            Stage::End(_) => {
                drop(parked);
                self.let_go();
            }
        }
    }

    /// No more connections come.
    fn fail(&self, error: io::Error) {
        lock(&self.end).get_or_insert(error);
        self.ended.notify_all();
    }

    fn idle(&self) -> MutexGuard<'_, Idle<TcpStream>> {
        lock(&self.idle)
    }
}

/// What is under these locks is right whoever panicked with them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
