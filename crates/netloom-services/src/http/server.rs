//! A server on a stack: the connections of one program, in a fixed number of places.

use netloom_stack::driver::Instant;
use netloom_stack::tcp::How;
use netloom_stack::{Error, Stack, TcpHandle};

use super::counters::Counters;
use super::date::HttpDate;
use super::session::{Handler, Progress, Session};
use super::transport::Connection;

#[cfg(test)]
mod tests;

/// What is read away at most while a connection closes.
const MAX_LINGER: usize = 1 << 20;

/// The memory of one connection; what each is for, [`Session::new`] says.
#[derive(Debug)]
pub struct Buffers<'m> {
    /// For what is received: at least as large as the largest head.
    pub rx: &'m mut [u8],
    /// For what is sent.
    pub tx: &'m mut [u8],
    /// For the content of requests.
    pub content: &'m mut [u8],
}

/// How long a client may take, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// From the beginning of a request to its end, as a whole; then 408 is answered.
    pub request: u64,
    /// Between two requests.
    pub idle: u64,
    /// Without taking an octet of a response.
    pub send: u64,
    /// To close its side.
    pub linger: u64,
}

impl Default for Timeouts {
    /// 10, 30, 30 and 2 seconds.
    fn default() -> Self {
        Self {
            request: 10_000_000,
            idle: 30_000_000,
            send: 30_000_000,
            linger: 2_000_000,
        }
    }
}

/// A server of up to `N` connections at once, on lent memory.
///
/// The program accepts connections while there is [room](Server::has_room) and [starts](Server::start)
/// them, calls [`Server::poll`] when anything has happened on the stack, and when the time of
/// [`Server::next_deadline`] has come.
///
/// The time-outs are its own, not timers of the stack: [`Stack::next_deadline`] does not cover them.
/// A program sleeps until the earlier of both, and gives `now` by the clock that the stack is given.
///
/// ```
/// use netloom_services::http::{Content, Handler, Reply, Request, Server, Status};
/// use netloom_stack::driver::Instant;
/// use netloom_stack::{ListenerHandle, Stack};
///
/// struct Hello;
///
/// impl Handler for Hello {
///     fn handle(&mut self, request: &Request<'_>, _: &[u8], reply: Reply<'_, '_>) {
///         let _ = match request.path() {
///             b"/" => reply.text(Status::OK, "text/plain", "hello\n"),
///             _ => reply.status(Status::NOT_FOUND),
///         };
///     }
/// }
///
/// fn turn(web: &mut Server<'_, 2>, stack: &mut Stack, listener: ListenerHandle, now: Instant) {
///     while web.has_room() {
///         let Ok(Some(conn)) = stack.tcp_accept(listener) else { break };
///         web.start(now, stack, conn);
///     }
///     web.poll(now, None, stack, &mut Hello);
/// }
/// ```
#[derive(Debug)]
pub struct Server<'m, const N: usize> {
    places: [Place<'m>; N],
    timeouts: Timeouts,
    /// What no place counts.
    counters: Counters,
}

#[derive(Debug)]
struct Place<'m> {
    session: Session<'m>,
    active: Option<Active>,
}

#[derive(Debug, Clone, Copy)]
struct Active {
    handle: TcpHandle,
    waits_for: WaitsFor,
    deadline: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WaitsFor {
    Request,
    Rest,
    Room,
    /// The client closes its side; so many octets of what it still sends may be read away.
    End(usize),
}

impl<'m, const N: usize> Server<'m, N> {
    /// A server without connections.
    #[must_use]
    pub fn new(buffers: [Buffers<'m>; N], timeouts: Timeouts) -> Self {
        let place = |Buffers { rx, tx, content }| Place {
            session: Session::new(rx, tx, content),
            active: None,
        };
        Self {
            places: buffers.map(place),
            timeouts,
            counters: Counters::ZERO,
        }
    }

    /// What it did with connections and requests.
    #[cfg(feature = "counters")]
    #[must_use]
    pub fn counters(&self) -> Counters {
        let each = self.places.iter().map(|place| place.session.counters());
        each.fold(self.counters, |sum, one| sum.plus(one))
    }

    /// Whether another connection can be started.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.places.iter().any(|place| place.active.is_none())
    }

    /// Connections there are.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.places.iter().filter(|p| p.active.is_some()).count()
    }

