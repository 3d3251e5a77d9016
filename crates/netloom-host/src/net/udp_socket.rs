//! UDP sockets.

use std::fmt;
use std::io;
use std::net::{SocketAddr, SocketAddrV6};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use netloom_stack::udp::{Received, UdpBind, UdpSettings};
use netloom_stack::wire::Addr;
use netloom_stack::{Error as StackError, Stack, UdpHandle};

use super::addrs::{ToSocketAddrs, first_that};
use super::dns;
use super::engine::IFACE;
use super::error::to_io;
use super::options::ttl;
use super::parking::Side;
use super::runtime::Running;
use super::socket::{Socket, shared_socket, socket_timeouts};

/// A UDP socket, like [`std::net::UdpSocket`].
///
/// Made by [`Net::udp_bind`](super::Net::udp_bind). A datagram the device has not taken when the
/// last clone is dropped is lost.
pub struct UdpSocket {
    inner: Arc<Inner>,
}

struct Inner {
    socket: Socket<UdpHandle>,
    connected: AtomicBool,
    /// The groups it is a member of.
    groups: Mutex<Vec<Addr>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let groups = std::mem::take(
            self.groups
                .get_mut()
                .unwrap_or_else(PoisonError::into_inner),
        );
        if groups.is_empty() {
            return;
        }
        // They were joined, so they can be left.
        let _ = self.socket.with_engine(|engine, _| {
            for group in groups {
                engine.stack.leave_group(IFACE, group)?;
            }
            engine.set_device_groups();
            Ok(())
        });
    }
}

shared_socket!(UdpSocket, "socket");
socket_timeouts!(UdpSocket);

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("UdpSocket");
        if let Ok(local) = self.local_addr() {
            shown.field("addr", &local);
        }
        if let Ok(peer) = self.peer_addr() {
            shown.field("peer", &peer);
        }
        shown.finish()
    }
}

impl UdpSocket {
    pub(super) fn open(running: &Arc<Running>, at: SocketAddr) -> io::Result<UdpSocket> {
        let place = if at.ip().is_unspecified() && at.is_ipv6() {
            UdpBind::from(at.port())
        } else {
            UdpBind::from(at)
        };
        let socket = Socket::open(running, |stack| stack.udp_bind(place))?;
        Ok(UdpSocket {
            inner: Arc::new(Inner {
                socket,
                connected: AtomicBool::new(false),
                groups: Mutex::default(),
            }),
        })
    }

    fn blocking<T>(
        &self,
        side: Side,
        mut call: impl FnMut(&mut Stack, UdpHandle) -> Result<T, StackError>,
    ) -> io::Result<T> {
        let Inner {
            socket, connected, ..
        } = &*self.inner;
        socket.blocking(side, |engine, handle| {
            match call(&mut engine.stack, handle) {
                // A socket that speaks with many must not fail because one of them is gone: as on
                // Linux, only a connected one is told what ICMP says. The stack says it once, so
                // the second try is about this call.
                Err(error) if is_from_icmp(error) && !connected.load(Ordering::Relaxed) => {
                    call(&mut engine.stack, handle)
                }
                result => result,
            }
        })
    }

    /// [`blocking`](UdpSocket::blocking) for tasks.
    #[cfg(feature = "tokio")]
    pub(super) fn poll_call<T>(
        &self,
        cx: &mut std::task::Context<'_>,
        side: Side,
        mut call: impl FnMut(&mut Stack, UdpHandle) -> Result<T, StackError>,
    ) -> std::task::Poll<io::Result<T>> {
        let Inner {
            socket, connected, ..
        } = &*self.inner;
        socket.poll_call(cx, side, |engine, handle| {
            match call(&mut engine.stack, handle) {
                Err(error) if is_from_icmp(error) && !connected.load(Ordering::Relaxed) => {
                    call(&mut engine.stack, handle)
                }
                result => result,
            }
        })
    }

    /// [`blocking`](UdpSocket::blocking) that does not wait.
    #[cfg(feature = "tokio")]
    pub(super) fn try_call<T>(
        &self,
        mut call: impl FnMut(&mut Stack, UdpHandle) -> Result<T, StackError>,
    ) -> io::Result<T> {
        let Inner {
            socket, connected, ..
        } = &*self.inner;
        socket.try_call(|engine, handle| match call(&mut engine.stack, handle) {
            Err(error) if is_from_icmp(error) && !connected.load(Ordering::Relaxed) => {
                call(&mut engine.stack, handle)
            }
            result => result,
        })
    }

    pub(super) fn socket(&self) -> &Socket<UdpHandle> {
        &self.inner.socket
    }

