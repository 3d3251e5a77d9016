//! News carried to the handler: what had to wait, and what happened between calls.

use netloom_tcp::CloseReason;

use crate::error::Error;
use crate::flow::table::{FlowFlags, Phase};
use crate::flow::{FlowHandler, FlowId};
use crate::list::{Kind, Ref};
use crate::stack::Stack;
use crate::tcp::Flags;
use crate::waiting::On;

/// A writer is called when this part of its queue is free, so that it writes in large pieces.
const WRITER_SHARE: usize = 3;

impl Stack {
    /// Tells the handler everything there is to tell.
    pub(super) fn deliver_news<H: FlowHandler + ?Sized>(&mut self, handler: &mut H) {
        self.feed_hungry_flows();
        while let Some(item) = self.take_first(On::EVENTS) {
            match item.kind() {
                Some(Kind::Connection) => self.connection_news_for(item.index(), handler),
                Some(Kind::Udp) => self.datagram_news_for(item.index(), handler),
                // The sockets of such a stack are nobody's.
                Some(
                    Kind::HalfOpen | Kind::TimeWait | Kind::Packet | Kind::Listener | Kind::Echo,
                )
                | None => {}
            }
        }
        while let Some(id) = self.take_flow_news() {
            let Ok(slot) = self.flow(id) else { continue };
            if slot.phase == Phase::Over {
                let reason = slot.reason.unwrap_or(CloseReason::Aborted);
                self.flow_forget(id);
                handler.closed(id, reason);
            }
        }
    }

    fn connection_news_for<H: FlowHandler + ?Sized>(&mut self, index: u32, handler: &mut H) {
        let id = self.connection_flow(index);
        let Some(slot) = self.tables.connections.get_mut(index) else {
            return;
        };
        if !id.is_some() || !slot.flags.has(Flags::OWNED) {
            return;
        }
        if slot.flags.has(Flags::SOFT_ERROR) {
            slot.flags.clear(Flags::SOFT_ERROR);
            handler.error(id, Error::HostUnreachable);
        }
        self.offer_text(index, id, handler);
        let Some(slot) = self.tables.connections.get_mut(index) else {
            return;
        };
        let unread = slot.conn.readable_bytes() > 0;
        let finished = slot.conn.peer_finished();
        let ended = slot.flags.has(Flags::ENDED);
        let reason = slot.reason.unwrap_or(CloseReason::Aborted);
        let limit = slot.buffers.tx_most();
        let free = limit.saturating_sub(slot.conn.tx_extent());
        let writes = slot.conn.can_write() && slot.conn.state().is_synchronized();
        let Ok(flow) = self.flow_mut(id) else {
            return;
        };
        if finished && !flow.flags.has(FlowFlags::TOLD_FINISHED) {
            flow.flags.set(FlowFlags::TOLD_FINISHED);
            handler.peer_finished(id);
        }
        if ended {
            // What arrived before an orderly end is still the handler's to take.
            let waits = unread && reason == CloseReason::Finished;
            if !waits || flow.flags.has(FlowFlags::GIVEN_UP) {
                self.release_connection(index);
                handler.closed(id, reason);
            }
        } else if writes && flow.flags.has(FlowFlags::WANTS_ROOM) && free >= limit / WRITER_SHARE {
            flow.flags.clear(FlowFlags::WANTS_ROOM);
            handler.writable(id, free);
        }
    }

    /// Offers the text that lies in a connection's ring.
    fn offer_text<H: FlowHandler + ?Sized>(&mut self, index: u32, id: FlowId, handler: &mut H) {
        let Some(slot) = self.tables.connections.get_mut(index) else {
            return;
        };
        // At most two pieces: the ring may wrap between them.
        for _ in 0..2 {
            let io = slot.buffers.io();
            let (first, _) = slot.conn.rx_slices(&io);
            if first.is_empty() {
                break;
            }
            let len = first.len();
            let taken = handler.data(id, first);
            let bytes = taken.bytes.min(len);
            slot.conn.consume(&io, bytes);
            slot.owe_credit(bytes.saturating_sub(taken.credit));
            if bytes < len {
                break;
            }
        }
        let iface = slot.iface;
        let ended = slot.flags.has(Flags::ENDED);
        if !ended && slot.conn.owes_window_update() {
            self.owe(iface, Ref::new(Kind::Connection, index));
        }
    }

    /// Gives a connection that has ended back; its flow is over.
    fn release_connection(&mut self, index: u32) {
        if let Some(slot) = self.tables.connections.get_mut(index) {
            slot.flags.clear(Flags::OWNED);
        }
        self.free(index);
    }

    fn datagram_news_for<H: FlowHandler + ?Sized>(&mut self, index: u32, handler: &mut H) {
        let Some(slot) = self.tables.udp.get_mut(index).filter(|slot| slot.live) else {
            return;
        };
        let (id, echo) = (slot.flow, slot.echo);
        let error = slot.error.take();
        if !id.is_some() {
            return;
        }
        if let Some(error) = error {
            handler.error(id, error);
        }
        let Ok(flow) = self.flow_mut(id) else {
            return;
        };
        if flow.phase != Phase::Open {
            return;
        }
        let wants_room = flow.flags.has(FlowFlags::WANTS_ROOM);
        // What came while the flow was held lies in one piece: nothing was taken out before.
        while let Some(slot) = self.tables.udp.get_mut(index) {
            let Some((meta, (first, second))) = slot.rx.front(&slot.rx_memory) else {
                break;
            };
            if second.is_empty() {
                if echo {
                    handler.echo(id, meta.remote_port, first);
                } else {
                    let _ = handler.data(id, first);
                }
            }
            slot.rx.pop(&slot.rx_memory);
        }
        self.give_udp_memory(index);
        let Some(slot) = self.tables.udp.get(index) else {
            return;
        };
        if wants_room && !slot.wants_room {
            let (dst, iface) = (slot.tuple.remote, slot.iface);
            let room = self.flow_datagram_room(&dst, iface);
            if let Ok(flow) = self.flow_mut(id) {
                flow.flags.clear(FlowFlags::WANTS_ROOM);
            }
            handler.writable(id, room);
        }
    }
}
