use proptest::prelude::*;

use super::*;

fn path(target: &str) -> Result<String, u16> {
    match Target::parse(target.as_bytes()) {
        Ok(target) => Ok(String::from_utf8_lossy(target.path.as_bytes()).into_owned()),
        Err(refusal) => Err(refusal.status.code()),
    }
}

#[test]
fn targets_and_the_paths_they_name() {
    //= https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2
    //= type=test
    //# A server MUST accept the absolute-form in requests even though most
    //# HTTP/1.1 clients will only send the absolute-form to a proxy.
    for (target, expected) in [
        ("/", Ok("")),
        ("/a", Ok("a")),
        ("/a/b.txt", Ok("a/b.txt")),
        ("/a/", Ok("a")),
        ("//a///b", Ok("a/b")),
        ("/./a/./b/.", Ok("a/b")),
        ("/%61%2Fb", Err(404)),
        ("/a%20b%c3%A9", Ok("a b\u{e9}")),
        ("/...", Ok("...")),
        ("/..a", Ok("..a")),
        ("/a?x=/../..", Ok("a")),
        ("/?", Ok("")),
        ("/a\\b", Ok("a\\b")),
        ("http://host:80/a", Ok("a")),
        ("HTTP://host", Ok("")),
        ("http://host?q", Ok("")),
        ("http:///a", Err(400)),
        ("http://us er/a", Err(400)),
        ("https://host/a", Err(400)),
        ("ftp://host/a", Err(400)),
        ("a", Err(400)),
        ("*", Err(400)),
        ("", Err(400)),
        ("?", Err(400)),
    ] {
        assert_eq!(path(target), expected.map(String::from), "{target}");
    }
}

#[test]
fn nothing_leads_up_or_out() {
    for target in [
        "/..",
        "/../",
        "/../a",
        "/a/..",
        "/a/../b",
        "/a/../../b",
        "/%2e%2e/a",
        "/%2E./a",
        "/.%2e",
        "/a/%2e%2e/%2e%2e/b",
        "http://host/../a",
        "//..",
        "/%",
        "/%2",
        "/%zz",
        "/a%0",
        "/%00",
        "/a%00.txt",
        "/%2e%2e%00",
    ] {
        assert_eq!(path(target), Err(400), "{target}");
    }
    for target in [
        "/%2f",
        "/%2fetc/passwd",
        "/..%2fa",
        "/%2e%2e%2fa",
        "/a%2f..%2f..%2fb",
    ] {
        assert_eq!(path(target), Err(404), "{target}");
    }
    // Encoded twice is a name with a percent sign.
    assert_eq!(path("/%252e%252e/a"), Ok("%2e%2e/a".into()));
}

#[test]
fn a_redirect_stays_on_this_host() {
    let location = |target: &str| {
        String::from_utf8(Target::parse(target.as_bytes()).unwrap().with_slash()).unwrap()
    };
    assert_eq!(location("/a"), "/a/");
    assert_eq!(location("/a/b%20c?q=1"), "/a/b%20c/?q=1");
    // Two slashes at the start would name another host.
    assert_eq!(location("//evil.example"), "/evil.example/");
    assert_eq!(location("/%5Cevil.example"), "/%5Cevil.example/");
    assert_eq!(location("/a%0d%0aSet-Cookie:x"), "/a%0D%0ASet-Cookie%3Ax/");
}

proptest! {
    #[test]
    fn every_path_is_below_the_folder(
        segments in prop::collection::vec(
            prop::sample::select(vec![".", "..", "%2e", "%2E", "/", "%2f", "a", "%00", "%", "\\", "%5c"]),
            0..12,
        ),
    ) {
        let target = format!("/{}", segments.concat());
        if let Ok(target) = Target::parse(target.as_bytes()) {
            prop_assert!(!target.path.as_bytes().starts_with(b"/"));
            for name in target.path.names() {
                prop_assert!(!matches!(name, b"" | b"." | b".."));
                prop_assert!(!name.contains(&0) && !name.contains(&b'/'));
            }
            // It can be asked for again by what a redirect or a listing says.
            let again = target.with_slash();
            prop_assert!(!again.starts_with(b"//"));
            let again = Target::parse(&again).unwrap();
            prop_assert_eq!(again.path, target.path);
            prop_assert!(again.is_folder);
        }
    }

    #[test]
    fn no_octets_make_it_panic(target in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = Target::parse(&target);
    }
}
