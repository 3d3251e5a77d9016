use std::format;

use super::*;

fn parse(bytes: &[u8], searched: usize) -> Result<Parsed<Response<'_>>, &'static str> {
    let limits = HeadLimits::default();
    parse_response(bytes, searched, Method::Get, &limits).map_err(|refusal| refusal.why)
}

fn complete(text: &str) -> Response<'_> {
    match parse(text.as_bytes(), 0) {
        Ok(Parsed::Complete { head, consumed }) => {
            assert_eq!(consumed, text.len());
            head
        }
        other => panic!("{text:?}: {other:?}"),
    }
}

fn framed(line: &str, fields: &str) -> Result<Framing, &'static str> {
    let text = format!("HTTP/1.1 {line}\r\n{fields}\r\n");
    parse(text.as_bytes(), 0).map(|parsed| match parsed {
        Parsed::Complete { head, .. } => head.framing(),
        Parsed::Partial => panic!("{text:?}"),
    })
}

#[test]
fn status_lines() {
    for (line, status, reason) in [
        ("HTTP/1.1 200 OK", 200, "OK"),
        ("HTTP/1.0 404 Not Found", 404, "Not Found"),
        ("HTTP/1.1 301 ", 301, ""),
        ("HTTP/1.1 599", 599, ""),
        ("HTTP/1.7 200 caf\u{e9}", 200, "caf\u{e9}"),
    ] {
        let text = format!("{line}\r\n\r\n");
        let head = complete(&text);
        assert_eq!(
            (head.status().code(), head.reason()),
            (status, reason.as_bytes())
        );
    }
    for bad in [
        "SSH-2.0-x\r\n\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1 099 x\r\n\r\n",
        "HTTP/1.1 +20 x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
    ] {
        assert!(parse(bad.as_bytes(), 0).is_err(), "{bad:?}");
    }
}

#[test]
fn a_head_may_come_in_pieces() {
    let text = "HTTP/1.1 200 OK\r\nServer: x\r\n\r\n";
    for end in 0..text.len() {
        let bytes = &text.as_bytes()[..end];
        assert_eq!(parse(bytes, end.saturating_sub(1)), Ok(Parsed::Partial));
    }
    assert!(matches!(
        parse(text.as_bytes(), text.len() - 1),
        Ok(Parsed::Complete { .. })
    ));
    assert!(parse(b"SSH", 0).is_err(), "what is no HTTP is told at once");
}

#[test]
fn framings() {
    //= https://www.rfc-editor.org/rfc/rfc9112#section-6.3
    //= type=test
    //# 1.  Any response to a HEAD request and any response with a 1xx
    //# (Informational), 204 (No Content), or 304 (Not Modified) status
    //# code is always terminated by the first empty line after the
    //# header fields, regardless of the header fields present in the
    //# message, and thus cannot contain a message body or trailer
    //# section.
    for status in ["100 c", "103 e", "204 n", "304 n"] {
        let framing = framed(status, "Content-Length: 5\r\n");
        assert_eq!(framing, Ok(Framing::Length(0)), "{status}");
    }
    assert_eq!(
        framed("200 OK", "Content-Length: 5\r\n"),
        Ok(Framing::Length(5))
    );
    assert_eq!(
        framed("200 OK", "Transfer-Encoding: Chunked\r\n"),
        Ok(Framing::Chunked)
    );
    //= https://www.rfc-editor.org/rfc/rfc9112#section-6.3
    //= type=test
    //# 8.  Otherwise, this is a response message without a declared message
    //# body length, so the message body length is determined by the
    //# number of octets received prior to the server closing the
    //# connection.
    assert_eq!(framed("200 OK", ""), Ok(Framing::UntilClose));
    // Chunked counts, whatever a length says (RFC 9112 §6.3).
    let both = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n";
    assert_eq!(framed("200 OK", both), Ok(Framing::Chunked));
    for bad in [
        "Content-Length: x\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
    ] {
        assert!(framed("200 OK", bad).is_err(), "{bad}");
    }
}
