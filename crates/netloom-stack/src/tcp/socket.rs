//! Connections as their users see them: read, write, finish, ask.

use core::net::SocketAddr;
use core::time::Duration;

use netloom_driver::Instant;
use netloom_tcp::{CloseReason, Keepalive, State, TcpInfo};

use crate::error::Error;
use crate::event::{Event, Readiness, TcpHandle};
use crate::list::{Kind, Ref};
use crate::memory::slab::Slab;
use crate::stack::Stack;
use crate::tables::Tables;
use crate::tcp::buffers::BufferPool;
use crate::tcp::output::is_far;
use crate::tcp::slot::{Flags, TcpSlot};

/// Which direction of a connection to shut down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Nothing more is read: what arrived and arrives is discarded, and reads see the end.
    Read,
    /// Nothing more is written: FIN follows what is queued.
    Write,
    /// Both.
    Both,
}

/// The connection that a handle is for.
#[inline]
fn owned(connections: &mut Slab<TcpSlot>, handle: TcpHandle) -> Result<&mut TcpSlot, Error> {
    held(connections, handle).ok_or(Error::StaleHandle)
}

/// The connection of a handle, unless that is stale.
// On 32 bits a function of its own, whose answer is one word.
#[cfg_attr(target_pointer_width = "64", inline)]
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
fn held(connections: &mut Slab<TcpSlot>, handle: TcpHandle) -> Option<&mut TcpSlot> {
    connections
        .get_mut(handle.index)
        .filter(|s| s.flags.has(Flags::OWNED) && s.generation == handle.generation)
}

impl Stack {
    pub(crate) fn connection(&self, handle: TcpHandle) -> Result<&TcpSlot, Error> {
        self.tables
            .connections
            .get(handle.index)
            .filter(|s| s.flags.has(Flags::OWNED) && s.generation == handle.generation)
            .ok_or(Error::StaleHandle)
    }

    pub(crate) fn connection_mut(&mut self, handle: TcpHandle) -> Result<&mut TcpSlot, Error> {
        owned(&mut self.tables.connections, handle)
    }

    #[inline]
    fn touch(&mut self, handle: TcpHandle) {
        let Some(slot) = self.tables.connections.get(handle.index) else {
            return;
        };
        if !slot.links.is_linked() && !slot.flags.has(Flags::ENDED) {
            let iface = slot.iface;
            self.owe(iface, Ref::new(Kind::Connection, handle.index));
        }
    }

    /// Reads what has arrived in order into `buffer`; `Ok(0)` is the end of the stream (or an
    /// empty buffer).
    ///
    /// # Errors
    /// [`Error::WouldBlock`] when there is nothing to read yet; [`Error::Closed`] when the
    /// connection ended otherwise than in order and everything that arrived was read;
    /// [`Error::StaleHandle`].
    #[inline]
    pub fn tcp_read(&mut self, handle: TcpHandle, buffer: &mut [u8]) -> Result<usize, Error> {
        let slot = find(&mut self.tables, handle)?;
        let n = slot.conn.read(&mut slot.buffers.io(), buffer);
        if n == 0 && !buffer.is_empty() {
            return end_of_stream(slot);
        }
        if slot.after_read(&mut self.tcp.buffers, self.clock.now) {
            self.touch(handle);
        }
        Ok(n)
    }

    /// [`tcp_read`](Stack::tcp_read) that leaves the data where it is, `offset` bytes in.
    ///
    /// # Errors
    /// As [`tcp_read`](Stack::tcp_read).
    pub fn tcp_peek(
        &mut self,
        handle: TcpHandle,
        offset: usize,
        buffer: &mut [u8],
    ) -> Result<usize, Error> {
        let slot = self.connection_mut(handle)?;
        let n = slot.conn.peek(&slot.buffers.io(), offset, buffer);
        if n == 0 && !buffer.is_empty() {
            return end_of_stream(slot);
        }
        Ok(n)
    }

