//! The walk over IPv6 extension headers (RFC 8200 §4), bounded in headers and in bytes.

use crate::bytes::Fields;
use crate::ipv6::{HEADER_LEN, Ipv6View};
use crate::{WireError, protocol};

/// Extension headers followed in one packet; RFC 8504 §5.3 lets a host limit their number.
pub const MAX_HEADERS: usize = 8;
/// A Fragment header: 8 bytes.
pub const FRAGMENT_LEN: usize = 8;

/// Codes of the ICMPv6 Parameter Problem message (RFC 4443 §3.4, RFC 7112 §5).
pub mod parameter_problem {
    /// Erroneous header field encountered.
    pub const ERRONEOUS_HEADER: u8 = 0;
    /// Unrecognized Next Header type encountered.
    pub const UNRECOGNIZED_NEXT_HEADER: u8 = 1;
    /// Unrecognized IPv6 option encountered.
    pub const UNRECOGNIZED_OPTION: u8 = 2;
    /// IPv6 First Fragment has incomplete IPv6 Header Chain.
    pub const INCOMPLETE_HEADER_CHAIN: u8 = 3;
}

/// Whether the walk looks into such a header. Of the others the stack knows the upper layers
/// it has, and answers for the rest (AH and ESP included) as RFC 8200 §4 says.
#[inline]
pub(crate) const fn is_extension(next_header: u8) -> bool {
    matches!(
        next_header,
        protocol::HOP_BY_HOP
            | protocol::ROUTING
            | protocol::FRAGMENT
            | protocol::DESTINATION_OPTIONS
    )
}

/// Where the walk ended: the upper layer, or the contents of a fragment.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Upper<'a> {
    /// The upper layer; of a fragment, what its Fragment header calls the first header in it.
    pub protocol: u8,
    /// Where in the packet the Next Header field with that value stands, in bytes from the start
    /// of the IPv6 header: the pointer for "unrecognized Next Header".
    pub protocol_at: u16,
    /// Where in the packet `payload` begins, in bytes from the start of the IPv6 header.
    pub offset: u16,
    /// The upper layer's header and data, or the fragment's contents.
    pub payload: &'a [u8],
    /// The Fragment header, if there is one. See [`Upper::is_fragment`].
    pub fragment: Option<Fragment>,
    /// A Router Alert option stood in the Hop-by-Hop header (RFC 2711): MLD demands it.
    pub router_alert: Option<u16>,
}

impl<'a> Upper<'a> {
    /// No extension header at all.
    #[inline]
    pub(crate) const fn plain(protocol: u8, payload: &'a [u8]) -> Self {
        Self {
            protocol,
            protocol_at: 6,
            offset: HEADER_LEN as u16,
            payload,
            fragment: None,
            router_alert: None,
        }
    }

    /// Whether the payload is a part of a packet, so that the upper layer cannot be read yet. An
    /// atomic fragment (RFC 6946) is a whole packet.
    #[inline]
    #[must_use]
    pub const fn is_fragment(&self) -> bool {
        match self.fragment {
            Some(fragment) => !fragment.is_atomic(),
            None => false,
        }
    }

    /// The error for an upper layer the host does not have (RFC 8200 §4).
    #[must_use]
    pub const fn unrecognized(&self) -> ExtensionError {
        ExtensionError::ParameterProblem {
            code: parameter_problem::UNRECOGNIZED_NEXT_HEADER,
            pointer: self.protocol_at as u32,
            even_if_multicast: false,
        }
    }
}

/// A Fragment header (RFC 8200 §4.5).
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fragment {
    /// Names the fragments of one packet, with source and destination.
    pub ident: u32,
    /// Where in the fragmentable part the contents belong: bytes, a multiple of 8.
    pub offset: u16,
    /// More fragments follow this one.
    pub more: bool,
}

impl Fragment {
    /// Whether the fragment is a whole packet (RFC 6946).
    #[inline]
    #[must_use]
    pub const fn is_atomic(&self) -> bool {
        self.offset == 0 && !self.more
    }

    /// Writes a Fragment header of [`FRAGMENT_LEN`] bytes before the header `next_header`;
    /// returns what follows it.
    ///
    /// # Errors
    /// [`BufferTooSmall`](WireError::BufferTooSmall).
    pub fn emit<'b>(&self, next_header: u8, buf: &'b mut [u8]) -> Result<&'b mut [u8], WireError> {
        let (header, rest) = buf
            .split_first_chunk_mut::<FRAGMENT_LEN>()
            .ok_or(WireError::BufferTooSmall)?;
        header.put::<0, 2>([next_header, 0]);
        header.put_u16::<2>((self.offset & !7) | u16::from(self.more));
        header.put_u32::<4>(self.ident);
        Ok(rest)
    }
}

