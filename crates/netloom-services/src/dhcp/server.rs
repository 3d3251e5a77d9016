//! The server: gives addresses away, and remembers to whom (RFC 2131 §4.3).

mod answer;
mod binding;
mod choose;
mod config;
mod conflict;
mod counters;
mod event;
mod memory;
mod reply;
mod store;

use core::net::Ipv4Addr;

use netloom_stack::driver::Instant;
use netloom_stack::udp::UdpBind;
use netloom_stack::{Error, IfaceId, Stack, UdpHandle};
use netloom_wire::dhcpv4::{Dhcpv4View, Op, SERVER_PORT};

use super::SECOND;
use super::fixed::List;

pub use binding::{Binding, BindingState, ClientKey};
pub use config::{BadConfig, LeaseTime, Pool, Reservation, ServerConfig, Who};
pub use conflict::Pending;
#[cfg(feature = "counters")]
pub use counters::ServerCounters;
#[cfg(not(feature = "counters"))]
use counters::ServerCounters;
pub use event::ServerEvent;
pub use memory::MemoryStore;
pub use store::{Store, StoreError};

/// Events not taken yet.
const EVENTS: usize = 16;
/// The longest message read: what comes through relay agents may be long.
const BUFFER: usize = 1472;
/// Messages read in one turn: fewer than there is room for events.
const TURN: usize = 8;

/// A DHCP server on one interface, for the networks of that interface and those behind relay agents.
///
/// What it gave away is in a [`Store`]; what it has offered, and looks whether anybody has, in the
/// [`Pending`] places lent by the program: as many clients can ask at once.
///
/// A server never answers about an address before the store has it: a store that survives a crash
/// makes a server that does.
#[derive(Debug)]
#[doc(alias = "DHCP server")]
pub struct Server<'a, S> {
    iface: IfaceId,
    socket: UdpHandle,
    config: ServerConfig<'a>,
    store: S,
    pending: &'a mut [Pending],
    /// The store's clock at [`Instant::ZERO`], in seconds.
    epoch: u64,
    events: List<ServerEvent, EVENTS>,
    counters: ServerCounters,
    unread: bool,
    armed: Instant,
}

