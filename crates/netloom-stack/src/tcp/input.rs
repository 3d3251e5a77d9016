//! Segments in.

use netloom_driver::RxChecksum;
use netloom_tcp::{Discard, IcmpError, News, Outcome, Reply, Segment, SeqNum, closed};
use netloom_wire::hint::cold_path;
#[cfg(feature = "hold")]
use netloom_wire::tcp::{MAX_HEADER_LEN, set_checksum};
use netloom_wire::{TcpHeader, TcpView, protocol};

use crate::counters::{DropReason, count};
use crate::demux::TCP;
use crate::icmp::Heard;
#[cfg(all(feature = "alloc", target_pointer_width = "64"))]
use crate::interface::Interface;
use crate::ip::Packet;
#[cfg(all(feature = "alloc", target_pointer_width = "64"))]
use crate::list::List;
use crate::list::{Kind, Ref};
use crate::output::{IpHeader, OFFLOAD};
#[cfg(feature = "hold")]
use crate::output::{TransportHeader, transport_checksum};
use crate::stack::Stack;
use crate::tcp::output::{TcpHead, epoch};
use crate::tcp::slot::Flags;
#[cfg(all(feature = "alloc", target_pointer_width = "64"))]
use crate::tcp::slot::TcpSlot;
use crate::tuple::Tuple;
#[cfg(all(feature = "alloc", target_pointer_width = "64"))]
use crate::waiting::On;

impl Stack {
    /// Takes in a segment; returns once somebody took it, or why it was dropped.
    #[inline]
    pub(crate) fn tcp_input(&mut self, packet: &Packet<'_>) -> Result<(), DropReason> {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.2.3
        //# A TCP implementation MUST silently discard an incoming SYN segment
        //# that is addressed to a broadcast or multicast address [(MUST-57)].
        if !packet.unicast {
            return Err(DropReason::TcpNotUnicast);
        }
        let view = TcpView::new(packet.payload).map_err(|_| DropReason::TcpMalformed)?;
        let verify = match packet.arrival.meta.checksum {
            RxChecksum::Verified | RxChecksum::Partial(_) => !OFFLOAD,
            // Unverified, and whatever a later driver may say.
            _ => true,
        };
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.1
        //# The TCP checksum is never optional.  The sender MUST generate it
        //# (MUST-2) and the receiver MUST check it (MUST-3).
        if verify && !view.checksum_valid(&packet.src, &packet.dst) {
            return Err(DropReason::TcpChecksum);
        }
        let count = match packet.arrival.meta.gso_size {
            0 => 1,
            _ if !OFFLOAD => 1,
            size => (view.payload().len() as u32).div_ceil(u32::from(size)) as u16,
        };
        let mut segment = Segment::parse(&view, count).map_err(|_| DropReason::TcpMalformed)?;
        segment.ce = packet.tos & 3 == 3;
        let tuple = Tuple::new(
            (packet.dst, view.dst_port()),
            (packet.src, view.src_port()),
            packet.arrival.iface,
        );
        let found = self.demux.find(&self.keys, &self.tables, TCP, &tuple);
        match found.kind() {
            #[cfg(feature = "flows")]
            Some(Kind::Connection) => match packet.arrival.flow {
                Some(calls) => self.flow_connection_input(found.index(), &segment, calls),
                None => self.connection_input(found.index(), &segment),
            },
            #[cfg(not(feature = "flows"))]
            Some(Kind::Connection) => self.connection_input(found.index(), &segment),
            Some(Kind::HalfOpen) => {
                let iface = packet.arrival.iface;
                self.half_open_input(found.index(), iface, &segment)
            }
            Some(Kind::TimeWait) => self.time_wait_input(found.index(), packet, &segment),
            Some(_) | None => self.listener_input(&tuple, packet, &segment, None),
        }
    }

