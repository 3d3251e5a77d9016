use std::fs::{self, File};
use std::time::Duration;

use tempfile::TempDir;

use netloom_services::http::{HeadLimits, Output, Parsed, Persistence, parse_request};

use super::*;

/// A folder with `file.txt`, 1000 octets of digits, long unchanged.
fn folder() -> (TempDir, Root) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.txt");
    fs::write(&path, "0123456789".repeat(100)).unwrap();
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(long_ago())
        .unwrap();
    fs::write(folder.path().join("empty"), "").unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    let root = Root::open(folder.path()).unwrap();
    (folder, root)
}

fn long_ago() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(783_459_811)
}

/// Status and fields, and the content, of the response to a request.
fn ask(root: &Root, request_line: &str, fields: &str) -> (String, Vec<u8>) {
    let head = format!("{request_line} HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
    let limits = HeadLimits::default();
    let Ok(Parsed::Complete { head: request, .. }) = parse_request(head.as_bytes(), 0, &limits)
    else {
        panic!("{head:?}");
    };
    let now = SystemTime::now();
    let response = respond(root, &request, now);
    let mut buffer = [0; 4096];
    let mut output = Output::with_buffer(&mut buffer);
    response
        .write_head(&mut output, now, Persistence::Keep)
        .unwrap();
    let head = String::from_utf8(output.pending().to_vec()).unwrap();
    let mut content = Vec::new();
    match response.content {
        Content::None => {}
        Content::Bytes(bytes) => content = bytes,
        Content::File(FileContent { file, octets }) => {
            let read = |at, room: &mut [u8]| {
                let read = file.read_at(at, room)?;
                assert_eq!(read, room.len());
                std::io::Result::Ok(read)
            };
            match octets {
                Octets::None => {}
                Octets::One(range) => {
                    content.resize(usize::try_from(range.len()).unwrap(), 0);
                    read(range.first, &mut content).unwrap();
                }
                Octets::Several(parts) => {
                    content.resize(usize::try_from(parts.len()).unwrap(), 0);
                    let filled = parts.fill(0, &mut content, read).unwrap();
                    assert_eq!(filled, content.len());
                }
            }
        }
    }
    if let Some(length) = field(&head, "Content-Length") {
        assert_eq!(length, content.len().to_string());
    }
    (head, content)
}

fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn code(head: &str) -> &str {
    &head[9..12]
}

#[test]
fn a_whole_file() {
    let (_folder, root) = folder();
    let (head, content) = ask(&root, "GET /file.txt?query", "");
    assert_eq!((code(&head), content.len()), ("200", 1000));
    assert_eq!(
        field(&head, "Content-Type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(field(&head, "Accept-Ranges"), Some("bytes"));
    assert_eq!(
        field(&head, "Last-Modified"),
        Some("Sat, 29 Oct 1994 19:43:31 GMT")
    );
    assert!(field(&head, "ETag").is_some_and(|tag| tag.starts_with('"')));
    let (head, content) = ask(&root, "GET /empty", "Range: bytes=0-\r\n");
    assert_eq!((code(&head), content.len()), ("200", 0));
}

#[test]
fn methods_and_names() {
    let (folder, root) = folder();
    for (line, expected) in [
        ("GET /nothing", "404"),
        ("GET /file.txt/", "404"),
        ("GET /sub/", "200"),
        ("GET /", "200"),
    ] {
        assert_eq!(code(&ask(&root, line, "").0), expected, "{line}");
    }
    let (head, _) = ask(&root, "GET //sub?q=\u{e9}", "");
    assert_eq!(
        (code(&head), field(&head, "Location")),
        ("301", Some("/sub/?q=%C3%A9"))
    );
    // An index stands for its folder; what is no file does not.
    fs::create_dir(folder.path().join("sub/index.html")).unwrap();
    assert!(
        String::from_utf8(ask(&root, "GET /sub/", "").1)
            .unwrap()
            .contains("<h1>/sub/</h1>")
    );
    fs::write(folder.path().join("index.html"), "the index").unwrap();
    let (head, content) = ask(&root, "GET /", "");
    assert_eq!(content, b"the index");
    assert_eq!(
        field(&head, "Content-Type"),
        Some("text/html; charset=utf-8")
    );
    // One that may not be served is not hidden behind a listing.
    fs::create_dir(folder.path().join("closed")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("closed/index.html")).unwrap();
    assert_eq!(code(&ask(&root, "GET /closed/", "").0), "403");
}

/// Octet for octet, but for those that may stand in a query and not in a URI.
#[test]
fn a_redirection_has_the_query_that_was_sent() {
    let (_folder, root) = folder();
    let location = |query: &[u8]| {
        let head = [b"GET /sub?", query, b" HTTP/1.1\r\nHost: h\r\n\r\n"].concat();
        let limits = HeadLimits::default();
        let Ok(Parsed::Complete { head: request, .. }) = parse_request(&head, 0, &limits) else {
            panic!("{head:?}");
        };
        let now = SystemTime::now();
        let response = respond(&root, &request, now);
        let mut buffer = vec![0; 64 * 1024];
        let mut output = Output::with_buffer(&mut buffer);
        let written = response.write_head(&mut output, now, Persistence::Keep);
        written.unwrap();
        let head = String::from_utf8(output.pending().to_vec()).unwrap();
        field(&head, "Location").unwrap().to_owned()
    };
    for query in ["", "q='a'&r=(b)", "q=\"a\"", "q=\\d~", "q=%27%ff%20&%"] {
        assert_eq!(location(query.as_bytes()), format!("/sub/?{query}"));
    }
    assert_eq!(location(b"q=\xe9~\x80"), "/sub/?q=%E9~%80");
    let (longest, encoded) = ([0xff; 8180], "%FF".repeat(8180));
    assert_eq!(location(&longest), format!("/sub/?{encoded}"));
}

#[test]
fn one_range() {
    let (_folder, root) = folder();
    //= https://www.rfc-editor.org/rfc/rfc9110#section-15.3.7.1
    //= type=test
    //# If a single part is being transferred, the server generating the 206
    //# response MUST generate a Content-Range header field, describing what
    //# range of the selected representation is enclosed, and a content
    //# consisting of the range.
    let (head, content) = ask(&root, "GET /file.txt", "Range: bytes=995-\r\n");
    assert_eq!((code(&head), content.as_slice()), ("206", &b"56789"[..]));
    assert_eq!(field(&head, "Content-Range"), Some("bytes 995-999/1000"));
    //= https://www.rfc-editor.org/rfc/rfc9110#section-15.5.17
    //= type=test
    //# A server that generates a 416 response to a byte-range request SHOULD
    //# generate a Content-Range header field specifying the current length
    //# of the selected representation (Section 14.4).
    let (head, _) = ask(&root, "GET /file.txt", "Range: bytes=1000-\r\n");
    assert_eq!(
        (code(&head), field(&head, "Content-Range")),
        ("416", Some("bytes */1000"))
    );
    //= https://www.rfc-editor.org/rfc/rfc9110#section-14.2
    //= type=test
    //# A server MUST ignore a Range header field received with a request
    //# method that is unrecognized or for which range handling is not
    //# defined.
    let (head, _) = ask(&root, "HEAD /file.txt", "Range: bytes=1000-\r\n");
    assert_eq!(
        (code(&head), field(&head, "Content-Length")),
        ("200", Some("1000"))
    );
    // Two fields are none.
    let twice = "Range: bytes=0-1\r\nRange: bytes=2-3\r\n";
    assert_eq!(code(&ask(&root, "GET /file.txt", twice).0), "200");
}

#[test]
fn several_ranges() {
    //= https://www.rfc-editor.org/rfc/rfc9110#section-15.3.7.2
    //= type=test
    //# To avoid confusion with single-part responses, a server
    //# MUST NOT generate a Content-Range header field in the HTTP header
    //# section of a multiple part response (this field will be sent in each
    //# part instead).
    let (_folder, root) = folder();
    let (head, content) = ask(&root, "GET /file.txt", "Range: bytes=-2,0-2\r\n");
    assert_eq!((code(&head), field(&head, "Content-Range")), ("206", None));
    let kind = field(&head, "Content-Type").unwrap();
    let boundary = kind
        .strip_prefix("multipart/byteranges; boundary=")
        .unwrap();
    let part = |range: &str, octets: &str| {
        let kind = "Content-Type: text/plain; charset=utf-8";
        format!("--{boundary}\r\n{kind}\r\nContent-Range: bytes {range}/1000\r\n\r\n{octets}\r\n")
    };
    let expected = [
        part("998-999", "89"),
        part("0-2", "012"),
        format!("--{boundary}--\r\n"),
    ];
    assert_eq!(String::from_utf8(content).unwrap(), expected.concat());
    // Ranges that have become one are sent as one.
    let (head, _) = ask(&root, "GET /file.txt", "Range: bytes=0-9,5-19\r\n");
    assert_eq!(field(&head, "Content-Range"), Some("bytes 0-19/1000"));
    assert_ne!(super::boundary(), super::boundary());
}

#[test]
fn conditions() {
    let (_folder, root) = folder();
    let (head, _) = ask(&root, "GET /file.txt", "");
    let tag = field(&head, "ETag").unwrap();
    //= https://www.rfc-editor.org/rfc/rfc9110#section-15.4.5
    //= type=test
    //# The server generating a 304 response MUST generate any of the
    //# following header fields that would have been sent in a 200 (OK)
    //# response to the same request:
    let condition = format!("If-None-Match: {tag}\r\nRange: bytes=0-1\r\n");
    let (head, content) = ask(&root, "GET /file.txt", &condition);
    assert_eq!((code(&head), field(&head, "ETag")), ("304", Some(tag)));
    assert!(content.is_empty() && field(&head, "Content-Length").is_none());
    assert_eq!(
        code(&ask(&root, "GET /file.txt", "If-Match: \"x\"\r\n").0),
        "412"
    );
    //= https://www.rfc-editor.org/rfc/rfc9110#section-15.3.7
    //= type=test
    //# A sender that generates a 206 response to a request with an If-Range
    //# header field SHOULD NOT generate other representation header fields
    //# beyond those required because the client already has a prior response
    //# containing those header fields.
    let resume = |tag: &str| format!("If-Range: {tag}\r\nRange: bytes=990-\r\n");
    let (head, content) = ask(&root, "GET /file.txt", &resume(tag));
    assert_eq!((code(&head), content.len()), ("206", 10));
    assert_eq!(
        (field(&head, "ETag"), field(&head, "Last-Modified")),
        (Some(tag), None)
    );
    let (head, content) = ask(&root, "GET /file.txt", &resume("\"other\""));
    assert_eq!((code(&head), content.len()), ("200", 1000));
    // What is refused without a condition is refused with one.
    assert_eq!(
        code(&ask(&root, "GET /nothing", "If-Match: *\r\n").0),
        "404"
    );
}
