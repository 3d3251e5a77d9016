//! The flows by number, and what is known of each beside its connection or socket.

use core::net::SocketAddr;

use netloom_driver::Instant;
use netloom_tcp::{CloseReason, State};

use crate::deadlines::{Deadlines, Truth};
use crate::error::Error;
use crate::flow::FlowTimeouts;
use crate::list::{Kind, Ref};
use crate::memory::slab::{Item, Slab};
use crate::stack::Stack;
use crate::timers::{TimerLinks, TimerNodes};
use crate::tuple::Tuple;

/// A flow. Carries a generation: one that is over is an error everywhere, never a panic and never
/// somebody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FlowId {
    /// Index + 1; 0 is no flow.
    place: u32,
    generation: u32,
}

impl FlowId {
    /// No flow. All bytes zero.
    pub(crate) const NONE: FlowId = FlowId {
        place: 0,
        generation: 0,
    };

    #[inline]
    pub(crate) const fn is_some(self) -> bool {
        self.place != 0
    }

    /// The place in the table + 1.
    pub(crate) const fn place(self) -> u32 {
        self.place
    }

    /// A number that no other live flow shares, for tables of the program's own. Small numbers
    /// are reused.
    pub const fn index(self) -> usize {
        self.place.wrapping_sub(1) as usize
    }
}

/// What a flow carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FlowProtocol {
    /// A TCP connection.
    Tcp,
    /// Datagrams between two ends.
    Udp,
    /// ICMP echo messages with one identifier.
    Echo,
}

/// Who speaks with whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FlowTuple {
    /// What they speak.
    pub protocol: FlowProtocol,
    /// The end that this stack stands in for: where the peer sends to. An echo has port 0.
    pub local: SocketAddr,
    /// The peer's end. The port of an echo is its identifier.
    pub remote: SocketAddr,
}

impl FlowTuple {
    /// Where a flow that the peer opens comes from: [`FlowTuple::remote`].
    pub const fn source(&self) -> SocketAddr {
        self.remote
    }

    /// Where a flow that the peer opens leads: [`FlowTuple::local`].
    pub const fn destination(&self) -> SocketAddr {
        self.local
    }

    pub(crate) fn of(protocol: FlowProtocol, tuple: &Tuple) -> FlowTuple {
        FlowTuple {
            protocol,
            local: SocketAddr::new(tuple.local().into(), tuple.local_port),
            remote: SocketAddr::new(tuple.remote.into(), tuple.remote_port),
        }
    }
}

/// How far a flow is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowState {
    /// Nothing is decided, nothing answered.
    Held,
    /// A TCP flow, in this state of its connection.
    Tcp(State),
    /// A UDP flow.
    Udp,
    /// An echo flow.
    Echo,
    /// It is over; its handler is about to be told.
    Over(CloseReason),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// The slot is free.
    Free = 0,
    /// Not decided upon.
    Held,
    /// Accepted; the handshake is under way.
    Opening,
    /// Open.
    Open,
    /// Over before it was open: only its end is to be told.
    Over,
}

/// What is known of a flow beside what it is.
pub(crate) struct FlowSlot {
    pub(crate) generation: u32,
    /// SYN entry, connection or UDP slot.
    pub(crate) at: Ref,
    pub(crate) phase: Phase,
    pub(crate) flags: FlowFlags,
    pub(crate) reason: Option<CloseReason>,
    /// The next in the queue of flows with news (index + 1), or of free slots.
    pub(crate) next: u32,
    /// The next in the queue of those that wait for memory (index + 1).
    pub(crate) next_hungry: u32,
    /// What the window of its connection promises while everything is credited. Before there is
    /// a connection: the timestamp of its SYN, for which the SYN entry has no room.
    pub(crate) window: u32,
    /// When to look at it, at the latest: later than it says, never earlier. Zero: never.
    pub(crate) deadline: Instant,
    timer: TimerLinks,
}

/// Facts about a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct FlowFlags(u8);

impl FlowFlags {
    /// It is in the queue of flows with news.
    pub(crate) const QUEUED: FlowFlags = FlowFlags(1);
    /// It is in the queue of those that wait for memory.
    pub(crate) const HUNGRY: FlowFlags = FlowFlags(2);
    /// Its handler did not get rid of all its data, and waits for room.
    pub(crate) const WANTS_ROOM: FlowFlags = FlowFlags(4);
    /// Its handler knows that the peer has finished.
    pub(crate) const TOLD_FINISHED: FlowFlags = FlowFlags(8);
    /// Its end is told even if data was not taken.
    pub(crate) const GIVEN_UP: FlowFlags = FlowFlags(16);

