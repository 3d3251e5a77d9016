//! What a script drives: packets in and out, a clock, and the socket API.

use std::net::SocketAddr;

use super::errno::Errno;

/// A file descriptor.
pub type Fd = i32;

/// What a receiving call brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Bytes put into the buffer.
    pub len: usize,
    /// The whole length of the datagram, or `len`.
    pub full_len: usize,
    /// Who sent it, for datagrams.
    pub from: Option<SocketAddr>,
}

/// What a stack tells of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Told {
    /// Segments of connections that header prediction was not for: taken in, and sent.
    pub unpredicted: [u32; 2],
    /// Which timer runs of the last connection in its table: the column `tr` of `/proc/net/tcp`. 0: none, 1:
    /// retransmission, 2: keep-alive or another, 4: zero-window probe.
    pub timer: u32,
    /// In how many milliseconds it fires.
    pub when: u32,
    /// How often it has without an answer.
    pub tries: u32,
    /// Of the connection that ended last: its smoothed round trip in microseconds, and how often it sent
    /// something again.
    pub ended: [u32; 2],
}

/// A stack under test behind the calls of BSD sockets, on a virtual clock.
///
/// Times are microseconds since the test began. No call waits: one that would have to answers
/// [`Errno::EAGAIN`] (or `EINPROGRESS`, `EALREADY`) whatever the socket's mode is, and whoever
/// drives asks again when something has happened.
pub trait Subject {
    /// The time.
    fn now(&self) -> u64;
    /// When the next timer is due; in the past if something is owed now.
    fn next_deadline(&self) -> Option<u64>;
    /// Moves the clock on, firing what falls due in order; an earlier time changes nothing.
    fn advance(&mut self, to: u64);
    /// A packet arrives: bare IP.
    fn inject(&mut self, packet: &[u8]);
    /// The oldest packet that was sent and not taken yet, and when it was sent.
    fn take_packet(&mut self) -> Option<(u64, Vec<u8>)>;
    /// Sets a tunable of the stack by its name.
    ///
    /// # Errors
    /// What is wrong with the name or the value.
    fn set_tunable(&mut self, name: &str, value: &str) -> Result<(), String>;
    /// Whether the stack's packet counters add up.
    ///
    /// # Errors
    /// Where they do not.
    fn balance(&self) -> Result<(), String>;

    /// What the stack tells beside its sockets, as `/proc/net` does; none if it does not.
    fn told(&self) -> Option<Told> {
        None
    }

    /// `socket(2)`; flags of `kind` included.
    ///
    /// # Errors
    /// As the call's.
    fn socket(&mut self, domain: i32, kind: i32, protocol: i32) -> Result<Fd, Errno>;
    /// `bind(2)`.
    ///
    /// # Errors
    /// As the call's.
    fn bind(&mut self, fd: Fd, at: SocketAddr) -> Result<(), Errno>;
    /// `listen(2)`.
    ///
    /// # Errors
    /// As the call's.
    fn listen(&mut self, fd: Fd, backlog: i32) -> Result<(), Errno>;
    /// `accept4(2)`.
    ///
    /// # Errors
    /// As the call's.
    fn accept(&mut self, fd: Fd, flags: i32) -> Result<(Fd, SocketAddr), Errno>;
    /// `connect(2)`.
    ///
    /// # Errors
    /// As the call's: `EINPROGRESS` first, `EALREADY` while the handshake is under way.
    fn connect(&mut self, fd: Fd, to: SocketAddr) -> Result<(), Errno>;
    /// `recvmsg(2)`, with its buffers in one.
    ///
    /// # Errors
    /// As the call's.
    fn receive(&mut self, fd: Fd, buffer: &mut [u8], flags: i32) -> Result<Received, Errno>;
    /// `sendmsg(2)`, with its buffers in one. On a stream it may take a part.
    ///
    /// # Errors
    /// As the call's.
    fn send(
        &mut self,
        fd: Fd,
        data: &[u8],
        flags: i32,
        to: Option<SocketAddr>,
    ) -> Result<usize, Errno>;
    /// `shutdown(2)`.
    ///
    /// # Errors
    /// As the call's.
    fn shutdown(&mut self, fd: Fd, how: i32) -> Result<(), Errno>;
    /// `close(2)`.
    ///
    /// # Errors
    /// As the call's.
    fn close(&mut self, fd: Fd) -> Result<(), Errno>;
    /// `fcntl(2)`.
    ///
    /// # Errors
    /// As the call's.
    fn fcntl(&mut self, fd: Fd, command: i32, argument: i32) -> Result<i32, Errno>;
    /// `ioctl(2)` with an integer, which it may change.
    ///
    /// # Errors
    /// As the call's.
    fn ioctl(&mut self, fd: Fd, request: i32, argument: &mut i32) -> Result<(), Errno>;
    /// `getsockopt(2)`: the option's bytes.
    ///
    /// # Errors
    /// As the call's.
    fn getsockopt(&mut self, fd: Fd, level: i32, name: i32) -> Result<Vec<u8>, Errno>;
    /// `setsockopt(2)`.
    ///
    /// # Errors
    /// As the call's.
    fn setsockopt(&mut self, fd: Fd, level: i32, name: i32, value: &[u8]) -> Result<(), Errno>;
    /// What `poll(2)` would say of a descriptor now, of the events asked for and those that need
    /// not be.
    fn poll(&mut self, fd: Fd, events: i16) -> i16;
    /// `epoll_create(2)`.
    ///
    /// # Errors
    /// As the call's.
    fn epoll_create(&mut self) -> Result<Fd, Errno>;
    /// `epoll_ctl(2)`.
    ///
    /// # Errors
    /// As the call's.
    fn epoll_ctl(
        &mut self,
        epfd: Fd,
        operation: i32,
        fd: Fd,
        events: u32,
        data: u64,
    ) -> Result<(), Errno>;
    /// `epoll_wait(2)` that does not wait: events and data.
    ///
    /// # Errors
    /// As the call's.
    fn epoll_wait(&mut self, epfd: Fd, max: usize) -> Result<Vec<(u32, u64)>, Errno>;
    /// `getsockname(2)`.
    ///
    /// # Errors
    /// As the call's.
    fn local_addr(&mut self, fd: Fd) -> Result<SocketAddr, Errno>;
    /// `getpeername(2)`.
    ///
    /// # Errors
    /// As the call's.
    fn peer_addr(&mut self, fd: Fd) -> Result<SocketAddr, Errno>;
    /// Whether calls on the descriptor wait (no `O_NONBLOCK`).
    fn is_blocking(&self, fd: Fd) -> bool;
}
