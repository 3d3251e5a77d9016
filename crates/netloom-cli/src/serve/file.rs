//! From a request to the response: which file or folder, which version, which octets of it.

use std::fs::{File, Metadata};
use std::hash::{BuildHasher, RandomState};
use std::time::SystemTime;

use super::condition::{Validators, Verdict};
use super::listing;
use super::mime;
use super::path::{RelativePath, Target};
use super::range::{self, ByteRange, Selection};
use super::request::{Method, Request};
use super::response::{Content, FileContent, Part, Response};
use super::root::{self, Found, Root};
use super::status::{Refusal, Status};

#[cfg(test)]
mod tests;

/// The file that stands for its folder.
const INDEX: &str = "index.html";

/// The response to `request`, its content not yet read.
pub(crate) fn respond(root: &Root, request: &Request<'_>, now: SystemTime) -> Response {
    try_respond(root, request, now).unwrap_or_else(Response::refusal)
}

fn try_respond(root: &Root, request: &Request<'_>, now: SystemTime) -> Result<Response, Refusal> {
    //= https://www.rfc-editor.org/rfc/rfc9110#section-9.1
    //# An origin server that receives a
    //# request method that is unrecognized or not implemented SHOULD respond
    //# with the 501 (Not Implemented) status code.
    match request.method {
        Method::Get | Method::Head => {}
        Method::NotAllowed => {
            let why = "only GET and HEAD are allowed here";
            return Err(Refusal::new(Status::MethodNotAllowed, why));
        }
        Method::Unknown => {
            let why = "this method is not known here";
            return Err(Refusal::new(Status::NotImplemented, why));
        }
    }
    let target = Target::parse(request.target)?;
    match root.find(&target.path)? {
        Found::File(..) if target.is_folder => Err(root::not_found()),
        Found::File(file, metadata) => {
            send_file(file, &metadata, target.path.file_name(), request, now)
        }
        Found::Folder(_) if !target.is_folder => Ok(redirect(&target)),
        Found::Folder(folder) => match find_index(root, &target.path)? {
            Some((file, metadata)) => send_file(file, &metadata, INDEX.as_bytes(), request, now),
            None => Ok(html(listing::page(&folder, &target.path)?)),
        },
    }
}

