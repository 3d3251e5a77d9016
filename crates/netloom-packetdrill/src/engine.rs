//! The stack, its clock, and the calls that wait for it.

use std::collections::HashMap;
use std::ffi::c_int;
use std::net::SocketAddr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use netloom_sim::drill::{Errno, Fd, NetloomHost, Settings, Subject, check_packet};

/// What the tool takes for the time of day at the start: any will do.
const EPOCH: u64 = 1_000_000_000_000_000;
/// packetdrill sleeps this much less than it wants to, and spins for the rest, µs.
const SLEEPS_SHORT: u64 = 20;
/// So often the tool asks for the time between two other calls without waiting for it to pass:
/// far more often than its own bookkeeping does for one event.
const PATIENCE: u32 = 16;

/// What a call came to.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) value: Result<i64, Errno>,
    pub(crate) data: Vec<u8>,
    pub(crate) from: Option<SocketAddr>,
    /// Events and data of epoll.
    pub(crate) events: Vec<(u32, u64)>,
}

impl From<Result<i64, Errno>> for Reply {
    fn from(value: Result<i64, Errno>) -> Reply {
        Reply {
            value,
            data: Vec::new(),
            from: None,
            events: Vec::new(),
        }
    }
}

/// Tries a call; `None` is to be tried again when something has happened. The flag says that
/// its time is over.
type Attempt = Box<dyn FnMut(&mut NetloomHost, bool) -> Option<Reply> + Send>;

struct Waiter {
    id: u64,
    attempt: Attempt,
    /// When it gives up.
    deadline: Option<u64>,
    /// What came of it, and when.
    reply: Option<(Reply, u64)>,
}

/// The stack under test, for every thread of the tool.
pub(crate) struct Engine {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    host: NetloomHost,
    /// The time of day at which the host's clock stands at 0.
    origin: u64,
    /// Something else than the time has been asked for: the host's clock runs.
    started: bool,
    /// How often the time was asked for since anything else was.
    readings: u32,
    /// The kernel's descriptors that stand for those of the host.
    files: HashMap<c_int, Fd>,
    waiters: Vec<Waiter>,
    next_id: u64,
    /// The moment at which a thread's last call returned, until it asks for the time.
    moments: HashMap<ThreadId, u64>,
}

impl Engine {
    pub(crate) fn new(flags: &str) -> Result<Engine, String> {
        let settings = Settings::from_flags(flags).map_err(|error| error.message)?;
        let host = NetloomHost::new(&settings)?;
        Ok(Engine {
            state: Mutex::new(State {
                host,
                origin: EPOCH,
                started: false,
                readings: 0,
                files: HashMap::new(),
                waiters: Vec::new(),
                next_id: 0,
                moments: HashMap::new(),
            }),
            changed: Condvar::new(),
        })
    }

    /// A thread that panicked has told so: the others go on with what there is.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For a call that is more than a look at the clock.
    fn lock_for_call(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        state.started = true;
        state.readings = 0;
        state
    }

    /// Makes a call that never waits.
    pub(crate) fn now<T>(&self, call: impl FnOnce(&mut NetloomHost) -> T) -> T {
        let mut state = self.lock_for_call();
        let result = call(&mut state.host);
        self.settle(&mut state);
        result
    }

