//! Listeners as their users see them.

use netloom_wire::hint::cold_path;

use crate::counters::count;
use crate::demux::TCP;
use crate::error::Error;
use crate::event::{Event, ListenerHandle, TcpHandle};
use crate::list::{Kind, Ref};
use crate::port_alloc::PortAllocator;
use crate::stack::Stack;
use crate::tcp::listener::{Backlog, ListenAddr, ListenOptions, Listener};
use crate::tcp::slot::Flags;
use crate::tuple::Tuple;
use crate::version::{ONE_VERSION, Version};
use crate::waiting::On;
use netloom_tcp::CloseReason;

impl Stack {
    /// Listens on a port of every address, or where a `SocketAddr` says, with a backlog of 128.
    ///
    /// # Errors
    /// As [`tcp_listen_with`](Stack::tcp_listen_with).
    pub fn tcp_listen(&mut self, at: impl Into<ListenAddr>) -> Result<ListenerHandle, Error> {
        self.tcp_listen_with(at.into(), ListenOptions::default())
    }

    /// Listens. Connections that exist already are not disturbed.
    ///
    /// Port 0 chooses an ephemeral one, which
    /// [`tcp_listener_addr`](Stack::tcp_listener_addr) tells.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a backlog of 0; [`Error::AddressNotAvailable`]
    /// for an address that is not this stack's; [`Error::AddressInUse`] if somebody listens
    /// there (unless all share by [`ListenOptions::reuse_port`]); [`Error::PortsExhausted`];
    /// [`Error::CapacityExhausted`]; [`Error::OutOfMemory`].
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.1.1
    //# Every passive OPEN call either creates a new connection record in
    //# LISTEN state, or it returns an error; it MUST NOT affect any
    //# previously created connection record (MUST-41).
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.1.1
    //# A TCP implementation that supports multiple concurrent connections
    //# MUST provide an OPEN call that will functionally allow an application
    //# to LISTEN on a port while a connection block with the same local port
    //# is in SYN-SENT or SYN-RECEIVED state (MUST-42).
    pub fn tcp_listen_with(
        &mut self,
        mut at: ListenAddr,
        options: ListenOptions,
    ) -> Result<ListenerHandle, Error> {
        if options.backlog == 0 {
            return Err(Error::InvalidArgument);
        }
        if !at.addr.is_unspecified() && !self.addresses.is_local(&at.addr) {
            return Err(Error::AddressNotAvailable);
        }
        if at.port == 0 {
            at.port = self.pick_listening_port(&at)?;
        }
        let share = cfg!(feature = "reuseport") && options.reuse_port;
        let first = self.listener_there(&at, share)?;
        let index = self
            .tables
            .listeners
            .insert()
            .ok_or(Error::CapacityExhausted)?;
        let key = at.key();
        match first {
            Some(first) if cfg!(feature = "reuseport") => self.join_sharers(first, index, &key),
            Some(_) | None => {
                let item = Ref::new(Kind::Listener, index);
                if !self.demux.insert(&self.keys, TCP, &key, item) {
                    self.tables.listeners.remove(index);
                    return Err(Error::OutOfMemory);
                }
            }
        }
        let listener = self
            .tables
            .listeners
            .get_mut(index)
            .ok_or(Error::CapacityExhausted)?;
        listener.key = key;
        listener.live = true;
        listener.reuse_port = options.reuse_port;
        listener.backlog = options.backlog;
        #[cfg(feature = "fastopen")]
        {
            listener.fast_open = options.fast_open;
        }
        let handle = ListenerHandle {
            index,
            generation: listener.generation,
        };
        #[cfg(feature = "alloc")]
        {
            self.tcp.last_listener = None;
        }
        #[cfg(feature = "alloc")]
        self.recount_half_open();
        Ok(handle)
    }

