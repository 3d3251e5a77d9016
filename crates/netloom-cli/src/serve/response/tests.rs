use std::time::{Duration, UNIX_EPOCH};

use netloom_services::http::{Ranges, Selection};

use super::*;

fn head(response: &Response, now: SystemTime, persistence: Persistence) -> String {
    let mut buffer = [0; 1000];
    let mut output = Output::with_buffer(&mut buffer);
    response.write_head(&mut output, now, persistence).unwrap();
    String::from_utf8(output.pending().to_vec()).unwrap()
}

#[test]
fn a_head_as_it_is_sent() {
    let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
    let mut response = Response::new(Status::OK, Content::Bytes(b"hello".to_vec()));
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
        assert_eq!(head(&response, now, persistence), format!("{start}{end}"));
    }
}

#[test]
fn lengths() {
    assert_eq!(Content::None.len(), None);
    assert_eq!(Content::Bytes(Vec::new()).len(), Some(0));
    let of_file = |octets| {
        let file = Source::File(tempfile::tempfile().unwrap());
        Content::File(FileContent { file, octets })
    };
    assert_eq!(of_file(Octets::None).len(), Some(0));
    let range = ByteRange { first: 3, last: 7 };
    assert_eq!(of_file(Octets::One(range)).len(), Some(5));
    let Selection::Ranges(ranges) = Ranges::select(b"bytes=0-0,900-909", 1000) else {
        panic!("the file has both");
    };
    let parts = Parts::new(ranges, 1000, "text/plain", [0; 2]);
    let several = of_file(Octets::Several(Box::new(parts)));
    assert_eq!(several.len(), Some(parts.len()));
}

#[test]
fn a_method_that_is_not_allowed_comes_with_those_that_are() {
    //= https://www.rfc-editor.org/rfc/rfc9110#section-15.5.6
    //= type=test
    //# The origin server MUST generate an
    //# Allow header field in a 405 response containing a list of the target
    //# resource's currently supported methods.
    let response = Response::method_not_allowed("GET, PUT");
    let head = head(&response, UNIX_EPOCH, Persistence::Keep);
    assert!(head.starts_with("HTTP/1.1 405 ") && head.contains("\r\nAllow: GET, PUT\r\n"));
}
