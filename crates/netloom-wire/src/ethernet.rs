//! Ethernet II frames, with up to two 802.1Q tags.

use crate::WireError;
use crate::bytes::Fields;
use crate::mac::MacAddr;
use crate::vlan::VlanTag;

/// What an Ethernet frame carries. Values below 0x600 are IEEE 802.3 lengths.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EtherType(pub u16);

impl EtherType {
    /// IPv4 (RFC 894).
    pub const IPV4: Self = Self(0x0800);
    /// Address Resolution Protocol (RFC 826).
    pub const ARP: Self = Self(0x0806);
    /// 802.1Q tag.
    pub const VLAN: Self = Self(0x8100);
    /// 802.1ad service tag, the outer one of two.
    pub const SERVICE_VLAN: Self = Self(0x88a8);
    /// IPv6 (RFC 2464).
    pub const IPV6: Self = Self(0x86dd);

    /// Whether the field is a type rather than an IEEE 802.3 length.
    #[inline]
    #[must_use]
    pub const fn is_type(self) -> bool {
        self.0 >= 0x600
    }

    #[inline]
    const fn is_tag(self) -> bool {
        self.0 == Self::VLAN.0 || self.0 == Self::SERVICE_VLAN.0
    }
}

/// Destination, source and type: 14 bytes, without tags.
pub const HEADER_LEN: usize = 14;

/// A frame whose header, tags included, is known to be there.
#[derive(Copy, Clone, Debug)]
pub struct EthernetView<'a> {
    header: &'a [u8; HEADER_LEN],
    /// Outermost first.
    tags: [Option<VlanTag>; 2],
    ethertype: EtherType,
    payload: &'a [u8],
}

impl<'a> EthernetView<'a> {
    /// Reads the header and at most two tags.
    ///
    /// # Errors
    /// [`Truncated`](WireError::Truncated) if the frame is shorter than its header;
    /// [`TooManyHeaders`](WireError::TooManyHeaders) for a third tag.
    #[inline]
    pub fn new(frame: &'a [u8]) -> Result<Self, WireError> {
        let view = Self::untagged(frame)?;
        if view.ethertype.is_tag() {
            view.untag()
        } else {
            Ok(view)
        }
    }

    /// Reads the header alone: of a tagged frame, the tag is what it carries.
    ///
    /// # Errors
    /// [`Truncated`](WireError::Truncated) if the frame is shorter than its header.
    #[inline]
    pub fn untagged(frame: &'a [u8]) -> Result<Self, WireError> {
        let (header, payload) = frame.split_first_chunk().ok_or(WireError::Truncated)?;
        Ok(Self {
            header,
            tags: [None, None],
            ethertype: EtherType(header.u16_at::<12>()),
            payload,
        })
    }

    /// Tagged frames are the rare ones, so their walk stays out of line.
    #[cold]
    fn untag(mut self) -> Result<Self, WireError> {
        for tag in &mut self.tags {
            if !self.ethertype.is_tag() {
                break;
            }
            let (tagged, payload) = self
                .payload
                .split_first_chunk::<4>()
                .ok_or(WireError::Truncated)?;
            *tag = Some(VlanTag::from_tci(self.ethertype, tagged.u16_at::<0>()));
            self.ethertype = EtherType(tagged.u16_at::<2>());
            self.payload = payload;
        }
        if self.ethertype.is_tag() {
            Err(WireError::TooManyHeaders)
        } else {
            Ok(self)
        }
    }

    /// The station or group addressed.
    #[inline]
    #[must_use]
    pub fn dst(&self) -> MacAddr {
        MacAddr(*self.header.array_at::<0, 6>())
    }

    /// The sending station.
    #[inline]
    #[must_use]
    pub fn src(&self) -> MacAddr {
        MacAddr(*self.header.array_at::<6, 6>())
    }

    /// What the payload is, after the tags.
    #[inline]
    #[must_use]
    pub const fn ethertype(&self) -> EtherType {
        self.ethertype
    }

    /// The tag nearest the payload: the customer's VLAN, where there are two.
    #[inline]
    #[must_use]
    pub fn vlan(&self) -> Option<VlanTag> {
        let [outer, inner] = self.tags;
        inner.or(outer)
    }

    /// The outer tag of two.
    #[inline]
    #[must_use]
    pub fn service_vlan(&self) -> Option<VlanTag> {
        let [outer, inner] = self.tags;
        inner.and(outer)
    }

    /// Everything after header and tags. It may end in padding: the IP length tells.
    #[inline]
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Bytes before the payload: 14, 18 or 22.
    #[inline]
    #[must_use]
    pub fn header_len(&self) -> usize {
        HEADER_LEN + self.tags.iter().flatten().count() * VlanTag::LEN
    }

