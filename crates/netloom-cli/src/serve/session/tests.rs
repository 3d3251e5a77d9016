use std::collections::VecDeque;
use std::fs;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;

use super::super::{Limits, Root};
use super::*;

mod uploads;

/// What a scripted client does next.
enum Step {
    Sends(Vec<u8>),
    /// Sends no sooner than after [`PAUSE`].
    SendsLate(Vec<u8>),
    /// Lets the server's timeout pass.
    Waits,
}

const HOUR: Duration = Duration::from_secs(3600);
const PAUSE: Duration = Duration::from_millis(5);

/// A client that follows a script, then closes its side.
struct Script {
    steps: VecDeque<Step>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    received: Vec<u8>,
    /// Octets received when each read began.
    at_read: Vec<usize>,
    writes: Vec<usize>,
    was_shut_down: bool,
    read_timeouts: Vec<Duration>,
}

impl Read for Script {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut seen = self.seen.lock().unwrap();
        let received = seen.received.len();
        seen.at_read.push(received);
        match self.steps.pop_front() {
            None => Ok(0),
            Some(Step::Waits) => Err(ErrorKind::WouldBlock.into()),
            Some(Step::SendsLate(bytes)) => {
                drop(seen);
                std::thread::sleep(PAUSE);
                self.steps.push_front(Step::Sends(bytes));
                self.read(buffer)
            }
            Some(Step::Sends(mut bytes)) => {
                let count = bytes.len().min(buffer.len());
                buffer[..count].copy_from_slice(&bytes[..count]);
                let rest = bytes.split_off(count);
                if !rest.is_empty() {
                    self.steps.push_front(Step::Sends(rest));
                }
                Ok(count)
            }
        }
    }
}

impl Write for Script {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut seen = self.seen.lock().unwrap();
        seen.received.extend(bytes);
        seen.writes.push(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Connection for Script {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.seen.lock().unwrap().read_timeouts.extend(timeout);
        Ok(())
    }

    fn set_write_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_nonblocking(&self, _: bool) -> io::Result<()> {
        Ok(())
    }

    fn shutdown_write(&self) -> io::Result<()> {
        self.seen.lock().unwrap().was_shut_down = true;
        Ok(())
    }
}

/// A server of a folder with `a` ("aaa"), `b` ("bb") and `big` (200 000 octets).
fn server(limits: Limits) -> (TempDir, Server, Arc<Mutex<Vec<String>>>) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "aaa").unwrap();
    fs::write(folder.path().join("b"), "bb").unwrap();
    fs::write(folder.path().join("big"), vec![b'x'; 200_000]).unwrap();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&lines);
    let server = Server::new(Root::open(folder.path()).unwrap(), limits).with_log(move |record| {
        let mut line = format!("{} {}", record.request_line, record.status.code());
        if record.status == Status::OK {
            line += &format!(" {}", record.content_length);
        }
        log.lock().unwrap().push(line);
    });
    (folder, server, lines)
}

/// Serves a connection that nobody attends until it is closed.
fn run(server: &Server, script: Script, pressure: &Pressure) {
    let limits = &server.limits;
    let peer = SocketAddr::from(([127, 0, 0, 1], 1));
    let connection = Timed::new(script, limits.write_timeout);
    let mut buffers = Buffers::new(limits);
    let wait = limits.head_timeout;
    match turn(server, connection, peer, pressure, &mut buffers, wait) {
        Turn::Closes(mut connection) => {
            let deadline = Instant::now() + limits.linger_timeout;
            if connection.begin_to_close() {
                connection.linger(buffers.scratch(), deadline, &mut MAX_LINGER.clone());
            }
        }
        Turn::Over => {}
        Turn::Waits(..) => panic!("nobody waits for it"),
    }
}

