//! Flows with a handler.

use core::cell::RefCell;
use core::ops::Deref;

use netloom_driver::{Driver, FrameSink, Instant, RxMeta};
use netloom_tcp::State;

use crate::counters::Layer;
use crate::error::Error;
use crate::event::IfaceId;
use crate::flow::calls::Handling;
use crate::flow::table::{FlowFlags, Phase};
use crate::flow::{
    FlowCalls, FlowConfig, FlowHandler, FlowId, FlowState, FlowStorage, FlowTuple, Refusal,
};
use crate::link::Arrival;
use crate::list::{Kind, Ref};
use crate::rand::Seed;
use crate::stack::{Sent, Stack};
use crate::tcp::How;

/// The part of some data that a flow had no room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "what did not fit is still the caller's to send"]
pub struct Rest<'d>(pub &'d [u8]);

impl Deref for Rest<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.0
    }
}

/// Everybody's packets in, data out; data in, packets out: see the [module](crate::flow).
#[derive(Debug)]
pub struct Flows {
    stack: Stack,
}

impl Flows {
    /// Flows on the heap, within [`FlowConfig::memory_budget`] and [`FlowConfig::flows`].
    #[cfg(feature = "alloc")]
    pub fn with_heap(config: FlowConfig, seed: Seed) -> Flows {
        let stack = Stack::with_heap(config.stack(), config.limits(), seed);
        let mut flows = Flows::on(stack, &config);
        flows.stack.set_flow_budget(config.memory_budget);
        flows
    }

    /// Flows whose memory is all lent: nothing else is ever taken.
    #[inline(never)]
    pub fn new<
        const FLOWS: usize,
        const TCP: usize,
        const UDP: usize,
        const RX: usize,
        const TX: usize,
    >(
        config: FlowConfig,
        storage: &'static mut FlowStorage<FLOWS, TCP, UDP, RX, TX>,
        seed: Seed,
    ) -> Flows {
        let stack = Stack::assemble(config.stack(), storage.lend(), &seed);
        Flows::on(stack, &config)
    }

    fn on(mut stack: Stack, config: &FlowConfig) -> Flows {
        // The stack is new: it has an interface, and room for the routes.
        let _ = stack.accept_flows(IfaceId::FIRST, config);
        stack.flows.calls_back = true;
        Flows { stack }
    }

    /// Takes in an IP packet that arrived at `now`, and tells the handler what came of it.
    ///
    /// What it calls for is sent by [`Flows::packets_out`]; hand over everything there is first.
    pub fn packet_in<H: FlowHandler + ?Sized>(
        &mut self,
        now: Instant,
        packet: &[u8],
        handler: &mut H,
    ) {
        self.packet_in_with(now, packet, &RxMeta::default(), handler);
    }

    /// [`Flows::packet_in`] with what the device says of the packet: that its checksum is good, or
    /// that it is several merged into one.
    pub fn packet_in_with<H: FlowHandler + ?Sized>(
        &mut self,
        now: Instant,
        packet: &[u8],
        meta: &RxMeta,
        handler: &mut H,
    ) {
        self.stack.advance(now);
        {
            let handling = Handling(RefCell::new(&mut *handler));
            self.stack.flow_packet(packet, meta, &handling);
        }
        self.stack.deliver_news(handler);
    }

    /// Hands over every packet a device has; returns how many there were.
    pub fn packets_in<H: FlowHandler + ?Sized>(
        &mut self,
        now: Instant,
        driver: &mut (impl Driver + ?Sized),
        handler: &mut H,
    ) -> usize {
        self.stack.advance(now);
        let count = {
            let handling = Handling(RefCell::new(&mut *handler));
            let stack = &mut self.stack;
            driver.receive(&mut |packet, meta| stack.flow_packet(packet, meta, &handling))
        };
        self.stack.deliver_news(handler);
        count
    }

    /// Fires what is due at `now` and writes what is owed into the sink; then tells the handler
    /// what came of it.
    pub fn packets_out<H: FlowHandler + ?Sized>(
        &mut self,
        now: Instant,
        sink: &mut dyn FrameSink,
        handler: &mut H,
    ) -> Sent {
        self.stack.advance(now);
        self.stack.share_budget();
        self.stack.deliver_news(handler);
        let sent = self.stack.transmit(now, IfaceId::FIRST, sink);
        self.stack.deliver_news(handler);
        sent
    }

