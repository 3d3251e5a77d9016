//! The headers that nearly every segment over IPv4 has: no IP options, no fragment, no flag but ACK,
//! PSH and FIN, no TCP option but the timestamps in the layout of RFC 7323 appendix A. 52 octets, each
//! field in its place, so that they are read and written without a question asked. Those of a SYN,
//! which are 60 octets for the same reason, are in [`syn`].
//!
//! What is no plain segment is none of this module's business: [`Ipv4View`](crate::Ipv4View),
//! [`TcpView`](crate::TcpView) and their counterparts take all there is, plain segments too.

use core::ops::Deref;

use crate::bytes::Fields;
use crate::checksum::Sum;
use crate::tcp_options::NOP_NOP_TIMESTAMPS;
use crate::{Addr, TcpFlags, Timestamps, ipv4, protocol, tcp};

pub mod syn;

/// Both headers, with the timestamps.
pub const HEADERS_LEN: usize = ipv4::HEADER_LEN + TCP_LEN;

/// Both headers without TCP options.
pub const FIXED_LEN: usize = ipv4::HEADER_LEN + tcp::HEADER_LEN;

/// The TCP header with the timestamps.
const TCP_LEN: usize = tcp::HEADER_LEN + 12;

/// Version 4, five words.
const VERSION_IHL: u8 = 0x45;
/// A data offset of eight words, ACK, and no other bit; [`PASSED`] is left out of it.
const CONTROL: u16 = 0x8000 | TcpFlags::ACK.0;
/// Flags that are there or not.
const PASSED: u16 = TcpFlags::PSH.0 | TcpFlags::FIN.0;

/// What such packets have in the same places, with `LEN` octets of headers.
#[derive(Copy, Clone, Debug)]
pub struct Headers<'a, const LEN: usize>(&'a [u8; LEN]);

impl<const LEN: usize> Headers<'_, LEN> {
    /// Whether it is IPv4 without options, carries TCP and is no fragment: what both kinds must be.
    #[inline(always)]
    fn are_usual(&self) -> bool {
        // All but DF makes it a fragment, or is reserved.
        self.0.u8_at::<0>() == VERSION_IHL
            && self.0.u16_at::<6>() & !ipv4::DONT_FRAGMENT == 0
            && self.0.u8_at::<9>() == protocol::TCP
    }

    /// The sender's address.
    #[inline(always)]
    #[must_use]
    pub fn src(&self) -> Addr {
        Addr::v4(*self.0.array_at::<12, 4>())
    }

    /// The receiver's address.
    #[inline(always)]
    #[must_use]
    pub fn dst(&self) -> Addr {
        Addr::v4(*self.0.array_at::<16, 4>())
    }

    /// Explicit congestion notification, 0..=3 (RFC 3168 §5).
    #[inline(always)]
    #[must_use]
    pub fn ecn(&self) -> u8 {
        self.0.u8_at::<1>() & 3
    }

    /// The receiver's port in the upper half, the sender's in the lower.
    #[inline(always)]
    #[must_use]
    pub fn ports(&self) -> u32 {
        self.0.u32_at::<20>().rotate_left(16)
    }

    /// Sequence number of the SYN, or of the first byte.
    #[inline(always)]
    #[must_use]
    pub fn seq(&self) -> u32 {
        self.0.u32_at::<24>()
    }

    /// Acknowledgment number; counts only with [`TcpFlags::ACK`].
    #[inline(always)]
    #[must_use]
    pub fn ack(&self) -> u32 {
        self.0.u32_at::<28>()
    }

    /// The window field, not scaled.
    #[inline(always)]
    #[must_use]
    pub fn window(&self) -> u16 {
        self.0.u16_at::<34>()
    }

    /// The urgent pointer, which does not count: URG is not set.
    #[inline(always)]
    #[must_use]
    pub fn urgent(&self) -> u16 {
        self.0.u16_at::<38>()
    }

    /// Whether the IP header is intact, as its checksum tells.
    #[inline(always)]
    #[must_use]
    pub fn header_intact(&self) -> bool {
        Sum::of_chunk(self.0.array_at::<0, 20>()).is_valid()
    }
}

/// A packet known to be a plain segment. Neither checksum is verified.
#[derive(Copy, Clone, Debug)]
pub struct PlainView<'a> {
    headers: Headers<'a, HEADERS_LEN>,
    payload: &'a [u8],
}

impl<'a> Deref for PlainView<'a> {
    type Target = Headers<'a, HEADERS_LEN>;

    #[inline(always)]
    fn deref(&self) -> &Headers<'a, HEADERS_LEN> {
        &self.headers
    }
}

