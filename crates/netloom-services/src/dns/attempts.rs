//! Connection attempts to several addresses, each beside those before it (RFC 8305 §5).

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;

use netloom_stack::driver::Instant;
use netloom_stack::{Error, Stack, TcpHandle, UdpHandle};

const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// Connection attempts to addresses that are known, in the order in which they were added: one
/// begins when those before it have failed, or have had [`Attempts::DELAY`] without an answer. The
/// first that is connected is taken, the others are given up.
///
/// `ADDRS` addresses are tried at most. It needs a UDP socket of the stack for its timer while
/// there is a next address, and a connection an attempt. To be polled when the stack has news.
#[derive(Debug)]
pub struct Attempts<const ADDRS: usize> {
    delay: Duration,
    destinations: [SocketAddr; ADDRS],
    known: usize,
    tried: usize,
    under_way: [Option<TcpHandle>; ADDRS],
    timer: Option<UdpHandle>,
    /// When the next address is tried, and before when it must not be.
    due: Instant,
    not_before: Instant,
    last: Option<Error>,
}

impl<const ADDRS: usize> Attempts<ADDRS> {
    /// How long an attempt has to itself, as RFC 8305 §8 recommends.
    pub const DELAY: Duration = Duration::from_millis(250);

    /// None yet; the first may begin at once. Below 10 ms, `delay` is 10 ms.
    #[must_use]
    pub fn new(stack: &Stack, delay: Duration) -> Self {
        Attempts {
            delay,
            destinations: [NOWHERE; ADDRS],
            known: 0,
            tried: 0,
            under_way: [None; ADDRS],
            timer: None,
            due: stack.now(),
            not_before: Instant::ZERO,
            last: None,
        }
    }

    /// Adds an address, to be tried after those there are; says whether there was room.
    pub fn add(&mut self, to: SocketAddr) -> bool {
        let Some(place) = self.destinations.get_mut(self.known) else {
            return false;
        };
        *place = to;
        self.known = self.known.saturating_add(1);
        true
    }

    /// Goes on as far as it can; `open` begins a connection, as
    /// [`tcp_connect`](Stack::tcp_connect) does. When it returns something all is over, and all
    /// but the connection given back.
    ///
    /// # Errors
    /// What was said of the last address that failed; [`Error::InvalidArgument`] if there was none.
    pub fn poll(
        &mut self,
        stack: &mut Stack,
        open: impl FnMut(&mut Stack, SocketAddr) -> Result<TcpHandle, Error>,
    ) -> Option<Result<TcpHandle, Error>> {
        if let Some(connected) = self.take_connected(stack) {
            self.end(stack);
            return Some(Ok(connected));
        }
        self.try_due(stack, open);
        if self.is_over() {
            self.end(stack);
            return Some(Err(self.last.unwrap_or(Error::InvalidArgument)));
        }
        self.wake_at(stack, self.deadline());
        None
    }

    /// When it wants to be polled if nothing happens before. The stack's own deadline covers this,
    /// unless no UDP socket was left for the timer.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        (self.tried < self.known).then_some(self.due)
    }

    /// Gives everything up.
    pub fn end(&mut self, stack: &mut Stack) {
        //= https://www.rfc-editor.org/rfc/rfc8305#section-5
        //# Once one of the connection attempts succeeds (generally when the TCP
        //# handshake completes), all other connections attempts that have not
        //# yet succeeded SHOULD be canceled.
        for attempt in self.under_way.iter_mut().filter_map(Option::take) {
            let _ = stack.tcp_abort(attempt);
            let _ = stack.tcp_close(attempt);
        }
        if let Some(timer) = self.timer.take() {
            let _ = stack.udp_close(timer);
        }
        self.tried = self.known;
    }

    /// How many addresses were added.
    pub(super) fn known(&self) -> usize {
        self.known
    }

    /// Whether an address has been tried.
    pub(super) fn has_begun(&self) -> bool {
        self.tried > 0
    }

    /// Every address has been tried, and failed.
    pub(super) fn is_over(&self) -> bool {
        self.tried == self.known && self.under_way.iter().all(Option::is_none)
    }

    /// What was said of the last address that failed.
    pub(super) fn last_error(&self) -> Option<Error> {
        self.last
    }

    /// The addresses that are not tried yet.
    pub(super) fn untried(&mut self) -> &mut [SocketAddr] {
        let untried = self.destinations.get_mut(self.tried..self.known);
        untried.unwrap_or_default()
    }

    /// Takes the connection that is open, if one is, and lets go of those that failed.
    pub(super) fn take_connected(&mut self, stack: &mut Stack) -> Option<TcpHandle> {
        for place in &mut self.under_way {
            let Some(attempt) = *place else { continue };
            match stack.tcp_readiness(attempt) {
                Ok(ready) if ready.connected => {
                    *place = None;
                    return Some(attempt);
                }
                Ok(ready) if !ready.closed => {}
                Ok(_) => {
                    let reason = stack.tcp_close_reason(attempt).ok().flatten();
                    self.last = reason.map(Error::Closed).or(self.last);
                    let _ = stack.tcp_close(attempt);
                    *place = None;
                    // The next one's turn has come.
                    self.due = stack.now().max(self.not_before);
                }
                Err(error) => {
                    self.last = Some(error);
                    *place = None;
                }
            }
        }
        None
    }

    /// Begins as many attempts as are due.
    pub(super) fn try_due(
        &mut self,
        stack: &mut Stack,
        mut open: impl FnMut(&mut Stack, SocketAddr) -> Result<TcpHandle, Error>,
    ) {
        while self.due <= stack.now() {
            let index = self.tried;
            let Some(to) = self.untried().first().copied() else {
                return;
            };
            self.tried = self.tried.saturating_add(1);
            match open(stack, to) {
                Ok(attempt) => {
                    if let Some(place) = self.under_way.get_mut(index) {
                        *place = Some(attempt);
                    }
                    //= https://www.rfc-editor.org/rfc/rfc8305#section-5
                    //# More specifically, a
                    //# subsequent connection MUST NOT be started within 10 milliseconds of
                    //# the previous attempt.
                    self.not_before = stack.now().plus_micros(10_000);
                    let delay = micros(self.delay);
                    self.due = stack.now().plus_micros(delay).max(self.not_before);
                }
                // Nothing was sent: the next one's turn has come.
                Err(error) => self.last = Some(error),
            }
        }
    }

    /// Has the stack wake at that time.
    pub(super) fn wake_at(&mut self, stack: &mut Stack, due: Option<Instant>) {
        if self.timer.is_none() && due.is_some() {
            self.timer = stack.udp_bind(0).ok();
        }
        if let Some(timer) = self.timer {
            let _ = stack.udp_wake_at(timer, due);
        }
    }
}

pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
