//! This host's sockets, as flows are carried on by them.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use nix::sys::socket::{setsockopt, sockopt};
use rustix::net::{RecvFlags, recv};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};

/// Bytes that may wait in a datagram socket, where the system allows it.
const ROOM: usize = 2 << 20;

/// Empties the queue of errors that a socket keeps beside the one it has just told of.
pub(super) fn forget_errors(socket: &UdpSocket) {
    let mut byte = [0];
    while recv(socket, &mut byte, RecvFlags::ERRQUEUE).is_ok() {}
}

/// The way out: which interface, and which addresses mean this host itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outside {
    interface: Option<Arc<str>>,
    /// Addresses that stand for others of this host.
    host: Arc<[(IpAddr, IpAddr)]>,
}

impl Outside {
    /// Out by an interface, or as the routes say.
    pub(crate) fn by(interface: Option<&str>) -> Outside {
        Outside {
            interface: interface.map(Arc::from),
            host: Arc::default(),
        }
    }

    /// The same with addresses that stand for others, which are this host's own.
    pub(crate) fn with_host(mut self, host: Vec<(IpAddr, IpAddr)>) -> Outside {
        self.host = host.into();
        self
    }

    /// Where a destination is outside.
    fn address(&self, of: SocketAddr) -> SocketAddr {
        match self.host.iter().find(|(seen, _)| *seen == of.ip()) {
            Some((_, meant)) => SocketAddr::new(*meant, of.port()),
            None => of,
        }
    }

    /// Connects.
    pub(super) async fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let to = self.address(to);
        let socket = match to {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        if let Some(interface) = &self.interface {
            socket.bind_device(Some(interface.as_bytes()))?;
        }
        let stream = socket.connect(to).await?;
        // Linux may say yes though it has lost the ICMP error that said no: then there is no peer.
        stream
            .peer_addr()
            .map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// A UDP socket that speaks with one remote end.
    pub(super) async fn datagrams(&self, to: SocketAddr) -> io::Result<UdpSocket> {
        let to = self.address(to);
        let socket = self.opened(to, Protocol::UDP)?;
        // Room for what comes while others have the processor.
        if setsockopt(&socket, sockopt::RcvBufForce, &ROOM).is_err() {
            let _ = socket.set_recv_buffer_size(ROOM);
        }
        connected(socket, to).await
    }

    /// A socket for ICMP echoes to one host: what ping opens without rights, where the system
    /// lets this user (the sysctl `net.ipv4.ping_group_range`).
    pub(super) async fn pings(&self, to: SocketAddr) -> io::Result<UdpSocket> {
        let to = self.address(to);
        let protocol = match to {
            SocketAddr::V4(_) => Protocol::ICMPV4,
            SocketAddr::V6(_) => Protocol::ICMPV6,
        };
        connected(self.opened(to, protocol)?, to).await
    }

    fn opened(&self, to: SocketAddr, protocol: Protocol) -> io::Result<Socket> {
        let socket = Socket::new(Domain::for_address(to), Type::DGRAM, Some(protocol))?;
        socket.set_nonblocking(true)?;
        if let Some(interface) = &self.interface {
            socket.bind_device(Some(interface.as_bytes()))?;
        }
        // Without this a socket hears of closed ports only, not of hosts that are not there.
        if to.is_ipv4() {
            setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?;
        } else {
            setsockopt(&socket, sockopt::Ipv6RecvErr, &true)?;
        }
        Ok(socket)
    }
}

async fn connected(socket: Socket, to: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::from_std(socket.into())?;
    socket.connect(to).await?;
    Ok(socket)
}
