//! PUT, from the request to the file.

use std::os::unix::fs::symlink;
use std::path::Path;

use netloom_services::http::HttpDate;

use super::*;
use crate::serve::Uploads;

const LIMIT: u64 = 100_000;

/// What a client that follows the script receives from a server that stores in `folder`.
fn upload(folder: &Path, steps: Vec<Step>) -> String {
    let root = || Root::open(folder).unwrap();
    let uploads = Uploads::new(root(), LIMIT);
    let server = Server::new(root(), Limits::default()).with_uploads(uploads);
    let seen = Arc::new(Mutex::new(Seen::default()));
    let script = Script {
        steps: steps.into(),
        seen: Arc::clone(&seen),
    };
    run(&server, script, &Pressure::default());
    let received = std::mem::take(&mut seen.lock().unwrap().received);
    String::from_utf8(received).unwrap()
}

/// The status codes in what a client received.
fn statuses(received: &str) -> Vec<&str> {
    received
        .split("HTTP/1.1 ")
        .skip(1)
        .map(|response| &response[..3])
        .collect()
}

fn put(target: &str, fields: &str, body: &str) -> String {
    let length = body.len();
    format!("PUT {target} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n{fields}\r\n{body}")
}

/// The status of one upload.
fn status(folder: &Path, target: &str, fields: &str, body: &str) -> String {
    let received = upload(folder, vec![sends(&put(target, fields, body))]);
    statuses(&received).join(" ")
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

//= https://www.rfc-editor.org/rfc/rfc9110#section-9.3.4
//= type=test
//# If the target resource does not have a current representation and the
//# PUT successfully creates one, then the origin server MUST inform the
//# user agent by sending a 201 (Created) response.  If the target
//# resource does have a current representation and that representation
//# is successfully modified in accordance with the state of the enclosed
//# representation, then the origin server MUST send either a 200 (OK) or
//# a 204 (No Content) response to indicate successful completion of the
//# request.
#[test]
fn a_file_is_created_then_replaced_and_the_connection_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let chunked = "PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
                   6\r\nsecond\r\n4;x\r\n one\r\n0\r\nT: 1\r\n\r\n";
    let steps = vec![sends(&[&put("/a", "", "first"), chunked, GET_A].concat())];
    let received = upload(folder.path(), steps);
    assert_eq!(statuses(&received), ["201", "204", "200"]);
    assert!(received.ends_with("\r\n\r\nsecond one"), "{received}");
    assert_eq!(names(folder.path()), ["a"]);
    // Octet by octet, and empty.
    let request = put("/b", "", "content");
    let steps = request
        .bytes()
        .map(|byte| Step::Sends(vec![byte]))
        .collect();
    assert_eq!(statuses(&upload(folder.path(), steps)), ["201"]);
    assert_eq!(text(&folder.path().join("b")), "content");
    assert_eq!(status(folder.path(), "/b", "", ""), "204");
    assert_eq!(text(&folder.path().join("b")), "");
}

//= https://www.rfc-editor.org/rfc/rfc9110#section-9.3.4
//= type=test
//# An origin server MUST NOT send a validator field (Section 8.8), such
//# as an ETag or Last-Modified field, in a successful response to PUT
//# unless the request's representation data was saved without any
//# transformation applied to the content (i.e., the resource's new
//# representation data is identical to the content received in the PUT
//# request) and the validator field value reflects the new
//# representation.
#[test]
fn the_answer_has_the_etag_that_get_has_then() {
    let folder = tempfile::tempdir().unwrap();
    let mut before = String::new();
    for (body, status) in [("first", "201"), ("second", "204")] {
        let received = upload(
            folder.path(),
            vec![sends(&put("/a", "", body)), sends(GET_A)],
        );
        assert_eq!(statuses(&received), [status, "200"]);
        let etags: Vec<_> = received
            .lines()
            .filter_map(|line| line.strip_prefix("ETag: "))
            .collect();
        assert!(
            matches!(etags[..], [put, get] if put == get && put != before),
            "{received}"
        );
        before = etags[0].to_owned();
    }
    let refused = upload(
        folder.path(),
        vec![sends(&put("/a", "If-None-Match: *\r\n", ""))],
    );
    assert!(statuses(&refused) == ["412"] && !refused.contains("ETag"));
}

#[test]
fn a_file_appears_only_when_it_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("old"), "old").unwrap();
    for name in ["/old", "/new"] {
        let request = put(name, "", "ten octets");
        let cut = &request[..request.len() - 1];
        let received = upload(folder.path(), vec![sends(cut)]);
        assert_eq!(statuses(&received), ["400"], "the client vanishes");
        let received = upload(folder.path(), vec![sends(cut), Step::Waits]);
        assert_eq!(statuses(&received), ["408"], "the client falls silent");
    }
    assert_eq!(names(folder.path()), ["old"]);
    assert_eq!(text(&folder.path().join("old")), "old");
}

//= https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1
//= type=test
//# The origin server MUST NOT wait for the content before sending the
//# 100 (Continue) response.
#[test]
fn a_client_that_waits_for_100_gets_it_or_the_refusal() {
    let folder = tempfile::tempdir().unwrap();
    let request = put("/a", "Expect: 100-continue\r\n", "body");
    let (head, body) = request.split_at(request.len() - 4);
    let steps = vec![sends(head), sends(body), sends(GET_A)];
    let received = upload(folder.path(), steps);
    assert_eq!(statuses(&received), ["100", "201", "200"]);
    // The body is there already.
    let received = upload(folder.path(), vec![sends(&request)]);
    assert_eq!(statuses(&received), ["204"]);
    let refused = head.replace("/a", "/no/such/folder");
    let received = upload(folder.path(), vec![sends(&refused), Step::Waits]);
    assert_eq!(statuses(&received), ["409"]);
    assert!(received.contains("\r\nConnection: close\r\n"), "{received}");
}

