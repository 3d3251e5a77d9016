use std::format;
use std::string::{String, ToString};

use super::super::request::{HeadLimits, Parsed, parse_request};
use super::*;

/// Sat, 29 Oct 1994 19:43:31 GMT
const MODIFIED: u64 = 783_459_811;

const OPAQUE: &[u8] = b"adf4f2a9e3b2800-10-20";

fn at(seconds: u64) -> Option<HttpDate> {
    HttpDate::from_unix(seconds)
}

fn validators(is_weak: bool) -> Validators<'static> {
    Validators {
        etag: Some(EntityTag {
            is_weak,
            opaque: OPAQUE,
        }),
        last_modified: at(MODIFIED),
    }
}

fn request<T>(method: &str, fields: &[(&str, &str)], check: impl FnOnce(&Request<'_>) -> T) -> T {
    let fields: String = fields
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let head = format!("{method} / HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
    match parse_request(head.as_bytes(), 0, &HeadLimits::default()) {
        Ok(Parsed::Complete { head, .. }) => check(&head),
        other => panic!("{head}: {other:?}"),
    }
}

const ON_TIME: &str = "Sat, 29 Oct 1994 19:43:31 GMT";
const EARLIER: &str = "Sat, 29 Oct 1994 19:43:30 GMT";
const LATER: &str = "Sat, 29 Oct 1994 19:43:32 GMT";

#[test]
fn preconditions() {
    use Verdict::{Failed, NotModified, Proceed};
    let validators = validators(false);
    let tag = validators.etag.unwrap().to_string();
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
            request("GET", fields, |r| evaluate(
                r,
                Some(&validators),
                at(MODIFIED)
            )),
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
    let validators = validators(false);
    let tag = validators.etag.unwrap().to_string();
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
            request("GET", fields, |r| validators.allow_range(r, None)),
            expected,
            "{fields:?}"
        );
    }
    // Nothing proves that a file that may be changing is the one the client has.
    let fresh = Validators {
        etag: Some(EntityTag {
            is_weak: true,
            opaque: OPAQUE,
        }),
        ..validators
    };
    for value in [weak.as_str(), tag.as_str(), ON_TIME] {
        let is_allowed = request("GET", &[("If-Range", value)], |r| {
            fresh.allow_range(r, None)
        });
        assert!(!is_allowed, "{value}");
    }
}

/// A request that would change something.
#[test]
fn preconditions_of_a_change() {
    use Verdict::{Failed, Proceed};
    let existing = validators(false);
    let tag = existing.etag.unwrap().to_string();
    for (fields, there, nothing) in [
        (&[][..], Proceed, Proceed),
        //= https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2
        //= type=test
        //# 1.  If the field value is "*", the condition is false if the origin
        //# server has a current representation for the target resource.
        (&[("If-None-Match", "*")], Failed, Proceed),
        (&[("If-None-Match", &*tag)], Failed, Proceed),
        (&[("If-None-Match", "\"x\"")], Proceed, Proceed),
        (&[("If-Match", "*")], Proceed, Failed),
        (&[("If-Match", &*tag)], Proceed, Failed),
        (&[("If-Unmodified-Since", EARLIER)], Failed, Proceed),
        (&[("If-Unmodified-Since", LATER)], Proceed, Proceed),
        // Of GET and HEAD only.
        (&[("If-Modified-Since", LATER)], Proceed, Proceed),
    ] {
        let verdict = |existing: Option<&Validators<'_>>| {
            request("PUT", fields, |r| evaluate(r, existing, None))
        };
        assert_eq!(verdict(Some(&existing)), there, "{fields:?}");
        assert_eq!(verdict(None), nothing, "{fields:?}");
    }
}

#[test]
fn tags() {
    //= https://www.rfc-editor.org/rfc/rfc9110#section-8.8.3
    //= type=test
    //# If an origin server provides an entity tag for a
    //# representation and the generation of that entity tag does not satisfy
    //# all of the characteristics of a strong validator (Section 8.8.1),
    //# then the origin server MUST mark the entity tag as weak by prefixing
    //# its opaque value with "W/" (case-sensitive).
    let tag = |is_weak| EntityTag {
        is_weak,
        opaque: b"a,b",
    };
    assert_eq!(tag(false).to_string(), "\"a,b\"");
    assert_eq!(tag(true).to_string(), "W/\"a,b\"");
    for is_weak in [false, true] {
        let text = tag(is_weak).to_string();
        assert_eq!(
            EntityTag::parse(text.as_bytes()),
            Some((tag(is_weak), &b""[..]))
        );
    }
    assert_eq!(EntityTag::parse(b"w/\"a\""), None);
    assert_eq!(EntityTag::parse(b"\"a"), None);
}
