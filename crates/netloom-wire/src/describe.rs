//! One line a packet, as tcpdump writes it.
//!
//! ```
//! # let packet = [0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
//! #     0x13, 0x89, 0x13, 0x8a, 0, 8, 0, 0];
//! use netloom_wire::describe;
//! let line = describe::Ip(&packet).to_string();
//! # #[cfg(feature = "ipv4")]
//! assert_eq!(line, "IP 10.0.0.1.5001 > 10.0.0.2.5002: UDP, length 0");
//! ```
//!
//! The words are those of `tcpdump -n -t -S` (4.99): sequence numbers are the packet's own, since
//! there is no state to make them relative. `{:#}` of [`Ethernet`] is `tcpdump -e`, with stations,
//! types and VLANs. Of payloads DNS, DHCP and NTP over UDP are told in short. Bytes that are no sound packet are described as far
//! as they go; nothing here fails on any bytes, checksums are not looked at.

#[cfg(feature = "ipv4")]
mod icmpv4;
#[cfg(feature = "ipv6")]
mod icmpv6;
#[cfg(any(feature = "ipv4", feature = "ipv6"))]
mod ip;
#[cfg(any(feature = "ipv4", feature = "ipv6"))]
mod service;
#[cfg(any(feature = "ipv4", feature = "ipv6"))]
mod transport;

use core::fmt;

use crate::{EtherType, EthernetView, WireError};

/// An Ethernet frame. `{}` leaves the link layer out, `{:#}` begins with it.
#[derive(Copy, Clone, Debug)]
pub struct Ethernet<'a>(pub &'a [u8]);

/// An IP packet of either version, as read from a TUN device.
#[derive(Copy, Clone, Debug)]
pub struct Ip<'a>(pub &'a [u8]);

impl fmt::Display for Ip<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.first().map(|byte| byte >> 4) {
            #[cfg(feature = "ipv4")]
            Some(4) => {
                f.write_str("IP ")?;
                ip::ipv4(f, self.0)
            }
            #[cfg(feature = "ipv6")]
            Some(6) => {
                f.write_str("IP6 ")?;
                ip::ipv6(f, self.0)
            }
            Some(version) => write!(f, "IP, unknown version {version}"),
            None => f.write_str("[|ip]"),
        }
    }
}

impl fmt::Display for Ethernet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let view = match EthernetView::new(self.0) {
            Ok(view) => view,
            Err(WireError::TooManyHeaders) => return f.write_str("[more than two VLAN tags]"),
            Err(_) if self.0.len() < crate::ethernet::HEADER_LEN => return f.write_str("[|ether]"),
            Err(_) => return f.write_str("[|vlan]"),
        };
        // Without a protocol to name, the link header is all there is to say.
        let with_link = f.alternate() || !is_decoded(view.ethertype());
        if with_link {
            link_header(f, &view, self.0.len())?;
        }
        network(f, &view, with_link)
    }
}

/// Whether [`network`] knows more of the type than its number.
fn is_decoded(ethertype: EtherType) -> bool {
    cfg!(feature = "ipv4") && matches!(ethertype, EtherType::IPV4 | EtherType::ARP)
        || cfg!(feature = "ipv6") && ethertype == EtherType::IPV6
}

/// `src > dst, ethertype IPv4 (0x0800), length 60: `, with a `vlan 5, p 0, ` for each tag.
fn link_header(f: &mut fmt::Formatter<'_>, view: &EthernetView<'_>, len: usize) -> fmt::Result {
    write!(f, "{} > {}, ", view.src(), view.dst())?;
    let tags = [view.service_vlan(), view.vlan()];
    let outermost = tags
        .iter()
        .flatten()
        .next()
        .map_or(view.ethertype(), |tag| tag.kind);
    if !outermost.is_type() {
        return write!(f, "802.3, length {}: ", outermost.0);
    }
    write!(f, "{}, length {len}: ", TypeName(outermost))?;
    for (depth, tag) in tags.iter().enumerate() {
        let Some(tag) = tag else { continue };
        write!(f, "vlan {}, p {}, ", tag.id, tag.priority)?;
        if tag.drop_eligible {
            f.write_str("DEI, ")?;
        }
        let inner = tags.iter().skip(depth + 1).flatten().next();
        write!(
            f,
            "{}, ",
            TypeName(inner.map_or(view.ethertype(), |tag| tag.kind))
        )?;
    }
    Ok(())
}

/// `ethertype IPv4 (0x0800)`.
struct TypeName(EtherType);

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            EtherType::IPV4 => "IPv4",
            EtherType::ARP => "ARP",
            EtherType::VLAN => "802.1Q",
            EtherType::SERVICE_VLAN => "802.1Q-QinQ",
            EtherType::IPV6 => "IPv6",
            _ => "Unknown",
        };
        write!(f, "ethertype {name} (0x{:04x})", self.0.0)
    }
}

/// The payload; its name goes before it unless the link header told it.
fn network(f: &mut fmt::Formatter<'_>, view: &EthernetView<'_>, named: bool) -> fmt::Result {
    #[allow(unused, reason = "without an IP version there is nothing to name")]
    let name = |f: &mut fmt::Formatter<'_>, name: &str| {
        if named { Ok(()) } else { f.write_str(name) }
    };
    match view.ethertype() {
        #[cfg(feature = "ipv4")]
        EtherType::IPV4 => {
            name(f, "IP ")?;
            ip::ipv4(f, view.payload())
        }
        #[cfg(feature = "ipv4")]
        EtherType::ARP => {
            name(f, "ARP, ")?;
            arp(f, view.payload())
        }
        #[cfg(feature = "ipv6")]
        EtherType::IPV6 => {
            name(f, "IP6 ")?;
            ip::ipv6(f, view.payload())
        }
        _ => write!(f, "{} bytes", view.payload().len()),
    }
}

/// `Request who-has 10.0.0.2 tell 10.0.0.1, length 28`.
#[cfg(feature = "ipv4")]
fn arp(f: &mut fmt::Formatter<'_>, payload: &[u8]) -> fmt::Result {
    use crate::{ArpOperation, ArpView, MacAddr};

    let view = match ArpView::new(payload) {
        Ok(view) => view,
        Err(WireError::Truncated) => return f.write_str(" [|arp]"),
        Err(_) => {
            return write!(
                f,
                "Unknown hardware or protocol type, length {}",
                payload.len()
            );
        }
    };
    match view.operation() {
        ArpOperation::Request => {
            write!(f, "Request who-has {}", view.target_ip())?;
            if view.target_mac() != MacAddr::UNSPECIFIED {
                write!(f, " ({})", view.target_mac())?;
            }
            write!(f, " tell {}", view.sender_ip())?;
        }
        ArpOperation::Reply => {
            write!(f, "Reply {} is-at {}", view.sender_ip(), view.sender_mac())?;
        }
        ArpOperation::Other(code) => write!(f, "Unknown operation ({code})")?,
    }
    write!(f, ", length {}", payload.len())
}

#[cfg(test)]
mod tests;
