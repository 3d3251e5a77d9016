//! Sockets as their programs see them, and what the stack's answers mean in their words.

mod subject;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use netloom_stack::udp::UdpBind;
use netloom_stack::{CloseReason, Error, ListenerHandle, TcpHandle, UdpHandle};

use super::{File, NetloomHost, SocketOptions};
use crate::drill::errno::Errno;
use crate::drill::names::*;
use crate::drill::subject::{Fd, Received};

/// A socket as its program sees it.
pub(super) struct Socket {
    v6: bool,
    stream: bool,
    nonblocking: bool,
    bound: Option<SocketAddr>,
    options: SocketOptions,
    role: Role,
    /// `connect` has answered that the handshake is complete.
    connected: bool,
    /// The error that ended the connection has been told.
    error_told: bool,
    /// A receive or send shutdown of a socket without a connection, or of one that ended.
    write_shut: bool,
}

#[derive(Clone, Copy)]
enum Role {
    Fresh,
    Listener(ListenerHandle),
    Stream(TcpHandle),
    Datagram(UdpHandle),
}

impl Socket {
    fn new(v6: bool, stream: bool, nonblocking: bool) -> Socket {
        Socket {
            v6,
            stream,
            nonblocking,
            bound: None,
            options: SocketOptions::default(),
            role: Role::Fresh,
            connected: false,
            error_told: false,
            write_shut: false,
        }
    }
}

/// The address that stands for every address of a version.
fn unspecified(v6: bool) -> IpAddr {
    if v6 {
        Ipv6Addr::UNSPECIFIED.into()
    } else {
        Ipv4Addr::UNSPECIFIED.into()
    }
}

/// Where a socket connects from; everything unspecified is left to the stack.
fn from_where(socket: &Socket) -> SocketAddr {
    let open = SocketAddr::new(unspecified(socket.v6), 0);
    socket.bound.unwrap_or(open)
}

/// The error a call of the stack means in the socket API.
fn errno(error: Error) -> Errno {
    match error {
        Error::StaleHandle => Errno::EBADF,
        Error::WouldBlock => Errno::EAGAIN,
        Error::AddressInUse => Errno::EADDRINUSE,
        Error::AddressNotAvailable | Error::NoSourceAddress | Error::PortsExhausted => {
            Errno::EADDRNOTAVAIL
        }
        Error::InvalidRemote | Error::NoRoute | Error::NetworkUnreachable => Errno::ENETUNREACH,
        Error::CapacityExhausted | Error::OutOfMemory => Errno::ENOBUFS,
        Error::BroadcastForbidden => Errno::EACCES,
        Error::NotConnected => Errno::ENOTCONN,
        Error::AlreadyConnected => Errno::EISCONN,
        Error::SendAfterShutdown => Errno::EPIPE,
        Error::MessageTooLong => Errno::EMSGSIZE,
        Error::PortUnreachable => Errno::ECONNREFUSED,
        Error::HostUnreachable => Errno::EHOSTUNREACH,
        Error::Closed(reason) => errno_of(reason),
        _ => Errno::EINVAL,
    }
}

/// The error an ended connection's reason means in the socket API.
fn errno_of(reason: CloseReason) -> Errno {
    match reason {
        CloseReason::Finished => Errno::EPIPE,
        CloseReason::PeerReset | CloseReason::DataAfterClose => Errno::ECONNRESET,
        CloseReason::Refused | CloseReason::PortUnreachable => Errno::ECONNREFUSED,
        CloseReason::HandshakeTimedOut
        | CloseReason::RetransmissionTimedOut
        | CloseReason::UserTimedOut
        | CloseReason::KeepAliveTimedOut
        | CloseReason::FinWait2TimedOut
        | CloseReason::HalfClosedTimedOut
        | CloseReason::LingerTimedOut
        | CloseReason::PeerNeverAppeared => Errno::ETIMEDOUT,
        CloseReason::ProtocolUnreachable => Errno::ENOPROTOOPT,
        CloseReason::HostUnreachable | CloseReason::NextHopUnresolved => Errno::EHOSTUNREACH,
        CloseReason::NetworkUnreachable => Errno::ENETUNREACH,
        CloseReason::InterfaceRemoved | CloseReason::AddressRemoved => Errno::ENETDOWN,
        CloseReason::OutOfMemory => Errno::ENOBUFS,
        _ => Errno::ECONNABORTED,
    }
}

