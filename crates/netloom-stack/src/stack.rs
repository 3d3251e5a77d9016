//! The stack: what it is made of, and the five calls that drive it.

#[cfg(feature = "alloc")]
use core::cell::Cell;

use netloom_driver::{Driver, FrameSink, Instant, RxMeta};
use netloom_wire::Addr;

use crate::address::AddressTable;
use crate::clock::Clock;
use crate::config::{Config, InterfaceConfig};
use crate::counters::{Counters, DropReason, Layer};
use crate::demux::Demux;
#[cfg(feature = "icmp-errors")]
use crate::destination::DestinationCache;
use crate::error::Error;
#[cfg(feature = "events")]
use crate::event::Event;
use crate::event::IfaceId;
#[cfg(feature = "alloc")]
use crate::icmp::ReplyInPlace;
#[cfg(feature = "icmp-errors")]
use crate::icmp::error_limit::ErrorLimit;
use crate::interface::Interface;
use crate::keys::Keys;
#[cfg(feature = "alloc")]
use crate::list::List;
use crate::list::{Kind, Ref};
use crate::log::note;
use crate::memory::mem::Mem;
use crate::neighbor::NeighborCache;
use crate::rand::{Rng, Seed};
use crate::recent::Recent;
use crate::route::RouteTable;
use crate::tables::Tables;
#[cfg(all(
    feature = "alloc",
    feature = "tcp",
    feature = "ipv4",
    feature = "fast-retransmit",
    target_pointer_width = "64"
))]
use crate::tcp::PlainTurn;
#[cfg(all(
    feature = "alloc",
    feature = "gather",
    feature = "tcp",
    target_pointer_width = "64"
))]
use crate::tcp::Taking;
#[cfg(feature = "tcp")]
use crate::tcp::TcpState;
#[cfg(feature = "tunables")]
use crate::tunables::Tunables;
use crate::tunables::{NeighborSettings, Settings};
use crate::waiting::On;

/// A TCP/IP stack: interfaces, addresses, routes, connections and sockets, driven by a program
/// that hands it frames and time.
///
/// See the [crate's documentation](crate) for how the calls fit together.
#[doc(alias = "PortStack")]
#[doc(alias = "L3L4Build")]
pub struct Stack {
    pub(crate) clock: Clock,
    pub(crate) tunables: Settings,
    pub(crate) rng: Rng,
    pub(crate) keys: Keys,
    pub(crate) interfaces: Mem<Interface>,
    pub(crate) addresses: AddressTable,
    pub(crate) routes: RouteTable,
    pub(crate) neighbors: NeighborCache,
    pub(crate) neighbor_tunables: NeighborSettings,
    #[cfg(feature = "icmp-errors")]
    pub(crate) destinations: DestinationCache,
    /// The answers given last, as long as addresses and routes stay as they are.
    pub(crate) recent: Recent,
    pub(crate) tables: Tables,
    pub(crate) demux: Demux,
    /// What owes its user news.
    #[cfg(feature = "alloc")]
    pub(crate) events: List,
    /// Counts what was put on lists: who was put there earlier comes first.
    #[cfg(not(feature = "alloc"))]
    pub(crate) turn: u32,
    /// The answer to the frame that is taken in.
    #[cfg(not(feature = "alloc"))]
    pub(crate) answer: crate::answer::Answer,
    #[cfg(feature = "tcp")]
    pub(crate) tcp: TcpState,
    #[cfg(feature = "udp")]
    pub(crate) udp: crate::udp::UdpState,
    #[cfg(feature = "echo")]
    pub(crate) echo: crate::icmp::EchoState,
    #[cfg(feature = "acd")]
    pub(crate) arp_watches: crate::arp_watch::Watches,
    #[cfg(feature = "flows")]
    pub(crate) flows: crate::flow::FlowBook,
    pub(crate) counters: Counters,
    #[cfg(feature = "icmp-errors")]
    pub(crate) icmp_limit: ErrorLimit,
    #[cfg(feature = "alloc")]
    pub(crate) loopback: crate::loopback::Loopback,
    #[cfg(feature = "inspect")]
    pub(crate) dead: crate::inspect::Dead,
    /// Never take the fast path: what it does is compared with what the layers do.
    #[cfg(test)]
    pub(crate) long_way: bool,
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
    #[cfg(feature = "icmp-errors")]
    pub(crate) destinations: DestinationCache,
    pub(crate) tables: Tables,
    pub(crate) demux: Demux,
    #[cfg(feature = "tcp")]
    pub(crate) tcp: TcpState,
    #[cfg(feature = "udp")]
    pub(crate) udp: crate::udp::UdpState,
    #[cfg(feature = "echo")]
    pub(crate) echo: crate::icmp::EchoState,
    #[cfg(feature = "acd")]
    pub(crate) arp_watches: crate::arp_watch::Watches,
    #[cfg(feature = "flows")]
    pub(crate) flows: crate::flow::FlowBook,
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

