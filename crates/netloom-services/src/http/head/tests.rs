use std::string::String;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::super::status::Status;
use super::*;

/// A stream that brings what it was given in the pieces it was given in, then ends, or waits.
struct Brings {
    pieces: Vec<Vec<u8>>,
    waits: bool,
    /// Between two pieces there is nothing for once.
    stutters: bool,
    has_brought: bool,
}

fn brings(pieces: &[&[u8]]) -> Brings {
    Brings {
        pieces: pieces.iter().map(|piece| piece.to_vec()).collect(),
        waits: false,
        stutters: false,
        has_brought: false,
    }
}

impl Transport for Brings {
    type Error = ();

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, StreamError<()>> {
        self.pieces.retain(|piece| !piece.is_empty());
        if self.stutters && core::mem::take(&mut self.has_brought) {
            return Err(StreamError::WouldBlock);
        }
        let Some(piece) = self.pieces.first_mut() else {
            return if self.waits {
                Err(StreamError::WouldBlock)
            } else {
                Ok(0)
            };
        };
        assert!(!buffer.is_empty());
        let len = piece.len().min(buffer.len());
        buffer[..len].copy_from_slice(&piece[..len]);
        piece.drain(..len);
        self.has_brought = true;
        Ok(len)
    }

    fn send(&mut self, _: &[u8]) -> Result<usize, StreamError<()>> {
        Err(StreamError::Failed(()))
    }
}

/// What one message was: target or status, one field, content.
type Read = (String, String, Vec<u8>);

/// All requests of a stream, and what ended it.
fn requests(stream: &mut Brings, buffer: usize) -> (Vec<Read>, ReadError<()>) {
    let mut buffer = vec![0; buffer];
    let mut head = Head::with_buffer(&mut buffer);
    let mut read = Vec::new();
    let mut content = Vec::new();
    loop {
        match head.read(stream) {
            Ok(_) => {}
            Err(ReadError::WouldBlock) if !stream.waits => continue,
            Err(error) => return (read, error),
        }
        loop {
            match head.read_body(stream) {
                Ok(Some(piece)) => content.extend(piece),
                Ok(None) => break,
                Err(ReadError::WouldBlock) if !stream.waits => {}
                Err(error) => return (read, error),
            }
        }
        // The head is still there when all of the body has gone by.
        let request = head.request().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let field = request.single("X").unwrap_or_default();
        read.push((
            text(request.target_bytes()),
            text(field),
            core::mem::take(&mut content),
        ));
        head.reset();
        assert!(head.request().is_none());
    }
}

const STREAM: &[u8] = b"GET /a HTTP/1.1\r\nHost: h\r\nX: 1\r\n\r\n\
\r\nPUT /b HTTP/1.1\r\nHost: h\r\nX: 2\r\nContent-Length: 10\r\n\r\n0123456789\
POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nX: 3\r\n\r\n\
5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nT: v\r\n\r\n\
GET /d HTTP/1.1\r\nHost: h\r\nX: 4\r\n\r\n";

fn expected() -> Vec<Read> {
    let read = |target: &str, field: &str, content: &str| {
        (target.into(), field.into(), content.as_bytes().to_vec())
    };
    vec![
        read("/a", "1", ""),
        read("/b", "2", "0123456789"),
        read("/c", "3", "hello world"),
        read("/d", "4", ""),
    ]
}

#[test]
fn split_at_every_octet_the_parse_is_the_same() {
    for at in 0..=STREAM.len() {
        for stutters in [false, true] {
            let (one, other) = STREAM.split_at(at);
            let mut stream = brings(&[one, other]);
            stream.stutters = stutters;
            let (read, end) = requests(&mut stream, 300);
            assert_eq!((read, end), (expected(), ReadError::Ended), "{at}");
        }
    }
    // Octet by octet too, and through any buffer that holds the largest head.
    let octets: Vec<_> = STREAM.chunks(1).collect();
    for buffer in [88, 89, 90, 91, 97, 100, 120, 150, 200, 400] {
        for stream in [&mut brings(&octets), &mut brings(&[STREAM])] {
            let (read, end) = requests(stream, buffer);
            assert_eq!((read, end), (expected(), ReadError::Ended), "{buffer}");
        }
    }
}

