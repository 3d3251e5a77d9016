//! Conversations as channels: presence is ownership.
//!
//! A [`TcpChannel`] is a [`Sink`](futures_sink::Sink) and a [`Stream`](futures_core::Stream) of
//! [`Bytes`]. Holding its sending half keeps this side in the conversation: dropping it says goodbye
//! (FIN). The stream's end is the other side's goodbye. A [`ChannelListener`] is a `Stream` of
//! channels; dropping it refuses newcomers. A connection that nobody claims in time is told so by a
//! reset, and ends with
//! [`CloseReason::PeerNeverAppeared`](netloom_stack::CloseReason::PeerNeverAppeared).
//!
//! They are futures of no particular executor: what wakes them is the stack's driver. [`block_on`] is
//! all that a thread without one needs.
//!
//! ```
//! use bytes::Bytes;
//! use futures_util::{SinkExt, StreamExt};
//! use netloom_host::device::LinkEnd;
//! use netloom_host::net::channel::block_on;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (a, b) = LinkEnd::pair(1500)?;
//! let (a, b) = (a.address("10.0.0.1/24").start()?, b.address("10.0.0.2/24").start()?);
//! let mut peers = b.channel_listen(6667)?;
//! block_on(async {
//!     let mut here = a.channel_connect("10.0.0.2:6667").await?;
//!     let mut there = peers.next().await.expect("somebody came");
//!     here.send(Bytes::from("hello")).await?;
//!     assert_eq!(there.next().await, Some(Bytes::from("hello")));
//!     drop(here);
//!     assert_eq!(there.next().await, None);
//!     Ok(())
//! })
//! # }
//! ```
//!
//! | file | what is in it |
//! |---|---|
//! | `tcp_channel` | a conversation, and its halves |
//! | `listener` | who takes conversations up |
//! | `rooms` | connections that wait to be claimed |
//! | `presence` | who has come and gone |
//! | `serve` | a future for each conversation |
//! | `bus` | all conversations as one stream of messages |
//! | `ports` | ports that nobody uses |
//! | `block_on` | waiting for a future on a thread |

mod block_on;
mod bus;
mod listener;
mod ports;
mod presence;
mod rooms;
mod serve;
mod tcp_channel;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::addrs::ToSocketAddrs;
use super::error::{Error, from_io};
use super::remote::Remote;
use super::tcp_socket::TcpSocket;
use super::{BACKLOG, Net};

pub use block_on::block_on;
pub use bus::{Address, Bus, BusEvent, ChannelMessage, Endpoint, Handle, Listener};
pub use bytes::Bytes;
pub use listener::ChannelListener;
pub use ports::{Port, PortAllocator};
pub use presence::{Presence, PresenceStream};
pub(super) use rooms::Rooms;
pub use serve::Serve;
pub use tcp_channel::{ChannelReceiver, ChannelSender, TcpChannel};

/// How channels are listened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelConfig {
    /// How long a connection may wait for somebody to claim it. 5 s.
    #[doc(alias = "relay")]
    #[doc(alias = "relay-peer-wait-time-msec")]
    pub relay_peer_wait_time: Duration,
    /// Connections that may wait at the same time; more wait in the stack, as many again, and then
    /// are not answered. 1 to 65,535.
    pub backlog: u16,
}

impl Default for ChannelConfig {
    fn default() -> ChannelConfig {
        ChannelConfig {
            relay_peer_wait_time: Duration::from_secs(5),
            backlog: BACKLOG,
        }
    }
}

/// Where to listen: a port of every address, or as [`Net::tcp_listen`] takes it.
pub trait ToListenAddr {
    /// The addresses.
    ///
    /// # Errors
    /// [`InvalidInput`](std::io::ErrorKind::InvalidInput) for text that is no address.
    fn to_listen_addr(&self) -> std::io::Result<Vec<SocketAddr>>;
}

impl ToListenAddr for u16 {
    fn to_listen_addr(&self) -> std::io::Result<Vec<SocketAddr>> {
        let everywhere = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        Ok(vec![SocketAddr::new(everywhere, *self)])
    }
}

impl<T: ToSocketAddrs> ToListenAddr for T {
    fn to_listen_addr(&self) -> std::io::Result<Vec<SocketAddr>> {
        self.to_socket_addrs()
    }
}

impl Net {
    /// Listens for conversations at an address and port, or at a port of every address; 0 chooses
    /// one.
    ///
    /// # Errors
    /// As [`Net::tcp_listen`].
    pub fn channel_listen(&self, at: impl ToListenAddr) -> Result<ChannelListener, Error> {
        self.channel_listen_with(at, ChannelConfig::default())
    }

    /// [`Net::channel_listen`] with a configuration of one's own.
    ///
    /// # Errors
    /// As [`Net::tcp_listen_with`].
    pub fn channel_listen_with(
        &self,
        at: impl ToListenAddr,
        config: ChannelConfig,
    ) -> Result<ChannelListener, Error> {
        let at = at.to_listen_addr().map_err(from_io)?;
        ChannelListener::open(self, &at, config)
    }

    /// Begins a conversation. Of several addresses the first that answers is taken. A name is
    /// looked up by the stack's own resolver where a DNS server was named
    /// ([`Builder::dns`](super::Builder::dns)), and only the task waits; for a resolver of the
    /// program's own ([`Net::with_resolver`]) the calling thread does.
    ///
    /// # Errors
    /// As [`Net::tcp_connect`].
    pub async fn channel_connect(&self, to: impl Into<Remote>) -> Result<TcpChannel, Error> {
        let socket = self.tcp_socket().map_err(from_io)?;
        self.channel_connect_with(&socket, to).await
    }

    /// [`Net::channel_connect`] from a socket with options set.
    ///
    /// # Errors
    /// As [`Net::channel_connect`]; the socket's address may be in use.
    pub async fn channel_connect_with(
        &self,
        socket: &TcpSocket,
        to: impl Into<Remote>,
    ) -> Result<TcpChannel, Error> {
        /// The time of a resolver of the program's own.
        const PATIENCE: Duration = Duration::from_secs(30);
        let target = to.into().target(self, PATIENCE).map_err(from_io)?;
        let stream = socket.dial_from_task(&target).await?;
        Ok(TcpChannel::new(stream, None))
    }

    /// Serves conversations: `talk` makes a future of each, and [`Serve`] is all of them, for as
    /// long as it is polled. Dropping it ends every conversation and refuses newcomers.
    ///
    /// # Errors
    /// As [`Net::tcp_listen`].
    pub fn channel_serve<T, F>(&self, at: impl ToListenAddr, talk: T) -> Result<Serve<T, F>, Error>
    where
        T: FnMut(TcpChannel) -> F,
        F: Future<Output = ()>,
    {
        Ok(Serve::new(self.channel_listen(at)?, talk))
    }
}
