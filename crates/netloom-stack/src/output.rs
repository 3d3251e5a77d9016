//! From a decision to bytes in a device's memory: every frame leaves through here.

use netloom_driver::{FrameSink, Full, Gso, PartialChecksum, TxCaps, TxMeta};
#[cfg(feature = "ethernet")]
use netloom_wire::MacAddr;
use netloom_wire::checksum::{self, Sum};
use netloom_wire::hint::cold_path;
use netloom_wire::{Addr, protocol};

use crate::counters::{DropReason, Layer};
use crate::list::{Kind, Ref};
use crate::neighbor::Resolve;
#[cfg(feature = "hold")]
use crate::packet::PacketKind;
#[cfg(feature = "ethernet")]
use crate::route::GROUPS;
use crate::stack::{Sent, Stack};

/// Whether what devices can do of the stack's work is left to them.
pub(crate) const OFFLOAD: bool = cfg!(feature = "offload");

/// What stands in front of an IP packet on its link.
#[derive(Clone, Copy)]
pub(crate) enum LinkHeader {
    /// Nothing.
    None,
    /// Ethernet II.
    #[cfg(feature = "ethernet")]
    Ethernet { dst: MacAddr, src: MacAddr },
}

impl LinkHeader {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        match self {
            LinkHeader::None => 0,
            #[cfg(feature = "ethernet")]
            LinkHeader::Ethernet { .. } => netloom_wire::ethernet::HEADER_LEN,
        }
    }

    /// Writes the header; returns what follows it.
    #[inline]
    pub(crate) fn emit<'b>(&self, frame: &'b mut [u8], v4: bool) -> &'b mut [u8] {
        match self {
            LinkHeader::None => {
                let _ = v4;
                frame
            }
            #[cfg(feature = "ethernet")]
            LinkHeader::Ethernet { dst, src } => {
                let ethertype = if v4 {
                    netloom_wire::EtherType::IPV4
                } else {
                    netloom_wire::EtherType::IPV6
                };
                netloom_wire::EthernetRepr {
                    dst: *dst,
                    src: *src,
                    ethertype,
                    vlan: None,
                }
                .emit(frame)
                .unwrap_or_default()
            }
        }
    }
}

/// The network header of a packet this stack makes.
#[derive(Clone, Copy)]
pub(crate) struct IpHeader {
    pub(crate) src: Addr,
    pub(crate) dst: Addr,
    pub(crate) protocol: u8,
    pub(crate) ttl: u8,
    pub(crate) tos: u8,
}

impl IpHeader {
    /// Bytes of the header.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        header_len(&self.dst)
    }

    /// Writes the header in front of `payload_len` bytes; returns what follows it.
    ///
    /// Packets are never fragmented here, and say so: an identification would mean nothing
    /// (RFC 6864 §4.1) and, were it predictable, would tell others how much is sent.
    #[inline]
    pub(crate) fn emit<'b>(&self, buf: &'b mut [u8], payload_len: usize) -> &'b mut [u8] {
        let payload_len = payload_len as u16;
        #[cfg(feature = "ipv4")]
        if self.dst.is_v4() {
            let mut repr =
                netloom_wire::Ipv4Repr::new(self.src, self.dst, self.protocol, payload_len);
            repr.ttl = self.ttl;
            repr.tos = self.tos;
            return repr.emit(buf).unwrap_or_default();
        }
        #[cfg(feature = "ipv6")]
        {
            let mut repr =
                netloom_wire::Ipv6Repr::new(self.src, self.dst, self.protocol, payload_len);
            repr.hop_limit = self.ttl;
            repr.traffic_class = self.tos;
            repr.emit(buf).unwrap_or_default()
        }
        #[cfg(not(feature = "ipv6"))]
        {
            let _ = payload_len;
            buf
        }
    }
}

/// Bytes of the network header towards an address.
#[inline]
pub(crate) fn header_len(dst: &Addr) -> usize {
    if dst.is_v4() { 20 } else { 40 }
}

/// A transport header to be written.
pub(crate) trait TransportHeader {
    /// Where its checksum stands.
    const CHECKSUM_AT: usize;

    /// Its bytes, options included.
    fn len(&self) -> usize;

    /// Writes it with a zero checksum into exactly as many bytes; returns their sum.
    fn emit(&self, place: &mut [u8]) -> Sum;
}

