use std::collections::VecDeque;
use std::format;
use std::string::String;
use std::vec;
use std::vec::Vec;

use super::*;

/// A client that sends in pieces, between which the session has to wait, and takes so many octets
/// between two calls.
struct Client {
    sends: VecDeque<Vec<u8>>,
    closes: bool,
    received: Vec<u8>,
    room: usize,
    takes: usize,
}

impl Client {
    fn new(pieces: &[&str]) -> Self {
        Self {
            sends: pieces
                .iter()
                .map(|piece| piece.as_bytes().to_vec())
                .collect(),
            closes: true,
            received: Vec::new(),
            room: usize::MAX,
            takes: usize::MAX,
        }
    }
}

impl Transport for Client {
    type Error = ();

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, StreamError<()>> {
        let Some(piece) = self.sends.front_mut() else {
            return if self.closes {
                Ok(0)
            } else {
                Err(StreamError::WouldBlock)
            };
        };
        if piece.is_empty() {
            self.sends.pop_front();
            return Err(StreamError::WouldBlock);
        }
        let len = piece.len().min(buffer.len());
        buffer[..len].copy_from_slice(&piece[..len]);
        piece.drain(..len);
        Ok(len)
    }

    fn send(&mut self, data: &[u8]) -> Result<usize, StreamError<()>> {
        let len = data.len().min(self.room);
        if len == 0 {
            return Err(StreamError::WouldBlock);
        }
        self.room -= len;
        self.received.extend(&data[..len]);
        Ok(len)
    }
}

/// Echoes, and has content of every kind.
#[derive(Default)]
struct Echo {
    lines: Vec<String>,
}

const STATIC: &[u8] = &[b'x'; 5000];

impl Handler for Echo {
    fn handle(&mut self, request: &Request<'_>, content: &[u8], reply: Reply<'_, '_>) {
        let content_text = String::from_utf8(content.to_vec()).unwrap();
        let (method, path) = (request.method(), request.path().escape_ascii());
        self.lines.push(format!("{method} {path} {content_text}"));
        let sent = match request.path() {
            b"/echo" => reply.send(Status::OK, Content::Bytes(content), |head| {
                head.field("X-Length", content.len())
            }),
            b"/static" => reply.send(Status::OK, Content::Static(STATIC), |head| head),
            b"/length" | b"/short" => {
                let content = Content::Stream {
                    key: u32::from(request.path() == b"/short"),
                    length: Some(1000),
                };
                reply.send(Status::OK, content, |head| head)
            }
            b"/chunks" => {
                let content = Content::Stream {
                    key: 0,
                    length: None,
                };
                reply.send(Status::OK, content, |head| head)
            }
            b"/none" => reply.send(Status::NO_CONTENT, Content::Bytes(b"never"), |head| head),
            b"/moved" => reply.redirect(Status::SEE_OTHER, "/echo"),
            b"/bad" => reply.redirect(Status::SEE_OTHER, "/\r\nX: y"),
            b"/large" => reply.send(Status::OK, Content::Bytes(STATIC), |head| head),
            b"/silent" => return,
            b"/odd" => reply.send(Status::new(600).unwrap(), Content::Empty, |head| head),
            _ => reply.status(Status::NOT_FOUND),
        };
        let _ = sent;
    }

    fn stream(&mut self, key: u32, offset: u64, room: &mut [u8]) -> usize {
        let end = [1000, 10][key as usize];
        let left = usize::try_from(end - offset).unwrap();
        // Not always all of the room.
        let len = left.min(room.len()).min(77);
        for (place, octet) in room[..len].iter_mut().zip(offset..) {
            *place = b'a' + (octet % 26) as u8;
        }
        len
    }
}

/// The content of a stream.
fn letters() -> Vec<u8> {
    (0..1000_u64)
        .map(|octet| b'a' + (octet % 26) as u8)
        .collect()
}

/// Runs a session to its end, and returns the log of requests and what the client received.
fn run(client: &mut Client) -> (Vec<String>, String, Progress) {
    let (mut rx, mut tx, mut content) = ([0; 300], [0; 300], [0; 20]);
    let mut session = Session::new(&mut rx, &mut tx, &mut content);
    let mut echo = Echo::default();
    let mut progress = Progress::Idle;
    for _ in 0..10_000 {
        progress = session.poll(client, &mut echo, None).unwrap();
        client.room = client.takes;
        if progress == Progress::Done {
            break;
        }
        if client.sends.is_empty() && !client.closes && progress != Progress::Sending {
            break;
        }
    }
    let received = String::from_utf8(client.received.clone()).unwrap();
    (echo.lines, received, progress)
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n")
}

fn post(path: &str, content: &str) -> String {
    let length = content.len();
    format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{content}")
}

