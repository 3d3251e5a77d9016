//! One connection of a server, from its first request to its end (RFC 9112 §9), without waiting.

use core::fmt;

use super::counters::Counters;
use super::date::HttpDate;
use super::head::{Head, ReadError};
use super::method::{Method, Version};
use super::output::{HeadError, HeadWriter, Output, Persistence};
use super::request::{HeadLimits, Request};
use super::status::{Refusal, Status};
use super::transport::{StreamError, Transport};

#[cfg(test)]
mod tests;

/// What answers requests.
pub trait Handler {
    /// Answers a request with [`Reply::send`]. `content` is all of its body. A request that is not
    /// answered is answered with 500.
    fn handle(&mut self, request: &Request<'_>, content: &[u8], reply: Reply<'_, '_>);

    /// The next octets of a [`Content::Stream`], from `offset` on: writes some to the front of
    /// `room`, which is not empty, and says how many. 0 ends the content, in good order if its
    /// length had been left open.
    fn stream(&mut self, key: u32, offset: u64, room: &mut [u8]) -> usize {
        let _ = (key, offset, room);
        0
    }
}

/// Where the content of a response comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content<'c> {
    /// There is none.
    Empty,
    /// Octets that are copied now: head and content fit the send buffer together.
    Bytes(&'c [u8]),
    /// Octets that stay where they are, of any length: in flash, say.
    Static(&'static [u8]),
    /// Octets that [`Handler::stream`] makes as there is room for them.
    Stream {
        /// What the handler knows them by.
        key: u32,
        /// How many there are; `None` if that is not known yet: they are sent in chunks.
        length: Option<u64>,
    },
}

/// The answer to one request.
#[derive(Debug)]
pub struct Reply<'r, 'b> {
    output: &'r mut Output<'b>,
    counters: &'r mut Counters,
    rest: &'r mut Rest,
    persistence: Persistence,
    method: Method,
    version: Version,
    now: Option<HttpDate>,
    is_sent: &'r mut bool,
}

impl<'b> Reply<'_, 'b> {
    /// Answers. `fields` adds what the head is to have beyond the length of its content, the time and
    /// what becomes of the connection.
    ///
    /// # Errors
    ///
    /// The head, or the bytes behind it, do not fit the send buffer, or a field is none. The reply
    /// is not sent then.
    pub fn send(
        self,
        status: Status,
        content: Content<'_>,
        fields: impl for<'h> FnOnce(HeadWriter<'h, 'b>) -> HeadWriter<'h, 'b>,
    ) -> Result<(), HeadError> {
        let Self {
            output,
            counters,
            rest,
            mut persistence,
            method,
            version,
            now,
            is_sent,
        } = self;
        let before = output.pending().len();
        let mut head = output.response(status);
        if let Some(now) = now {
            head = head.date(now);
        }
        head = fields(head);
        let is_bare = status.is_without_content();
        head = match content {
            Content::Empty => head.content_length(0),
            Content::Bytes(bytes) => head.content_length(bytes.len() as u64),
            Content::Static(bytes) => head.content_length(bytes.len() as u64),
            Content::Stream {
                length: Some(length),
                ..
            } => head.content_length(length),
            Content::Stream { length: None, .. } if version == Version::Http11 => head.chunked(),
            //= https://www.rfc-editor.org/rfc/rfc9112#section-6.1
            //# A server MUST NOT send a response containing Transfer-
            //# Encoding unless the corresponding request indicates HTTP/1.1 (or
            //# later minor revisions).
            Content::Stream { length: None, .. } => {
                // Only the end of the connection can end it then.
                persistence = Persistence::Close;
                head
            }
        };
        head.connection(persistence).finish()?;
        //= https://www.rfc-editor.org/rfc/rfc9110#section-9.3.2
        //# The HEAD method is identical to GET except that the server MUST NOT
        //# send content in the response.
        let is_told_only = method == Method::Head || is_bare;
        let source = match content {
            _ if is_told_only => Source::None,
            Content::Empty => Source::None,
            Content::Bytes(bytes) => {
                if output.space().len() < bytes.len() {
                    output.truncate(before);
                    return Err(HeadError::Full);
                }
                output.push(bytes);
                Source::None
            }
            Content::Static(bytes) => Source::Static(bytes),
            Content::Stream { key, length } => Source::Stream {
                key,
                offset: 0,
                framing: match (length, version) {
                    (Some(length), _) => StreamFraming::Left(length),
                    (None, Version::Http11) => StreamFraming::Chunks,
                    (None, Version::Http10) => StreamFraming::UntilClose,
                },
            },
        };
        *rest = Rest {
            source,
            persistence,
        };
        *is_sent = true;
        counters.response(status);
        Ok(())
    }

    /// Answers with a text that is said to be of this type.
    ///
    /// # Errors
    ///
    /// As [`Reply::send`].
    pub fn text(self, status: Status, content_type: &str, text: &str) -> Result<(), HeadError> {
        self.send(status, Content::Bytes(text.as_bytes()), |head| {
            head.field("Content-Type", content_type)
        })
    }

    /// Answers with a status and its reason as the text.
    ///
    /// # Errors
    ///
    /// As [`Reply::send`].
    pub fn status(self, status: Status) -> Result<(), HeadError> {
        self.text(status, "text/plain; charset=utf-8", status.reason())
    }

    /// Sends the client elsewhere. `location` is a URL or a path, percent-encoded.
    ///
    /// # Errors
    ///
    /// As [`Reply::send`].
    pub fn redirect(self, status: Status, location: impl fmt::Display) -> Result<(), HeadError> {
        self.send(status, Content::Empty, |head| {
            head.field("Location", location)
        })
    }
}

/// What is left of a response behind what stands in the output, and what happens then.
#[derive(Debug, Clone, Copy)]
struct Rest {
    source: Source,
    persistence: Persistence,
}

#[derive(Debug, Clone, Copy)]
enum Source {
    None,
    Static(&'static [u8]),
    Stream {
        key: u32,
        offset: u64,
        framing: StreamFraming,
    },
}

#[derive(Debug, Clone, Copy)]
enum StreamFraming {
    Left(u64),
    Chunks,
    UntilClose,
}

/// One connection of a server: receives requests, has them answered, keeps the connection or closes
/// it. It waits for nothing and allocates nothing.
#[derive(Debug)]
pub struct Session<'b> {
    head: Head<'b>,
    output: Output<'b>,
    content: &'b mut [u8],
    content_len: usize,
    phase: Phase,
    pub(super) counters: Counters,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Receiving a head.
    Head,
    /// Telling the client to go on.
    Continue,
    /// Receiving the content of a request.
    Content,
    /// Answering a request that is there, once the answers before it are sent: all of the send
    /// buffer is for one.
    Answer,
    /// Refusing a request, likewise.
    Refuse(Refusal),
    /// Sending a response.
    Response(Rest),
    /// Sending the last octets.
    Last,
    /// Nothing more is sent.
    Done,
}

/// What a session waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// A request: none has begun.
    Idle,
    /// More of a request.
    Receiving,
    /// Room to send.
    Sending,
    /// Nothing: everything has been sent, or the peer has ended its side between two requests. The sending direction is to be ended, what still arrives
    /// to be read away for a while, and then the connection to be closed (RFC 9112 §9.6).
    Done,
}

