//! The IPv6 header (RFC 8200 §3).

use crate::addr::Addr;
use crate::bytes::Fields;
use crate::extension::{self, ExtensionError, Upper};
use crate::{Icmpv6View, TcpView, UdpView, WireError, protocol};

/// The fixed header: 40 bytes.
pub const HEADER_LEN: usize = 40;
/// The MTU every link carries (RFC 8200 §5), and what every node reassembles at least is 1500.
pub const MIN_MTU: usize = 1280;

/// An IPv6 packet whose payload length agrees with the buffer.
#[derive(Copy, Clone, Debug)]
pub struct Ipv6View<'a> {
    header: &'a [u8; HEADER_LEN],
    payload: &'a [u8],
}

impl<'a> Ipv6View<'a> {
    /// Checks version, payload length and that no address is an IPv4-mapped one: [`Addr`] could
    /// not tell it from IPv4, and no such address belongs on the wire. Bytes after the payload
    /// length are left out. Jumbograms (RFC 2675) are not read.
    ///
    /// # Errors
    /// [`Truncated`](WireError::Truncated), [`BadVersion`](WireError::BadVersion),
    /// [`BadTotalLength`](WireError::BadTotalLength), [`BadAddress`](WireError::BadAddress).
    #[inline]
    pub fn new(packet: &'a [u8]) -> Result<Self, WireError> {
        let view = Self::quoted(packet)?;
        if view.payload.len() < usize::from(view.payload_len()) {
            return Err(WireError::BadTotalLength);
        }
        if view.src().is_v4() || view.dst().is_v4() {
            return Err(WireError::BadAddress);
        }
        Ok(view)
    }

    /// The packet an ICMPv6 error quotes: its header must be whole, its payload may be cut short.
    ///
    /// # Errors
    /// [`Truncated`](WireError::Truncated), [`BadVersion`](WireError::BadVersion).
    #[inline]
    pub fn quoted(packet: &'a [u8]) -> Result<Self, WireError> {
        let (header, rest) = packet.split_first_chunk().ok_or(WireError::Truncated)?;
        if header.u8_at::<0>() >> 4 != 6 {
            return Err(WireError::BadVersion);
        }
        let payload = rest
            .get(..usize::from(header.u16_at::<4>()))
            .unwrap_or(rest);
        Ok(Self { header, payload })
    }

    /// Traffic class: DSCP (upper six bits) and ECN (lower two).
    #[inline]
    #[must_use]
    pub fn traffic_class(&self) -> u8 {
        (self.header.u16_at::<0>() >> 4) as u8
    }

    /// Differentiated services code point, 0..=63 (RFC 2474).
    #[inline]
    #[must_use]
    pub fn dscp(&self) -> u8 {
        self.traffic_class() >> 2
    }

    /// Explicit congestion notification, 0..=3 (RFC 3168 §5).
    #[inline]
    #[must_use]
    pub fn ecn(&self) -> u8 {
        self.traffic_class() & 3
    }

    /// Flow label, 20 bits (RFC 6437).
    #[inline]
    #[must_use]
    pub fn flow_label(&self) -> u32 {
        self.header.u32_at::<0>() & 0xf_ffff
    }

    /// Bytes after the fixed header, extension headers included.
    #[inline]
    #[must_use]
    pub fn payload_len(&self) -> u16 {
        self.header.u16_at::<4>()
    }

    /// What follows the fixed header: an extension header or the upper layer.
    #[inline]
    #[must_use]
    pub fn next_header(&self) -> u8 {
        self.header.u8_at::<6>()
    }

    /// Hop limit.
    #[inline]
    #[must_use]
    pub fn hop_limit(&self) -> u8 {
        self.header.u8_at::<7>()
    }

    /// The sender.
    #[inline]
    #[must_use]
    pub fn src(&self) -> Addr {
        Addr::v6(*self.header.array_at::<8, 16>())
    }

    /// The destination.
    #[inline]
    #[must_use]
    pub fn dst(&self) -> Addr {
        Addr::v6(*self.header.array_at::<24, 16>())
    }

