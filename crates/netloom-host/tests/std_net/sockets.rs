//! Sockets of either make, behind the names `std::net` gives their calls.

use std::fmt::Debug;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
use std::time::Duration;

use netloom_host::net as ours;

/// A trait whose methods are those that both makes have, and its impl for both.
macro_rules! like_std {
    ($(#[$doc:meta])* $name:ident: $($bound:path),+ => $($ty:ty),+ {
        $(fn $method:ident($($arg:ident: $at:ty),*) -> $ret:ty;)+
    }) => {
        $(#[$doc])*
        pub(crate) trait $name: Sized + Send + Sync + Debug + 'static $(+ $bound)+ {
            $(fn $method(&self, $($arg: $at),*) -> $ret;)+
            fn again(&self) -> io::Result<Self>;
        }
        like_std!(@impl $name [$($ty),+] { $(fn $method($($arg: $at),*) -> $ret;)+ });
    };
    (@impl $name:ident [] $methods:tt) => {};
    (@impl $name:ident [$ty:ty $(, $rest:ty)*] {
        $(fn $method:ident($($arg:ident: $at:ty),*) -> $ret:ty;)+
    }) => {
        impl $name for $ty {
            $(fn $method(&self, $($arg: $at),*) -> $ret {
                <$ty>::$method(self, $($arg),*)
            })+
            fn again(&self) -> io::Result<Self> {
                self.try_clone()
            }
        }
        like_std!(@impl $name [$($rest),*] { $(fn $method($($arg: $at),*) -> $ret;)+ });
    };
}

like_std! {
    /// A connection.
    Stream: Read, Write, Shared => std::net::TcpStream, ours::TcpStream {
        fn peer_addr() -> io::Result<SocketAddr>;
        fn local_addr() -> io::Result<SocketAddr>;
        fn shutdown(how: Shutdown) -> io::Result<()>;
        fn peek(buffer: &mut [u8]) -> io::Result<usize>;
        fn set_read_timeout(timeout: Option<Duration>) -> io::Result<()>;
        fn set_write_timeout(timeout: Option<Duration>) -> io::Result<()>;
        fn read_timeout() -> io::Result<Option<Duration>>;
        fn write_timeout() -> io::Result<Option<Duration>>;
        fn set_nodelay(nodelay: bool) -> io::Result<()>;
        fn nodelay() -> io::Result<bool>;
        fn set_ttl(ttl: u32) -> io::Result<()>;
        fn ttl() -> io::Result<u32>;
        fn take_error() -> io::Result<Option<io::Error>>;
        fn set_nonblocking(nonblocking: bool) -> io::Result<()>;
    }
}

like_std! {
    /// A listener.
    Listener: Accept => std::net::TcpListener, ours::TcpListener {
        fn local_addr() -> io::Result<SocketAddr>;
        fn set_ttl(ttl: u32) -> io::Result<()>;
        fn ttl() -> io::Result<u32>;
        fn take_error() -> io::Result<Option<io::Error>>;
        fn set_nonblocking(nonblocking: bool) -> io::Result<()>;
    }
}

like_std! {
    /// A UDP socket.
    Udp: Send => std::net::UdpSocket, ours::UdpSocket {
        fn recv_from(buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)>;
        fn peek_from(buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)>;
        fn send_to(data: &[u8], to: SocketAddr) -> io::Result<usize>;
        fn connect(to: SocketAddr) -> io::Result<()>;
        fn send(data: &[u8]) -> io::Result<usize>;
        fn recv(buffer: &mut [u8]) -> io::Result<usize>;
        fn peek(buffer: &mut [u8]) -> io::Result<usize>;
        fn peer_addr() -> io::Result<SocketAddr>;
        fn local_addr() -> io::Result<SocketAddr>;
        fn set_read_timeout(timeout: Option<Duration>) -> io::Result<()>;
        fn set_write_timeout(timeout: Option<Duration>) -> io::Result<()>;
        fn read_timeout() -> io::Result<Option<Duration>>;
        fn write_timeout() -> io::Result<Option<Duration>>;
        fn set_broadcast(allowed: bool) -> io::Result<()>;
        fn broadcast() -> io::Result<bool>;
        fn join_multicast_v4(group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()>;
        fn leave_multicast_v4(group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()>;
        fn join_multicast_v6(group: &Ipv6Addr, interface: u32) -> io::Result<()>;
        fn leave_multicast_v6(group: &Ipv6Addr, interface: u32) -> io::Result<()>;
        fn set_multicast_loop_v4(on: bool) -> io::Result<()>;
        fn multicast_loop_v4() -> io::Result<bool>;
        fn set_multicast_ttl_v4(ttl: u32) -> io::Result<()>;
        fn multicast_ttl_v4() -> io::Result<u32>;
        fn set_ttl(ttl: u32) -> io::Result<()>;
        fn ttl() -> io::Result<u32>;
        fn take_error() -> io::Result<Option<io::Error>>;
        fn set_nonblocking(nonblocking: bool) -> io::Result<()>;
    }
}

/// Reading and writing through a shared reference, which a trait bound cannot ask of `&Self`
/// without naming its lifetime everywhere.
pub(crate) trait Shared {
    fn get(&self, buffer: &mut [u8]) -> io::Result<usize>;
    fn put(&self, data: &[u8]) -> io::Result<usize>;
    fn get_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize>;
    fn put_vectored(&self, data: &[IoSlice<'_>]) -> io::Result<usize>;
    /// `SO_LINGER`, which std has but not in its stable part.
    fn set_linger(&self, linger: Option<Duration>) -> io::Result<()>;
}

macro_rules! shared {
    ($ty:ty, $linger:expr) => {
        impl Shared for $ty {
            fn get(&self, buffer: &mut [u8]) -> io::Result<usize> {
                (&*self).read(buffer)
            }
            fn put(&self, data: &[u8]) -> io::Result<usize> {
                (&*self).write(data)
            }
            fn get_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                (&*self).read_vectored(buffers)
            }
            fn put_vectored(&self, data: &[IoSlice<'_>]) -> io::Result<usize> {
                (&*self).write_vectored(data)
            }
            fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
                $linger(self, linger)
            }
        }
    };
}
shared!(ours::TcpStream, ours::TcpStream::set_linger);
shared!(
    std::net::TcpStream,
    |stream: &std::net::TcpStream, linger: Option<Duration>| {
        let value = libc::linger {
            l_onoff: linger.is_some().into(),
            l_linger: linger.map_or(0, |time| time.as_secs() as i32),
        };
        Ok(nix::sys::socket::setsockopt(
            stream,
            nix::sys::socket::sockopt::Linger,
            &value,
        )?)
    }
);

/// Taking connections.
pub(crate) trait Accept {
    type Stream: Stream;
    fn accept(&self) -> io::Result<(Self::Stream, SocketAddr)>;
    fn incoming(&self) -> impl Iterator<Item = io::Result<Self::Stream>>;
}

macro_rules! accept {
    ($listener:ty, $stream:ty) => {
        impl Accept for $listener {
            type Stream = $stream;
            fn accept(&self) -> io::Result<($stream, SocketAddr)> {
                <$listener>::accept(self)
            }
            fn incoming(&self) -> impl Iterator<Item = io::Result<$stream>> {
                <$listener>::incoming(self)
            }
        }
    };
}
accept!(std::net::TcpListener, std::net::TcpStream);
accept!(ours::TcpListener, ours::TcpStream);
