//! Sockets before they are connections or listeners.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use netloom_stack::tcp::{ConnectFrom, ListenAddr, ListenOptions};
use netloom_stack::{Error as StackError, Stack, TcpHandle};

use super::addrs::{ToSocketAddrs, first_that};
use super::dial::{self, Target};
use super::error::{Error, from_io, invalid};
use super::options::{Keepalive, ttl, zero_timeout};
use super::runtime::{Patience, Running};
use super::socket::Socket;
use super::tcp_listener::TcpListener;
use super::tcp_stream::TcpStream;

/// A TCP socket that is neither connected nor listening yet: for what must be settled before.
///
/// Made by [`Net::tcp_socket`](super::Net::tcp_socket). Options hold for the connection it opens,
/// or for every connection its listener accepts.
///
/// ```no_run
/// # fn f(net: netloom_host::net::Net) -> std::io::Result<()> {
/// let stream = net
///     .tcp_socket()?
///     .nodelay(true)
///     .bind("10.71.0.2:4000")?
///     .connect("10.71.0.1:80")?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "it does nothing before `connect` or `listen`"]
pub struct TcpSocket {
    running: Arc<Running>,
    local: Option<SocketAddr>,
    reuse_port: bool,
    fast_open: u16,
    preset: Preset,
}

/// What is set of a connection as soon as it exists; `None`: as the tunables have it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Preset {
    nodelay: bool,
    keepalive: Option<Keepalive>,
    user_timeout: Option<Duration>,
    linger: Option<Duration>,
    pub(super) ttl: Option<u8>,
    send_buffer: Option<u32>,
    receive_buffer: Option<u32>,
}

impl Preset {
    pub(super) fn apply(&self, stack: &mut Stack, handle: TcpHandle) -> Result<(), StackError> {
        let Preset {
            nodelay,
            keepalive,
            user_timeout,
            linger,
            ttl,
            send_buffer,
            receive_buffer,
        } = *self;
        if nodelay {
            stack.tcp_set_nodelay(handle, true)?;
        }
        if keepalive.is_some() {
            stack.tcp_set_keepalive(handle, keepalive.map(Keepalive::to_stack))?;
        }
        if user_timeout.is_some() {
            stack.tcp_set_user_timeout(handle, user_timeout)?;
        }
        if linger.is_some() {
            stack.tcp_set_linger(handle, linger)?;
        }
        if let Some(ttl) = ttl {
            stack.tcp_set_ttl(handle, ttl)?;
        }
        if let Some(bytes) = send_buffer {
            stack.tcp_set_send_buffer(handle, bytes)?;
        }
        if let Some(bytes) = receive_buffer {
            stack.tcp_set_receive_buffer(handle, bytes)?;
        }
        Ok(())
    }
}

impl TcpSocket {
    pub(super) fn new(running: &Arc<Running>) -> TcpSocket {
        TcpSocket {
            running: Arc::clone(running),
            local: None,
            reuse_port: false,
            fast_open: 0,
            preset: Preset::default(),
        }
    }

    /// Chooses the local address and port; the unspecified address and port 0 leave the choice to
    /// the stack, when it connects or listens.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrNotAvailable`] for an address that is not this stack's;
    /// [`io::ErrorKind::InvalidInput`] for text that is no address, for groups and for
    /// 255.255.255.255. Whether the port is free shows when it connects or listens.
    pub fn bind(mut self, local: impl ToSocketAddrs) -> io::Result<TcpSocket> {
        let local = first_that(local, |local| {
            let nobodys = match local.ip() {
                IpAddr::V4(ip) => ip.is_multicast() || ip.is_broadcast(),
                IpAddr::V6(ip) => ip.is_multicast(),
            };
            if nobodys {
                return Err(invalid("no connection has a group or everybody at an end"));
            }
            let ours = |stack: &Stack| stack.is_local(local.ip());
            let known = local.ip().is_unspecified()
                || local.ip().is_loopback()
                || self.running.shared().look(|engine| ours(&engine.stack));
            if known {
                Ok(local)
            } else {
                Err(super::error::to_io(StackError::AddressNotAvailable))
            }
        })?;
        self.local = Some(local);
        Ok(self)
    }

