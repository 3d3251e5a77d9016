//! Handshakes that peers begin: SYN entries, and what a listener answers.

use netloom_driver::{FrameSink, Instant, TxCaps};
use netloom_tcp::{
    CloseReason, HalfOpen, OpenParams, Segment, SeqNum, SynOffer, listen, syn_received,
};
use netloom_wire::hint::cold_path;
use netloom_wire::{Addr, protocol};

use crate::counters::{DropReason, count};
use crate::demux::TCP;
use crate::ip::Packet;
use crate::keys::Purpose;
use crate::list::{Kind, Ref};
use crate::output::{Hop, IpHeader};
use crate::stack::{Sent, Stack};
#[cfg(feature = "fastopen")]
use crate::tcp::fast_open::Fast;
use crate::tcp::input::{drop_reason, reply_head};
#[cfg(not(feature = "alloc"))]
use crate::tcp::listener::Listener;
use crate::tcp::output::{mss_of, write_segment};
use crate::tcp::syn_queue::LEVELS;
use crate::tuple::Tuple;
#[cfg(not(feature = "alloc"))]
use crate::version::ONE_VERSION;
use crate::version::Version;
use crate::waiting::On;

/// The keys of listeners that a tuple is for, the more specific first.
fn listening(tuple: &Tuple, iface: u8) -> [Tuple; 3] {
    let (local, port) = (tuple.local(), tuple.local_port);
    [
        Tuple::new((local, port), (Addr::UNSPECIFIED, 0), iface),
        Version::to_listen(&local).key(port, None),
        Version::Any.key(port, None),
    ]
}

impl Stack {
    /// The listener for a segment: the address before every address, its version before both.
    #[cfg(feature = "alloc")]
    pub(crate) fn find_listener(&mut self, tuple: &Tuple, iface: u8) -> Option<u32> {
        let at = (tuple.local(), tuple.local_port, iface);
        if let Some((known, first)) = self.tcp.last_listener {
            if known == at {
                return Some(self.share(first, tuple));
            }
        }
        for key in listening(tuple, iface) {
            if let Some(first) = self.listener_at(&key) {
                self.tcp.last_listener = Some((at, first));
                return Some(self.share(first, tuple));
            }
        }
        None
    }

    /// The listener that a segment for this tuple is for.
    #[cfg(not(feature = "alloc"))]
    pub(crate) fn find_listener(&self, tuple: &Tuple, iface: u8) -> Option<u32> {
        let [exact, version, any] = listening(tuple, iface);
        let mut first = self.listener_at(&exact);
        // Of one version the last two are the same.
        if !ONE_VERSION && first.is_none() {
            first = self.listener_at(&version);
        }
        if first.is_none() {
            first = self.listener_at(&any);
        }
        first.map(|first| self.share(first, tuple))
    }

    /// The listener with this key, the first of those that share it.
    #[cfg(feature = "alloc")]
    pub(crate) fn listener_at(&mut self, key: &Tuple) -> Option<u32> {
        let found = self.demux.find(&self.keys, &self.tables, TCP, key);
        (found.kind() == Some(Kind::Listener)).then(|| found.index())
    }

    /// The listener with this key, the first of those that share it.
    #[cfg(not(feature = "alloc"))]
    pub(crate) fn listener_at(&self, key: &Tuple) -> Option<u32> {
        let is_it = |l: &Listener| l.live && l.key == *key;
        let at = self.tables.listeners.items().position(is_it)?;
        Some(at as u32)
    }

    /// Which of the listeners that share an address and port takes a connection.
    fn share(&self, first: u32, tuple: &Tuple) -> u32 {
        if !cfg!(feature = "reuseport") {
            return first;
        }
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
        #[cfg(feature = "flows")]
        if self.is_flows(iface, &packet.dst)
            && (self.tables.listeners.is_empty() || self.find_listener(tuple, iface).is_none())
        {
            return self.flow_segment(tuple, packet, segment, min_iss);
        }
        let Some(listener) = self.find_listener(tuple, iface) else {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.5.2
            //# If the connection does not exist (CLOSED), then a reset is sent
            //# in response to any incoming segment except another reset.
            self.send_reset(tuple, Some(iface), segment);
            return Err(DropReason::TcpNoSocket);
        };
        self.listener_takes(listener, tuple, iface, segment, min_iss)
    }

