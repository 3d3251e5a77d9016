//! UDP sockets of programs in a world.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use netloom_stack::udp::UdpBind;
use netloom_stack::{Stack, UdpHandle};

use crate::context::{Current, Wait, current};
use crate::error::Error;
use crate::tcp::use_stack;

/// A UDP socket of the host it was bound on. Dropping it closes it: datagrams of the same instant,
/// which no link has taken yet, are gone then.
pub struct UdpSocket {
    world: Current,
    handle: UdpHandle,
}

impl std::fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("UdpSocket").field(&self.handle).finish()
    }
}

impl UdpSocket {
    /// Binds to a port of every address of the current program's host (0 chooses one), or where
    /// a `SocketAddr` says.
    ///
    /// # Errors
    /// As [`Stack::udp_bind`].
    ///
    /// # Panics
    /// Outside of a program of a world.
    pub fn bind(at: impl Into<UdpBind>) -> Result<UdpSocket, Error> {
        let world = current();
        let handle = use_stack(&world, |stack| stack.udp_bind(at.into()))?;
        Ok(UdpSocket { world, handle })
    }

    /// Fixes the remote end.
    ///
    /// # Errors
    /// As [`Stack::udp_connect`].
    pub fn connect(&self, remote: SocketAddr) -> Result<(), Error> {
        use_stack(&self.world, |stack| stack.udp_connect(self.handle, remote))
    }

    /// Sends a datagram to the remote end of a connected socket.
    ///
    /// # Errors
    /// As [`Stack::udp_send`].
    pub async fn send(&self, data: &[u8]) -> Result<(), Error> {
        poll_fn(|cx| {
            self.poll(cx, Wait::Send(self.handle), |stack| {
                stack.udp_send(self.handle, data)
            })
        })
        .await
    }

    /// Sends a datagram.
    ///
    /// # Errors
    /// As [`Stack::udp_send_to`].
    pub async fn send_to(&self, data: &[u8], to: SocketAddr) -> Result<(), Error> {
        poll_fn(|cx| {
            self.poll(cx, Wait::Send(self.handle), |stack| {
                stack.udp_send_to(self.handle, data, to)
            })
        })
        .await
    }

    /// Waits for a datagram: how much of it was copied, and who sent it. What does not fit the
    /// buffer is lost.
    ///
    /// # Errors
    /// As [`Stack::udp_recv`].
    pub async fn recv_from(&self, buffer: &mut [u8]) -> Result<(usize, SocketAddr), Error> {
        let received = poll_fn(|cx| {
            self.poll(cx, Wait::Receive(self.handle), |stack| {
                stack.udp_recv(self.handle, buffer)
            })
        })
        .await?;
        let from = SocketAddr::new(received.meta.remote.into(), received.meta.remote_port);
        Ok((received.copied, from))
    }

    /// The local end.
    ///
    /// # Errors
    /// As [`Stack::udp_local_addr`].
    pub fn local_addr(&self) -> Result<SocketAddr, Error> {
        use_stack(&self.world, |stack| stack.udp_local_addr(self.handle))
    }

    /// The socket's handle in its host's stack, for what has no call here.
    pub fn handle(&self) -> UdpHandle {
        self.handle
    }

    fn poll<R>(
        &self,
        cx: &mut Context<'_>,
        wait: Wait,
        call: impl FnOnce(&mut Stack) -> Result<R, netloom_stack::Error>,
    ) -> Poll<Result<R, Error>> {
        let result = use_stack(&self.world, call);
        match result {
            Err(error) if error.would_block() => {
                let host = self.world.host;
                let waiting = self.world.with(|network| {
                    let waiters = &mut network.hosts[host.0].udp;
                    waiters.entry(self.handle).or_default().add(cx.waker());
                    network.waits_for(current().task, wait);
                });
                waiting.map_or_else(|error| Poll::Ready(Err(error)), |()| Poll::Pending)
            }
            result => Poll::Ready(result),
        }
    }
}

impl Drop for UdpSocket {
    fn drop(&mut self) {
        let host = self.world.host;
        let _ = self.world.with(|network| {
            let now = network.now();
            let host = &mut network.hosts[host.0];
            host.udp.remove(&self.handle);
            host.use_stack(now).udp_close(self.handle)
        });
    }
}
