//! A host: a stack, its interfaces, and the programs that wait for it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::task::Waker;
use std::time::Duration;

use netloom_driver::{Driver, FrameSink, Full, Instant, RxMeta, TxCaps, TxMeta};
use netloom_stack::{
    Config, Event, IfaceId, InterfaceConfig, Limits, ListenerHandle, Seed, Stack, Storage,
    TcpHandle, Tunables, UdpHandle,
};
use netloom_wire::{Cidr, MacAddr};

use crate::context::HostId;
use crate::link::Medium;
use crate::units::micros;

/// How a host is made: its memory, its tunables, its clock.
#[derive(Clone)]
pub struct HostSetup {
    build: Build,
    tunables: Tunables,
    clock_ahead: Duration,
}

#[derive(Clone)]
enum Build {
    Heap(Limits),
    Lent(fn(Config, Seed) -> Stack),
}

impl std::fmt::Debug for HostSetup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let memory = match self.build {
            Build::Heap(_) => "heap",
            Build::Lent(_) => "lent",
        };
        f.debug_struct("HostSetup")
            .field("memory", &memory)
            .field("clock_ahead", &self.clock_ahead)
            .finish_non_exhaustive()
    }
}

impl HostSetup {
    /// A stack on the heap with the default limits.
    pub fn heap() -> HostSetup {
        HostSetup::heap_with(Limits::default())
    }

    /// A stack on the heap.
    pub fn heap_with(limits: Limits) -> HostSetup {
        HostSetup {
            build: Build::Heap(limits),
            tunables: Tunables::default(),
            clock_ahead: Duration::ZERO,
        }
    }

    /// A stack as firmware has it, all its memory in one [`Storage`]. The storage is never given
    /// back: a `&'static mut` cannot be taken from a stack.
    pub fn lent<
        const TCP: usize,
        const LISTEN: usize,
        const UDP: usize,
        const RX: usize,
        const TX: usize,
    >() -> HostSetup {
        HostSetup {
            build: Build::Lent(|config, seed| {
                let storage = Box::leak(Box::new(Storage::<TCP, LISTEN, UDP, RX, TX>::new()));
                Stack::new(config, storage, seed)
            }),
            tunables: Tunables::default(),
            clock_ahead: Duration::ZERO,
        }
    }

    /// The host's tunables.
    #[must_use]
    pub fn tunables(mut self, tunables: Tunables) -> HostSetup {
        self.tunables = tunables;
        self
    }

    /// Changes some of the host's tunables.
    #[must_use]
    pub fn tune(mut self, change: impl FnOnce(&mut Tunables)) -> HostSetup {
        change(&mut self.tunables);
        self
    }

    /// How far the host's own clock is ahead of the world's. Nothing on the wire may depend on
    /// it but ISNs and timestamps, whose clock it is: a test can have them start where it likes.
    #[must_use]
    pub fn clock_ahead(mut self, ahead: Duration) -> HostSetup {
        self.clock_ahead = ahead;
        self
    }
}

impl Default for HostSetup {
    fn default() -> HostSetup {
        HostSetup::heap()
    }
}

/// Who waits for a socket.
#[derive(Default)]
pub(crate) struct Waiters(Vec<Waker>);

impl Waiters {
    pub(crate) fn add(&mut self, waker: &Waker) {
        if !self.0.iter().any(|known| known.will_wake(waker)) {
            self.0.push(waker.clone());
        }
    }

    fn wake(&mut self) {
        self.0.drain(..).for_each(Waker::wake);
    }
}

pub(crate) struct Host {
    pub(crate) id: HostId,
    setup: HostSetup,
    seed: [u8; 32],
    stack: Option<Stack>,
    /// Each interface and the channel it sends into.
    pub(crate) ports: Vec<(IfaceId, usize)>,
    pub(crate) addresses: Vec<Cidr>,
    /// Something happened that the stack may want to answer.
    pub(crate) dirty: bool,
    /// The device of a port was full.
    pub(crate) blocked: bool,
    clock_ahead: u64,
    pub(crate) tcp: HashMap<TcpHandle, Waiters>,
    pub(crate) listeners: HashMap<ListenerHandle, Waiters>,
    pub(crate) udp: HashMap<UdpHandle, Waiters>,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host")
            .field("id", &self.id)
            .field("addresses", &self.addresses)
            .field("setup", &self.setup)
            .finish_non_exhaustive()
    }
}