    // One caller where there is no heap: the parts are put in their places at once.
    #[cfg_attr(feature = "alloc", inline(never))]
    #[cfg_attr(not(feature = "alloc"), inline(always))]
    pub(crate) fn assemble(config: Config, parts: Parts, seed: &Seed) -> Stack {
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
            neighbor_tunables: NeighborSettings::DEFAULT,
            #[cfg(feature = "icmp-errors")]
            destinations: parts.destinations,
            recent: Recent::NONE,
            tables: parts.tables,
            demux: parts.demux,
            #[cfg(feature = "alloc")]
            events: List::EMPTY,
            #[cfg(not(feature = "alloc"))]
            turn: 0,
            #[cfg(not(feature = "alloc"))]
            answer: crate::answer::Answer::NONE,
            #[cfg(feature = "tcp")]
            tcp: parts.tcp,
            #[cfg(feature = "udp")]
            udp: parts.udp,
            #[cfg(feature = "echo")]
            echo: parts.echo,
            #[cfg(feature = "acd")]
            arp_watches: parts.arp_watches,
            #[cfg(feature = "flows")]
            flows: parts.flows,
            counters: Counters::EMPTY,
            #[cfg(feature = "icmp-errors")]
            icmp_limit: ErrorLimit::EMPTY,
            #[cfg(feature = "alloc")]
            loopback: parts.loopback,
            #[cfg(feature = "inspect")]
            dead: crate::inspect::Dead::NONE,
            #[cfg(test)]
            long_way: false,
        };
        // Nobody may choose addresses that share a place in a large table.
        #[cfg(feature = "alloc")]
        {
            stack.neighbors.set_hash_key(stack.rng.derive_key(4));
            #[cfg(feature = "icmp-errors")]
            stack.destinations.set_hash_key(stack.rng.derive_key(5));
        }
        #[cfg(feature = "tunables")]
        stack.apply_tunables();
        #[cfg(feature = "autotune")]
        if stack.tcp.buffers.lent_rx() > 0 {
            // Lent rings do not grow: their length decides the window scale.
            stack.tunables.tcp.rcv_buf_max = 0;
        }
        #[cfg(feature = "active-open")]
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
            for cidr in config.addresses.iter().flatten() {
                let _ = stack.add_address(iface, *cidr);
            }
            for router in config.gateways.iter().flatten() {
                let _ = stack.add_gateway(iface, *router);
            }
        }
        #[cfg(feature = "alloc")]
        stack.open_loopback();
        stack
    }

    /// Takes over what the tunables say of parts that keep settings of their own.
    #[cfg(feature = "tunables")]
    pub(crate) fn apply_tunables(&mut self) {
        let random = if cfg!(feature = "nud") {
            self.rng.next_u32()
        } else {
            0
        };
        self.neighbor_tunables = self.tunables.neighbor(random);
        #[cfg(any(feature = "tcp", feature = "udp"))]
        let range = self.tunables.ip_local_port_first..=self.tunables.ip_local_port_last;
        #[cfg(feature = "tcp")]
        {
            self.tcp.ports.set_range(range.clone());
            // Waits may be shorter now.
            self.tcp.quiet = crate::clock::Quiet::NONE;
        }
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
    #[doc(alias = "RecvEth")]
    #[doc(alias = "l3_rx")]
    #[cfg(feature = "hold")]
    pub fn receive(&mut self, now: Instant, iface: IfaceId, frame: &[u8], meta: &RxMeta) {
        self.clock.advance(now);
        self.input_whole(iface.0, frame, meta);
    }

    /// Takes in a frame, as [`receive`](Stack::receive) does, in memory that it can be answered in.
    /// Returns the length of the answer that now stands there, to be sent at once; 0 if there is none
    /// there.
    ///
    /// So are echo requests answered, which need no memory then: on lent memory there is little. Where
    /// there is no heap, so is all else that neither a connection nor a socket answers.
    pub fn receive_answering(
        &mut self,
        now: Instant,
        iface: IfaceId,
        frame: &mut [u8],
        meta: &RxMeta,
    ) -> usize {
        self.clock.advance(now);
        #[cfg(feature = "alloc")]
        {
            let echo = Cell::new(None);
            self.input(iface.0, frame, meta, Some(&echo));
            match echo.take() {
                #[cfg(any(feature = "ipv4", feature = "ipv6"))]
                Some(reply) => self.reply_in_place(iface.0, frame, &reply),
                #[cfg(not(any(feature = "ipv4", feature = "ipv6")))]
                Some(_) => 0,
                None => 0,
            }
        }
        #[cfg(not(feature = "alloc"))]
        {
            self.begin_answer(iface.0, frame);
            self.input(iface.0, frame, meta);
            self.finish_answer(iface.0, frame)
        }
    }

    /// Hands over every frame a device has; returns how many there were. Without the feature `hold` the
    /// device must be one that [answers](Driver::receive_answering).
    pub fn receive_all(
        &mut self,
        now: Instant,
        iface: IfaceId,
        driver: &mut (impl Driver + ?Sized),
    ) -> usize {
        self.clock.advance(now);
        let answering = driver
            .receive_answering(&mut |frame, meta| self.receive_answering(now, iface, frame, meta));
        match answering {
            Some(frames) => frames,
            #[cfg(all(
                feature = "alloc",
                feature = "gather",
                feature = "tcp",
                target_pointer_width = "64"
            ))]
            None => driver.receive_into(&mut Taking::new(self, iface)),
            #[cfg(all(
                feature = "hold",
                not(all(
                    feature = "alloc",
                    feature = "gather",
                    feature = "tcp",
                    target_pointer_width = "64"
                ))
            ))]
            None => driver.receive(&mut |frame, meta| self.input_whole(iface.0, frame, meta)),
            #[cfg(not(feature = "hold"))]
            None => 0,
        }
    }

    /// Takes in a frame that cannot be answered in its own memory.
    #[cfg(feature = "hold")]
    #[inline]
    fn input_whole(&mut self, iface: u8, frame: &[u8], meta: &RxMeta) {
        self.input(
            iface,
            frame,
            meta,
            #[cfg(feature = "alloc")]
            None,
        );
    }

    /// Takes in a frame. `echo` is given where it can be answered in its own memory.
    pub(crate) fn input(
        &mut self,
        iface: u8,
        frame: &[u8],
        meta: &RxMeta,
        #[cfg(feature = "alloc")] echo: Option<&Cell<Option<ReplyInPlace>>>,
    ) {
        #[cfg(feature = "flows")]
        self.share_budget();
        self.counters.receive(Layer::Link);
        let result = self.link_input(
            iface,
            frame,
            meta,
            #[cfg(feature = "alloc")]
            echo,
        );
        match result {
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
    #[doc(alias = "HandleEth")]
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
    #[doc(alias = "l4_poll")]
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.has_any_work() {
            return Some(self.clock.now);
        }
        let mut earliest = Instant::FAR_FUTURE;
        #[cfg(feature = "ethernet")]
        if let Some(due) = self.neighbors.next_deadline() {
            earliest = due;
        }
        #[cfg(feature = "tcp")]
        {
            earliest = earliest.min(self.tcp.deadlines.next(&self.tables.connections));
            earliest = earliest.min(self.entry_deadline());
        }
        #[cfg(feature = "udp")]
        {
            earliest = earliest.min(self.udp.deadlines.next(&self.tables.udp));
        }
        #[cfg(feature = "flows")]
        {
            earliest = earliest.min(self.flows.deadlines.next(&self.tables.flows));
        }
        (earliest < Instant::FAR_FUTURE).then_some(earliest)
    }

    /// Whether a [`transmit`](Stack::transmit) turn on this interface would find something to
    /// send at once: what a program asks after a call that may have caused a frame.
    #[inline]
    pub fn has_work(&self, iface: IfaceId) -> bool {
        let waits = |on| self.first(on).is_some();
        self.interface(iface.0).is_some()
            && (waits(On::control(iface.0)) || waits(On::owing(iface.0)))
    }

    /// Whether a [`transmit`](Stack::transmit) turn on any interface would find something to send
    /// at once, the loopback interface included, which every turn drains.
    pub fn has_any_work(&self) -> bool {
        (0..)
            .zip(self.interfaces.iter())
            .any(|(iface, interface)| !interface.blocked && self.has_work(IfaceId(iface)))
    }

    /// The next thing a user may want to act upon; `None` when all are taken.
    ///
    /// Readiness is a level: many changes of one socket are one event that tells how things
    /// stand now.
    #[cfg(feature = "events")]
    pub fn poll_event(&mut self) -> Option<Event> {
        #[cfg(feature = "flows")]
        if let Some(event) = self.flow_event() {
            return Some(event);
        }
        #[cfg(all(
            feature = "alloc",
            feature = "tcp",
            feature = "ipv4",
            feature = "fast-retransmit",
            target_pointer_width = "64"
        ))]
        if let Some(event) = self.plain_event() {
            return Some(event);
        }
        while let Some(item) = self.take_first(On::EVENTS) {
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
        #[cfg(feature = "acd")]
        if let Some(event) = self.claim_event() {
            return Some(event);
        }
        #[cfg(feature = "echo")]
        return self.echo_event();
        #[cfg(not(feature = "echo"))]
        None
    }

    /// What happened to every packet so far.
    #[cfg(feature = "counters")]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Bytes of connections' buffers taken from the heap and in use now; 0 on lent memory.
    #[cfg(feature = "tcp")]
    pub fn buffers_in_use(&self) -> usize {
        self.tcp.buffers.in_use()
    }

    /// The tunables.
    #[cfg(feature = "tunables")]
    pub fn tunables(&self) -> &Tunables {
        &self.tunables
    }

    /// Changes a tunable by its name. Open connections keep the buffer sizes they have.
    ///
    /// # Errors
    /// [`Error::NoSuchTunable`], [`Error::OutOfRange`].
    #[cfg(feature = "tunables")]
    pub fn set_tunable(&mut self, name: &str, value: u64) -> Result<(), Error> {
        self.tunables.set(name, value)?;
        self.apply_tunables();
        Ok(())
    }

    /// 32 random bits, from the stack's seed: for the protocols above it, which need what others
    /// cannot guess (transaction ids, jitter) and have no other source.
    pub fn random_u32(&mut self) -> u32 {
        self.rng.next_u32()
    }

    /// The same with a text: a number, or a name as `tcp_congestion_control` takes it.
    ///
    /// # Errors
    /// [`Error::NoSuchTunable`], [`Error::OutOfRange`]; for `tcp_congestion_control`
    /// [`Error::NoSuchCongestionControl`], whose text names those there are.
    #[cfg(feature = "tunables")]
    pub fn set_tunable_named(&mut self, name: &str, text: &str) -> Result<(), Error> {
        self.tunables.set_named(name, text)?;
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
            self.fire_entries();
        }
        #[cfg(feature = "udp")]
        self.fire_udp();
        #[cfg(feature = "flows")]
        self.fire_flows();
    }

    /// Sends what an interface owes: solicitations, then its lists, then the solicitations that
    /// those called for.
    fn transmit_on(&mut self, iface: u8, sink: &mut dyn FrameSink, sent: &mut Sent) {
        // An interface without neighbours has none that are to be asked for: small machines look.
        #[cfg(feature = "ethernet")]
        let ethernet =
            !cfg!(target_pointer_width = "64") || self.interface(iface).is_some_and(|i| i.ethernet);
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
            #[cfg(all(
                feature = "alloc",
                feature = "tcp",
                feature = "ipv4",
                feature = "fast-retransmit",
                target_pointer_width = "64"
            ))]
            match self.plain_turn(iface, &caps, sink, sent) {
                PlainTurn::Done => continue,
                PlainTurn::Idle => return,
                PlainTurn::Full => {
                    sent.blocked = true;
                    return;
                }
                PlainTurn::Again => {
                    if let Some((_, item)) = self.take_next(iface) {
                        self.owe(iface, item);
                    }
                    continue;
                }
                PlainTurn::Other => {}
            }
            // Control frames may be added while data is sent: they are asked for each turn.
            let Some((on, item)) = self.take_next(iface) else {
                return;
            };
            if on == On::control(iface) {
                if !self.send_control(iface, item, &caps, sink, sent) {
                    self.put_first(on, item);
                    sent.blocked = true;
                    return;
                }
                continue;
            }
            match self.take_turn(iface, item, &caps, sink, sent) {
                Turn::Done => {}
                Turn::Again => self.owe(iface, item),
                Turn::Full => {
                    self.put_first(on, item);
                    sent.blocked = true;
                    return;
                }
            }
        }
    }

    // Apart on 64 bits: what plain segments do is fast with registers of its own.
    #[cfg_attr(target_pointer_width = "64", inline(never))]
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
#[derive(Clone, Copy)]
pub(crate) enum Turn {
    /// It owes nothing more, or has been put on another list.
    Done,
    /// It may have more: its turn comes again after the others'.
    Again,
    /// The device was full.
    Full,
}