impl NetloomHost {
    fn socket_ref(&self, fd: Fd) -> Result<&Socket, Errno> {
        match self.files.get(&fd) {
            Some(File::Socket(socket)) => Ok(socket),
            Some(File::Epoll(_)) => Err(Errno::ENOTSOCK),
            None => Err(Errno::EBADF),
        }
    }

    fn socket_mut(&mut self, fd: Fd) -> Result<&mut Socket, Errno> {
        match self.files.get_mut(&fd) {
            Some(File::Socket(socket)) => Ok(socket),
            Some(File::Epoll(_)) => Err(Errno::ENOTSOCK),
            None => Err(Errno::EBADF),
        }
    }

    /// Keeps a socket under the lowest free descriptor.
    fn install(&mut self, file: File) -> Fd {
        let fd = self.free_fd();
        self.files.insert(fd, file);
        fd
    }

    /// What is wrong with a connection that ended, the first time it is asked for.
    fn take_error(&mut self, fd: Fd, reason: CloseReason) -> Option<Errno> {
        let socket = self.socket_mut(fd).ok()?;
        if reason == CloseReason::Finished || socket.error_told {
            return None;
        }
        socket.error_told = true;
        Some(errno_of(reason))
    }

    /// The soft error of a connection, told once: the last ICMP error, or ETIMEDOUT if there was
    /// none but R1 was reached.
    fn take_soft_error(&mut self, handle: TcpHandle) -> Result<Option<Errno>, Errno> {
        if !self.stack.tcp_take_soft_error(handle).map_err(errno)? {
            return Ok(None);
        }
        let heard = self.stack.tcp_take_icmp_error(handle).map_err(errno)?;
        Ok(Some(heard.map_or(Errno::ETIMEDOUT, errno_of)))
    }

    /// The UDP socket behind a descriptor, made when it is first needed.
    fn datagram(&mut self, fd: Fd) -> Result<UdpHandle, Errno> {
        let socket = self.socket_ref(fd)?;
        if let Role::Datagram(handle) = socket.role {
            return Ok(handle);
        }
        let at = socket.bound.map_or(UdpBind::from(0), UdpBind::from);
        let options = socket.options.clone();
        let handle = self.stack.udp_bind(at).map_err(errno)?;
        let set = self.stack.udp_set_broadcast(handle, options.broadcast);
        set.and_then(|()| self.stack.udp_set_tos(handle, options.tos))
            .map_err(errno)?;
        if let Some(ttl) = options.ttl {
            self.stack.udp_set_ttl(handle, ttl).map_err(errno)?;
        }
        self.socket_mut(fd)?.role = Role::Datagram(handle);
        Ok(handle)
    }

    /// The events of `poll` that hold.
    fn ready_events(&self, fd: Fd) -> i16 {
        let Ok(socket) = self.socket_ref(fd) else {
            return POLLNVAL as i16;
        };
        let mut events = 0;
        let mut set = |holds: bool, bits: i32| {
            if holds {
                events |= bits as i16;
            }
        };
        match socket.role {
            Role::Fresh if socket.stream => set(true, POLLOUT | POLLWRNORM | POLLHUP),
            Role::Fresh => set(true, POLLOUT | POLLWRNORM),
            Role::Listener(handle) => {
                let waiting = self
                    .stack
                    .tcp_backlog(handle)
                    .is_ok_and(|b| b.to_accept > 0);
                set(waiting, POLLIN | POLLRDNORM);
            }
            Role::Stream(handle) => {
                let Ok(ready) = self.stack.tcp_readiness(handle) else {
                    return POLLNVAL as i16;
                };
                let failed = self.stack.tcp_close_reason(handle).ok().flatten();
                let failed = failed.is_some_and(|reason| reason != CloseReason::Finished);
                set(ready.readable, POLLIN | POLLRDNORM);
                set(self.urgent.contains(&handle), POLLPRI);
                set(ready.peer_finished || ready.closed, POLLRDHUP);
                set(
                    ready.writable || (socket.write_shut && ready.connected),
                    POLLOUT | POLLWRNORM,
                );
                set(
                    ready.closed || (ready.peer_finished && socket.write_shut),
                    POLLHUP,
                );
                let soft = socket.options.recv_error && ready.error;
                set((failed && !socket.error_told) || soft, POLLERR);
            }
            Role::Datagram(handle) => {
                let Ok(ready) = self.stack.udp_readiness(handle) else {
                    return POLLNVAL as i16;
                };
                set(ready.readable, POLLIN | POLLRDNORM);
                set(ready.writable, POLLOUT | POLLWRNORM);
                set(ready.error, POLLERR);
            }
        }
        events
    }

