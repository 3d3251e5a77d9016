//! TCP flows: a SYN for anybody, held or answered; text lent to the handler.

use netloom_tcp::{CloseReason, Connection, HalfOpen, Segment, SeqNum, SynOffer, closed, listen};

use crate::counters::{DropReason, count};
use crate::demux::TCP;
use crate::flow::table::{FlowFlags, Phase};
use crate::flow::{FlowCalls, FlowId, FlowProtocol, FlowTuple, Open, Refusal};
use crate::ip::{IcmpError, Packet};
use crate::list::{Kind, Ref};
use crate::stack::Stack;
use crate::tcp::Flags;
use crate::tuple::Tuple;
use crate::waiting::On;

/// Places that are kept free by handshakes giving way: that of a flow is free only once its end was
/// told.
const FEW_LEFT: u32 = 16;

impl Stack {
    /// A segment that belongs to nothing, on the interface that takes everybody's.
    pub(crate) fn flow_segment(
        &mut self,
        tuple: &Tuple,
        packet: &Packet<'_>,
        segment: &Segment<'_>,
        min_iss: Option<SeqNum>,
    ) -> Result<(), DropReason> {
        match listen::receive(segment) {
            listen::Disposition::Drop(_) => Err(DropReason::TcpNotSyn),
            listen::Disposition::Reset(_) => {
                self.send_reset(tuple, Some(packet.arrival.iface), segment);
                Err(DropReason::TcpNoSocket)
            }
            listen::Disposition::Syn(offer) => self.flow_syn(tuple, packet, &offer, min_iss),
        }
    }

    /// A connection request.
    fn flow_syn(
        &mut self,
        tuple: &Tuple,
        packet: &Packet<'_>,
        offer: &SynOffer,
        min_iss: Option<SeqNum>,
    ) -> Result<(), DropReason> {
        let index = self.flow_syn_entry().ok_or(DropReason::TcpSynQueueFull)?;
        let item = Ref::new(Kind::HalfOpen, index);
        let Some(id) = self.flow_new(item, Phase::Held) else {
            self.tables.half_open.remove(index);
            return Err(DropReason::TcpFlowsFull);
        };
        let mut iss = self.isn(tuple);
        if let Some(min) = min_iss {
            // RFC 9293 §3.6.1: larger than any the old incarnation used.
            if iss.lt(min) {
                iss = min;
            }
        }
        let half = HalfOpen::new(iss, offer, &self.tunables.tcp);
        if let Some(entry) = self.tables.half_open.get_mut(index) {
            entry.tuple = *tuple;
            entry.half = half;
        }
        self.lend_to_flow(index, id.place());
        if !self.demux.insert(&self.keys, TCP, tuple, item) {
            self.tables.half_open.remove(index);
            self.flow_forget(id);
            return Err(DropReason::TcpFlowsFull);
        }
        let asked = FlowTuple::of(FlowProtocol::Tcp, tuple);
        match self.flow_opening(packet.arrival.flow, id, &asked) {
            Open::Accept => self.answer_flow_syn(id, index),
            Open::Hold => {}
            Open::Refuse(refusal) => {
                self.forget_flow_syn(index);
                self.flow_forget(id);
                self.flow_refused(FlowProtocol::Tcp, tuple, Some(refusal));
                self.refuse_syn(tuple, packet, offer.irs, refusal);
                return Err(DropReason::TcpFlowRefused);
            }
        }
        Ok(())
    }

    /// Asks who decides what becomes of a flow, which is held meanwhile.
    pub(super) fn flow_opening(
        &mut self,
        calls: Option<&dyn FlowCalls>,
        id: FlowId,
        tuple: &FlowTuple,
    ) -> Open {
        self.flow_due_in(id, self.flows.timeouts.hold);
        match calls {
            Some(calls) => calls.opening(id, tuple),
            None => {
                self.flow_news(id);
                Open::Hold
            }
        }
    }

