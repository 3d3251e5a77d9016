//! ICMP for IPv4 (RFC 792).

use crate::addr::Addr;
use crate::bytes::{Fields, Writer};
use crate::checksum::Sum;
use crate::quoted::Quoted;
use crate::{Ipv4View, WireError};

/// Type, code, checksum and four bytes that depend on the type.
pub const HEADER_LEN: usize = 8;

/// Message types (RFC 792).
pub mod kind {
    /// Echo reply.
    pub const ECHO_REPLY: u8 = 0;
    /// Destination unreachable.
    pub const DESTINATION_UNREACHABLE: u8 = 3;
    /// Source quench (deprecated by RFC 6633).
    pub const SOURCE_QUENCH: u8 = 4;
    /// Redirect.
    pub const REDIRECT: u8 = 5;
    /// Echo request.
    pub const ECHO_REQUEST: u8 = 8;
    /// Time exceeded.
    pub const TIME_EXCEEDED: u8 = 11;
    /// Parameter problem.
    pub const PARAMETER_PROBLEM: u8 = 12;
}

/// Codes of Destination Unreachable (RFC 792, RFC 1122 §3.2.2.1).
pub mod unreachable {
    /// No route to the network.
    pub const NET: u8 = 0;
    /// The host does not answer.
    pub const HOST: u8 = 1;
    /// The host does not have the protocol.
    pub const PROTOCOL: u8 = 2;
    /// Nobody has the port.
    pub const PORT: u8 = 3;
    /// Fragmentation needed and DF set: the message carries the next hop's MTU (RFC 1191).
    pub const FRAGMENTATION_NEEDED: u8 = 4;
    /// A source route failed.
    pub const SOURCE_ROUTE_FAILED: u8 = 5;
    /// Communication is administratively prohibited (RFC 1812 §5.2.7.1).
    pub const PROHIBITED: u8 = 13;
}

/// An ICMP message whose header is known to be there.
#[derive(Copy, Clone, Debug)]
pub struct Icmpv4View<'a> {
    header: &'a [u8; HEADER_LEN],
    body: &'a [u8],
}

impl<'a> Icmpv4View<'a> {
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

    /// Whether the message is intact.
    #[must_use]
    pub fn checksum_valid(&self) -> bool {
        Sum::new().add(self.header).add(self.body).is_valid()
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
        matches!(
            self.kind(),
            kind::DESTINATION_UNREACHABLE
                | kind::SOURCE_QUENCH
                | kind::REDIRECT
                | kind::TIME_EXCEEDED
                | kind::PARAMETER_PROBLEM
        )
    }

    /// The packet an error is about, as far as it is quoted.
    ///
    /// # Errors
    /// [`BadCode`](WireError::BadCode) if this is no error, else those of [`Ipv4View::quoted`].
    pub fn quoted(&self) -> Result<Quoted<'a>, WireError> {
        if !self.is_error() {
            return Err(WireError::BadCode);
        }
        Quoted::ipv4(&Ipv4View::quoted(self.body)?)
    }
}

