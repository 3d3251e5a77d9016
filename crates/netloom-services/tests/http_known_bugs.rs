//! Bugs of other stacks' HTTP that must not come back here, and attack classes where they touch it.
//! The names are those of the lists they are taken from.
#![cfg(all(feature = "http", feature = "std"))]

use netloom_services::http::{
    Content, Decoder, Form, Framing, Handler, Head, HeadLimits, HttpDate, Method, Multipart,
    Output, Parsed, Ranges, ReadError, Reply, Request, Session, Status, StreamError, Transport,
    Url, cookies, list_members, parameters, parse_request, parse_response,
};

/// A client that sends what it has, so much at a time, and takes so much at a time.
struct Client<'c> {
    sends: &'c [u8],
    at_once: usize,
    received: Vec<u8>,
    has_taken: bool,
}

impl<'c> Client<'c> {
    fn new(sends: &'c [u8], at_once: usize) -> Self {
        Self {
            sends,
            at_once,
            received: Vec::new(),
            has_taken: false,
        }
    }
}

impl Transport for Client<'_> {
    type Error = ();

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, StreamError<()>> {
        let len = self.sends.len().min(buffer.len()).min(self.at_once);
        let (now, later) = self.sends.split_at(len);
        buffer[..len].copy_from_slice(now);
        self.sends = later;
        Ok(len)
    }

    fn send(&mut self, data: &[u8]) -> Result<usize, StreamError<()>> {
        self.has_taken = !self.has_taken;
        if !self.has_taken {
            return Err(StreamError::WouldBlock);
        }
        let len = data.len().min(self.at_once);
        self.received.extend(&data[..len]);
        Ok(len)
    }
}

struct Echo;

impl Handler for Echo {
    fn handle(&mut self, _: &Request<'_>, content: &[u8], reply: Reply<'_, '_>) {
        let sent = reply.send(Status::OK, Content::Bytes(content), |head| head);
        sent.expect("it fits");
    }
}

/// What a client receives that sends these octets, through memory that holds `poison` before.
fn served(sends: &[u8], at_once: usize, poison: u8) -> Vec<u8> {
    let (mut rx, mut tx, mut content) = ([poison; 400], [poison; 400], [poison; 200]);
    let mut session = Session::new(&mut rx, &mut tx, &mut content);
    let mut client = Client::new(sends, at_once);
    for _ in 0..100_000 {
        let progress = session.poll(&mut client, &mut Echo, None);
        if progress == Ok(netloom_services::http::Progress::Done) {
            return client.received;
        }
    }
    panic!("it has no end");
}

const REQUEST: &[u8] = b"POST /a/b?c=d%20e&f HTTP/1.1\r\nHost: h:80\r\nCookie: a=b; c=\"d\"\r\n\
Range: bytes=0-1,-2\r\nContent-Type: multipart/form-data; boundary=\"b\"\r\n\
Transfer-Encoding: chunked\r\n\r\n";

const CHUNKS: &[u8] = b"5;a=b;c=\"d\\\"e\"\r\nhello\r\n00A\r\n0123456789\r\n0\r\nT: v\r\n\r\n";

const RESPONSE: &[u8] = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/2\r\n\
Location: /a/../b\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 2\r\n\r\n";

/// S3: heads copied, field by field, into large structures on the stack. Here they are views of the
/// buffer that was lent.
#[test]
fn s03_a_head_is_a_view_of_the_buffer_it_arrived_in() {
    let mut buffer = [0; 400];
    let range = buffer.as_ptr_range();
    let mut head = Head::with_buffer(&mut buffer);
    let request = head.read(&mut Client::new(REQUEST, 7)).unwrap();
    for part in [
        request.method_name(),
        request.path(),
        request.host().unwrap(),
    ] {
        assert!(range.contains(&part.as_ptr()));
    }
    for field in request.iter() {
        assert!(range.contains(&field.name.as_ptr()) && range.contains(&field.value.as_ptr()));
    }
    assert!(size_of_val(&request) <= 10 * size_of::<usize>());
}

/// S7: a server that closed without saying so made browsers wait 1.1 s for more.
#[test]
fn s07_a_server_that_closes_says_so() {
    for request in [
        &b"GET / HTTP/1.0\r\n\r\n"[..],
        b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 201\r\n\r\n",
    ] {
        let text = String::from_utf8(served(request, 1000, 0)).unwrap();
        assert!(text.contains("\r\nConnection: close\r\n"), "{text}");
    }
}

