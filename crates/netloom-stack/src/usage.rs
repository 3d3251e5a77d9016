//! How much of the stack's memory is in use: what a leak would show in.

use crate::stack::Stack;

/// Everything the stack holds now. A stack that has nothing to do holds what it held when it was
/// new, but for the neighbours and paths it has learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Usage {
    /// Connections: open, finishing without an owner, or ended and still held by the program.
    pub connections: u32,
    /// Connections in SYN-RECEIVED.
    pub half_open: u32,
    /// Connections in TIME-WAIT.
    pub time_wait: u32,
    /// Connections that finish without an owner.
    pub orphans: u32,
    /// TCP listeners.
    pub listeners: u32,
    /// UDP sockets.
    pub udp: u32,
    /// Packets kept to be sent: answers without a connection, and what waits for a neighbour.
    pub packets: u32,
    /// Timers of connections and UDP sockets that run.
    pub timers: u32,
    /// Bytes of connections' buffers, on the heap.
    pub buffers: usize,
}

impl Stack {
    /// What the stack holds now. Looks at every connection and UDP socket.
    pub fn usage(&self) -> Usage {
        let mut usage = Usage {
            #[cfg(feature = "hold")]
            packets: self.tables.packets.len(),
            ..Usage::default()
        };
        #[cfg(feature = "tcp")]
        {
            let connections = &self.tables.connections;
            usage.connections = connections.len();
            usage.half_open = self.tables.half_open.len();
            usage.time_wait = self.tables.time_wait.len();
            usage.orphans = self.tcp.orphans;
            usage.listeners = self.tables.listeners.len();
            usage.buffers = self.buffers_in_use();
            let running = (0..connections.high_water())
                .filter_map(|index| connections.get(index)?.deadline())
                .count();
            usage.timers = u32::try_from(running).unwrap_or(u32::MAX);
        }
        #[cfg(feature = "udp")]
        {
            let sockets = &self.tables.udp;
            usage.udp = sockets.len();
            let running = (0..sockets.high_water())
                .filter(|&index| {
                    sockets
                        .get(index)
                        .is_some_and(|slot| slot.live && slot.wake_at.is_some())
                })
                .count();
            let running = u32::try_from(running).unwrap_or(u32::MAX);
            usage.timers = usage.timers.saturating_add(running);
        }
        usage
    }
}
