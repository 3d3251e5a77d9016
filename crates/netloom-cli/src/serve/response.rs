//! A response: status, fields, and what its content comes from.

use std::fmt::{Display, Write as _};
use std::time::SystemTime;

use super::kept::Source;
use netloom_services::http::{
    ByteRange, ByteRanges, HeadError, HttpDate, Output, Persistence, Refusal, Status,
};

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

/// Octets of a file.
#[derive(Debug)]
pub(crate) struct FileContent {
    pub(crate) file: Source,
    pub(crate) octets: Octets,
}

/// Ranges in one request at most: a field with more is ignored.
const MAX_RANGES: usize = 64;

/// Several ranges of a file, each behind fields of its own.
pub(crate) type Parts = ByteRanges<'static, MAX_RANGES>;

/// Which octets of a file are sent.
#[derive(Debug)]
pub(crate) enum Octets {
    /// The file has none.
    None,
    One(ByteRange),
    /// In a box: a response is passed on often, and seldom has parts.
    Several(Box<Parts>),
}

/// What the fields of most responses need, in octets.
const FIELDS: usize = 256;

impl Response {
    /// A response without fields of its own.
    pub(crate) fn new(status: Status, content: Content) -> Self {
        Self {
            status,
            fields: String::with_capacity(FIELDS),
            content,
        }
    }

    /// The response to a request that is not served.
    pub(crate) fn refusal(refusal: Refusal) -> Self {
        let Refusal { status, why } = refusal;
        let text = format!("{} {}: {why}\n", status.code(), status.reason());
        let mut response = Self::new(status, Content::Bytes(text.into_bytes()));
        response.field("Content-Type", "text/plain; charset=utf-8");
        response
    }

    /// The response to a method that is not allowed where `allowed` are.
    //= https://www.rfc-editor.org/rfc/rfc9110#section-15.5.6
    //# The origin server MUST generate an
    //# Allow header field in a 405 response containing a list of the target
    //# resource's currently supported methods.
    pub(crate) fn method_not_allowed(allowed: &str) -> Self {
        let why = "the field Allow lists the methods that are allowed here";
        let mut response = Self::refusal(Refusal::new(Status::METHOD_NOT_ALLOWED, why));
        response.field("Allow", allowed);
        response
    }

    /// Adds a field. `value` holds no CR and no LF.
    pub(crate) fn field(&mut self, name: &str, value: impl Display) {
        // Writing to a `String` does not fail.
        let _ = write!(self.fields, "{name}: {value}\r\n");
    }

    /// Writes the head as it is sent at the time `now`.
    ///
    /// # Errors
    ///
    /// It does not fit the output now.
    pub(crate) fn write_head(
        &self,
        output: &mut Output<'_>,
        now: SystemTime,
        persistence: Persistence,
    ) -> Result<(), HeadError> {
        let mut head = output.response(self.status).field("Server", "netloom");
        if let Some(now) = HttpDate::from_system(now) {
            head = head.date(now);
        }
        head = head.lines(self.fields.as_bytes());
        if let Some(length) = self.content.len() {
            head = head.content_length(length);
        }
        head.connection(persistence).finish()
    }
}

impl Content {
    /// The number of octets; none where none may be told.
    pub(crate) fn len(&self) -> Option<u64> {
        match self {
            Self::None => None,
            Self::Bytes(bytes) => Some(bytes.len() as u64),
            Self::File(FileContent { file: _, octets }) => Some(match octets {
                Octets::None => 0,
                Octets::One(range) => range.len(),
                Octets::Several(parts) => parts.len(),
            }),
        }
    }
}
