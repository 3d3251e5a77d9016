//! The stack: what it is made of, and the five calls that drive it.

use netloom_driver::{Driver, FrameSink, Instant, RxMeta};
use netloom_wire::Addr;

use crate::address::AddressTable;
use crate::clock::Clock;
use crate::config::{Config, InterfaceConfig};
use crate::counters::{Counters, DropReason, Layer};
use crate::demux::Demux;
use crate::destination::DestinationCache;
use crate::error::Error;
use crate::event::{Event, IfaceId};
use crate::icmp::error_limit::ErrorLimit;
use crate::interface::Interface;
use crate::keys::Keys;
use crate::list::{Kind, List, Ref};
use crate::log::note;
use crate::memory::mem::Mem;
use crate::neighbor::{NeighborCache, NeighborTunables};
use crate::rand::{Rng, Seed};
use crate::recent::Recent;
use crate::route::RouteTable;
use crate::tables::{News, Sending, Tables};
#[cfg(feature = "tcp")]
use crate::tcp::TcpState;
use crate::tunables::Tunables;

/// A TCP/IP stack: interfaces, addresses, routes, connections and sockets, driven by a program
/// that hands it frames and time.
///
/// See the [crate's documentation](crate) for how the calls fit together.
pub struct Stack {
    pub(crate) clock: Clock,
    pub(crate) tunables: Tunables,
    pub(crate) rng: Rng,
    pub(crate) keys: Keys,
    pub(crate) interfaces: Mem<Interface>,
    pub(crate) addresses: AddressTable,
    pub(crate) routes: RouteTable,
    pub(crate) neighbors: NeighborCache,
    pub(crate) neighbor_tunables: NeighborTunables,
    pub(crate) destinations: DestinationCache,
    /// The answers given last, as long as addresses and routes stay as they are.
    pub(crate) recent: Recent,
    pub(crate) tables: Tables,
    pub(crate) demux: Demux,
    /// What owes its user news.
    pub(crate) events: List,
    #[cfg(feature = "tcp")]
    pub(crate) tcp: TcpState,
    #[cfg(feature = "udp")]
    pub(crate) udp: crate::udp::UdpState,
    pub(crate) counters: Counters,
    pub(crate) icmp_limit: ErrorLimit,
    #[cfg(feature = "alloc")]
    pub(crate) loopback: crate::loopback::Loopback,
}

impl core::fmt::Debug for Stack {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Stack")
            .field("now", &self.clock.now)
            .field("addresses", &self.addresses.len())
            .finish_non_exhaustive()
    }
}

/// What a transmit turn did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[must_use = "`blocked` says whether to come back when the device has room"]
pub struct Sent {
    /// Frames the device accepted.
    pub frames: usize,
    /// The device was full before everything was sent: call again when it has room.
    pub blocked: bool,
}

/// The parts a stack is put together from: lent or on the heap.
pub(crate) struct Parts {
    pub(crate) interfaces: Mem<Interface>,
    pub(crate) addresses: AddressTable,
    pub(crate) routes: RouteTable,
    pub(crate) neighbors: NeighborCache,
    pub(crate) destinations: DestinationCache,
    pub(crate) tables: Tables,
    pub(crate) demux: Demux,
    #[cfg(feature = "tcp")]
    pub(crate) tcp: TcpState,
    #[cfg(feature = "udp")]
    pub(crate) udp: crate::udp::UdpState,
    #[cfg(feature = "alloc")]
    pub(crate) loopback: crate::loopback::Loopback,
}

impl Stack {
    /// A stack whose memory is all lent, in one [`Storage`](crate::Storage): nothing else is
    /// ever taken.
    ///
    /// What does not fit the storage of `config` (an address too many) is left out; the
    /// calls that add things one by one say so.
    // Inlined, its temporaries would stay on the stack of a program that never returns.
    #[inline(never)]
    pub fn new<
        const TCP: usize,
        const LISTEN: usize,
        const UDP: usize,
        const RX: usize,
        const TX: usize,
    >(
        config: Config,
        storage: &'static mut crate::Storage<TCP, LISTEN, UDP, RX, TX>,
        seed: Seed,
    ) -> Stack {
        Stack::assemble(config, storage.lend(), &seed)
    }

    /// A stack on the heap: memory is taken as it is needed, within `limits`, and given back.
    #[cfg(feature = "alloc")]
    pub fn with_heap(config: Config, limits: crate::Limits, seed: Seed) -> Stack {
        Stack::assemble(config, crate::storage::heap_parts(&limits), &seed)
    }