    /// What follows the fixed header, extension headers included.
    #[inline]
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Walks the extension headers to the upper layer, or to a fragment.
    ///
    /// # Errors
    /// [`ExtensionError`] says what RFC 8200 has the receiver answer.
    #[inline]
    pub fn upper(&self) -> Result<Upper<'a>, ExtensionError> {
        let next_header = self.next_header();
        if extension::is_extension(next_header) {
            extension::walk(self)
        } else {
            Ok(Upper::plain(next_header, self.payload))
        }
    }

    /// The upper layer, if it is all of a message of this protocol.
    #[inline]
    fn whole(&self, protocol: u8) -> Result<&'a [u8], WireError> {
        let upper = self.upper().map_err(ExtensionError::wire_error)?;
        if upper.protocol != protocol {
            return Err(WireError::BadProtocol);
        }
        if upper.is_fragment() {
            Err(WireError::Fragment)
        } else {
            Ok(upper.payload)
        }
    }

    /// Its TCP segment, after any extension headers.
    ///
    /// # Errors
    /// [`BadProtocol`](WireError::BadProtocol), [`Fragment`](WireError::Fragment), those of
    /// [`upper`](Self::upper) and of [`TcpView::new`].
    #[inline]
    pub fn tcp(&self) -> Result<TcpView<'a>, WireError> {
        TcpView::new(self.whole(protocol::TCP)?)
    }

    /// Its UDP datagram, after any extension headers.
    ///
    /// # Errors
    /// [`BadProtocol`](WireError::BadProtocol), [`Fragment`](WireError::Fragment), those of
    /// [`upper`](Self::upper) and of [`UdpView::new`].
    #[inline]
    pub fn udp(&self) -> Result<UdpView<'a>, WireError> {
        UdpView::new(self.whole(protocol::UDP)?)
    }

    /// Its ICMPv6 message, after any extension headers.
    ///
    /// # Errors
    /// [`BadProtocol`](WireError::BadProtocol), [`Fragment`](WireError::Fragment), those of
    /// [`upper`](Self::upper) and of [`Icmpv6View::new`].
    #[inline]
    pub fn icmpv6(&self) -> Result<Icmpv6View<'a>, WireError> {
        Icmpv6View::new(self.whole(protocol::ICMPV6)?)
    }
}

/// An IPv6 header to be written.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ipv6Repr {
    /// The sender, an IPv6 address.
    pub src: Addr,
    /// The destination, an IPv6 address.
    pub dst: Addr,
    /// What follows this header: see [`protocol`].
    pub next_header: u8,
    /// Hop limit.
    pub hop_limit: u8,
    /// DSCP (upper six bits) and ECN (lower two).
    pub traffic_class: u8,
    /// Flow label, 20 bits.
    pub flow_label: u32,
    /// Bytes that follow this header.
    pub payload_len: u16,
}

impl Ipv6Repr {
    /// A header with hop limit 64, all else zero.
    #[must_use]
    pub const fn new(src: Addr, dst: Addr, next_header: u8, payload_len: u16) -> Self {
        Self {
            src,
            dst,
            next_header,
            hop_limit: 64,
            traffic_class: 0,
            flow_label: 0,
            payload_len,
        }
    }

    /// The header of a received packet.
    #[must_use]
    pub fn parse(view: &Ipv6View<'_>) -> Self {
        Self {
            src: view.src(),
            dst: view.dst(),
            next_header: view.next_header(),
            hop_limit: view.hop_limit(),
            traffic_class: view.traffic_class(),
            flow_label: view.flow_label(),
            payload_len: view.payload_len(),
        }
    }

    /// Writes a header of [`HEADER_LEN`] bytes; returns what follows it.
    ///
    /// # Errors
    /// [`BufferTooSmall`](WireError::BufferTooSmall);
    /// [`BadAddress`](WireError::BadAddress) if an address is not IPv6.
    #[inline]
    pub fn emit<'b>(&self, buf: &'b mut [u8]) -> Result<&'b mut [u8], WireError> {
        let (header, rest) = buf
            .split_first_chunk_mut::<HEADER_LEN>()
            .ok_or(WireError::BufferTooSmall)?;
        if self.src.is_v4() || self.dst.is_v4() {
            return Err(WireError::BadAddress);
        }
        let word = 6 << 28 | u32::from(self.traffic_class) << 20 | self.flow_label & 0xf_ffff;
        header.put_u32::<0>(word);
        header.put_u16::<4>(self.payload_len);
        header.put::<6, 2>([self.next_header, self.hop_limit]);
        header.put::<8, 16>(self.src.octets16());
        header.put::<24, 16>(self.dst.octets16());
        Ok(rest)
    }
}

#[cfg(test)]
mod tests;
