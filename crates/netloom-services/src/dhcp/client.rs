//! The client: finds an address, keeps it, and gives it up when it must (RFC 2131 §4.4).

mod applied;
mod backoff;
mod counters;
mod event;
mod fallback;
mod lease;
mod message;
mod receive;
mod request;
mod timers;

use core::net::Ipv4Addr;

use netloom_stack::driver::Instant;
use netloom_stack::udp::UdpBind;
use netloom_stack::{Error, IfaceId, Stack, UdpHandle};
use netloom_wire::{MacAddr, dhcpv4};

use super::acd::Acd;
use super::fixed::List;
use super::identity::ClientId;
use applied::Applied;
use backoff::Backoff;
use fallback::FallbackRun;
use receive::Choice;
use request::Settings;

#[cfg(feature = "counters")]
pub use counters::ClientCounters;
#[cfg(not(feature = "counters"))]
use counters::ClientCounters;
pub use event::{Event, Loss};
pub use lease::{Lease, MAX_ROUTES};
pub use request::{Fallback, OfferPolicy, Request};

/// Where a client stands: the states of RFC 2131 figure 5, and those the figure leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It does nothing.
    Stopped,
    /// INIT: it will look for servers, perhaps after a while.
    Init,
    /// SELECTING: it has asked who is there.
    Selecting,
    /// REQUESTING: it has asked for what was offered.
    Requesting,
    /// INIT-REBOOT: it will ask for the address it remembers.
    InitReboot,
    /// REBOOTING: it has asked for the address it remembers.
    Rebooting,
    /// It has an address, and looks whether somebody else has it too.
    Checking,
    /// BOUND: it uses its address.
    Bound,
    /// RENEWING: it asks its server for more time.
    Renewing,
    /// REBINDING: it asks any server for more time.
    Rebinding,
    /// It has sent INFORM.
    Informing,
    /// It has been told all but an address.
    Informed,
    /// It has given the address back, and waits until that has left.
    Releasing,
}

/// Events not taken yet; more of them than one turn can bring.
const EVENTS: usize = 8;

/// A DHCP client of one Ethernet interface.
///
/// It applies what it is given, and withdraws it: address, routes, MTU. DNS and NTP servers are read
/// from its [`lease`](Client::lease). It takes one UDP socket of the stack, with queues of at least
/// 600 bytes; on lent memory one place among watched addresses, two with a fallback.
#[derive(Debug)]
#[doc(alias = "NewDHCPClient")]
pub struct Client {
    iface: IfaceId,
    socket: UdpHandle,
    mac: MacAddr,
    settings: Settings,
    state: State,
    /// Where it goes on when the address that is being given back has gone.
    after_release: Option<State>,
    xid: u32,
    /// The next exchange has the xid the program asked for.
    fixed_xid: Option<u32>,
    /// When the client began to look for an address.
    began: Instant,
    /// `secs` of the last DISCOVER, which the REQUEST repeats.
    secs: u16,
    /// When to act: send, send again, give up.
    at: Instant,
    backoff: Backoff,
    /// When a REQUEST was last sent: a lease counts from there.
    asked_at: Instant,
    /// The offer chosen, or the best so far.
    choice: Option<Choice>,
    /// Until when better offers may come.
    collect_until: Instant,
    /// The address to ask for when it starts again: the caller's wish, or the one it had.
    wish: Option<Ipv4Addr>,
    lease: Option<Lease>,
    acd: Acd,
    conflicts: u8,
    naks: u8,
    applied: Applied,
    fallback: FallbackRun,
    events: List<Event, EVENTS>,
    counters: ClientCounters,
    /// There may be more messages than one turn reads.
    unread: bool,
    /// When the stack was last asked to wake it.
    armed: Instant,
}

impl Client {
    /// A client of the stack's first interface, that begins with [`Request::default`] as soon as it
    /// is polled, unless [`begin`](Client::begin) tells otherwise before.
    ///
    /// # Errors
    /// [`Error::NoSuchInterface`] if it is not an Ethernet interface; what
    /// [`udp_bind`](Stack::udp_bind) says: [`Error::AddressInUse`] if there is a client already.
    pub fn new(stack: &mut Stack) -> Result<Client, Error> {
        Client::on(stack, IfaceId::FIRST)
    }