    #[inline(never)]
    fn assemble(config: Config, parts: Parts, seed: &Seed) -> Stack {
        let rng = Rng::new(seed);
        let keys = Keys::new(&rng);
        let mut stack = Stack {
            clock: Clock::START,
            tunables: config.tunables,
            rng,
            keys,
            interfaces: parts.interfaces,
            addresses: parts.addresses,
            routes: parts.routes,
            neighbors: parts.neighbors,
            neighbor_tunables: NeighborTunables::DEFAULT,
            destinations: parts.destinations,
            recent: Recent::NONE,
            tables: parts.tables,
            demux: parts.demux,
            events: List::EMPTY,
            #[cfg(feature = "tcp")]
            tcp: parts.tcp,
            #[cfg(feature = "udp")]
            udp: parts.udp,
            counters: Counters::EMPTY,
            icmp_limit: ErrorLimit::EMPTY,
            #[cfg(feature = "alloc")]
            loopback: parts.loopback,
        };
        // Nobody may choose addresses that share a place in a large table.
        #[cfg(feature = "alloc")]
        {
            stack.neighbors.set_hash_key(stack.rng.derive_key(4));
            stack.destinations.set_hash_key(stack.rng.derive_key(5));
        }
        stack.apply_tunables();
        #[cfg(feature = "tcp")]
        {
            let rng = &mut stack.rng;
            stack.tcp.ports.randomize(|| rng.next_u32());
        }
        #[cfg(feature = "udp")]
        {
            let rng = &mut stack.rng;
            stack.udp.ports.randomize(|| rng.next_u32());
        }
        if let Ok(iface) = stack.add_interface(config.interface) {
            for cidr in config.addresses.into_iter().flatten() {
                let _ = stack.add_address(iface, cidr);
            }
            for router in config.gateways.into_iter().flatten() {
                let _ = stack.add_gateway(iface, router);
            }
        }
        #[cfg(feature = "alloc")]
        stack.open_loopback();
        stack
    }

    /// Takes over what the tunables say of parts that keep settings of their own.
    pub(crate) fn apply_tunables(&mut self) {
        let random = self.rng.next_u32();
        self.neighbor_tunables = self.tunables.neighbor(random);
        #[cfg(any(feature = "tcp", feature = "udp"))]
        let range = self.tunables.ip_local_port_first..=self.tunables.ip_local_port_last;
        #[cfg(feature = "tcp")]
        self.tcp.ports.set_range(range.clone());
        #[cfg(feature = "udp")]
        self.udp.ports.set_range(range);
    }

    /// Adds an interface. Its number is the next one.
    ///
    /// # Errors
    /// [`Error::CapacityExhausted`] when there is no room for another;
    /// [`Error::InvalidArgument`] for an MTU below 68 bytes.
    pub fn add_interface(&mut self, config: InterfaceConfig) -> Result<IfaceId, Error> {
        //= https://www.rfc-editor.org/rfc/rfc791#section-3.2
        //# Every internet module must be able to forward a datagram of 68
        //# octets without further fragmentation.
        if config.mtu < 68 {
            return Err(Error::InvalidArgument);
        }
        let index = self
            .interfaces
            .iter()
            .position(|i| !i.in_use)
            .and_then(|i| u8::try_from(i).ok())
            .ok_or(Error::CapacityExhausted)?;
        let interface = self
            .interfaces
            .get_mut(usize::from(index))
            .ok_or(Error::CapacityExhausted)?;
        interface.open(&config);
        #[cfg(all(feature = "ipv6", feature = "ethernet"))]
        if config.link_local {
            self.add_link_local(index);
        }
        Ok(IfaceId(index))
    }

    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn interface(&self, iface: u8) -> Option<&Interface> {
        self.interfaces.get(usize::from(iface)).filter(|i| i.in_use)
    }

    #[inline]
    pub(crate) fn interface_mut(&mut self, iface: u8) -> Option<&mut Interface> {
        self.interfaces
            .get_mut(usize::from(iface))
            .filter(|i| i.in_use)
    }

    /// Tells the stack the time. [`receive`](Stack::receive) and [`transmit`](Stack::transmit)
    /// do so too; call it before a socket call made long after the last of those, so that the
    /// timers the call starts count from now.
    pub fn advance(&mut self, now: Instant) {
        self.clock.advance(now);
    }

