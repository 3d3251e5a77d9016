//! The head of a request: request line and fields (RFC 9112 §2–§6).
//!
//! The parser is strict where leniency lets two readers of one byte stream disagree on where a
//! request ends (RFC 9112 §11.2): every line ends in CRLF, a CR or LF elsewhere is an error, a
//! field name touches its colon, nothing is folded, and a body has exactly one length.

use super::body::{self, Framing};
use super::status::{Refusal, Status};

#[cfg(test)]
mod tests;

/// What bounds the head of a request.
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

impl Default for HeadLimits {
    fn default() -> Self {
        Self {
            head: 16 * 1024,
            target: 8 * 1024,
            fields: 100,
        }
    }
}

/// The request method, as far as this server tells methods apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    /// Known to RFC 9110 or RFC 5789, allowed on nothing here: 405.
    NotAllowed,
    /// Known to nobody here: 501.
    Unknown,
}

/// The minor version of HTTP/1: a request of 1.2 or later is read as 1.1 (RFC 9110 §2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    Http10,
    Http11,
}

/// A complete request head, checked, borrowing the bytes it was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request<'b> {
    pub(crate) method: Method,
    /// The method as it was written, a token.
    pub(crate) method_name: &'b [u8],
    /// The request target: no white space, no control characters.
    pub(crate) target: &'b [u8],
    pub(crate) version: Version,
    /// How long the body that follows the head is.
    pub(crate) framing: Framing,
    fields: Fields<'b>,
}

/// The field lines of a head, each `name ":" OWS value OWS CRLF`, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fields<'b>(&'b [u8]);

/// What the bytes received so far amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parsed<'b> {
    /// The head goes on; nothing in it is known to be wrong yet.
    Partial,
    /// A request, and the number of octets its head (and empty lines before it) took.
    Complete {
        request: Request<'b>,
        consumed: usize,
    },
}

/// Parses the request at the start of `bytes`.
///
/// `searched` octets of it have been seen by an earlier call that returned [`Parsed::Partial`], so
/// that a head that arrives octet by octet costs no more than one that comes at once.
pub(crate) fn parse<'b>(
    bytes: &'b [u8],
    searched: usize,
    limits: &HeadLimits,
) -> Result<Parsed<'b>, Refusal> {
    //= https://www.rfc-editor.org/rfc/rfc9112#section-2.2
    //# In the interest of robustness, a server that is expecting to receive
    //# and parse a request-line SHOULD ignore at least one empty line (CRLF)
    //# received prior to the request-line.
    let mut start = 0;
    while bytes[start..].starts_with(b"\r\n") {
        start += 2;
    }
    let head = &bytes[start..];
    // Something that is no HTTP at all (a TLS hello, say) is answered at once, not when its
    // sender gives up.
    if head
        .first()
        .is_some_and(|&first| first != b'\r' && !is_token_byte(first))
    {
        return Err(Refusal::bad("the request does not start with a method"));
    }
    let line_end = find_line_end(head, 0);
    let target_limit = limits.target + LONGEST_METHOD + b"  HTTP/1.1".len();
    if line_end.unwrap_or(head.len()) > target_limit {
        return Err(too_long_line(head, limits));
    }
    let Some(end) = find_head_end(bytes, searched.saturating_sub(3).max(start)) else {
        if bytes.len() >= limits.head {
            return Err(too_large_head());
        }
        return Ok(Parsed::Partial);
    };
    if end > limits.head {
        return Err(too_large_head());
    }
    // An end was found, so the request line has one too.
    let line_end = line_end.unwrap_or(head.len());
    let line = RequestLine::parse(&head[..line_end], limits)?;
    let fields = Fields::check(&bytes[start + line_end + 2..end - 2], limits)?;
    check_host(fields, line.version)?;
    let framing = body::framing(fields, line.version)?;
    let RequestLine {
        method,
        method_name,
        target,
        version,
    } = line;
    let request = Request {
        method,
        method_name,
        target,
        version,
        framing,
        fields,
    };
    Ok(Parsed::Complete {
        request,
        consumed: end,
    })
}

impl<'b> Request<'b> {
    /// The values of all field lines named `name` (without regard to case), in order, without the
    /// white space around them.
    pub(crate) fn values(&self, name: &'static str) -> impl Iterator<Item = &'b [u8]> + use<'b> {
        self.fields.values(name)
    }

