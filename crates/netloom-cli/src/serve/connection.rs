//! What the server needs of a transport; the kernel's TCP and netloom's as two of them.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

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

/// A connection whose reads and writes each come with their time.
#[derive(Debug)]
pub(crate) struct Timed<C> {
    inner: C,
    /// What the transport was told last, so that it is told only what changes.
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

/// The shortest timeout a transport is asked for: zero would mean none.
const SHORTEST: Duration = Duration::from_millis(1);

impl<C: Connection> Timed<C> {
    pub(crate) fn new(inner: C) -> Self {
        Self {
            inner,
            read_timeout: None,
            write_timeout: None,
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
