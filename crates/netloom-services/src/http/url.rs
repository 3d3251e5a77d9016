//! `http` URLs: taken apart, and references to them resolved (RFC 3986, RFC 9110 §4.2).

use core::fmt;
use core::net::IpAddr;

use super::target::split_authority;

#[cfg(test)]
mod tests;

/// The port of the `http` scheme (RFC 9110 §4.2.1).
pub const HTTP_PORT: u16 = 80;

/// An `http` URL: where to connect, and what to ask for there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Url<'u> {
    host: &'u str,
    port: u16,
    /// Path and query as they were written: empty, or beginning with a slash or a question mark.
    after: &'u str,
}

/// Why a text is no URL that can be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UrlError {
    /// It asks for TLS.
    Https,
    /// Another scheme than `http`.
    Scheme,
    /// A user or a password stands in it, which RFC 9110 §4.2.4 calls an error.
    Userinfo,
    /// There is no host, or none that could be.
    Host,
    /// An octet no URL may hold.
    Octet,
    /// The buffer is too small for it.
    Full,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Https => "https needs TLS, which netloom does not have yet: use an http:// URL",
            Self::Scheme => "only http:// URLs can be fetched",
            Self::Userinfo => "a URL with a user or a password is not fetched",
            Self::Host => "the URL names no host: http://10.71.0.2/file",
            Self::Octet => "the URL holds an octet no URL may hold: percent-encode it",
            Self::Full => "the URL is too long",
        })
    }
}

impl core::error::Error for UrlError {}

impl<'u> Url<'u> {
    /// Takes an absolute URL apart; without a scheme it is `http`. A fragment is left out.
    ///
    /// # Errors
    ///
    /// [`UrlError`] has them.
    pub fn parse(text: &'u str) -> Result<Self, UrlError> {
        let rest = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("https") => {
                return Err(UrlError::Https);
            }
            Some((scheme, _)) if is_scheme(scheme) => return Err(UrlError::Scheme),
            Some(_) | None => text,
        };
        Self::after_scheme(rest)
    }

    /// What stands behind `http://`.
    fn after_scheme(rest: &'u str) -> Result<Self, UrlError> {
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, after) = rest.split_at_checked(end).ok_or(UrlError::Host)?;
        if authority.contains('@') {
            return Err(UrlError::Userinfo);
        }
        //= https://www.rfc-editor.org/rfc/rfc9110#section-4.2.1
        //# A recipient that processes such a URI reference MUST
        //# reject it as invalid.
        let (host, port) = split_authority(authority.as_bytes()).ok_or(UrlError::Host)?;
        let host = authority.get(..host.len()).ok_or(UrlError::Host)?;
        let port = match port {
            None | Some([]) => HTTP_PORT,
            Some(digits) => core::str::from_utf8(digits)
                .ok()
                .and_then(|digits| digits.parse().ok())
                .filter(|&port| port > 0)
                .ok_or(UrlError::Host)?,
        };
        if host.is_empty() {
            return Err(UrlError::Host);
        }
        if after.bytes().any(|b| !b.is_ascii_graphic()) {
            return Err(UrlError::Octet);
        }
        Ok(Self { host, port, after })
    }

    /// The URL that a reference in an answer to this one means: absolute, or relative to it
    /// (RFC 3986 §5.2). It is put together in `buffer`.
    ///
    /// # Errors
    ///
    /// [`UrlError`] has them.
    pub fn join<'o>(&self, reference: &str, buffer: &'o mut [u8]) -> Result<Url<'o>, UrlError> {
        let reference = reference.split('#').next().unwrap_or_default();
        let mut out = Text { buffer, len: 0 };
        let scheme = reference.split(':').next().unwrap_or_default();
        if scheme.len() < reference.len() && is_scheme(scheme) {
            // Checked before it is copied, so that the error is that of the text.
            Url::parse(reference)?;
            out.push(reference)?;
            return Url::parse(out.into_str());
        }
        if let Some(rest) = reference.strip_prefix("//") {
            Url::after_scheme(rest)?;
            out.push(rest)?;
            return Url::after_scheme(out.into_str());
        }
        if reference.bytes().any(|b| !b.is_ascii_graphic()) {
            return Err(UrlError::Octet);
        }
        out.write(format_args!("{}", self.authority()))?;
        let path_start = out.len;
        let (path, _) = self.after.split_once('?').unwrap_or((self.after, ""));
        match reference.bytes().next() {
            None => {
                out.push(self.after)?;
                return Url::after_scheme(out.into_str());
            }
            Some(b'/') => {}
            Some(b'?') => out.push(path)?,
            Some(_) => {
                let folder = path.rfind('/').and_then(|at| path.get(..=at));
                out.push(folder.unwrap_or("/"))?;
            }
        }
        out.push(reference)?;
        out.remove_dots(path_start);
        Url::after_scheme(out.into_str())
    }

    /// A name or an address, as it was written, an IPv6 address without its brackets.
    #[must_use]
    pub fn host(&self) -> &'u str {
        let inside = self.host.strip_prefix('[');
        let inside = inside.and_then(|inside| inside.strip_suffix(']'));
        inside.unwrap_or(self.host)
    }

    /// The port; [`HTTP_PORT`] where none is written.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address, if the host is one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.host().parse().ok()
    }

    /// Host and port as a `Host` field has them.
    #[must_use]
    pub fn authority(&self) -> Authority<'u> {
        Authority {
            host: self.host,
            port: self.port,
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc9112#section-3.2.1
    //# If the target URI's path component is
    //# empty, the client MUST send "/" as the path within the origin-form of
    //# request-target.
    /// The path and the query: what a request line holds. ASCII, and begins with a slash.
    #[must_use]
    pub fn target(&self) -> Target<'u> {
        Target(self.after)
    }

    /// The last name in the path; empty where a folder is asked for.
    #[must_use]
    pub fn file_name(&self) -> &'u str {
        let path = self.after.split('?').next().unwrap_or_default();
        path.rsplit('/').next().unwrap_or_default()
    }

    /// Whether one connection serves both, and credentials for one may be sent to the other: equal
    /// hosts and ports (RFC 9110 §4.3.1).
    #[must_use]
    pub fn is_same_origin(&self, other: &Url<'_>) -> bool {
        self.port == other.port && self.host.eq_ignore_ascii_case(other.host)
    }
}

