//! Datagrams out.

use netloom_driver::{FrameSink, TxCaps};
use netloom_wire::{UdpRepr, protocol, udp};

use crate::counters::DropReason;
use crate::list::{Kind, Ref};
use crate::output::{Hop, IpHeader, segment};
use crate::stack::{Sent, Stack, Turn};

/// Datagrams of one socket in a turn, so that a busy one cannot starve the others.
const QUANTUM: usize = 16;

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
            let len = payload.0.len().wrapping_add(payload.1.len());
            if out_iface != iface {
                // The next datagram leaves by another interface: wait there.
                self.owe(out_iface, Ref::new(Kind::Udp, index));
                return Turn::Done;
            }
            let next_hop = self.udp_next_hop(&dst, iface);
            let link = match next_hop.map(|next_hop| self.hop(iface, &next_hop)) {
                Some(Hop::Ready(link)) => link,
                Some(Hop::Wait(id)) => {
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
            let ip = IpHeader {
                src: meta.local,
                dst: meta.remote,
                protocol: protocol::UDP,
                ttl: meta.hop_limit,
                tos: meta.tos,
            };
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
            let result = segment(
                sink,
                caps,
                &link,
                &ip,
                udp::HEADER_LEN,
                6,
                &mut |header| {
                    let _ = repr.emit(header);
                },
                payload,
                None,
            );
            if result.is_err() {
                return Turn::Full;
            }
            self.count_sent(sent);
            self.pop_datagram(index);
        }
        Turn::Again
    }

    fn drop_datagram(&mut self, index: u32, reason: DropReason) {
        self.drop_output(reason);
        self.pop_datagram(index);
    }

    /// The front datagram is gone: there is room for another.
    fn pop_datagram(&mut self, index: u32) {
        if let Some(slot) = self.tables.udp.get_mut(index) {
            slot.tx.pop(&slot.tx_memory);
            if slot.wants_room {
                slot.wants_room = false;
                self.news(Ref::new(Kind::Udp, index));
            }
        }
    }
}