    /// A segment for a connection.
    #[inline]
    pub(crate) fn connection_input(
        &mut self,
        index: u32,
        segment: &Segment<'_>,
    ) -> Result<(), DropReason> {
        let slot = self
            .tables
            .connections
            .get_mut(index)
            .ok_or(DropReason::TcpNoSocket)?;
        #[cfg(target_pointer_width = "64")]
        count!(self, tcp_unpredicted_received);
        let env = self.clock.env(&self.tunables.tcp, 0);
        let need = if slot.conn.rx_fits(segment, slot.buffers.rx_len()) {
            0
        } else {
            slot.conn.rx_need(segment)
        };
        if need > 0 {
            cold_path();
            // What cannot be stored is dropped by the connection, and said so.
            let buffers = &mut self.tcp.buffers;
            buffers.ensure_rx(&mut slot.conn, &mut slot.buffers, need);
            let in_order = slot
                .conn
                .readable_bytes()
                .wrapping_add(segment.payload.len());
            if need > in_order {
                buffers.ensure_ranges(&mut slot.conn, &mut slot.buffers);
            }
        }
        let mut io = slot.buffers.io();
        #[cfg(all(feature = "alloc", feature = "gather", target_pointer_width = "64"))]
        self.tcp.placed.mark(index, segment, &mut io);
        let outcome = slot.conn.receive(&env, &mut io, segment);
        let discard = outcome.discard;
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //# For example, if the TCP endpoint is processing a
        //# series of queued segments, it MUST process them all before
        //# sending any ACK segments (MUST-59).
        // Nothing is sent from here: the connection is listed, and looked at once per transmit turn,
        // however many segments came. That is where acknowledgements are aggregated and timers armed.
        let (iface, listed) = (slot.iface, slot.links.is_linked());
        // Most segments mean no more than this, and the slot is at hand.
        #[cfg(all(feature = "alloc", target_pointer_width = "64"))]
        if !outcome.news.intersects(BEYOND_LISTS) {
            let left = slot.list(index, outcome.news, &mut self.events, &mut self.interfaces);
            self.finish_listing(index, left);
            return taken_in(discard);
        }
        if outcome.resets() {
            cold_path();
            let tuple = slot.tuple;
            self.send_reset(&tuple, None, segment);
        }
        #[cfg(feature = "fastopen")]
        let outcome = if outcome.established() && self.fast_open_established(index, segment) {
            outcome.known()
        } else {
            outcome
        };
        self.taken_in_by(index, iface, listed, &outcome);
        taken_in(discard)
    }

    /// A connection took in a segment: tells whom that concerns, and has the connection looked at,
    /// unless it is listed for that. `iface` is its interface.
    #[inline]
    pub(super) fn taken_in_by(&mut self, index: u32, iface: u8, listed: bool, outcome: &Outcome) {
        self.apply(index, outcome);
        // One that is over owes nothing, and its place may be another's already.
        if !listed && !outcome.ended() {
            self.owe(iface, Ref::new(Kind::Connection, index));
        }
    }

    /// Answers a segment with a RST, unless it is one.
    #[inline(never)]
    pub(crate) fn send_reset(&mut self, tuple: &Tuple, iface: Option<u8>, segment: &Segment<'_>) {
        if let Some(reset) = closed::reset_for(segment) {
            self.send_reply(tuple, iface, &reset.into());
        }
    }

    /// Sends a stateless segment in answer to one that came with this tuple.
    pub(crate) fn send_reply(&mut self, tuple: &Tuple, iface: Option<u8>, reply: &Reply) {
        let ip = IpHeader {
            src: tuple.local(),
            dst: tuple.remote,
            protocol: protocol::TCP,
            ttl: self.tunables.ip_default_ttl,
            tos: 0,
        };
        if reply.flags.rst() {
            count!(self, tcp_resets_sent);
        }
        #[cfg(not(feature = "alloc"))]
        if self.answer_segment(&ip, tuple, reply) {
            return;
        }
        #[cfg(feature = "hold")]
        {
            let head = reply_head(tuple, reply);
            let mut bytes = [0; MAX_HEADER_LEN];
            let bytes = bytes.get_mut(..head.len()).unwrap_or_default();
            head.emit(bytes);
            let sum = transport_checksum(&ip, bytes).finish();
            set_checksum(bytes, sum);
            let _ = self.send_packet(&ip, tuple.scope().or(iface), [bytes, &[]]);
        }
        let _ = iface;
    }

