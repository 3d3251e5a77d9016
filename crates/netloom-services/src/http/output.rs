//! Messages on their way out: heads written into a lent buffer, field by field.

use core::fmt::{self, Write as _};

use super::date::HttpDate;
use super::fields::{is_field_byte, is_token};
use super::method::{Method, Version};
use super::status::Status;
use super::transport::{StreamError, Transport};

#[cfg(test)]
mod tests;

/// CR LF.
const LINE_END: usize = 2;

/// The line with the size of a chunk, as it is sent: eight digits.
const CHUNK_SIZE: usize = 8 + LINE_END;

/// What is to be sent, in a lent buffer that is used again and again.
///
/// ```
/// use netloom_services::http::{Output, Status};
///
/// # let mut conn = std::io::Cursor::new(Vec::new());
/// let mut buffer = [0; 512];
/// let mut output = Output::with_buffer(&mut buffer);
/// output
///     .response(Status::OK)
///     .field("Content-Type", "text/plain")
///     .content_length(6)
///     .finish()?;
/// output.push(b"hello\n");
/// output.flush(&mut conn).expect("it never has to wait");
/// # Ok::<(), netloom_services::http::HeadError>(())
/// ```
#[derive(Debug)]
pub struct Output<'b> {
    buffer: &'b mut [u8],
    /// To be sent: `buffer[start..end]`.
    start: usize,
    end: usize,
}

/// Why a head was not written. Nothing of it is in the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadError {
    /// It does not fit the buffer now: flush, or lend a larger one.
    Full,
    /// A name that is no token, or a value or target with a control character in it, which would
    /// make it more than one field (RFC 9112 §11.1).
    Invalid,
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the head does not fit the buffer",
            Self::Invalid => "a field holds what no field may hold",
        })
    }
}

impl core::error::Error for HeadError {}

impl<'b> Output<'b> {
    /// What is written goes to `buffer`.
    pub fn with_buffer(buffer: &'b mut [u8]) -> Self {
        Self {
            buffer,
            start: 0,
            end: 0,
        }
    }

    /// Whether everything has been sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Octets to be sent.
    #[must_use]
    pub fn pending(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Octets the buffer holds at most.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.buffer.len()
    }

