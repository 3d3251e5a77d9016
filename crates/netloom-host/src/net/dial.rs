//! Connecting to a name, or to addresses of which there may be several: one after the other, each
//! beside those before it that have not answered (RFC 8305, "happy eyeballs"). Threads and tasks
//! both connect by this.

use std::net::SocketAddr;
use std::sync::Arc;

use netloom_services::dns::{Attempts, ConnectError, Connector, ConnectorSettings, Failure};
use netloom_stack::{Error as StackError, Stack, TcpHandle};

use super::addrs::ToSocketAddrs;
use super::dns::{self, begun, failed, refused};
use super::engine::Engine;
use super::error::{Error, Reason, from_io};
use super::runtime::{Patience, Running};
use super::services::Bystander;
use super::socket::Socket;
use super::tcp_stream::TcpStream;

/// Addresses tried at most.
const ADDRESSES: usize = 16;

/// Whom to connect to.
#[derive(Debug, Clone)]
pub(super) enum Target {
    /// A name that the stack's resolver knows, and a port.
    Name(String, u16),
    /// Addresses, in the order in which to try them; of more than 16 the first 16.
    Addresses(Vec<SocketAddr>),
}

impl Target {
    /// What a program has named.
    pub(super) fn of(running: &Running, to: &impl ToSocketAddrs) -> std::io::Result<Target> {
        match dns::name_of(running, to) {
            Some((name, port)) => Ok(Target::Name(name, port)),
            None => to.to_socket_addrs().map(Target::Addresses),
        }
    }

    /// The address, if it is one: then there is nothing to choose, and who waits for his own
    /// connection is not disturbed by those of others.
    pub(super) fn single(&self) -> Option<SocketAddr> {
        match self {
            Target::Addresses(addresses) => match addresses.as_slice() {
                [address] => Some(*address),
                _ => None,
            },
            Target::Name(..) => None,
        }
    }
}

/// Connects, and waits until a connection is open; `open` begins one.
pub(super) fn dial(
    running: &Arc<Running>,
    target: &Target,
    patience: Patience,
    open: impl FnMut(&mut Stack, SocketAddr) -> Result<TcpHandle, StackError>,
) -> Result<TcpStream, Error> {
    let mut dial = Dial::new(running, target, open);
    let result = Bystander::new(running).block(patience, |engine| dial.poll(engine));
    match result.map_err(from_io) {
        Ok(result) => dial.finish(result),
        Err(error) if *error.reason() == Reason::TimedOut => Err(Reason::TimedOut.into()),
        Err(error) => Err(dial.explain(error)),
    }
}

/// [`dial`] for a task.
#[cfg(any(feature = "channel", feature = "tokio"))]
pub(super) async fn dial_from_task(
    running: &Arc<Running>,
    target: &Target,
    open: impl FnMut(&mut Stack, SocketAddr) -> Result<TcpHandle, StackError>,
) -> Result<TcpStream, Error> {
    let mut dial = Dial::new(running, target, open);
    let result = std::future::poll_fn(|cx| {
        running
            .shared()
            .poll(cx, Engine::watch_services, |engine| dial.poll(engine))
    });
    match result.await.map_err(from_io) {
        Ok(result) => dial.finish(result),
        Err(error) => Err(dial.explain(error)),
    }
}

/// What is under way.
enum Stage {
    Name(Connector<ADDRESSES>),
    Addresses(Attempts<ADDRESSES>),
}

/// One connection under way; given up when dropped.
struct Dial<'d, O> {
    running: &'d Arc<Running>,
    target: &'d Target,
    open: O,
    stage: Option<Stage>,
}

/// A connection that is open: its socket, ours and the peer's address.
type Connected = (Socket<TcpHandle>, SocketAddr, SocketAddr);

