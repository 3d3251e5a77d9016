//! One budget for everything that grows with flows.

use crate::memory::slab::{Item, Slab};
use crate::stack::Stack;

/// What part of the budget is kept for each of these, whatever the others would take: the tables,
/// the queues of datagrams, small rings. [`crate::flow`] has the whole rule.
const KEPT: usize = 8;

/// What parts of the budget tables grow to. They keep what they have once taken, and must leave
/// enough to the others for whatever comes after a flood of one kind.
const CONNECTIONS: usize = 2;
const ENTRIES: usize = 4;

impl Stack {
    /// Bytes that flows take: entries, buffers, and what of them is kept to be used again.
    pub fn flow_memory(&self) -> usize {
        self.flow_tables().saturating_add(self.flow_buffers())
    }

    /// Memory of tables stays taken for the entries to come: it counts whether they are there or
    /// not.
    fn flow_tables(&self) -> usize {
        let tables = &self.tables;
        tables
            .connections
            .bytes()
            .saturating_add(self.flow_entries())
            .saturating_add(tables.packets.bytes())
    }

    /// Bytes of the tables of all but connections.
    fn flow_entries(&self) -> usize {
        let tables = &self.tables;
        tables
            .flows
            .bytes()
            .saturating_add(tables.udp.bytes())
            .saturating_add(tables.half_open.bytes())
            .saturating_add(tables.time_wait.bytes())
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

    /// Bytes that are pledged to connections, and kept for datagrams.
    fn flow_bytes_kept(&self) -> usize {
        let datagrams = (self.flows.budget / KEPT).saturating_sub(self.udp.used());
        self.flow_bytes_pledged(0).saturating_add(datagrams)
    }

    fn flow_bytes_pledged(&self, more: u32) -> usize {
        let connections = self.tables.connections.len().saturating_add(more);
        self.tcp.buffers.pledged(connections)
    }

    /// Whether there is room for another flow.
    pub(super) fn has_room_for_flow(&mut self) -> bool {
        let growth = self.entry_growth(&self.tables.flows, 1);
        !self.tables.flows.is_full() && self.has_room_to_grow(growth)
    }

    /// Whether there is room for so many flows more and a SYN entry.
    pub(super) fn has_room_for_syns(&mut self, flows: u32) -> bool {
        let tables = &self.tables;
        let growth = self
            .entry_growth(&tables.flows, flows)
            .zip(self.entry_growth(&tables.half_open, 1))
            .map(|(flows, entry)| flows.saturating_add(entry));
        !tables.flows.is_full() && self.has_room_to_grow(growth)
    }

    /// Whether there is room for another flow and its SYN entry, and for a connection when its
    /// handshake is complete.
    pub(crate) fn has_room_for_syn(&mut self) -> bool {
        self.has_room_for_connection() && self.has_room_for_syns(1)
    }

    /// Whether there is room for another connection.
    pub(super) fn has_room_for_connection(&mut self) -> bool {
        let connections = &self.tables.connections;
        let most = self.flows.budget / CONNECTIONS;
        let growth = growth(connections, 1, connections.bytes(), most);
        // With room for the ring that it is pledged.
        if self.flow_bytes_left() < self.flow_bytes_pledged(1) {
            return false;
        }
        self.has_room_to_grow(growth)
    }

    /// Whether there is room for another UDP or echo flow.
    pub(super) fn has_room_for_datagrams(&mut self) -> bool {
        let tables = &self.tables;
        let growth = self
            .entry_growth(&tables.flows, 1)
            .zip(self.entry_growth(&tables.udp, 1))
            .map(|(flow, slot)| flow.saturating_add(slot));
        self.has_room_to_grow(growth)
    }

    /// Whether there is room for another TIME-WAIT.
    pub(crate) fn has_room_for_time_wait(&mut self) -> bool {
        let growth = self.entry_growth(&self.tables.time_wait, 1);
        self.has_room_to_grow(growth)
    }

    /// Whether the budget leaves room for another packet that waits to be sent.
    pub(crate) fn leaves_room_for_packet(&self, len: usize) -> bool {
        // Asked for every such packet, with and without flows.
        self.flows.budget == usize::MAX || {
            let growth = self.tables.packets.growth(len);
            let kept = self.flow_bytes_pledged(0);
            growth == 0 || self.flow_bytes_left().saturating_sub(kept) >= growth
        }
    }

    /// Bytes that a table of entries takes for so many more; `None` if that is too much.
    fn entry_growth<T: Item>(&self, slab: &Slab<T>, more: u32) -> Option<usize> {
        growth(slab, more, self.flow_entries(), self.flows.budget / ENTRIES)
    }

    /// Whether tables may take so many bytes. If so the stores of buffers are told, as if they were
    /// taken.
    fn has_room_to_grow(&mut self, growth: Option<usize>) -> bool {
        match growth {
            None => false,
            Some(0) => true,
            Some(growth) => {
                let left = self
                    .flow_bytes_left()
                    .saturating_sub(self.flow_bytes_kept());
                if left < growth {
                    return false;
                }
                self.share_budget_less(growth);
                true
            }
        }
    }

    /// Whether there is a budget to share: a stack without flows has none.
    #[inline]
    fn has_budget(&self) -> bool {
        self.flows.is_open() && self.flows.budget != usize::MAX
    }

    /// Tells each store of buffers what the others leave it.
    #[inline]
    pub(crate) fn share_budget(&mut self) {
        // Asked for each frame.
        if self.has_budget() {
            self.share_budget_less(0);
        }
    }

    /// [`share_budget`](Stack::share_budget) of which so many bytes are about to be taken.
    fn share_budget_less(&mut self, taken: usize) {
        if !self.has_budget() {
            return;
        }
        let taken = taken.saturating_add(self.flow_tables());
        let left = self.flows.budget.saturating_sub(taken);
        // What a store keeps to use it again is never more than what is left for all.
        let used = self.tcp.buffers.used().saturating_add(self.udp.used());
        let idle = self.flow_buffers().saturating_sub(used);
        if idle > left.saturating_sub(used) / 2 {
            self.tcp.buffers.trim();
            self.udp.trim();
        }
        let kept = self.flows.budget / KEPT;
        // What is kept for tables they have taken in part.
        let rest = left.min(self.flows.budget.saturating_sub(kept));
        let udp = self.udp.held();
        let tcp = self.tcp.buffers.held();
        self.tcp.buffers.set_budget(left.saturating_sub(udp));
        let connections = self.tables.connections.len();
        let small = rest.saturating_sub(self.udp.used().max(kept));
        self.tcp.buffers.set_shares(small, kept, connections);
        // Datagrams have what is kept for them, and of the rest what connections leave.
        let pledged = self.tcp.buffers.pledged(connections);
        let tcp = tcp.saturating_add(pledged);
        let shared = rest.saturating_sub(kept).saturating_sub(tcp);
        let most = shared.max(kept).min(left.saturating_sub(tcp));
        self.udp.set_budget(most);
    }

    /// Has those flows called that found no memory, as far as there is some now.
    pub(crate) fn feed_hungry_flows(&mut self) {
        if self.flows.hungry.is_empty() {
            return;
        }
        let mut meals = self.tcp.buffers.small_rings_left();
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

/// Bytes that a table takes for so many items more, if it may grow beyond `taken` up to `most`. Its
/// first items are always given: no kind is shut out for good.
fn growth<T: Item>(slab: &Slab<T>, more: u32, taken: usize, most: usize) -> Option<usize> {
    let growth = slab.growth(more);
    let first = slab.bytes() == 0;
    (first || growth == 0 || taken.saturating_add(growth) <= most).then_some(growth)
}
