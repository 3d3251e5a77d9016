//! Names: the resolver that runs with a stack, and the calls that wait for it.

use std::io;
use std::net::{IpAddr, SocketAddr};

use netloom_services::dns::{
    Answer, BeginError, Counters, Failure, Name, Query, RecordType, Resolver,
};
use netloom_stack::{Error as StackError, Seed, Stack};

use super::addrs::ToSocketAddrs;
use super::engine::Engine;
use super::error::{Error, Reason};
use super::lookup;
use super::runtime::{Patience, Running};
use super::services::Bystander;
use crate::sys;

/// 16 names at once; answers of 4 KiB; 64 KiB of memory; messages as long as there are.
pub(super) type HostResolver = Resolver<16, 4096, 65_536, 65_535>;

/// The resolver of a stack.
#[derive(Debug)]
pub(super) struct Dns {
    pub(super) resolver: Box<HostResolver>,
}

impl Dns {
    pub(super) fn new(config: netloom_services::dns::Config, seed: Seed) -> Dns {
        Dns {
            resolver: Box::new(HostResolver::new(config, seed)),
        }
    }
}

/// Calls the resolver until it need not wait.
fn block<T>(
    running: &Running,
    mut ask: impl FnMut(&mut Stack, &mut HostResolver) -> Result<T, StackError>,
) -> io::Result<T> {
    Bystander::new(running).block(Patience::of(None), |engine| call(engine, &mut ask))
}

/// Calls the resolver once.
pub(super) fn call<T>(
    engine: &mut Engine,
    ask: impl FnOnce(&mut Stack, &mut HostResolver) -> Result<T, StackError>,
) -> Result<T, StackError> {
    let result = match engine.with_dns(ask) {
        Some(result) => result,
        // It is only asked for where there is one.
        None => Err(StackError::NotConnected),
    };
    if result.is_ok() {
        // A place may be free for another.
        engine.wake_services();
    }
    result
}

impl Engine {
    /// Calls the resolver with the stack, if there is one.
    fn with_dns<T>(&mut self, call: impl FnOnce(&mut Stack, &mut HostResolver) -> T) -> Option<T> {
        // What the call starts counts from now.
        self.advance();
        let Engine {
            stack, services, ..
        } = self;
        let dns = services.dns.as_mut()?;
        Some(call(stack, &mut dns.resolver))
    }
}

/// A name and a port, where `to` is that and there is somebody to ask about it.
pub(super) fn name_of(running: &Running, to: &impl ToSocketAddrs) -> Option<(String, u16)> {
    let (name, port) = to.name_and_port()?;
    running
        .shared()
        .look(|engine| engine.services.dns.is_some())
        .then(|| (name.to_owned(), port))
}

/// The addresses `to` stands for, by looking up its name if it has one.
pub(super) fn addresses_of(
    running: &Running,
    to: &impl ToSocketAddrs,
) -> io::Result<Vec<SocketAddr>> {
    match name_of(running, to) {
        Some((name, port)) => lookup::addresses(running, &name, port),
        None => to.to_socket_addrs(),
    }
}

/// [`addresses_of`] for a task.
#[cfg(feature = "tokio")]
pub(super) async fn addresses_of_from_task(
    running: &Running,
    to: impl ToSocketAddrs,
) -> io::Result<Vec<SocketAddr>> {
    match name_of(running, &to) {
        Some((name, port)) => lookup::addresses_from_task(running, &name, port).await,
        None => to.to_socket_addrs(),
    }
}

/// Looks up records of one type.
pub(super) fn query<T>(
    running: &Running,
    name: &str,
    kind: RecordType,
    take: impl FnOnce(&Answer<'_>) -> T,
) -> io::Result<T> {
    let (mut under_way, mut take) = (None, Some(take));
    let result = block(running, |stack, dns| {
        let query = match under_way {
            Some(query) => query,
            None => match dns.begin(stack, name, kind) {
                Ok(query) => *under_way.insert(query),
                Err(error) => return refused(error),
            },
        };
        let answer = dns.answer(query).ok_or(StackError::WouldBlock)?;
        let taken = answer.map(|answer| take.take().map(|take| take(&answer)));
        dns.end(stack, query);
        under_way = None;
        Ok(taken)
    });
    give_back(running, under_way.as_slice());
    match result.map_err(|error| begun(name, error))? {
        Ok(Some(taken)) => Ok(taken),
        Ok(None) => Err(failed(name, Failure::NoSuchRecord)),
        Err(failure) => Err(failed(name, failure)),
    }
}

/// Gives queries back that were begun and are not wanted any more.
fn give_back(running: &Running, queries: &[Query]) {
    if queries.is_empty() {
        return;
    }
    running.shared().with(|engine| {
        engine.with_dns(|stack, dns| {
            for query in queries {
                dns.end(stack, *query);
            }
        });
    });
}

/// Waits while too many names are being looked up; what is no name fails.
pub(super) fn refused<T>(error: BeginError) -> Result<T, StackError> {
    Err(match error {
        BeginError::TooMany => StackError::WouldBlock,
        _ => StackError::InvalidArgument,
    })
}

pub(super) fn begun(name: &str, error: io::Error) -> io::Error {
    match Error::of(&error).map(Error::reason) {
        Some(Reason::Stack(StackError::InvalidArgument)) => io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("`{name}` is no domain name"),
        ),
        _ => error,
    }
}

