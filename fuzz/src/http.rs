//! HTTP: every parser on arbitrary bytes, and a server's session with a client that says and takes
//! what it likes.

use std::convert::Infallible;
use std::fmt::Write as _;

use arbitrary::Unstructured;
use netloom_services::http::{
    ByteRanges, Client, Content, Decoder, EntityTag, Form, Framing, Handler, Head, HeadLimits,
    HttpDate, Match, Method, Multipart, Parsed, Piece, Progress, Ranges, ReadError, Reply, Request,
    Route, Router, Selection, Session, Status, StreamError, Transport, Url, cookies, evaluate,
    parameters, parse_request, parse_response,
};

/// Pieces that messages are made of, so that inputs come near to being some.
const WORDS: &[&[u8]] = &[
    b"GET / HTTP/1.1\r\nHost: h\r\n",
    b"POST /a/b?c=d%20e HTTP/1.1\r\nHost: h\r\n",
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 100 x\r\n\r\n",
    b"\r\n",
    b"\r\n\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 18446744073709551616\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"Expect: 100-continue\r\n",
    b"Range: bytes=0-1,-2,5-\r\n",
    b"If-None-Match: \"a\", W/\"b\"\r\n",
    b"Content-Type: multipart/form-data; boundary=b\r\n",
    b"Location: ../x?y\r\n",
    b"5;a=\"b\"\r\nhello\r\n",
    b"0\r\n\r\n",
    b"hello",
    b"--b\r\n",
    b"\r\n--b--",
    b"Content-Disposition: form-data; name=\"x\"\r\n\r\n",
];

/// Runs everything on messages made from `data`.
pub fn run(data: &[u8]) {
    let mut dice = Unstructured::new(data);
    let mut stream = Vec::new();
    while stream.len() < 8192 {
        let Ok(choice) = dice.arbitrary::<u8>() else {
            break;
        };
        match WORDS.get(usize::from(choice)) {
            Some(word) => stream.extend_from_slice(word),
            None => stream.push(choice),
        }
    }
    for bytes in [data, &stream] {
        heads(bytes);
        bodies(bytes);
        values(bytes);
        session(bytes);
        client(bytes);
    }
}

/// A stream that brings some bytes, in pieces whose lengths they say themselves.
struct Script<'s> {
    bytes: &'s [u8],
    step: usize,
    is_quiet: bool,
    sent: usize,
}

impl<'s> Script<'s> {
    fn new(bytes: &'s [u8]) -> Self {
        let step = bytes.first().map_or(1, |first| usize::from(*first).max(1));
        Self {
            bytes,
            step,
            is_quiet: false,
            sent: 0,
        }
    }
}

impl Transport for Script<'_> {
    type Error = ();

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, StreamError<()>> {
        assert!(!buffer.is_empty(), "there is room");
        self.is_quiet = !self.is_quiet;
        if self.is_quiet {
            return Err(StreamError::WouldBlock);
        }
        let len = self.bytes.len().min(buffer.len()).min(self.step);
        let (now, later) = self.bytes.split_at(len);
        buffer[..len].copy_from_slice(now);
        self.bytes = later;
        Ok(len)
    }

    fn send(&mut self, data: &[u8]) -> Result<usize, StreamError<()>> {
        assert!(!data.is_empty(), "there is something");
        self.is_quiet = !self.is_quiet;
        if self.is_quiet {
            return Err(StreamError::WouldBlock);
        }
        let len = data.len().min(self.step);
        self.sent += len;
        Ok(len)
    }
}

/// What was said of a beginning stays true of the whole, and a head read through a small buffer in
/// pieces is the same.
fn heads(bytes: &[u8]) {
    let limits = HeadLimits {
        head: 500,
        target: 450,
        fields: 20,
    };
    let whole = parse_request(bytes, 0, &limits);
    let cut = bytes.len() / 2;
    match parse_request(&bytes[..cut], 0, &limits) {
        Ok(Parsed::Partial) => {
            assert_eq!(parse_request(bytes, cut, &limits), whole);
        }
        Ok(Parsed::Complete { .. }) => {
            assert_eq!(parse_request(&bytes[..cut], 0, &limits), whole);
        }
        Err(_) => assert!(whole.is_err(), "what is wrong stays wrong"),
    }
    if let Ok(Parsed::Complete { head, consumed }) = whole {
        assert!(consumed <= bytes.len());
        request(&head);
        let mut buffer = [0; 600];
        let mut reader = Head::with_limits(&mut buffer, limits);
        let mut script = Script::new(&bytes[..consumed]);
        let read = loop {
            match reader.read(&mut script) {
                Err(ReadError::WouldBlock) => {}
                Ok(read) => break read == head,
                Err(_) => break false,
            }
        };
        assert!(read, "the same through a buffer");
    }
    for method in [Method::Get, Method::Head, Method::Connect] {
        if let Ok(Parsed::Complete { head, consumed }) = parse_response(bytes, 0, method, &limits) {
            assert!(consumed <= bytes.len());
            assert!(head.reason().iter().all(|&b| b != b'\n'));
            let _ = (head.persists(), head.framing());
        }
    }
}

