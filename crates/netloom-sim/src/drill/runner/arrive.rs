//! Packets that arrive: from the script's numbers to bytes on the wire.

use std::net::SocketAddr;

use super::Runner;
use crate::drill::ast::{
    Direction, Ecn, Encapsulation, Icmp, IpFields, Packet, Payload, Ports, Quoted, Tcp,
};
use crate::drill::describe;
use crate::drill::error::{Mismatch, Position};
use crate::drill::flags;
use crate::drill::flow::{Flow, Transport, remote_byte};
use crate::drill::live::{self, Body, Outer};

/// The TTL of packets from the remote end where the script does not say.
const TTL: u8 = 64;
/// A protocol number nobody has: for experiments (RFC 3692).
const EXPERIMENT: u8 = 253;

impl Runner<'_, '_> {
    pub(super) fn arrive(&mut self, at: Position, packet: &Packet) -> Result<(), Mismatch> {
        let index = self.flow_for(packet);
        let body = match &packet.payload {
            Payload::Tcp(tcp) => {
                let interpolate = self.settings.interpolates;
                let segment = self.flows[index].arriving(tcp, interpolate);
                Body::Tcp(segment.map_err(|what| Mismatch::new(at, what))?)
            }
            Payload::Udp { len, .. } => Body::Udp(self.datagram(index, *len)),
            Payload::Icmp(icmp) => Body::Icmp(self.icmp(at, index, icmp)?),
        };
        let flow = &self.flows[index];
        let (src, dst) = (flow.remote.ip(), flow.local.ip());
        let live = live::Packet {
            outer: packet.encapsulations.iter().map(outer).collect(),
            ip: ip(&packet.ip, src, dst),
            body,
        };
        self.say(|| format!("< {}", describe::expected(packet)));
        self.subject.inject(&live::build(&live));
        self.retry_pending()
    }

    /// The flow a packet of the script belongs to, made if it is the first of one.
    pub(super) fn flow_for(&mut self, packet: &Packet) -> usize {
        let (ports, transport, begins) = match &packet.payload {
            Payload::Tcp(tcp) => (tcp.ports, Transport::Tcp, begins(tcp)),
            Payload::Udp { ports, .. } => (*ports, Transport::Udp, false),
            Payload::Icmp(icmp) => {
                let (ports, transport) = match icmp.quoted {
                    Some(Quoted::Tcp { ports, .. }) => (ports, Transport::Tcp),
                    Some(Quoted::Udp { .. }) => (None, Transport::Udp),
                    Some(Quoted::Raw { .. }) | None => (None, self.current_transport()),
                };
                // An error that arrives quotes what was sent: its ports stand the other way.
                let ports = ports.map(|Ports { src, dst }| Ports { src: dst, dst: src });
                (ports, transport, false)
            }
        };
        let out = packet.direction == Direction::Out;
        match ports {
            Some(Ports { src, dst }) => {
                let (local, remote) = if out { (src, dst) } else { (dst, src) };
                let local = SocketAddr::new(self.settings.local_ip, local);
                let remote = SocketAddr::new(self.settings.remote_ip, remote);
                let index = self.open_flow(transport, local, remote);
                self.current.get_or_insert(index);
                index
            }
            None => {
                let known = self.current.filter(|index| {
                    self.flows[*index].transport == transport && !(begins && self.fresh && !out)
                });
                known.unwrap_or_else(|| self.new_current(transport))
            }
        }
    }

    fn current_transport(&self) -> Transport {
        self.current
            .map_or(Transport::Tcp, |index| self.flows[index].transport)
    }

    fn datagram(&mut self, index: usize, len: u16) -> live::Udp {
        let flow = &self.flows[index];
        live::Udp {
            src_port: flow.remote.port(),
            dst_port: flow.local.port(),
            data: (0..usize::from(len)).map(remote_byte).collect(),
        }
    }

    fn icmp(&self, at: Position, index: usize, icmp: &Icmp) -> Result<live::Icmp, Mismatch> {
        let flow = &self.flows[index];
        let v6 = self.settings.is_v6();
        let numbers = if v6 { icmp.numbers.v6 } else { icmp.numbers.v4 };
        let Some((kind, code)) = numbers else {
            let version = if v6 { "IPv6" } else { "IPv4" };
            return Err(Mismatch::new(
                at,
                format!(
                    "`icmp {}` does not exist over {version}: say `// netloom: only=` where it does",
                    icmp.name
                ),
            ));
        };
        let mut rest = [0; 4];
        if let Some(mtu) = icmp.mtu {
            rest = mtu.to_be_bytes();
        }
        if let Some(id) = icmp.id {
            rest[..2].copy_from_slice(&id.to_be_bytes());
        }
        let data = match icmp.quoted {
            None => Vec::new(),
            Some(quoted) => quote(flow, quoted),
        };
        Ok(live::Icmp {
            kind,
            code,
            rest,
            data,
        })
    }
}

/// Whether a segment begins a connection.
fn begins(tcp: &Tcp) -> bool {
    tcp.flags & (flags::SYN | flags::ACK | flags::RST) == flags::SYN
}

fn ip(fields: &IpFields, src: std::net::IpAddr, dst: std::net::IpAddr) -> live::Ip {
    let tos = fields.tos.unwrap_or(0);
    live::Ip {
        src,
        dst,
        tos: match fields.ecn {
            None => tos,
            Some(Ecn::Codepoint(ecn)) => tos & !3 | ecn,
            Some(Ecn::EitherEct) => tos & !3 | 2,
        },
        ttl: fields.ttl.unwrap_or(TTL),
        flow_label: fields.flow_label.unwrap_or(0),
        dont_fragment: true,
    }
}

fn outer(header: &Encapsulation) -> Outer {
    match header {
        Encapsulation::Ipv4(fields, src, dst) => {
            Outer::Ip(ip(fields, (*src).into(), (*dst).into()))
        }
        Encapsulation::Ipv6(fields, src, dst) => {
            Outer::Ip(ip(fields, (*src).into(), (*dst).into()))
        }
        Encapsulation::Gre(gre) => Outer::Gre(*gre),
        Encapsulation::Mpls(stack) => Outer::Mpls(stack.clone()),
    }
}

/// The beginning of a packet of the stack, as a router quotes it: its IP header, and 8 bytes more
/// (RFC 792).
fn quote(flow: &Flow, quoted: Quoted) -> Vec<u8> {
    let body = match quoted {
        Quoted::Tcp { seq, len, .. } => Body::Tcp(live::Tcp {
            src_port: flow.local.port(),
            dst_port: flow.remote.port(),
            seq: flow.local_to_live(seq, flags::ACK),
            ack: 0,
            flags: flags::ACK,
            window: 0,
            urgent: 0,
            options: Vec::new(),
            data: vec![0; usize::from(len)],
        }),
        Quoted::Udp { len } => Body::Udp(live::Udp {
            src_port: flow.local.port(),
            dst_port: flow.remote.port(),
            data: vec![0; usize::from(len)],
        }),
        Quoted::Raw { len } => Body::Other {
            protocol: EXPERIMENT,
            data: vec![0; usize::from(len)],
        },
    };
    let packet = live::Packet {
        outer: Vec::new(),
        ip: ip(&IpFields::default(), flow.local.ip(), flow.remote.ip()),
        body,
    };
    let mut bytes = live::build(&packet);
    let header_len = if packet.ip.is_v6() { 40 } else { 20 };
    bytes.truncate(header_len + 8);
    bytes
}