    /// Tells everybody whom the outcome of a call on a connection concerns.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    #[cfg_attr(not(target_pointer_width = "64"), inline)]
    pub(crate) fn apply(&mut self, index: u32, outcome: &Outcome) {
        const FOR_OTHERS: News = News::USER
            .with(News::ESTABLISHED)
            .with(News::PATH_CONFIRMED)
            .with(News::NEGATIVE_ADVICE)
            .with(News::ENDED)
            .with(ROUND_OVER);
        if outcome.news.intersects(FOR_OTHERS) {
            self.apply_news(index, outcome);
        }
    }

    fn apply_news(&mut self, index: u32, outcome: &Outcome) {
        let Some(slot) = self.tables.connections.get_mut(index) else {
            cold_path();
            return;
        };
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.1.8
        //# However, the conditions that are reported
        //# asynchronously to the application MUST include:
        if outcome.soft_error() {
            cold_path();
            slot.flags.set(Flags::SOFT_ERROR);
        }
        if outcome.urgent() {
            cold_path();
            slot.flags.set(Flags::URGENT);
        }
        #[cfg(feature = "autotune")]
        if outcome.news.contains(ROUND_OVER) {
            cold_path();
            self.round_over(index);
        }
        #[cfg(feature = "autotune")]
        let Some(slot) = self.tables.connections.get_mut(index) else {
            return;
        };
        let end = if outcome.ended() {
            slot.conn.ended()
        } else {
            None
        };
        if outcome.news.intersects(OF_PATH) {
            let (iface, tuple) = (slot.iface, slot.tuple);
            self.apply_path(iface, &tuple, outcome.news);
        }
        if outcome.established() {
            #[cfg(feature = "metrics")]
            self.adopt_metrics(index);
            self.established(index);
        }
        if let Some(end) = end {
            self.end(index, end);
        } else if outcome.news.intersects(News::USER) {
            self.connection_news(index);
        }
    }

    /// Has a connection's user told, unless it has none yet.
    #[inline]
    pub(crate) fn connection_news(&mut self, index: u32) {
        let Some(slot) = self.tables.connections.get_mut(index) else {
            return;
        };
        if !cfg!(feature = "events") || !slot.flags.has(Flags::OWNED) {
            return;
        }
        let item = Ref::new(Kind::Connection, index);
        #[cfg(all(feature = "alloc", target_pointer_width = "64"))]
        if self.events.begin_with(&mut slot.news, item, 0) {
            return;
        }
        cold_path();
        self.news(item);
    }

    /// What a connection learned of its path goes to the neighbour cache: the hint that it
    /// works (RFC 4861 §7.3.1), or the advice that it does not (RFC 9293 §3.8.3).
    #[inline]
    fn apply_path(&mut self, iface: u8, tuple: &Tuple, news: News) {
        #[cfg(all(feature = "ethernet", feature = "nud"))]
        {
            let confirmed = news.contains(News::PATH_CONFIRMED);
            let suspected = news.contains(News::NEGATIVE_ADVICE);
            if !confirmed && !suspected {
                return;
            }
            // No route is looked up for a link without neighbours. Small machines, which have one
            // link, are told that below.
            if cfg!(target_pointer_width = "64")
                && !self.interface(iface).is_some_and(|i| i.ethernet)
            {
                return;
            }
            if confirmed && cfg!(target_pointer_width = "64") && tuple.scope().is_none() {
                let now = epoch(&self.neighbors, &self.clock);
                if self.recent.confirms_again(&tuple.remote, iface, now) {
                    return;
                }
            }
            cold_path();
            let Some((iface, next_hop)) = self.route_again(&tuple.remote, tuple.scope()) else {
                return;
            };
            if !self.interface(iface).is_some_and(|i| i.ethernet) {
                return;
            }
            if confirmed {
                self.neighbors.confirm(self.clock.now, iface, &next_hop);
            } else {
                self.neighbors.suspect(self.clock.now, iface, &next_hop);
            }
        }
        #[cfg(not(all(feature = "ethernet", feature = "nud")))]
        let _ = (iface, tuple, news);
    }

