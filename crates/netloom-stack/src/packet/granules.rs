//! Packets in chains of granules, which small and large packets share.

use netloom_wire::Addr;

use crate::list::{Kind, Links, Ref};
use crate::memory::slab::{Item, Slab};
use crate::packet::PacketKind;

/// Bytes of payload a granule carries: with its link it fills two cache lines.
const GRANULE: usize = 124;

/// A piece of a packet.
pub(crate) struct Granule {
    /// Index + 1 of the next one; 0 ends the chain.
    next: u32,
    bytes: [u8; GRANULE],
}

impl Item for Granule {
    const EMPTY: Granule = Granule {
        next: 0,
        bytes: [0; GRANULE],
    };
    fn free_link(&mut self) -> &mut u32 {
        &mut self.next
    }
}

/// A packet that waits to be sent.
pub(crate) struct Packet {
    pub(crate) links: Links,
    first: u32,
    pub(crate) len: u16,
    pub(crate) kind: PacketKind,
    pub(crate) iface: u8,
    /// The address to resolve on that interface.
    pub(crate) next_hop: Addr,
}

impl Item for Packet {
    const EMPTY: Packet = Packet {
        links: Links::EMPTY,
        first: 0,
        len: 0,
        kind: PacketKind::Ip,
        iface: 0,
        next_hop: Addr::UNSPECIFIED,
    };
    fn free_link(&mut self) -> &mut u32 {
        &mut self.first
    }
}

/// The store of such packets.
pub(crate) struct Packets {
    pub(crate) packets: Slab<Packet>,
    granules: Slab<Granule>,
}

impl Packets {
    pub(crate) const fn new(packets: Slab<Packet>, granules: Slab<Granule>) -> Packets {
        Packets { packets, granules }
    }

    /// How many there are.
    pub(crate) const fn len(&self) -> u32 {
        self.packets.len()
    }

    /// Whether packets that wait for a neighbour leave room to ask for it. Were they to take
    /// the last, nobody could ever be asked, and they would wait for good.
    pub(crate) fn leaves_room_to_ask(&self, len: usize) -> bool {
        let free = |used: u32, capacity: u32| capacity.saturating_sub(used);
        let packets = free(self.packets.len(), self.packets.capacity());
        let granules = free(self.granules.len(), self.granules.capacity());
        packets > 1 && (granules as usize) > len.div_ceil(GRANULE)
    }

    /// Bytes of memory taken.
    #[cfg(feature = "flows")]
    pub(crate) fn bytes(&self) -> usize {
        self.packets.bytes().saturating_add(self.granules.bytes())
    }

    /// Bytes of memory that would be taken for a packet of `len` bytes.
    #[cfg(feature = "flows")]
    pub(crate) fn growth(&self, len: usize) -> usize {
        let granules = u32::try_from(len.div_ceil(GRANULE)).unwrap_or(u32::MAX);
        let granules = self.granules.growth(granules);
        self.packets.growth(1).saturating_add(granules)
    }

    /// Takes the first memory: there is some for answers whatever takes the rest.
    #[cfg(all(feature = "flows", feature = "alloc"))]
    pub(crate) fn prepare(&mut self) {
        if let Some(index) = self.packets.insert() {
            self.packets.remove(index);
        }
        if let Some(index) = self.granules.insert() {
            self.granules.remove(index);
        }
    }

    /// Stores a packet, which comes in parts.
    ///
    /// `None` when the store is full: nothing is taken then.
    pub(crate) fn insert(
        &mut self,
        iface: u8,
        kind: PacketKind,
        next_hop: Addr,
        parts: [&[u8]; 3],
    ) -> Option<Ref> {
        let len = parts
            .iter()
            .fold(0_usize, |sum, part| sum.wrapping_add(part.len()));
        let short_len = u16::try_from(len).ok()?;
        let index = self.packets.insert()?;
        let packet = self.packets.get_mut(index)?;
        packet.len = short_len;
        packet.kind = kind;
        packet.iface = iface;
        packet.next_hop = next_hop;
        let mut covered = 0;
        while covered < len {
            let granule = self.granules.insert();
            let packet = self.packets.get_mut(index)?;
            let Some(granule) = granule else {
                self.remove(index);
                return None;
            };
            let next = core::mem::replace(&mut packet.first, granule.wrapping_add(1));
            self.granules.get_mut(granule)?.next = next;
            covered = covered.wrapping_add(GRANULE);
        }
        let first = self.packets.get(index)?.first;
        self.write(first, parts);
        Some(Ref::new(Kind::Packet, index))
    }

    /// Writes parts into a chain of granules (index + 1 of the first), which has room for them.
    fn write(&mut self, mut at: u32, parts: [&[u8]; 3]) {
        let mut offset = 0;
        for mut bytes in parts {
            while !bytes.is_empty() {
                let Some(granule) = at.checked_sub(1).and_then(|at| self.granules.get_mut(at))
                else {
                    return;
                };
                let n = GRANULE.wrapping_sub(offset).min(bytes.len());
                let (now, later) = bytes.split_at(n);
                let end = offset.wrapping_add(n);
                if let Some(room) = granule.bytes.get_mut(offset..end) {
                    room.copy_from_slice(now);
                }
                bytes = later;
                offset = end;
                if offset >= GRANULE {
                    offset = 0;
                    at = granule.next;
                }
            }
        }
    }

    /// Copies the beginning of a packet; returns its interface.
    #[cfg(all(feature = "ethernet", feature = "udp"))]
    pub(crate) fn head(&self, index: u32, out: &mut [u8]) -> Option<u8> {
        let packet = self.packets.get(index)?;
        let granule = self.granules.get(packet.first.checked_sub(1)?)?;
        let bytes = granule.bytes.get(..usize::from(packet.len).min(GRANULE))?;
        for (to, from) in out.iter_mut().zip(bytes) {
            *to = *from;
        }
        Some(packet.iface)
    }

    /// Copies a packet into `out`, which is at least as long as the packet.
    pub(crate) fn copy_to(&self, index: u32, out: &mut [u8]) {
        let Some(packet) = self.packets.get(index) else {
            return;
        };
        let mut at = packet.first;
        let out = out.get_mut(..usize::from(packet.len)).unwrap_or_default();
        for piece in out.chunks_mut(GRANULE) {
            let Some(granule) = at.checked_sub(1).and_then(|at| self.granules.get(at)) else {
                return;
            };
            for (to, from) in piece.iter_mut().zip(granule.bytes.iter()) {
                *to = *from;
            }
            at = granule.next;
        }
    }

    /// Gives a packet's memory back.
    pub(crate) fn remove(&mut self, index: u32) {
        if let Some(packet) = self.packets.get_mut(index) {
            let first = core::mem::take(&mut packet.first);
            self.free_chain(first);
            self.packets.remove(index);
        }
    }

    fn free_chain(&mut self, mut at: u32) {
        while let Some(index) = at.checked_sub(1) {
            let Some(granule) = self.granules.get_mut(index) else {
                return;
            };
            at = core::mem::take(&mut granule.next);
            self.granules.remove(index);
        }
    }
}