    /// Lends what has arrived in order, in at most two pieces, to `consume`, which says how
    /// many bytes it took. No copy is made.
    ///
    /// # Errors
    /// As [`tcp_read`](Stack::tcp_read); `consume` does not run then.
    #[doc(alias = "l4_rx")]
    pub fn tcp_read_with(
        &mut self,
        handle: TcpHandle,
        consume: impl FnOnce(&[u8], &[u8]) -> usize,
    ) -> Result<usize, Error> {
        let slot = find(&mut self.tables, handle)?;
        let io = slot.buffers.io();
        let (first, second) = slot.conn.rx_slices(&io);
        // As long as both: who counts alone needs neither.
        let available = slot.conn.readable_bytes();
        if available == 0 {
            return end_of_stream(slot);
        }
        let n = consume(first, second).min(available);
        slot.conn.consume(&slot.buffers.io(), n);
        if slot.after_read(&mut self.tcp.buffers, self.clock.now) {
            self.touch(handle);
        }
        Ok(n)
    }

    /// Takes as much of `data` as there is room for, to be sent in order; says how much that
    /// was. Before the handshake is complete data is kept and goes out after it.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] when there is no room at all (an event tells when there is);
    /// [`Error::SendAfterShutdown`]; [`Error::Closed`]; [`Error::StaleHandle`].
    #[inline]
    #[doc(alias = "l4_tx")]
    pub fn tcp_write(&mut self, handle: TcpHandle, data: &[u8]) -> Result<usize, Error> {
        #[cfg(all(
            feature = "alloc",
            feature = "ipv4",
            feature = "fast-retransmit",
            target_pointer_width = "64"
        ))]
        if let Some(n) = self.plain_write(handle, data) {
            return Ok(n);
        }
        let room = self.prepare_write(handle, data.len())?;
        if data.is_empty() {
            return Ok(0);
        }
        let slot = self.connection_mut(handle)?;
        let n = slot.conn.write(
            &mut slot.buffers.io(),
            data.get(..room.min(data.len())).unwrap_or_default(),
        );
        if n == 0 {
            return Err(Error::WouldBlock);
        }
        self.touch(handle);
        Ok(n)
    }

    /// Lends free room of the send queue, of at least one byte and at most `len`, to `fill`,
    /// which says how many bytes it wrote from the front. No copy is made.
    ///
    /// # Errors
    /// As [`tcp_write`](Stack::tcp_write); `fill` does not run then.
    pub fn tcp_write_with(
        &mut self,
        handle: TcpHandle,
        len: usize,
        fill: impl FnOnce(&mut [u8]) -> usize,
    ) -> Result<usize, Error> {
        let room = self.prepare_write(handle, len)?;
        let slot = self.connection_mut(handle)?;
        let mut io = slot.buffers.io();
        let space = slot.conn.tx_space(&mut io);
        let offered = space.len().min(room).min(len);
        let space = space.get_mut(..offered).unwrap_or_default();
        if space.is_empty() {
            return Err(Error::WouldBlock);
        }
        let n = fill(space).min(offered);
        slot.conn.tx_commit(&slot.buffers.io(), n);
        self.touch(handle);
        Ok(n)
    }

    /// As [`tcp_write`](Stack::tcp_write), and what was taken ends urgent data: segments up to
    /// there are sent with URG (RFC 9293 §3.8.5). The bytes stay in line. New programs should
    /// not use it (SHLD-13).
    ///
    /// # Errors
    /// As [`tcp_write`](Stack::tcp_write).
    pub fn tcp_write_urgent(&mut self, handle: TcpHandle, data: &[u8]) -> Result<usize, Error> {
        let n = self.tcp_write(handle, data)?;
        if n > 0 {
            self.connection_mut(handle)?.conn.mark_urgent();
        }
        Ok(n)
    }

    /// Sees to it that up to `len` more bytes can be queued; says how many can.
    #[inline]
    fn prepare_write(&mut self, handle: TcpHandle, len: usize) -> Result<usize, Error> {
        let slot = owned(&mut self.tables.connections, handle)?;
        if slot.flags.has(Flags::ENDED) {
            return Err(Error::Closed(slot.reason.unwrap_or(CloseReason::Aborted)));
        }
        if !slot.conn.can_write() {
            return Err(Error::SendAfterShutdown);
        }
        let queued = slot.conn.tx_extent();
        let limit = (slot.buffers.tx_limit as usize).max(1);
        #[cfg_attr(
            not(feature = "autotune"),
            expect(unused_mut, reason = "it stays what it is")
        )]
        let mut room = limit.saturating_sub(queued);
        #[cfg(feature = "autotune")]
        if len > room && !slot.is_flow() {
            let short = self.tcp.buffers.under_pressure();
            slot.buffers
                .tune_tx(slot.conn.useful_text(), short, &self.tunables);
            room = (slot.buffers.tx_limit as usize).saturating_sub(queued);
        }
        let want = queued.wrapping_add(room.min(len));
        let capacity = self
            .tcp
            .buffers
            .ensure_tx(&mut slot.conn, &mut slot.buffers, want);
        #[cfg(feature = "flows")]
        if capacity == 0 && want > 0 {
            // Nothing is queued whose acknowledgment could tell it that there is memory again.
            let flow = self.connection_flow(handle.index);
            self.flow_is_hungry(flow);
        }
        Ok(capacity.saturating_sub(queued).min(room))
    }

    /// Shuts down one or both directions. The handle stays good.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::StaleHandle`].
    #[doc(alias = "l4_local_close")]
    pub fn tcp_shutdown(&mut self, handle: TcpHandle, how: How) -> Result<(), Error> {
        let slot = self.connection_mut(handle)?;
        if slot.flags.has(Flags::ENDED) {
            return match slot.reason {
                None | Some(CloseReason::Finished) => Ok(()),
                Some(reason) => Err(Error::Closed(reason)),
            };
        }
        if matches!(how, How::Read | How::Both) {
            slot.conn.shutdown_read();
            slot.flags.set(Flags::READ_SHUT);
        }
        if matches!(how, How::Write | How::Both) {
            slot.conn.shutdown_write();
        }
        self.touch(handle);
        Ok(())
    }

    /// Whether the sending direction is open, or about to be: not after
    /// [`tcp_shutdown`](Stack::tcp_shutdown) of it, nor once the connection is over.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn tcp_can_write(&self, handle: TcpHandle) -> Result<bool, Error> {
        let slot = self.connection(handle)?;
        Ok(!slot.flags.has(Flags::ENDED) && slot.conn.can_write())
    }

    /// Gives a connection back. If it is still open it finishes on its own: what is queued is
    /// sent, then FIN; if data that arrived was not read, the peer is told by a reset
    /// (RFC 9293 §3.6.1). The handle is stale afterwards.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn tcp_close(&mut self, handle: TcpHandle) -> Result<(), Error> {
        let slot = owned(&mut self.tables.connections, handle)?;
        slot.flags.clear(Flags::OWNED);
        slot.generation = slot.generation.wrapping_add(1);
        if slot.flags.has(Flags::ENDED) {
            self.free(handle.index);
            return Ok(());
        }
        self.tcp.orphans = self.tcp.orphans.saturating_add(1);
        let too_many = self.tcp.orphans > self.tunables.tcp_max_orphans;
        let outcome = if too_many {
            slot.conn.abort()
        } else {
            slot.conn.close(&self.clock.env(&self.tunables.tcp, 0))
        };
        let iface = slot.iface;
        let has_news = cfg!(feature = "events") && slot.news.is_linked();
        if has_news {
            self.forget_news(Ref::new(Kind::Connection, handle.index));
        }
        self.apply(handle.index, &outcome);
        if !outcome.ended() {
            self.owe_connection(iface, handle.index);
        }
        Ok(())
    }

    /// Resets a connection: what is queued either way is discarded. The handle stays good, so
    /// that the reason can be read, until it is [closed](Stack::tcp_close).
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn tcp_abort(&mut self, handle: TcpHandle) -> Result<(), Error> {
        let slot = self.connection_mut(handle)?;
        if slot.flags.has(Flags::ENDED) {
            return Ok(());
        }
        let outcome = slot.conn.abort();
        self.apply(handle.index, &outcome);
        self.touch(handle);
        Ok(())
    }

    /// [`tcp_abort`](Stack::tcp_abort) for a reason of the program's own, which
    /// [`tcp_close_reason`](Stack::tcp_close_reason) tells at once.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn tcp_abort_because(
        &mut self,
        handle: TcpHandle,
        reason: CloseReason,
    ) -> Result<(), Error> {
        self.connection(handle)?;
        self.end_by(handle.index, reason);
        Ok(())
    }

    /// The connection's state.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    #[doc(alias = "l4_state")]
    pub fn tcp_state(&self, handle: TcpHandle) -> Result<State, Error> {
        let slot = self.connection(handle)?;
        Ok(if slot.flags.has(Flags::ENDED) {
            State::Closed
        } else {
            slot.conn.state()
        })
    }

    /// Why the connection ended; `None` while it has not. An aborted one has not before its reset
    /// has left, in the next transmit turn.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn tcp_close_reason(&self, handle: TcpHandle) -> Result<Option<CloseReason>, Error> {
        Ok(self.connection(handle)?.reason)
    }

    /// What can be done with the connection now.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn tcp_readiness(&self, handle: TcpHandle) -> Result<Readiness, Error> {
        Ok(readiness(self.connection(handle)?))
    }

    /// Bytes that can be read without waiting.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn tcp_readable(&self, handle: TcpHandle) -> Result<usize, Error> {
        Ok(self.connection(handle)?.conn.readable_bytes())
    }

    /// How many bytes that can be read, or are still to come, the peer has called urgent; 0:
    /// none (RFC 9293 §3.8.5, MUST-33).
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn tcp_urgent(&self, handle: TcpHandle) -> Result<usize, Error> {
        Ok(self.connection(handle)?.conn.urgent_bytes())
    }

    /// Bytes that were written and are not acknowledged yet, sent or not.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn tcp_unacked(&self, handle: TcpHandle) -> Result<usize, Error> {
        Ok(self.connection(handle)?.conn.tx_extent())
    }

    /// Connections that were closed and whose last data, or FIN, is not acknowledged yet: what
    /// would be lost if the stack were dropped now. Looks at every connection.
    pub fn tcp_unfinished(&self) -> usize {
        (0..self.tables.connections.high_water())
            .filter_map(|index| self.tables.connections.get(index))
            .filter(|slot| {
                let orphan = slot.flags.has(Flags::LIVE)
                    && !slot.flags.has(Flags::OWNED)
                    && !slot.flags.has(Flags::ENDED)
                    && slot.listener() == 0;
                orphan
                    && match slot.conn.state() {
                        State::FinWait1 | State::Closing | State::LastAck => true,
                        State::Established | State::CloseWait => slot.conn.tx_extent() > 0,
                        State::Closed
                        | State::Listen
                        | State::SynSent
                        | State::SynReceived
                        | State::FinWait2
                        | State::TimeWait => false,
                    }
            })
            .count()
    }

    /// Everything that can be told of the connection.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn tcp_info(&mut self, handle: TcpHandle) -> Result<TcpInfo, Error> {
        let slot = owned(&mut self.tables.connections, handle)?;
        let env = self.clock.env(&self.tunables.tcp, 0);
        #[cfg_attr(not(feature = "bbr"), expect(unused_mut, reason = "nothing is added"))]
        let mut info = slot.conn.info(&env);
        #[cfg(feature = "bbr")]
        if let Some(path) = slot.buffers.path() {
            path.tell(&mut info);
        }
        Ok(info)
    }

    /// The local end.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn tcp_local_addr(&self, handle: TcpHandle) -> Result<SocketAddr, Error> {
        let tuple = &self.connection(handle)?.tuple;
        Ok(SocketAddr::new(tuple.local().into(), tuple.local_port))
    }

    /// The remote end.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn tcp_peer_addr(&self, handle: TcpHandle) -> Result<SocketAddr, Error> {
        let tuple = &self.connection(handle)?.tuple;
        Ok(SocketAddr::new(tuple.remote.into(), tuple.remote_port))
    }

    /// Whether a soft error (an ICMP error that need not end the connection, or many
    /// retransmissions) was reported since this was last asked (RFC 9293 §3.9.1.8).
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.1.8
    //# There MUST be a mechanism for reporting soft TCP error conditions to
    //# the application (MUST-47).
    pub fn tcp_take_soft_error(&mut self, handle: TcpHandle) -> Result<bool, Error> {
        let slot = self.connection_mut(handle)?;
        let had = slot.flags.has(Flags::SOFT_ERROR);
        slot.flags.clear(Flags::SOFT_ERROR);
        Ok(had)
    }

    /// The last ICMP error that did not end the connection, as the reason it would have ended
    /// for; forgotten by asking (RFC 9293 §3.9.2.2).
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.2.2
    //# Since these Unreachable messages indicate soft error conditions, a
    //# TCP implementation MUST NOT abort the connection (MUST-56), and it
    //# SHOULD make the information available to the application (SHLD-25).
    pub fn tcp_take_icmp_error(&mut self, handle: TcpHandle) -> Result<Option<CloseReason>, Error> {
        let error = self.connection_mut(handle)?.conn.take_soft_error();
        Ok(error.map(netloom_tcp::IcmpError::close_reason))
    }

    /// Switches the Nagle algorithm off (`true`) or on (RFC 9293 §3.7.4, MUST-17).
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn tcp_set_nodelay(&mut self, handle: TcpHandle, nodelay: bool) -> Result<(), Error> {
        self.connection_mut(handle)?.conn.set_nodelay(nodelay);
        self.touch(handle);
        Ok(())
    }

    /// Switches keep-alive on or off (off at first; RFC 9293 §3.8.4, MUST-24 and MUST-25).
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for an idle time or interval below 1 s, or fewer than 2
    /// probes; [`Error::StaleHandle`].
    #[cfg(feature = "keepalive")]
    pub fn tcp_set_keepalive(
        &mut self,
        handle: TcpHandle,
        keepalive: Option<Keepalive>,
    ) -> Result<(), Error> {
        if keepalive.is_some_and(|k| k.idle < 1_000_000 || k.interval < 1_000_000 || k.count < 2) {
            return Err(Error::InvalidArgument);
        }
        self.connection_mut(handle)?.conn.set_keepalive(keepalive);
        self.touch(handle);
        Ok(())
    }

    /// How long data may stay unacknowledged before the connection ends (RFC 9293 §3.8.3,
    /// MUST-21); zero: for ever; `None`: as long as the tunable says.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    #[cfg(feature = "user-timeout")]
    pub fn tcp_set_user_timeout(
        &mut self,
        handle: TcpHandle,
        timeout: Option<Duration>,
    ) -> Result<(), Error> {
        let micros = timeout.map(micros);
        self.connection_mut(handle)?.conn.set_user_timeout(micros);
        self.touch(handle);
        Ok(())
    }

    /// How long an owner-less connection may take to deliver what is queued, before it is
    /// reset; `None`: as long as it takes.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    #[cfg(feature = "linger")]
    pub fn tcp_set_linger(
        &mut self,
        handle: TcpHandle,
        linger: Option<Duration>,
    ) -> Result<(), Error> {
        self.connection_mut(handle)?
            .conn
            .set_linger(linger.map(micros));
        Ok(())
    }

    /// Sets the TTL or hop limit, 1 to 255 (RFC 9293 §3.9.2, MUST-49).
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for 0; [`Error::StaleHandle`].
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.2
    //# Time to Live (TTL):  The TTL value used to send TCP segments MUST be
    //# configurable (MUST-49).
    pub fn tcp_set_ttl(&mut self, handle: TcpHandle, ttl: u8) -> Result<(), Error> {
        if ttl == 0 {
            return Err(Error::InvalidArgument);
        }
        self.connection_mut(handle)?.ttl = ttl;
        Ok(())
    }

    /// Sets the Differentiated Services codepoint, 0 to 63 (RFC 9293 §3.9.1.9, MUST-48).
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] above 63; [`Error::StaleHandle`].
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.1.9
    //# The application layer MUST be able to specify the Differentiated
    //# Services field for segments that are sent on a connection (MUST-48).
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.1.9
    //# It is not required, but the
    //# application SHOULD be able to change the Differentiated Services
    //# field during the connection lifetime (SHLD-21).
    pub fn tcp_set_dscp(&mut self, handle: TcpHandle, dscp: u8) -> Result<(), Error> {
        if dscp > 63 {
            return Err(Error::InvalidArgument);
        }
        self.connection_mut(handle)?.tos = dscp << 2;
        Ok(())
    }

    /// Bounds the send queue, in bytes; at least 1. What is queued stays. From then on the bound
    /// does not change by itself.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn tcp_set_send_buffer(&mut self, handle: TcpHandle, bytes: u32) -> Result<(), Error> {
        let buffers = &mut self.connection_mut(handle)?.buffers;
        buffers.tx_limit = bytes.max(1);
        #[cfg(feature = "autotune")]
        {
            buffers.tx_is_set = true;
        }
        Ok(())
    }

    /// Bounds what the window promises, in bytes. What was promised stays promised: a window
    /// never moves left (RFC 9293 §3.8.6). From then on the bound does not change by itself.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn tcp_set_receive_buffer(&mut self, handle: TcpHandle, bytes: u32) -> Result<(), Error> {
        let slot = self.connection_mut(handle)?;
        slot.conn.set_rcv_buf(bytes);
        #[cfg(feature = "autotune")]
        {
            slot.buffers.rx_is_set = true;
        }
        self.touch(handle);
        Ok(())
    }

    #[cfg(feature = "events")]
    pub(crate) fn tcp_event(&mut self, index: u32) -> Option<Event> {
        self.tables.connections.get_mut(index)?.event(index)
    }
}