    /// The free end of the buffer, to be written to and then [committed](Output::commit).
    pub fn space(&mut self) -> &mut [u8] {
        if self.start > 0 && self.end == self.buffer.len() {
            let len = self.end.saturating_sub(self.start);
            if self.end <= self.buffer.len() {
                self.buffer.copy_within(self.start..self.end, 0);
            }
            (self.start, self.end) = (0, len);
        }
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// Takes the first `octets` of [`Output::space`] as written.
    pub fn commit(&mut self, octets: usize) {
        self.end = self.end.saturating_add(octets).min(self.buffer.len());
    }

    /// Appends as much of `bytes` as fits, and says how much that is.
    pub fn push(&mut self, bytes: &[u8]) -> usize {
        let space = self.space();
        let len = bytes.len().min(space.len());
        if let (Some(to), Some(from)) = (space.get_mut(..len), bytes.get(..len)) {
            to.copy_from_slice(from);
        }
        self.commit(len);
        len
    }

    /// Sends everything.
    ///
    /// # Errors
    ///
    /// [`StreamError::WouldBlock`] if the stream takes no more now: what is left is sent by the
    /// next call.
    pub fn flush<T: Transport>(&mut self, conn: &mut T) -> Result<(), StreamError<T::Error>> {
        while !self.is_empty() {
            let sent = conn.send(self.pending())?;
            self.start = self.start.saturating_add(sent).min(self.end);
        }
        (self.start, self.end) = (0, 0);
        Ok(())
    }

    /// Appends all of `bytes`, sending what does not fit.
    ///
    /// # Errors
    ///
    /// As [`Output::flush`]; how much was taken is not known then, so this is for streams that
    /// wait themselves, or fail.
    pub fn push_all<T: Transport>(
        &mut self,
        mut bytes: &[u8],
        conn: &mut T,
    ) -> Result<(), StreamError<T::Error>> {
        while !bytes.is_empty() {
            let taken = self.push(bytes);
            bytes = bytes.get(taken..).unwrap_or_default();
            if !bytes.is_empty() {
                self.flush(conn)?;
            }
        }
        Ok(())
    }

    /// Forgets what has not been sent.
    pub fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    /// Begins a response (RFC 9112 §4).
    pub fn response(&mut self, status: Status) -> HeadWriter<'_, 'b> {
        //= https://www.rfc-editor.org/rfc/rfc9112#section-4
        //# A server MUST send the
        //# space that separates the status-code from the reason-phrase even when
        //# the reason-phrase is absent (i.e., the status-line would end with the
        //# space).
        let mut head = HeadWriter::new(self);
        head.line(format_args!(
            "HTTP/1.1 {} {}",
            status.code(),
            status.reason()
        ));
        head.is_without_length = status.is_without_content();
        head
    }

    /// Begins a request (RFC 9112 §3), its `Host` first. `target` is what a
    /// [`Url`](super::Url) has.
    pub fn request(
        &mut self,
        method: Method,
        target: impl fmt::Display,
        host: impl fmt::Display,
    ) -> HeadWriter<'_, 'b> {
        let mut head = HeadWriter::new(self);
        if method == Method::Other {
            head.fail(HeadError::Invalid);
        }
        head.request_line(method, target);
        //= https://www.rfc-editor.org/rfc/rfc9112#section-3.2
        //# A client MUST send a Host header field (Section 7.2 of [HTTP]) in all
        //# HTTP/1.1 request messages.
        head.field("Host", host)
    }

    /// Appends as much of `content` as fits as one chunk (RFC 9112 §7.1), and says how much that
    /// is; 0 if there is no room for a chunk. Of nothing no chunk is made: that would be the last.
    pub fn chunk(&mut self, content: &[u8]) -> usize {
        let space = self.chunk_space();
        let len = content.len().min(space.len());
        if let (Some(to), Some(from)) = (space.get_mut(..len), content.get(..len)) {
            to.copy_from_slice(from);
        }
        self.commit_chunk(len);
        len
    }

    /// The room for the content of one chunk, to be written to and then
    /// [committed](Output::commit_chunk); empty if there is none.
    pub fn chunk_space(&mut self) -> &mut [u8] {
        let space = self.space();
        // Eight digits tell no more.
        let end = space.len().saturating_sub(LINE_END).min(0xffff_ffff);
        space.get_mut(CHUNK_SIZE..end).unwrap_or_default()
    }

    /// Takes the first `octets` of [`Output::chunk_space`] as the content of a chunk. Of nothing no
    /// chunk is made.
    pub fn commit_chunk(&mut self, octets: usize) {
        let octets = octets.min(self.chunk_space().len());
        let space = self.space();
        if octets == 0 {
            return;
        }
        // Sizes are written with leading zeros, so that the content has not to be moved.
        let mut digits = octets;
        let (size, rest) = space.split_at_mut_checked(CHUNK_SIZE).unwrap_or_default();
        let (number, line_end) = size
            .split_at_mut_checked(CHUNK_SIZE - LINE_END)
            .unwrap_or_default();
        for place in number.iter_mut().rev() {
            let digit = char::from_digit((digits % 16) as u32, 16).unwrap_or('0');
            *place = digit as u8;
            digits /= 16;
        }
        line_end.copy_from_slice(b"\r\n");
        if let Some(end) = rest.get_mut(octets..octets.saturating_add(LINE_END)) {
            end.copy_from_slice(b"\r\n");
        }
        self.commit(CHUNK_SIZE + LINE_END + octets);
    }

    /// Takes back all but the first `octets` of what is to be sent.
    pub(super) fn truncate(&mut self, octets: usize) {
        self.end = self.start.saturating_add(octets).min(self.end);
    }

    /// Appends all of a text or nothing, and says which.
    pub(super) fn write_whole(&mut self, text: fmt::Arguments<'_>) -> bool {
        let before = self.pending().len();
        let is_written = Writer(self).write_fmt(text).is_ok();
        if !is_written {
            self.truncate(before);
        }
        is_written
    }

    /// Appends the last chunk, without trailer fields; `false` if there is no room for it.
    #[must_use]
    pub fn last_chunk(&mut self) -> bool {
        Writer(self).push(b"0\r\n\r\n").is_ok()
    }
}

/// Appends all or nothing.
struct Writer<'o, 'b>(&'o mut Output<'b>);

impl Writer<'_, '_> {
    fn push(&mut self, bytes: &[u8]) -> fmt::Result {
        if self.0.space().len() < bytes.len() {
            return Err(fmt::Error);
        }
        self.0.push(bytes);
        Ok(())
    }
}

impl fmt::Write for Writer<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes())
    }
}