    fn receive_stream(
        &mut self,
        fd: Fd,
        handle: TcpHandle,
        buffer: &mut [u8],
        flags: i32,
    ) -> Result<Received, Errno> {
        self.urgent.retain(|urgent| *urgent != handle);
        let result = if flags & MSG_PEEK != 0 {
            self.stack.tcp_peek(handle, 0, buffer)
        } else {
            self.stack.tcp_read(handle, buffer)
        };
        let len = match result {
            Ok(len) => len,
            Err(Error::Closed(reason)) => match self.take_error(fd, reason) {
                Some(error) => return Err(error),
                None => 0,
            },
            Err(error) => return Err(errno(error)),
        };
        self.pump();
        Ok(Received {
            len,
            full_len: len,
            from: None,
        })
    }

    fn set_on_connection(&mut self, fd: Fd, handle: TcpHandle) -> Result<(), Errno> {
        let options = self.socket_ref(fd)?.options.clone();
        options.apply(&mut self.stack, handle).map_err(errno)
    }

    /// Begins to connect with data for the SYN: how much of it was taken, whether it goes with the
    /// SYN or after it.
    fn connect_with_data(&mut self, fd: Fd, data: &[u8], to: SocketAddr) -> Result<usize, Errno> {
        let socket = self.socket_ref(fd)?;
        if !matches!(socket.role, Role::Fresh) {
            return Err(Errno::EISCONN);
        }
        let from = from_where(socket);
        let opened = self.stack.tcp_connect_with_data(from, to, data);
        let (handle, taken) = opened.map_err(errno)?;
        self.begin(fd, handle)?;
        Ok(taken)
    }

    /// A socket has a connection that begins.
    fn begin(&mut self, fd: Fd, handle: TcpHandle) -> Result<(), Errno> {
        self.socket_mut(fd)?.role = Role::Stream(handle);
        self.set_on_connection(fd, handle)?;
        self.pump();
        Ok(())
    }

    fn connect_stream(&mut self, fd: Fd, to: SocketAddr) -> Result<(), Errno> {
        let socket = self.socket_ref(fd)?;
        let handle = match socket.role {
            Role::Fresh => {
                let from = from_where(socket);
                let handle = self.stack.tcp_connect_from(from, to).map_err(errno)?;
                self.begin(fd, handle)?;
                return Err(Errno::EINPROGRESS);
            }
            Role::Listener(_) | Role::Datagram(_) => return Err(Errno::EISCONN),
            Role::Stream(handle) => handle,
        };
        if let Some(reason) = self.stack.tcp_close_reason(handle).map_err(errno)? {
            return Err(self.take_error(fd, reason).unwrap_or(Errno::ECONNABORTED));
        }
        let ready = self.stack.tcp_readiness(handle).map_err(errno)?;
        let socket = self.socket_mut(fd)?;
        match (ready.connected, socket.connected) {
            (false, _) => Err(Errno::EALREADY),
            (true, false) => {
                socket.connected = true;
                Ok(())
            }
            (true, true) => Err(Errno::EISCONN),
        }
    }
}
