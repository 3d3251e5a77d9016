//! One connection from its first request to its end (RFC 9112 §9).

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Instant, SystemTime};

use super::body::{Discard, Framing};
use super::buffer::{Input, Output};
use super::connection::{Connection, Timed};
use super::file;
use super::pool::Pressure;
use super::request::{self, Method, Parsed, Request, Version};
use super::response::{Content, Persistence, Response};
use super::status::{Refusal, Status};
use super::{AccessRecord, Server};

#[cfg(test)]
mod tests;

/// The content is copied through a buffer of this many octets.
const OUTPUT_BUFFER: usize = 64 * 1024;

/// What is read away at most while a connection closes.
const MAX_LINGER: usize = 256 * 1024;

/// Serves the requests of `connection`, one after the other, until it ends.
pub(crate) fn run<C: Connection>(
    server: &Server,
    connection: C,
    peer: SocketAddr,
    pressure: &Pressure,
) {
    let limits = &server.limits;
    let mut session = Session {
        server,
        peer,
        pressure,
        connection: Timed::new(connection),
        input: Input::new(limits.head.head),
        output: Output::new(OUTPUT_BUFFER, limits.write_timeout),
    };
    // After an error of the transport there is nobody to say it to.
    if session.exchange_all().is_ok() {
        let Session {
            connection,
            mut input,
            ..
        } = session;
        connection.linger(input.scratch(), limits.linger_timeout, MAX_LINGER);
    }
}

struct Session<'s, C> {
    server: &'s Server,
    peer: SocketAddr,
    pressure: &'s Pressure,
    connection: Timed<C>,
    input: Input,
    output: Output,
}

/// What came of waiting for a request.
enum Received {
    Request(Exchange),
    /// Something that cannot be answered with anything but this.
    Refused(Refusal, Option<Instant>),
    /// The client closed or fell silent between requests.
    Nothing,
}

/// A request that was understood, and its response.
struct Exchange {
    response: Response,
    is_head: bool,
    /// What the client wishes.
    persistence: Persistence,
    framing: Framing,
    /// The client may hold back the body until it is told to go on.
    expects_continue: bool,
    started: Instant,
    /// The request line, if it is to be logged.
    line: Option<String>,
}