impl<'a, S: Store> Server<'a, S> {
    /// A server on an interface that has an address.
    ///
    /// `epoch` is the time of day at the stack's [`Instant::ZERO`], in seconds since whenever the
    /// store counts from (1970, usually): what expired while the server did not run is seen by it. A
    /// store that ends with the program can have 0.
    ///
    /// # Errors
    /// [`Error::NoSuchInterface`]; [`Error::NoSourceAddress`] if the interface has no IPv4 address and
    /// the configuration names none; [`Error::InvalidArgument`] for a configuration that makes no
    /// sense ([`ServerConfig::check`] says why); what [`udp_bind`](Stack::udp_bind) says.
    pub fn new(
        stack: &mut Stack,
        iface: IfaceId,
        config: ServerConfig<'a>,
        store: S,
        pending: &'a mut [Pending],
        epoch: u64,
    ) -> Result<Server<'a, S>, Error> {
        if config.check().is_err() {
            return Err(Error::InvalidArgument);
        }
        stack.interface_mtu(iface)?;
        if config.server_identifier.is_none() {
            own_addresses(stack, iface)
                .next()
                .ok_or(Error::NoSourceAddress)?;
        }
        let socket = stack.udp_bind(UdpBind::from(SERVER_PORT).on(iface))?;
        stack.udp_set_broadcast(socket, true)?;
        for place in pending.iter_mut() {
            *place = Pending::FREE;
        }
        Ok(Server {
            iface,
            socket,
            config,
            store,
            pending,
            epoch,
            events: List::new(ServerEvent::StoreFailed),
            counters: ServerCounters::ZERO,
            unread: false,
            armed: Instant::FAR_FUTURE,
        })
    }

    /// Takes in what has arrived, does what is due, and returns the next thing that has happened; to
    /// be called until there is none, in every turn of the program's loop.
    pub fn poll(&mut self, stack: &mut Stack) -> Option<ServerEvent> {
        self.run_checks(stack);
        self.receive(stack);
        let event = self.events.take_first();
        self.arm(stack);
        event
    }

    /// What it gave away.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// What it was asked, what it said, and what it said nothing to.
    #[cfg(feature = "counters")]
    pub fn counters(&self) -> &ServerCounters {
        &self.counters
    }

    /// How many addresses are offered, or looked at, just now.
    pub fn pending(&self) -> usize {
        self.pending.iter().filter(|place| place.is_used()).count()
    }

    /// The socket its messages pass through: its events are the server's.
    pub fn socket(&self) -> UdpHandle {
        self.socket
    }

    /// The time of day by the store's clock, in seconds.
    pub fn time(&self, stack: &Stack) -> u64 {
        self.epoch.saturating_add(stack.now().as_micros() / SECOND)
    }

    /// Gives up the socket; returns the store.
    pub fn close(mut self, stack: &mut Stack) -> S {
        self.forget_checks(stack);
        // The handle is this server's alone.
        let _ = stack.udp_close(self.socket);
        self.store
    }

    fn receive(&mut self, stack: &mut Stack) {
        self.unread = false;
        let mut buffer = [0; BUFFER];
        for _ in 0..TURN {
            match stack.udp_recv(self.socket, &mut buffer) {
                Ok(received) => {
                    if received.copied != usize::from(received.meta.len) {
                        count!(self.counters, cut);
                        continue;
                    }
                    let message = buffer.get(..received.copied).unwrap_or_default();
                    let source = received
                        .meta
                        .remote
                        .v4_octets()
                        .map_or(Ipv4Addr::UNSPECIFIED, Ipv4Addr::from);
                    match Dhcpv4View::new(message) {
                        Ok(view) if view.op() == Op::Request => {
                            self.answer(stack, &view, source, message);
                        }
                        Ok(_) => count!(self.counters, unexpected),
                        Err(_) => count!(self.counters, malformed),
                    }
                }
                Err(Error::WouldBlock | Error::StaleHandle) => return,
                // What ICMP said of a reply: the client is gone.
                Err(_) => {}
            }
        }
        self.unread = true;
    }

    /// The store did not take a binding.
    fn store_failed(&mut self) {
        count!(self.counters, store_failed);
        self.tell(ServerEvent::StoreFailed);
    }

    /// There is no address for the client.
    fn exhausted(&mut self, view: &Dhcpv4View<'_>) {
        count!(self.counters, exhausted);
        self.tell(ServerEvent::Exhausted {
            for_whom: view.hardware(),
        });
    }

    fn tell(&mut self, event: ServerEvent) {
        if self.events.len() == EVENTS {
            self.events.take_first();
        }
        self.events.push(event);
    }

    fn arm(&mut self, stack: &mut Stack) {
        let due = self.checks_deadline();
        let soon = !self.events.is_empty() || self.unread || due <= stack.now();
        let due = if !soon {
            due
        } else {
            // See the client: not in the transmit turn of this very instant.
            stack.now().plus_micros(1)
        };
        if due != self.armed {
            self.armed = due;
            let at = (due < Instant::FAR_FUTURE).then_some(due);
            let _ = stack.udp_wake_at(self.socket, at);
        }
    }

    /// The address clients know this server by, on the way to a network.
    fn identifier(&self, stack: &Stack, network: Ipv4Addr) -> Option<Ipv4Addr> {
        if self.config.server_identifier.is_some() {
            return self.config.server_identifier;
        }
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
        //# For example, if the DHCP server and the DHCP client
        //# are connected to the same subnet (i.e., the 'giaddr' field in the
        //# message from the client is zero), the server SHOULD select the IP
        //# address the server is using for communication on that subnet as the
        //# 'server identifier'.
        own_addresses(stack, self.iface)
            .find(|(_, cidr)| cidr.contains(&network.into()))
            .or_else(|| own_addresses(stack, self.iface).next())
            .map(|(addr, _)| addr)
    }
}

/// The IPv4 addresses of an interface.
fn own_addresses(
    stack: &Stack,
    iface: IfaceId,
) -> impl Iterator<Item = (Ipv4Addr, netloom_wire::Cidr)> + '_ {
    stack
        .addresses()
        .iter()
        .filter(move |known| usize::from(known.iface) == iface.index() && known.is_assigned())
        .filter_map(|known| Some((known.addr().v4_octets()?.into(), known.cidr)))
}

#[cfg(test)]
mod tests;
