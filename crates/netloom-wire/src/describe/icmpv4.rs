//! ICMP for IPv4.

use core::fmt::{self, Formatter};

use crate::icmpv4::{kind, unreachable};
use crate::{Icmpv4View, Ipv4View, protocol};

/// `ICMP echo request, id 1, seq 2, length 64`.
pub(super) fn message(f: &mut Formatter<'_>, message: &[u8]) -> fmt::Result {
    let Ok(icmp) = Icmpv4View::new(message) else {
        return f.write_str(" [|icmp]");
    };
    f.write_str("ICMP ")?;
    let [a, b, c, d] = icmp.rest_of_header();
    let (id, seq) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    match (icmp.kind(), icmp.code()) {
        (kind::ECHO_REQUEST, _) => write!(f, "echo request, id {id}, seq {seq}")?,
        (kind::ECHO_REPLY, _) => write!(f, "echo reply, id {id}, seq {seq}")?,
        (kind::DESTINATION_UNREACHABLE | kind::REDIRECT, _) => {
            let Ok(quoted) = Ipv4View::quoted(icmp.body()) else {
                return f.write_str("[|icmp]");
            };
            if icmp.kind() == kind::REDIRECT {
                redirect(f, &icmp, &quoted)?;
            } else {
                destination_unreachable(f, icmp.code(), seq, &quoted)?;
            }
        }
        (kind::SOURCE_QUENCH, _) => f.write_str("source quench")?,
        (kind::TIME_EXCEEDED, 0) => f.write_str("time exceeded in-transit")?,
        (kind::TIME_EXCEEDED, 1) => f.write_str("ip reassembly time exceeded")?,
        (kind::TIME_EXCEEDED, code) => write!(f, "time exceeded-#{code}")?,
        (kind::PARAMETER_PROBLEM, 0) => write!(f, "parameter problem - octet {a}")?,
        (kind::PARAMETER_PROBLEM, code) => write!(f, "parameter problem - code {code}")?,
        (kind, _) => write!(f, "type-#{kind}")?,
    }
    write!(f, ", length {}", message.len())
}

fn redirect(f: &mut Formatter<'_>, icmp: &Icmpv4View<'_>, quoted: &Ipv4View<'_>) -> fmt::Result {
    let gateway = core::net::Ipv4Addr::from(icmp.rest_of_header());
    let dst = quoted.dst();
    match icmp.code() {
        0 => write!(f, "redirect {dst} to net {gateway}"),
        1 => write!(f, "redirect {dst} to host {gateway}"),
        2 => write!(f, "redirect-tos {dst} to net {gateway}"),
        3 => write!(f, "redirect-tos {dst} to host {gateway}"),
        code => write!(f, "redirect-#{code} {dst} to {gateway}"),
    }
}

fn destination_unreachable(
    f: &mut Formatter<'_>,
    code: u8,
    mtu: u16,
    quoted: &Ipv4View<'_>,
) -> fmt::Result {
    let dst = quoted.dst();
    match code {
        unreachable::NET => write!(f, "net {dst} unreachable"),
        unreachable::HOST => write!(f, "host {dst} unreachable"),
        unreachable::PROTOCOL => write!(f, "{dst} protocol {} unreachable", quoted.protocol()),
        unreachable::PORT => {
            let Some(&[_, _, high, low]) = quoted.payload().first_chunk() else {
                return f.write_str("[|icmp]");
            };
            let port = u16::from_be_bytes([high, low]);
            match quoted.protocol() {
                protocol::TCP => write!(f, "{dst} tcp port {port} unreachable"),
                protocol::UDP => write!(f, "{dst} udp port {port} unreachable"),
                protocol => write!(f, "{dst} protocol {protocol} port {port} unreachable"),
            }
        }
        unreachable::FRAGMENTATION_NEEDED => {
            write!(f, "{dst} unreachable - need to frag")?;
            if mtu != 0 {
                write!(f, " (mtu {mtu})")
            } else {
                Ok(())
            }
        }
        unreachable::SOURCE_ROUTE_FAILED => write!(f, "{dst} unreachable - source route failed"),
        6 => write!(f, "net {dst} unreachable - unknown"),
        7 => write!(f, "host {dst} unreachable - unknown"),
        8 => write!(f, "{dst} unreachable - source host isolated"),
        9 => write!(f, "net {dst} unreachable - admin prohibited"),
        10 => write!(f, "host {dst} unreachable - admin prohibited"),
        11 => write!(f, "net {dst} unreachable - tos prohibited"),
        12 => write!(f, "host {dst} unreachable - tos prohibited"),
        unreachable::PROHIBITED => write!(f, "host {dst} unreachable - admin prohibited filter"),
        14 => write!(f, "host {dst} unreachable - host precedence violation"),
        15 => write!(f, "host {dst} unreachable - precedence cutoff"),
        code => write!(f, "{dst} unreachable - #{code}"),
    }
}
