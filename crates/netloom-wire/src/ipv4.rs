//! IPv4 (RFC 791).

use crate::addr::Addr;
use crate::bytes::{Fields, copy};
use crate::checksum::Sum;
use crate::ipv4_options::Ipv4Options;
use crate::{Icmpv4View, TcpView, UdpView, WireError, protocol};

/// A header without options: 20 bytes.
pub const HEADER_LEN: usize = 20;
/// The longest header: IHL is four bits of 32-bit words.
pub const MAX_HEADER_LEN: usize = 60;
/// The MTU every link carries (RFC 791 §3.2).
pub const MIN_MTU: usize = 68;
/// What every host can receive, in one piece or in fragments (RFC 791 §3.1).
pub const MIN_REASSEMBLY: usize = 576;

pub(crate) const DONT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS: u16 = 0x2000;
const OFFSET: u16 = 0x1fff;

/// An IPv4 packet whose lengths agree with each other and with the buffer.
#[derive(Copy, Clone, Debug)]
pub struct Ipv4View<'a> {
    header: &'a [u8; HEADER_LEN],
    options: &'a [u8],
    payload: &'a [u8],
}

impl<'a> Ipv4View<'a> {
    /// Checks version, header length and total length. Bytes after the total length, such as the
    /// padding of a short Ethernet frame, are left out.
    ///
    /// # Errors
    /// [`Truncated`](WireError::Truncated), [`BadVersion`](WireError::BadVersion),
    /// [`BadHeaderLength`](WireError::BadHeaderLength),
    /// [`BadTotalLength`](WireError::BadTotalLength) if it is below the header's length or above
    /// the buffer's. The checksum is not verified: see [`checksum_valid`](Self::checksum_valid).
    #[inline]
    pub fn new(packet: &'a [u8]) -> Result<Self, WireError> {
        let (header, _) = packet.split_first_chunk().ok_or(WireError::Truncated)?;
        //= https://www.rfc-editor.org/rfc/rfc791#section-3.1
        //# Total Length is the length of the datagram, measured in octets,
        //# including internet header and data.
        let packet = packet
            .get(..usize::from(header.u16_at::<2>()))
            .ok_or(WireError::BadTotalLength)?;
        Self::split(header, packet, WireError::BadTotalLength)
    }