impl<'b> Session<'b> {
    /// A session for a new connection. `rx` holds the head of a request and some of its body, `tx`
    /// the head of a response and its [`Content::Bytes`], and `content` the body of a request: a
    /// larger one is refused with 413.
    pub fn new(rx: &'b mut [u8], tx: &'b mut [u8], content: &'b mut [u8]) -> Self {
        Self {
            head: Head::with_limits(rx, HeadLimits::DEFAULT),
            output: Output::with_buffer(tx),
            content,
            content_len: 0,
            phase: Phase::Head,
            counters: Counters::ZERO,
        }
    }

    /// What it did with requests, on this connection and those before.
    #[cfg(feature = "counters")]
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Makes ready for another connection.
    pub fn restart(&mut self) {
        self.head.clear();
        self.output.clear();
        self.content_len = 0;
        self.phase = Phase::Head;
    }

    /// Does all that can be done without waiting. `now` is the time, if it is known: responses have
    /// a `Date` then.
    ///
    /// # Errors
    ///
    /// The stream has failed.
    pub fn poll<T: Transport, H: Handler>(
        &mut self,
        conn: &mut T,
        handler: &mut H,
        now: Option<HttpDate>,
    ) -> Result<Progress, T::Error> {
        loop {
            let done = match self.phase {
                Phase::Head => self.receive_head(conn)?,
                Phase::Content => self.receive_content(conn)?,
                Phase::Response(rest) => self.send(conn, handler, rest)?,
                Phase::Continue | Phase::Answer | Phase::Refuse(_) | Phase::Last => {
                    let waits = self.flush(conn)?;
                    if waits.is_none() {
                        self.go_on(handler, now);
                    }
                    waits
                }
                Phase::Done => Some(Progress::Done),
            };
            if let Some(progress) = done {
                return Ok(progress);
            }
        }
    }

