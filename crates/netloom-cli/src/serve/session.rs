//! One connection from its first request to its end (RFC 9112 §9).

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use netloom_services::http::{
    Framing, Head, Method, Output, Persistence, ReadError, Refusal, Request, Status,
};

use super::crew::Pressure;
use super::file;
use super::response::{Content, FileContent, Octets, Response};
use super::upload::Upload;
use super::wire::Wire;
use super::{AccessRecord, Limits, Server};
use crate::stream::{Connection, Patience, Timed};

#[cfg(test)]
mod tests;

/// The content is copied through a buffer of this many octets.
const OUTPUT_BUFFER: usize = 64 * 1024;

/// Octets of a body received at once, beside the head it belongs to.
const BODY_BUFFER: usize = 16 * 1024;

/// Requests of one connection that are served before others are served beside it.
const MAX_IN_A_ROW: u32 = 64;

/// An upload is given its time anew after this many octets.
const UPLOAD_STEP: usize = 64 * 1024;

/// What is read away at most while a connection closes.
pub(crate) const MAX_LINGER: usize = 16 * 1024 * 1024;

/// What a thread serves connections with, one after the other.
pub(crate) struct Buffers {
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Buffers {
    /// Each is allocated once, and its pages are touched only as far as they are used.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            input: vec![0; limits.head.head + BODY_BUFFER],
            output: vec![0; OUTPUT_BUFFER],
        }
    }

    /// Memory for what is read away.
    pub(crate) fn scratch(&mut self) -> &mut [u8] {
        &mut self.input
    }
}

/// Where a connection stands.
#[derive(Debug)]
pub(crate) enum Turn<C> {
    /// All that came is answered: whoever attends the connection waits for the next request. Says
    /// whether there was any.
    Waits(Timed<C>, bool),
    /// It is to be closed in order.
    Closes(Timed<C>),
    /// It has failed: there is nobody to say it to.
    Over,
}

/// Serves the requests of `connection`, one after the other, until it ends or its attendant is to
/// wait for the next. The first may take `wait` to begin.
pub(crate) fn turn<C: Connection>(
    server: &Server,
    connection: Timed<C>,
    peer: SocketAddr,
    pressure: &Pressure,
    buffers: &mut Buffers,
    wait: Duration,
) -> Turn<C> {
    let mut session = Session {
        server,
        peer,
        pressure,
        head: Head::with_limits(&mut buffers.input, server.limits.head),
        wire: Wire {
            connection,
            output: Output::with_buffer(&mut buffers.output),
        },
    };
    let ended = session.exchange_all(wait);
    let mut connection = session.wire.connection;
    connection.rejoin();
    match ended {
        Ok(Ended::Idle { served }) => Turn::Waits(connection, served),
        Ok(Ended::Done) => Turn::Closes(connection),
        Err(_) => Turn::Over,
    }
}

/// Why a session served no further request.
enum Ended {
    /// Its attendant waits for the next. Says whether it served any.
    Idle { served: bool },
    /// There is no further one, or it is not to be served.
    Done,
}

struct Session<'s, 'b, C> {
    server: &'s Server,
    peer: SocketAddr,
    pressure: &'s Pressure,
    head: Head<'b>,
    wire: Wire<'b, C>,
}

/// What came of waiting for a request.
enum Received {
    Request(Exchange),
    /// Something that cannot be answered with anything but this.
    Refused(Refusal, Option<Instant>),
    /// The client closed or fell silent between requests.
    Nothing,
    /// Nothing yet: the connection's attendant waits for it.
    Idle,
}

/// What a request calls for, once its head is understood.
enum Action {
    /// The body is of no interest.
    Respond(Response),
    /// The body is to be stored.
    Store(Upload),
}

/// A request that was understood, and what it calls for.
struct Exchange {
    action: Action,
    is_head: bool,
    /// What the client wishes.
    persistence: Persistence,
    has_body: bool,
    /// The client may hold back the body until it is told to go on.
    expects_continue: bool,
    /// When the head was understood.
    now: SystemTime,
    started: Instant,
    /// The request line, if it is to be logged.
    line: Option<String>,
}

