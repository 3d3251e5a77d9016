//! How connections end: TIME-WAIT, orphans, and the reason that stays until it is read.

use netloom_driver::Instant;
use netloom_tcp::{CloseReason, End, Segment, TimeWaitState, time_wait};
use netloom_wire::hint::cold_path;

use crate::counters::{DropReason, count};
use crate::demux::TCP;
use crate::ip::Packet;
use crate::list::{Kind, Ref};
use crate::log::note;
use crate::stack::Stack;
use crate::tables::ConnectionTimers;
use crate::tcp::input::drop_reason;
use crate::tcp::slot::Flags;
use crate::tuple::Tuple;
use crate::waiting::On;
use netloom_wire::Addr;

impl Stack {
    /// A connection is over: its tuple goes to TIME-WAIT or is free, its slot stays while
    /// somebody holds it.
    pub(crate) fn end(&mut self, index: u32, end: End) {
        let Some(slot) = self.tables.connections.get_mut(index) else {
            cold_path();
            return;
        };
        if slot.flags.has(Flags::ENDED) {
            cold_path();
            return;
        }
        slot.flags.set(Flags::ENDED);
        slot.wake_at = Instant::ZERO;
        let reason = match end {
            End::TimeWait(_) => CloseReason::Finished,
            End::Closed(reason) => reason,
        };
        #[cfg(feature = "fastopen")]
        if slot.flags.has(Flags::FAST_OPEN) {
            cold_path();
            self.fast_open_over(index, reason);
        }
        #[cfg(feature = "metrics")]
        self.keep_metrics(index);
        #[cfg(any(feature = "fastopen", feature = "metrics"))]
        let Some(slot) = self.tables.connections.get_mut(index) else {
            return;
        };
        let tuple = slot.tuple;
        slot.reason = Some(reason);
        #[cfg(feature = "inspect")]
        self.dead.remember(slot, self.clock.now, reason);
        note!(
            debug,
            "tcp connection {} ended: {}",
            index,
            reason.message()
        );
        let owned = slot.flags.has(Flags::OWNED);
        let unaccepted = slot.listener() != 0;
        slot.flags.clear(Flags::INDEXED);
        let item = Ref::new(Kind::Connection, index);
        let (waits, armed) = (slot.links.is_linked(), slot.is_armed());
        self.forget_waiting(index, waits, armed);
        match end {
            End::TimeWait(state) => self.enter_time_wait(item, &tuple, state),
            End::Closed(_) => self.demux.remove(&self.keys, TCP, &tuple, item),
        }
        if owned {
            self.drop_send_memory(index);
            self.connection_news(index);
            return;
        }
        if unaccepted {
            cold_path();
            let has_data = self
                .tables
                .connections
                .get(index)
                .is_some_and(|slot| slot.conn.readable_bytes() > 0);
            if reason == CloseReason::Finished && has_data {
                // Everything was said before anybody accepted: it can still be read.
                return;
            }
            self.leave_accept_queue(index);
        } else {
            self.tcp.orphans = self.tcp.orphans.saturating_sub(1);
        }
        self.free(index);
    }

    /// Ends a connection for a reason of the stack's own, without a segment.
    pub(crate) fn end_by(&mut self, index: u32, reason: CloseReason) {
        let Some(slot) = self.tables.connections.get_mut(index) else {
            return;
        };
        #[cfg(feature = "hold")]
        let tuple = slot.tuple;
        if slot.flags.has(Flags::ENDED) {
            return;
        }
        let removed = matches!(
            reason,
            CloseReason::AddressRemoved | CloseReason::InterfaceRemoved
        );
        // Without a place for the RST to wait at the connection sends it itself, in its turn.
        #[cfg(not(feature = "hold"))]
        if !removed {
            let (iface, outcome) = (slot.iface, slot.conn.abort_with(reason));
            slot.reason = Some(reason);
            self.apply(index, &outcome);
            if !outcome.ended() {
                self.owe_connection(iface, index);
            }
            return;
        }
        #[cfg(feature = "hold")]
        if let Some(reset) = slot.conn.reset_now().filter(|_| !removed) {
            self.send_reply(&tuple, None, &reset.into());
        }
        self.end(index, End::Closed(reason));
    }

    fn drop_send_memory(&mut self, index: u32) {
        if let Some(slot) = self.tables.connections.get_mut(index) {
            self.tcp.buffers.reclaim(&mut slot.conn, &mut slot.buffers);
        }
    }

