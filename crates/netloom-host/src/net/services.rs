//! Services of a stack: what has sockets in it that are no program's.
//!
//! Some live in the runtime, the resolver and DHCP; others in a call, as an exchange of NTP or
//! connecting by name. Their sockets have no places. So news of a socket that has none concerns
//! all services: those in the runtime are run, and whoever waits for one looks whether it was his.

use std::io;
use std::sync::Arc;

use netloom_stack::{Error as StackError, Stack};

use super::dhcp::{ClientRun, ServerRun};
use super::dns::Dns;
use super::engine::Engine;
use super::parking::{Parking, Side};
use super::runtime::{Patience, Running};

/// The services that live in the runtime, and who waits for any.
#[derive(Debug, Default)]
pub(super) struct Services {
    /// Who knows names, if anybody does.
    pub(super) dns: Option<Dns>,
    pub(super) dhcp_client: Option<ClientRun>,
    pub(super) dhcp_server: Option<ServerRun>,
    /// Threads that wait for services.
    pub(super) threads: Vec<Arc<Parking>>,
    /// Tasks that do.
    #[cfg(any(feature = "channel", feature = "tokio"))]
    pub(super) tasks: super::tasks::Tasks,
    /// They may have something to do.
    due: bool,
    /// How often those who wait were told of news.
    pub(super) news: u64,
}

impl Services {
    /// They may have something to do, if there are any.
    pub(super) fn call(&mut self) {
        let lives = self.dns.is_some() || self.dhcp_client.is_some() || self.dhcp_server.is_some();
        let waits = !self.threads.is_empty();
        #[cfg(any(feature = "channel", feature = "tokio"))]
        let waits = waits || self.tasks.is_awaited();
        self.due |= lives || waits;
    }

    pub(super) fn are_due(&self) -> bool {
        self.due
    }

    /// Has those in the runtime do it.
    pub(super) fn run(&mut self, stack: &mut Stack) {
        self.due = false;
        if let Some(client) = &mut self.dhcp_client {
            client.run(stack, &mut self.dns);
        }
        if let Some(dns) = &mut self.dns {
            dns.resolver.poll(stack);
        }
        if let Some(server) = &mut self.dhcp_server {
            server.run(stack);
        }
    }
}

/// A thread among those that wait for services, while it lives.
pub(super) struct Bystander<'r> {
    running: &'r Running,
    parking: Arc<Parking>,
}

impl<'r> Bystander<'r> {
    pub(super) fn new(running: &'r Running) -> Bystander<'r> {
        let parking = Arc::<Parking>::default();
        let waiter = Arc::clone(&parking);
        running
            .shared()
            .look(|engine| engine.services.threads.push(waiter));
        Bystander { running, parking }
    }

    /// Calls the engine until it has something else to say than that it would block.
    pub(super) fn block<T>(
        &self,
        patience: Patience,
        mut call: impl FnMut(&mut Engine) -> Result<T, StackError>,
    ) -> io::Result<T> {
        let shared = self.running.shared();
        shared.block(&self.parking, Side::Read, patience, |engine| {
            loop {
                let before = engine.services.news;
                let result = call(engine);
                if !matches!(result, Err(StackError::WouldBlock)) {
                    return result;
                }
                // Unlike a socket's call, one that has to wait may have sent something first, and what
                // is on this host has answered by then.
                if !engine.let_go() {
                    engine.settle();
                }
                if engine.services.news == before {
                    return result;
                }
            }
        })
    }
}

impl Drop for Bystander<'_> {
    fn drop(&mut self) {
        self.running.shared().look(|engine| {
            let threads = &mut engine.services.threads;
            threads.retain(|other| !Arc::ptr_eq(other, &self.parking));
        });
    }
}