#[test]
fn every_truncation_is_told_from_an_end() {
    let mut ends = Vec::new();
    for len in 0..=STREAM.len() {
        let (read, end) = requests(&mut brings(&[&STREAM[..len]]), 300);
        assert_eq!(read, expected()[..read.len()], "{len}");
        match end {
            ReadError::Ended => ends.push(len),
            ReadError::Truncated => {}
            other => panic!("{len}: {other:?}"),
        }
        // What waits for more has lost nothing.
        let mut stream = brings(&[&STREAM[..len]]);
        stream.waits = true;
        let (waiting, end) = requests(&mut stream, 300);
        assert_eq!((waiting, end), (read, ReadError::WouldBlock), "{len}");
    }
    // Between requests, and within the empty line there.
    assert_eq!(ends, [0, 34, 35, 36, 100, 199, 233]);
}

#[test]
fn limits() {
    let get = |len: usize| {
        let start = "GET / HTTP/1.1\r\nHost: h\r\nX: ";
        let mut text = String::from(start);
        text.extend(core::iter::repeat_n('x', len - start.len() - 4));
        text.push_str("\r\n\r\n");
        text.into_bytes()
    };
    let status = |stream: &[u8], buffer: usize, limits: HeadLimits| {
        let mut buffer = vec![0; buffer];
        let mut head = Head::with_limits(&mut buffer, limits);
        match head.read(&mut brings(&[stream])) {
            Ok(_) => 200,
            Err(ReadError::Refused(refusal)) => refusal.status.code(),
            Err(other) => panic!("{other:?}"),
        }
    };
    let default = HeadLimits::DEFAULT;
    // An eighth of the buffer is left to the body.
    assert_eq!(status(&get(350), 400, default), 200);
    assert_eq!(status(&get(351), 400, default), 431);
    assert_eq!(status(&get(16 * 1024), 32 * 1024, default), 200);
    assert_eq!(status(&get(16 * 1024 + 1), 32 * 1024, default), 431);
    let short = HeadLimits {
        target: 10,
        ..default
    };
    let long = b"GET /0123456789 HTTP/1.1\r\nHost: h\r\n\r\n";
    assert_eq!(status(long, 400, short), 414);
    for buffer in 0..20 {
        assert_eq!(status(STREAM, buffer, default), 431, "{buffer}");
    }
}

#[test]
fn bodies_have_the_limit_they_are_given() {
    let mut buffer = [0; 300];
    let mut head = Head::with_buffer(&mut buffer);
    let mut stream = brings(&[STREAM]);
    head.read(&mut stream).unwrap();
    head.reset();
    head.read(&mut stream).unwrap();
    assert_eq!(
        head.limit_body(9).map_err(|r| r.status),
        Err(Status::CONTENT_TOO_LARGE)
    );
    head.limit_body(10).unwrap();
    while head.read_body(&mut stream).unwrap().is_some() {}
    assert!(head.is_body_done());
    head.reset();
    head.read(&mut stream).unwrap();
    head.limit_body(10).unwrap();
    assert_eq!(head.read_body(&mut stream), Ok(Some(&b"hello"[..])));
    let Err(ReadError::Refused(refusal)) = head.read_body(&mut stream) else {
        panic!("more than ten octets")
    };
    assert_eq!(refusal.status, Status::CONTENT_TOO_LARGE);
}

