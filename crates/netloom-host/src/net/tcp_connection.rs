//! A connection the way real programs hold one: they connect by name and within a time, wait for
//! an answer or a timeout, ask whether it still stands, and connect again.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use netloom_stack::{CloseReason, TcpInfo};

use super::Net;
use super::backoff::Backoff;
use super::error::{Error, Reason, from_io};
use super::options::{Keepalive, zero_timeout};
use super::parking::Side;
use super::remote::Remote;
use super::runtime::Patience;
use super::tcp_socket::TcpSocket;
use super::tcp_stream::TcpStream;
use crate::sys;

/// A connection to a host by its name, that can be made again.
///
/// Each call says how it ended: data, the peer's end, a timeout and each kind of failure are never
/// the same. Nothing waits longer than it was told to.
///
/// ```no_run
/// # use netloom_host::net::Net;
/// # fn f(net: Net, request: &[u8]) -> Result<(), netloom_host::net::Error> {
/// use std::io::ErrorKind;
/// use std::time::Duration;
/// use netloom_host::net::{Backoff, TcpConnection};
///
/// let mut plc = TcpConnection::connect(&net, "10.71.0.1:502", Duration::from_secs(2))?;
/// if let Err(partial) = plc.write_within(request, Duration::from_secs(2)) {
///     eprintln!("{} of {} bytes: {}", partial.written, request.len(), partial.error);
/// }
/// let mut buffer = [0; 256];
/// match plc.read_at_least_one(&mut buffer, Duration::from_millis(500)) {
///     Ok(0) => println!("it has finished"),
///     Ok(n) => println!("{n} bytes"),
///     Err(error) if error.kind() == ErrorKind::TimedOut => println!("nothing yet"),
///     Err(error) => println!("lost: {error}"),
/// }
/// if !plc.is_connected() {
///     plc.reconnect(Backoff::default())?;
/// }
/// # Ok(())
/// # }
/// ```
#[doc(alias = "TcpConnectionImpl")]
pub struct TcpConnection {
    net: Net,
    remote: Remote,
    connect_timeout: Duration,
    /// Has the options that each new connection gets.
    socket: TcpSocket,
    stream: Option<TcpStream>,
}

/// A write that was not done in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartialWrite {
    /// So many bytes from the front were taken, to be sent in order; the rest was not.
    pub written: usize,
    /// Why no more was: [`TimedOut`](std::io::ErrorKind::TimedOut),
    /// [`ConnectionReset`](std::io::ErrorKind::ConnectionReset),
    /// [`BrokenPipe`](std::io::ErrorKind::BrokenPipe), ...
    pub error: Error,
}

impl fmt::Display for PartialWrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "after {} bytes: {}", self.written, self.error)
    }
}

impl std::error::Error for PartialWrite {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl From<PartialWrite> for std::io::Error {
    fn from(partial: PartialWrite) -> std::io::Error {
        std::io::Error::new(partial.error.kind(), partial)
    }
}

impl fmt::Debug for TcpConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpConnection")
            .field("remote", &self.remote)
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}

impl TcpConnection {
    /// Connects within `timeout`, the look-up of the name included. Of several addresses the first
    /// that answers is taken; each has a quarter of a second to itself (RFC 8305 §5).
    ///
    /// # Errors
    /// Of these kinds: [`TimedOut`](std::io::ErrorKind::TimedOut);
    /// [`ConnectionRefused`](std::io::ErrorKind::ConnectionRefused),
    /// [`HostUnreachable`](std::io::ErrorKind::HostUnreachable),
    /// [`NetworkUnreachable`](std::io::ErrorKind::NetworkUnreachable) of the last address that
    /// failed; [`NotFound`](std::io::ErrorKind::NotFound) for a name without an address;
    /// [`InvalidInput`](std::io::ErrorKind::InvalidInput) for text that is no host and port, or a
    /// timeout of zero.
    pub fn connect(
        net: &Net,
        to: impl Into<Remote>,
        timeout: Duration,
    ) -> Result<TcpConnection, Error> {
        let socket = net.tcp_socket().map_err(from_io)?;
        TcpConnection::connect_with(net, socket, to, timeout)
    }

