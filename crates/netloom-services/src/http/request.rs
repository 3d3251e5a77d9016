//! The head of a request: request line and fields (RFC 9112 §2–§6).
//!
//! The parser is strict where leniency lets two readers of one byte stream disagree on where a
//! request ends (RFC 9112 §11.2): every line ends in CRLF, a CR or LF elsewhere is an error, a
//! field name touches its colon, nothing is folded, and a body has exactly one length.

use super::fields::{
    Field, Fields, find_head_end, is_token, is_token_byte, list_members, split_line,
};
use super::framing::{self, Framing};
use super::method::{Method, Version};
use super::status::{Refusal, Status};
use super::target::{Target, is_authority};

#[cfg(test)]
mod tests;

/// What bounds the head of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// Octets of the whole head, its empty line included. More is answered with 431.
    pub head: usize,
    /// Octets of the request target. More is answered with 414. RFC 9112 §3 recommends that
    /// request lines of 8000 octets be accepted.
    pub target: usize,
    /// Field lines. More are answered with 431.
    pub fields: usize,
}

impl HeadLimits {
    /// 16 KiB of head, 8 KiB of it for the target, 100 fields.
    pub const DEFAULT: HeadLimits = HeadLimits {
        head: 16 * 1024,
        target: 8 * 1024,
        fields: 100,
    };
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A complete request head, checked, borrowing the bytes it was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'b> {
    method: Method,
    version: Version,
    framing: Framing,
    method_name: &'b [u8],
    target: &'b [u8],
    fields: Fields<'b>,
}

/// What the bytes received so far amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed<T> {
    /// The head goes on; nothing in it is known to be wrong yet.
    Partial,
    /// A head, and the number of octets it (and empty lines before it) took.
    Complete {
        /// The head.
        head: T,
        /// The octets it took.
        consumed: usize,
    },
}

/// Parses the request at the start of `bytes`.
///
/// `searched` octets of it have been seen by an earlier call that returned [`Parsed::Partial`], so
/// that a head that arrives octet by octet costs no more than one that comes at once.
///
/// # Errors
///
/// How to refuse what was received. Where the next request would begin is not known then.
pub fn parse_request<'b>(
    bytes: &'b [u8],
    searched: usize,
    limits: &HeadLimits,
) -> Result<Parsed<Request<'b>>, Refusal> {
    Ok(match scan(bytes, searched, limits)? {
        Parsed::Partial => Parsed::Partial,
        Parsed::Complete { head, consumed } => Parsed::Complete {
            head: head.of(bytes),
            consumed,
        },
    })
}

/// Where the parts of a checked request stand in the bytes it was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    method: Method,
    version: Version,
    pub(super) framing: Framing,
    start: usize,
    method_len: usize,
    target_len: usize,
    fields_start: usize,
    fields_end: usize,
}

impl Layout {
    /// The request itself. `bytes` are those that were scanned.
    pub(super) fn of<'b>(&self, bytes: &'b [u8]) -> Request<'b> {
        let Self {
            method,
            version,
            framing,
            start,
            method_len,
            target_len,
            fields_start,
            fields_end,
        } = *self;
        let line = bytes.get(start..).unwrap_or_default();
        let target = line.get(method_len.saturating_add(1)..).unwrap_or_default();
        Request {
            method,
            version,
            framing,
            method_name: line.get(..method_len).unwrap_or_default(),
            target: target.get(..target_len).unwrap_or_default(),
            fields: Fields::checked(bytes.get(fields_start..fields_end).unwrap_or_default()),
        }
    }
}

pub(super) fn scan(
    bytes: &[u8],
    searched: usize,
    limits: &HeadLimits,
) -> Result<Parsed<Layout>, Refusal> {
    //= https://www.rfc-editor.org/rfc/rfc9112#section-2.2
    //# In the interest of robustness, a server that is expecting to receive
    //# and parse a request-line SHOULD ignore at least one empty line (CRLF)
    //# received prior to the request-line.
    let mut head = bytes;
    while let Some(rest) = head.strip_prefix(b"\r\n") {
        head = rest;
    }
    let start = bytes.len().saturating_sub(head.len());
    // Something that is no HTTP at all (a TLS hello, say) is answered at once, not when its
    // sender gives up.
    if head
        .first()
        .is_some_and(|&first| first != b'\r' && !is_token_byte(first))
    {
        return Err(Refusal::bad("the request does not start with a method"));
    }
    let end = find_head_end(bytes, searched.saturating_sub(3).max(start))?;
    let line = split_line(head).map(|(line, _)| line);
    let longest = limits
        .target
        .saturating_add(Method::LONGEST)
        .saturating_add(b"  HTTP/1.1".len());
    if line.unwrap_or(head).len() > longest {
        return Err(too_long_line(head, limits));
    }
    let Some(end) = end else {
        if bytes.len() >= limits.head {
            return Err(too_large_head());
        }
        return Ok(Parsed::Partial);
    };
    if end > limits.head {
        return Err(too_large_head());
    }
    // An end was found, so the request line has one too.
    let line = line.unwrap_or(head);
    let RequestLine {
        method,
        method_len,
        target,
        version,
    } = RequestLine::parse(line, limits)?;
    let fields_start = start.saturating_add(line.len()).saturating_add(2);
    let fields_end = end.saturating_sub(2);
    let block = bytes.get(fields_start..fields_end).unwrap_or_default();
    let fields = Fields::check(block, limits.fields)?;
    check_host(fields, version)?;
    Target::parse(method, target)?;
    Ok(Parsed::Complete {
        head: Layout {
            method,
            version,
            framing: framing::of_request(fields, version)?,
            start,
            method_len,
            target_len: target.len(),
            fields_start,
            fields_end,
        },
        consumed: end,
    })
}

