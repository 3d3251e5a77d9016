//! From a request to the response: which file or folder, which version, which octets of it.

use std::fmt::Write as _;
use std::fs::Metadata;
use std::hash::{BuildHasher, RandomState};
use std::time::SystemTime;

use super::condition::{Validators, verdict};
use super::kept::Source;
use super::listing;
use super::mime;
use super::path::{RelativePath, Target};
use super::response::{Content, FileContent, Octets, Parts, Response};
use super::root::{self, Found, Root};
use netloom_services::http::{
    ByteRange, ByteRanges, ContentRange, Method, Ranges, Refusal, Request, Selection, Status,
    Verdict,
};

#[cfg(test)]
mod tests;

/// The file that stands for its folder.
const INDEX: &str = "index.html";

/// The response to a GET or HEAD request, its content not yet read.
pub(crate) fn respond(root: &Root, request: &Request<'_>, now: SystemTime) -> Response {
    try_respond(root, request, now).unwrap_or_else(Response::refusal)
}

fn try_respond(root: &Root, request: &Request<'_>, now: SystemTime) -> Result<Response, Refusal> {
    let target = Target::parse(request.target_bytes())?;
    match root.find(&target.path)? {
        Found::File(..) if target.is_folder => Err(root::not_found()),
        Found::File(file, metadata) => {
            send_file(file, &metadata, target.path.file_name(), request, now)
        }
        Found::Folder(_) if !target.is_folder => Ok(redirect(&target)),
        Found::Folder(folder) => match find_index(root, &target.path)? {
            Some((file, metadata)) => send_file(file, &metadata, INDEX.as_bytes(), request, now),
            None => send_listing(listing::page(&folder, &target.path)?, request, now),
        },
    }
}