/// Appends a value, and only octets that are allowed in it.
struct ValueWriter<'o, 'b> {
    writer: Writer<'o, 'b>,
    is_allowed: fn(u8) -> bool,
    is_invalid: bool,
}

/// An octet a request target may hold: printable ASCII, and no fragment.
const fn is_target_byte(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~') && byte != b'#'
}

impl fmt::Write for ValueWriter<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        //= https://www.rfc-editor.org/rfc/rfc9112#section-11.1
        //# A more effective mitigation is to prevent
        //# anything other than the server's core protocol libraries from sending
        //# a CR or LF within the header section, which means restricting the
        //# output of header fields to APIs that filter for bad octets and not
        //# allowing application servers to write directly to the protocol
        //# stream.
        if !text.bytes().all(self.is_allowed) {
            self.is_invalid = true;
            return Err(fmt::Error);
        }
        self.writer.write_str(text)
    }
}

/// A head in the making. What cannot be written is remembered until [`HeadWriter::finish`], and
/// without that nothing is written at all.
#[derive(Debug)]
#[must_use = "a head is written by `finish`"]
pub struct HeadWriter<'o, 'b> {
    output: &'o mut Output<'b>,
    /// Octets that stood in the output before.
    before: usize,
    error: Option<HeadError>,
    /// The status has never any content.
    is_without_length: bool,
    is_finished: bool,
}

impl<'o, 'b> HeadWriter<'o, 'b> {
    fn new(output: &'o mut Output<'b>) -> Self {
        Self {
            before: output.pending().len(),
            output,
            error: None,
            is_without_length: false,
            is_finished: false,
        }
    }

    fn fail(&mut self, error: HeadError) {
        self.error.get_or_insert(error);
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        let mut writer = Writer(self.output);
        if writer.write_fmt(line).is_err() || writer.push(b"\r\n").is_err() {
            self.fail(HeadError::Full);
        }
    }

    fn request_line(&mut self, method: Method, target: impl fmt::Display) {
        self.value(is_target_byte, |writer| {
            write!(writer.writer, "{method} ")?;
            let before = writer.writer.0.pending().len();
            write!(writer, "{target}")?;
            writer.is_invalid = writer.writer.0.pending().len() == before;
            write!(writer.writer, " {}\r\n", Version::Http11)
        });
    }

    /// Runs `write`, and remembers why it did not work.
    fn value(
        &mut self,
        is_allowed: fn(u8) -> bool,
        write: impl FnOnce(&mut ValueWriter<'_, 'b>) -> fmt::Result,
    ) {
        if self.error.is_some() {
            return;
        }
        let mut writer = ValueWriter {
            writer: Writer(self.output),
            is_allowed,
            is_invalid: false,
        };
        let is_written = write(&mut writer).is_ok();
        match (writer.is_invalid, is_written) {
            (true, _) => self.fail(HeadError::Invalid),
            (false, false) => self.fail(HeadError::Full),
            (false, true) => {}
        }
    }

    /// Adds a field.
    pub fn field(mut self, name: &str, value: impl fmt::Display) -> Self {
        if !is_token(name.as_bytes()) {
            self.fail(HeadError::Invalid);
        }
        self.value(is_field_byte, |writer| {
            writer.writer.push(name.as_bytes())?;
            writer.writer.push(b": ")?;
            write!(writer, "{value}")?;
            writer.writer.push(b"\r\n")
        });
        self
    }

