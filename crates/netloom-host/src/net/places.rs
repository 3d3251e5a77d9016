//! What the runtime keeps beside each socket of the stack: who waits for it, and how.

use std::sync::Arc;

use netloom_stack::{EchoHandle, ListenerHandle, TcpHandle, UdpHandle};

use super::descriptor::{Descriptor, Level};
use super::parking::Parking;
use super::poll_set::Armed;

/// A socket of any kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SocketId {
    Tcp(TcpHandle),
    Listener(ListenerHandle),
    Udp(UdpHandle),
    Echo(EchoHandle),
}

impl From<TcpHandle> for SocketId {
    fn from(handle: TcpHandle) -> SocketId {
        SocketId::Tcp(handle)
    }
}

impl From<ListenerHandle> for SocketId {
    fn from(handle: ListenerHandle) -> SocketId {
        SocketId::Listener(handle)
    }
}

impl From<UdpHandle> for SocketId {
    fn from(handle: UdpHandle) -> SocketId {
        SocketId::Udp(handle)
    }
}

impl From<EchoHandle> for SocketId {
    fn from(handle: EchoHandle) -> SocketId {
        SocketId::Echo(handle)
    }
}

/// Who waits for one socket.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// Threads blocked in the socket's own calls.
    pub(super) parking: Arc<Parking>,
    /// What epoll waits on, once somebody has asked for it.
    pub(super) descriptor: Option<Arc<Descriptor>>,
    /// What that was last told to show.
    pub(super) shown: Option<Level>,
    /// Threads that wait for this socket among others.
    pub(super) watchers: Vec<Arc<Parking>>,
    /// The sets that are to tell of it, once each.
    pub(super) armed: Vec<Armed>,
    /// Tasks that wait for it.
    #[cfg(any(feature = "channel", feature = "tokio"))]
    pub(super) tasks: super::tasks::Tasks,
}

/// The places of all sockets, by the number in their handle.
#[derive(Debug, Default)]
pub(super) struct Places {
    tcp: Vec<Option<Place>>,
    listeners: Vec<Option<Place>>,
    udp: Vec<Option<Place>>,
    echo: Vec<Option<Place>>,
}

impl Places {
    fn table(&mut self, socket: SocketId) -> (&mut Vec<Option<Place>>, usize) {
        match socket {
            SocketId::Tcp(handle) => (&mut self.tcp, handle.index()),
            SocketId::Listener(handle) => (&mut self.listeners, handle.index()),
            SocketId::Udp(handle) => (&mut self.udp, handle.index()),
            SocketId::Echo(handle) => (&mut self.echo, handle.index()),
        }
    }

    /// A place for a new socket.
    pub(super) fn insert(&mut self, socket: SocketId) -> Arc<Parking> {
        let (table, index) = self.table(socket);
        if table.len() <= index {
            table.resize_with(index + 1, || None);
        }
        let place = table[index].insert(Place::default());
        Arc::clone(&place.parking)
    }

    pub(super) fn get(&mut self, socket: SocketId) -> Option<&mut Place> {
        let (table, index) = self.table(socket);
        table.get_mut(index)?.as_mut()
    }

    pub(super) fn remove(&mut self, socket: SocketId) -> Option<Place> {
        let (table, index) = self.table(socket);
        let removed = table.get_mut(index)?.take();
        // A burst of connections must not keep its memory for ever.
        while matches!(table.last(), Some(None)) {
            table.pop();
        }
        if table.len() * 4 < table.capacity() {
            table.shrink_to(table.len() * 2);
        }
        removed
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Place> {
        let Places {
            tcp,
            listeners,
            udp,
            echo,
        } = self;
        let all = [tcp, listeners, udp, echo];
        all.into_iter().flat_map(|table| table.iter_mut().flatten())
    }
}
