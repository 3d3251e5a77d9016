//! IP headers, then on to the transport.

use core::fmt::{self, Formatter};

use super::transport::{self, Ends};
use crate::protocol;

/// `10.0.0.1.5001 > 10.0.0.2.5002: UDP, length 5`, or what is wrong.
#[cfg(feature = "ipv4")]
pub(super) fn ipv4(f: &mut Formatter<'_>, packet: &[u8]) -> fmt::Result {
    use crate::{Ipv4View, WireError};

    let ip = match Ipv4View::quoted(packet) {
        Ok(ip) => ip,
        Err(WireError::BadVersion) => return f.write_str("[bad version]"),
        Err(WireError::BadHeaderLength) => {
            let ihl = packet.first().map_or(0, |byte| byte & 0x0f);
            return write!(f, "bad-hlen {}", ihl * 4);
        }
        Err(WireError::BadTotalLength) => {
            let total_len = packet.get(2..4).and_then(|field| field.try_into().ok());
            return write!(f, "bad-len {}", total_len.map_or(0, u16::from_be_bytes));
        }
        Err(_) => return f.write_str(" [|ip]"),
    };
    let missing = usize::from(ip.total_len()).saturating_sub(packet.len());
    if missing > 0 {
        write!(f, "truncated-ip - {missing} bytes missing! ")?;
    }
    let ends = Ends {
        src: ip.src().into(),
        dst: ip.dst().into(),
    };
    if ip.fragment_offset() != 0 {
        return write!(f, "{ends}: ip-proto-{}", ip.protocol());
    }
    match ip.protocol() {
        protocol::TCP | protocol::UDP => {
            transport::ported(f, Some(&ends), ip.protocol(), ip.payload())
        }
        protocol::ICMP => {
            write!(f, "{ends}: ")?;
            super::icmpv4::message(f, ip.payload())
        }
        protocol => {
            write!(f, "{ends}: ")?;
            other(f, protocol, ip.payload())
        }
    }
}

/// `fd00::1.5001 > fd00::2.5002: UDP, length 5`, or what is wrong. Extension headers are named.
#[cfg(feature = "ipv6")]
pub(super) fn ipv6(f: &mut Formatter<'_>, packet: &[u8]) -> fmt::Result {
    use crate::extension::MAX_HEADERS;
    use crate::{Ipv6View, WireError};

    let ip = match Ipv6View::quoted(packet) {
        Ok(ip) => ip,
        Err(WireError::BadVersion) => return f.write_str("[bad version]"),
        Err(_) => return f.write_str(" [|ip6]"),
    };
    let missing = usize::from(ip.payload_len()) - ip.payload().len();
    if missing > 0 {
        write!(f, "truncated-ip6 - {missing} bytes missing!")?;
    }
    let ends = Ends {
        src: v6(&ip.src()),
        dst: v6(&ip.dst()),
    };
    let mut next_header = ip.next_header();
    let mut payload = ip.payload();
    if matches!(next_header, protocol::TCP | protocol::UDP) {
        return transport::ported(f, Some(&ends), next_header, payload);
    }
    write!(f, "{ends}: ")?;
    for _ in 0..MAX_HEADERS {
        match next_header {
            protocol::TCP | protocol::UDP => {
                return transport::ported(f, None, next_header, payload);
            }
            protocol::ICMPV6 => return super::icmpv6::message(f, payload),
            protocol::NO_NEXT_HEADER => return f.write_str("no next header"),
            _ => {}
        }
        if !crate::extension::is_extension(next_header) {
            return other(f, next_header, payload);
        }
        match extension(f, next_header, payload)? {
            Some((next, rest)) => (next_header, payload) = (next, rest),
            None => return Ok(()),
        }
    }
    f.write_str("[more extension headers]")
}

/// An IPv6 address, whatever it holds: a mapped one is written as what it is.
#[cfg(feature = "ipv6")]
fn v6(addr: &crate::Addr) -> core::net::IpAddr {
    core::net::Ipv6Addr::from(addr.octets16()).into()
}

/// Names an extension header; returns what follows it, unless nothing can.
#[cfg(feature = "ipv6")]
fn extension<'a>(
    f: &mut Formatter<'_>,
    kind: u8,
    payload: &'a [u8],
) -> Result<Option<(u8, &'a [u8])>, fmt::Error> {
    let name = match kind {
        protocol::HOP_BY_HOP => "HBH",
        protocol::ROUTING => "RT6",
        protocol::FRAGMENT => "frag",
        _ => "DSTOPT",
    };
    f.write_str(name)?;
    let Some((&[next, len, a, b, ..], after)) = payload.split_first_chunk::<8>() else {
        f.write_str(" [|ip6]")?;
        return Ok(None);
    };
    if kind == protocol::FRAGMENT {
        let offset = u16::from_be_bytes([a, b]) & !7;
        write!(f, " ({offset}|{})", after.len())?;
        if offset != 0 {
            return Ok(None);
        }
        f.write_str(" ")?;
        return Ok(Some((next, after)));
    }
    if kind == protocol::ROUTING {
        write!(f, " (len={len}, type={a}, segleft={b})")?;
    }
    f.write_str(" ")?;
    match after.get(usize::from(len) * 8..) {
        Some(after) => Ok(Some((next, after))),
        None => {
            f.write_str("[|ip6]")?;
            Ok(None)
        }
    }
}

/// A protocol of which the number and the length are all that is said, IGMP excepted.
fn other(f: &mut Formatter<'_>, protocol: u8, payload: &[u8]) -> fmt::Result {
    match protocol {
        protocol::IGMP => igmp(f, payload),
        _ => write!(f, " ip-proto-{protocol} {}", payload.len()),
    }
}

/// `igmp v2 report 239.1.2.3`.
fn igmp(f: &mut Formatter<'_>, message: &[u8]) -> fmt::Result {
    let Some(&[kind, max_response, _, _, a, b, c, d]) = message.first_chunk() else {
        return f.write_str("[|igmp]");
    };
    let group = core::net::Ipv4Addr::new(a, b, c, d);
    match kind {
        0x11 => {
            let version = match (message.len() >= 12, max_response) {
                (true, _) => 3,
                (false, 0) => 1,
                (false, _) => 2,
            };
            write!(f, "igmp query v{version}")?;
            if group.is_unspecified() {
                Ok(())
            } else {
                write!(f, " [gaddr {group}]")
            }
        }
        0x12 => write!(f, "igmp v1 report {group}"),
        0x16 => write!(f, "igmp v2 report {group}"),
        0x17 => write!(f, "igmp leave {group}"),
        0x22 => write!(
            f,
            "igmp v3 report, {} group record(s)",
            u16::from_be_bytes([c, d])
        ),
        _ => write!(f, "igmp-{kind}"),
    }
}