    /// Puts a listener into the chain of those that share its place, by its index: where tuples are
    /// compared, the lowest is found, and has to lead to the others.
    fn join_sharers(&mut self, first: u32, index: u32, key: &Tuple) {
        let (mut before, mut after) = (None, Some(first));
        while let Some(at) = after.filter(|at| *at < index) {
            before = Some(at);
            let listener = self.tables.listeners.get(at);
            after = listener.and_then(|listener| listener.next.checked_sub(1));
        }
        if let Some(listener) = self.tables.listeners.get_mut(index) {
            listener.next = after.map_or(0, |after| after.wrapping_add(1));
        }
        match before {
            Some(before) => {
                if let Some(listener) = self.tables.listeners.get_mut(before) {
                    listener.next = index.wrapping_add(1);
                }
            }
            None => {
                let of = |index| Ref::new(Kind::Listener, index);
                self.demux
                    .replace(&self.keys, TCP, key, of(first), of(index));
            }
        }
    }

    /// An ephemeral port at which nobody listens there.
    fn pick_listening_port(&mut self, at: &ListenAddr) -> Result<u16, Error> {
        // Listeners come without a remote end: only chance keeps their ports apart.
        let (offset, table) = (self.rng.next_u32(), self.rng.next_u32());
        let mut ports = core::mem::replace(&mut self.tcp.ports, PortAllocator::EMPTY);
        let picked = ports.pick(offset, table, |port| {
            let candidate = ListenAddr { port, ..*at };
            !matches!(self.listener_there(&candidate, false), Ok(None))
        });
        self.tcp.ports = ports;
        picked.ok_or(Error::PortsExhausted)
    }

    /// The first listener that shares this place; an error if one is in the way.
    fn listener_there(&mut self, at: &ListenAddr, share: bool) -> Result<Option<u32>, Error> {
        if let Some(found) = self.listener_at(&at.key()) {
            let sharing = self
                .tables
                .listeners
                .get(found)
                .is_some_and(|l| l.reuse_port);
            return if share && sharing {
                Ok(Some(found))
            } else {
                Err(Error::AddressInUse)
            };
        }
        // A listener on every address of both versions and one of a single version overlap.
        if !ONE_VERSION && at.addr.is_unspecified() && !share {
            let others: &[Version] = match at.version {
                Version::Any => &[Version::V4, Version::V6],
                Version::V4 | Version::V6 => &[Version::Any],
            };
            for version in others {
                let key = version.key(at.port, None);
                if self.listener_at(&key).is_some() {
                    return Err(Error::AddressInUse);
                }
            }
        }
        Ok(None)
    }

    pub(crate) fn listener(&self, handle: ListenerHandle) -> Result<&Listener, Error> {
        self.tables
            .listeners
            .get(handle.index)
            .filter(|l| l.live && l.generation == handle.generation)
            .ok_or(Error::StaleHandle)
    }

