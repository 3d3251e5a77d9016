//! The fast path of a connection whose transfer is undisturbed, through all layers at once.
//!
//! Layer by layer every segment asks what the one before has asked: is the header well formed, are
//! these addresses good, whose is it, where does the route lead, which of the lists is it on? Here a
//! segment is read, or written, with its connection's slot at hand, looked up once. What a segment
//! must be for that, [`netloom_wire::plain`] says of its headers and `netloom_tcp`'s fast path of
//! its connection.
//!
//! Nothing is decided here that the layers do not decide: each call says at once that it is not for
//! this segment, with nothing changed, or does what they do. What it may assume, and from where:
//!
//! - addresses: those judged last, for the same interface (`Recent` forgets them
//!   when addresses or routes change);
//! - the connection: the one found last, if it has the segment's tuple, else it is looked up;
//! - route and neighbour: those looked up last, as long as they hold.
//!
//! A segment that is plain but for what it means, as one that opens or closes a connection, is at least
//! read and written so: its connection judges it the long way (`usual.rs`, `write.rs`).
//!
//! Without a heap nothing is remembered, and on small machines the code is dearer than the time:
//! both go through the layers always. A test drives the same stacks both ways and compares what they
//! send, tell and count.

use netloom_driver::{FrameSink, RxChecksum, RxMeta, TxCaps};
#[cfg(feature = "autotune")]
use netloom_tcp::News;
use netloom_tcp::{Segment, SeqNum, State};
use netloom_wire::Addr;
use netloom_wire::hint::cold_path;
use netloom_wire::plain::{PlainRepr, PlainView};

use crate::counters::{Layer, count};
use crate::demux::TCP;
use crate::event::{Event, TcpHandle};
use crate::list::{Kind, Ref};
use crate::output::LinkHeader;
use crate::stack::{Sent, Stack};
use crate::tcp::output::{GSO_HEADERS, QUANTUM, epoch, mss_of, write};
use crate::tcp::slot::Flags;
use crate::tuple::Tuple;
use crate::waiting::On;

mod bare;
mod usual;
mod write;

use write::write_plain;
pub(super) use write::write_usual;

/// How a turn ended that sends plain segments.
pub(crate) enum PlainTurn {
    /// The connection owes nothing more.
    Done,
    /// It may have more: its turn comes again after the others'.
    Again,
    /// The device was full.
    Full,
    /// Nothing is owed on the interface.
    Idle,
    /// Something else is owed: what there is, or the rest of the turn, is for the layers.
    Other,
}

impl Stack {
    /// Takes in a packet if it is a plain segment of a connection, or a SYN as it usually is. False:
    /// it is not, or it is broken; nothing has changed.
    #[inline(always)]
    pub(crate) fn plain_input(&mut self, iface: u8, packet: &[u8], meta: &RxMeta) -> bool {
        #[cfg(test)]
        if self.long_way {
            return false;
        }
        let Some(view) = PlainView::new(packet) else {
            return self.syn_input_usual(iface, packet, meta);
        };
        let known = self.recent.addresses(&view.src(), &view.dst(), iface);
        if known != Some(true) || meta.gso_size != 0 {
            cold_path();
            return false;
        }
        let index = match self.plain_connection(iface, &view) {
            Ok(index) => index,
            Err(other) => return self.half_open_input_usual(iface, other, view, meta),
        };
        let Some(slot) = self.tables.connections.get_mut(index) else {
            cold_path();
            return false;
        };
        if slot.conn.state() != State::Established || view.flags().fin() {
            return self.connection_input_usual(index, view, meta);
        }
        let segment = segment(&view);
        let intact = || is_intact(&view, meta);
        let env = self.clock.env(&self.tunables.tcp, 0);
        let mut io = slot.buffers.io();
        let Some(news) = slot.conn.receive_plain(&env, &mut io, &segment, intact) else {
            return self.connection_input_usual(index, view, meta);
        };
        for layer in [Layer::Ip, Layer::Tcp] {
            self.counters.receive(layer);
            self.counters.deliver(layer);
        }
        let left = slot.list(index, news, &mut self.events, &mut self.interfaces);
        self.finish_listing(index, left);
        #[cfg(feature = "autotune")]
        if news.contains(News::ROUND_OVER) {
            cold_path();
            self.round_over(index);
        }
        true
    }

