//! Handshakes that peers begin: SYN entries, and what a listener answers.

use netloom_driver::{FrameSink, Instant, TxCaps};
use netloom_tcp::{HalfOpen, OpenParams, Segment, SeqNum, SynOffer, listen, syn_received};
use netloom_wire::protocol;

use crate::counters::DropReason;
use crate::demux::TCP;
use crate::ip::Packet;
use crate::keys::Purpose;
use crate::list::{Kind, Ref};
use crate::output::{Hop, IpHeader, segment as emit_segment};
use crate::stack::{On, Sent, Stack};
use crate::tables::Sending;
use crate::tcp::input::{drop_reason, reply_repr};
use crate::tcp::output::mss_of;
use crate::tcp::syn_queue::LEVELS;
use crate::tuple::Tuple;
use crate::version::Version;

impl Stack {
    /// The listener for a segment: the address before every address, its version before both.
    pub(crate) fn find_listener(&mut self, tuple: &Tuple, iface: u8) -> Option<u32> {
        let at = (tuple.local(), tuple.local_port, iface);
        if let Some((known, first)) = self.tcp.last_listener {
            if known == at {
                return Some(self.share(first, tuple));
            }
        }
        let (local, port, iface) = at;
        let keys = [
            Tuple::new((local, port), (netloom_wire::Addr::UNSPECIFIED, 0), iface),
            Version::of(&local).key(port, None),
            Version::Any.key(port, None),
        ];
        for key in keys {
            let found = self.demux.find(&self.keys, &self.tables, TCP, &key);
            if found.kind() == Some(Kind::Listener) {
                self.tcp.last_listener = Some((at, found.index()));
                return Some(self.share(found.index(), tuple));
            }
        }
        None
    }

    /// Which of the listeners that share an address and port takes a connection.
    fn share(&self, first: u32, tuple: &Tuple) -> u32 {
        let next = |index: u32| {
            self.tables
                .listeners
                .get(index)
                .and_then(|l| l.next.checked_sub(1))
        };
        let Some(_) = next(first) else {
            return first;
        };
        let mut sharers = 1_u32;
        let mut at = first;
        while let Some(following) = next(at) {
            sharers = sharers.wrapping_add(1);
            at = following;
        }
        let hash = self.keys.index_hash(TCP, tuple) as u32;
        let mut chosen = ((u64::from(hash) * u64::from(sharers)) >> 32) as u32;
        let mut at = first;
        while chosen > 0 {
            let Some(following) = next(at) else {
                return at;
            };
            at = following;
            chosen = chosen.wrapping_sub(1);
        }
        at
    }

    /// A segment without a connection. `min_iss` is given where it reopens a connection from
    /// TIME-WAIT.
    pub(crate) fn listener_input(
        &mut self,
        tuple: &Tuple,
        packet: &Packet<'_>,
        segment: &Segment<'_>,
        min_iss: Option<SeqNum>,
    ) -> Result<(), DropReason> {
        let iface = packet.arrival.iface;
        let Some(listener) = self.find_listener(tuple, iface) else {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.5.2
            //# If the connection does not exist (CLOSED), then a reset is sent
            //# in response to any incoming segment except another reset.
            if let Some(reset) = netloom_tcp::closed::reset_for(segment) {
                self.send_reply(tuple, Some(iface), &reset.into());
            }
            return Err(DropReason::TcpNoSocket);
        };
        match listen::receive(segment) {
            listen::Disposition::Drop(_) => Err(DropReason::TcpNotSyn),
            listen::Disposition::Reset(reset) => {
                #[cfg(feature = "syn-cookies")]
                if let Some(taken) = self.cookie_input(listener, tuple, iface, segment) {
                    return taken;
                }
                self.send_reply(tuple, Some(iface), &reset.into());
                Err(DropReason::TcpNotSyn)
            }
            listen::Disposition::Syn(offer) => {
                self.syn_input(listener, tuple, iface, &offer, min_iss)
            }
        }
    }

