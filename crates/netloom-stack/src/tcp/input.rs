//! Segments in.

use netloom_driver::RxChecksum;
use netloom_tcp::{Discard, IcmpError, Outcome, Reply, Segment, SeqNum};
use netloom_wire::{TcpRepr, TcpView, protocol};

use crate::counters::DropReason;
use crate::demux::TCP;
use crate::icmp::Heard;
use crate::ip::Packet;
use crate::list::{Kind, Ref};
use crate::output::{IpHeader, transport_checksum};
use crate::stack::Stack;
use crate::tcp::slot::Flags;
use crate::tuple::Tuple;

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
            RxChecksum::Verified | RxChecksum::Partial(_) => false,
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
            Some(Kind::Connection) => self.connection_input(found.index(), &segment),
            Some(Kind::HalfOpen) => self.half_open_input(found.index(), &segment),
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
        let env = self.clock.env(&self.tunables.tcp, 0);
        let need = if slot.conn.rx_fits(segment, slot.buffers.rx_len()) {
            0
        } else {
            slot.conn.rx_need(segment)
        };
        if need > 0 {
            // What cannot be stored is dropped by the connection, and said so.
            let buffers = &mut self.tcp.buffers;
            buffers.ensure_rx(&mut slot.conn, &mut slot.buffers, need);
            let in_order = slot
                .conn
                .readable_bytes()
                .wrapping_add(segment.payload.len());
            if need > in_order {
                buffers.ensure_ranges(&mut slot.buffers);
            }
        }
        let outcome = slot.conn.receive(&env, &mut slot.buffers.io(), segment);
        let discard = outcome.discard;
        let (iface, listed) = (slot.iface, slot.links.is_linked());
        self.apply(index, &outcome);
        // Looked at once per transmit turn, however many segments came: that is where
        // acknowledgements are aggregated and timers armed.
        if !listed {
            self.owe(iface, Ref::new(Kind::Connection, index));
        }
        match discard {
            None => Ok(()),
            Some(discard) => Err(drop_reason(discard)),
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
            self.counters.tcp_resets_sent = self.counters.tcp_resets_sent.wrapping_add(1);
        }
        let repr = reply_repr(tuple, reply);
        let len = repr.header_len();
        let _ = self.send_packet(&ip, tuple.scope().or(iface), len, &mut |writer| {
            let mut header = [0; netloom_wire::tcp::MAX_HEADER_LEN];
            if let Some(header) = header.get_mut(..len) {
                if repr.emit(header).is_ok() {
                    let sum = transport_checksum(&ip, header).finish();
                    netloom_wire::tcp::set_checksum(header, sum);
                    writer.write(header);
                }
            }
        });
    }

    /// Tells everybody whom the outcome of a call on a connection concerns.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    #[cfg_attr(not(target_pointer_width = "64"), inline)]
    pub(crate) fn apply(&mut self, index: u32, outcome: &Outcome) {
        if outcome.news.is_empty() && outcome.end.is_none() && outcome.reset.is_none() {
            return;
        }
        self.apply_news(index, outcome);
    }

    fn apply_news(&mut self, index: u32, outcome: &Outcome) {
        let Some(slot) = self.tables.connections.get_mut(index) else {
            return;
        };
        let (iface, tuple) = (slot.iface, slot.tuple);
        if outcome.soft_error() {
            slot.flags.set(Flags::SOFT_ERROR);
        }
        if outcome.urgent() {
            slot.flags.set(Flags::URGENT);
        }
        let news = outcome.readable()
            || outcome.writable()
            || outcome.established()
            || outcome.peer_finished()
            || outcome.urgent()
            || outcome.soft_error();
        if let Some(reset) = outcome.reset {
            self.send_reply(&tuple, None, &reset.into());
        }
        self.apply_path(iface, &tuple, outcome);
        if outcome.established() {
            self.established(index);
        }
        if let Some(end) = outcome.end {
            self.end(index, end);
        } else if news {
            self.connection_news(index);
        }
    }

    /// Has a connection's user told, unless it has none yet.
    #[inline]
    pub(crate) fn connection_news(&mut self, index: u32) {
        let Some(slot) = self.tables.connections.get(index) else {
            return;
        };
        if slot.flags.has(Flags::OWNED) {
            self.news(Ref::new(Kind::Connection, index));
        }
    }

    /// What a connection learned of its path goes to the neighbour cache: the hint that it
    /// works (RFC 4861 §7.3.1), or the advice that it does not (RFC 9293 §3.8.3).
    #[inline]
    fn apply_path(&mut self, iface: u8, tuple: &Tuple, outcome: &Outcome) {
        #[cfg(feature = "ethernet")]
        {
            use netloom_tcp::News;
            let confirmed = outcome.news.contains(News::PATH_CONFIRMED);
            let suspected = outcome.news.contains(News::NEGATIVE_ADVICE);
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
        #[cfg(not(feature = "ethernet"))]
        let _ = (iface, tuple, outcome);
    }

    /// An ICMP error that quotes a segment of a connection (RFC 5927).
    #[cfg(any(feature = "ipv4", feature = "ipv6"))]
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
        if !slot.conn.in_flight(seq) {
            return Err(DropReason::IcmpUnsolicited);
        }
        let error = match heard {
            Heard::PacketTooBig(mtu) => {
                let (dst, iface) = (slot.tuple.remote, slot.iface);
                self.lower_pmtu(&dst, iface, mtu);
                self.refresh_path_mss(index);
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
        let outcome = slot.conn.icmp_error(error, seq);
        self.apply(index, &outcome);
        Ok(())
    }
}

/// The header of a stateless segment.
pub(crate) fn reply_repr(tuple: &Tuple, reply: &Reply) -> TcpRepr {
    TcpRepr {
        src_port: tuple.local_port,
        dst_port: tuple.remote_port,
        seq: reply.seq.0,
        ack: reply.ack.0,
        flags: reply.flags,
        window: reply.window,
        urgent: 0,
        options: reply.options,
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
