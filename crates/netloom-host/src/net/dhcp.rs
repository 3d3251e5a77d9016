//! DHCP in a running stack: the client that configures it, the server that configures others.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use netloom_services::dhcp::{
    Binding, Client, ClientCounters, ClientId, ClientKey, ConflictCheck, Event, Fallback, Lease,
    OfferPolicy, Pending, Request, Server, ServerConfig, ServerCounters, ServerEvent, State, Store,
    StoreError,
};
use netloom_services::dns::{Config as DnsConfig, Name};
use netloom_stack::wire::Cidr;
use netloom_stack::{Error as StackError, Seed, Stack};

use super::Net;
use super::dns::Dns;
use super::engine::{Engine, IFACE};
use super::error::to_io;
use super::runtime::Patience;
use super::services::Bystander;

/// Events kept for a program that does not ask for them.
const EVENTS: usize = 256;
/// How long a release may take: as long as the client waits for its message to leave, and more.
const RELEASE: Duration = Duration::from_secs(2);

/// What a stack asks a DHCP server for, and how long it waits. See [`Request`] for what the fields
/// mean that it has too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dhcp {
    /// How long [`Builder::start`](super::Builder::start) waits for an address. Zero does not wait:
    /// [`Net::dhcp_event`] tells.
    pub timeout: Duration,
    /// An address that would be welcome.
    pub requested_address: Option<Ipv4Addr>,
    /// An address it had before.
    pub remembered_address: Option<Ipv4Addr>,
    /// Seconds the lease should last.
    pub lease_time: Option<u32>,
    /// The host's name; empty: none.
    pub hostname: String,
    /// The host's full name; empty: none.
    pub fqdn: String,
    /// What kind of client it is; empty: not told.
    pub vendor_class: String,
    /// Who the client is.
    pub client_id: Option<ClientId>,
    /// Which of several offers is taken.
    pub offers: OfferPolicy,
    /// How an address is checked before it is used.
    pub conflict_check: ConflictCheck,
    /// What to do for want of a lease. An address of this kind counts as one: `start` returns.
    pub fallback: Fallback,
    /// When to do that.
    pub fallback_after: Duration,
    /// Asks servers to broadcast their replies.
    pub broadcast: bool,
}

impl Default for Dhcp {
    /// Any address; waits half a minute for it.
    fn default() -> Dhcp {
        let request = Request::default();
        Dhcp {
            timeout: Duration::from_secs(30),
            requested_address: None,
            remembered_address: None,
            lease_time: None,
            hostname: String::new(),
            fqdn: String::new(),
            vendor_class: String::new(),
            client_id: None,
            offers: request.offers,
            conflict_check: request.conflict_check,
            fallback: request.fallback,
            fallback_after: request.fallback_after,
            broadcast: request.broadcast,
        }
    }
}

impl Dhcp {
    /// The client that asks for this.
    pub(super) fn client(&self, stack: &mut Stack) -> Result<Client, StackError> {
        let mut client = Client::on(stack, IFACE)?;
        client.begin(Request {
            requested_address: self.requested_address,
            remembered_address: self.remembered_address,
            lease_time: self.lease_time,
            hostname: &self.hostname,
            fqdn: &self.fqdn,
            vendor_class: &self.vendor_class,
            client_id: self.client_id,
            offers: self.offers,
            conflict_check: self.conflict_check,
            fallback: self.fallback,
            fallback_after: self.fallback_after,
            broadcast: self.broadcast,
            ..Request::default()
        });
        Ok(client)
    }
}

/// The client that lives in the runtime, and what it has told.
#[derive(Debug)]
pub(super) struct ClientRun {
    client: Client,
    events: VecDeque<Event>,
    names: Names,
}

/// Who says which servers the resolver asks.
#[derive(Debug)]
pub(super) enum Names {
    /// The program.
    Program,
    /// The lease. The resolver is made with this seed when the first server is told.
    Lease(Option<Seed>),
}

impl ClientRun {
    /// Does what is to be done. What a lease says of DNS goes to `dns`.
    pub(super) fn run(&mut self, stack: &mut Stack, dns: &mut Option<Dns>) {
        let mut news = false;
        while let Some(event) = self.client.poll(stack) {
            keep(&mut self.events, event);
            news = true;
        }
        if news {
            self.tell_names(dns);
        }
    }
}