fn request(head: &Request<'_>) {
    let _ = (head.host(), head.persists(), head.expects_continue());
    assert!(head.path().starts_with(b"/"));
    for field in head.iter() {
        assert!(!field.name.is_empty());
        assert!(!field.value.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)));
    }
    let _ = cookies(head.fields()).count();
    let tag = netloom_services::http::Validators {
        etag: Some(EntityTag::strong(b"a")),
        last_modified: HttpDate::from_unix(784_111_777),
    };
    let _ = (evaluate(head, Some(&tag), None), evaluate(head, None, None));
    let _ = tag.allow_range(head, None);
}

/// Bodies end in the same place and hold the same, whatever pieces they arrive in.
fn bodies(bytes: &[u8]) {
    for framing in [Framing::Chunked, Framing::Length(7), Framing::UntilClose] {
        let taken = [1, 5, usize::MAX].map(|step| {
            let mut decoder = Decoder::new(framing, 1000).expect("it says no more");
            let (mut at, mut content) = (0, Vec::new());
            for piece in bytes.chunks(step.min(bytes.len().max(1))) {
                let mut rest = piece;
                while !rest.is_empty() && !decoder.is_done() {
                    match decoder.take(rest) {
                        Ok((taken, data)) => {
                            assert!(taken > 0, "it goes on");
                            content.extend_from_slice(data);
                            (at, rest) = (at + taken, &rest[taken..]);
                        }
                        Err(refusal) => return Err((refusal, content)),
                    }
                }
            }
            assert!(content.len() <= 1000);
            Ok((at, content, decoder))
        });
        assert_eq!(taken[0], taken[1]);
        assert_eq!(taken[0].is_ok(), taken[2].is_ok());
        if taken[2].is_ok() {
            assert_eq!(taken[1], taken[2]);
        }
    }
    let contents = [1, 9, usize::MAX].map(|step| {
        let mut buffer = [0; 100];
        let kind = b"multipart/form-data; boundary=b";
        let mut parts = Multipart::new(kind, &mut buffer).expect("it is good");
        let (mut content, mut heads) = (Vec::new(), 0);
        for piece in bytes.chunks(step.min(bytes.len().max(1))) {
            let mut rest = piece;
            let mut idle = 0;
            while !rest.is_empty() {
                let (taken, found) = match parts.take(rest) {
                    Ok(taken) => taken,
                    Err(_) => return None,
                };
                match found {
                    Piece::Data(data) => content.extend_from_slice(data),
                    Piece::Part(part) => {
                        heads += 1;
                        let _ = (part.name(), part.file_name(), part.content_type());
                    }
                    Piece::Nothing | Piece::End => {}
                }
                idle = if taken == 0 { idle + 1 } else { 0 };
                assert!(idle < 2, "it goes on");
                rest = &rest[taken..];
            }
        }
        Some((heads, content, parts.is_done()))
    });
    assert!(contents[0] == contents[1] && contents[1] == contents[2]);
}

/// Several ranges in one response are the same octets in one stretch and in two.
fn several(ranges: Ranges<8>, size: u64, bytes: &[u8]) {
    let parts = ByteRanges::new(ranges, size, "text/plain", [7, 9]);
    let fill = |offset, room: &mut [u8]| {
        let filled = parts.fill(offset, room, |at, room| {
            for (octet, at) in room.iter_mut().zip(at..) {
                *octet = at as u8;
            }
            Ok::<_, Infallible>(room.len())
        });
        filled.unwrap_or(0)
    };
    let len = parts.len().min(4096) as usize;
    let (mut whole, mut halves) = (vec![0; len], vec![0; len]);
    assert_eq!(fill(0, &mut whole), len);
    let cut = bytes.iter().map(|b| usize::from(*b)).sum::<usize>() % len;
    let (before, behind) = halves.split_at_mut(cut);
    assert_eq!(fill(0, before) + fill(cut as u64, behind), len);
    assert!(whole == halves);
    assert_eq!(fill(parts.len(), &mut [0; 8]), 0);
}

