//! The parsers of HTTP, with whatever may come: nothing panics, what is written is read again as it
//! was meant, and what is cut short is never taken for whole.
#![cfg(feature = "http")]

use netloom_services::http::{
    EntityTag, HeadLimits, HttpDate, Match, Method, Parsed, PercentEncoded, ReceivedCookie, Route,
    Router, SetCookie, Target, Url, evaluate, parse_request, parse_response,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Texts that parsers branch on, and some that mean nothing.
fn pieces(of: &'static [&'static str]) -> impl Strategy<Value = String> {
    vec(
        prop_oneof![4 => select(of).prop_map(str::to_owned), 1 => "[ -~]{0,6}"],
        0..10,
    )
    .prop_map(|pieces| pieces.concat())
}

const URLS: &[&str] = &[
    "http://",
    "https://",
    "HTTP://",
    "ftp:",
    "h",
    "example.org",
    "[::1]",
    "[",
    "]",
    ":",
    ":80",
    ":0",
    ":65536",
    "/",
    "/a",
    "/..",
    "/.",
    "//",
    "?",
    "?q",
    "#",
    "@",
    "%41",
    "%",
    "*",
    ",",
];
const TAGS: &[&str] = &["W/", "\"", "\"a\"", "a", ",", " ", "*", "\"b,c\""];
const COOKIES: &[&str] = &[
    "a", "=", ";", " ", "\"", "Path=/", "Secure", "Max-Age=", "1", ",",
];

