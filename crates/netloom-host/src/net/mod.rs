//! A running stack, and sockets on it that look like those of `std::net`.
//!
//! [`Net`] is a stack with a device and a thread that drives it. Clones are the same stack; it
//! runs until the last clone and the last socket are gone.
//!
//! ```no_run
//! use std::io::Write;
//! use netloom_host::device::Tap;
//!
//! # fn main() -> std::io::Result<()> {
//! let net = Tap::create("netloom0")?
//!     .address("10.71.0.2/24")
//!     .kernel_address("10.71.0.1/24")
//!     .start()?;
//! let listener = net.tcp_listen("0.0.0.0:7")?;
//! for stream in listener.incoming() {
//!     stream?.write_all(b"hello\n")?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # How it runs
//!
//! One lock guards the stack and its device. A call that has something to send sends it at once,
//! under the lock; a call that must wait waits at its own socket, so that news of one socket
//! wakes nobody else. The driver thread sleeps until the device has frames, a timer is due, or a
//! call has made one due earlier; then it receives everything there is, sends what that calls for
//! (so that one acknowledgment answers many segments), and wakes whoever is concerned after it
//! has given up the lock.
//!
//! When the device fails for good, all blocked calls end with its error; what had arrived before
//! can still be read.

mod addrs;
mod builder;
mod clock;
mod engine;
mod error;
mod options;
mod parking;
mod runtime;
mod tcp_listener;
mod tcp_stream;
mod udp_socket;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use netloom_stack::tcp::{ListenAddr, ListenOptions};
use netloom_stack::{Counters, Stack, Tunable};

use crate::device::{self, Device};
use addrs::first_that;
use error::to_io;
use runtime::Running;

pub use addrs::{ToAddr, ToCidr, ToSocketAddrs};
pub use builder::Builder;
pub use error::reason;
pub use options::Keepalive;
pub use tcp_listener::{Incoming, TcpListener};
pub use tcp_stream::TcpStream;
pub use udp_socket::UdpSocket;

/// Connections that may wait to be accepted, and handshakes that may be under way, on a listener:
/// Linux's `somaxconn`.
const BACKLOG: u16 = 4096;

/// A stack that runs on a device. Cheap to clone; a clone is the same stack.
///
/// Dropping the last clone, when no socket is left either, waits until what was written is
/// acknowledged, a second at most, and closes the device.
#[derive(Debug, Clone)]
pub struct Net {
    running: Arc<Running>,
}

impl Net {
    fn new(running: Running) -> Net {
        Net {
            running: Arc::new(running),
        }
    }

    /// Begins a stack on a device.
    pub fn builder(device: impl Device + std::fmt::Debug + 'static) -> Builder {
        Builder::new(device)
    }

    /// Listens at an address and port. Port 0 chooses one
    /// ([`TcpListener::local_addr`] tells). `0.0.0.0` is every IPv4 address; `[::]` is every
    /// address of both versions, as on Linux.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrInUse`], [`io::ErrorKind::AddrNotAvailable`],
    /// [`io::ErrorKind::InvalidInput`] for text that is no address.
    pub fn tcp_listen(&self, at: impl ToSocketAddrs) -> io::Result<TcpListener> {
        self.tcp_listen_with(
            at,
            ListenOptions {
                backlog: BACKLOG,
                ..ListenOptions::default()
            },
        )
    }

    /// [`Net::tcp_listen`] with a backlog of one's own, or sharing the port.
    ///
    /// # Errors
    /// As [`Net::tcp_listen`]; [`io::ErrorKind::InvalidInput`] for a backlog of 0.
    pub fn tcp_listen_with(
        &self,
        at: impl ToSocketAddrs,
        options: ListenOptions,
    ) -> io::Result<TcpListener> {
        first_that(at, |at| {
            let any = at.ip().is_unspecified() && at.is_ipv6();
            let place = if any {
                ListenAddr::from(at.port())
            } else {
                ListenAddr::from(at)
            };
            TcpListener::open(&self.running, at, place, options)
        })
    }

    /// Connects, and waits until the connection is open. Of several addresses the first that
    /// answers is taken.
    ///
    /// # Errors
    /// [`io::ErrorKind::ConnectionRefused`], [`io::ErrorKind::TimedOut`],
    /// [`io::ErrorKind::HostUnreachable`], [`io::ErrorKind::NetworkUnreachable`],
    /// [`io::ErrorKind::InvalidInput`].
    pub fn tcp_connect(&self, to: impl ToSocketAddrs) -> io::Result<TcpStream> {
        first_that(to, |to| TcpStream::open(&self.running, None, to, None))
    }

    /// [`Net::tcp_connect`] to one address, that gives up after `timeout`.
    ///
    /// # Errors
    /// As [`Net::tcp_connect`]; [`io::ErrorKind::TimedOut`] after `timeout`;
    /// [`io::ErrorKind::InvalidInput`] for a timeout of zero.
    pub fn tcp_connect_timeout(&self, to: &SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        if timeout.is_zero() {
            return Err(options::zero_timeout());
        }
        TcpStream::open(&self.running, None, *to, Some(timeout))
    }

    /// [`Net::tcp_connect`] from a local address and port; the unspecified address and port 0
    /// leave the choice to the stack.
    ///
    /// # Errors
    /// As [`Net::tcp_connect`]; [`io::ErrorKind::AddrInUse`],
    /// [`io::ErrorKind::AddrNotAvailable`].
    pub fn tcp_connect_from(
        &self,
        from: SocketAddr,
        to: impl ToSocketAddrs,
    ) -> io::Result<TcpStream> {
        first_that(to, |to| {
            TcpStream::open(&self.running, Some(from), to, None)
        })
    }

    /// Opens a UDP socket at an address and port; port 0 chooses one. `[::]` is every address of
    /// both versions.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrInUse`], [`io::ErrorKind::AddrNotAvailable`],
    /// [`io::ErrorKind::InvalidInput`] for text that is no address.
    pub fn udp_bind(&self, at: impl ToSocketAddrs) -> io::Result<UdpSocket> {
        first_that(at, |at| UdpSocket::open(&self.running, at))
    }

    /// What happened to every packet so far.
    pub fn counters(&self) -> Counters {
        self.running
            .shared()
            .look(|engine| engine.stack.counters().clone())
    }

    /// What the device has carried and lost.
    pub fn device_counters(&self) -> device::Counters {
        self.running
            .shared()
            .look(|engine| engine.device_counters())
    }

    /// A tunable by its name, with its value now; `None` if there is none of that name.
    pub fn tunable(&self, name: &str) -> Option<Tunable> {
        self.running
            .shared()
            .look(|engine| engine.stack.tunables().get(name))
    }

    /// Changes a tunable by its name.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`], [`io::ErrorKind::InvalidInput`] outside its range.
    pub fn set_tunable(&self, name: &str, value: u64) -> io::Result<()> {
        self.running
            .shared()
            .with(|engine| engine.stack.set_tunable(name, value))
            .map_err(to_io)
    }

    /// Calls the stack itself, for what has no method here: addresses, routes, and whatever else
    /// [`Stack`] can do. The stack stands still meanwhile, so `call` must not wait for anything;
    /// sockets it opens are its own to close, and events are not its to take.
    pub fn with_stack<T>(&self, call: impl FnOnce(&mut Stack) -> T) -> T {
        self.running.shared().with(|engine| call(&mut engine.stack))
    }
}
