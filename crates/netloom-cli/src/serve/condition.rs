//! Validators and conditional requests (RFC 9110 §8.8 and §13).

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use httpdate::{fmt_http_date, parse_http_date};

use super::request::Request;

#[cfg(test)]
mod tests;

/// A file changed more recently than this may change again without its time or size telling: file
/// systems stamp with a clock that ticks every few milliseconds, some with whole or even seconds.
const SETTLED: Duration = Duration::from_secs(2);

/// What identifies one version of a file to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Validators {
    /// The opaque tag, without quotes: hexadecimal digits and dashes.
    opaque: String,
    /// The file may be changing right now, so equal tags do not prove equal bytes.
    is_weak: bool,
    /// Whole seconds.
    last_modified: Option<SystemTime>,
}

/// What the preconditions of a request make of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The request is to be performed.
    Proceed,
    /// The client has this version: 304.
    NotModified,
    /// The client wants another version: 412.
    Failed,
}

impl Validators {
    /// The validators of a file at the time `now`.
    pub(crate) fn of(metadata: &Metadata, now: SystemTime) -> Self {
        let modified = metadata.modified().ok();
        Self::new(modified, metadata.len(), metadata.ino(), now)
    }

    fn new(modified: Option<SystemTime>, size: u64, inode: u64, now: SystemTime) -> Self {
        let since_epoch = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let nanos = since_epoch.map_or(0, |since| since.as_nanos());
        // A time in the future says nothing about when the file changed.
        let is_settled = modified
            .filter(|_| since_epoch.is_some())
            .and_then(|time| time.checked_add(SETTLED))
            .is_some_and(|time| time <= now);
        //= https://www.rfc-editor.org/rfc/rfc9110#section-8.8.2.1
        //# If the last modification
        //# time is derived from implementation-specific metadata that evaluates
        //# to some time in the future, according to the origin server's clock,
        //# then the origin server MUST replace that value with the message
        //# origination date.
        let last_modified = since_epoch.map(|since| {
            let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
            UNIX_EPOCH + Duration::from_secs(since.min(now).as_secs())
        });
        Self {
            opaque: format!("{nanos:x}-{size:x}-{inode:x}"),
            //= https://www.rfc-editor.org/rfc/rfc9110#section-8.8.3
            //# If an origin server provides an entity tag for a
            //# representation and the generation of that entity tag does not satisfy
            //# all of the characteristics of a strong validator (Section 8.8.1),
            //# then the origin server MUST mark the entity tag as weak by prefixing
            //# its opaque value with "W/" (case-sensitive).
            is_weak: !is_settled,
            last_modified,
        }
    }

    /// The value of the `ETag` field.
    pub(crate) fn etag(&self) -> String {
        format!(
            "{}\"{}\"",
            if self.is_weak { "W/" } else { "" },
            self.opaque
        )
    }

    /// The value of the `Last-Modified` field; none for a file older than 1970.
    pub(crate) fn last_modified(&self) -> Option<String> {
        self.last_modified.map(fmt_http_date)
    }

    /// Evaluates the preconditions of a GET or HEAD request.
    //= https://www.rfc-editor.org/rfc/rfc9110#section-13.2.2
    //# A recipient cache or origin server MUST evaluate the request
    //# preconditions defined by this specification in the following order:
    pub(crate) fn evaluate(&self, request: &Request<'_>) -> Verdict {
        let date = |name| request.single(name).and_then(parse_date);
        let is_present = |name| request.values(name).next().is_some();
        let expected = if is_present("If-Match") {
            //= https://www.rfc-editor.org/rfc/rfc9110#section-13.1.1
            //# An origin server MUST use the strong comparison function when
            //# comparing entity tags for If-Match (Section 8.8.3.2), since the
            //# client intends this precondition to prevent the method from being
            //# applied if there have been any changes to the representation data.
            self.is_listed(request, "If-Match", Comparison::Strong)
        } else {
            match (date("If-Unmodified-Since"), self.last_modified) {
                (Some(date), Some(modified)) => modified <= date,
                (None, _) | (_, None) => true,
            }
        };
        if !expected {
            return Verdict::Failed;
        }
        let is_known = if is_present("If-None-Match") {
            //= https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2
            //# A recipient MUST use the weak comparison function when comparing
            //# entity tags for If-None-Match (Section 8.8.3.2), since weak entity
            //# tags can be used for cache validation even if there have been changes
            //# to the representation data.
            self.is_listed(request, "If-None-Match", Comparison::Weak)
        } else {
            //= https://www.rfc-editor.org/rfc/rfc9110#section-13.1.3
            //# A recipient MUST ignore the If-Modified-Since header field if the
            //# received field value is not a valid HTTP-date, the field value has
            //# more than one member, or if the request method is neither GET nor
            //# HEAD.
            match (date("If-Modified-Since"), self.last_modified) {
                (Some(date), Some(modified)) => modified <= date,
                (None, _) | (_, None) => false,
            }
        };
        if is_known {
            Verdict::NotModified
        } else {
            Verdict::Proceed
        }
    }

