//! An HTTP/1.1 server of static files over any blocking byte stream: `netloom serve`.
//!
//! [`Server::serve`] takes connections from a [`Listener`], gives each a thread, and answers GET
//! and HEAD with files and folder listings of one [`Root`], never with anything outside it, and
//! stores what is sent with PUT, if it is told where ([`Uploads`]). What
//! it speaks is RFC 9110 (semantics: ranges, conditions) and RFC 9112 (messages, connections).
//!
//! | file | what is in it |
//! |---|---|
//! | `session` | one connection: receive, answer, keep or close |
//! | `path`, `root` | from a target to a path; from a path to an open file, inside the folder |
//! | `file`, `condition`, `mime`, `listing` | from a request to its response |
//! | `upload`, `temporary` | files that clients send, complete or not at all |
//! | `response`, `wire` | what is sent, and how |
//! | `pool` | threads |
//! | `command` | the command line |
//!
//! # Against clients that mean harm
//!
//! A connection takes one thread of [`Limits::threads`] with a small stack and two buffers (96 KiB,
//! touched as far as used). Time is bounded as a whole, not for each octet: a head, a body and each
//! full buffer sent must be through in their time. While connections wait for a thread, none is
//! kept alive. A request outside the grammar is refused, and its connection closed.

#[cfg(target_os = "linux")]
pub mod command;
mod condition;
mod file;
mod listing;
mod mime;
mod path;
mod pool;
mod response;
mod root;
mod session;
mod temporary;
mod upload;
mod wire;

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::io::Errno;

pub use crate::stream::{Connection, Listener};
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
    /// How long a closed connection waits for the client to close its side.
    pub linger_timeout: Duration,
    /// Connections served at once; further ones wait.
    pub threads: usize,
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
            linger_timeout: Duration::from_secs(2),
            threads: 1024,
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

    /// Serves the connections of `listener` until it has no more to give. Connections already
    /// accepted go on after that.
    ///
    /// # Errors
    ///
    /// What [`Listener::accept`] ended with.
    pub fn serve<L: Listener>(self, listener: &L) -> io::Result<()> {
        /// While there is no descriptor or memory for another connection.
        const BACK_OFF: Duration = Duration::from_millis(50);
        let server = Arc::new(self);
        let pool = Pool::new(server.limits.threads);
        loop {
            match listener.accept() {
                Ok((connection, peer)) => {
                    let server = Arc::clone(&server);
                    pool.run(move |pressure| session::run(&server, connection, peer, pressure));
                }
                Err(error) => match Failure::of(&error) {
                    Failure::OfConnection => {}
                    Failure::Passing => thread::sleep(BACK_OFF),
                    Failure::Final => return Err(error),
                },
            }
        }
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
