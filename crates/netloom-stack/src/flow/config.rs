//! What is decided before flows are taken.

use core::time::Duration;

use crate::config::Config;
#[cfg(feature = "alloc")]
use crate::config::Limits;
use crate::tunables::Tunables;

/// When flows end that nobody uses. Whole milliseconds count; zero: never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowTimeouts {
    /// A TCP flow on which neither side has sent anything. 2 hours.
    pub tcp_idle: Duration,
    /// A TCP flow that is closed in one direction and silent. 2 hours.
    pub half_closed: Duration,
    /// A UDP flow without datagrams either way. 300 seconds (RFC 4787 §4.3 asks for 120 at least).
    pub udp_idle: Duration,
    /// An echo flow without messages either way. 60 seconds (RFC 5508 §3.2).
    pub echo_idle: Duration,
    /// A handshake that its peer does not complete. 15 seconds.
    pub syn: Duration,
    /// A flow that is held and not decided upon: it is refused. 30 seconds.
    pub hold: Duration,
}

impl FlowTimeouts {
    /// The defaults, as each field's documentation has them.
    pub const DEFAULT: FlowTimeouts = FlowTimeouts {
        tcp_idle: Duration::from_secs(7200),
        half_closed: Duration::from_secs(7200),
        udp_idle: Duration::from_secs(300),
        echo_idle: Duration::from_secs(60),
        syn: Duration::from_secs(15),
        hold: Duration::from_secs(30),
    };
}

impl Default for FlowTimeouts {
    fn default() -> FlowTimeouts {
        FlowTimeouts::DEFAULT
    }
}

/// How flows are taken.
#[derive(Debug, Clone)]
pub struct FlowConfig {
    /// The largest IP packet sent, in bytes. 1500 at first.
    pub mtu: u16,
    /// Flows of each protocol that may be open at once, on the heap. A million at first; the
    /// budget bounds them too.
    pub flows: u32,
    /// Bytes that all flows together may take: a heap's only, lent memory is what it is. 256 MiB
    /// at first. How it is shared is said [there](crate::flow#bounds).
    pub memory_budget: usize,
    /// When flows end that nobody uses.
    pub timeouts: FlowTimeouts,
    /// The tunables of the stack: `tcp_rmem` is what a flow's window promises, `tcp_wmem` what may
    /// be queued on it. At first the Nagle algorithm is off: what is passed on was
    /// coalesced where it was written.
    pub tunables: Tunables,
}

impl Default for FlowConfig {
    fn default() -> FlowConfig {
        let mut tunables = Tunables::default();
        tunables.tcp.nagle = false;
        FlowConfig {
            mtu: 1500,
            flows: 1 << 20,
            memory_budget: 256 << 20,
            timeouts: FlowTimeouts::DEFAULT,
            tunables,
        }
    }
}

impl FlowConfig {
    /// Sets [`FlowConfig::memory_budget`].
    #[must_use]
    pub fn memory_budget(mut self, bytes: usize) -> FlowConfig {
        self.memory_budget = bytes;
        self
    }

    /// Sets [`FlowConfig::mtu`].
    #[must_use]
    pub fn mtu(mut self, mtu: u16) -> FlowConfig {
        self.mtu = mtu;
        self
    }

    /// Sets [`FlowConfig::flows`].
    #[must_use]
    pub fn flows(mut self, flows: u32) -> FlowConfig {
        self.flows = flows;
        self
    }

    /// Sets [`FlowConfig::timeouts`].
    #[must_use]
    pub fn timeouts(mut self, timeouts: FlowTimeouts) -> FlowConfig {
        self.timeouts = timeouts;
        self
    }

    /// Sets [`FlowConfig::tunables`].
    #[must_use]
    pub fn tunables(mut self, tunables: Tunables) -> FlowConfig {
        self.tunables = tunables;
        self
    }

    /// The stack under the flows.
    pub(crate) fn stack(&self) -> Config {
        let mut config = Config::ip().mtu(self.mtu);
        config.tunables = self.tunables.clone();
        config
    }

    /// What the stack may take: the tables' limits, within the budget that is kept beside them.
    #[cfg(feature = "alloc")]
    pub fn limits(&self) -> Limits {
        Limits {
            connections: self.flows,
            half_open: self.flows.min(1 << 16),
            time_wait: self.flows.min(1 << 16),
            listeners: 16,
            udp: self.flows,
            echo: 0,
            interfaces: 1,
            addresses: 16,
            routes: 16,
            neighbors: 1,
            destinations: 1024,
            buffers: self.memory_budget,
            packets: (self.memory_budget / 16).clamp(1 << 14, 1 << 22),
            loopback: 0,
        }
    }
}

/// Whole milliseconds, as far as the millisecond clock reaches.
pub(super) fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).map_or(u32::MAX >> 1, |ms| ms.min(u32::MAX >> 1))
}
