//! Listeners.

use std::fmt;
use std::io;
use std::iter::FusedIterator;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use netloom_stack::tcp::{Backlog, ListenAddr, ListenOptions};
use netloom_stack::{Error as StackError, ListenerHandle, TcpHandle};

use super::engine::Engine;
use super::options::ttl;
use super::parking::{Parking, Side};
use super::runtime::Running;
use super::socket::{Socket, shared_socket};
use super::tcp_socket::Preset;
use super::tcp_stream::TcpStream;

/// Takes connections, like [`std::net::TcpListener`].
///
/// Made by [`Net::tcp_listen`](super::Net::tcp_listen) or a [`TcpSocket`](super::TcpSocket).
/// Connections that nobody has accepted when it is dropped are reset.
#[doc(alias = "TCPListener")]
#[doc(alias = "net.Listener")]
pub struct TcpListener {
    inner: Arc<Inner>,
}

struct Inner {
    socket: Socket<ListenerHandle>,
    local: SocketAddr,
    /// What is set of every connection that is accepted.
    preset: Mutex<Preset>,
}

shared_socket!(TcpListener, "listener: several threads may accept");

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpListener")
            .field("addr", &self.inner.local)
            .finish()
    }
}

impl TcpListener {
    pub(super) fn open(
        running: &Arc<Running>,
        at: SocketAddr,
        place: ListenAddr,
        options: ListenOptions,
        preset: Preset,
    ) -> io::Result<TcpListener> {
        let mut local = at;
        let socket = Socket::open(running, |stack| {
            let handle = stack.tcp_listen_with(place, options)?;
            local.set_port(stack.tcp_listener_addr(handle)?.port());
            Ok(handle)
        })?;
        Ok(TcpListener {
            inner: Arc::new(Inner {
                socket,
                local,
                preset: Mutex::new(preset),
            }),
        })
    }

    #[cfg(feature = "channel")]
    pub(super) fn socket(&self) -> &Socket<ListenerHandle> {
        &self.inner.socket
    }

    #[cfg(feature = "channel")]
    pub(super) fn addr(&self) -> SocketAddr {
        self.inner.local
    }

    fn preset<T>(&self, with: impl FnOnce(&mut Preset) -> T) -> T {
        // Nothing panics while it is locked.
        let preset = &self.inner.preset;
        with(&mut preset.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for the next connection; tells who it is from.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when there is none and
    /// [`set_nonblocking`](TcpListener::set_nonblocking) is on; the device's fault.
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let preset = self.preset(|preset| *preset);
        let accepted = self.inner.socket.blocking(Side::Read, |engine, listener| {
            take_connection(engine, listener, preset)
        });
        Ok(self.accepted(accepted?))
    }

    fn accepted(&self, (made, local, peer): Taken) -> (TcpStream, SocketAddr) {
        let socket = Socket::new(self.inner.socket.running(), made);
        (TcpStream::new(socket, local, peer), peer)
    }

    /// [`accept`](TcpListener::accept) for tasks.
    #[cfg(feature = "tokio")]
    pub(super) fn poll_accept(
        &self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<(TcpStream, SocketAddr)>> {
        let preset = self.preset(|preset| *preset);
        let socket = &self.inner.socket;
        let taken = socket.poll_call(cx, Side::Read, |engine, listener| {
            take_connection(engine, listener, preset)
        });
        taken.map_ok(|taken| self.accepted(taken))
    }

    /// The connections as they come, for ever.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }

    /// The connections as they come, for ever; the listener lives as long as the iterator.
    pub fn into_incoming(self) -> IntoIncoming {
        IntoIncoming { listener: self }
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
        self.inner
            .socket
            .look(|stack, handle| stack.tcp_backlog(handle))
    }

    /// Sets the TTL or hop limit of the connections it accepts from now on.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] outside 1 to 255.
    pub fn set_ttl(&self, time_to_live: u32) -> io::Result<()> {
        let time_to_live = ttl(time_to_live)?;
        self.preset(|preset| preset.ttl = Some(time_to_live));
        Ok(())
    }

    /// The TTL or hop limit of the connections it accepts.
    ///
    /// # Errors
    /// None today.
    pub fn ttl(&self) -> io::Result<u32> {
        let set = self.preset(|preset| preset.ttl);
        let by_default =
            |stack: &mut netloom_stack::Stack, _| Ok(u32::from(stack.tunables().ip_default_ttl));
        match set {
            Some(ttl) => Ok(ttl.into()),
            None => self.inner.socket.look(by_default),
        }
    }

    /// The error that waits to be told: a listener has none.
    ///
    /// # Errors
    /// None today.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(None)
    }
}

/// A connection that was taken: its handle and place, its ends.
type Taken = ((TcpHandle, Arc<Parking>), SocketAddr, SocketAddr);

fn take_connection(
    engine: &mut Engine,
    listener: ListenerHandle,
    preset: Preset,
) -> Result<Taken, StackError> {
    let stack = &mut engine.stack;
    let tcp = stack.tcp_accept(listener)?.ok_or(StackError::WouldBlock)?;
    // What is set was checked when it was, and the handle is new.
    let _ = preset.apply(stack, tcp);
    let peer = stack.tcp_peer_addr(tcp)?;
    let local = stack.tcp_local_addr(tcp)?;
    Ok(((tcp, engine.add(tcp)), local, peer))
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

impl FusedIterator for Incoming<'_> {}

/// Connections as they come: see [`TcpListener::into_incoming`].
#[derive(Debug)]
pub struct IntoIncoming {
    listener: TcpListener,
}

impl Iterator for IntoIncoming {
    type Item = io::Result<TcpStream>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }
}

impl FusedIterator for IntoIncoming {}
