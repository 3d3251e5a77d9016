//! Datagrams out.

use netloom_driver::{FrameSink, TxCaps};
use netloom_wire::{Addr, Sum, UdpRepr, protocol, udp};

use crate::counters::{DropReason, Layer};
use crate::list::{Kind, Ref};
use crate::output::{Hop, IpHeader, TransportHeader, segment};
use crate::packet::PacketKind;
use crate::stack::{Sent, Stack, Turn};
use crate::udp::queue::Meta;

/// Datagrams of one socket in a turn, so that a busy one cannot starve the others.
const QUANTUM: usize = 16;

impl TransportHeader for UdpRepr {
    const CHECKSUM_AT: usize = 6;

    #[inline]
    fn len(&self) -> usize {
        udp::HEADER_LEN
    }

    #[inline]
    fn emit(&self, place: &mut [u8]) -> Sum {
        let _ = UdpRepr::emit(self, place);
        let ports = u64::from(self.src_port) << 16 | u64::from(self.dst_port);
        let len = u64::from(self.payload_len).wrapping_add(udp::HEADER_LEN as u64);
        Sum::of_words(ports.wrapping_add(len << 16))
    }
}

impl Stack {
    /// A socket's turn to send.
    pub(crate) fn udp_turn(
        &mut self,
        iface: u8,
        index: u32,
        caps: &TxCaps,
        sink: &mut dyn FrameSink,
        sent: &mut Sent,
    ) -> Turn {
        for _ in 0..QUANTUM {
            let Some(slot) = self.tables.udp.get(index).filter(|slot| slot.live) else {
                return Turn::Done;
            };
            let Some((meta, payload)) = slot.tx.front(&slot.tx_memory) else {
                return Turn::Done;
            };
            let (dst, dst_port, out_iface) = (meta.remote, meta.remote_port, meta.iface);
            let local = meta.local;
            let len = payload.0.len().wrapping_add(payload.1.len());
            if out_iface != iface {
                // The next datagram leaves by another interface: wait there.
                self.owe(out_iface, Ref::new(Kind::Udp, index));
                return Turn::Done;
            }
            //= https://www.rfc-editor.org/rfc/rfc1122#section-4.1.3.6
            //# When a host sends a UDP datagram, the source address MUST be
            //# (one of) the IP address(es) of the host.
            if !local.is_unspecified() && !self.speaks_for(&local) {
                self.drop_datagram(index, DropReason::SourceGone);
                continue;
            }
            let next_hop = self.udp_next_hop(&dst, iface);
            let link = match next_hop.map(|next_hop| self.hop(iface, &next_hop)) {
                Some(Hop::Ready(link)) => link,
                Some(Hop::Wait(id)) => {
                    // Apart, so that datagrams to others need not wait too; the socket waits
                    // itself only if there is no room for that.
                    if self.hold_datagram(iface, index, id) {
                        continue;
                    }
                    if self.wait_for(id, Ref::new(Kind::Udp, index)) {
                        return Turn::Done;
                    }
                    self.drop_datagram(index, DropReason::NeighborFull);
                    continue;
                }
                Some(Hop::Nowhere(reason)) => {
                    self.drop_datagram(index, reason);
                    continue;
                }
                None => {
                    self.drop_datagram(index, DropReason::NoRoute);
                    continue;
                }
            };
            let Some(slot) = self.tables.udp.get(index) else {
                return Turn::Done;
            };
            let Some((meta, payload)) = slot.tx.front(&slot.tx_memory) else {
                return Turn::Done;
            };
            let ip = ip_header(&meta);
            let repr = UdpRepr {
                src_port: slot.tuple.local_port,
                dst_port,
                payload_len: len as u16,
            };
            let total = ip.len().wrapping_add(udp::HEADER_LEN).wrapping_add(len);
            if total > usize::from(caps.mtu) {
                self.drop_datagram(index, DropReason::TooBig);
                continue;
            }
            let result = segment(sink, caps, &link, &ip, &repr, payload, None);
            if result.is_err() {
                return Turn::Full;
            }
            self.count_sent(sent);
            self.pop_datagram(index);
        }
        Turn::Again
    }

    /// Puts a socket's front datagram, as a packet of its own, on the waiting list of its
    /// neighbour. `false` if there is no room.
    fn hold_datagram(&mut self, iface: u8, index: u32, id: crate::neighbor::NeighborId) -> bool {
        let Some(slot) = self.tables.udp.get(index) else {
            return false;
        };
        let Some((meta, payload)) = slot.tx.front(&slot.tx_memory) else {
            return false;
        };
        let Some(next_hop) = self.neighbors.get(id).map(|neighbor| *neighbor.addr()) else {
            return false;
        };
        let ip = ip_header(&meta);
        let len = payload.0.len().wrapping_add(payload.1.len());
        let udp_len = udp::HEADER_LEN.wrapping_add(len);
        let total = ip.len().wrapping_add(udp_len);
        #[cfg(feature = "flows")]
        if !self.leaves_room_for_packet(total) {
            return false;
        }
        let packets = &mut self.tables.packets;
        if !packets.leaves_room_to_ask(total) {
            return false;
        }
        let repr = UdpRepr {
            src_port: slot.tuple.local_port,
            dst_port: meta.remote_port,
            payload_len: len as u16,
        };
        let sum = Sum::new().add(payload.0).add(payload.1);
        //= https://www.rfc-editor.org/rfc/rfc1122#section-4.1.3.4
        //# An application MAY optionally be able to
        //# control whether a UDP checksum will be generated, but it
        //# MUST default to checksumming on.
        let checksum = repr.checksum(&ip.src, &ip.dst, sum);
        let mut headers = [0; 40 + udp::HEADER_LEN];
        let header = ip.emit(&mut headers, udp_len);
        let _ = repr.emit(header);
        udp::set_checksum(header, checksum);
        let headers = headers
            .get(..ip.len() + udp::HEADER_LEN)
            .unwrap_or_default();
        let parts = [headers, payload.0, payload.1];
        let item = packets.insert(iface, PacketKind::Ip, next_hop, parts);
        let Some(item) = item else {
            return false;
        };
        self.counters.receive(Layer::Output);
        self.counters.hold(Layer::Output);
        if !self.wait_for(id, item) {
            self.drop_held(item.index(), DropReason::NeighborFull);
        }
        self.pop_datagram(index);
        true
    }

    fn drop_datagram(&mut self, index: u32, reason: DropReason) {
        self.drop_output(reason);
        self.pop_datagram(index);
    }

    /// The front datagram is gone: there is room for another.
    pub(super) fn pop_datagram(&mut self, index: u32) {
        if let Some(slot) = self.tables.udp.get_mut(index) {
            slot.tx.pop(&slot.tx_memory);
            let drained = slot.tx.is_empty();
            if slot.wants_room {
                slot.wants_room = false;
                self.news(Ref::new(Kind::Udp, index));
            }
            // Flows are many: none keeps memory that it does not use.
            #[cfg(feature = "flows")]
            if drained && self.flows.is_open() {
                self.give_udp_memory(index);
            }
            let _ = drained;
        }
    }
}

/// The network header of a queued datagram.
fn ip_header(meta: &Meta) -> IpHeader {
    // The queue does not keep which version's unspecified address it was.
    let src = if meta.local.is_unspecified() && meta.remote.is_v4() {
        Addr::V4_UNSPECIFIED
    } else {
        meta.local
    };
    IpHeader {
        src,
        dst: meta.remote,
        protocol: protocol::UDP,
        ttl: meta.hop_limit,
        tos: meta.tos,
    }
}
