//! Where flows wait: for somebody to take them, or to be open.

use std::collections::{HashMap, VecDeque};
use std::task::Waker;

use netloom_stack::flow::{FlowId, Refusal};
use netloom_stack::{CloseReason, Stack};

/// Flows beyond twice those there are that may wait while they are over already.
const OVER: usize = 64;

/// Flows that wait, and the tasks that wait for them. How many there can be is the stack's to
/// bound.
#[derive(Debug, Default)]
pub(in super::super) struct Desk {
    /// Whether there is somebody to take flows.
    pub(super) attended: bool,
    opening: VecDeque<FlowId>,
    acceptors: Vec<Waker>,
    /// Tasks that wait for an accepted flow to be open.
    waits: HashMap<FlowId, Waker>,
    /// Why such flows ended instead.
    ends: HashMap<FlowId, CloseReason>,
}

impl Desk {
    /// A flow wants to open.
    pub(in super::super) fn opening(
        &mut self,
        id: FlowId,
        stack: &mut Stack,
        wakes: &mut Vec<Waker>,
    ) {
        if self.attended {
            // A peer may open and reset one after another while nobody takes any.
            if self.opening.len() > 2 * stack.flow_count() + OVER {
                self.opening.retain(|&id| stack.flow_tuple(id).is_ok());
            }
            self.opening.push_back(id);
            wakes.append(&mut self.acceptors);
        } else {
            // It is held, so it can be refused.
            let _ = stack.flow_refuse(id, Refusal::Rst);
        }
    }

    /// An accepted flow is open.
    pub(in super::super) fn ready(&mut self, id: FlowId, wakes: &mut Vec<Waker>) {
        wakes.extend(self.waits.remove(&id));
    }

    /// A flow ended before it was open.
    pub(in super::super) fn closed(
        &mut self,
        id: FlowId,
        reason: CloseReason,
        wakes: &mut Vec<Waker>,
    ) {
        if let Some(task) = self.waits.remove(&id) {
            self.ends.insert(id, reason);
            wakes.push(task);
        }
    }

    /// Nothing will happen any more: everybody looks for himself.
    pub(in super::super) fn wake_all(&mut self, wakes: &mut Vec<Waker>) {
        wakes.append(&mut self.acceptors);
        wakes.extend(self.waits.drain().map(|(_, task)| task));
    }

    /// The next flow that wants to open; it may be over already.
    pub(super) fn take(&mut self) -> Option<FlowId> {
        self.opening.pop_front()
    }

    /// Has a task woken when a flow wants to open.
    pub(super) fn await_flow(&mut self, task: &Waker) {
        if !self.acceptors.iter().any(|known| known.will_wake(task)) {
            self.acceptors.push(task.clone());
        }
    }

    /// Has a task woken when a flow is open, or over.
    pub(super) fn await_opening(&mut self, id: FlowId, task: &Waker) {
        self.waits.insert(id, task.clone());
    }

    /// Why a flow that was waited for ended.
    pub(super) fn take_end(&mut self, id: FlowId) -> Option<CloseReason> {
        self.ends.remove(&id)
    }

    /// Nobody waits for a flow any more.
    pub(super) fn forget(&mut self, id: FlowId) {
        self.waits.remove(&id);
        self.ends.remove(&id);
    }
}

#[cfg(test)]
mod tests;