    /// [`TcpStream::set_nodelay`] of the connections.
    pub fn nodelay(mut self, nodelay: bool) -> TcpSocket {
        self.preset.nodelay = nodelay;
        self
    }

    /// [`TcpStream::set_keepalive`] of the connections.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] below 1 s or 2 probes.
    pub fn keepalive(mut self, keepalive: Option<Keepalive>) -> io::Result<TcpSocket> {
        keepalive.map_or(Ok(()), Keepalive::check)?;
        self.preset.keepalive = keepalive;
        Ok(self)
    }

    /// [`TcpStream::set_user_timeout`] of the connections, for their opening too.
    pub fn user_timeout(mut self, timeout: Option<Duration>) -> TcpSocket {
        self.preset.user_timeout = timeout;
        self
    }

    /// [`TcpStream::set_linger`] of the connections.
    pub fn linger(mut self, linger: Option<Duration>) -> TcpSocket {
        self.preset.linger = linger;
        self
    }

    /// [`TcpStream::set_ttl`] of the connections.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] outside 1 to 255.
    pub fn ttl(mut self, time_to_live: u32) -> io::Result<TcpSocket> {
        self.preset.ttl = Some(ttl(time_to_live)?);
        Ok(self)
    }

    /// [`TcpStream::set_send_buffer_size`] of the connections.
    pub fn send_buffer_size(mut self, bytes: u32) -> TcpSocket {
        self.preset.send_buffer = Some(bytes);
        self
    }

    /// [`TcpStream::set_recv_buffer_size`] of the connections. The window scale, which is agreed
    /// upon once, follows the tunable `tcp_rmem`.
    pub fn recv_buffer_size(mut self, bytes: u32) -> TcpSocket {
        self.preset.receive_buffer = Some(bytes);
        self
    }

    /// Whether other listeners that say so too may share the address and port.
    #[doc(alias = "SO_REUSEPORT")]
    pub fn reuse_port(mut self, reuse: bool) -> TcpSocket {
        self.reuse_port = reuse;
        self
    }

    /// Has its listener take data on SYNs (TCP Fast Open, RFC 7413), of so many connections at a time
    /// whose handshake is not complete; 0: of none, as at first. The tunable `tcp_fastopen` must
    /// allow it too. Such data may arrive twice: it should be requests that may be repeated.
    #[doc(alias = "TCP_FASTOPEN")]
    pub fn fast_open(mut self, pending: u16) -> TcpSocket {
        self.fast_open = pending;
        self
    }

    /// Connects with data for the SYN (TCP Fast Open, RFC 7413), where the tunable `tcp_fastopen`
    /// allows it and the server has given a cookie before; else the data follows the handshake.
    /// Does not wait for either; says how much of the data was taken.
    ///
    /// # Errors
    /// What is wrong before the first segment is sent.
    #[doc(alias = "MSG_FASTOPEN")]
    pub fn connect_with_data(
        &self,
        to: &SocketAddr,
        data: &[u8],
    ) -> io::Result<(TcpStream, usize)> {
        let mut taken = 0;
        let stream = self.stream(|stack| {
            let from = self.local.map(ConnectFrom::from).unwrap_or_default();
            let (handle, n) = stack.tcp_connect_with_data(from, *to, data)?;
            taken = n;
            let set = self.preset.apply(stack, handle);
            if set.is_err() {
                let _ = stack.tcp_close(handle);
            }
            set.map(|()| handle)
        })?;
        Ok((stream, taken))
    }

    /// Connects, and waits until the connection is open. Of several addresses the first that
    /// answers is taken; those of a name are tried side by side.
    ///
    /// # Errors
    /// As [`Net::tcp_connect_from`](super::Net::tcp_connect_from).
    pub fn connect(&self, to: impl ToSocketAddrs) -> io::Result<TcpStream> {
        let target = Target::of(&self.running, &to)?;
        self.dial(&target, None).map_err(io::Error::from)
    }