    /// A free SYN entry. When there are few places left, the handshake gives way that is under way
    /// longest: an honest one is complete before as many others have begun.
    fn flow_syn_entry(&mut self) -> Option<u32> {
        if !self.has_room_for_connection() {
            return None;
        }
        if self.tables.half_open.is_full() || !self.has_room_for_syns(FEW_LEFT) {
            let oldest = self.first(On::handshake(0));
            if oldest.kind() == Some(Kind::HalfOpen) {
                self.drop_half_open(oldest.index());
            }
        }
        if !self.has_room_for_syns(1) {
            return None;
        }
        self.tables.half_open.insert()
    }

    /// Has a SYN answered whose flow is accepted.
    fn answer_flow_syn(&mut self, id: FlowId, index: u32) {
        if let Ok(slot) = self.flow_mut(id) {
            slot.phase = Phase::Opening;
        }
        self.flow_due_in(id, self.flows.timeouts.syn);
        self.push_control(self.flow_iface(), Ref::new(Kind::HalfOpen, index));
    }

    /// Accepts a held TCP flow.
    pub(super) fn accept_flow_syn(&mut self, id: FlowId, index: u32) {
        self.answer_flow_syn(id, index);
    }

    /// Refuses a held TCP flow, which is forgotten.
    pub(super) fn refuse_held_syn(&mut self, id: FlowId, index: u32, refusal: Refusal) {
        let Some(entry) = self.tables.half_open.get(index) else {
            return;
        };
        let (tuple, irs) = (entry.tuple, entry.half.irs());
        self.forget_flow_syn(index);
        self.flow_forget(id);
        match refusal {
            Refusal::Rst => self.reset_syn(&tuple, irs),
            Refusal::Icmp(unreachable) => self.quote_syn(&tuple, irs, unreachable),
            Refusal::Drop => {}
        }
        self.flow_refused(FlowProtocol::Tcp, &tuple, Some(refusal));
    }

    /// Answers a SYN that is refused while its packet is at hand.
    fn refuse_syn(&mut self, tuple: &Tuple, packet: &Packet<'_>, irs: SeqNum, refusal: Refusal) {
        match refusal {
            Refusal::Rst => self.reset_syn(tuple, irs),
            Refusal::Icmp(unreachable) => {
                self.send_icmp_error(packet, IcmpError::Unreachable(unreachable));
            }
            Refusal::Drop => {}
        }
    }

    /// The reset that a closed port answers a SYN with.
    fn reset_syn(&mut self, tuple: &Tuple, irs: SeqNum) {
        let syn = Segment {
            seq: irs,
            ack: SeqNum(0),
            flags: netloom_wire::TcpFlags::SYN,
            window: 0,
            urgent: 0,
            timestamps: None,
            options: &[],
            payload: &[],
            count: 1,
            ce: false,
        };
        if let Some(reset) = closed::reset_for(&syn) {
            self.send_reply(tuple, Some(self.flow_iface()), &reset.into());
        }
    }

    /// The interface flows are on.
    pub(super) fn flow_iface(&self) -> u8 {
        self.flows.iface.wrapping_sub(1)
    }

    /// Ends a SYN entry that is held: its peer is refused by a reset. `None`: as nobody decided.
    pub(super) fn abort_held_syn(&mut self, index: u32, refusal: Option<Refusal>) {
        if let Some(entry) = self.tables.half_open.get(index) {
            let (tuple, irs) = (entry.tuple, entry.half.irs());
            self.forget_flow_syn(index);
            self.reset_syn(&tuple, irs);
            self.flow_refused(FlowProtocol::Tcp, &tuple, refusal);
        }
    }

    /// Ends a SYN entry that is answered.
    pub(super) fn abort_flow_syn(&mut self, index: u32) {
        let Some(entry) = self.tables.half_open.get(index) else {
            return;
        };
        let (tuple, irs, iss) = (entry.tuple, entry.half.irs(), entry.half.iss());
        self.forget_flow_syn(index);
        let reset = netloom_tcp::Reset {
            seq: iss.plus(1),
            ack: irs.plus(1),
            flags: netloom_wire::TcpFlags::RST | netloom_wire::TcpFlags::ACK,
        };
        self.send_reply(&tuple, Some(self.flow_iface()), &reset.into());
    }

