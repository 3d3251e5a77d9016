//! ICMP for IPv6 (RFC 4443). Neighbor Discovery messages are read further by [`ndp`](crate::ndp).

use crate::addr::Addr;
use crate::bytes::{Fields, Writer};
use crate::checksum::{pseudo_header, update};
use crate::ndp::NdpView;
use crate::quoted::Quoted;
use crate::{Ipv6View, WireError, protocol};

/// Type, code, checksum and four bytes that depend on the type.
pub const HEADER_LEN: usize = 8;

/// Message types. Those below 128 are errors (RFC 4443 §2.1).
pub mod kind {
    /// Destination unreachable.
    pub const DESTINATION_UNREACHABLE: u8 = 1;
    /// Packet too big.
    pub const PACKET_TOO_BIG: u8 = 2;
    /// Time exceeded.
    pub const TIME_EXCEEDED: u8 = 3;
    /// Parameter problem.
    pub const PARAMETER_PROBLEM: u8 = 4;
    /// Echo request.
    pub const ECHO_REQUEST: u8 = 128;
    /// Echo reply.
    pub const ECHO_REPLY: u8 = 129;
    /// Router solicitation (RFC 4861).
    pub const ROUTER_SOLICITATION: u8 = 133;
    /// Router advertisement (RFC 4861).
    pub const ROUTER_ADVERTISEMENT: u8 = 134;
    /// Neighbor solicitation (RFC 4861).
    pub const NEIGHBOR_SOLICITATION: u8 = 135;
    /// Neighbor advertisement (RFC 4861).
    pub const NEIGHBOR_ADVERTISEMENT: u8 = 136;
    /// Redirect (RFC 4861).
    pub const REDIRECT: u8 = 137;
}

/// Codes of Destination Unreachable (RFC 4443 §3.1).
pub mod unreachable {
    /// No route to destination.
    pub const NO_ROUTE: u8 = 0;
    /// Communication with destination administratively prohibited.
    pub const PROHIBITED: u8 = 1;
    /// Beyond scope of source address.
    pub const BEYOND_SCOPE: u8 = 2;
    /// Address unreachable.
    pub const ADDRESS: u8 = 3;
    /// Port unreachable.
    pub const PORT: u8 = 4;
}

/// An ICMPv6 message whose header is known to be there.
#[derive(Copy, Clone, Debug)]
pub struct Icmpv6View<'a> {
    header: &'a [u8; HEADER_LEN],
    body: &'a [u8],
}

impl<'a> Icmpv6View<'a> {
    /// Checks that the 8-byte header is there.
    ///
    /// # Errors
    /// [`Truncated`](WireError::Truncated).
    #[inline]
    pub fn new(message: &'a [u8]) -> Result<Self, WireError> {
        let (header, body) = message.split_first_chunk().ok_or(WireError::Truncated)?;
        Ok(Self { header, body })
    }

    /// Type: see [`kind`].
    #[inline]
    #[must_use]
    #[doc(alias = "type")]
    pub fn kind(&self) -> u8 {
        self.header.u8_at::<0>()
    }

    /// Code, whose meaning depends on the type.
    #[inline]
    #[must_use]
    pub fn code(&self) -> u8 {
        self.header.u8_at::<1>()
    }

    /// The checksum field.
    #[inline]
    #[must_use]
    pub fn checksum(&self) -> u16 {
        self.header.u16_at::<2>()
    }