    /// The packet an ICMP error quotes: its header must be whole, its payload may be cut short.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn quoted(packet: &'a [u8]) -> Result<Self, WireError> {
        let (header, _) = packet.split_first_chunk().ok_or(WireError::Truncated)?;
        let total = usize::from(header.u16_at::<2>());
        if total < Self::ihl(header) {
            return Err(WireError::BadTotalLength);
        }
        let packet = packet.get(..total).unwrap_or(packet);
        Self::split(header, packet, WireError::Truncated)
    }

    /// The header length in bytes, as claimed.
    #[inline]
    fn ihl(header: &[u8; HEADER_LEN]) -> usize {
        usize::from(header.u8_at::<0>() & 0x0f) * 4
    }

    #[inline]
    fn split(
        header: &'a [u8; HEADER_LEN],
        packet: &'a [u8],
        too_short: WireError,
    ) -> Result<Self, WireError> {
        //= https://www.rfc-editor.org/rfc/rfc1122#section-3.2.1.1
        //# A datagram whose version number is not 4 MUST be silently
        //# discarded.
        if header.u8_at::<0>() >> 4 != 4 {
            return Err(WireError::BadVersion);
        }
        //= https://www.rfc-editor.org/rfc/rfc791#section-3.1
        //# Note that
        //# the minimum value for a correct header is 5.
        let ihl = Self::ihl(header);
        if ihl < HEADER_LEN {
            return Err(WireError::BadHeaderLength);
        }
        let (whole_header, payload) = packet.split_at_checked(ihl).ok_or(too_short)?;
        let options = whole_header.get(HEADER_LEN..).ok_or(too_short)?;
        Ok(Self {
            header,
            options,
            payload,
        })
    }

    /// Header bytes, options included: 20..=60.
    #[inline]
    #[must_use]
    pub fn header_len(&self) -> usize {
        HEADER_LEN + self.options.len()
    }

    /// The total length field in bytes, header included.
    #[inline]
    #[must_use]
    pub fn total_len(&self) -> u16 {
        self.header.u16_at::<2>()
    }

    /// Differentiated services code point, 0..=63 (RFC 2474).
    #[inline]
    #[must_use]
    pub fn dscp(&self) -> u8 {
        self.tos() >> 2
    }

    /// Explicit congestion notification, 0..=3 (RFC 3168 §5).
    #[inline]
    #[must_use]
    pub fn ecn(&self) -> u8 {
        self.tos() & 3
    }

    /// The whole type-of-service byte: DSCP and ECN.
    #[inline]
    #[must_use]
    pub fn tos(&self) -> u8 {
        self.header.u8_at::<1>()
    }

    /// Identification, which names the fragments of one datagram.
    #[inline]
    #[must_use]
    pub fn ident(&self) -> u16 {
        self.header.u16_at::<4>()
    }

    /// Whether routers may not fragment this packet.
    #[inline]
    #[must_use]
    pub fn dont_fragment(&self) -> bool {
        self.flags_and_offset() & DONT_FRAGMENT != 0
    }

    /// Whether this is a fragment and not the last.
    #[inline]
    #[must_use]
    pub fn more_fragments(&self) -> bool {
        self.flags_and_offset() & MORE_FRAGMENTS != 0
    }

    /// Where in the datagram this payload belongs, in bytes (a multiple of 8, at most 65528).
    #[inline]
    #[must_use]
    pub fn fragment_offset(&self) -> u16 {
        //= https://www.rfc-editor.org/rfc/rfc791#section-3.1
        //# The fragment offset is measured in units of 8 octets (64 bits).
        (self.flags_and_offset() & OFFSET) << 3
    }

    /// Whether this is one of several fragments.
    #[inline]
    #[must_use]
    pub fn is_fragment(&self) -> bool {
        self.flags_and_offset() & (MORE_FRAGMENTS | OFFSET) != 0
    }

    #[inline]
    fn flags_and_offset(&self) -> u16 {
        self.header.u16_at::<6>()
    }

    /// Time to live, in hops.
    #[inline]
    #[must_use]
    pub fn ttl(&self) -> u8 {
        self.header.u8_at::<8>()
    }

    /// What the payload is: see [`protocol`].
    #[inline]
    #[must_use]
    pub fn protocol(&self) -> u8 {
        self.header.u8_at::<9>()
    }

    /// The header checksum field.
    #[inline]
    #[must_use]
    pub fn checksum(&self) -> u16 {
        self.header.u16_at::<10>()
    }

    /// Whether the header, options included, is intact.
    #[inline]
    #[must_use]
    pub fn checksum_valid(&self) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc1122#section-3.2.1.2
        //# A host MUST verify the IP header checksum on every received
        //# datagram and silently discard every datagram that has a bad
        //# checksum.
        Sum::new().add(self.header).add(self.options).is_valid()
    }

    /// The sender.
    #[inline]
    #[must_use]
    pub fn src(&self) -> Addr {
        Addr::v4(*self.header.array_at::<12, 4>())
    }

    /// The destination.
    #[inline]
    #[must_use]
    pub fn dst(&self) -> Addr {
        Addr::v4(*self.header.array_at::<16, 4>())
    }

    /// The options, as bytes.
    #[inline]
    #[must_use]
    pub const fn options_bytes(&self) -> &'a [u8] {
        self.options
    }

    /// The options, one by one.
    #[inline]
    #[must_use]
    pub const fn options(&self) -> Ipv4Options<'a> {
        Ipv4Options::new(self.options)
    }

    /// What follows the header, up to the total length.
    #[inline]
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The payload, if it is all of a datagram of this protocol.
    #[inline]
    fn whole(&self, protocol: u8) -> Result<&'a [u8], WireError> {
        if self.protocol() != protocol {
            return Err(WireError::BadProtocol);
        }
        if self.is_fragment() {
            Err(WireError::Fragment)
        } else {
            Ok(self.payload)
        }
    }

    /// Its TCP segment.
    ///
    /// # Errors
    /// [`BadProtocol`](WireError::BadProtocol), [`Fragment`](WireError::Fragment), else those of
    /// [`TcpView::new`].
    #[inline]
    pub fn tcp(&self) -> Result<TcpView<'a>, WireError> {
        TcpView::new(self.whole(protocol::TCP)?)
    }

    /// Its UDP datagram.
    ///
    /// # Errors
    /// [`BadProtocol`](WireError::BadProtocol), [`Fragment`](WireError::Fragment), else those of
    /// [`UdpView::new`].
    #[inline]
    pub fn udp(&self) -> Result<UdpView<'a>, WireError> {
        UdpView::new(self.whole(protocol::UDP)?)
    }

    /// Its ICMP message.
    ///
    /// # Errors
    /// [`BadProtocol`](WireError::BadProtocol), [`Fragment`](WireError::Fragment), else those of
    /// [`Icmpv4View::new`].
    #[inline]
    pub fn icmpv4(&self) -> Result<Icmpv4View<'a>, WireError> {
        Icmpv4View::new(self.whole(protocol::ICMP)?)
    }
}

/// An IPv4 header to be written.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ipv4Repr {
    /// The sender, an IPv4 address.
    pub src: Addr,
    /// The destination, an IPv4 address.
    pub dst: Addr,
    /// What the payload is: see [`protocol`].
    pub protocol: u8,
    /// Time to live, in hops.
    pub ttl: u8,
    /// DSCP (upper six bits) and ECN (lower two).
    pub tos: u8,
    /// Identification; without meaning in a packet that is not and cannot become a fragment
    /// (RFC 6864 §4).
    pub ident: u16,
    /// Forbid routers to fragment.
    pub dont_fragment: bool,
    /// More fragments of the datagram follow this one.
    pub more_fragments: bool,
    /// Where in the datagram the payload belongs: bytes, a multiple of 8.
    pub fragment_offset: u16,
    /// Bytes that follow the header, 0..=65515 (less, with options).
    pub payload_len: u16,
}

