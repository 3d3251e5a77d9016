//! The time from a server, and for others.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use netloom_services::ntp::{
    Client, ClientConfig, ClientCounters, Estimate, ReferenceClock, ReferenceId, Server,
    ServerCounters, ServerLimits, Update,
};
use netloom_stack::{Error as StackError, Seed};

use super::addrs::ToSocketAddrs;
use super::dns;
use super::error::{Error, Reason, to_io};
use super::runtime::{Patience, Running};
use super::services::Bystander;
use crate::sys;

/// Clients a server remembers, to limit how often each asks.
const CLIENTS: usize = 1024;

/// The host's clock, since 1970. One that stands before that stands at it.
fn host_time() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// A client of one NTP server (RFC 5905), which compares the host's clock with the server's. It
/// does not set it.
///
/// Made by [`Net::ntp_client`](super::Net::ntp_client).
pub struct NtpClient {
    running: Arc<Running>,
    client: Client,
}

impl fmt::Debug for NtpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.client.fmt(f)
    }
}

impl NtpClient {
    /// Goes on with the exchanges until something has happened, `timeout` at most (`None`: for
    /// ever); `Ok(None)` if nothing has.
    ///
    /// # Errors
    /// The device has failed.
    pub fn next_update(&mut self, timeout: Option<Duration>) -> io::Result<Option<Update>> {
        if self.client.refused().is_some() {
            return Ok(None);
        }
        let client = &mut self.client;
        let result = Bystander::new(&self.running).block(Patience::of(timeout), |engine| {
            // The stack's time goes on with its calls: here it must be that of the clock.
            engine.advance();
            let update = client.poll(&mut engine.stack, host_time());
            update.ok_or(StackError::WouldBlock)
        });
        match result {
            Ok(update) => Ok(Some(update)),
            Err(error) if Error::of(&error).map(Error::reason) == Some(&Reason::TimedOut) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// What is known of the server's time now.
    pub fn estimate(&self) -> Option<Estimate> {
        let now = self.running.shared().look(|engine| engine.clock.now());
        self.client.estimate(now)
    }

    /// Whether the exchanges it began with are over, answered or not.
    pub fn burst_is_over(&self) -> bool {
        self.client.burst_is_over()
    }

    /// The kiss of death that ended it, if one did.
    pub fn refused(&self) -> Option<ReferenceId> {
        self.client.refused()
    }

    /// What became of its messages.
    pub fn counters(&self) -> ClientCounters {
        *self.client.counters()
    }
}

impl Drop for NtpClient {
    fn drop(&mut self) {
        let client = &mut self.client;
        self.running
            .shared()
            .with(|engine| client.end(&mut engine.stack));
    }
}

/// An NTP server, which gives the host's time to others.
///
/// Made by [`Net::ntp_server`](super::Net::ntp_server).
pub struct NtpServer {
    running: Arc<Running>,
    /// There until it is dropped.
    server: Option<Box<Server<CLIENTS>>>,
}

impl fmt::Debug for NtpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NtpServer")
            .field("counters", &self.counters())
            .finish_non_exhaustive()
    }
}

impl NtpServer {
    /// Answers requests for `time`; `None`: for ever. `clock` says what the host's clock is worth.
    ///
    /// # Errors
    /// The device has failed.
    pub fn serve(&mut self, clock: &ReferenceClock, time: Option<Duration>) -> io::Result<()> {
        let Some(server) = &mut self.server else {
            return Ok(());
        };
        let result: io::Result<()> =
            Bystander::new(&self.running).block(Patience::of(time), |engine| {
                while server.poll(&mut engine.stack, host_time(), clock) {}
                Err(StackError::WouldBlock)
            });
        match result {
            Err(error) if Error::of(&error).map(Error::reason) == Some(&Reason::TimedOut) => Ok(()),
            result => result,
        }
    }

    /// What became of messages.
    pub fn counters(&self) -> ServerCounters {
        self.server
            .as_ref()
            .map(|server| *server.counters())
            .unwrap_or_default()
    }
}

impl Drop for NtpServer {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            self.running
                .shared()
                .with(|engine| server.end(&mut engine.stack));
        }
    }
}

impl super::Net {
    /// Begins to ask an NTP server for the time: the first of its addresses, if it is a name.
    ///
    /// # Errors
    /// As looking up a name; nothing is sent yet.
    pub fn ntp_client(&self, server: impl ToSocketAddrs) -> io::Result<NtpClient> {
        let addresses = dns::addresses_of(&self.running, &server)?;
        let first = addresses.first().ok_or(io::ErrorKind::InvalidInput)?;
        self.ntp_client_with(ClientConfig::new(*first))
    }

    /// [`Net::ntp_client`](super::Net::ntp_client) with settings of one's own.
    ///
    /// # Errors
    /// No randomness is to be had.
    pub fn ntp_client_with(&self, config: ClientConfig) -> io::Result<NtpClient> {
        let mut seed = [0; 32];
        sys::random_bytes(&mut seed)?;
        Ok(NtpClient {
            running: Arc::clone(&self.running),
            client: Client::new(config, Seed::from(seed)),
        })
    }

    /// Opens an NTP server at a port, usually 123. It answers while [`NtpServer::serve`] is being
    /// called.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrInUse`].
    pub fn ntp_server(&self, port: u16, limits: ServerLimits) -> io::Result<NtpServer> {
        let opened = self
            .running
            .shared()
            .with(|engine| Server::new(&mut engine.stack, port, limits));
        Ok(NtpServer {
            running: Arc::clone(&self.running),
            server: Some(Box::new(opened.map_err(to_io)?)),
        })
    }
}
