use super::super::request::{HeadLimits, Parsed, parse};
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

fn request<T>(fields: &[(&str, &str)], check: impl FnOnce(&Request<'_>) -> T) -> T {
    let fields: String = fields
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let head = format!("GET / HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
    match parse(head.as_bytes(), 0, &HeadLimits::default()) {
        Ok(Parsed::Complete { request, .. }) => check(&request),
        other => panic!("{head}: {other:?}"),
    }
}

const ON_TIME: &str = "Sat, 29 Oct 1994 19:43:31 GMT";
const EARLIER: &str = "Sat, 29 Oct 1994 19:43:30 GMT";
const LATER: &str = "Sat, 29 Oct 1994 19:43:32 GMT";

#[test]
fn what_is_sent() {
    let validators = settled();
    let nanos = u128::from(MODIFIED) * 1_000_000_000 + 500_000_000;
    assert_eq!(validators.etag(), format!("\"{nanos:x}-10-20\""));
    assert_eq!(validators.last_modified().as_deref(), Some(ON_TIME));
}

#[test]
fn a_file_that_may_be_changing_has_a_weak_tag() {
    //= https://www.rfc-editor.org/rfc/rfc9110#section-8.8.3
    //= type=test
    //# If an origin server provides an entity tag for a
    //# representation and the generation of that entity tag does not satisfy
    //# all of the characteristics of a strong validator (Section 8.8.1),
    //# then the origin server MUST mark the entity tag as weak by prefixing
    //# its opaque value with "W/" (case-sensitive).
    let is_weak = |now| {
        Validators::new(Some(at(MODIFIED)), 1, 2, at(now))
            .etag()
            .starts_with("W/")
    };
    assert!(is_weak(MODIFIED));
    assert!(is_weak(MODIFIED + 1));
    assert!(!is_weak(MODIFIED + 2));
    assert!(is_weak(MODIFIED - 100), "changed in the future");
    assert!(
        Validators::new(None, 1, 2, at(MODIFIED))
            .etag()
            .starts_with("W/"),
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
    let last_modified = |time| Validators::new(Some(time), 1, 2, at(MODIFIED)).last_modified();
    assert_eq!(last_modified(at(MODIFIED + 999)).as_deref(), Some(ON_TIME));
    assert_eq!(last_modified(at(i64::MAX as u64)).as_deref(), Some(ON_TIME));
    assert_eq!(last_modified(UNIX_EPOCH - Duration::from_secs(1)), None);
}

#[test]
fn preconditions() {
    use Verdict::{Failed, NotModified, Proceed};
    let validators = settled();
    let tag = validators.etag();
    let (weak, list) = (format!("W/{tag}"), format!("\"a,b\" , {tag}"));
    //= https://www.rfc-editor.org/rfc/rfc9110#section-13.1.1
    //= type=test
    //# An origin server MUST use the strong comparison function when
    //# comparing entity tags for If-Match (Section 8.8.3.2), since the
    //# client intends this precondition to prevent the method from being
    //# applied if there have been any changes to the representation data.

    //= https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2
    //= type=test
    //# A recipient MUST use the weak comparison function when comparing
    //# entity tags for If-None-Match (Section 8.8.3.2), since weak entity
    //# tags can be used for cache validation even if there have been changes
    //# to the representation data.

    //= https://www.rfc-editor.org/rfc/rfc9110#section-13.1.3
    //= type=test
    //# A recipient MUST ignore the If-Modified-Since header field if the
    //# received field value is not a valid HTTP-date, the field value has
    //# more than one member, or if the request method is neither GET nor
    //# HEAD.

    //= https://www.rfc-editor.org/rfc/rfc9110#section-13.2.2
    //= type=test
    //# A recipient cache or origin server MUST evaluate the request
    //# preconditions defined by this specification in the following order:
    for (fields, verdict) in [
        (&[][..], Proceed),
        (&[("If-None-Match", tag.as_str())], NotModified),
        (&[("If-None-Match", &weak)], NotModified),
        (&[("If-None-Match", &list)], NotModified),
        (
            &[("If-None-Match", "\"x\""), ("If-None-Match", &tag)],
            NotModified,
        ),
        (&[("If-None-Match", "*")], NotModified),
        (&[("If-None-Match", "\"x\"")], Proceed),
        (&[("If-None-Match", "x")], Proceed),
        (&[("If-None-Match", "\"x")], Proceed),
        (&[("If-None-Match", tag.trim_matches('"'))], Proceed),
        // A tag counts for more than a date.
        (
            &[("If-None-Match", "\"x\""), ("If-Modified-Since", ON_TIME)],
            Proceed,
        ),
        (
            &[("If-None-Match", &tag), ("If-Modified-Since", EARLIER)],
            NotModified,
        ),
        (&[("If-Modified-Since", ON_TIME)], NotModified),
        (&[("If-Modified-Since", LATER)], NotModified),
        (&[("If-Modified-Since", EARLIER)], Proceed),
        (
            &[("If-Modified-Since", "Saturday, 29-Oct-94 19:43:31 GMT")],
            NotModified,
        ),
        (
            &[("If-Modified-Since", "Sat Oct 29 19:43:31 1994")],
            NotModified,
        ),
        (&[("If-Modified-Since", "yesterday")], Proceed),
        (
            &[
                ("If-Modified-Since", ON_TIME),
                ("If-Modified-Since", ON_TIME),
            ],
            Proceed,
        ),
        (&[("If-Match", &tag)], Proceed),
        (&[("If-Match", "*")], Proceed),
        (&[("If-Match", &list)], Proceed),
        (&[("If-Match", &weak)], Failed),
        (&[("If-Match", "\"x\"")], Failed),
        (
            &[("If-Match", &tag), ("If-Unmodified-Since", EARLIER)],
            Proceed,
        ),
        (&[("If-Match", &tag), ("If-None-Match", &tag)], NotModified),
        (&[("If-Unmodified-Since", ON_TIME)], Proceed),
        (&[("If-Unmodified-Since", EARLIER)], Failed),
        (&[("If-Unmodified-Since", "yesterday")], Proceed),
    ] {
        assert_eq!(
            request(fields, |r| validators.evaluate(r)),
            verdict,
            "{fields:?}"
        );
    }
}

#[test]
fn resuming() {
    //= https://www.rfc-editor.org/rfc/rfc9110#section-13.1.5
    //= type=test
    //# A recipient of an If-Range header field MUST ignore the Range header
    //# field if the If-Range condition evaluates to false.
    let validators = settled();
    let tag = validators.etag();
    let weak = format!("W/{tag}");
    //= https://www.rfc-editor.org/rfc/rfc9110#section-13.1.5
    //= type=test
    //# 2.  If the HTTP-date validator provided exactly matches the
    //# Last-Modified field value for the selected representation, the
    //# condition is true.
    for (fields, expected) in [
        (&[][..], true),
        (&[("If-Range", tag.as_str())], true),
        (&[("If-Range", &weak)], false),
        (&[("If-Range", "\"x\"")], false),
        (&[("If-Range", ON_TIME)], true),
        (&[("If-Range", EARLIER)], false),
        (&[("If-Range", LATER)], false),
        (&[("If-Range", "yesterday")], false),
        (&[("If-Range", "")], false),
        (&[("If-Range", &tag), ("If-Range", &tag)], false),
    ] {
        assert_eq!(
            request(fields, |r| validators.allow_range(r)),
            expected,
            "{fields:?}"
        );
    }
    // Nothing proves that a file that may be changing is the one the client has.
    let fresh = Validators::new(Some(at(MODIFIED)), 1, 2, at(MODIFIED));
    for value in [
        fresh.etag().as_str(),
        fresh.etag().trim_start_matches("W/"),
        ON_TIME,
    ] {
        assert!(
            !request(&[("If-Range", value)], |r| fresh.allow_range(r)),
            "{value}"
        );
    }
}