    /// Takes the SYN entry of a flow out of every list and table: no listener counts it.
    fn forget_flow_syn(&mut self, index: u32) {
        if let Some(entry) = self.tables.half_open.get(index) {
            let tuple = entry.tuple;
            self.forget_half_open(index, &tuple);
        }
    }

    /// Has a SYN entry name the flow that it is; 0: none. There is no room for that beside its
    /// timestamp, which the flow keeps meanwhile.
    pub(crate) fn lend_to_flow(&mut self, index: u32, flow: u32) {
        if let (Some(entry), Some(slot)) = (
            self.tables.half_open.get_mut(index),
            flow.checked_sub(1)
                .and_then(|i| self.tables.flows.get_mut(i)),
        ) {
            slot.window = entry.half.lend_room(flow);
        }
    }

    /// Whether a SYN entry is of a flow.
    pub(crate) fn is_flow_syn(&self, index: u32) -> bool {
        let entry = self.tables.half_open.get(index);
        entry.is_some_and(|entry| entry.flow() != 0)
    }

    /// A segment for the SYN entry of a flow, as far as the entry is held: `None` if it is not.
    pub(crate) fn held_input(
        &mut self,
        index: u32,
        segment: &Segment<'_>,
    ) -> Option<Result<(), DropReason>> {
        let entry = self.tables.half_open.get(index)?;
        let (place, irs, iss) = (entry.flow(), entry.half.irs(), entry.half.iss());
        let id = self.flow_at(place);
        if self.flow(id).ok()?.phase != Phase::Held {
            return None;
        }
        match listen::receive(segment) {
            // The peer repeats itself, or has begun anew.
            listen::Disposition::Syn(offer) => {
                if offer.irs != irs {
                    let half = HalfOpen::new(iss, &offer, &self.tunables.tcp);
                    if let Some(entry) = self.tables.half_open.get_mut(index) {
                        entry.half = half;
                    }
                    self.lend_to_flow(index, place);
                }
                Some(Ok(()))
            }
            // RFC 9293 §3.10.7.3 asks of a reset that it acknowledges a SYN; one that comes from
            // who sent the SYN has its next sequence number.
            listen::Disposition::Drop(_) if segment.seq == irs.plus(1) => {
                self.forget_flow_syn(index);
                self.flow_over(id, CloseReason::PeerReset);
                Some(Ok(()))
            }
            listen::Disposition::Drop(_) | listen::Disposition::Reset(_) => {
                Some(Err(DropReason::TcpBadState))
            }
        }
    }

    /// A flow's handshake is complete: its connection is made and given the segment that completed
    /// it.
    pub(crate) fn flow_complete(
        &mut self,
        index: u32,
        iface: u8,
        half: &HalfOpen,
        segment: &Segment<'_>,
    ) -> Result<(), DropReason> {
        let Some(entry) = self.tables.half_open.get(index) else {
            return Err(DropReason::TcpNoSocket);
        };
        let (tuple, id) = (entry.tuple, self.flow_at(entry.flow()));
        if !self.has_room_for_connection() {
            return Err(DropReason::TcpNoSlot);
        }
        let connection = self
            .tables
            .connections
            .insert()
            .ok_or(DropReason::TcpNoSlot)?;
        let (old, item) = (
            Ref::new(Kind::HalfOpen, index),
            Ref::new(Kind::Connection, connection),
        );
        self.unlink_half_open(old);
        self.demux.replace(&self.keys, TCP, &tuple, old, item);
        self.tables.half_open.remove(index);
        let params = self.open_params(&tuple, iface, half.iss());
        let env = self.clock.env(&self.tunables.tcp, 0);
        if let Some(slot) = self.tables.connections.get_mut(connection) {
            slot.conn.open_passively(&params, half, &env);
            slot.open(&tuple, iface, &self.tunables, &mut self.tcp.buffers);
            slot.flags.set(Flags::OWNED);
            slot.set_flow(id.place());
        }
        self.flow_is_connected(id, item, params.rcv_buf);
        count!(self, tcp_passive_opens);
        if !self.flows.calls_back {
            self.flow_news(id);
        } else if self
            .flow(id)
            .is_ok_and(|slot| slot.flags.has(FlowFlags::WANTS_ROOM))
        {
            self.news(item);
        }
        self.connection_input(connection, segment)
    }