    /// [`connect`](TcpSocket::connect) to one address, that gives up after `timeout`.
    ///
    /// # Errors
    /// As [`connect`](TcpSocket::connect); [`io::ErrorKind::TimedOut`] after `timeout`;
    /// [`io::ErrorKind::InvalidInput`] for a timeout of zero.
    pub fn connect_timeout(&self, to: &SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        if timeout.is_zero() {
            return Err(zero_timeout());
        }
        let stream = self.begin(*to)?;
        stream.wait_until_open(Some(timeout))?;
        Ok(stream)
    }

    /// Begins to connect and does not wait: the stream is non-blocking, becomes writable when the
    /// connection is open or has failed, and [`TcpStream::take_error`] tells which.
    ///
    /// # Errors
    /// What is wrong before the first segment is sent.
    pub fn connect_nonblocking(&self, to: &SocketAddr) -> io::Result<TcpStream> {
        let stream = self.begin(*to)?;
        stream.set_nonblocking(true)?;
        Ok(stream)
    }

    /// Listens where it is bound, with room for `backlog` connections that wait to be accepted and
    /// as many handshakes.
    ///
    /// # Errors
    /// As [`Net::tcp_listen_with`](super::Net::tcp_listen_with); [`io::ErrorKind::InvalidInput`]
    /// if it is not bound.
    pub fn listen(&self, backlog: u16) -> io::Result<TcpListener> {
        let at = self
            .local
            .ok_or_else(|| invalid("a socket must be bound before it can listen"))?;
        let options = ListenOptions {
            backlog,
            reuse_port: self.reuse_port,
            fast_open: self.fast_open,
        };
        let any = at.ip().is_unspecified() && at.is_ipv6();
        let place = if any {
            ListenAddr::from(at.port())
        } else {
            ListenAddr::from(at)
        };
        TcpListener::open(&self.running, at, place, options, self.preset)
    }

    pub(super) fn begin(&self, to: SocketAddr) -> io::Result<TcpStream> {
        self.stream(|stack| self.open(stack, to))
    }

    /// Connects by `deadline`, and waits until the connection is open.
    pub(super) fn dial(
        &self,
        target: &Target,
        deadline: Option<Instant>,
    ) -> Result<TcpStream, Error> {
        if let Some(to) = target.single() {
            let stream = self.begin(to).map_err(from_io)?;
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            stream.wait_until_open(left).map_err(from_io)?;
            return Ok(stream);
        }
        let open = |stack: &mut Stack, to| self.open(stack, to);
        dial::dial(&self.running, target, Patience::Until(deadline), open)
    }

    /// [`dial`](TcpSocket::dial) for a task.
    #[cfg(any(feature = "channel", feature = "tokio"))]
    pub(super) async fn dial_from_task(&self, target: &Target) -> Result<TcpStream, Error> {
        if let Some(to) = target.single() {
            let stream = self.begin(to).map_err(from_io)?;
            stream.until_open().await.map_err(from_io)?;
            return Ok(stream);
        }
        let open = |stack: &mut Stack, to| self.open(stack, to);
        dial::dial_from_task(&self.running, target, open).await
    }

    fn open(&self, stack: &mut Stack, to: SocketAddr) -> Result<TcpHandle, StackError> {
        let from = self.local.map(ConnectFrom::from).unwrap_or_default();
        let handle = stack.tcp_connect_from(from, to)?;
        let set = self.preset.apply(stack, handle);
        if set.is_err() {
            let _ = stack.tcp_close(handle);
        }
        set.map(|()| handle)
    }

    /// The stream of a connection that `open` makes.
    fn stream(
        &self,
        open: impl FnOnce(&mut Stack) -> Result<TcpHandle, StackError>,
    ) -> io::Result<TcpStream> {
        let mut ends = None;
        let socket = Socket::open(&self.running, |stack| {
            let handle = open(stack)?;
            ends = Some((stack.tcp_local_addr(handle)?, stack.tcp_peer_addr(handle)?));
            Ok(handle)
        })?;
        let (local, peer) = ends.ok_or(io::ErrorKind::NotConnected)?;
        Ok(TcpStream::new(socket, local, peer))
    }
}
