//! The head of a response: status line and fields (RFC 9112 §4, §6.3).

use super::fields::{Fields, find_head_end, parse_decimal, split_line};
use super::framing::{self, Framing};
use super::method::{Method, Version};
use super::request::{HeadLimits, Parsed, persists};
use super::status::{Refusal, Status};

#[cfg(test)]
mod tests;

/// A complete response head, checked, borrowing the bytes it was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response<'b> {
    status: Status,
    version: Version,
    framing: Framing,
    reason: &'b [u8],
    fields: Fields<'b>,
}

/// Where the parts of a checked response stand in the bytes it was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    status: Status,
    version: Version,
    pub(super) framing: Framing,
    reason_start: usize,
    reason_end: usize,
    fields_end: usize,
}

impl Layout {
    /// The response itself. `bytes` are those that were scanned.
    pub(super) fn of<'b>(&self, bytes: &'b [u8]) -> Response<'b> {
        let Self {
            status,
            version,
            framing,
            reason_start,
            reason_end,
            fields_end,
        } = *self;
        let fields_start = reason_end.saturating_add(2);
        Response {
            status,
            version,
            framing,
            reason: bytes.get(reason_start..reason_end).unwrap_or_default(),
            fields: Fields::checked(bytes.get(fields_start..fields_end).unwrap_or_default()),
        }
    }
}

/// Parses the response to a request with this method at the start of `bytes`.
///
/// `searched` octets of it have been seen by an earlier call that returned [`Parsed::Partial`].
/// Folded lines are refused; [`Head`](super::Head), which may write to its buffer, unfolds them.
///
/// # Errors
///
/// A refusal whose sentence says why it is none; its status says nothing.
pub fn parse_response<'b>(
    bytes: &'b [u8],
    searched: usize,
    method: Method,
    limits: &HeadLimits,
) -> Result<Parsed<Response<'b>>, Refusal> {
    Ok(match scan(bytes, searched, method, limits)? {
        Parsed::Partial => Parsed::Partial,
        Parsed::Complete { head, consumed } => Parsed::Complete {
            head: head.of(bytes),
            consumed,
        },
    })
}

pub(super) fn scan(
    bytes: &[u8],
    searched: usize,
    method: Method,
    limits: &HeadLimits,
) -> Result<Parsed<Layout>, Refusal> {
    const NOT_HTTP: Refusal = Refusal::bad("it does not begin with `HTTP/1.1` and a status");
    const TOO_LARGE: Refusal = Refusal::bad("its head is too large");
    let begins = bytes.iter().zip(b"HTTP/1.").all(|(a, b)| a == b);
    if !begins {
        return Err(NOT_HTTP);
    }
    let Some(end) = find_head_end(bytes, searched.saturating_sub(3))? else {
        if bytes.len() >= limits.head {
            return Err(TOO_LARGE);
        }
        return Ok(Parsed::Partial);
    };
    if end > limits.head {
        return Err(TOO_LARGE);
    }
    // An end was found, so the status line has one too.
    let (line, _) = split_line(bytes).ok_or(NOT_HTTP)?;
    let (version, status, reason) = status_line(line).ok_or(NOT_HTTP)?;
    let fields_end = end.saturating_sub(2);
    let block = bytes.get(line.len().saturating_add(2)..fields_end);
    let fields = Fields::check(block.unwrap_or_default(), limits.fields)?;
    Ok(Parsed::Complete {
        head: Layout {
            status,
            version,
            framing: framing::of_response(fields, version, status, method)?,
            reason_start: line.len().saturating_sub(reason.len()),
            reason_end: line.len(),
            fields_end,
        },
        consumed: end,
    })
}

/// Replaces folds between the field lines of a complete head by spaces, in place. White space behind
/// the status line is no fold, and stays.
//= https://www.rfc-editor.org/rfc/rfc9112#section-5.2
//# A user agent that receives an obs-fold in a response message that is
//# not within a "message/http" container MUST replace each received
//# obs-fold with one or more SP octets prior to interpreting the field
//# value.
pub(super) fn unfold(head: &mut [u8]) {
    let Some(status_line) = head.iter().position(|&b| b == b'\n') else {
        return;
    };
    let mut at = status_line.saturating_add(1);
    while let Some([cr, lf, next]) = head.get_mut(at..at.saturating_add(3)) {
        if *cr == b'\r' && *lf == b'\n' && matches!(*next, b' ' | b'\t') {
            (*cr, *lf) = (b' ', b' ');
        }
        at = at.saturating_add(1);
    }
}

/// `status-line = HTTP-version SP status-code SP [ reason-phrase ]`
fn status_line(line: &[u8]) -> Option<(Version, Status, &[u8])> {
    let (version, rest) = line.split_at_checked(b"HTTP/1.1 ".len())?;
    let version = match version {
        b"HTTP/1.0 " => Version::Http10,
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor, b' '] if minor.is_ascii_digit() => {
            Version::Http11
        }
        _ => return None,
    };
    let (code, rest) = rest.split_at_checked(3)?;
    // Many leave out the space before an empty reason.
    let reason = match rest {
        [] => rest,
        [b' ', reason @ ..] => reason,
        _ => return None,
    };
    let code = u16::try_from(parse_decimal(code)?).ok()?;
    Some((version, Status::new(code)?, reason))
}

impl<'b> Response<'b> {
    /// The status code.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
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

    //= https://www.rfc-editor.org/rfc/rfc9112#section-4
    //# A client SHOULD ignore the reason-phrase content because it is not a
    //# reliable channel for information (it might be translated for a given
    //# locale, overwritten by intermediaries, or discarded when the message
    //# is forwarded via other versions of HTTP).
    /// The reason phrase, whatever octets it holds but CR LF: for people.
    #[must_use]
    pub fn reason(&self) -> &'b [u8] {
        self.reason
    }

    /// All field lines.
    #[must_use]
    pub fn fields(&self) -> Fields<'b> {
        self.fields
    }

    /// The values of all field lines named `name`, in order.
    pub fn values<'n>(
        &self,
        name: &'n str,
    ) -> impl Iterator<Item = &'b [u8]> + Clone + use<'b, 'n> {
        self.fields.values(name)
    }

    /// The value of the field `name` if it stands on exactly one line.
    #[must_use]
    pub fn single(&self, name: &str) -> Option<&'b [u8]> {
        self.fields.single(name)
    }

    /// Whether another request may follow on this connection once the body has been read.
    #[must_use]
    pub fn persists(&self) -> bool {
        // A body that only the end of the connection ends leaves none; a message that states two
        // lengths may be an attempt at smuggling (RFC 9112 §6.3, rule 3), and is the last one.
        let is_doubtful = self.fields.has("Transfer-Encoding") && self.fields.has("Content-Length");
        self.framing != Framing::UntilClose && !is_doubtful && persists(self.fields, self.version)
    }
}