    /// A segment without a connection, for a listener.
    #[inline]
    pub(super) fn listener_takes(
        &mut self,
        listener: u32,
        tuple: &Tuple,
        iface: u8,
        segment: &Segment<'_>,
        min_iss: Option<SeqNum>,
    ) -> Result<(), DropReason> {
        match listen::receive(segment) {
            listen::Disposition::Drop(_) => {
                cold_path();
                Err(DropReason::TcpNotSyn)
            }
            listen::Disposition::Reset(_) => {
                cold_path();
                #[cfg(feature = "syn-cookies")]
                if let Some(taken) = self.cookie_input(listener, tuple, iface, segment) {
                    return taken;
                }
                self.send_reset(tuple, Some(iface), segment);
                Err(DropReason::TcpNotSyn)
            }
            listen::Disposition::Syn(offer) => {
                self.syn_input(listener, tuple, iface, &offer, segment, min_iss)
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
        segment: &Segment<'_>,
        min_iss: Option<SeqNum>,
    ) -> Result<(), DropReason> {
        let Some(entry) = self.backlog(listener) else {
            return Err(DropReason::TcpNoSocket);
        };
        if entry.to_accept >= entry.limit {
            cold_path();
            // A handshake that could not be completed is not begun: the peer tries again.
            return Err(DropReason::TcpAcceptQueueFull);
        }
        #[cfg(feature = "fastopen")]
        let grants = match self.fast_open_input(listener, tuple, iface, offer, segment, min_iss) {
            Fast::No => false,
            Fast::Cookie => true,
            Fast::Open(result) => return result,
        };
        #[cfg(feature = "fastopen")]
        let Some(entry) = self.backlog(listener) else {
            return Err(DropReason::TcpNoSocket);
        };
        #[cfg(not(feature = "fastopen"))]
        let _ = segment;
        let slot = if entry.half_open < entry.limit {
            self.tables.half_open.insert()
        } else {
            None
        };
        let Some(index) = slot else {
            cold_path();
            return self.syn_queue_full(tuple, iface, offer);
        };
        let mut iss = self.isn(tuple);
        if let Some(min) = min_iss {
            // RFC 9293 §3.6.1: larger than any the old incarnation used.
            cold_path();
            if iss.lt(min) {
                iss = min;
            }
        }
        #[cfg_attr(
            not(feature = "fastopen"),
            expect(unused_mut, reason = "it is as it is")
        )]
        let mut half = HalfOpen::new(iss, offer, &self.tunables.tcp);
        #[cfg(feature = "fastopen")]
        if grants {
            cold_path();
            half.ask_for_cookie();
        }
        let item = Ref::new(Kind::HalfOpen, index);
        if let Some(entry) = self.tables.half_open.get_mut(index) {
            entry.tuple = *tuple;
            entry.half = half;
        }
        if !self.demux.insert(&self.keys, TCP, tuple, item) {
            cold_path();
            self.tables.half_open.remove(index);
            return self.syn_queue_full(tuple, iface, offer);
        }
        #[cfg(feature = "alloc")]
        if let Some(listener) = self.tables.listeners.get_mut(listener) {
            listener.half_open = listener.half_open.saturating_add(1);
        }
        let out = self.reply_iface(tuple, Some(iface));
        #[cfg(all(feature = "alloc", target_pointer_width = "64"))]
        if let (Some(entry), Some(interface)) = (
            self.tables.half_open.get_mut(index),
            self.interfaces.get_mut(usize::from(out)),
        ) {
            let name = On::control(out).name();
            if interface.control.begin_with(&mut entry.links, item, name) {
                return Ok(());
            }
        }
        self.push_control(out, item);
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

    /// The interface an answer to a tuple leaves by: the route's, or where it came from. SYN
    /// entries do not keep that: later it is the remote address alone that says where it lies.
    fn reply_iface(&self, tuple: &Tuple, iface: Option<u8>) -> u8 {
        self.reply_route(tuple, iface)
            .map_or(iface.unwrap_or(0), |(out, _)| out)
    }

    /// How an answer leaves: by that interface if a route does, else by the best.
    fn reply_route(&self, tuple: &Tuple, iface: Option<u8>) -> Option<(u8, Addr)> {
        let scope = tuple.scope();
        match self.recent.route(&tuple.remote) {
            Some((out, next_hop)) if iface.is_none_or(|iface| iface == out) && scope.is_none() => {
                Some((out, next_hop))
            }
            Some(_) | None => self
                .route(&tuple.remote, scope.or(iface))
                .or_else(|| self.route(&tuple.remote, scope)),
        }
    }

    /// The tuple and the state of a SYN entry, with the timestamp that its flow keeps for it.
    #[inline]
    pub(crate) fn half_open(&self, index: u32) -> Option<(Tuple, HalfOpen)> {
        let entry = self.tables.half_open.get(index)?;
        #[cfg(feature = "flows")]
        if let Some(place) = entry.flow().checked_sub(1) {
            cold_path();
            let timestamp = self.tables.flows.get(place).map_or(0, |flow| flow.window);
            return Some((entry.tuple, entry.half.with_timestamp(timestamp)));
        }
        Some((entry.tuple, entry.half))
    }

    /// Puts the state of a SYN entry back.
    fn keep_half_open(&mut self, index: u32, half: HalfOpen) {
        let Some(entry) = self.tables.half_open.get_mut(index) else {
            return;
        };
        #[cfg(feature = "flows")]
        let flow = entry.flow();
        entry.half = half;
        #[cfg(feature = "flows")]
        self.lend_to_flow(index, flow);
    }

    /// A segment for a SYN entry, which arrived on an interface.
    pub(crate) fn half_open_input(
        &mut self,
        index: u32,
        arrived_on: u8,
        segment: &Segment<'_>,
    ) -> Result<(), DropReason> {
        let (tuple, mut half) = self.half_open(index).ok_or(DropReason::TcpNoSocket)?;
        #[cfg(feature = "flows")]
        let of_flow = self.is_flow_syn(index);
        #[cfg(feature = "flows")]
        if of_flow {
            cold_path();
            if let Some(result) = self.held_input(index, segment) {
                return result;
            }
        }
        let iface = self.reply_iface(&tuple, Some(arrived_on));
        let ts_offset = self.ts_offset(&tuple);
        let (_, rcv_buf) = self.announced(&tuple, iface);
        let env = self.clock.env(&self.tunables.tcp, 0);
        let disposition = half.receive(&env, segment, ts_offset, rcv_buf);
        if !matches!(disposition, syn_received::Disposition::Established) {
            cold_path();
            self.keep_half_open(index, half);
        }
        match disposition {
            syn_received::Disposition::Drop(why) => {
                cold_path();
                Err(drop_reason(why))
            }
            syn_received::Disposition::SynAck => {
                cold_path();
                let item = Ref::new(Kind::HalfOpen, index);
                self.unlink(item);
                self.push_control(iface, item);
                Ok(())
            }
            syn_received::Disposition::Ack(ref reply) => {
                cold_path();
                self.send_reply(&tuple, Some(iface), reply);
                Err(DropReason::TcpOutOfWindow)
            }
            syn_received::Disposition::Reset(_) => {
                cold_path();
                self.send_reset(&tuple, Some(iface), segment);
                Err(DropReason::TcpBadAck)
            }
            syn_received::Disposition::Gone => {
                cold_path();
                self.drop_half_open_for(index, CloseReason::PeerReset);
                Ok(())
            }
            syn_received::Disposition::Established => {
                #[cfg(feature = "flows")]
                if of_flow {
                    cold_path();
                    return self.flow_complete(index, iface, &half, segment);
                }
                let Some(listener) = self.find_listener(&tuple, tuple.scope().unwrap_or(0)) else {
                    cold_path();
                    // The listener was closed meanwhile.
                    self.drop_half_open(index);
                    self.send_reset(&tuple, Some(iface), segment);
                    return Err(DropReason::TcpNoSocket);
                };
                let entry = Ref::new(Kind::HalfOpen, index);
                self.complete(listener, entry, &tuple, iface, &half, segment)
            }
        }
    }

    /// A handshake is complete: its connection is made and given the segment that completed it.
    /// `entry` is its SYN entry; [`Ref::NONE`] if a cookie came back.
    pub(super) fn complete(
        &mut self,
        listener: u32,
        entry: Ref,
        tuple: &Tuple,
        iface: u8,
        half: &HalfOpen,
        segment: &Segment<'_>,
    ) -> Result<(), DropReason> {
        let full = self
            .backlog(listener)
            .is_none_or(|l| l.to_accept >= l.limit);
        if full {
            cold_path();
            // The peer's data or our repeated SYN-ACK brings this up again.
            return Err(DropReason::TcpAcceptQueueFull);
        }
        let index = self
            .tables
            .connections
            .insert()
            .ok_or(DropReason::TcpNoSlot)?;
        let item = Ref::new(Kind::Connection, index);
        if entry.is_some() {
            self.unlink_half_open(entry);
            self.demux.replace(&self.keys, TCP, tuple, entry, item);
            self.tables.half_open.remove(entry.index());
        } else if !self.demux.insert(&self.keys, TCP, tuple, item) {
            cold_path();
            self.tables.connections.remove(index);
            return Err(DropReason::TcpNoMemory);
        }
        let params = self.open_params(tuple, iface, half.iss());
        let env = self.clock.env(&self.tunables.tcp, 0);
        #[cfg(all(
            feature = "alloc",
            feature = "fast-retransmit",
            target_pointer_width = "64"
        ))]
        let mut outcome = None;
        if let Some(slot) = self.tables.connections.get_mut(index) {
            slot.conn.open_passively(&params, half, &env);
            slot.open(tuple, iface, &self.tunables, &mut self.tcp.buffers);
            slot.set_listener(listener.wrapping_add(1));
            // Mostly it is a bare acknowledgment, and the slot is at hand.
            #[cfg(all(
                feature = "alloc",
                feature = "fast-retransmit",
                target_pointer_width = "64"
            ))]
            {
                outcome = slot.conn.receive_bare(&env, segment);
            }
        }
        #[cfg(feature = "alloc")]
        if let Some(listener) = self.tables.listeners.get_mut(listener) {
            listener.to_accept = listener.to_accept.saturating_add(1);
            if entry.is_some() {
                listener.half_open = listener.half_open.saturating_sub(1);
            }
        }
        #[cfg(all(
            feature = "alloc",
            feature = "fast-retransmit",
            target_pointer_width = "64"
        ))]
        if let Some(outcome) = outcome {
            self.taken_in_by(index, iface, false, &outcome);
            return Ok(());
        }
        self.connection_input(index, segment)
    }

    /// One handshake less is under way for the listener of this tuple.
    #[cfg(feature = "alloc")]
    fn count_half_open(&mut self, tuple: &Tuple) {
        if let Some(listener) = self.find_listener(tuple, tuple.scope().unwrap_or(0)) {
            if let Some(listener) = self.tables.listeners.get_mut(listener) {
                listener.half_open = listener.half_open.saturating_sub(1);
            }
        }
    }

    /// Counts anew which listener the handshakes under way are for: listeners came or went.
    #[cfg(feature = "alloc")]
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
            #[cfg(feature = "flows")]
            if entry.flow() != 0 {
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
        self.drop_half_open_for(index, CloseReason::HandshakeTimedOut);
    }

    /// [`drop_half_open`](Stack::drop_half_open), with the reason that its flow is told if it is
    /// one.
    fn drop_half_open_for(&mut self, index: u32, reason: CloseReason) {
        let Some(entry) = self.tables.half_open.get(index) else {
            return;
        };
        let tuple = entry.tuple;
        #[cfg(feature = "flows")]
        let flow = entry.flow();
        self.forget_half_open(index, &tuple);
        #[cfg(feature = "flows")]
        if flow != 0 || self.tables.listeners.is_empty() {
            let id = self.flow_at(flow);
            self.flow_over(id, reason);
            return;
        }
        let _ = reason;
        #[cfg(feature = "alloc")]
        self.count_half_open(&tuple);
    }

    /// Takes a SYN entry out of every list and table.
    pub(crate) fn forget_half_open(&mut self, index: u32, tuple: &Tuple) {
        let item = Ref::new(Kind::HalfOpen, index);
        self.unlink(item);
        self.demux.remove(&self.keys, TCP, tuple, item);
        self.tables.half_open.remove(index);
    }

    /// What a SYN or SYN-ACK announces: the MSS, and the receive buffer that its window is of.
    pub(super) fn announced(&self, tuple: &Tuple, iface: u8) -> (u16, u32) {
        let link = self.interface(iface).map_or(1280, |i| i.mtu);
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.7.1
        //# where MMS_R is the maximum size for a transport-layer message that
        //# can be received (and reassembled at the IP layer) (MUST-67).
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.7.3
        //# As a result, when the effective MTU of an interface varies packet-to-
        //# packet, TCP implementations SHOULD use the smallest effective MTU of
        //# the interface to calculate the value to advertise in the MSS Option
        //# (SHLD-6).
        let mss = mss_of(link, &tuple.remote);
        let rcv_buf = if self.tcp.buffers.under_pressure() {
            // Above half of the budget a connection promises a few segments only.
            let few = u32::from(mss).saturating_mul(4);
            few.max(self.tunables.tcp_rmem_min).min(self.rcv_buf())
        } else {
            self.rcv_buf()
        };
        (mss, rcv_buf)
    }

    /// What a connection with this tuple is opened with.
    pub(crate) fn open_params(&mut self, tuple: &Tuple, iface: u8, iss: SeqNum) -> OpenParams {
        let dst = tuple.remote;
        let path = self.path_mtu(&dst, iface);
        let (mss, rcv_buf) = self.announced(tuple, iface);
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
        #[cfg(target_pointer_width = "64")]
        {
            if self.tcp.secrets_of != *tuple {
                self.tcp.secrets = self.keys.secrets(Purpose::Connection, tuple);
                self.tcp.secrets_of = *tuple;
            }
            self.tcp.secrets
        }
        #[cfg(not(target_pointer_width = "64"))]
        self.keys.secrets(Purpose::Connection, tuple)
    }

    /// What is added to the millisecond clock in a connection's timestamps (RFC 7323 §5.4 leaves
    /// it open): nobody learns from one connection how long the stack has been running.
    pub(super) fn ts_offset(&mut self, tuple: &Tuple) -> u32 {
        //= https://www.rfc-editor.org/rfc/rfc7323#section-7.1
        //# It is therefore RECOMMENDED to generate a random, per-
        //# connection offset to be used with the clock source when generating
        //# the Timestamps option value (see Section 5.4).
        //= https://www.rfc-editor.org/rfc/rfc7323#section-7
        //# It is therefore
        //# RECOMMENDED to generate a random, per-connection offset to be used
        //# with the clock source when generating the Timestamps option value
        //# (see Section 5.4).
        if cfg!(feature = "timestamps") {
            self.connection_secrets(tuple).1
        } else {
            0
        }
    }

    /// An initial sequence number (RFC 6528): a clock of 4 µs ticks and a secret of the tuple.
    ///
    //= https://www.rfc-editor.org/rfc/rfc6528#section-3
    //# TCP SHOULD generate its Initial Sequence Numbers with the expression:
    pub(crate) fn isn(&mut self, tuple: &Tuple) -> SeqNum {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.4.1
        //# A TCP implementation MUST use the above type of "clock" for clock-
        //# driven selection of initial sequence numbers (MUST-8), and SHOULD
        //# generate its initial sequence numbers with the expression:
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.4.1
        //# ISN = M + F(localip, localport, remoteip, remoteport, secretkey)
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.4.1
        //# where M is the 4 microsecond timer, and F() is a pseudorandom
        //# function (PRF) of the connection's identifying parameters ("localip,
        //# localport, remoteip, remoteport") and a secret key ("secretkey")
        //# (SHLD-1).
        let clock = (self.clock.now.as_micros() >> 2) as u32;
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.4.1
        //# F() MUST NOT be computable from the outside (MUST-9), or
        //# an attacker could still guess at sequence numbers from the ISN used
        //# for some other connection.
        //= https://www.rfc-editor.org/rfc/rfc6528#section-3
        //# F() MUST NOT be computable from
        //# the outside, or an attacker could still guess at sequence numbers
        //# from the ISN used for some other connection.
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
        let Some((tuple, half)) = self.half_open(index) else {
            cold_path();
            return true;
        };
        let item = Ref::new(Kind::HalfOpen, index);
        let next_hop = match self.reply_route(&tuple, Some(iface)) {
            Some((out, next_hop)) if out == iface => next_hop,
            Some((out, _)) => {
                cold_path();
                self.push_control(out, item);
                return true;
            }
            None => {
                cold_path();
                self.drop_output(DropReason::NoRoute);
                self.arm_half_open(index);
                return true;
            }
        };
        let hop = self.hop(iface, &next_hop);
        let link = match &hop {
            Hop::Ready(link) => link,
            &Hop::Wait(id) => {
                cold_path();
                if !self.wait_for(id, item) {
                    self.arm_half_open(index);
                }
                return true;
            }
            &Hop::Nowhere(reason) => {
                cold_path();
                self.drop_output(reason);
                self.arm_half_open(index);
                return true;
            }
        };
        let ts_offset = self.ts_offset(&tuple);
        let (mss, rcv_buf) = self.announced(&tuple, iface);
        let env = self.clock.env(&self.tunables.tcp, 0);
        #[cfg_attr(
            not(feature = "fastopen"),
            expect(unused_mut, reason = "it is as it is")
        )]
        let mut reply = half.syn_ack(&env, ts_offset, mss, rcv_buf);
        #[cfg(feature = "fastopen")]
        if let Some(cookie) = self.fast_open_grant(&half, &tuple) {
            cold_path();
            let _ = reply.options.push_fast_open(&cookie);
        }
        let ip = IpHeader {
            src: tuple.local(),
            dst: tuple.remote,
            protocol: protocol::TCP,
            ttl: self.tunables.ip_default_ttl,
            tos: 0,
        };
        let head = reply_head(&tuple, &reply);
        let result = write_segment(sink, caps, link, &ip, &head, (&[], &[]), None);
        if result.is_err() {
            cold_path();
            return false;
        }
        self.count_sent(sent);
        count!(self, tcp_segments_sent);
        self.arm_half_open(index);
        true
    }

    /// The SYN-ACK was sent (or is as good as lost): it is repeated after a time.
    fn arm_half_open(&mut self, index: u32) {
        let tick = self.clock.quarter();
        let Some(entry) = self.tables.half_open.get_mut(index) else {
            return;
        };
        let level = entry.half.retries().min(LEVELS.wrapping_sub(1));
        entry.links.tag = tick;
        let item = Ref::new(Kind::HalfOpen, index);
        self.put_handshake(level, item);
        self.entry_due_in(self.syn_ack_wait(level));
    }

    /// An entry begins to wait, so many ticks of 4 ms.
    pub(super) fn entry_due_in(&mut self, ticks: u16) {
        self.tcp.quiet.end_by(self.clock.after_quarters(ticks));
    }

    /// Has SYN entries and TIME-WAITs looked at whose time has come.
    #[inline]
    pub(crate) fn fire_entries(&mut self) {
        if !self.tcp.quiet.lasts(self.clock.now) {
            self.fire_due_entries();
        }
    }

    // Apart on 64 bits: most turns have none.
    #[cfg_attr(target_pointer_width = "64", inline(never))]
    #[cfg_attr(not(target_pointer_width = "64"), inline)]
    fn fire_due_entries(&mut self) {
        self.fire_handshakes();
        self.fire_time_waits();
        if !cfg!(target_pointer_width = "64") {
            return;
        }
        self.tcp.quiet.begin(Instant::FAR_FUTURE);
        for (first, left) in [self.next_handshake(), self.oldest_time_wait()] {
            if first.is_some() {
                self.entry_due_in(left);
            }
        }
    }

    /// Ticks of 4 ms that a SYN-ACK sent `level + 1` times is waited for.
    pub(crate) fn syn_ack_wait(&self, level: u8) -> u16 {
        let ticks = (self.tunables.tcp.rto_initial / 4).min(32_000);
        u16::try_from((ticks << level).min(32_000)).unwrap_or(u16::MAX)
    }

    /// The handshake whose SYN-ACK is to be repeated next, and in how many ticks of 4 ms;
    /// [`Ref::NONE`] if there is none.
    #[cfg(feature = "alloc")]
    fn next_handshake(&self) -> (Ref, u16) {
        let mut next = (Ref::NONE, u16::MAX);
        if self.tables.half_open.is_empty() {
            return next;
        }
        for level in 0..LEVELS {
            let front = self.first(On::handshake(level));
            if let Some(entry) = self.tables.half_open.get(front.index()) {
                let left = self.ticks_left(entry.links.tag, self.syn_ack_wait(level));
                if front.is_some() && left < next.1 {
                    next = (front, left);
                }
            }
        }
        next
    }

    /// Repeats or gives up the SYN-ACKs whose time has come.
    fn fire_handshakes(&mut self) {
        while let (front, 0) = self.next_handshake() {
            let Some(entry) = self.tables.half_open.get_mut(front.index()) else {
                return;
            };
            if entry.half.retries() >= self.tunables.tcp.synack_retries {
                self.drop_half_open(front.index());
                count!(self, tcp_half_open_timed_out);
                continue;
            }
            entry.half.count_retry();
            let tuple = entry.tuple;
            self.unlink(front);
            self.push_control(self.reply_iface(&tuple, None), front);
        }
    }

    /// When the next SYN entry or TIME-WAIT is due: [`Instant::FAR_FUTURE`] if there is none.
    pub(crate) fn entry_deadline(&self) -> Instant {
        let (handshake, time_wait) = (self.next_handshake(), self.oldest_time_wait());
        if handshake.0.is_none() && time_wait.0.is_none() {
            return Instant::FAR_FUTURE;
        }
        // Of what is not there nothing is left to wait for but the longest time.
        self.after_ticks(handshake.1.min(time_wait.1))
    }

    /// Ticks of 4 ms until `wait` of them have passed since the tick `tag`.
    pub(crate) fn ticks_left(&self, tag: u16, wait: u16) -> u16 {
        wait.saturating_sub(self.clock.quarter().wrapping_sub(tag))
    }

    /// The instant some ticks from now. The tick in progress began up to 4 ms ago: waiting whole
    /// ticks is never early.
    pub(crate) fn after_ticks(&self, ticks: u16) -> Instant {
        self.clock
            .now
            .plus_micros(u64::from(u32::from(ticks) * 4_000))
    }
}
