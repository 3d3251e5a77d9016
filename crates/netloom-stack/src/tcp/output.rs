//! Segments out: a connection's turn.

use netloom_driver::{FrameSink, Full, Instant, TxCaps};
use netloom_tcp::{Connection, Env, Io, Next, Outcome, Plan, PlanKind};
use netloom_wire::checksum::Sum;
use netloom_wire::hint::cold_path;
use netloom_wire::tcp::HEADER_LEN;
use netloom_wire::{Addr, TcpHeader, TcpOptionWords, protocol};

use crate::clock::Clock;
use crate::counters::{DropReason, count};
use crate::list::{Kind, Ref};
use crate::neighbor::NeighborCache;
use crate::output::{Hop, IpHeader, LinkHeader, OFFLOAD, TransportHeader, header_len, segment};
use crate::recent::Epoch;
use crate::stack::{Sent, Stack, Turn};
use crate::tables::ConnectionTimers;
use crate::tcp::buffers::BufferPool;
#[cfg(all(
    feature = "alloc",
    feature = "ipv4",
    feature = "fast-retransmit",
    target_pointer_width = "64"
))]
use crate::tcp::fast::write_usual;
use crate::tcp::slot::TcpSlot;

/// MTU-sized segments of one connection in a turn: enough to stay in the cache, few enough
/// not to starve the others. With segmentation offload one super-segment is a turn.
pub(super) const QUANTUM: usize = 16;

/// The tag of a connection whose next hop has failed, until its turn: what it wants to send then is
/// lost.
#[cfg(not(feature = "alloc"))]
const HOP_FAILED: u16 = 1;