    /// When [`Flows::packets_out`] wants to be called next if nothing arrives before: `None` if
    /// never; in the past when something is owed, or to be told, now.
    pub fn next_deadline(&self) -> Option<Instant> {
        if !self.stack.flows.news.is_empty()
            || self.stack.first(crate::waiting::On::EVENTS).is_some()
        {
            return Some(self.stack.now());
        }
        self.stack.next_deadline()
    }

    /// Sends data on a flow; returns what it had no room for. [`FlowHandler::writable`] says when
    /// there is room for that. Of a datagram everything or nothing is taken.
    ///
    /// On a flow that is held or opening nothing is taken before it is open.
    ///
    /// # Errors
    /// [`Error::StaleHandle`]; [`Error::SendAfterShutdown`] after [`Flows::finish`];
    /// [`Error::Closed`]; [`Error::MessageTooLong`] for a datagram beyond the path's MTU;
    /// [`Error::InvalidArgument`] on an echo flow ([`Flows::echo_reply`] is for those).
    pub fn data_in<'d>(
        &mut self,
        now: Instant,
        id: FlowId,
        data: &'d [u8],
    ) -> Result<Rest<'d>, Error> {
        self.stack.advance(now);
        self.stack.share_budget();
        let flow = self.stack.flow(id)?;
        let (at, phase) = (flow.at, flow.phase);
        let sent = match (phase, at.kind()) {
            (Phase::Open, Some(Kind::Connection)) => {
                let handle = self.stack.flow_tcp_handle(at)?;
                self.stack.tcp_write(handle, data)
            }
            (Phase::Open, Some(Kind::Udp)) => self.stack.flow_send(at.index(), data),
            (Phase::Over, _) => {
                let reason = flow.reason.unwrap_or(netloom_tcp::CloseReason::Aborted);
                Err(Error::Closed(reason))
            }
            (Phase::Held | Phase::Opening | Phase::Open | Phase::Free, _) => Err(Error::WouldBlock),
        };
        let taken = match sent {
            Ok(taken) => taken,
            Err(Error::WouldBlock) => 0,
            Err(error) => return Err(error),
        };
        if taken < data.len() {
            let slot = self.stack.flow_mut(id)?;
            slot.flags.set(FlowFlags::WANTS_ROOM);
        }
        Ok(Rest(data.get(taken..).unwrap_or_default()))
    }

    /// Ends this side of a flow in order: for TCP a FIN follows what was sent, and the other
    /// direction goes on; UDP and echo flows are over.
    ///
    /// # Errors
    /// [`Error::StaleHandle`]; [`Error::WouldBlock`] for a TCP flow that is not open yet;
    /// [`Error::Closed`] if it ended otherwise than in order.
    pub fn finish(&mut self, now: Instant, id: FlowId) -> Result<(), Error> {
        self.stack.advance(now);
        let flow = self.stack.flow(id)?;
        let (at, phase) = (flow.at, flow.phase);
        match (phase, at.kind()) {
            (Phase::Open, Some(Kind::Connection)) => {
                let handle = self.stack.flow_tcp_handle(at)?;
                self.stack.tcp_shutdown(handle, How::Write)
            }
            (_, Some(Kind::Udp)) => {
                self.stack.finish_flow_udp(id);
                Ok(())
            }
            _ => Err(Error::WouldBlock),
        }
    }

    /// Ends a flow at once: TCP by a reset. The handler is told
    /// [`CloseReason::Aborted`](netloom_tcp::CloseReason::Aborted).
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn abort(&mut self, now: Instant, id: FlowId) -> Result<(), Error> {
        self.stack.advance(now);
        self.stack.flow_abort(id)
    }

    /// How far a flow is.
    ///
    /// # Errors
    /// [`Error::StaleHandle`] once it is over.
    pub fn state(&self, id: FlowId) -> Result<FlowState, Error> {
        self.stack.flow_state(id)
    }

    /// Who speaks with whom.
    ///
    /// # Errors
    /// [`Error::StaleHandle`] once it is over.
    pub fn tuple(&self, id: FlowId) -> Result<FlowTuple, Error> {
        self.stack.flow_tuple(id)
    }

    /// Gives `bytes` that a TCP flow's handler took without credit back to its window, and has
    /// what it did not take lent again. 0 does only the latter.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn credit(&mut self, now: Instant, id: FlowId, bytes: usize) -> Result<(), Error> {
        self.stack.advance(now);
        let flow = self.stack.flow(id)?;
        let (at, window) = (flow.at, flow.window);
        if at.kind() != Some(Kind::Connection) {
            return Ok(());
        }
        self.stack.credit_connection(at, bytes, window);
        Ok(())
    }

    /// Opens a flow from any address, to a peer behind the packets: see [`Stack::flow_open`].
    ///
    /// # Errors
    /// As there.
    pub fn open(&mut self, now: Instant, tuple: &FlowTuple) -> Result<FlowId, Error> {
        self.stack.advance(now);
        self.stack.flow_open(tuple)
    }

    /// Accepts a flow that is held.
    ///
    /// # Errors
    /// As [`Stack::flow_accept`].
    pub fn accept(&mut self, now: Instant, id: FlowId) -> Result<(), Error> {
        self.stack.advance(now);
        self.stack.flow_accept(id)
    }

    /// Refuses a flow that is held. It is forgotten: the handler is not told.
    ///
    /// # Errors
    /// As [`Stack::flow_refuse`].
    pub fn refuse(&mut self, now: Instant, id: FlowId, refusal: Refusal) -> Result<(), Error> {
        self.stack.advance(now);
        self.stack.flow_refuse(id, refusal)
    }

    /// Answers an echo request: see [`Stack::flow_echo_reply`].
    ///
    /// # Errors
    /// As there.
    pub fn echo_reply(
        &mut self,
        now: Instant,
        id: FlowId,
        sequence: u16,
        data: &[u8],
    ) -> Result<(), Error> {
        self.stack.advance(now);
        self.stack.flow_echo_reply(id, sequence, data)
    }

    /// Flows of all protocols, those that are held or opening among them.
    pub fn len(&self) -> usize {
        self.stack.flow_count()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that flows take: see [`Stack::flow_memory`].
    pub fn memory_in_use(&self) -> usize {
        self.stack.flow_memory()
    }

    /// The stack under the flows: its counters, tunables, usage.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// The stack under the flows, to change a tunable. Its events are not the caller's to take.
    pub fn stack_mut(&mut self) -> &mut Stack {
        &mut self.stack
    }
}