    pub(crate) fn has(self, flag: FlowFlags) -> bool {
        self.0 & flag.0 != 0
    }
    pub(crate) fn set(&mut self, flag: FlowFlags) {
        self.0 |= flag.0;
    }
    pub(crate) fn clear(&mut self, flag: FlowFlags) {
        self.0 &= !flag.0;
    }
}

impl Item for FlowSlot {
    const EMPTY: FlowSlot = FlowSlot {
        generation: 0,
        at: Ref::NONE,
        phase: Phase::Free,
        flags: FlowFlags(0),
        reason: None,
        next: 0,
        next_hungry: 0,
        window: 0,
        deadline: Instant::ZERO,
        timer: TimerLinks::EMPTY,
    };

    #[cfg(feature = "alloc")]
    fn free_link(&mut self) -> &mut u32 {
        &mut self.next
    }

    #[cfg(not(feature = "alloc"))]
    fn is_free(&self) -> bool {
        self.phase == Phase::Free
    }

    fn reset(&mut self) {
        let generation = self.generation.wrapping_add(1);
        *self = FlowSlot::EMPTY;
        self.generation = generation;
    }
}

/// A queue of flows, linked by one of their fields.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Queue {
    head: u32,
    tail: u32,
}

impl Queue {
    const EMPTY: Queue = Queue { head: 0, tail: 0 };

    pub(crate) const fn is_empty(&self) -> bool {
        self.head == 0
    }

    fn push(
        &mut self,
        slots: &mut Slab<FlowSlot>,
        place: u32,
        link: fn(&mut FlowSlot) -> &mut u32,
    ) {
        let tail = self
            .tail
            .checked_sub(1)
            .and_then(|tail| slots.get_mut(tail));
        match tail {
            Some(tail) => *link(tail) = place,
            None => self.head = place,
        }
        self.tail = place;
    }

    fn pop(
        &mut self,
        slots: &mut Slab<FlowSlot>,
        link: fn(&mut FlowSlot) -> &mut u32,
    ) -> Option<u32> {
        let index = self.head.checked_sub(1)?;
        let next = slots
            .get_mut(index)
            .map_or(0, |slot| core::mem::take(link(slot)));
        self.head = next;
        if next == 0 {
            self.tail = 0;
        }
        Some(index)
    }
}

/// What a stack keeps of flows beside their slots.
pub(crate) struct FlowBook {
    /// The interface that takes everybody's packets, + 1; 0: none does.
    pub(crate) iface: u8,
    /// Whether a handler is told, and no events are made.
    pub(crate) calls_back: bool,
    pub(crate) timeouts: FlowTimeouts,
    /// Bytes that all flows may take; [`usize::MAX`] on lent memory.
    pub(crate) budget: usize,
    pub(crate) deadlines: Deadlines,
    /// Flows with news.
    pub(crate) news: Queue,
    /// Flows that found no memory for what they were to send.
    pub(crate) hungry: Queue,
}

impl FlowBook {
    pub(crate) const fn new(deadlines: Deadlines) -> FlowBook {
        FlowBook {
            iface: 0,
            calls_back: false,
            timeouts: FlowTimeouts::DEFAULT,
            budget: usize::MAX,
            deadlines,
            news: Queue::EMPTY,
            hungry: Queue::EMPTY,
        }
    }

    /// Whether packets for every unicast address are taken on an interface.
    #[inline]
    pub(crate) fn takes_all(&self, iface: u8) -> bool {
        self.iface == iface.wrapping_add(1)
    }

    /// Whether there are flows on any interface. (See [`Stack::is_flows`] for whose packets.)
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.iface != 0
    }
}

/// The deadlines of flows.
pub(crate) struct FlowTimers<'a>(pub(crate) &'a mut Slab<FlowSlot>);

impl TimerNodes for FlowTimers<'_> {
    fn timer(&mut self, index: u32) -> Option<&mut TimerLinks> {
        Some(&mut self.0.get_mut(index)?.timer)
    }
}

impl Truth for Slab<FlowSlot> {
    fn bound(&self) -> u32 {
        self.high_water()
    }
    fn deadline(&self, index: u32) -> Option<Instant> {
        let slot = self.get(index)?;
        (slot.phase != Phase::Free && slot.deadline != Instant::ZERO).then_some(slot.deadline)
    }
}

impl Truth for FlowTimers<'_> {
    fn bound(&self) -> u32 {
        self.0.bound()
    }
    fn deadline(&self, index: u32) -> Option<Instant> {
        self.0.deadline(index)
    }
}

