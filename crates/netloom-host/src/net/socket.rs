//! What all kinds of sockets have in common.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, OnceLock};

use netloom_stack::{Error as StackError, Stack};

use super::descriptor::Descriptor;
use super::engine::Engine;
use super::error::to_io;
use super::options::Waiting;
use super::parking::{Parking, Side};
use super::places::SocketId;
use super::runtime::{Running, Shared};

/// A socket of the stack that its owner gives back by dropping it.
pub(super) struct Socket<H: Into<SocketId> + Copy> {
    running: Arc<Running>,
    handle: H,
    parking: Arc<Parking>,
    /// How long its calls wait.
    pub(super) waiting: Waiting,
    descriptor: OnceLock<Arc<Descriptor>>,
}

impl<H: Into<SocketId> + Copy> Drop for Socket<H> {
    fn drop(&mut self) {
        let socket = self.id();
        self.shared().with(|engine| engine.close(socket));
    }
}

impl<H: Into<SocketId> + Copy> fmt::Debug for Socket<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

impl<H: Into<SocketId> + Copy> Socket<H> {
    /// Takes over a socket that `open` makes in the stack.
    pub(super) fn open(
        running: &Arc<Running>,
        open: impl FnOnce(&mut Stack) -> Result<H, StackError>,
    ) -> io::Result<Socket<H>> {
        let made = running.shared().with(|engine| {
            let handle = open(&mut engine.stack)?;
            Ok((handle, engine.add(handle)))
        });
        made.map(|made| Socket::new(running, made)).map_err(to_io)
    }

    /// Takes over a socket, with the place the engine has made for it.
    pub(super) fn new(running: &Arc<Running>, (handle, parking): (H, Arc<Parking>)) -> Socket<H> {
        Socket {
            running: Arc::clone(running),
            handle,
            parking,
            waiting: Waiting::default(),
            descriptor: OnceLock::new(),
        }
    }

    pub(super) fn id(&self) -> SocketId {
        self.handle.into()
    }

    #[cfg(any(feature = "channel", feature = "tokio"))]
    pub(super) fn handle(&self) -> H {
        self.handle
    }

    pub(super) fn running(&self) -> &Arc<Running> {
        &self.running
    }

    fn shared(&self) -> &Shared {
        self.running.shared()
    }

    /// Calls the stack about this socket, and sends what that gave it to send.
    pub(super) fn call<T>(
        &self,
        call: impl FnOnce(&mut Stack, H) -> Result<T, StackError>,
    ) -> io::Result<T> {
        self.with_engine(|engine, handle| call(&mut engine.stack, handle))
    }

    /// [`Socket::call`] for what needs the clock too.
    pub(super) fn with_engine<T>(
        &self,
        call: impl FnOnce(&mut Engine, H) -> Result<T, StackError>,
    ) -> io::Result<T> {
        let called = self.shared().with(|engine| {
            let value = call(engine, self.handle);
            engine.refresh(self.id());
            value
        });
        called.map_err(to_io)
    }

    /// [`Socket::call`] that has everybody look again who waits with this socket.
    pub(super) fn disturb<T>(
        &self,
        call: impl FnOnce(&mut Stack, H) -> Result<T, StackError>,
    ) -> io::Result<T> {
        let called = self.shared().with(|engine| {
            let value = call(&mut engine.stack, self.handle);
            engine.wake_all(self.id());
            value
        });
        called.map_err(to_io)
    }

    /// Asks the stack about this socket.
    pub(super) fn look<T>(
        &self,
        look: impl FnOnce(&mut Stack, H) -> Result<T, StackError>,
    ) -> io::Result<T> {
        self.shared()
            .look(|engine| look(&mut engine.stack, self.handle))
            .map_err(to_io)
    }

    /// Calls the engine about this socket until it need not wait, for as long as calls on that
    /// side may.
    pub(super) fn blocking<T>(
        &self,
        side: Side,
        call: impl FnMut(&mut Engine, H) -> Result<T, StackError>,
    ) -> io::Result<T> {
        self.blocking_for(side, self.waiting.patience(side), call)
    }

