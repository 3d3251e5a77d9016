use super::*;

fn parse(method: Method, target: &str) -> Option<Target<'_>> {
    Target::parse(method, target.as_bytes()).ok()
}

#[test]
fn the_four_forms() {
    //= https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2
    //= type=test
    //# A server MUST accept the absolute-form in requests even though most
    //# HTTP/1.1 clients will only send the absolute-form to a proxy.

    //= https://www.rfc-editor.org/rfc/rfc9112#section-3.2.3
    //= type=test
    //# The "authority-form" of request-target is only used for CONNECT
    //# requests (Section 9.3.6 of [HTTP]).

    //= https://www.rfc-editor.org/rfc/rfc9112#section-3.2.4
    //= type=test
    //# The "asterisk-form" of request-target is only used for a server-wide
    //# OPTIONS request (Section 9.3.7 of [HTTP]).
    let origin = |path, query| Some(Target::Origin { path, query });
    let absolute = |authority, path, query| {
        Some(Target::Absolute {
            authority,
            path,
            query,
        })
    };
    for (method, target, expected) in [
        (Method::Get, "/", origin(b"/", None)),
        (Method::Get, "/a?b?c", origin(b"/a", Some(b"b?c"))),
        (Method::Get, "//a?", origin(b"//a", Some(b""))),
        (Method::Get, "http://h", absolute(b"h", b"/", None)),
        (
            Method::Get,
            "HTTP://h:80/a?b",
            absolute(b"h:80", b"/a", Some(b"b")),
        ),
        (
            Method::Get,
            "http://[::1]?b",
            absolute(b"[::1]", b"/", Some(b"b")),
        ),
        (Method::Connect, "h:80", Some(Target::Authority(b"h:80"))),
        (Method::Options, "*", Some(Target::Asterisk)),
        (Method::Options, "/", origin(b"/", None)),
    ] {
        assert_eq!(parse(method, target), expected, "{method} {target}");
    }
    for (method, target) in [
        (Method::Get, ""),
        (Method::Get, "a"),
        (Method::Get, "*"),
        (Method::Get, "h:80"),
        (Method::Get, "?a"),
        (Method::Get, "https://h/"),
        (Method::Get, "http:/h/"),
        //= https://www.rfc-editor.org/rfc/rfc9110#section-4.2.1
        //= type=test
        //# A sender MUST NOT generate an "http" URI with an empty host
        //# identifier.  A recipient that processes such a URI reference MUST
        //# reject it as invalid.
        (Method::Get, "http:///a"),
        (Method::Get, "http://:80/a"),
        (Method::Get, "http://user@h/"),
        (Method::Get, "http://h:x/"),
        (Method::Options, "**"),
        (Method::Connect, "h"),
        (Method::Connect, "h:"),
        (Method::Connect, ":80"),
        (Method::Connect, "/"),
        (Method::Connect, "*"),
        (Method::Connect, "http://h:80"),
    ] {
        assert_eq!(parse(method, target), None, "{method} {target}");
    }
}

#[test]
fn authorities() {
    let split = |text: &'static str| split_authority(text.as_bytes());
    assert_eq!(split(""), Some((&b""[..], None)));
    assert_eq!(split("h"), Some((&b"h"[..], None)));
    assert_eq!(split("h:"), Some((&b"h"[..], Some(&b""[..]))));
    assert_eq!(split("h:80"), Some((&b"h"[..], Some(&b"80"[..]))));
    assert_eq!(split("[::1]:80"), Some((&b"[::1]"[..], Some(&b"80"[..]))));
    assert_eq!(split("[v1.a:b]"), Some((&b"[v1.a:b]"[..], None)));
    assert_eq!(split("a%2fb"), Some((&b"a%2fb"[..], None)));
    for bad in [
        "a b",
        "a/b",
        "a@b",
        "a:b",
        "a:80:80",
        "a:-1",
        "[::1",
        "[]",
        "[::1]80",
        "[g]",
        "[1.2.3.4]",
        "[v1.]",
        "[v.a]",
        "[vg.a]",
        "a%2",
        "a%gg",
        "a%",
        "a\u{e9}",
        "a\"",
        "[::1%25eth0]",
    ] {
        assert_eq!(split_authority(bad.as_bytes()), None, "{bad}");
    }
}