impl<C: Connection> Session<'_, C> {
    /// Returns when the connection is to be closed in order.
    //= https://www.rfc-editor.org/rfc/rfc9112#section-9.3.2
    //# A server MAY process a sequence of pipelined requests in
    //# parallel if they all have safe methods (Section 9.2.1 of [HTTP]), but
    //# it MUST send the corresponding responses in the same order that the
    //# requests were received.
    fn exchange_all(&mut self) -> io::Result<()> {
        let mut wait = self.server.limits.head_timeout;
        loop {
            let persistence = match self.receive(wait)? {
                Received::Request(exchange) => self.answer(exchange)?,
                Received::Refused(refusal, started) => self.refuse(refusal, started)?,
                Received::Nothing => Persistence::Close,
            };
            //= https://www.rfc-editor.org/rfc/rfc9112#section-9.6
            //# The server MUST NOT process any
            //# further requests received on that connection.
            if persistence == Persistence::Close {
                return self.output.flush(&mut self.connection);
            }
            wait = self.server.limits.idle_timeout;
        }
    }

    /// Waits as long as `wait` for a request to begin, then [`Limits::head_timeout`] for its end.
    ///
    /// [`Limits::head_timeout`]: super::Limits::head_timeout
    fn receive(&mut self, wait: std::time::Duration) -> io::Result<Received> {
        let limits = &self.server.limits;
        let mut started = (!self.input.unread().is_empty()).then(Instant::now);
        let mut searched = 0;
        loop {
            let unread = self.input.unread();
            match request::parse(unread, searched, &limits.head) {
                Err(refusal) => return Ok(Received::Refused(refusal, started)),
                Ok(Parsed::Complete { request, consumed }) => {
                    let started = started.unwrap_or_else(Instant::now);
                    let exchange = self.server.begin(&request, started);
                    self.input.consume(consumed);
                    return Ok(Received::Request(exchange));
                }
                Ok(Parsed::Partial) => searched = unread.len(),
            }
            // The answers to pipelined requests wait for each other, but not for the client.
            self.output.flush(&mut self.connection)?;
            let time = match started {
                None => wait,
                Some(started) => limits.head_timeout.saturating_sub(started.elapsed()),
            };
            let read = if started.is_some() && time.is_zero() {
                Err(ErrorKind::TimedOut.into())
            } else {
                self.input.fill(&mut self.connection, time)
            };
            match (read, started) {
                (Ok(0), None) => return Ok(Received::Nothing),
                (Ok(0), Some(_)) => {
                    let refusal = Refusal::bad("the connection ended within the request head");
                    return Ok(Received::Refused(refusal, started));
                }
                (Ok(_), _) => started = started.or_else(|| Some(Instant::now())),
                (Err(error), None) if error.kind() == ErrorKind::TimedOut => {
                    return Ok(Received::Nothing);
                }
                (Err(error), Some(_)) if error.kind() == ErrorKind::TimedOut => {
                    return Ok(Received::Refused(timeout(), started));
                }
                (Err(error), _) => return Err(error),
            }
        }
    }

    /// Reads the body away, sends the response, and says what becomes of the connection.
    fn answer(&mut self, mut exchange: Exchange) -> io::Result<Persistence> {
        if let Err(refusal) = self.discard_body(&exchange)? {
            exchange.persistence = Persistence::Close;
            // A request that was refused already was refused for a better reason.
            if matches!(exchange.response.status.code(), 200..=399) {
                exchange.response = Response::refusal(refusal);
            }
        }
        if exchange.expects_continue || self.pressure.is_crowded() {
            exchange.persistence = Persistence::Close;
        }
        let Exchange {
            response,
            is_head,
            persistence,
            started,
            line,
            ..
        } = exchange;
        let sent = self.send(&response, persistence, is_head);
        if let Some(line) = line {
            self.log(&line, &response, is_head, sent.is_ok(), started);
        }
        sent.map(|()| persistence)
    }

    //= https://www.rfc-editor.org/rfc/rfc9112#section-9.3
    //# A server MUST read
    //# the entire request message body or close the connection after sending
    //# its response; otherwise, the remaining data on a persistent
    //# connection would be misinterpreted as the next request.
    fn discard_body(&mut self, exchange: &Exchange) -> io::Result<Result<(), Refusal>> {
        // The final status comes before the body, and then nobody needs the body.
        if exchange.expects_continue {
            return Ok(Ok(()));
        }
        let limits = &self.server.limits;
        let mut discard = match Discard::new(exchange.framing, limits.body) {
            Ok(discard) => discard,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let start = Instant::now();
        loop {
            match discard.take(self.input.unread()) {
                Ok(taken) => self.input.consume(taken),
                Err(refusal) => return Ok(Err(refusal)),
            }
            if discard.is_done() {
                return Ok(Ok(()));
            }
            self.output.flush(&mut self.connection)?;
            let time = limits.body_timeout.saturating_sub(start.elapsed());
            match self.input.fill(&mut self.connection, time) {
                Ok(0) => {
                    return Ok(Err(Refusal::bad(
                        "the connection ended within the request body",
                    )));
                }
                Ok(_) if !time.is_zero() => {}
                Ok(_) => return Ok(Err(timeout())),
                Err(error) if error.kind() == ErrorKind::TimedOut => return Ok(Err(timeout())),
                Err(error) => return Err(error),
            }
        }
    }

    /// Answers what was not understood. Where the next request would begin nobody knows.
    fn refuse(&mut self, refusal: Refusal, started: Option<Instant>) -> io::Result<Persistence> {
        let response = Response::refusal(refusal);
        let sent = self.send(&response, Persistence::Close, false);
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
    ) -> io::Result<()> {
        let (output, connection) = (&mut self.output, &mut self.connection);
        output.push(
            response.head(SystemTime::now(), persistence).as_bytes(),
            connection,
        )?;
        //= https://www.rfc-editor.org/rfc/rfc9110#section-9.3.2
        //# The HEAD method is identical to GET except that the server MUST NOT
        //# send content in the response.
        if is_head {
            return Ok(());
        }
        match &response.content {
            Content::None => Ok(()),
            Content::Bytes(bytes) => output.push(bytes, connection),
            Content::File(content) => {
                for part in &content.parts {
                    output.push(&part.preface, connection)?;
                    output.push_file(&content.file, part.range, connection)?;
                }
                output.push(&content.closing, connection)
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
        let persistence = match (request.persists(), request.version) {
            (false, _) => Persistence::Close,
            (true, Version::Http11) => Persistence::Keep,
            (true, Version::Http10) => Persistence::KeepHttp10,
        };
        let has_body = request.framing != Framing::Length(0);
        let (response, expects_continue) = match request.expects_continue() {
            Ok(expects) => (
                file::respond(&self.root, request, SystemTime::now()),
                expects,
            ),
            Err(refusal) => (Response::refusal(refusal), true),
        };
        Exchange {
            response,
            is_head: request.method == Method::Head,
            persistence,
            framing: request.framing,
            expects_continue: expects_continue && has_body,
            started,
            line: self.log.as_ref().map(|_| request_line(request)),
        }
    }
}

/// The request line, in ASCII without control characters and quotes: safe in a log and on a
/// terminal.
fn request_line(request: &Request<'_>) -> String {
    let version = match request.version {
        Version::Http10 => "HTTP/1.0",
        Version::Http11 => "HTTP/1.1",
    };
    let (method, target) = (request.method_name, request.target);
    format!(
        "{} {} {version}",
        method.escape_ascii(),
        target.escape_ascii()
    )
}

fn timeout() -> Refusal {
    Refusal::new(
        Status::RequestTimeout,
        "the request took too long to arrive",
    )
}
