//! One budget for everything that grows with flows.

use crate::flow::FlowSlot;
use crate::stack::Stack;
use crate::tcp::{HalfOpenEntry, TcpSlot, TimeWaitEntry};
use crate::udp::UdpSlot;

/// What a flow costs at least, in bytes: its slot, and the largest thing it may be.
const PER_FLOW: usize = size_of::<FlowSlot>() + size_of::<TcpSlot>();

/// Bytes that must be free for a flow that waits for memory to be called.
const MEAL: usize = 1 << 16;

impl Stack {
    /// Bytes that flows take: entries, buffers, and what of them is kept to be used again.
    pub fn flow_memory(&self) -> usize {
        self.flow_tables().saturating_add(self.flow_buffers())
    }

    fn flow_tables(&self) -> usize {
        let tables = &self.tables;
        let bytes = |len: u32, size: usize| (len as usize).saturating_mul(size);
        bytes(tables.flows.len(), size_of::<FlowSlot>())
            .saturating_add(bytes(tables.connections.len(), size_of::<TcpSlot>()))
            .saturating_add(bytes(tables.udp.len(), size_of::<UdpSlot>()))
            .saturating_add(bytes(tables.half_open.len(), size_of::<HalfOpenEntry>()))
            .saturating_add(bytes(tables.time_wait.len(), size_of::<TimeWaitEntry>()))
    }

    fn flow_buffers(&self) -> usize {
        self.tcp.buffers.held().saturating_add(self.udp.held())
    }

    /// Bytes of the budget that nothing takes.
    pub(super) fn flow_bytes_left(&self) -> usize {
        if self.flows.budget == usize::MAX {
            return usize::MAX;
        }
        // What is kept to be used again gives way to entries.
        let used = self.tcp.buffers.used().saturating_add(self.udp.used());
        self.flows
            .budget
            .saturating_sub(self.flow_tables())
            .saturating_sub(used)
    }

    /// Whether there is room for another flow.
    pub(super) fn has_room_for_flow(&self) -> bool {
        self.flow_bytes_left() >= PER_FLOW && !self.tables.flows.is_full()
    }

    /// Whether there is room for another flow and its SYN entry.
    pub(crate) fn has_room_for_syn(&self) -> bool {
        let needed = PER_FLOW + size_of::<HalfOpenEntry>();
        self.flow_bytes_left() >= needed && !self.tables.flows.is_full()
    }

    /// Tells each store of buffers what the others leave it.
    pub(crate) fn share_budget(&mut self) {
        if !self.flows.is_open() || self.flows.budget == usize::MAX {
            return;
        }
        let left = self.flows.budget.saturating_sub(self.flow_tables());
        // What a store keeps to use it again is never more than what is left for all.
        let used = self.tcp.buffers.used().saturating_add(self.udp.used());
        let idle = self.flow_buffers().saturating_sub(used);
        if idle > left.saturating_sub(used) / 2 {
            self.tcp.buffers.trim();
            self.udp.trim();
        }
        let udp = self.udp.held();
        let tcp = self.tcp.buffers.held();
        self.tcp.buffers.set_budget(left.saturating_sub(udp));
        self.udp.set_budget(left.saturating_sub(tcp));
    }

    /// Has those flows called that found no memory, as far as there is some now.
    pub(crate) fn feed_hungry_flows(&mut self) {
        if self.flows.hungry.is_empty() {
            return;
        }
        let mut meals = self.flow_bytes_left() / MEAL;
        while meals > 0 {
            let Some(id) = self.take_hungry_flow() else {
                return;
            };
            meals = meals.saturating_sub(1);
            if let Ok(slot) = self.flow(id) {
                let at = slot.at;
                self.news(at);
            }
        }
    }
}