fn find_index(root: &Root, folder: &RelativePath) -> Result<Option<(Source, Metadata)>, Refusal> {
    match root.find(&folder.join(INDEX)) {
        Ok(Found::File(file, metadata)) => Ok(Some((file, metadata))),
        Ok(Found::Folder(_))
        | Err(Refusal {
            status: Status::NOT_FOUND,
            ..
        }) => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

fn send_listing(
    page: Vec<u8>,
    request: &Request<'_>,
    now: SystemTime,
) -> Result<Response, Refusal> {
    let validators = Validators::of_content(&page);
    if let Some(response) = instead(&validators, request, now)? {
        return Ok(response);
    }
    let mut response = Response::new(Status::OK, Content::Bytes(page));
    response.field("Content-Type", "text/html; charset=utf-8");
    response.field("ETag", validators.etag());
    Ok(response)
}

/// What the preconditions of a request have sent instead of the content, if anything.
fn instead(
    validators: &Validators,
    request: &Request<'_>,
    now: SystemTime,
) -> Result<Option<Response>, Refusal> {
    match verdict(request, Some(validators), now) {
        Verdict::Proceed => Ok(None),
        Verdict::NotModified => Ok(Some(not_modified(validators))),
        Verdict::Failed => {
            let why = "this is not the version asked for";
            Err(Refusal::new(Status::PRECONDITION_FAILED, why))
        }
    }
}

fn redirect(target: &Target<'_>) -> Response {
    let location = target.with_slash();
    let text = b"301 Moved Permanently: a folder's name ends in a slash\n".to_vec();
    let mut response = Response::new(Status::MOVED_PERMANENTLY, Content::Bytes(text));
    response.field("Content-Type", "text/plain; charset=utf-8");
    response.field("Location", as_uri(&location));
    response
}

/// A target as a field takes it: a query may hold octets that are no ASCII; a URI may not.
fn as_uri(target: &[u8]) -> String {
    let mut uri = String::with_capacity(target.len());
    for &octet in target {
        if octet.is_ascii_graphic() {
            uri.push(char::from(octet));
        } else {
            // Writing to a `String` does not fail.
            let _ = write!(uri, "%{octet:02X}");
        }
    }
    uri
}

fn send_file(
    file: Source,
    metadata: &Metadata,
    name: &[u8],
    request: &Request<'_>,
    now: SystemTime,
) -> Result<Response, Refusal> {
    let validators = Validators::of(metadata, now);
    if let Some(response) = instead(&validators, request, now)? {
        return Ok(response);
    }
    let size = metadata.len();
    //= https://www.rfc-editor.org/rfc/rfc9110#section-14.2
    //# A server MUST ignore a Range header field received with a request
    //# method that is unrecognized or for which range handling is not
    //# defined.
    let selection = match request.single("Range") {
        Some(value) if request.method() == Method::Get && validators.allow_range(request, now) => {
            Ranges::select(value, size)
        }
        Some(_) | None => Selection::Whole,
    };
    let content_type = mime::content_type(name);
    let mut response = match selection {
        Selection::Unsatisfiable => return Ok(not_satisfiable(size)),
        Selection::Whole => {
            let octets = size.checked_sub(1).map_or(Octets::None, |last| {
                Octets::One(ByteRange { first: 0, last })
            });
            let mut response = from_file(Status::OK, file, octets);
            response.field("Content-Type", content_type);
            response
        }
        Selection::Ranges(ranges) => match *ranges.as_slice() {
            [range] => single_part(file, range, size, content_type),
            _ => {
                let parts = ByteRanges::new(ranges, size, content_type, boundary());
                multipart(file, parts)
            }
        },
    };
    response.field("Accept-Ranges", "bytes");
    response.field("ETag", validators.etag());
    //= https://www.rfc-editor.org/rfc/rfc9110#section-15.3.7
    //# A sender that generates a 206 response to a request with an If-Range
    //# header field SHOULD NOT generate other representation header fields
    //# beyond those required because the client already has a prior response
    //# containing those header fields.
    let is_resumption =
        response.status == Status::PARTIAL_CONTENT && request.fields().has("If-Range");
    if let Some(date) = validators.last_modified().filter(|_| !is_resumption) {
        response.field("Last-Modified", date);
    }
    Ok(response)
}

fn from_file(status: Status, file: Source, octets: Octets) -> Response {
    Response::new(status, Content::File(FileContent { file, octets }))
}

//= https://www.rfc-editor.org/rfc/rfc9110#section-15.3.7.1
//# If a single part is being transferred, the server generating the 206
//# response MUST generate a Content-Range header field, describing what
//# range of the selected representation is enclosed, and a content
//# consisting of the range.
fn single_part(file: Source, range: ByteRange, size: u64, content_type: &str) -> Response {
    let mut response = from_file(Status::PARTIAL_CONTENT, file, Octets::One(range));
    response.field("Content-Type", content_type);
    response.field("Content-Range", ContentRange::of(range, size));
    response
}

//= https://www.rfc-editor.org/rfc/rfc9110#section-15.3.7.2
//# To avoid confusion with single-part responses, a server
//# MUST NOT generate a Content-Range header field in the HTTP header
//# section of a multiple part response (this field will be sent in each
//# part instead).
fn multipart(file: Source, parts: Parts) -> Response {
    let content_type = parts.content_type();
    let mut response = from_file(
        Status::PARTIAL_CONTENT,
        file,
        Octets::Several(Box::new(parts)),
    );
    response.field("Content-Type", content_type);
    response
}

/// What no file holds, because nobody knows it beforehand.
fn boundary() -> [u64; 2] {
    let random = || RandomState::new().hash_one(());
    [random(), random()]
}

//= https://www.rfc-editor.org/rfc/rfc9110#section-15.5.17
//# A server that generates a 416 response to a byte-range request SHOULD
//# generate a Content-Range header field specifying the current length
//# of the selected representation (Section 14.4).
fn not_satisfiable(size: u64) -> Response {
    let why = "the file has none of these octets";
    let mut response = Response::refusal(Refusal::new(Status::RANGE_NOT_SATISFIABLE, why));
    let none = ContentRange {
        range: None,
        complete_length: Some(size),
    };
    response.field("Content-Range", none);
    response
}

//= https://www.rfc-editor.org/rfc/rfc9110#section-15.4.5
//# The server generating a 304 response MUST generate any of the
//# following header fields that would have been sent in a 200 (OK)
//# response to the same request:
fn not_modified(validators: &Validators) -> Response {
    let mut response = Response::new(Status::NOT_MODIFIED, Content::None);
    response.field("ETag", validators.etag());
    response
}
