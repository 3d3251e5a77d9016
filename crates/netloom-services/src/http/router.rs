//! From a method and a path to what answers them.

use core::fmt;

use super::method::Method;
use super::percent::Encoded;

#[cfg(test)]
mod tests;

/// What answers one method on the paths of one pattern.
///
/// A pattern begins with a slash. Between two slashes it has text, which is compared with the
/// decoded path; or `{name}`, which takes any one segment that is not empty; or, at its end,
/// `{*name}`, which takes all that is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route<T> {
    method: Method,
    pattern: &'static str,
    value: T,
}

impl<T> Route<T> {
    /// `method` on `pattern` is answered by `value`: a function, a number, what you like.
    pub const fn new(method: Method, pattern: &'static str, value: T) -> Self {
        Self {
            method,
            pattern,
            value,
        }
    }

    /// A route for GET, and for HEAD unless it has its own.
    pub const fn get(pattern: &'static str, value: T) -> Self {
        Self::new(Method::Get, pattern, value)
    }

    /// A route for POST.
    pub const fn post(pattern: &'static str, value: T) -> Self {
        Self::new(Method::Post, pattern, value)
    }

    /// A route for PUT.
    pub const fn put(pattern: &'static str, value: T) -> Self {
        Self::new(Method::Put, pattern, value)
    }

    /// A route for DELETE.
    pub const fn delete(pattern: &'static str, value: T) -> Self {
        Self::new(Method::Delete, pattern, value)
    }

    /// The pattern.
    pub const fn pattern(&self) -> &'static str {
        self.pattern
    }
}

/// A table of routes, which may well be a constant.
///
/// Of the routes that match, the most specific one answers, wherever it stands: segment by segment
/// from the left, text goes before `{name}`, and that before `{*name}`.
///
/// ```
/// use netloom_services::http::{Match, Method, Route, Router};
///
/// const ROUTES: &[Route<&str>] = &[
///     Route::get("/", "index"),
///     Route::get("/led/{id}", "show"),
///     Route::put("/led/{id}", "switch"),
///     Route::get("/static/{*path}", "file"),
/// ];
/// let Match::Found { value, params } = Router::new(ROUTES).find(Method::Get, b"/led/7") else {
///     panic!()
/// };
/// assert_eq!((*value, params.get("id").and_then(|id| id.number())), ("show", Some(7)));
/// ```
#[derive(Debug)]
pub struct Router<'r, T> {
    routes: &'r [Route<T>],
}

impl<T> Clone for Router<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Router<'_, T> {}

/// What a router knows of a method and a path.
#[derive(Debug)]
pub enum Match<'r, 'p, T> {
    /// This answers.
    Found {
        /// What the route has.
        value: &'r T,
        /// What the names in its pattern stand for.
        params: Params<'p>,
    },
    /// 404: no pattern matches.
    NotFound,
    /// 405: a pattern matches, but for these methods; they belong in the `Allow` field.
    MethodNotAllowed(Allowed),
}

impl<'r, T> Router<'r, T> {
    /// A router of these routes.
    #[must_use]
    pub const fn new(routes: &'r [Route<T>]) -> Self {
        Self { routes }
    }

    /// The route for a method and a path, which is not decoded and has no query:
    /// [`Request::path`](super::Request::path).
    #[must_use]
    pub fn find<'p>(&self, method: Method, path: &'p [u8]) -> Match<'r, 'p, T> {
        let best = |method: Method| {
            let mut best: Option<&'r Route<T>> = None;
            for route in self.routes.iter().filter(|route| route.method == method) {
                let is_better =
                    best.is_none_or(|best| is_more_specific(route.pattern, best.pattern));
                if is_better && matches(route.pattern, path) {
                    best = Some(route);
                }
            }
            best
        };
        let found = best(method).or_else(|| match method {
            Method::Head => best(Method::Get),
            Method::Get
            | Method::Post
            | Method::Put
            | Method::Delete
            | Method::Connect
            | Method::Options
            | Method::Trace
            | Method::Patch
            | Method::Other => None,
        });
        if let Some(route) = found {
            return Match::Found {
                value: &route.value,
                params: Params {
                    pattern: route.pattern,
                    path,
                },
            };
        }
        let allowed = self.allowed(path);
        if allowed == Allowed::default() {
            Match::NotFound
        } else {
            Match::MethodNotAllowed(allowed)
        }
    }

    /// The methods a path has a route for; HEAD with GET.
    #[must_use]
    pub fn allowed(&self, path: &[u8]) -> Allowed {
        let mut allowed = Allowed::default();
        for route in self.routes.iter().filter(|r| matches(r.pattern, path)) {
            allowed.add(route.method);
            if route.method == Method::Get {
                allowed.add(Method::Head);
            }
        }
        allowed
    }
}

