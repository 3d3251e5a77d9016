//! The packet an ICMP error is about, as far as the error quotes it.

use crate::addr::Addr;
use crate::{WireError, protocol};

/// The packet an ICMP error is about. The sender of the packet finds its connection by it, and
/// tells by the sequence number whether the error is genuine (RFC 5927 §4.1).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Quoted<'a> {
    /// Who sent the quoted packet.
    pub src: Addr,
    /// Where it was going.
    pub dst: Addr,
    /// Its transport protocol.
    pub protocol: u8,
    /// What is quoted of its transport header and data; RFC 792 promises eight bytes.
    pub transport: &'a [u8],
}

impl<'a> Quoted<'a> {
    /// From a quoted IPv4 packet.
    ///
    /// # Errors
    /// [`Fragment`](WireError::Fragment) if it is not the first: there is no transport header.
    #[cfg(feature = "ipv4")]
    pub fn ipv4(ip: &crate::Ipv4View<'a>) -> Result<Self, WireError> {
        if ip.fragment_offset() != 0 {
            return Err(WireError::Fragment);
        }
        Ok(Self {
            src: ip.src(),
            dst: ip.dst(),
            protocol: ip.protocol(),
            transport: ip.payload(),
        })
    }

    /// From a quoted IPv6 packet.
    ///
    /// # Errors
    /// [`Fragment`](WireError::Fragment) if it is not the first; those of the extension headers.
    #[cfg(feature = "ipv6")]
    pub fn ipv6(ip: &crate::Ipv6View<'a>) -> Result<Self, WireError> {
        let upper = ip.upper().map_err(crate::ExtensionError::wire_error)?;
        if upper.fragment.is_some_and(|fragment| fragment.offset != 0) {
            return Err(WireError::Fragment);
        }
        let (protocol, transport) = (upper.protocol, upper.payload);
        Ok(Self {
            src: ip.src(),
            dst: ip.dst(),
            protocol,
            transport,
        })
    }

    /// Source and destination port of a quoted TCP segment or UDP datagram.
    #[must_use]
    pub fn ports(&self) -> Option<(u16, u16)> {
        let [a, b, c, d] = *self.transport.first_chunk()?;
        matches!(self.protocol, protocol::TCP | protocol::UDP)
            .then(|| (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
    }

    /// Sequence number of a quoted TCP segment.
    #[must_use]
    pub fn tcp_seq(&self) -> Option<u32> {
        let [.., a, b, c, d] = *self.transport.first_chunk::<8>()?;
        (self.protocol == protocol::TCP).then(|| u32::from_be_bytes([a, b, c, d]))
    }

    /// Ident and sequence number of a quoted echo request.
    #[must_use]
    pub fn echo(&self) -> Option<(u16, u16)> {
        let [kind, _, _, _, a, b, c, d] = *self.transport.first_chunk()?;
        matches!(
            (self.protocol, kind),
            (protocol::ICMP, 8) | (protocol::ICMPV6, 128)
        )
        .then(|| (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
    }
}