    /// A connection request for a listener.
    fn syn_input(
        &mut self,
        listener: u32,
        tuple: &Tuple,
        iface: u8,
        offer: &SynOffer,
        min_iss: Option<SeqNum>,
    ) -> Result<(), DropReason> {
        let Some(entry) = self.tables.listeners.get(listener) else {
            return Err(DropReason::TcpNoSocket);
        };
        if entry.to_accept >= entry.backlog {
            // A handshake that could not be completed is not begun: the peer tries again.
            return Err(DropReason::TcpAcceptQueueFull);
        }
        let slot = if entry.half_open < entry.backlog {
            self.tables.half_open.insert()
        } else {
            None
        };
        let Some(index) = slot else {
            return self.syn_queue_full(tuple, iface, offer);
        };
        let mut iss = self.isn(tuple);
        if let Some(min) = min_iss {
            // RFC 9293 §3.6.1: larger than any the old incarnation used.
            if iss.lt(min) {
                iss = min;
            }
        }
        let half = HalfOpen::new(iss, offer, &self.tunables.tcp);
        let item = Ref::new(Kind::HalfOpen, index);
        if let Some(entry) = self.tables.half_open.get_mut(index) {
            entry.tuple = *tuple;
            entry.half = half;
        }
        if !self.demux.insert(&self.keys, TCP, tuple, item) {
            self.tables.half_open.remove(index);
            return self.syn_queue_full(tuple, iface, offer);
        }
        if let Some(listener) = self.tables.listeners.get_mut(listener) {
            listener.half_open = listener.half_open.saturating_add(1);
        }
        self.push_control(self.reply_iface(tuple, iface), item);
        Ok(())
    }

    /// A SYN for which nothing can be kept.
    fn syn_queue_full(
        &mut self,
        tuple: &Tuple,
        iface: u8,
        offer: &SynOffer,
    ) -> Result<(), DropReason> {
        #[cfg(feature = "syn-cookies")]
        if self.tunables.tcp_syncookies {
            self.send_cookie(tuple, iface, offer);
            return Ok(());
        }
        // Its sender repeats it, and may find room then.
        let _ = (tuple, iface, offer);
        Err(DropReason::TcpSynQueueFull)
    }

    /// The interface an answer to a tuple leaves by: the route's, or where it came from.
    fn reply_iface(&self, tuple: &Tuple, iface: u8) -> u8 {
        self.route(&tuple.remote, tuple.scope().or(Some(iface)))
            .map_or(iface, |(out, _)| out)
    }

    /// A segment for a SYN entry.
    pub(crate) fn half_open_input(
        &mut self,
        index: u32,
        segment: &Segment<'_>,
    ) -> Result<(), DropReason> {
        let entry = self
            .tables
            .half_open
            .get(index)
            .ok_or(DropReason::TcpNoSocket)?;
        let tuple = entry.tuple;
        let iface = self.reply_iface(&tuple, 0);
        let params = self.open_params(&tuple, iface, entry.half.iss());
        let env = self.clock.env(&self.tunables.tcp, 0);
        let Some(entry) = self.tables.half_open.get_mut(index) else {
            return Err(DropReason::TcpNoSocket);
        };
        let disposition = entry
            .half
            .receive(&env, segment, params.ts_offset, params.rcv_buf);
        match disposition {
            syn_received::Disposition::Drop(why) => Err(drop_reason(why)),
            syn_received::Disposition::SynAck => {
                let item = Ref::new(Kind::HalfOpen, index);
                self.unlink(item);
                self.push_control(iface, item);
                Ok(())
            }
            syn_received::Disposition::Ack(reply) => {
                self.send_reply(&tuple, Some(iface), &reply);
                Err(DropReason::TcpOutOfWindow)
            }
            syn_received::Disposition::Reset(reset) => {
                self.send_reply(&tuple, Some(iface), &reset.into());
                Err(DropReason::TcpBadAck)
            }
            syn_received::Disposition::Gone => {
                self.drop_half_open(index);
                Ok(())
            }
            syn_received::Disposition::Established => {
                let half = entry.half;
                let Some(listener) = self.find_listener(&tuple, tuple.scope().unwrap_or(0)) else {
                    // The listener was closed meanwhile.
                    self.drop_half_open(index);
                    if let Some(reset) = netloom_tcp::closed::reset_for(segment) {
                        self.send_reply(&tuple, Some(iface), &reset.into());
                    }
                    return Err(DropReason::TcpNoSocket);
                };
                self.complete(listener, &tuple, iface, &half, segment)
            }
        }
    }

