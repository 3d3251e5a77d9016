//! Heads and bodies received through one buffer, which is used again and again.

use core::fmt;

use super::body::Decoder;
use super::fields::find_head_end;
use super::framing::Framing;
use super::method::Method;
use super::request::{self, HeadLimits, Parsed, Request};
use super::response::{self, Response};
use super::status::Refusal;
use super::transport::{StreamError, Transport};

#[cfg(test)]
mod tests;

/// The part of a buffer that a head leaves to the body behind it: an eighth, and at most this.
const BODY_ROOM: usize = 512;

/// Receives messages through a lent buffer: heads are parsed in place and stay in front while their
/// body goes by behind them.
///
/// ```
/// use netloom_services::http::{Head, Method};
///
/// # let mut conn = std::io::Cursor::new(b"GET /hello HTTP/1.1\r\nHost: h\r\n\r\n".to_vec());
/// let mut buffer = [0; 1024];
/// let mut head = Head::with_buffer(&mut buffer);
/// let request = head.read(&mut conn)?;
/// assert_eq!((request.method(), request.path()), (Method::Get, &b"/hello"[..]));
/// while let Some(piece) = head.read_body(&mut conn)? { /* of the content */ }
/// head.reset(); // ready for the next request, of which some may have arrived
/// # Ok::<(), netloom_services::http::ReadError<std::io::Error>>(())
/// ```
///
/// A call that returns [`ReadError::WouldBlock`] has kept what arrived; it is made again when more
/// has.
#[derive(Debug)]
#[doc(alias = "httpx")]
pub struct Head<'b> {
    buffer: &'b mut [u8],
    limits: HeadLimits,
    /// Received and not consumed: `buffer[start..end]`.
    start: usize,
    end: usize,
    /// Octets from `start` on in which no head has ended.
    searched: usize,
    message: Message,
    /// Where the octets of the message stand that its layout counts from.
    origin: usize,
    /// Where its head ends.
    head_end: usize,
    decoder: Decoder,
    /// Octets at `start` that were handed out as a piece and are to be consumed.
    handed_out: usize,
}

#[derive(Debug, Clone, Copy)]
enum Message {
    /// No head is complete.
    None,
    Request(request::Layout),
    Response(response::Layout),
}

/// Why there is no message, or no more of its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadError<E> {
    /// It has not arrived yet.
    WouldBlock,
    /// The stream ended where a message could have begun.
    Ended,
    /// The stream ended within a message.
    Truncated,
    /// The message is not to be served: what to answer. Where the next one begins is not known.
    Refused(Refusal),
    /// The stream failed.
    Failed(E),
}

impl<E> From<StreamError<E>> for ReadError<E> {
    fn from(error: StreamError<E>) -> Self {
        match error {
            StreamError::WouldBlock => Self::WouldBlock,
            StreamError::Failed(error) => Self::Failed(error),
        }
    }
}

impl<E> From<Refusal> for ReadError<E> {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<E: fmt::Display> fmt::Display for ReadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WouldBlock => f.write_str("the message has not arrived yet"),
            Self::Ended => f.write_str("the stream ended"),
            Self::Truncated => f.write_str("the stream ended within a message"),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> core::error::Error for ReadError<E> {}

impl<'b> Head<'b> {
    /// Receives through `buffer`, within [`HeadLimits::DEFAULT`]. A head that does not fit the
    /// buffer is too large too; an eighth of it, 512 octets at most, is kept for the body.
    pub fn with_buffer(buffer: &'b mut [u8]) -> Self {
        Self::with_limits(buffer, HeadLimits::DEFAULT)
    }

    /// The same within `limits`.
    pub fn with_limits(buffer: &'b mut [u8], limits: HeadLimits) -> Self {
        let room = (buffer.len() / 8).min(BODY_ROOM);
        let most = buffer.len().saturating_sub(room);
        Self {
            limits: HeadLimits {
                head: limits.head.min(most),
                ..limits
            },
            buffer,
            start: 0,
            end: 0,
            searched: 0,
            message: Message::None,
            origin: 0,
            head_end: 0,
            decoder: Decoder::done(),
            handed_out: 0,
        }
    }

