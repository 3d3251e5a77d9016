//! UDP flows: a datagram that belongs to nobody opens one.

use netloom_wire::Addr;

use crate::counters::DropReason;
use crate::demux::UDP;
use crate::flow::table::Phase;
use crate::flow::{FlowCalls, FlowId, FlowProtocol, FlowTuple, Open, Refusal, Unreachable};
use crate::ip::{IcmpError, Packet, Refusal as PacketRefusal};
use crate::list::{Kind, Ref};
use crate::stack::Stack;
use crate::tuple::Tuple;
use crate::udp::queue::Meta;

impl Stack {
    /// A datagram that no socket takes, on the interface that takes everybody's.
    pub(crate) fn flow_datagram(
        &mut self,
        packet: &Packet<'_>,
        tuple: &Tuple,
        meta: &Meta,
        payload: &[u8],
    ) -> Result<(), PacketRefusal> {
        if meta.remote_port == 0 {
            // RFC 768: nobody can be answered there.
            return Err(DropReason::UdpMalformed.into());
        }
        let id = self
            .flow_udp_slot(UDP, tuple, packet.arrival.iface)
            .ok_or(DropReason::UdpFlowsFull)?;
        let asked = FlowTuple::of(FlowProtocol::Udp, tuple);
        match self.flow_opening(packet.arrival.flow, id, &asked) {
            Open::Accept => self.accept_flow_datagrams(id),
            Open::Hold => {}
            Open::Refuse(refusal) => {
                self.flow_refused(FlowProtocol::Udp, tuple, Some(refusal));
                self.forget_flow_udp(id);
                return Err(match refusal {
                    Refusal::Rst => {
                        PacketRefusal::Tell(DropReason::UdpFlowRefused, IcmpError::Port)
                    }
                    Refusal::Icmp(what) => PacketRefusal::Tell(
                        DropReason::UdpFlowRefused,
                        IcmpError::Unreachable(what),
                    ),
                    Refusal::Drop => DropReason::UdpFlowRefused.into(),
                });
            }
        }
        let Ok(index) = self.flow(id).map(|slot| slot.at.index()) else {
            return Ok(());
        };
        match self.flow_udp_input(index, meta, payload, packet.arrival.flow) {
            Some(Ok(())) => Ok(()),
            Some(Err(reason)) => Err(reason.into()),
            None => self.queue_datagram(index, meta, payload),
        }
    }

    /// A datagram for a UDP slot that is a flow's: `None` if it is to be queued, as for a socket.
    pub(crate) fn flow_udp_input(
        &mut self,
        index: u32,
        meta: &Meta,
        payload: &[u8],
        calls: Option<&dyn FlowCalls>,
    ) -> Option<Result<(), DropReason>> {
        let slot = self.tables.udp.get(index)?;
        let echo = slot.echo;
        let id = slot.flow;
        let flow = self.flow_mut(id).ok()?;
        let open = flow.phase == Phase::Open;
        if open {
            self.flow_is_active(id, echo);
        }
        let calls = calls.filter(|_| open)?;
        if echo {
            calls.echo(id, meta.remote_port, payload);
            return Some(Ok(()));
        }
        let taken = calls.data(id, payload);
        Some(if taken.bytes >= payload.len() {
            Ok(())
        } else {
            Err(DropReason::UdpQueueFull)
        })
    }

    /// Queues a datagram for who will read it.
    pub(super) fn queue_datagram(
        &mut self,
        index: u32,
        meta: &Meta,
        payload: &[u8],
    ) -> Result<(), PacketRefusal> {
        self.udp_memory(index);
        let slot = self
            .tables
            .udp
            .get_mut(index)
            .ok_or(DropReason::UdpNoSocket)?;
        slot.rx
            .push(&mut slot.rx_memory, meta, &[], payload)
            .map_err(|_| DropReason::UdpQueueFull)?;
        self.news(Ref::new(Kind::Udp, index));
        Ok(())
    }

    /// A UDP slot for a new flow, and the flow.
    pub(super) fn flow_udp_slot(
        &mut self,
        protocol: u8,
        tuple: &Tuple,
        iface: u8,
    ) -> Option<FlowId> {
        if !self.has_room_for_datagrams() {
            return None;
        }
        let index = self.tables.udp.insert()?;
        let item = Ref::new(Kind::Udp, index);
        let Some(id) = self.flow_new(item, Phase::Held) else {
            self.tables.udp.remove(index);
            return None;
        };
        if !self.demux.insert(&self.keys, protocol, tuple, item) {
            self.flow_forget(id);
            self.tables.udp.remove(index);
            return None;
        }
        let ttl = self.tunables.ip_default_ttl;
        if let Some(slot) = self.tables.udp.get_mut(index) {
            slot.open_flow(tuple, iface, ttl, id, protocol != UDP);
        }
        Some(id)
    }

    /// A held UDP or echo flow is accepted.
    pub(super) fn accept_flow_datagrams(&mut self, id: FlowId) {
        let Ok(slot) = self.flow_mut(id) else {
            return;
        };
        slot.phase = Phase::Open;
        let at = slot.at;
        let udp = self.tables.udp.get(at.index());
        let (echo, waits) = udp.map_or((false, false), |udp| (udp.echo, !udp.rx.is_empty()));
        self.flow_due_in(id, self.datagram_timeout(echo));
        if waits {
            self.news(at);
        }
        if !self.flows.calls_back {
            self.flow_news(id);
        }
    }

    /// Refuses a held UDP or echo flow, which is forgotten.
    pub(super) fn refuse_held_datagrams(&mut self, id: FlowId, refusal: Refusal) {
        let Ok(at) = self.flow(id).map(|slot| slot.at) else {
            return;
        };
        self.tell_datagrams(at.index(), refusal);
        self.flow_datagrams_refused(at.index(), Some(refusal));
        self.forget_flow_udp(id);
    }

    /// What is unreachable where nobody is: a datagram's port, an echo's host.
    pub(super) fn as_if_closed(&self, index: u32) -> Unreachable {
        match self.tables.udp.get(index) {
            Some(slot) if slot.echo => Unreachable::Host,
            Some(_) | None => Unreachable::Port,
        }
    }

    /// Closes what a UDP or echo flow is, and forgets it.
    pub(super) fn forget_flow_udp(&mut self, id: FlowId) {
        let Ok(at) = self.flow(id).map(|slot| slot.at) else {
            return;
        };
        self.close_udp_slot(at.index());
        self.flow_forget(id);
    }

    /// Something passed: a UDP or echo flow lives on. Its timer finds that out when it fires.
    #[inline]
    pub(crate) fn flow_is_active(&mut self, id: FlowId, echo: bool) {
        let after = self.datagram_timeout(echo);
        let now = self.clock.now;
        if let Ok(slot) = self.flow_mut(id) {
            if !after.is_zero() && slot.phase == Phase::Open {
                slot.deadline = now + after;
            }
        }
    }

    fn datagram_timeout(&self, echo: bool) -> core::time::Duration {
        if echo {
            self.flows.timeouts.echo_idle
        } else {
            self.flows.timeouts.udp_idle
        }
    }

    /// The next hop's MTU towards a UDP flow's peer, less the headers: what a datagram may carry.
    pub(super) fn flow_datagram_room(&mut self, dst: &Addr, iface: u8) -> usize {
        let mtu = usize::from(self.path_mtu(dst, iface));
        mtu.saturating_sub(crate::output::header_len(dst))
            .saturating_sub(8)
    }
}
