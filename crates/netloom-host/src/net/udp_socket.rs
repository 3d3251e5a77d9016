//! UDP sockets.

use std::io;
use std::net::{SocketAddr, SocketAddrV6};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use netloom_stack::udp::{Received, UdpBind};
use netloom_stack::{Error, Stack, UdpHandle};

use super::addrs::{ToSocketAddrs, first_that};
use super::engine::Engine;
use super::error::to_io;
use super::options::{Waiting, ttl};
use super::parking::{Parking, Side};
use super::runtime::Running;

/// A UDP socket, like [`std::net::UdpSocket`].
///
/// Made by [`Net::udp_bind`](super::Net::udp_bind). A datagram the device has not taken when the
/// last clone is dropped is lost.
#[derive(Debug)]
pub struct UdpSocket {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    running: Arc<Running>,
    handle: UdpHandle,
    parking: Arc<Parking>,
    waiting: Waiting,
    connected: AtomicBool,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let handle = self.handle;
        self.running
            .shared()
            .with(|engine| engine.close_udp(handle));
    }
}

impl UdpSocket {
    pub(super) fn open(running: &Arc<Running>, at: SocketAddr) -> io::Result<UdpSocket> {
        let place = if at.ip().is_unspecified() && at.is_ipv6() {
            UdpBind::from(at.port())
        } else {
            UdpBind::from(at)
        };
        let (handle, parking) = running
            .shared()
            .with(|engine| {
                let handle = engine.stack.udp_bind(place)?;
                Ok((handle, engine.add_udp(handle)))
            })
            .map_err(to_io)?;
        Ok(UdpSocket {
            inner: Arc::new(Inner {
                running: Arc::clone(running),
                handle,
                parking,
                waiting: Waiting::default(),
                connected: AtomicBool::new(false),
            }),
        })
    }

    fn blocking<T>(
        &self,
        side: Side,
        mut call: impl FnMut(&mut Engine) -> Result<T, Error>,
    ) -> io::Result<T> {
        let Inner {
            running,
            parking,
            waiting,
            connected,
            ..
        } = &*self.inner;
        let timeout = match side {
            Side::Read => &waiting.read,
            Side::Write => &waiting.write,
        };
        running
            .shared()
            .block(parking, side, waiting.patience(timeout), |engine| {
                match call(engine) {
                    // A socket that speaks with many must not fail because one of them is gone:
                    // as on Linux, only a connected one is told what ICMP says. The stack says it
                    // once, so the second try is about this call.
                    Err(error) if is_from_icmp(error) && !connected.load(Ordering::Relaxed) => {
                        call(engine)
                    }
                    result => result,
                }
            })
    }

    fn call<T>(
        &self,
        call: impl FnOnce(&mut Stack, UdpHandle) -> Result<T, Error>,
    ) -> io::Result<T> {
        let handle = self.inner.handle;
        self.inner
            .running
            .shared()
            .with(|engine| call(&mut engine.stack, handle))
            .map_err(to_io)
    }

    /// Sends a datagram to the first of the addresses that can be sent to. All of it is sent or
    /// nothing.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for one that is too long for the path, or a broadcast
    /// address without [`set_broadcast`](UdpSocket::set_broadcast);
    /// [`io::ErrorKind::NetworkUnreachable`]; if the socket is connected, what ICMP reported of an
    /// earlier datagram, once.
    pub fn send_to(&self, data: &[u8], to: impl ToSocketAddrs) -> io::Result<usize> {
        let handle = self.inner.handle;
        first_that(to, |to| {
            self.blocking(Side::Write, |engine| {
                engine.stack.udp_send_to(handle, data, to)
            })
        })?;
        Ok(data.len())
    }