/// A set of methods: shows as the value of an `Allow` field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Allowed(u16);

impl Allowed {
    fn add(&mut self, method: Method) {
        let place = Method::NAMED.iter().position(|&named| named == method);
        self.0 |= place.map_or(0, |place| 1 << place);
    }

    /// The methods in it.
    pub fn methods(self) -> impl Iterator<Item = Method> {
        Method::NAMED
            .into_iter()
            .enumerate()
            .filter(move |(place, _)| self.0 & (1 << place) != 0)
            .map(|(_, method)| method)
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, method) in self.methods().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{method}")?;
        }
        Ok(())
    }
}

/// What the names in a pattern stand for on a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Params<'p> {
    pattern: &'static str,
    path: &'p [u8],
}

impl<'p> Params<'p> {
    /// What stands for `name`, not decoded.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Encoded<'p>> {
        self.iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }

    /// All names and what stands for them.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, Encoded<'p>)> + use<'p> {
        let mut path = Some(self.path);
        segments(self.pattern).filter_map(move |segment| {
            let rest = path?;
            let (first, after) = split_segment(rest);
            path = after;
            match segment {
                Segment::Text(_) => None,
                Segment::One(name) => Some((name, Encoded::new(first))),
                Segment::Rest(name) => Some((name, Encoded::new(rest_of(rest)))),
            }
        })
    }
}

/// What stands between two slashes of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Rest(&'static str),
    One(&'static str),
    Text(&'static str),
}

impl Segment {
    /// How much it leaves open; less is more specific.
    fn openness(self) -> u8 {
        match self {
            Segment::Text(_) => 0,
            Segment::One(_) => 1,
            Segment::Rest(_) => 2,
        }
    }
}

fn segments(pattern: &'static str) -> impl Iterator<Item = Segment> {
    pattern.split('/').skip(1).map(|text| {
        let name = text.strip_prefix('{').and_then(|t| t.strip_suffix('}'));
        match name.map(|name| (name, name.strip_prefix('*'))) {
            Some((_, Some(name))) => Segment::Rest(name),
            Some((name, None)) => Segment::One(name),
            None => Segment::Text(text),
        }
    })
}

/// The first segment of a path that begins with a slash, and the path behind it, if there is one.
fn split_segment(path: &[u8]) -> (&[u8], Option<&[u8]>) {
    let rest = rest_of(path);
    match rest.iter().position(|&b| b == b'/') {
        Some(end) => (rest.get(..end).unwrap_or_default(), rest.get(end..)),
        None => (rest, None),
    }
}

/// A path without its first slash.
fn rest_of(path: &[u8]) -> &[u8] {
    path.strip_prefix(b"/").unwrap_or(path)
}

fn matches(pattern: &'static str, path: &[u8]) -> bool {
    let mut rest = path.starts_with(b"/").then_some(path);
    for segment in segments(pattern) {
        let Some(here) = rest else {
            return false;
        };
        let (first, after) = split_segment(here);
        let is_match = match segment {
            Segment::Rest(_) => return true,
            Segment::One(_) => !first.is_empty(),
            Segment::Text(text) => Encoded::new(first).is(text.as_bytes()),
        };
        if !is_match {
            return false;
        }
        rest = after;
    }
    rest.is_none()
}

fn is_more_specific(one: &'static str, other: &'static str) -> bool {
    let openness = |pattern| segments(pattern).map(Segment::openness);
    openness(one).lt(openness(other))
}
