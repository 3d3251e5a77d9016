//! Request targets and authorities (RFC 9112 §3.2, RFC 3986 §3.2).

use core::net::Ipv6Addr;

use super::fields::split_at_byte;
use super::method::Method;
use super::status::Refusal;

#[cfg(test)]
mod tests;

/// A request target in its four forms (RFC 9112 §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'b> {
    /// `/path?query`: what almost every request has.
    Origin {
        /// Begins with a slash; not decoded.
        path: &'b [u8],
        /// What follows `?`; not decoded.
        query: Option<&'b [u8]>,
    },
    /// `http://host/path?query`: what proxies are sent.
    Absolute {
        /// Host and port.
        authority: &'b [u8],
        /// Begins with a slash; not decoded.
        path: &'b [u8],
        /// What follows `?`; not decoded.
        query: Option<&'b [u8]>,
    },
    /// `host:port`, with CONNECT only.
    Authority(&'b [u8]),
    /// `*`, with OPTIONS only.
    Asterisk,
}

impl<'b> Target<'b> {
    /// Takes the target of a request with this method apart.
    ///
    /// # Errors
    ///
    /// 400 for a form the method does not have, or that is none.
    pub fn parse(method: Method, target: &'b [u8]) -> Result<Self, Refusal> {
        if method == Method::Connect {
            return authority_form(target);
        }
        if target.starts_with(b"/") {
            let (path, query) = split_query(target);
            return Ok(Self::Origin { path, query });
        }
        if target == b"*" {
            //= https://www.rfc-editor.org/rfc/rfc9112#section-3.2.4
            //# The "asterisk-form" of request-target is only used for a server-wide
            //# OPTIONS request (Section 9.3.7 of [HTTP]).
            return match method {
                Method::Options => Ok(Self::Asterisk),
                Method::Get
                | Method::Head
                | Method::Post
                | Method::Put
                | Method::Delete
                | Method::Connect
                | Method::Trace
                | Method::Patch
                | Method::Other => Err(Refusal::bad("`*` is a target of OPTIONS only")),
            };
        }
        absolute_form(target)
    }

    /// The path, not decoded; `/` where there is none.
    #[must_use]
    pub fn path(&self) -> &'b [u8] {
        match self {
            Self::Origin { path, .. } | Self::Absolute { path, .. } => path,
            Self::Authority(_) | Self::Asterisk => b"/",
        }
    }

    /// What follows `?`, not decoded.
    #[must_use]
    pub fn query(&self) -> Option<&'b [u8]> {
        match self {
            Self::Origin { query, .. } | Self::Absolute { query, .. } => *query,
            Self::Authority(_) | Self::Asterisk => None,
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc9112#section-3.2.3
//# The "authority-form" of request-target is only used for CONNECT
//# requests (Section 9.3.6 of [HTTP]).
fn authority_form(target: &[u8]) -> Result<Target<'_>, Refusal> {
    match split_authority(target) {
        Some((host, Some(port))) if !host.is_empty() && !port.is_empty() => {
            Ok(Target::Authority(target))
        }
        Some(_) | None => Err(Refusal::bad("the target of CONNECT is not `host:port`")),
    }
}

//= https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2
//# A server MUST accept the absolute-form in requests even though most
//# HTTP/1.1 clients will only send the absolute-form to a proxy.
fn absolute_form(target: &[u8]) -> Result<Target<'_>, Refusal> {
    const FORM: Refusal = Refusal::bad("the request target is no path and no http URI");
    let (scheme, rest) = target.split_at_checked(b"http://".len()).ok_or(FORM)?;
    if !scheme.eq_ignore_ascii_case(b"http://") {
        return Err(FORM);
    }
    let end = rest.iter().position(|&b| matches!(b, b'/' | b'?'));
    let (authority, after) = rest
        .split_at_checked(end.unwrap_or(rest.len()))
        .ok_or(FORM)?;
    //= https://www.rfc-editor.org/rfc/rfc9110#section-4.2.1
    //# A sender MUST NOT generate an "http" URI with an empty host
    //# identifier.  A recipient that processes such a URI reference MUST
    //# reject it as invalid.
    if !matches!(split_authority(authority), Some((host, _)) if !host.is_empty()) {
        return Err(FORM);
    }
    let (path, query) = split_query(after);
    Ok(Target::Absolute {
        authority,
        path: if path.is_empty() { b"/" } else { path },
        query,
    })
}

fn split_query(target: &[u8]) -> (&[u8], Option<&[u8]>) {
    match split_at_byte(target, b'?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    }
}

/// Whether `authority` is `uri-host [ ":" port ]` (RFC 3986 §3.2.2), or nothing. There is no
/// userinfo in it.
#[must_use]
pub fn is_authority(authority: &[u8]) -> bool {
    split_authority(authority).is_some()
}

/// The host of an authority, in its brackets if it has them, and the port after the colon, if there
/// is one.
#[must_use]
pub fn split_authority(authority: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let host_len = if authority.starts_with(b"[") {
        authority.iter().position(|&b| b == b']')?.checked_add(1)?
    } else {
        let colon = authority.iter().position(|&b| b == b':');
        colon.unwrap_or(authority.len())
    };
    let (host, rest) = authority.split_at_checked(host_len)?;
    let port = match rest {
        [] => None,
        [b':', digits @ ..] if digits.iter().all(u8::is_ascii_digit) => Some(digits),
        _ => return None,
    };
    is_host(host).then_some((host, port))
}

fn is_host(host: &[u8]) -> bool {
    match host {
        [b'[', b'v' | b'V', future @ .., b']'] => match split_at_byte(future, b'.') {
            Some((version, address)) => {
                !version.is_empty()
                    && version.iter().all(u8::is_ascii_hexdigit)
                    && !address.is_empty()
                    && address.iter().all(|&b| is_reg_name_byte(b) || b == b':')
            }
            None => false,
        },
        [b'[', address @ .., b']'] => {
            core::str::from_utf8(address).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
        }
        name => is_reg_name(name),
    }
}

/// `reg-name = *( unreserved / pct-encoded / sub-delims )`
fn is_reg_name(mut name: &[u8]) -> bool {
    while let Some((&byte, rest)) = name.split_first() {
        name = match (byte, rest) {
            (b'%', [high, low, rest @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                rest
            }
            (byte, rest) if is_reg_name_byte(byte) => rest,
            _ => return false,
        };
    }
    true
}

/// `unreserved / sub-delims` (RFC 3986 §2.2, §2.3).
const fn is_reg_name_byte(byte: u8) -> bool {
    matches!(
        byte,
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~'
        | b'!' | b'$' | b'&'..=b',' | b';' | b'='
    )
}