    /// An ICMP error that quotes a segment of a connection (RFC 5927).
    #[cfg(all(feature = "icmp-errors", any(feature = "ipv4", feature = "ipv6")))]
    pub(crate) fn tcp_icmp_error(
        &mut self,
        index: u32,
        quoted: &netloom_wire::Quoted<'_>,
        heard: Heard,
    ) -> Result<(), DropReason> {
        let seq = SeqNum(quoted.tcp_seq().ok_or(DropReason::IcmpMalformed)?);
        let slot = self
            .tables
            .connections
            .get_mut(index)
            .ok_or(DropReason::IcmpUnsolicited)?;
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.2.2
        //# TCP implementations MUST act on an ICMP error message passed up from
        //# the IP layer, directing it to the connection that created the error
        //# (MUST-54).
        let error = match heard {
            //= https://www.rfc-editor.org/rfc/rfc8899#section-8
            //# A node supporting DPLPMTUD
            //# MUST therefore appropriately validate the payload of PTB messages to
            //# ensure these are received in response to transmitted traffic (i.e., a
            //# reported error condition that corresponds to a datagram actually sent
            //# by the path layer, see Section 4.6.1).
            //= https://www.rfc-editor.org/rfc/rfc8899#section-3
            //# Any received PTB message MUST be validated before it is
            //# used to update the PLPMTU discovery information [RFC8201].
            //= https://www.rfc-editor.org/rfc/rfc8899#section-4.6.1
            //# A PL that supports PTB messages MUST validate these messages
            //# before they are further processed.
            //= https://www.rfc-editor.org/rfc/rfc8899#section-4.6.1
            //# The validation SHOULD utilize information that is not simple for an
            //# off-path attacker to determine [BCP145].
            //= https://www.rfc-editor.org/rfc/rfc8899#section-4.6.1
            //# A PTB message
            //# that does not complete the validation MUST NOT be further utilized by
            //# the DPLPMTUD method, as discussed in the Security Considerations
            //# section (Section 8).
            Heard::PacketTooBig(_) if !slot.conn.in_flight(seq) => {
                return Err(DropReason::IcmpUnsolicited);
            }
            //= https://www.rfc-editor.org/rfc/rfc7323#section-5.7
            //# Setting the DF bit implies the use of Path MTU Discovery as described
            //# in [RFC1191], [RFC1981], and [RFC4821]; thus, any TCP implementation
            //# that implements PAWS MUST also implement Path MTU Discovery.
            Heard::PacketTooBig(mtu) => {
                let (dst, iface) = (slot.tuple.remote, slot.iface);
                self.lower_pmtu(&dst, iface, mtu);
                let link = self.interface(iface).map_or(1280, |i| i.mtu);
                self.refresh_path_mss(index, link);
                self.owe(iface, Ref::new(Kind::Connection, index));
                return Ok(());
            }
            Heard::NetworkUnreachable => IcmpError::NetworkUnreachable,
            Heard::HostUnreachable => IcmpError::HostUnreachable,
            Heard::ProtocolUnreachable => IcmpError::ProtocolUnreachable,
            Heard::PortUnreachable => IcmpError::PortUnreachable,
            Heard::Prohibited => IcmpError::Prohibited,
            Heard::SourceRouteFailed => IcmpError::SourceRouteFailed,
            Heard::TimeExceeded => IcmpError::TimeExceeded,
            Heard::ParameterProblem => IcmpError::ParameterProblem,
        };
        // The connection judges for itself whether it sent what is quoted.
        let outcome = slot.conn.icmp_error(error, seq);
        if outcome.news.is_empty() {
            return Err(DropReason::IcmpUnsolicited);
        }
        self.apply(index, &outcome);
        Ok(())
    }
}

/// The header of a stateless segment.
pub(crate) fn reply_head<'a>(tuple: &Tuple, reply: &'a Reply) -> TcpHead<'a> {
    TcpHead {
        header: TcpHeader {
            src_port: tuple.local_port,
            dst_port: tuple.remote_port,
            seq: reply.seq.0,
            ack: reply.ack.0,
            flags: reply.flags,
            window: reply.window,
            urgent: 0,
        },
        options: &reply.options,
    }
}

/// News that ask for more than that the connection is listed: for its user, and to be looked at in
/// the next transmit turn.
#[cfg(all(feature = "alloc", target_pointer_width = "64"))]
pub(super) const BEYOND_LISTS: News = News::ESTABLISHED
    .with(News::URGENT)
    .with(News::SOFT_ERROR)
    .with(News::NEGATIVE_ADVICE)
    .with(News::ENDED)
    .with(News::RESET)
    .with(ROUND_OVER);

