//! What the runtime's lock guards: the stack, its device, and who waits for what.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::Instant;

use netloom_driver::Instant as StackInstant;
use netloom_stack::wire::{Addr, MacAddr};
use netloom_stack::{Error as StackError, Event, IfaceId, Readiness, Stack, TcpHandle};

use super::budget::Budget;
use super::clock::Clock;
use super::descriptor::{Descriptor, Level};
use super::error::{Error, Reason};
use super::parking::{Parking, Side, thread_number};
use super::places::{Places, SocketId};
use super::poll_set::Armed;
use super::poller::{Holder, Poller, Polling};
use super::services::Services;
use super::wakes::Wakes;
use crate::device::{BATCH, Counters, Device, Eagerness, Interest};

/// The device's interface in the stack.
pub(super) const IFACE: IfaceId = IfaceId::FIRST;

/// Transmit turns of one [`Engine::transmit`] at most: one answers what the last one's loopback
/// traffic called for.
const TURNS: usize = 8;

/// Frames sent in one go by a call that made something due, and by who polls the device. The lock
/// is held meanwhile; what is left over is sent by who polls the device, after others had the lock.
const CALL_FRAMES: usize = 64;
const POLL_FRAMES: usize = 256;

/// Calls whose frames leave together at most.
const HOLDS: usize = 8;

/// Batches of received frames in one turn at most, so that timers and other threads get their turn
/// on a flooded device.
const BATCHES: usize = 4;

/// A writer is woken when this part of the send queue is free (a third, as in Linux): it would
/// otherwise be woken for every acknowledgment, to write a few bytes.
const WRITER_SHARE: usize = 3;

/// The stack, its device, and who waits for what.
pub(super) struct Engine {
    pub(super) stack: Stack,
    pub(super) clock: Clock,
    pub(super) poller: Poller,
    /// Whether who polls the device looks at it once more before he sleeps.
    pub(super) eagerness: Eagerness,
    pub(super) services: Services,
    device: Box<dyn Device>,
    places: Places,
    wakes: Wakes,
    /// Counts the orders to descriptors, so that the latest counts.
    serial: u64,
    /// The last transmission was cut short, by its budget rather than by the device.
    more_to_send: bool,
    /// The thread whose calls' frames wait for each other, see [`Engine::hold`]; 0: nobody's.
    held_by: u64,
    /// How often in a row they did.
    holds: usize,
    /// Where the threads of sets of sockets wait.
    sets: Vec<Weak<Parking>>,
    /// Flows that wait to be taken or to open.
    #[cfg(feature = "tokio")]
    pub(super) desk: super::tokio::Desk,
    /// Connections that wait to be claimed.
    #[cfg(feature = "channel")]
    pub(super) rooms: super::channel::Rooms,
    /// Connections with room in their send queues for which there was no memory, and how much was in
    /// use then: they are told when some was given back.
    hungry: Vec<TcpHandle>,
    hungry_at: usize,
    /// The last turn found something at the device.
    received: bool,
    /// Something about the device's interface has changed.
    changed: bool,
    /// The device has failed for good, and the stack knows.
    lost: bool,
    /// The last handle is gone: the driver ends once everything is delivered, by this time.
    closing: Option<Instant>,
    /// Nobody drives the device any more.
    ended: bool,
}

/// What who polls the device is to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Another turn at once: more is waiting.
    Again,
    /// Wait for the device, a wake, or this time.
    Wait {
        interest: Interest,
        until: Option<StackInstant>,
    },
    /// Nothing is left to drive.
    End,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("device", &self.device.name())
            .field("stack", &self.stack)
            .finish_non_exhaustive()
    }
}

