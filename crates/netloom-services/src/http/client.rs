//! The client's side of a connection: one request and its answer after the other.

use core::fmt;

use super::head::{Head, ReadError};
use super::method::Method;
use super::output::{HeadWriter, Output};
use super::request::HeadLimits;
use super::response::Response;
use super::status::{Refusal, Status};
use super::transport::{StreamError, Transport};
use super::url::{Url, UrlError};

#[cfg(test)]
mod tests;

/// Answers of the kind 1xx before the one that counts, at most.
const MAX_INTERIM: u8 = 16;

/// A client, on one connection at a time. It allocates nothing: what it receives and sends goes
/// through two lent buffers.
///
/// ```
/// use netloom_services::http::{Client, Method, Url};
///
/// # use std::io::{Read, Write, Cursor, Result};
/// # struct Conn(Cursor<&'static [u8]>);
/// # impl Read for Conn { fn read(&mut self, to: &mut [u8]) -> Result<usize> { self.0.read(to) } }
/// # impl Write for Conn {
/// #     fn write(&mut self, from: &[u8]) -> Result<usize> { Ok(from.len()) }
/// #     fn flush(&mut self) -> Result<()> { Ok(()) }
/// # }
/// # let mut conn = Conn(Cursor::new(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"));
/// let (mut rx, mut tx) = ([0; 1024], [0; 512]);
/// let mut client = Client::with_buffers(&mut rx, &mut tx);
/// let url = Url::parse("http://10.71.0.2/file")?;
/// client.request(Method::Get, &url).field("Accept", "*/*").finish()?;
/// let response = client.receive(&mut conn)?;
/// assert_eq!(response.status().code(), 200);
/// while let Some(piece) = client.read_body(&mut conn)? { /* of the content */ }
/// if !client.finish() { /* the next request takes another connection */ }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Client<'b> {
    head: Head<'b>,
    output: Output<'b>,
    method: Method,
    interim: u8,
    /// A request on this connection was answered before this one.
    is_reused: bool,
}

/// Where an answer sends the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redirect<'u> {
    /// What to ask for now.
    pub url: Url<'u>,
    /// With this method; the content of the request goes with it only if the method is the same.
    pub method: Method,
    /// The connection, if it is reusable, and credentials in the fields belong to this origin only.
    pub is_same_origin: bool,
}

/// What came of waiting to be told to send the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Continue {
    /// The server waits for it: 100 (Continue).
    Send,
    /// The final answer is there, and the content is not wanted. Without it, the connection cannot
    /// be used again.
    Answered,
}

impl<'b> Client<'b> {
    /// A client without a connection. `rx` holds the largest head of an answer; `tx` that of a
    /// request.
    pub fn with_buffers(rx: &'b mut [u8], tx: &'b mut [u8]) -> Self {
        let limits = HeadLimits {
            head: usize::MAX,
            target: usize::MAX,
            fields: 200,
        };
        Self {
            head: Head::with_limits(rx, limits),
            output: Output::with_buffer(tx),
            method: Method::Get,
            interim: 0,
            is_reused: false,
        }
    }

    /// Makes ready for a new connection.
    pub fn connected(&mut self) {
        self.head.clear();
        self.output.clear();
        self.is_reused = false;
    }

    /// Begins a request; its `Host` is written. It is sent by the first call that receives.
    ///
    /// Content follows the head through [`Client::output`]: as many octets as its `Content-Length`
    /// says, or chunks.
    pub fn request(&mut self, method: Method, url: &Url<'_>) -> HeadWriter<'_, 'b> {
        self.head.reset();
        self.method = method;
        self.interim = 0;
        //= https://www.rfc-editor.org/rfc/rfc9112#section-3.2
        //# If the target URI includes an authority
        //# component, then a client MUST send a field value for Host that is
        //# identical to that authority component, excluding any userinfo
        //# subcomponent and its "@" delimiter (Section 4.2 of [HTTP]).
        self.output.request(method, url.target(), url.authority())
    }

