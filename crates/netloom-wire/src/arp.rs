//! ARP for IPv4 over Ethernet (RFC 826).

use crate::addr::Addr;
use crate::bytes::Fields;
use crate::mac::MacAddr;
use crate::{EtherType, WireError};

/// An ARP packet for IPv4 over Ethernet: 28 bytes.
pub const LEN: usize = 28;

/// Hardware type Ethernet, protocol IPv4, their address lengths 6 and 4.
const ETHERNET_IPV4: [u8; 6] = {
    let [high, low] = EtherType::IPV4.0.to_be_bytes();
    [0, 1, high, low, 6, 4]
};

/// What an ARP packet says.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum ArpOperation {
    /// Who has the target address?
    Request,
    /// The sender has its address.
    Reply,
    /// Another operation code, such as RARP's.
    Other(u16),
}

impl From<u16> for ArpOperation {
    fn from(code: u16) -> Self {
        match code {
            1 => Self::Request,
            2 => Self::Reply,
            code => Self::Other(code),
        }
    }
}

impl From<ArpOperation> for u16 {
    fn from(operation: ArpOperation) -> Self {
        match operation {
            ArpOperation::Request => 1,
            ArpOperation::Reply => 2,
            ArpOperation::Other(code) => code,
        }
    }
}

/// An ARP packet known to be for IPv4 over Ethernet.
#[derive(Copy, Clone, Debug)]
pub struct ArpView<'a> {
    packet: &'a [u8; LEN],
}

impl<'a> ArpView<'a> {
    /// Checks the address types and their lengths. Padding after the packet is ignored.
    ///
    /// # Errors
    /// [`Truncated`](WireError::Truncated) below 28 bytes,
    /// [`BadHardwareType`](WireError::BadHardwareType).
    #[inline]
    pub fn new(packet: &'a [u8]) -> Result<Self, WireError> {
        let packet = packet.first_chunk::<LEN>().ok_or(WireError::Truncated)?;
        // RFC 826: "?Do I have the hardware type in ar$hrd?"
        if *packet.array_at::<0, 6>() != ETHERNET_IPV4 {
            return Err(WireError::BadHardwareType);
        }
        Ok(Self { packet })
    }

    /// Request, reply, or something else.
    #[inline]
    #[must_use]
    pub fn operation(&self) -> ArpOperation {
        self.packet.u16_at::<6>().into()
    }

    /// Who sends this.
    #[inline]
    #[must_use]
    pub fn sender_mac(&self) -> MacAddr {
        MacAddr(*self.packet.array_at::<8, 6>())
    }

    /// The sender's IPv4 address; `0.0.0.0` in a probe (RFC 5227 §2.1.1).
    #[inline]
    #[must_use]
    pub fn sender_ip(&self) -> Addr {
        Addr::v4(*self.packet.array_at::<14, 4>())
    }

    /// The station addressed; without meaning in a request.
    #[inline]
    #[must_use]
    pub fn target_mac(&self) -> MacAddr {
        MacAddr(*self.packet.array_at::<18, 6>())
    }

    /// The IPv4 address asked for, or answered to.
    #[inline]
    #[must_use]
    pub fn target_ip(&self) -> Addr {
        Addr::v4(*self.packet.array_at::<24, 4>())
    }
}

/// An ARP packet for IPv4 over Ethernet.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct ArpRepr {
    /// Request or reply.
    pub operation: ArpOperation,
    /// Who sends this.
    pub sender_mac: MacAddr,
    /// The sender's IPv4 address.
    pub sender_ip: Addr,
    /// The station addressed; zero in a request.
    pub target_mac: MacAddr,
    /// The IPv4 address asked for, or answered to.
    pub target_ip: Addr,
}

impl ArpRepr {
    /// A received packet.
    #[must_use]
    pub fn parse(view: &ArpView<'_>) -> Self {
        Self {
            operation: view.operation(),
            sender_mac: view.sender_mac(),
            sender_ip: view.sender_ip(),
            target_mac: view.target_mac(),
            target_ip: view.target_ip(),
        }
    }

    /// The reply that a station with `mac` gives to this request: the addresses change places.
    #[must_use]
    pub const fn reply(&self, mac: MacAddr) -> Self {
        // RFC 826: "Swap hardware and protocol fields, putting the local hardware and protocol
        // addresses in the sender fields."
        Self {
            operation: ArpOperation::Reply,
            sender_mac: mac,
            sender_ip: self.target_ip,
            target_mac: self.sender_mac,
            target_ip: self.sender_ip,
        }
    }

    /// Writes [`LEN`] bytes; returns what follows them.
    ///
    /// # Errors
    /// [`BufferTooSmall`](WireError::BufferTooSmall);
    /// [`BadAddress`](WireError::BadAddress) if an address is not IPv4.
    pub fn emit<'b>(&self, buf: &'b mut [u8]) -> Result<&'b mut [u8], WireError> {
        let (packet, rest) = buf
            .split_first_chunk_mut::<LEN>()
            .ok_or(WireError::BufferTooSmall)?;
        let (Some(sender_ip), Some(target_ip)) =
            (self.sender_ip.v4_octets(), self.target_ip.v4_octets())
        else {
            return Err(WireError::BadAddress);
        };
        packet.put::<0, 6>(ETHERNET_IPV4);
        packet.put_u16::<6>(self.operation.into());
        packet.put::<8, 6>(self.sender_mac.0);
        packet.put::<14, 4>(sender_ip);
        packet.put::<18, 6>(self.target_mac.0);
        packet.put::<24, 4>(target_ip);
        Ok(rest)
    }
}

#[cfg(test)]
mod tests;
