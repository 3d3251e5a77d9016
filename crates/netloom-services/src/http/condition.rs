//! Validators and conditional requests (RFC 9110 §8.8 and §13).

use core::fmt;

use super::date::HttpDate;
use super::method::Method;
use super::request::Request;

#[cfg(test)]
mod tests;

/// `entity-tag = [ "W/" ] DQUOTE *etagc DQUOTE` (RFC 9110 §8.8.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntityTag<'b> {
    /// Equal tags do not prove equal bytes.
    pub is_weak: bool,
    /// What stands between the quotes: no quotes, white space or control characters.
    pub opaque: &'b [u8],
}

/// What identifies one version of a resource to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Validators<'v> {
    /// The value of `ETag`, if it has one.
    pub etag: Option<EntityTag<'v>>,
    /// The value of `Last-Modified`, if it is known. Where there is a weak tag too, it is as weak.
    pub last_modified: Option<HttpDate>,
}

/// What the preconditions of a request make of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The request is to be performed.
    Proceed,
    /// The client has this version: 304.
    NotModified,
    /// The client wants another version: 412.
    Failed,
}

/// Evaluates the preconditions of a request on what exists now, if anything does. `now` is the time,
/// if it is known.
//= https://www.rfc-editor.org/rfc/rfc9110#section-13.2.2
//# A recipient cache or origin server MUST evaluate the request
//# preconditions defined by this specification in the following order:
#[must_use]
pub fn evaluate(
    request: &Request<'_>,
    existing: Option<&Validators<'_>>,
    now: Option<HttpDate>,
) -> Verdict {
    let date = |name| request.single(name).and_then(|v| HttpDate::parse(v, now));
    let modified = existing.and_then(|existing| existing.last_modified);
    let expected = if request.fields().has("If-Match") {
        //= https://www.rfc-editor.org/rfc/rfc9110#section-13.1.1
        //# An origin server MUST use the strong comparison function when
        //# comparing entity tags for If-Match (Section 8.8.3.2), since the
        //# client intends this precondition to prevent the method from being
        //# applied if there have been any changes to the representation data.
        is_listed(request, "If-Match", existing, Comparison::Strong)
    } else {
        match (date("If-Unmodified-Since"), modified) {
            (Some(date), Some(modified)) => modified <= date,
            (None, _) | (_, None) => true,
        }
    };
    if !expected {
        return Verdict::Failed;
    }
    let is_read = matches!(request.method(), Method::Get | Method::Head);
    let is_known = if request.fields().has("If-None-Match") {
        //= https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2
        //# A recipient MUST use the weak comparison function when comparing
        //# entity tags for If-None-Match (Section 8.8.3.2), since weak entity
        //# tags can be used for cache validation even if there have been changes
        //# to the representation data.

        //= https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2
        //# 1.  If the field value is "*", the condition is false if the origin
        //# server has a current representation for the target resource.
        is_listed(request, "If-None-Match", existing, Comparison::Weak)
    } else {
        //= https://www.rfc-editor.org/rfc/rfc9110#section-13.1.3
        //# A recipient MUST ignore the If-Modified-Since header field if the
        //# received field value is not a valid HTTP-date, the field value has
        //# more than one member, or if the request method is neither GET nor
        //# HEAD.
        match (date("If-Modified-Since").filter(|_| is_read), modified) {
            (Some(date), Some(modified)) => modified <= date,
            (None, _) | (_, None) => false,
        }
    };
    match (is_known, is_read) {
        (false, _) => Verdict::Proceed,
        (true, true) => Verdict::NotModified,
        (true, false) => Verdict::Failed,
    }
}

fn is_listed(
    request: &Request<'_>,
    name: &str,
    existing: Option<&Validators<'_>>,
    how: Comparison,
) -> bool {
    let Some(existing) = existing else {
        return false;
    };
    request
        .values(name)
        .any(|value| value == b"*" || EntityTag::list(value).any(|tag| existing.has_tag(&tag, how)))
}

impl Validators<'_> {
    /// Whether an `If-Range` field lets the `Range` field beside it apply; true without one. To be
    /// asked of GET only: no other method has ranges (RFC 9110 §14.2).
    //= https://www.rfc-editor.org/rfc/rfc9110#section-13.1.5
    //# A recipient of an If-Range header field MUST ignore the Range header
    //# field if the If-Range condition evaluates to false.
    #[must_use]
    pub fn allow_range(&self, request: &Request<'_>, now: Option<HttpDate>) -> bool {
        if !request.fields().has("If-Range") {
            return true;
        }
        let Some(value) = request.single("If-Range") else {
            return false;
        };
        if let Some((tag, rest)) = EntityTag::parse(value) {
            return rest.is_empty() && self.has_tag(&tag, Comparison::Strong);
        }
        //= https://www.rfc-editor.org/rfc/rfc9110#section-13.1.5
        //# 2.  If the HTTP-date validator provided exactly matches the
        //# Last-Modified field value for the selected representation, the
        //# condition is true.
        let is_weak = self.etag.is_some_and(|tag| tag.is_weak);
        HttpDate::parse(value, now).is_some_and(|date| !is_weak && self.last_modified == Some(date))
    }

    fn has_tag(&self, tag: &EntityTag<'_>, how: Comparison) -> bool {
        let Some(own) = &self.etag else {
            return false;
        };
        let may_match = match how {
            Comparison::Strong => !own.is_weak && !tag.is_weak,
            Comparison::Weak => true,
        };
        may_match && tag.opaque == own.opaque
    }
}

/// RFC 9110 §8.8.3.2.
#[derive(Debug, Clone, Copy)]
enum Comparison {
    Strong,
    Weak,
}

impl<'b> EntityTag<'b> {
    /// A strong tag.
    #[must_use]
    pub const fn strong(opaque: &'b [u8]) -> Self {
        Self {
            is_weak: false,
            opaque,
        }
    }

    /// The tag at the start of `value`, and what follows it.
    #[must_use]
    pub fn parse(value: &'b [u8]) -> Option<(Self, &'b [u8])> {
        let (is_weak, quoted) = match value.strip_prefix(b"W/") {
            Some(rest) => (true, rest),
            None => (false, value),
        };
        let inner = quoted.strip_prefix(b"\"")?;
        let (opaque, rest) = super::fields::split_at_byte(inner, b'"')?;
        Some((Self { is_weak, opaque }, rest))
    }

    /// The tags of a list, up to the first thing that is none. A tag may hold a comma.
    pub fn list(mut value: &'b [u8]) -> impl Iterator<Item = Self> + use<'b> {
        core::iter::from_fn(move || {
            while let [b' ' | b'\t' | b',', rest @ ..] = value {
                value = rest;
            }
            let (tag, rest) = Self::parse(value)?;
            value = rest;
            Some(tag)
        })
    }
}

impl fmt::Display for EntityTag<'_> {
    //= https://www.rfc-editor.org/rfc/rfc9110#section-8.8.3
    //# If an origin server provides an entity tag for a
    //# representation and the generation of that entity tag does not satisfy
    //# all of the characteristics of a strong validator (Section 8.8.1),
    //# then the origin server MUST mark the entity tag as weak by prefixing
    //# its opaque value with "W/" (case-sensitive).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_weak { "W/\"" } else { "\"" })?;
        for chunk in self.opaque.utf8_chunks() {
            f.write_str(chunk.valid())?;
        }
        f.write_str("\"")
    }
}
