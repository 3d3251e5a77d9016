//! Packets that no connection or socket holds: answers without a connection (RST, ICMP, ARP)
//! and datagrams that wait for their neighbour's address.
//!
//! A packet is a complete IP packet in a chain of pieces of 124 bytes taken from one bounded
//! store, so that memory for them is flat, declared, and shared by small and large packets
//! alike. On the heap the pieces are apart from what is known of the packet; on lent memory alone,
//! where there are a handful of either, they are one.

#[cfg(feature = "alloc")]
mod granules;
#[cfg(not(feature = "alloc"))]
mod slots;

#[cfg(feature = "alloc")]
pub(crate) use granules::{Granule, Packet, Packets};
#[cfg(not(feature = "alloc"))]
pub(crate) use slots::{Packet, Packets};

/// What a held packet is, as far as sending it differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum PacketKind {
    /// A complete IP packet; its next hop is resolved when it is sent.
    Ip = 0,
    /// A complete frame with its link header (ARP).
    Frame = 1,
}
