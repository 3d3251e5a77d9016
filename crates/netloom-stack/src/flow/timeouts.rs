//! What becomes of flows that nobody uses any more, and of those nobody decides upon.

use core::time::Duration;

use netloom_tcp::CloseReason;

use crate::error::Error;
use crate::flow::config::millis;
use crate::flow::table::{FlowFlags, FlowTimers, Phase};
use crate::flow::{FlowId, Refusal};
use crate::list::Kind;
use crate::stack::Stack;
use crate::tcp::Flags;

impl Stack {
    /// Ends or looks after the flows whose time has come.
    pub(crate) fn fire_flows(&mut self) {
        if !self.flows.is_open() {
            return;
        }
        let now = self.clock.now;
        while let Some(index) = self
            .flows
            .deadlines
            .expire(&mut FlowTimers(&mut self.tables.flows), now)
        {
            let Some(slot) = self.tables.flows.get_mut(index) else {
                continue;
            };
            let deadline = slot.deadline;
            if slot.phase == Phase::Free || deadline == netloom_driver::Instant::ZERO {
                continue;
            }
            if deadline > now {
                self.arm_flow(index, deadline);
                continue;
            }
            slot.deadline = netloom_driver::Instant::ZERO;
            let id = self.flow_at(index.wrapping_add(1));
            self.flow_timed_out(id);
        }
    }

    fn flow_timed_out(&mut self, id: FlowId) {
        let Ok(slot) = self.flow(id) else {
            return;
        };
        let (phase, at) = (slot.phase, slot.at);
        match (phase, at.kind()) {
            (Phase::Held, _) => {
                self.refuse_for(id, CloseReason::PeerNeverAppeared);
            }
            (Phase::Opening, Some(Kind::HalfOpen)) => self.drop_half_open(at.index()),
            (Phase::Open, Some(Kind::Connection)) => self.idle_connection(id, at.index()),
            (Phase::Open, Some(Kind::Udp)) => {
                if self.flows.calls_back {
                    self.close_udp_slot(at.index());
                    self.flow_over(id, CloseReason::IdleTimedOut);
                } else {
                    self.retire_udp_slot(at.index(), Error::Closed(CloseReason::IdleTimedOut));
                }
            }
            (Phase::Free | Phase::Opening | Phase::Open | Phase::Over, _) => {}
        }
    }

    /// Nobody decided upon a held flow: its peer is refused, and its handler told why.
    fn refuse_for(&mut self, id: FlowId, reason: CloseReason) {
        let Ok(at) = self.flow(id).map(|slot| slot.at) else {
            return;
        };
        // The peer's refusal forgets the flow; its end is told under another number then, so the
        // parts are taken one by one.
        match at.kind() {
            Some(Kind::HalfOpen) => {
                self.abort_held_syn(at.index(), None);
                self.flow_over(id, reason);
            }
            Some(Kind::Udp) => {
                let what = self.as_if_closed(at.index());
                self.quote_datagram(at.index(), what);
                self.flow_datagrams_refused(at.index(), None);
                self.close_udp_slot(at.index());
                self.flow_over(id, reason);
            }
            Some(
                Kind::Connection | Kind::TimeWait | Kind::Packet | Kind::Listener | Kind::Echo,
            )
            | None => {}
        }
    }

    /// A connection's timer has fired: it is idle, or has been used meanwhile.
    fn idle_connection(&mut self, id: FlowId, index: u32) {
        let limit = self.flows.timeouts.tcp_idle;
        let env = self.clock.env(&self.tunables.tcp, 0);
        let Some(slot) = self.tables.connections.get(index) else {
            return;
        };
        if slot.flags.has(Flags::ENDED) {
            // Its handler never took what had arrived.
            self.give_up_flow(id);
            return;
        }
        let left = millis(limit).saturating_sub(slot.conn.idle_ms(&env));
        if left > 0 {
            self.flow_due_in(id, Duration::from_millis(u64::from(left)));
            return;
        }
        self.abort_flow_connection(index, CloseReason::IdleTimedOut);
        self.give_up_flow(id);
    }

    /// A flow's end is told now, whatever data its handler has not taken.
    fn give_up_flow(&mut self, id: FlowId) {
        if let Ok(slot) = self.flow_mut(id) {
            slot.flags.set(FlowFlags::GIVEN_UP);
            let at = slot.at;
            self.news(at);
        }
    }

    /// Refuses a flow that is held. It is forgotten: its handler is not told.
    ///
    /// # Errors
    /// [`Error::StaleHandle`]; [`Error::InvalidArgument`] if it is not held (any more).
    pub fn flow_refuse(&mut self, id: FlowId, refusal: Refusal) -> Result<(), Error> {
        let slot = self.flow(id)?;
        let at = slot.at;
        match (slot.phase, at.kind()) {
            (Phase::Held, Some(Kind::HalfOpen)) => self.refuse_held_syn(id, at.index(), refusal),
            (Phase::Held, Some(Kind::Udp)) => self.refuse_held_datagrams(id, refusal),
            (Phase::Held | Phase::Free | Phase::Opening | Phase::Open | Phase::Over, _) => {
                return Err(Error::InvalidArgument);
            }
        }
        Ok(())
    }

    /// Accepts a flow that is held.
    ///
    /// # Errors
    /// [`Error::StaleHandle`]; [`Error::InvalidArgument`] if it is not held (any more).
    pub fn flow_accept(&mut self, id: FlowId) -> Result<(), Error> {
        let slot = self.flow(id)?;
        let at = slot.at;
        match (slot.phase, at.kind()) {
            (Phase::Held, Some(Kind::HalfOpen)) => self.accept_flow_syn(id, at.index()),
            (Phase::Held, Some(Kind::Udp)) => self.accept_flow_datagrams(id),
            (Phase::Over, _) => {
                let reason = slot.reason.unwrap_or(CloseReason::Aborted);
                return Err(Error::Closed(reason));
            }
            (Phase::Held | Phase::Free | Phase::Opening | Phase::Open, _) => {
                return Err(Error::InvalidArgument);
            }
        }
        Ok(())
    }
}