    /// Takes the oldest connection that waits to be accepted; `None` if there is none.
    ///
    /// The connection may hold data already, and its peer may have finished sending.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn tcp_accept(&mut self, handle: ListenerHandle) -> Result<Option<TcpHandle>, Error> {
        self.listener(handle)?;
        let Some(item) = self.take_first(On::accept(handle.index)) else {
            return Ok(None);
        };
        #[cfg(feature = "alloc")]
        if let Some(listener) = self.tables.listeners.get_mut(handle.index) {
            listener.to_accept = listener.to_accept.saturating_sub(1);
        }
        let index = item.index();
        let Some(slot) = self.tables.connections.get_mut(index) else {
            return Ok(None);
        };
        slot.set_listener(0);
        slot.flags.set(Flags::OWNED);
        let accepted = TcpHandle {
            index,
            generation: slot.generation,
        };
        // Whatever came before it had an owner is news to the new one.
        self.connection_news(index);
        Ok(Some(accepted))
    }

    /// How full a listener's queues are.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn tcp_backlog(&self, handle: ListenerHandle) -> Result<Backlog, Error> {
        self.listener(handle)?;
        self.backlog(handle.index).ok_or(Error::StaleHandle)
    }

    /// Where a listener listens.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn tcp_listener_addr(
        &self,
        handle: ListenerHandle,
    ) -> Result<core::net::SocketAddr, Error> {
        let key = &self.listener(handle)?.key;
        Ok(core::net::SocketAddr::new(
            key.local().into(),
            key.local_port,
        ))
    }

    /// Closes a listener. Connections that nobody has accepted are reset; accepted ones go on.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn tcp_close_listener(&mut self, handle: ListenerHandle) -> Result<(), Error> {
        let key = self.listener(handle)?.key;
        while let Some(accepted) = self.tcp_accept(handle)? {
            self.end_by(accepted.index, CloseReason::ListenerClosed);
            let _ = self.tcp_close(accepted);
        }
        let item = Ref::new(Kind::Listener, handle.index);
        self.forget_news(item);
        let next = self.listener(handle)?.next;
        let first = self.listener_at(&key);
        if first == Some(handle.index) {
            match next.checked_sub(1) {
                Some(next) => {
                    let next = Ref::new(Kind::Listener, next);
                    self.demux.replace(&self.keys, TCP, &key, item, next);
                }
                None => {
                    self.demux.remove(&self.keys, TCP, &key, item);
                }
            }
        } else {
            // Somewhere in the chain of those that share.
            let mut at = first.unwrap_or(u32::MAX);
            while let Some(listener) = self.tables.listeners.get_mut(at) {
                if listener.next == handle.index.wrapping_add(1) {
                    listener.next = next;
                    break;
                }
                match listener.next.checked_sub(1) {
                    Some(following) => at = following,
                    None => break,
                }
            }
        }
        self.tables.listeners.remove(handle.index);
        #[cfg(feature = "alloc")]
        {
            self.tcp.last_listener = None;
        }
        #[cfg(feature = "alloc")]
        self.recount_half_open();
        Ok(())
    }

    /// A connection's handshake is complete: it waits to be accepted, or its opener is told.
    pub(crate) fn established(&mut self, index: u32) {
        let Some(slot) = self.tables.connections.get(index) else {
            cold_path();
            return;
        };
        let Some(listener) = slot.listener().checked_sub(1) else {
            return;
        };
        let item = Ref::new(Kind::Connection, index);
        #[cfg(all(feature = "alloc", target_pointer_width = "64"))]
        if let (Some(slot), Some(entry)) = (
            self.tables.connections.get_mut(index),
            self.tables.listeners.get_mut(listener),
        ) {
            // Mostly both lists are empty.
            let to_tell = Ref::new(Kind::Listener, listener);
            if entry.queue.begin_with(&mut slot.news, item, 0)
                && self.events.begin_with(&mut entry.news, to_tell, 0)
            {
                count!(self, tcp_passive_opens);
                return;
            }
        }
        cold_path();
        self.put(On::accept(listener), item);
        count!(self, tcp_passive_opens);
        self.news(Ref::new(Kind::Listener, listener));
    }

    /// Takes a connection that ended before anybody accepted it out of its listener's queue.
    pub(crate) fn leave_accept_queue(&mut self, index: u32) {
        let Some(slot) = self.tables.connections.get_mut(index) else {
            return;
        };
        let Some(listener) = slot.listener().checked_sub(1) else {
            return;
        };
        slot.set_listener(0);
        #[cfg(feature = "alloc")]
        if let Some(entry) = self.tables.listeners.get_mut(listener) {
            entry.to_accept = entry.to_accept.saturating_sub(1);
        }
        self.take_off(On::accept(listener), Ref::new(Kind::Connection, index));
    }

    #[cfg(feature = "events")]
    pub(crate) fn listener_event(&mut self, index: u32) -> Option<Event> {
        let listener = self.tables.listeners.get(index).filter(|l| l.live)?;
        if self.first(On::accept(index)).is_none() {
            return None;
        }
        Some(Event::Acceptable(ListenerHandle {
            index,
            generation: listener.generation,
        }))
    }
}
