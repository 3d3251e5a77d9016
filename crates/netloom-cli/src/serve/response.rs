//! A response: status, fields, and what its content comes from.

use std::fmt::{Display, Write as _};
use std::fs::File;
use std::time::SystemTime;

use super::range::ByteRange;
use super::status::{Refusal, Status};

#[cfg(test)]
mod tests;

/// A response that is ready to be sent.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: Status,
    /// Complete field lines.
    fields: String,
    pub(crate) content: Content,
}

/// Where the octets of a response come from.
#[derive(Debug)]
pub(crate) enum Content {
    /// Never any, as with 304: not even a length is sent.
    None,
    Bytes(Vec<u8>),
    File(FileContent),
}

/// Stretches of a file, each behind some octets of its own.
#[derive(Debug)]
pub(crate) struct FileContent {
    pub(crate) file: File,
    pub(crate) parts: Vec<Part>,
    /// What follows the last part.
    pub(crate) closing: Vec<u8>,
}

/// A stretch of a file and what is sent before it.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) preface: Vec<u8>,
    pub(crate) range: ByteRange,
}

/// What the connection does after the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Persistence {
    Close,
    /// As HTTP/1.1 does unless it is told otherwise.
    Keep,
    /// As HTTP/1.0 does only if it is told.
    KeepHttp10,
}

impl Response {
    /// A response without fields of its own.
    pub(crate) fn new(status: Status, content: Content) -> Self {
        Self {
            status,
            fields: String::new(),
            content,
        }
    }

    /// The response to a request that is not served.
    pub(crate) fn refusal(refusal: Refusal) -> Self {
        let Refusal { status, why } = refusal;
        let text = format!("{} {}: {why}\n", status.code(), status.reason());
        let mut response = Self::new(status, Content::Bytes(text.into_bytes()));
        response.field("Content-Type", "text/plain; charset=utf-8");
        //= https://www.rfc-editor.org/rfc/rfc9110#section-15.5.6
        //# The origin server MUST generate an
        //# Allow header field in a 405 response containing a list of the target
        //# resource's currently supported methods.
        if status == Status::MethodNotAllowed {
            response.field("Allow", "GET, HEAD");
        }
        response
    }

    /// Adds a field. `value` holds no CR and no LF.
    pub(crate) fn field(&mut self, name: &str, value: impl Display) {
        // Writing to a `String` does not fail.
        let _ = write!(self.fields, "{name}: {value}\r\n");
    }

    /// The head as it is sent at the time `now`, its empty line included.
    pub(crate) fn head(&self, now: SystemTime, persistence: Persistence) -> String {
        let mut head = String::with_capacity(512);
        let status = self.status;
        let date = httpdate::fmt_http_date(now);
        let _ = write!(
            head,
            "HTTP/1.1 {} {}\r\nServer: netloom\r\nDate: {date}\r\n{}",
            status.code(),
            status.reason(),
            self.fields,
        );
        if let Some(length) = self.content.len() {
            let _ = write!(head, "Content-Length: {length}\r\n");
        }
        match persistence {
            //= https://www.rfc-editor.org/rfc/rfc9112#section-9.6
            //# A
            //# sender SHOULD send a Connection header field (Section 7.6.1 of
            //# [HTTP]) containing the "close" connection option when it intends to
            //# close a connection.
            Persistence::Close => head.push_str("Connection: close\r\n"),
            Persistence::KeepHttp10 => head.push_str("Connection: keep-alive\r\n"),
            Persistence::Keep => {}
        }
        head.push_str("\r\n");
        head
    }
}

impl Content {
    /// The number of octets; none where none may be told.
    pub(crate) fn len(&self) -> Option<u64> {
        match self {
            Self::None => None,
            Self::Bytes(bytes) => Some(bytes.len() as u64),
            Self::File(FileContent {
                file: _,
                parts,
                closing,
            }) => {
                let parts: u64 = parts
                    .iter()
                    .map(|p| p.preface.len() as u64 + p.range.len())
                    .sum();
                Some(parts + closing.len() as u64)
            }
        }
    }
}
