//! The body of a request: how long it is, and how it is read past (RFC 9112 §6 and §7.1).
//!
//! A file server has no use for request bodies. A short one is read and thrown away so that the
//! connection can go on; a long one ends the connection.

use super::request::{Fields, Version, list_members};
use super::status::{Refusal, Status};

#[cfg(test)]
mod tests;

/// How the end of a request's body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// This many octets; zero where there is no body. Saturated at `u64::MAX`.
    Length(u64),
    /// The chunked transfer coding.
    Chunked,
}

/// The framing the fields of a request declare, refused where two readers could differ about it.
pub(super) fn framing(fields: Fields<'_>, version: Version) -> Result<Framing, Refusal> {
    let mut codings = fields.values("Transfer-Encoding").peekable();
    if codings.peek().is_none() {
        return content_length(fields).map(Framing::Length);
    }
    //= https://www.rfc-editor.org/rfc/rfc9112#section-6.1
    //# A server or client that receives an HTTP/1.0 message containing a
    //# Transfer-Encoding header field MUST treat the message as if the
    //# framing is faulty, even if a Content-Length is present, and close the
    //# connection after processing the message.
    if version == Version::Http10 {
        return Err(Refusal::bad("HTTP/1.0 has no Transfer-Encoding"));
    }
    //= https://www.rfc-editor.org/rfc/rfc9112#section-6.1
    //# A server MAY reject a request that contains both Content-Length and
    //# Transfer-Encoding or process such a request in accordance with the
    //# Transfer-Encoding alone.
    if fields.values("Content-Length").next().is_some() {
        return Err(Refusal::bad(
            "Content-Length and Transfer-Encoding contradict each other",
        ));
    }
    let (mut count, mut last_is_chunked) = (0, false);
    for coding in codings.flat_map(list_members) {
        count += 1;
        // Applied twice, or applied before another coding.
        if last_is_chunked {
            return Err(Refusal::bad("chunked is not the last transfer coding"));
        }
        last_is_chunked = coding.eq_ignore_ascii_case(b"chunked");
    }
    //= https://www.rfc-editor.org/rfc/rfc9112#section-6.3
    //# If a Transfer-Encoding header field is present in a request and
    //# the chunked transfer coding is not the final encoding, the
    //# message body length cannot be determined reliably; the server
    //# MUST respond with the 400 (Bad Request) status code and then
    //# close the connection.
    if !last_is_chunked {
        return Err(Refusal::bad("chunked is not the last transfer coding"));
    }
    //= https://www.rfc-editor.org/rfc/rfc9112#section-6.1
    //# A server that receives a request message with a transfer coding it
    //# does not understand SHOULD respond with 501 (Not Implemented).
    if count > 1 {
        let why = "the only transfer coding understood is chunked";
        return Err(Refusal::new(Status::NotImplemented, why));
    }
    Ok(Framing::Chunked)
}

fn content_length(fields: Fields<'_>) -> Result<u64, Refusal> {
    //= https://www.rfc-editor.org/rfc/rfc9112#section-6.3
    //# If a message is received without Transfer-Encoding and with an
    //# invalid Content-Length header field, then the message framing is
    //# invalid and the recipient MUST treat it as an unrecoverable
    //# error, unless the field value can be successfully parsed as a
    //# comma-separated list (Section 5.6.1 of [HTTP]), all values in the
    //# list are valid, and all values in the list are the same (in which
    //# case, the message is processed with that single value used as the
    //# Content-Length field value).
    const INVALID: Refusal = Refusal::bad("Content-Length is not one number");
    let mut length = None;
    for value in fields.values("Content-Length") {
        let mut members = list_members(value).peekable();
        members.peek().ok_or(INVALID)?;
        for member in members {
            let number = parse_decimal(member).ok_or(INVALID)?;
            if length.is_some_and(|seen| seen != number) {
                return Err(Refusal::bad("two Content-Lengths contradict each other"));
            }
            length = Some(number);
        }
    }
    Ok(length.unwrap_or(0))
}

/// `1*DIGIT`; a number beyond `u64` is the largest one (RFC 9110 §8.6 asks that no conversion
/// overflow).
pub(crate) fn parse_decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add = |sum: u64, digit: &u8| {
        sum.saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    };
    Some(digits.iter().fold(0, add))
}

/// Octets of chunk extensions, chunk sizes and trailer fields read past in one body.
const MAX_CHUNK_OVERHEAD: usize = 16 * 1024;

