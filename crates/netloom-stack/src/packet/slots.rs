//! Packets in chains of slots: the first has what is known of the packet.

use netloom_wire::Addr;

use crate::list::{Kind, Links, Ref};
use crate::memory::slab::{Item, Slab};
use crate::packet::PacketKind;

/// Bytes of a packet that a slot carries.
const PIECE: usize = 124;

/// What [`Packet::next`] says of the last piece.
const END: u32 = 1;

/// What it says of the piece in slot 0.
const PIECES: u32 = 2;

/// A packet that waits to be sent, or a piece of one.
pub(crate) struct Packet {
    pub(crate) links: Links,
    /// Index + [`PIECES`] of the slot with the next piece, [`END`], or 0 where the slot is free.
    next: u32,
    /// Of the whole packet; 0 in the slots of its further pieces.
    pub(crate) len: u16,
    pub(crate) kind: PacketKind,
    pub(crate) iface: u8,
    /// The address to resolve on that interface.
    pub(crate) next_hop: Addr,
    bytes: [u8; PIECE],
}

impl Item for Packet {
    const EMPTY: Packet = Packet {
        links: Links::EMPTY,
        next: 0,
        len: 0,
        kind: PacketKind::Ip,
        iface: 0,
        next_hop: Addr::UNSPECIFIED,
        bytes: [0; PIECE],
    };

    fn is_free(&self) -> bool {
        self.next == 0
    }
}

/// The store of such packets.
pub(crate) struct Packets {
    pub(crate) packets: Slab<Packet>,
}

impl Packets {
    pub(crate) const fn new(packets: Slab<Packet>) -> Packets {
        Packets { packets }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> u32 {
        self.packets.items().filter(|slot| slot.len > 0).count() as u32
    }

    /// Whether packets that wait for a neighbour leave room to ask for it. Were they to take
    /// the last, nobody could ever be asked, and they would wait for good.
    pub(crate) fn leaves_room_to_ask(&self, len: usize) -> bool {
        let free = self.packets.capacity().saturating_sub(self.packets.len());
        (free as usize).saturating_mul(PIECE) >= len.saturating_add(PIECE)
    }

    /// Bytes of memory taken.
    #[cfg(feature = "flows")]
    pub(crate) fn bytes(&self) -> usize {
        self.packets.bytes()
    }

    /// Bytes of memory that would be taken for a packet of `len` bytes.
    #[cfg(feature = "flows")]
    pub(crate) fn growth(&self, len: usize) -> usize {
        let slots = u32::try_from(len.div_ceil(PIECE)).unwrap_or(u32::MAX);
        self.packets.growth(slots)
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
        let (mut first, mut room) = (END, 0);
        let index = loop {
            let Some(index) = self.packets.insert() else {
                self.free_chain(first);
                return None;
            };
            let slot = self.packets.get_mut(index)?;
            slot.next = first;
            first = index.wrapping_add(PIECES);
            room += PIECE;
            if room >= len {
                slot.len = short_len;
                slot.kind = kind;
                slot.iface = iface;
                slot.next_hop = next_hop;
                break index;
            }
        };
        self.write(first, parts);
        Some(Ref::new(Kind::Packet, index))
    }

    /// Writes parts into a chain of slots (index + 1 of the first), which has room for them.
    fn write(&mut self, mut at: u32, parts: [&[u8]; 3]) {
        let mut offset = 0;
        for mut bytes in parts {
            while !bytes.is_empty() {
                let Some(slot) = at
                    .checked_sub(PIECES)
                    .and_then(|at| self.packets.get_mut(at))
                else {
                    return;
                };
                let n = PIECE.wrapping_sub(offset).min(bytes.len());
                let (now, later) = bytes.split_at(n);
                let end = offset.wrapping_add(n);
                if let Some(room) = slot.bytes.get_mut(offset..end) {
                    room.copy_from_slice(now);
                }
                bytes = later;
                offset = end;
                if offset >= PIECE {
                    offset = 0;
                    at = slot.next;
                }
            }
        }
    }

    /// Copies the beginning of a packet; returns its interface.
    #[cfg(all(feature = "ethernet", feature = "udp"))]
    pub(crate) fn head(&self, index: u32, out: &mut [u8]) -> Option<u8> {
        let packet = self.packets.get(index)?;
        let bytes = packet.bytes.get(..usize::from(packet.len).min(PIECE))?;
        for (to, from) in out.iter_mut().zip(bytes) {
            *to = *from;
        }
        Some(packet.iface)
    }

    /// Copies a packet into `out`, which is at least as long as the packet.
    pub(crate) fn copy_to(&self, index: u32, out: &mut [u8]) {
        let Some(mut slot) = self.packets.get(index) else {
            return;
        };
        let out = out.get_mut(..usize::from(slot.len)).unwrap_or_default();
        for piece in out.chunks_mut(PIECE) {
            for (to, from) in piece.iter_mut().zip(slot.bytes.iter()) {
                *to = *from;
            }
            match slot
                .next
                .checked_sub(PIECES)
                .and_then(|at| self.packets.get(at))
            {
                Some(next) => slot = next,
                None => return,
            }
        }
    }

    /// Gives a packet's memory back.
    pub(crate) fn remove(&mut self, index: u32) {
        self.free_chain(index.wrapping_add(PIECES));
    }

    fn free_chain(&mut self, mut at: u32) {
        while let Some(index) = at.checked_sub(PIECES) {
            let Some(slot) = self.packets.get_mut(index) else {
                return;
            };
            at = slot.next;
            self.packets.remove(index);
        }
    }
}
