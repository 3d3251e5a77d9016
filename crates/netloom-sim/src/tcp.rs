//! TCP sockets of programs in a world.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use netloom_stack::tcp::{ConnectFrom, How, ListenAddr, ListenOptions, TcpSettings};
use netloom_stack::{CloseReason, ListenerHandle, Stack, State, TcpHandle, TcpInfo};

use crate::context::{Current, Wait, current};
use crate::error::Error;

/// A listener of the host it was bound on. Dropping it closes it.
pub struct TcpListener {
    world: Current,
    handle: ListenerHandle,
}

impl std::fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("TcpListener").field(&self.handle).finish()
    }
}

impl TcpListener {
    /// Listens on a port of every address of the current program's host, or where a
    /// `SocketAddr` says.
    ///
    /// # Errors
    /// As [`Stack::tcp_listen`].
    ///
    /// # Panics
    /// Outside of a program of a world.
    pub fn bind(at: impl Into<ListenAddr>) -> Result<TcpListener, Error> {
        let world = current();
        let handle = use_stack(&world, |stack| stack.tcp_listen(at.into()))?;
        Ok(TcpListener { world, handle })
    }

    /// [`bind`](TcpListener::bind) with options.
    ///
    /// # Errors
    /// As [`Stack::tcp_listen_with`].
    ///
    /// # Panics
    /// Outside of a program of a world.
    pub fn bind_with(
        at: impl Into<ListenAddr>,
        options: ListenOptions,
    ) -> Result<TcpListener, Error> {
        let world = current();
        let handle = use_stack(&world, |stack| stack.tcp_listen_with(at.into(), options))?;
        Ok(TcpListener { world, handle })
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    /// As [`Stack::tcp_accept`].
    pub async fn accept(&self) -> Result<(TcpStream, SocketAddr), Error> {
        let handle = poll_fn(|cx| self.poll_accept(cx)).await?;
        let stream = TcpStream {
            world: self.world.clone(),
            handle,
        };
        let peer = stream.peer_addr()?;
        Ok((stream, peer))
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<Result<TcpHandle, Error>> {
        let accepted = use_stack(&self.world, |stack| stack.tcp_accept(self.handle));
        match accepted {
            Ok(Some(handle)) => Poll::Ready(Ok(handle)),
            Err(error) => Poll::Ready(Err(error)),
            Ok(None) => {
                let host = self.world.host;
                let waiting = self.world.with(|network| {
                    let waiters = &mut network.hosts[host.0].listeners;
                    waiters.entry(self.handle).or_default().add(cx.waker());
                    network.waits_for(current().task, Wait::Accept(self.handle));
                });
                waiting.map_or_else(|error| Poll::Ready(Err(error)), |()| Poll::Pending)
            }
        }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// As [`Stack::tcp_listener_addr`].
    pub fn local_addr(&self) -> Result<SocketAddr, Error> {
        use_stack(&self.world, |stack| stack.tcp_listener_addr(self.handle))
    }
}

impl Drop for TcpListener {
    fn drop(&mut self) {
        let host = self.world.host;
        let _ = self.world.with(|network| {
            let now = network.now();
            let host = &mut network.hosts[host.0];
            host.listeners.remove(&self.handle);
            host.use_stack(now).tcp_close_listener(self.handle)
        });
    }
}

/// A connection of a program's host. All calls take `&self`, so that [`join`](crate::join) can
/// read and write at once. Dropping it closes it: what is written is delivered, then FIN.
pub struct TcpStream {
    world: Current,
    handle: TcpHandle,
}

impl std::fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("TcpStream").field(&self.handle).finish()
    }
}

impl TcpStream {
    /// Connects from the current program's host, to an address only: there is nobody to look names
    /// up.
    ///
    /// # Errors
    /// As [`Stack::tcp_connect`], or why the handshake failed.
    ///
    /// # Panics
    /// Outside of a program of a world.
    pub async fn connect(remote: SocketAddr) -> Result<TcpStream, Error> {
        let world = current();
        let handle = use_stack(&world, |stack| stack.tcp_connect(remote))?;
        TcpStream { world, handle }.connected().await
    }

    /// Begins to connect, with data for the SYN where that may be
    /// ([`Stack::tcp_connect_with_data`]); says how much was taken. Does not wait for the handshake.
    ///
    /// # Errors
    /// As [`Stack::tcp_connect_with_data`].
    ///
    /// # Panics
    /// Outside of a program of a world.
    pub fn connect_with_data(remote: SocketAddr, data: &[u8]) -> Result<(TcpStream, usize), Error> {
        let world = current();
        let (handle, taken) = use_stack(&world, |stack| {
            stack.tcp_connect_with_data(ConnectFrom::default(), remote, data)
        })?;
        Ok((TcpStream { world, handle }, taken))
    }

