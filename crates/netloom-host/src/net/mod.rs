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
//! under the lock, up to 64 frames; a call that must wait waits at its own socket, so that news of
//! one socket wakes nobody else. Who polls the device sleeps until it has frames, a timer is due,
//! or a call has made one due earlier; then he receives everything there is, sends what that calls
//! for (so that one acknowledgment answers many segments), and wakes whoever is concerned after he
//! has given up the lock. That is a thread of the stack's own, or a blocked call: see [`Polling`].
//!
//! When the device fails for good, connections end with
//! [`CloseReason::InterfaceRemoved`](netloom_stack::CloseReason), and all other blocked calls with
//! the device's error; what had arrived before can still be read.

mod addrs;
mod backoff;
mod budget;
mod builder;
#[cfg(feature = "channel")]
pub mod channel;
mod clock;
mod descriptor;
mod dhcp;
mod dial;
mod dns;
mod echo_socket;
mod engine;
mod error;
#[cfg(feature = "control")]
mod looker;
mod lookup;
mod ntp;
mod options;
mod parking;
mod places;
mod poll;
mod poll_set;
mod poller;
mod remote;
mod runtime;
mod services;
mod socket;
#[cfg(any(feature = "channel", feature = "tokio"))]
mod tasks;
mod tcp_connection;
mod tcp_listener;
mod tcp_options;
mod tcp_socket;
mod tcp_stream;
#[cfg(feature = "tokio")]
pub mod tokio;
mod udp_multicast;
mod udp_socket;
mod wakes;

use std::io;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use netloom_stack::tcp::ListenOptions;
use netloom_stack::{Counters, Stack, Tunable, Usage};

use crate::device::{self, Device};
use crate::sys;
use addrs::first_that;
use error::to_io;
use runtime::Running;

pub use addrs::{ToAddr, ToCidr, ToSocketAddrs};
pub use backoff::Backoff;
pub use builder::Builder;
pub use dhcp::Dhcp;
pub use echo_socket::{EchoReply, EchoSocket};
pub use error::{Error, Reason};
#[cfg(feature = "control")]
pub(crate) use looker::{Looker, WeakLooker};
pub use netloom_services::dns::{
    Answer, AnswerRecord, Config as DnsConfig, Counters as DnsCounters, Failure as DnsFailure,
    Name, Rdata, RecordType,
};
pub use netloom_services::ntp::{
    ClientConfig as NtpClientConfig, ClientCounters as NtpClientCounters, Estimate as NtpEstimate,
    LeapIndicator, ReferenceClock, ReferenceId, ServerCounters as NtpServerCounters,
    ServerLimits as NtpServerLimits, Update as NtpUpdate,
};
pub use ntp::{NtpClient, NtpServer};
pub use options::Keepalive;
pub use poll::{Interest, PollEntry, Ready, Source};
pub use poll_set::PollSet;
pub use poller::Polling;
pub use remote::{Remote, Resolve};
pub use tcp_connection::{PartialWrite, TcpConnection};
pub use tcp_listener::{Incoming, IntoIncoming, TcpListener};
pub use tcp_socket::TcpSocket;
pub use tcp_stream::TcpStream;
pub use udp_socket::UdpSocket;

/// What the kernel has in hand for the other end of a TCP connection of its own, in bytes: for programs
/// that carry its connections.
///
/// # Errors
/// The kernel's.
#[doc(hidden)]
pub fn kernel_send_queue(socket: BorrowedFd<'_>) -> io::Result<usize> {
    sys::send_queue(socket)
}

/// Connections that may wait to be accepted, and handshakes that may be under way, on a listener:
/// Linux's `somaxconn`.
const BACKLOG: u16 = 4096;

/// A stack that runs on a device. Cheap to clone; a clone is the same stack.
///
/// Dropping the last clone, when no socket is left either, waits until what was written is
/// acknowledged, a second at most, and closes the device.
#[derive(Clone)]
pub struct Net {
    running: Arc<Running>,
    resolver: Option<Arc<dyn Resolve>>,
}

impl std::fmt::Debug for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Net")
            .field("running", &self.running)
            .finish_non_exhaustive()
    }
}

impl Net {
    fn new(running: Running) -> Net {
        Net {
            running: Arc::new(running),
            resolver: None,
        }
    }

