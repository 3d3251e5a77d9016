//! 802.1Q tags.

use crate::ethernet::EtherType;

/// The tag control information of an 802.1Q tag, and which tag type carried it.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct VlanTag {
    /// VLAN identifier, 0..=4095; 0 is a priority tag, 4095 is reserved.
    pub id: u16,
    /// Priority code point, 0..=7.
    pub priority: u8,
    /// Drop eligible indicator.
    pub drop_eligible: bool,
    /// [`EtherType::VLAN`] (802.1Q) or [`EtherType::SERVICE_VLAN`] (802.1ad).
    pub kind: EtherType,
}

impl VlanTag {
    /// Bytes a tag adds to a frame: its type and its control information.
    pub const LEN: usize = 4;

    /// A plain 802.1Q tag of priority 0.
    #[must_use]
    pub const fn new(id: u16) -> Self {
        Self {
            id: id & 0xfff,
            priority: 0,
            drop_eligible: false,
            kind: EtherType::VLAN,
        }
    }

    /// From the 16 bits of tag control information.
    #[inline]
    #[must_use]
    pub const fn from_tci(kind: EtherType, tci: u16) -> Self {
        Self {
            id: tci & 0xfff,
            priority: (tci >> 13) as u8,
            drop_eligible: tci & 0x1000 != 0,
            kind,
        }
    }

    /// The 16 bits of tag control information. Bits that do not fit their field are dropped.
    #[inline]
    #[must_use]
    pub const fn tci(&self) -> u16 {
        ((self.priority as u16) << 13) | ((self.drop_eligible as u16) << 12) | (self.id & 0xfff)
    }
}
