//! The addresses of a name, looked up by threads and by tasks.

use std::io;
use std::net::SocketAddr;

use netloom_services::dns::{Failure, Query, RecordType, sort_destinations};
use netloom_stack::{Error as StackError, Stack};

use super::dns::{HostResolver, begun, call, failed, refused};
use super::engine::Engine;
use super::runtime::{Patience, Running};
use super::services::Bystander;

/// The addresses of a name, in the order in which to try them. The thread waits for them.
pub(super) fn addresses(running: &Running, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let mut lookup = Lookup::new(running, name, port);
    let result = Bystander::new(running).block(Patience::of(None), |engine| lookup.poll(engine));
    lookup.finish(result)
}

/// [`addresses`] for a task. Dropped before it is done, it has looked nothing up.
#[cfg(feature = "tokio")]
pub(super) async fn addresses_from_task(
    running: &Running,
    name: &str,
    port: u16,
) -> io::Result<Vec<SocketAddr>> {
    let mut lookup = Lookup::new(running, name, port);
    let result = std::future::poll_fn(|cx| {
        running
            .shared()
            .poll(cx, Engine::watch_services, |engine| lookup.poll(engine))
    });
    let result = result.await;
    lookup.finish(result)
}

/// What was found, and of the questions that failed the failure that says more.
type Found = (Vec<SocketAddr>, Option<Failure>);

/// One name under way; given up when dropped.
struct Lookup<'l> {
    running: &'l Running,
    name: &'l str,
    port: u16,
    /// One for each kind of address, while they are out.
    queries: Vec<Query>,
}

impl<'l> Lookup<'l> {
    fn new(running: &'l Running, name: &'l str, port: u16) -> Lookup<'l> {
        Lookup {
            running,
            name,
            port,
            queries: Vec::new(),
        }
    }

    /// Goes on as far as it can.
    fn poll(&mut self, engine: &mut Engine) -> Result<Found, StackError> {
        call(engine, |stack, dns| self.ask(stack, dns))
    }

    fn ask(&mut self, stack: &mut Stack, dns: &mut HostResolver) -> Result<Found, StackError> {
        if self.queries.is_empty() {
            for kind in [RecordType::AAAA, RecordType::A] {
                match dns.begin(stack, self.name, kind) {
                    Ok(query) => self.queries.push(query),
                    Err(error) => {
                        self.end(stack, dns);
                        return refused(error);
                    }
                }
            }
        }
        if self
            .queries
            .iter()
            .any(|query| dns.answer(*query).is_none())
        {
            return Err(StackError::WouldBlock);
        }
        let (mut found, mut failure) = (Vec::new(), None);
        for query in &self.queries {
            match dns.answer(*query) {
                Some(Ok(answer)) => {
                    found.extend(answer.addresses().map(|ip| SocketAddr::new(ip, self.port)));
                }
                Some(Err(why)) => failure = Some(worse(failure, why)),
                None => {}
            }
        }
        self.end(stack, dns);
        sort_destinations(stack, &mut found);
        Ok((found, failure))
    }

    fn end(&mut self, stack: &mut Stack, dns: &mut HostResolver) {
        for query in self.queries.drain(..) {
            dns.end(stack, query);
        }
    }

    fn finish(&self, result: io::Result<Found>) -> io::Result<Vec<SocketAddr>> {
        let (found, failure) = result.map_err(|error| begun(self.name, error))?;
        if found.is_empty() {
            let failure = failure.unwrap_or(Failure::NoSuchRecord);
            return Err(failed(self.name, failure));
        }
        Ok(found)
    }
}

impl Drop for Lookup<'_> {
    fn drop(&mut self) {
        if self.queries.is_empty() {
            return;
        }
        self.running.shared().with(|engine| {
            // Its places may be free for another.
            let _ = call(engine, |stack, dns| {
                self.end(stack, dns);
                Ok(())
            });
        });
    }
}

/// Of two failures the one that says more.
fn worse(known: Option<Failure>, new: Failure) -> Failure {
    match known {
        Some(known) if new == Failure::NoSuchRecord => known,
        _ => new,
    }
}