impl Engine {
    pub(super) fn new(
        stack: Stack,
        device: Box<dyn Device>,
        clock: Clock,
        polling: Polling,
    ) -> Engine {
        let mut engine = Engine {
            stack,
            clock,
            poller: Poller::new(polling),
            eagerness: Eagerness::new(),
            services: Services::default(),
            device,
            places: Places::default(),
            wakes: Wakes::default(),
            serial: 0,
            more_to_send: false,
            held_by: 0,
            holds: 0,
            sets: Vec::new(),
            #[cfg(feature = "tokio")]
            desk: super::tokio::Desk::default(),
            #[cfg(feature = "channel")]
            rooms: super::channel::Rooms::default(),
            hungry: Vec::new(),
            hungry_at: 0,
            received: false,
            changed: false,
            lost: false,
            closing: None,
            ended: false,
        };
        engine.set_device_groups();
        engine
    }

    /// Where the threads of a new socket wait.
    pub(super) fn add(&mut self, socket: impl Into<SocketId>) -> Arc<Parking> {
        self.places.insert(socket.into())
    }

    /// Has a task woken with the next news of one side of a socket.
    #[cfg(any(feature = "channel", feature = "tokio"))]
    pub(super) fn watch_task(&mut self, socket: SocketId, side: Side, task: &std::task::Waker) {
        let now = self.stack.now();
        if let Some(place) = self.places.get(socket) {
            place.tasks.add(side, task, now, &mut self.wakes.tasks);
        }
    }

    /// When something is to be done without anything from outside.
    pub(super) fn next_deadline(&self) -> Option<StackInstant> {
        let due = self.stack.next_deadline();
        #[cfg(feature = "channel")]
        let due = due.into_iter().chain(self.rooms.next_due()).min();
        due
    }