pub(super) fn failed(name: &str, failure: Failure) -> io::Error {
    Error::from(Reason::Lookup {
        name: name.into(),
        failure,
    })
    .into()
}

impl super::Net {
    /// The addresses of a name, in the order in which to try them (RFC 6724). A numeric address
    /// stands for itself.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if there is no such name, or it has no addresses;
    /// [`io::ErrorKind::TimedOut`]; [`io::ErrorKind::Unsupported`] without
    /// [`Builder::dns`](super::Builder::dns); [`io::ErrorKind::InvalidInput`] for what is no name.
    #[doc(alias = "getaddrinfo")]
    pub fn lookup_host(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        self.must_have_dns()?;
        let found = lookup::addresses(&self.running, name, 0)?;
        Ok(found.into_iter().map(|addr| addr.ip()).collect())
    }

    /// Looks up records of one type; `take` takes what it needs out of the answer, while the stack
    /// stands still.
    ///
    /// # Errors
    /// As [`Net::lookup_host`](super::Net::lookup_host).
    pub fn dns_query<T>(
        &self,
        name: &str,
        kind: RecordType,
        take: impl FnOnce(&Answer<'_>) -> T,
    ) -> io::Result<T> {
        self.must_have_dns()?;
        query(&self.running, name, kind, take)
    }

    /// Replaces the DNS servers, four at most, and forgets what the old ones said; of a stack that
    /// had none, they are its first. No servers: as before there were any. From now on no DHCP
    /// lease says whom to ask.
    ///
    /// # Errors
    /// No randomness is to be had.
    pub fn set_dns_servers(&self, servers: &[SocketAddr]) -> io::Result<()> {
        if self.must_have_dns().is_err() {
            let mut seed = [0; 32];
            sys::random_bytes(&mut seed)?;
            let dns = Dns::new(Default::default(), Seed::from(seed));
            self.running.shared().look(|engine| {
                engine.services.dns.get_or_insert(dns);
            });
        }
        self.running.shared().look(|engine| {
            if let Some(client) = &mut engine.services.dhcp_client {
                client.leave_names();
            }
        });
        self.with_dns(|dns| {
            dns.clear();
            dns.set_servers(servers);
        })
    }

    /// Replaces the domains that complete names.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] before there were servers;
    /// [`io::ErrorKind::InvalidInput`] beyond 256 octets in all.
    pub fn set_dns_search(&self, domains: &[Name]) -> io::Result<()> {
        self.with_dns(|dns| dns.set_search(domains))?
            .map_err(|_| io::ErrorKind::InvalidInput.into())
    }

    /// Gives a name addresses, as `/etc/hosts` does; see [`Resolver::add_host`].
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] before there were servers; [`io::ErrorKind::OutOfMemory`] if there is no room for more.
    pub fn add_host(&self, name: &Name, addrs: &[IpAddr]) -> io::Result<()> {
        self.with_dns(|dns| dns.add_host(name, addrs))?
            .map_err(|_| io::ErrorKind::OutOfMemory.into())
    }

    /// Forgets what DNS servers have said.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] before there were servers.
    pub fn clear_dns_cache(&self) -> io::Result<()> {
        self.with_dns(|dns| dns.clear())
    }

    /// What became of DNS queries and replies; `None` without
    /// [`Builder::dns`](super::Builder::dns).
    pub fn dns_counters(&self) -> Option<Counters> {
        self.with_dns(|dns| *dns.counters()).ok()
    }

    fn with_dns<T>(&self, call: impl FnOnce(&mut HostResolver) -> T) -> io::Result<T> {
        self.running
            .shared()
            .with(|engine| engine.with_dns(|_, dns| call(dns)))
            .ok_or_else(no_dns)
    }

    /// Whether DNS servers were named.
    pub(super) fn has_dns(&self) -> bool {
        self.must_have_dns().is_ok()
    }

    fn must_have_dns(&self) -> io::Result<()> {
        self.with_dns(|_| ())
    }
}

fn no_dns() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "no DNS server was named: name one with Builder::dns",
    )
}