#[test]
fn an_upload_has_a_limit_however_it_is_framed() {
    let folder = tempfile::tempdir().unwrap();
    let size = usize::try_from(LIMIT).unwrap();
    assert_eq!(status(folder.path(), "/a", "", &"x".repeat(size)), "201");
    assert_eq!(
        status(folder.path(), "/b", "", &"x".repeat(size + 1)),
        "413"
    );
    let chunk = format!("{:x}\r\n{}\r\n", 1000, "x".repeat(1000));
    let head = "PUT /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    let endless = [head.to_owned(), chunk.repeat(101)].concat();
    let received = upload(folder.path(), vec![sends(&endless)]);
    assert_eq!(statuses(&received), ["413"]);
    assert_eq!(names(folder.path()), ["a"]);
}

#[test]
fn preconditions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let ask = |fields: &str| status(folder.path(), "/a", fields, "new");
    //= https://www.rfc-editor.org/rfc/rfc9110#section-13.1.1
    //= type=test
    //# An origin server MUST use the strong comparison function when
    //# comparing entity tags for If-Match (Section 8.8.3.2), since the
    //# client intends this precondition to prevent the method from being
    //# applied if there have been any changes to the representation data.
    assert_eq!(ask("If-Match: *\r\n"), "412", "nothing is there");
    //= https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2
    //= type=test
    //# 1.  If the field value is "*", the condition is false if the origin
    //# server has a current representation for the target resource.
    assert_eq!(ask("If-None-Match: *\r\n"), "201");
    assert_eq!(ask("If-None-Match: *\r\n"), "412");
    assert_eq!(ask("If-Match: *\r\n"), "204");
    let hour_ago = SystemTime::now() - HOUR;
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(hour_ago).unwrap();
    let head = upload(folder.path(), vec![sends(GET_A)]);
    let etag = head.lines().find_map(|line| line.strip_prefix("ETag: "));
    let etag = etag.unwrap().to_owned();
    assert_eq!(
        ask(&format!(
            "If-None-Match: \"x\"\r\nIf-None-Match: {etag}\r\n"
        )),
        "412"
    );
    assert_eq!(ask("If-Match: \"other\"\r\n"), "412");
    let before = HttpDate::from_system(hour_ago - HOUR).unwrap();
    assert_eq!(ask(&format!("If-Unmodified-Since: {before}\r\n")), "412");
    let after = HttpDate::from_system(hour_ago).unwrap();
    assert_eq!(ask(&format!("If-Unmodified-Since: {after}\r\n")), "204");
    file.set_modified(hour_ago).unwrap();
    assert_eq!(names(folder.path()), ["a"]);
}

#[test]
fn a_version_can_be_replaced_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    fs::write(&path, "one").unwrap();
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(SystemTime::now() - HOUR).unwrap();
    let head = upload(folder.path(), vec![sends(GET_A)]);
    let etag = head.lines().find_map(|line| line.strip_prefix("ETag: "));
    let condition = format!("If-Match: {}\r\n", etag.unwrap());
    assert_eq!(status(folder.path(), "/a", &condition, "two"), "204");
    assert_eq!(status(folder.path(), "/a", &condition, "three"), "412");
    assert_eq!(text(&path), "two");
}

#[test]
fn nothing_is_stored_outside_the_folder_or_over_what_is_no_file() {
    let outside = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("sub")).unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    symlink(outside.path(), at("out")).unwrap();
    symlink(outside.path().join("secret"), at("link")).unwrap();
    symlink("sub", at("inside")).unwrap();
    for (target, expected) in [
        ("/../x", "400"),
        ("/sub/%2e%2e/%2e%2e/x", "400"),
        ("/out/x", "403"),
        ("/link", "409"),
        ("/sub", "409"),
        ("/sub/", "409"),
        ("/", "409"),
        ("/none/x", "409"),
        ("/link/x", "403"),
        ("/a%2fb", "404"),
        ("/a%00", "400"),
        ("/inside/x", "201"),
        ("/sub/y", "201"),
    ] {
        assert_eq!(
            status(folder.path(), target, "", "body"),
            expected,
            "{target}"
        );
    }
    assert_eq!(
        status(folder.path(), &format!("/{}", "n".repeat(300)), "", "b"),
        "409"
    );
    assert_eq!(names(outside.path()), ["secret"]);
    assert_eq!(text(&outside.path().join("secret")), "secret");
    assert_eq!(names(folder.path()), ["inside", "link", "out", "sub"]);
    assert_eq!(names(&at("sub")), ["x", "y"]);
}

#[test]
fn content_that_would_not_be_stored_as_meant_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    //= https://www.rfc-editor.org/rfc/rfc9110#section-14.5
    //= type=test
    //# An origin server SHOULD respond with a 400 (Bad Request) status code
    //# if it receives Content-Range on a PUT for a target resource that does
    //# not support partial PUT requests.
    let part = "Content-Range: bytes 0-3/8\r\n";
    assert_eq!(status(folder.path(), "/a", part, "body"), "400");
    assert_eq!(
        status(folder.path(), "/a", "Content-Encoding: gzip\r\n", "body"),
        "415"
    );
    assert_eq!(
        status(
            folder.path(),
            "/a",
            "Content-Encoding: identity\r\n",
            "body"
        ),
        "201"
    );
    let other = "DELETE /a HTTP/1.1\r\nHost: h\r\n\r\n";
    let received = upload(folder.path(), vec![sends(other)]);
    assert!(
        received.contains("\r\nAllow: GET, HEAD, PUT\r\n"),
        "{received}"
    );
}
