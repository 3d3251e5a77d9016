//! Listeners.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use netloom_stack::tcp::{Backlog, ListenAddr, ListenOptions};
use netloom_stack::{Error, ListenerHandle};

use super::error::to_io;
use super::options::Waiting;
use super::parking::{Parking, Side};
use super::runtime::Running;
use super::tcp_stream::TcpStream;

/// Takes connections, like [`std::net::TcpListener`].
///
/// Made by [`Net::tcp_listen`](super::Net::tcp_listen). Connections that nobody has accepted when
/// it is dropped are reset.
#[derive(Debug)]
#[doc(alias = "TCPListener")]
#[doc(alias = "net.Listener")]
pub struct TcpListener {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    running: Arc<Running>,
    handle: ListenerHandle,
    parking: Arc<Parking>,
    local: SocketAddr,
    waiting: Waiting,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let handle = self.handle;
        self.running
            .shared()
            .with(|engine| engine.close_listener(handle));
    }
}

impl TcpListener {
    pub(super) fn open(
        running: &Arc<Running>,
        at: SocketAddr,
        place: ListenAddr,
        options: ListenOptions,
    ) -> io::Result<TcpListener> {
        let (handle, parking, port) = running
            .shared()
            .with(|engine| {
                let handle = engine.stack.tcp_listen_with(place, options)?;
                let port = engine.stack.tcp_listener_addr(handle)?.port();
                Ok((handle, engine.add_listener(handle), port))
            })
            .map_err(to_io)?;
        let mut local = at;
        local.set_port(port);
        Ok(TcpListener {
            inner: Arc::new(Inner {
                running: Arc::clone(running),
                handle,
                parking,
                local,
                waiting: Waiting::default(),
            }),
        })
    }

    /// Waits for the next connection; tells who it is from.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when there is none and
    /// [`set_nonblocking`](TcpListener::set_nonblocking) is on; the device's fault.
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let Inner {
            running,
            handle,
            parking,
            waiting,
            ..
        } = &*self.inner;
        let patience = waiting.patience(&waiting.read);
        let accepted = running
            .shared()
            .block(parking, Side::Read, patience, |engine| {
                let tcp = engine.stack.tcp_accept(*handle)?.ok_or(Error::WouldBlock)?;
                let peer = engine.stack.tcp_peer_addr(tcp)?;
                let local = engine.stack.tcp_local_addr(tcp)?;
                Ok((tcp, engine.add_tcp(tcp), local, peer))
            })?;
        let (tcp, place, local, peer) = accepted;
        let stream = TcpStream::new(Arc::clone(running), tcp, place, local, peer);
        Ok((stream, peer))
    }

    /// The connections as they come, for ever.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// None today.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.inner.local)
    }

    /// How full its queues are.
    ///
    /// # Errors
    /// None today.
    pub fn backlog(&self) -> io::Result<Backlog> {
        let handle = self.inner.handle;
        self.inner
            .running
            .shared()
            .look(|engine| engine.stack.tcp_backlog(handle))
            .map_err(to_io)
    }

    /// Another handle on the same listener: several threads may accept.
    ///
    /// # Errors
    /// None today.
    pub fn try_clone(&self) -> io::Result<TcpListener> {
        Ok(TcpListener {
            inner: Arc::clone(&self.inner),
        })
    }

    /// Whether [`accept`](TcpListener::accept) returns at once when there is no connection.
    ///
    /// # Errors
    /// None today.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.inner.waiting.set_nonblocking(nonblocking);
        Ok(())
    }
}

/// Connections as they come: see [`TcpListener::incoming`].
#[derive(Debug)]
pub struct Incoming<'l> {
    listener: &'l TcpListener,
}

impl Iterator for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }
}
