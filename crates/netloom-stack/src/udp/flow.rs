//! What flows need of UDP sockets: a flow of datagrams, or of echo messages, is one.

use crate::demux::UDP;
use crate::error::Error;
use crate::event::UdpHandle;
use crate::flow::FlowId;
use crate::list::{Kind, Ref};
use crate::stack::Stack;
use crate::tuple::Tuple;
use crate::udp::{UdpSlot, UdpState};

impl UdpSlot {
    /// Takes a slot into use for a flow.
    pub(crate) fn open_flow(&mut self, tuple: &Tuple, iface: u8, ttl: u8, id: FlowId, echo: bool) {
        self.live = true;
        self.tuple = *tuple;
        self.flow = id;
        self.echo = echo;
        self.iface = iface;
        self.connect_flow(ttl);
    }

    /// The handle of the socket in this slot.
    pub(crate) fn handle(&self, index: u32) -> UdpHandle {
        UdpHandle {
            index,
            generation: self.generation(),
        }
    }
}

impl UdpState {
    /// Bytes of queues in use.
    pub(crate) fn used(&self) -> usize {
        #[cfg(feature = "alloc")]
        if let Some(memory) = self.memory() {
            return memory.in_use();
        }
        0
    }

    /// [`used`](UdpState::used), and what is kept to be used again.
    pub(crate) fn held(&self) -> usize {
        #[cfg(feature = "alloc")]
        if let Some(memory) = self.memory() {
            return memory.in_use() + memory.idle();
        }
        0
    }

    /// Gives back what is kept to be used again.
    pub(crate) fn trim(&mut self) {
        #[cfg(feature = "alloc")]
        if let Some(memory) = self.memory_mut() {
            memory.trim();
        }
    }

    /// Changes how many bytes queues may hold.
    pub(crate) fn set_budget(&mut self, budget: usize) {
        #[cfg(feature = "alloc")]
        if let Some(memory) = self.memory_mut() {
            memory.set_budget(budget);
        }
        let _ = budget;
    }
}

impl Stack {
    /// Closes the socket that a flow is; its flow is somebody else's to end.
    pub(crate) fn close_udp_slot(&mut self, index: u32) {
        let Some(slot) = self.tables.udp.get_mut(index) else {
            return;
        };
        slot.flow = FlowId::NONE;
        let handle = slot.handle(index);
        self.forget_udp_tuple(index);
        let _ = self.udp_close(handle);
    }

    /// A flow's time is over while its user holds the socket: it hears nothing more, and its next
    /// call says why.
    pub(crate) fn retire_udp_slot(&mut self, index: u32, why: Error) {
        self.forget_udp_tuple(index);
        if let Some(slot) = self.tables.udp.get_mut(index) {
            slot.error = Some(why);
            self.news(Ref::new(Kind::Udp, index));
        }
    }

    /// Takes a socket's tuple out of the table: of an echo flow's from under its own protocol.
    pub(super) fn forget_udp_tuple(&mut self, index: u32) {
        let Some(slot) = self.tables.udp.get_mut(index) else {
            return;
        };
        let tuple = core::mem::replace(&mut slot.tuple, Tuple::EMPTY);
        let protocol = match (slot.echo, tuple.remote.is_v4()) {
            (false, _) => UDP,
            (true, true) => netloom_wire::protocol::ICMP,
            (true, false) => netloom_wire::protocol::ICMPV6,
        };
        let item = Ref::new(Kind::Udp, index);
        self.demux.remove(&self.keys, protocol, &tuple, item);
    }

    /// Whether a socket that has something to send has no queue: memory was short.
    pub(crate) fn udp_lacks_memory(&self, index: u32) -> bool {
        let slot = self.tables.udp.get(index);
        cfg!(feature = "alloc")
            && self.udp.is_on_heap()
            && slot.is_some_and(|slot| slot.tx_memory.is_none())
    }

    /// A UDP or echo flow is over because its user says so.
    pub(crate) fn finish_flow_udp(&mut self, id: FlowId) {
        let Ok(at) = self.flow(id).map(|slot| slot.at) else {
            return;
        };
        self.close_udp_slot(at.index());
        self.flow_over(id, netloom_tcp::CloseReason::Finished);
    }
}