/// The slot a handle names.
#[cfg_attr(target_pointer_width = "64", inline)]
fn find(tables: &mut Tables, handle: TcpHandle) -> Result<&mut TcpSlot, Error> {
    owned(&mut tables.connections, handle)
}

impl TcpSlot {
    /// What the connection at this index tells its user, if it has one.
    #[inline]
    #[cfg(feature = "events")]
    pub(super) fn event(&mut self, index: u32) -> Option<Event> {
        if !self.flags.has(Flags::OWNED) {
            return None;
        }
        let handle = TcpHandle {
            index,
            generation: self.generation,
        };
        let readiness = readiness(self);
        self.flags.clear(Flags::URGENT);
        Some(Event::Tcp(handle, readiness))
    }

    /// What was read is gone: the ring of a connection that will be quiet is taken back. Says
    /// whether the peer is to hear of the room there is.
    #[inline]
    fn after_read(&mut self, pool: &mut BufferPool, now: Instant) -> bool {
        let ended = self.flags.has(Flags::ENDED);
        if !ended && self.conn.owes_window_update() {
            return true;
        }
        if ended || is_far(self.deadline(), now) {
            pool.reclaim(&mut self.conn, &mut self.buffers);
        }
        false
    }
}

/// What a read without data means.
#[cold]
fn end_of_stream(slot: &TcpSlot) -> Result<usize, Error> {
    match slot.reason {
        _ if slot.conn.peer_finished() || slot.flags.has(Flags::READ_SHUT) => Ok(0),
        Some(CloseReason::Finished) => Ok(0),
        Some(reason) => Err(Error::Closed(reason)),
        None => Err(Error::WouldBlock),
    }
}

/// Whole microseconds, saturating.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn readiness(slot: &TcpSlot) -> Readiness {
    let closed = slot.flags.has(Flags::ENDED);
    let peer_finished = slot.conn.peer_closed();
    let room = slot.buffers.tx_most() > slot.conn.tx_extent();
    Readiness {
        readable: slot.conn.readable_bytes() > 0
            || peer_finished
            || closed
            || slot.flags.has(Flags::READ_SHUT),
        // Who has ended its side is told so at once.
        writable: closed
            || (slot.conn.state().is_synchronized() && (room || !slot.conn.can_write())),
        connected: !closed && slot.conn.state().is_synchronized(),
        peer_finished,
        closed,
        error: slot.flags.has(Flags::SOFT_ERROR),
        urgent: slot.flags.has(Flags::URGENT),
        woken: false,
    }
}
