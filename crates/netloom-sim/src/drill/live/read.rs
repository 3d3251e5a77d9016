//! Bytes into a packet. Whatever holds of every packet is checked here: lengths, checksums,
//! reserved bits. What is wrong is said in words.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::checksum::{checksum, pseudo_header};
use super::{Body, Icmp, Ip, Outer, Packet, QuotedPacket, Tcp, Udp, ethertype, options, protocol};
use crate::drill::ast::{Gre, MplsLabel};

/// Reads a packet.
pub(crate) fn read(bytes: &[u8]) -> Result<Packet, String> {
    let mut outer = Vec::new();
    let (ip, number, body) = read_ip(bytes, &mut outer)?;
    let body = match number {
        protocol::TCP => Body::Tcp(read_tcp(&ip, body)?),
        protocol::UDP => Body::Udp(read_udp(&ip, body)?),
        protocol::ICMP | protocol::ICMPV6 => Body::Icmp(read_icmp(&ip, number, body)?),
        protocol => Body::Other {
            protocol,
            data: body.to_vec(),
        },
    };
    Ok(Packet { outer, ip, body })
}

/// An IP header, its payload's protocol, and the payload, past all encapsulation.
fn read_ip<'a>(bytes: &'a [u8], outer: &mut Vec<Outer>) -> Result<(Ip, u8, &'a [u8]), String> {
    let (ip, number, body) = match bytes.first().map(|byte| byte >> 4) {
        Some(4) => read_ipv4(bytes)?,
        Some(6) => read_ipv6(bytes)?,
        _ => return Err("a packet of no version of IP".to_owned()),
    };
    match number {
        protocol::IPV4 | protocol::IPV6 => {
            outer.push(Outer::Ip(ip));
            read_ip(body, outer)
        }
        protocol::GRE => {
            outer.push(Outer::Ip(ip));
            let (gre, kind, mut body) = read_gre(body)?;
            outer.push(Outer::Gre(gre));
            if kind == ethertype::MPLS {
                let (stack, rest) = read_mpls(body)?;
                outer.push(Outer::Mpls(stack));
                body = rest;
            }
            read_ip(body, outer)
        }
        _ => Ok((ip, number, body)),
    }
}

fn half(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from(half(bytes, at)) << 16 | u32::from(half(bytes, at + 2))
}

fn ipv4(bytes: &[u8], at: usize) -> IpAddr {
    Ipv4Addr::from(word(bytes, at)).into()
}

fn ipv6(bytes: &[u8], at: usize) -> IpAddr {
    let mut octets = [0; 16];
    octets.copy_from_slice(&bytes[at..at + 16]);
    Ipv6Addr::from(octets).into()
}

fn read_ipv4(bytes: &[u8]) -> Result<(Ip, u8, &[u8]), String> {
    let header_len = usize::from(bytes[0] & 0xf) * 4;
    if header_len < 20 || bytes.len() < header_len {
        return Err("the IPv4 header is too short".to_owned());
    }
    let total = usize::from(half(bytes, 2));
    if total != bytes.len() {
        return Err(format!(
            "the IPv4 header says {total} bytes, there are {}",
            bytes.len()
        ));
    }
    if checksum(&bytes[..header_len], 0) != 0 {
        return Err("the IPv4 header's checksum is wrong".to_owned());
    }
    let fragment = half(bytes, 6);
    if fragment & 0x8000 != 0 {
        return Err("the reserved bit of the IPv4 header is set".to_owned());
    }
    if fragment & 0x3fff != 0 {
        return Err("the packet is a fragment".to_owned());
    }
    let ip = Ip {
        src: ipv4(bytes, 12),
        dst: ipv4(bytes, 16),
        tos: bytes[1],
        ttl: bytes[8],
        flow_label: 0,
        dont_fragment: fragment & 0x4000 != 0,
    };
    Ok((ip, bytes[9], &bytes[header_len..]))
}

fn read_ipv6(bytes: &[u8]) -> Result<(Ip, u8, &[u8]), String> {
    if bytes.len() < 40 {
        return Err("the IPv6 header is too short".to_owned());
    }
    let len = usize::from(half(bytes, 4));
    if len != bytes.len() - 40 {
        return Err(format!(
            "the IPv6 header says {len} bytes, there are {}",
            bytes.len() - 40
        ));
    }
    let ip = Ip {
        src: ipv6(bytes, 8),
        dst: ipv6(bytes, 24),
        tos: (half(bytes, 0) >> 4) as u8,
        ttl: bytes[7],
        flow_label: word(bytes, 0) & 0xf_ffff,
        dont_fragment: true,
    };
    Ok((ip, bytes[6], &bytes[40..]))
}