    /// Begins a stack on a device.
    pub fn builder(device: impl Device + std::fmt::Debug + 'static) -> Builder {
        Builder::new(device)
    }

    /// The same stack, with somebody else than its DNS servers ([`Builder::dns`]) to ask for the
    /// addresses of names: for what connects by name, as [`TcpConnection`] does. Clones made before
    /// do not have him.
    pub fn with_resolver(mut self, resolver: impl Resolve + 'static) -> Net {
        self.resolver = Some(Arc::new(resolver));
        self
    }

    /// Who is asked for the addresses of names.
    pub fn resolver(&self) -> Option<&dyn Resolve> {
        self.resolver.as_deref()
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
            let socket = self.tcp_socket()?.bind(at)?.reuse_port(options.reuse_port);
            socket.listen(options.backlog)
        })
    }

    /// A TCP socket, to be bound or given options before it connects or listens.
    ///
    /// # Errors
    /// None today.
    pub fn tcp_socket(&self) -> io::Result<TcpSocket> {
        Ok(TcpSocket::new(&self.running))
    }

    /// Connects, and waits until the connection is open. Of several addresses the first that
    /// answers is taken. A name (`"example.org:80"`) is looked up where a DNS server was named
    /// ([`Builder::dns`]), and its addresses are tried side by side as RFC 8305 has it.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if there is no such name; [`io::ErrorKind::ConnectionRefused`], [`io::ErrorKind::TimedOut`],
    /// [`io::ErrorKind::HostUnreachable`], [`io::ErrorKind::NetworkUnreachable`],
    /// [`io::ErrorKind::InvalidInput`].
    pub fn tcp_connect(&self, to: impl ToSocketAddrs) -> io::Result<TcpStream> {
        self.tcp_socket()?.connect(to)
    }

    /// [`Net::tcp_connect`] to one address, that gives up after `timeout`.
    ///
    /// # Errors
    /// As [`Net::tcp_connect`]; [`io::ErrorKind::TimedOut`] after `timeout`;
    /// [`io::ErrorKind::InvalidInput`] for a timeout of zero.
    pub fn tcp_connect_timeout(&self, to: &SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        self.tcp_socket()?.connect_timeout(to, timeout)
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
        self.tcp_socket()?.bind(from)?.connect(to)
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

    /// Opens an echo socket: what ping needs.
    ///
    /// # Errors
    /// [`io::ErrorKind::OutOfMemory`] beyond [`Limits::echo`](netloom_stack::Limits::echo).
    pub fn echo_open(&self) -> io::Result<EchoSocket> {
        EchoSocket::open(&self.running)
    }

    /// What happened to every packet so far.
    pub fn counters(&self) -> Counters {
        self.running
            .shared()
            .look(|engine| engine.stack.counters().clone())
    }

    /// How much of the stack's memory is in use now.
    pub fn usage(&self) -> Usage {
        self.running.shared().look(|engine| engine.stack.usage())
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

    /// The socket by which other programs ask about the stack; `None` if they cannot.
    #[cfg(feature = "control")]
    pub fn control_path(&self) -> Option<&std::path::Path> {
        Some(self.running.control.as_ref()?.path())
    }

    /// Changes a tunable by its name to what a text says: a number, or a name, as for
    /// `tcp_congestion_control`.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if there is no such tunable, or no such choice: the text names
    /// those there are; [`io::ErrorKind::InvalidInput`] outside its range.
    pub fn set_tunable_named(&self, name: &str, text: &str) -> io::Result<()> {
        self.running
            .shared()
            .with(|engine| engine.stack.set_tunable_named(name, text))
            .map_err(to_io)
    }

    /// Calls the stack itself, for what has no method here: addresses, routes, and whatever else
    /// [`Stack`] can do. The stack stands still meanwhile, so `call` must not wait for anything;
    /// sockets it opens are its own to close, and events are not its to take.
    pub fn with_stack<T>(&self, call: impl FnOnce(&mut Stack) -> T) -> T {
        self.running.shared().with(|engine| {
            let value = call(&mut engine.stack);
            // It may have changed addresses, or joined groups.
            engine.set_device_groups();
            value
        })
    }
}