impl<'b> Request<'b> {
    /// The method.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// The method as it was written, a token.
    #[must_use]
    pub fn method_name(&self) -> &'b [u8] {
        self.method_name
    }

    /// The version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// How long the body that follows the head is.
    #[must_use]
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// The request target as it was written: no white space, no control characters.
    #[must_use]
    pub fn target_bytes(&self) -> &'b [u8] {
        self.target
    }

    /// The request target, taken apart.
    #[must_use]
    pub fn target(&self) -> Target<'b> {
        // It was checked when the head was.
        Target::parse(self.method, self.target).unwrap_or(Target::Asterisk)
    }

    /// The path of the target, not decoded; `/` where there is none.
    #[must_use]
    pub fn path(&self) -> &'b [u8] {
        self.target().path()
    }

    /// What follows `?` in the target, not decoded.
    #[must_use]
    pub fn query(&self) -> Option<&'b [u8]> {
        self.target().query()
    }

    //= https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2
    //# When an origin server receives a request with an absolute-form of
    //# request-target, the origin server MUST ignore the received Host
    //# header field (if any) and instead use the host information of the
    //# request-target.
    /// The host (and port) that is asked: the target's, or else the `Host` field's.
    #[must_use]
    pub fn host(&self) -> Option<&'b [u8]> {
        match self.target() {
            Target::Absolute { authority, .. } | Target::Authority(authority) => Some(authority),
            Target::Origin { .. } | Target::Asterisk => self.fields.single("Host"),
        }
    }

    /// All field lines.
    #[must_use]
    pub fn fields(&self) -> Fields<'b> {
        self.fields
    }

    /// The values of all field lines named `name` (without regard to case), in order, without the
    /// white space around them.
    pub fn values<'n>(
        &self,
        name: &'n str,
    ) -> impl Iterator<Item = &'b [u8]> + Clone + use<'b, 'n> {
        self.fields.values(name)
    }

    /// The value of the field `name` if it stands on exactly one line. A field whose definition
    /// allows one value, sent twice, is as good as absent.
    #[must_use]
    pub fn single(&self, name: &str) -> Option<&'b [u8]> {
        self.fields.single(name)
    }

    /// All fields in order.
    pub fn iter(&self) -> impl Iterator<Item = Field<'b>> + Clone + use<'b> {
        self.fields.iter()
    }

    /// Whether the connection outlives the response to this request.
    //= https://www.rfc-editor.org/rfc/rfc9112#section-9.3
    //# *  If the "close" connection option is present (Section 9.6), the
    //# connection will not persist after the current response; else,
    #[must_use]
    pub fn persists(&self) -> bool {
        persists(self.fields, self.version)
    }

    /// Whether the client waits for a 100 (Continue) before it sends its body.
    ///
    /// # Errors
    ///
    /// 417 if it expects something else.
    pub fn expects_continue(&self) -> Result<bool, Refusal> {
        //= https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1
        //# *  A server that receives a 100-continue expectation in an HTTP/1.0
        //# request MUST ignore that expectation.
        if self.version == Version::Http10 {
            return Ok(false);
        }
        let mut expects = false;
        for member in self.values("Expect").flat_map(list_members) {
            //= https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1
            //# A server that receives an Expect field value containing a member
            //# other than 100-continue MAY respond with a 417 (Expectation Failed)
            //# status code to indicate that the unexpected expectation cannot be
            //# met.
            if !member.eq_ignore_ascii_case(b"100-continue") {
                let why = "the only expectation understood is 100-continue";
                return Err(Refusal::new(Status::EXPECTATION_FAILED, why));
            }
            expects = true;
        }
        Ok(expects)
    }
}