fn statuses(received: &str) -> Vec<&str> {
    received
        .split("HTTP/1.1 ")
        .skip(1)
        .map(|response| &response[..3])
        .collect()
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    //= https://www.rfc-editor.org/rfc/rfc9112#section-9.3.2
    //= type=test
    //# A server MAY process a sequence of pipelined requests in
    //# parallel if they all have safe methods (Section 9.2.1 of [HTTP]), but
    //# it MUST send the corresponding responses in the same order that the
    //# requests were received.
    let chunked = "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
                   3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n";
    let stream = [
        &*post("/echo", "one"),
        chunked,
        &get("/nothing"),
        &get("/none"),
        &get("/moved"),
        &post("/echo", ""),
    ]
    .concat();
    let expected = [
        "POST /echo one",
        "POST /echo abcdefg",
        "GET /nothing ",
        "GET /none ",
        "GET /moved ",
        "POST /echo ",
    ];
    // All at once, and split everywhere, with the client slow in both directions.
    let whole = run(&mut Client::new(&[&stream]));
    assert_eq!(whole.0, expected);
    assert_eq!(
        statuses(&whole.1),
        ["200", "200", "404", "204", "303", "200"]
    );
    assert_eq!(whole.2, Progress::Done);
    assert!(
        whole
            .1
            .contains("\r\nX-Length: 7\r\nContent-Length: 7\r\n\r\nabcdefgHTTP/1.1 404")
    );
    assert!(
        whole
            .1
            .contains("\r\nLocation: /echo\r\nContent-Length: 0\r\n\r\n")
    );
    for at in 1..stream.len() {
        let (one, other) = stream.split_at(at);
        let mut client = Client::new(&[one, other]);
        (client.takes, client.room) = (7, 7);
        assert_eq!(run(&mut client), whole, "{at}");
    }
}

#[test]
fn content_of_every_kind() {
    for takes in [1, 50, usize::MAX] {
        let received = |request: &str| {
            let mut client = Client::new(&[request]);
            (client.takes, client.room) = (takes, takes);
            let (_, text, progress) = run(&mut client);
            assert_eq!(progress, Progress::Done);
            text
        };
        let content = |text: &str| text.split_once("\r\n\r\n").unwrap().1.as_bytes().to_vec();
        assert_eq!(content(&received(&get("/static"))), STATIC);
        assert_eq!(content(&received(&get("/length"))), letters());
        let chunked = received(&get("/chunks"));
        assert!(chunked.contains("\r\nTransfer-Encoding: chunked\r\n"));
        let mut decoder = super::super::Decoder::new(super::super::Framing::Chunked, 2000).unwrap();
        let (stream, mut at, mut taken) = (content(&chunked), 0, Vec::new());
        while !decoder.is_done() {
            let (count, piece) = decoder.take(&stream[at..]).unwrap();
            at += count;
            taken.extend(piece);
        }
        assert_eq!((at, taken), (stream.len(), letters()));
        //= https://www.rfc-editor.org/rfc/rfc9112#section-6.1
        //= type=test
        //# A server MUST NOT send a response containing Transfer-
        //# Encoding unless the corresponding request indicates HTTP/1.1 (or
        //# later minor revisions).
        let old = received("GET /chunks HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        assert!(!old.contains("Transfer-Encoding") && old.contains("\r\nConnection: close\r\n"));
        assert_eq!(content(&old), letters());
        // Less than was promised: the end of the connection tells.
        let short = [get("/short"), get("/echo")].concat();
        let mut client = Client::new(&[&short]);
        let (lines, text, progress) = run(&mut client);
        assert_eq!((lines.len(), progress), (1, Progress::Done));
        assert_eq!(content(&text), letters()[..10]);
    }
}

#[test]
fn head_sends_no_content() {
    //= https://www.rfc-editor.org/rfc/rfc9110#section-9.3.2
    //= type=test
    //# The HEAD method is identical to GET except that the server MUST NOT
    //# send content in the response.
    for path in ["/static", "/length", "/chunks", "/nothing", "/large"] {
        let head = get(path).replace("GET", "HEAD");
        let (_, text, _) = run(&mut Client::new(&[&[head, get("/none")].concat()]));
        assert!(text.contains("\r\n\r\nHTTP/1.1 204 "), "{path}: {text}");
        assert!(
            text.contains("Content-Length: ") != (path == "/chunks"),
            "{text}"
        );
    }
}

#[test]
fn what_cannot_be_answered_is_an_error_of_the_server() {
    for path in ["/large", "/silent", "/bad"] {
        let (_, text, _) = run(&mut Client::new(&[&[get(path), get("/none")].concat()]));
        assert_eq!(statuses(&text), ["500", "204"], "{path}: {text}");
        assert!(!text.contains("X: y"));
    }
}

#[test]
fn the_end_of_a_connection() {
    //= https://www.rfc-editor.org/rfc/rfc9112#section-9.6
    //= type=test
    //# The server MUST NOT process any
    //# further requests received on that connection.
    let close = "GET /none HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    for (first, status) in [
        (close, "204"),
        ("GET /none HTTP/1.0\r\n\r\n", "204"),
        ("GET /none HTTP/1.1\r\nHost : h\r\n\r\n", "400"),
        (
            "GET /none HTTP/1.1\r\nHost: h\r\nContent-Length: 21\r\n\r\n",
            "413",
        ),
        (
            "GET /none HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n15\r\n",
            "413",
        ),
        (
            "GET /none HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx",
            "400",
        ),
        (
            "GET /none HTTP/1.1\r\nHost: h\r\nExpect: tea\r\n\r\n",
            "417",
        ),
    ] {
        let mut client = Client::new(&[&[first, &get("/echo")].concat()]);
        let (_, text, progress) = run(&mut client);
        assert_eq!(
            (statuses(&text), progress),
            (vec![status], Progress::Done),
            "{first}"
        );
        assert!(text.contains("\r\nConnection: close\r\n"), "{text}");
    }
    let keep = "GET /none HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    let (_, text, _) = run(&mut Client::new(&[&[keep, &get("/none")].concat()]));
    assert_eq!(statuses(&text), ["204", "204"]);
    assert!(text.contains("\r\nConnection: keep-alive\r\n"));
    for cut in [&get("/echo")[..20], &post("/echo", "abc")[..50]] {
        let (lines, text, progress) = run(&mut Client::new(&[cut]));
        assert_eq!(statuses(&text), ["400"], "{cut}");
        assert!(lines.is_empty() && progress == Progress::Done);
    }
    let (_, text, progress) = run(&mut Client::new(&[]));
    assert!(text.is_empty() && progress == Progress::Done);
}

