//! What the tests of client and server share: the wire, and what is read off it and put on it.

use std::net::Ipv4Addr;
use std::vec;
use std::vec::Vec;

use netloom_stack::driver::{FrameQueue, Instant};
use netloom_stack::{IfaceId, Stack};
use netloom_wire::dhcpv4::{Dhcpv4View, MessageType};
use netloom_wire::{
    Addr, ArpOperation, ArpRepr, EtherType, EthernetRepr, Frame, Ipv4Repr, MacAddr, Sum, UdpRepr,
    protocol, udp,
};

pub(super) const IF: IfaceId = IfaceId::FIRST;

/// A DHCP message as it was sent.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) at: Instant,
    /// The station it goes to.
    pub(super) to: MacAddr,
    pub(super) src: Addr,
    pub(super) src_port: u16,
    pub(super) dst: Addr,
    pub(super) port: u16,
    pub(super) bytes: Vec<u8>,
}

impl Sent {
    pub(super) fn view(&self) -> Dhcpv4View<'_> {
        Dhcpv4View::new(&self.bytes).unwrap()
    }

    pub(super) fn kind(&self) -> MessageType {
        self.view().message_type().unwrap()
    }

    pub(super) fn option(&self, code: u8) -> Option<Vec<u8>> {
        self.view().option(code).map(Iterator::collect)
    }
}

/// A frame that was sent.
pub(super) enum Told {
    Arp(ArpRepr),
    Dhcp(Sent),
    /// An ICMP message, and to whom.
    Icmp(Ipv4Addr, Vec<u8>),
    Other,
}

/// What a stack sends at a time; its counters balance.
pub(super) fn transmit(stack: &mut Stack, now: Instant) -> Vec<Told> {
    let mut wire = FrameQueue::default();
    let _ = stack.transmit(now, IF, &mut wire);
    stack.counters().balance().unwrap();
    wire.frames.iter().map(|frame| read(now, frame)).collect()
}

fn read(at: Instant, frame: &[u8]) -> Told {
    let ethernet = Frame::new(frame).ethernet().unwrap();
    match ethernet.ethertype() {
        EtherType::ARP => Told::Arp(ArpRepr::parse(&ethernet.arp().unwrap())),
        EtherType::IPV4 => {
            let ip = ethernet.ipv4().unwrap();
            if ip.protocol() == protocol::ICMP {
                let to = ip.dst().v4_octets().unwrap();
                return Told::Icmp(to.into(), ip.payload().to_vec());
            }
            let udp = ip.udp().unwrap();
            assert!(udp.checksum_valid(&ip.src(), &ip.dst()));
            Told::Dhcp(Sent {
                at,
                to: ethernet.dst(),
                src: ip.src(),
                src_port: udp.src_port(),
                dst: ip.dst(),
                port: udp.dst_port(),
                bytes: udp.payload().to_vec(),
            })
        }
        _ => Told::Other,
    }
}

/// The stations of a frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stations {
    pub(super) to: MacAddr,
    pub(super) from: MacAddr,
}

impl Stations {
    pub(super) fn frame(self, ethertype: EtherType, body: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; 14 + body.len()];
        let repr = EthernetRepr {
            dst: self.to,
            src: self.from,
            ethertype,
            vlan: None,
        };
        repr.emit(&mut frame).unwrap().copy_from_slice(body);
        frame
    }

    /// ARP from a station to whom the frame goes.
    pub(super) fn arp(
        self,
        operation: ArpOperation,
        sender: Ipv4Addr,
        target: Ipv4Addr,
    ) -> Vec<u8> {
        let mut body = [0; 28];
        let repr = ArpRepr {
            operation,
            sender_mac: self.from,
            sender_ip: sender.into(),
            target_mac: MacAddr::UNSPECIFIED,
            target_ip: target.into(),
        };
        repr.emit(&mut body).unwrap();
        self.frame(EtherType::ARP, &body)
    }

    /// A datagram from one address and port to another.
    pub(super) fn datagram(
        self,
        (src, src_port): (Ipv4Addr, u16),
        (dst, dst_port): (Ipv4Addr, u16),
        message: &[u8],
    ) -> Vec<u8> {
        let (src, dst) = (Addr::from(src), Addr::from(dst));
        let mut packet = vec![0; 28 + message.len()];
        let ip = Ipv4Repr::new(src, dst, protocol::UDP, 8 + message.len() as u16);
        let body = ip.emit(&mut packet).unwrap();
        let repr = UdpRepr {
            src_port,
            dst_port,
            payload_len: message.len() as u16,
        };
        repr.emit(body).unwrap().copy_from_slice(message);
        let sum = repr.checksum(&src, &dst, Sum::new().add(message));
        udp::set_checksum(body, sum);
        self.frame(EtherType::IPV4, &packet)
    }
}
