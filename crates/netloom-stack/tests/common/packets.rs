//! Packets as tests write and compare them.

use netloom_stack::wire::checksum::{self, Sum};
use netloom_stack::wire::{
    Addr, ArpOperation, ArpRepr, Cidr, EtherType, EthernetRepr, Ipv4Repr, Ipv6Repr, MacAddr,
    NdpMessage, NdpOption, TcpFlags, TcpOptions, TcpRepr, Timestamps, UdpRepr, protocol,
};

use super::trace::{OUR_MAC, PEER_MAC};

/// Any packet that came out.
#[derive(Clone, Debug, PartialEq)]
pub enum Packet {
    Arp { dst: MacAddr, arp: ArpRepr },
    Tcp(Segment),
    Udp(Datagram),
    Icmp(Icmp),
}

/// The part that packets of all protocols share.
#[derive(Clone, Debug, PartialEq)]
pub struct Ip {
    pub src: Addr,
    pub dst: Addr,
    pub ttl: u8,
    pub tos: u8,
    /// Destination station, on Ethernet.
    pub mac: Option<MacAddr>,
    /// IPv4 identification, flow label in IPv6.
    pub ident: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    pub ip: Ip,
    pub tcp: TcpRepr,
    pub data: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Datagram {
    pub ip: Ip,
    pub src_port: u16,
    pub dst_port: u16,
    pub data: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Icmp {
    pub ip: Ip,
    pub kind: u8,
    pub code: u8,
    pub rest: [u8; 4],
    pub body: Vec<u8>,
}

/// A segment to send, or what one that came out should be: what is not set is not compared,
/// but for data, which must be as said.
#[derive(Clone, Debug, Default)]
pub struct Tcp {
    pub flags: TcpFlags,
    pub seq: Option<u32>,
    pub ack: Option<u32>,
    pub win: Option<u16>,
    pub urg: Option<u16>,
    pub options: Option<TcpOptions>,
    pub raw_options: Option<Vec<u8>>,
    pub data: Vec<u8>,
    pub src: Option<Addr>,
    pub dst: Option<Addr>,
    pub peer_port: Option<u16>,
    pub port: Option<u16>,
    pub tos: u8,
    pub corrupt: bool,
}

/// Flags as tcpdump writes them: `S.`, `P.`, `F.`, `R`, `.`, with `E` and `W` for ECN.
pub fn tcp(flags: &str) -> Tcp {
    let flags = flags.chars().fold(TcpFlags::NONE, |flags, c| {
        flags.with(match c {
            'S' => TcpFlags::SYN,
            'F' => TcpFlags::FIN,
            'R' => TcpFlags::RST,
            'P' => TcpFlags::PSH,
            'U' => TcpFlags::URG,
            'E' => TcpFlags::ECE,
            'W' => TcpFlags::CWR,
            '.' => TcpFlags::ACK,
            _ => panic!("no flag {c}"),
        })
    });
    Tcp {
        flags,
        ..Tcp::default()
    }
}

impl Tcp {
    pub fn seq(mut self, seq: u32) -> Tcp {
        self.seq = Some(seq);
        self
    }
    pub fn ack(mut self, ack: u32) -> Tcp {
        self.ack = Some(ack);
        self
    }
    pub fn win(mut self, win: u16) -> Tcp {
        self.win = Some(win);
        self
    }
    pub fn urg(mut self, urg: u16) -> Tcp {
        self.urg = Some(urg);
        self
    }
    pub fn data(mut self, data: &[u8]) -> Tcp {
        self.data = data.to_vec();
        self
    }
    pub fn mss(mut self, mss: u16) -> Tcp {
        self.options.get_or_insert_default().mss = Some(mss);
        self
    }
    pub fn wscale(mut self, shift: u8) -> Tcp {
        self.options.get_or_insert_default().window_scale = Some(shift);
        self
    }
    pub fn sack_ok(mut self) -> Tcp {
        self.options.get_or_insert_default().sack_permitted = true;
        self
    }
    pub fn ts(mut self, value: u32, echo: u32) -> Tcp {
        self.options.get_or_insert_default().timestamps = Some(Timestamps { value, echo });
        self
    }
    pub fn raw_options(mut self, options: &[u8]) -> Tcp {
        self.raw_options = Some(options.to_vec());
        self
    }
    pub fn from(mut self, src: Addr) -> Tcp {
        self.src = Some(src);
        self
    }
    pub fn to(mut self, dst: Addr) -> Tcp {
        self.dst = Some(dst);
        self
    }
    /// The peer's port.
    pub fn peer_port(mut self, port: u16) -> Tcp {
        self.peer_port = Some(port);
        self
    }
    /// The port of the stack under test.
    pub fn port(mut self, port: u16) -> Tcp {
        self.port = Some(port);
        self
    }
    pub fn tos(mut self, tos: u8) -> Tcp {
        self.tos = tos;
        self
    }
    pub fn corrupt(mut self) -> Tcp {
        self.corrupt = true;
        self
    }
}

pub fn addr(text: &str) -> Addr {
    text.parse().unwrap()
}

pub fn cidr(text: &str) -> Cidr {
    text.parse().unwrap()
}

pub fn ethernet(dst: MacAddr, src: MacAddr, ethertype: EtherType, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; 14 + payload.len()];
    let repr = EthernetRepr {
        dst,
        src,
        ethertype,
        vlan: None,
    };
    repr.emit(&mut frame).unwrap().copy_from_slice(payload);
    frame
}

pub fn arp_frame(dst: MacAddr, src: MacAddr, arp: &ArpRepr) -> Vec<u8> {
    let mut packet = [0; 28];
    arp.emit(&mut packet).unwrap();
    ethernet(dst, src, EtherType::ARP, &packet)
}

/// An ARP request of the peer's.
pub fn arp_request(sender: Addr, target: Addr) -> ArpRepr {
    ArpRepr {
        operation: ArpOperation::Request,
        sender_mac: PEER_MAC,
        sender_ip: sender,
        target_mac: MacAddr::UNSPECIFIED,
        target_ip: target,
    }
}

/// A frame with a Neighbor Advertisement.
pub fn advertisement(
    target: Addr,
    dst: Addr,
    mac: MacAddr,
    solicited: bool,
    override_cached: bool,
) -> Vec<u8> {
    let message = NdpMessage::NeighborAdvertisement {
        router: false,
        solicited,
        override_cached,
        target,
    };
    let options = [NdpOption::TargetLinkLayerAddress(mac)];
    let packet = nd_packet(target, dst, 255, &message, &options);
    ethernet(OUR_MAC, mac, EtherType::IPV6, &packet)
}

pub fn nd_packet(
    src: Addr,
    dst: Addr,
    hops: u8,
    message: &NdpMessage,
    options: &[NdpOption<'_>],
) -> Vec<u8> {
    let mut bytes = vec![0; message.len_with(options)];
    message.emit(options, &src, &dst, &mut bytes).unwrap();
    ip_packet(src, dst, protocol::ICMPV6, hops, 0, &bytes)
}

pub fn ip_packet(src: Addr, dst: Addr, proto: u8, ttl: u8, tos: u8, payload: &[u8]) -> Vec<u8> {
    let len = payload.len() as u16;
    if dst.is_v4() {
        let mut packet = vec![0; 20 + payload.len()];
        let mut repr = Ipv4Repr::new(src, dst, proto, len);
        repr.ttl = ttl;
        repr.tos = tos;
        repr.emit(&mut packet).unwrap().copy_from_slice(payload);
        packet
    } else {
        let mut packet = vec![0; 40 + payload.len()];
        let mut repr = Ipv6Repr::new(src, dst, proto, len);
        repr.hop_limit = ttl;
        repr.traffic_class = tos;
        repr.emit(&mut packet).unwrap().copy_from_slice(payload);
        packet
    }
}

pub fn udp_packet(src: (Addr, u16), dst: (Addr, u16), data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 8 + data.len()];
    let repr = UdpRepr {
        src_port: src.1,
        dst_port: dst.1,
        payload_len: data.len() as u16,
    };
    repr.emit(&mut bytes).unwrap().copy_from_slice(data);
    let sum = repr.checksum(&src.0, &dst.0, Sum::new().add(data));
    bytes[6..8].copy_from_slice(&sum.to_be_bytes());
    ip_packet(src.0, dst.0, protocol::UDP, 64, 0, &bytes)
}

pub fn icmp_packet(
    src: Addr,
    dst: Addr,
    ttl: u8,
    kind: u8,
    code: u8,
    rest: [u8; 4],
    body: &[u8],
) -> Vec<u8> {
    let mut bytes = vec![kind, code, 0, 0];
    bytes.extend_from_slice(&rest);
    bytes.extend_from_slice(body);
    let (proto, start) = if dst.is_v4() {
        (protocol::ICMP, Sum::new())
    } else {
        let len = bytes.len() as u32;
        let proto = protocol::ICMPV6;
        (proto, checksum::pseudo_header(&src, &dst, proto, len))
    };
    let sum = start.add(&bytes).finish();
    bytes[2..4].copy_from_slice(&sum.to_be_bytes());
    ip_packet(src, dst, proto, ttl, 0, &bytes)
}
