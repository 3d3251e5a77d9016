//! The calls of BSD sockets, each as the stack's own.

use std::net::SocketAddr;

use netloom_stack::inspect::SocketTimer;
use netloom_stack::tcp::{How, ListenAddr, ListenOptions};
use netloom_stack::{Error, State};

use super::{Role, Socket, errno};
use crate::drill::errno::Errno;
use crate::drill::host::{Epoll, File, NetloomHost};
use crate::drill::names::*;
use crate::drill::subject::{Fd, Received, Subject, Told};
use crate::drill::tcp_info;

impl Subject for NetloomHost {
    fn now(&self) -> u64 {
        self.now
    }

    fn next_deadline(&self) -> Option<u64> {
        self.deadline()
    }

    fn advance(&mut self, to: u64) {
        self.run_to(to);
    }

    fn inject(&mut self, packet: &[u8]) {
        self.arrives(packet);
    }

    fn take_packet(&mut self) -> Option<(u64, Vec<u8>)> {
        self.out.pop_front()
    }

    fn set_tunable(&mut self, name: &str, value: &str) -> Result<(), String> {
        let set = self.stack.set_tunable_named(name, value);
        set.map_err(|error| format!("{name}={value}: {error}"))
    }

    fn balance(&self) -> Result<(), String> {
        self.stack.counters().balance().map_err(|imbalance| {
            format!(
                "the stack lost count of packets at {}: {} in, {} accounted for",
                imbalance.layer.name(),
                imbalance.received,
                imbalance.accounted
            )
        })
    }

    #[cfg(target_pointer_width = "64")]
    fn told(&self) -> Option<Told> {
        let counters = self.stack.counters();
        let mut told = Told {
            unpredicted: [
                counters.tcp_unpredicted_received as u32,
                counters.tcp_unpredicted_sent as u32,
            ],
            ..Told::default()
        };
        let last = self.stack.inspect().connections(0).last();
        if let Some(waiting) = last.and_then(|(_, view)| view.waiting) {
            told.timer = match waiting.timer {
                SocketTimer::Retransmit => 1,
                SocketTimer::KeepAlive | SocketTimer::Close => 2,
                SocketTimer::Persist => 4,
            };
            (told.when, told.tries) = (waiting.left, waiting.tries.into());
        }
        if let Some(dead) = self.stack.inspect().dead().next() {
            told.ended = [dead.srtt, dead.retransmissions];
        }
        Some(told)
    }

    fn socket(&mut self, domain: i32, kind: i32, protocol: i32) -> Result<Fd, Errno> {
        let v6 = match domain {
            AF_INET => false,
            AF_INET6 => true,
            _ => return Err(Errno::EAFNOSUPPORT),
        };
        let nonblocking = kind & SOCK_NONBLOCK != 0;
        let stream = match (kind & 0xf, protocol) {
            (SOCK_STREAM, 0 | IPPROTO_TCP) => true,
            (SOCK_DGRAM, 0 | IPPROTO_UDP) => false,
            _ => return Err(Errno::EPROTONOSUPPORT),
        };
        Ok(self.install(File::Socket(Socket::new(v6, stream, nonblocking))))
    }

    fn bind(&mut self, fd: Fd, at: SocketAddr) -> Result<(), Errno> {
        let socket = self.socket_ref(fd)?;
        if socket.bound.is_some() || !matches!(socket.role, Role::Fresh) {
            return Err(Errno::EINVAL);
        }
        if socket.v6 != at.is_ipv6() {
            return Err(Errno::EAFNOSUPPORT);
        }
        if !at.ip().is_unspecified() && !self.stack.is_local(at.ip()) {
            return Err(Errno::EADDRNOTAVAIL);
        }
        let stream = socket.stream;
        self.socket_mut(fd)?.bound = Some(at);
        if !stream {
            self.datagram(fd)?;
        }
        Ok(())
    }

    fn listen(&mut self, fd: Fd, backlog: i32) -> Result<(), Errno> {
        let socket = self.socket_ref(fd)?;
        if !socket.stream {
            return Err(Errno::EOPNOTSUPP);
        }
        let at = match (socket.role, socket.bound) {
            (Role::Fresh, Some(at)) => ListenAddr::from(at),
            (Role::Fresh, None) => ListenAddr::from(0),
            (Role::Listener(_), _) => return Ok(()),
            (Role::Stream(_) | Role::Datagram(_), _) => return Err(Errno::EINVAL),
        };
        let options = ListenOptions {
            backlog: u16::try_from(backlog.max(1)).unwrap_or(u16::MAX),
            reuse_port: socket.options.reuse_port,
            fast_open: socket.options.fast_open,
        };
        let handle = self.stack.tcp_listen_with(at, options).map_err(errno)?;
        self.socket_mut(fd)?.role = Role::Listener(handle);
        Ok(())
    }

