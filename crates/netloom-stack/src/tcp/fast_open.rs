//! TCP Fast Open (RFC 7413): who may send text on a SYN, and with what cookie.
//!
//! A cookie is a keyed hash of both addresses. There are two keys: one makes cookies for an hour,
//! and those are taken for an hour more. What servers have given is kept with their addresses in
//! the cache of destinations, and so is that a fast open has failed.

use core::net::SocketAddr;

use netloom_driver::Instant;
use netloom_tcp::{CloseReason, HalfOpen, Segment, SynOffer};
use netloom_wire::FastOpenCookie;

use crate::counters::{DropReason, count};
use crate::demux::TCP;
use crate::error::Error;
use crate::event::TcpHandle;
use crate::list::{Kind, Ref};
use crate::rand::{Rng, SipHash24};
use crate::stack::Stack;
use crate::tcp::open::ConnectFrom;
use crate::tcp::slot::Flags;
use crate::tuple::Tuple;

/// Bits of the tunable `tcp_fastopen`, as Linux has them.
mod bit {
    /// Opens of this side are fast where a program says so.
    pub(super) const CLIENT: u16 = 1;
    /// Listeners are where a program says so.
    pub(super) const SERVER: u16 = 2;
    /// Text is sent without a cookie.
    pub(super) const CLIENT_WITHOUT_COOKIE: u16 = 4;
    /// Text is taken without a cookie.
    pub(super) const SERVER_WITHOUT_COOKIE: u16 = 0x200;
    /// All listeners take it.
    pub(super) const ALL_LISTENERS: u16 = 0x400;
}

/// How many unconfirmed fast opens a listener has at most that did not say.
const PENDING_BY_DEFAULT: u16 = 16;

/// How long a key makes cookies.
const ROTATION_MICROS: u64 = 3_600_000_000;

/// How long an unconfirmed fast open counts that was reset, after the last that was.
const RESET_COUNTS_MICROS: u64 = 60_000_000;

/// The keys of cookies.
pub(crate) struct CookieKeys {
    now: SipHash24,
    before: SipHash24,
    until: Instant,
}

impl CookieKeys {
    fn fresh(rng: &mut Rng) -> SipHash24 {
        let mut half = || (u64::from(rng.next_u32()) << 32) | u64::from(rng.next_u32());
        SipHash24::new(half(), half())
    }

    /// Has the keys change when it is time.
    fn rotated<'k>(
        keys: &'k mut Option<CookieKeys>,
        rng: &mut Rng,
        now: Instant,
    ) -> &'k CookieKeys {
        let due = keys.as_ref().is_none_or(|keys| now >= keys.until);
        if due {
            let next = CookieKeys::fresh(rng);
            // Unused for longer than cookies are taken: the old key goes too.
            let recent = keys
                .take()
                .filter(|keys| now < keys.until.plus_micros(ROTATION_MICROS));
            let before = recent.map_or_else(|| CookieKeys::fresh(rng), |keys| keys.now);
            *keys = Some(CookieKeys {
                now: next,
                before,
                until: now.plus_micros(ROTATION_MICROS),
            });
        }
        keys.get_or_insert_with(|| CookieKeys {
            now: CookieKeys::fresh(rng),
            before: CookieKeys::fresh(rng),
            until: now,
        })
    }
}

/// GetCookie (RFC 7413 §4.1.2).
//= https://www.rfc-editor.org/rfc/rfc7413#section-4.1.2
//# The
//# cookie SHOULD be a MAC tag with the following properties.
fn cookie(key: &SipHash24, tuple: &Tuple) -> FastOpenCookie {
    let mut bytes = [0; 32];
    let (client, server) = bytes.split_at_mut(16);
    client.copy_from_slice(&tuple.remote.octets16());
    server.copy_from_slice(&tuple.local().octets16());
    FastOpenCookie::new(&key.hash(&bytes).to_be_bytes()).unwrap_or(FastOpenCookie::REQUEST)
}