    /// Takes in a frame that arrived on an interface at `now`.
    ///
    /// Nothing is sent from here: what the frame calls for is put on lists that
    /// [`transmit`](Stack::transmit) works off. Hand over everything the device has first, so
    /// that acknowledgements are aggregated (RFC 9293 §3.10.7.4, MUST-58 and MUST-59).
    pub fn receive(&mut self, now: Instant, iface: IfaceId, frame: &[u8], meta: &RxMeta) {
        self.clock.advance(now);
        self.input(iface.0, frame, meta);
    }

    /// Hands over every frame a device has; returns how many there were.
    pub fn receive_all(
        &mut self,
        now: Instant,
        iface: IfaceId,
        driver: &mut (impl Driver + ?Sized),
    ) -> usize {
        self.clock.advance(now);
        driver.receive(&mut |frame, meta| self.input(iface.0, frame, meta))
    }

    pub(crate) fn input(&mut self, iface: u8, frame: &[u8], meta: &RxMeta) {
        self.counters.receive(Layer::Link);
        match self.link_input(iface, frame, meta) {
            Ok(()) => self.counters.deliver(Layer::Link),
            Err(reason) => {
                note!(trace, "frame dropped: {}", reason.name());
                self.counters.discard(reason);
            }
        }
    }

    /// Fires what is due at `now` and writes what is owed on an interface into its device.
    ///
    /// Control frames (resolution, resets, SYN-ACKs) go first; then connections and sockets in
    /// turn. Ends when nothing is owed or the device is full. A frame the device refused is as
    /// if never planned: nothing is lost.
    // Apart, so that its memory on the stack is given back before the program sleeps.
    #[inline(never)]
    pub fn transmit(&mut self, now: Instant, iface: IfaceId, sink: &mut dyn FrameSink) -> Sent {
        self.clock.advance(now);
        self.fire_due();
        #[cfg(feature = "alloc")]
        self.run_loopback();
        let mut sent = Sent::default();
        self.transmit_on(iface.0, sink, &mut sent);
        if sent.frames > 0 {
            sink.flush();
        }
        if let Some(interface) = self.interface_mut(iface.0) {
            interface.blocked = sent.blocked;
        }
        sent
    }

    /// [`transmit`](Stack::transmit) into a driver's sink.
    pub fn transmit_to(
        &mut self,
        now: Instant,
        iface: IfaceId,
        driver: &mut (impl Driver + ?Sized),
    ) -> Sent {
        self.transmit(now, iface, driver.sink())
    }

    /// When [`transmit`](Stack::transmit) wants to be called next if nothing arrives before:
    /// `None` if never. In the past when something is owed now, but not because a device was
    /// full: that ends when the device has room, not at a time.
    #[inline(never)]
    pub fn next_deadline(&self) -> Option<Instant> {
        if self
            .interfaces
            .iter()
            .any(|i| i.in_use && !i.blocked && i.has_work())
        {
            return Some(self.clock.now);
        }
        #[cfg(feature = "ethernet")]
        let mut earliest = self.neighbors.next_deadline();
        #[cfg(not(feature = "ethernet"))]
        let mut earliest = None;
        #[cfg(feature = "tcp")]
        {
            earliest = min(earliest, self.tcp.deadlines.next(&self.tables.connections));
            earliest = min(earliest, self.handshake_deadline());
            earliest = min(earliest, self.time_wait_deadline());
        }
        #[cfg(feature = "udp")]
        {
            earliest = min(earliest, self.udp.deadlines.next(&self.tables.udp));
        }
        earliest
    }

    /// Whether a [`transmit`](Stack::transmit) turn on this interface would find something to
    /// send at once: what a program asks after a call that may have caused a frame.
    #[inline]
    pub fn has_work(&self, iface: IfaceId) -> bool {
        self.interface(iface.0).is_some_and(Interface::has_work)
    }

    /// The next thing a user may want to act upon; `None` when all are taken.
    ///
    /// Readiness is a level: many changes of one socket are one event that tells how things
    /// stand now.
    pub fn poll_event(&mut self) -> Option<Event> {
        while let Some(item) = self.events.pop_front(&mut News(&mut self.tables)) {
            let event = match item.kind() {
                #[cfg(feature = "tcp")]
                Some(Kind::Connection) => self.tcp_event(item.index()),
                #[cfg(feature = "tcp")]
                Some(Kind::Listener) => self.listener_event(item.index()),
                #[cfg(feature = "udp")]
                Some(Kind::Udp) => self.udp_event(item.index()),
                Some(_) | None => None,
            };
            if event.is_some() {
                return event;
            }
        }
        None
    }

    /// What happened to every packet so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Bytes of connections' buffers taken from the heap and in use now; 0 on lent memory.
    #[cfg(feature = "tcp")]
    pub fn buffers_in_use(&self) -> usize {
        self.tcp.buffers.in_use()
    }

