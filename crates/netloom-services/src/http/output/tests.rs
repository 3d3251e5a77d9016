use std::io::Cursor;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::super::body::Decoder;
use super::super::framing::Framing;
use super::*;

/// What is written to an output of so many octets.
fn written(capacity: usize, write: impl FnOnce(&mut Output<'_>)) -> String {
    let mut buffer = vec![0; capacity];
    let mut output = Output::with_buffer(&mut buffer);
    write(&mut output);
    String::from_utf8(output.pending().to_vec()).unwrap()
}

#[test]
fn a_response() {
    let text = written(500, |output| {
        let date = HttpDate::from_unix(784_111_777).unwrap();
        let head = output.response(Status::OK).date(date);
        let head = head.field("Content-Type", "text/plain").content_length(5);
        head.connection(Persistence::Close).finish().unwrap();
        output.push(b"hello");
    });
    assert_eq!(
        text,
        "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain\r\n\
         Content-Length: 5\r\nConnection: close\r\n\r\nhello"
    );
    //= https://www.rfc-editor.org/rfc/rfc9112#section-9.6
    //= type=test
    //# A
    //# sender SHOULD send a Connection header field (Section 7.6.1 of
    //# [HTTP]) containing the "close" connection option when it intends to
    //# close a connection.
    for (persistence, line) in [
        (Persistence::Keep, ""),
        (Persistence::Close, "Connection: close\r\n"),
        (Persistence::KeepHttp10, "Connection: keep-alive\r\n"),
    ] {
        let text = written(100, |output| {
            let head = output.response(Status::OK).connection(persistence);
            head.finish().unwrap();
        });
        assert_eq!(text, ["HTTP/1.1 200 OK\r\n", line, "\r\n"].concat());
    }
    //= https://www.rfc-editor.org/rfc/rfc9112#section-4
    //= type=test
    //# A server MUST send the
    //# space that separates the status-code from the reason-phrase even when
    //# the reason-phrase is absent (i.e., the status-line would end with the
    //# space).
    let text = written(100, |output| {
        let status = Status::new(299).unwrap();
        output.response(status).finish().unwrap();
    });
    assert_eq!(text, "HTTP/1.1 299 \r\n\r\n");
}

#[test]
fn statuses_without_content_have_no_length() {
    //= https://www.rfc-editor.org/rfc/rfc9112#section-6.1
    //= type=test
    //# A server MUST NOT send a Transfer-Encoding header field in any
    //# response with a status code of 1xx (Informational) or 204 (No
    //# Content).

    //= https://www.rfc-editor.org/rfc/rfc9110#section-8.6
    //= type=test
    //# A server MUST NOT send a Content-Length header field in any response
    //# with a status code of 1xx (Informational) or 204 (No Content).
    for status in [Status::CONTINUE, Status::NO_CONTENT, Status::NOT_MODIFIED] {
        let text = written(100, |output| {
            let head = output.response(status).content_length(0).chunked();
            head.finish().unwrap();
        });
        assert!(
            !text.contains("Length") && !text.contains("Transfer"),
            "{text}"
        );
    }
}

#[test]
fn a_request() {
    //= https://www.rfc-editor.org/rfc/rfc9112#section-3.2
    //= type=test
    //# A client MUST send a Host header field (Section 7.2 of [HTTP]) in all
    //# HTTP/1.1 request messages.
    let text = written(100, |output| {
        let head = output.request(Method::Put, "/a?b", "h:81").chunked();
        head.finish().unwrap();
    });
    assert_eq!(
        text,
        "PUT /a?b HTTP/1.1\r\nHost: h:81\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    for target in ["", "/a b", "/a\r\nX: y", "/\u{e9}", "/a#b", "/\0"] {
        let text = written(100, |output| {
            let result = output.request(Method::Get, target, "h").finish();
            assert_eq!(result, Err(HeadError::Invalid), "{target:?}");
        });
        assert_eq!(text, "");
    }
    written(100, |output| {
        let result = output.request(Method::Other, "/", "h").finish();
        assert_eq!(result, Err(HeadError::Invalid));
    });
}

//= https://www.rfc-editor.org/rfc/rfc9112#section-11.1
//= type=test
//# A more effective mitigation is to prevent
//# anything other than the server's core protocol libraries from sending
//# a CR or LF within the header section, which means restricting the
//# output of header fields to APIs that filter for bad octets and not
//# allowing application servers to write directly to the protocol
//# stream.
#[test]
fn a_response_cannot_be_split() {
    for (name, value) in [
        ("A", "b\r\nSet-Cookie: c=d"),
        ("A", "b\nc"),
        ("A", "b\rc"),
        ("A", "b\0c"),
        ("A\r\nB", "c"),
        ("A: b", "c"),
        ("", "c"),
    ] {
        let text = written(500, |output| {
            output.push(b"before");
            let result = output.response(Status::OK).field(name, value).finish();
            assert_eq!(result, Err(HeadError::Invalid), "{name:?} {value:?}");
            let head = output.response(Status::OK);
            let result = head.field_bytes(name, value.as_bytes()).finish();
            assert_eq!(result, Err(HeadError::Invalid), "{name:?} {value:?}");
        });
        assert_eq!(text, "before");
    }
    let text = written(500, |output| {
        let head = output.response(Status::OK).lines(b"A: b\r\nnone\r\n");
        assert_eq!(head.finish(), Err(HeadError::Invalid));
        let head = output.response(Status::OK).lines(b"A: b\r\n");
        head.field_bytes("C", b"\xe9").finish().unwrap();
        output.truncate(23);
    });
    assert_eq!(text, "HTTP/1.1 200 OK\r\nA: b\r\n");
}

#[test]
fn a_head_is_written_whole_or_not_at_all() {
    let whole = "HTTP/1.1 200 OK\r\nA: b\r\n\r\n".len();
    for capacity in 0..whole + 6 {
        let mut results = Vec::new();
        let text = written(capacity, |output| {
            output.push(b"before");
            results.push(output.response(Status::OK).field("A", "b").finish());
            // One that is given up leaves nothing either.
            drop(output.response(Status::OK));
        });
        assert_eq!(results, [Err(HeadError::Full)], "{capacity}");
        assert_eq!(text, &"before"[..capacity.min(6)]);
    }
    let text = written(whole + 6, |output| {
        output.push(b"before");
        output
            .response(Status::OK)
            .field("A", "b")
            .finish()
            .unwrap();
    });
    assert_eq!(text.len(), whole + 6);
}

#[test]
fn chunks_are_taken_apart_again() {
    for capacity in 0..40 {
        let mut buffer = vec![0; capacity];
        let mut output = Output::with_buffer(&mut buffer);
        let mut stream = Vec::new();
        let mut content = &b"the content of a chunked body"[..];
        let whole = content;
        while !content.is_empty() {
            let taken = output.chunk(content);
            content = &content[taken..];
            output.flush(&mut Cursor::new(&mut stream)).unwrap();
            if taken == 0 {
                break;
            }
        }
        // A chunk takes twelve octets beside its content.
        assert_eq!(content.is_empty(), capacity > 12, "{capacity}");
        if !content.is_empty() {
            assert!(stream.is_empty());
            continue;
        }
        // The cursor writes over the front each time: collect instead.
        let mut stream = Vec::new();
        let mut output = Output::with_buffer(&mut buffer);
        let mut content = whole;
        while !content.is_empty() {
            let taken = output.chunk(content);
            content = &content[taken..];
            stream.extend(output.pending());
            output.clear();
        }
        assert!(output.last_chunk());
        stream.extend(output.pending());
        let mut decoder = Decoder::new(Framing::Chunked, 100).unwrap();
        let (mut at, mut received) = (0, Vec::new());
        while !decoder.is_done() {
            let (taken, piece) = decoder.take(&stream[at..]).unwrap();
            at += taken;
            received.extend(piece);
        }
        assert_eq!((at, &received[..]), (stream.len(), whole));
    }
    let mut output = Output::with_buffer(&mut []);
    assert_eq!(output.chunk(b"a"), 0);
    assert!(!output.last_chunk());
    let mut buffer = [0; 40];
    let mut output = Output::with_buffer(&mut buffer);
    assert_eq!(output.chunk(b""), 0);
    assert!(output.is_empty(), "an empty chunk would be the last");
}

/// A stream that takes so many octets in all.
struct Takes(usize, Vec<u8>);

impl Transport for Takes {
    type Error = ();

    fn receive(&mut self, _: &mut [u8]) -> Result<usize, StreamError<()>> {
        Err(StreamError::WouldBlock)
    }

    fn send(&mut self, data: &[u8]) -> Result<usize, StreamError<()>> {
        let taken = data.len().min(self.0);
        if taken == 0 {
            return Err(StreamError::WouldBlock);
        }
        self.0 -= taken;
        self.1.extend(&data[..taken]);
        Ok(taken)
    }
}

#[test]
fn what_the_stream_does_not_take_stays() {
    let mut buffer = [0; 8];
    let mut output = Output::with_buffer(&mut buffer);
    let mut stream = Takes(3, Vec::new());
    assert_eq!(output.push(b"0123456789"), 8);
    assert_eq!(output.flush(&mut stream), Err(StreamError::WouldBlock));
    assert_eq!(output.pending(), b"34567");
    assert_eq!(output.push(b"89"), 2, "what is left moves up");
    stream.0 = 100;
    assert_eq!(output.push_all(b"abcdefghijklmnop", &mut stream), Ok(()));
    assert_eq!(output.flush(&mut stream), Ok(()));
    assert_eq!(stream.1, b"0123456789abcdefghijklmnop");
    assert!(output.is_empty() && output.space().len() == 8);
    assert_eq!(
        HeadError::Full.to_string(),
        "the head does not fit the buffer"
    );
}
