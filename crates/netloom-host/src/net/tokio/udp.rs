//! UDP sockets.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use ::tokio::io::ReadBuf;
use netloom_stack::Error as StackError;

use super::super::addrs::{ToSocketAddrs, first_that};
use super::super::dns;
use super::super::parking::Side;
use super::super::udp_socket;

/// A UDP socket, like tokio's `UdpSocket`. All its methods take `&self`; share it by an `Arc`.
///
/// A datagram the device has not taken when it is dropped is lost.
pub struct UdpSocket {
    inner: udp_socket::UdpSocket,
}

impl From<udp_socket::UdpSocket> for UdpSocket {
    /// The same socket; clones of the other kind go on.
    fn from(inner: udp_socket::UdpSocket) -> UdpSocket {
        UdpSocket { inner }
    }
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl UdpSocket {
    /// Fixes the remote end: see [`UdpSocket::connect`](udp_socket::UdpSocket::connect). A name is
    /// looked up where a DNS server was named, as in
    /// [`Net::tcp_connect`](crate::tokio::Net::tcp_connect); of several addresses the first is
    /// taken that can be sent to.
    ///
    /// Cancel safe: while a name is looked up, which is all it waits for, the socket stays as it
    /// was.
    ///
    /// # Errors
    /// As there.
    pub async fn connect(&self, to: impl ToSocketAddrs) -> io::Result<()> {
        let to = self.addresses_of(to).await?;
        first_that(to.as_slice(), |to| self.inner.connect(to))
    }

    async fn addresses_of(&self, to: impl ToSocketAddrs) -> io::Result<Vec<SocketAddr>> {
        dns::addresses_of_from_task(self.inner.socket().running(), to).await
    }

    /// Sends a datagram to the remote end: all of it or nothing.
    ///
    /// Cancel safe: what was not returned from was not sent.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotConnected`], and as [`send_to`](UdpSocket::send_to).
    pub async fn send(&self, data: &[u8]) -> io::Result<usize> {
        std::future::poll_fn(|cx| self.poll_send(cx, data)).await
    }

    /// [`send`](UdpSocket::send) for those who poll by hand.
    ///
    /// # Errors
    /// As there.
    pub fn poll_send(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.inner
            .poll_call(cx, Side::Write, |stack, handle| {
                stack.udp_send(handle, data)
            })
            .map_ok(|()| data.len())
    }

    /// [`send`](UdpSocket::send) that never waits.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when the queue is full, and as [`send`](UdpSocket::send).
    pub fn try_send(&self, data: &[u8]) -> io::Result<usize> {
        self.inner
            .try_call(|stack, handle| stack.udp_send(handle, data))?;
        Ok(data.len())
    }

    /// Sends a datagram to the first of the addresses that can be sent to: all of it or nothing. A
    /// name is looked up first, as in [`connect`](UdpSocket::connect).
    ///
    /// Cancel safe: what was not returned from was not sent.
    ///
    /// # Errors
    /// As [`UdpSocket::send_to`](udp_socket::UdpSocket::send_to).
    pub async fn send_to(&self, data: &[u8], to: impl ToSocketAddrs) -> io::Result<usize> {
        let mut last = None;
        for to in self.addresses_of(to).await? {
            let sent = std::future::poll_fn(|cx| {
                self.inner.poll_call(cx, Side::Write, |stack, handle| {
                    stack.udp_send_to(handle, data, to)
                })
            });
            match sent.await {
                Ok(()) => return Ok(data.len()),
                Err(error) => last = Some(error),
            }
        }
        // There is at least one address.
        Err(last.unwrap_or_else(|| io::ErrorKind::InvalidInput.into()))
    }

    /// [`send_to`](UdpSocket::send_to) that never waits.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when the queue is full, and as
    /// [`send_to`](UdpSocket::send_to).
    pub fn try_send_to(&self, data: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.inner
            .try_call(|stack, handle| stack.udp_send_to(handle, data, to))?;
        Ok(data.len())
    }

    /// Receives a datagram of the remote end. What does not fit is lost.
    ///
    /// Cancel safe: a datagram that was not returned is the next call's.
    ///
    /// # Errors
    /// As [`recv_from`](UdpSocket::recv_from).
    pub async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.recv_from(buffer).await.map(|(len, _)| len)
    }

    /// [`recv`](UdpSocket::recv) for those who poll by hand.
    ///
    /// # Errors
    /// As there.
    pub fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_recv_from(cx, buffer).map_ok(drop)
    }

    /// [`recv`](UdpSocket::recv) that never waits.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if there is none.
    pub fn try_recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.try_recv_from(buffer).map(|(len, _)| len)
    }

    /// Receives a datagram; tells its length and who sent it. What does not fit is lost.
    ///
    /// Cancel safe: a datagram that was not returned is the next call's.
    ///
    /// # Errors
    /// If the socket is connected, what ICMP reported of an earlier datagram, once.
    pub async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        std::future::poll_fn(|cx| {
            self.inner
                .poll_call(cx, Side::Read, |stack, handle| {
                    stack.udp_recv(handle, buffer)
                })
                .map_ok(|received| (received.copied, udp_socket::sender(&received)))
        })
        .await
    }

    /// [`recv_from`](UdpSocket::recv_from) for those who poll by hand.
    ///
    /// # Errors
    /// As there.
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        let place = buffer.initialize_unfilled();
        let received = self.inner.poll_call(cx, Side::Read, |stack, handle| {
            stack.udp_recv(handle, place)
        });
        received.map_ok(|received| {
            buffer.advance(received.copied);
            udp_socket::sender(&received)
        })
    }

    /// [`recv_from`](UdpSocket::recv_from) that never waits.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if there is none.
    pub fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let received = self
            .inner
            .try_call(|stack, handle| stack.udp_recv(handle, buffer))?;
        Ok((received.copied, udp_socket::sender(&received)))
    }

    /// [`recv_from`](UdpSocket::recv_from) that leaves the datagram to be received.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// As there.
    pub async fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        std::future::poll_fn(|cx| {
            self.inner
                .poll_call(cx, Side::Read, |stack, handle| {
                    udp_socket::peek(stack, handle, buffer)
                })
                .map_ok(|received| (received.copied, udp_socket::sender(&received)))
        })
        .await
    }

    /// Waits until there is a datagram, or an error to be told.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// The device's fault.
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Side::Read).await
    }

    /// Waits until there is room to send.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// The device's fault.
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Side::Write).await
    }

    async fn ready(&self, side: Side) -> io::Result<()> {
        std::future::poll_fn(|cx| {
            let socket = self.inner.socket();
            let id = socket.id();
            socket.poll_call(cx, side, |engine, _| {
                let level = engine.level(id);
                let ready = match side {
                    Side::Read => level.readable,
                    Side::Write => level.writable,
                };
                if ready {
                    Ok(())
                } else {
                    Err(StackError::WouldBlock)
                }
            })
        })
        .await
    }

    /// The local address and port.
    ///
    /// # Errors
    /// None today.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    /// The remote end.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotConnected`].
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner.peer_addr()
    }

    /// The error ICMP reported, which is forgotten by asking.
    ///
    /// # Errors
    /// None today.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.inner.take_error()
    }

    /// The socket as one whose calls block, for its options: broadcast, TTL, groups.
    pub fn as_blocking(&self) -> &udp_socket::UdpSocket {
        &self.inner
    }
}