    fn accept(&mut self, fd: Fd, flags: i32) -> Result<(Fd, SocketAddr), Errno> {
        let socket = self.socket_ref(fd)?;
        let Role::Listener(listener) = socket.role else {
            return Err(if socket.stream {
                Errno::EINVAL
            } else {
                Errno::EOPNOTSUPP
            });
        };
        let handle = self.stack.tcp_accept(listener).map_err(errno)?;
        let handle = handle.ok_or(Errno::EAGAIN)?;
        let socket = self.socket_ref(fd)?;
        let mut accepted = Socket::new(socket.v6, true, flags & SOCK_NONBLOCK != 0);
        accepted.options = socket.options.clone();
        accepted.role = Role::Stream(handle);
        accepted.connected = true;
        let from = self.stack.tcp_peer_addr(handle).map_err(errno)?;
        let fd = self.install(File::Socket(accepted));
        // A connection that has ended already cannot be changed, and can still be read.
        let _ = self.set_on_connection(fd, handle);
        self.pump();
        Ok((fd, from))
    }

    fn connect(&mut self, fd: Fd, to: SocketAddr) -> Result<(), Errno> {
        let socket = self.socket_ref(fd)?;
        if socket.v6 != to.is_ipv6() {
            return Err(Errno::EAFNOSUPPORT);
        }
        if socket.stream {
            return self.connect_stream(fd, to);
        }
        let handle = self.datagram(fd)?;
        self.stack.udp_connect(handle, to).map_err(errno)
    }

    fn receive(&mut self, fd: Fd, buffer: &mut [u8], flags: i32) -> Result<Received, Errno> {
        let socket = self.socket_ref(fd)?;
        if flags & MSG_OOB != 0 {
            // Urgent data stays in line (RFC 6093 §4).
            return Err(Errno::EINVAL);
        }
        match socket.role {
            Role::Stream(handle) => self.receive_stream(fd, handle, buffer, flags),
            Role::Fresh | Role::Listener(_) if socket.stream => Err(Errno::ENOTCONN),
            Role::Fresh | Role::Listener(_) | Role::Datagram(_) => {
                let handle = self.datagram(fd)?;
                if let Some(error) = self.stack.udp_take_error(handle).map_err(errno)? {
                    return Err(errno(error));
                }
                let received = if flags & MSG_PEEK != 0 {
                    self.stack.udp_peek(handle, buffer)
                } else {
                    self.stack.udp_recv(handle, buffer)
                }
                .map_err(errno)?;
                Ok(Received {
                    len: received.copied,
                    full_len: received.meta.len.into(),
                    from: Some(SocketAddr::new(
                        received.meta.remote.into(),
                        received.meta.remote_port,
                    )),
                })
            }
        }
    }

    fn send(
        &mut self,
        fd: Fd,
        data: &[u8],
        flags: i32,
        to: Option<SocketAddr>,
    ) -> Result<usize, Errno> {
        let socket = self.socket_ref(fd)?;
        if flags & (MSG_FASTOPEN | MSG_OOB) != 0 && !socket.stream {
            return Err(Errno::EOPNOTSUPP);
        }
        if flags & MSG_FASTOPEN != 0 {
            return self.connect_with_data(fd, data, to.ok_or(Errno::EDESTADDRREQ)?);
        }
        if !socket.stream {
            let handle = self.datagram(fd)?;
            match to {
                Some(to) => self.stack.udp_send_to(handle, data, to),
                None => self.stack.udp_send(handle, data),
            }
            .map_err(|error| match error {
                Error::NotConnected => Errno::EDESTADDRREQ,
                other => errno(other),
            })?;
            self.pump();
            return Ok(data.len());
        }
        let Role::Stream(handle) = socket.role else {
            return Err(Errno::EPIPE);
        };
        let written = if flags & MSG_OOB != 0 {
            self.stack.tcp_write_urgent(handle, data)
        } else {
            self.stack.tcp_write(handle, data)
        };
        match written {
            Ok(len) => {
                self.pump();
                Ok(len)
            }
            Err(Error::Closed(reason)) => Err(self.take_error(fd, reason).unwrap_or(Errno::EPIPE)),
            Err(error) => Err(errno(error)),
        }
    }