/// The server that lives in the runtime, and what it has told.
#[derive(Debug)]
pub(super) struct ServerRun {
    server: Server<'static, AnyStore>,
    events: VecDeque<ServerEvent>,
}

impl ServerRun {
    /// Does what is to be done.
    pub(super) fn run(&mut self, stack: &mut Stack) {
        while let Some(event) = self.server.poll(stack) {
            keep(&mut self.events, event);
        }
    }
}

impl ClientRun {
    /// The program says whom the resolver asks: no lease does any more.
    pub(super) fn leave_names(&mut self) {
        self.names = Names::Program;
    }

    /// Has the resolver ask the servers of the lease, and complete names with its domain.
    fn tell_names(&mut self, dns: &mut Option<Dns>) {
        let Names::Lease(seed) = &mut self.names else {
            return;
        };
        let lease = self.client.lease();
        let told = lease.map_or(&[][..], |lease| &lease.dns);
        let at = |ip: &Ipv4Addr| SocketAddr::from((*ip, netloom_stack::wire::dns::PORT));
        let servers: Vec<_> = told.iter().map(at).collect();
        if dns.is_none() && !servers.is_empty() {
            *dns = seed.take().map(|seed| Dns::new(DnsConfig::new(), seed));
        }
        let Some(dns) = dns else { return };
        let domain = lease.map_or("", |lease| lease.domain.as_str());
        let domain = Some(domain).filter(|domain| !domain.is_empty());
        let domain = domain.and_then(|domain| domain.parse().ok());
        let domains: Vec<Name> = domain.into_iter().collect();
        let known = dns.resolver.config();
        if known.servers().eq(servers.iter().copied()) && known.search_list().eq(domains.clone()) {
            return;
        }
        dns.resolver.clear();
        dns.resolver.set_servers(&servers);
        // One name fits.
        let _ = dns.resolver.set_search(&domains);
    }
}

/// Keeps an event; of too many the oldest goes.
fn keep<T>(events: &mut VecDeque<T>, event: T) {
    if events.len() == EVENTS {
        events.pop_front();
    }
    events.push_back(event);
}

/// A store of any kind.
struct AnyStore(Box<dyn Store + Send>);

impl std::fmt::Debug for AnyStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AnyStore(..)")
    }
}

impl Store for AnyStore {
    fn by_address(&self, address: Ipv4Addr) -> Option<Binding> {
        self.0.by_address(address)
    }

    fn by_client(&self, client: &ClientKey, network: &Cidr) -> Option<Binding> {
        self.0.by_client(client, network)
    }

    fn put(&mut self, binding: &Binding, now: u64) -> Result<(), StoreError> {
        self.0.put(binding, now)
    }

    fn for_each(&self, each: &mut dyn FnMut(&Binding)) {
        self.0.for_each(each);
    }
}

fn not_running(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("there is no DHCP {what}"))
}

fn client(engine: &mut Engine) -> Option<&mut ClientRun> {
    engine.services.dhcp_client.as_mut()
}

fn server(engine: &mut Engine) -> Option<&mut ServerRun> {
    engine.services.dhcp_server.as_mut()
}

