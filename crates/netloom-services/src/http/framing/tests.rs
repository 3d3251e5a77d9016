use std::format;

use super::super::request::{HeadLimits, Parsed, parse_request};
use super::*;

/// The framing of a request with these field lines, or the status it is refused with.
fn framed(version: &str, lines: &[&str]) -> Result<Framing, u16> {
    let head = format!(
        "GET / {version}\r\nHost: h\r\n{}\r\n\r\n",
        lines.join("\r\n")
    );
    match parse_request(head.as_bytes(), 0, &HeadLimits::default()) {
        Ok(Parsed::Complete { head, .. }) => Ok(head.framing()),
        Ok(Parsed::Partial) => panic!("{head:?}"),
        Err(refusal) => Err(refusal.status.code()),
    }
}

#[test]
fn lengths() {
    //= https://www.rfc-editor.org/rfc/rfc9112#section-6.3
    //= type=test
    //# If a message is received without Transfer-Encoding and with an
    //# invalid Content-Length header field, then the message framing is
    //# invalid and the recipient MUST treat it as an unrecoverable
    //# error, unless the field value can be successfully parsed as a
    //# comma-separated list (Section 5.6.1 of [HTTP]), all values in the
    //# list are valid, and all values in the list are the same (in which
    //# case, the message is processed with that single value used as the
    //# Content-Length field value).
    for (lines, length) in [
        (&["X: y"][..], Ok(0)),
        (&["Content-Length: 5"], Ok(5)),
        (&["Content-Length: 005"], Ok(5)),
        (&["Content-Length: 5, 5"], Ok(5)),
        (&["Content-Length: 5", "content-length: 05"], Ok(5)),
        (&["Content-Length: 99999999999999999999999"], Ok(u64::MAX)),
        (&["Content-Length: 5", "Content-Length: 6"], Err(400)),
        (&["Content-Length: 5, 6"], Err(400)),
        (&["Content-Length:"], Err(400)),
        (&["Content-Length: ,"], Err(400)),
        (&["Content-Length: -1"], Err(400)),
        (&["Content-Length: +1"], Err(400)),
        (&["Content-Length: 0x10"], Err(400)),
        (&["Content-Length: 1 0"], Err(400)),
        (&["Content-Length: 5;"], Err(400)),
    ] {
        assert_eq!(
            framed("HTTP/1.1", lines),
            length.map(Framing::Length),
            "{lines:?}"
        );
    }
}

#[test]
fn transfer_codings() {
    //= https://www.rfc-editor.org/rfc/rfc9112#section-6.3
    //= type=test
    //# If a Transfer-Encoding header field is present in a request and
    //# the chunked transfer coding is not the final encoding, the
    //# message body length cannot be determined reliably; the server
    //# MUST respond with the 400 (Bad Request) status code and then
    //# close the connection.

    //= https://www.rfc-editor.org/rfc/rfc9112#section-6.1
    //= type=test
    //# A server or client that receives an HTTP/1.0 message containing a
    //# Transfer-Encoding header field MUST treat the message as if the
    //# framing is faulty, even if a Content-Length is present, and close the
    //# connection after processing the message.

    //= https://www.rfc-editor.org/rfc/rfc9112#section-6.1
    //= type=test
    //# A server MAY reject a request that contains both Content-Length and
    //# Transfer-Encoding or process such a request in accordance with the
    //# Transfer-Encoding alone.

    //= https://www.rfc-editor.org/rfc/rfc9112#section-6.1
    //= type=test
    //# A server that receives a request message with a transfer coding it
    //# does not understand SHOULD respond with 501 (Not Implemented).
    for (version, lines, expected) in [
        (
            "HTTP/1.1",
            &["Transfer-Encoding: chunked"][..],
            Ok(Framing::Chunked),
        ),
        (
            "HTTP/1.1",
            &["Transfer-Encoding: CHUNKED"],
            Ok(Framing::Chunked),
        ),
        ("HTTP/1.1", &["Transfer-Encoding: gzip, chunked"], Err(501)),
        (
            "HTTP/1.1",
            &["Transfer-Encoding: gzip", "Transfer-Encoding: chunked"],
            Err(501),
        ),
        ("HTTP/1.1", &["Transfer-Encoding: gzip"], Err(400)),
        ("HTTP/1.1", &["Transfer-Encoding: chunked, gzip"], Err(400)),
        (
            "HTTP/1.1",
            &["Transfer-Encoding: chunked, chunked"],
            Err(400),
        ),
        ("HTTP/1.1", &["Transfer-Encoding: chunked;q=1"], Err(400)),
        ("HTTP/1.1", &["Transfer-Encoding: xchunked"], Err(400)),
        ("HTTP/1.1", &["Transfer-Encoding: \"chunked\""], Err(400)),
        ("HTTP/1.1", &["Transfer-Encoding:"], Err(400)),
        (
            "HTTP/1.1",
            &["Transfer-Encoding: chunked", "Content-Length: 5"],
            Err(400),
        ),
        (
            "HTTP/1.1",
            &["Content-Length: 5", "Transfer-Encoding: identity"],
            Err(400),
        ),
        ("HTTP/1.0", &["Transfer-Encoding: chunked"], Err(400)),
    ] {
        assert_eq!(framed(version, lines), expected, "{version} {lines:?}");
    }
}
