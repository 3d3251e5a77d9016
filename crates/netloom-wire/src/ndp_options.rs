//! Options of Neighbor Discovery messages (RFC 4861 §4.6, RFC 8106).

use crate::WireError;
use crate::addr::Addr;
use crate::bytes::{Fields, Writer};
use crate::mac::MacAddr;

/// Option types.
pub mod kind {
    /// Source link-layer address.
    pub const SOURCE_LINK_LAYER_ADDRESS: u8 = 1;
    /// Target link-layer address.
    pub const TARGET_LINK_LAYER_ADDRESS: u8 = 2;
    /// Prefix information.
    pub const PREFIX_INFORMATION: u8 = 3;
    /// Redirected header.
    pub const REDIRECTED_HEADER: u8 = 4;
    /// MTU.
    pub const MTU: u8 = 5;
    /// Recursive DNS servers (RFC 8106 §5.1).
    pub const RDNSS: u8 = 25;
    /// DNS search list (RFC 8106 §5.2).
    pub const DNSSL: u8 = 31;
}

/// A prefix a router tells of (RFC 4861 §4.6.2).
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct PrefixInformation {
    /// Bits of `prefix` that count, 0..=128 if the router is sound: receivers must check.
    pub prefix_len: u8,
    /// L: addresses with the prefix are on this link.
    pub on_link: bool,
    /// A: hosts may make themselves addresses with the prefix.
    pub autonomous: bool,
    /// Seconds the prefix is valid; all ones is forever.
    pub valid_lifetime: u32,
    /// Seconds addresses made from it are preferred; all ones is forever.
    pub preferred_lifetime: u32,
    /// The prefix.
    pub prefix: Addr,
}

/// Recursive DNS servers a router tells of.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct RecursiveDnsServers<'a> {
    /// Seconds the servers may be used; all ones is forever, 0 is no longer.
    pub lifetime: u32,
    /// Sixteen bytes an address.
    addresses: &'a [u8],
}

impl<'a> RecursiveDnsServers<'a> {
    /// From addresses as on the wire, sixteen bytes each; `None` for another length or none.
    #[must_use]
    pub const fn new(lifetime: u32, addresses: &'a [u8]) -> Option<Self> {
        if addresses.is_empty() || addresses.len() % 16 != 0 {
            return None;
        }
        Some(Self {
            lifetime,
            addresses,
        })
    }

    /// The servers, in the router's order.
    pub fn addresses(&self) -> impl Iterator<Item = Addr> + 'a {
        self.addresses
            .chunks_exact(16)
            .filter_map(|octets| octets.first_chunk())
            .map(|octets| Addr::v6(*octets))
    }
}

