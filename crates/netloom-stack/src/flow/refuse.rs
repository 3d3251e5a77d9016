//! ICMP errors about packets that are long gone: what of them is known is quoted.
//!
//! A held flow is refused after its packet has been forgotten. RFC 792 and RFC 4443 §3.1 want the
//! beginning of that packet in the error, and the host that sent it looks for its addresses, ports
//! and sequence number there. These are known.

use netloom_driver::RxMeta;
use netloom_tcp::SeqNum;
use netloom_wire::tcp::{HEADER_LEN as TCP_LEN, set_checksum};
use netloom_wire::{TcpFlags, TcpHeader, TcpOptionWords, UdpRepr, protocol, udp};

use crate::flow::Unreachable;
use crate::flow::echo::icmp_of;
use crate::ip::{IcmpError, Packet};
use crate::link::Arrival;
use crate::output::{IpHeader, transport_checksum};
use crate::stack::Stack;
use crate::tuple::Tuple;

/// The longest quotation: an IPv6 header and a TCP header.
const LONGEST: usize = 40 + TCP_LEN;

impl Stack {
    /// Tells the sender of a SYN that something is unreachable.
    pub(super) fn quote_syn(&mut self, tuple: &Tuple, irs: SeqNum, what: Unreachable) {
        let ip = self.quoted_header(tuple, protocol::TCP);
        let header = TcpHeader {
            src_port: tuple.remote_port,
            dst_port: tuple.local_port,
            seq: irs.0,
            ack: 0,
            flags: TcpFlags::SYN,
            window: u16::MAX,
            urgent: 0,
        };
        let mut bytes = [0; TCP_LEN];
        let _ = header.emit(&TcpOptionWords::new(), &mut bytes);
        let sum = transport_checksum(&ip, &bytes).finish();
        set_checksum(&mut bytes, sum);
        self.quote(&ip, &bytes, TCP_LEN, what);
    }

    /// Tells the sender of a held datagram or echo request that something is unreachable.
    pub(super) fn quote_datagram(&mut self, index: u32, what: Unreachable) {
        let Some(slot) = self.tables.udp.get(index) else {
            return;
        };
        let (tuple, echo) = (slot.tuple, slot.echo);
        let (sequence, len) = match slot.rx.front(&slot.rx_memory) {
            Some((meta, _)) => (meta.remote_port, usize::from(meta.len)),
            None => (0, 0),
        };
        let len = len.saturating_add(udp::HEADER_LEN);
        let mut bytes = [0; udp::HEADER_LEN];
        if echo {
            let ip = self.quoted_header(&tuple, icmp_of(&tuple.remote));
            let request = if tuple.remote.is_v4() { 8 } else { 128 };
            let [a, b] = tuple.remote_port.to_be_bytes();
            let [c, d] = sequence.to_be_bytes();
            self.quote(&ip, &[request, 0, 0, 0, a, b, c, d], len, what);
            return;
        }
        let ip = self.quoted_header(&tuple, protocol::UDP);
        let repr = UdpRepr {
            src_port: tuple.remote_port,
            dst_port: tuple.local_port,
            payload_len: len.saturating_sub(udp::HEADER_LEN) as u16,
        };
        let _ = repr.emit(&mut bytes);
        self.quote(&ip, &bytes, len, what);
    }

    /// The network header of a packet that the peer has sent.
    fn quoted_header(&self, tuple: &Tuple, protocol: u8) -> IpHeader {
        IpHeader {
            src: tuple.remote,
            dst: tuple.local(),
            protocol,
            ttl: self.tunables.ip_default_ttl,
            tos: 0,
        }
    }

    /// Sends an error about a packet of which `head` is known; its transport part had `len` bytes.
    fn quote(&mut self, ip: &IpHeader, head: &[u8], len: usize, what: Unreachable) {
        let mut whole = [0; LONGEST];
        ip.emit(&mut whole, len);
        let end = ip.len().saturating_add(head.len());
        let Some(whole) = whole.get_mut(..end) else {
            return;
        };
        if let Some(place) = whole.get_mut(ip.len()..) {
            place.copy_from_slice(head);
        }
        let meta = RxMeta::default();
        let arrival = Arrival {
            iface: self.flow_iface(),
            link_group: false,
            #[cfg(feature = "alloc")]
            echo: None,
            flow: None,
            meta: &meta,
        };
        let packet = Packet {
            src: ip.src,
            dst: ip.dst,
            protocol: ip.protocol,
            hops: ip.ttl,
            tos: 0,
            payload: head,
            whole,
            unicast: true,
            #[cfg(all(feature = "ipv6", feature = "ethernet"))]
            fragmented: false,
            arrival: &arrival,
        };
        self.send_icmp_error(&packet, IcmpError::Unreachable(what));
    }
}