/// The largest payload of a super-segment: the headers must fit 64 KiB with it.
pub(super) const GSO_HEADERS: u32 = 40 + 60 + 14;

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
        let gso_max = if OFFLOAD {
            caps.gso_max.saturating_sub(GSO_HEADERS)
        } else {
            0
        };
        #[cfg(not(feature = "alloc"))]
        let mut hop_failed = match self.tables.connections.get_mut(index) {
            Some(slot) => core::mem::take(&mut slot.links.tag) == HOP_FAILED,
            None => false,
        };
        #[cfg_attr(
            not(target_pointer_width = "64"),
            expect(unused_mut, reason = "it is asked for again")
        )]
        let mut link = self.begin_turn(iface, index, caps.mtu);
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
            // Looked at where it lies, as what follows: it is not copied.
            let next = slot.conn.next(&env, &io);
            let plan = match &next {
                Next::Send(plan) => plan,
                &Next::Fire(timer) => {
                    let outcome = slot.conn.fire(&env, &mut io, timer);
                    self.apply(index, &outcome);
                    continue;
                }
                &Next::Wait(until) => {
                    self.rest(index, until);
                    return Turn::Done;
                }
            };
            #[cfg(not(feature = "alloc"))]
            if core::mem::take(&mut hop_failed) {
                self.lose(index, plan, gso_max, DropReason::NeighborFailed);
                continue;
            }
            let result = match &link {
                Some(link) => {
                    let conn = &mut slot.conn;
                    emit(ip, ports, conn, &mut io, &env, plan, link, caps, sink)
                }
                // The next hop comes first, but only for those who have something to send.
                None => match &self.connection_hop(iface, index) {
                    Ok(Hop::Ready(found)) => {
                        let Some(slot) = self.tables.connections.get_mut(index) else {
                            return Turn::Done;
                        };
                        let env = self.clock.env(&self.tunables.tcp, gso_max);
                        let (conn, mut io) = (&mut slot.conn, slot.buffers.io());
                        // On 32 bits it is asked for again: to remember it is dear there.
                        #[cfg(target_pointer_width = "64")]
                        let found = &*link.insert(*found);
                        emit(ip, ports, conn, &mut io, &env, plan, found, caps, sink)
                    }
                    &Ok(Hop::Wait(id)) => {
                        if self.wait_for(id, Ref::new(Kind::Connection, index)) {
                            return Turn::Done;
                        }
                        self.lose(index, plan, gso_max, DropReason::NeighborFull);
                        continue;
                    }
                    &Ok(Hop::Nowhere(reason)) => {
                        self.lose(index, plan, gso_max, reason);
                        continue;
                    }
                    &Err(turn) => return turn,
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
            if cfg!(target_pointer_width = "64") && !outcome.owes_frame() && self.rest_now(index) {
                return Turn::Done;
            }
        }
        Turn::Again
    }

    /// Prepares a connection's turn; returns the link header of its segments where nothing has to
    /// be asked for it: its route was the last one looked up, and leads to a link without
    /// addresses or to a neighbour that was asked for a moment ago.
    ///
    /// A device may carry less than its interface was told, either may change from one moment to the
    /// next, and what a router said holds for a while: segments are as large as fits now.
    #[inline]
    fn begin_turn(&mut self, iface: u8, index: u32, mtu: u16) -> Option<LinkHeader> {
        let interface = self.interfaces.get(usize::from(iface))?;
        let (link, ethernet) = (mtu.min(interface.mtu), interface.ethernet);
        let slot = self.tables.connections.get(index)?;
        //= https://www.rfc-editor.org/rfc/rfc1191#section-6.3
        //# When a PMTU
        //# value has not been decreased for a while (on the order of 10
        //# minutes), the PMTU estimate should be set to the first-hop data-link
        //# MTU, and the packetization layers should be notified of the change.
        if slot.conn.path_mss() != mss_of(link, &slot.tuple.remote) {
            self.refresh_path_mss(index, link);
        }
        let slot = self.tables.connections.get(index)?;
        let remote = &slot.tuple.remote;
        if !cfg!(target_pointer_width = "64") {
            return None;
        }
        if slot.tuple.scope().is_some() || !self.recent.leads_to(remote, iface) {
            return None;
        }
        if !ethernet {
            return Some(LinkHeader::None);
        }
        self.recent
            .link(remote, iface, epoch(&self.neighbors, &self.clock))
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
            self.owe(out, Ref::new(Kind::Connection, index));
            return Err(Turn::Done);
        }
        let hop = self.hop(iface, &next_hop);
        if let (Hop::Ready(header), None) = (hop, scope) {
            let now = epoch(&self.neighbors, &self.clock);
            self.recent.note_link(&dst, iface, header, now);
        }
        Ok(hop)
    }

    /// A plan was recorded by its connection: counted, and what follows is applied.
    #[inline]
    fn recorded(&mut self, index: u32, kind: PlanKind, outcome: &Outcome) {
        count!(self, tcp_segments_sent);
        #[cfg(target_pointer_width = "64")]
        count!(self, tcp_unpredicted_sent);
        match kind {
            PlanKind::Retransmission => count!(self, tcp_segments_retransmitted),
            PlanKind::Reset => count!(self, tcp_resets_sent),
            PlanKind::Syn
            | PlanKind::Data
            | PlanKind::PathProbe
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
        let Some(slot) = self.tables.connections.get_mut(index) else {
            return false;
        };
        let until = slot.conn.deadline(&self.clock.env(&self.tunables.tcp, 0));
        if until.is_some_and(|until| until <= self.clock.now) {
            return false;
        }
        if slot.settle(until, &mut self.tcp.buffers, self.clock.now) {
            self.arm(index, until);
        }
        true
    }

    /// A connection owes nothing: its timer is armed and what it drained is taken back.
    #[inline]
    fn rest(&mut self, index: u32, until: Option<Instant>) {
        let Some(slot) = self.tables.connections.get_mut(index) else {
            return;
        };
        if slot.settle(until, &mut self.tcp.buffers, self.clock.now) {
            self.arm(index, until);
        }
    }

    /// Has the wheel hand a connection out when it wants to be looked at.
    #[inline]
    pub(super) fn arm(&mut self, index: u32, until: Option<Instant>) {
        if let Some(until) = until {
            self.tcp.deadlines.arm(
                &mut ConnectionTimers(&mut self.tables.connections),
                index,
                until,
            );
        }
    }

    /// Has those connections looked at whose time has come.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn fire_connections(&mut self) {
        if self.tcp.deadlines.may_be_due(self.clock.now) {
            self.fire_due_connections();
        }
    }

    // Apart on 64 bits: most turns have none.
    #[cfg(feature = "alloc")]
    #[cfg_attr(target_pointer_width = "64", inline(never))]
    #[cfg_attr(not(target_pointer_width = "64"), inline)]
    fn fire_due_connections(&mut self) {
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
        #[cfg(feature = "alloc")]
        let env = self.clock.env(&self.tunables.tcp, 0);
        // An attempt to connect ends here, as with EHOSTUNREACH elsewhere; an open connection
        // only hears of it, and its data counts as lost.
        let outcome = slot.conn.next_hop_failed();
        #[cfg(feature = "alloc")]
        let plan = match slot.conn.next(&env, &slot.buffers.io()) {
            Next::Send(plan) => Some(plan),
            Next::Fire(_) | Next::Wait(_) => None,
        };
        #[cfg(not(feature = "alloc"))]
        {
            slot.links.tag = HOP_FAILED;
        }
        self.apply(index, &outcome);
        if outcome.ended() {
            return;
        }
        #[cfg(feature = "alloc")]
        if let Some(plan) = plan {
            self.lose(index, &plan, 0, DropReason::NeighborFailed);
        }
        // While it waited no timer of it was armed, and one may be due: its turn sees to both.
        self.owe(iface, Ref::new(Kind::Connection, index));
    }

    /// Tells a connection what its path carries now, whose first link carries packets of `link` bytes.
    #[cold]
    pub(crate) fn refresh_path_mss(&mut self, index: u32, link: u16) {
        let Some(slot) = self.tables.connections.get(index) else {
            return;
        };
        let dst = slot.tuple.remote;
        let path = self.path_mtu_within(&dst, link);
        let mss = mss_of(path, &dst);
        if let Some(slot) = self.tables.connections.get_mut(index) {
            if slot.conn.path_mss() != mss {
                slot.conn.set_path_mss(&mut slot.buffers.io(), mss);
            }
        }
    }
}

