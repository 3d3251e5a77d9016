//! Connections.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use netloom_stack::tcp::How;
use netloom_stack::{CloseReason, Error as StackError, Stack, TcpHandle, TcpInfo};

use super::error::{Error, Reason, to_io};
use super::parking::Side;
use super::runtime::Patience;
use super::socket::{Socket, shared_socket, socket_timeouts};

/// A connection, like [`std::net::TcpStream`].
///
/// Made by [`Net::tcp_connect`](super::Net::tcp_connect), a [`TcpSocket`](super::TcpSocket) or
/// [`TcpListener::accept`](super::TcpListener::accept). Dropping the last clone closes it: what
/// was written is still sent, then FIN; if something that arrived was not read, the peer is told
/// by a reset (RFC 9293 §3.6.1).
#[doc(alias = "TCPConn")]
#[doc(alias = "net.Conn")]
pub struct TcpStream {
    inner: Arc<Inner>,
}

struct Inner {
    socket: Socket<TcpHandle>,
    local: SocketAddr,
    peer: SocketAddr,
    /// `take_error` has told why the connection ended.
    told_end: AtomicBool,
}

shared_socket!(
    TcpStream,
    "connection: one thread may read while another writes"
);
socket_timeouts!(TcpStream);

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpStream")
            .field("addr", &self.inner.local)
            .field("peer", &self.inner.peer)
            .finish()
    }
}

impl TcpStream {
    pub(super) fn new(socket: Socket<TcpHandle>, local: SocketAddr, peer: SocketAddr) -> TcpStream {
        TcpStream {
            inner: Arc::new(Inner {
                socket,
                local,
                peer,
                told_end: AtomicBool::new(false),
            }),
        }
    }

    pub(super) fn socket(&self) -> &Socket<TcpHandle> {
        &self.inner.socket
    }

    /// Waits until the connection is open, `timeout` at most; gives it up after that.
    pub(super) fn wait_until_open(&self, timeout: Option<Duration>) -> io::Result<()> {
        let socket = &self.inner.socket;
        let patience = Patience::of(timeout);
        let opened = socket.blocking_for(Side::Write, patience, |engine, handle| {
            opened(&engine.stack, handle)
        });
        opened.or_else(|error| {
            if Error::of(&error).map(Error::reason) != Some(&Reason::TimedOut) {
                return Err(error);
            }
            self.abort()?;
            Err(Error::from(Reason::TimedOut).into())
        })
    }

    /// [`wait_until_open`](TcpStream::wait_until_open) for a task.
    #[cfg(any(feature = "channel", feature = "tokio"))]
    pub(super) async fn until_open(&self) -> io::Result<()> {
        std::future::poll_fn(|cx| {
            let socket = &self.inner.socket;
            socket.poll_call(cx, Side::Write, |engine, handle| {
                opened(&engine.stack, handle)
            })
        })
        .await
    }

    /// Both ends: ours, and the peer's.
    #[cfg(feature = "channel")]
    pub(super) fn ends(&self) -> (SocketAddr, SocketAddr) {
        (self.inner.local, self.inner.peer)
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

    /// Reads without taking: the same bytes come again.
    ///
    /// # Errors
    /// As reading.
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.socket.blocking(Side::Read, |engine, handle| {
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
        self.inner
            .socket
            .disturb(|stack, handle| stack.tcp_shutdown(handle, how))
    }

    /// Resets the connection: what is queued either way is discarded, and the peer is told.
    ///
    /// # Errors
    /// None today.
    pub fn abort(&self) -> io::Result<()> {
        self.inner
            .socket
            .disturb(|stack, handle| stack.tcp_abort(handle))
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
                .then(|| to_io(StackError::Closed(reason))),
        })
    }

    /// Why the connection ended; `None` while it has not.
    pub fn close_reason(&self) -> Option<CloseReason> {
        let reason = |stack: &mut Stack, handle| stack.tcp_close_reason(handle);
        self.inner.socket.look(reason).ok().flatten()
    }

    /// Everything that can be told of the connection, as Linux's `tcp_info`.
    ///
    /// # Errors
    /// None today.
    pub fn tcp_info(&self) -> io::Result<TcpInfo> {
        self.inner
            .socket
            .look(|stack, handle| stack.tcp_info(handle))
    }
}

/// Whether a connection has opened, or failed to; [`StackError::WouldBlock`] while neither is so.
pub(super) fn opened(stack: &Stack, handle: TcpHandle) -> Result<(), StackError> {
    if stack.tcp_readiness(handle)?.connected {
        return Ok(());
    }
    match stack.tcp_close_reason(handle)? {
        // It was opened and has been closed again since.
        Some(CloseReason::Finished) => Ok(()),
        Some(reason) => Err(StackError::Closed(reason)),
        None => Err(StackError::WouldBlock),
    }
}

/// Adds up what each buffer in turn gave, until one was not filled. An error counts only if
/// nothing went before it.
pub(super) fn gather(
    transfers: impl Iterator<Item = (usize, Result<usize, StackError>)>,
) -> Result<usize, StackError> {
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
        let socket = &self.inner.socket;
        socket.blocking(Side::Read, |engine, handle| {
            engine.stack.tcp_read(handle, buffer)
        })
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let socket = &self.inner.socket;
        socket.blocking(Side::Read, |engine, handle| {
            let filled = buffers.iter_mut().filter(|b| !b.is_empty());
            gather(filled.map(|buffer| (buffer.len(), engine.stack.tcp_read(handle, buffer))))
        })
    }
}

impl Write for &TcpStream {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let socket = &self.inner.socket;
        socket.blocking(Side::Write, |engine, handle| engine.tcp_write(handle, data))
    }

    fn write_vectored(&mut self, data: &[IoSlice<'_>]) -> io::Result<usize> {
        let socket = &self.inner.socket;
        socket.blocking(Side::Write, |engine, handle| {
            let full = data.iter().filter(|d| !d.is_empty());
            gather(full.map(|data| (data.len(), engine.tcp_write(handle, data))))
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
