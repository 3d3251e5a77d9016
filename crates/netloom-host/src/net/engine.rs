//! What the engine's lock guards: the stack, its device, and where its sockets' threads wait.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use netloom_driver::Instant as StackInstant;
use netloom_stack::{Error, Event, IfaceId, ListenerHandle, Stack, TcpHandle, UdpHandle};

use super::clock::Clock;
use super::error::to_io;
use super::parking::{Parking, Side, Wakes};
use crate::device::{Counters, Device, Interest};

/// The device's interface in the stack.
pub(super) const IFACE: IfaceId = IfaceId::FIRST;

/// Transmit turns of one [`Engine::transmit`] at most: one answers what the last one's loopback
/// traffic called for. What remains is left to the driver.
const TURNS: usize = 8;

/// Batches of received frames in one [`Engine::receive`] at most, so that timers and other
/// threads get their turn on a flooded device.
const BATCHES: usize = 4;

/// A writer is woken when this part of the send queue is free (a third, as in Linux): it would
/// otherwise be woken for every acknowledgment, to write a few bytes.
const WRITER_SHARE: usize = 3;

/// The stack, its device, and who waits for what.
pub(super) struct Engine {
    pub(super) stack: Stack,
    pub(super) clock: Clock,
    device: Box<dyn Device>,
    tcp: Table,
    listeners: Table,
    udp: Table,
    wakes: Wakes,
    driver: Driver,
    /// The last handle is gone: the driver ends once everything is delivered, by this time.
    closing: Option<Instant>,
    /// Nobody drives the device any more.
    ended: bool,
}

/// Where the threads of each socket wait, by the number in its handle.
#[derive(Debug, Default)]
struct Table(Vec<Option<Arc<Parking>>>);

impl Table {
    fn get(&self, index: usize) -> Option<&Arc<Parking>> {
        self.0.get(index)?.as_ref()
    }

    fn insert(&mut self, index: usize) -> Arc<Parking> {
        if self.0.len() <= index {
            self.0.resize(index + 1, None);
        }
        let parking = Arc::new(Parking::default());
        self.0[index] = Some(Arc::clone(&parking));
        parking
    }

    fn remove(&mut self, index: usize) {
        if let Some(entry) = self.0.get_mut(index) {
            *entry = None;
        }
    }
}

/// What the driver does.
#[derive(Debug, Clone, Copy)]
enum Driver {
    /// It will look at everything before it sleeps.
    Awake,
    /// It sleeps until this time, or until the device has what it waits for.
    Asleep {
        until: Option<StackInstant>,
        interest: Interest,
    },
}

