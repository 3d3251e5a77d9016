//! Connections.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use netloom_stack::tcp::How;
use netloom_stack::{CloseReason, Error, Stack, TcpHandle, TcpInfo};

use super::engine::Engine;
use super::error::{reason, to_io};
use super::options::{Keepalive, Waiting, ttl};
use super::parking::{Parking, Side};
use super::runtime::{Patience, Running};

/// A connection, like [`std::net::TcpStream`].
///
/// Made by [`Net::tcp_connect`](super::Net::tcp_connect) or
/// [`TcpListener::accept`](super::TcpListener::accept). Dropping the last clone closes it: what
/// was written is still sent, then FIN; if something that arrived was not read, the peer is told
/// by a reset (RFC 9293 §3.6.1).
#[derive(Debug)]
#[doc(alias = "TCPConn")]
#[doc(alias = "net.Conn")]
pub struct TcpStream {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    running: Arc<Running>,
    handle: TcpHandle,
    parking: Arc<Parking>,
    local: SocketAddr,
    peer: SocketAddr,
    waiting: Waiting,
    /// `take_error` has told why the connection ended.
    told_end: AtomicBool,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let handle = self.handle;
        self.running
            .shared()
            .with(|engine| engine.close_tcp(handle));
    }
}

impl TcpStream {
    pub(super) fn new(
        running: Arc<Running>,
        handle: TcpHandle,
        parking: Arc<Parking>,
        local: SocketAddr,
        peer: SocketAddr,
    ) -> TcpStream {
        TcpStream {
            inner: Arc::new(Inner {
                running,
                handle,
                parking,
                local,
                peer,
                waiting: Waiting::default(),
                told_end: AtomicBool::new(false),
            }),
        }
    }