impl Host {
    pub(crate) fn new(id: HostId, setup: HostSetup, seed: [u8; 32]) -> Host {
        Host {
            id,
            clock_ahead: micros(setup.clock_ahead),
            setup,
            seed,
            stack: None,
            ports: Vec::new(),
            addresses: Vec::new(),
            dirty: true,
            blocked: false,
            tcp: HashMap::new(),
            listeners: HashMap::new(),
            udp: HashMap::new(),
        }
    }

    pub(crate) fn mac(&self, port: usize) -> [u8; 6] {
        let [high, low] = (self.id.0 as u16 + 1).to_be_bytes();
        [0x02, 0, 0, port as u8, high, low]
    }

    /// Adds an interface with its addresses; the first one brings the stack to life.
    pub(crate) fn attach(&mut self, medium: Medium, mtu: u16, channel: usize, cidrs: &[Cidr]) {
        let port = self.ports.len();
        let interface = match medium {
            Medium::Ethernet => InterfaceConfig::ethernet(MacAddr(self.mac(port))),
            Medium::Ip => InterfaceConfig::ip(),
        }
        .mtu(mtu);
        let iface = match &mut self.stack {
            Some(stack) => stack
                .add_interface(interface)
                .expect("the host has room for the interface"),
            None => {
                let mut config = Config::new(interface);
                config.tunables = self.setup.tunables.clone();
                let seed = Seed::from(self.seed);
                self.stack = Some(match self.setup.build {
                    Build::Heap(limits) => Stack::with_heap(config, limits, seed),
                    Build::Lent(build) => build(config, seed),
                });
                IfaceId::FIRST
            }
        };
        self.ports.push((iface, channel));
        for cidr in cidrs {
            self.stack()
                .add_address(iface, *cidr)
                .expect("the host has room for the address");
            self.addresses.push(*cidr);
        }
    }

    pub(crate) fn stack_ref(&self) -> &Stack {
        self.stack.as_ref().expect("the host is on a link")
    }

    pub(crate) fn stack(&mut self) -> &mut Stack {
        self.stack.as_mut().expect("the host is on a link")
    }

    pub(crate) fn is_attached(&self) -> bool {
        self.stack.is_some()
    }

    /// The host's own time.
    pub(crate) fn clock(&self, now: Instant) -> Instant {
        now.plus_micros(self.clock_ahead)
    }

    /// The stack, told the time, to be used by a program.
    pub(crate) fn use_stack(&mut self, now: Instant) -> &mut Stack {
        self.dirty = true;
        let clock = self.clock(now);
        let stack = self.stack();
        stack.receive_all(clock, IfaceId::FIRST, &mut Silent);
        stack
    }

    /// When the stack wants to be asked next, in the world's time.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let deadline = self.stack.as_ref()?.next_deadline()?;
        Some(deadline.minus_micros(self.clock_ahead))
    }

    pub(crate) fn address(&self, v6: bool) -> Option<IpAddr> {
        self.addresses
            .iter()
            .find(|cidr| cidr.addr.is_v4() != v6)
            .map(|cidr| cidr.addr.into())
    }

    /// Wakes whoever the stack's news concerns; says whether there was any.
    pub(crate) fn deliver_news(&mut self) -> bool {
        let Some(stack) = &mut self.stack else {
            return false;
        };
        let mut any = false;
        while let Some(event) = stack.poll_event() {
            any = true;
            let waiters = match event {
                Event::Tcp(handle, _) => self.tcp.get_mut(&handle),
                Event::Acceptable(handle) => self.listeners.get_mut(&handle),
                Event::Udp(handle, _) => self.udp.get_mut(&handle),
                _ => None,
            };
            if let Some(waiters) = waiters {
                waiters.wake();
            }
        }
        any
    }
}

/// A device that never says anything, to tell a stack the time.
struct Silent;

impl FrameSink for Silent {
    fn caps(&self) -> TxCaps {
        TxCaps::plain(0)
    }
    fn frame(&mut self, _: usize, _: &TxMeta, _: &mut dyn FnMut(&mut [u8])) -> Result<(), Full> {
        Err(Full)
    }
}

impl Driver for Silent {
    fn receive(&mut self, _: &mut dyn FnMut(&[u8], &RxMeta)) -> usize {
        0
    }
    fn sink(&mut self) -> &mut dyn FrameSink {
        self
    }
}
