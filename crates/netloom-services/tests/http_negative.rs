//! Messages that are wrong, or nearly: `docs/http-negative.md` has the tables, and this does with each
//! of them what they say.
#![cfg(all(feature = "http", feature = "std"))]

use std::collections::VecDeque;
use std::path::Path;

use netloom_services::http::{
    Client, Content, Handler, Method, Progress, ReadError, Reply, Request, Session, Status,
    StreamError, Transport, Url,
};

/// One row of a table.
struct Row {
    section: String,
    what: String,
    message: Vec<u8>,
    ours: String,
}

/// Where the second table begins.
const RESPONSES: &str = "## Responses";

/// The rows of the table of requests; `None`, aloud, where there is no table: packages have no `docs`.
fn requests() -> Option<Vec<Row>> {
    rows(|text| text.split(RESPONSES).next())
}

/// Those of the table of responses.
fn responses() -> Option<Vec<Row>> {
    rows(|text| text.split(RESPONSES).nth(1))
}

fn rows(part: impl FnOnce(&str) -> Option<&str>) -> Option<Vec<Row>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/http-negative.md");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("skipped: http_negative: {}: {error}", path.display());
            return None;
        }
    };
    let rows = part(&text).expect("the table is there").lines();
    let rows = rows.filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let section = cells.next()?;
        let what = cells.next()?;
        let message = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
        let _rfc = cells.next()?;
        Some(Row {
            section: section.into(),
            what: what.into(),
            message: octets(message),
            ours: cells.next()?.into(),
        })
    });
    Some(rows.collect())
}

/// `\r`, `\n`, `\t`, `\0` and `\x7f` stand for octets, `{{a*9000}}` for nine thousand.
fn octets(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some((inside, after)) = rest.strip_prefix("{{").and_then(|t| t.split_once("}}")) {
            let (what, times) = inside.rsplit_once('*').expect("`{{what*times}}`");
            let what = self::octets(what);
            octets.extend(what.repeat(times.parse().expect("a number")));
            rest = after;
            continue;
        }
        let mut len = first.len_utf8();
        if first == '\\' {
            len = 2;
            octets.push(match rest.as_bytes().get(1) {
                Some(b'r') => b'\r',
                Some(b'n') => b'\n',
                Some(b't') => b'\t',
                Some(b'0') => 0,
                Some(b'x') => {
                    len = 4;
                    u8::from_str_radix(&rest[2..4], 16).expect("two digits")
                }
                other => panic!("{other:?} behind a backslash"),
            });
        } else {
            octets.extend(&rest.as_bytes()[..len]);
        }
        rest = &rest[len..];
    }
    octets
}

/// The other side: sends what it has, and then waits, or closes.
struct Peer {
    sends: VecDeque<u8>,
    at_once: usize,
    closes: bool,
    received: Vec<u8>,
}

impl Transport for Peer {
    type Error = ();

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, StreamError<()>> {
        let len = self.sends.len().min(buffer.len()).min(self.at_once);
        if len == 0 && !self.closes {
            return Err(StreamError::WouldBlock);
        }
        for (place, octet) in buffer.iter_mut().zip(self.sends.drain(..len)) {
            *place = octet;
        }
        Ok(len)
    }

    fn send(&mut self, data: &[u8]) -> Result<usize, StreamError<()>> {
        self.received.extend(data);
        Ok(data.len())
    }
}

/// What a server of one page would be.
struct OnePage;

impl Handler for OnePage {
    fn handle(&mut self, request: &Request<'_>, _: &[u8], reply: Reply<'_, '_>) {
        let sent = match (request.method(), request.path()) {
            (Method::Get | Method::Head, b"/") => {
                reply.send(Status::OK, Content::Bytes(b"page"), |head| head)
            }
            (Method::Get | Method::Head, _) => reply.status(Status::NOT_FOUND),
            (Method::Other, _) => reply.status(Status::NOT_IMPLEMENTED),
            _ => reply.status(Status::METHOD_NOT_ALLOWED),
        };
        sent.expect("it fits");
    }
}