    pub(super) fn settings(&self) -> io::Result<UdpSettings> {
        self.socket()
            .look(|stack, handle| stack.udp_settings(handle))
    }

    pub(super) fn groups(&self) -> MutexGuard<'_, Vec<Addr>> {
        // Whoever panicked left it whole: nothing but it is changed while it is locked.
        let groups = self.inner.groups.lock();
        groups.unwrap_or_else(PoisonError::into_inner)
    }

    fn call<T>(
        &self,
        call: impl FnOnce(&mut Stack, UdpHandle) -> Result<T, StackError>,
    ) -> io::Result<T> {
        self.inner.socket.call(call)
    }

    /// Sends a datagram to the first of the addresses that can be sent to. All of it is sent or
    /// nothing.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for one that is too long for the path;
    /// [`io::ErrorKind::PermissionDenied`] for a broadcast address without
    /// [`set_broadcast`](UdpSocket::set_broadcast);
    /// [`io::ErrorKind::NetworkUnreachable`]; if the socket is connected, what ICMP reported of an
    /// earlier datagram, once.
    pub fn send_to(&self, data: &[u8], to: impl ToSocketAddrs) -> io::Result<usize> {
        let to = dns::addresses_of(self.socket().running(), &to)?;
        first_that(to.as_slice(), |to| {
            self.blocking(Side::Write, |stack, handle| {
                stack.udp_send_to(handle, data, to)
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
        let received = self.blocking(Side::Read, |stack, handle| stack.udp_recv(handle, buffer))?;
        Ok((received.copied, sender(&received)))
    }

    /// [`recv_from`](UdpSocket::recv_from) that leaves the datagram to be received.
    ///
    /// # Errors
    /// As [`recv_from`](UdpSocket::recv_from).
    pub fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let received = self.blocking(Side::Read, |stack, handle| peek(stack, handle, buffer))?;
        Ok((received.copied, sender(&received)))
    }

    /// Fixes the remote end: [`send`](UdpSocket::send) sends there, only datagrams from there are
    /// received, and ICMP errors are reported.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`], [`io::ErrorKind::NetworkUnreachable`],
    /// [`io::ErrorKind::AddrInUse`].
    pub fn connect(&self, to: impl ToSocketAddrs) -> io::Result<()> {
        let to = dns::addresses_of(self.socket().running(), &to)?;
        first_that(to.as_slice(), |to| {
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
        self.blocking(Side::Write, |stack, handle| stack.udp_send(handle, data))?;
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
        self.inner
            .socket
            .look(|stack, handle| stack.udp_local_addr(handle))
    }

    /// The remote end.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotConnected`].
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner
            .socket
            .look(|stack, handle| stack.udp_peer_addr(handle))
    }

    /// Allows sending to broadcast addresses; forbidden at first.
    ///
    /// # Errors
    /// None today.
    pub fn set_broadcast(&self, allowed: bool) -> io::Result<()> {
        self.call(|stack, handle| stack.udp_set_broadcast(handle, allowed))
    }

    /// Whether sending to broadcast addresses is allowed.
    ///
    /// # Errors
    /// None today.
    pub fn broadcast(&self) -> io::Result<bool> {
        Ok(self.settings()?.broadcast)
    }

    /// The TTL or hop limit of unicast datagrams.
    ///
    /// # Errors
    /// None today.
    pub fn ttl(&self) -> io::Result<u32> {
        Ok(self.settings()?.ttl.into())
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
fn is_from_icmp(error: StackError) -> bool {
    matches!(
        error,
        StackError::PortUnreachable | StackError::HostUnreachable | StackError::NetworkUnreachable
    )
}

/// The oldest datagram is looked at; what ICMP reported comes first, as where it is received.
pub(super) fn peek(
    stack: &mut Stack,
    handle: UdpHandle,
    buffer: &mut [u8],
) -> Result<Received, StackError> {
    match stack.udp_take_error(handle)? {
        Some(error) => Err(error),
        None => stack.udp_peek(handle, buffer),
    }
}

/// Who sent a datagram. A link-local address names its interface by the scope id, which is the
/// interface's number + 1.
pub(super) fn sender(received: &Received) -> SocketAddr {
    let meta = &received.meta;
    match SocketAddr::new(meta.remote.into(), meta.remote_port) {
        SocketAddr::V6(v6) if meta.remote.is_link_local() => {
            let scope = u32::from(meta.iface) + 1;
            SocketAddrV6::new(*v6.ip(), v6.port(), 0, scope).into()
        }
        addr => addr,
    }
}