/// What the driver is to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Drive again at once: more is waiting.
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
    pub(super) fn new(stack: Stack, device: Box<dyn Device>, clock: Clock) -> Engine {
        Engine {
            stack,
            clock,
            device,
            tcp: Table::default(),
            listeners: Table::default(),
            udp: Table::default(),
            wakes: Wakes::default(),
            driver: Driver::Awake,
            closing: None,
            ended: false,
        }
    }

    /// Where the threads of a new connection wait.
    pub(super) fn add_tcp(&mut self, handle: TcpHandle) -> Arc<Parking> {
        self.tcp.insert(handle.index())
    }

    /// Where the threads of a new listener wait.
    pub(super) fn add_listener(&mut self, handle: ListenerHandle) -> Arc<Parking> {
        self.listeners.insert(handle.index())
    }

    /// Where the threads of a new UDP socket wait.
    pub(super) fn add_udp(&mut self, handle: UdpHandle) -> Arc<Parking> {
        self.udp.insert(handle.index())
    }

    /// Gives a connection back to the stack, which finishes it.
    pub(super) fn close_tcp(&mut self, handle: TcpHandle) {
        self.tcp.remove(handle.index());
        // The handle was ours alone, so it is not stale.
        let _ = self.stack.tcp_close(handle);
    }

    /// Closes a listener.
    pub(super) fn close_listener(&mut self, handle: ListenerHandle) {
        self.listeners.remove(handle.index());
        let _ = self.stack.tcp_close_listener(handle);
    }

    /// Closes a UDP socket.
    pub(super) fn close_udp(&mut self, handle: UdpHandle) {
        self.udp.remove(handle.index());
        let _ = self.stack.udp_close(handle);
    }

    /// Has everybody look again who waits with a connection, after one of them changed it.
    pub(super) fn wake_tcp(&mut self, handle: TcpHandle) {
        if let Some(parking) = self.tcp.get(handle.index()) {
            self.wakes.add_both(parking);
        }
    }

    /// The device's counters.
    pub(super) fn device_counters(&mut self) -> Counters {
        self.device.counters()
    }

    /// Why nothing that has not happened yet will ever happen; `None` while it may.
    pub(super) fn fault(&self) -> Option<io::Error> {
        if let Some(fault) = self.device.fault() {
            return Some(fault.into());
        }
        self.ended.then(|| to_io(Error::NotConnected))
    }

    /// Sends what is owed and collects the news. Says whether the driver must be woken because
    /// something is due before it would wake by itself.
    pub(super) fn settle(&mut self) -> bool {
        if self.stack.has_work(IFACE) {
            self.transmit();
        }
        self.collect_news();
        match self.driver {
            Driver::Awake => false,
            Driver::Asleep { until, interest } => {
                let due = self.stack.next_deadline();
                due.is_some_and(|due| until.is_none_or(|until| due < until))
                    || self.device.interest() != interest
            }
        }
    }

    /// Whom to wake once the lock is given up.
    pub(super) fn take_wakes(&mut self) -> Wakes {
        std::mem::take(&mut self.wakes)
    }

    fn transmit(&mut self) {
        let now = self.clock.now();
        for _ in 0..TURNS {
            let _ = self.stack.transmit_to(now, IFACE, &mut *self.device);
            if self.stack.next_deadline().is_none_or(|due| due > now) {
                return;
            }
        }
    }

    /// Hands over what the device has. Says whether there may be more.
    fn receive(&mut self) -> bool {
        let now = self.clock.now();
        for _ in 0..BATCHES {
            if self.stack.receive_all(now, IFACE, &mut *self.device) == 0 {
                return false;
            }
        }
        true
    }

    /// Finds out whose threads have something to do now.
    fn collect_news(&mut self) {
        while let Some(event) = self.stack.poll_event() {
            match event {
                Event::Tcp(handle, readiness) => {
                    let Some(parking) = self.tcp.get(handle.index()) else {
                        continue;
                    };
                    if readiness.readable || readiness.closed {
                        self.wakes.add(parking, Side::Read);
                    }
                    let roomy = readiness.writable && {
                        let limit = self.stack.tunables().tcp_wmem as usize;
                        let queued = self.stack.tcp_unacked(handle).unwrap_or(0);
                        queued <= limit - limit / WRITER_SHARE
                    };
                    if roomy || readiness.closed {
                        self.wakes.add(parking, Side::Write);
                    }
                }
                Event::Acceptable(handle) => {
                    if let Some(parking) = self.listeners.get(handle.index()) {
                        self.wakes.add(parking, Side::Read);
                    }
                }
                Event::Udp(handle, readiness) => {
                    let Some(parking) = self.udp.get(handle.index()) else {
                        continue;
                    };
                    if readiness.readable || readiness.error {
                        self.wakes.add(parking, Side::Read);
                    }
                    if readiness.writable || readiness.error {
                        self.wakes.add(parking, Side::Write);
                    }
                }
                // The enum may grow in a compatible release of its crate.
                _ => {}
            }
        }
    }

    /// One turn of the driver: receives everything there is, then sends what is owed, due timers
    /// included, and says what to wait for.
    pub(super) fn drive(&mut self) -> Next {
        self.driver = Driver::Awake;
        let more = self.receive();
        self.transmit();
        self.collect_news();
        if self.device.fault().is_some() || self.is_closed() {
            return Next::End;
        }
        if more {
            return Next::Again;
        }
        let mut until = self.stack.next_deadline();
        if let Some(closing) = self.closing {
            let left = closing.saturating_duration_since(Instant::now());
            let last = self.clock.now() + left;
            until = Some(until.map_or(last, |until| until.min(last)));
        }
        let interest = self.device.interest();
        self.driver = Driver::Asleep { until, interest };
        Next::Wait { interest, until }
    }

    /// Has the driver end when all that was written is delivered, at `deadline` at the latest.
    pub(super) fn close(&mut self, deadline: Instant) {
        self.closing = Some(deadline);
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
        self.driver = Driver::Awake;
        let tables = [&self.tcp, &self.listeners, &self.udp];
        for parking in tables
            .into_iter()
            .flat_map(|table| table.0.iter().flatten())
        {
            self.wakes.add_both(parking);
        }
    }
}
