//! Echo requests sent, and what comes back to those who sent them (RFC 792, RFC 4443 §4).
//!
//! An echo socket has an identifier of its own, by which the stack finds it when a reply or an
//! error about one of its requests arrives. Replies wait in a bounded queue until they are read.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::IpAddr;

use netloom_driver::Instant;
#[cfg(any(feature = "ipv4", feature = "ipv6"))]
use netloom_wire::Quoted;
use netloom_wire::checksum::{Sum, pseudo_header};
use netloom_wire::{Addr, protocol};

use crate::counters::DropReason;
use crate::error::Error;
use crate::event::{EchoHandle, Event, IfaceId, Readiness};
use crate::icmp::Heard;
use crate::ip::Packet;
use crate::output::{IpHeader, header_len};
use crate::stack::Stack;
use crate::version::addr_of;

/// The type of a request (RFC 792; RFC 4443 §4.1), whichever version is compiled in.
const V4_REQUEST: u8 = 8;
const V6_REQUEST: u8 = 128;

/// Bytes of the ICMP header: type, code, checksum, identifier, sequence number.
const HEADER_LEN: usize = 8;

/// Bytes an echo socket's queue holds, each message counted with [`OVERHEAD`]. Four of the
/// largest messages fit.
const QUEUE_BYTES: usize = 1 << 18;

/// What a queued message costs beside its data, in bytes, rounded up.
const OVERHEAD: usize = 128;

/// An echo request: see [`Stack::echo_send`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EchoRequest {
    /// Who is to answer: a unicast address.
    pub to: IpAddr,
    /// The interface to leave by; needed for link-local destinations only.
    pub iface: Option<IfaceId>,
    /// Told back by the reply.
    pub sequence: u16,
    /// TTL or hop limit; `None`: the tunable `ip_default_ttl`.
    pub hop_limit: Option<u8>,
}

impl EchoRequest {
    /// A request with the default hop limit.
    pub const fn new(to: IpAddr, sequence: u16) -> EchoRequest {
        EchoRequest {
            to,
            iface: None,
            sequence,
            hop_limit: None,
        }
    }
}

/// What became of an echo request: see [`Stack::echo_recv`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EchoReply {
    /// Who says so: for a reply usually whom the request went to; for an error the router or
    /// host that reports it, or this stack where a neighbour does not answer.
    pub from: IpAddr,
    /// The interface it arrived on.
    pub iface: IfaceId,
    /// The request's sequence number.
    pub sequence: u16,
    /// TTL or hop limit of the packet as it arrived.
    pub hop_limit: u8,
    /// When it arrived.
    pub at: Instant,
    /// Bytes of data in the reply, whatever the buffer's size; 0 with an error.
    pub len: usize,
    /// The error, if this is none but an error about the request.
    pub error: Option<EchoError>,
}

/// Why an echo request was not answered, as an ICMP error says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EchoError {
    /// No route leads to the network.
    NetworkUnreachable,
    /// The host does not answer its router, or this stack's own question for its address.
    HostUnreachable,
    /// The host does not speak ICMP.
    ProtocolUnreachable,
    /// The destination port is closed, which makes little sense of an echo.
    PortUnreachable,
    /// A filter on the way forbids it.
    Prohibited,
    /// The request is too big for a link on the way, of this MTU in bytes (0: not told).
    PacketTooBig(u32),
    /// The hop limit was used up on the way.
    TimeExceeded,
    /// Somebody could not make sense of the request's header.
    ParameterProblem,
}

impl From<Heard> for EchoError {
    fn from(heard: Heard) -> EchoError {
        match heard {
            Heard::PacketTooBig(mtu) => EchoError::PacketTooBig(mtu),
            Heard::NetworkUnreachable | Heard::SourceRouteFailed => EchoError::NetworkUnreachable,
            Heard::HostUnreachable => EchoError::HostUnreachable,
            Heard::ProtocolUnreachable => EchoError::ProtocolUnreachable,
            Heard::PortUnreachable => EchoError::PortUnreachable,
            Heard::Prohibited => EchoError::Prohibited,
            Heard::TimeExceeded => EchoError::TimeExceeded,
            Heard::ParameterProblem => EchoError::ParameterProblem,
        }
    }
}