impl Stack {
    /// A new flow, to be at `at`. `None` if there is no room for it.
    pub(crate) fn flow_new(&mut self, at: Ref, phase: Phase) -> Option<FlowId> {
        if !self.has_room_for_flow() {
            return None;
        }
        let index = self.tables.flows.insert()?;
        let slot = self.tables.flows.get_mut(index)?;
        slot.at = at;
        slot.phase = phase;
        Some(FlowId {
            place: index.wrapping_add(1),
            generation: slot.generation,
        })
    }

    pub(crate) fn flow(&self, id: FlowId) -> Result<&FlowSlot, Error> {
        id.place
            .checked_sub(1)
            .and_then(|index| self.tables.flows.get(index))
            .filter(|slot| slot.phase != Phase::Free && slot.generation == id.generation)
            .ok_or(Error::StaleHandle)
    }

    pub(crate) fn flow_mut(&mut self, id: FlowId) -> Result<&mut FlowSlot, Error> {
        id.place
            .checked_sub(1)
            .and_then(|index| self.tables.flows.get_mut(index))
            .filter(|slot| slot.phase != Phase::Free && slot.generation == id.generation)
            .ok_or(Error::StaleHandle)
    }

    /// The id of the flow in a place, index + 1.
    pub(crate) fn flow_at(&self, place: u32) -> FlowId {
        let slot = place.checked_sub(1).and_then(|i| self.tables.flows.get(i));
        slot.map_or(FlowId::NONE, |slot| FlowId {
            place,
            generation: slot.generation,
        })
    }

    /// The flow that a connection is, if it is one still. The connection knows the place of its
    /// flow alone; the flow there says whose it is.
    pub(crate) fn connection_flow(&self, index: u32) -> FlowId {
        let place = self
            .tables
            .connections
            .get(index)
            .map_or(0u32, |slot| slot.flow());
        let at = Ref::new(Kind::Connection, index);
        let slot = place.checked_sub(1).and_then(|i| self.tables.flows.get(i));
        match slot {
            Some(slot) if slot.at == at => FlowId {
                place,
                generation: slot.generation,
            },
            Some(_) | None => FlowId::NONE,
        }
    }

    /// Has a flow looked at `after` from now at the latest; never, if that is zero.
    pub(crate) fn flow_due_in(&mut self, id: FlowId, after: core::time::Duration) {
        let now = self.clock.now;
        let never = after.is_zero();
        let Ok(slot) = self.flow_mut(id) else {
            return;
        };
        slot.deadline = if never { Instant::ZERO } else { now + after };
        let deadline = slot.deadline;
        if !never {
            self.arm_flow(id.place.wrapping_sub(1), deadline);
        }
    }

    pub(crate) fn arm_flow(&mut self, index: u32, deadline: Instant) {
        self.flows
            .deadlines
            .arm(&mut FlowTimers(&mut self.tables.flows), index, deadline);
    }

    /// Puts a flow on the queue of those with news, once.
    pub(crate) fn flow_news(&mut self, id: FlowId) {
        let Ok(slot) = self.flow_mut(id) else {
            return;
        };
        if slot.flags.has(FlowFlags::QUEUED) {
            return;
        }
        slot.flags.set(FlowFlags::QUEUED);
        let mut queue = self.flows.news;
        queue.push(&mut self.tables.flows, id.place, |slot| &mut slot.next);
        self.flows.news = queue;
    }

    /// Takes the first of the flows with news.
    pub(crate) fn take_flow_news(&mut self) -> Option<FlowId> {
        self.take_flow(
            |flows| &mut flows.news,
            |slot| &mut slot.next,
            FlowFlags::QUEUED,
        )
    }

    /// Notes that a flow found no memory for what it was to send.
    pub(crate) fn flow_is_hungry(&mut self, id: FlowId) {
        let Ok(slot) = self.flow_mut(id) else {
            return;
        };
        if slot.flags.has(FlowFlags::HUNGRY) {
            return;
        }
        slot.flags.set(FlowFlags::HUNGRY);
        let mut queue = self.flows.hungry;
        queue.push(&mut self.tables.flows, id.place, |slot| {
            &mut slot.next_hungry
        });
        self.flows.hungry = queue;
    }

    /// Takes the first of those flows.
    pub(crate) fn take_hungry_flow(&mut self) -> Option<FlowId> {
        self.take_flow(
            |flows| &mut flows.hungry,
            |slot| &mut slot.next_hungry,
            FlowFlags::HUNGRY,
        )
    }