/// What a SYN with a Fast Open option gets.
pub(super) enum Fast {
    /// It is an ordinary SYN.
    No,
    /// It is one, and its SYN-ACK carries a cookie.
    Cookie,
    /// Its connection is open.
    Open(Result<(), DropReason>),
}

impl Stack {
    /// A SYN for a listener, which has room for it: perhaps it opens a connection at once.
    pub(super) fn fast_open_input(
        &mut self,
        listener: u32,
        tuple: &Tuple,
        iface: u8,
        offer: &SynOffer,
        segment: &Segment<'_>,
        min_iss: Option<netloom_tcp::SeqNum>,
    ) -> Fast {
        let allowed = self.tunables.tcp_fastopen;
        if allowed & bit::SERVER == 0 {
            return Fast::No;
        }
        let now = self.clock.now;
        let Some(entry) = self.tables.listeners.get_mut(listener) else {
            return Fast::No;
        };
        if entry.fast_reset > 0 && now >= entry.fast_reset_until {
            entry.fast_pending = entry.fast_pending.saturating_sub(entry.fast_reset);
            entry.fast_reset = 0;
        }
        let limit = match entry.fast_open {
            0 if allowed & bit::ALL_LISTENERS != 0 => PENDING_BY_DEFAULT,
            limit => limit,
        };
        let asked = segment.fast_open();
        let without = allowed & bit::SERVER_WITHOUT_COOKIE != 0 && !segment.payload.is_empty();
        //= https://www.rfc-editor.org/rfc/rfc7413#section-4.2
        //# FastOpenEnabled: default is off.  It MUST be turned on explicitly by
        //# the application.  When this flag is off, the server does not
        //# perform any TFO-related operations and MUST ignore all cookie
        //# options.
        if limit == 0 || (asked.is_none() && !without) {
            return Fast::No;
        }
        //= https://www.rfc-editor.org/rfc/rfc7413#section-4.2
        //# If this variable goes over a preset system limit, the
        //# server MUST disable TFO for all new connection requests until
        //# PendingFastOpenRequests drops below the system limit.
        if entry.fast_pending >= limit {
            return Fast::No;
        }
        let keys = CookieKeys::rotated(&mut self.tcp.cookie_keys, &mut self.rng, self.clock.now);
        let (now, before) = (cookie(&keys.now, tuple), cookie(&keys.before, tuple));
        let fresh = match asked {
            _ if without => None,
            Some(given) if given == now => None,
            Some(given) if given == before => Some(now),
            Some(_) | None => return Fast::Cookie,
        };
        let Some(index) = self.tables.connections.insert() else {
            return Fast::Cookie;
        };
        let item = Ref::new(Kind::Connection, index);
        if !self.demux.insert(&self.keys, TCP, tuple, item) {
            self.tables.connections.remove(index);
            return Fast::Cookie;
        }
        let mut iss = self.isn(tuple);
        if let Some(min) = min_iss {
            if iss.lt(min) {
                iss = min;
            }
        }
        let half = HalfOpen::new(iss, offer, &self.tunables.tcp);
        let params = self.open_params(tuple, iface, iss);
        let env = self.clock.env(&self.tunables.tcp, 0);
        let Some(slot) = self.tables.connections.get_mut(index) else {
            return Fast::Cookie;
        };
        slot.open(tuple, iface, &self.tunables, &mut self.tcp.buffers);
        slot.set_listener(listener.wrapping_add(1));
        slot.flags.set(Flags::FAST_OPEN);
        // What there is no memory for is not acknowledged, and comes again.
        self.tcp
            .buffers
            .ensure_rx(&mut slot.conn, &mut slot.buffers, segment.payload.len());
        let outcome = slot.conn.open_fast_from(
            &env,
            &mut slot.buffers.io(),
            &params,
            &half,
            segment,
            fresh.as_ref(),
        );
        if let Some(listener) = self.tables.listeners.get_mut(listener) {
            #[cfg(feature = "alloc")]
            {
                listener.to_accept = listener.to_accept.saturating_add(1);
            }
            listener.fast_pending = listener.fast_pending.saturating_add(1);
        }
        self.established(index);
        self.apply(index, &outcome);
        self.owe(iface, item);
        count!(self, tcp_fast_opens);
        Fast::Open(Ok(()))
    }

