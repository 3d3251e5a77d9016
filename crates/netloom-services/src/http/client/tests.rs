use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::super::method::Version;
use super::*;

/// A server that says its piece, at most so many octets at a time, and then closes.
struct Says {
    words: Vec<u8>,
    at_once: usize,
    heard: Vec<u8>,
}

fn says(words: &str, at_once: usize) -> Says {
    Says {
        words: words.into(),
        at_once,
        heard: Vec::new(),
    }
}

impl Transport for Says {
    type Error = ();

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, StreamError<()>> {
        let count = self.at_once.min(self.words.len()).min(buffer.len());
        buffer[..count].copy_from_slice(&self.words[..count]);
        self.words.drain(..count);
        Ok(count)
    }

    fn send(&mut self, data: &[u8]) -> Result<usize, StreamError<()>> {
        self.heard.extend(data);
        Ok(data.len())
    }
}

/// What a client makes of an answer that arrives so many octets at a time.
fn fetch(words: &str, at_once: usize) -> Result<(u16, String, Vec<u8>, bool), ReadError<()>> {
    let mut server = says(words, at_once);
    let url = Url::parse("http://h:81/a?b").unwrap();
    let (mut rx, mut tx) = ([0; 4096], [0; 512]);
    let mut client = Client::with_buffers(&mut rx, &mut tx);
    client.request(Method::Get, &url).finish().unwrap();
    let response = client.receive(&mut server)?;
    let status = response.status().code();
    let reason = String::from_utf8(response.reason().to_vec()).unwrap();
    let mut content = Vec::new();
    while let Some(piece) = client.read_body(&mut server)? {
        content.extend(piece);
    }
    Ok((status, reason, content, client.finish()))
}

#[test]
fn content_in_every_framing_and_in_any_pieces() {
    //= https://www.rfc-editor.org/rfc/rfc9110#section-15.2
    //= type=test
    //# A client MUST be able to parse one or more 1xx responses received
    //# prior to a final response, even if the client does not expect one.
    for (words, persists) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", true),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x\r\nllo\r\n0\r\n\r\n",
            true,
        ),
        ("HTTP/1.0 200 OK\r\n\r\nhello", false),
        (
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
            false,
        ),
        (
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
            true,
        ),
        (
            "HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n\
             HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            true,
        ),
    ] {
        for at_once in [1, 3, 1000] {
            let (status, reason, content, reusable) = fetch(words, at_once).unwrap();
            assert_eq!((status, &*reason), (200, "OK"));
            assert_eq!(content, b"hello", "{words:?}");
            assert_eq!(reusable, persists, "{words:?}");
        }
    }
}

#[test]
fn answers_that_are_none() {
    for (words, what) in [
        ("", "Ended"),
        ("HTTP/1.1 200 OK\r\n", "Truncated"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello",
            "Truncated",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            "Truncated",
        ),
        ("SSH-2.0-x\r\n", "Refused"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello",
            "Refused",
        ),
    ] {
        let error = fetch(words, 1000).unwrap_err();
        assert!(
            format!("{error:?}").starts_with(what),
            "{words:?}: {error:?}"
        );
    }
    let endless = "HTTP/1.1 100 Go on\r\n\r\n".repeat(100);
    assert!(matches!(fetch(&endless, 1000), Err(ReadError::Refused(_))));
    let large = format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(4096));
    assert!(matches!(fetch(&large, 1000), Err(ReadError::Refused(_))));
}