    /// A client of another interface.
    ///
    /// # Errors
    /// As [`new`](Client::new).
    pub fn on(stack: &mut Stack, iface: IfaceId) -> Result<Client, Error> {
        let mac = stack.mac(iface).ok_or(Error::NoSuchInterface)?;
        let socket = stack.udp_bind(UdpBind::from(dhcpv4::CLIENT_PORT).on(iface))?;
        stack.udp_set_broadcast(socket, true)?;
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
        //# A client that can receive unicast IP datagrams before its protocol
        //# software has been configured SHOULD clear the BROADCAST bit to 0.
        stack.udp_accept_unaddressed(socket, true)?;
        let now = stack.now();
        // As `begin` would have it with the default request, made in place: the processor's stack may
        // be short.
        Ok(Client {
            iface,
            socket,
            mac,
            settings: Settings::new(&Request::default(), mac),
            state: State::Init,
            after_release: None,
            xid: 0,
            fixed_xid: None,
            began: now,
            secs: 0,
            at: Instant::ZERO,
            backoff: Backoff::START,
            asked_at: now,
            choice: None,
            collect_until: Instant::FAR_FUTURE,
            wish: None,
            lease: None,
            acd: Acd::IDLE,
            conflicts: 0,
            naks: 0,
            applied: Applied::NOTHING,
            fallback: FallbackRun::IDLE,
            events: List::new(Event::TimedOut),
            counters: ClientCounters::ZERO,
            unread: false,
            armed: Instant::ZERO,
        })
    }

    /// Begins to ask for an address, as `request` says, with the next [`poll`](Client::poll). A lease
    /// it has is kept until another takes its place; [`release`](Client::release) or
    /// [`stop`](Client::stop) give it up first: what is being given back has gone before it begins.
    #[doc(alias = "BeginRequest")]
    pub fn begin(&mut self, request: Request<'_>) {
        self.settings = Settings::new(&request, self.mac);
        self.fixed_xid = request.xid;
        self.wish = request.remembered_address.or(request.requested_address);
        self.naks = 0;
        self.conflicts = 0;
        self.choice = None;
        let first = if request.remembered_address.is_some() {
            State::InitReboot
        } else {
            State::Init
        };
        if self.state == State::Releasing {
            self.after_release = Some(first);
        } else {
            self.state = first;
        }
        self.fallback.schedule_anew();
        // The clock is the stack's: the next poll reads it.
        self.at = Instant::ZERO;
        self.armed = Instant::ZERO;
    }

    /// Asks for everything but an address: the interface has one already (RFC 2131 §3.4). What
    /// comes is in [`lease`](Client::lease), and nothing of it is applied.
    ///
    /// # Errors
    /// [`Error::NoSourceAddress`] if the interface has no IPv4 address.
    pub fn inform(&mut self, stack: &mut Stack, request: Request<'_>) -> Result<(), Error> {
        let own = own_address(stack, self.iface).ok_or(Error::NoSourceAddress)?;
        self.stop(stack);
        self.settings = Settings::new(&request, self.mac);
        self.fixed_xid = request.xid;
        self.wish = Some(own);
        self.start_exchange(stack);
        self.state = State::Informing;
        self.at = stack.now();
        self.arm(stack);
        Ok(())
    }

    /// Takes in what has arrived, does what is due, and returns the next thing that has changed;
    /// to be called until there is none, in every turn of the program's loop.
    pub fn poll(&mut self, stack: &mut Stack) -> Option<Event> {
        self.receive(stack);
        self.fire(stack);
        let event = self.events.take_first();
        self.arm(stack);
        event
    }

    /// Gives the address back (RFC 2131 §4.4.6). It is withdrawn a moment later, when the message
    /// has left: [`Event::Lost`] tells. Without a lease this is [`stop`](Client::stop).
    pub fn release(&mut self, stack: &mut Stack) {
        match self.state {
            State::Bound | State::Renewing | State::Rebinding => {
                self.send_release(stack);
                self.acd.end(stack, self.iface);
                self.state = State::Releasing;
                // From the next poll on: the stack may not have been told the time for long.
                self.at = Instant::ZERO;
                self.arm(stack);
            }
            State::Releasing => self.after_release = None,
            State::Stopped
            | State::Init
            | State::Selecting
            | State::Requesting
            | State::InitReboot
            | State::Rebooting
            | State::Checking
            | State::Informing
            | State::Informed => self.stop(stack),
        }
    }