/// What a resolved link header is good for.
#[inline]
pub(crate) fn epoch(neighbors: &NeighborCache, clock: &Clock) -> Epoch {
    Epoch {
        version: neighbors.version(),
        tick: clock.now_ms >> 10,
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
    mtu.saturating_sub(header_len(dst) as u16 + HEADER_LEN as u16)
}

impl TcpSlot {
    /// A connection owes nothing until then: what it drained is taken back. Says whether its timer
    /// has to be armed for that.
    #[inline]
    pub(super) fn settle(
        &mut self,
        until: Option<Instant>,
        pool: &mut BufferPool,
        now: Instant,
    ) -> bool {
        if is_far(until, now) {
            pool.reclaim(&mut self.conn, &mut self.buffers);
        }
        let armed = self.is_armed_by(until);
        self.wake_at = until.unwrap_or(Instant::ZERO);
        !armed
    }

    /// The network header of the connection's segments.
    #[inline]
    pub(super) fn ip_header(&self) -> IpHeader {
        IpHeader {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.1.1
            //# At all other times, a previous segment has either been sent or
            //# received on this connection, and TCP implementations MUST use the
            //# same local address that was used in those previous segments (MUST-
            //# 45).
            src: self.tuple.local(),
            dst: self.tuple.remote,
            protocol: protocol::TCP,
            ttl: self.ttl,
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.1.9
            //# TCP implementations
            //# SHOULD pass the current Differentiated Services field value without
            //# change to the IP layer, when it sends segments on the connection
            //# (SHLD-22).
            tos: self.tos,
        }
    }
}

/// A TCP header with its options, to be written.
pub(crate) struct TcpHead<'a> {
    pub(crate) header: TcpHeader,
    pub(crate) options: &'a TcpOptionWords,
}

impl TransportHeader for TcpHead<'_> {
    const CHECKSUM_AT: usize = 16;

    #[inline]
    fn len(&self) -> usize {
        HEADER_LEN.wrapping_add(self.options.len())
    }

    #[inline]
    fn emit(&self, place: &mut [u8]) -> Sum {
        self.header
            .emit(self.options, place)
            .map_or_else(|_| Sum::new(), |(sum, _)| sum)
    }
}

/// Writes a planned segment into the device, and has the connection record it if the device took
/// it.
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
    write(ip, ports, conn, io, env, plan, link, caps, sink)?;
    Ok(conn.sent(env, io, plan))
}

/// Writes a planned segment into the device. `ports` are the local one and the remote one, in one
/// word.
#[expect(
    clippy::too_many_arguments,
    reason = "each is a part of the one segment"
)]
#[inline]
pub(super) fn write(
    ip: IpHeader,
    ports: u32,
    conn: &Connection,
    io: &Io<'_>,
    env: &Env<'_>,
    plan: &Plan,
    link: &LinkHeader,
    caps: &TxCaps,
    sink: &mut dyn FrameSink,
) -> Result<(), Full> {
    #[cfg(feature = "rack")]
    let ip = IpHeader {
        tos: ip.tos | conn.ecn_codepoint(plan),
        ..ip
    };
    let options = conn.options(env, io, plan);
    let header = TcpHeader {
        src_port: (ports >> 16) as u16,
        dst_port: ports as u16,
        seq: plan.seq.0,
        ack: plan.ack.0,
        flags: plan.flags,
        window: plan.window,
        urgent: plan.urgent,
    };
    let payload = plan.payload(conn, io);
    let mss = (plan.len > u32::from(plan.mss)).then_some(plan.mss);
    let head = TcpHead {
        header,
        options: &options,
    };
    write_segment(sink, caps, link, &ip, &head, payload, mss)
}

/// [`segment`] of TCP.
#[inline(always)]
pub(super) fn write_segment(
    sink: &mut dyn FrameSink,
    caps: &TxCaps,
    link: &LinkHeader,
    ip: &IpHeader,
    head: &TcpHead<'_>,
    payload: (&[u8], &[u8]),
    mss: Option<u16>,
) -> Result<(), Full> {
    #[cfg(all(
        feature = "alloc",
        feature = "ipv4",
        feature = "fast-retransmit",
        target_pointer_width = "64"
    ))]
    if mss.is_none() {
        if let Some(written) = write_usual(ip, head, payload, link, caps, sink) {
            return written;
        }
    }
    cold_path();
    segment(sink, caps, link, ip, head, payload, mss)
}
