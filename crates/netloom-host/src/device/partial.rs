//! Where the transport checksum of a frame stands that its sender left unfinished.
//!
//! A packet socket tells *that* a checksum is unfinished, not where it is.

use netloom_driver::PartialChecksum;

use super::Medium;

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
/// 802.1Q, 802.1ad, and the number used for stacked tags before there was a standard.
const VLAN_TAGS: [u16; 3] = [0x8100, 0x88a8, 0x9100];

const PROTOCOL_TCP: u8 = 6;
const PROTOCOL_UDP: u8 = 17;
/// IPv6 extension headers of the common form: next header, length in units of 8 bytes beyond the
/// first 8 (RFC 8200 §4.2): hop-by-hop options, routing, destination options.
const EXTENSIONS: [u8; 3] = [0, 43, 60];

/// The TCP or UDP checksum of an unfragmented IPv4 or IPv6 packet; `None` if the frame carries
/// anything else or ends too soon.
pub(super) fn transport_checksum(frame: &[u8], medium: Medium) -> Option<PartialChecksum> {
    let (at, ipv6) = network_header(frame, medium)?;
    let (start, protocol) = if ipv6 {
        after_ipv6(frame, at)?
    } else {
        after_ipv4(frame, at)?
    };
    let offset = match protocol {
        PROTOCOL_TCP => 16,
        PROTOCOL_UDP => 6,
        _ => return None,
    };
    let field_end = start.checked_add(offset)?.checked_add(2)?;
    if field_end > frame.len() {
        return None;
    }
    Some(PartialChecksum {
        start: u16::try_from(start).ok()?,
        offset: offset as u16,
    })
}

/// Where the IP header begins, and whether it is IPv6.
fn network_header(frame: &[u8], medium: Medium) -> Option<(usize, bool)> {
    match medium {
        Medium::Ip => match frame.first()? >> 4 {
            4 => Some((0, false)),
            6 => Some((0, true)),
            _ => None,
        },
        Medium::Ethernet { .. } => {
            let mut at = 12;
            let mut ethertype = be16(frame, at)?;
            while VLAN_TAGS.contains(&ethertype) {
                at += 4;
                ethertype = be16(frame, at)?;
            }
            match ethertype {
                ETHERTYPE_IPV4 => Some((at + 2, false)),
                ETHERTYPE_IPV6 => Some((at + 2, true)),
                _ => None,
            }
        }
    }
}

fn after_ipv4(frame: &[u8], at: usize) -> Option<(usize, u8)> {
    let header_len = usize::from(frame.get(at)? & 0x0f) * 4;
    // A fragment's checksum covers the whole packet, of which this frame is a part.
    let fragment = be16(frame, at + 6)? & 0x3fff != 0;
    if header_len < 20 || fragment {
        return None;
    }
    Some((at + header_len, *frame.get(at + 9)?))
}

fn after_ipv6(frame: &[u8], at: usize) -> Option<(usize, u8)> {
    let mut next = *frame.get(at + 6)?;
    let mut at = at + 40;
    // Each turn moves on by 8 bytes at least, so the frame's length bounds the loop.
    while EXTENSIONS.contains(&next) {
        next = *frame.get(at)?;
        at += (usize::from(*frame.get(at + 1)?) + 1) * 8;
    }
    Some((at, next))
}

fn be16(frame: &[u8], at: usize) -> Option<u16> {
    let bytes = frame.get(at..)?.first_chunk::<2>()?;
    Some(u16::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests;