    /// A handshake is complete: its connection is made and given the segment that completed it.
    pub(super) fn complete(
        &mut self,
        listener: u32,
        tuple: &Tuple,
        iface: u8,
        half: &HalfOpen,
        segment: &Segment<'_>,
    ) -> Result<(), DropReason> {
        let full = self
            .tables
            .listeners
            .get(listener)
            .is_none_or(|l| l.to_accept >= l.backlog);
        if full {
            // The peer's data or our repeated SYN-ACK brings this up again.
            return Err(DropReason::TcpAcceptQueueFull);
        }
        let index = self
            .tables
            .connections
            .insert()
            .ok_or(DropReason::TcpNoSlot)?;
        let item = Ref::new(Kind::Connection, index);
        let entry = self.demux.find(&self.keys, &self.tables, TCP, tuple);
        match entry.kind() {
            Some(Kind::HalfOpen) => {
                self.unlink(entry);
                self.demux.replace(&self.keys, TCP, tuple, entry, item);
                self.tables.half_open.remove(entry.index());
                self.count_half_open(tuple);
            }
            Some(_) | None => {
                if !self.demux.insert(&self.keys, TCP, tuple, item) {
                    self.tables.connections.remove(index);
                    return Err(DropReason::TcpNoMemory);
                }
            }
        }
        let params = self.open_params(tuple, iface, half.iss());
        let env = self.clock.env(&self.tunables.tcp, 0);
        if let Some(slot) = self.tables.connections.get_mut(index) {
            slot.conn = netloom_tcp::Connection::from_half_open(&params, half, &env);
            slot.open(tuple, iface, &self.tunables);
            slot.listener = listener.wrapping_add(1);
        }
        if let Some(listener) = self.tables.listeners.get_mut(listener) {
            listener.to_accept = listener.to_accept.saturating_add(1);
        }
        self.connection_input(index, segment)
    }

    /// One handshake less is under way for the listener of this tuple.
    fn count_half_open(&mut self, tuple: &Tuple) {
        if let Some(listener) = self.find_listener(tuple, tuple.scope().unwrap_or(0)) {
            if let Some(listener) = self.tables.listeners.get_mut(listener) {
                listener.half_open = listener.half_open.saturating_sub(1);
            }
        }
    }

    /// Counts anew which listener the handshakes under way are for: listeners came or went.
    pub(crate) fn recount_half_open(&mut self) {
        if self.tables.half_open.is_empty() {
            return;
        }
        for index in 0..self.tables.listeners.high_water() {
            if let Some(listener) = self.tables.listeners.get_mut(index) {
                listener.half_open = 0;
            }
        }
        for index in 0..self.tables.half_open.high_water() {
            let Some(entry) = self.tables.half_open.get(index) else {
                continue;
            };
            let tuple = entry.tuple;
            if tuple == Tuple::EMPTY {
                continue;
            }
            if let Some(listener) = self.find_listener(&tuple, tuple.scope().unwrap_or(0)) {
                if let Some(listener) = self.tables.listeners.get_mut(listener) {
                    listener.half_open = listener.half_open.saturating_add(1);
                }
            }
        }
    }

    /// Gives up a handshake without a word.
    pub(crate) fn drop_half_open(&mut self, index: u32) {
        let Some(entry) = self.tables.half_open.get(index) else {
            return;
        };
        let tuple = entry.tuple;
        let item = Ref::new(Kind::HalfOpen, index);
        self.unlink(item);
        self.demux.remove(&self.keys, TCP, &tuple, item);
        self.tables.half_open.remove(index);
        self.count_half_open(&tuple);
    }

