//! Echo sockets: what ping needs.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use netloom_stack::icmp::{EchoError, EchoRequest};
use netloom_stack::{EchoHandle, IfaceId};

use super::parking::Side;
use super::runtime::Running;
use super::socket::{Socket, shared_socket, socket_timeouts};

/// Sends ICMP and ICMPv6 echo requests under an identifier of its own, and receives the replies
/// to them and the errors about them.
///
/// Made by [`Net::echo_open`](super::Net::echo_open).
#[derive(Debug)]
#[doc(alias = "ping")]
pub struct EchoSocket {
    inner: Arc<Inner>,
}

/// What became of an echo request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EchoReply {
    /// Who answered, or who reports the error.
    pub from: IpAddr,
    /// The request's sequence number.
    pub sequence: u16,
    /// TTL or hop limit of the packet as it arrived.
    pub hop_limit: u8,
    /// When it arrived.
    pub at: Instant,
    /// Octets of data in the reply, whatever the buffer's size.
    pub len: usize,
    /// The error, if it is one.
    pub error: Option<EchoError>,
}

#[derive(Debug)]
struct Inner {
    socket: Socket<EchoHandle>,
}

shared_socket!(
    EchoSocket,
    "socket: one thread may send while another receives"
);
socket_timeouts!(EchoSocket);

impl EchoSocket {
    pub(super) fn open(running: &Arc<Running>) -> io::Result<EchoSocket> {
        let socket = Socket::open(running, netloom_stack::Stack::echo_open)?;
        Ok(EchoSocket {
            inner: Arc::new(Inner { socket }),
        })
    }

    /// Sends a request with `data` to `to`; `hop_limit` as the stack has it unless given. Tells
    /// when it was handed to the device. A link-local address is one of the first interface.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for data longer than the path's MTU allows or a group
    /// address; [`io::ErrorKind::NetworkUnreachable`]; [`io::ErrorKind::AddrNotAvailable`] if the
    /// stack has no address of that version; [`io::ErrorKind::WouldBlock`] while too much waits
    /// to be sent.
    pub fn send_to(
        &self,
        to: IpAddr,
        sequence: u16,
        hop_limit: Option<u8>,
        data: &[u8],
    ) -> io::Result<Instant> {
        let is_link_local = matches!(to, IpAddr::V6(v6) if v6.is_unicast_link_local());
        let request = EchoRequest {
            iface: is_link_local.then_some(IfaceId::FIRST),
            hop_limit,
            ..EchoRequest::new(to, sequence)
        };
        let mut at = Instant::now();
        self.inner.socket.with_engine(|engine, handle| {
            at = Instant::now();
            engine.stack.advance(engine.clock.now());
            engine.stack.echo_send(handle, &request, data)
        })?;
        Ok(at)
    }

    /// Waits for the next reply or error, and copies the reply's data as far as `data` is long.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] after the read timeout; the device's fault.
    pub fn recv(&self, data: &mut [u8]) -> io::Result<EchoReply> {
        self.inner.socket.blocking(Side::Read, |engine, handle| {
            let reply = engine.stack.echo_recv(handle, data)?;
            Ok(EchoReply {
                from: reply.from,
                sequence: reply.sequence,
                hop_limit: reply.hop_limit,
                at: engine.clock.to_std(reply.at),
                len: reply.len,
                error: reply.error,
            })
        })
    }

    /// The identifier in its requests.
    ///
    /// # Errors
    /// None today.
    pub fn identifier(&self) -> io::Result<u16> {
        self.inner
            .socket
            .look(|stack, handle| stack.echo_identifier(handle))
    }
}
