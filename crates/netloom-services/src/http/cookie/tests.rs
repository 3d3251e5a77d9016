use std::string::ToString;
use std::vec::Vec;

use super::*;

#[test]
fn cookies_of_a_request() {
    let block = b"Cookie: a=1; b=\"two\";c=x=y; ; d; =e; A=2\r\nX: y\r\ncookie: f=\r\n";
    let fields = Fields::check(block, 9).unwrap();
    let all: Vec<_> = cookies(fields).collect();
    let expected: [(&[u8], &[u8]); 5] = [
        (b"a", b"1"),
        (b"b", b"two"),
        (b"c", b"x=y"),
        (b"A", b"2"),
        (b"f", b""),
    ];
    assert_eq!(all, expected);
    assert_eq!(cookie(fields, "A"), Some(&b"2"[..]));
    assert_eq!(cookie(fields, "d"), None);
}

#[test]
fn cookies_to_be_set() {
    let then = HttpDate::from_unix(784_111_777).unwrap();
    let cookie = SetCookie::new("id", "a3fWa").unwrap();
    assert_eq!(cookie.to_string(), "id=a3fWa");
    let full = cookie
        .expires(then)
        .max_age(0)
        .domain("example.org")
        .path("/a")
        .secure()
        .http_only()
        .same_site(SameSite::Lax);
    assert_eq!(
        full.to_string(),
        "id=a3fWa; Expires=Sun, 06 Nov 1994 08:49:37 GMT; Max-Age=0; Domain=example.org; Path=/a; \
         Secure; HttpOnly; SameSite=Lax"
    );
    // Nothing can be added through a path.
    assert_eq!(cookie.path("/; Secure").to_string(), "id=a3fWa");
    for (name, value) in [
        ("", "a"),
        ("a b", "a"),
        ("a=", "a"),
        ("a", "a b"),
        ("a", "a;b"),
        ("a", "a,b"),
        ("a", "a\"b"),
        ("a", "a\\b"),
        ("a", "a\r\nSet-Cookie: b=c"),
        ("a", "\u{e9}"),
    ] {
        assert_eq!(
            SetCookie::new(name, value),
            Err(BadCookie),
            "{name}={value}"
        );
    }
}

#[test]
fn cookies_a_client_receives() {
    let value = b" id = a3fWa ; Path=/a; Secure; max-age=60; Max-Age=90; Expires=x";
    let cookie = ReceivedCookie::parse(value).unwrap();
    assert_eq!((cookie.name, cookie.value), (&b"id"[..], &b"a3fWa"[..]));
    assert_eq!(cookie.attribute("path"), Some(&b"/a"[..]));
    assert_eq!(cookie.attribute("secure"), Some(&b""[..]));
    assert_eq!(cookie.attribute("HttpOnly"), None);
    let now = HttpDate::from_unix(784_111_777).unwrap();
    assert_eq!(cookie.lifetime(now), Some(90), "the last one counts");
    let lifetime = |text: &str| {
        ReceivedCookie::parse(text.as_bytes())
            .unwrap()
            .lifetime(now)
    };
    assert_eq!(lifetime("a=b"), None);
    assert_eq!(lifetime("a=b; Max-Age=-1"), Some(0));
    assert_eq!(
        lifetime("a=b; Expires=Sun, 06 Nov 1994 08:50:37 GMT"),
        Some(60)
    );
    assert_eq!(
        lifetime("a=b; Expires=Sun, 06 Nov 1994 08:00:00 GMT"),
        Some(0)
    );
    let both = "a=b; Expires=Sun, 06 Nov 1994 08:00:00 GMT; Max-Age=5";
    assert_eq!(lifetime(both), Some(5));
    assert_eq!(ReceivedCookie::parse(b"no pair; a=b"), None);
    assert_eq!(ReceivedCookie::parse(b"=b"), None);
}