    /// Begins a request with another form of target: `host:port` of CONNECT, `*` of OPTIONS.
    pub fn request_target(
        &mut self,
        method: Method,
        target: impl fmt::Display,
        host: impl fmt::Display,
    ) -> HeadWriter<'_, 'b> {
        self.head.reset();
        self.method = method;
        self.interim = 0;
        self.output.request(method, target, host)
    }

    /// What is to be sent: for content behind a head.
    pub fn output(&mut self) -> &mut Output<'b> {
        &mut self.output
    }

    /// Sends what is to be sent.
    ///
    /// # Errors
    ///
    /// [`StreamError::WouldBlock`] if the stream takes no more now.
    pub fn flush<T: Transport>(&mut self, conn: &mut T) -> Result<(), StreamError<T::Error>> {
        self.output.flush(conn)
    }

    /// Sends the head of a request that says `Expect: 100-continue`, and waits until the server
    /// wants its content, or answers without. How long to wait, the caller knows: a server that
    /// says nothing is to be sent the content all the same.
    ///
    /// # Errors
    ///
    /// [`ReadError`] has them.
    //= https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1
    //# *  A client that sends a 100-continue expectation is not required to
    //# wait for any specific length of time; such a client MAY proceed to
    //# send the content even if it has not yet received a response.
    pub fn wait_for_continue<T: Transport>(
        &mut self,
        conn: &mut T,
    ) -> Result<Continue, ReadError<T::Error>> {
        self.output.flush(conn)?;
        loop {
            let response = self.head.read_response(conn, self.method)?;
            let status = response.status();
            if !is_interim(status) {
                return Ok(Continue::Answered);
            }
            self.pass_interim()?;
            if status == Status::CONTINUE {
                return Ok(Continue::Send);
            }
        }
    }

    /// Sends what is to be sent, and receives the head of the answer; those of the kind 1xx before
    /// it are passed over.
    ///
    /// # Errors
    ///
    /// [`ReadError`] has them; with [`ReadError::Refused`] the answer is no HTTP, and the connection
    /// is to be closed.
    pub fn receive<T: Transport>(
        &mut self,
        conn: &mut T,
    ) -> Result<Response<'_>, ReadError<T::Error>> {
        // A server may answer and close before it has taken all of the request; its answer counts.
        let sent = match self.output.flush(conn) {
            Err(StreamError::WouldBlock) | Ok(()) => None,
            Err(StreamError::Failed(error)) => Some(error),
        };
        if let Err(error) = self.head.read_response(conn, self.method) {
            return Err(match (error, sent) {
                (ReadError::Failed(_) | ReadError::Ended, Some(error)) => ReadError::Failed(error),
                (error, _) => error,
            });
        }
        //= https://www.rfc-editor.org/rfc/rfc9110#section-15.2
        //# A client MUST be able to parse one or more 1xx responses received
        //# prior to a final response, even if the client does not expect one.
        while is_interim(self.head.read_response(conn, self.method)?.status()) {
            self.pass_interim()?;
        }
        self.head.read_response(conn, self.method)
    }

    fn pass_interim(&mut self) -> Result<(), Refusal> {
        self.interim = self.interim.saturating_add(1);
        if self.interim > MAX_INTERIM {
            return Err(Refusal::bad("it has no end of 1xx answers"));
        }
        self.head.reset();
        Ok(())
    }

    /// The answer whose head was received last.
    #[must_use]
    pub fn response(&self) -> Option<Response<'_>> {
        self.head.response()
    }

    /// Bounds the content of the answer; without this it has no bound.
    ///
    /// # Errors
    ///
    /// A refusal if there is more.
    pub fn limit_body(&mut self, octets: u64) -> Result<(), Refusal> {
        self.head.limit_body(octets)
    }

    /// Receives the next piece of the content, in place; `None` at its end.
    ///
    /// # Errors
    ///
    /// [`ReadError`] has them.
    pub fn read_body<T: Transport>(
        &mut self,
        conn: &mut T,
    ) -> Result<Option<&[u8]>, ReadError<T::Error>> {
        self.head.read_body(conn)
    }

    /// Ends the exchange. Says whether the connection may be used for another one: the answer was
    /// read to its end, neither side wants to close, and nothing came that was not asked for.
    pub fn finish(&mut self) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc9112#section-9.3
        //# Likewise, a
        //# client MUST read the entire response message body if it intends to
        //# reuse the same connection for a subsequent request.
        let persists = self.head.response().is_some_and(|r| r.persists());
        let is_whole = self.head.is_body_done() && self.output.is_empty();
        self.head.reset();
        //= https://www.rfc-editor.org/rfc/rfc9112#section-9.2
        //# If a client receives data on a connection that doesn't have
        //# outstanding requests, the client MUST NOT consider that data to be a
        //# valid response; the client SHOULD close the connection, since message
        //# delimitation is now ambiguous, unless the data consists only of one
        //# or more CRLF (which can be discarded per Section 2.2).
        let is_quiet = self
            .head
            .unread()
            .iter()
            .all(|b| matches!(b, b'\r' | b'\n'));
        self.is_reused = persists && is_whole && is_quiet;
        if self.is_reused {
            self.head.clear();
        }
        self.is_reused
    }

    //= https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2
    //# A client SHOULD NOT automatically retry a request with a non-
    //# idempotent method unless it has some means to know that the request
    //# semantics are actually idempotent, regardless of the method, or some
    //# means to detect that the original request was never applied.
    /// Whether a request that failed may be sent again on a new connection: this one had been used
    /// before, so the server may have closed it unseen; no octet of an answer came; and doing it
    /// twice does no harm.
    #[must_use]
    pub fn may_retry(&self) -> bool {
        let is_unanswered = self.head.response().is_none() && self.head.unread().is_empty();
        self.is_reused && is_unanswered && self.method.is_idempotent() && self.interim == 0
    }

    /// Where the answer sends the client, if it does: what `Location` means in an answer to `url`,
    /// put together in `buffer`.
    #[must_use]
    pub fn redirect<'o>(
        &self,
        url: &Url<'_>,
        buffer: &'o mut [u8],
    ) -> Option<Result<Redirect<'o>, UrlError>> {
        let response = self.head.response()?;
        let method = redirected(response.status(), self.method)?;
        let location = response.single("Location")?;
        let Ok(location) = core::str::from_utf8(location) else {
            return Some(Err(UrlError::Octet));
        };
        Some(url.join(location, buffer).map(|next| Redirect {
            url: next,
            method,
            is_same_origin: url.is_same_origin(&next),
        }))
    }
}

fn is_interim(status: Status) -> bool {
    // After 101 (Switching Protocols) there is no more HTTP.
    status.code() < 200 && status != Status::SWITCHING_PROTOCOLS
}

/// The method to go on with after a redirection (RFC 9110 §15.4).
fn redirected(status: Status, method: Method) -> Option<Method> {
    match (status, method) {
        (Status::TEMPORARY_REDIRECT | Status::PERMANENT_REDIRECT, method) => Some(method),
        //= https://www.rfc-editor.org/rfc/rfc9110#section-15.4.2
        //# For historical reasons, a user agent MAY change the
        //# request method from POST to GET for the subsequent request.
        (Status::MOVED_PERMANENTLY | Status::FOUND, Method::Post) => Some(Method::Get),
        (Status::MOVED_PERMANENTLY | Status::FOUND, method) => Some(method),
        (Status::SEE_OTHER, Method::Head) => Some(Method::Head),
        (Status::SEE_OTHER, _) => Some(Method::Get),
        _ => None,
    }
}