impl<'d, O> Dial<'d, O>
where
    O: FnMut(&mut Stack, SocketAddr) -> Result<TcpHandle, StackError>,
{
    fn new(running: &'d Arc<Running>, target: &'d Target, open: O) -> Dial<'d, O> {
        Dial {
            running,
            target,
            open,
            stage: None,
        }
    }

    /// Goes on as far as it can. What is wrong with the name itself, and that it has to wait, are
    /// the outer errors.
    fn poll(&mut self, engine: &mut Engine) -> Result<Result<Connected, ConnectError>, StackError> {
        // What begins here counts from now.
        engine.advance();
        let stack = &mut engine.stack;
        let dns = engine.services.dns.as_mut().map(|dns| &mut dns.resolver);
        let result = match (self.target, dns) {
            (Target::Addresses(addresses), _) => {
                let stage = self.stage.get_or_insert_with(|| {
                    let mut attempts = Attempts::new(stack, Attempts::<ADDRESSES>::DELAY);
                    // What there is no room for is not tried.
                    addresses.iter().for_each(|to| {
                        attempts.add(*to);
                    });
                    Stage::Addresses(attempts)
                });
                match stage {
                    Stage::Addresses(attempts) => attempts
                        .poll(stack, &mut self.open)
                        .map(|result| result.map_err(ConnectError::Connect)),
                    Stage::Name(_) => None,
                }
            }
            (Target::Name(name, port), Some(dns)) => {
                if self.stage.is_none() {
                    let settings = ConnectorSettings::default();
                    let begun = Connector::begin(stack, dns, name, *port, settings);
                    self.stage = Some(Stage::Name(begun.or_else(refused)?));
                }
                match &mut self.stage {
                    Some(Stage::Name(connector)) => connector.poll(stack, dns, &mut self.open),
                    Some(Stage::Addresses(_)) | None => None,
                }
            }
            // There was one when it was asked whether there is.
            (Target::Name(..), None) => Some(Err(ConnectError::Lookup(Failure::NoServers))),
        };
        let result = result.ok_or(StackError::WouldBlock)?;
        self.stage = None;
        // A place may be free for another.
        engine.wake_services();
        Ok(match result {
            Ok(handle) => {
                let ends = engine.stack.tcp_local_addr(handle);
                let ends = ends.and_then(|ours| Ok((ours, engine.stack.tcp_peer_addr(handle)?)));
                let place = (handle, engine.add(handle));
                let (ours, theirs) = ends?;
                Ok((Socket::new(self.running, place), ours, theirs))
            }
            Err(error) => Err(error),
        })
    }

    fn finish(&self, result: Result<Connected, ConnectError>) -> Result<TcpStream, Error> {
        match result {
            Ok((socket, ours, theirs)) => Ok(TcpStream::new(socket, ours, theirs)),
            Err(ConnectError::Connect(error)) => Err(error.into()),
            Err(ConnectError::Lookup(failure)) => Err(from_io(failed(self.name(), failure))),
            Err(_) => Err(Reason::Other("the connection did not come about".into()).into()),
        }
    }

    /// The same error, of a name that is none.
    fn explain(&self, error: Error) -> Error {
        match self.target {
            Target::Name(name, _) => from_io(begun(name, error.into())),
            Target::Addresses(_) => error,
        }
    }

    fn name(&self) -> &str {
        match self.target {
            Target::Name(name, _) => name,
            Target::Addresses(_) => "",
        }
    }
}

impl<O> Drop for Dial<'_, O> {
    fn drop(&mut self) {
        let Some(mut stage) = self.stage.take() else {
            return;
        };
        self.running.shared().with(|engine| {
            let stack = &mut engine.stack;
            match (&mut stage, &mut engine.services.dns) {
                (Stage::Name(connector), Some(dns)) => connector.end(stack, &mut *dns.resolver),
                // A resolver never goes before the stack does.
                (Stage::Name(_), None) => {}
                (Stage::Addresses(attempts), _) => attempts.end(stack),
            }
            engine.wake_services();
        });
    }
}