/// Reads past one body, whatever pieces it arrives in.
#[derive(Debug, Clone)]
pub(crate) struct Discard {
    state: State,
    /// Octets of content that may still come.
    allowed: u64,
    /// Octets around the content that may still come.
    overhead: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// So many octets, then the end.
    Plain(u64),
    /// In the digits of a chunk size, of which `digits` says whether there was one.
    Size {
        size: u64,
        digits: bool,
    },
    /// In the extensions after a chunk size.
    Extension {
        size: u64,
    },
    /// After the CR of the line with the chunk size.
    SizeLf {
        size: u64,
    },
    Data(u64),
    DataCr,
    DataLf,
    /// In the trailer section; `empty` while the line has no octet.
    Trailer {
        empty: bool,
    },
    TrailerLf {
        empty: bool,
    },
    Done,
}

impl Discard {
    /// A body framed as `framing`, of at most `limit` octets of content.
    pub(crate) fn new(framing: Framing, limit: u64) -> Result<Self, Refusal> {
        let state = match framing {
            Framing::Length(0) => State::Done,
            Framing::Length(length) if length > limit => return Err(too_large()),
            Framing::Length(length) => State::Plain(length),
            Framing::Chunked => State::Size {
                size: 0,
                digits: false,
            },
        };
        Ok(Self {
            state,
            allowed: limit,
            overhead: MAX_CHUNK_OVERHEAD,
        })
    }

    /// Whether the body has ended.
    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Takes what belongs to the body from the front of `bytes` and returns how many octets those
    /// are: all of them unless the body ended. An error says that the body is too large or that
    /// its chunks are malformed; the connection cannot go on then.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<usize, Refusal> {
        let mut taken = 0;
        while let Some(&byte) = bytes.get(taken).filter(|_| !self.is_done()) {
            // Content goes by in one step, framing octet by octet.
            let (State::Plain(left) | State::Data(left)) = self.state else {
                self.state = self.step(byte)?;
                self.overhead = self.overhead.checked_sub(1).ok_or_else(too_large)?;
                taken += 1;
                continue;
            };
            let room = bytes.len() - taken;
            let step = usize::try_from(left).map_or(room, |left| left.min(room));
            taken += step;
            self.state = match (self.state, left - step as u64) {
                (State::Plain(_), 0) => State::Done,
                (State::Plain(_), left) => State::Plain(left),
                (_, 0) => State::DataCr,
                (_, left) => State::Data(left),
            };
        }
        Ok(taken)
    }

    //= https://www.rfc-editor.org/rfc/rfc9112#section-7.1
    //# A recipient MUST be able to parse and decode the chunked transfer
    //# coding.
    fn step(&mut self, byte: u8) -> Result<State, Refusal> {
        const MALFORMED: Refusal = Refusal::bad("the chunked body is malformed");
        let is_text = byte == b'\t' || (byte >= b' ' && byte != 0x7f);
        Ok(match self.state {
            State::Size { size, .. } if byte.is_ascii_hexdigit() => {
                //= https://www.rfc-editor.org/rfc/rfc9112#section-7.1
                //# Therefore, recipients MUST
                //# anticipate potentially large hexadecimal numerals and prevent parsing
                //# errors due to integer conversion overflows or precision loss due to
                //# integer representation.
                let digit = u64::from((byte as char).to_digit(16).unwrap_or(0));
                let size = size.checked_mul(16).ok_or_else(too_large)? + digit;
                State::Size { size, digits: true }
            }
            State::Size { digits: false, .. } => return Err(MALFORMED),
            State::Size { size, .. } | State::Extension { size } if byte == b'\r' => {
                State::SizeLf { size }
            }
            //= https://www.rfc-editor.org/rfc/rfc9112#section-7.1.1
            //# A recipient MUST ignore unrecognized chunk extensions.
            State::Size { size, .. } if matches!(byte, b';' | b' ' | b'\t') => {
                State::Extension { size }
            }
            State::Extension { size } if is_text => State::Extension { size },
            State::SizeLf { size: 0 } if byte == b'\n' => State::Trailer { empty: true },
            State::SizeLf { size } if byte == b'\n' => {
                self.allowed = self.allowed.checked_sub(size).ok_or_else(too_large)?;
                State::Data(size)
            }
            State::DataCr if byte == b'\r' => State::DataLf,
            State::DataLf if byte == b'\n' => State::Size {
                size: 0,
                digits: false,
            },
            State::Trailer { empty } if byte == b'\r' => State::TrailerLf { empty },
            State::Trailer { .. } if is_text => State::Trailer { empty: false },
            State::TrailerLf { empty: true } if byte == b'\n' => State::Done,
            State::TrailerLf { empty: false } if byte == b'\n' => State::Trailer { empty: true },
            State::Size { .. }
            | State::Extension { .. }
            | State::SizeLf { .. }
            | State::DataCr
            | State::DataLf
            | State::Trailer { .. }
            | State::TrailerLf { .. } => return Err(MALFORMED),
            // `take` handles these.
            State::Plain(_) | State::Data(_) | State::Done => self.state,
        })
    }
}

fn too_large() -> Refusal {
    Refusal::new(Status::ContentTooLarge, "the request body is too large")
}