    /// Makes a call, waiting until it can return; `timeout` µs at most.
    pub(crate) fn call(&self, timeout: Option<u64>, mut attempt: Attempt) -> Reply {
        let mut state = self.lock_for_call();
        let now = state.host.now();
        if let Some(reply) = attempt(&mut state.host, timeout == Some(0)) {
            self.settle(&mut state);
            return reply;
        }
        let id = state.next_id;
        state.next_id += 1;
        state.waiters.push(Waiter {
            id,
            attempt,
            deadline: timeout.map(|timeout| now.saturating_add(timeout)),
            reply: None,
        });
        loop {
            let done = state
                .waiters
                .iter()
                .position(|w| w.id == id && w.reply.is_some());
            if let Some(index) = done {
                if let Some((reply, moment)) = state.waiters.remove(index).reply {
                    state.moments.insert(thread::current().id(), moment);
                    return reply;
                }
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lets every waiting call return that can.
    fn settle(&self, state: &mut State) {
        let now = state.host.now();
        let mut any = false;
        for waiter in state.waiters.iter_mut().filter(|w| w.reply.is_none()) {
            let over = waiter.deadline.is_some_and(|deadline| deadline <= now);
            if let Some(reply) = (waiter.attempt)(&mut state.host, over) {
                waiter.reply = Some((reply, now));
                any = true;
            }
        }
        if any {
            self.changed.notify_all();
        }
    }

    /// Moves the clock on, through everything that falls due.
    fn run_to(&self, state: &mut State, to: u64) {
        while let Some(next) = state.next_stop().filter(|next| *next <= to) {
            let before = state.host.now();
            state.host.advance(next);
            self.settle(state);
            let stuck = next <= before && state.next_stop().is_some_and(|n| n <= before);
            if stuck {
                break;
            }
        }
        state.host.advance(to);
        self.settle(state);
    }

    /// `usleep`: this much time passes.
    pub(crate) fn sleep(&self, micros: u64) {
        let mut state = self.lock_for_call();
        let to = state.host.now().saturating_add(micros + SLEEPS_SHORT);
        self.run_to(&mut state, to);
    }

    /// `gettimeofday`, µs.
    ///
    /// Looking at the clock does not move it, so that what the tool does at a time of its script
    /// happens at that very time, as if the script were replayed in-process. But who waits for a
    /// time in a loop gets there. Until the first call the host's clock has not begun: it
    /// stands at 0 at the script's own 0.
    pub(crate) fn time_of_day(&self) -> u64 {
        let mut state = self.lock();
        if let Some(moment) = state.moments.remove(&thread::current().id()) {
            return state.origin + moment;
        }
        if !state.started {
            state.origin += 1;
            return state.origin;
        }
        state.readings = state.readings.saturating_add(1);
        if state.readings > PATIENCE {
            let to = state.host.now() + 1;
            self.run_to(&mut state, to);
        }
        state.origin + state.host.now()
    }

    /// A packet into the stack.
    pub(crate) fn inject(&self, packet: &[u8]) {
        self.now(|host| host.inject(packet));
    }

    /// The next packet out of the stack and the time of day it left; time passes until there is
    /// one. `None`: none will come by itself.
    ///
    /// # Errors
    /// What is wrong with the packet, of that which the tool does not look at.
    pub(crate) fn next_packet(&self) -> Result<Option<(u64, Vec<u8>)>, String> {
        let mut state = self.lock_for_call();
        loop {
            if let Some((at, packet)) = state.host.take_packet() {
                check_packet(&packet)?;
                return Ok(Some((state.origin + at, packet)));
            }
            let Some(next) = state.next_stop() else {
                return Ok(None);
            };
            let before = state.host.now();
            self.run_to(&mut state, next);
            let stuck = next <= before && state.next_stop().is_some_and(|n| n <= before);
            if stuck && state.host.next_deadline().is_none() {
                return Ok(None);
            }
        }
    }

    /// Keeps a host's descriptor under one of the kernel's.
    pub(crate) fn install(&self, kernel: c_int, fd: Fd) {
        self.lock().files.insert(kernel, fd);
    }

    /// The host's descriptor for one of the kernel's.
    pub(crate) fn fd(&self, kernel: c_int) -> Option<Fd> {
        self.lock().files.get(&kernel).copied()
    }

    /// Forgets a descriptor.
    pub(crate) fn forget(&self, kernel: c_int) {
        self.lock().files.remove(&kernel);
    }
}

impl State {
    fn next_stop(&self) -> Option<u64> {
        let waiting = self.waiters.iter().filter(|waiter| waiter.reply.is_none());
        let deadlines = waiting.filter_map(|waiter| waiter.deadline);
        self.host.next_deadline().into_iter().chain(deadlines).min()
    }
}
