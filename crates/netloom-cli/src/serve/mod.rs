//! An HTTP/1.1 server of static files: `netloom serve`.
//!
//! [`Server::serve`] takes the connections of a listener and answers GET
//! and HEAD with files and folder listings of one [`Root`], never with anything outside it, and
//! stores what is sent with PUT, if it is told where ([`Uploads`]). What
//! it speaks is RFC 9110 (semantics: ranges, conditions) and RFC 9112 (messages, connections).
//!
//! One thread for each processor serves all connections in turn: those between two requests have
//! none, and those whose client is waited for in the middle of something keep the thread they are
//! on, in whose place another serves on. A request that comes and is answered at once costs no
//! change of threads.
//!
//! | file | what is in it |
//! |---|---|
//! | `session` | one connection: receive, answer, keep or close |
//! | `path`, `root`, `kept` | from a target to a path; from a path to a file, inside the folder; small files that need not be opened again |
//! | `file`, `condition`, `mime`, `listing` | from a request to its response |
//! | `upload`, `temporary` | files that clients send, complete or not at all |
//! | `response`, `wire` | what is sent, and how |
//! | `service` | all connections: accept, wait for all of them, time them out |
//! | `idle` | those that nobody serves now |
//! | `crew`, `pool` | threads |
//! | `command` | the command line |
//!
//! # Against clients that mean harm
//!
//! A client that is waited for in the middle of something holds one thread of [`Limits::threads`]
//! with a small stack and two buffers (96 KiB, touched as far as used), one that says nothing holds
//! neither. One that reads slowly holds, besides, what the stack keeps for it until it is acknowledged:
//! up to `tcp_wmem`, 1 MiB, of a budget for all connections (`Limits::buffers` of the stack, 1 GiB),
//! beyond which writing waits. Time is bounded as a whole, not for each octet: a head, a body and each
//! full buffer sent must be through in their time. While every thread waits for a client, whoever
//! takes longer than [`Limits::short_timeout`] over his makes room for the next, one at a time:
//! however many take or send next to nothing, they stop nobody else. Where there are
//! [`Limits::connections`], whoever has waited longest for a request makes room for the next; if none
//! does, none is kept alive. A request outside the grammar is refused, and its connection closed.

pub mod command;
mod condition;
mod crew;
mod file;
mod idle;
mod kept;
mod listing;
mod mime;
mod path;
mod pool;
mod response;
mod root;
mod service;
mod session;
mod temporary;
mod upload;
mod wire;

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use netloom::{Net, TcpListener};
use rustix::io::Errno;

pub use crate::stream::Connection;
pub use netloom_services::http::{HeadLimits, Status};
pub use root::Root;
pub use upload::Uploads;

pub(crate) use pool::Pool;

/// What one client may take of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The size of a request's head.
    pub head: HeadLimits,
    /// Octets of a request's body, other than an upload's, that are read away for the sake of
    /// keeping the connection.
    pub body: u64,
    /// From the first octet of a head to its last; for the first request of a connection, also
    /// until the first octet.
    pub head_timeout: Duration,
    /// From the end of a head to the end of its body, other than an upload's.
    pub body_timeout: Duration,
    /// How long the client may take over 64 KiB of an upload.
    pub upload_timeout: Duration,
    /// Between two requests.
    pub idle_timeout: Duration,
    /// How long the client may take over 64 KiB of a response.
    pub write_timeout: Duration,
    /// How long the client may take over a head, or over 64 KiB of a body or a response, while every
    /// thread waits for a client: one that takes longer is given up for the sake of the others.
    pub short_timeout: Duration,
    /// How long a closed connection waits for the client to close its side.
    pub linger_timeout: Duration,
    /// Clients waited for at once in the middle of something, each on a thread; others wait then, until
    /// one is done or has taken longer than `short_timeout`.
    pub threads: usize,
    /// Connections at once; further ones wait until there is room.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: HeadLimits::default(),
            body: 64 * 1024,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            upload_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
            short_timeout: Duration::from_secs(2),
            linger_timeout: Duration::from_secs(2),
            threads: 1024,
            connections: 10_000,
        }
    }
}

/// One request and what became of it, for an access log.
///
/// It displays as one line of ASCII without control characters, whatever the client sent.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct AccessRecord<'a> {
    /// Who asked.
    pub peer: SocketAddr,
    /// Method, target and version, escaped; `-` for what could not be parsed.
    pub request_line: &'a str,
    /// What was answered.
    pub status: Status,
    /// Octets of content the response promised.
    pub content_length: u64,
    /// Whether all of it was handed to the transport.
    pub is_complete: bool,
    /// From the first octet of the request to the last one handed to the transport or the buffer.
    pub duration: Duration,
}

impl fmt::Display for AccessRecord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            peer,
            request_line,
            status,
            content_length,
            is_complete,
            duration,
        } = self;
        let micros = duration.as_micros();
        let code = status.code();
        let (millis, micros) = (micros / 1000, micros % 1000);
        write!(
            f,
            "{peer} \"{request_line}\" {code} {content_length} {millis}.{micros:03} ms"
        )?;
        if *is_complete {
            Ok(())
        } else {
            f.write_str(" aborted")
        }
    }
}

type Log = Box<dyn Fn(&AccessRecord<'_>) + Send + Sync>;

/// A server of one folder.
pub struct Server {
    root: Root,
    limits: Limits,
    uploads: Option<Uploads>,
    log: Option<Log>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            root,
            limits,
            uploads,
            log: _,
        } = self;
        f.debug_struct("Server")
            .field("root", root)
            .field("limits", limits)
            .field("uploads", uploads)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// A server of `root` that logs nothing.
    #[must_use]
    pub fn new(root: Root, limits: Limits) -> Self {
        Self {
            root,
            limits,
            uploads: None,
            log: None,
        }
    }

    /// Takes files that clients send with PUT. Without this, PUT is not allowed.
    #[must_use]
    pub fn with_uploads(mut self, uploads: Uploads) -> Self {
        self.uploads = Some(uploads);
        self
    }

    /// Calls `log` after every response, on the thread of its connection.
    #[must_use]
    pub fn with_log(mut self, log: impl Fn(&AccessRecord<'_>) + Send + Sync + 'static) -> Self {
        self.log = Some(Box::new(log));
        self
    }

    /// Serves the connections of `listener`, a socket of `net`, until it has no more to give.
    /// Connections already accepted go on after that.
    ///
    /// # Errors
    ///
    /// What accepting ended with; no thread can be had.
    pub fn serve(self, net: &Net, listener: TcpListener) -> io::Result<()> {
        service::run(self, net, listener)
    }
}

/// What an error of `accept` concerns.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// One connection, which is gone.
    OfConnection,
    /// The system, for a while.
    Passing,
    /// The listener.
    Final,
}

impl Failure {
    pub(crate) fn of(error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted => {
                return Self::OfConnection;
            }
            ErrorKind::OutOfMemory | ErrorKind::WouldBlock => return Self::Passing,
            _ => {}
        }
        match Errno::from_io_error(error) {
            // accept(2) also reports what happened to the new connection before it was accepted.
            Some(
                Errno::PROTO
                | Errno::NETDOWN
                | Errno::NETUNREACH
                | Errno::HOSTDOWN
                | Errno::HOSTUNREACH
                | Errno::NOPROTOOPT
                | Errno::OPNOTSUPP,
            ) => Self::OfConnection,
            Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => Self::Passing,
            Some(_) | None => Self::Final,
        }
    }
}

#[cfg(test)]
mod tests;