    /// Whose a plain segment is: mostly of the connection found last. An error says what else it
    /// belongs to.
    #[inline(always)]
    fn plain_connection(&mut self, iface: u8, view: &PlainView<'_>) -> Result<u32, Ref> {
        let (local, remote, ports) = (view.dst(), view.src(), view.ports());
        if let Some(index) = self.last_connection_of(&local, &remote, ports) {
            return Ok(index);
        }
        let tuple = Tuple::new((local, (ports >> 16) as u16), (remote, ports as u16), iface);
        let found = self.demux.find(&self.keys, &self.tables, TCP, &tuple);
        match found.kind() {
            Some(Kind::Connection) => Ok(found.index()),
            _ => Err(found),
        }
    }

    /// The connection found last, if it is the one between these addresses, whose ports are the local
    /// one and the remote one in one word.
    #[inline(always)]
    fn last_connection_of(&self, local: &Addr, remote: &Addr, ports: u32) -> Option<u32> {
        let index = self.demux.last_connection()?;
        let slot = self.tables.connections.get(index)?;
        (slot.flags.has(Flags::INDEXED) && slot.tuple.is_of(local, remote, ports)).then_some(index)
    }

    /// The turn of the connection that is the first to owe an interface frames, as long as each of
    /// them is plain, or bare. It stays the first, but for [`PlainTurn::Done`].
    #[inline(always)]
    pub(crate) fn plain_turn(
        &mut self,
        iface: u8,
        caps: &TxCaps,
        sink: &mut dyn FrameSink,
        sent: &mut Sent,
    ) -> PlainTurn {
        #[cfg(test)]
        if self.long_way {
            return PlainTurn::Other;
        }
        let Some(interface) = self.interfaces.get_mut(usize::from(iface)) else {
            cold_path();
            return PlainTurn::Idle;
        };
        let item = interface.owing.front();
        if !interface.control.is_empty() {
            return PlainTurn::Other;
        }
        if item.is_none() {
            return PlainTurn::Idle;
        }
        if item.kind() != Some(Kind::Connection) {
            cold_path();
            return PlainTurn::Other;
        }
        let index = item.index();
        let Some(slot) = self.tables.connections.get_mut(index) else {
            cold_path();
            return PlainTurn::Other;
        };
        let remote = &slot.tuple.remote;
        let link = caps.mtu.min(interface.mtu);
        if slot.conn.path_mss() != mss_of(link, remote) {
            cold_path();
            #[cfg(feature = "icmp-errors")]
            let link = self.destinations.path_mtu(self.clock.now, remote, link);
            if slot.conn.path_mss() != mss_of(link, remote) {
                return PlainTurn::Other;
            }
        }
        if slot.tuple.scope().is_some() || !self.recent.leads_to(remote, iface) {
            cold_path();
            return PlainTurn::Other;
        }
        let link = if interface.ethernet {
            let now = epoch(&self.neighbors, &self.clock);
            match self.recent.link(remote, iface, now) {
                Some(link) => link,
                None => {
                    cold_path();
                    return PlainTurn::Other;
                }
            }
        } else {
            LinkHeader::None
        };
        if slot.conn.state() != State::Established {
            return self.bare_turn(iface, index, link, caps, sink, sent);
        }
        let gso_max = caps.gso_max.saturating_sub(GSO_HEADERS);
        let env = self.clock.env(&self.tunables.tcp, gso_max);
        let (ip, ports) = (slot.ip_header(), slot.tuple.ports());
        // Where the device finishes checksums the payload stays in the ring.
        let addresses = match (ip.src.v4_octets(), ip.dst.v4_octets()) {
            (Some(src), Some(dst)) if !caps.checksum => Some((src, dst)),
            _ => None,
        };
        for _ in 0..QUANTUM {
            let (conn, mut io) = (&mut slot.conn, slot.buffers.io());
            let Some(plan) = conn.next_plain(&env, &io) else {
                return self.bare_turn(iface, index, link, caps, sink, sent);
            };
            let result = match (addresses, conn.timestamps(&env)) {
                (Some((src, dst)), Some(timestamps)) => {
                    let plain = PlainRepr {
                        src,
                        dst,
                        ttl: ip.ttl,
                        tos: ip.tos | conn.ecn_codepoint(&plan),
                        ports,
                        seq: plan.seq.0,
                        ack: plan.ack.0,
                        flags: plan.flags,
                        window: plan.window,
                        options: timestamps,
                    };
                    write_plain(&plain, plan.payload(conn, &io), &link, sink)
                }
                _ => write(ip, ports, conn, &io, &env, &plan, &link, caps, sink),
            };
            if result.is_err() {
                cold_path();
                return PlainTurn::Full;
            }
            sent.frames = sent.frames.wrapping_add(1);
            self.counters.receive(Layer::Output);
            self.counters.deliver(Layer::Output);
            count!(self, tcp_segments_sent);
            if conn.sent_plain(&env, &mut io, &plan) {
                continue;
            }
            let until = conn.deadline_plain(&env);
            let arms = slot.settle(until, &mut self.tcp.buffers, env.now);
            let left = interface.owing.end_with(&mut slot.links, item);
            if !left {
                cold_path();
                self.take_first(On::owing(iface));
            }
            if arms {
                self.arm(index, until);
            }
            return PlainTurn::Done;
        }
        PlainTurn::Again
    }
}