/// The echo sockets of a stack: few, so that they are compared one by one.
pub(crate) struct EchoState {
    sockets: Vec<EchoSocket>,
    limit: usize,
    /// Sockets that owe their user news.
    news: usize,
}

#[derive(Default)]
struct EchoSocket {
    live: bool,
    generation: u32,
    identifier: u16,
    queue: VecDeque<(EchoReply, Box<[u8]>)>,
    /// What of [`QUEUE_BYTES`] the queue takes.
    used: usize,
    has_news: bool,
}

impl EchoSocket {
    /// Sending never waits: what finds no room is refused.
    fn readiness(&self) -> Readiness {
        Readiness {
            readable: !self.queue.is_empty(),
            writable: true,
            ..Readiness::default()
        }
    }
}

impl EchoState {
    /// No sockets, and at most `limit`.
    pub(crate) const fn new(limit: usize) -> EchoState {
        EchoState {
            sockets: Vec::new(),
            limit,
            news: 0,
        }
    }

    fn get(&self, handle: EchoHandle) -> Result<&EchoSocket, Error> {
        self.sockets
            .get(handle.index())
            .filter(|socket| socket.live && socket.generation == handle.generation)
            .ok_or(Error::StaleHandle)
    }

    fn get_mut(&mut self, handle: EchoHandle) -> Result<&mut EchoSocket, Error> {
        self.sockets
            .get_mut(handle.index())
            .filter(|socket| socket.live && socket.generation == handle.generation)
            .ok_or(Error::StaleHandle)
    }

    /// Queues what became of a request of the socket with this identifier.
    fn deliver(
        &mut self,
        identifier: u16,
        reply: EchoReply,
        data: &[u8],
    ) -> Result<(), DropReason> {
        let socket = self
            .sockets
            .iter_mut()
            .find(|socket| socket.live && socket.identifier == identifier)
            .ok_or(DropReason::IcmpUnsolicited)?;
        let cost = data.len().saturating_add(OVERHEAD);
        if socket.used.saturating_add(cost) > QUEUE_BYTES {
            return Err(DropReason::IcmpNoMemory);
        }
        socket.used = socket.used.saturating_add(cost);
        socket.queue.push_back((reply, Box::from(data)));
        if !socket.has_news {
            socket.has_news = true;
            self.news = self.news.saturating_add(1);
        }
        Ok(())
    }

    fn event(&mut self) -> Option<Event> {
        if self.news == 0 {
            return None;
        }
        let mut sockets = self.sockets.iter_mut().enumerate();
        let (index, socket) = sockets.find(|(_, socket)| socket.has_news)?;
        socket.has_news = false;
        self.news = self.news.saturating_sub(1);
        let handle = EchoHandle {
            index: u32::try_from(index).ok()?,
            generation: socket.generation,
        };
        Some(Event::Echo(handle, socket.readiness()))
    }
}

impl Stack {
    /// Opens an echo socket: an identifier nobody else here has, to send echo requests with.
    ///
    /// # Errors
    /// [`Error::CapacityExhausted`] beyond [`Limits::echo`](crate::Limits::echo) sockets.
    pub fn echo_open(&mut self) -> Result<EchoHandle, Error> {
        let sockets = &self.echo.sockets;
        let index = match sockets.iter().position(|socket| !socket.live) {
            Some(free) => free,
            None if sockets.len() < self.echo.limit => sockets.len(),
            None => return Err(Error::CapacityExhausted),
        };
        // Fewer sockets than identifiers, so one of as many in a row is free. Where they begin
        // is random: a forger must guess it.
        let first = self.rng.next_u32() as u16;
        let is_free = |candidate: &u16| {
            let taken = |socket: &EchoSocket| socket.live && socket.identifier == *candidate;
            !self.echo.sockets.iter().any(taken)
        };
        let identifier = (0..=u16::MAX)
            .map(|n| first.wrapping_add(n))
            .find(is_free)
            .ok_or(Error::CapacityExhausted)?;
        if index == self.echo.sockets.len() {
            self.echo.sockets.push(EchoSocket::default());
        }
        let socket = self
            .echo
            .sockets
            .get_mut(index)
            .ok_or(Error::CapacityExhausted)?;
        socket.live = true;
        socket.generation = socket.generation.wrapping_add(1);
        socket.identifier = identifier;
        Ok(EchoHandle {
            index: u32::try_from(index).map_err(|_| Error::CapacityExhausted)?,
            generation: socket.generation,
        })
    }