fn play_with(limits: Limits, steps: Vec<Step>) -> (Seen, Vec<String>) {
    let (_folder, server, lines) = server(limits);
    let seen = Arc::new(Mutex::new(Seen::default()));
    let script = Script {
        steps: steps.into(),
        seen: Arc::clone(&seen),
    };
    run(&server, script, &Pressure::default());
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    let lines = lines.lock().unwrap().clone();
    (seen, lines)
}

fn play(steps: Vec<Step>) -> (Seen, Vec<String>) {
    play_with(Limits::default(), steps)
}

fn sends(text: &str) -> Step {
    Step::Sends(text.as_bytes().to_vec())
}

const GET_A: &str = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
const GET_B: &str = "GET /b HTTP/1.1\r\nHost: h\r\n\r\n";

/// The lines of the log that a client sees who sends `text` and closes.
fn log_of(text: &str) -> Vec<String> {
    play(vec![sends(text)]).1
}

#[test]
fn pipelined_requests_are_answered_in_order_in_one_write() {
    //= https://www.rfc-editor.org/rfc/rfc9112#section-9.3.2
    //= type=test
    //# A server MAY process a sequence of pipelined requests in
    //# parallel if they all have safe methods (Section 9.2.1 of [HTTP]), but
    //# it MUST send the corresponding responses in the same order that the
    //# requests were received.
    let (seen, lines) = play(vec![sends(&[GET_A, GET_B, GET_A].concat())]);
    let text = String::from_utf8(seen.received).unwrap();
    let contents: Vec<_> = text
        .split("HTTP/1.1 200 OK")
        .skip(1)
        .map(|r| &r[r.len() - 3..])
        .collect();
    assert_eq!(contents, ["aaa", "\nbb", "aaa"]);
    assert_eq!(seen.writes.len(), 1);
    assert_eq!(lines.len(), 3);
    assert!(seen.was_shut_down);
}

#[test]
fn a_response_does_not_wait_for_the_next_request() {
    let (seen, _) = play(vec![sends(GET_A), sends(&GET_B[..10]), sends(&GET_B[10..])]);
    assert_eq!(seen.at_read[0], 0);
    assert!(seen.at_read[1] > 100, "all of the first response");
    assert_eq!(seen.at_read[2], seen.at_read[1]);
}

#[test]
fn a_request_that_comes_octet_by_octet() {
    let steps = GET_A.bytes().map(|byte| Step::Sends(vec![byte])).collect();
    assert_eq!(play(steps).1, ["GET /a HTTP/1.1 200 3"]);
}

#[test]
fn after_close_nothing_more_is_answered() {
    //= https://www.rfc-editor.org/rfc/rfc9112#section-9.6
    //= type=test
    //# The server MUST NOT process any
    //# further requests received on that connection.
    let close = "GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let (seen, lines) = play(vec![sends(&[close, GET_B].concat())]);
    assert_eq!(lines.len(), 1);
    assert!(
        String::from_utf8(seen.received)
            .unwrap()
            .contains("\r\nConnection: close\r\n")
    );
    // HTTP/1.0 closes unless told otherwise.
    assert_eq!(
        log_of(&["GET /a HTTP/1.0\r\n\r\n", GET_B].concat()).len(),
        1
    );
    let keep = "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    assert_eq!(log_of(&[keep, GET_B].concat()).len(), 2);
    // And so does whatever was not understood.
    let folded = "GET /a HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n";
    assert_eq!(log_of(&[folded, GET_B].concat()), ["- 400"]);
}

#[test]
fn a_refused_path_does_not_end_the_connection() {
    let lines = log_of(&["GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n", GET_B].concat());
    assert_eq!(
        lines,
        ["GET /nothing HTTP/1.1 404", "GET /b HTTP/1.1 200 2"]
    );
}

