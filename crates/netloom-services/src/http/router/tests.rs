use std::string::ToString;
use std::vec::Vec;

use super::*;

const ROUTES: &[Route<u8>] = &[
    Route::get("/{*rest}", 0),
    Route::get("/", 1),
    Route::get("/users", 2),
    Route::post("/users", 3),
    Route::get("/users/{id}", 4),
    Route::delete("/users/{id}", 5),
    Route::get("/users/me", 6),
    Route::get("/users/{id}/posts/{post}", 7),
    Route::get("/a/{*path}", 8),
    Route::get("/a/{b}/c", 9),
    Route::new(Method::Head, "/users", 10),
    Route::post("/only", 11),
    Route::get("/caf\u{e9}/x y", 12),
];

fn find(method: Method, path: &str) -> Option<u8> {
    match Router::new(ROUTES).find(method, path.as_bytes()) {
        Match::Found { value, .. } => Some(*value),
        Match::NotFound | Match::MethodNotAllowed(_) => None,
    }
}

#[test]
fn the_most_specific_route_answers() {
    for (path, expected) in [
        ("/", 1),
        ("/users", 2),
        ("/users/", 0),
        ("/users/7", 4),
        ("/users/me", 6),
        ("/users/%6de", 6),
        ("/users/me/", 0),
        ("/users/7/posts/9", 7),
        ("/users/7/posts", 0),
        ("/a", 0),
        ("/a/", 8),
        ("/a/b", 8),
        ("/a/b/c", 9),
        ("/a/b/d", 8),
        ("/caf%c3%a9/x%20y", 12),
        ("//users", 0),
        ("/users%2f7", 0),
        ("/%", 0),
    ] {
        assert_eq!(find(Method::Get, path), Some(expected), "{path}");
    }
    assert_eq!(find(Method::Get, "*"), None);
    assert_eq!(find(Method::Get, ""), None);
}

#[test]
fn methods() {
    assert_eq!(find(Method::Post, "/users"), Some(3));
    assert_eq!(
        find(Method::Delete, "/users/me"),
        Some(5),
        "the one that has it"
    );
    assert_eq!(find(Method::Head, "/users"), Some(10), "its own");
    assert_eq!(find(Method::Head, "/users/7"), Some(4), "that of GET");
    let allowed = |path: &[u8]| match Router::new(&ROUTES[1..]).find(Method::Patch, path) {
        Match::MethodNotAllowed(allowed) => Some(allowed.to_string()),
        Match::NotFound => None,
        Match::Found { .. } => panic!(),
    };
    assert_eq!(allowed(b"/users").as_deref(), Some("GET, HEAD, POST"));
    assert_eq!(allowed(b"/users/7").as_deref(), Some("GET, HEAD, DELETE"));
    assert_eq!(allowed(b"/only").as_deref(), Some("POST"));
    assert_eq!(allowed(b"/nothing"), None);
}

#[test]
fn parameters() {
    let params = |path: &'static str| match Router::new(ROUTES).find(Method::Get, path.as_bytes()) {
        Match::Found { params, .. } => params,
        Match::NotFound | Match::MethodNotAllowed(_) => panic!("{path}"),
    };
    let both = params("/users/a%2fb/posts/9");
    assert!(both.get("id").unwrap().is(b"a/b"));
    assert_eq!(both.get("post").and_then(Encoded::number), Some(9));
    assert_eq!(both.get("other"), None);
    let names: Vec<_> = both.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["id", "post"]);
    assert_eq!(
        params("/a/x//y/").get("path").unwrap().as_received(),
        b"x//y/"
    );
    assert_eq!(params("/a/").get("path").unwrap().as_received(), b"");
}