    /// Takes the first flow of a queue. One that was forgotten meanwhile is passed over, and only
    /// now is its slot free.
    #[inline]
    fn take_flow(
        &mut self,
        queue_of: fn(&mut FlowBook) -> &mut Queue,
        next_of: fn(&mut FlowSlot) -> &mut u32,
        flag: FlowFlags,
    ) -> Option<FlowId> {
        loop {
            let mut queue = *queue_of(&mut self.flows);
            let index = queue.pop(&mut self.tables.flows, next_of)?;
            *queue_of(&mut self.flows) = queue;
            let slot = self.tables.flows.get_mut(index)?;
            slot.flags.clear(flag);
            if slot.phase == Phase::Free {
                self.flow_remove(index);
                continue;
            }
            return Some(FlowId {
                place: index.wrapping_add(1),
                generation: slot.generation,
            });
        }
    }

    /// Forgets a flow: its id is stale from now on. While it is in a queue its slot stays taken.
    pub(crate) fn flow_forget(&mut self, id: FlowId) {
        let Ok(slot) = self.flow_mut(id) else {
            return;
        };
        slot.phase = Phase::Free;
        slot.at = Ref::NONE;
        slot.deadline = Instant::ZERO;
        self.flow_remove(id.place.wrapping_sub(1));
    }

    fn flow_remove(&mut self, index: u32) {
        self.flows
            .deadlines
            .disarm(&mut FlowTimers(&mut self.tables.flows), index);
        let Some(slot) = self.tables.flows.get_mut(index) else {
            return;
        };
        if slot.flags.has(FlowFlags::QUEUED) || slot.flags.has(FlowFlags::HUNGRY) {
            return;
        }
        self.tables.flows.remove(index);
    }

    /// What was behind a flow is gone before it was open: its end is to be told.
    pub(crate) fn flow_over(&mut self, id: FlowId, reason: CloseReason) {
        let Ok(slot) = self.flow_mut(id) else {
            return;
        };
        slot.phase = Phase::Over;
        slot.at = Ref::NONE;
        slot.reason = Some(reason);
        slot.deadline = Instant::ZERO;
        self.flow_news(id);
    }

    /// Who speaks with whom.
    ///
    /// # Errors
    /// [`Error::StaleHandle`] once it is over.
    pub fn flow_tuple(&self, id: FlowId) -> Result<FlowTuple, Error> {
        let at = self.flow(id)?.at;
        let index = at.index();
        let tuple = match at.kind() {
            Some(Kind::HalfOpen) => self.tables.half_open.get(index).map(|h| h.tuple),
            Some(Kind::Connection) => self.tables.connections.get(index).map(|c| c.tuple),
            Some(Kind::Udp) => {
                let slot = self.tables.udp.get(index).ok_or(Error::StaleHandle)?;
                let protocol = if slot.echo {
                    FlowProtocol::Echo
                } else {
                    FlowProtocol::Udp
                };
                return Ok(FlowTuple::of(protocol, &slot.tuple));
            }
            Some(Kind::TimeWait | Kind::Packet | Kind::Listener | Kind::Echo) | None => None,
        };
        let tuple = tuple.ok_or(Error::StaleHandle)?;
        Ok(FlowTuple::of(FlowProtocol::Tcp, &tuple))
    }

    /// How far a flow is.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn flow_state(&self, id: FlowId) -> Result<FlowState, Error> {
        let slot = self.flow(id)?;
        let index = slot.at.index();
        Ok(match (slot.phase, slot.at.kind()) {
            (Phase::Over | Phase::Free, _) => {
                FlowState::Over(slot.reason.unwrap_or(CloseReason::Aborted))
            }
            (Phase::Held, _) => FlowState::Held,
            (_, Some(Kind::HalfOpen)) => FlowState::Tcp(State::SynReceived),
            (_, Some(Kind::Connection)) => {
                let connection = self.tables.connections.get(index);
                FlowState::Tcp(connection.map_or(State::Closed, |c| c.conn.state()))
            }
            (_, Some(Kind::Udp)) => match self.tables.udp.get(index) {
                Some(udp) if udp.echo => FlowState::Echo,
                Some(_) | None => FlowState::Udp,
            },
            (_, Some(Kind::TimeWait | Kind::Packet | Kind::Listener | Kind::Echo) | None) => {
                FlowState::Over(CloseReason::Aborted)
            }
        })
    }

    /// Flows of all protocols, those that are held or opening among them.
    pub fn flow_count(&self) -> usize {
        self.tables.flows.len() as usize
    }
}
