//! Two hosts, and what a check is.

use std::fmt::Debug;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use netloom_host::net::Net;

use crate::sockets::{Accept, Listener, Shared, Stream, Udp};

/// Something that opens sockets.
pub(crate) trait Host: Sync {
    type Stream: Stream;
    type Listener: Listener + Accept<Stream = Self::Stream>;
    type Udp: Udp;
    fn ip(&self) -> IpAddr;
    fn listen_at(&self, at: &[SocketAddr]) -> io::Result<Self::Listener>;
    fn connect_to(&self, to: &[SocketAddr]) -> io::Result<Self::Stream>;
    fn connect_timeout(&self, to: SocketAddr, timeout: Duration) -> io::Result<Self::Stream>;
    fn udp_at(&self, at: &[SocketAddr]) -> io::Result<Self::Udp>;

    /// An address of this host with a port.
    fn at(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.ip(), port)
    }

    /// Every address of this version, with a port.
    fn anywhere(&self, port: u16) -> SocketAddr {
        let any: IpAddr = if self.ip().is_ipv4() {
            Ipv4Addr::UNSPECIFIED.into()
        } else {
            Ipv6Addr::UNSPECIFIED.into()
        };
        SocketAddr::new(any, port)
    }

    /// An address that is not this host's.
    fn foreign(&self) -> SocketAddr {
        let ip: IpAddr = if self.ip().is_ipv4() {
            Ipv4Addr::new(192, 0, 2, 1).into()
        } else {
            Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into()
        };
        SocketAddr::new(ip, 0)
    }

    fn listen(&self) -> io::Result<Self::Listener> {
        self.listen_at(&[self.at(0)])
    }

    fn udp(&self) -> io::Result<Self::Udp> {
        let socket = self.udp_at(&[self.at(0)])?;
        // Only a failing check waits this long.
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(socket)
    }
}

/// The kernel of this machine.
pub(crate) struct Kernel {
    pub(crate) ip: IpAddr,
}

impl Host for Kernel {
    type Stream = std::net::TcpStream;
    type Listener = std::net::TcpListener;
    type Udp = std::net::UdpSocket;
    fn ip(&self) -> IpAddr {
        self.ip
    }
    fn listen_at(&self, at: &[SocketAddr]) -> io::Result<Self::Listener> {
        std::net::TcpListener::bind(at)
    }
    fn connect_to(&self, to: &[SocketAddr]) -> io::Result<Self::Stream> {
        std::net::TcpStream::connect(to)
    }
    fn connect_timeout(&self, to: SocketAddr, timeout: Duration) -> io::Result<Self::Stream> {
        std::net::TcpStream::connect_timeout(&to, timeout)
    }
    fn udp_at(&self, at: &[SocketAddr]) -> io::Result<Self::Udp> {
        std::net::UdpSocket::bind(at)
    }
}

/// A stack of ours.
pub(crate) struct Ours {
    pub(crate) net: Net,
    pub(crate) ip: IpAddr,
}

impl Host for Ours {
    type Stream = netloom_host::net::TcpStream;
    type Listener = netloom_host::net::TcpListener;
    type Udp = netloom_host::net::UdpSocket;
    fn ip(&self) -> IpAddr {
        self.ip
    }
    fn listen_at(&self, at: &[SocketAddr]) -> io::Result<Self::Listener> {
        self.net.tcp_listen(at)
    }
    fn connect_to(&self, to: &[SocketAddr]) -> io::Result<Self::Stream> {
        self.net.tcp_connect(to)
    }
    fn connect_timeout(&self, to: SocketAddr, timeout: Duration) -> io::Result<Self::Stream> {
        self.net.tcp_connect_timeout(&to, timeout)
    }
    fn udp_at(&self, at: &[SocketAddr]) -> io::Result<Self::Udp> {
        self.net.udp_bind(at)
    }
}

/// A client and a server that reach each other; perhaps the same.
pub(crate) struct World<'w, C, S> {
    pub(crate) client: &'w C,
    pub(crate) server: &'w S,
}

impl<C, S> Clone for World<'_, C, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C, S> Copy for World<'_, C, S> {}

/// How long to wait for what must come. Only a failing check waits this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A connection: the client's end and the server's.
pub(crate) type Pair<C, S> = (<C as Host>::Stream, <S as Host>::Stream);

impl<C: Host, S: Host> World<'_, C, S> {
    /// A connection, neither end of which waits for ever.
    pub(crate) fn connection(&self) -> io::Result<Pair<C, S>> {
        let listener = self.server.listen()?;
        let client = self.client.connect_to(&[listener.local_addr()?])?;
        let (server, _) = listener.accept()?;
        client.set_read_timeout(Some(PATIENCE))?;
        server.set_read_timeout(Some(PATIENCE))?;
        Ok((client, server))
    }

    /// A connection the server's end of which was reset, and knows it.
    pub(crate) fn reset(&self) -> io::Result<S::Stream> {
        let (client, server) = self.connection()?;
        client.set_linger(Some(Duration::ZERO))?;
        drop(client);
        until(|| server.peek(&mut [0]).is_err());
        Ok(server)
    }

    /// A connection the client's end of which was reset, and need not know it yet.
    pub(crate) fn resetting(&self) -> io::Result<C::Stream> {
        let (client, server) = self.connection()?;
        server.set_linger(Some(Duration::ZERO))?;
        drop(server);
        Ok(client)
    }

    /// An address of the server at which nobody listens.
    pub(crate) fn nobody(&self) -> io::Result<SocketAddr> {
        // The number may be used again at once by the check beside this one, but the kernel and
        // our stack both choose at random.
        self.server.listen()?.local_addr()
    }

    /// A client's and a server's UDP socket that know each other.
    pub(crate) fn sockets(&self) -> io::Result<(C::Udp, S::Udp)> {
        let (client, server) = (self.client.udp()?, self.server.udp()?);
        client.connect(server.local_addr()?)?;
        Ok((client, server))
    }
}

/// Repeats until `done`.
pub(crate) fn until(mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() && start.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The kind of an error, which is what both makes have in common.
pub(crate) fn kind<T: Debug>(result: io::Result<T>) -> Result<T, io::ErrorKind> {
    result.map_err(|error| error.kind())
}

/// One thing that is observed.
pub(crate) struct Check<C, S> {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&World<'_, C, S>) -> String,
}

/// What a check says: what it saw, or the kind of error it ended with.
pub(crate) fn said<T: Debug>(result: io::Result<T>) -> String {
    format!("{:?}", kind(result))
}

/// Checks by their names: expressions of type `io::Result<impl Debug>` over a [`World`].
macro_rules! checks {
    ($world:ident; $($name:ident => $body:block)+) => {
        pub(crate) fn checks<C: $crate::world::Host, S: $crate::world::Host>()
        -> Vec<$crate::world::Check<C, S>> {
            vec![$($crate::world::Check {
                name: stringify!($name),
                run: |$world: &$crate::world::World<'_, C, S>| {
                    let seen = || -> std::io::Result<_> { $body };
                    $crate::world::said(seen())
                },
            }),+]
        }
    };
}
pub(crate) use checks;
