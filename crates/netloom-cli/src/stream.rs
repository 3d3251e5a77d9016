//! What server and client need of a transport; the kernel's TCP and netloom's as two of them; and
//! the time that reading and writing may take.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use netloom_services::http::{StreamError, Transport};

#[cfg(test)]
mod tests;

/// A blocking byte stream to a client.
///
/// A read or write that takes longer than its timeout fails with [`ErrorKind::WouldBlock`] or
/// [`ErrorKind::TimedOut`], as those of `std::net` do.
pub trait Connection: Read + Write {
    /// How long a read waits for its first octet; `None` for ever. Never zero.
    ///
    /// # Errors
    ///
    /// The transport's.
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;

    /// How long a write waits for room; `None` for ever. Never zero.
    ///
    /// # Errors
    ///
    /// The transport's.
    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;

    /// Ends the sending direction (TCP's FIN, behind what was written); reading goes on.
    ///
    /// # Errors
    ///
    /// The transport's.
    fn shutdown_write(&self) -> io::Result<()>;
}

/// Where connections come from.
pub trait Listener {
    /// A connection of this transport.
    type Connection: Connection + Send + 'static;

    /// Waits for the next connection, and says who it is from. The connection sends small writes
    /// at once (no Nagle delay): the server hands over whole responses.
    ///
    /// # Errors
    ///
    /// The transport's. The server tries again after errors that concern one connection or pass
    /// with time, and ends on all others.
    fn accept(&self) -> io::Result<(Self::Connection, SocketAddr)>;
}

impl Connection for TcpStream {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        Self::set_read_timeout(self, timeout)
    }

    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        Self::set_write_timeout(self, timeout)
    }

    fn shutdown_write(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl Listener for TcpListener {
    type Connection = TcpStream;

    fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = Self::accept(self)?;
        stream.set_nodelay(true)?;
        Ok((stream, peer))
    }
}

#[cfg(target_os = "linux")]
impl Connection for netloom::TcpStream {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        Self::set_read_timeout(self, timeout)
    }

    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        Self::set_write_timeout(self, timeout)
    }

    fn shutdown_write(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

#[cfg(target_os = "linux")]
impl Listener for netloom::TcpListener {
    type Connection = netloom::TcpStream;

    fn accept(&self) -> io::Result<(netloom::TcpStream, SocketAddr)> {
        let (stream, peer) = Self::accept(self)?;
        stream.set_nodelay(true)?;
        Ok((stream, peer))
    }
}

/// A connection whose reads and writes have their time. As a [`Transport`] it waits; what takes
/// longer than its time would block.
#[derive(Debug)]
pub(crate) struct Timed<C> {
    inner: C,
    patience: Patience,
    write_time: Duration,
    /// What the transport was told last, so that it is told only what changes.
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

/// How long reading may take.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Patience {
    /// So long for each read.
    #[cfg(target_os = "linux")]
    Each(Duration),
    /// Until then for all.
    Until(Instant),
    /// For something that begins with its first octet: so long until that, and so long from there
    /// to the end.
    Message {
        first: Duration,
        all: Duration,
        begun: Option<Instant>,
    },
}

impl Patience {
    /// The time for a read now; none if it is over.
    fn left(self) -> Option<Duration> {
        let left = match self {
            #[cfg(target_os = "linux")]
            Self::Each(time) => return Some(time),
            Self::Message {
                first, begun: None, ..
            } => return Some(first),
            Self::Until(then) => then.saturating_duration_since(Instant::now()),
            Self::Message {
                all,
                begun: Some(begun),
                ..
            } => all.saturating_sub(begun.elapsed()),
        };
        Some(left).filter(|left| !left.is_zero())
    }
}

/// The shortest timeout a transport is asked for: zero would mean none.
const SHORTEST: Duration = Duration::from_millis(1);

impl<C: Connection> Timed<C> {
    /// Writes a buffer within `write_time`.
    pub(crate) fn new(inner: C, write_time: Duration) -> Self {
        Self {
            inner,
            patience: Patience::Until(Instant::now()),
            write_time,
            read_timeout: None,
            write_timeout: None,
        }
    }

    /// Has reads take no longer than that from now on.
    pub(crate) fn set_patience(&mut self, patience: Patience) {
        self.patience = patience;
    }

    /// When the message began whose octets are being read.
    pub(crate) fn begun(&self) -> Option<Instant> {
        match self.patience {
            Patience::Message { begun, .. } => begun,
            #[cfg(target_os = "linux")]
            Patience::Each(_) => None,
            Patience::Until(_) => None,
        }
    }

    /// Reads something within `time`; zero octets are the end of the stream.
    pub(crate) fn read(&mut self, buffer: &mut [u8], time: Duration) -> io::Result<usize> {
        let timeout = Some(time.max(SHORTEST));
        if self.read_timeout != timeout {
            self.inner.set_read_timeout(timeout)?;
            self.read_timeout = timeout;
        }
        loop {
            match self.inner.read(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Err(ErrorKind::TimedOut.into());
                }
                done => return done,
            }
        }
    }

    /// Writes all of `bytes` within `time`, however little the client takes at once.
    pub(crate) fn write_all(&mut self, mut bytes: &[u8], time: Duration) -> io::Result<()> {
        let start = Instant::now();
        let mut left = time;
        while !bytes.is_empty() {
            let timeout = Some(left.max(SHORTEST));
            if self.write_timeout != timeout {
                self.inner.set_write_timeout(timeout)?;
                self.write_timeout = timeout;
            }
            match self.inner.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if !bytes.is_empty() {
                left = time.saturating_sub(start.elapsed());
                if left.is_zero() {
                    return Err(ErrorKind::TimedOut.into());
                }
            }
        }
        Ok(())
    }

    /// Closes in stages: ends the sending direction, reads away what the client still sends, for
    /// at most `time` and `octets`, until it closes its side, and only then lets go.
    //= https://www.rfc-editor.org/rfc/rfc9112#section-9.6
    //# To avoid the TCP reset problem, servers typically close a connection
    //# in stages.
    pub(crate) fn linger(mut self, scratch: &mut [u8], time: Duration, octets: usize) {
        if self.inner.shutdown_write().is_err() {
            return;
        }
        let (start, mut drained) = (Instant::now(), 0);
        while drained < octets {
            let left = time.saturating_sub(start.elapsed());
            if left.is_zero() {
                return;
            }
            match self.read(scratch, left) {
                Ok(0) | Err(_) => return,
                Ok(read) => drained += read,
            }
        }
    }
}

impl<C: Connection> Transport for Timed<C> {
    type Error = io::Error;

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, StreamError<io::Error>> {
        let time = self.patience.left().ok_or(StreamError::WouldBlock)?;
        match self.read(buffer, time) {
            Ok(read) => {
                if let Patience::Message { begun, .. } = &mut self.patience {
                    *begun = begun.or_else(|| (read > 0).then(Instant::now));
                }
                Ok(read)
            }
            Err(error) if error.kind() == ErrorKind::TimedOut => Err(StreamError::WouldBlock),
            Err(error) => Err(StreamError::Failed(error)),
        }
    }

    /// Takes all of it, within the time for a buffer: a client that is too slow has failed.
    fn send(&mut self, data: &[u8]) -> Result<usize, StreamError<io::Error>> {
        let time = self.write_time;
        self.write_all(data, time).map_err(StreamError::Failed)?;
        Ok(data.len())
    }
}