    fn shutdown(&mut self, fd: Fd, how: i32) -> Result<(), Errno> {
        let socket = self.socket_mut(fd)?;
        let how = match how {
            0 => How::Read,
            1 => How::Write,
            2 => How::Both,
            _ => return Err(Errno::EINVAL),
        };
        let Role::Stream(handle) = socket.role else {
            return Err(Errno::ENOTCONN);
        };
        socket.write_shut |= how != How::Read;
        match self.stack.tcp_state(handle).map_err(errno)? {
            State::Closed => return Err(Errno::ENOTCONN),
            State::Listen
            | State::SynSent
            | State::SynReceived
            | State::Established
            | State::FinWait1
            | State::FinWait2
            | State::CloseWait
            | State::Closing
            | State::LastAck
            | State::TimeWait => {}
        }
        self.stack.tcp_shutdown(handle, how).map_err(errno)?;
        self.pump();
        Ok(())
    }

    fn close(&mut self, fd: Fd) -> Result<(), Errno> {
        let file = self.files.remove(&fd).ok_or(Errno::EBADF)?;
        for other in self.files.values_mut() {
            if let File::Epoll(epoll) = other {
                epoll.forget(fd);
            }
        }
        let File::Socket(socket) = file else {
            return Ok(());
        };
        match socket.role {
            Role::Fresh => return Ok(()),
            Role::Listener(handle) => self.stack.tcp_close_listener(handle),
            Role::Stream(handle) => self.stack.tcp_close(handle),
            Role::Datagram(handle) => self.stack.udp_close(handle),
        }
        .map_err(errno)?;
        self.pump();
        Ok(())
    }

    fn fcntl(&mut self, fd: Fd, command: i32, argument: i32) -> Result<i32, Errno> {
        let socket = self.socket_mut(fd)?;
        match command {
            F_GETFL => Ok(O_RDWR | if socket.nonblocking { O_NONBLOCK } else { 0 }),
            F_SETFL => {
                socket.nonblocking = argument & O_NONBLOCK != 0;
                Ok(0)
            }
            _ => Err(Errno::EINVAL),
        }
    }

    fn ioctl(&mut self, fd: Fd, request: i32, argument: &mut i32) -> Result<(), Errno> {
        let socket = self.socket_mut(fd)?;
        if request == FIONBIO {
            socket.nonblocking = *argument != 0;
            return Ok(());
        }
        let Role::Stream(handle) = socket.role else {
            return Err(Errno::EINVAL);
        };
        let bytes = match request {
            SIOCINQ => self.stack.tcp_readable(handle).map_err(errno)?,
            SIOCOUTQ => self.stack.tcp_unacked(handle).map_err(errno)?,
            SIOCOUTQNSD => self.stack.tcp_info(handle).map_err(errno)?.unsent as usize,
            _ => return Err(Errno::ENOTTY),
        };
        *argument = i32::try_from(bytes).unwrap_or(i32::MAX);
        Ok(())
    }

    fn getsockopt(&mut self, fd: Fd, level: i32, name: i32) -> Result<Vec<u8>, Errno> {
        let socket = self.socket_ref(fd)?;
        let role = socket.role;
        let value = match (level, name) {
            (SOL_SOCKET, SO_TYPE) => {
                if socket.stream {
                    SOCK_STREAM
                } else {
                    SOCK_DGRAM
                }
            }
            (SOL_SOCKET, SO_DOMAIN) => {
                if socket.v6 {
                    AF_INET6
                } else {
                    AF_INET
                }
            }
            (SOL_SOCKET, SO_PROTOCOL) => {
                if socket.stream {
                    IPPROTO_TCP
                } else {
                    IPPROTO_UDP
                }
            }
            (SOL_SOCKET, SO_ACCEPTCONN) => i32::from(matches!(role, Role::Listener(_))),
            (SOL_SOCKET, SO_ERROR) => match role {
                Role::Stream(handle) => {
                    let reason = self.stack.tcp_close_reason(handle).map_err(errno)?;
                    let tells_soft = socket.options.recv_error;
                    let error = match reason {
                        Some(reason) => self.take_error(fd, reason),
                        None if tells_soft => self.take_soft_error(handle)?,
                        None => None,
                    };
                    error.map_or(0, Errno::number)
                }
                Role::Datagram(handle) => {
                    let error = self.stack.udp_take_error(handle).map_err(errno)?;
                    error.map_or(0, |error| errno(error).number())
                }
                Role::Fresh | Role::Listener(_) => 0,
            },
            (IPPROTO_TCP, TCP_INFO) => {
                let Role::Stream(handle) = role else {
                    return Err(Errno::EINVAL);
                };
                let v6 = socket.v6;
                let info = self.stack.tcp_info(handle).map_err(errno)?;
                let reordering = self.stack.tunables().tcp.dupack_threshold;
                return Ok(tcp_info::bytes(&info, reordering, v6).to_vec());
            }
            (IPPROTO_TCP, TCP_CC_INFO) => {
                let Role::Stream(handle) = role else {
                    return Err(Errno::EINVAL);
                };
                let info = self.stack.tcp_info(handle).map_err(errno)?;
                return Ok(tcp_info::congestion_bytes(&info));
            }
            (IPPROTO_TCP, TCP_MAXSEG) => match role {
                Role::Stream(handle) => {
                    i32::from(self.stack.tcp_info(handle).map_err(errno)?.snd_mss)
                }
                Role::Fresh | Role::Listener(_) | Role::Datagram(_) => 536,
            },
            _ => {
                let options = match role {
                    Role::Stream(handle) => {
                        let settings = self.stack.tcp_settings(handle).map_err(errno)?;
                        &socket.options.of_connection(&settings)
                    }
                    Role::Fresh | Role::Listener(_) | Role::Datagram(_) => &socket.options,
                };
                return options.get(level, name, self.stack.tunables());
            }
        };
        Ok(value.to_ne_bytes().to_vec())
    }