/// Writes a transport segment into a device: headers, payload in at most two pieces, checksum,
/// in one pass. With `mss` the payload is a super-segment.
#[inline]
pub(crate) fn segment(
    sink: &mut dyn FrameSink,
    caps: &TxCaps,
    link: &LinkHeader,
    ip: &IpHeader,
    header: &impl TransportHeader,
    payload: (&[u8], &[u8]),
    mss: Option<u16>,
) -> Result<(), Full> {
    let (header_len, checksum_at) = (header.len(), checksum_at(header));
    let payload_len = payload.0.len().wrapping_add(payload.1.len());
    let transport_len = header_len.wrapping_add(payload_len);
    let transport_at = link.len().wrapping_add(ip.len());
    let finishes = OFFLOAD && caps.checksum;
    let meta = TxMeta {
        checksum: finishes.then_some(PartialChecksum {
            start: transport_at as u16,
            offset: checksum_at as u16,
        }),
        gso: mss.filter(|_| OFFLOAD).map(|size| Gso {
            size,
            header_len: transport_at.wrapping_add(header_len) as u16,
            ipv6: !ip.dst.is_v4(),
        }),
    };
    #[cfg(feature = "gather")]
    if caps.checksum {
        let head_len = transport_at.wrapping_add(header_len);
        return sink.gather(
            head_len,
            &meta,
            &mut |frame| {
                let packet = link.emit(frame, ip.dst.is_v4());
                let place = ip.emit(packet, transport_len);
                header.emit(place);
                let pseudo =
                    checksum::pseudo_header(&ip.src, &ip.dst, ip.protocol, transport_len as u32);
                // The device adds the rest: what is stored is the pseudo-header's sum itself.
                put_checksum(place, checksum_at, !pseudo.finish());
            },
            payload,
        );
    }
    sink.frame(
        transport_at.wrapping_add(transport_len),
        &meta,
        &mut |frame| {
            let packet = link.emit(frame, ip.dst.is_v4());
            let transport = ip.emit(packet, transport_len);
            let Some((place, body)) = transport.split_at_mut_checked(header_len) else {
                return;
            };
            let pseudo =
                checksum::pseudo_header(&ip.src, &ip.dst, ip.protocol, transport_len as u32);
            let (first, second) = body.split_at_mut(payload.0.len().min(body.len()));
            let written = header.emit(place);
            let sum = if finishes {
                copy(first, payload.0);
                copy(second, payload.1);
                // The device adds the rest: what is stored is the pseudo-header's sum itself.
                !pseudo.finish()
            } else {
                let sum = checksum::copy_and_sum(first, payload.0, pseudo.combine(written));
                let sum = if payload.1.is_empty() {
                    sum
                } else {
                    checksum::copy_and_sum(second, payload.1, sum)
                };
                match (ip.protocol, sum.finish()) {
                    // RFC 768: zero would mean that there is no checksum.
                    (protocol::UDP, 0) => 0xffff,
                    (_, sum) => sum,
                }
            };
            put_checksum(place, checksum_at, sum);
        },
    )
}

/// Where the checksum of a header stands.
const fn checksum_at<H: TransportHeader>(_: &H) -> usize {
    H::CHECKSUM_AT
}

/// Copies what fills its place.
#[inline]
fn copy(to: &mut [u8], from: &[u8]) {
    if to.len() == from.len() {
        to.copy_from_slice(from);
    }
}

#[inline]
fn put_checksum(header: &mut [u8], at: usize, sum: u16) {
    let field = header.get_mut(at..).and_then(<[u8]>::first_chunk_mut);
    if let Some(field) = field {
        *field = sum.to_be_bytes();
    }
}

/// Where a packet goes next.
#[derive(Clone, Copy)]
pub(crate) enum Hop {
    /// To this link-layer address.
    Ready(LinkHeader),
    /// Its neighbour is being asked for.
    Wait(crate::neighbor::NeighborId),
    /// Nowhere.
    Nowhere(DropReason),
}

impl Stack {
    /// The interface and next hop towards an address; `None` if no route leads there.
    pub(crate) fn route(&self, dst: &Addr, scope: Option<u8>) -> Option<(u8, Addr)> {
        #[cfg(feature = "alloc")]
        if let Some(loopback) = self.loopback.iface() {
            if dst.is_loopback() || self.addresses.is_local(dst) {
                return Some((loopback, *dst));
            }
        }
        self.routes
            .lookup(dst, scope)
            .map(|hit| (hit.iface, hit.next_hop))
    }