impl Stack {
    /// Takes in a packet with the handler at hand.
    fn flow_packet(&mut self, packet: &[u8], meta: &RxMeta, calls: &dyn FlowCalls) {
        self.share_budget();
        self.counters.receive(Layer::Link);
        self.counters.deliver(Layer::Link);
        let arrival = Arrival {
            iface: IfaceId::FIRST.0,
            link_group: false,
            #[cfg(feature = "alloc")]
            echo: None,
            flow: Some(calls),
            meta,
        };
        self.ip_input(&arrival, packet);
    }

    pub(super) fn flow_tcp_handle(&self, at: Ref) -> Result<crate::event::TcpHandle, Error> {
        let index = at.index();
        let slot = self.tables.connections.get(index);
        let generation = slot.ok_or(Error::StaleHandle)?.generation;
        Ok(crate::event::TcpHandle { index, generation })
    }

    /// Queues a datagram of a UDP flow; says how many bytes were taken: all or none.
    fn flow_send(&mut self, index: u32, data: &[u8]) -> Result<usize, Error> {
        let slot = self.tables.udp.get(index).ok_or(Error::StaleHandle)?;
        if slot.echo {
            return Err(Error::InvalidArgument);
        }
        let (dst, iface) = (slot.tuple.remote, slot.iface);
        if data.len() > self.flow_datagram_room(&dst, iface) {
            return Err(Error::MessageTooLong);
        }
        let slot = self.tables.udp.get(index).ok_or(Error::StaleHandle)?;
        // An error that waits is the handler's to be told of, not this call's.
        let waiting = slot.error;
        let handle = slot.handle(index);
        if let Some(slot) = self.tables.udp.get_mut(index) {
            slot.error = None;
        }
        let result = self.udp_send(handle, data);
        if let Some(slot) = self.tables.udp.get_mut(index) {
            slot.error = waiting.or(slot.error);
        }
        match result {
            Ok(()) => Ok(data.len()),
            Err(error) => Err(error),
        }
    }

    /// Gives bytes back to a connection's window, up to `window`; has its text offered again.
    pub(super) fn credit_connection(&mut self, at: Ref, bytes: usize, window: u32) {
        let Some(slot) = self.tables.connections.get_mut(at.index()) else {
            return;
        };
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let now = slot.conn.settings().rcv_buf;
        slot.conn
            .set_rcv_buf(now.saturating_add(bytes).min(window.max(now)));
        let (iface, unread) = (slot.iface, slot.conn.readable_bytes() > 0);
        let ended = slot.conn.state() == State::Closed;
        if !ended && slot.conn.owes_window_update() {
            self.owe(iface, at);
        }
        if unread {
            self.news(at);
        }
    }
}