#[test]
fn head_sends_no_content() {
    //= https://www.rfc-editor.org/rfc/rfc9110#section-9.3.2
    //= type=test
    //# The HEAD method is identical to GET except that the server MUST NOT
    //# send content in the response.
    for target in ["/a", "/nothing", "/"] {
        let (seen, _) = play(vec![sends(&format!(
            "HEAD {target} HTTP/1.1\r\nHost: h\r\n\r\n"
        ))]);
        assert!(seen.received.ends_with(b"\r\n\r\n"), "{target}");
        let head = String::from_utf8(seen.received).unwrap();
        assert_eq!(head.matches("\r\n\r\n").count(), 1, "{head}");
        assert!(head.contains("\r\nContent-Length: ") && !head.contains("Content-Length: 0"));
    }
}

#[test]
fn bodies_are_read_past() {
    //= https://www.rfc-editor.org/rfc/rfc9112#section-9.3
    //= type=test
    //# A server MUST read
    //# the entire request message body or close the connection after sending
    //# its response; otherwise, the remaining data on a persistent
    //# connection would be misinterpreted as the next request.
    let get = |fields: &str, body: &str| {
        format!("GET /a HTTP/1.1\r\nHost: h\r\n{fields}\r\n\r\n{body}{GET_B}")
    };
    let both = ["GET /a HTTP/1.1 200 3", "GET /b HTTP/1.1 200 2"];
    // The body looks like a request, and is none.
    let smuggled = format!("Content-Length: {}", GET_A.len());
    assert_eq!(log_of(&get(&smuggled, GET_A)), both);
    let chunks = format!("{:x}\r\n{GET_A}\r\n0\r\n\r\n", GET_A.len());
    assert_eq!(log_of(&get("Transfer-Encoding: chunked", &chunks)), both);
    let lines = log_of(&get("Content-Length: 65536", &"x".repeat(65536)));
    assert_eq!(lines, both);
    let lines = log_of(&get("Content-Length: 65537", &"x".repeat(65537)));
    assert_eq!(lines, ["GET /a HTTP/1.1 413"]);
    let lines = log_of(&get("Transfer-Encoding: chunked", "10001\r\n"));
    assert_eq!(lines, ["GET /a HTTP/1.1 413"]);
    let lines = log_of(&get("Transfer-Encoding: chunked", "x\r\n"));
    assert_eq!(lines, ["GET /a HTTP/1.1 400"]);
    // The method is the better reason.
    let post = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
    assert_eq!(log_of(&[post, GET_B].concat()).len(), 2);
    let post = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\nabc";
    assert_eq!(log_of(&[post, GET_B].concat()), ["POST /a HTTP/1.1 405"]);
}

#[test]
fn a_client_that_holds_its_body_back_is_answered() {
    let get = |expectation: &str| {
        let head = "GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: ";
        play(vec![
            sends(&format!("{head}{expectation}\r\n\r\n")),
            Step::Waits,
        ])
    };
    let (seen, lines) = get("100-continue");
    assert_eq!(lines, ["GET /a HTTP/1.1 200 3"]);
    assert!(
        String::from_utf8(seen.received)
            .unwrap()
            .contains("\r\nConnection: close\r\n")
    );
    assert_eq!(get("tea").1[0].split(' ').nth(3), Some("417"));
}

#[test]
fn silence() {
    // Before a request and between two: the end, without a word.
    let (seen, _) = play(vec![Step::Waits]);
    assert!(seen.received.is_empty() && seen.was_shut_down);
    let (seen, lines) = play(vec![sends(GET_A), Step::Waits]);
    assert_eq!(lines.len(), 1);
    assert!(seen.was_shut_down);
    let limits = Limits::default();
    assert_eq!(
        seen.read_timeouts[..2],
        [limits.head_timeout, limits.idle_timeout]
    );
    // Within a head or a body: 408.
    let (_, lines) = play(vec![sends(&GET_A[..20]), Step::Waits]);
    assert_eq!(lines, ["- 408"]);
    let head = "GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n";
    assert_eq!(
        play(vec![sends(head), Step::Waits]).1,
        ["GET /a HTTP/1.1 408"]
    );
}

