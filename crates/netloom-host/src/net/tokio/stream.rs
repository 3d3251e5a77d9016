//! Connections.

use std::fmt;
use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::task::{Context, Poll};
use std::time::Duration;

use ::tokio::io::{Interest, ReadBuf, Ready};
use netloom_stack::{CloseReason, Error as StackError, TcpInfo};

use super::super::options::Keepalive;
use super::super::parking::Side;
use super::super::tcp_stream::{self, gather};
use super::split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};

/// A connection, like tokio's `TcpStream`.
///
/// Dropping it closes it: what was written is still sent, then FIN; if something that arrived was
/// not read, the peer is told by a reset (RFC 9293 §3.6.1).
pub struct TcpStream {
    inner: tcp_stream::TcpStream,
}

impl From<tcp_stream::TcpStream> for TcpStream {
    /// The same connection; clones of the other kind go on.
    fn from(inner: tcp_stream::TcpStream) -> TcpStream {
        TcpStream { inner }
    }
}

impl From<TcpStream> for tcp_stream::TcpStream {
    /// The same connection as a blocking stream.
    fn from(stream: TcpStream) -> tcp_stream::TcpStream {
        // Whether it may wait is set anew: as a stream of tokio's it never did.
        let _ = stream.inner.set_nonblocking(false);
        stream.inner
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl TcpStream {
    pub(super) fn poll_read_into(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let place = buffer.initialize_unfilled();
        let read = self
            .inner
            .socket()
            .poll_call(cx, Side::Read, |engine, handle| {
                engine.stack.tcp_read(handle, place)
            });
        read.map_ok(|n| buffer.advance(n))
    }

    pub(super) fn poll_write_from(
        &self,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let socket = self.inner.socket();
        socket.poll_call(cx, Side::Write, |engine, handle| {
            engine.tcp_write(handle, data)
        })
    }

    pub(super) fn poll_write_vectored_from(
        &self,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let socket = self.inner.socket();
        socket.poll_call(cx, Side::Write, |engine, handle| {
            let full = data.iter().filter(|data| !data.is_empty());
            gather(full.map(|data| (data.len(), engine.tcp_write(handle, data))))
        })
    }

    pub(super) fn finish(&self) -> io::Result<()> {
        match self.inner.shutdown(Shutdown::Write) {
            // What tokio's streams do: the end is there, however it came.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }

    /// Waits until something can be done: reading or writing, as `interest` says, or finding out
    /// that the connection is over.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// The device's fault.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        let side = if interest.is_readable() {
            Side::Read
        } else {
            Side::Write
        };
        let both = interest.is_readable() && interest.is_writable();
        std::future::poll_fn(|cx| {
            let socket = self.inner.socket();
            let id = socket.id();
            if both {
                let waker = cx.waker().clone();
                let _ = socket.try_call(|engine, _| {
                    engine.watch_task(id, Side::Write, &waker);
                    Ok(())
                });
            }
            socket.poll_call(cx, side, |engine, _| {
                let level = engine.level(id);
                let mut ready = Ready::EMPTY;
                if interest.is_readable() && (level.readable || level.read_closed) {
                    ready |= Ready::READABLE;
                }
                if interest.is_writable() && level.writable {
                    ready |= Ready::WRITABLE;
                }
                if ready.is_empty() {
                    return Err(StackError::WouldBlock);
                }
                if level.read_closed {
                    ready |= Ready::READ_CLOSED;
                }
                if level.closed {
                    ready |= Ready::WRITE_CLOSED;
                }
                Ok(ready)
            })
        })
        .await
    }

    /// Waits until reading would not wait.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// The device's fault.
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Interest::READABLE).await.map(drop)
    }

