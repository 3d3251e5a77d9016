//! ICMP for IPv6, Neighbor Discovery included.

use core::fmt::{self, Formatter};
use core::net::Ipv6Addr;

use crate::icmpv6::{kind, unreachable};
use crate::{Icmpv6View, Ipv6View, Quoted, protocol};

/// Multicast listener messages (RFC 2710, RFC 3810).
mod mld {
    pub(super) const QUERY: u8 = 130;
    pub(super) const REPORT: u8 = 131;
    pub(super) const DONE: u8 = 132;
    pub(super) const REPORT_V2: u8 = 143;
}

/// `ICMP6, echo request, id 1, seq 2, length 64`.
pub(super) fn message(f: &mut Formatter<'_>, message: &[u8]) -> fmt::Result {
    f.write_str("ICMP6, ")?;
    let Ok(icmp) = Icmpv6View::new(message) else {
        return f.write_str("[|icmp6]");
    };
    let rest = icmp.rest_of_header();
    let [a, b, c, d] = rest;
    let (id, seq) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    match icmp.kind() {
        kind::ECHO_REQUEST => write!(f, "echo request, id {id}, seq {seq}")?,
        kind::ECHO_REPLY => write!(f, "echo reply, id {id}, seq {seq}")?,
        kind::DESTINATION_UNREACHABLE => destination_unreachable(f, &icmp)?,
        kind::PACKET_TOO_BIG => write!(f, "packet too big, mtu {}", u32::from_be_bytes(rest))?,
        kind::TIME_EXCEEDED => time_exceeded(f, &icmp)?,
        kind::PARAMETER_PROBLEM => {
            f.write_str("parameter problem, ")?;
            match icmp.code() {
                0 => f.write_str("erroneous")?,
                1 => f.write_str("next header")?,
                2 => f.write_str("option")?,
                code => write!(f, "code-#{code}")?,
            }
            write!(f, " - octet {}", u32::from_be_bytes(rest))?;
        }
        kind::ROUTER_SOLICITATION => f.write_str("router solicitation")?,
        kind::ROUTER_ADVERTISEMENT => f.write_str("router advertisement")?,
        kind::NEIGHBOR_SOLICITATION => {
            f.write_str("neighbor solicitation")?;
            let Some(target) = address(icmp.body(), 0) else {
                return f.write_str(" [|icmp6]");
            };
            write!(f, ", who has {target}")?;
        }
        kind::NEIGHBOR_ADVERTISEMENT => {
            f.write_str("neighbor advertisement")?;
            let Some(target) = address(icmp.body(), 0) else {
                return f.write_str(" [|icmp6]");
            };
            write!(f, ", tgt is {target}")?;
        }
        kind::REDIRECT => {
            f.write_str("redirect")?;
            let (Some(target), Some(destination)) =
                (address(icmp.body(), 0), address(icmp.body(), 16))
            else {
                return f.write_str(" [|icmp6]");
            };
            write!(f, ", {destination} to {target}")?;
        }
        mld::QUERY | mld::REPORT | mld::DONE => multicast_listener(f, &icmp)?,
        mld::REPORT_V2 => write!(f, "multicast listener report v2, {seq} group record(s)")?,
        kind => write!(f, "unknown icmp6 type ({kind})")?,
    }
    write!(f, ", length {}", message.len())
}

/// The address at `at`.
fn address(body: &[u8], at: usize) -> Option<Ipv6Addr> {
    body.get(at..)?
        .first_chunk::<16>()
        .map(|octets| Ipv6Addr::from(*octets))
}

fn destination_unreachable(f: &mut Formatter<'_>, icmp: &Icmpv6View<'_>) -> fmt::Result {
    f.write_str("destination unreachable, ")?;
    let Ok(quoted) = Ipv6View::quoted(icmp.body()) else {
        return f.write_str("[|icmp6]");
    };
    let dst = Ipv6Addr::from(quoted.dst().octets16());
    match icmp.code() {
        unreachable::NO_ROUTE => write!(f, "unreachable route {dst}"),
        // The blank before it is tcpdump's.
        unreachable::PROHIBITED => write!(f, " unreachable prohibited {dst}"),
        unreachable::BEYOND_SCOPE => {
            let src = Ipv6Addr::from(quoted.src().octets16());
            write!(f, "beyond scope {dst}, source address {src}")
        }
        unreachable::ADDRESS => write!(f, "unreachable address {dst}"),
        unreachable::PORT => {
            write!(f, "unreachable port, {dst}")?;
            let Ok(transport) = Quoted::ipv6(&quoted) else {
                return f.write_str(" [|icmp6]");
            };
            match (transport.protocol, transport.ports()) {
                (protocol::TCP, Some((_, port))) => write!(f, " tcp port {port}"),
                (protocol::UDP, Some((_, port))) => write!(f, " udp port {port}"),
                (protocol, _) => write!(f, " protocol {protocol}"),
            }
        }
        code => write!(f, "unknown unreach code ({code})"),
    }
}

fn time_exceeded(f: &mut Formatter<'_>, icmp: &Icmpv6View<'_>) -> fmt::Result {
    f.write_str("time exceeded in-transit")?;
    match icmp.code() {
        0 => match Ipv6View::quoted(icmp.body()) {
            Ok(quoted) => write!(f, " for {}", Ipv6Addr::from(quoted.dst().octets16())),
            Err(_) => f.write_str(" [|icmp6]"),
        },
        1 => f.write_str(" (reassembly)"),
        code => write!(f, ", unknown code ({code})"),
    }
}

fn multicast_listener(f: &mut Formatter<'_>, icmp: &Icmpv6View<'_>) -> fmt::Result {
    f.write_str("multicast listener ")?;
    let (name, has_version) = match icmp.kind() {
        mld::QUERY => ("query", icmp.body().len() > 16),
        mld::REPORT => ("report", false),
        _ => ("done", false),
    };
    f.write_str(name)?;
    let Some(group) = address(icmp.body(), 0) else {
        return f.write_str(" [|icmp6]");
    };
    if has_version {
        return write!(f, " v2 [gaddr {group}]");
    }
    let [high, low, _, _] = icmp.rest_of_header();
    write!(
        f,
        " max resp delay: {} addr: {group}",
        u16::from_be_bytes([high, low])
    )
}
