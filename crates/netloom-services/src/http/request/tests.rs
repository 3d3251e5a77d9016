use std::format;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

fn parse_all(bytes: &[u8]) -> Result<Parsed<Request<'_>>, Refusal> {
    parse_request(bytes, 0, &HeadLimits::default())
}

fn complete(bytes: &[u8]) -> Request<'_> {
    match parse_all(bytes) {
        Ok(Parsed::Complete { head, .. }) => head,
        other => panic!("{}: {other:?}", bytes.escape_ascii()),
    }
}

/// The code of the refusal of `lines`, a head without its last empty line.
fn refused(lines: &str) -> u16 {
    let bytes = format!("{lines}\r\n\r\n").into_bytes();
    match parse_all(&bytes) {
        Err(refusal) => refusal.status.code(),
        other => panic!("{lines:?}: {other:?}"),
    }
}

#[test]
fn a_request_and_where_it_ends() {
    let bytes = b"GET /a?b=c HTTP/1.1\r\nHost: h:80\r\nX-Y:\t two words \t\r\nx-y:\r\n\r\nGET";
    let Ok(Parsed::Complete {
        head: request,
        consumed,
    }) = parse_all(bytes)
    else {
        panic!()
    };
    assert_eq!(consumed, bytes.len() - 3);
    assert_eq!(
        (request.method(), request.version()),
        (Method::Get, Version::Http11)
    );
    assert_eq!(request.target_bytes(), b"/a?b=c");
    assert_eq!(request.framing(), Framing::Length(0));
    let values: Vec<_> = request.values("X-Y").collect();
    assert_eq!(values, [&b"two words"[..], b""]);
    assert_eq!(request.single("X-Y"), None, "sent twice");
    assert_eq!(request.single("hOST"), Some(&b"h:80"[..]));
    assert_eq!(request.single("Range"), None);
}

#[test]
fn empty_lines_before_a_request_are_ignored() {
    //= https://www.rfc-editor.org/rfc/rfc9112#section-2.2
    //= type=test
    //# In the interest of robustness, a server that is expecting to receive
    //# and parse a request-line SHOULD ignore at least one empty line (CRLF)
    //# received prior to the request-line.
    let bytes = b"\r\n\r\n\r\nHEAD / HTTP/1.0\r\n\r\n";
    let Ok(Parsed::Complete {
        head: request,
        consumed,
    }) = parse_all(bytes)
    else {
        panic!()
    };
    assert_eq!((request.method(), consumed), (Method::Head, bytes.len()));
}

#[test]
fn methods_and_versions() {
    let method = |name: &str| complete(format!("{name} / HTTP/1.0\r\n\r\n").as_bytes()).method();
    assert_eq!(method("GET"), Method::Get);
    assert_eq!(method("HEAD"), Method::Head);
    assert_eq!(method("PUT"), Method::Put);
    for known in ["POST", "DELETE", "OPTIONS", "TRACE", "PATCH"] {
        assert_eq!(method(known).name(), known);
    }
    for other in ["get", "BREW", "GETT", "!#$%&'*+-.^_`|~"] {
        assert_eq!(method(other), Method::Other);
    }
    assert_eq!(
        complete(b"GET / HTTP/1.7\r\nHost: h\r\n\r\n").version(),
        Version::Http11
    );
    assert_eq!(refused("GET / HTTP/2.0\r\nHost: h"), 505);
    assert_eq!(refused("PRI * HTTP/2.0"), 505);
    assert_eq!(refused("GET / HTTP/0.9"), 505);
}

#[test]
fn what_is_no_request_line() {
    for line in [
        "GET /",
        "GET  / HTTP/1.1",
        "GET / HTTP/1.1 ",
        " GET / HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "GET / http/1.1",
        "GET / HTTP/1.1x",
        "GET / HTTP/11",
        "GET / HTTP/1.",
        "GET / a HTTP/1.1",
        "G(T / HTTP/1.1",
        "GET /a\x00b HTTP/1.1",
        "GET /a\rb HTTP/1.1",
        "GET /a\nb HTTP/1.1",
        "GET /a#b HTTP/1.1",
        "GET /a\x7fb HTTP/1.1",
    ] {
        assert_eq!(refused(&format!("{line}\r\nHost: h")), 400, "{line:?}");
    }
}