    /// Its ARP packet.
    ///
    /// # Errors
    /// [`BadProtocol`](WireError::BadProtocol) if it is not ARP, else those of
    /// [`ArpView::new`](crate::ArpView::new).
    #[cfg(feature = "ipv4")]
    #[inline]
    pub fn arp(&self) -> Result<crate::ArpView<'a>, WireError> {
        self.carries(EtherType::ARP)?;
        crate::ArpView::new(self.payload)
    }

    /// Its IPv4 packet.
    ///
    /// # Errors
    /// [`BadProtocol`](WireError::BadProtocol) if it is not IPv4, else those of
    /// [`Ipv4View::new`](crate::Ipv4View::new).
    #[cfg(feature = "ipv4")]
    #[inline]
    pub fn ipv4(&self) -> Result<crate::Ipv4View<'a>, WireError> {
        self.carries(EtherType::IPV4)?;
        crate::Ipv4View::new(self.payload)
    }

    /// Its IPv6 packet.
    ///
    /// # Errors
    /// [`BadProtocol`](WireError::BadProtocol) if it is not IPv6, else those of
    /// [`Ipv6View::new`](crate::Ipv6View::new).
    #[cfg(feature = "ipv6")]
    #[inline]
    pub fn ipv6(&self) -> Result<crate::Ipv6View<'a>, WireError> {
        self.carries(EtherType::IPV6)?;
        crate::Ipv6View::new(self.payload)
    }

    /// Its IP packet, of the version the type field names.
    ///
    /// # Errors
    /// [`BadProtocol`](WireError::BadProtocol) if it is not IP, else those of the version's view.
    #[inline]
    pub fn ip(&self) -> Result<crate::IpView<'a>, WireError> {
        match self.ethertype {
            #[cfg(feature = "ipv4")]
            EtherType::IPV4 => crate::Ipv4View::new(self.payload).map(crate::IpView::V4),
            #[cfg(feature = "ipv6")]
            EtherType::IPV6 => crate::Ipv6View::new(self.payload).map(crate::IpView::V6),
            _ => Err(WireError::BadProtocol),
        }
    }

    #[inline]
    #[allow(dead_code, reason = "unused without an IP version")]
    fn carries(&self, ethertype: EtherType) -> Result<(), WireError> {
        if self.ethertype == ethertype {
            Ok(())
        } else {
            Err(WireError::BadProtocol)
        }
    }
}

/// An Ethernet header to be written, with at most one tag.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct EthernetRepr {
    /// The station or group addressed.
    pub dst: MacAddr,
    /// The sending station.
    pub src: MacAddr,
    /// What the payload is.
    pub ethertype: EtherType,
    /// The tag, if the frame belongs to a VLAN.
    pub vlan: Option<VlanTag>,
}

impl EthernetRepr {
    /// The header of a received frame. Of two tags the inner one is kept.
    #[must_use]
    pub fn parse(view: &EthernetView<'_>) -> Self {
        Self {
            dst: view.dst(),
            src: view.src(),
            ethertype: view.ethertype(),
            vlan: view.vlan(),
        }
    }

    /// Bytes the header takes: 14, or 18 with a tag.
    #[inline]
    #[must_use]
    pub const fn header_len(&self) -> usize {
        match self.vlan {
            None => HEADER_LEN,
            Some(_) => HEADER_LEN + VlanTag::LEN,
        }
    }

    /// Writes the header; returns what follows it.
    ///
    /// # Errors
    /// [`BufferTooSmall`](WireError::BufferTooSmall).
    // Always on small machines: what is made of it there has no tag.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(always))]
    pub fn emit<'b>(&self, buf: &'b mut [u8]) -> Result<&'b mut [u8], WireError> {
        let (header, mut rest) = buf
            .split_first_chunk_mut::<HEADER_LEN>()
            .ok_or(WireError::BufferTooSmall)?;
        let mut kind = self.ethertype;
        if let Some(tag) = self.vlan {
            let (tagged, after) = rest
                .split_first_chunk_mut::<4>()
                .ok_or(WireError::BufferTooSmall)?;
            tagged.put_u16::<0>(tag.tci());
            tagged.put_u16::<2>(self.ethertype.0);
            kind = tag.kind;
            rest = after;
        }
        header.put::<0, 6>(self.dst.0);
        header.put::<6, 6>(self.src.0);
        header.put_u16::<12>(kind.0);
        Ok(rest)
    }
}

#[cfg(test)]
mod tests;
