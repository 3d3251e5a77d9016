//! Buffers that grow to what the path needs.
//!
//! A receive buffer grows with what its user reads in a round trip, which the connection measures;
//! a send buffer with the congestion window, of which it holds twice as much, as long as round
//! trips do not grow with it. What a program has set stays as it is, and the buffers of flows are
//! bounded by their credit. When memory is short nothing grows, and what has grown goes back to
//! what it began with after the next round trip or write; a window that was promised stays
//! promised.

use crate::stack::Stack;
use crate::tcp::buffers::Buffers;
use crate::tcp::slot::TcpSlot;
use crate::tunables::Tunables;

impl Stack {
    /// What the user of a connection reads in a round trip was measured.
    #[cold]
    pub(crate) fn round_over(&mut self, index: u32) {
        let short = self.tcp.buffers.under_pressure();
        let env = self.clock.env(&self.tunables.tcp, 0);
        let Some(slot) = self.tables.connections.get_mut(index) else {
            return;
        };
        let tuned = self.tunables.tcp_moderate_rcvbuf && !slot.buffers.rx_is_set && !slot.is_flow();
        let at_first = self.tunables.tcp_rmem;
        let most = if short {
            at_first
        } else {
            at_first.max(self.tunables.tcp.rcv_buf_max)
        };
        slot.conn.tune_rcv_buf(&env, tuned.then_some(most));
    }
}

impl TcpSlot {
    /// Whether the connection is a flow's.
    pub(crate) fn is_flow(&self) -> bool {
        #[cfg(feature = "flows")]
        return self.flow() != 0;
        #[cfg(not(feature = "flows"))]
        false
    }
}

impl Buffers {
    /// More is to be written than there is room for: `wanted` is what the path can make use of,
    /// `short` whether memory is.
    #[cold]
    pub(crate) fn tune_tx(&mut self, wanted: u32, short: bool, tunables: &Tunables) {
        if self.tx_is_set {
            return;
        }
        if short {
            self.tx_limit = self.tx_limit.min(wanted.max(tunables.tcp_wmem_min));
        } else {
            self.tx_limit = self.tx_limit.max(wanted.min(tunables.tcp_wmem_max));
        }
    }
}