impl Net {
    /// Lets a client live in the runtime, and waits until it has an address. `names`: who says
    /// whom the resolver asks.
    pub(super) fn begin_dhcp(
        &self,
        new: Client,
        timeout: Duration,
        names: Names,
    ) -> io::Result<()> {
        self.running.shared().with(|engine| {
            engine.services.dhcp_client = Some(ClientRun {
                client: new,
                events: VecDeque::new(),
                names,
            });
            engine.services.call();
        });
        if timeout.is_zero() {
            return Ok(());
        }
        let patience = Patience::of(Some(timeout));
        let found = Bystander::new(&self.running).block(patience, |engine| {
            let run = client(engine).ok_or(StackError::StaleHandle)?;
            let used = match run.client.state() {
                State::Bound => run.client.lease().is_some(),
                _ => run.client.fallback_address().is_some(),
            };
            used.then_some(()).ok_or(StackError::WouldBlock)
        });
        found.map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => io::Error::new(
                io::ErrorKind::TimedOut,
                format!("no DHCP server gave an address in {timeout:?}"),
            ),
            _ => error,
        })
    }

    /// The lease this stack has: its address, and the servers and names that came with it. `None`
    /// without [`Builder::dhcp`](super::Builder::dhcp), and while there is none.
    pub fn dhcp_lease(&self) -> Option<Lease> {
        self.running
            .shared()
            .look(|engine| client(engine)?.client.lease().cloned())
    }

    /// What the client sent, and what became of what it got; `None` without
    /// [`Builder::dhcp`](super::Builder::dhcp).
    pub fn dhcp_counters(&self) -> Option<ClientCounters> {
        self.running
            .shared()
            .look(|engine| Some(*client(engine)?.client.counters()))
    }

    /// The next thing that changed about the lease, waiting for it as long as `timeout`; `None`:
    /// nothing did.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] without [`Builder::dhcp`](super::Builder::dhcp); what the device
    /// says if it fails.
    pub fn dhcp_event(&self, timeout: Duration) -> io::Result<Option<Event>> {
        self.event_of(timeout, |engine| {
            let run = client(engine).ok_or_else(|| not_running("client"))?;
            Ok(run.events.pop_front())
        })
    }

    /// Gives the lease back, and waits until that has left. Connections over the address end.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] without [`Builder::dhcp`](super::Builder::dhcp); what the device
    /// says if it fails.
    pub fn dhcp_release(&self) -> io::Result<()> {
        let begun = self.running.shared().with(|engine| {
            engine.advance();
            let run = engine.services.dhcp_client.as_mut()?;
            run.client.release(&mut engine.stack);
            Some(())
        });
        begun.ok_or_else(|| not_running("client"))?;
        let patience = Patience::of(Some(RELEASE));
        let done = Bystander::new(&self.running).block(patience, |engine| {
            let run = client(engine).ok_or(StackError::StaleHandle)?;
            let stopped = run.client.state() == State::Stopped;
            stopped.then_some(()).ok_or(StackError::WouldBlock)
        });
        none_if_late(done).map(drop)
    }

    /// Serves others with addresses: see [`Server`]. `clients` is how many can ask at once. Memory
    /// for them, about a kilobyte each, is never given back: a program has one server, or a few.
    ///
    /// The store's clock is the time of day.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] if there is a server already; what [`Server::new`] says.
    pub fn dhcp_serve(
        &self,
        config: ServerConfig<'static>,
        store: impl Store + Send + 'static,
        clients: usize,
    ) -> io::Result<()> {
        let store = AnyStore(Box::new(store));
        let pending = vec![Pending::FREE; clients].leak();
        self.running.shared().with(|engine| {
            if engine.services.dhcp_server.is_some() {
                return Err(io::Error::new(
                    io::ErrorKind::AlreadyExists,
                    "there is a DHCP server already",
                ));
            }
            let now = engine.clock.now();
            engine.stack.advance(now);
            let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
            let epoch = since_1970
                .map_or(0, |time| time.as_secs())
                .saturating_sub(now.as_micros() / 1_000_000);
            let server = Server::new(&mut engine.stack, IFACE, config, store, pending, epoch)
                .map_err(to_io)?;
            engine.services.dhcp_server = Some(ServerRun {
                server,
                events: VecDeque::new(),
            });
            engine.services.call();
            Ok(())
        })
    }

    /// What the server was asked, what it said, and what it said nothing to; `None` without
    /// [`Net::dhcp_serve`].
    pub fn dhcp_server_counters(&self) -> Option<ServerCounters> {
        self.running
            .shared()
            .look(|engine| Some(*server(engine)?.server.counters()))
    }

    /// The next thing the server did, waiting for it as long as `timeout`; `None`: nothing.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] without [`Net::dhcp_serve`]; what the device says if it fails.
    pub fn dhcp_server_event(&self, timeout: Duration) -> io::Result<Option<ServerEvent>> {
        self.event_of(timeout, |engine| {
            let run = server(engine).ok_or_else(|| not_running("server"))?;
            Ok(run.events.pop_front())
        })
    }

    /// What `take` takes once it is there, waiting for it as long as `timeout`.
    fn event_of<T>(
        &self,
        timeout: Duration,
        mut take: impl FnMut(&mut Engine) -> io::Result<Option<T>>,
    ) -> io::Result<Option<T>> {
        let patience = Patience::of(Some(timeout));
        let waited = Bystander::new(&self.running).block(patience, |engine| match take(engine) {
            Ok(None) => Err(StackError::WouldBlock),
            taken => Ok(taken),
        });
        none_if_late(waited)?.unwrap_or(Ok(None))
    }
}

/// `None` where waiting ended without a result.
fn none_if_late<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