    /// The value of the field `name` if it stands on exactly one line. A field whose definition
    /// allows one value, sent twice, is as good as absent.
    pub(crate) fn single(&self, name: &'static str) -> Option<&'b [u8]> {
        let mut values = self.values(name);
        values.next().filter(|_| values.next().is_none())
    }

    /// Whether the connection outlives the response to this request.
    //= https://www.rfc-editor.org/rfc/rfc9112#section-9.3
    //# *  If the "close" connection option is present (Section 9.6), the
    //# connection will not persist after the current response; else,
    pub(crate) fn persists(&self) -> bool {
        if self.has_list_member("Connection", "close") {
            return false;
        }
        match self.version {
            Version::Http11 => true,
            Version::Http10 => self.has_list_member("Connection", "keep-alive"),
        }
    }

    /// Whether the client waits for a 100 (Continue) before it sends its body.
    pub(crate) fn expects_continue(&self) -> Result<bool, Refusal> {
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
                return Err(Refusal::new(Status::ExpectationFailed, why));
            }
            expects = true;
        }
        Ok(expects)
    }

    fn has_list_member(&self, name: &'static str, member: &str) -> bool {
        self.values(name)
            .flat_map(list_members)
            .any(|m| m.eq_ignore_ascii_case(member.as_bytes()))
    }
}

struct RequestLine<'b> {
    method: Method,
    method_name: &'b [u8],
    target: &'b [u8],
    version: Version,
}

impl<'b> RequestLine<'b> {
    /// `request-line = method SP request-target SP HTTP-version`, single spaces only.
    fn parse(line: &'b [u8], limits: &HeadLimits) -> Result<Self, Refusal> {
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
            method_name,
            target,
            version,
        })
    }
}

impl Method {
    fn named(name: &[u8]) -> Self {
        match name {
            b"GET" => Self::Get,
            b"HEAD" => Self::Head,
            b"POST" | b"PUT" | b"DELETE" | b"CONNECT" | b"OPTIONS" | b"TRACE" | b"PATCH" => {
                Self::NotAllowed
            }
            _ => Self::Unknown,
        }
    }
}

impl<'b> Fields<'b> {
    /// `block` is the field section without the empty line after it: empty, or lines each with
    /// its CRLF.
    fn check(block: &'b [u8], limits: &HeadLimits) -> Result<Self, Refusal> {
        let mut rest = block;
        let mut count = 0;
        while !rest.is_empty() {
            let end = find_line_end(rest, 0).ok_or(Refusal::bad("a line does not end in CRLF"))?;
            check_field_line(&rest[..end])?;
            rest = &rest[end + 2..];
            count += 1;
            if count > limits.fields {
                let why = "the request has too many fields";
                return Err(Refusal::new(Status::RequestHeaderFieldsTooLarge, why));
            }
        }
        Ok(Self(block))
    }

    /// The values of all lines named `name`, without the white space around them.
    pub(super) fn values(self, name: &'static str) -> impl Iterator<Item = &'b [u8]> + use<'b> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            while !rest.is_empty() {
                let end = find_line_end(rest, 0)?;
                let line = &rest[..end];
                rest = &rest[end + 2..];
                let colon = line.iter().position(|&b| b == b':')?;
                if line[..colon].eq_ignore_ascii_case(name.as_bytes()) {
                    return Some(trim_ows(&line[colon + 1..]));
                }
            }
            None
        })
    }
}

/// `field-line = field-name ":" OWS field-value OWS`
pub(crate) fn check_field_line(line: &[u8]) -> Result<(), Refusal> {
    //= https://www.rfc-editor.org/rfc/rfc9112#section-5.2
    //# A server that receives an obs-fold in a request message that is not
    //# within a "message/http" container MUST either reject the message by
    //# sending a 400 (Bad Request), preferably with a representation
    //# explaining that obsolete line folding is unacceptable, or replace
    //# each received obs-fold with one or more SP octets prior to
    //# interpreting the field value or forwarding the message downstream.

    //= https://www.rfc-editor.org/rfc/rfc9112#section-2.2
    //# A recipient that receives whitespace between the start-line and the
    //# first header field MUST either reject the message as invalid or
    //# consume each whitespace-preceded line without further processing of
    //# it (i.e., ignore the entire line, along with any subsequent lines
    //# preceded by whitespace, until a properly formed header field is
    //# received or the header section is terminated).
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(Refusal::bad(
            "a field line starts with white space (obsolete line folding)",
        ));
    }
    let Some(colon) = line.iter().position(|&b| b == b':') else {
        return Err(Refusal::bad("a field line has no colon"));
    };
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    //= https://www.rfc-editor.org/rfc/rfc9112#section-5.1
    //# A
    //# server MUST reject, with a response status code of 400 (Bad Request),
    //# any received request message that contains whitespace between a
    //# header field name and colon.
    if matches!(name.last(), Some(b' ' | b'\t')) {
        return Err(Refusal::bad(
            "white space stands between a field name and its colon",
        ));
    }
    if !is_token(name) {
        return Err(Refusal::bad("a field name is not a token"));
    }
    //= https://www.rfc-editor.org/rfc/rfc9112#section-2.2
    //# A recipient of such a bare CR MUST consider that element to be
    //# invalid or replace each bare CR with SP before processing the element
    //# or forwarding the message.

    //= https://www.rfc-editor.org/rfc/rfc9110#section-5.5
    //# Field values containing CR, LF, or NUL characters are invalid and
    //# dangerous, due to the varying ways that implementations might parse
    //# and interpret those characters; a recipient of CR, LF, or NUL within
    //# a field value MUST either reject the message or replace each of those
    //# characters with SP before further processing or forwarding of that
    //# message.
    if value.iter().any(|&b| (b < b' ' && b != b'\t') || b == 0x7f) {
        return Err(Refusal::bad("a field value holds a control character"));
    }
    Ok(())
}

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
                    Err(Refusal::new(Status::HttpVersionNotSupported, why))
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