    /// The cookie that the SYN-ACK of a SYN entry is to carry.
    pub(super) fn fast_open_grant(
        &mut self,
        half: &HalfOpen,
        tuple: &Tuple,
    ) -> Option<FastOpenCookie> {
        if !half.asks_for_cookie() {
            return None;
        }
        let keys = CookieKeys::rotated(&mut self.tcp.cookie_keys, &mut self.rng, self.clock.now);
        Some(cookie(&keys.now, tuple))
    }

    /// A connection with [`Flags::FAST_OPEN`] is established by this segment. Says whether its
    /// listener knew it already.
    #[cold]
    pub(super) fn fast_open_established(&mut self, index: u32, segment: &Segment<'_>) -> bool {
        let Some(slot) = self.tables.connections.get_mut(index) else {
            return false;
        };
        if !slot.flags.has(Flags::FAST_OPEN) {
            return false;
        }
        slot.flags.clear(Flags::FAST_OPEN);
        let tuple = slot.tuple;
        if !slot.conn.is_active_open() {
            self.fast_open_confirmed(&tuple);
            return true;
        }
        let (dst, port, now) = (tuple.remote, tuple.remote_port, self.clock.now);
        let taken = slot.conn.syn_text_taken(segment.ack);
        let had_text = slot.conn.unsent_bytes() > 0;
        let repeated = slot.conn.syn_was_repeated();
        let mss = slot.conn.peer_mss();
        let given = segment
            .fast_open()
            .filter(|cookie| !cookie.as_slice().is_empty());
        //= https://www.rfc-editor.org/rfc/rfc7413#section-4.1.3
        //# The client MUST cache cookies from servers for later Fast Open
        //# connections.
        if let Some(given) = given {
            self.destinations.set_fast_open(&dst, &given, mss);
            return false;
        }
        let asked = self.destinations.fast_open(&dst).is_none();
        //= https://www.rfc-editor.org/rfc/rfc7413#section-4.2.2
        //# If the SYN-ACK acknowledges
        //# only the initial sequence and does not carry a Fast Open cookie
        //# option, presumably it is triggered by a retransmitted (regular) SYN
        //# and the original SYN or the corresponding SYN-ACK was lost.
        if taken == 0 && (repeated || had_text || asked) {
            //= https://www.rfc-editor.org/rfc/rfc7413#section-4.1.3.1
            //# The client MUST cache negative responses from the server in order to
            //# avoid potential connection failures.
            self.destinations.fail_fast_open(now, &dst, port);
        } else if segment.tells_mss() {
            //= https://www.rfc-editor.org/rfc/rfc7413#section-4.2.2
            //# The client SHOULD perform the following steps upon receiving the SYN-
            //# ACK:
            //= https://www.rfc-editor.org/rfc/rfc7413#section-4.2.2
            //# 1. If the SYN-ACK has a Fast Open option, an MSS option, or both,
            //# update the corresponding cookie and MSS information in the cookie
            //# cache.
            self.destinations.set_fast_open_mss(&dst, mss);
        }
        false
    }

    /// A connection ends that had [`Flags::FAST_OPEN`] still.
    #[cold]
    pub(super) fn fast_open_over(&mut self, index: u32, reason: CloseReason) {
        let Some(slot) = self.tables.connections.get_mut(index) else {
            return;
        };
        slot.flags.clear(Flags::FAST_OPEN);
        let tuple = slot.tuple;
        if slot.conn.is_active_open() {
            let now = self.clock.now;
            self.destinations
                .fail_fast_open(now, &tuple.remote, tuple.remote_port);
        } else if reason == CloseReason::PeerReset {
            self.fast_open_reset(&tuple);
        } else {
            self.fast_open_confirmed(&tuple);
        }
    }

