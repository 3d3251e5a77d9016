//! Cookies (RFC 6265): read from requests and responses, and set.

use core::fmt;

use super::date::HttpDate;
use super::fields::{Fields, is_token, parse_decimal, split_at_byte, trim_ows};

#[cfg(test)]
mod tests;

/// The cookies of a request's `Cookie` fields, in order: names and values, the quotes around a value
/// taken off. What is no pair is left out.
pub fn cookies(fields: Fields<'_>) -> impl Iterator<Item = (&[u8], &[u8])> {
    fields
        .values("Cookie")
        .flat_map(|value| value.split(|&b| b == b';'))
        .filter_map(|pair| {
            let (name, value) = split_at_byte(pair, b'=')?;
            let name = trim_ows(name);
            (!name.is_empty()).then(|| (name, unquoted(trim_ows(value))))
        })
}

/// The first cookie of this name; names are told apart by case.
#[must_use]
pub fn cookie<'b>(fields: Fields<'b>, name: &str) -> Option<&'b [u8]> {
    cookies(fields)
        .find(|(key, _)| *key == name.as_bytes())
        .map(|(_, value)| value)
}

fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inner @ .., b'"'] => inner,
        value => value,
    }
}

/// Whether other sites' requests carry a cookie (RFC 6265bis §5.6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameSite {
    /// Never.
    Strict,
    /// When they lead a person here.
    Lax,
    /// Always; the cookie is [`secure`](SetCookie::secure) then.
    None,
}

/// A cookie to be set (RFC 6265 §4.1): shows as the value of a `Set-Cookie` field.
///
/// ```
/// use netloom_services::http::SetCookie;
///
/// let cookie = SetCookie::new("id", "a3fWa")?.path("/").max_age(3600).http_only();
/// assert_eq!(cookie.to_string(), "id=a3fWa; Max-Age=3600; Path=/; HttpOnly");
/// # Ok::<(), netloom_services::http::BadCookie>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetCookie<'c> {
    name: &'c str,
    value: &'c str,
    expires: Option<HttpDate>,
    max_age: Option<u64>,
    domain: Option<&'c str>,
    path: Option<&'c str>,
    secure: bool,
    http_only: bool,
    same_site: Option<SameSite>,
}

/// A name that is no token, or a value, domain or path with an octet none may hold: white space,
/// quotes, commas, semicolons, backslashes, control characters, anything beyond ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadCookie;

impl fmt::Display for BadCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a cookie holds an octet none may hold")
    }
}

impl core::error::Error for BadCookie {}

impl<'c> SetCookie<'c> {
    /// A cookie for the time the browser is open.
    ///
    /// # Errors
    ///
    /// [`BadCookie`].
    pub fn new(name: &'c str, value: &'c str) -> Result<Self, BadCookie> {
        if !is_token(name.as_bytes()) || !value.bytes().all(is_cookie_octet) {
            return Err(BadCookie);
        }
        Ok(Self {
            name,
            value,
            expires: None,
            max_age: None,
            domain: None,
            path: None,
            secure: false,
            http_only: false,
            same_site: None,
        })
    }

    /// Ends then.
    #[must_use]
    pub const fn expires(mut self, then: HttpDate) -> Self {
        self.expires = Some(then);
        self
    }

    /// Ends so many seconds from now; 0 takes the cookie away.
    #[must_use]
    pub const fn max_age(mut self, seconds: u64) -> Self {
        self.max_age = Some(seconds);
        self
    }

    /// For this domain and those below it.
    #[must_use]
    pub const fn domain(mut self, domain: &'c str) -> Self {
        self.domain = Some(domain);
        self
    }

    /// For this path and those below it.
    #[must_use]
    pub const fn path(mut self, path: &'c str) -> Self {
        self.path = Some(path);
        self
    }

    /// Over TLS only.
    #[must_use]
    pub const fn secure(mut self) -> Self {
        self.secure = true;
        self
    }

    /// Not for scripts.
    #[must_use]
    pub const fn http_only(mut self) -> Self {
        self.http_only = true;
        self
    }

    /// Whether other sites' requests carry it.
    #[must_use]
    pub const fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = Some(same_site);
        self
    }
}

impl fmt::Display for SetCookie<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            value,
            expires,
            max_age,
            domain,
            path,
            secure,
            http_only,
            same_site,
        } = self;
        write!(f, "{name}={value}")?;
        if let Some(expires) = expires {
            write!(f, "; Expires={expires}")?;
        }
        if let Some(seconds) = max_age {
            write!(f, "; Max-Age={seconds}")?;
        }
        for (name, value) in [("Domain", domain), ("Path", path)] {
            // A semicolon in it would begin another attribute.
            if let Some(value) = value.filter(|v| v.bytes().all(|b| b != b';')) {
                write!(f, "; {name}={value}")?;
            }
        }
        if *secure {
            f.write_str("; Secure")?;
        }
        if *http_only {
            f.write_str("; HttpOnly")?;
        }
        match same_site {
            Some(SameSite::Strict) => f.write_str("; SameSite=Strict"),
            Some(SameSite::Lax) => f.write_str("; SameSite=Lax"),
            Some(SameSite::None) => f.write_str("; SameSite=None"),
            None => Ok(()),
        }
    }
}

/// `cookie-octet` (RFC 6265 §4.1.1).
const fn is_cookie_octet(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e)
}

/// A cookie that a server sets, as a client reads it (RFC 6265 §5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceivedCookie<'b> {
    /// The name; not empty.
    pub name: &'b [u8],
    /// The value, with its quotes, if it has some.
    pub value: &'b [u8],
    attributes: &'b [u8],
}

impl<'b> ReceivedCookie<'b> {
    /// The cookie of one `Set-Cookie` field; `None` for what a client ignores.
    #[must_use]
    pub fn parse(value: &'b [u8]) -> Option<Self> {
        let (pair, attributes) = split_at_byte(value, b';').unwrap_or((value, &[]));
        let (name, value) = split_at_byte(pair, b'=')?;
        let (name, value) = (trim_ows(name), trim_ows(value));
        (!name.is_empty()).then_some(Self {
            name,
            value,
            attributes,
        })
    }

    /// The value of the last attribute of this name (without regard to case); empty for one that
    /// has none, like `Secure`.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&'b [u8]> {
        let mut pairs = self.attributes.split(|&b| b == b';').map(|attribute| {
            let (name, value) = split_at_byte(attribute, b'=').unwrap_or((attribute, &[]));
            (trim_ows(name), trim_ows(value))
        });
        pairs
            .rfind(|(key, _)| key.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// For how many seconds from now it is good, as `Max-Age` or else `Expires` says; 0 if its time
    /// is over, `None` until the client ends.
    #[must_use]
    pub fn lifetime(&self, now: HttpDate) -> Option<u64> {
        match self.attribute("Max-Age") {
            Some(age) if age.starts_with(b"-") => return Some(0),
            Some(age) => {
                if let Some(seconds) = parse_decimal(age) {
                    return Some(seconds);
                }
            }
            None => {}
        }
        let expires = HttpDate::parse(self.attribute("Expires")?, Some(now))?;
        Some(expires.unix().saturating_sub(now.unix()))
    }
}