    /// [`connect`](TcpConnection::connect) from a socket with options set, which every later
    /// connection gets too.
    ///
    /// # Errors
    /// As [`connect`](TcpConnection::connect); the socket's address may be in use.
    pub fn connect_with(
        net: &Net,
        socket: TcpSocket,
        to: impl Into<Remote>,
        timeout: Duration,
    ) -> Result<TcpConnection, Error> {
        if timeout.is_zero() {
            return Err(from_io(zero_timeout()));
        }
        let mut connection = TcpConnection {
            net: net.clone(),
            remote: to.into(),
            connect_timeout: timeout,
            socket,
            stream: None,
        };
        connection.attempt()?;
        Ok(connection)
    }

    /// One attempt, within the connection's timeout.
    fn attempt(&mut self) -> Result<(), Error> {
        let deadline = Instant::now().checked_add(self.connect_timeout);
        let target = self.remote.target(&self.net, self.connect_timeout);
        let stream = self.socket.dial(&target.map_err(from_io)?, deadline)?;
        self.stream = Some(stream);
        Ok(())
    }

    /// Whether bytes can be exchanged, or at least read, as far as is known here: `false` once
    /// the connection has ended, or the peer has finished and everything it sent was read.
    ///
    /// Asking disturbs nothing: it does not wait, takes no data, and that there is nothing to
    /// read yet does not count as an end. A peer that has vanished without a word shows when
    /// something is sent, or by [keep-alive](TcpConnection::set_keepalive).
    pub fn is_connected(&self) -> bool {
        let known = |stream: &TcpStream| {
            stream.socket().look(|stack, handle| {
                let readiness = stack.tcp_readiness(handle)?;
                let unread = stack.tcp_readable(handle)?;
                Ok(unread > 0
                    || (readiness.connected && !readiness.closed && !readiness.peer_finished))
            })
        };
        self.stream
            .as_ref()
            .is_some_and(|s| known(s).unwrap_or(false))
    }