impl Stack {
    /// [`tcp_write`](Stack::tcp_write) of data for which there is room and memory. `None`: nothing
    /// has changed.
    #[inline(always)]
    pub(crate) fn plain_write(&mut self, handle: TcpHandle, data: &[u8]) -> Option<usize> {
        #[cfg(test)]
        if self.long_way {
            return None;
        }
        let slot = self
            .tables
            .connections
            .get_mut(handle.index)
            .filter(|s| s.flags.has(Flags::OWNED) && s.generation == handle.generation)?;
        let limit = slot.buffers.tx_limit as usize;
        let mut io = slot.buffers.io();
        let after = slot.conn.tx_extent().wrapping_add(data.len());
        if data.is_empty()
            || slot.flags.has(Flags::ENDED)
            || after > limit
            || data.len() > slot.conn.write_room(&io)
        {
            return None;
        }
        let n = slot.conn.write(&mut io, data);
        let (iface, item) = (slot.iface, Ref::new(Kind::Connection, handle.index));
        let owed = self
            .interfaces
            .get_mut(usize::from(iface))
            .is_some_and(|interface| {
                let name = On::owing(iface).name();
                interface.owing.begin_with(&mut slot.links, item, name)
            });
        if !owed {
            self.owe(iface, item);
        }
        Some(n)
    }

    /// The next event, if it is the only one and a connection's. `None`: it is another, or there is
    /// none; nothing has changed.
    #[inline(always)]
    #[cfg(feature = "events")]
    pub(crate) fn plain_event(&mut self) -> Option<Event> {
        #[cfg(test)]
        if self.long_way {
            return None;
        }
        let item = self.events.front();
        if item.kind() != Some(Kind::Connection) {
            return None;
        }
        let slot = self.tables.connections.get_mut(item.index())?;
        if !self.events.end_with(&mut slot.news, item) {
            return None;
        }
        slot.event(item.index())
    }
}

/// The segment of a packet.
#[inline(always)]
fn segment<'a>(view: &PlainView<'a>) -> Segment<'a> {
    Segment {
        seq: SeqNum(view.seq()),
        ack: SeqNum(view.ack()),
        flags: view.flags(),
        window: view.window(),
        urgent: view.urgent(),
        timestamps: cfg!(feature = "timestamps").then(|| view.timestamps()),
        options: view.options_bytes(),
        payload: view.payload(),
        count: 1,
        ce: view.ecn() == 3,
    }
}

/// Whether a packet is intact, as far as its device left that to be found out.
#[inline(always)]
fn is_intact(view: &PlainView<'_>, meta: &RxMeta) -> bool {
    view.header_intact() && (is_verified(meta) || view.segment_intact())
}

/// Whether the device has verified the segment's checksum.
#[inline(always)]
fn is_verified(meta: &RxMeta) -> bool {
    match meta.checksum {
        RxChecksum::Verified | RxChecksum::Partial(_) => true,
        // Unverified, and whatever a later driver may say.
        _ => false,
    }
}

#[cfg(test)]
mod tests;
