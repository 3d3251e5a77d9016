//! One address type for both IP versions.

use core::fmt;
#[cfg(feature = "ipv6")]
use core::net::Ipv6Addr;
use core::net::{IpAddr, Ipv4Addr};
use core::str::FromStr;

#[cfg(feature = "ipv6")]
use crate::bytes::Fields;

/// The text is not an address of the kind asked for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct ParseError;

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("invalid address syntax")
    }
}

impl core::error::Error for ParseError {}

#[cfg(feature = "ipv6")]
type Octets = [u8; 16];
#[cfg(not(feature = "ipv6"))]
type Octets = [u8; 4];

/// What makes sixteen bytes an IPv4 address: `::ffff:a.b.c.d` (RFC 4291 §2.5.5.2).
#[cfg(feature = "ipv6")]
const MAPPED: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/// An IPv4 or IPv6 address: sixteen bytes, IPv4 held as `::ffff:a.b.c.d`.
///
/// With the feature `ipv6` off it is the four bytes of an IPv4 address. All-zero bytes are
/// [`UNSPECIFIED`](Self::UNSPECIFIED), so that tables of addresses can start in `.bss`.
///
/// An IPv4-mapped IPv6 address cannot be told from IPv4: such an address never belongs on the
/// wire, and [`Ipv6View`](crate::Ipv6View) refuses packets that carry one.
#[derive(Copy, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Addr(Octets);

impl Default for Addr {
    /// [`UNSPECIFIED`](Self::UNSPECIFIED).
    fn default() -> Self {
        Self::UNSPECIFIED
    }
}

impl Addr {
    /// No address: all bytes zero (`::`; `0.0.0.0` where `ipv6` is off).
    pub const UNSPECIFIED: Self = Self([0; size_of::<Octets>()]);
    /// `0.0.0.0`.
    pub const V4_UNSPECIFIED: Self = Self::v4([0; 4]);
    /// `255.255.255.255`, the limited broadcast address.
    pub const V4_BROADCAST: Self = Self::v4([0xff; 4]);
    /// `127.0.0.1`.
    pub const V4_LOCALHOST: Self = Self::v4([127, 0, 0, 1]);
    /// `224.0.0.1`, every host of the link.
    pub const V4_ALL_SYSTEMS: Self = Self::v4([224, 0, 0, 1]);

    /// An IPv4 address.
    #[inline]
    #[must_use]
    pub const fn v4(octets: [u8; 4]) -> Self {
        #[cfg(feature = "ipv6")]
        {
            let [a, b, c, d] = octets;
            Self([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d])
        }
        #[cfg(not(feature = "ipv6"))]
        Self(octets)
    }

    /// Whether this is an IPv4 address (`0.0.0.0` is, [`UNSPECIFIED`](Self::UNSPECIFIED) is not
    /// unless `ipv6` is off).
    #[inline]
    #[must_use]
    pub fn is_v4(&self) -> bool {
        #[cfg(feature = "ipv6")]
        return *self.0.array_at::<0, 12>() == MAPPED;
        #[cfg(not(feature = "ipv6"))]
        true
    }

    /// Whether this is an IPv6 address; the opposite of [`is_v4`](Self::is_v4).
    #[inline]
    #[must_use]
    pub fn is_v6(&self) -> bool {
        !self.is_v4()
    }

    /// The last four octets: the IPv4 address, if it is one.
    #[inline]
    const fn low(&self) -> [u8; 4] {
        let [.., a, b, c, d] = self.0;
        [a, b, c, d]
    }

    /// The four octets of an IPv4 address.
    #[inline]
    #[must_use]
    pub fn v4_octets(&self) -> Option<[u8; 4]> {
        self.is_v4().then_some(self.low())
    }