    /// Gives a socket back to the stack, which finishes a connection.
    pub(super) fn close(&mut self, socket: SocketId) {
        // A waker may be the last that holds a task, and with it sockets: none is dropped while the
        // lock is held.
        #[cfg_attr(
            not(any(feature = "channel", feature = "tokio")),
            expect(unused_variables, unused_mut)
        )]
        if let Some(mut place) = self.places.remove(socket) {
            #[cfg(any(feature = "channel", feature = "tokio"))]
            place.tasks.wake(true, true, &mut self.wakes.tasks);
        }
        #[cfg(feature = "channel")]
        if let SocketId::Listener(listener) = socket {
            self.rooms.close(listener, &mut self.stack);
        }
        if let SocketId::Tcp(handle) = socket {
            self.hungry.retain(|known| *known != handle);
        }
        // The handle was its owner's alone, so it is not stale.
        let _ = match socket {
            SocketId::Tcp(handle) => self.stack.tcp_close(handle),
            SocketId::Listener(handle) => self.stack.tcp_close_listener(handle),
            SocketId::Udp(handle) => self.stack.udp_close(handle),
            SocketId::Echo(handle) => self.stack.echo_close(handle),
        };
    }

    /// The descriptor that shows a socket's readiness, made by `make` if there is none.
    pub(super) fn descriptor(
        &mut self,
        socket: SocketId,
        make: impl FnOnce() -> io::Result<Descriptor>,
    ) -> io::Result<Option<Arc<Descriptor>>> {
        let Some(place) = self.places.get(socket) else {
            return Ok(None);
        };
        let descriptor = match &place.descriptor {
            Some(descriptor) => Arc::clone(descriptor),
            None => {
                let descriptor = Arc::new(make()?);
                place.descriptor = Some(Arc::clone(&descriptor));
                descriptor
            }
        };
        self.refresh(socket);
        Ok(Some(descriptor))
    }

    /// Has `watcher` woken with every news of a socket; or no longer.
    pub(super) fn watch(&mut self, socket: SocketId, watcher: &Arc<Parking>, on: bool) {
        let Some(place) = self.places.get(socket) else {
            return;
        };
        if on {
            place.watchers.push(Arc::clone(watcher));
        } else {
            place.watchers.retain(|known| !Arc::ptr_eq(known, watcher));
        }
    }

    /// Has those who wait in a set learn when nobody drives the device any more.
    pub(super) fn add_set(&mut self, parking: &Arc<Parking>) {
        self.sets.retain(|set| set.strong_count() > 0);
        self.sets.push(Arc::downgrade(parking));
    }

    /// Has a set tell of a socket once it is ready for what it is armed for: at once, if it is.
    pub(super) fn arm(&mut self, socket: SocketId, armed: Armed) {
        let Some(place) = self.places.get(socket) else {
            return;
        };
        place.armed.retain(|known| !known.is_of_set(&armed));
        place.armed.push(armed);
        self.tell_sets(socket);
    }

    /// Has the set `is_it` finds not tell of a socket any more. Says whether it would have.
    pub(super) fn disarm(&mut self, socket: SocketId, is_it: impl Fn(&Armed) -> bool) -> bool {
        let Some(place) = self.places.get(socket) else {
            return false;
        };
        let before = place.armed.len();
        place.armed.retain(|known| !is_it(known));
        place.armed.len() < before
    }

    /// Has the sets tell of a socket that wait for what it is ready for.
    fn tell_sets(&mut self, socket: SocketId) {
        let (now, level) = (self.stack.now(), self.level(socket));
        let Some(place) = self.places.get(socket) else {
            return;
        };
        let (poller, wakes) = (&mut self.poller, &mut self.wakes);
        place.armed.retain(|armed| {
            let told = armed.tell(level);
            if told {
                wake_one(poller, wakes, now, armed.parking());
            }
            !told
        });
    }

    /// Has another of the threads woken that wait in one place.
    pub(super) fn wake_one(&mut self, parking: &Arc<Parking>) {
        let now = self.stack.now();
        wake_one(&mut self.poller, &mut self.wakes, now, parking);
    }

    /// What can be done with a socket now.
    pub(super) fn level(&self, socket: SocketId) -> Level {
        let stack = &self.stack;
        // Stale handles cannot be: sockets hold the only ones.
        match socket {
            SocketId::Tcp(handle) => {
                let readiness = stack.tcp_readiness(handle).unwrap_or_default();
                Level {
                    readable: readiness.readable || readiness.closed,
                    writable: self.is_roomy(socket, readiness)
                        || readiness.writable && stack.tcp_can_write(handle) == Ok(false),
                    read_closed: readiness.peer_finished || readiness.closed,
                    closed: readiness.closed,
                }
            }
            SocketId::Listener(handle) => Level {
                readable: stack.tcp_backlog(handle).is_ok_and(|b| b.to_accept > 0),
                ..Level::default()
            },
            SocketId::Udp(handle) => {
                let readiness = stack.udp_readiness(handle).unwrap_or_default();
                // Only a connected one is told of it.
                let error = readiness.error && stack.udp_peer_addr(handle).is_ok();
                Level {
                    readable: readiness.readable || error,
                    writable: readiness.writable || error,
                    ..Level::default()
                }
            }
            SocketId::Echo(handle) => {
                let readiness = stack.echo_readiness(handle).unwrap_or_default();
                Level {
                    readable: readiness.readable,
                    writable: readiness.writable,
                    ..Level::default()
                }
            }
        }
    }

    /// Writes to a connection. One that has room but finds no memory is remembered.
    pub(super) fn tcp_write(&mut self, tcp: TcpHandle, data: &[u8]) -> Result<usize, StackError> {
        let written = self.stack.tcp_write(tcp, data);
        if written == Err(StackError::WouldBlock)
            && self.stack.tcp_readiness(tcp).is_ok_and(|r| r.writable)
            && !self.hungry.contains(&tcp)
        {
            self.hungry.push(tcp);
            self.hungry_at = self.stack.buffers_in_use();
        }
        written
    }

    /// Has those try again that found no memory, if some was given back since.
    fn feed_hungry(&mut self) {
        if self.hungry.is_empty() {
            return;
        }
        let used = self.stack.buffers_in_use();
        if used < self.hungry_at {
            for handle in std::mem::take(&mut self.hungry) {
                self.news(handle.into(), false, true);
            }
        }
        self.hungry_at = used;
    }

    /// Whether a writer should be told of the room there is.
    fn is_roomy(&self, socket: SocketId, readiness: Readiness) -> bool {
        let SocketId::Tcp(handle) = socket else {
            return readiness.writable;
        };
        let fed = readiness.closed || !self.hungry.contains(&handle);
        readiness.writable && fed && {
            let limit = self.stack.tcp_settings(handle).map_or(0, |s| s.send_buffer) as usize;
            let queued = self.stack.tcp_unacked(handle).unwrap_or(0);
            queued <= limit - limit / WRITER_SHARE
        }
    }

    /// Brings a socket's descriptor up to date, after a call that may have changed what can be
    /// done with the socket.
    pub(super) fn refresh(&mut self, socket: SocketId) {
        let place = self.places.get(socket);
        if place.is_none_or(|place| place.descriptor.is_none()) {
            return;
        }
        let level = if self.ended {
            Level::ENDED
        } else {
            self.level(socket)
        };
        let Some(place) = self.places.get(socket) else {
            return;
        };
        // An order is somebody to wake: given for nothing, it keeps who waits from sleeping.
        if place.shown.replace(level) == Some(level) {
            return;
        }
        if let Some(descriptor) = &place.descriptor {
            self.serial += 1;
            self.wakes.show(descriptor, level, self.serial);
        }
    }

    /// There is news for those who wait on these sides of a socket.
    fn news(&mut self, socket: SocketId, read: bool, write: bool) {
        let now = self.stack.now();
        let Some(place) = self.places.get(socket) else {
            return;
        };
        for (side, concerned) in [(Side::Read, read), (Side::Write, write)] {
            if concerned && place.parking.lane(side).is_occupied() {
                wake(&mut self.poller, &mut self.wakes, now, &place.parking, side);
            }
        }
        #[cfg(any(feature = "channel", feature = "tokio"))]
        place.tasks.wake(read, write, &mut self.wakes.tasks);
        if read || write {
            for watcher in &place.watchers {
                self.poller.concerns(watcher.lane(Side::Read).waiter(), now);
                self.wakes.add(watcher, Side::Read);
            }
            if !place.armed.is_empty() {
                self.tell_sets(socket);
            }
        }
        self.refresh(socket);
    }

    /// Has everybody look again who waits with a socket, after one of them changed it.
    pub(super) fn wake_all(&mut self, socket: SocketId) {
        self.news(socket, true, true);
    }

    /// Has everybody look again who waits for a service.
    pub(super) fn wake_services(&mut self) {
        let now = self.stack.now();
        let Services { threads, news, .. } = &mut self.services;
        *news = news.wrapping_add(1);
        for parking in threads {
            if parking.lane(Side::Read).is_occupied() {
                wake(&mut self.poller, &mut self.wakes, now, parking, Side::Read);
            }
        }
        #[cfg(any(feature = "channel", feature = "tokio"))]
        self.services.tasks.wake(true, false, &mut self.wakes.tasks);
    }

    /// Has a task woken with the next news of services.
    #[cfg(any(feature = "channel", feature = "tokio"))]
    pub(super) fn watch_services(&mut self, task: &std::task::Waker) {
        let now = self.stack.now();
        let Services { tasks, .. } = &mut self.services;
        tasks.add(Side::Read, task, now, &mut self.wakes.tasks);
    }

    /// Moves the stack's time on to the clock's.
    pub(super) fn advance(&mut self) {
        self.stack.advance(self.clock.now());
    }

    /// Tells the device which groups' frames to let pass: those joined, and those IP itself needs
    /// (RFC 1112 §7.2, RFC 4291 §2.8). To be called when groups or IPv6 addresses may have changed.
    pub(super) fn set_device_groups(&mut self) {
        let stack = &self.stack;
        let own = stack.addresses().iter().map(|known| *known.addr());
        let nodes = own.filter(Addr::is_v6).map(|addr| addr.solicited_node());
        let everybody = [Addr::V4_ALL_SYSTEMS, Addr::V6_ALL_NODES];
        let groups = everybody
            .into_iter()
            .chain(nodes)
            .chain(stack.groups(IFACE));
        let mut frames: Vec<[u8; 6]> = groups
            .map(|group| match group.into() {
                IpAddr::V4(group) => MacAddr::from_ipv4_multicast(group.octets()).0,
                IpAddr::V6(group) => MacAddr::from_ipv6_multicast(group.octets()).0,
            })
            .collect();
        frames.sort_unstable();
        frames.dedup();
        self.device.set_multicast(&frames);
    }

    /// The device's counters.
    pub(super) fn device_counters(&mut self) -> Counters {
        self.device.counters()
    }

    /// Why nothing that has not happened yet will ever happen; `None` while it may.
    pub(super) fn fault(&self) -> Option<Error> {
        if let Some(fault) = self.device.fault() {
            return Some(Error::device(&fault));
        }
        self.ended
            .then(|| Error::from(Reason::Device("the stack has stopped".into())))
    }

    /// Whether the calling thread will call again at once, for another socket: then what its calls
    /// make due leaves together, so that the receiver is woken once for all of it. Not for
    /// long: after [`HOLDS`] times, when the thread waits, and when somebody else sends or polls the
    /// device, which happens within [`GRACE`](super::poller::GRACE) and as much again if the thread
    /// has stalled.
    pub(super) fn hold(&mut self, more: bool) {
        let thread = thread_number();
        let before = if self.held_by == thread {
            self.holds
        } else {
            0
        };
        if more {
            (self.held_by, self.holds) = (thread, before + 1);
        } else if before > 0 {
            (self.held_by, self.holds) = (0, 0);
        }
    }

    /// Whether what the calling thread makes due is to wait.
    fn is_held(&self) -> bool {
        self.holds % HOLDS != 0
            && self.held_by == thread_number()
            // Who sleeps at the device would not learn of it.
            && self.poller.sleeper().is_none()
    }

    /// The calling thread is going to wait: what it has held leaves. Says whether anything may have
    /// changed by that: what it is going to wait for may have happened.
    pub(super) fn let_go(&mut self) -> bool {
        let held = self.holds > 0 && self.held_by == thread_number();
        if held {
            self.hold(false);
            self.settle();
        }
        held
    }

    /// Sends what is owed and collects the news, after a call.
    pub(super) fn settle(&mut self) {
        if !self.is_held() && (self.stack.has_work(IFACE) || self.stack.has_any_work()) {
            self.transmit(CALL_FRAMES);
        }
        self.collect_news();
        let surprised = if self.more_to_send || self.services.are_due() {
            self.poller.awaken()
        } else if self.poller.sleeper().is_some() {
            let interest = self.device.interest();
            self.poller.surprised(self.next_deadline(), interest)
        } else {
            None
        };
        match surprised {
            Some(Holder::Thread) => self.wakes.thread = true,
            Some(Holder::Caller) => self.wakes.caller = true,
            None => {}
        }
    }

    /// Whom to wake once the lock is given up.
    pub(super) fn take_wakes(&mut self) -> Wakes {
        std::mem::take(&mut self.wakes)
    }

    /// Whether nobody waits to be woken once the lock is given up.
    pub(super) fn wakes_nobody(&self) -> bool {
        self.wakes.is_empty()
    }

    /// The driver thread is to be woken.
    pub(super) fn disturb_thread(&mut self) {
        self.wakes.thread = true;
    }

    fn transmit(&mut self, frames: usize) {
        let now = self.clock.now();
        let mut sink = Budget::new(self.device.sink(), frames);
        for _ in 0..TURNS {
            let _ = self.stack.transmit(now, IFACE, &mut sink);
            if sink.is_spent() || self.stack.next_deadline().is_none_or(|due| due > now) {
                break;
            }
        }
        self.more_to_send = sink.is_spent();
    }

    /// Hands over what the device has. Says whether there may be more.
    fn receive(&mut self) -> bool {
        let now = self.clock.now();
        self.received = false;
        for _ in 0..BATCHES {
            let frames = self.stack.receive_all(now, IFACE, &mut *self.device);
            self.received |= frames > 0;
            // A device that gave less than it may at once has no more: asking would be a call of
            // the kernel for nothing.
            if frames < BATCH {
                return false;
            }
        }
        true
    }

    /// Finds out who has something to do now.
    fn collect_news(&mut self) {
        // What services have to say may bring more news, of a server on this host.
        for _ in 0..TURNS {
            self.take_events();
            self.feed_hungry();
            if !self.services.are_due() {
                return;
            }
            self.advance();
            self.services.run(&mut self.stack);
            self.wake_services();
            self.transmit(CALL_FRAMES);
        }
    }

    /// Tells those whose sockets have news; what is news of a socket without a place is the
    /// services'.
    fn take_events(&mut self) {
        while let Some(event) = self.stack.poll_event() {
            let socket = match event {
                Event::Tcp(handle, _) => Some(SocketId::Tcp(handle)),
                Event::Udp(handle, _) => Some(SocketId::Udp(handle)),
                _ => None,
            };
            if socket.is_some_and(|socket| self.places.get(socket).is_none()) {
                self.services.call();
            }
            match event {
                Event::Tcp(handle, readiness) => {
                    let socket = SocketId::Tcp(handle);
                    let roomy = self.is_roomy(socket, readiness);
                    let (read, write) = (readiness.readable, roomy);
                    let closed = readiness.closed;
                    self.news(socket, read || closed, write || closed);
                }
                Event::AddressClaimed(..) => self.services.call(),
                Event::Acceptable(handle) => {
                    #[cfg(feature = "channel")]
                    self.rooms.take_in(handle, &mut self.stack);
                    self.news(handle.into(), true, false);
                }
                Event::Udp(handle, readiness) => {
                    let (read, write) = (readiness.readable, readiness.writable);
                    let error = readiness.error;
                    self.news(handle.into(), read || error, write || error);
                }
                Event::Echo(handle, readiness) => {
                    self.news(handle.into(), readiness.readable, readiness.writable);
                }
                #[cfg(feature = "tokio")]
                Event::FlowOpening(id) => {
                    self.desk
                        .opening(id, &mut self.stack, &mut self.wakes.tasks);
                }
                #[cfg(feature = "tokio")]
                Event::FlowReady(id) => self.desk.ready(id, &mut self.wakes.tasks),
                #[cfg(feature = "tokio")]
                Event::FlowClosed(id, reason) => {
                    self.desk.closed(id, reason, &mut self.wakes.tasks);
                }
                // The enum may grow in a compatible release of its crate.
                _ => {}
            }
        }
    }

    /// The interface has changed: the next turn looks at how it is now.
    pub(super) fn note_change(&mut self) {
        self.changed = true;
    }

    /// One turn of who polls the device: receives everything there is, then sends what that calls
    /// for, due timers included, and says what to wait for.
    pub(super) fn turn(&mut self) -> Next {
        if std::mem::take(&mut self.changed) {
            self.follow_device();
        }
        let more = self.receive();
        match self.plan() {
            Next::Wait { .. } if more => Next::Again,
            next => next,
        }
    }

    /// Looks at how the interface is. The stack's end follows its MTU, but not to more than it was set
    /// to otherwise: a DHCP server may have asked for less (what that was comes back with the lease).
    fn follow_device(&mut self) {
        let before = self.device.mtu();
        // A device that is gone says so by its fault; else the next change is another chance.
        let _ = self.device.refresh();
        let mtu = self.device.mtu();
        let set = self.stack.interface_mtu(IFACE);
        if set.is_ok_and(|set| set == before || set > mtu) {
            // Below what the stack takes nothing can be sent anyway.
            let _ = self.stack.set_interface_mtu(IFACE, mtu);
        }
    }

    /// Whether the last turn found something at the device.
    pub(super) fn has_received(&self) -> bool {
        self.received
    }

    /// [`Engine::turn`] without looking at the device first.
    pub(super) fn plan(&mut self) -> Next {
        #[cfg(feature = "channel")]
        self.rooms.send_away(&mut self.stack, self.clock.now());
        self.transmit(POLL_FRAMES);
        let fault = self.device.fault().is_some();
        if fault && !self.lost {
            self.lost = true;
            self.stack.interface_lost(IFACE);
        }
        self.collect_news();
        if fault || self.is_closed() {
            return Next::End;
        }
        if self.services.are_due() || self.more_to_send {
            return Next::Again;
        }
        let mut until = self.next_deadline();
        if let Some(closing) = self.closing {
            let left = closing.saturating_duration_since(Instant::now());
            let last = self.clock.now() + left;
            until = Some(until.map_or(last, |until| until.min(last)));
        }
        let interest = self.device.interest();
        Next::Wait { interest, until }
    }

    /// Has the driver end when all that was written is delivered, at `deadline` at the latest.
    pub(super) fn begin_to_close(&mut self, deadline: Instant) {
        self.closing = Some(deadline);
        self.poller.call_thread();
        self.wakes.thread = true;
    }

    /// Whether the last handle is gone and nothing is worth waiting for any more.
    fn is_closed(&self) -> bool {
        self.closing.is_some_and(|deadline| {
            Instant::now() >= deadline
                || (self.stack.tcp_unfinished() == 0
                    && !self.stack.has_work(IFACE)
                    && !self.device.interest().writable)
        })
    }

    /// Nobody drives the device from now on: everybody who waits learns of it.
    pub(super) fn end(&mut self) {
        self.ended = true;
        self.wakes.caller = true;
        self.wake_services();
        #[cfg(feature = "tokio")]
        self.desk.wake_all(&mut self.wakes.tasks);
        for parking in self.sets.drain(..).filter_map(|set| set.upgrade()) {
            parking.lane(Side::Read).leave_news();
            self.wakes.add(&parking, Side::Read);
        }
        let level = Level::ENDED;
        for place in self.places.iter_mut() {
            #[cfg(any(feature = "channel", feature = "tokio"))]
            place.tasks.wake(true, true, &mut self.wakes.tasks);
            for side in [Side::Read, Side::Write] {
                let lane = place.parking.lane(side);
                if lane.is_occupied() {
                    lane.leave_news();
                    self.wakes.add(&place.parking, side);
                }
            }
            for watcher in &place.watchers {
                self.wakes.add(watcher, Side::Read);
            }
            for armed in place.armed.drain(..) {
                armed.tell(level);
            }
            if let Some(descriptor) = &place.descriptor {
                self.wakes.show(descriptor, level, u64::MAX);
            }
        }
    }
}

/// Wakes whoever waits on one side of a place.
fn wake(
    poller: &mut Poller,
    wakes: &mut Wakes,
    now: StackInstant,
    parking: &Arc<Parking>,
    side: Side,
) {
    let lane = parking.lane(side);
    poller.concerns(lane.waiter(), now);
    if lane.is_polling() {
        lane.leave_news();
        if poller.sleeper() == Some(Holder::Caller) {
            wakes.caller = true;
        }
    }
    if lane.is_waited_at() {
        wakes.add(parking, side);
    }
}

/// Wakes one of the threads that wait for the same: who polls the device, if nothing was left for
/// him yet, else one that sleeps.
fn wake_one(poller: &mut Poller, wakes: &mut Wakes, now: StackInstant, parking: &Arc<Parking>) {
    let lane = parking.lane(Side::Read);
    poller.concerns(lane.polling().unwrap_or(lane.waiter()), now);
    if lane.is_polling() && lane.leave_news() {
        if poller.sleeper() == Some(Holder::Caller) {
            wakes.caller = true;
        }
    } else if lane.is_waited_at() {
        wakes.add_one(parking);
    }
}