    /// What a connection with this tuple is opened with.
    pub(crate) fn open_params(&mut self, tuple: &Tuple, iface: u8, iss: SeqNum) -> OpenParams {
        let dst = tuple.remote;
        let link = self.interface(iface).map_or(1280, |i| i.mtu);
        let path = self.path_mtu(&dst, iface);
        let mss = mss_of(link, &dst);
        let rcv_buf = if self.tcp.buffers.under_pressure() {
            // Above half of the budget a connection promises a few segments only.
            u32::from(mss).saturating_mul(4).min(self.rcv_buf())
        } else {
            self.rcv_buf()
        };
        OpenParams {
            iss,
            ts_offset: self.ts_offset(tuple),
            mss,
            path_mss: mss_of(path, &dst),
            rcv_buf,
            is_v6: !dst.is_v4(),
            nodelay: !self.tunables.tcp.nagle,
        }
    }

    /// The receive buffer of a new connection: what the tunable says, or what is lent.
    fn rcv_buf(&self) -> u32 {
        match self.tcp.buffers.lent_rx() {
            0 => self.tunables.tcp_rmem,
            lent => lent,
        }
    }

    /// What ISN and timestamp offset of a tuple are made with.
    fn connection_secrets(&mut self, tuple: &Tuple) -> (u32, u32) {
        // A handshake asks several times.
        if self.tcp.secrets_of != *tuple {
            self.tcp.secrets = self.keys.secrets(Purpose::Connection, tuple);
            self.tcp.secrets_of = *tuple;
        }
        self.tcp.secrets
    }

    /// What is added to the millisecond clock in a connection's timestamps (RFC 7323 §5.4 leaves
    /// it open): nobody learns from one connection how long the stack has been running.
    pub(super) fn ts_offset(&mut self, tuple: &Tuple) -> u32 {
        self.connection_secrets(tuple).1
    }

    /// An initial sequence number (RFC 6528): a clock of 4 µs ticks and a secret of the tuple.
    ///
    //= https://www.rfc-editor.org/rfc/rfc6528#section-3
    //# TCP SHOULD generate its Initial Sequence Numbers with the expression:
    pub(crate) fn isn(&mut self, tuple: &Tuple) -> SeqNum {
        let clock = (self.clock.now.as_micros() >> 2) as u32;
        SeqNum(clock.wrapping_add(self.connection_secrets(tuple).0))
    }

    /// Sends the SYN-ACK of an entry. `false` if the device was full.
    pub(crate) fn send_syn_ack(
        &mut self,
        iface: u8,
        index: u32,
        caps: &TxCaps,
        sink: &mut dyn FrameSink,
        sent: &mut Sent,
    ) -> bool {
        let Some(entry) = self.tables.half_open.get(index) else {
            return true;
        };
        let (tuple, half) = (entry.tuple, entry.half);
        let item = Ref::new(Kind::HalfOpen, index);
        let next_hop = match self.route(&tuple.remote, tuple.scope().or(Some(iface))) {
            Some((out, next_hop)) if out == iface => next_hop,
            Some((out, _)) => {
                self.push_control(out, item);
                return true;
            }
            None => {
                self.drop_output(DropReason::NoRoute);
                self.arm_half_open(index);
                return true;
            }
        };
        let link = match self.hop(iface, &next_hop) {
            Hop::Ready(link) => link,
            Hop::Wait(id) => {
                if !self.wait_for(id, item) {
                    self.arm_half_open(index);
                }
                return true;
            }
            Hop::Nowhere(reason) => {
                self.drop_output(reason);
                self.arm_half_open(index);
                return true;
            }
        };
        let params = self.open_params(&tuple, iface, half.iss());
        let reply = half.syn_ack(
            &self.clock.env(&self.tunables.tcp, 0),
            params.ts_offset,
            params.mss,
            params.rcv_buf,
        );
        let ip = IpHeader {
            src: tuple.local(),
            dst: tuple.remote,
            protocol: protocol::TCP,
            ttl: self.tunables.ip_default_ttl,
            tos: 0,
        };
        let repr = reply_repr(&tuple, &reply);
        let result = emit_segment(
            sink,
            caps,
            &link,
            &ip,
            repr.header_len(),
            16,
            &mut |header| {
                let _ = repr.emit(header);
            },
            (&[], &[]),
            None,
        );
        if result.is_err() {
            return false;
        }
        self.count_sent(sent);
        self.counters.tcp_segments_sent = self.counters.tcp_segments_sent.wrapping_add(1);
        self.arm_half_open(index);
        true
    }

