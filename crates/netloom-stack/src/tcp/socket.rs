//! Connections as their users see them: read, write, finish, ask.

use core::net::SocketAddr;
use core::time::Duration;

use netloom_tcp::{CloseReason, Keepalive, State, TcpInfo};

use crate::error::Error;
use crate::event::{Event, Readiness, TcpHandle};
use crate::list::{Kind, Ref};
use crate::stack::Stack;
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

impl Stack {
    fn connection(&self, handle: TcpHandle) -> Result<&TcpSlot, Error> {
        self.tables
            .connections
            .get(handle.index)
            .filter(|s| s.flags.has(Flags::OWNED) && s.generation == handle.generation)
            .ok_or(Error::StaleHandle)
    }

    fn connection_mut(&mut self, handle: TcpHandle) -> Result<&mut TcpSlot, Error> {
        self.tables
            .connections
            .get_mut(handle.index)
            .filter(|s| s.flags.has(Flags::OWNED) && s.generation == handle.generation)
            .ok_or(Error::StaleHandle)
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
        let slot = self.connection_mut(handle)?;
        let n = slot.conn.read(&mut slot.buffers.io(), buffer);
        if n == 0 && !buffer.is_empty() {
            return end_of_stream(slot);
        }
        self.after_read(handle);
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
    pub fn tcp_read_with(
        &mut self,
        handle: TcpHandle,
        consume: impl FnOnce(&[u8], &[u8]) -> usize,
    ) -> Result<usize, Error> {
        let slot = self.connection_mut(handle)?;
        let io = slot.buffers.io();
        let (first, second) = slot.conn.rx_slices(&io);
        let available = first.len().wrapping_add(second.len());
        if available == 0 {
            return end_of_stream(slot);
        }
        let n = consume(first, second).min(available);
        slot.conn.consume(&slot.buffers.io(), n);
        self.after_read(handle);
        Ok(n)
    }

    #[inline]
    fn after_read(&mut self, handle: TcpHandle) {
        let Some(slot) = self.tables.connections.get_mut(handle.index) else {
            return;
        };
        let ended = slot.flags.has(Flags::ENDED);
        if !ended && slot.conn.owes_window_update() {
            self.touch(handle);
        } else if ended || is_far(slot.deadline(), self.clock.now) {
            self.tcp.buffers.reclaim(&mut slot.conn, &mut slot.buffers);
        }
    }

    /// Takes as much of `data` as there is room for, to be sent in order; says how much that
    /// was. Before the handshake is complete data is kept and goes out after it.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] when there is no room at all (an event tells when there is);
    /// [`Error::SendAfterShutdown`]; [`Error::Closed`]; [`Error::StaleHandle`].
    #[inline]
    pub fn tcp_write(&mut self, handle: TcpHandle, data: &[u8]) -> Result<usize, Error> {
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

    /// Sees to it that up to `len` more bytes can be queued; says how many can.
    #[inline]
    fn prepare_write(&mut self, handle: TcpHandle, len: usize) -> Result<usize, Error> {
        let slot = self
            .tables
            .connections
            .get_mut(handle.index)
            .filter(|s| s.flags.has(Flags::OWNED) && s.generation == handle.generation)
            .ok_or(Error::StaleHandle)?;
        if slot.flags.has(Flags::ENDED) {
            return Err(Error::Closed(slot.reason.unwrap_or(CloseReason::Aborted)));
        }
        if !slot.conn.can_write() {
            return Err(Error::SendAfterShutdown);
        }
        let queued = slot.conn.tx_extent();
        let limit = (slot.tx_limit as usize).max(1);
        let room = limit.saturating_sub(queued);
        let want = queued.wrapping_add(room.min(len));
        let capacity = self
            .tcp
            .buffers
            .ensure_tx(&mut slot.conn, &mut slot.buffers, want);
        Ok(capacity.saturating_sub(queued).min(room))
    }

    /// Shuts down one or both directions. The handle stays good.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::StaleHandle`].
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

    /// Gives a connection back. If it is still open it finishes on its own: what is queued is
    /// sent, then FIN; if data that arrived was not read, the peer is told by a reset
    /// (RFC 9293 §3.6.1). The handle is stale afterwards.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn tcp_close(&mut self, handle: TcpHandle) -> Result<(), Error> {
        let slot = self.connection_mut(handle)?;
        slot.flags.clear(Flags::OWNED);
        slot.generation = slot.generation.wrapping_add(1);
        if slot.flags.has(Flags::ENDED) {
            self.free(handle.index);
            return Ok(());
        }
        let item = Ref::new(Kind::Connection, handle.index);
        self.events
            .remove(&mut crate::tables::News(&mut self.tables), item);
        self.tcp.orphans = self.tcp.orphans.saturating_add(1);
        let too_many = self.tcp.orphans > self.tunables.tcp_max_orphans;
        let env = self.clock.env(&self.tunables.tcp, 0);
        let Some(slot) = self.tables.connections.get_mut(handle.index) else {
            return Ok(());
        };
        let iface = slot.iface;
        let outcome = if too_many {
            slot.conn.abort()
        } else {
            slot.conn.close(&env)
        };
        self.apply(handle.index, &outcome);
        if outcome.end.is_none() {
            self.owe(iface, item);
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

    /// The connection's state.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
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
                    && slot.listener == 0;
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
        let slot = self
            .tables
            .connections
            .get_mut(handle.index)
            .filter(|s| s.flags.has(Flags::OWNED) && s.generation == handle.generation)
            .ok_or(Error::StaleHandle)?;
        let env = self.clock.env(&self.tunables.tcp, 0);
        Ok(slot.conn.info(&env))
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
    pub fn tcp_take_soft_error(&mut self, handle: TcpHandle) -> Result<bool, Error> {
        let slot = self.connection_mut(handle)?;
        let had = slot.flags.has(Flags::SOFT_ERROR);
        slot.flags.clear(Flags::SOFT_ERROR);
        Ok(had)
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
    /// MUST-21); `None`: for ever.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
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
    pub fn tcp_set_dscp(&mut self, handle: TcpHandle, dscp: u8) -> Result<(), Error> {
        if dscp > 63 {
            return Err(Error::InvalidArgument);
        }
        self.connection_mut(handle)?.tos = dscp << 2;
        Ok(())
    }

    /// Bounds the send queue, in bytes; at least 1. What is queued stays.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn tcp_set_send_buffer(&mut self, handle: TcpHandle, bytes: u32) -> Result<(), Error> {
        self.connection_mut(handle)?.tx_limit = bytes.max(1);
        Ok(())
    }

    /// Bounds what the window promises, in bytes. What was promised stays promised: a window
    /// never moves left (RFC 9293 §3.8.6).
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn tcp_set_receive_buffer(&mut self, handle: TcpHandle, bytes: u32) -> Result<(), Error> {
        self.connection_mut(handle)?.conn.set_rcv_buf(bytes);
        self.touch(handle);
        Ok(())
    }

    pub(crate) fn tcp_event(&mut self, index: u32) -> Option<Event> {
        let slot = self
            .tables
            .connections
            .get_mut(index)
            .filter(|s| s.flags.has(Flags::OWNED))?;
        let handle = TcpHandle {
            index,
            generation: slot.generation,
        };
        let readiness = readiness(slot);
        slot.flags.clear(Flags::URGENT);
        Some(Event::Tcp(handle, readiness))
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
    let room = (slot.tx_limit as usize) > slot.conn.tx_extent();
    Readiness {
        readable: slot.conn.readable_bytes() > 0
            || peer_finished
            || closed
            || slot.flags.has(Flags::READ_SHUT),
        writable: closed || (slot.conn.can_write() && room && slot.conn.state().is_synchronized()),
        connected: !closed && slot.conn.state().is_synchronized(),
        peer_finished,
        closed,
        error: slot.flags.has(Flags::SOFT_ERROR),
        urgent: slot.flags.has(Flags::URGENT),
        woken: false,
    }
}