impl fmt::Display for Url<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority(), self.target())
    }
}

/// Host and port as a `Host` field has them: the port only where it is not the scheme's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authority<'u> {
    host: &'u str,
    port: u16,
}

impl fmt::Display for Authority<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.host)?;
        match self.port {
            HTTP_PORT => Ok(()),
            port => write!(f, ":{port}"),
        }
    }
}

/// Path and query as a request line has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'u>(&'u str);

impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.starts_with('/') {
            f.write_str("/")?;
        }
        f.write_str(self.0)
    }
}

/// Text in the making, ASCII throughout.
struct Text<'o> {
    buffer: &'o mut [u8],
    len: usize,
}

impl<'o> Text<'o> {
    fn push(&mut self, text: &str) -> Result<(), UrlError> {
        let end = self.len.checked_add(text.len()).ok_or(UrlError::Full)?;
        let place = self.buffer.get_mut(self.len..end).ok_or(UrlError::Full)?;
        place.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }

    fn write(&mut self, text: fmt::Arguments<'_>) -> Result<(), UrlError> {
        fmt::Write::write_fmt(self, text).map_err(|_| UrlError::Full)
    }

    fn into_str(self) -> &'o str {
        let Self { buffer, len } = self;
        let text: &'o [u8] = buffer;
        text.get(..len)
            .and_then(|text| core::str::from_utf8(text).ok())
            .unwrap_or_default()
    }

    /// Takes `.` and `..` out of the path from `start` on, in place (RFC 3986 §5.2.4). The path
    /// begins with a slash; a query may follow it.
    fn remove_dots(&mut self, start: usize) {
        let text = self.buffer.get_mut(start..self.len).unwrap_or_default();
        let path_len = text.iter().position(|&b| b == b'?').unwrap_or(text.len());
        let (mut read, mut write) = (0_usize, 0_usize);
        while read < path_len {
            // Each segment with the slash before it.
            let rest = text
                .get(read.saturating_add(1)..path_len)
                .unwrap_or_default();
            let len = rest.iter().position(|&b| b == b'/').unwrap_or(rest.len());
            let end = read.saturating_add(1).saturating_add(len);
            let is_last = end >= path_len;
            let segment = text.get(read.saturating_add(1)..end).unwrap_or_default();
            let is_dot = segment == b".";
            let is_up = segment == b"..";
            if is_up {
                let kept = text.get(..write).unwrap_or_default();
                write = kept.iter().rposition(|&b| b == b'/').unwrap_or(0);
            }
            if !is_dot && !is_up {
                text.copy_within(read..end, write);
                write = write.saturating_add(end.saturating_sub(read));
            } else if is_last {
                if let Some(slash) = text.get_mut(write) {
                    *slash = b'/';
                }
                write = write.saturating_add(1);
            }
            read = end;
        }
        text.copy_within(path_len.., write);
        let removed = path_len.saturating_sub(write);
        self.len = self.len.saturating_sub(removed);
    }
}

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text).map_err(|_| fmt::Error)
    }
}

fn is_scheme(text: &str) -> bool {
    let rest = |b: u8| b.is_ascii_alphanumeric() || b"+-.".contains(&b);
    text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic()) && text.bytes().all(rest)
}
