//! The field lines of a head, a request's or a response's (RFC 9112 §5, RFC 9110 §5).

use super::status::{Refusal, Status};

#[cfg(test)]
mod tests;

/// The field lines of a head, each `name ":" OWS value OWS CRLF`, checked, borrowing the bytes they
/// were read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fields<'b>(&'b [u8]);

/// One field line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'b> {
    /// The name as it was written, a token; names are compared without regard to case.
    pub name: &'b [u8],
    /// The value, without the white space around it: no control characters but tabs.
    pub value: &'b [u8],
}

impl<'b> Fields<'b> {
    /// Checks a field section without the empty line after it: empty, or lines each with its CRLF,
    /// `limit` of them at most.
    ///
    /// # Errors
    ///
    /// 400 for what is no field line, 431 for too many.
    pub fn check(block: &'b [u8], limit: usize) -> Result<Self, Refusal> {
        let mut rest = block;
        let mut count = 0_usize;
        while !rest.is_empty() {
            let (line, after) = split_line(rest).ok_or(Refusal::bad("a line lacks its CRLF"))?;
            check_field_line(line)?;
            rest = after;
            count = count.saturating_add(1);
            if count > limit {
                let why = "the request has too many fields";
                return Err(Refusal::new(Status::REQUEST_HEADER_FIELDS_TOO_LARGE, why));
            }
        }
        Ok(Self(block))
    }

    /// What [`Fields::check`] let through before.
    pub(super) fn checked(block: &'b [u8]) -> Self {
        Self(block)
    }

    /// All lines, in order.
    pub fn iter(self) -> impl Iterator<Item = Field<'b>> + Clone + use<'b> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let (line, after) = split_line(rest)?;
            rest = after;
            let (name, value) = split_at_byte(line, b':')?;
            Some(Field {
                name,
                value: trim_ows(value),
            })
        })
    }

    /// The values of all lines named `name`, in order.
    pub fn values<'n>(self, name: &'n str) -> impl Iterator<Item = &'b [u8]> + Clone + use<'b, 'n> {
        self.iter()
            .filter(move |field| field.name.eq_ignore_ascii_case(name.as_bytes()))
            .map(|field| field.value)
    }

    /// The value of the field `name` if it stands on exactly one line. A field whose definition
    /// allows one value, sent twice, is as good as absent.
    #[must_use]
    pub fn single(self, name: &str) -> Option<&'b [u8]> {
        let mut values = self.values(name);
        values.next().filter(|_| values.next().is_none())
    }

    /// Whether there is a line named `name`.
    #[must_use]
    pub fn has(self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    /// The members of the lists in all lines named `name` (RFC 9110 §5.3). For lists whose members
    /// hold no quoted commas.
    pub fn members<'n>(self, name: &'n str) -> impl Iterator<Item = &'b [u8]> + use<'b, 'n> {
        self.values(name).flat_map(list_members)
    }

    /// Whether the lists in the fields named `name` hold `member`, without regard to case.
    #[must_use]
    pub fn has_member(self, name: &str, member: &str) -> bool {
        self.members(name)
            .any(|m| m.eq_ignore_ascii_case(member.as_bytes()))
    }
}

/// `field-line = field-name ":" OWS field-value OWS`
pub(super) fn check_field_line(line: &[u8]) -> Result<(), Refusal> {
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
    let Some((name, value)) = split_at_byte(line, b':') else {
        return Err(Refusal::bad("a field line has no colon"));
    };
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
    if !value.iter().all(|&b| is_field_byte(b)) {
        return Err(Refusal::bad("a field value holds a control character"));
    }
    Ok(())
}

/// An octet a field value may hold: no control character but the tab.
pub(super) const fn is_field_byte(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

/// Where the empty line that ends the head ends, looking from `from` on; `None` if it is not there
/// yet.
///
/// A bare LF before it is refused at once: whether it ends a line is what two readers would differ
/// about.
pub(super) fn find_head_end(bytes: &[u8], from: usize) -> Result<Option<usize>, Refusal> {
    const END: &[u8] = b"\r\n\r\n";
    let mut at = from;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        // The last octet of a line is found first, and what stands before it looked at.
        let Some(found) = rest.iter().position(|&b| b == b'\n') else {
            return Ok(None);
        };
        at = at.saturating_add(found).saturating_add(1);
        let before = bytes.get(..at).unwrap_or_default();
        if !before.ends_with(b"\r\n") {
            return Err(Refusal::bad("a line ends in LF without CR"));
        }
        if at.saturating_sub(from) >= END.len() && before.ends_with(END) {
            return Ok(Some(at));
        }
    }
}