#[test]
fn fields_two_readers_could_differ_about_are_refused() {
    //= https://www.rfc-editor.org/rfc/rfc9112#section-5.1
    //= type=test
    //# A
    //# server MUST reject, with a response status code of 400 (Bad Request),
    //# any received request message that contains whitespace between a
    //# header field name and colon.

    //= https://www.rfc-editor.org/rfc/rfc9112#section-5.2
    //= type=test
    //# A server that receives an obs-fold in a request message that is not
    //# within a "message/http" container MUST either reject the message by
    //# sending a 400 (Bad Request), preferably with a representation
    //# explaining that obsolete line folding is unacceptable, or replace
    //# each received obs-fold with one or more SP octets prior to
    //# interpreting the field value or forwarding the message downstream.

    //= https://www.rfc-editor.org/rfc/rfc9112#section-2.2
    //= type=test
    //# A recipient of such a bare CR MUST consider that element to be
    //# invalid or replace each bare CR with SP before processing the element
    //# or forwarding the message.

    //= https://www.rfc-editor.org/rfc/rfc9110#section-5.5
    //= type=test
    //# Field values containing CR, LF, or NUL characters are invalid and
    //# dangerous, due to the varying ways that implementations might parse
    //# and interpret those characters; a recipient of CR, LF, or NUL within
    //# a field value MUST either reject the message or replace each of those
    //# characters with SP before further processing or forwarding of that
    //# message.
    for field in [
        "Name : value",
        "Name\t: value",
        "A: b\r\n folded",
        "A: b\r\n\tfolded",
        "A: b\rc",
        "A: b\nc",
        "A: b\r\r",
        "A: b\x00c",
        "A: b\x01c",
        "A: b\x7fc",
        "no colon",
        ": no name",
        "na me: value",
        "n\u{e4}me: value",
        "n\rame: value",
    ] {
        assert_eq!(
            refused(&format!("GET / HTTP/1.1\r\nHost: h\r\n{field}")),
            400,
            "{field:?}"
        );
    }
    // The client is told which of them it was.
    for (field, why) in [
        ("Name : value", "between a field name and its colon"),
        ("A: b\r\n folded", "obsolete line folding"),
        ("A: b\r\n \r\nB: c", "obsolete line folding"),
    ] {
        let text = format!("GET / HTTP/1.1\r\nHost: h\r\n{field}\r\n\r\n");
        let refusal = parse_all(text.as_bytes()).unwrap_err();
        assert!(refusal.why.contains(why), "{field:?}: {refusal}");
    }
    //= https://www.rfc-editor.org/rfc/rfc9112#section-2.2
    //= type=test
    //# A recipient that receives whitespace between the start-line and the
    //# first header field MUST either reject the message as invalid or
    //# consume each whitespace-preceded line without further processing of
    //# it (i.e., ignore the entire line, along with any subsequent lines
    //# preceded by whitespace, until a properly formed header field is
    //# received or the header section is terminated).
    // White space before the first field.
    assert_eq!(refused("GET / HTTP/1.1\r\n Host: h"), 400);
    // Octets beyond ASCII belong to a value.
    complete("GET / HTTP/1.1\r\nHost: h\r\nA: \u{e9}\r\n\r\n".as_bytes());
}

#[test]
fn the_host() {
    //= https://www.rfc-editor.org/rfc/rfc9112#section-3.2
    //= type=test
    //# A server MUST respond with a 400 (Bad Request) status code to any
    //# HTTP/1.1 request message that lacks a Host header field and to any
    //# request message that contains more than one Host header field line or
    //# a Host header field with an invalid field value.
    assert_eq!(refused("GET / HTTP/1.1"), 400);
    assert_eq!(refused("GET / HTTP/1.1\r\nHost: a\r\nHost: a"), 400);
    assert_eq!(refused("GET / HTTP/1.0\r\nHost: a\r\nhost: b"), 400);
    complete(b"GET / HTTP/1.0\r\n\r\n");
    for good in [
        "",
        "a",
        "a.example:8080",
        "10.0.0.1:80",
        "[::1]",
        "[fe80::1]:80",
        "a:",
        "a%20b",
    ] {
        complete(format!("GET / HTTP/1.1\r\nHost: {good}\r\n\r\n").as_bytes());
    }
    for bad in [
        "a b", "a/b", "a@b", "a:b", "a:80:80", "[::1", "[]", "[::1]80", "[g/]", "a, b?",
    ] {
        assert_eq!(
            refused(&format!("GET / HTTP/1.1\r\nHost: {bad}")),
            400,
            "{bad:?}"
        );
    }
}