/// The status of each answer, and what becomes of the connection.
fn answer(request: &[u8], at_once: usize) -> String {
    let mut client = Peer {
        sends: request.iter().copied().collect(),
        at_once,
        closes: false,
        received: Vec::new(),
    };
    let (mut rx, mut tx) = (vec![0; 32 * 1024], [0; 4096]);
    let mut content = vec![0; 64 * 1024];
    let mut session = Session::new(&mut rx, &mut tx, &mut content);
    let progress = session.poll(&mut client, &mut OnePage, None);
    let text = String::from_utf8(client.received).expect("answers are text");
    let mut words: Vec<_> = text
        .split("HTTP/1.1 ")
        .skip(1)
        .filter_map(|answer| answer.get(..3))
        // Answers may speak of versions.
        .filter(|code| code.bytes().all(|b| b.is_ascii_digit()))
        .collect();
    let class = |first| words.iter().filter(|code| code.starts_with(first)).count();
    let counters = session.counters();
    assert_eq!(
        [
            counters.continues,
            counters.successes,
            counters.client_errors,
            counters.server_errors,
            counters.requests + counters.refusals(),
        ]
        .map(|count| count as usize),
        [
            class('1'),
            class('2'),
            class('4'),
            class('5'),
            words.len() - class('1')
        ],
        "{}",
        request.escape_ascii()
    );
    words.push(match progress.expect("the client goes on") {
        Progress::Done => "close",
        Progress::Idle => "keep",
        Progress::Receiving | Progress::Sending => "wait",
    });
    words.join(" ")
}

//= https://www.rfc-editor.org/rfc/rfc9112#section-2.2
//= type=test
//# When a server listening only for HTTP request messages, or processing
//# what appears from the start-line to be an HTTP request message,
//# receives a sequence of octets that does not match the HTTP-message
//# grammar aside from the robustness exceptions listed above, the server
//# SHOULD respond with a 400 (Bad Request) response and close the
//# connection.
#[test]
fn every_row_is_answered_as_the_table_says() {
    let Some(rows) = requests() else { return };
    assert!(rows.len() >= 80, "{} rows", rows.len());
    let mut wrong = Vec::new();
    for row in &rows {
        for at_once in [usize::MAX, 1] {
            let got = answer(&row.message, at_once);
            if got != row.ours {
                let Row {
                    section,
                    what,
                    ours,
                    ..
                } = row;
                wrong.push(format!("{section} {what}: {got}, not {ours}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// No two rows differ in whether what was refused ends the connection.
#[test]
fn what_is_refused_for_its_form_is_the_last_on_its_connection() {
    let Some(rows) = requests() else { return };
    for row in rows {
        let got = answer(&row.message, usize::MAX);
        if got.starts_with("400") || got.starts_with("413") || got.starts_with("431") {
            assert!(
                got.ends_with("close"),
                "{} {}: {got}",
                row.section,
                row.what
            );
            assert_eq!(
                got.split(' ').count(),
                2,
                "{} {}: {got}",
                row.section,
                row.what
            );
        }
        assert!(
            !got.ends_with("wait"),
            "{} {}: {got}",
            row.section,
            row.what
        );
    }
}

/// What a client makes of a response.
fn taken(response: &[u8], at_once: usize) -> String {
    let mut server = Peer {
        sends: response.iter().copied().collect(),
        at_once,
        closes: true,
        received: Vec::new(),
    };
    let (mut rx, mut tx) = ([0; 4096], [0; 4096]);
    let mut client = Client::with_buffers(&mut rx, &mut tx);
    let url = Url::parse("http://h/").expect("it is good");
    client.request(Method::Get, &url).finish().expect("it fits");
    let (status, length) = match client.receive(&mut server) {
        Ok(response) => (response.status(), response.single("Content-Length")),
        Err(ReadError::Refused(_)) => return "refused".into(),
        Err(_) => return "cut".into(),
    };
    let is_hello = length.is_none_or(|length| length != b"0");
    let mut content = Vec::new();
    loop {
        match client.read_body(&mut server) {
            Ok(Some(piece)) => content.extend(piece),
            Ok(None) => break,
            Err(_) => return "cut".into(),
        }
    }
    if status == Status::OK {
        assert!(
            !is_hello || content == b"hello",
            "{}",
            content.escape_ascii()
        );
        return "taken".into();
    }
    assert!(content.is_empty());
    format!("taken {}", status.code())
}

//= https://www.rfc-editor.org/rfc/rfc9112#section-8
//= type=test
//# A client that receives an incomplete response message, which can
//# occur when a connection is closed prematurely or when decoding a
//# supposedly chunked transfer coding fails, MUST record the message as
//# incomplete.
#[test]
fn every_response_is_taken_as_the_table_says() {
    let Some(rows) = responses() else { return };
    assert!(rows.len() >= 30, "{} rows", rows.len());
    let mut wrong = Vec::new();
    for row in &rows {
        for at_once in [usize::MAX, 1] {
            let got = taken(&row.message, at_once);
            if got != row.ours {
                let Row {
                    section,
                    what,
                    ours,
                    ..
                } = row;
                wrong.push(format!("{section} {what}: {got}, not {ours}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