    /// Connects from a chosen address and port; an unspecified address and port 0 are chosen by
    /// the stack.
    ///
    /// # Errors
    /// As [`Stack::tcp_connect_from`], or why the handshake failed.
    ///
    /// # Panics
    /// Outside of a program of a world.
    pub async fn connect_from(from: SocketAddr, remote: SocketAddr) -> Result<TcpStream, Error> {
        let world = current();
        let handle = use_stack(&world, |stack| stack.tcp_connect_from(from, remote))?;
        TcpStream { world, handle }.connected().await
    }

    /// Waits for the end of the handshake.
    async fn connected(self) -> Result<TcpStream, Error> {
        let handle = self.handle;
        poll_fn(|cx| {
            self.poll(cx, Wait::Connect(handle), |stack| {
                let readiness = stack.tcp_readiness(handle)?;
                if readiness.connected {
                    return Ok(());
                }
                Err(match stack.tcp_close_reason(handle)? {
                    Some(reason) => netloom_stack::Error::Closed(reason),
                    None => netloom_stack::Error::WouldBlock,
                })
            })
        })
        .await?;
        Ok(self)
    }

    /// Tries a call; if it would block, the program is woken when the connection has news.
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
                    let waiters = &mut network.hosts[host.0].tcp;
                    waiters.entry(self.handle).or_default().add(cx.waker());
                    network.waits_for(current().task, wait);
                });
                waiting.map_or_else(|error| Poll::Ready(Err(error)), |()| Poll::Pending)
            }
            result => Poll::Ready(result),
        }
    }

    /// Reads what has arrived, at least one byte; 0 is the end of the stream (or an empty
    /// buffer).
    ///
    /// # Errors
    /// Why the connection ended, if it did so otherwise than in order.
    pub async fn read(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        poll_fn(|cx| {
            self.poll(cx, Wait::Read(self.handle), |stack| {
                stack.tcp_read(self.handle, buffer)
            })
        })
        .await
    }

    /// Fills the buffer.
    ///
    /// # Errors
    /// [`Error::UnexpectedEnd`], and as [`read`](TcpStream::read).
    pub async fn read_exact(&self, mut buffer: &mut [u8]) -> Result<(), Error> {
        while !buffer.is_empty() {
            let n = self.read(buffer).await?;
            if n == 0 {
                return Err(Error::UnexpectedEnd);
            }
            buffer = &mut buffer[n..];
        }
        Ok(())
    }

    /// Reads until the peer has finished.
    ///
    /// # Errors
    /// As [`read`](TcpStream::read).
    pub async fn read_to_end(&self) -> Result<Vec<u8>, Error> {
        let mut all = Vec::new();
        let mut buffer = vec![0; 16_384];
        loop {
            match self.read(&mut buffer).await? {
                0 => return Ok(all),
                n => all.extend_from_slice(&buffer[..n]),
            }
        }
    }

    /// Writes what there is room for, at least one byte.
    ///
    /// # Errors
    /// Why the connection ended, or that this side has finished.
    pub async fn write(&self, data: &[u8]) -> Result<usize, Error> {
        poll_fn(|cx| {
            self.poll(cx, Wait::Write(self.handle), |stack| {
                stack.tcp_write(self.handle, data)
            })
        })
        .await
    }

    /// Writes all of it. It is on its way then, not at its end.
    ///
    /// # Errors
    /// As [`write`](TcpStream::write).
    pub async fn write_all(&self, mut data: &[u8]) -> Result<(), Error> {
        while !data.is_empty() {
            let n = self.write(data).await?;
            data = &data[n..];
        }
        Ok(())
    }

    /// Finishes writing: FIN follows what was written. Reading goes on.
    ///
    /// # Errors
    /// As [`Stack::tcp_shutdown`].
    pub fn finish(&self) -> Result<(), Error> {
        self.shutdown(How::Write)
    }

    /// Shuts down one or both directions.
    ///
    /// # Errors
    /// As [`Stack::tcp_shutdown`].
    pub fn shutdown(&self, how: How) -> Result<(), Error> {
        use_stack(&self.world, |stack| stack.tcp_shutdown(self.handle, how))
    }

    /// Waits until the connection is over, and says why. Both sides must have finished for that,
    /// or something must have gone wrong.
    ///
    /// # Errors
    /// None of the connection's own.
    pub async fn closed(&self) -> Result<CloseReason, Error> {
        poll_fn(|cx| {
            self.poll(cx, Wait::End(self.handle), |stack| {
                stack
                    .tcp_close_reason(self.handle)?
                    .ok_or(netloom_stack::Error::WouldBlock)
            })
        })
        .await
    }

    /// Gives the connection back; the stack finishes it ([`Stack::tcp_close`]). The same as
    /// dropping it.
    pub fn close(self) {
        drop(self);
    }

    /// Resets the connection.
    ///
    /// # Errors
    /// As [`Stack::tcp_abort`].
    pub fn abort(&self) -> Result<(), Error> {
        use_stack(&self.world, |stack| stack.tcp_abort(self.handle))
    }

    /// Why the connection ended, once it has.
    ///
    /// # Errors
    /// As [`Stack::tcp_close_reason`].
    pub fn close_reason(&self) -> Result<Option<CloseReason>, Error> {
        use_stack(&self.world, |stack| stack.tcp_close_reason(self.handle))
    }

    /// The state.
    ///
    /// # Errors
    /// As [`Stack::tcp_state`].
    pub fn state(&self) -> Result<State, Error> {
        use_stack(&self.world, |stack| stack.tcp_state(self.handle))
    }

    /// Numbers about the connection.
    ///
    /// # Errors
    /// As [`Stack::tcp_info`].
    pub fn info(&self) -> Result<TcpInfo, Error> {
        use_stack(&self.world, |stack| stack.tcp_info(self.handle))
    }

    /// The local end.
    ///
    /// # Errors
    /// As [`Stack::tcp_local_addr`].
    pub fn local_addr(&self) -> Result<SocketAddr, Error> {
        use_stack(&self.world, |stack| stack.tcp_local_addr(self.handle))
    }

    /// The remote end.
    ///
    /// # Errors
    /// As [`Stack::tcp_peer_addr`].
    pub fn peer_addr(&self) -> Result<SocketAddr, Error> {
        use_stack(&self.world, |stack| stack.tcp_peer_addr(self.handle))
    }

    /// Sends at no more than so many octets of payload a second, evenly.
    ///
    /// # Errors
    /// As [`Stack::tcp_set_max_pacing_rate`].
    pub fn set_max_pacing_rate(&self, octets: Option<u64>) -> Result<(), Error> {
        use_stack(&self.world, |stack| {
            stack.tcp_set_max_pacing_rate(self.handle, octets)
        })
    }

    /// Switches the Nagle algorithm off (`true`) or on.
    ///
    /// # Errors
    /// As [`Stack::tcp_set_nodelay`].
    pub fn set_nodelay(&self, nodelay: bool) -> Result<(), Error> {
        use_stack(&self.world, |stack| {
            stack.tcp_set_nodelay(self.handle, nodelay)
        })
    }

    /// Chooses the congestion control algorithm by its name.
    ///
    /// # Errors
    /// As [`Stack::tcp_set_congestion`].
    pub fn set_congestion(&self, name: &str) -> Result<(), Error> {
        use_stack(&self.world, |stack| {
            stack.tcp_set_congestion(self.handle, name)
        })
    }

    /// Bounds what is queued to be sent, in bytes; from then on the bound does not change by itself.
    ///
    /// # Errors
    /// As [`Stack::tcp_set_send_buffer`].
    pub fn set_send_buffer(&self, bytes: u32) -> Result<(), Error> {
        use_stack(&self.world, |stack| {
            stack.tcp_set_send_buffer(self.handle, bytes)
        })
    }

    /// Bounds what the window promises, in bytes; from then on the bound does not change by itself.
    ///
    /// # Errors
    /// As [`Stack::tcp_set_receive_buffer`].
    pub fn set_receive_buffer(&self, bytes: u32) -> Result<(), Error> {
        use_stack(&self.world, |stack| {
            stack.tcp_set_receive_buffer(self.handle, bytes)
        })
    }

    /// What is set of the connection.
    ///
    /// # Errors
    /// As [`Stack::tcp_settings`].
    pub fn settings(&self) -> Result<TcpSettings, Error> {
        use_stack(&self.world, |stack| stack.tcp_settings(self.handle))
    }

    /// The connection's handle in its host's stack, for what has no call here.
    pub fn handle(&self) -> TcpHandle {
        self.handle
    }
}

impl Drop for TcpStream {
    fn drop(&mut self) {
        let host = self.world.host;
        let _ = self.world.with(|network| {
            let now = network.now();
            let host = &mut network.hosts[host.0];
            host.tcp.remove(&self.handle);
            host.use_stack(now).tcp_close(self.handle)
        });
    }
}

/// Calls on the stack of the program's host.
pub(crate) fn use_stack<R>(
    world: &Current,
    call: impl FnOnce(&mut Stack) -> Result<R, netloom_stack::Error>,
) -> Result<R, Error> {
    let result = world.with(|network| {
        let now = network.now();
        call(network.hosts[world.host.0].use_stack(now))
    })?;
    result.map_err(Error::from)
}