/// An ICMP message; its data or quoted packet is borrowed.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Icmpv4Repr<'a> {
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
        /// The next hop's MTU with [`unreachable::FRAGMENTATION_NEEDED`] (RFC 1191; 0 from
        /// routers older than it), else 0.
        mtu: u16,
        /// The packet in question.
        quoted: &'a [u8],
    },
    /// Source quench: RFC 6633 has hosts ignore it.
    SourceQuench {
        /// The packet in question.
        quoted: &'a [u8],
    },
    /// Redirect.
    Redirect {
        /// 0 network, 1 host, 2 and 3 the same with a type of service.
        code: u8,
        /// The better first hop.
        gateway: Addr,
        /// The packet in question.
        quoted: &'a [u8],
    },
    /// Time exceeded.
    TimeExceeded {
        /// 0 TTL in transit, 1 fragment reassembly.
        code: u8,
        /// The packet in question.
        quoted: &'a [u8],
    },
    /// Parameter problem.
    ParameterProblem {
        /// 0 the pointer says where, 1 a required option is missing.
        code: u8,
        /// The offending byte of the quoted header.
        pointer: u8,
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

impl<'a> Icmpv4Repr<'a> {
    /// A received message. It never fails: what is not understood is [`Other`](Self::Other).
    /// Reserved bits of the header are dropped, the length of RFC 4884 among them.
    #[must_use]
    pub fn parse(view: &Icmpv4View<'a>) -> Self {
        let (code, body, rest_of_header) = (view.code(), view.body, view.rest_of_header());
        let [a, b, c, d] = rest_of_header;
        let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        match view.kind() {
            kind::ECHO_REQUEST if code == 0 => Self::EchoRequest {
                ident: high,
                seq: low,
                data: body,
            },
            kind::ECHO_REPLY if code == 0 => Self::EchoReply {
                ident: high,
                seq: low,
                data: body,
            },
            kind::DESTINATION_UNREACHABLE => {
                let mtu = if code == unreachable::FRAGMENTATION_NEEDED {
                    low
                } else {
                    0
                };
                Self::DestinationUnreachable {
                    code,
                    mtu,
                    quoted: body,
                }
            }
            kind::SOURCE_QUENCH if code == 0 => Self::SourceQuench { quoted: body },
            kind::REDIRECT => Self::Redirect {
                code,
                gateway: Addr::v4(rest_of_header),
                quoted: body,
            },
            kind::TIME_EXCEEDED => Self::TimeExceeded { code, quoted: body },
            kind::PARAMETER_PROBLEM => Self::ParameterProblem {
                code,
                pointer: a,
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
            Self::DestinationUnreachable { code, mtu, quoted } => {
                (kind::DESTINATION_UNREACHABLE, code, halves(0, mtu), quoted)
            }
            Self::SourceQuench { quoted } => (kind::SOURCE_QUENCH, 0, [0; 4], quoted),
            Self::Redirect {
                code,
                gateway,
                quoted,
            } => (
                kind::REDIRECT,
                code,
                gateway.v4_octets().unwrap_or_default(),
                quoted,
            ),
            Self::TimeExceeded { code, quoted } => (kind::TIME_EXCEEDED, code, [0; 4], quoted),
            Self::ParameterProblem {
                code,
                pointer,
                quoted,
            } => (kind::PARAMETER_PROBLEM, code, [pointer, 0, 0, 0], quoted),
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
    pub fn emit<'b>(&self, buf: &'b mut [u8]) -> Result<&'b mut [u8], WireError> {
        let (kind, code, rest_of_header, body) = self.parts();
        let sum = Sum::new().add(&[kind, code]).add(&rest_of_header).add(body);
        let mut out = Writer::new(buf);
        out.put(&[kind, code]);
        out.put_u16(sum.finish());
        out.put(&rest_of_header);
        out.put(body);
        out.finish()
    }
}

#[cfg(feature = "alloc")]
impl Icmpv4Repr<'_> {
    /// The message in a `Vec` of its own, its checksum included.
    #[must_use]
    pub fn to_vec(&self) -> alloc::vec::Vec<u8> {
        let mut message = alloc::vec![0; self.len()];
        let written = self.emit(&mut message);
        debug_assert!(written.is_ok(), "the buffer has the message's length");
        message
    }
}

/// Turns an echo request, in place and whatever its length, into its reply.
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
    // RFC 792: "To form an echo reply message, the source and destination addresses are simply
    // reversed, the type code changed to 0, and the checksum recomputed."
    let code = header.u8_at::<1>();
    let old = u16::from_be_bytes([kind::ECHO_REQUEST, code]);
    let new = u16::from_be_bytes([kind::ECHO_REPLY, code]);
    let checksum = crate::checksum::update(header.u16_at::<2>(), old, new);
    header.put_u16::<0>(new);
    header.put_u16::<2>(checksum);
    Ok(())
}

#[cfg(test)]
mod tests;
