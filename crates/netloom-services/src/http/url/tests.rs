use std::string::{String, ToString};

use super::*;

/// What a URL is made of.
type Parts = (String, u16, String);

fn url(host: &str, port: u16, target: &str) -> Parts {
    (host.into(), port, target.into())
}

fn parts(text: &str) -> Result<Parts, UrlError> {
    let url = Url::parse(text)?;
    Ok((url.host().into(), url.port(), url.target().to_string()))
}

#[test]
fn absolute_urls() {
    for (text, expected) in [
        ("http://h", url("h", 80, "/")),
        ("HTTP://h/", url("h", 80, "/")),
        ("h/a/b?c=d#e", url("h", 80, "/a/b?c=d")),
        ("http://h:8080?q", url("h", 8080, "/?q")),
        ("http://h:/", url("h", 80, "/")),
        ("10.71.0.2", url("10.71.0.2", 80, "/")),
        ("http://[fd71::2]:81/x", url("fd71::2", 81, "/x")),
        ("h/http://x/", url("h", 80, "/http://x/")),
    ] {
        assert_eq!(parts(text), Ok(expected), "{text}");
    }
    for (text, expected) in [
        ("https://h/", UrlError::Https),
        ("ftp://h/", UrlError::Scheme),
        ("http://user@h/", UrlError::Userinfo),
        ("http:///x", UrlError::Host),
        ("http://:80/", UrlError::Host),
        ("http://h:0/", UrlError::Host),
        ("http://h:65536/", UrlError::Host),
        ("http://[h]/", UrlError::Host),
        ("http://[::1/", UrlError::Host),
        ("http://h h/", UrlError::Host),
        ("", UrlError::Host),
        ("http://h/a b", UrlError::Octet),
        ("http://h/\u{e9}", UrlError::Octet),
        ("http://h/\r\nX: y", UrlError::Octet),
    ] {
        assert_eq!(Url::parse(text), Err(expected), "{text}");
    }
}

#[test]
fn references() {
    // Those of RFC 3986 §5.4 that a server may send.
    let base = Url::parse("http://a/b/c/d;p?q").unwrap();
    for (reference, expected) in [
        ("g", "http://a/b/c/g"),
        ("./g", "http://a/b/c/g"),
        ("g/", "http://a/b/c/g/"),
        ("/g", "http://a/g"),
        ("//g", "http://g/"),
        ("?y", "http://a/b/c/d;p?y"),
        ("g?y", "http://a/b/c/g?y"),
        ("#s", "http://a/b/c/d;p?q"),
        ("g#s", "http://a/b/c/g"),
        (";x", "http://a/b/c/;x"),
        ("", "http://a/b/c/d;p?q"),
        (".", "http://a/b/c/"),
        ("./", "http://a/b/c/"),
        ("..", "http://a/b/"),
        ("../", "http://a/b/"),
        ("../g", "http://a/b/g"),
        ("../..", "http://a/"),
        ("../../g", "http://a/g"),
        ("../../../g", "http://a/g"),
        ("/./g", "http://a/g"),
        ("/../g", "http://a/g"),
        ("g.", "http://a/b/c/g."),
        ("..g", "http://a/b/c/..g"),
        ("./g/.", "http://a/b/c/g/"),
        ("g/../h", "http://a/b/c/h"),
        ("g?y/../x", "http://a/b/c/g?y/../x"),
        ("http://x:81/y", "http://x:81/y"),
    ] {
        let mut buffer = [0; 64];
        let joined = base.join(reference, &mut buffer).map(|url| url.to_string());
        assert_eq!(joined.as_deref(), Ok(expected), "{reference}");
    }
    for (reference, error) in [
        ("https://a/", UrlError::Https),
        ("mailto:a", UrlError::Host),
        ("//user@a/", UrlError::Userinfo),
        ("/a\u{1b}", UrlError::Octet),
    ] {
        assert_eq!(
            base.join(reference, &mut [0; 64]),
            Err(error),
            "{reference}"
        );
    }
    assert_eq!(base.join("/g", &mut [0; 2]), Err(UrlError::Full));
    assert_eq!(base.join("/gh", &mut [0; 3]), Err(UrlError::Full));
}

#[test]
fn what_is_asked_of_it() {
    assert_eq!(Url::parse("h:8080/a/b?c").unwrap().file_name(), "b");
    assert_eq!(Url::parse("h/a/?x/y").unwrap().file_name(), "");
    let v6 = Url::parse("http://[fd71::2]:81/").unwrap();
    assert_eq!(v6.authority().to_string(), "[fd71::2]:81");
    assert_eq!(v6.ip(), Some("fd71::2".parse().unwrap()));
    assert_eq!(Url::parse("h").unwrap().ip(), None);
}

#[test]
fn origins() {
    let base = Url::parse("http://a/b").unwrap();
    for (other, expected) in [
        ("http://a/c", true),
        ("http://A:80/", true),
        ("http://a:81/b", false),
        ("http://b/b", false),
    ] {
        assert_eq!(base.is_same_origin(&Url::parse(other).unwrap()), expected);
    }
}
