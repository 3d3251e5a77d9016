//! Segments out: a connection's turn.

use netloom_driver::{FrameSink, Instant, TxCaps};
use netloom_tcp::{Next, Plan, PlanKind};
use netloom_wire::{Addr, TcpRepr, protocol};

use crate::counters::DropReason;
use crate::list::{Kind, Ref};
use crate::output::{Hop, IpHeader, LinkHeader, header_len, segment};
use crate::stack::{Sent, Stack, Turn};
use crate::tables::ConnectionTimers;
use crate::tcp::slot::TcpSlot;

/// MTU-sized segments of one connection in a turn: enough to stay in the cache, few enough
/// not to starve the others. With segmentation offload one super-segment is a turn.
const QUANTUM: usize = 16;

/// The largest payload of a super-segment: the headers must fit 64 KiB with it.
const GSO_HEADERS: u32 = 40 + 60 + 14;

impl Stack {
    /// A connection's turn to send: what [`netloom_tcp::Connection::next`] says is done, until
    /// it has nothing more to say.
    pub(crate) fn connection_turn(
        &mut self,
        iface: u8,
        index: u32,
        caps: &TxCaps,
        sink: &mut dyn FrameSink,
        sent: &mut Sent,
    ) -> Turn {
        let gso_max = caps.gso_max.saturating_sub(GSO_HEADERS);
        let mut link = None;
        for _ in 0..QUANTUM {
            let Some(slot) = self.tables.connections.get_mut(index) else {
                return Turn::Done;
            };
            if slot.conn.unsent_bytes() > 0 {
                self.tcp
                    .buffers
                    .ensure_records(&mut slot.conn, &mut slot.buffers);
            }
            let env = self.clock.env(&self.tunables.tcp, gso_max);
            let plan = match slot.conn.next(&env, &slot.buffers.io()) {
                Next::Send(plan) => plan,
                Next::Fire(timer) => {
                    let outcome = slot.conn.fire(&env, &mut slot.buffers.io(), timer);
                    self.apply(index, &outcome);
                    continue;
                }
                Next::Wait(until) => {
                    self.rest(index, until);
                    return Turn::Done;
                }
            };
            let hop = match link {
                Some(link) => Hop::Ready(link),
                None => match self.connection_hop(iface, index) {
                    Ok(hop) => hop,
                    Err(turn) => return turn,
                },
            };
            let hop = match hop {
                Hop::Ready(ready) => {
                    link = Some(ready);
                    ready
                }
                Hop::Wait(id) => {
                    if self.wait_for(id, Ref::new(Kind::Connection, index)) {
                        return Turn::Done;
                    }
                    self.lose(index, &plan, gso_max, DropReason::NeighborFull);
                    continue;
                }
                Hop::Nowhere(reason) => {
                    self.lose(index, &plan, gso_max, reason);
                    continue;
                }
            };
            let Some(slot) = self.tables.connections.get_mut(index) else {
                return Turn::Done;
            };
            if emit(slot, &plan, &hop, caps, sink).is_err() {
                return Turn::Full;
            }
            self.count_sent(sent);
            self.planned(index, &plan, gso_max);
            if gso_max > 0 && plan.len > u32::from(plan.mss) {
                return Turn::Again;
            }
        }
        Turn::Again
    }

    /// Where a connection's segments go; `Err` if its turn is over.
    fn connection_hop(&mut self, iface: u8, index: u32) -> Result<Hop, Turn> {
        let Some(slot) = self.tables.connections.get(index) else {
            return Err(Turn::Done);
        };
        let (dst, scope) = (slot.tuple.remote, slot.tuple.scope());
        let Some((out, next_hop)) = self.route_again(&dst, scope) else {
            return Ok(Hop::Nowhere(DropReason::NoRoute));
        };
        if out != iface {
            // The route has moved: so does the connection.
            if let Some(slot) = self.tables.connections.get_mut(index) {
                slot.iface = out;
            }
            self.refresh_path_mss(index);
            self.owe(out, Ref::new(Kind::Connection, index));
            return Err(Turn::Done);
        }
        Ok(self.hop(iface, &next_hop))
    }

    /// A plan left: the connection records it.
    #[inline]
    fn planned(&mut self, index: u32, plan: &Plan, gso_max: u32) {
        let Some(slot) = self.tables.connections.get_mut(index) else {
            return;
        };
        let env = self.clock.env(&self.tunables.tcp, gso_max);
        let outcome = slot.conn.sent(&env, &mut slot.buffers.io(), plan);
        let counters = &mut self.counters;
        counters.tcp_segments_sent = counters.tcp_segments_sent.wrapping_add(1);
        match plan.kind {
            PlanKind::Retransmission => {
                counters.tcp_segments_retransmitted =
                    counters.tcp_segments_retransmitted.wrapping_add(1);
            }
            PlanKind::Reset => counters.tcp_resets_sent = counters.tcp_resets_sent.wrapping_add(1),
            PlanKind::Syn
            | PlanKind::Data
            | PlanKind::Fin
            | PlanKind::WindowProbe
            | PlanKind::KeepAlive
            | PlanKind::Ack
            | PlanKind::DuplicateAck => {}
        }
        self.apply(index, &outcome);
    }