    /// Whether an `If-Range` field lets the `Range` field beside it apply; true without one.
    //= https://www.rfc-editor.org/rfc/rfc9110#section-13.1.5
    //# A recipient of an If-Range header field MUST ignore the Range header
    //# field if the If-Range condition evaluates to false.
    pub(crate) fn allow_range(&self, request: &Request<'_>) -> bool {
        if request.values("If-Range").next().is_none() {
            return true;
        }
        let Some(value) = request.single("If-Range") else {
            return false;
        };
        if let Some((tag, rest)) = EntityTag::parse(value) {
            return rest.is_empty() && self.matches(&tag, Comparison::Strong);
        }
        //= https://www.rfc-editor.org/rfc/rfc9110#section-13.1.5
        //# 2.  If the HTTP-date validator provided exactly matches the
        //# Last-Modified field value for the selected representation, the
        //# condition is true.
        parse_date(value).is_some_and(|date| !self.is_weak && self.last_modified == Some(date))
    }

    fn is_listed(&self, request: &Request<'_>, name: &'static str, how: Comparison) -> bool {
        request.values(name).any(|value| {
            // The file exists, or nobody would ask.
            value == b"*" || EntityTag::list(value).any(|tag| self.matches(&tag, how))
        })
    }

    fn matches(&self, tag: &EntityTag<'_>, how: Comparison) -> bool {
        let may_match = match how {
            Comparison::Strong => !self.is_weak && !tag.is_weak,
            Comparison::Weak => true,
        };
        may_match && tag.opaque == self.opaque.as_bytes()
    }
}

/// RFC 9110 §8.8.3.2.
#[derive(Debug, Clone, Copy)]
enum Comparison {
    Strong,
    Weak,
}

/// `entity-tag = [ "W/" ] DQUOTE *etagc DQUOTE`
struct EntityTag<'b> {
    is_weak: bool,
    opaque: &'b [u8],
}

impl<'b> EntityTag<'b> {
    /// The tag at the start of `value`, and what follows it.
    fn parse(value: &'b [u8]) -> Option<(Self, &'b [u8])> {
        let (is_weak, quoted) = match value.strip_prefix(b"W/") {
            Some(rest) => (true, rest),
            None => (false, value),
        };
        let inner = quoted.strip_prefix(b"\"")?;
        let end = inner.iter().position(|&b| b == b'"')?;
        Some((
            Self {
                is_weak,
                opaque: &inner[..end],
            },
            &inner[end + 1..],
        ))
    }

    /// The tags of a list, up to the first thing that is none. A tag may hold a comma.
    fn list(mut value: &'b [u8]) -> impl Iterator<Item = Self> {
        std::iter::from_fn(move || {
            while let [b' ' | b'\t' | b',', rest @ ..] = value {
                value = rest;
            }
            let (tag, rest) = Self::parse(value)?;
            value = rest;
            Some(tag)
        })
    }
}

/// An HTTP-date in any of its three forms.
fn parse_date(value: &[u8]) -> Option<SystemTime> {
    parse_http_date(std::str::from_utf8(value).ok()?).ok()
}