    fn setsockopt(&mut self, fd: Fd, level: i32, name: i32, value: &[u8]) -> Result<(), Errno> {
        let mut options = self.socket_ref(fd)?.options.clone();
        options.set(level, name, value)?;
        match self.socket_ref(fd)?.role {
            Role::Stream(handle) => {
                options
                    .apply(&mut self.stack, handle)
                    .map_err(|error| match (name, error) {
                        (TCP_CONGESTION, Error::NoSuchCongestionControl) => Errno::ENOENT,
                        (_, error) => errno(error),
                    })?;
                self.pump();
            }
            Role::Datagram(handle) => {
                let set = self.stack.udp_set_broadcast(handle, options.broadcast);
                set.and_then(|()| self.stack.udp_set_tos(handle, options.tos))
                    .map_err(errno)?;
                if let Some(ttl) = options.ttl {
                    self.stack.udp_set_ttl(handle, ttl).map_err(errno)?;
                }
            }
            Role::Fresh | Role::Listener(_) => {}
        }
        self.socket_mut(fd)?.options = options;
        Ok(())
    }

    fn poll(&mut self, fd: Fd, events: i16) -> i16 {
        self.ready_events(fd) & (events | (POLLERR | POLLHUP | POLLNVAL) as i16)
    }

    fn epoll_create(&mut self) -> Result<Fd, Errno> {
        Ok(self.install(File::Epoll(Epoll::default())))
    }

    fn epoll_ctl(
        &mut self,
        epfd: Fd,
        operation: i32,
        fd: Fd,
        events: u32,
        data: u64,
    ) -> Result<(), Errno> {
        if !self.files.contains_key(&fd) {
            return Err(Errno::EBADF);
        }
        match self.files.get_mut(&epfd) {
            Some(File::Epoll(epoll)) if epfd != fd => epoll.control(operation, fd, events, data),
            Some(_) => Err(Errno::EINVAL),
            None => Err(Errno::EBADF),
        }
    }

    fn epoll_wait(&mut self, epfd: Fd, max: usize) -> Result<Vec<(u32, u64)>, Errno> {
        let Some(File::Epoll(epoll)) = self.files.get_mut(&epfd) else {
            return Err(Errno::EBADF);
        };
        // Taken out, so that the sockets beside it can be looked at.
        let mut epoll = std::mem::take(epoll);
        let always = (POLLERR | POLLHUP) as i16;
        let ready = epoll.ready(max, |fd, events| self.ready_events(fd) & (events | always));
        self.files.insert(epfd, File::Epoll(epoll));
        Ok(ready)
    }

    fn local_addr(&mut self, fd: Fd) -> Result<SocketAddr, Errno> {
        let socket = self.socket_ref(fd)?;
        match socket.role {
            Role::Stream(handle) => self.stack.tcp_local_addr(handle),
            Role::Listener(_) | Role::Fresh => return socket.bound.ok_or(Errno::EINVAL),
            Role::Datagram(handle) => self.stack.udp_local_addr(handle),
        }
        .map_err(errno)
    }

    fn peer_addr(&mut self, fd: Fd) -> Result<SocketAddr, Errno> {
        match self.socket_ref(fd)?.role {
            Role::Stream(handle) => self.stack.tcp_peer_addr(handle).map_err(errno),
            Role::Datagram(handle) => self.stack.udp_peer_addr(handle).map_err(errno),
            Role::Fresh | Role::Listener(_) => Err(Errno::ENOTCONN),
        }
    }

    fn is_blocking(&self, fd: Fd) -> bool {
        match self.files.get(&fd) {
            Some(File::Socket(socket)) => !socket.nonblocking,
            Some(File::Epoll(_)) | None => true,
        }
    }
}