fn read_gre(bytes: &[u8]) -> Result<(Gre, u16, &[u8]), String> {
    let short = || "the GRE header is too short".to_owned();
    if bytes.len() < 4 {
        return Err(short());
    }
    let flags = half(bytes, 0);
    let mut at = 4;
    let mut next = |present: bool| -> Result<Option<u32>, String> {
        if !present {
            return Ok(None);
        }
        if bytes.len() < at + 4 {
            return Err(short());
        }
        at += 4;
        Ok(Some(word(bytes, at - 4)))
    };
    let gre = Gre {
        sum: next(flags & 0x8000 != 0)?.map(|sum| (sum >> 16) as u16),
        key: next(flags & 0x2000 != 0)?,
        seq: next(flags & 0x1000 != 0)?,
    };
    Ok((gre, half(bytes, 2), &bytes[at..]))
}

fn read_mpls(mut bytes: &[u8]) -> Result<(Vec<MplsLabel>, &[u8]), String> {
    let mut stack = Vec::new();
    loop {
        if bytes.len() < 4 {
            return Err("the MPLS label stack has no bottom".to_owned());
        }
        let entry = word(bytes, 0);
        bytes = &bytes[4..];
        let bottom = entry & 0x100 != 0;
        stack.push(MplsLabel {
            label: entry >> 12,
            tc: (entry >> 9 & 7) as u8,
            bottom,
            ttl: entry as u8,
        });
        if bottom {
            return Ok((stack, bytes));
        }
    }
}

fn read_tcp(ip: &Ip, bytes: &[u8]) -> Result<Tcp, String> {
    if bytes.len() < 20 {
        return Err("the TCP header is too short".to_owned());
    }
    let header_len = usize::from(bytes[12] >> 4) * 4;
    if header_len < 20 || header_len > bytes.len() {
        return Err(format!("the TCP header has a length of {header_len}"));
    }
    if checksum(
        bytes,
        pseudo_header(ip.src, ip.dst, protocol::TCP, bytes.len()),
    ) != 0
    {
        return Err("the TCP checksum is wrong".to_owned());
    }
    if bytes[12] & 0x0e != 0 {
        return Err("reserved bits of the TCP header are set".to_owned());
    }
    Ok(Tcp {
        src_port: half(bytes, 0),
        dst_port: half(bytes, 2),
        seq: word(bytes, 4),
        ack: word(bytes, 8),
        flags: half(bytes, 12) & 0x1ff,
        window: half(bytes, 14),
        urgent: half(bytes, 18),
        options: options::read(&bytes[20..header_len])?,
        data: bytes[header_len..].to_vec(),
    })
}

fn read_udp(ip: &Ip, bytes: &[u8]) -> Result<Udp, String> {
    if bytes.len() < 8 || usize::from(half(bytes, 4)) != bytes.len() {
        return Err("the UDP header's length is wrong".to_owned());
    }
    let sum = half(bytes, 6);
    if sum == 0 && ip.is_v6() {
        return Err("the UDP checksum is missing, over IPv6".to_owned());
    }
    let pseudo = pseudo_header(ip.src, ip.dst, protocol::UDP, bytes.len());
    if sum != 0 && checksum(bytes, pseudo) != 0 {
        return Err("the UDP checksum is wrong".to_owned());
    }
    Ok(Udp {
        src_port: half(bytes, 0),
        dst_port: half(bytes, 2),
        data: bytes[8..].to_vec(),
    })
}

fn read_icmp(ip: &Ip, number: u8, bytes: &[u8]) -> Result<Icmp, String> {
    if bytes.len() < 8 {
        return Err("the ICMP message is too short".to_owned());
    }
    if (number == protocol::ICMPV6) != ip.is_v6() {
        return Err("ICMP of one version in IP of the other".to_owned());
    }
    let initial = if ip.is_v6() {
        pseudo_header(ip.src, ip.dst, number, bytes.len())
    } else {
        0
    };
    if checksum(bytes, initial) != 0 {
        return Err("the ICMP checksum is wrong".to_owned());
    }
    Ok(Icmp {
        kind: bytes[0],
        code: bytes[1],
        rest: [bytes[4], bytes[5], bytes[6], bytes[7]],
        data: bytes[8..].to_vec(),
    })
}

/// The beginning of a packet, as ICMP errors quote it.
pub(crate) fn read_quoted(bytes: &[u8]) -> Option<QuotedPacket> {
    let v6 = bytes.first()? >> 4 == 6;
    let (header_len, number) = if v6 {
        (40, *bytes.get(6)?)
    } else {
        (usize::from(bytes[0] & 0xf) * 4, *bytes.get(9)?)
    };
    let transport = bytes.get(header_len..).filter(|rest| rest.len() >= 8)?;
    Some(QuotedPacket {
        src: if v6 { ipv6(bytes, 8) } else { ipv4(bytes, 12) },
        dst: if v6 { ipv6(bytes, 24) } else { ipv4(bytes, 16) },
        protocol: number,
        src_port: half(transport, 0),
        dst_port: half(transport, 2),
        seq: if number == protocol::TCP {
            word(transport, 4)
        } else {
            0
        },
    })
}