    /// Answers a client that has taken too long over a request with 408, and closes.
    pub fn time_out(&mut self) {
        self.phase = if matches!(self.phase, Phase::Head | Phase::Content) {
            let why = "the request took too long to arrive";
            Phase::Refuse(Refusal::new(Status::REQUEST_TIMEOUT, why))
        } else {
            Phase::Done
        };
    }

    /// Sends what is to be sent; says so if that has to wait.
    fn flush<T: Transport>(&mut self, conn: &mut T) -> Result<Option<Progress>, T::Error> {
        match self.output.flush(conn) {
            Ok(()) => Ok(None),
            Err(StreamError::WouldBlock) => Ok(Some(Progress::Sending)),
            Err(StreamError::Failed(error)) => Err(error),
        }
    }

    /// What is done with an empty send buffer.
    fn go_on<H: Handler>(&mut self, handler: &mut H, now: Option<HttpDate>) {
        match self.phase {
            //= https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1
            //# The origin server MUST NOT wait for the content before sending the
            //# 100 (Continue) response.
            Phase::Continue => {
                count!(self.counters, continues);
                self.output.push(b"HTTP/1.1 100 Continue\r\n\r\n");
                self.phase = Phase::Content;
            }
            Phase::Answer => self.answer(handler, now),
            Phase::Refuse(refusal) => self.refuse(refusal, now),
            Phase::Last => self.phase = Phase::Done,
            Phase::Head | Phase::Content | Phase::Response(_) | Phase::Done => {}
        }
    }

    fn receive_head<T: Transport>(&mut self, conn: &mut T) -> Result<Option<Progress>, T::Error> {
        // A stream may wait for the next request, and the client for the answer to the last one.
        if let Some(waits) = self.flush(conn)? {
            return Ok(Some(waits));
        }
        let expects_continue = match self.head.read(conn) {
            Ok(request) => request.expects_continue(),
            Err(error) => return self.not_received(error),
        };
        let limit = self.content.len() as u64;
        let limited = self.head.limit_body(limit);
        let expects_continue = match expects_continue.and_then(|expects| limited.map(|()| expects))
        {
            Ok(expects) => expects,
            Err(refusal) => {
                self.phase = Phase::Refuse(refusal);
                return Ok(None);
            }
        };
        self.content_len = 0;
        self.phase = if self.head.is_body_done() {
            Phase::Answer
        } else if expects_continue && self.head.unread().is_empty() {
            Phase::Continue
        } else {
            Phase::Content
        };
        Ok(None)
    }

    fn receive_content<T: Transport>(
        &mut self,
        conn: &mut T,
    ) -> Result<Option<Progress>, T::Error> {
        // What the client waits for before it sends.
        if let Some(waits) = self.flush(conn)? {
            return Ok(Some(waits));
        }
        match self.head.read_body(conn) {
            Ok(Some(piece)) => {
                let end = self.content_len.saturating_add(piece.len());
                if let Some(place) = self.content.get_mut(self.content_len..end) {
                    place.copy_from_slice(piece);
                    self.content_len = end;
                }
            }
            Ok(None) => self.phase = Phase::Answer,
            Err(error) => return self.not_received(error),
        }
        Ok(None)
    }

    fn not_received<E>(&mut self, error: ReadError<E>) -> Result<Option<Progress>, E> {
        match error {
            ReadError::WouldBlock => {
                let is_idle = self.head.request().is_none() && self.head.unread().is_empty();
                return Ok(Some(if is_idle {
                    Progress::Idle
                } else {
                    Progress::Receiving
                }));
            }
            ReadError::Ended => self.phase = Phase::Last,
            ReadError::Truncated => {
                let refusal = Refusal::bad("the connection ended within the request");
                self.phase = Phase::Refuse(refusal);
            }
            ReadError::Refused(refusal) => self.phase = Phase::Refuse(refusal),
            ReadError::Failed(error) => return Err(error),
        }
        Ok(None)
    }

    fn answer<H: Handler>(&mut self, handler: &mut H, now: Option<HttpDate>) {
        let Some(request) = self.head.request() else {
            self.phase = Phase::Done;
            return;
        };
        let mut rest = Rest {
            source: Source::None,
            persistence: Persistence::of(request.version(), request.persists()),
        };
        let (method, version) = (request.method(), request.version());
        let persistence = rest.persistence;
        count!(self.counters, requests);
        for attempt in 0..2 {
            let mut is_sent = false;
            let reply = Reply {
                output: &mut self.output,
                counters: &mut self.counters,
                rest: &mut rest,
                persistence,
                method,
                version,
                now,
                is_sent: &mut is_sent,
            };
            if attempt == 0 {
                let content = self.content.get(..self.content_len).unwrap_or_default();
                handler.handle(&request, content, reply);
            } else if reply.status(Status::INTERNAL_SERVER_ERROR).is_err() {
                // Not even that fits: there is nothing to say.
                count!(self.counters, unanswered);
                rest.persistence = Persistence::Close;
                is_sent = true;
            }
            if is_sent {
                break;
            }
        }
        self.phase = Phase::Response(rest);
    }