    /// The tunables.
    pub fn tunables(&self) -> &Tunables {
        &self.tunables
    }

    /// Changes a tunable by its name. Open connections keep the buffer sizes they have.
    ///
    /// # Errors
    /// [`Error::NoSuchTunable`], [`Error::OutOfRange`].
    pub fn set_tunable(&mut self, name: &str, value: u64) -> Result<(), Error> {
        self.tunables.set(name, value)?;
        self.apply_tunables();
        Ok(())
    }

    /// The instant of the last call that had one.
    pub fn now(&self) -> Instant {
        self.clock.now
    }

    /// Fires everything whose time has come.
    fn fire_due(&mut self) {
        #[cfg(feature = "tcp")]
        {
            self.fire_connections();
            self.fire_handshakes();
            self.fire_time_waits();
        }
        #[cfg(feature = "udp")]
        self.fire_udp();
    }

    /// Sends what an interface owes: solicitations, then its lists, then the solicitations that
    /// those called for.
    fn transmit_on(&mut self, iface: u8, sink: &mut dyn FrameSink, sent: &mut Sent) {
        #[cfg(feature = "ethernet")]
        let ethernet = self.interface(iface).is_some_and(|i| i.ethernet);
        #[cfg(feature = "ethernet")]
        if ethernet && !self.fire_neighbors(iface, sink, sent) {
            sent.blocked = true;
            return;
        }
        self.transmit_owed(iface, sink, sent);
        #[cfg(feature = "ethernet")]
        if ethernet && !sent.blocked && !self.fire_neighbors(iface, sink, sent) {
            sent.blocked = true;
        }
    }

    /// Works off an interface's lists.
    pub(crate) fn transmit_owed(&mut self, iface: u8, sink: &mut dyn FrameSink, sent: &mut Sent) {
        let Some(interface) = self.interface(iface) else {
            return;
        };
        let mut caps = sink.caps();
        caps.mtu = caps.mtu.min(interface.mtu);
        loop {
            // Control frames may be added while data is sent: they are asked for each turn.
            if let Some(item) = self.pop_control(iface) {
                if !self.send_control(iface, item, &caps, sink, sent) {
                    self.push_control_front(iface, item);
                    sent.blocked = true;
                    return;
                }
                continue;
            }
            let Some(item) = self.pop_owing(iface) else {
                return;
            };
            match self.take_turn(iface, item, &caps, sink, sent) {
                Turn::Done => {}
                Turn::Again => self.owe(iface, item),
                Turn::Full => {
                    self.owe_first(iface, item);
                    sent.blocked = true;
                    return;
                }
            }
        }
    }

    fn take_turn(
        &mut self,
        iface: u8,
        item: Ref,
        caps: &netloom_driver::TxCaps,
        sink: &mut dyn FrameSink,
        sent: &mut Sent,
    ) -> Turn {
        match item.kind() {
            #[cfg(feature = "tcp")]
            Some(Kind::Connection) => self.connection_turn(iface, item.index(), caps, sink, sent),
            #[cfg(feature = "udp")]
            Some(Kind::Udp) => self.udp_turn(iface, item.index(), caps, sink, sent),
            Some(_) | None => {
                let _ = (iface, caps, sink, sent);
                Turn::Done
            }
        }
    }

    fn pop_control(&mut self, iface: u8) -> Option<Ref> {
        let interface = self.interfaces.get_mut(usize::from(iface))?;
        interface.control.pop_front(&mut Sending(&mut self.tables))
    }

    fn pop_owing(&mut self, iface: u8) -> Option<Ref> {
        let interface = self.interfaces.get_mut(usize::from(iface))?;
        interface.owing.pop_front(&mut Sending(&mut self.tables))
    }

    fn push_control_front(&mut self, iface: u8, item: Ref) {
        if let Some(interface) = self.interfaces.get_mut(usize::from(iface)) {
            interface
                .control
                .push_front(&mut Sending(&mut self.tables), item);
            self.mark(item, On::Control(iface));
        }
    }

    /// Puts an item on its interface's control list.
    pub(crate) fn push_control(&mut self, iface: u8, item: Ref) {
        if let Some(interface) = self.interfaces.get_mut(usize::from(iface)) {
            interface.control.push_back_as(
                &mut Sending(&mut self.tables),
                item,
                On::Control(iface).code(),
            );
        }
    }