/// One option. Known ones of an unexpected length are [`Unknown`](Self::Unknown): RFC 4861 has
/// a receiver ignore what it does not recognise.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum NdpOption<'a> {
    /// The sender's Ethernet address.
    SourceLinkLayerAddress(MacAddr),
    /// The target's Ethernet address.
    TargetLinkLayerAddress(MacAddr),
    /// A prefix of the link.
    PrefixInformation(PrefixInformation),
    /// The packet that caused a redirect, as far as it fits, with its padding.
    RedirectedHeader(&'a [u8]),
    /// The MTU of the link, in bytes.
    Mtu(u32),
    /// DNS servers.
    RecursiveDnsServers(RecursiveDnsServers<'a>),
    /// Any other option.
    Unknown {
        /// The option's type.
        kind: u8,
        /// What follows type and length, padding included: 8n + 6 bytes.
        data: &'a [u8],
    },
}

const ON_LINK: u8 = 0x80;
const AUTONOMOUS: u8 = 0x40;

impl<'a> NdpOption<'a> {
    /// An option from the bytes after type and length.
    fn parse(kind: u8, data: &'a [u8]) -> Self {
        Self::known(kind, data).unwrap_or(Self::Unknown { kind, data })
    }

    fn known(kind: u8, data: &'a [u8]) -> Option<Self> {
        Some(match kind {
            kind::SOURCE_LINK_LAYER_ADDRESS => {
                Self::SourceLinkLayerAddress(MacAddr(data.try_into().ok()?))
            }
            kind::TARGET_LINK_LAYER_ADDRESS => {
                Self::TargetLinkLayerAddress(MacAddr(data.try_into().ok()?))
            }
            kind::PREFIX_INFORMATION => {
                let data: &[u8; 30] = data.try_into().ok()?;
                let flags = data.u8_at::<1>();
                Self::PrefixInformation(PrefixInformation {
                    prefix_len: data.u8_at::<0>(),
                    on_link: flags & ON_LINK != 0,
                    autonomous: flags & AUTONOMOUS != 0,
                    valid_lifetime: data.u32_at::<2>(),
                    preferred_lifetime: data.u32_at::<6>(),
                    prefix: Addr::v6(*data.array_at::<14, 16>()),
                })
            }
            kind::REDIRECTED_HEADER => Self::RedirectedHeader(data.get(6..)?),
            kind::MTU => {
                let data: &[u8; 6] = data.try_into().ok()?;
                Self::Mtu(data.u32_at::<2>())
            }
            kind::RDNSS => {
                let (head, addresses) = data.split_first_chunk::<6>()?;
                let servers = RecursiveDnsServers::new(head.u32_at::<2>(), addresses)?;
                Self::RecursiveDnsServers(servers)
            }
            _ => return None,
        })
    }

    /// Bytes the option takes: a multiple of 8.
    #[must_use]
    #[allow(
        clippy::len_without_is_empty,
        reason = "an option has at least 8 bytes"
    )]
    pub fn len(&self) -> usize {
        match self {
            Self::SourceLinkLayerAddress(_) | Self::TargetLinkLayerAddress(_) | Self::Mtu(_) => 8,
            Self::PrefixInformation(_) => 32,
            Self::RedirectedHeader(packet) => (8 + packet.len()).next_multiple_of(8),
            Self::RecursiveDnsServers(servers) => 8 + servers.addresses.len(),
            Self::Unknown { data, .. } => (2 + data.len()).next_multiple_of(8),
        }
    }

    /// Appends the option, padded with zeros.
    pub(crate) fn write(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        let len = self.len();
        let units = u8::try_from(len / 8).map_err(|_| WireError::BadOption)?;
        let written = match self {
            Self::SourceLinkLayerAddress(mac) => {
                out.put(&[kind::SOURCE_LINK_LAYER_ADDRESS, units]);
                out.put(&mac.0);
                8
            }
            Self::TargetLinkLayerAddress(mac) => {
                out.put(&[kind::TARGET_LINK_LAYER_ADDRESS, units]);
                out.put(&mac.0);
                8
            }
            Self::PrefixInformation(prefix) => {
                let flags = if prefix.on_link { ON_LINK } else { 0 }
                    | if prefix.autonomous { AUTONOMOUS } else { 0 };
                out.put(&[kind::PREFIX_INFORMATION, units, prefix.prefix_len, flags]);
                out.put_u32(prefix.valid_lifetime);
                out.put_u32(prefix.preferred_lifetime);
                out.put_u32(0);
                out.put(&prefix.prefix.octets16());
                32
            }
            Self::RedirectedHeader(packet) => {
                out.put(&[kind::REDIRECTED_HEADER, units, 0, 0, 0, 0, 0, 0]);
                out.put(packet);
                8 + packet.len()
            }
            Self::Mtu(mtu) => {
                out.put(&[kind::MTU, units, 0, 0]);
                out.put_u32(*mtu);
                8
            }
            Self::RecursiveDnsServers(servers) => {
                out.put(&[kind::RDNSS, units, 0, 0]);
                out.put_u32(servers.lifetime);
                out.put(servers.addresses);
                len
            }
            Self::Unknown { kind, data } => {
                out.put(&[*kind, units]);
                out.put(data);
                2 + data.len()
            }
        };
        for _ in written..len {
            out.put(&[0]);
        }
        Ok(())
    }
}

/// The options of a message, one by one. An error is the last item.
#[derive(Clone, Debug)]
pub struct NdpOptions<'a> {
    rest: &'a [u8],
}

impl<'a> NdpOptions<'a> {
    /// Options from the bytes after the fixed part.
    #[inline]
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'a> Iterator for NdpOptions<'a> {
    type Item = Result<NdpOption<'a>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (head, tail) = match self.rest.split_first_chunk::<2>() {
            Some(split) => split,
            None if self.rest.is_empty() => return None,
            None => {
                self.rest = &[];
                return Some(Err(WireError::BadOption));
            }
        };
        // A length of zero leaves less than nothing for the data.
        let option = (usize::from(head.u16_at::<0>() & 0xff) * 8)
            .checked_sub(2)
            .and_then(|len| tail.split_at_checked(len));
        let Some((data, rest)) = option else {
            self.rest = &[];
            return Some(Err(WireError::BadOption));
        };
        self.rest = rest;
        Some(Ok(NdpOption::parse(head.u8_at::<0>(), data)))
    }
}

impl core::iter::FusedIterator for NdpOptions<'_> {}

#[cfg(test)]
mod tests;