proptest! {
    #[test]
    fn urls_are_read_as_they_are_written(text in pieces(URLS), reference in pieces(URLS)) {
        let Ok(url) = Url::parse(&text) else { return Ok(()) };
        let written = url.to_string();
        prop_assert_eq!(Url::parse(&written).unwrap().to_string(), written.clone());
        // Whatever it refers to is a URL too, and one that fits exactly fits.
        let mut buffer = [0; 400];
        let Ok(joined) = url.join(&reference, &mut buffer) else { return Ok(()) };
        let joined = joined.to_string();
        prop_assert_eq!(Url::parse(&joined).unwrap().to_string(), joined);
        for room in 0..40 {
            let _ = url.join(&reference, &mut vec_of(room));
        }
    }

    #[test]
    fn targets_of_any_octets(target in pieces(URLS), octets in vec(any::<u8>(), 0..60)) {
        for method in [Method::Get, Method::Options, Method::Connect] {
            for target in [target.as_bytes(), &octets] {
                if let Ok(Target::Origin { path, query }) = Target::parse(method, target) {
                    prop_assert!(path.starts_with(b"/"));
                    let len = path.len() + query.map_or(0, |query| query.len() + 1);
                    prop_assert_eq!(len, target.len());
                }
            }
        }
    }

    #[test]
    fn cookies_are_read_as_they_are_written(
        name in "[!#-'*+.^_`|~0-9A-Za-z-]{1,12}",
        value in "[!#-+./:<-@\\[\\]-~0-9A-Za-z-]{0,12}",
        any in pieces(COOKIES),
    ) {
        let written = SetCookie::new(&name, &value).unwrap().to_string();
        let read = ReceivedCookie::parse(written.as_bytes()).unwrap();
        prop_assert_eq!((read.name, read.value), (name.as_bytes(), value.as_bytes()));
        if let Some(read) = ReceivedCookie::parse(any.as_bytes()) {
            prop_assert!(!read.name.is_empty());
            let _ = (read.attribute("path"), read.attribute("max-age"), read.attribute(""));
        }
    }

    #[test]
    fn tags_are_read_as_they_are_written(
        opaque in "[!#-~]{0,12}",
        is_weak in any::<bool>(),
        list in pieces(TAGS),
    ) {
        let tag = EntityTag { is_weak, opaque: opaque.as_bytes() };
        let written = format!("{tag}, rest");
        let (read, rest) = EntityTag::parse(written.as_bytes()).unwrap();
        prop_assert_eq!((read, rest), (tag, &b", rest"[..]));
        for tag in EntityTag::list(list.as_bytes()) {
            prop_assert!(!tag.opaque.contains(&b'"'));
        }
    }

    #[test]
    fn conditions_of_any_tags_and_dates(
        match_tags in pieces(TAGS),
        none_tags in pieces(TAGS),
        date in prop_oneof!["[ -~]{0,30}", (0_u64..4_000_000_000).prop_map(|s| HttpDate::from_unix(s).unwrap().to_string())],
    ) {
        let head = format!(
            "GET / HTTP/1.1\r\nHost: h\r\nIf-Match: {match_tags}\r\nIf-None-Match: {none_tags}\r\n\
             If-Modified-Since: {date}\r\nIf-Unmodified-Since: {date}\r\n\r\n"
        );
        let parsed = parse_request(head.as_bytes(), 0, &HeadLimits::DEFAULT);
        if let Ok(Parsed::Complete { head: request, .. }) = parsed {
            let _ = evaluate(&request, None, HttpDate::from_unix(1_000_000_000));
        }
    }

    #[test]
    fn percent_encoding_is_undone(octets in vec(any::<u8>(), 0..60)) {
        let written = PercentEncoded(&octets).to_string();
        prop_assert!(written.bytes().all(|octet| octet.is_ascii_graphic()));
        // It can stand in a path: the router finds it whole, and gives the octets back.
        let routes = [Route::get("/a/{name}/b", ())];
        let path = format!("/a/{written}/b");
        if let Match::Found { params, .. } = Router::new(&routes).find(Method::Get, path.as_bytes()) {
            let mut buffer = [0; 60];
            let name = params.get("name").unwrap();
            prop_assert_eq!(name.decode(&mut buffer).unwrap(), &octets[..]);
        } else {
            prop_assert!(octets.is_empty(), "{}", path);
        }
    }

    #[test]
    fn any_path_has_at_most_one_route(path in vec(any::<u8>(), 0..40), segments in vec("[a-c]{0,2}", 0..5)) {
        let routes = [
            Route::get("/", 0), Route::get("/a", 1), Route::get("/{x}", 2),
            Route::put("/a/{x}", 3), Route::get("/a/b", 4), Route::get("/c/{*rest}", 5),
        ];
        let router = Router::new(&routes);
        let known = format!("/{}", segments.join("/"));
        for path in [&path[..], known.as_bytes()] {
            if let Match::Found { value, params } = router.find(Method::Get, path) {
                prop_assert!(path.starts_with(b"/"));
                prop_assert_eq!(params.get("x").is_some(), *value == 2);
            }
        }
    }

    #[test]
    fn no_response_is_whole_before_its_end(
        status in 200_u16..600,
        fields in vec(("[A-Za-z-]{1,10}", "[!-~]{0,20}"), 0..6),
        junk in vec(any::<u8>(), 0..80),
    ) {
        let mut text = format!("HTTP/1.1 {status} Reason\r\n");
        for (name, value) in &fields {
            text += &format!("X{name}: {value}\r\n");
        }
        text += "\r\n";
        let parse = |bytes: &[u8], searched: usize| match parse_response(
            bytes,
            searched,
            Method::Get,
            &HeadLimits::DEFAULT,
        ) {
            Ok(Parsed::Complete { consumed, .. }) => Some(Some(consumed)),
            Ok(Parsed::Partial) => Some(None),
            Err(_) => None,
        };
        for cut in 0..text.len() {
            prop_assert_eq!(parse(&text.as_bytes()[..cut], cut.saturating_sub(1)), Some(None), "{}", cut);
        }
        let whole = [text.as_bytes(), &junk].concat();
        prop_assert_eq!(parse(&whole, 0), Some(Some(text.len())));
        parse(&junk, 0);
    }
}

fn vec_of(room: usize) -> Vec<u8> {
    vec![0; room]
}