    /// Receives the head of a request, and returns it. Once it is there, further calls return it
    /// again, until [`Head::reset`].
    ///
    /// # Errors
    ///
    /// [`ReadError`] has them; the status of a refusal is 431 or 414 for what exceeds the limits.
    pub fn read<T: Transport>(&mut self, conn: &mut T) -> Result<Request<'_>, ReadError<T::Error>> {
        loop {
            if let Message::Request(layout) = self.message {
                return Ok(layout.of(self.buffer.get(self.origin..).unwrap_or_default()));
            }
            match request::scan(self.unread(), self.searched, &self.limits)? {
                Parsed::Complete { head, consumed } => {
                    self.begin(Message::Request(head), head.framing, consumed)?;
                }
                Parsed::Partial => self.receive_head(conn)?,
            }
        }
    }

    /// Receives the head of a response to a request with this method, and returns it.
    ///
    /// # Errors
    ///
    /// [`ReadError`] has them; the status of a refusal says nothing.
    pub fn read_response<T: Transport>(
        &mut self,
        conn: &mut T,
        method: Method,
    ) -> Result<Response<'_>, ReadError<T::Error>> {
        loop {
            if let Message::Response(layout) = self.message {
                return Ok(layout.of(self.buffer.get(self.origin..).unwrap_or_default()));
            }
            let unread = self.buffer.get_mut(self.start..self.end);
            let unread = unread.unwrap_or_default();
            if let Some(end) = find_head_end(unread, self.searched.saturating_sub(3))? {
                response::unfold(unread.get_mut(..end).unwrap_or_default());
            }
            match response::scan(unread, self.searched, method, &self.limits)? {
                Parsed::Complete { head, consumed } => {
                    self.begin(Message::Response(head), head.framing, consumed)?;
                }
                Parsed::Partial => self.receive_head(conn)?,
            }
        }
    }

    /// The request whose head was read last; none before, and after [`Head::reset`].
    #[must_use]
    pub fn request(&self) -> Option<Request<'_>> {
        match self.message {
            Message::Request(layout) => {
                Some(layout.of(self.buffer.get(self.origin..).unwrap_or_default()))
            }
            Message::Response(_) | Message::None => None,
        }
    }

    /// The response whose head was read last; none before, and after [`Head::reset`].
    #[must_use]
    pub fn response(&self) -> Option<Response<'_>> {
        match self.message {
            Message::Response(layout) => {
                Some(layout.of(self.buffer.get(self.origin..).unwrap_or_default()))
            }
            Message::Request(_) | Message::None => None,
        }
    }

    /// Bounds the content of the body that follows; without this it has no bound. To be called
    /// before the first [`Head::read_body`].
    ///
    /// # Errors
    ///
    /// 413 if the head says that there is more.
    pub fn limit_body(&mut self, octets: u64) -> Result<(), Refusal> {
        self.decoder = Decoder::new(self.framing(), octets)?;
        Ok(())
    }

    /// Receives the next piece of the content, in place; `None` at its end. Chunks are taken out of
    /// their framing. Without a message there is no content.
    ///
    /// # Errors
    ///
    /// [`ReadError`] has them.
    pub fn read_body<T: Transport>(
        &mut self,
        conn: &mut T,
    ) -> Result<Option<&[u8]>, ReadError<T::Error>> {
        self.consume(self.handed_out);
        self.handed_out = 0;
        let (from, len) = loop {
            if self.decoder.is_done() {
                return Ok(None);
            }
            let unread = self.buffer.get(self.start..self.end).unwrap_or_default();
            let (taken, piece) = self.decoder.take(unread)?;
            // A piece is what was taken last.
            let len = piece.len();
            if len > 0 {
                self.consume(taken.saturating_sub(len));
                self.handed_out = len;
                break (self.start, len);
            }
            self.consume(taken);
            if self.decoder.is_done() {
                return Ok(None);
            }
            if self.receive(conn)? == 0 {
                if !self.decoder.may_end() {
                    //= https://www.rfc-editor.org/rfc/rfc9112#section-8
                    //# A message body that uses the chunked transfer coding is incomplete if
                    //# the zero-sized chunk that terminates the encoding has not been
                    //# received.
                    return Err(ReadError::Truncated);
                }
                self.decoder.end();
            }
        };
        Ok(self.buffer.get(from..from.saturating_add(len)))
    }

    /// Whether all of the body has been handed out.
    #[must_use]
    pub fn is_body_done(&self) -> bool {
        self.decoder.is_done()
    }

    /// Forgets the message, its body read or not, and makes ready for the next one, of which some
    /// may have arrived. What was not read of the body would be taken for it: a server that does
    /// not want it closes the connection, or reads it away.
    pub fn reset(&mut self) {
        self.consume(self.handed_out);
        self.handed_out = 0;
        self.message = Message::None;
        self.decoder = Decoder::done();
        self.searched = 0;
        self.origin = 0;
        self.head_end = 0;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Forgets everything that has arrived: for another connection.
    pub fn clear(&mut self) {
        self.end = self.start;
        self.handed_out = 0;
        self.reset();
    }

    /// Octets that have arrived and belong to nothing yet: the beginning of the body, or of the
    /// next message.
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        let start = self.start.saturating_add(self.handed_out);
        self.buffer.get(start..self.end).unwrap_or_default()
    }

    fn framing(&self) -> Framing {
        match self.message {
            Message::Request(layout) => layout.framing,
            Message::Response(layout) => layout.framing,
            Message::None => Framing::Length(0),
        }
    }

    fn begin(
        &mut self,
        message: Message,
        framing: Framing,
        consumed: usize,
    ) -> Result<(), Refusal> {
        self.decoder = Decoder::new(framing, u64::MAX)?;
        self.message = message;
        self.origin = self.start;
        self.consume(consumed);
        self.head_end = self.start;
        Ok(())
    }

    fn consume(&mut self, octets: usize) {
        self.start = self.start.saturating_add(octets).min(self.end);
    }

    /// More of a head.
    fn receive_head<T: Transport>(&mut self, conn: &mut T) -> Result<(), ReadError<T::Error>> {
        self.searched = self.unread().len();
        if self.receive(conn)? > 0 {
            return Ok(());
        }
        // Empty lines before a request are none of it.
        let has_begun = self.unread().iter().any(|b| !matches!(b, b'\r' | b'\n'));
        Err(if has_begun {
            //= https://www.rfc-editor.org/rfc/rfc9112#section-8
            //# A server that receives an incomplete request message, usually due to
            //# a canceled request or a triggered timeout exception, MAY send an
            //# error response prior to closing the connection.
            ReadError::Truncated
        } else {
            ReadError::Ended
        })
    }

    /// Receives behind what is unread, having made room there.
    fn receive<T: Transport>(&mut self, conn: &mut T) -> Result<usize, StreamError<T::Error>> {
        if self.start == self.end {
            (self.start, self.end) = (self.head_end, self.head_end);
        }
        if self.end == self.buffer.len() {
            self.make_room();
        }
        // There is room: a head that leaves none was refused.
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        if room.is_empty() {
            return Ok(0);
        }
        let received = conn.receive(room)?.min(room.len());
        self.end = self.end.saturating_add(received);
        Ok(received)
    }

    /// Moves the head to the front of the buffer, and what is unread behind it.
    fn make_room(&mut self) {
        let head_len = self.head_end.saturating_sub(self.origin);
        let len = self.end.saturating_sub(self.start);
        if self.origin > 0 && self.head_end <= self.buffer.len() {
            self.buffer.copy_within(self.origin..self.head_end, 0);
        }
        // Both stand before the end, and neither is moved up.
        if self.end <= self.buffer.len() && self.start <= self.end && head_len <= self.start {
            self.buffer.copy_within(self.start..self.end, head_len);
        }
        self.origin = 0;
        self.head_end = head_len;
        (self.start, self.end) = (head_len, head_len.saturating_add(len));
    }
}