impl Ipv4Repr {
    /// An unfragmented packet: TTL 64 (RFC 1122 §3.2.1.7), DF set, all else zero.
    #[must_use]
    pub const fn new(src: Addr, dst: Addr, protocol: u8, payload_len: u16) -> Self {
        Self {
            src,
            dst,
            protocol,
            ttl: 64,
            tos: 0,
            ident: 0,
            //= https://www.rfc-editor.org/rfc/rfc8899#section-3
            //# In IPv4, a probe packet MUST be sent with the Don't
            //# Fragment (DF) bit set in the IP header and without network layer
            //# endpoint fragmentation.
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: 0,
            payload_len,
        }
    }

    /// The header of a received packet. Options are left out: they stay with the view.
    #[must_use]
    pub fn parse(view: &Ipv4View<'_>) -> Self {
        Self {
            src: view.src(),
            dst: view.dst(),
            protocol: view.protocol(),
            ttl: view.ttl(),
            tos: view.tos(),
            ident: view.ident(),
            dont_fragment: view.dont_fragment(),
            more_fragments: view.more_fragments(),
            fragment_offset: view.fragment_offset(),
            payload_len: view.total_len().saturating_sub(view.header_len() as u16),
        }
    }

    /// Writes a header of [`HEADER_LEN`] bytes, its checksum included; returns what follows it.
    ///
    /// # Errors
    /// [`BufferTooSmall`](WireError::BufferTooSmall);
    /// [`BadAddress`](WireError::BadAddress) if an address is not IPv4;
    /// [`BadTotalLength`](WireError::BadTotalLength) if header and payload exceed 65535 bytes.
    #[inline]
    pub fn emit<'b>(&self, buf: &'b mut [u8]) -> Result<&'b mut [u8], WireError> {
        let (header, rest) = buf
            .split_first_chunk_mut()
            .ok_or(WireError::BufferTooSmall)?;
        let sum = self.fill(header, 0)?;
        header.put_u16::<10>(sum.finish());
        Ok(rest)
    }

    /// As [`emit`](Self::emit), with options after the fixed header.
    ///
    /// # Errors
    /// As for [`emit`](Self::emit); [`BadOption`](WireError::BadOption) if `options` is longer
    /// than 40 bytes or no multiple of 4.
    pub fn emit_with_options<'b>(
        &self,
        options: &[u8],
        buf: &'b mut [u8],
    ) -> Result<&'b mut [u8], WireError> {
        if options.len() > MAX_HEADER_LEN - HEADER_LEN || options.len() % 4 != 0 {
            return Err(WireError::BadOption);
        }
        let (header, rest) = buf
            .split_first_chunk_mut()
            .ok_or(WireError::BufferTooSmall)?;
        let sum = self.fill(header, options.len() as u8)?;
        let (place, rest) = rest
            .split_at_mut_checked(options.len())
            .ok_or(WireError::BufferTooSmall)?;
        copy(place, options);
        header.put_u16::<10>(sum.add(options).finish());
        Ok(rest)
    }

    /// Writes all but the checksum; returns the sum of what was written.
    #[inline]
    fn fill(&self, header: &mut [u8; HEADER_LEN], options_len: u8) -> Result<Sum, WireError> {
        let (Some(src), Some(dst)) = (self.src.v4_octets(), self.dst.v4_octets()) else {
            return Err(WireError::BadAddress);
        };
        let total_len = self
            .payload_len
            .checked_add(HEADER_LEN as u16 + u16::from(options_len))
            .ok_or(WireError::BadTotalLength)?;
        let flags = if self.dont_fragment { DONT_FRAGMENT } else { 0 }
            | if self.more_fragments {
                MORE_FRAGMENTS
            } else {
                0
            };
        let words = [
            u32::from_be_bytes([0x45 + options_len / 4, self.tos, 0, 0]) | u32::from(total_len),
            u32::from(self.ident) << 16 | u32::from(flags | (self.fragment_offset >> 3)),
            u32::from_be_bytes([self.ttl, self.protocol, 0, 0]),
            u32::from_be_bytes(src),
            u32::from_be_bytes(dst),
        ];
        let [first, second, third, fourth, fifth] = words;
        header.put_u32::<0>(first);
        header.put_u32::<4>(second);
        header.put_u32::<8>(third);
        header.put_u32::<12>(fourth);
        header.put_u32::<16>(fifth);
        // Small machines sum what they wrote.
        if !cfg!(target_pointer_width = "64") {
            return Ok(Sum::new().add(header));
        }
        Ok(Sum::of_words(
            words.iter().map(|word| u64::from(*word)).sum(),
        ))
    }
}

#[cfg(test)]
mod tests;