    /// A connection waits no more to be sent from, nor for its deadline.
    #[inline]
    fn forget_waiting(&mut self, index: u32, waits: bool, armed: bool) {
        if waits {
            cold_path();
            self.unlink(Ref::new(Kind::Connection, index));
        }
        if armed {
            self.tcp
                .deadlines
                .disarm(&mut ConnectionTimers(&mut self.tables.connections), index);
        }
    }

    /// Gives a slot back.
    pub(crate) fn free(&mut self, index: u32) {
        let Some(slot) = self.tables.connections.get_mut(index) else {
            return;
        };
        self.tcp.buffers.reclaim_all(&mut slot.buffers);
        let (waits, armed) = (slot.links.is_linked(), slot.is_armed());
        let has_news = cfg!(feature = "events") && slot.news.is_linked();
        #[cfg(feature = "flows")]
        let flow = self.connection_flow(index);
        self.forget_waiting(index, waits, armed);
        if has_news {
            cold_path();
            self.forget_news(Ref::new(Kind::Connection, index));
        }
        #[cfg(feature = "flows")]
        self.flow_forget(flow);
        self.tables.connections.remove(index);
    }

    /// A tuple is guarded for 2 MSL.
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.6.1
    //# When a connection is closed actively, it MUST linger in the TIME-WAIT
    //# state for a time 2xMSL (Maximum Segment Lifetime) (MUST-13).
    fn enter_time_wait(&mut self, connection: Ref, tuple: &Tuple, state: TimeWaitState) {
        #[cfg(feature = "flows")]
        let room = self.has_room_for_time_wait();
        #[cfg(not(feature = "flows"))]
        let room = true;
        let free = if room {
            self.tables.time_wait.insert()
        } else {
            None
        };
        // The oldest has guarded longest: it gives way. On lent memory it leaves no trace.
        #[cfg(not(feature = "alloc"))]
        let index = match free {
            Some(index) => index,
            None => {
                cold_path();
                count!(self, tcp_time_wait_evicted);
                self.oldest_time_wait().0.index()
            }
        };
        #[cfg(feature = "alloc")]
        let oldest = self.first(On::TIME_WAIT);
        #[cfg(feature = "alloc")]
        let index = match free {
            None if oldest.is_some() => {
                cold_path();
                // The oldest has guarded longest: it gives way.
                self.forget_time_wait(oldest.index());
                count!(self, tcp_time_wait_evicted);
                self.tables.time_wait.insert()
            }
            free => free,
        };
        #[cfg(feature = "alloc")]
        let Some(index) = index else {
            cold_path();
            self.demux.remove(&self.keys, TCP, tuple, connection);
            return;
        };
        let tick = self.clock.quarter();
        if let Some(entry) = self.tables.time_wait.get_mut(index) {
            entry.tuple = *tuple;
            entry.state = state;
            entry.links.tag = tick;
        }
        let item = Ref::new(Kind::TimeWait, index);
        self.demux.replace(&self.keys, TCP, tuple, connection, item);
        self.queue_time_wait(item);
    }

    // Small machines find the oldest by a look at all: there it is next to nothing.
    #[cfg_attr(not(target_pointer_width = "64"), inline(always))]
    fn queue_time_wait(&mut self, item: Ref) {
        self.put_time_wait(item);
        self.entry_due_in(self.time_wait_ticks());
    }

    /// A segment for a connection in TIME-WAIT.
    pub(crate) fn time_wait_input(
        &mut self,
        index: u32,
        packet: &Packet<'_>,
        segment: &Segment<'_>,
    ) -> Result<(), DropReason> {
        let tuple = self
            .tables
            .time_wait
            .get(index)
            .ok_or(DropReason::TcpNoSocket)?
            .tuple;
        let ts_offset = self.ts_offset(&tuple);
        let env = self.clock.env(&self.tunables.tcp, 0);
        let entry = self
            .tables
            .time_wait
            .get_mut(index)
            .ok_or(DropReason::TcpNoSocket)?;
        match entry.state.receive(&env, segment, ts_offset) {
            time_wait::Disposition::Drop(why) => Err(drop_reason(why)),
            time_wait::Disposition::Ack { ref reply, restart } => {
                if restart {
                    let tick = self.clock.quarter();
                    let item = Ref::new(Kind::TimeWait, index);
                    self.take_off_time_wait(item);
                    if let Some(entry) = self.tables.time_wait.get_mut(index) {
                        entry.links.tag = tick;
                    }
                    self.queue_time_wait(item);
                }
                self.send_reply(&tuple, Some(packet.arrival.iface), reply);
                Ok(())
            }
            time_wait::Disposition::Reopen { min_iss } => {
                // While nobody would take the new incarnation the old one stays guarded.
                self.has_room_for_successor(&tuple, packet)?;
                self.forget_time_wait(index);
                self.listener_input(&tuple, packet, segment, Some(min_iss))
            }
        }
    }

