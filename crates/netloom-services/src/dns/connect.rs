//! Happy eyeballs: connecting by name, to whichever address answers first (RFC 8305).

use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use netloom_stack::driver::Instant;
use netloom_stack::{Error, Stack, TcpHandle};
use netloom_wire::dns::{Name, RecordType};

use super::attempts::{Attempts, micros};
use super::failure::Failure;
use super::order::sort_destinations;
use super::resolver::{BeginError, Query, Resolver};

/// Times of a [`Connector`], with the values RFC 8305 §8 recommends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectorSettings {
    /// How long to wait for AAAA records when A records are there already: 50 ms.
    pub resolution_delay: Duration,
    /// How long an attempt may take before the next address is tried beside it: 250 ms; below
    /// 10 ms it is 10 ms.
    pub attempt_delay: Duration,
}

impl Default for ConnectorSettings {
    fn default() -> ConnectorSettings {
        ConnectorSettings {
            resolution_delay: Duration::from_millis(50),
            attempt_delay: Attempts::<0>::DELAY,
        }
    }
}

/// Why no connection came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectError {
    /// The name has no addresses.
    Lookup(Failure),
    /// No address could be connected to: what was said of the last.
    Connect(Error),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConnectError::Lookup(failure) => failure.fmt(f),
            ConnectError::Connect(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ConnectError {}

/// One connection by name under way: AAAA and A records are asked for at once, and the addresses
/// put in order and tried as [`Attempts`] does.
///
/// `ADDRS` addresses are tried at most. It needs two of the resolver's queries while names are
/// looked up, and what [`Attempts`] needs. To be polled when the stack has news, after the
/// resolver.
#[derive(Debug)]
pub struct Connector<const ADDRS: usize> {
    port: u16,
    resolution_delay: Duration,
    /// AAAA and A.
    queries: [Option<Query>; 2],
    attempts: Attempts<ADDRS>,
    /// A records came before AAAA: when to go on without.
    resolution_due: Option<Instant>,
    lookup: Option<Failure>,
}

impl<const ADDRS: usize> Connector<ADDRS> {
    /// Begins to look up a name to connect to; a numeric address needs no looking up.
    ///
    /// # Errors
    /// As [`Resolver::begin`].
    //= https://www.rfc-editor.org/rfc/rfc8305#section-3
    //# Both queries SHOULD be made as soon after
    //# one another as possible, with the AAAA query made first and
    //# immediately followed by the A query.
    pub fn begin<const Q: usize, const A: usize, const C: usize, const M: usize>(
        stack: &mut Stack,
        resolver: &mut Resolver<Q, A, C, M>,
        name: &str,
        port: u16,
        settings: ConnectorSettings,
    ) -> Result<Self, BeginError> {
        let mut connector = Connector {
            port,
            resolution_delay: settings.resolution_delay,
            queries: [None; 2],
            attempts: Attempts::new(stack, settings.attempt_delay),
            resolution_due: None,
            lookup: None,
        };
        if let Ok(addr) = name.parse::<IpAddr>() {
            connector.attempts.add(SocketAddr::new(addr, port));
            return Ok(connector);
        }
        let v6 = resolver.begin(stack, name, RecordType::AAAA)?;
        match resolver.begin(stack, name, RecordType::A) {
            Ok(v4) => connector.queries = [Some(v6), Some(v4)],
            Err(error) => {
                resolver.end(stack, v6);
                return Err(error);
            }
        }
        Ok(connector)
    }

    /// Goes on as far as it can; `open` begins a connection, as
    /// [`tcp_connect`](Stack::tcp_connect) does. When it returns something all is over, and all
    /// but the connection given back.
    pub fn poll<const Q: usize, const A: usize, const C: usize, const M: usize>(
        &mut self,
        stack: &mut Stack,
        resolver: &mut Resolver<Q, A, C, M>,
        open: impl FnMut(&mut Stack, SocketAddr) -> Result<TcpHandle, Error>,
    ) -> Option<Result<TcpHandle, ConnectError>> {
        self.take_answers(stack, resolver);
        if let Some(connected) = self.attempts.take_connected(stack) {
            self.end(stack, resolver);
            return Some(Ok(connected));
        }
        if self.resolution_due.is_none_or(|due| due <= stack.now()) {
            self.resolution_due = None;
            self.attempts.try_due(stack, open);
        }
        if self.queries.iter().all(Option::is_none) && self.attempts.is_over() {
            self.end(stack, resolver);
            let lookup = ConnectError::Lookup(self.lookup.unwrap_or(Failure::NoSuchRecord));
            let last = self.attempts.last_error();
            return Some(Err(last.map_or(lookup, ConnectError::Connect)));
        }
        self.attempts.wake_at(stack, self.deadline());
        None
    }

    /// When it wants to be polled if nothing happens before. The stack's own deadline covers this,
    /// unless no UDP socket was left for the timer.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.resolution_due.or_else(|| self.attempts.deadline())
    }

    /// Gives everything up.
    pub fn end<const Q: usize, const A: usize, const C: usize, const M: usize>(
        &mut self,
        stack: &mut Stack,
        resolver: &mut Resolver<Q, A, C, M>,
    ) {
        for query in self.queries.iter_mut().filter_map(Option::take) {
            resolver.end(stack, query);
        }
        self.attempts.end(stack);
    }

    fn take_answers<const Q: usize, const A: usize, const C: usize, const M: usize>(
        &mut self,
        stack: &mut Stack,
        resolver: &mut Resolver<Q, A, C, M>,
    ) {
        for index in 0..2 {
            let query = self.queries.get(index).copied().flatten();
            let Some((query, result)) = query.and_then(|q| Some((q, resolver.answer(q)?))) else {
                continue;
            };
            match result {
                Ok(answer) => {
                    // One version must not take all places from the other.
                    let other_pending = self.queries.get(1 - index).is_some_and(Option::is_some);
                    let share = if other_pending { ADDRS / 2 } else { ADDRS };
                    for addr in answer.addresses().take(share.max(1)) {
                        self.attempts.add(SocketAddr::new(addr, self.port));
                    }
                }
                Err(failure) => {
                    // That there is no such name says more than that it has no such record.
                    if self
                        .lookup
                        .is_none_or(|known| known == Failure::NoSuchRecord)
                    {
                        self.lookup = Some(failure);
                    }
                }
            }
            resolver.end(stack, query);
            if let Some(place) = self.queries.get_mut(index) {
                *place = None;
            }
            sort_destinations(stack, self.attempts.untried());
        }
        //= https://www.rfc-editor.org/rfc/rfc8305#section-3
        //# If a positive A response is received first due to reordering, the
        //# client SHOULD wait a short time for the AAAA response to ensure that
        //# preference is given to IPv6 (it is common for the AAAA response to
        //# follow the A response by a few milliseconds).
        let [v6, _] = self.queries;
        if v6.is_none() || self.attempts.known() == 0 {
            self.resolution_due = None;
        } else if !self.attempts.has_begun() && self.resolution_due.is_none() {
            let delay = micros(self.resolution_delay);
            self.resolution_due = Some(stack.now().plus_micros(delay));
        }
    }
}

/// A name and a port as programs write them: `example.org:80`, `[fd00::1]:80`. `None` if there is
/// no port or the rest is neither a name nor an address.
#[must_use]
pub fn split_host_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port
        .parse()
        .ok()
        .filter(|_| port.bytes().all(|o| o.is_ascii_digit()))?;
    let inner = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let is_good = match inner {
        Some(inner) => inner.parse::<core::net::Ipv6Addr>().is_ok(),
        None => !host.contains(':') && host.parse::<Name>().is_ok(),
    };
    is_good.then_some((inner.unwrap_or(host), port))
}
