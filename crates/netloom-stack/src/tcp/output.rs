//! Segments out: a connection's turn.

use netloom_driver::{FrameSink, Full, Instant, TxCaps};
use netloom_tcp::{Connection, Env, Io, Next, Outcome, Plan, PlanKind};
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
        let mut link = self.known_link(iface, index);
        self.heed_device(index, caps.mtu);
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
            let (ip, ports) = (slot.ip_header(), slot.tuple.ports());
            let mut io = slot.buffers.io();
            let plan = match slot.conn.next(&env, &io) {
                Next::Send(plan) => plan,
                Next::Fire(timer) => {
                    let outcome = slot.conn.fire(&env, &mut io, timer);
                    self.apply(index, &outcome);
                    continue;
                }
                Next::Wait(until) => {
                    self.rest(index, until);
                    return Turn::Done;
                }
            };
            let result = match &link {
                Some(link) => {
                    let conn = &mut slot.conn;
                    emit(ip, ports, conn, &mut io, &env, &plan, link, caps, sink)
                }
                // The next hop comes first, but only for those who have something to send.
                None => match self.connection_hop(iface, index) {
                    Ok(Hop::Ready(found)) => {
                        let Some(slot) = self.tables.connections.get_mut(index) else {
                            return Turn::Done;
                        };
                        let env = self.clock.env(&self.tunables.tcp, gso_max);
                        let (conn, mut io) = (&mut slot.conn, slot.buffers.io());
                        let found = link.insert(found);
                        emit(ip, ports, conn, &mut io, &env, &plan, found, caps, sink)
                    }
                    Ok(Hop::Wait(id)) => {
                        if self.wait_for(id, Ref::new(Kind::Connection, index)) {
                            return Turn::Done;
                        }
                        self.lose(index, &plan, gso_max, DropReason::NeighborFull);
                        continue;
                    }
                    Ok(Hop::Nowhere(reason)) => {
                        self.lose(index, &plan, gso_max, reason);
                        continue;
                    }
                    Err(turn) => return turn,
                },
            };
            let Ok(outcome) = result else {
                return Turn::Full;
            };
            self.count_sent(sent);
            self.recorded(index, plan.kind, &outcome);
            if gso_max > 0 && plan.len > u32::from(plan.mss) {
                return Turn::Again;
            }
            if cfg!(target_pointer_width = "64") && !outcome.owes_frame && self.rest_now(index) {
                return Turn::Done;
            }
        }
        Turn::Again
    }

    /// A device may carry less than its interface was told, and from one moment to the next:
    /// segments are cut to what it says now.
    #[inline]
    fn heed_device(&mut self, index: u32, mtu: u16) {
        let Some(slot) = self.tables.connections.get_mut(index) else {
            return;
        };
        let limit = mss_of(mtu, &slot.tuple.remote);
        if slot.conn.path_mss() > limit {
            slot.conn.set_path_mss(&mut slot.buffers.io(), limit);
        }
    }

    /// The link header of a connection's segments where nothing has to be asked for it: its
    /// route was the last one looked up, and leads to a link without addresses.
    #[inline]
    fn known_link(&self, iface: u8, index: u32) -> Option<LinkHeader> {
        if !cfg!(target_pointer_width = "64") || self.interface(iface)?.ethernet {
            return None;
        }
        let tuple = &self.tables.connections.get(index)?.tuple;
        let known = tuple.scope().is_none() && self.recent.leads_to(&tuple.remote, iface);
        known.then_some(LinkHeader::None)
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

    /// A plan was recorded by its connection: counted, and what follows is applied.
    #[inline]
    fn recorded(&mut self, index: u32, kind: PlanKind, outcome: &Outcome) {
        let counters = &mut self.counters;
        counters.tcp_segments_sent = counters.tcp_segments_sent.wrapping_add(1);
        match kind {
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
        self.apply(index, outcome);
    }

    /// A plan that cannot be sent now is as good as lost on the wire: the connection's own
    /// timers bring it back.
    #[inline(never)]
    fn lose(&mut self, index: u32, plan: &Plan, gso_max: u32, reason: DropReason) {
        self.drop_output(reason);
        let Some(slot) = self.tables.connections.get_mut(index) else {
            return;
        };
        let env = self.clock.env(&self.tunables.tcp, gso_max);
        let outcome = slot.conn.sent(&env, &mut slot.buffers.io(), plan);
        self.recorded(index, plan.kind, &outcome);
    }

    /// A connection said that it owes nothing: it rests, unless one of its timers is due.
    #[inline]
    fn rest_now(&mut self, index: u32) -> bool {
        let Some(slot) = self.tables.connections.get(index) else {
            return false;
        };
        let until = slot.conn.deadline(&self.clock.env(&self.tunables.tcp, 0));
        if until.is_some_and(|until| until <= self.clock.now) {
            return false;
        }
        self.rest(index, until);
        true
    }

    /// A connection owes nothing: its timer is armed and what it drained is taken back.
    #[inline]
    fn rest(&mut self, index: u32, until: Option<Instant>) {
        let Some(slot) = self.tables.connections.get_mut(index) else {
            return;
        };
        if is_far(until, self.clock.now) {
            self.tcp.buffers.reclaim(&mut slot.conn, &mut slot.buffers);
        }
        let armed = slot.is_armed_by(until);
        slot.wake_at = until.unwrap_or(Instant::ZERO);
        if armed {
            return;
        }
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

impl TcpSlot {
    /// The network header of the connection's segments.
    #[inline]
    fn ip_header(&self) -> IpHeader {
        IpHeader {
            src: self.tuple.local(),
            dst: self.tuple.remote,
            protocol: protocol::TCP,
            ttl: self.ttl,
            tos: self.tos,
        }
    }
}

/// Writes a planned segment into the device, and has the connection record it if the device took
/// it. `ports` are the local one and the remote one, in one word.
#[expect(
    clippy::too_many_arguments,
    reason = "each is a part of the one segment"
)]
#[inline]
fn emit(
    ip: IpHeader,
    ports: u32,
    conn: &mut Connection,
    io: &mut Io<'_>,
    env: &Env<'_>,
    plan: &Plan,
    link: &LinkHeader,
    caps: &TxCaps,
    sink: &mut dyn FrameSink,
) -> Result<Outcome, Full> {
    let repr = TcpRepr {
        src_port: (ports >> 16) as u16,
        dst_port: ports as u16,
        seq: plan.seq.0,
        ack: plan.ack.0,
        flags: plan.flags,
        window: plan.window,
        urgent: plan.urgent,
        options: plan.options,
    };
    let payload = plan.payload(conn, io);
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
    )?;
    Ok(conn.sent(env, io, plan))
}
