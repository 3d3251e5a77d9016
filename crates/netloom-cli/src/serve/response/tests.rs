use std::time::{Duration, UNIX_EPOCH};

use super::*;

#[test]
fn a_head_as_it_is_sent() {
    let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
    let mut response = Response::new(Status::Ok, Content::Bytes(b"hello".to_vec()));
    response.field("Content-Type", "text/plain");
    let start = "HTTP/1.1 200 OK\r\nServer: netloom\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
                 Content-Type: text/plain\r\nContent-Length: 5\r\n";
    //= https://www.rfc-editor.org/rfc/rfc9112#section-9.6
    //= type=test
    //# A
    //# sender SHOULD send a Connection header field (Section 7.6.1 of
    //# [HTTP]) containing the "close" connection option when it intends to
    //# close a connection.
    for (persistence, end) in [
        (Persistence::Keep, "\r\n"),
        (Persistence::Close, "Connection: close\r\n\r\n"),
        (Persistence::KeepHttp10, "Connection: keep-alive\r\n\r\n"),
    ] {
        assert_eq!(response.head(now, persistence), format!("{start}{end}"));
    }
}

#[test]
fn lengths() {
    assert_eq!(Content::None.len(), None);
    assert_eq!(Content::Bytes(Vec::new()).len(), Some(0));
    let part = |preface: &[u8], first, last| Part {
        preface: preface.to_vec(),
        range: ByteRange { first, last },
    };
    let file = tempfile::tempfile().unwrap();
    let parts = vec![part(b"abc", 0, 0), part(b"de", 10, 19)];
    let content = Content::File(FileContent {
        file,
        parts,
        closing: b"!".to_vec(),
    });
    assert_eq!(content.len(), Some(3 + 1 + 2 + 10 + 1));
}

#[test]
fn a_method_that_is_not_allowed_comes_with_those_that_are() {
    //= https://www.rfc-editor.org/rfc/rfc9110#section-15.5.6
    //= type=test
    //# The origin server MUST generate an
    //# Allow header field in a 405 response containing a list of the target
    //# resource's currently supported methods.
    let head =
        |status| Response::refusal(Refusal::new(status, "why")).head(UNIX_EPOCH, Persistence::Keep);
    assert!(head(Status::MethodNotAllowed).contains("\r\nAllow: GET, HEAD\r\n"));
    assert!(!head(Status::NotFound).contains("Allow"));
}