    /// [`route`](Stack::route) for those who ask for every segment.
    #[inline]
    pub(crate) fn route_again(&mut self, dst: &Addr, scope: Option<u8>) -> Option<(u8, Addr)> {
        if scope.is_some() {
            cold_path();
            return self.route(dst, scope);
        }
        if let Some(known) = self.recent.route(dst) {
            return Some(known);
        }
        cold_path();
        let (iface, next_hop) = self.route(dst, None)?;
        self.recent.note_route(dst, iface, &next_hop);
        Some((iface, next_hop))
    }

    /// The link header towards a next hop on an interface, which is about to be used.
    #[inline]
    pub(crate) fn hop(&mut self, iface: u8, next_hop: &Addr) -> Hop {
        let Some(interface) = self.interfaces.get(usize::from(iface)) else {
            cold_path();
            return Hop::Nowhere(DropReason::NoRoute);
        };
        if !interface.ethernet {
            return Hop::Ready(LinkHeader::None);
        }
        #[cfg(feature = "ethernet")]
        {
            let src = interface.mac;
            let group = if GROUPS {
                self.group_mac(iface, next_hop)
            } else {
                None
            };
            let dst = match group {
                Some(mac) => mac,
                None => {
                    match self.neighbors.resolve(
                        self.clock.now,
                        iface,
                        next_hop,
                        &self.neighbor_tunables,
                    ) {
                        Resolve::Found(mac) => mac,
                        Resolve::Pending(id) => return Hop::Wait(id),
                        Resolve::Full => return Hop::Nowhere(DropReason::NeighborFull),
                    }
                }
            };
            Hop::Ready(LinkHeader::Ethernet { dst, src })
        }
        #[cfg(not(feature = "ethernet"))]
        Hop::Nowhere(DropReason::NoRoute)
    }

    /// The link-layer address of a broadcast or multicast address; `None` for a unicast one.
    #[cfg(feature = "ethernet")]
    #[inline]
    fn group_mac(&self, iface: u8, addr: &Addr) -> Option<MacAddr> {
        if addr.is_multicast() {
            return Some(match addr.v4_octets() {
                Some(group) => MacAddr::from_ipv4_multicast(group),
                None => MacAddr::from_ipv6_multicast(addr.octets16()),
            });
        }
        if addr.is_v4() && self.addresses.is_broadcast_for(iface, addr) {
            return Some(MacAddr::BROADCAST);
        }
        None
    }

    /// Makes an IP packet that belongs to no connection or socket and puts it where it waits to
    /// be sent. `parts` are its transport part, the checksum complete. `scope` is the interface
    /// for link-local destinations.
    #[cfg(feature = "hold")]
    pub(crate) fn send_packet(
        &mut self,
        ip: &IpHeader,
        scope: Option<u8>,
        parts: [&[u8]; 2],
    ) -> Result<(), DropReason> {
        let Some((iface, next_hop)) = self.route(&ip.dst, scope) else {
            self.drop_output(DropReason::NoRoute);
            return Err(DropReason::NoRoute);
        };
        let total = parts
            .iter()
            .fold(ip.len(), |sum, part| sum.wrapping_add(part.len()));
        if !self.tables.packets.leaves_room_to_ask(total) {
            self.drop_output(DropReason::PacketMemory);
            return Err(DropReason::PacketMemory);
        }
        self.send_packet_on(iface, next_hop, ip, parts)
    }

    /// Makes an IP packet for a neighbour on an interface, whatever the routes say.
    #[cfg(feature = "hold")]
    pub(crate) fn send_packet_on(
        &mut self,
        iface: u8,
        next_hop: Addr,
        ip: &IpHeader,
        parts: [&[u8]; 2],
    ) -> Result<(), DropReason> {
        let [head, body] = parts;
        let len = head.len().wrapping_add(body.len());
        let fits = self
            .interface(iface)
            .is_some_and(|i| ip.len().wrapping_add(len) <= usize::from(i.mtu));
        if !fits {
            self.drop_output(DropReason::TooBig);
            return Err(DropReason::TooBig);
        }
        let mut header = [0; 40];
        ip.emit(&mut header, len);
        let header = header.get(..ip.len()).unwrap_or_default();
        self.hold(iface, PacketKind::Ip, next_hop, [header, head, body])
    }

