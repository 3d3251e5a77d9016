//! How long the body of a message is (RFC 9112 §6).

use super::fields::{Fields, list_members, parse_decimal};
use super::method::{Method, Version};
use super::status::{Refusal, Status};

#[cfg(test)]
mod tests;

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// This many octets; zero where there is no body. Saturated at `u64::MAX`.
    Length(u64),
    /// The chunked transfer coding.
    Chunked,
    /// The end of the connection; of a response only.
    UntilClose,
}

impl Framing {
    /// Whether there is no octet of content to come.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Framing::Length(0)
    }
}

/// The framing the fields of a request declare, refused where two readers could differ about it.
pub(super) fn of_request(fields: Fields<'_>, version: Version) -> Result<Framing, Refusal> {
    let mut codings = fields.values("Transfer-Encoding").peekable();
    if codings.peek().is_none() {
        return content_length(fields).map(|length| Framing::Length(length.unwrap_or(0)));
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
    if fields.has("Content-Length") {
        return Err(Refusal::bad(
            "Content-Length and Transfer-Encoding contradict each other",
        ));
    }
    let (mut others, mut last_is_chunked) = (false, false);
    for coding in codings.flat_map(list_members) {
        //= https://www.rfc-editor.org/rfc/rfc9112#section-6.1
        //# A sender MUST NOT
        //# apply the chunked transfer coding more than once to a message body
        //# (i.e., chunking an already chunked message is not allowed).
        if last_is_chunked {
            return Err(Refusal::bad("chunked is not the last transfer coding"));
        }
        last_is_chunked = coding.eq_ignore_ascii_case(b"chunked");
        others |= !last_is_chunked;
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
    if others {
        let why = "the only transfer coding understood is chunked";
        return Err(Refusal::new(Status::NOT_IMPLEMENTED, why));
    }
    Ok(Framing::Chunked)
}

/// How the body of a response to a request with this method ends.
pub(super) fn of_response(
    fields: Fields<'_>,
    version: Version,
    status: Status,
    method: Method,
) -> Result<Framing, Refusal> {
    //= https://www.rfc-editor.org/rfc/rfc9112#section-6.3
    //# 1.  Any response to a HEAD request and any response with a 1xx
    //# (Informational), 204 (No Content), or 304 (Not Modified) status
    //# code is always terminated by the first empty line after the
    //# header fields, regardless of the header fields present in the
    //# message, and thus cannot contain a message body or trailer
    //# section.
    if method == Method::Head || status.is_without_content() {
        return Ok(Framing::Length(0));
    }
    //= https://www.rfc-editor.org/rfc/rfc9112#section-6.3
    //# A client MUST ignore any
    //# Content-Length or Transfer-Encoding header fields received in
    //# such a message.
    if method == Method::Connect && (200..300).contains(&status.code()) {
        return Ok(Framing::Length(0));
    }
    let mut codings = fields.members("Transfer-Encoding");
    if fields.has("Transfer-Encoding") {
        if version == Version::Http10 {
            return Err(Refusal::bad("HTTP/1.0 has no Transfer-Encoding"));
        }
        let first = codings.next().unwrap_or_default();
        // Content in another coding could not be undone here.
        if !first.eq_ignore_ascii_case(b"chunked") || codings.next().is_some() {
            return Err(Refusal::bad("its transfer coding is another than chunked"));
        }
        return Ok(Framing::Chunked);
    }
    //= https://www.rfc-editor.org/rfc/rfc9112#section-6.3
    //# 8.  Otherwise, this is a response message without a declared message
    //# body length, so the message body length is determined by the
    //# number of octets received prior to the server closing the
    //# connection.
    let length = content_length(fields)?;
    Ok(length.map_or(Framing::UntilClose, Framing::Length))
}

/// The one length the Content-Length fields agree on; `None` where there is none.
pub(super) fn content_length(fields: Fields<'_>) -> Result<Option<u64>, Refusal> {
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
    Ok(length)
}