#[test]
fn limits() {
    let limits = HeadLimits {
        head: 400,
        target: 20,
        fields: 3,
    };
    let code = |bytes: &[u8]| match parse_request(bytes, 0, &limits) {
        Err(refusal) => Some(refusal.status.code()),
        Ok(_) => None,
    };
    //= https://www.rfc-editor.org/rfc/rfc9112#section-3
    //= type=test
    //# A server that receives a request-
    //# target longer than any URI it wishes to parse MUST respond with a 414
    //# (URI Too Long) status code (see Section 15.5.15 of [HTTP]).
    let target = |length: usize| {
        format!(
            "GET /{} HTTP/1.1\r\nHost: h\r\n\r\n",
            "a".repeat(length - 1)
        )
        .into_bytes()
    };
    assert_eq!(code(&target(20)), None);
    assert_eq!(code(&target(21)), Some(414));
    assert_eq!(code(&target(200)), Some(414));
    // Said before the line is complete.
    assert_eq!(code(&target(200)[..100]), Some(414));
    //= https://www.rfc-editor.org/rfc/rfc9112#section-3
    //= type=test
    //# A server that receives
    //# a method longer than any that it implements SHOULD respond with a 501
    //# (Not Implemented) status code.
    assert_eq!(code("M".repeat(100).as_bytes()), Some(501));
    let fields = |count: usize| {
        format!(
            "GET / HTTP/1.1\r\nHost: h\r\n{}\r\n",
            "A: b\r\n".repeat(count - 1)
        )
        .into_bytes()
    };
    assert_eq!(code(&fields(3)), None);
    assert_eq!(code(&fields(4)), Some(431));
    let long = |length: usize| {
        let start = "GET / HTTP/1.1\r\nHost: h\r\nA: ";
        format!("{start}{}\r\n\r\n", "a".repeat(length - start.len() - 4)).into_bytes()
    };
    assert_eq!(code(&long(400)), None);
    assert_eq!(code(&long(401)), Some(431));
    assert_eq!(
        code(&long(600)[..400]),
        Some(431),
        "no end in a full buffer"
    );
    assert_eq!(code(&long(400)[..399]), None);
}

#[test]
fn what_is_no_http_is_refused_at_its_first_octet() {
    assert!(parse_all(b"\x16").is_err(), "a TLS hello");
    assert!(parse_all(b"\r\n\x00").is_err());
    for partial in [&b""[..], b"\r", b"\r\n", b"\r\n\r", b"G"] {
        assert_eq!(parse_all(partial), Ok(Parsed::Partial));
    }
}

#[test]
fn persistence() {
    //= https://www.rfc-editor.org/rfc/rfc9112#section-9.3
    //= type=test
    //# *  If the "close" connection option is present (Section 9.6), the
    //# connection will not persist after the current response; else,
    for (head, persists) in [
        ("HTTP/1.1\r\nHost: h", true),
        ("HTTP/1.1\r\nHost: h\r\nConnection: close", false),
        ("HTTP/1.1\r\nHost: h\r\nConnection: TE,\tCLOSE", false),
        (
            "HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\nConnection: close",
            false,
        ),
        ("HTTP/1.1\r\nHost: h\r\nConnection: closed", true),
        ("HTTP/1.0", false),
        ("HTTP/1.0\r\nConnection: Keep-Alive", true),
        ("HTTP/1.0\r\nConnection: keep-alive, close", false),
    ] {
        let bytes = format!("GET / {head}\r\n\r\n").into_bytes();
        assert_eq!(complete(&bytes).persists(), persists, "{head:?}");
    }
}

#[test]
fn expectations() {
    let expects = |rest: &str| {
        let bytes = format!("GET / {rest}\r\n\r\n").into_bytes();
        complete(&bytes)
            .expects_continue()
            .map_err(|refusal| refusal.status)
    };
    assert_eq!(expects("HTTP/1.1\r\nHost: h"), Ok(false));
    assert_eq!(
        expects("HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue"),
        Ok(true)
    );
    //= https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1
    //= type=test
    //# A server that receives an Expect field value containing a member
    //# other than 100-continue MAY respond with a 417 (Expectation Failed)
    //# status code to indicate that the unexpected expectation cannot be
    //# met.
    assert_eq!(
        expects("HTTP/1.1\r\nHost: h\r\nExpect: tea"),
        Err(Status::EXPECTATION_FAILED)
    );
    //= https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1
    //= type=test
    //# *  A server that receives a 100-continue expectation in an HTTP/1.0
    //# request MUST ignore that expectation.
    assert_eq!(expects("HTTP/1.0\r\nExpect: 100-continue"), Ok(false));
}

/// Octets that make up requests, so that random ones come near to being some.
fn request_like() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "GET",
        "HEAD",
        " ",
        "/",
        "a",
        "HTTP/1.1",
        "HTTP/1.0",
        "\r\n",
        "\r\n\r\n",
        "\r",
        "\n",
        ":",
        "Host",
        "Host: h\r\n",
        "GET / HTTP/1.1\r\n",
        "Content-Length: ",
        "0",
        "18446744073709551616",
        "Transfer-Encoding: ",
        "chunked",
        ",",
        "\t",
        "\0",
        "\u{ff}",
        "Expect: 100-continue\r\n",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #[test]
    fn no_octets_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse_all(&bytes);
    }

    /// Whatever has been said of a beginning stays true of the whole.
    #[test]
    fn pieces_and_the_whole_agree(bytes in request_like()) {
        let whole = parse_all(&bytes);
        let mut searched = 0;
        for end in 0..=bytes.len() {
            match parse_request(&bytes[..end], searched, &HeadLimits::default()) {
                Ok(Parsed::Partial) => {
                    prop_assert!(end < bytes.len() || whole == Ok(Parsed::Partial));
                    searched = end;
                }
                decided => {
                    prop_assert_eq!(decided, whole);
                    break;
                }
            }
        }
    }
}