    /// Whether the message is intact and was meant for these addresses.
    #[must_use]
    pub fn checksum_valid(&self, src: &Addr, dst: &Addr) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc4443#section-2.3
        //# The checksum is the 16-bit one's complement of the one's complement
        //# sum of the entire ICMPv6 message, starting with the ICMPv6 message
        //# type field, and prepended with a "pseudo-header" of IPv6 header
        //# fields, as specified in [IPv6, Section 8.1].
        pseudo_header(src, dst, protocol::ICMPV6, self.len() as u32)
            .add(self.header)
            .add(self.body)
            .is_valid()
    }

    /// Bytes of the message.
    #[inline]
    #[must_use]
    #[allow(
        clippy::len_without_is_empty,
        reason = "a message has at least its header"
    )]
    pub fn len(&self) -> usize {
        HEADER_LEN + self.body.len()
    }

    /// The second half of the header.
    #[inline]
    #[must_use]
    pub fn rest_of_header(&self) -> [u8; 4] {
        *self.header.array_at::<4, 4>()
    }

    /// What follows the header: echo data, or the packet an error quotes.
    #[inline]
    #[must_use]
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// Whether this is an error about another packet, to which no error may be sent.
    #[inline]
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.kind() < 128
    }

    /// The packet an error is about, as far as it is quoted.
    ///
    /// # Errors
    /// [`BadCode`](WireError::BadCode) if this is no error, else those of [`Ipv6View::quoted`]
    /// and [`Quoted::ipv6`].
    pub fn quoted(&self) -> Result<Quoted<'a>, WireError> {
        if !self.is_error() {
            return Err(WireError::BadCode);
        }
        Quoted::ipv6(&Ipv6View::quoted(self.body)?)
    }

    /// As a Neighbor Discovery message.
    ///
    /// # Errors
    /// Those of [`NdpView::new`].
    pub fn ndp(&self) -> Result<NdpView<'a>, WireError> {
        NdpView::new(self)
    }
}

/// An ICMPv6 message other than Neighbor Discovery; its data or quoted packet is borrowed.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Icmpv6Repr<'a> {
    /// Echo request.
    EchoRequest {
        /// Names the process that asks.
        ident: u16,
        /// Counts its requests.
        seq: u16,
        /// What the reply is to bring back.
        data: &'a [u8],
    },
    /// Echo reply: ident, sequence number and data of the request.
    EchoReply {
        /// The request's.
        ident: u16,
        /// The request's.
        seq: u16,
        /// The request's.
        data: &'a [u8],
    },
    /// Destination unreachable.
    DestinationUnreachable {
        /// One of [`mod@unreachable`].
        code: u8,
        /// The packet in question.
        quoted: &'a [u8],
    },
    /// Packet too big.
    PacketTooBig {
        /// MTU of the next hop's link, in bytes.
        mtu: u32,
        /// The packet in question.
        quoted: &'a [u8],
    },
    /// Time exceeded.
    TimeExceeded {
        /// 0 hop limit in transit, 1 fragment reassembly.
        code: u8,
        /// The packet in question.
        quoted: &'a [u8],
    },
    /// Parameter problem.
    ParameterProblem {
        /// One of [`parameter_problem`](crate::extension::parameter_problem).
        code: u8,
        /// The offending byte of the quoted packet; it may lie behind what is quoted.
        pointer: u32,
        /// The packet in question.
        quoted: &'a [u8],
    },
    /// Any other message.
    Other {
        /// Type.
        kind: u8,
        /// Code.
        code: u8,
        /// Second half of the header.
        rest_of_header: [u8; 4],
        /// What follows it.
        body: &'a [u8],
    },
}

impl<'a> Icmpv6Repr<'a> {
    /// A received message. It never fails: what is not understood is [`Other`](Self::Other).
    #[must_use]
    pub fn parse(view: &Icmpv6View<'a>) -> Self {
        let (code, body, rest_of_header) = (view.code(), view.body, view.rest_of_header());
        let [a, b, c, d] = rest_of_header;
        let (ident, seq) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        let word = u32::from_be_bytes(rest_of_header);
        match view.kind() {
            kind::ECHO_REQUEST if code == 0 => Self::EchoRequest {
                ident,
                seq,
                data: body,
            },
            kind::ECHO_REPLY if code == 0 => Self::EchoReply {
                ident,
                seq,
                data: body,
            },
            kind::DESTINATION_UNREACHABLE => Self::DestinationUnreachable { code, quoted: body },
            //= https://www.rfc-editor.org/rfc/rfc4443#section-3.2
            //# Set to 0 (zero) by the originator and ignored by the
            //# receiver.
            kind::PACKET_TOO_BIG => Self::PacketTooBig {
                mtu: word,
                quoted: body,
            },
            kind::TIME_EXCEEDED => Self::TimeExceeded { code, quoted: body },
            //= https://www.rfc-editor.org/rfc/rfc4443#section-3.4
            //# Identifies the octet offset within the
            //# invoking packet where the error was detected.
            kind::PARAMETER_PROBLEM => Self::ParameterProblem {
                code,
                pointer: word,
                quoted: body,
            },
            kind => Self::Other {
                kind,
                code,
                rest_of_header,
                body,
            },
        }
    }