impl<C: Connection> Session<'_, '_, C> {
    /// Returns when the connection is to be closed in order, or its attendant to wait. The first
    /// request may take `wait` to begin.
    //= https://www.rfc-editor.org/rfc/rfc9112#section-9.3.2
    //# A server MAY process a sequence of pipelined requests in
    //# parallel if they all have safe methods (Section 9.2.1 of [HTTP]), but
    //# it MUST send the corresponding responses in the same order that the
    //# requests were received.
    fn exchange_all(&mut self, mut wait: Duration) -> io::Result<Ended> {
        let mut served = false;
        let mut in_a_row = 0_u32;
        loop {
            let persistence = match self.receive(wait)? {
                Received::Request(exchange) => self.answer(exchange)?,
                Received::Refused(refusal, started) => self.refuse(refusal, started)?,
                Received::Nothing => Persistence::Close,
                Received::Idle => return Ok(Ended::Idle { served }),
            };
            //= https://www.rfc-editor.org/rfc/rfc9112#section-9.6
            //# The server MUST NOT process any
            //# further requests received on that connection.
            if persistence == Persistence::Close {
                self.wire.flush()?;
                return Ok(Ended::Done);
            }
            self.head.reset();
            served = true;
            // Who sends one request behind the other makes nobody wait.
            in_a_row += 1;
            if in_a_row == MAX_IN_A_ROW {
                self.wire.connection.go_apart();
            }
            if self.wire.connection.is_attended() && self.head.unread().is_empty() {
                self.wire.flush()?;
                return Ok(Ended::Idle { served });
            }
            wait = self.server.limits.idle_timeout;
        }
    }

    /// Waits as long as `wait` for a request to begin, then [`Limits::head_timeout`] for its end.
    ///
    /// [`Limits::head_timeout`]: super::Limits::head_timeout
    fn receive(&mut self, wait: Duration) -> io::Result<Received> {
        self.wire.connection.set_patience(Patience::Message {
            first: wait,
            all: self.server.limits.head_timeout,
            begun: (!self.head.unread().is_empty()).then(Instant::now),
        });
        let read = self.head.read(&mut self.wire);
        let started = self.wire.connection.begun();
        Ok(match read {
            Ok(request) => {
                let started = started.unwrap_or_else(Instant::now);
                Received::Request(self.server.begin(&request, started))
            }
            Err(ReadError::Refused(refusal)) => Received::Refused(refusal, started),
            Err(ReadError::Ended) => Received::Nothing,
            Err(ReadError::Truncated) => {
                let refusal = Refusal::bad("the connection ended within the request head");
                Received::Refused(refusal, started)
            }
            Err(ReadError::WouldBlock) if started.is_none() => {
                if self.wire.connection.is_attended() {
                    Received::Idle
                } else {
                    Received::Nothing
                }
            }
            Err(ReadError::WouldBlock) => Received::Refused(timeout(), started),
            Err(ReadError::Failed(error)) => return Err(error),
        })
    }

    /// Receives the body, sends the response, and says what becomes of the connection.
    fn answer(&mut self, exchange: Exchange) -> io::Result<Persistence> {
        let Exchange {
            action,
            is_head,
            mut persistence,
            has_body,
            expects_continue,
            now,
            started,
            line,
        } = exchange;
        let (response, is_in_step) = match action {
            Action::Respond(response) if !has_body => (response, true),
            Action::Respond(response) => self.discard_body(response, expects_continue)?,
            Action::Store(upload) => match self.store(upload, expects_continue)? {
                Ok(response) => (response, true),
                Err(refusal) => (Response::refusal(refusal), false),
            },
        };
        if !is_in_step || self.pressure.is_crowded() {
            persistence = Persistence::Close;
        }
        // The body may have taken its time.
        let now = if has_body { SystemTime::now() } else { now };
        let sent = self.send(&response, persistence, is_head, now);
        if let Some(line) = line {
            self.log(&line, &response, is_head, sent.is_ok(), started);
        }
        sent.map(|()| persistence)
    }