    /// Has an item looked at in the interface's next transmit turn.
    #[inline]
    pub(crate) fn owe(&mut self, iface: u8, item: Ref) {
        if let Some(interface) = self.interfaces.get_mut(usize::from(iface)) {
            interface.owing.push_back_as(
                &mut Sending(&mut self.tables),
                item,
                On::Owing(iface).code(),
            );
        }
    }

    fn owe_first(&mut self, iface: u8, item: Ref) {
        if let Some(interface) = self.interfaces.get_mut(usize::from(iface)) {
            interface
                .owing
                .push_front(&mut Sending(&mut self.tables), item);
            self.mark(item, On::Owing(iface));
        }
    }

    /// Has an item's news told, once.
    #[inline]
    pub(crate) fn news(&mut self, item: Ref) {
        self.events.push_back(&mut News(&mut self.tables), item);
    }

    #[inline]
    fn mark(&mut self, item: Ref, on: On) {
        use crate::list::Nodes;
        if let Some(links) = Sending(&mut self.tables).links(item) {
            links.set_list(on.code());
        }
    }

    /// Takes an item off whatever list it waits on to be sent.
    pub(crate) fn unlink(&mut self, item: Ref) {
        use crate::list::Nodes;
        let Some(list) = Sending(&mut self.tables).links(item).map(|l| l.list()) else {
            return;
        };
        let nodes = &mut Sending(&mut self.tables);
        match On::decode(list) {
            On::Nothing => {}
            On::Control(iface) => {
                if let Some(interface) = self.interfaces.get_mut(usize::from(iface)) {
                    interface.control.remove(nodes, item);
                }
            }
            On::Owing(iface) => {
                if let Some(interface) = self.interfaces.get_mut(usize::from(iface)) {
                    interface.owing.remove(nodes, item);
                }
            }
            On::Neighbor(index) => {
                if let Some(neighbor) = self.neighbors.at_mut(index) {
                    neighbor.waiting.remove(nodes, item);
                    neighbor.waiting_count = neighbor.waiting_count.saturating_sub(1);
                }
            }
            #[cfg(feature = "tcp")]
            On::Handshake(level) => {
                if let Some(list) = self.tcp.syn.levels.get_mut(usize::from(level)) {
                    list.remove(nodes, item);
                }
            }
            #[cfg(feature = "tcp")]
            On::TimeWait => {
                self.tcp.time_wait.remove(nodes, item);
            }
        }
    }

    /// Remembers which list an item was put on.
    pub(crate) fn put_on(&mut self, item: Ref, on: On) {
        self.mark(item, on);
    }

    /// Drops a packet this stack made.
    pub(crate) fn drop_output(&mut self, reason: DropReason) {
        self.counters.receive(Layer::Output);
        self.counters.discard(reason);
    }

    /// Whether an address is one of this stack's.
    pub fn is_local(&self, addr: impl Into<Addr>) -> bool {
        self.addresses.is_local(&addr.into())
    }
}

/// How an item's turn to send ended.
pub(crate) enum Turn {
    /// It owes nothing more, or has been put on another list.
    Done,
    /// It may have more: its turn comes again after the others'.
    Again,
    /// The device was full.
    Full,
}

/// Which list an item waits on to be sent: kept in its links, so that it can be taken off from
/// the middle.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    Nothing,
    Control(u8),
    Owing(u8),
    /// The waiting list of the neighbour in this place of the cache.
    Neighbor(u16),
    /// The queue of handshakes whose SYN-ACK was repeated this often.
    #[cfg(feature = "tcp")]
    Handshake(u8),
    #[cfg(feature = "tcp")]
    TimeWait,
}

impl On {
    fn code(self) -> u16 {
        match self {
            On::Nothing => 0,
            On::Control(iface) => 0x100 | u16::from(iface),
            On::Owing(iface) => 0x200 | u16::from(iface),
            On::Neighbor(index) => 0x4000 | index & 0x3fff,
            #[cfg(feature = "tcp")]
            On::Handshake(level) => 0x300 | u16::from(level),
            #[cfg(feature = "tcp")]
            On::TimeWait => 0x400,
        }
    }

    fn decode(code: u16) -> On {
        let low = (code & 0xff) as u8;
        match code & 0x7f00 {
            0x100 => On::Control(low),
            0x200 => On::Owing(low),
            #[cfg(feature = "tcp")]
            0x300 => On::Handshake(low),
            #[cfg(feature = "tcp")]
            0x400 => On::TimeWait,
            other if other & 0x4000 != 0 => On::Neighbor(code & 0x3fff),
            _ => On::Nothing,
        }
    }
}

fn min(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}