    /// Connects and waits until the connection is open.
    pub(super) fn open(
        running: &Arc<Running>,
        from: Option<SocketAddr>,
        to: SocketAddr,
        timeout: Option<Duration>,
    ) -> io::Result<TcpStream> {
        let patience = Patience::of(timeout);
        let (handle, parking, local) = running
            .shared()
            .with(|engine| {
                let handle = match from {
                    Some(from) => engine.stack.tcp_connect_from(from, to)?,
                    None => engine.stack.tcp_connect(to)?,
                };
                let local = engine.stack.tcp_local_addr(handle)?;
                Ok((handle, engine.add_tcp(handle), local))
            })
            .map_err(to_io)?;
        // From here on dropping the stream gives the handle back, whatever happens.
        let stream = TcpStream::new(Arc::clone(running), handle, parking, local, to);
        let Inner { parking, .. } = &*stream.inner;
        let opened = running
            .shared()
            .block(parking, Side::Write, patience, |engine| {
                let stack = &engine.stack;
                let readiness = stack.tcp_readiness(handle)?;
                if readiness.connected {
                    return Ok(());
                }
                match stack.tcp_close_reason(handle)? {
                    Some(reason) => Err(Error::Closed(reason)),
                    None => Err(Error::WouldBlock),
                }
            });
        match opened {
            Ok(()) => Ok(stream),
            Err(error) if reason(&error) == Some(Error::WouldBlock) => {
                stream.abort()?;
                Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the connection was not open in time",
                ))
            }
            Err(error) => Err(error),
        }
    }

    fn blocking<T>(
        &self,
        side: Side,
        call: impl FnMut(&mut Engine) -> Result<T, Error>,
    ) -> io::Result<T> {
        let Inner {
            running,
            parking,
            waiting,
            ..
        } = &*self.inner;
        let timeout = match side {
            Side::Read => &waiting.read,
            Side::Write => &waiting.write,
        };
        running
            .shared()
            .block(parking, side, waiting.patience(timeout), call)
    }

    /// Calls the stack about this connection, and sends what that gave it to send.
    fn call<T>(
        &self,
        call: impl FnOnce(&mut Stack, TcpHandle) -> Result<T, Error>,
    ) -> io::Result<T> {
        let handle = self.inner.handle;
        self.inner
            .running
            .shared()
            .with(|engine| call(&mut engine.stack, handle))
            .map_err(to_io)
    }

    /// The remote end.
    ///
    /// # Errors
    /// None today.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.inner.peer)
    }

    /// The local end.
    ///
    /// # Errors
    /// None today.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.inner.local)
    }

    /// Another handle on the same connection: one thread may read while another writes. Options
    /// and timeouts are shared.
    ///
    /// # Errors
    /// None today.
    pub fn try_clone(&self) -> io::Result<TcpStream> {
        Ok(TcpStream {
            inner: Arc::clone(&self.inner),
        })
    }

    /// Reads without taking: the same bytes come again.
    ///
    /// # Errors
    /// As reading.
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let handle = self.inner.handle;
        self.blocking(Side::Read, |engine| {
            engine.stack.tcp_peek(handle, 0, buffer)
        })
    }

    /// Ends one direction or both. Ending the write half sends FIN behind what was written; what
    /// arrives after the read half is ended is discarded, and blocked readers see the end.
    ///
    /// # Errors
    /// Why the connection ended, if it has, other than in order.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let how = match how {
            Shutdown::Read => How::Read,
            Shutdown::Write => How::Write,
            Shutdown::Both => How::Both,
        };
        let handle = self.inner.handle;
        self.inner.running.shared().with(|engine| {
            let done = engine.stack.tcp_shutdown(handle, how);
            engine.wake_tcp(handle);
            done.map_err(to_io)
        })
    }

    /// Resets the connection: what is queued either way is discarded, and the peer is told.
    ///
    /// # Errors
    /// None today.
    pub fn abort(&self) -> io::Result<()> {
        self.call(|stack, handle| stack.tcp_abort(handle))
    }

    /// How long reading waits; `None`, at first: for ever. After it reading fails with
    /// [`io::ErrorKind::WouldBlock`], as std's sockets on Unix do.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for zero.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.inner.waiting.read.set(timeout)
    }

    /// How long writing waits for room; `None`, at first: for ever. After it writing fails with
    /// [`io::ErrorKind::WouldBlock`], as std's sockets on Unix do.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for zero.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.inner.waiting.write.set(timeout)
    }

    /// How long reading waits.
    ///
    /// # Errors
    /// None today.
    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.inner.waiting.read.get())
    }

    /// How long writing waits.
    ///
    /// # Errors
    /// None today.
    pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.inner.waiting.write.get())
    }

    /// Whether calls fail with [`io::ErrorKind::WouldBlock`] instead of waiting.
    ///
    /// # Errors
    /// None today.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.inner.waiting.set_nonblocking(nonblocking);
        Ok(())
    }

    /// Sends small writes at once (`true`) or gathers them while data is unacknowledged, which is
    /// the Nagle algorithm (RFC 9293 §3.7.4).
    ///
    /// # Errors
    /// None today.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.call(|stack, handle| stack.tcp_set_nodelay(handle, nodelay))
    }

    /// Sets the TTL or hop limit of what is sent.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] outside 1 to 255.
    pub fn set_ttl(&self, time_to_live: u32) -> io::Result<()> {
        let time_to_live = ttl(time_to_live)?;
        self.call(|stack, handle| stack.tcp_set_ttl(handle, time_to_live))
    }

    /// Has a silent peer probed; `None`, at first: it is not.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] below the least times and number of probes.
    pub fn set_keepalive(&self, keepalive: Option<Keepalive>) -> io::Result<()> {
        let keepalive = keepalive.map(Keepalive::to_stack);
        self.call(|stack, handle| stack.tcp_set_keepalive(handle, keepalive))
    }

    /// How long what was written may take to be delivered once the stream is dropped, before the
    /// connection is reset: `None`, at first: as long as it takes; zero: not at all. Dropping
    /// never waits.
    ///
    /// # Errors
    /// None today.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        self.call(|stack, handle| stack.tcp_set_linger(handle, linger))
    }

    /// How long written data may stay unacknowledged before the connection ends; `None`: for ever
    /// (RFC 9293 §3.8.3).
    ///
    /// # Errors
    /// None today.
    pub fn set_user_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.call(|stack, handle| stack.tcp_set_user_timeout(handle, timeout))
    }

    /// The error that waits to be told, which is forgotten by asking: why the connection ended
    /// other than in order.
    ///
    /// # Errors
    /// None today.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(match self.close_reason() {
            None | Some(CloseReason::Finished) => None,
            Some(reason) => (!self.inner.told_end.swap(true, Ordering::Relaxed))
                .then(|| to_io(Error::Closed(reason))),
        })
    }

    /// Why the connection ended; `None` while it has not.
    pub fn close_reason(&self) -> Option<CloseReason> {
        let handle = self.inner.handle;
        self.inner
            .running
            .shared()
            .look(|engine| engine.stack.tcp_close_reason(handle))
            .ok()
            .flatten()
    }

    /// Everything that can be told of the connection, as Linux's `tcp_info`.
    ///
    /// # Errors
    /// None today.
    pub fn tcp_info(&self) -> io::Result<TcpInfo> {
        let handle = self.inner.handle;
        self.inner
            .running
            .shared()
            .look(|engine| engine.stack.tcp_info(handle))
            .map_err(to_io)
    }
}

/// Adds up what each buffer in turn gave, until one was not filled. An error counts only if
/// nothing went before it.
fn gather(transfers: impl Iterator<Item = (usize, Result<usize, Error>)>) -> Result<usize, Error> {
    let mut total = 0;
    for (asked, transfer) in transfers {
        match transfer {
            Ok(n) => {
                total += n;
                if n < asked {
                    break;
                }
            }
            Err(_) if total > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(total)
}

impl Read for &TcpStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let handle = self.inner.handle;
        self.blocking(Side::Read, |engine| engine.stack.tcp_read(handle, buffer))
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let handle = self.inner.handle;
        self.blocking(Side::Read, |engine| {
            let filled = buffers.iter_mut().filter(|b| !b.is_empty());
            gather(filled.map(|buffer| (buffer.len(), engine.stack.tcp_read(handle, buffer))))
        })
    }
}

impl Write for &TcpStream {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let handle = self.inner.handle;
        self.blocking(Side::Write, |engine| engine.stack.tcp_write(handle, data))
    }

    fn write_vectored(&mut self, data: &[IoSlice<'_>]) -> io::Result<usize> {
        let handle = self.inner.handle;
        self.blocking(Side::Write, |engine| {
            let full = data.iter().filter(|d| !d.is_empty());
            gather(full.map(|data| (data.len(), engine.stack.tcp_write(handle, data))))
        })
    }

    /// Nothing is held back here: what was written is on its way.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for TcpStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&*self).read_vectored(buffers)
    }
}

impl Write for TcpStream {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        (&*self).write(data)
    }

    fn write_vectored(&mut self, data: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