/// S18: parsers ran out of their slices on messages that were cut off.
#[test]
fn s18_every_truncation_of_every_message_is_survived() {
    let limits = HeadLimits::default();
    for len in 0..REQUEST.len() {
        let parsed = parse_request(&REQUEST[..len], 0, &limits);
        assert_eq!(parsed, Ok(Parsed::Partial), "{len}");
    }
    for len in 0..RESPONSE.len() {
        let parsed = parse_response(&RESPONSE[..len], 0, Method::Get, &limits);
        assert_eq!(parsed, Ok(Parsed::Partial), "{len}");
    }
    for len in 0..CHUNKS.len() {
        let mut decoder = Decoder::new(Framing::Chunked, 100).unwrap();
        let (mut at, mut content) = (0, 0);
        while at < len {
            let (taken, piece) = decoder.take(&CHUNKS[at..len]).unwrap();
            (at, content) = (at + taken, content + piece.len());
        }
        assert!(!decoder.is_done() && content <= 15, "{len}");
    }
    // The values of fields, as a buffer that is cut off would have them.
    let Ok(Parsed::Complete { head, .. }) = parse_request(REQUEST, 0, &limits) else {
        panic!("it is complete")
    };
    assert_eq!(cookies(head.fields()).count(), 2);
    for field in head.iter() {
        for len in 0..field.value.len() {
            let value = &field.value[..len];
            list_members(value).chain([value]).for_each(select_all);
            for (_, value) in parameters(value) {
                let _ = value.bytes().count();
            }
            let _ = HttpDate::parse(value, None);
            let _ = Multipart::new(value, &mut [0; 8]).is_ok();
            for (name, value) in Form::new(value).pairs() {
                let _ = (name.number(), value.number());
            }
        }
    }
    let url = "http://[fd71::2]:81/a/../b?c#d";
    for len in 0..url.len() {
        let base = Url::parse("http://h/a/b/").unwrap();
        let _ = Url::parse(&url[..len]).is_ok();
        let _ = base.join(&url[len..], &mut [0; 20]).is_ok();
    }
}

/// Ranges of representations of any size.
fn select_all(value: &[u8]) {
    for size in [0, 1, 2, 1000, u64::MAX] {
        let _ = Ranges::<4>::select(value, size);
    }
}

/// S21: heads were overwritten by what arrived behind them.
#[test]
fn s21_a_head_is_not_overwritten_by_what_arrives_behind_it() {
    let body = vec![b'x'; 10_000];
    let mut stream = format!(
        "PUT /first HTTP/1.1\r\nHost: h\r\nContent-Length: 10000\r\nX: {}\r\n\r\n",
        "y".repeat(90)
    )
    .into_bytes();
    let first_head = stream.clone();
    stream.extend(&body);
    stream.extend(b"GET /second HTTP/1.1\r\nHost: h\r\nX: z\r\n\r\n");
    for (capacity, at_once) in [(200, 1), (200, 13), (256, 1000), (4096, 4096)] {
        let mut buffer = vec![0; capacity];
        let mut head = Head::with_buffer(&mut buffer);
        let mut client = Client::new(&stream, at_once);
        head.read(&mut client).unwrap();
        let mut octets = 0;
        while let Some(piece) = head.read_body(&mut client).unwrap() {
            assert!(piece.iter().all(|&octet| octet == b'x'));
            octets += piece.len();
            let request = head.request().unwrap();
            let limits = HeadLimits::default();
            let Ok(Parsed::Complete { head: same, .. }) = parse_request(&first_head, 0, &limits)
            else {
                panic!("it is complete")
            };
            assert_eq!(request, same);
        }
        assert_eq!(octets, body.len());
        head.reset();
        let request = head.read(&mut client).unwrap();
        assert_eq!(
            (request.path(), request.single("X")),
            (&b"/second"[..], Some(&b"z"[..]))
        );
    }
}