/// The line at the start of `bytes`, without its CRLF, and what follows that.
pub(super) fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut at = 0_usize;
    loop {
        let found = bytes.get(at..)?.iter().position(|&b| b == b'\n')?;
        at = at.checked_add(found)?;
        if let Some(line) = bytes.get(..at)?.strip_suffix(b"\r") {
            return Some((line, bytes.get(at.checked_add(1)?..)?));
        }
        at = at.checked_add(1)?;
    }
}

/// What stands before the first `byte`, and what stands after it.
pub(super) fn split_at_byte(bytes: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|&b| b == byte)?;
    Some((bytes.get(..at)?, bytes.get(at.checked_add(1)?..)?))
}

/// The members of a comma-separated list (RFC 9110 §5.6.1), empty ones left out. For lists whose
/// members hold no quoted commas.
pub fn list_members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|&b| b == b',')
        .map(trim_ows)
        .filter(|member| !member.is_empty())
}

/// `value` without the spaces and tabs around it.
pub(super) fn trim_ows(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Whether `bytes` are a token (RFC 9110 §5.6.2).
#[must_use]
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&b| is_token_byte(b))
}

/// `tchar` (RFC 9110 §5.6.2).
pub(super) const fn is_token_byte(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~'
        | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z'
    )
}

/// `1*DIGIT`; a number beyond `u64` is the largest one (RFC 9110 §8.6 asks that no conversion
/// overflow).
pub(super) fn parse_decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add = |sum: u64, digit: &u8| {
        sum.saturating_mul(10)
            .saturating_add(u64::from(digit.wrapping_sub(b'0')))
    };
    Some(digits.iter().fold(0, add))
}

/// The parameters of a field value: `; name=value`, the value a token or quoted (RFC 9110 §5.6.6).
/// Ends at the first thing that is none.
pub fn parameters(value: &[u8]) -> impl Iterator<Item = (&[u8], Quotable<'_>)> {
    let mut rest = match value.iter().position(|&b| b == b';') {
        Some(at) => value.get(at..).unwrap_or_default(),
        None => &[],
    };
    core::iter::from_fn(move || {
        loop {
            rest = trim_ows(rest.strip_prefix(b";")?);
            if !rest.starts_with(b";") {
                break;
            }
        }
        let (name, after) = split_at_byte(rest, b'=')?;
        if !is_token(name) {
            return None;
        }
        let (value, after) = Quotable::parse(after)?;
        rest = trim_ows(after);
        Some((name, value))
    })
}

/// A token, or the inside of a quoted string, whose quoted pairs are not yet undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotable<'b>(&'b [u8]);

impl<'b> Quotable<'b> {
    /// The token or quoted string at the start of `bytes`, and what follows it.
    pub(super) fn parse(bytes: &'b [u8]) -> Option<(Self, &'b [u8])> {
        let Some(inner) = bytes.strip_prefix(b"\"") else {
            let end = bytes.iter().position(|&b| !is_token_byte(b));
            let (token, rest) = bytes.split_at_checked(end.unwrap_or(bytes.len()))?;
            return (!token.is_empty()).then_some((Self(token), rest));
        };
        let mut at = 0_usize;
        loop {
            match inner.get(at)? {
                b'"' => return Some((Self(inner.get(..at)?), inner.get(at.checked_add(1)?..)?)),
                b'\\' => at = at.checked_add(2)?,
                _ => at = at.checked_add(1)?,
            }
        }
    }

    /// The octets as they were written.
    #[must_use]
    pub fn as_written(self) -> &'b [u8] {
        self.0
    }

    /// The octets that are meant: what a backslash stood before stands for itself.
    pub fn bytes(self) -> impl Iterator<Item = u8> + use<'b> {
        let mut rest = self.0.iter();
        core::iter::from_fn(move || match rest.next() {
            Some(b'\\') => rest.next().copied(),
            other => other.copied(),
        })
    }

    /// Whether these octets are meant.
    #[must_use]
    pub fn is(self, expected: &[u8]) -> bool {
        self.bytes().eq(expected.iter().copied())
    }
}