/// `uri-host [ ":" port ]` (RFC 3986 §3.2.2), or nothing.
pub(crate) fn is_authority(authority: &[u8]) -> bool {
    let is_sub_delim = |b: u8| b"!$&'()*+,;=".contains(&b);
    let is_unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let (host_is_good, port) = if let Some(literal) = authority.strip_prefix(b"[") {
        let Some(end) = literal.iter().position(|&b| b == b']') else {
            return false;
        };
        let (address, port) = (&literal[..end], &literal[end + 1..]);
        let good = address
            .iter()
            .all(|&b| is_unreserved(b) || is_sub_delim(b) || b == b':');
        (good && !address.is_empty(), port)
    } else {
        let end = authority
            .iter()
            .position(|&b| b == b':')
            .unwrap_or(authority.len());
        let (host, port) = authority.split_at(end);
        (
            host.iter()
                .all(|&b| is_unreserved(b) || is_sub_delim(b) || b == b'%'),
            port,
        )
    };
    let port_is_good = match port {
        [] => true,
        [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    host_is_good && port_is_good
}

/// The longest name [`Method::named`] knows.
const LONGEST_METHOD: usize = b"CONNECT".len();

/// A line too long to be read: what makes it so says which error it is.
fn too_long_line(line: &[u8], limits: &HeadLimits) -> Refusal {
    let method = line.iter().position(|&b| b == b' ').unwrap_or(line.len());
    if method > LONGEST_METHOD {
        //= https://www.rfc-editor.org/rfc/rfc9112#section-3
        //# A server that receives
        //# a method longer than any that it implements SHOULD respond with a 501
        //# (Not Implemented) status code.
        return Refusal::new(Status::NotImplemented, "this method is not known here");
    }
    let target = &line[(method + 1).min(line.len())..];
    if target.iter().take(limits.target + 1).any(|&b| b == b' ') {
        return Refusal::bad("the request line is not `METHOD TARGET HTTP/1.1`");
    }
    uri_too_long()
}

//= https://www.rfc-editor.org/rfc/rfc9112#section-3
//# A server that receives a request-
//# target longer than any URI it wishes to parse MUST respond with a 414
//# (URI Too Long) status code (see Section 15.5.15 of [HTTP]).
fn uri_too_long() -> Refusal {
    Refusal::new(Status::UriTooLong, "the request target is too long")
}

fn too_large_head() -> Refusal {
    Refusal::new(
        Status::RequestHeaderFieldsTooLarge,
        "the request head is too large",
    )
}

/// Where the empty line that ends the head ends, looking from `from` on.
fn find_head_end(bytes: &[u8], from: usize) -> Option<usize> {
    let tail = bytes.get(from..)?;
    tail.windows(4)
        .position(|w| w == b"\r\n\r\n")
        .map(|at| from + at + 4)
}

/// Where the first CRLF at or after `from` stands.
pub(crate) fn find_line_end(bytes: &[u8], from: usize) -> Option<usize> {
    let tail = bytes.get(from..)?;
    tail.windows(2)
        .position(|w| w == b"\r\n")
        .map(|at| from + at)
}

/// The members of a comma-separated list (RFC 9110 §5.6.1), empty ones left out. For lists whose
/// members hold no quoted commas.
pub(crate) fn list_members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|&b| b == b',')
        .map(trim_ows)
        .filter(|member| !member.is_empty())
}

/// `value` without the spaces and tabs around it.
pub(crate) fn trim_ows(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&b| is_token_byte(b))
}

/// `tchar` (RFC 9110 §5.6.2).
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