    /// Withdraws everything at once and does nothing more, without telling the server: its lease
    /// goes on, and [`Request::remembered_address`] can ask for it again.
    pub fn stop(&mut self, stack: &mut Stack) {
        let had = self.applied.withdraw(stack, self.iface);
        self.acd.end(stack, self.iface);
        self.fallback.end(stack, self.iface);
        self.fallback.cancel();
        self.lease = None;
        self.choice = None;
        self.after_release = None;
        self.state = State::Stopped;
        self.at = Instant::FAR_FUTURE;
        if had {
            self.tell(Event::Lost(Loss::Stopped));
        }
        self.arm(stack);
    }

    /// The link was gone and is back, perhaps in another network: asks whether the lease is still
    /// good there (INIT-REBOOT). It stays in use until a server says otherwise.
    pub fn reconnected(&mut self, stack: &mut Stack) {
        let address = self.lease.as_ref().map(|lease| lease.address.addr);
        match (self.state, address) {
            (State::Bound | State::Renewing | State::Rebinding, Some(_)) => {
                self.wish = self.lease.as_ref().map(Lease::ip);
                self.state = State::InitReboot;
            }
            (State::Init | State::Selecting | State::Requesting, _) => self.state = State::Init,
            (
                State::Stopped
                | State::Bound
                | State::Renewing
                | State::Rebinding
                | State::InitReboot
                | State::Rebooting
                | State::Checking
                | State::Informing
                | State::Informed
                | State::Releasing,
                _,
            ) => return,
        }
        self.at = stack.now();
        self.arm(stack);
    }

    /// Gives up socket, addresses and routes.
    pub fn close(mut self, stack: &mut Stack) {
        self.stop(stack);
        // The handle is this client's alone.
        let _ = stack.udp_close(self.socket);
    }

    /// Where the client stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// What a server gave: an address in use, or what INFORM brought.
    pub fn lease(&self) -> Option<&Lease> {
        match self.state {
            State::Bound
            | State::Renewing
            | State::Rebinding
            | State::Informed
            | State::Releasing
            | State::InitReboot
            | State::Rebooting => self.lease.as_ref(),
            // One that is being checked is not in use; one kept from before `begin` is.
            State::Stopped
            | State::Init
            | State::Selecting
            | State::Requesting
            | State::Checking
            | State::Informing => self.lease.as_ref().filter(|_| self.applied.is_something()),
        }
    }

    /// The address in use for want of a lease, if there is one.
    pub fn fallback_address(&self) -> Option<netloom_wire::Cidr> {
        self.fallback.address()
    }

    /// The identifier in every message.
    pub fn client_id(&self) -> &ClientId {
        &self.settings.client_id
    }

    /// The socket its messages pass through: its events are the client's.
    pub fn socket(&self) -> UdpHandle {
        self.socket
    }

    /// The interface it configures.
    pub fn interface(&self) -> IfaceId {
        self.iface
    }

    /// What it sent, and what became of what it got.
    #[cfg(feature = "counters")]
    pub fn counters(&self) -> &ClientCounters {
        &self.counters
    }

    fn tell(&mut self, event: Event) {
        // The program has not looked for a long time: the newest is what counts.
        if self.events.len() == EVENTS {
            self.events.take_first();
        }
        self.events.push(event);
    }

    /// Has the stack wake the program when there is something to do.
    fn arm(&mut self, stack: &mut Stack) {
        let soon = !self.events.is_empty() || self.unread || self.deadline() <= stack.now();
        let due = if !soon {
            self.deadline()
        } else {
            // At once, but not in the transmit turn of this very instant: it would use the wake
            // up before the program sleeps.
            stack.now().plus_micros(1)
        };
        if due != self.armed {
            self.armed = due;
            let at = (due < Instant::FAR_FUTURE).then_some(due);
            // The handle is this client's alone.
            let _ = stack.udp_wake_at(self.socket, at);
        }
    }
}

/// An IPv4 address of an interface.
fn own_address(stack: &Stack, iface: IfaceId) -> Option<Ipv4Addr> {
    stack
        .addresses()
        .iter()
        .filter(|known| usize::from(known.iface) == iface.index() && known.is_assigned())
        .find_map(|known| known.addr().v4_octets())
        .map(Ipv4Addr::from)
}

#[cfg(test)]
mod tests;