#[test]
fn the_time_for_a_head_is_for_all_of_it() {
    let limits = Limits {
        head_timeout: Duration::ZERO,
        ..Limits::default()
    };
    let steps = GET_A.bytes().map(|byte| Step::Sends(vec![byte])).collect();
    assert_eq!(play_with(limits, steps).1, ["- 408"]);
    let limits = Limits {
        body_timeout: Duration::ZERO,
        ..Limits::default()
    };
    let head = "GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n";
    let steps = vec![sends(head), sends("1"), sends("2")];
    assert_eq!(play_with(limits, steps).1, ["GET /a HTTP/1.1 408"]);
}

#[test]
fn what_a_head_has_taken_is_taken_off_its_time() {
    let late = |text: &str| Step::SendsLate(text.as_bytes().to_vec());
    let limits = Limits {
        head_timeout: HOUR,
        ..Limits::default()
    };
    let steps = vec![sends(&GET_A[..5]), late(&GET_A[5..9]), late(&GET_A[9..])];
    let (seen, lines) = play_with(limits, steps);
    assert_eq!(lines, ["GET /a HTTP/1.1 200 3"]);
    let third = seen.read_timeouts[2];
    assert!((HOUR / 2..=HOUR - PAUSE).contains(&third), "{third:?}");
}

#[test]
fn the_end_of_the_stream_within_a_request() {
    assert_eq!(log_of(&GET_A[..20]).len(), 1);
    assert!(log_of(&GET_A[..20])[0].starts_with("- 400"));
    assert!(log_of("GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n1")[0].contains(" 400"));
    assert!(log_of("").is_empty());
}

#[test]
fn large_files_leave_in_large_writes() {
    let (seen, lines) = play(vec![sends("GET /big HTTP/1.1\r\nHost: h\r\n\r\n")]);
    assert_eq!(lines, ["GET /big HTTP/1.1 200 200000"]);
    assert!(seen.received.ends_with(&[b'x'; 200_000]));
    let full: Vec<_> = seen
        .writes
        .iter()
        .filter(|&&len| len == OUTPUT_BUFFER)
        .collect();
    assert_eq!((seen.writes.len(), full.len()), (4, 3));
}

#[test]
fn nobody_is_kept_while_others_wait() {
    let (_folder, server, lines) = server(Limits::default());
    let seen = Arc::new(Mutex::new(Seen::default()));
    let steps = VecDeque::from([sends(&[GET_A, GET_B].concat())]);
    let script = Script {
        steps,
        seen: Arc::clone(&seen),
    };
    let pressure = Pressure::crowded();
    run(&server, script, &pressure);
    assert_eq!(lines.lock().unwrap().len(), 1);
    let received = String::from_utf8(seen.lock().unwrap().received.clone()).unwrap();
    assert!(received.contains("\r\nConnection: close\r\n"));
}

#[test]
fn a_log_line_holds_nothing_but_printable_ascii() {
    let mut request = b"GET /\"\xc3\xa9\x9b?\\ HTTP/1.0\r\n\r\n".to_vec();
    let (_, lines) = play(vec![Step::Sends(std::mem::take(&mut request))]);
    assert!(
        lines[0].starts_with(r#"GET /\"\xc3\xa9\x9b?\\ HTTP/1.0 404"#),
        "{}",
        lines[0]
    );
}

#[test]
fn methods() {
    //= https://www.rfc-editor.org/rfc/rfc9110#section-9.1
    //= type=test
    //# An origin server that receives a
    //# request method that is unrecognized or not implemented SHOULD respond
    //# with the 501 (Not Implemented) status code.
    for (line, expected) in [
        ("POST /a", "405"),
        ("PUT /a", "405"),
        ("OPTIONS *", "405"),
        ("CONNECT h:80", "405"),
        ("BREW /a", "501"),
    ] {
        let lines = log_of(&format!("{line} HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert_eq!(lines[0].rsplit(' ').next(), Some(expected), "{line}");
    }
}