    /// The SYN-ACK was sent (or is as good as lost): it is repeated after a time.
    fn arm_half_open(&mut self, index: u32) {
        let tick = self.clock.quarter();
        let Some(entry) = self.tables.half_open.get_mut(index) else {
            return;
        };
        let level = usize::from(entry.half.retries()).min(LEVELS.wrapping_sub(1));
        entry.links.tag = tick;
        let item = Ref::new(Kind::HalfOpen, index);
        if let Some(list) = self.tcp.syn.levels.get_mut(level) {
            if list.push_back(&mut Sending(&mut self.tables), item) {
                self.put_on(item, On::Handshake(level as u8));
            }
        }
    }

    /// Ticks of 4 ms that a SYN-ACK sent `level + 1` times is waited for.
    fn syn_ack_wait(&self, level: usize) -> u16 {
        let ticks = (self.tunables.tcp.rto_initial / 4_000).min(32_000);
        u16::try_from((ticks << level).min(32_000)).unwrap_or(u16::MAX)
    }

    /// Repeats or gives up the SYN-ACKs whose time has come.
    pub(crate) fn fire_handshakes(&mut self) {
        if self.tables.half_open.is_empty() {
            return;
        }
        let tick = self.clock.quarter();
        for level in 0..LEVELS {
            let wait = self.syn_ack_wait(level);
            while let Some(front) = self.tcp.syn.levels.get(level).map(|l| l.front()) {
                let Some(entry) = self.tables.half_open.get_mut(front.index()) else {
                    break;
                };
                if front.is_none() || tick.wrapping_sub(entry.links.tag) < wait {
                    break;
                }
                if entry.half.retries() >= self.tunables.tcp.synack_retries {
                    self.drop_half_open(front.index());
                    let timed_out = &mut self.counters.tcp_half_open_timed_out;
                    *timed_out = timed_out.wrapping_add(1);
                    continue;
                }
                entry.half.count_retry();
                let tuple = entry.tuple;
                self.unlink(front);
                self.push_control(self.reply_iface(&tuple, 0), front);
            }
        }
    }

    /// When the next SYN-ACK is due.
    pub(crate) fn handshake_deadline(&self) -> Option<Instant> {
        if self.tables.half_open.is_empty() {
            return None;
        }
        let mut earliest: Option<Instant> = None;
        for (level, list) in self.tcp.syn.levels.iter().enumerate() {
            let front = list.front();
            if front.is_none() {
                continue;
            }
            if let Some(entry) = self.tables.half_open.get(front.index()) {
                let due = self.tick_to_instant(entry.links.tag, self.syn_ack_wait(level));
                earliest = Some(earliest.map_or(due, |e| e.min(due)));
            }
        }
        earliest
    }

    /// The instant `wait` ticks of 4 ms after the tick `tag`.
    pub(crate) fn tick_to_instant(&self, tag: u16, wait: u16) -> Instant {
        let passed = self.clock.quarter().wrapping_sub(tag);
        let ticks = u64::from(wait.saturating_sub(passed));
        // The tick in progress began up to 4 ms ago: waiting whole ticks is never early.
        self.clock.now.plus_micros(ticks.saturating_mul(4_000))
    }
}
