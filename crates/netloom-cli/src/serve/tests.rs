use super::*;

#[test]
fn a_log_line() {
    let mut record = AccessRecord {
        peer: SocketAddr::from(([192, 0, 2, 1], 49152)),
        request_line: "GET /a HTTP/1.1",
        status: Status::PARTIAL_CONTENT,
        content_length: 10,
        is_complete: true,
        duration: Duration::from_micros(12_034),
    };
    assert_eq!(
        record.to_string(),
        "192.0.2.1:49152 \"GET /a HTTP/1.1\" 206 10 12.034 ms"
    );
    record.is_complete = false;
    assert!(record.to_string().ends_with(" ms aborted"));
}

#[test]
fn what_ends_the_server_and_what_does_not() {
    for (errno, failure) in [
        (Errno::CONNABORTED, Failure::OfConnection),
        (Errno::INTR, Failure::OfConnection),
        (Errno::PROTO, Failure::OfConnection),
        (Errno::MFILE, Failure::Passing),
        (Errno::NFILE, Failure::Passing),
        (Errno::NOBUFS, Failure::Passing),
        (Errno::NOMEM, Failure::Passing),
        (Errno::BADF, Failure::Final),
        (Errno::INVAL, Failure::Final),
    ] {
        assert_eq!(Failure::of(&errno.into()), failure, "{errno}");
    }
    assert_eq!(Failure::of(&io::Error::other("closed")), Failure::Final);
}