    /// Reads away the body of a request that is answered with `response`. Says what to answer after
    /// all, and whether the next request can be found behind the body.
    //= https://www.rfc-editor.org/rfc/rfc9112#section-9.3
    //# A server MUST read
    //# the entire request message body or close the connection after sending
    //# its response; otherwise, the remaining data on a persistent
    //# connection would be misinterpreted as the next request.
    fn discard_body(
        &mut self,
        response: Response,
        expects_continue: bool,
    ) -> io::Result<(Response, bool)> {
        // The final status comes before the body, and then nobody needs the body.
        if expects_continue {
            return Ok((response, false));
        }
        let limits = &self.server.limits;
        let begun = Instant::now();
        let read = self.read_body(limits.body, limits.body_timeout, |_| Ok(begun))?;
        Ok(match read {
            Ok(()) => (response, true),
            // A request that was refused already was refused for a better reason.
            Err(refusal) if matches!(response.status.code(), 200..=399) => {
                (Response::refusal(refusal), false)
            }
            Err(_) => (response, false),
        })
    }

    /// Receives an upload and stores it.
    fn store(
        &mut self,
        mut upload: Upload,
        expects_continue: bool,
    ) -> io::Result<Result<Response, Refusal>> {
        // It may come faster than it can be stored, and is on the disk in the end.
        self.wire.connection.go_apart();
        let Some(uploads) = &self.server.uploads else {
            return Ok(Err(Refusal::new(
                Status::METHOD_NOT_ALLOWED,
                "there are no uploads here",
            )));
        };
        //= https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1
        //# The origin server MUST NOT wait for the content before sending the
        //# 100 (Continue) response.
        if expects_continue && self.head.unread().is_empty() {
            self.wire.push(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let time = self.server.limits.upload_timeout;
        let (mut begun, mut received) = (Instant::now(), 0);
        let read = self.read_body(uploads.limit(), time, |piece| {
            upload.write(piece)?;
            received += piece.len();
            if received >= UPLOAD_STEP {
                (begun, received) = (Instant::now(), 0);
            }
            Ok(begun)
        })?;
        let request = self.head.request().ok_or(ErrorKind::NotFound)?;
        Ok(read.and_then(|()| uploads.publish(upload, &request)))
    }

    /// Reads a body of at most `limit` octets; each piece of its content goes to `each`, which says
    /// from when on the next may take `time`. It is called once before the first with nothing.
    fn read_body(
        &mut self,
        limit: u64,
        time: Duration,
        mut each: impl FnMut(&[u8]) -> Result<Instant, Refusal>,
    ) -> io::Result<Result<(), Refusal>> {
        if let Err(refusal) = self.head.limit_body(limit) {
            return Ok(Err(refusal));
        }
        let mut begun = each(&[]);
        loop {
            match begun {
                Ok(begun) => {
                    let patience = Patience::Rest { begun, all: time };
                    self.wire.connection.set_patience(patience);
                }
                Err(refusal) => return Ok(Err(refusal)),
            }
            begun = match self.head.read_body(&mut self.wire) {
                Ok(Some(piece)) => each(piece),
                Ok(None) => return Ok(Ok(())),
                Err(ReadError::Refused(refusal)) => Err(refusal),
                Err(ReadError::WouldBlock) => Err(timeout()),
                Err(ReadError::Ended | ReadError::Truncated) => {
                    Err(Refusal::bad("the connection ended within the request body"))
                }
                Err(ReadError::Failed(error)) => return Err(error),
            };
        }
    }

    /// Answers what was not understood. Where the next request would begin nobody knows.
    fn refuse(&mut self, refusal: Refusal, started: Option<Instant>) -> io::Result<Persistence> {
        let response = Response::refusal(refusal);
        let sent = self.send(&response, Persistence::Close, false, SystemTime::now());
        if self.server.log.is_some() {
            let started = started.unwrap_or_else(Instant::now);
            self.log("-", &response, false, sent.is_ok(), started);
        }
        sent.map(|()| Persistence::Close)
    }

    fn send(
        &mut self,
        response: &Response,
        persistence: Persistence,
        is_head: bool,
        now: SystemTime,
    ) -> io::Result<()> {
        let wire = &mut self.wire;
        if response
            .write_head(&mut wire.output, now, persistence)
            .is_err()
        {
            // The answers before it are in its way.
            wire.flush()?;
            response
                .write_head(&mut wire.output, now, persistence)
                .map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        }
        //= https://www.rfc-editor.org/rfc/rfc9110#section-9.3.2
        //# The HEAD method is identical to GET except that the server MUST NOT
        //# send content in the response.
        if is_head {
            return Ok(());
        }
        match &response.content {
            Content::None => Ok(()),
            Content::Bytes(bytes) => wire.push(bytes),
            Content::File(FileContent { file, octets }) => {
                // The disk may be slow.
                if !file.is_kept() {
                    wire.connection.go_apart();
                }
                match octets {
                    Octets::None => Ok(()),
                    Octets::One(range) => wire.push_file(file, *range),
                    Octets::Several(parts) => wire.push_parts(file, parts),
                }
            }
        }
    }

    fn log(
        &self,
        line: &str,
        response: &Response,
        is_head: bool,
        is_complete: bool,
        started: Instant,
    ) {
        let Some(log) = &self.server.log else { return };
        log(&AccessRecord {
            peer: self.peer,
            request_line: line,
            status: response.status,
            content_length: response.content.len().filter(|_| !is_head).unwrap_or(0),
            is_complete,
            duration: started.elapsed(),
        });
    }
}

impl Server {
    /// Decides everything about `request` that can be decided before its body is read.
    fn begin(&self, request: &Request<'_>, started: Instant) -> Exchange {
        let now = SystemTime::now();
        let persistence = Persistence::of(request.version(), request.persists());
        let has_body = request.framing() != Framing::Length(0);
        let (action, expects_continue) = match request.expects_continue() {
            Ok(expects) => (self.choose(request, now), expects),
            Err(refusal) => (Action::Respond(Response::refusal(refusal)), true),
        };
        Exchange {
            action,
            is_head: request.method() == Method::Head,
            persistence,
            has_body,
            expects_continue: expects_continue && has_body,
            now,
            started,
            line: self.log.as_ref().map(|_| request_line(request)),
        }
    }
}

impl Server {
    /// What a request's method calls for.
    fn choose(&self, request: &Request<'_>, now: SystemTime) -> Action {
        Action::Respond(match (request.method(), &self.uploads) {
            (Method::Get | Method::Head, _) => file::respond(&self.root, request, now),
            (Method::Put, Some(uploads)) => match uploads.begin(request, now) {
                Ok(upload) => return Action::Store(upload),
                Err(refusal) => Response::refusal(refusal),
            },
            (
                Method::Put
                | Method::Post
                | Method::Delete
                | Method::Connect
                | Method::Options
                | Method::Trace
                | Method::Patch,
                uploads,
            ) => Response::method_not_allowed(match uploads {
                Some(_) => "GET, HEAD, PUT",
                None => "GET, HEAD",
            }),
            //= https://www.rfc-editor.org/rfc/rfc9110#section-9.1
            //# An origin server that receives a
            //# request method that is unrecognized or not implemented SHOULD respond
            //# with the 501 (Not Implemented) status code.
            (Method::Other, _) => {
                let why = "this method is not known here";
                Response::refusal(Refusal::new(Status::NOT_IMPLEMENTED, why))
            }
        })
    }
}

/// The request line, in ASCII without control characters and quotes: safe in a log and on a
/// terminal.
fn request_line(request: &Request<'_>) -> String {
    let version = request.version();
    let (method, target) = (request.method_name(), request.target_bytes());
    format!(
        "{} {} {version}",
        method.escape_ascii(),
        target.escape_ascii()
    )
}

fn timeout() -> Refusal {
    Refusal::new(
        Status::REQUEST_TIMEOUT,
        "the request took too long to arrive",
    )
}
