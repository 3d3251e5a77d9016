//! Ethernet hardware addresses.

use core::fmt;
use core::str::FromStr;

use crate::addr::ParseError;

/// A 48-bit Ethernet address, in the order of the wire.
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// `ff:ff:ff:ff:ff:ff`.
    pub const BROADCAST: Self = Self([0xff; 6]);
    /// `00:00:00:00:00:00`: no station; the unknown target of an ARP request.
    pub const UNSPECIFIED: Self = Self([0; 6]);

    /// Whether the group bit is set (broadcast included).
    #[inline]
    #[must_use]
    pub const fn is_multicast(&self) -> bool {
        self.0[0] & 1 != 0
    }

    /// Whether this is [`BROADCAST`](Self::BROADCAST).
    #[inline]
    #[must_use]
    pub fn is_broadcast(&self) -> bool {
        *self == Self::BROADCAST
    }

    /// Whether this names one station: neither group nor [`UNSPECIFIED`](Self::UNSPECIFIED).
    #[inline]
    #[must_use]
    pub fn is_unicast(&self) -> bool {
        !self.is_multicast() && *self != Self::UNSPECIFIED
    }

    /// Whether the address was assigned locally rather than by the IEEE.
    #[inline]
    #[must_use]
    pub const fn is_local(&self) -> bool {
        self.0[0] & 2 != 0
    }

    /// The group address of an IPv4 multicast group: 01-00-5E and its low 23 bits (RFC 1112 §6.4).
    #[must_use]
    pub const fn from_ipv4_multicast(group: [u8; 4]) -> Self {
        //= https://www.rfc-editor.org/rfc/rfc1112#section-6.4
        //# An IP host group address is mapped to an Ethernet multicast address
        //# by placing the low-order 23-bits of the IP address into the low-order
        //# 23 bits of the Ethernet multicast address 01-00-5E-00-00-00 (hex).
        let [_, b, c, d] = group;
        Self([0x01, 0x00, 0x5e, b & 0x7f, c, d])
    }

    /// The group address of an IPv6 multicast group: 33-33 and its low 32 bits (RFC 2464 §7).
    #[must_use]
    pub const fn from_ipv6_multicast(group: [u8; 16]) -> Self {
        //= https://www.rfc-editor.org/rfc/rfc2464#section-7
        //# An IPv6 packet with a multicast destination address DST, consisting
        //# of the sixteen octets DST[1] through DST[16], is transmitted to the
        //# Ethernet multicast address whose first two octets are the value 3333
        //# hexadecimal and whose last four octets are the last four octets of
        //# DST.
        let [.., a, b, c, d] = group;
        Self([0x33, 0x33, a, b, c, d])
    }

    /// The modified EUI-64 interface identifier of this address (RFC 2464 §4).
    #[must_use]
    pub const fn interface_identifier(&self) -> [u8; 8] {
        let [a, b, c, d, e, f] = self.0;
        [a ^ 0x02, b, c, 0xff, 0xfe, d, e, f]
    }
}

impl From<[u8; 6]> for MacAddr {
    fn from(octets: [u8; 6]) -> Self {
        Self(octets)
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, f] = self.0;
        write!(out, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MacAddr {
    type Err = ParseError;

    /// Six hexadecimal bytes joined by `:` or `-`.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut octets = [0; 6];
        let mut parts = text.split([':', '-']);
        for octet in &mut octets {
            let part = parts.next().ok_or(ParseError)?;
            // `from_str_radix` takes a sign, a MAC address does not.
            if part.len() != 2 || part.starts_with('+') {
                return Err(ParseError);
            }
            *octet = u8::from_str_radix(part, 16).map_err(|_| ParseError)?;
        }
        if parts.next().is_some() {
            Err(ParseError)
        } else {
            Ok(Self(octets))
        }
    }
}

#[cfg(test)]
mod tests;