    /// Whether a SYN that reopens a connection in TIME-WAIT would begin a handshake.
    fn has_room_for_successor(
        &mut self,
        tuple: &Tuple,
        packet: &Packet<'_>,
    ) -> Result<(), DropReason> {
        let iface = packet.arrival.iface;
        let Some(listener) = self.find_listener(tuple, iface) else {
            #[cfg(feature = "flows")]
            if self.is_flows(iface, &packet.dst) {
                let room = self.has_room_for_syn();
                return if room {
                    Ok(())
                } else {
                    Err(DropReason::TcpSynQueueFull)
                };
            }
            return Err(DropReason::TcpNoSocket);
        };
        let entry = self.backlog(listener).ok_or(DropReason::TcpNoSocket)?;
        if entry.to_accept >= entry.limit {
            return Err(DropReason::TcpAcceptQueueFull);
        }
        // With a cookie for its initial sequence number it could not begin above the old ones.
        if entry.half_open >= entry.limit || self.tables.half_open.is_full() {
            return Err(DropReason::TcpSynQueueFull);
        }
        Ok(())
    }

    fn forget_time_wait(&mut self, index: u32) {
        let Some(entry) = self.tables.time_wait.get(index) else {
            return;
        };
        let tuple = entry.tuple;
        let item = Ref::new(Kind::TimeWait, index);
        self.take_off_time_wait(item);
        self.demux.remove(&self.keys, TCP, &tuple, item);
        self.tables.time_wait.remove(index);
    }

    /// Ticks of 4 ms that TIME-WAIT lasts.
    pub(crate) fn time_wait_ticks(&self) -> u16 {
        // 2 MSL is at most 240 s (RFC 9293 §3.4.2), which the tunable's range keeps.
        u16::try_from(self.tunables.tcp.time_wait / 4).unwrap_or(u16::MAX)
    }

    /// The oldest connection in TIME-WAIT, and how many ticks of 4 ms of it are left;
    /// [`Ref::NONE`] if there is none.
    #[cfg(feature = "alloc")]
    pub(super) fn oldest_time_wait(&self) -> (Ref, u16) {
        let oldest = self.first(On::TIME_WAIT);
        match self.tables.time_wait.get(oldest.index()) {
            Some(entry) if oldest.is_some() => {
                let left = self.ticks_left(entry.links.tag, self.time_wait_ticks());
                (oldest, left)
            }
            Some(_) | None => (Ref::NONE, u16::MAX),
        }
    }

    /// Forgets connections whose 2 MSL are over.
    pub(super) fn fire_time_waits(&mut self) {
        while let (oldest, 0) = self.oldest_time_wait() {
            self.forget_time_wait(oldest.index());
        }
    }

    /// Ends everything that has this local address.
    pub(crate) fn end_connections_of(&mut self, iface: u8, addr: &Addr) {
        let ours = |tuple: &Tuple| {
            tuple.local() == *addr && tuple.scope().is_none_or(|scope| scope == iface)
        };
        for index in 0..self.tables.connections.high_water() {
            let hit = self
                .tables
                .connections
                .get(index)
                .is_some_and(|s| s.flags.has(Flags::INDEXED) && ours(&s.tuple));
            if hit {
                self.end_by(index, CloseReason::AddressRemoved);
            }
        }
        for index in 0..self.tables.half_open.high_water() {
            let hit = self
                .tables
                .half_open
                .get(index)
                .is_some_and(|h| h.tuple != Tuple::EMPTY && ours(&h.tuple));
            if hit {
                self.drop_half_open(index);
            }
        }
        for index in 0..self.tables.time_wait.high_water() {
            let hit = self
                .tables
                .time_wait
                .get(index)
                .is_some_and(|t| t.tuple != Tuple::EMPTY && ours(&t.tuple));
            if hit {
                self.forget_time_wait(index);
            }
        }
    }
}