    /// Puts a packet where it waits to be sent, if there is memory for it.
    #[cfg(feature = "hold")]
    pub(crate) fn hold(
        &mut self,
        iface: u8,
        kind: PacketKind,
        next_hop: Addr,
        parts: [&[u8]; 3],
    ) -> Result<(), DropReason> {
        #[cfg(feature = "flows")]
        if !self.leaves_room_for_packet(parts.iter().map(|part| part.len()).sum()) {
            self.drop_output(DropReason::PacketMemory);
            return Err(DropReason::PacketMemory);
        }
        let Some(item) = self.tables.packets.insert(iface, kind, next_hop, parts) else {
            self.drop_output(DropReason::PacketMemory);
            return Err(DropReason::PacketMemory);
        };
        self.counters.receive(Layer::Output);
        self.counters.hold(Layer::Output);
        self.push_control(iface, item);
        Ok(())
    }

    /// Sends what is on a control list. `false` if the device was full: the item stays as it
    /// was.
    // Apart, as `take_turn`.
    #[cfg_attr(target_pointer_width = "64", inline(never))]
    pub(crate) fn send_control(
        &mut self,
        iface: u8,
        item: Ref,
        caps: &TxCaps,
        sink: &mut dyn FrameSink,
        sent: &mut Sent,
    ) -> bool {
        match item.kind() {
            #[cfg(feature = "hold")]
            Some(Kind::Packet) => {
                cold_path();
                self.send_held(iface, item, caps, sink, sent)
            }
            #[cfg(feature = "tcp")]
            Some(Kind::HalfOpen) => self.send_syn_ack(iface, item.index(), caps, sink, sent),
            Some(_) | None => true,
        }
    }

    #[cfg(feature = "hold")]
    #[cfg_attr(target_pointer_width = "64", inline(never))]
    fn send_held(
        &mut self,
        iface: u8,
        item: Ref,
        caps: &TxCaps,
        sink: &mut dyn FrameSink,
        sent: &mut Sent,
    ) -> bool {
        let index = item.index();
        let Some(packet) = self.tables.packets.packets.get(index) else {
            return true;
        };
        let (len, kind, next_hop) = (usize::from(packet.len), packet.kind, packet.next_hop);
        // The device may carry less than when the packet was made.
        if kind == PacketKind::Ip && len > usize::from(caps.mtu) {
            self.drop_held(index, DropReason::TooBig);
            return true;
        }
        let link = match kind {
            PacketKind::Frame => LinkHeader::None,
            PacketKind::Ip => match self.hop(iface, &next_hop) {
                Hop::Ready(link) => link,
                Hop::Wait(id) => {
                    if !self.wait_for(id, item) {
                        self.drop_held(index, DropReason::NeighborFull);
                    }
                    return true;
                }
                Hop::Nowhere(reason) => {
                    self.drop_held(index, reason);
                    return true;
                }
            },
        };
        let packets = &self.tables.packets;
        let result = sink.frame(
            link.len().wrapping_add(len),
            &TxMeta::default(),
            &mut |frame| {
                let body = link.emit(frame, next_hop.is_v4());
                packets.copy_to(index, body);
            },
        );
        if result.is_err() {
            return false;
        }
        sent.frames = sent.frames.wrapping_add(1);
        self.tables.packets.remove(index);
        self.counters.unhold(Layer::Output);
        self.counters.deliver(Layer::Output);
        true
    }

    /// Gives up a packet that was held for sending.
    #[cfg(feature = "hold")]
    pub(crate) fn drop_held(&mut self, index: u32, reason: DropReason) {
        self.tables.packets.remove(index);
        self.counters.unhold(Layer::Output);
        self.counters.discard(reason);
    }

    /// Counts a frame that was written straight into a device.
    #[inline]
    pub(crate) fn count_sent(&mut self, sent: &mut Sent) {
        sent.frames = sent.frames.wrapping_add(1);
        self.counters.receive(Layer::Output);
        self.counters.deliver(Layer::Output);
    }
}

/// The complete checksum of a transport segment in one piece.
pub(crate) fn transport_checksum(ip: &IpHeader, segment: &[u8]) -> Sum {
    checksum::pseudo_header(&ip.src, &ip.dst, ip.protocol, segment.len() as u32).add(segment)
}