fn values(bytes: &[u8]) {
    for size in [0, 1, 1000, u64::MAX] {
        if let Selection::Ranges(selected) = Ranges::<8>::select(bytes, size) {
            let ranges = selected.as_slice();
            assert!(!ranges.is_empty() && ranges.len() <= 8);
            assert!(ranges.iter().all(|r| r.first <= r.last && r.last < size));
            several(selected, size, bytes);
        }
    }
    if let Some(date) = HttpDate::parse(bytes, HttpDate::from_unix(784_111_777)) {
        let text = date.to_string();
        assert_eq!(HttpDate::parse(text.as_bytes(), None), Some(date));
    }
    for (_, value) in parameters(bytes) {
        let _ = value.bytes().count();
    }
    for (name, value) in Form::new(bytes).pairs() {
        let mut buffer = [0; 64];
        let _ = (name.decode(&mut buffer).is_ok(), value.number());
    }
    const ROUTES: &[Route<u8>] = &[
        Route::get("/", 0),
        Route::get("/a/{b}", 1),
        Route::get("/a/{b}/{*c}", 2),
    ];
    if let Match::Found { params, .. } = Router::new(ROUTES).find(Method::Get, bytes) {
        let _ = params.iter().count();
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let base = Url::parse("http://h/a/b?c").expect("it is good");
        let mut buffer = [0; 300];
        if let Ok(url) = base.join(text, &mut buffer) {
            let shown = url.to_string();
            assert!(shown.is_ascii() && !shown.contains(['\r', '\n', ' ']));
            let again = Url::parse(&shown).expect("what is shown parses");
            assert_eq!(again.to_string(), shown);
        }
    }
}

struct Echo;

impl Handler for Echo {
    fn handle(&mut self, request: &Request<'_>, content: &[u8], reply: Reply<'_, '_>) {
        self::request(request);
        assert!(content.len() <= 100);
        let content = match request.path().len() % 3 {
            0 => Content::Bytes(content),
            1 => Content::Static(&[b'x'; 1000]),
            _ => Content::Stream {
                key: 0,
                length: None,
            },
        };
        // A query may hold what no field may.
        let query = String::from_utf8_lossy(request.query().unwrap_or_default()).into_owned();
        let _ = reply.send(Status::OK, content, |head| head.field("X", query));
    }

    fn stream(&mut self, _: u32, offset: u64, room: &mut [u8]) -> usize {
        let len = room.len().min(usize::try_from(500 - offset).unwrap_or(0));
        room[..len].fill(b'y');
        len
    }
}

fn session(bytes: &[u8]) {
    let (mut rx, mut tx, mut content) = ([0; 300], [0; 200], [0; 100]);
    let mut session = Session::new(&mut rx, &mut tx, &mut content);
    let mut script = Script::new(bytes);
    // Each octet takes a few turns at most, and each request some answers.
    for _ in 0..4000 + 3000 * bytes.len() {
        match session.poll(&mut script, &mut Echo, None) {
            Ok(Progress::Done) => return,
            Ok(Progress::Idle | Progress::Receiving | Progress::Sending) => {}
            Err(()) => unreachable!("the script does not fail"),
        }
    }
    panic!("it has no end");
}

fn client(bytes: &[u8]) {
    let (mut rx, mut tx) = ([0; 300], [0; 200]);
    let mut client = Client::with_buffers(&mut rx, &mut tx);
    let url = Url::parse("http://h/a/b?c").expect("it is good");
    let mut script = Script::new(bytes);
    for _ in 0..3 {
        client.request(Method::Get, &url).finish().expect("it fits");
        loop {
            match client.receive(&mut script) {
                Ok(_) => break,
                Err(ReadError::WouldBlock) => {}
                Err(_) => return,
            }
        }
        let mut buffer = [0; 100];
        let mut text = String::new();
        if let Some(Ok(redirect)) = client.redirect(&url, &mut buffer) {
            let _ = write!(text, "{}", redirect.url);
        }
        assert!(text.is_ascii());
        loop {
            match client.read_body(&mut script) {
                Ok(Some(piece)) => assert!(!piece.is_empty()),
                Ok(None) => break,
                Err(ReadError::WouldBlock) => {}
                Err(_) => return,
            }
        }
        if !client.finish() {
            return;
        }
    }
}