#[test]
fn a_request_says_what_it_must() {
    //= https://www.rfc-editor.org/rfc/rfc9112#section-3.2
    //= type=test
    //# If the target URI includes an authority
    //# component, then a client MUST send a field value for Host that is
    //# identical to that authority component, excluding any userinfo
    //# subcomponent and its "@" delimiter (Section 4.2 of [HTTP]).

    //= https://www.rfc-editor.org/rfc/rfc9112#section-3.2.1
    //= type=test
    //# If the target URI's path component is
    //# empty, the client MUST send "/" as the path within the origin-form of
    //# request-target.
    for (text, expected) in [
        (
            "http://[fd71::2]:81/a?b",
            "GET /a?b HTTP/1.1\r\nHost: [fd71::2]:81\r\n\r\n",
        ),
        ("http://h:80?b", "GET /?b HTTP/1.1\r\nHost: h\r\n\r\n"),
    ] {
        let (mut rx, mut tx) = ([0; 100], [0; 100]);
        let mut client = Client::with_buffers(&mut rx, &mut tx);
        let url = Url::parse(text).unwrap();
        client.request(Method::Get, &url).finish().unwrap();
        assert_eq!(client.output().pending(), expected.as_bytes());
    }
}

#[test]
fn one_connection_for_several_requests() {
    let mut server = says(
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na\r\n\
         HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb",
        // What follows an answer is there only after it was read.
        1,
    );
    let url = Url::parse("http://h/").unwrap();
    let (mut rx, mut tx) = ([0; 200], [0; 200]);
    let mut client = Client::with_buffers(&mut rx, &mut tx);
    for expected in [&b"a"[..], b"b"] {
        client.request(Method::Get, &url).finish().unwrap();
        server.words = server
            .words
            .iter()
            .skip_while(|b| **b < b'A')
            .copied()
            .collect();
        client.receive(&mut server).unwrap();
        assert_eq!(client.read_body(&mut server), Ok(Some(expected)));
        assert_eq!(client.read_body(&mut server), Ok(None));
        assert!(client.finish());
        assert!(!client.finish(), "once");
        client.is_reused = true;
    }
    // The server has closed in the meantime: nothing was answered.
    client.request(Method::Get, &url).finish().unwrap();
    assert_eq!(client.receive(&mut server).err(), Some(ReadError::Ended));
    assert!(client.may_retry());
    //= https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2
    //= type=test
    //# A client SHOULD NOT automatically retry a request with a non-
    //# idempotent method unless it has some means to know that the request
    //# semantics are actually idempotent, regardless of the method, or some
    //# means to detect that the original request was never applied.
    client.request(Method::Post, &url).finish().unwrap();
    assert_eq!(client.receive(&mut server).err(), Some(ReadError::Ended));
    assert!(!client.may_retry());
    client.connected();
    client.request(Method::Get, &url).finish().unwrap();
    assert_eq!(client.receive(&mut server).err(), Some(ReadError::Ended));
    assert!(
        !client.may_retry(),
        "a new connection was not closed unseen"
    );
}

//= https://www.rfc-editor.org/rfc/rfc9112#section-9.2
//= type=test
//# If a client receives data on a connection that doesn't have
//# outstanding requests, the client MUST NOT consider that data to be a
//# valid response; the client SHOULD close the connection, since message
//# delimitation is now ambiguous, unless the data consists only of one
//# or more CRLF (which can be discarded per Section 2.2).
#[test]
fn what_nobody_asked_for_ends_the_connection() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    assert!(fetch(&[answer, "\r\n"].concat(), 1000).unwrap().3);
    assert!(
        !fetch(&[answer, "HTTP/1.1 200 OK\r\n"].concat(), 1000)
            .unwrap()
            .3
    );
    // Two lengths may be an attempt at splitting.
    let both =
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert!(!fetch(both, 1000).unwrap().3);
    //= https://www.rfc-editor.org/rfc/rfc9112#section-9.3
    //= type=test
    //# Likewise, a
    //# client MUST read the entire response message body if it intends to
    //# reuse the same connection for a subsequent request.
    let mut server = says(answer, 1000);
    let (mut rx, mut tx) = ([0; 200], [0; 200]);
    let mut client = Client::with_buffers(&mut rx, &mut tx);
    let url = Url::parse("http://h/").unwrap();
    client.request(Method::Get, &url).finish().unwrap();
    client.receive(&mut server).unwrap();
    assert!(!client.finish());
}