/// Whether the connection of a message outlives it.
pub(super) fn persists(fields: Fields<'_>, version: Version) -> bool {
    if fields.has_member("Connection", "close") {
        return false;
    }
    match version {
        Version::Http11 => true,
        Version::Http10 => fields.has_member("Connection", "keep-alive"),
    }
}

struct RequestLine<'b> {
    method: Method,
    method_len: usize,
    target: &'b [u8],
    version: Version,
}

impl<'b> RequestLine<'b> {
    /// `request-line = method SP request-target SP HTTP-version`, single spaces only.
    fn parse(line: &'b [u8], limits: &HeadLimits) -> Result<Self, Refusal> {
        //= https://www.rfc-editor.org/rfc/rfc9112#section-3.2
        //# Recipients of an invalid request-line SHOULD respond with either a
        //# 400 (Bad Request) error or a 301 (Moved Permanently) redirect with
        //# the request-target properly encoded.
        const GRAMMAR: Refusal = Refusal::bad("the request line is not `METHOD TARGET HTTP/1.1`");
        let mut parts = line.split(|&b| b == b' ');
        let (Some(method_name), Some(target), Some(version), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(GRAMMAR);
        };
        if !is_token(method_name) || target.is_empty() {
            return Err(GRAMMAR);
        }
        if target.iter().any(|&b| b < b'!' || b == 0x7f || b == b'#') {
            return Err(Refusal::bad(
                "the request target holds an octet no URI may hold",
            ));
        }
        let version = parse_version(version)?;
        if target.len() > limits.target {
            return Err(uri_too_long());
        }
        Ok(Self {
            method: Method::named(method_name),
            method_len: method_name.len(),
            target,
            version,
        })
    }
}

//= https://www.rfc-editor.org/rfc/rfc9112#section-2.3
//# HTTP-version is case-sensitive.
fn parse_version(version: &[u8]) -> Result<Version, Refusal> {
    match version {
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            match (major, minor) {
                (b'1', b'0') => Ok(Version::Http10),
                (b'1', _) => Ok(Version::Http11),
                _ => {
                    let why = "this server speaks HTTP/1.1 and HTTP/1.0";
                    Err(Refusal::new(Status::HTTP_VERSION_NOT_SUPPORTED, why))
                }
            }
        }
        _ => Err(Refusal::bad(
            "the request line does not end in an HTTP version",
        )),
    }
}

//= https://www.rfc-editor.org/rfc/rfc9112#section-3.2
//# A server MUST respond with a 400 (Bad Request) status code to any
//# HTTP/1.1 request message that lacks a Host header field and to any
//# request message that contains more than one Host header field line or
//# a Host header field with an invalid field value.
fn check_host(fields: Fields<'_>, version: Version) -> Result<(), Refusal> {
    let mut hosts = fields.values("Host");
    match (hosts.next(), hosts.next()) {
        (None, _) if version == Version::Http11 => Err(Refusal::bad("the Host field is missing")),
        (_, Some(_)) => Err(Refusal::bad("the Host field stands there twice")),
        (Some(host), None) if !is_authority(host) => {
            Err(Refusal::bad("the Host field is not a host and a port"))
        }
        (None | Some(_), None) => Ok(()),
    }
}

/// A line too long to be read: what makes it so says which error it is.
fn too_long_line(line: &[u8], limits: &HeadLimits) -> Refusal {
    let method = line.iter().position(|&b| b == b' ').unwrap_or(line.len());
    if method > Method::LONGEST {
        //= https://www.rfc-editor.org/rfc/rfc9112#section-3
        //# A server that receives
        //# a method longer than any that it implements SHOULD respond with a 501
        //# (Not Implemented) status code.
        return Refusal::new(Status::NOT_IMPLEMENTED, "this method is not known here");
    }
    let target = line.get(method.saturating_add(1)..).unwrap_or_default();
    if target
        .iter()
        .take(limits.target.saturating_add(1))
        .any(|&b| b == b' ')
    {
        return Refusal::bad("the request line is not `METHOD TARGET HTTP/1.1`");
    }
    uri_too_long()
}

//= https://www.rfc-editor.org/rfc/rfc9112#section-3
//# A server that receives a request-
//# target longer than any URI it wishes to parse MUST respond with a 414
//# (URI Too Long) status code (see Section 15.5.15 of [HTTP]).
fn uri_too_long() -> Refusal {
    Refusal::new(Status::URI_TOO_LONG, "the request target is too long")
}

fn too_large_head() -> Refusal {
    Refusal::new(
        Status::REQUEST_HEADER_FIELDS_TOO_LARGE,
        "the request head is too large",
    )
}
