use proptest::prelude::*;

use super::super::request::{HeadLimits, Parsed, parse};
use super::*;

/// The framing of a request with these field lines, or the status it is refused with.
fn framed(version: &str, lines: &[&str]) -> Result<Framing, u16> {
    let head = format!(
        "GET / {version}\r\nHost: h\r\n{}\r\n\r\n",
        lines.join("\r\n")
    );
    match parse(head.as_bytes(), 0, &HeadLimits::default()) {
        Ok(Parsed::Complete { request, .. }) => Ok(request.framing),
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

fn chunked(limit: u64) -> Discard {
    Discard::new(Framing::Chunked, limit).unwrap()
}

#[test]
fn chunked_bodies_end_where_they_say() {
    //= https://www.rfc-editor.org/rfc/rfc9112#section-7.1
    //= type=test
    //# A recipient MUST be able to parse and decode the chunked transfer
    //# coding.

    //= https://www.rfc-editor.org/rfc/rfc9112#section-7.1.1
    //= type=test
    //# A recipient MUST ignore unrecognized chunk extensions.
    for body in [
        "0\r\n\r\n",
        "000\r\n\r\n",
        "5\r\nhello\r\n0\r\n\r\n",
        "00A;name=value ; b=\"c\"\r\n0123456789\r\n1 \r\nx\r\n0;x\r\nTrailer: yes\r\nT: 2\r\n\r\n",
        "4\r\n\r\n\r\n\r\n0\r\n\r\n",
    ] {
        let stream = format!("{body}GET / HTTP/1.1\r\n");
        // All at once, and octet by octet.
        let mut discard = chunked(100);
        assert_eq!(discard.take(stream.as_bytes()), Ok(body.len()), "{body:?}");
        assert!(discard.is_done());
        let mut discard = chunked(100);
        let taken = stream
            .as_bytes()
            .chunks(1)
            .map(|b| discard.take(b).unwrap())
            .sum::<usize>();
        assert_eq!(taken, body.len(), "{body:?}");
    }
}

#[test]
fn malformed_chunks_are_refused() {
    for body in [
        "\r\n",
        ";x\r\n",
        "g\r\n",
        "-1\r\n",
        "0x5\r\n",
        " 5\r\n",
        "5\nhello",
        "5\r\r",
        "5;a\nb",
        "5;a\rb",
        "5\r\nhelloX",
        "5\r\nhello\n0",
        "5\r\nhello\rX",
        "0\r\nA: b\n",
        "0\r\n\rX",
        "5;\0\r\n",
        "0\r\nA\0",
    ] {
        let refusal = chunked(100).take(body.as_bytes());
        assert_eq!(
            refusal.map_err(|r| r.status),
            Err(Status::BadRequest),
            "{body:?}"
        );
    }
}

#[test]
fn a_body_has_a_limit() {
    let too_large = Err(Status::ContentTooLarge);
    let status = |result: Result<usize, Refusal>| result.map_err(|r| r.status);
    assert!(Discard::new(Framing::Length(10), 10).is_ok());
    assert!(Discard::new(Framing::Length(11), 10).is_err());
    assert_eq!(status(chunked(10).take(b"a\r\n")), Ok(3));
    assert_eq!(status(chunked(10).take(b"b\r\n")), too_large);
    assert_eq!(
        status(chunked(10).take(b"9\r\n123456789\r\n2\r\n")),
        too_large
    );
    //= https://www.rfc-editor.org/rfc/rfc9112#section-7.1
    //= type=test
    //# Therefore, recipients MUST
    //# anticipate potentially large hexadecimal numerals and prevent parsing
    //# errors due to integer conversion overflows or precision loss due to
    //# integer representation.
    assert_eq!(
        status(chunked(u64::MAX).take(b"ffffffffffffffff\r\n")),
        Ok(18)
    );
    assert_eq!(
        status(chunked(u64::MAX).take(b"10000000000000000\r\n")),
        too_large
    );
    // What is around the content is bounded too.
    let extension = format!("1;{}", "a".repeat(MAX_CHUNK_OVERHEAD));
    assert_eq!(status(chunked(10).take(extension.as_bytes())), too_large);
}

#[test]
fn plain_bodies() {
    let mut discard = Discard::new(Framing::Length(5), 10).unwrap();
    assert_eq!(discard.take(b"abc"), Ok(3));
    assert!(!discard.is_done());
    assert_eq!(discard.take(b"deGET"), Ok(2));
    assert!(discard.is_done());
    assert!(Discard::new(Framing::Length(0), 10).unwrap().is_done());
}

proptest! {
    #[test]
    fn pieces_and_the_whole_agree(
        pieces in prop::collection::vec(
            prop::sample::select(vec!["0", "5", "a", "\r\n", "\r", "\n", ";", "hello", "\0", "T: x"]),
            0..30,
        ),
        cut in 1_usize..9,
    ) {
        let stream = pieces.concat();
        let mut whole = chunked(50);
        let at_once = whole.take(stream.as_bytes());
        let mut cut_up = chunked(50);
        let mut taken = 0;
        for piece in stream.as_bytes().chunks(cut) {
            match cut_up.take(piece) {
                Ok(count) => taken += count,
                Err(refusal) => {
                    prop_assert_eq!(at_once, Err(refusal));
                    return Ok(());
                }
            }
        }
        prop_assert_eq!(at_once, Ok(taken));
        prop_assert_eq!(whole.state, cut_up.state);
    }
}