/// L1: after a write that took only some, the part that was sent was sent again.
#[test]
fn l01_what_was_taken_of_a_write_is_not_sent_again() {
    let content = (0..200_u8)
        .map(|octet| b'a' + octet % 26)
        .collect::<Vec<_>>();
    let mut request = b"PUT / HTTP/1.0\r\nContent-Length: 200\r\n\r\n".to_vec();
    request.extend(&content);
    let whole = served(&request, 10_000, 0);
    for at_once in [1, 2, 3, 50, 399] {
        assert_eq!(served(&request, at_once, 0), whole, "{at_once}");
    }
    assert!(whole.ends_with(&content));
}

/// Class 18, names and lengths that lead nowhere: work is bounded by what arrived.
#[test]
fn class_18_lists_of_nothing_are_walked_once() {
    let commas = vec![b','; 100_000];
    assert_eq!(list_members(&commas).count(), 0);
    let semicolons = [b"x".to_vec(), vec![b';'; 100_000]].concat();
    assert_eq!(parameters(&semicolons).count(), 0);
    let ampersands = vec![b'&'; 100_000];
    assert_eq!(Form::new(&ampersands).pairs().count(), 0);
    let zeros = [vec![b'0'; 10_000], b"\r\n\r\n".to_vec()].concat();
    let mut decoder = Decoder::new(Framing::Chunked, 10).unwrap();
    assert_eq!(decoder.take(&zeros), Ok((zeros.len(), &b""[..])));
    // More than that is too much for no content.
    let zeros = vec![b'0'; 100_000];
    assert!(
        Decoder::new(Framing::Chunked, 10)
            .unwrap()
            .take(&zeros)
            .is_err()
    );
    let url = ["/..".repeat(20_000), "/a".into()].concat();
    let base = Url::parse("http://h/").unwrap();
    let mut buffer = vec![0; 70_000];
    assert_eq!(
        base.join(&url, &mut buffer).unwrap().to_string(),
        "http://h/a"
    );
}

/// Class 19, lengths that lie and ends that are missing.
#[test]
fn class_19_lengths_that_lie_are_refused_or_waited_for() {
    for (length, status) in [
        ("201", "413"),
        ("4294967296", "413"),
        ("4294967301", "413"),
        ("18446744073709551615", "413"),
        ("18446744073709551616", "413"),
        ("-1", "400"),
    ] {
        let plain = format!("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\nhello");
        let text = String::from_utf8(served(plain.as_bytes(), 9, 0)).unwrap();
        assert_eq!(&text[9..12], status, "{length}");
    }
    for size in [
        "c9",
        "100000000",
        "100000005",
        "ffffffffffffffff",
        "10000000000000005",
    ] {
        let chunked = format!(
            "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{size}\r\nhello"
        );
        let text = String::from_utf8(served(chunked.as_bytes(), 9, 0)).unwrap();
        assert_eq!(&text[9..12], "413", "{size}");
    }
    // The end never comes: nothing of it is taken for a message.
    let mut buffer = [0; 400];
    let mut head = Head::with_buffer(&mut buffer);
    let mut client = Client::new(b"GET / HTTP/1.1\r\nHost: h\r\n", 400);
    assert_eq!(head.read(&mut client), Err(ReadError::Truncated));
    assert!(head.request().is_none());
}

/// Class 22: what stood in a buffer before is not sent.
#[test]
fn class_22_no_octet_is_sent_that_was_not_written() {
    let requests = [REQUEST, CHUNKS, b"GET / HTTP/1.0\r\n\r\n"].concat();
    for at_once in [1, 7, 1000] {
        let sent = served(&requests, at_once, 0xaa);
        assert_eq!(sent, served(&requests, at_once, 0x55));
        assert!(sent.is_ascii());
    }
    let mut buffer = [0xaa; 100];
    let mut output = Output::with_buffer(&mut buffer);
    assert!(
        output
            .response(Status::OK)
            .field("A", "b\r\n")
            .finish()
            .is_err()
    );
    assert!(output.pending().is_empty());
}

/// Class 26: nothing that arrives can break it. (The fuzz target `http` looks further.)
#[test]
fn class_26_nothing_that_arrives_breaks_it() {
    let messages = [REQUEST, CHUNKS, RESPONSE].concat();
    // Each octet of good messages, changed to each of some bad ones.
    for at in 0..messages.len() {
        for octet in [0, b'\r', b'\n', b' ', b';', b'"', b'-', b'f', 0x7f, 0xff] {
            let mut changed = messages.clone();
            changed[at] = octet;
            served(&changed, 64, 0);
        }
    }
}