    /// Serves the accepted connection `handle` from now on, and gives it back to the stack when it
    /// is over. Without room it is reset.
    pub fn start(&mut self, now: Instant, stack: &mut Stack, handle: TcpHandle) {
        let free = self.places.iter_mut().find(|p| p.active.is_none());
        let Some(place) = free else {
            count!(self.counters, no_room);
            end(stack, handle);
            return;
        };
        // Whole responses are handed over: there is nothing to wait for.
        let _ = stack.tcp_set_nodelay(handle, true);
        place.session.restart();
        count!(place.session.counters, connections);
        place.active = Some(Active {
            handle,
            waits_for: WaitsFor::Request,
            deadline: now.plus_micros(self.timeouts.request),
        });
    }

    /// Does for every connection what can be done at the time `now`. `date` is the time of day, if
    /// it is known.
    pub fn poll<H: Handler>(
        &mut self,
        now: Instant,
        date: Option<HttpDate>,
        stack: &mut Stack,
        handler: &mut H,
    ) {
        for Place { session, active } in &mut self.places {
            if let Some(before) = *active {
                *active = match before.waits_for {
                    WaitsFor::End(left) => before.linger(now, left, &mut session.counters, stack),
                    WaitsFor::Request | WaitsFor::Rest | WaitsFor::Room => {
                        before.serve(now, date, &self.timeouts, session, stack, handler)
                    }
                };
            }
        }
    }

    /// When [`Server::poll`] is to be called even if nothing has happened.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let active = self.places.iter().filter_map(|place| place.active);
        active.map(|active| active.deadline).min()
    }
}

impl Active {
    fn serve<H: Handler>(
        mut self,
        now: Instant,
        date: Option<HttpDate>,
        timeouts: &Timeouts,
        session: &mut Session<'_>,
        stack: &mut Stack,
        handler: &mut H,
    ) -> Option<Self> {
        let is_late = now >= self.deadline;
        if is_late && self.waits_for == WaitsFor::Rest {
            session.time_out();
        }
        let mut conn = Connection::new(stack, self.handle);
        let polled = session.poll(&mut conn, handler, date);
        let has_sent = conn.sent() > 0;
        let (waits_for, time) = match polled {
            Err(_) => {
                count!(session.counters, failed);
                end(stack, self.handle);
                return None;
            }
            //= https://www.rfc-editor.org/rfc/rfc9112#section-9.6
            //# To avoid the TCP reset problem, servers typically close a connection
            //# in stages.  First, the server performs a half-close by closing only
            //# the write side of the read/write connection.
            Ok(Progress::Done) => {
                let _ = stack.tcp_shutdown(self.handle, How::Write);
                self.deadline = now.plus_micros(timeouts.linger);
                return self.linger(now, MAX_LINGER, &mut session.counters, stack);
            }
            Ok(Progress::Idle) => (WaitsFor::Request, timeouts.idle),
            Ok(Progress::Receiving) => (WaitsFor::Rest, timeouts.request),
            Ok(Progress::Sending) => (WaitsFor::Room, timeouts.send),
        };
        // The time for a request is not begun anew by each octet of it, that for sending is.
        if waits_for != self.waits_for || has_sent {
            self.waits_for = waits_for;
            self.deadline = now.plus_micros(time);
        } else if is_late {
            count!(session.counters, timed_out);
            end(stack, self.handle);
            return None;
        }
        Some(self)
    }

    fn linger(
        mut self,
        now: Instant,
        left: usize,
        counters: &mut Counters,
        stack: &mut Stack,
    ) -> Option<Self> {
        let mut left = left;
        while now < self.deadline && left > 0 {
            let read = stack.tcp_read_with(self.handle, |first, second| {
                first.len().saturating_add(second.len())
            });
            match read {
                Ok(0) => {
                    let _ = stack.tcp_close(self.handle);
                    return None;
                }
                Ok(read) => left = left.saturating_sub(read),
                Err(Error::WouldBlock) => {
                    self.waits_for = WaitsFor::End(left);
                    return Some(self);
                }
                Err(_) => break,
            }
        }
        if now < self.deadline {
            count!(counters, failed);
        } else {
            count!(counters, timed_out);
        }
        end(stack, self.handle);
        None
    }
}

/// Resets a connection and gives it back.
fn end(stack: &mut Stack, handle: TcpHandle) {
    let _ = stack.tcp_abort(handle);
    let _ = stack.tcp_close(handle);
}