    /// Waits until a good part of the send queue is free.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// The device's fault.
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Interest::WRITABLE).await.map(drop)
    }

    /// Reads what is there; never waits.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if nothing is; why the connection ended.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let socket = self.inner.socket();
        socket.try_call(|engine, handle| engine.stack.tcp_read(handle, buffer))
    }

    /// Reads what is there without taking it; never waits.
    ///
    /// # Errors
    /// As [`try_read`](TcpStream::try_read).
    pub fn try_peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let socket = self.inner.socket();
        socket.try_call(|engine, handle| engine.stack.tcp_peek(handle, 0, buffer))
    }

    /// Takes `n` bytes that were peeked at.
    ///
    /// # Errors
    /// As [`try_read`](TcpStream::try_read).
    pub fn discard(&self, n: usize) -> io::Result<()> {
        let socket = self.inner.socket();
        socket.try_call(|engine, handle| engine.stack.tcp_read_with(handle, |_, _| n).map(drop))
    }

    /// Writes as much as there is room for; never waits.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if there is none; why the connection ended.
    pub fn try_write(&self, data: &[u8]) -> io::Result<usize> {
        let socket = self.inner.socket();
        socket.try_call(|engine, handle| engine.tcp_write(handle, data))
    }

    /// [`try_write`](TcpStream::try_write) of several buffers, one after the other.
    ///
    /// # Errors
    /// As there.
    pub fn try_write_vectored(&self, data: &[IoSlice<'_>]) -> io::Result<usize> {
        self.inner.socket().try_call(|engine, handle| {
            let full = data.iter().filter(|data| !data.is_empty());
            gather(full.map(|data| (data.len(), engine.tcp_write(handle, data))))
        })
    }

    /// Reads without taking: the same bytes come again.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// As reading.
    pub async fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        std::future::poll_fn(|cx| {
            let socket = self.inner.socket();
            socket.poll_call(cx, Side::Read, |engine, handle| {
                engine.stack.tcp_peek(handle, 0, buffer)
            })
        })
        .await
    }

    /// Splits the stream into halves that borrow it, to be used by one task.
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        super::split::split(self)
    }

    /// Splits the stream into halves for two tasks. Dropping the writing one finishes sending.
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        super::split::into_split(self)
    }

    /// The local end.
    ///
    /// # Errors
    /// None today.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    /// The remote end.
    ///
    /// # Errors
    /// None today.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner.peer_addr()
    }

    /// The error that waits to be told, which is forgotten by asking.
    ///
    /// # Errors
    /// None today.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.inner.take_error()
    }

    /// Whether small writes are sent at once.
    ///
    /// # Errors
    /// None today.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.inner.nodelay()
    }

    /// Sends small writes at once (`true`), or gathers them (RFC 9293 §3.7.4).
    ///
    /// # Errors
    /// None today.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.inner.set_nodelay(nodelay)
    }

    /// The TTL or hop limit of what is sent.
    ///
    /// # Errors
    /// None today.
    pub fn ttl(&self) -> io::Result<u32> {
        self.inner.ttl()
    }

    /// Sets the TTL or hop limit of what is sent.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] outside 1 to 255.
    pub fn set_ttl(&self, time_to_live: u32) -> io::Result<()> {
        self.inner.set_ttl(time_to_live)
    }

    /// How long what was written may take once the stream is dropped, before it is reset.
    ///
    /// # Errors
    /// None today.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        self.inner.linger()
    }

    /// Sets [`linger`](TcpStream::linger); zero resets at once.
    ///
    /// # Errors
    /// None today.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        self.inner.set_linger(linger)
    }

    /// Has a silent peer probed; `None`: it is not.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] below the least times and number of probes.
    pub fn set_keepalive(&self, keepalive: Option<Keepalive>) -> io::Result<()> {
        self.inner.set_keepalive(keepalive)
    }

    /// Resets the connection: what is queued either way is discarded, and the peer is told.
    ///
    /// # Errors
    /// None today.
    pub fn abort(&self) -> io::Result<()> {
        self.inner.abort()
    }

    /// Why the connection ended; `None` while it has not.
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.inner.close_reason()
    }

    /// Everything that can be told of the connection.
    ///
    /// # Errors
    /// None today.
    pub fn tcp_info(&self) -> io::Result<TcpInfo> {
        self.inner.tcp_info()
    }
}