    /// [`Socket::blocking`] with a patience of its own.
    pub(super) fn blocking_for<T>(
        &self,
        side: Side,
        patience: super::runtime::Patience,
        mut call: impl FnMut(&mut Engine, H) -> Result<T, StackError>,
    ) -> io::Result<T> {
        let socket = self.id();
        self.shared()
            .block(&self.parking, side, patience, |engine| {
                let result = call(engine, self.handle);
                engine.refresh(socket);
                result
            })
    }

    /// What epoll can wait on. When the process has no descriptor left for it, that of the stack
    /// which is always ready: whoever waits on it goes on, but does not sleep.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        if let Some(descriptor) = self.descriptor.get() {
            return descriptor.as_fd();
        }
        let socket = self.id();
        let made = self
            .shared()
            .with(|engine| engine.descriptor(socket, Descriptor::new));
        match made {
            Ok(Some(made)) => self.descriptor.get_or_init(|| made).as_fd(),
            Ok(None) | Err(_) => self.shared().always_ready(),
        }
    }
}

/// The methods of a socket that is one `inner` in an `Arc`, with a field `socket` in it.
macro_rules! shared_socket {
    ($socket:ident, $what:literal) => {
        impl $socket {
            #[doc = concat!("Another handle on the same ", $what, ". Options and timeouts are shared.")]
            ///
            /// # Errors
            /// None today.
            pub fn try_clone(&self) -> io::Result<$socket> {
                Ok($socket {
                    inner: Arc::clone(&self.inner),
                })
            }

            /// Whether calls fail with [`io::ErrorKind::WouldBlock`] instead of waiting.
            ///
            /// # Errors
            /// None today.
            pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
                self.inner.socket.waiting.set_nonblocking(nonblocking);
                Ok(())
            }
        }

        /// A descriptor to wait on with poll, epoll or what is built on them, as on one of the
        /// kernel's sockets, edge-triggered too. It is for waiting only: nothing may be read from
        /// it or written to it. All clones of a socket have the same one, made when it is first
        /// asked for (two descriptors of the process). Without any left, it is one that is always
        /// ready.
        impl std::os::fd::AsFd for $socket {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.inner.socket.descriptor()
            }
        }

        impl std::os::fd::AsRawFd for $socket {
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                std::os::fd::AsFd::as_fd(self).as_raw_fd()
            }
        }

        impl crate::net::poll::Sealed for $socket {
            fn source(&self) -> crate::net::poll::Origin<'_> {
                crate::net::poll::Origin {
                    running: self.inner.socket.running(),
                    socket: self.inner.socket.id(),
                }
            }
        }

        impl crate::net::poll::Source for $socket {}
    };
}
pub(super) use shared_socket;

/// The timeouts of a [`shared_socket`].
macro_rules! socket_timeouts {
    ($socket:ident) => {
        impl $socket {
            /// How long reading or receiving waits; `None`, at first: for ever. After it the call
            /// fails with [`io::ErrorKind::WouldBlock`], as std's sockets on Unix do.
            ///
            /// # Errors
            /// [`io::ErrorKind::InvalidInput`] for zero.
            pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.inner.socket.waiting.read.set(timeout)
            }

            /// How long writing or sending waits for room; `None`, at first: for ever. After it
            /// the call fails with [`io::ErrorKind::WouldBlock`], as std's sockets on Unix do.
            ///
            /// # Errors
            /// [`io::ErrorKind::InvalidInput`] for zero.
            pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.inner.socket.waiting.write.set(timeout)
            }

            /// How long reading or receiving waits.
            ///
            /// # Errors
            /// None today.
            pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
                Ok(self.inner.socket.waiting.read.get())
            }

            /// How long writing or sending waits.
            ///
            /// # Errors
            /// None today.
            pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
                Ok(self.inner.socket.waiting.write.get())
            }
        }
    };
}
pub(super) use socket_timeouts;
