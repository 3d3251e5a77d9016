//! An address and the length of its prefix.

use core::fmt;
use core::str::FromStr;

use crate::addr::{Addr, ParseError};

/// An address with a prefix length: an interface's address, or a route's destination.
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cidr {
    /// The address; its host bits are kept.
    pub addr: Addr,
    /// Leading bits that name the network, counted in the address's own version: 0..=32 or
    /// 0..=128. A longer one counts as the longest.
    pub prefix: u8,
}

impl Cidr {
    /// `addr/prefix`; `None` if the prefix is longer than the address.
    #[must_use]
    pub fn new(addr: Addr, prefix: u8) -> Option<Self> {
        (prefix <= addr.width()).then_some(Self { addr, prefix })
    }

    /// Whether `other` is in this network (and of this version).
    #[inline]
    #[must_use]
    pub fn contains(&self, other: &Addr) -> bool {
        self.addr.is_v4() == other.is_v4()
            && self.addr.common_prefix(other) >= self.prefix.min(self.addr.width())
    }

    /// The first address: all host bits zero.
    #[must_use]
    pub fn network(&self) -> Addr {
        self.addr.with_host_bits(self.prefix, 0)
    }

    /// The directed broadcast address: all host bits one. `None` for IPv6, and for /31
    /// (RFC 3021 §2.1) and /32.
    #[must_use]
    pub fn broadcast(&self) -> Option<Addr> {
        (self.addr.is_v4() && self.prefix < 31).then(|| self.addr.with_host_bits(self.prefix, 0xff))
    }

    /// The prefix as a mask: `255.255.255.0` for /24.
    #[must_use]
    pub fn netmask(&self) -> Addr {
        let ones = if self.addr.is_v4() {
            Addr::V4_BROADCAST
        } else {
            Self::V6_ONES
        };
        ones.with_host_bits(self.prefix, 0)
    }

    #[cfg(feature = "ipv6")]
    const V6_ONES: Addr = Addr::v6([0xff; 16]);
    #[cfg(not(feature = "ipv6"))]
    const V6_ONES: Addr = Addr::V4_BROADCAST;
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr, self.prefix)
    }
}

impl fmt::Debug for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Cidr {
    type Err = ParseError;

    /// `10.0.0.2/24`; without a slash the whole address is the prefix.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text.split_once('/') {
            Some((addr, prefix)) if !prefix.starts_with('+') => {
                let prefix = prefix.parse().map_err(|_| ParseError)?;
                Self::new(addr.parse()?, prefix).ok_or(ParseError)
            }
            Some(_) => Err(ParseError),
            None => {
                let addr: Addr = text.parse()?;
                Ok(Self {
                    addr,
                    prefix: addr.width(),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests;