    /// A plan that cannot be sent now is as good as lost on the wire: the connection's own
    /// timers bring it back.
    fn lose(&mut self, index: u32, plan: &Plan, gso_max: u32, reason: DropReason) {
        self.drop_output(reason);
        self.planned(index, plan, gso_max);
    }

    /// A connection owes nothing: its timer is armed and what it drained is taken back.
    fn rest(&mut self, index: u32, until: Option<Instant>) {
        let Some(slot) = self.tables.connections.get_mut(index) else {
            return;
        };
        if is_far(until, self.clock.now) {
            self.tcp.buffers.reclaim(&mut slot.conn, &mut slot.buffers);
        }
        slot.wake_at = until.unwrap_or(Instant::ZERO);
        if let Some(until) = until {
            self.tcp.deadlines.arm(
                &mut ConnectionTimers(&mut self.tables.connections),
                index,
                until,
            );
        }
    }

    /// Has those connections looked at whose time has come.
    pub(crate) fn fire_connections(&mut self) {
        let now = self.clock.now;
        while let Some(index) = self
            .tcp
            .deadlines
            .expire(&mut ConnectionTimers(&mut self.tables.connections), now)
        {
            let Some(slot) = self.tables.connections.get_mut(index) else {
                continue;
            };
            match slot.deadline() {
                Some(due) if due <= now => {
                    slot.wake_at = Instant::ZERO;
                    let iface = slot.iface;
                    self.owe(iface, Ref::new(Kind::Connection, index));
                }
                Some(later) => self.tcp.deadlines.arm(
                    &mut ConnectionTimers(&mut self.tables.connections),
                    index,
                    later,
                ),
                None => {}
            }
        }
    }

    /// The neighbour a connection's segments were for does not answer.
    pub(crate) fn next_hop_failed(&mut self, index: u32) {
        let Some(slot) = self.tables.connections.get_mut(index) else {
            return;
        };
        let iface = slot.iface;
        let env = self.clock.env(&self.tunables.tcp, 0);
        // An attempt to connect ends here, as with EHOSTUNREACH elsewhere; an open connection
        // only hears of it, and its data counts as lost.
        let outcome = slot.conn.next_hop_failed();
        let plan = match slot.conn.next(&env, &slot.buffers.io()) {
            Next::Send(plan) => Some(plan),
            Next::Fire(_) | Next::Wait(_) => None,
        };
        self.apply(index, &outcome);
        if let (Some(plan), None) = (plan, outcome.end) {
            self.lose(index, &plan, 0, DropReason::NeighborFailed);
            self.owe(iface, Ref::new(Kind::Connection, index));
        }
    }

    /// Tells a connection what its path carries now.
    pub(crate) fn refresh_path_mss(&mut self, index: u32) {
        let Some(slot) = self.tables.connections.get(index) else {
            return;
        };
        let (dst, iface) = (slot.tuple.remote, slot.iface);
        let mss = mss_of(self.path_mtu(&dst, iface), &dst);
        if let Some(slot) = self.tables.connections.get_mut(index) {
            slot.conn.set_path_mss(&mut slot.buffers.io(), mss);
        }
    }
}

/// Whether a connection whose next deadline this is will be quiet for a while: then what it
/// drained is taken back. One that is about to act would only take it again.
pub(crate) fn is_far(until: Option<Instant>, now: Instant) -> bool {
    until.is_none_or(|until| until > now.plus_micros(QUIET_MICROS))
}

/// How long quiet is: longer than a delayed acknowledgement waits.
const QUIET_MICROS: u64 = 500_000;

/// Octets of TCP options and payload in a packet of `mtu` bytes.
pub(crate) fn mss_of(mtu: u16, dst: &Addr) -> u16 {
    mtu.saturating_sub(header_len(dst) as u16 + netloom_wire::tcp::HEADER_LEN as u16)
}

/// Writes a planned segment into the device.
#[inline]
fn emit(
    slot: &mut TcpSlot,
    plan: &Plan,
    link: &LinkHeader,
    caps: &TxCaps,
    sink: &mut dyn FrameSink,
) -> Result<(), netloom_driver::Full> {
    let ip = IpHeader {
        src: slot.tuple.local(),
        dst: slot.tuple.remote,
        protocol: protocol::TCP,
        ttl: slot.ttl,
        tos: slot.tos,
    };
    let repr = TcpRepr {
        src_port: slot.tuple.local_port,
        dst_port: slot.tuple.remote_port,
        seq: plan.seq.0,
        ack: plan.ack.0,
        flags: plan.flags,
        window: plan.window,
        urgent: plan.urgent,
        options: plan.options,
    };
    let io = slot.buffers.io();
    let payload = plan.payload(&slot.conn, &io);
    let mss = (plan.len > u32::from(plan.mss)).then_some(plan.mss);
    segment(
        sink,
        caps,
        link,
        &ip,
        repr.header_len(),
        16,
        &mut |header| {
            let _ = repr.emit(header);
        },
        payload,
        mss,
    )
}