/// Why the walk ended before the upper layer, and what the source is to be told.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum ExtensionError {
    /// A header ends after the packet: discard silently.
    Truncated,
    /// More than [`MAX_HEADERS`] headers: discard silently.
    TooMany,
    /// An option says to discard a packet whose receiver does not know it: silently.
    Discard,
    /// Discard, and send an ICMPv6 Parameter Problem.
    ParameterProblem {
        /// One of [`parameter_problem`].
        code: u8,
        /// The offending byte, counted from the start of the IPv6 header.
        pointer: u32,
        /// Send it even if the packet's destination was multicast (RFC 4443 §2.4 (e.3)).
        even_if_multicast: bool,
    },
}

impl ExtensionError {
    /// What chained views report.
    #[must_use]
    pub const fn wire_error(self) -> WireError {
        match self {
            Self::Truncated => WireError::Truncated,
            Self::TooMany => WireError::TooManyHeaders,
            Self::Discard => WireError::BadOption,
            Self::ParameterProblem { code, .. } => match code {
                parameter_problem::UNRECOGNIZED_NEXT_HEADER => WireError::BadProtocol,
                parameter_problem::UNRECOGNIZED_OPTION => WireError::BadOption,
                _ => WireError::BadHeaderLength,
            },
        }
    }

    const fn erroneous(pointer: usize) -> Self {
        Self::ParameterProblem {
            code: parameter_problem::ERRONEOUS_HEADER,
            pointer: pointer as u32,
            even_if_multicast: false,
        }
    }
}

/// Follows the headers strictly in order.
pub(crate) fn walk<'a>(packet: &Ipv6View<'a>) -> Result<Upper<'a>, ExtensionError> {
    let mut upper = Upper::plain(packet.next_header(), packet.payload());
    //= https://www.rfc-editor.org/rfc/rfc8899#section-8
    //# This processing
    //# SHOULD be limited to avoid a denial-of-service attack when arbitrary
    //# headers are included.
    for _ in 0..MAX_HEADERS {
        if !is_extension(upper.protocol) {
            return Ok(upper);
        }
        //= https://www.rfc-editor.org/rfc/rfc8200#section-4
        //# The same
        //# action should be taken if a node encounters a Next Header value of
        //# zero in any header other than an IPv6 header.
        if upper.protocol == protocol::HOP_BY_HOP && usize::from(upper.offset) != HEADER_LEN {
            return Err(upper.unrecognized());
        }
        let first = upper
            .payload
            .first_chunk()
            .ok_or(ExtensionError::Truncated)?;
        if upper.protocol == protocol::FRAGMENT {
            upper = fragment(&upper, first, packet)?;
            if upper.is_fragment() {
                return Ok(upper);
            }
            continue;
        }
        let len = 8 + usize::from(first.u8_at::<1>()) * 8;
        let (header, payload) = upper
            .payload
            .split_at_checked(len)
            .ok_or(ExtensionError::Truncated)?;
        if upper.protocol == protocol::ROUTING {
            routing(usize::from(upper.offset), first)?;
        } else {
            options(&mut upper, header, packet)?;
        }
        upper = Upper {
            protocol: first.u8_at::<0>(),
            protocol_at: upper.offset,
            // The payload length is 16 bits and holds all headers but the fixed one.
            offset: upper.offset.saturating_add(len as u16),
            payload,
            ..upper
        };
    }
    if is_extension(upper.protocol) {
        Err(ExtensionError::TooMany)
    } else {
        Ok(upper)
    }
}

/// Routing headers are walked past when nothing is left to visit: this host forwards for none.
fn routing(at: usize, header: &[u8; 8]) -> Result<(), ExtensionError> {
    //= https://www.rfc-editor.org/rfc/rfc8200#section-4.4
    //# If Segments Left is zero, the node must ignore the Routing header
    //# and proceed to process the next header in the packet, whose type
    //# is identified by the Next Header field in the Routing header.
    //
    //= https://www.rfc-editor.org/rfc/rfc8200#section-4.4
    //# If Segments Left is non-zero, the node must discard the packet and
    //# send an ICMP Parameter Problem, Code 0, message to the packet's
    //# Source Address, pointing to the unrecognized Routing Type.
    if header.u8_at::<3>() == 0 {
        Ok(())
    } else {
        Err(ExtensionError::erroneous(at + 2))
    }
}

