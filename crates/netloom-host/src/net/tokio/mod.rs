//! Sockets for tokio on a stack of our own, and flows: everybody's connections as streams.
//!
//! A stack whose driver is a task is begun with [`Builder::start_on`](super::Builder::start_on);
//! [`Net::tokio`](super::Net::tokio) gives its sockets, which are named and behave as tokio's. A
//! stack with a driver thread has them as well, and both kinds of sockets may be used side by side.
//!
//! ```no_run
//! use netloom_host::device::Tap;
//! use tokio::io::AsyncWriteExt;
//!
//! # async fn f() -> std::io::Result<()> {
//! let net = Tap::create("netloom0")?
//!     .address("10.71.0.2/24")
//!     .kernel_address("10.71.0.1/24")
//!     .start_on(&tokio::runtime::Handle::current())?;
//! let listener = net.tokio().tcp_listen("0.0.0.0:7").await?;
//! loop {
//!     let (mut stream, _) = listener.accept().await?;
//!     tokio::spawn(async move { stream.write_all(b"hello\n").await });
//! }
//! # }
//! ```
//!
//! [`FlowListener`] takes packets for every address, and gives what they open:
//!
//! ```no_run
//! use netloom_host::device::Tun;
//! use netloom_host::tokio::{Flow, FlowConfig, FlowListener};
//! use tokio::{io::copy_bidirectional, net::TcpStream};
//!
//! # async fn f() -> std::io::Result<()> {
//! let tun = Tun::create("tun0")?;
//! let mut flows = FlowListener::new(tun, FlowConfig::default().memory_budget(64 << 20))?;
//! while let Some(flow) = flows.accept().await {
//!     let Flow::Tcp(syn) = flow else { continue };
//!     tokio::spawn(async move {
//!         // Dial first, answer the SYN after.
//!         match TcpStream::connect(syn.destination()).await {
//!             Ok(mut up) => {
//!                 let mut down = syn.accept().await?;
//!                 copy_bidirectional(&mut down, &mut up).await.map(drop)
//!             }
//!             Err(error) => Ok(syn.refuse_like(&error)),
//!         }
//!     });
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Cancelling
//!
//! Dropping the future of any method here loses no data: what it would have transferred is
//! transferred by the next call, unless a method's documentation says otherwise.

mod channel;
mod desk;
mod driver;
mod flow;
mod listener;
mod split;
mod stream;
mod transfer;
mod udp;

use std::io;

use super::addrs::{ToSocketAddrs, first_that};
use super::dial::Target;

pub use channel::{PacketDevice, PacketReceiver, PacketSender, packet_channel};
pub use flow::{EchoFlow, Flow, FlowListener, Syn, UdpFlow};
pub use listener::TcpListener;
pub use netloom_stack::flow::{FlowConfig, FlowTimeouts, Refusal, Unreachable};
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
pub use stream::TcpStream;
pub use udp::UdpSocket;

pub(super) use desk::Desk;
pub(super) use driver::start_on;

/// The tokio sockets of a running stack: see [`Net::tokio`](super::Net::tokio).
#[derive(Debug, Clone)]
pub struct Net {
    net: super::Net,
}

impl super::Net {
    /// This stack's sockets for tokio.
    pub fn tokio(&self) -> Net {
        Net { net: self.clone() }
    }
}

impl Net {
    /// Listens at an address and port: see [`Net::tcp_listen`](super::Net::tcp_listen).
    ///
    /// Cancel safe: it never waits. A listener that is not returned listens no more.
    ///
    /// # Errors
    /// As there.
    // Nothing is waited for yet; it is async as tokio's is.
    #[expect(clippy::unused_async, reason = "named and called as tokio's")]
    pub async fn tcp_listen(&self, at: impl ToSocketAddrs) -> io::Result<TcpListener> {
        self.net.tcp_listen(at).map(TcpListener::from)
    }

    /// Connects, and waits until the connection is open. Of several addresses the first that
    /// answers is taken; a name is looked up where a DNS server was named, as in
    /// [`Net::tcp_connect`](super::Net::tcp_connect).
    ///
    /// Cancel safe: the attempt is given up.
    ///
    /// # Errors
    /// As [`Net::tcp_connect`](super::Net::tcp_connect).
    pub async fn tcp_connect(&self, to: impl ToSocketAddrs) -> io::Result<TcpStream> {
        let socket = self.net.tcp_socket()?;
        let target = Target::of(&self.net.running, &to)?;
        let stream = socket.dial_from_task(&target).await?;
        stream.set_nonblocking(true)?;
        Ok(TcpStream::from(stream))
    }

    /// Opens a UDP socket at an address and port: see [`Net::udp_bind`](super::Net::udp_bind).
    ///
    /// Cancel safe: it never waits. A socket that is not returned is closed.
    ///
    /// # Errors
    /// As there.
    #[expect(clippy::unused_async, reason = "named and called as tokio's")]
    pub async fn udp_bind(&self, at: impl ToSocketAddrs) -> io::Result<UdpSocket> {
        first_that(at, |at| self.net.udp_bind(at).map(UdpSocket::from))
    }

    /// The stack itself.
    pub fn net(&self) -> &super::Net {
        &self.net
    }
}