    /// Gives up the connection there is, if any, and makes a new one with the same options: the
    /// name is looked up again. Tries as often as `backoff` says, each time within the timeout of
    /// [`connect`](TcpConnection::connect).
    ///
    /// # Errors
    /// That of the last attempt. No further one is made when none could succeed: the device is
    /// gone, or an argument cannot be meant. The connection is then not connected, and this may
    /// be called again.
    pub fn reconnect(&mut self, backoff: Backoff) -> Result<(), Error> {
        self.stream = None;
        let mut waits = backoff.delays(random);
        loop {
            let error = match self.attempt() {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let hopeless = matches!(error.reason(), Reason::Device(_))
                || error.kind() == std::io::ErrorKind::InvalidInput;
            match waits.next() {
                Some(wait) if !hopeless => thread::sleep(wait),
                Some(_) | None => return Err(error),
            }
        }
    }

    /// Waits until there is something to read, for `timeout` at most, and reads what there is, at
    /// least one byte. `Ok(0)` means one thing: the peer has finished, and everything was read.
    /// A timeout of zero looks without waiting.
    ///
    /// # Errors
    /// [`TimedOut`](std::io::ErrorKind::TimedOut) when nothing came in time: the connection
    /// stands as it did. Why it ended, otherwise than in order:
    /// [`ConnectionReset`](std::io::ErrorKind::ConnectionReset), or `TimedOut` with another
    /// [reason](Error::reason) than [`Reason::TimedOut`].
    /// [`NotConnected`](std::io::ErrorKind::NotConnected) between connections;
    /// [`InvalidInput`](std::io::ErrorKind::InvalidInput) for an empty buffer, which could not
    /// tell data from the end.
    pub fn read_at_least_one(
        &mut self,
        buffer: &mut [u8],
        timeout: Duration,
    ) -> Result<usize, Error> {
        if buffer.is_empty() {
            return Err(Reason::Argument("nothing can be read into an empty buffer").into());
        }
        let patience = Patience::of(Some(timeout));
        let socket = self.stream()?.socket();
        socket
            .blocking_for(Side::Read, patience, |engine, handle| {
                engine.stack.tcp_read(handle, buffer)
            })
            .map_err(|error| timed_out(from_io(error)))
    }

    /// Hands over all of `data`, to be sent in order, within `timeout` in all, however slowly room
    /// is made. What was handed over is not necessarily delivered: only an answer tells.
    ///
    /// # Errors
    /// How much went, and why no more: [`TimedOut`](std::io::ErrorKind::TimedOut) when the time
    /// was over; why the connection ended; [`BrokenPipe`](std::io::ErrorKind::BrokenPipe) after
    /// this side has finished; [`NotConnected`](std::io::ErrorKind::NotConnected).
    #[doc(alias = "write")]
    pub fn write_within(&mut self, data: &[u8], timeout: Duration) -> Result<(), PartialWrite> {
        let patience = Patience::of(Some(timeout));
        let mut written = 0;
        let mut all = || {
            let socket = self.stream()?.socket();
            while let Some(rest) = data.get(written..).filter(|rest| !rest.is_empty()) {
                written += socket
                    .blocking_for(Side::Write, patience, |engine, handle| {
                        engine.tcp_write(handle, rest)
                    })
                    .map_err(|error| timed_out(from_io(error)))?;
            }
            Ok(())
        };
        all().map_err(|error| PartialWrite { written, error })
    }

    /// Has a silent peer probed, on this connection and those made later; `None`: no longer.
    ///
    /// # Errors
    /// [`InvalidInput`](std::io::ErrorKind::InvalidInput) below 1 s or 2 probes.
    pub fn set_keepalive(&mut self, keepalive: Option<Keepalive>) -> Result<(), Error> {
        self.socket = self.socket.clone().keepalive(keepalive).map_err(from_io)?;
        match &self.stream {
            Some(stream) => stream.set_keepalive(keepalive).map_err(from_io),
            None => Ok(()),
        }
    }

    /// Sends small writes at once, on this connection and those made later.
    ///
    /// # Errors
    /// None today.
    pub fn set_nodelay(&mut self, nodelay: bool) -> Result<(), Error> {
        self.socket = self.socket.clone().nodelay(nodelay);
        match &self.stream {
            Some(stream) => stream.set_nodelay(nodelay).map_err(from_io),
            None => Ok(()),
        }
    }

    /// Changes how long each later attempt to connect may take.
    ///
    /// # Errors
    /// [`InvalidInput`](std::io::ErrorKind::InvalidInput) for zero.
    pub fn set_connect_timeout(&mut self, timeout: Duration) -> Result<(), Error> {
        if timeout.is_zero() {
            return Err(from_io(zero_timeout()));
        }
        self.connect_timeout = timeout;
        Ok(())
    }

    /// Whom it connects to, as it was given.
    pub fn remote(&self) -> &Remote {
        &self.remote
    }

    /// Why the connection ended; `None` while it stands, or when there is none.
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.stream.as_ref().and_then(TcpStream::close_reason)
    }

    /// Everything that can be told of the connection.
    ///
    /// # Errors
    /// [`NotConnected`](std::io::ErrorKind::NotConnected) between connections.
    pub fn tcp_info(&self) -> Result<TcpInfo, Error> {
        self.stream()?.tcp_info().map_err(from_io)
    }

    /// The connection there is now, which may have ended: for everything a stream can do.
    ///
    /// # Errors
    /// [`NotConnected`](std::io::ErrorKind::NotConnected) after a
    /// [`reconnect`](TcpConnection::reconnect) that failed.
    pub fn stream(&self) -> Result<&TcpStream, Error> {
        let none = || Error::from(netloom_stack::Error::NotConnected);
        self.stream.as_ref().ok_or_else(none)
    }

    /// Gives the connection out of hand as a stream.
    ///
    /// # Errors
    /// As [`stream`](TcpConnection::stream).
    pub fn into_stream(self) -> Result<TcpStream, Error> {
        let none = || Error::from(netloom_stack::Error::NotConnected);
        self.stream.ok_or_else(none)
    }
}

/// A call whose time was over: `TimedOut` here, where std's streams say `WouldBlock`.
fn timed_out(error: Error) -> Error {
    match error.reason() {
        Reason::TimedOut => Reason::TimedOut.into(),
        Reason::WouldBlock
        | Reason::Closed(_)
        | Reason::Stack(_)
        | Reason::Device(_)
        | Reason::Argument(_)
        | Reason::Lookup { .. }
        | Reason::Other(_) => error,
    }
}

fn random() -> u32 {
    let mut bytes = [0; 4];
    // Without randomness the waits are the longest they can be.
    let _ = sys::random_bytes(&mut bytes);
    u32::from_ne_bytes(bytes)
}