/// Steps over a Fragment header, after the checks that need no other fragment.
fn fragment<'a>(
    upper: &Upper<'a>,
    header: &[u8; FRAGMENT_LEN],
    packet: &Ipv6View<'a>,
) -> Result<Upper<'a>, ExtensionError> {
    let field = header.u16_at::<2>();
    let fragment = Fragment {
        ident: header.u32_at::<4>(),
        offset: field & !7,
        more: field & 1 != 0,
    };
    let payload = upper
        .payload
        .get(FRAGMENT_LEN..)
        .ok_or(ExtensionError::Truncated)?;
    //= https://www.rfc-editor.org/rfc/rfc8200#section-4.5
    //# If the length of a fragment, as derived from the fragment
    //# packet's Payload Length field, is not a multiple of 8 octets
    //# and the M flag of that fragment is 1, then that fragment must
    //# be discarded and an ICMP Parameter Problem, Code 0, message
    //# should be sent to the source of the fragment, pointing to the
    //# Payload Length field of the fragment packet.
    if fragment.more && payload.len() % 8 != 0 {
        return Err(ExtensionError::erroneous(4));
    }
    //= https://www.rfc-editor.org/rfc/rfc8200#section-4.5
    //# If the length and offset of a fragment are such that the
    //# Payload Length of the packet reassembled from that fragment
    //# would exceed 65,535 octets, then that fragment must be
    //# discarded and an ICMP Parameter Problem, Code 0, message should
    //# be sent to the source of the fragment, pointing to the Fragment
    //# Offset field of the fragment packet.
    let before = packet.payload().len() - upper.payload.len();
    if before + usize::from(fragment.offset) + payload.len() > usize::from(u16::MAX) {
        return Err(ExtensionError::erroneous(usize::from(upper.offset) + 2));
    }
    Ok(Upper {
        protocol: header.u8_at::<0>(),
        protocol_at: upper.offset,
        offset: upper.offset.saturating_add(FRAGMENT_LEN as u16),
        payload,
        fragment: Some(fragment),
        router_alert: upper.router_alert,
    })
}

const PAD1: u8 = 0;
const PADN: u8 = 1;
const ROUTER_ALERT: u8 = 5;

/// Reads the options of a Hop-by-Hop or Destination Options header.
fn options(
    upper: &mut Upper<'_>,
    header: &[u8],
    packet: &Ipv6View<'_>,
) -> Result<(), ExtensionError> {
    let hop_by_hop = upper.protocol == protocol::HOP_BY_HOP;
    let mut at = usize::from(upper.offset) + 2;
    let mut rest = header.get(2..).ok_or(ExtensionError::Truncated)?;
    while let Some((&kind, tail)) = rest.split_first() {
        if kind == PAD1 {
            at += 1;
            rest = tail;
            continue;
        }
        let option = tail
            .split_first()
            .and_then(|(len, tail)| tail.split_at_checked(usize::from(*len)));
        let Some((data, tail)) = option else {
            // The option runs out of its header: point at its length.
            return Err(ExtensionError::erroneous(at + 1));
        };
        match kind {
            PADN => {}
            ROUTER_ALERT if hop_by_hop => {
                if let Ok(value) = data.try_into() {
                    upper.router_alert = Some(u16::from_be_bytes(value));
                }
            }
            _ => unrecognized_option(kind, at, packet)?,
        }
        at += 2 + data.len();
        rest = tail;
    }
    Ok(())
}

/// What the two highest bits of an unknown option ask for (RFC 8200 §4.2).
fn unrecognized_option(kind: u8, at: usize, packet: &Ipv6View<'_>) -> Result<(), ExtensionError> {
    let problem = |even_if_multicast| {
        Err(ExtensionError::ParameterProblem {
            code: parameter_problem::UNRECOGNIZED_OPTION,
            pointer: at as u32,
            even_if_multicast,
        })
    };
    match kind >> 6 {
        //= https://www.rfc-editor.org/rfc/rfc8200#section-4.2
        //# 00 - skip over this option and continue processing the header.
        0b00 => Ok(()),
        //= https://www.rfc-editor.org/rfc/rfc8200#section-4.2
        //# 01 - discard the packet.
        0b01 => Err(ExtensionError::Discard),
        //= https://www.rfc-editor.org/rfc/rfc8200#section-4.2
        //# 10 - discard the packet and, regardless of whether or not the
        //# packet's Destination Address was a multicast address, send an
        //# ICMP Parameter Problem, Code 2, message to the packet's
        //# Source Address, pointing to the unrecognized Option Type.
        0b10 => problem(true),
        //= https://www.rfc-editor.org/rfc/rfc8200#section-4.2
        //# 11 - discard the packet and, only if the packet's Destination
        //# Address was not a multicast address, send an ICMP Parameter
        //# Problem, Code 2, message to the packet's Source Address,
        //# pointing to the unrecognized Option Type.
        _ if packet.dst().is_multicast() => Err(ExtensionError::Discard),
        _ => problem(false),
    }
}

#[cfg(test)]
mod tests;