impl<'a> PlainView<'a> {
    /// The packet, if it is a plain segment. Octets after the total length are left out.
    #[inline(always)]
    #[must_use]
    pub fn new(packet: &'a [u8]) -> Option<PlainView<'a>> {
        let headers = Headers(packet.first_chunk::<HEADERS_LEN>()?);
        let plain = headers.are_usual()
            && headers.0.u16_at::<32>() & !PASSED == CONTROL
            && headers.0.u32_at::<40>() == NOP_NOP_TIMESTAMPS;
        if !plain {
            return None;
        }
        let payload = packet.get(HEADERS_LEN..usize::from(headers.0.u16_at::<2>()))?;
        Some(PlainView { headers, payload })
    }

    /// ACK, perhaps with PSH or FIN.
    #[inline(always)]
    #[must_use]
    pub fn flags(&self) -> TcpFlags {
        TcpFlags(self.headers.0.u16_at::<32>() & (TcpFlags::ACK.0 | PASSED))
    }

    /// The options, as bytes: the timestamps with the padding in front of them.
    #[inline(always)]
    #[must_use]
    pub fn options_bytes(&self) -> &'a [u8] {
        self.headers.0.array_at::<40, 12>()
    }

    /// The timestamps.
    #[inline(always)]
    #[must_use]
    pub fn timestamps(&self) -> Timestamps {
        Timestamps {
            value: self.headers.0.u32_at::<44>(),
            echo: self.headers.0.u32_at::<48>(),
        }
    }

    /// The data.
    #[inline(always)]
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Whether the segment is intact, as its checksum tells, given that the IP header is.
    #[inline(always)]
    #[must_use]
    pub fn segment_intact(&self) -> bool {
        let len = self.payload.len().wrapping_add(TCP_LEN);
        // The pseudo-header, its addresses where they lie.
        let sum = Sum::of_chunk(self.headers.0.array_at::<12, 40>())
            .add_u32((len as u32).wrapping_add(u32::from(protocol::TCP)));
        if self.payload.is_empty() {
            return sum.is_valid();
        }
        sum.add(self.payload).is_valid()
    }
}

/// Options to be written, as so many words.
pub trait Options: Copy {
    /// How many words there are.
    const WORDS: usize;

    /// The words.
    fn words(self) -> impl Iterator<Item = u32> + Clone;
}

/// Those of a plain segment: their first word is a constant.
impl Options for Timestamps {
    const WORDS: usize = 3;

    #[inline(always)]
    fn words(self) -> impl Iterator<Item = u32> + Clone {
        [NOP_NOP_TIMESTAMPS, self.value, self.echo].into_iter()
    }
}

impl<const N: usize> Options for [u32; N] {
    const WORDS: usize = N;

    #[inline(always)]
    fn words(self) -> impl Iterator<Item = u32> + Clone {
        self.into_iter()
    }
}

/// The headers of a plain segment to be written, or of one that has other options.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct PlainRepr<O> {
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
    /// Control bits, URG not among them.
    pub flags: TcpFlags,
    /// The window field, already scaled down.
    pub window: u16,
    /// The options: timestamps make a plain segment.
    pub options: O,
}

impl<O: Options> PlainRepr<O> {
    /// Bytes of the headers.
    pub const LEN: usize = FIXED_LEN + 4 * O::WORDS;

    /// Writes the headers in front of `payload_len` bytes, DF set, the TCP checksum zero. Returns
    /// them without their options; the sum that the payload's is to be added to, the pseudo-header
    /// included, and what follows: [`put_checksum`] stores what comes of the sum. `None`: there is no
    /// room for the headers.
    #[inline(always)]
    #[must_use]
    pub fn emit<'b>(
        &self,
        payload_len: u16,
        place: &'b mut [u8],
    ) -> Option<(&'b mut [u8; FIXED_LEN], Sum, &'b mut [u8])> {
        let (headers, body) = place.split_at_mut_checked(const { Self::LEN })?;
        let (place, options) = headers.split_first_chunk_mut::<FIXED_LEN>()?;
        let len =
            u32::from(payload_len).wrapping_add(const { (tcp::HEADER_LEN + 4 * O::WORDS) as u32 });
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
        let add = |sum: u64, word: u32| sum.wrapping_add(u64::from(word));
        let header = [first, second, third].into_iter().fold(addresses, add);
        let offset = const { ((tcp::HEADER_LEN / 4 + O::WORDS) as u32) << 28 };
        let control = offset | u32::from(self.flags.0) << 16 | u32::from(self.window);
        let pseudo = addresses
            .wrapping_add(u64::from(protocol::TCP))
            .wrapping_add(u64::from(len));
        let fixed = [self.ports, self.seq, self.ack, control];
        let segment = fixed.into_iter().fold(pseudo, add);
        let segment = self.options.words().fold(segment, add);
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
        for (place, word) in options.chunks_exact_mut(4).zip(self.options.words()) {
            if let Some(place) = place.first_chunk_mut::<4>() {
                *place = word.to_be_bytes();
            }
        }
        Some((place, Sum::of_words(segment), body))
    }
}

/// Stores the TCP checksum that `sum` comes to.
#[inline(always)]
pub fn put_checksum(headers: &mut [u8; FIXED_LEN], sum: Sum) {
    headers.put_u16::<36>(sum.finish());
}

#[cfg(test)]
mod tests;
