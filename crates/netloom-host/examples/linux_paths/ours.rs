//! Senders of ours on the same link, beside a kernel's.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use netloom_driver::{FrameSink, Full, Instant, RxMeta, TxCaps, TxMeta};
use netloom_sim::Wire;
use netloom_sim::stack::{
    Config, IfaceId, InterfaceConfig, Limits, Seed, Stack, TcpHandle, TcpInfo,
};
use netloom_wire::Cidr;

use crate::emulator::{address, station};

/// Octets of the largest packet.
const MTU: u16 = 1500;
/// The station they are.
const STATION: u8 = 3;

/// A stack whose connections send all they may.
pub(crate) struct Ours {
    stack: Stack,
    flows: Vec<TcpHandle>,
    chunk: Vec<u8>,
    told: Told,
}

/// What the connections say of themselves, ten times a second.
pub(crate) type Told = Arc<Mutex<(Instant, Vec<TcpInfo>)>>;

impl Ours {
    /// So many connections to the receiving kernel.
    pub(crate) fn new(flows: usize, congestion: &str, buffer: u64, told: &Told) -> Ours {
        let mut config = Config::new(InterfaceConfig::ip().mtu(MTU));
        for (name, value) in [
            ("tcp_wmem", buffer.to_string().as_str()),
            ("tcp_congestion_control", congestion),
        ] {
            let set = config.tunables.set_named(name, value);
            set.expect("the tunable exists");
        }
        let mut stack = Stack::with_heap(config, Limits::default(), Seed::from([7; 32]));
        let cidr = Cidr {
            addr: address(STATION).into(),
            prefix: 24,
        };
        stack
            .add_address(IfaceId::FIRST, cidr)
            .expect("there is room for an address");
        let to = SocketAddr::new(address(2), 5001);
        let flows = (0..flows)
            .map(|_| {
                stack
                    .tcp_connect(to)
                    .expect("there is room for connections")
            })
            .collect();
        Ours {
            stack,
            flows,
            chunk: vec![0xa5; 1 << 14],
            told: told.clone(),
        }
    }

    pub(crate) fn address(&self) -> Ipv4Addr {
        station(STATION)
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.stack.next_deadline()
    }

    pub(crate) fn receive(&mut self, now: Instant, frame: &[u8]) {
        self.stack
            .receive(now, IfaceId::FIRST, frame, &RxMeta::default());
    }

    /// Writes what there is room for, and sends what may be sent.
    pub(crate) fn transmit(&mut self, now: Instant, wire: &mut Wire) {
        while self.stack.poll_event().is_some() {}
        for flow in &self.flows {
            while self
                .stack
                .tcp_write(*flow, &self.chunk)
                .is_ok_and(|n| n > 0)
            {}
        }
        let mut onto = Onto { wire, now };
        let sent = self.stack.transmit(now, IfaceId::FIRST, &mut onto);
        debug_assert!(!sent.blocked, "the wire takes everything");
        self.tell(now);
    }
}

impl Ours {
    fn tell(&mut self, now: Instant) {
        let mut told = self.told.lock().expect("nobody panics with it");
        if now.saturating_duration_since(told.0) >= Duration::from_millis(100) {
            let stack = &mut self.stack;
            let infos = self.flows.iter().map(|flow| stack.tcp_info(*flow));
            *told = (now, infos.filter_map(Result::ok).collect());
        }
    }
}

/// The wire as a stack's device.
struct Onto<'a> {
    wire: &'a mut Wire,
    now: Instant,
}

impl FrameSink for Onto<'_> {
    fn caps(&self) -> TxCaps {
        TxCaps::plain(MTU)
    }

    fn frame(
        &mut self,
        len: usize,
        _: &TxMeta,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), Full> {
        let mut frame = vec![0; len];
        fill(&mut frame);
        self.wire.offer(self.now, frame);
        Ok(())
    }
}
