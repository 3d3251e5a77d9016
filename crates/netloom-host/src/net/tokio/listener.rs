//! Listeners.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use super::super::tcp_listener;
use super::stream::TcpStream;

/// Takes connections, like tokio's `TcpListener`.
///
/// Connections that nobody has accepted when it is dropped are reset.
pub struct TcpListener {
    inner: tcp_listener::TcpListener,
}

impl From<tcp_listener::TcpListener> for TcpListener {
    /// The same listener; clones of the other kind go on.
    fn from(inner: tcp_listener::TcpListener) -> TcpListener {
        TcpListener { inner }
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl TcpListener {
    /// Waits for the next connection; tells who it is from.
    ///
    /// Cancel safe: a connection that was not returned is the next call's.
    ///
    /// # Errors
    /// The device's fault.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        std::future::poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// [`accept`](TcpListener::accept) for those who poll by hand.
    ///
    /// # Errors
    /// As there.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.inner
            .poll_accept(cx)
            .map_ok(|(stream, peer)| (TcpStream::from(stream), peer))
    }

    /// Where it listens.
    ///
    /// # Errors
    /// None today.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    /// The TTL or hop limit of the connections it accepts.
    ///
    /// # Errors
    /// None today.
    pub fn ttl(&self) -> io::Result<u32> {
        self.inner.ttl()
    }

    /// Sets the TTL or hop limit of the connections it accepts from now on.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] outside 1 to 255.
    pub fn set_ttl(&self, time_to_live: u32) -> io::Result<()> {
        self.inner.set_ttl(time_to_live)
    }
}