    /// Sixteen octets, IPv4 as `::ffff:a.b.c.d`.
    #[inline]
    #[must_use]
    pub const fn octets16(&self) -> [u8; 16] {
        #[cfg(feature = "ipv6")]
        return self.0;
        #[cfg(not(feature = "ipv6"))]
        {
            let [a, b, c, d] = self.0;
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d]
        }
    }

    /// The octets as held: sixteen, or four with `ipv6` off. What a hash or a checksum reads.
    #[inline]
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// `::` or `0.0.0.0`.
    #[inline]
    #[must_use]
    pub fn is_unspecified(&self) -> bool {
        *self == Self::UNSPECIFIED || *self == Self::V4_UNSPECIFIED
    }

    /// `127.0.0.0/8` or `::1`.
    #[inline]
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        #[cfg(feature = "ipv6")]
        if *self == Self::V6_LOCALHOST {
            return true;
        }
        self.is_v4() && self.low()[0] == 127
    }

    /// `224.0.0.0/4` or `ff00::/8`.
    #[inline]
    #[must_use]
    pub fn is_multicast(&self) -> bool {
        #[cfg(feature = "ipv6")]
        if self.0[0] == 0xff {
            return true;
        }
        self.is_v4() && self.low()[0] & 0xf0 == 0xe0
    }

    /// `255.255.255.255`; a subnet's broadcast is [`Cidr::broadcast`](crate::Cidr::broadcast).
    #[inline]
    #[must_use]
    pub fn is_broadcast(&self) -> bool {
        *self == Self::V4_BROADCAST
    }

    /// `169.254.0.0/16` or `fe80::/10`.
    #[inline]
    #[must_use]
    pub fn is_link_local(&self) -> bool {
        #[cfg(feature = "ipv6")]
        if self.0[0] == 0xfe && self.0[1] & 0xc0 == 0x80 {
            return true;
        }
        let [a, b, ..] = self.low();
        self.is_v4() && a == 169 && b == 254
    }

    /// Neither unspecified, nor multicast, nor the limited broadcast.
    #[inline]
    #[must_use]
    pub fn is_unicast(&self) -> bool {
        !self.is_unspecified() && !self.is_multicast() && !self.is_broadcast()
    }

    /// How many leading bits both have in common: 0..=32 for IPv4, 0..=128 for IPv6, 0 for one of
    /// each.
    #[must_use]
    pub fn common_prefix(&self, other: &Self) -> u8 {
        if self.is_v4() != other.is_v4() {
            return 0;
        }
        if self.is_v4() {
            let difference = u32::from_be_bytes(self.low()) ^ u32::from_be_bytes(other.low());
            return difference.leading_zeros() as u8;
        }
        let difference =
            u128::from_be_bytes(self.octets16()) ^ u128::from_be_bytes(other.octets16());
        difference.leading_zeros() as u8
    }

    /// The bits in an address of this version: 32 or 128, the longest prefix there is.
    #[inline]
    #[must_use]
    pub fn width(&self) -> u8 {
        if self.is_v4() { 32 } else { 128 }
    }

    /// The address with every bit after the first `prefix` replaced by `fill`'s.
    pub(crate) fn with_host_bits(&self, prefix: u8, fill: u8) -> Self {
        let mut octets = self.0;
        let prefix = u32::from(prefix.min(self.width()));
        if self.is_v4() {
            let host = u32::MAX.checked_shr(prefix).unwrap_or(0);
            let fill = u32::from_be_bytes([fill; 4]);
            let low = u32::from_be_bytes(self.low());
            let low = (low & !host) | (fill & host);
            if let Some(last) = octets.last_chunk_mut::<4>() {
                *last = low.to_be_bytes();
            }
            return Self(octets);
        }
        let mut keep = prefix;
        for octet in &mut octets {
            let kept = keep.min(8);
            keep -= kept;
            let host = 0xff_u8.checked_shr(kept).unwrap_or(0);
            *octet = (*octet & !host) | (fill & host);
        }
        Self(octets)
    }
}

#[cfg(feature = "ipv6")]
impl Addr {
    /// `::1`.
    pub const V6_LOCALHOST: Self = Self([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    /// `ff02::1`, every node of the link.
    pub const V6_ALL_NODES: Self = Self([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    /// `ff02::2`, every router of the link.
    pub const V6_ALL_ROUTERS: Self = Self([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);

    /// An IPv6 address. `::ffff:a.b.c.d` is the IPv4 address `a.b.c.d`.
    #[inline]
    #[must_use]
    pub const fn v6(octets: [u8; 16]) -> Self {
        Self(octets)
    }

    /// The sixteen octets of an IPv6 address.
    #[inline]
    #[must_use]
    pub fn v6_octets(&self) -> Option<[u8; 16]> {
        self.is_v6().then_some(self.0)
    }

    /// The solicited-node multicast address of an IPv6 address (RFC 4291 §2.7.1).
    #[must_use]
    pub const fn solicited_node(&self) -> Self {
        //= https://www.rfc-editor.org/rfc/rfc4291#section-2.7.1
        //# A Solicited-Node multicast address is formed by taking the
        //# low-order 24 bits of an address (unicast or anycast) and appending
        //# those bits to the prefix FF02:0:0:0:0:1:FF00::/104
        let [.., b, c, d] = self.0;
        Self([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, b, c, d])
    }

    /// Whether this is some address's [`solicited_node`](Self::solicited_node).
    #[must_use]
    pub fn is_solicited_node(&self) -> bool {
        *self == self.solicited_node()
    }
}

impl From<Ipv4Addr> for Addr {
    fn from(addr: Ipv4Addr) -> Self {
        Self::v4(addr.octets())
    }
}

impl From<[u8; 4]> for Addr {
    fn from(octets: [u8; 4]) -> Self {
        Self::v4(octets)
    }
}

#[cfg(feature = "ipv6")]
impl From<Ipv6Addr> for Addr {
    fn from(addr: Ipv6Addr) -> Self {
        Self::v6(addr.octets())
    }
}

#[cfg(feature = "ipv6")]
impl From<IpAddr> for Addr {
    fn from(addr: IpAddr) -> Self {
        match addr {
            IpAddr::V4(addr) => addr.into(),
            IpAddr::V6(addr) => addr.into(),
        }
    }
}

impl From<Addr> for IpAddr {
    fn from(addr: Addr) -> Self {
        #[cfg(feature = "ipv6")]
        if let Some(octets) = addr.v6_octets() {
            return Ipv6Addr::from(octets).into();
        }
        Ipv4Addr::from(addr.low()).into()
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[cfg(feature = "ipv6")]
        return IpAddr::from(*self).fmt(f);
        // Naming the IPv4 type alone keeps IPv6 formatting out of an IPv4-only image.
        #[cfg(not(feature = "ipv6"))]
        return Ipv4Addr::from(self.0).fmt(f);
    }
}

impl fmt::Debug for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Addr {
    type Err = ParseError;

    /// The usual text forms; IPv6 only with the feature `ipv6`.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        #[cfg(feature = "ipv6")]
        return text
            .parse::<IpAddr>()
            .map(Self::from)
            .map_err(|_| ParseError);
        #[cfg(not(feature = "ipv6"))]
        return text
            .parse::<Ipv4Addr>()
            .map(Self::from)
            .map_err(|_| ParseError);
    }
}

#[cfg(test)]
mod tests;
