//! The headers that nearly every segment over IPv4 has: no IP options, no fragment, no flag but ACK
//! and PSH, no TCP option but the timestamps in the layout of RFC 7323 appendix A. 52 octets, each
//! field in its place, so that they are read and written without a question asked.
//!
//! What is no plain segment is none of this module's business: [`Ipv4View`](crate::Ipv4View),
//! [`TcpView`](crate::TcpView) and their counterparts take all there is, plain segments too.

use crate::bytes::Fields;
use crate::checksum::Sum;
use crate::tcp_options::NOP_NOP_TIMESTAMPS;
use crate::{Addr, TcpFlags, Timestamps, ipv4, protocol, tcp};

/// Both headers, with the timestamps.
pub const HEADERS_LEN: usize = ipv4::HEADER_LEN + TCP_LEN;

/// The TCP header with the timestamps.
const TCP_LEN: usize = tcp::HEADER_LEN + 12;

/// Version 4, five words.
const VERSION_IHL: u8 = 0x45;
/// A data offset of eight words, ACK, and no other bit; PSH is left out of it.
const CONTROL: u16 = 0x8000 | TcpFlags::ACK.0;

/// A packet known to be a plain segment. Neither checksum is verified.
#[derive(Copy, Clone, Debug)]
pub struct PlainView<'a> {
    headers: &'a [u8; HEADERS_LEN],
    payload: &'a [u8],
}

impl<'a> PlainView<'a> {
    /// The packet, if it is a plain segment. Octets after the total length are left out.
    #[inline(always)]
    #[must_use]
    pub fn new(packet: &'a [u8]) -> Option<PlainView<'a>> {
        let headers = packet.first_chunk::<HEADERS_LEN>()?;
        // All but DF makes it a fragment, or is reserved.
        let plain = headers.u8_at::<0>() == VERSION_IHL
            && headers.u16_at::<6>() & !ipv4::DONT_FRAGMENT == 0
            && headers.u8_at::<9>() == protocol::TCP
            && headers.u16_at::<32>() & !TcpFlags::PSH.0 == CONTROL
            && headers.u32_at::<40>() == NOP_NOP_TIMESTAMPS;
        if !plain {
            return None;
        }
        let payload = packet.get(HEADERS_LEN..usize::from(headers.u16_at::<2>()))?;
        Some(PlainView { headers, payload })
    }

    /// The sender's address.
    #[inline(always)]
    #[must_use]
    pub fn src(&self) -> Addr {
        Addr::v4(*self.headers.array_at::<12, 4>())
    }

    /// The receiver's address.
    #[inline(always)]
    #[must_use]
    pub fn dst(&self) -> Addr {
        Addr::v4(*self.headers.array_at::<16, 4>())
    }

    /// Explicit congestion notification, 0..=3 (RFC 3168 §5).
    #[inline(always)]
    #[must_use]
    pub fn ecn(&self) -> u8 {
        self.headers.u8_at::<1>() & 3
    }

    /// The receiver's port in the upper half, the sender's in the lower.
    #[inline(always)]
    #[must_use]
    pub fn ports(&self) -> u32 {
        self.headers.u32_at::<20>().rotate_left(16)
    }

    /// Sequence number of the first byte.
    #[inline(always)]
    #[must_use]
    pub fn seq(&self) -> u32 {
        self.headers.u32_at::<24>()
    }

    /// Acknowledgment number.
    #[inline(always)]
    #[must_use]
    pub fn ack(&self) -> u32 {
        self.headers.u32_at::<28>()
    }

    /// ACK, perhaps with PSH.
    #[inline(always)]
    #[must_use]
    pub fn flags(&self) -> TcpFlags {
        TcpFlags(self.headers.u16_at::<32>() & (TcpFlags::ACK.0 | TcpFlags::PSH.0))
    }

    /// The window field, not scaled.
    #[inline(always)]
    #[must_use]
    pub fn window(&self) -> u16 {
        self.headers.u16_at::<34>()
    }

    /// The urgent pointer, which does not count: URG is not set.
    #[inline(always)]
    #[must_use]
    pub fn urgent(&self) -> u16 {
        self.headers.u16_at::<38>()
    }

    /// The options, as bytes: the timestamps with the padding in front of them.
    #[inline(always)]
    #[must_use]
    pub fn options_bytes(&self) -> &'a [u8] {
        self.headers.array_at::<40, 12>()
    }

    /// The timestamps.
    #[inline(always)]
    #[must_use]
    pub fn timestamps(&self) -> Timestamps {
        Timestamps {
            value: self.headers.u32_at::<44>(),
            echo: self.headers.u32_at::<48>(),
        }
    }