fn find_index(root: &Root, folder: &RelativePath) -> Result<Option<(File, Metadata)>, Refusal> {
    match root.find(&folder.join(INDEX)) {
        Ok(Found::File(file, metadata)) => Ok(Some((file, metadata))),
        Ok(Found::Folder(_))
        | Err(Refusal {
            status: Status::NotFound,
            ..
        }) => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

fn html(page: Vec<u8>) -> Response {
    let mut response = Response::new(Status::Ok, Content::Bytes(page));
    response.field("Content-Type", "text/html; charset=utf-8");
    response
}

fn redirect(target: &Target<'_>) -> Response {
    let location = target.with_slash();
    let text = b"301 Moved Permanently: a folder's name ends in a slash\n".to_vec();
    let mut response = Response::new(Status::MovedPermanently, Content::Bytes(text));
    response.field("Content-Type", "text/plain; charset=utf-8");
    // A query may hold octets that are no ASCII; a URI may not.
    response.field(
        "Location",
        String::from_utf8_lossy(&location).escape_default(),
    );
    response
}

fn send_file(
    file: File,
    metadata: &Metadata,
    name: &[u8],
    request: &Request<'_>,
    now: SystemTime,
) -> Result<Response, Refusal> {
    let validators = Validators::of(metadata, now);
    match validators.evaluate(request) {
        Verdict::Proceed => {}
        Verdict::NotModified => return Ok(not_modified(&validators)),
        Verdict::Failed => {
            let why = "the file is not the version asked for";
            return Err(Refusal::new(Status::PreconditionFailed, why));
        }
    }
    let size = metadata.len();
    //= https://www.rfc-editor.org/rfc/rfc9110#section-14.2
    //# A server MUST ignore a Range header field received with a request
    //# method that is unrecognized or for which range handling is not
    //# defined.
    let selection = match request.single("Range") {
        Some(value) if request.method == Method::Get && validators.allow_range(request) => {
            range::select(value, size)
        }
        Some(_) | None => Selection::Whole,
    };
    let content_type = mime::content_type(name);
    let mut response = match selection {
        Selection::Unsatisfiable => return Ok(not_satisfiable(size)),
        Selection::Whole => {
            let parts = (size > 0).then(|| whole(size)).into_iter().collect();
            let mut response = from_file(Status::Ok, file, parts, Vec::new());
            response.field("Content-Type", content_type);
            response
        }
        Selection::Ranges(ranges) => match *ranges {
            [range] => single_part(file, range, size, content_type),
            _ => multipart(file, &ranges, size, content_type),
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
        response.status == Status::PartialContent && request.values("If-Range").next().is_some();
    if let Some(date) = validators.last_modified().filter(|_| !is_resumption) {
        response.field("Last-Modified", date);
    }
    Ok(response)
}

fn whole(size: u64) -> Part {
    Part {
        preface: Vec::new(),
        range: ByteRange {
            first: 0,
            last: size - 1,
        },
    }
}

fn from_file(status: Status, file: File, parts: Vec<Part>, closing: Vec<u8>) -> Response {
    Response::new(
        status,
        Content::File(FileContent {
            file,
            parts,
            closing,
        }),
    )
}

//= https://www.rfc-editor.org/rfc/rfc9110#section-15.3.7.1
//# If a single part is being transferred, the server generating the 206
//# response MUST generate a Content-Range header field, describing what
//# range of the selected representation is enclosed, and a content
//# consisting of the range.
fn single_part(file: File, range: ByteRange, size: u64, content_type: &str) -> Response {
    let part = Part {
        preface: Vec::new(),
        range,
    };
    let mut response = from_file(Status::PartialContent, file, vec![part], Vec::new());
    response.field("Content-Type", content_type);
    response.field("Content-Range", content_range(range, size));
    response
}

//= https://www.rfc-editor.org/rfc/rfc9110#section-15.3.7.2
//# Within the header area of each body part in the multipart content,
//# the server MUST generate a Content-Range header field corresponding
//# to the range being enclosed in that body part.
fn multipart(file: File, ranges: &[ByteRange], size: u64, content_type: &str) -> Response {
    let boundary = boundary();
    let part = |(index, &range): (usize, &ByteRange)| {
        let line_end = if index == 0 { "" } else { "\r\n" };
        let preface = format!(
            "{line_end}--{boundary}\r\nContent-Type: {content_type}\r\nContent-Range: {}\r\n\r\n",
            content_range(range, size),
        );
        Part {
            preface: preface.into_bytes(),
            range,
        }
    };
    let parts = ranges.iter().enumerate().map(part).collect();
    let closing = format!("\r\n--{boundary}--\r\n").into_bytes();
    let mut response = from_file(Status::PartialContent, file, parts, closing);
    response.field(
        "Content-Type",
        format_args!("multipart/byteranges; boundary={boundary}"),
    );
    response
}

fn content_range(range: ByteRange, size: u64) -> String {
    let ByteRange { first, last } = range;
    format!("bytes {first}-{last}/{size}")
}

/// A line no file holds, because nobody knows it beforehand.
fn boundary() -> String {
    let random = || RandomState::new().hash_one(());
    format!("{:016x}{:016x}", random(), random())
}

//= https://www.rfc-editor.org/rfc/rfc9110#section-15.5.17
//# A server that generates a 416 response to a byte-range request SHOULD
//# generate a Content-Range header field specifying the current length
//# of the selected representation (Section 14.4).
fn not_satisfiable(size: u64) -> Response {
    let why = "the file has none of these octets";
    let mut response = Response::refusal(Refusal::new(Status::RangeNotSatisfiable, why));
    response.field("Content-Range", format_args!("bytes */{size}"));
    response
}

//= https://www.rfc-editor.org/rfc/rfc9110#section-15.4.5
//# The server generating a 304 response MUST generate any of the
//# following header fields that would have been sent in a 200 (OK)
//# response to the same request:
fn not_modified(validators: &Validators) -> Response {
    let mut response = Response::new(Status::NotModified, Content::None);
    response.field("ETag", validators.etag());
    response
}
