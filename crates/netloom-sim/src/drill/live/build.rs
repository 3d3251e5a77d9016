//! A packet into bytes.

use super::checksum::{checksum, pseudo_header};
use super::{Body, Icmp, Ip, Outer, Packet, Tcp, Udp, ethertype, options, protocol};
use crate::drill::ast::{Gre, MplsLabel};
use std::net::IpAddr;

/// The bytes of a packet, with every checksum right.
pub(crate) fn build(packet: &Packet) -> Vec<u8> {
    let (number, body) = match &packet.body {
        Body::Tcp(tcp) => (protocol::TCP, tcp_bytes(&packet.ip, tcp)),
        Body::Udp(udp) => (protocol::UDP, udp_bytes(&packet.ip, udp)),
        Body::Icmp(icmp) => icmp_bytes(&packet.ip, icmp),
        Body::Other { protocol, data } => (*protocol, data.clone()),
    };
    let mut bytes = ip_bytes(&packet.ip, number, &body);
    let mut inner = if packet.ip.is_v6() {
        protocol::IPV6
    } else {
        protocol::IPV4
    };
    let mut kind = if packet.ip.is_v6() {
        ethertype::IPV6
    } else {
        ethertype::IPV4
    };
    for outer in packet.outer.iter().rev() {
        match outer {
            Outer::Ip(ip) => {
                bytes = ip_bytes(ip, inner, &bytes);
                (inner, kind) = match ip.src {
                    IpAddr::V4(_) => (protocol::IPV4, ethertype::IPV4),
                    IpAddr::V6(_) => (protocol::IPV6, ethertype::IPV6),
                };
            }
            Outer::Gre(gre) => {
                bytes = gre_bytes(gre, kind, &bytes);
                inner = protocol::GRE;
            }
            Outer::Mpls(stack) => {
                bytes = mpls_bytes(stack, &bytes);
                kind = ethertype::MPLS;
            }
        }
    }
    bytes
}

fn tcp_bytes(ip: &Ip, tcp: &Tcp) -> Vec<u8> {
    let options = options::write(&tcp.options);
    let words = (20 + options.len()) as u16 / 4;
    let mut bytes = Vec::with_capacity(20 + options.len() + tcp.data.len());
    bytes.extend(tcp.src_port.to_be_bytes());
    bytes.extend(tcp.dst_port.to_be_bytes());
    bytes.extend(tcp.seq.to_be_bytes());
    bytes.extend(tcp.ack.to_be_bytes());
    bytes.extend((words << 12 | tcp.flags).to_be_bytes());
    bytes.extend(tcp.window.to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(tcp.urgent.to_be_bytes());
    bytes.extend(options);
    bytes.extend(&tcp.data);
    let pseudo = pseudo_header(ip.src, ip.dst, protocol::TCP, bytes.len());
    let sum = checksum(&bytes, pseudo);
    bytes[16..18].copy_from_slice(&sum.to_be_bytes());
    bytes
}

fn udp_bytes(ip: &Ip, udp: &Udp) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + udp.data.len());
    bytes.extend(udp.src_port.to_be_bytes());
    bytes.extend(udp.dst_port.to_be_bytes());
    bytes.extend(((8 + udp.data.len()) as u16).to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(&udp.data);
    let pseudo = pseudo_header(ip.src, ip.dst, protocol::UDP, bytes.len());
    let sum = match checksum(&bytes, pseudo) {
        // Zero would mean that there is none (RFC 768).
        0 => 0xffff,
        sum => sum,
    };
    bytes[6..8].copy_from_slice(&sum.to_be_bytes());
    bytes
}

fn icmp_bytes(ip: &Ip, icmp: &Icmp) -> (u8, Vec<u8>) {
    let mut bytes = vec![icmp.kind, icmp.code, 0, 0];
    bytes.extend(icmp.rest);
    bytes.extend(&icmp.data);
    let (number, initial) = if ip.is_v6() {
        let pseudo = pseudo_header(ip.src, ip.dst, protocol::ICMPV6, bytes.len());
        (protocol::ICMPV6, pseudo)
    } else {
        (protocol::ICMP, 0)
    };
    let sum = checksum(&bytes, initial);
    bytes[2..4].copy_from_slice(&sum.to_be_bytes());
    (number, bytes)
}

fn ip_bytes(ip: &Ip, next: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(40 + body.len());
    match (ip.src, ip.dst) {
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            let first = 6 << 28 | u32::from(ip.tos) << 20 | ip.flow_label;
            bytes.extend(first.to_be_bytes());
            bytes.extend((body.len() as u16).to_be_bytes());
            bytes.extend([next, ip.ttl]);
            bytes.extend(src.octets());
            bytes.extend(dst.octets());
        }
        (src, dst) => {
            bytes.extend([0x45, ip.tos]);
            bytes.extend(((20 + body.len()) as u16).to_be_bytes());
            bytes.extend([0, 0]);
            let fragment = if ip.dont_fragment { 0x4000u16 } else { 0 };
            bytes.extend(fragment.to_be_bytes());
            bytes.extend([ip.ttl, next, 0, 0]);
            for addr in [src, dst] {
                if let IpAddr::V4(addr) = addr {
                    bytes.extend(addr.octets());
                }
            }
            let sum = checksum(&bytes, 0);
            bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        }
    }
    bytes.extend(body);
    bytes
}

fn gre_bytes(gre: &Gre, kind: u16, body: &[u8]) -> Vec<u8> {
    let bit = |present: bool, bit: u16| if present { bit } else { 0 };
    let flags = bit(gre.sum.is_some(), 0x8000)
        | bit(gre.key.is_some(), 0x2000)
        | bit(gre.seq.is_some(), 0x1000);
    let mut bytes = flags.to_be_bytes().to_vec();
    bytes.extend(kind.to_be_bytes());
    if let Some(sum) = gre.sum {
        bytes.extend(sum.to_be_bytes());
        bytes.extend([0, 0]);
    }
    for word in [gre.key, gre.seq].into_iter().flatten() {
        bytes.extend(word.to_be_bytes());
    }
    bytes.extend(body);
    bytes
}

fn mpls_bytes(stack: &[MplsLabel], body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in stack {
        let word = entry.label << 12
            | u32::from(entry.tc) << 9
            | u32::from(entry.bottom) << 8
            | u32::from(entry.ttl);
        bytes.extend(word.to_be_bytes());
    }
    bytes.extend(body);
    bytes
}