    /// Receives a datagram; tells its length and who sent it. What does not fit is lost.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] after the read timeout; if the socket is connected, what ICMP
    /// reported of an earlier datagram, once ([`io::ErrorKind::ConnectionRefused`]).
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let handle = self.inner.handle;
        let received = self.blocking(Side::Read, |engine| engine.stack.udp_recv(handle, buffer))?;
        Ok((received.copied, sender(&received)))
    }

    /// [`recv_from`](UdpSocket::recv_from) that leaves the datagram to be received.
    ///
    /// # Errors
    /// As [`recv_from`](UdpSocket::recv_from).
    pub fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let handle = self.inner.handle;
        let received = self.blocking(Side::Read, |engine| engine.stack.udp_peek(handle, buffer))?;
        Ok((received.copied, sender(&received)))
    }

    /// Fixes the remote end: [`send`](UdpSocket::send) sends there, only datagrams from there are
    /// received, and ICMP errors are reported.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`], [`io::ErrorKind::NetworkUnreachable`],
    /// [`io::ErrorKind::AddrInUse`].
    pub fn connect(&self, to: impl ToSocketAddrs) -> io::Result<()> {
        first_that(to, |to| {
            self.call(|stack, handle| stack.udp_connect(handle, to))
        })?;
        self.inner.connected.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Sends a datagram to the remote end.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotConnected`], and as [`send_to`](UdpSocket::send_to).
    pub fn send(&self, data: &[u8]) -> io::Result<usize> {
        let handle = self.inner.handle;
        self.blocking(Side::Write, |engine| engine.stack.udp_send(handle, data))?;
        Ok(data.len())
    }

    /// Receives a datagram of the remote end. What does not fit is lost.
    ///
    /// # Errors
    /// As [`recv_from`](UdpSocket::recv_from).
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.recv_from(buffer).map(|(len, _)| len)
    }

    /// [`recv`](UdpSocket::recv) that leaves the datagram to be received.
    ///
    /// # Errors
    /// As [`recv_from`](UdpSocket::recv_from).
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.peek_from(buffer).map(|(len, _)| len)
    }

    /// The local address and port.
    ///
    /// # Errors
    /// None today.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.call(|stack, handle| stack.udp_local_addr(handle))
    }

    /// The remote end.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotConnected`].
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.call(|stack, handle| stack.udp_peer_addr(handle))
    }

    /// Another handle on the same socket. Options and timeouts are shared.
    ///
    /// # Errors
    /// None today.
    pub fn try_clone(&self) -> io::Result<UdpSocket> {
        Ok(UdpSocket {
            inner: Arc::clone(&self.inner),
        })
    }

    /// How long receiving waits; `None`, at first: for ever.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for zero.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.inner.waiting.read.set(timeout)
    }

    /// How long sending waits for room; `None`, at first: for ever.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for zero.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.inner.waiting.write.set(timeout)
    }

    /// How long receiving waits.
    ///
    /// # Errors
    /// None today.
    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.inner.waiting.read.get())
    }

    /// How long sending waits.
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

    /// Allows sending to broadcast addresses; forbidden at first.
    ///
    /// # Errors
    /// None today.
    pub fn set_broadcast(&self, allowed: bool) -> io::Result<()> {
        self.call(|stack, handle| stack.udp_set_broadcast(handle, allowed))
    }

    /// Sets the TTL or hop limit of unicast datagrams.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] outside 1 to 255.
    pub fn set_ttl(&self, time_to_live: u32) -> io::Result<()> {
        let time_to_live = ttl(time_to_live)?;
        self.call(|stack, handle| stack.udp_set_ttl(handle, time_to_live))
    }

    /// The error ICMP reported, which is forgotten by asking.
    ///
    /// # Errors
    /// None today.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.call(|stack, handle| stack.udp_take_error(handle))
            .map(|error| error.map(to_io))
    }
}

/// Whether an error is about an earlier datagram, as ICMP reported it.
fn is_from_icmp(error: Error) -> bool {
    matches!(
        error,
        Error::PortUnreachable | Error::HostUnreachable | Error::NetworkUnreachable
    )
}

/// Who sent a datagram. A link-local address names its interface by the scope id, which is the
/// interface's number + 1.
fn sender(received: &Received) -> SocketAddr {
    let meta = &received.meta;
    match SocketAddr::new(meta.remote.into(), meta.remote_port) {
        SocketAddr::V6(v6) if meta.remote.is_link_local() => {
            let scope = u32::from(meta.iface) + 1;
            SocketAddrV6::new(*v6.ip(), v6.port(), 0, scope).into()
        }
        addr => addr,
    }
}