/// That it was measured what the user of a connection reads in a round trip.
#[cfg(feature = "autotune")]
const ROUND_OVER: News = News::ROUND_OVER;
#[cfg(not(feature = "autotune"))]
const ROUND_OVER: News = News::NONE;

/// What could not be done of the lists with one slot at hand: bits of [`TcpSlot::list`].
#[cfg(all(feature = "alloc", target_pointer_width = "64"))]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Left(u8);

#[cfg(all(feature = "alloc", target_pointer_width = "64"))]
impl Left {
    const NEWS: u8 = 1;
    const OWING: u8 = 2;
    const PATH: u8 = 4;
}

#[cfg(all(feature = "alloc", target_pointer_width = "64"))]
impl TcpSlot {
    /// Puts the connection on the lists that ordinary news calls for: its user's, and its
    /// interface's, so that it is looked at in the next transmit turn.
    #[inline(always)]
    pub(super) fn list(
        &mut self,
        index: u32,
        news: News,
        events: &mut List,
        interfaces: &mut [Interface],
    ) -> Left {
        let item = Ref::new(Kind::Connection, index);
        let mut left = 0;
        if news.intersects(News::USER)
            && self.flags.has(Flags::OWNED)
            && !events.begin_with(&mut self.news, item, 0)
        {
            left |= Left::NEWS;
        }
        if let Some(interface) = interfaces.get_mut(usize::from(self.iface)) {
            let name = On::owing(self.iface).name();
            if !interface.owing.begin_with(&mut self.links, item, name) {
                left |= Left::OWING;
            }
            if interface.ethernet && news.contains(News::PATH_CONFIRMED) {
                left |= Left::PATH;
            }
        }
        Left(left)
    }
}

#[cfg(all(feature = "alloc", target_pointer_width = "64"))]
impl Stack {
    /// Does what [`TcpSlot::list`] left to do.
    #[inline(always)]
    pub(super) fn finish_listing(&mut self, index: u32, left: Left) {
        if left != Left(0) {
            self.finish_listing_of(index, left);
        }
    }

    #[inline(never)]
    fn finish_listing_of(&mut self, index: u32, Left(left): Left) {
        let Some(slot) = self.tables.connections.get(index) else {
            return;
        };
        let (iface, tuple) = (slot.iface, slot.tuple);
        let item = Ref::new(Kind::Connection, index);
        if left & Left::NEWS != 0 {
            self.news(item);
        }
        if left & Left::OWING != 0 {
            self.owe(iface, item);
        }
        if left & Left::PATH != 0 {
            self.apply_path(iface, &tuple, News::PATH_CONFIRMED);
        }
    }
}

/// What a connection learned of its path.
const OF_PATH: News = News::PATH_CONFIRMED.with(News::NEGATIVE_ADVICE);

/// How a segment is counted that a connection took in, but for what it discarded of it.
#[inline]
fn taken_in(discard: Option<Discard>) -> Result<(), DropReason> {
    match discard {
        None => Ok(()),
        Some(discard) => Err(drop_reason(discard)),
    }
}

/// Under which reason the stack counts what a connection dropped.
pub(crate) fn drop_reason(discard: Discard) -> DropReason {
    match discard {
        Discard::Duplicate => DropReason::TcpDuplicate,
        Discard::OutOfWindow | Discard::WindowFull => DropReason::TcpOutOfWindow,
        Discard::Paws => DropReason::TcpPaws,
        Discard::BadAck => DropReason::TcpBadAck,
        Discard::NoAck => DropReason::TcpNoAck,
        Discard::NotSyn => DropReason::TcpNotSyn,
        Discard::BadFlags | Discard::BadRst => DropReason::TcpBadState,
        Discard::NoMemory => DropReason::TcpNoMemory,
        Discard::RangesFull => DropReason::TcpRangesFull,
        Discard::ChallengedRst => DropReason::TcpChallengedRst,
        Discard::ChallengedSyn => DropReason::TcpChallengedSyn,
        Discard::AfterFin | Discard::ReadShutDown | Discard::Closed => DropReason::TcpAfterClose,
        // The enum may grow in a compatible release of its crate.
        _ => DropReason::TcpBadState,
    }
}
