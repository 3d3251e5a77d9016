//! How connections end: TIME-WAIT, orphans, and the reason that stays until it is read.

use netloom_driver::Instant;
use netloom_tcp::{CloseReason, End, Segment, TimeWaitState, time_wait};

use crate::counters::DropReason;
use crate::demux::TCP;
use crate::ip::Packet;
use crate::list::{Kind, Ref};
use crate::log::note;
use crate::stack::{On, Stack};
use crate::tables::{ConnectionTimers, News, Sending};
use crate::tcp::input::drop_reason;
use crate::tcp::slot::Flags;
use crate::tuple::Tuple;
use netloom_wire::Addr;

impl Stack {
    /// A connection is over: its tuple goes to TIME-WAIT or is free, its slot stays while
    /// somebody holds it.
    pub(crate) fn end(&mut self, index: u32, end: End) {
        let Some(slot) = self.tables.connections.get_mut(index) else {
            return;
        };
        if slot.flags.has(Flags::ENDED) {
            return;
        }
        slot.flags.set(Flags::ENDED);
        slot.wake_at = Instant::ZERO;
        let tuple = slot.tuple;
        let reason = match end {
            End::TimeWait(_) => CloseReason::Finished,
            End::Closed(reason) => reason,
        };
        slot.reason = Some(reason);
        note!(
            debug,
            "tcp connection {} ended: {}",
            index,
            reason.message()
        );
        let owned = slot.flags.has(Flags::OWNED);
        let unaccepted = slot.listener != 0;
        slot.flags.clear(Flags::INDEXED);
        let item = Ref::new(Kind::Connection, index);
        self.unlink(item);
        self.tcp
            .deadlines
            .disarm(&mut ConnectionTimers(&mut self.tables.connections), index);
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
        let tuple = slot.tuple;
        if slot.flags.has(Flags::ENDED) {
            return;
        }
        let reset = slot.conn.reset_now();
        if reason != CloseReason::AddressRemoved {
            if let Some(reset) = reset {
                self.send_reply(&tuple, None, &reset.into());
            }
        }
        self.end(index, End::Closed(reason));
    }

    fn drop_send_memory(&mut self, index: u32) {
        if let Some(slot) = self.tables.connections.get_mut(index) {
            self.tcp.buffers.reclaim(&mut slot.conn, &mut slot.buffers);
        }
    }

    /// Gives a slot back.
    pub(crate) fn free(&mut self, index: u32) {
        let item = Ref::new(Kind::Connection, index);
        self.unlink(item);
        self.events.remove(&mut News(&mut self.tables), item);
        self.tcp
            .deadlines
            .disarm(&mut ConnectionTimers(&mut self.tables.connections), index);
        if let Some(slot) = self.tables.connections.get_mut(index) {
            self.tcp.buffers.reclaim_all(&mut slot.buffers);
        }
        self.tables.connections.remove(index);
    }

    /// A tuple is guarded for 2 MSL.
    fn enter_time_wait(&mut self, connection: Ref, tuple: &Tuple, state: TimeWaitState) {
        let index = match self.tables.time_wait.insert() {
            Some(index) => Some(index),
            None => {
                // The oldest has guarded longest: it gives way.
                let oldest = self.tcp.time_wait.front();
                if oldest.is_some() {
                    self.forget_time_wait(oldest.index());
                    let evicted = &mut self.counters.tcp_time_wait_evicted;
                    *evicted = evicted.wrapping_add(1);
                }
                self.tables.time_wait.insert()
            }
        };
        let Some(index) = index else {
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

    fn queue_time_wait(&mut self, item: Ref) {
        if self
            .tcp
            .time_wait
            .push_back(&mut Sending(&mut self.tables), item)
        {
            self.put_on(item, On::TimeWait);
        }
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
            time_wait::Disposition::Ack { reply, restart } => {
                if restart {
                    let tick = self.clock.quarter();
                    let item = Ref::new(Kind::TimeWait, index);
                    self.unlink(item);
                    if let Some(entry) = self.tables.time_wait.get_mut(index) {
                        entry.links.tag = tick;
                    }
                    self.queue_time_wait(item);
                }
                self.send_reply(&tuple, Some(packet.arrival.iface), &reply);
                Ok(())
            }
            time_wait::Disposition::Reopen { min_iss } => {
                if self.find_listener(&tuple, packet.arrival.iface).is_none() {
                    // Nobody would take the new incarnation: the old one stays guarded.
                    return Err(DropReason::TcpNoSocket);
                }
                self.forget_time_wait(index);
                self.listener_input(&tuple, packet, segment, Some(min_iss))
            }
        }
    }

    fn forget_time_wait(&mut self, index: u32) {
        let Some(entry) = self.tables.time_wait.get(index) else {
            return;
        };
        let tuple = entry.tuple;
        let item = Ref::new(Kind::TimeWait, index);
        self.unlink(item);
        self.demux.remove(&self.keys, TCP, &tuple, item);
        self.tables.time_wait.remove(index);
    }

    /// Ticks of 4 ms that TIME-WAIT lasts.
    fn time_wait_ticks(&self) -> u16 {
        // 2 MSL is at most 240 s (RFC 9293 §3.4.2), which the tunable's range keeps: 32 bits do.
        let micros = u32::try_from(self.tunables.tcp.time_wait).unwrap_or(u32::MAX);
        u16::try_from(micros / 4_000).unwrap_or(u16::MAX)
    }

    /// Forgets connections whose 2 MSL are over.
    pub(crate) fn fire_time_waits(&mut self) {
        if self.tcp.time_wait.is_empty() {
            return;
        }
        let (tick, wait) = (self.clock.quarter(), self.time_wait_ticks());
        loop {
            let oldest = self.tcp.time_wait.front();
            let Some(entry) = self.tables.time_wait.get(oldest.index()) else {
                return;
            };
            if oldest.is_none() || tick.wrapping_sub(entry.links.tag) < wait {
                return;
            }
            self.forget_time_wait(oldest.index());
        }
    }

    /// When the oldest TIME-WAIT is over.
    pub(crate) fn time_wait_deadline(&self) -> Option<Instant> {
        let oldest = self.tcp.time_wait.front();
        if oldest.is_none() {
            return None;
        }
        let entry = self.tables.time_wait.get(oldest.index())?;
        Some(self.tick_to_instant(entry.links.tag, self.time_wait_ticks()))
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