    /// A flow has a connection now.
    pub(super) fn flow_is_connected(&mut self, id: FlowId, item: Ref, window: u32) {
        if let Ok(slot) = self.flow_mut(id) {
            slot.at = item;
            slot.phase = Phase::Open;
            slot.window = window;
        }
        self.flow_due_in(id, self.flows.timeouts.tcp_idle);
    }

    /// A segment for the connection of a flow whose handler is at hand: text in order is lent to
    /// it where it lies.
    pub(crate) fn flow_connection_input(
        &mut self,
        index: u32,
        segment: &Segment<'_>,
        calls: &dyn FlowCalls,
    ) -> Result<(), DropReason> {
        let id = self.connection_flow(index);
        let Some(slot) = self.tables.connections.get_mut(index) else {
            return Err(DropReason::TcpNoSocket);
        };
        if !id.is_some() || !slot.flags.has(Flags::OWNED) || !slot.conn.lends(segment) {
            return self.connection_input(index, segment);
        }
        let buffers = &mut self.tcp.buffers;
        // Text before a FIN cannot be given back: its place is seen to first.
        if Connection::ends_with(segment)
            && !buffers.ensure_rx(&mut slot.conn, &mut slot.buffers, segment.payload.len())
        {
            return self.connection_input(index, segment);
        }
        let env = self.clock.env(&self.tunables.tcp, 0);
        let (outcome, text) = slot
            .conn
            .receive_lent(&env, &mut slot.buffers.io(), segment);
        let mut dropped = outcome.discard.map(crate::tcp::drop_reason);
        if !text.is_empty() {
            let taken = calls.data(id, text);
            let bytes = taken.bytes.min(text.len());
            let rest = text.get(bytes..).unwrap_or_default();
            if !rest.is_empty() {
                buffers.ensure_rx(&mut slot.conn, &mut slot.buffers, rest.len());
                // What memory is too short for is given back: the peer sends it again.
                let (kept, lost) = rest
                    .split_at_checked(slot.buffers.rx_len())
                    .unwrap_or((rest, &[]));
                let lost = if slot.conn.keep(&mut slot.buffers.io(), kept) {
                    lost.len()
                } else {
                    rest.len()
                };
                if lost > 0 {
                    slot.conn.retract(lost);
                    dropped = Some(DropReason::TcpNoMemory);
                }
            }
            slot.owe_credit(bytes.saturating_sub(taken.credit));
        }
        let iface = slot.iface;
        if outcome.resets() {
            let tuple = slot.tuple;
            self.send_reset(&tuple, None, segment);
        }
        self.apply(index, &outcome);
        self.owe(iface, Ref::new(Kind::Connection, index));
        match dropped {
            None => Ok(()),
            Some(reason) => Err(reason),
        }
    }

    /// Ends a TCP flow that is open.
    pub(super) fn abort_flow_connection(&mut self, index: u32, reason: CloseReason) {
        let Some(slot) = self.tables.connections.get_mut(index) else {
            return;
        };
        if slot.flags.has(Flags::ENDED) {
            return;
        }
        let iface = slot.iface;
        let outcome = slot.conn.abort_with(reason);
        self.apply(index, &outcome);
        if !outcome.ended() {
            self.owe(iface, Ref::new(Kind::Connection, index));
        }
    }
}

impl crate::tcp::TcpSlot {
    /// Bytes are with the handler that its window does not get back yet.
    pub(super) fn owe_credit(&mut self, bytes: usize) {
        if bytes > 0 {
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            let now = self.conn.settings().rcv_buf;
            self.conn.set_rcv_buf(now.saturating_sub(bytes));
        }
    }
}
