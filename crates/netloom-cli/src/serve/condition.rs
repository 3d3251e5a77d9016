//! What identifies one version of a file to a client (RFC 9110 §8.8).

use std::fmt::Write as _;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use netloom_services::http::{self, EntityTag, HttpDate, Request, Verdict, evaluate};
use sha2::{Digest, Sha256};

#[cfg(test)]
mod tests;

/// A file changed more recently than this may change again without its time or size telling: file
/// systems stamp with a clock that ticks every few milliseconds, some with whole or even seconds.
pub(super) const SETTLED: Duration = Duration::from_secs(3);

/// What identifies one version of a file to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Validators {
    /// The opaque tag, without quotes: hexadecimal digits and dashes.
    opaque: String,
    /// The file may be changing right now, so equal tags do not prove equal bytes.
    is_weak: bool,
    last_modified: Option<HttpDate>,
}

/// What the preconditions of a request make of what exists, if anything does.
pub(crate) fn verdict(
    request: &Request<'_>,
    existing: Option<&Validators>,
    now: SystemTime,
) -> Verdict {
    let existing = existing.map(Validators::as_http);
    evaluate(request, existing.as_ref(), HttpDate::from_system(now))
}

impl Validators {
    /// The validators of a file at the time `now`.
    pub(crate) fn of(metadata: &Metadata, now: SystemTime) -> Self {
        let modified = metadata.modified().ok();
        Self::new(modified, metadata.len(), metadata.ino(), now)
    }

    /// The validators of content that is made for each request.
    pub(crate) fn of_content(content: &[u8]) -> Self {
        let mut opaque = String::with_capacity(32);
        for octet in Sha256::digest(content).iter().take(16) {
            // Writing to a string does not fail.
            let _ = write!(opaque, "{octet:02x}");
        }
        Self {
            opaque,
            is_weak: false,
            last_modified: None,
        }
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
        let last_modified = since_epoch.and_then(|since| {
            let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
            HttpDate::from_unix(since.min(now).as_secs())
        });
        Self {
            opaque: format!("{nanos:x}-{size:x}-{inode:x}"),
            is_weak: !is_settled,
            last_modified,
        }
    }

    /// The value of the `ETag` field.
    pub(crate) fn etag(&self) -> EntityTag<'_> {
        EntityTag {
            is_weak: self.is_weak,
            opaque: self.opaque.as_bytes(),
        }
    }

    /// The value of the `Last-Modified` field; none for a file older than 1970.
    pub(crate) fn last_modified(&self) -> Option<HttpDate> {
        self.last_modified
    }

    /// Whether an `If-Range` field lets the `Range` field beside it apply.
    pub(crate) fn allow_range(&self, request: &Request<'_>, now: SystemTime) -> bool {
        let now = HttpDate::from_system(now);
        self.as_http().allow_range(request, now)
    }

    fn as_http(&self) -> http::Validators<'_> {
        http::Validators {
            etag: Some(self.etag()),
            last_modified: self.last_modified,
        }
    }
}