    /// Closes an echo socket; what it has not read is gone.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn echo_close(&mut self, handle: EchoHandle) -> Result<(), Error> {
        let socket = self.echo.get_mut(handle)?;
        let had_news = socket.has_news;
        *socket = EchoSocket {
            generation: socket.generation,
            ..EchoSocket::default()
        };
        if had_news {
            self.echo.news = self.echo.news.saturating_sub(1);
        }
        Ok(())
    }

    /// What can be done with an echo socket now.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn echo_readiness(&self, handle: EchoHandle) -> Result<Readiness, Error> {
        Ok(self.echo.get(handle)?.readiness())
    }

    /// The identifier in an echo socket's requests.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn echo_identifier(&self, handle: EchoHandle) -> Result<u16, Error> {
        Ok(self.echo.get(handle)?.identifier)
    }

    /// Sends an echo request with `data`, which the reply brings back.
    //= https://www.rfc-editor.org/rfc/rfc1122#section-3.2.2.6
    //# A host SHOULD also implement an application-layer interface
    //# for sending an Echo Request and receiving an Echo Reply, for
    //# diagnostic purposes.
    ///
    /// # Errors
    /// [`Error::StaleHandle`]; [`Error::InvalidRemote`] for anything but a unicast address;
    /// [`Error::NoRoute`]; [`Error::NoSourceAddress`]; [`Error::MessageTooLong`] if the packet
    /// would be longer than the path's MTU; [`Error::WouldBlock`] while the store of packets that wait to be
    /// sent has no room for it.
    pub fn echo_send(
        &mut self,
        handle: EchoHandle,
        request: &EchoRequest,
        data: &[u8],
    ) -> Result<(), Error> {
        let identifier = self.echo.get(handle)?.identifier;
        let dst = addr_of(request.to).ok_or(Error::InvalidRemote)?;
        if !dst.is_unicast() || dst.is_unspecified() {
            return Err(Error::InvalidRemote);
        }
        let scope = request.iface.map(|iface| iface.0);
        let (iface, next_hop) = self.route(&dst, scope).ok_or(Error::NoRoute)?;
        if self.addresses.is_broadcast_for(iface, &dst) {
            return Err(Error::InvalidRemote);
        }
        let src = self
            .source_for(&dst, iface, &next_hop)
            .ok_or(Error::NoSourceAddress)?;
        let len = HEADER_LEN.saturating_add(data.len());
        let mtu = usize::from(self.path_mtu(&dst, iface));
        if len.saturating_add(header_len(&dst)) > mtu {
            return Err(Error::MessageTooLong);
        }
        let (kind, protocol) = if dst.is_v4() {
            (V4_REQUEST, protocol::ICMP)
        } else {
            (V6_REQUEST, protocol::ICMPV6)
        };
        let ip = IpHeader {
            src,
            dst,
            protocol,
            ttl: request.hop_limit.unwrap_or(self.tunables.ip_default_ttl),
            tos: 0,
        };
        let start = if dst.is_v4() {
            Sum::new()
        } else {
            // The packet fits an MTU of 16 bits.
            pseudo_header(&src, &dst, protocol, len as u32)
        };
        let [id_high, id_low] = identifier.to_be_bytes();
        let [seq_high, seq_low] = request.sequence.to_be_bytes();
        let rest = [id_high, id_low, seq_high, seq_low];
        let sum = start.add(&[kind, 0]).add(&rest).add(data).finish();
        let [high, low] = sum.to_be_bytes();
        let head = [kind, 0, high, low, id_high, id_low, seq_high, seq_low];
        self.send_packet(&ip, scope, [&head, data])
            // There is a route and it fits: the store of packets is full until some have left.
            .map_err(|_| Error::WouldBlock)
    }

    /// Takes what became of the request answered first, with the reply's data as far as `data`
    /// is long.
    ///
    /// # Errors
    /// [`Error::StaleHandle`]; [`Error::WouldBlock`] if nothing has arrived.
    pub fn echo_recv(&mut self, handle: EchoHandle, data: &mut [u8]) -> Result<EchoReply, Error> {
        let socket = self.echo.get_mut(handle)?;
        let (reply, bytes) = socket.queue.pop_front().ok_or(Error::WouldBlock)?;
        socket.used = socket
            .used
            .saturating_sub(bytes.len().saturating_add(OVERHEAD));
        for (to, from) in data.iter_mut().zip(bytes.iter()) {
            *to = *from;
        }
        Ok(reply)
    }

    // A reply goes to the socket with its identifier.
    //= https://www.rfc-editor.org/rfc/rfc4443#section-4.2
    //# Echo Reply messages MUST be passed to the process that originated an
    //# Echo Request message.

    //= https://www.rfc-editor.org/rfc/rfc1122#section-3.2.2.6
    //# Echo Reply messages MUST be passed to the ICMP user interface,
    //# unless the corresponding Echo Request originated in the IP
    //# layer.
    #[cfg(any(feature = "ipv4", feature = "ipv6"))]
    pub(super) fn echo_replied(&mut self, packet: &Packet<'_>) -> Result<(), DropReason> {
        let header = packet.payload.first_chunk::<HEADER_LEN>();
        let &[_, _, _, _, id_high, id_low, seq_high, seq_low] =
            header.ok_or(DropReason::IcmpMalformed)?;
        if !packet.unicast {
            return Err(DropReason::IcmpBroadcast);
        }
        let data = packet.payload.get(HEADER_LEN..).unwrap_or_default();
        let reply = EchoReply {
            from: packet.src.into(),
            iface: IfaceId(packet.arrival.iface),
            sequence: u16::from_be_bytes([seq_high, seq_low]),
            hop_limit: packet.hops,
            at: self.clock.now,
            len: data.len(),
            error: None,
        };
        let identifier = u16::from_be_bytes([id_high, id_low]);
        self.echo.deliver(identifier, reply, data)
    }

    /// An ICMP error from somebody is about an echo request of ours.
    #[cfg(any(feature = "ipv4", feature = "ipv6"))]
    pub(super) fn echo_error_heard(
        &mut self,
        packet: &Packet<'_>,
        quoted: &Quoted<'_>,
        heard: Heard,
    ) -> Result<(), DropReason> {
        let (iface, hops) = (packet.arrival.iface, packet.hops);
        self.echo_failed(&packet.src, iface, hops, quoted, heard)
    }

    /// Tells the socket that sent the quoted echo request what became of it.
    #[cfg(any(feature = "ipv4", feature = "ipv6"))]
    pub(crate) fn echo_failed(
        &mut self,
        from: &Addr,
        iface: u8,
        hop_limit: u8,
        quoted: &Quoted<'_>,
        heard: Heard,
    ) -> Result<(), DropReason> {
        let (identifier, sequence) = quoted.echo().ok_or(DropReason::IcmpMalformed)?;
        if !self.addresses.is_local(&quoted.src) {
            return Err(DropReason::IcmpUnsolicited);
        }
        let reply = EchoReply {
            from: (*from).into(),
            iface: IfaceId(iface),
            sequence,
            hop_limit,
            at: self.clock.now,
            len: 0,
            error: Some(heard.into()),
        };
        self.echo.deliver(identifier, reply, &[])
    }

    /// The news of an echo socket that has some.
    pub(crate) fn echo_event(&mut self) -> Option<Event> {
        self.echo.event()
    }
}