#[test]
fn redirections() {
    let url = Url::parse("http://h/a/b").unwrap();
    let follow = |method: Method, status: u16, location: &str| {
        let words =
            format!("HTTP/1.1 {status} x\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        let mut server = says(&words, 1000);
        let (mut rx, mut tx, mut buffer) = ([0; 200], [0; 200], [0; 100]);
        let mut client = Client::with_buffers(&mut rx, &mut tx);
        client.request(method, &url).finish().unwrap();
        client.receive(&mut server).unwrap();
        let redirect = client.redirect(&url, &mut buffer)?;
        Some(redirect.map(|r| (r.method, r.url.to_string(), r.is_same_origin)))
    };
    let to = |method, url: &str, same| Some(Ok((method, String::from(url), same)));
    let get = Method::Get;
    assert_eq!(follow(get, 301, "/c"), to(get, "http://h/c", true));
    assert_eq!(follow(get, 302, "c"), to(get, "http://h/a/c", true));
    assert_eq!(follow(get, 307, "http://i/"), to(get, "http://i/", false));
    assert_eq!(follow(get, 308, "//h:81/"), to(get, "http://h:81/", false));
    assert_eq!(follow(get, 302, "https://h/"), Some(Err(UrlError::Https)));
    assert_eq!(follow(get, 302, "/\u{e9}"), Some(Err(UrlError::Octet)));
    let full = "/x".repeat(60);
    assert_eq!(follow(get, 302, &full), Some(Err(UrlError::Full)));
    for (status, method, after) in [
        //= https://www.rfc-editor.org/rfc/rfc9110#section-15.4.2
        //= type=test
        //# For historical reasons, a user agent MAY change the
        //# request method from POST to GET for the subsequent request.
        (301, Method::Post, Some(get)),
        (302, Method::Post, Some(get)),
        (302, Method::Put, Some(Method::Put)),
        (303, Method::Post, Some(get)),
        (303, Method::Put, Some(get)),
        (303, Method::Head, Some(Method::Head)),
        (307, Method::Post, Some(Method::Post)),
        (308, Method::Post, Some(Method::Post)),
        (300, get, None),
        (304, get, None),
        (200, get, None),
    ] {
        let redirect = follow(method, status, "/c").map(|r| r.unwrap().0);
        assert_eq!(redirect, after, "{status} {method}");
    }
}

//= https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1
//= type=test
//# *  A client that sends a 100-continue expectation is not required to
//# wait for any specific length of time; such a client MAY proceed to
//# send the content even if it has not yet received a response.
#[test]
fn content_that_waits_until_it_is_wanted() {
    let url = Url::parse("http://h/").unwrap();
    let ask = |words: &str| {
        let mut server = says(words, 1000);
        let (mut rx, mut tx) = ([0; 200], [0; 200]);
        let mut client = Client::with_buffers(&mut rx, &mut tx);
        let head = client.request(Method::Put, &url).content_length(4);
        head.field("Expect", "100-continue").finish().unwrap();
        let answer = client.wait_for_continue(&mut server);
        if let Ok(Continue::Send) | Err(_) = answer {
            client.output().push(b"body");
        }
        let status = client.receive(&mut server).map(|r| r.status().code());
        (answer, status, server.heard.ends_with(b"\r\n\r\nbody"))
    };
    let created = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";
    let wanted = [
        "HTTP/1.1 102 x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n",
        created,
    ]
    .concat();
    assert_eq!(ask(&wanted), (Ok(Continue::Send), Ok(201), true));
    assert_eq!(ask(created), (Ok(Continue::Answered), Ok(201), false));
}

#[test]
fn versions() {
    let mut server = says("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 1000);
    let (mut rx, mut tx) = ([0; 200], [0; 200]);
    let mut client = Client::with_buffers(&mut rx, &mut tx);
    let head = client.request_target(Method::Options, "*", "h");
    head.finish().unwrap();
    let response = client.receive(&mut server).unwrap();
    assert_eq!(response.version(), Version::Http10);
    assert!(
        server
            .heard
            .starts_with(b"OPTIONS * HTTP/1.1\r\nHost: h\r\n")
    );
}
