use std::cell::Cell;
use std::io::{Read, Write};
use std::rc::Rc;

use super::*;

/// A server that says its piece, at most so many octets at a time.
struct Says {
    words: Vec<u8>,
    at_once: usize,
    heard: Rc<Cell<Vec<u8>>>,
}

impl Says {
    fn new(words: &str, at_once: usize) -> Self {
        Self {
            words: words.into(),
            at_once,
            heard: Rc::default(),
        }
    }
}

impl Read for Says {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.at_once.min(self.words.len()).min(buffer.len());
        buffer[..count].copy_from_slice(&self.words[..count]);
        self.words.drain(..count);
        Ok(count)
    }
}

impl Write for Says {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut heard = self.heard.take();
        heard.extend(bytes);
        self.heard.set(heard);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Connection for Says {
    fn set_read_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_write_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_nonblocking(&self, _: bool) -> io::Result<()> {
        Ok(())
    }

    fn shutdown_write(&self) -> io::Result<()> {
        Ok(())
    }
}

const LONG: Duration = Duration::from_secs(60);

/// What a client makes of an answer that arrives so many octets at a time.
fn fetch(words: &str, at_once: usize) -> Result<(Answer, Vec<u8>), ClientError> {
    let url = Url::parse("http://h:81/a?b").unwrap();
    let (mut rx, mut tx) = buffers();
    let mut exchanges = Exchanges::new(&mut rx, &mut tx, LONG);
    let connect = || Ok::<_, ()>(Says::new(words, at_once));
    let answer = exchanges.get(&url, 7, connect).unwrap()?;
    let mut content = Vec::new();
    exchanges.content(|piece| {
        content.extend(piece);
        Ok(())
    })?;
    Ok((answer, content))
}

#[test]
fn content_in_every_framing_and_in_any_pieces() {
    for words in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x\r\nllo\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\nhello",
        "HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n\
         HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    ] {
        for at_once in [1, 3, 1000] {
            let (answer, content) = fetch(words, at_once).unwrap();
            assert_eq!((answer.status, &*answer.reason), (Status::OK, "OK"));
            assert_eq!(content, b"hello", "{words:?}");
        }
    }
}

#[test]
fn answers_that_are_none() {
    for (words, what) in [
        ("", "Ended"),
        ("HTTP/1.1 200 OK\r\n", "Ended"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", "Ended"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            "Ended",
        ),
        ("SSH-2.0-x\r\n", "Protocol"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello",
            "Protocol",
        ),
    ] {
        let error = fetch(words, 1000).unwrap_err();
        assert!(
            format!("{error:?}").starts_with(what),
            "{words:?}: {error:?}"
        );
    }
    let endless = "HTTP/1.1 100 Go on\r\n\r\n".repeat(100);
    assert!(matches!(
        fetch(&endless, 1000),
        Err(ClientError::Protocol(_))
    ));
    let large = format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(INPUT_BUFFER));
    assert!(matches!(fetch(&large, 1000), Err(ClientError::Protocol(_))));
}

#[test]
fn a_request_says_what_it_must() {
    let server = Says::new("HTTP/1.1 204 No\r\n\r\n", 1000);
    let heard = Rc::clone(&server.heard);
    let server = Cell::new(Some(server));
    let url = Url::parse("http://[fd71::2]:81/a?b").unwrap();
    let (mut rx, mut tx) = buffers();
    let mut exchanges = Exchanges::new(&mut rx, &mut tx, LONG);
    let connect = || server.take().ok_or(());
    exchanges.get(&url, 7, connect).unwrap().unwrap();
    let heard = String::from_utf8(heard.take()).unwrap();
    assert!(
        heard.starts_with("GET /a?b HTTP/1.1\r\nHost: [fd71::2]:81\r\n"),
        "{heard}"
    );
    assert!(heard.contains("\r\nRange: bytes=7-\r\n"), "{heard}");
}

/// What two requests come to, the second one where the answer to the first leads, and on how many
/// connections.
fn follow(location: &str, first: &str, second: &str) -> (String, u32) {
    let moved = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\n{first}");
    let answers = Cell::new(vec![format!("{moved}{second}"), second.to_owned()]);
    let connections = Cell::new(0);
    let connect = || {
        connections.set(connections.get() + 1);
        let mut left = answers.take();
        let words = left.remove(0);
        answers.set(left);
        // A server says nothing before it is asked: one octet at a time comes near to that.
        Ok::<_, ()>(Says::new(&words, 1))
    };
    let (mut rx, mut tx) = buffers();
    let mut exchanges = Exchanges::new(&mut rx, &mut tx, LONG);
    let url = Url::parse("http://h/a").unwrap();
    let answer = exchanges.get(&url, 0, connect).unwrap().unwrap();
    assert_eq!(answer.location.as_deref(), Some(location));
    let next = exchanges.redirected(&url).unwrap();
    let url = Url::parse(&next).unwrap();
    let answer = exchanges.get(&url, 0, connect).unwrap().unwrap();
    assert_eq!(answer.status, Status::OK);
    (next, connections.get())
}

#[test]
fn a_redirection_stays_on_its_connection_if_it_can() {
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let hello = "Content-Length: 5\r\n\r\nhello";
    assert_eq!(follow("/b", hello, ok), ("http://h/b".into(), 1));
    assert_eq!(follow("http://i/b", hello, ok), ("http://i/b".into(), 2));
    let close = "Connection: close\r\nContent-Length: 5\r\n\r\nhello";
    assert_eq!(follow("/b", close, ok), ("http://h/b".into(), 2));
    let large = format!("Content-Length: 70000\r\n\r\n{}", "x".repeat(70_000));
    assert_eq!(follow("/b", &large, ok), ("http://h/b".into(), 2));
}

#[test]
fn a_connection_the_server_has_closed_is_made_again() {
    let hello = "HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n";
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let answers = Cell::new(vec![hello, ok]);
    let connect = || {
        let mut left = answers.take();
        let words = left.remove(0);
        answers.set(left);
        Ok::<_, ()>(Says::new(words, 1000))
    };
    let (mut rx, mut tx) = buffers();
    let mut exchanges = Exchanges::new(&mut rx, &mut tx, LONG);
    let url = Url::parse("http://h/a").unwrap();
    exchanges.get(&url, 0, connect).unwrap().unwrap();
    let next = exchanges.redirected(&url).unwrap();
    assert!(exchanges.connection.is_some());
    let url = Url::parse(&next).unwrap();
    let answer = exchanges.get(&url, 0, connect).unwrap().unwrap();
    assert_eq!(answer.status, Status::OK);
}