#[test]
fn responses() {
    let mut buffer = [0; 300];
    let mut head = Head::with_buffer(&mut buffer);
    let mut stream = brings(&[
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 ",
        b"OK\r\n\r\nto the end",
    ]);
    let response = head.read_response(&mut stream, Method::Get).unwrap();
    assert!(response.persists() && response.framing() == Framing::Length(5));
    assert_eq!(head.read_body(&mut stream), Ok(Some(&b"hello"[..])));
    assert_eq!(head.read_body(&mut stream), Ok(None));
    head.reset();
    // An answer to HEAD has none of the content it tells the length of.
    let response = head.read_response(&mut stream, Method::Head).unwrap();
    assert_eq!(response.single("Content-Length"), Some(&b"5"[..]));
    assert_eq!(head.read_body(&mut stream), Ok(None));
    head.reset();
    let response = head.read_response(&mut stream, Method::Get).unwrap();
    assert!(!response.persists());
    assert_eq!(head.read_body(&mut stream), Ok(Some(&b"to the end"[..])));
    //= https://www.rfc-editor.org/rfc/rfc9112#section-8
    //= type=test
    //# A message body that uses the chunked transfer coding is incomplete if
    //# the zero-sized chunk that terminates the encoding has not been
    //# received.
    assert_eq!(head.read_body(&mut stream), Ok(None), "the end is the end");
    head.clear();
    let mut stream = brings(&[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"]);
    head.read_response(&mut stream, Method::Get).unwrap();
    assert_eq!(head.read_body(&mut stream), Ok(Some(&b"a"[..])));
    assert_eq!(head.read_body(&mut stream), Err(ReadError::Truncated));
}

//= https://www.rfc-editor.org/rfc/rfc9112#section-5.2
//= type=test
//# A user agent that receives an obs-fold in a response message that is
//# not within a "message/http" container MUST replace each received
//# obs-fold with one or more SP octets prior to interpreting the field
//# value.
#[test]
fn folded_lines_of_a_response_are_unfolded() {
    let text =
        b"HTTP/1.1 200 OK\r\nA: b\r\n\tc\r\n  d\r\nE:\r\n f\r\nContent-Length: 6\r\n\r\n\r\n g\r\n";
    for at in 0..text.len() {
        let (one, other) = text.split_at(at);
        let mut buffer = [0; 200];
        let mut head = Head::with_buffer(&mut buffer);
        let mut stream = brings(&[one, other]);
        let response = head.read_response(&mut stream, Method::Get).unwrap();
        assert_eq!(response.single("A"), Some(&b"b  \tc    d"[..]));
        assert_eq!(response.single("E"), Some(&b"f"[..]));
        let mut content = Vec::<u8>::new();
        while let Some(piece) = head.read_body(&mut stream).unwrap() {
            content.extend(piece);
        }
        assert_eq!(content, b"\r\n g\r\n");
    }
    // White space behind the status line is no fold.
    let mut buffer = [0; 200];
    let mut head = Head::with_buffer(&mut buffer);
    let mut stream = brings(&[b"HTTP/1.1 200 OK\r\n A: b\r\n\r\n"]);
    let refused = head.read_response(&mut stream, Method::Get).err();
    assert!(matches!(refused, Some(ReadError::Refused(_))));
}

proptest! {
    /// Whatever arrives, in whatever pieces, through whatever buffer: the same is made of it.
    #[test]
    fn pieces_make_no_difference(
        parts in prop::collection::vec(prop::sample::select(vec![
            &b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"[..],
            b"PUT /b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n",
            b"POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"3\r\nabc\r\n", b"0\r\n\r\n", b"abc", b"\r\n", b"\0", b"GET ",
        ]), 0..12),
        cut in 1_usize..40,
    ) {
        let stream = parts.concat();
        let whole = requests(&mut brings(&[&stream]), 1000);
        let pieces: Vec<_> = stream.chunks(cut).collect();
        let mut cut_up = brings(&pieces);
        cut_up.stutters = true;
        prop_assert_eq!(&requests(&mut cut_up, 1000), &whole);
        // A small buffer refuses a head for its size that a large one refuses for what it says.
        let small = requests(&mut brings(&pieces), 120);
        match &small.1 {
            ReadError::Refused(refusal) if refusal.status == Status::REQUEST_HEADER_FIELDS_TOO_LARGE => {
                prop_assert_eq!(&small.0[..], whole.0.get(..small.0.len()).unwrap_or_default());
            }
            _ => prop_assert_eq!(&small, &whole),
        }
    }

    #[test]
    fn no_octets_make_it_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        buffer in 0_usize..300,
    ) {
        requests(&mut brings(&[&bytes]), buffer);
    }
}