    /// The data.
    #[inline(always)]
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Whether the IP header is intact, as its checksum tells.
    #[inline(always)]
    #[must_use]
    pub fn header_intact(&self) -> bool {
        Sum::of_chunk(self.headers.array_at::<0, 20>()).is_valid()
    }

    /// Whether the segment is intact, as its checksum tells, given that the IP header is.
    #[inline(always)]
    #[must_use]
    pub fn segment_intact(&self) -> bool {
        let len = self.payload.len().wrapping_add(TCP_LEN);
        // The pseudo-header, its addresses where they lie.
        Sum::of_chunk(self.headers.array_at::<12, 40>())
            .add_u32((len as u32).wrapping_add(u32::from(protocol::TCP)))
            .add(self.payload)
            .is_valid()
    }
}

/// The headers of a plain segment to be written.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct PlainRepr {
    /// The sender's address, in IPv4's four octets.
    pub src: [u8; 4],
    /// The receiver's address.
    pub dst: [u8; 4],
    /// Time to live, in hops.
    pub ttl: u8,
    /// DSCP (upper six bits) and ECN (lower two).
    pub tos: u8,
    /// The sender's port in the upper half, the receiver's in the lower.
    pub ports: u32,
    /// Sequence number of the first byte.
    pub seq: u32,
    /// Acknowledgment number.
    pub ack: u32,
    /// Whether PSH is set.
    pub push: bool,
    /// The window field, already scaled down.
    pub window: u16,
    /// The timestamps.
    pub timestamps: Timestamps,
}

impl PlainRepr {
    /// Writes the headers in front of `payload_len` bytes, DF set, the TCP checksum zero. Returns
    /// the sum that the payload's is to be added to, the pseudo-header included:
    /// [`put_checksum`] stores what comes of it.
    #[inline(always)]
    #[must_use]
    pub fn emit(&self, payload_len: u16, place: &mut [u8; HEADERS_LEN]) -> Sum {
        let len = u32::from(payload_len).wrapping_add(TCP_LEN as u32);
        let first = u32::from_be_bytes([VERSION_IHL, self.tos, 0, 0])
            | len.wrapping_add(ipv4::HEADER_LEN as u32) & 0xffff;
        //= https://www.rfc-editor.org/rfc/rfc8899#section-3
        //# In IPv4, a probe packet MUST be sent with the Don't
        //# Fragment (DF) bit set in the IP header and without network layer
        //# endpoint fragmentation.
        let second = u32::from(ipv4::DONT_FRAGMENT);
        let third = u32::from_be_bytes([self.ttl, protocol::TCP, 0, 0]);
        let src = u32::from_be_bytes(self.src);
        let dst = u32::from_be_bytes(self.dst);
        let addresses = u64::from(src).wrapping_add(u64::from(dst));
        let header = [first, second, third]
            .iter()
            .fold(addresses, |sum, word| sum.wrapping_add(u64::from(*word)));
        let flags = u32::from(CONTROL) << 16 | (u32::from(self.push) << 16).wrapping_mul(8);
        let control = flags | u32::from(self.window);
        let words = [
            self.ports,
            self.seq,
            self.ack,
            control,
            NOP_NOP_TIMESTAMPS,
            self.timestamps.value,
            self.timestamps.echo,
        ];
        let pseudo = addresses
            .wrapping_add(u64::from(protocol::TCP))
            .wrapping_add(u64::from(len));
        let segment = words
            .iter()
            .fold(pseudo, |sum, word| sum.wrapping_add(u64::from(*word)));
        place.put_u32::<0>(first);
        place.put_u32::<4>(second);
        place.put_u32::<8>(third | u32::from(Sum::of_words(header).finish()));
        place.put_u32::<12>(src);
        place.put_u32::<16>(dst);
        place.put_u32::<20>(self.ports);
        place.put_u32::<24>(self.seq);
        place.put_u32::<28>(self.ack);
        place.put_u32::<32>(control);
        place.put_u32::<36>(0);
        place.put_u32::<40>(NOP_NOP_TIMESTAMPS);
        place.put_u32::<44>(self.timestamps.value);
        place.put_u32::<48>(self.timestamps.echo);
        Sum::of_words(segment)
    }
}

/// Stores the TCP checksum that `sum` comes to.
#[inline(always)]
pub fn put_checksum(headers: &mut [u8; HEADERS_LEN], sum: Sum) {
    headers.put_u16::<36>(sum.finish());
}

#[cfg(test)]
mod tests;
