use super::*;

/// Sat, 29 Oct 1994 19:43:31 GMT
const MODIFIED: u64 = 783_459_811;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// A file changed at `MODIFIED` and a half, seen a day later.
fn settled() -> Validators {
    let modified = at(MODIFIED) + Duration::from_millis(500);
    Validators::new(Some(modified), 0x10, 0x20, at(MODIFIED + 86_400))
}

const ON_TIME: &str = "Sat, 29 Oct 1994 19:43:31 GMT";

#[test]
fn what_is_sent() {
    let validators = settled();
    let nanos = u128::from(MODIFIED) * 1_000_000_000 + 500_000_000;
    assert_eq!(
        validators.etag().to_string(),
        format!("\"{nanos:x}-10-20\"")
    );
    let date = validators.last_modified().map(|date| date.to_string());
    assert_eq!(date.as_deref(), Some(ON_TIME));
}

#[test]
fn a_file_that_may_be_changing_has_a_weak_tag() {
    let is_weak = |now| {
        Validators::new(Some(at(MODIFIED)), 1, 2, at(now))
            .etag()
            .is_weak
    };
    assert!(is_weak(MODIFIED));
    assert!(is_weak(MODIFIED + 2));
    assert!(!is_weak(MODIFIED + 3));
    assert!(is_weak(MODIFIED - 100), "changed in the future");
    assert!(
        Validators::new(None, 1, 2, at(MODIFIED)).etag().is_weak,
        "nobody knows when"
    );
}

#[test]
fn times_no_http_date_can_tell() {
    //= https://www.rfc-editor.org/rfc/rfc9110#section-8.8.2.1
    //= type=test
    //# If the last modification
    //# time is derived from implementation-specific metadata that evaluates
    //# to some time in the future, according to the origin server's clock,
    //# then the origin server MUST replace that value with the message
    //# origination date.
    let last_modified = |time| {
        let validators = Validators::new(Some(time), 1, 2, at(MODIFIED));
        validators.last_modified().map(|date| date.to_string())
    };
    assert_eq!(last_modified(at(MODIFIED + 999)).as_deref(), Some(ON_TIME));
    assert_eq!(last_modified(at(i64::MAX as u64)).as_deref(), Some(ON_TIME));
    assert_eq!(last_modified(UNIX_EPOCH - Duration::from_secs(1)), None);
}