//= https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1
//= type=test
//# The origin server MUST NOT wait for the content before sending the
//# 100 (Continue) response.
#[test]
fn a_client_that_waits_for_100_gets_it_or_the_refusal() {
    let head = |length: usize| {
        format!(
            "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\
             Expect: 100-continue\r\n\r\n"
        )
    };
    let ask = |pieces: &[&str]| {
        let mut client = Client::new(pieces);
        client.closes = false;
        run(&mut client)
    };
    let (_, text, progress) = ask(&[&head(3)]);
    assert_eq!(text, "HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(progress, Progress::Receiving);
    let (lines, text, progress) = ask(&[&head(3), "abc"]);
    assert_eq!(
        (statuses(&text), progress),
        (vec!["100", "200"], Progress::Idle)
    );
    assert_eq!(lines, ["POST /echo abc"]);
    // The content is there already.
    let (_, text, _) = ask(&[&[&head(3), "abc"].concat()]);
    assert_eq!(statuses(&text), ["200"]);
    let (_, text, progress) = ask(&[&head(21)]);
    assert_eq!((statuses(&text), progress), (vec!["413"], Progress::Done));
}

/// What a session counts over one connection after the other.
fn counted(connections: &[&str], tx: &mut [u8]) -> Counters {
    let (mut rx, mut content) = ([0; 300], [0; 20]);
    let mut session = Session::new(&mut rx, tx, &mut content);
    for stream in connections {
        session.restart();
        let mut client = Client::new(&[stream]);
        while session.poll(&mut client, &mut Echo::default(), None) != Ok(Progress::Done) {}
    }
    *session.counters()
}

#[test]
fn requests_responses_and_refusals_are_counted() {
    let long = format!("/{}", "x".repeat(400));
    let connections = [
        &*get("/none").repeat(3),
        &get("/moved").repeat(2),
        &get("/nothing"),
        &get("/silent").repeat(2),
        &get("/odd"),
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n",
        // Refused.
        "nonsense\r\n\r\n",
        &get("/echo")[..20],
        &post("/echo", &"x".repeat(21)),
        &get(&long),
        &get("/").replace("Host", &format!("X: {}\r\nHost", "x".repeat(300))),
        "GET / HTTP/2.0\r\nHost: h\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nExpect: tea\r\n\r\n",
    ];
    assert_eq!(
        counted(&connections, &mut [0; 300]),
        Counters {
            requests: 10,
            successes: 4,
            redirections: 2,
            client_errors: 1 + 6,
            server_errors: 2 + 1,
            others: 1,
            bad: 2,
            large: 3,
            unsupported: 1,
            refused: 1,
            ..Counters::ZERO
        }
    );
    // Where there is no room for any answer: one of the handler's, and a refusal.
    let connections = [&*get("/none"), "nonsense\r\n\r\n"];
    assert_eq!(
        counted(&connections, &mut [0; 20]),
        Counters {
            requests: 1,
            bad: 1,
            unanswered: 2,
            ..Counters::ZERO
        }
    );
    // A client that waits is told to go on.
    let head =
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
    let (mut rx, mut tx, mut content) = ([0; 300], [0; 300], [0; 20]);
    let mut session = Session::new(&mut rx, &mut tx, &mut content);
    let mut client = Client::new(&[head]);
    client.closes = false;
    let progress = session.poll(&mut client, &mut Echo::default(), None);
    assert_eq!(progress, Ok(Progress::Receiving));
    assert_eq!(
        *session.counters(),
        Counters {
            continues: 1,
            ..Counters::ZERO
        }
    );
}

#[test]
fn a_request_that_takes_too_long() {
    let (mut rx, mut tx, mut content) = ([0; 300], [0; 300], [0; 20]);
    let mut session = Session::new(&mut rx, &mut tx, &mut content);
    let mut client = Client::new(&["GET / HT"]);
    client.closes = false;
    let mut echo = Echo::default();
    let progress = session.poll(&mut client, &mut echo, None);
    assert_eq!(progress, Ok(Progress::Receiving));
    let now = HttpDate::from_unix(784_111_777);
    session.time_out();
    assert_eq!(
        session.poll(&mut client, &mut echo, now),
        Ok(Progress::Done)
    );
    assert_eq!(
        *session.counters(),
        Counters {
            late: 1,
            client_errors: 1,
            ..Counters::ZERO
        }
    );
    let text = String::from_utf8(client.received).unwrap();
    assert!(text.starts_with("HTTP/1.1 408 Request Timeout\r\nDate: Sun, 06 Nov 1994 "));
    let (head, content) = text.split_once("\r\n\r\n").unwrap();
    assert!(
        head.contains(&format!("\r\nContent-Length: {}\r\n", content.len())),
        "{text}"
    );
}

/// Answers that wait to be sent leave all of the send buffer to the next one.
#[test]
fn many_pipelined_requests_through_a_small_buffer() {
    let many = [
        get("/nothing").repeat(50),
        post("/echo", &"x".repeat(20)).repeat(20),
    ]
    .concat();
    let (lines, text, _) = run(&mut Client::new(&[&many]));
    assert_eq!(lines.len(), 70);
    assert_eq!(statuses(&text), [vec!["404"; 50], vec!["200"; 20]].concat());
    let refused = [
        get("/nothing").repeat(50),
        "GET / HTTP/1.1\r\nHost : h\r\n\r\n".into(),
    ]
    .concat();
    let (_, text, _) = run(&mut Client::new(&[&refused]));
    assert_eq!(statuses(&text).last(), Some(&"400"));
    let waits = [
        get("/none").repeat(50),
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
            .into(),
    ]
    .concat();
    let (_, text, _) = run(&mut Client::new(&[&waits, "abc"]));
    assert!(
        text.contains("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 "),
        "{text}"
    );
}

/// A client whose stream waits: it asks once more when all that it asked for is answered.
struct Waiting {
    sends: VecDeque<String>,
    asked: usize,
    received: Vec<u8>,
}

impl Transport for Waiting {
    type Error = ();

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, StreamError<()>> {
        let received = String::from_utf8_lossy(&self.received);
        let answered = statuses(&received).len();
        assert_eq!(answered, self.asked, "it would wait for ever: {received}");
        let Some(request) = self.sends.pop_front() else {
            return Ok(0);
        };
        self.asked += 1;
        buffer[..request.len()].copy_from_slice(request.as_bytes());
        Ok(request.len())
    }

    fn send(&mut self, data: &[u8]) -> Result<usize, StreamError<()>> {
        self.received.extend(data);
        Ok(data.len())
    }
}

#[test]
fn an_answer_is_sent_before_the_next_request_is_waited_for() {
    let head = "HEAD /length HTTP/1.1\r\nHost: h\r\n\r\n".into();
    let expects = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\
                   Expect: 100-continue\r\n\r\n";
    let mut sends = VecDeque::from([head, post("/echo", "a"), expects.into(), "bc".into()]);
    sends.extend(["/echo", "/static", "/length", "/chunks", "/none"].map(get));
    let asked = sends.len();
    let mut client = Waiting {
        sends,
        asked: 0,
        received: Vec::new(),
    };
    let (mut rx, mut tx, mut content) = ([0; 1024], [0; 1024], [0; 64]);
    let mut session = Session::new(&mut rx, &mut tx, &mut content);
    let progress = session.poll(&mut client, &mut Echo::default(), None);
    assert_eq!((progress, client.asked), (Ok(Progress::Done), asked));
}