    /// Adds a field whose value may be any octets but control characters.
    pub fn field_bytes(mut self, name: &str, value: &[u8]) -> Self {
        if self.error.is_some() {
            return self;
        }
        if !is_token(name.as_bytes()) || !value.iter().copied().all(is_field_byte) {
            self.fail(HeadError::Invalid);
            return self;
        }
        let mut writer = Writer(self.output);
        let pieces = [name.as_bytes(), b": ", value, b"\r\n"];
        if pieces.iter().any(|piece| writer.push(piece).is_err()) {
            self.fail(HeadError::Full);
        }
        self
    }

    /// Adds lines that were written by a `HeadWriter` before, each with its CRLF.
    pub fn lines(mut self, lines: &[u8]) -> Self {
        if self.error.is_some() {
            return self;
        }
        if super::fields::Fields::check(lines, usize::MAX).is_err() {
            self.fail(HeadError::Invalid);
        } else if Writer(self.output).push(lines).is_err() {
            self.fail(HeadError::Full);
        }
        self
    }

    /// Adds `Date` (RFC 9110 §6.6.1). A program without a clock leaves it out.
    pub fn date(self, now: HttpDate) -> Self {
        self.field("Date", now)
    }

    //= https://www.rfc-editor.org/rfc/rfc9110#section-8.6
    //# A server MUST NOT send a Content-Length header field in any response
    //# with a status code of 1xx (Informational) or 204 (No Content).
    /// The body has this many octets. Left out where the status has never a body.
    pub fn content_length(self, octets: u64) -> Self {
        if self.is_without_length {
            return self;
        }
        self.field("Content-Length", octets)
    }

    //= https://www.rfc-editor.org/rfc/rfc9112#section-6.1
    //# A server MUST NOT send a Transfer-Encoding header field in any
    //# response with a status code of 1xx (Informational) or 204 (No
    //# Content).
    /// The body comes in chunks. Left out where the status has never a body.
    pub fn chunked(self) -> Self {
        if self.is_without_length {
            return self;
        }
        self.field("Transfer-Encoding", "chunked")
    }

    /// What the connection does after this message.
    pub fn connection(self, persistence: Persistence) -> Self {
        match persistence {
            //= https://www.rfc-editor.org/rfc/rfc9112#section-9.6
            //# A
            //# sender SHOULD send a Connection header field (Section 7.6.1 of
            //# [HTTP]) containing the "close" connection option when it intends to
            //# close a connection.
            Persistence::Close => self.field("Connection", "close"),
            Persistence::KeepHttp10 => self.field("Connection", "keep-alive"),
            Persistence::Keep => self,
        }
    }

    /// Ends the head.
    ///
    /// # Errors
    ///
    /// The first thing that was wrong with it; nothing of it is in the output then.
    pub fn finish(mut self) -> Result<(), HeadError> {
        if self.error.is_none() && Writer(self.output).push(b"\r\n").is_err() {
            self.fail(HeadError::Full);
        }
        match self.error {
            Some(error) => Err(error),
            None => {
                self.is_finished = true;
                Ok(())
            }
        }
    }
}

impl Drop for HeadWriter<'_, '_> {
    fn drop(&mut self) {
        if !self.is_finished {
            self.output.end = self.output.start.saturating_add(self.before);
        }
    }
}

/// What a connection does after a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persistence {
    /// It ends.
    Close,
    /// It goes on, as HTTP/1.1 does unless it is told otherwise.
    Keep,
    /// It goes on, as HTTP/1.0 does only if it is told.
    KeepHttp10,
}

impl Persistence {
    /// What a message of this version that persists or not says.
    #[must_use]
    pub const fn of(version: Version, persists: bool) -> Self {
        match (persists, version) {
            (false, _) => Self::Close,
            (true, Version::Http11) => Self::Keep,
            (true, Version::Http10) => Self::KeepHttp10,
        }
    }
}