    /// Bytes of the whole message.
    #[must_use]
    pub fn len(&self) -> usize {
        HEADER_LEN + self.parts().3.len()
    }

    /// Never: a message has a header.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// Type, code, second half of the header, body.
    fn parts(&self) -> (u8, u8, [u8; 4], &'a [u8]) {
        let halves = |high: u16, low: u16| {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            [a, b, c, d]
        };
        match *self {
            Self::EchoRequest { ident, seq, data } => {
                (kind::ECHO_REQUEST, 0, halves(ident, seq), data)
            }
            Self::EchoReply { ident, seq, data } => (kind::ECHO_REPLY, 0, halves(ident, seq), data),
            Self::DestinationUnreachable { code, quoted } => {
                (kind::DESTINATION_UNREACHABLE, code, [0; 4], quoted)
            }
            Self::PacketTooBig { mtu, quoted } => {
                (kind::PACKET_TOO_BIG, 0, mtu.to_be_bytes(), quoted)
            }
            Self::TimeExceeded { code, quoted } => (kind::TIME_EXCEEDED, code, [0; 4], quoted),
            Self::ParameterProblem {
                code,
                pointer,
                quoted,
            } => (kind::PARAMETER_PROBLEM, code, pointer.to_be_bytes(), quoted),
            Self::Other {
                kind,
                code,
                rest_of_header,
                body,
            } => (kind, code, rest_of_header, body),
        }
    }

    /// Writes the message, its checksum included; returns what follows it.
    ///
    /// # Errors
    /// [`BufferTooSmall`](WireError::BufferTooSmall).
    pub fn emit<'b>(
        &self,
        src: &Addr,
        dst: &Addr,
        buf: &'b mut [u8],
    ) -> Result<&'b mut [u8], WireError> {
        let (kind, code, rest_of_header, body) = self.parts();
        let len = (HEADER_LEN + body.len()) as u32;
        let sum = pseudo_header(src, dst, protocol::ICMPV6, len)
            .add(&[kind, code])
            .add(&rest_of_header)
            .add(body);
        let mut out = Writer::new(buf);
        out.put(&[kind, code]);
        out.put_u16(sum.finish());
        out.put(&rest_of_header);
        out.put(body);
        out.finish()
    }
}

#[cfg(feature = "alloc")]
impl Icmpv6Repr<'_> {
    /// The message in a `Vec` of its own, its checksum included.
    #[must_use]
    pub fn to_vec(&self, src: &Addr, dst: &Addr) -> alloc::vec::Vec<u8> {
        let mut message = alloc::vec![0; self.len()];
        let written = self.emit(src, dst, &mut message);
        debug_assert!(written.is_ok(), "the buffer has the message's length");
        message
    }
}

/// Turns an echo request, in place and whatever its length, into its reply. The addresses of the
/// packet must change places, or the checksum is wrong for another reason: use it only for a
/// reply that is sent from the address the request was sent to.
///
/// # Errors
/// [`Truncated`](WireError::Truncated); [`BadCode`](WireError::BadCode) if it is no request.
pub fn reply_in_place(message: &mut [u8]) -> Result<(), WireError> {
    let header = message
        .first_chunk_mut::<HEADER_LEN>()
        .ok_or(WireError::Truncated)?;
    if header.u8_at::<0>() != kind::ECHO_REQUEST {
        return Err(WireError::BadCode);
    }
    let code = header.u8_at::<1>();
    let old = u16::from_be_bytes([kind::ECHO_REQUEST, code]);
    let new = u16::from_be_bytes([kind::ECHO_REPLY, code]);
    let checksum = update(header.u16_at::<2>(), old, new);
    header.put_u16::<0>(new);
    header.put_u16::<2>(checksum);
    Ok(())
}

#[cfg(test)]
mod tests;