    /// An unconfirmed fast open was reset: it counts for a time still.
    //= https://www.rfc-editor.org/rfc/rfc7413#section-5.1
    //# Implementations may combine the two,
    //# e.g., by continuing to account for those connection requests that
    //# have just been reset against the listener's PendingFastOpenRequests
    //# until a timeout period has passed.
    fn fast_open_reset(&mut self, tuple: &Tuple) {
        let until = self.clock.now.plus_micros(RESET_COUNTS_MICROS);
        if let Some(listener) = self.find_listener(tuple, tuple.scope().unwrap_or(0)) {
            if let Some(listener) = self.tables.listeners.get_mut(listener) {
                listener.fast_reset = listener.fast_reset.saturating_add(1);
                listener.fast_reset_until = until;
            }
        }
    }

    /// One unconfirmed fast open less.
    fn fast_open_confirmed(&mut self, tuple: &Tuple) {
        if let Some(listener) = self.find_listener(tuple, tuple.scope().unwrap_or(0)) {
            if let Some(listener) = self.tables.listeners.get_mut(listener) {
                listener.fast_pending = listener.fast_pending.saturating_sub(1);
            }
        }
    }

    /// Begins to connect, with data for the SYN if the tunable `tcp_fastopen` allows it and the
    /// server has given a cookie before; else the SYN asks for one, and the data follows as
    /// usual. Says how much of the data was taken. The peer may get data twice that a SYN carries:
    /// only requests that may be repeated should be sent so.
    ///
    /// # Errors
    /// As [`tcp_connect_from`](Stack::tcp_connect_from).
    //= https://www.rfc-editor.org/rfc/rfc7413#section-4.2.1
    //# Any client attempting TFO MUST first request a cookie from the server
    //# with the following steps:
    pub fn tcp_connect_with_data(
        &mut self,
        from: impl Into<ConnectFrom>,
        remote: SocketAddr,
        data: &[u8],
    ) -> Result<(TcpHandle, usize), Error> {
        let handle = self.tcp_connect_from(from, remote)?;
        if self.tunables.tcp_fastopen & bit::CLIENT != 0 {
            self.open_fast(handle);
        }
        // What is refused now can be written later.
        let taken = self.tcp_write(handle, data).unwrap_or_default();
        Ok((handle, taken))
    }

    fn open_fast(&mut self, handle: TcpHandle) {
        let without = self.tunables.tcp_fastopen & bit::CLIENT_WITHOUT_COOKIE != 0;
        let now = self.clock.now;
        let Some(slot) = self.tables.connections.get_mut(handle.index) else {
            return;
        };
        let (dst, port) = (slot.tuple.remote, slot.tuple.remote_port);
        //= https://www.rfc-editor.org/rfc/rfc7413#section-4.1.3.1
        //# For any negative responses, the client SHOULD disable Fast Open on
        //# the specific path (the source and destination IP addresses and ports)
        //# at least temporarily.
        if self.destinations.fast_open_failed(now, &dst, port) {
            return;
        }
        let default = if dst.is_v4() { 536 } else { 1220 };
        //= https://www.rfc-editor.org/rfc/rfc7413#section-4.2.2
        //# To open a TFO connection, the client MUST have obtained a cookie from
        //# the server:
        slot.flags.set(Flags::FAST_OPEN);
        match self.destinations.fast_open(&dst) {
            Some((known, mss)) => slot.conn.open_fast_to(Some(&known), mss),
            None if without => slot.conn.open_fast_to(None, default),
            None => slot.conn.open_fast_to(Some(&FastOpenCookie::REQUEST), 0),
        }
    }
}