    /// Answers what was not understood. Where the next request would begin nobody knows.
    fn refuse(&mut self, refusal: Refusal, now: Option<HttpDate>) {
        // The code, a space, the reason, a colon and a space, the sentence, the end of the line.
        let text_len = (3 + 1 + 2 + 1_usize)
            .saturating_add(refusal.status.reason().len())
            .saturating_add(refusal.why.len());
        self.counters.refusal(refusal.status);
        let before = self.output.pending().len();
        let mut head = self.output.response(refusal.status);
        if let Some(now) = now {
            head = head.date(now);
        }
        let head = head
            .field("Content-Type", "text/plain; charset=utf-8")
            .content_length(text_len as u64)
            .connection(Persistence::Close)
            .finish();
        if head.is_err() || !self.output.write_whole(format_args!("{refusal}\n")) {
            // The client learns from the end of the connection that something is wrong.
            self.output.truncate(before);
            count!(self.counters, unanswered);
        } else {
            self.counters.response(refusal.status);
        }
        self.phase = Phase::Last;
    }

    fn send<T: Transport, H: Handler>(
        &mut self,
        conn: &mut T,
        handler: &mut H,
        rest: Rest,
    ) -> Result<Option<Progress>, T::Error> {
        let Rest {
            source,
            mut persistence,
        } = rest;
        let source = match source {
            Source::None => Source::None,
            Source::Static(bytes) => {
                let taken = self.output.push(bytes);
                match bytes.get(taken..).unwrap_or_default() {
                    [] => Source::None,
                    left => Source::Static(left),
                }
            }
            Source::Stream {
                key,
                offset,
                framing,
            } => self.fill(handler, key, offset, framing, &mut persistence),
        };
        if let Source::None = source {
            //= https://www.rfc-editor.org/rfc/rfc9112#section-9.6
            //# The server MUST NOT process any
            //# further requests received on that connection.
            self.phase = match persistence {
                Persistence::Close => Phase::Last,
                Persistence::Keep | Persistence::KeepHttp10 => {
                    self.head.reset();
                    Phase::Head
                }
            };
            return Ok(None);
        }
        self.phase = Phase::Response(Rest {
            source,
            persistence,
        });
        self.flush(conn)
    }

    /// Has the handler fill the output, and says what is left.
    fn fill<H: Handler>(
        &mut self,
        handler: &mut H,
        key: u32,
        offset: u64,
        framing: StreamFraming,
        persistence: &mut Persistence,
    ) -> Source {
        let mut room = match framing {
            StreamFraming::Chunks => self.output.chunk_space(),
            StreamFraming::Left(_) | StreamFraming::UntilClose => self.output.space(),
        };
        if let StreamFraming::Left(left) = framing {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(room.len());
            room = room.get_mut(..most).unwrap_or_default();
            if left == 0 {
                return Source::None;
            }
        }
        if room.is_empty() {
            // It has to be sent first.
            return Source::Stream {
                key,
                offset,
                framing,
            };
        }
        let made = handler.stream(key, offset, room).min(room.len());
        let is_ended = made == 0;
        match framing {
            StreamFraming::Chunks if is_ended => {
                if self.output.last_chunk() {
                    return Source::None;
                }
                // There is no room for it yet; nothing is made again.
            }
            StreamFraming::Chunks => self.output.commit_chunk(made),
            // Less than was promised: only the end of the connection tells.
            StreamFraming::Left(_) | StreamFraming::UntilClose if is_ended => {
                *persistence = Persistence::Close;
                return Source::None;
            }
            StreamFraming::Left(_) | StreamFraming::UntilClose => self.output.commit(made),
        }
        let made = made as u64;
        Source::Stream {
            key,
            offset: offset.saturating_add(made),
            framing: match framing {
                StreamFraming::Left(left) => StreamFraming::Left(left.saturating_sub(made)),
                StreamFraming::Chunks => StreamFraming::Chunks,
                StreamFraming::UntilClose => StreamFraming::UntilClose,
            },
        }
    }
}
