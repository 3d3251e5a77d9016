//! Files that clients send: PUT (RFC 9110 §9.3.4).
//!
//! What arrives goes to a [`Temporary`], and takes its name only once it is complete and on the
//! disk. A client that vanishes, a full disk or a killed server leaves what was there before, and
//! nothing else. After a crash of the system or a loss of power the name leads to the old content or
//! to the new one, each whole; that it is the new one is not promised, as the folder's entry may
//! reach the disk after the answer.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use rustix::fs::{AtFlags, FileType, statat};
use rustix::io::Errno;

use super::condition::{Validators, verdict};
use super::path::{RelativePath, Target};
use super::response::{Content, Response};
use super::root::{self, Found, Root};
use super::temporary::Temporary;
use netloom_services::http::{Framing, Refusal, Request, Status, Verdict};

/// Where uploads go, and how large one may be.
#[derive(Debug)]
pub struct Uploads {
    root: Root,
    limit: u64,
    /// Held from looking at what is there to replacing it, so that preconditions hold.
    publishing: Mutex<()>,
}

/// An upload that may begin.
#[derive(Debug)]
pub(super) struct Upload {
    folder: OwnedFd,
    name: Vec<u8>,
    temporary: Temporary,
}

impl Uploads {
    /// Uploads into `root`, each of at most `limit` octets.
    #[must_use]
    pub fn new(root: Root, limit: u64) -> Self {
        Self {
            root,
            limit,
            publishing: Mutex::new(()),
        }
    }

    /// The most octets of one upload.
    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    /// Looks at everything about a PUT that can be known before its body is read.
    pub(super) fn begin(&self, request: &Request<'_>, now: SystemTime) -> Result<Upload, Refusal> {
        if matches!(request.framing(), Framing::Length(length) if length > self.limit) {
            let why = "the file is larger than may be uploaded here";
            return Err(Refusal::new(Status::CONTENT_TOO_LARGE, why));
        }
        check_content(request)?;
        let target = Target::parse(request.target_bytes())?;
        let name = target.path.file_name().to_vec();
        if target.is_folder || name.is_empty() {
            let why = "a folder cannot be uploaded: name a file";
            return Err(Refusal::new(Status::CONFLICT, why));
        }
        let folder = self.parent(&target.path)?;
        check(request, current(&folder, &name, now)?.as_ref(), now)?;
        let again = root::reopen(&folder, root::LOOK_UP).map_err(|e| refuse(&e.into()))?;
        Ok(Upload {
            folder,
            name,
            temporary: Temporary::create(again).map_err(|error| refuse(&error))?,
        })
    }

    /// Gives a complete upload its name, if what `request` asks for still holds.
    //= https://www.rfc-editor.org/rfc/rfc9110#section-9.3.4
    //# If the target resource does not have a current representation and the
    //# PUT successfully creates one, then the origin server MUST inform the
    //# user agent by sending a 201 (Created) response.  If the target
    //# resource does have a current representation and that representation
    //# is successfully modified in accordance with the state of the enclosed
    //# representation, then the origin server MUST send either a 200 (OK) or
    //# a 204 (No Content) response to indicate successful completion of the
    //# request.
    pub(super) fn publish(
        &self,
        upload: Upload,
        request: &Request<'_>,
    ) -> Result<Response, Refusal> {
        let Upload {
            folder,
            name,
            temporary,
        } = upload;
        // Outside the lock: a slow disk keeps nobody else.
        temporary.sync().map_err(|error| refuse(&error))?;
        let metadata = temporary.metadata().map_err(|error| refuse(&error))?;
        let _publishing = self
            .publishing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let now = SystemTime::now();
        let existing = current(&folder, &name, now)?;
        check(request, existing.as_ref(), now)?;
        let published = if existing.is_some() {
            temporary.publish_over(&name)
        } else {
            temporary.publish_new(&name)
        };
        published.map_err(|error| match error.kind() {
            // Somebody else than this server was quicker.
            io::ErrorKind::AlreadyExists => changing(),
            _ => refuse(&error),
        })?;
        let mut response = match existing {
            Some(_) => Response::new(Status::NO_CONTENT, Content::None),
            None => created(),
        };
        //= https://www.rfc-editor.org/rfc/rfc9110#section-9.3.4
        //# An origin server MUST NOT send a validator field (Section 8.8), such
        //# as an ETag or Last-Modified field, in a successful response to PUT
        //# unless the request's representation data was saved without any
        //# transformation applied to the content (i.e., the resource's new
        //# representation data is identical to the content received in the PUT
        //# request) and the validator field value reflects the new
        //# representation.
        response.field("ETag", Validators::of(&metadata, now).etag());
        Ok(response)
    }

    /// The folder a file is to appear in. None is made.
    fn parent(&self, path: &RelativePath) -> Result<OwnedFd, Refusal> {
        let no_folder = Refusal::new(Status::CONFLICT, "the folder of this name does not exist");
        match self.root.find(&path.parent()) {
            Ok(Found::Folder(folder)) => Ok(folder),
            Ok(Found::File(..))
            | Err(Refusal {
                status: Status::NOT_FOUND,
                ..
            }) => Err(no_folder),
            Err(refusal) => Err(refusal),
        }
    }
}

impl Upload {
    /// Appends a piece of the content.
    pub(super) fn write(&mut self, piece: &[u8]) -> Result<(), Refusal> {
        self.temporary
            .file()
            .write_all(piece)
            .map_err(|error| refuse(&error))
    }
}

/// Refuses content that would not be stored as it is meant.
fn check_content(request: &Request<'_>) -> Result<(), Refusal> {
    //= https://www.rfc-editor.org/rfc/rfc9110#section-14.5
    //# An origin server SHOULD respond with a 400 (Bad Request) status code
    //# if it receives Content-Range on a PUT for a target resource that does
    //# not support partial PUT requests.
    if request.fields().has("Content-Range") {
        return Err(Refusal::new(
            Status::BAD_REQUEST,
            "a part of a file cannot be uploaded: send all of it",
        ));
    }
    // The coding would be lost: the file would be served as if it were the content.
    let is_coded = |value: &[u8]| !value.eq_ignore_ascii_case(b"identity");
    if request.values("Content-Encoding").any(is_coded) {
        return Err(Refusal::new(
            Status::UNSUPPORTED_MEDIA_TYPE,
            "content codings are not undone here: send the file as it is",
        ));
    }
    Ok(())
}

/// What there is under that name now, which an upload would replace.
fn current(folder: &OwnedFd, name: &[u8], now: SystemTime) -> Result<Option<Validators>, Refusal> {
    let stat = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(refuse(&error.into())),
    };
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        let why = "something that is no file has this name";
        return Err(Refusal::new(Status::CONFLICT, why));
    }
    let (_, metadata) = root::open_file(folder, name)?;
    Ok(Some(Validators::of(&metadata, now)))
}

fn check(
    request: &Request<'_>,
    existing: Option<&Validators>,
    now: SystemTime,
) -> Result<(), Refusal> {
    match verdict(request, existing, now) {
        Verdict::Proceed => Ok(()),
        Verdict::NotModified | Verdict::Failed => {
            let why = "what is stored here is not what the conditions ask for";
            Err(Refusal::new(Status::PRECONDITION_FAILED, why))
        }
    }
}

fn created() -> Response {
    let text = b"201 Created\n".to_vec();
    let mut response = Response::new(Status::CREATED, Content::Bytes(text));
    response.field("Content-Type", "text/plain; charset=utf-8");
    response
}

fn changing() -> Refusal {
    Refusal::new(
        Status::PRECONDITION_FAILED,
        "somebody else has just stored something under this name",
    )
}

/// The answer to a client whose upload the system would not store.
fn refuse(error: &io::Error) -> Refusal {
    match Errno::from_io_error(error) {
        Some(Errno::NOSPC | Errno::DQUOT) => Refusal::new(
            Status::INSUFFICIENT_STORAGE,
            "the server has no room for this file",
        ),
        Some(Errno::FBIG) => Refusal::new(
            Status::CONTENT_TOO_LARGE,
            "the server's file system takes no file of this size",
        ),
        Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => {
            Refusal::new(Status::FORBIDDEN, "the server may not write this")
        }
        Some(Errno::ISDIR | Errno::NOTDIR | Errno::NAMETOOLONG | Errno::INVAL) => {
            Refusal::new(Status::CONFLICT, "no file can have this name here")
        }
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM) => Refusal::new(
            Status::SERVICE_UNAVAILABLE,
            "the server has too many files open",
        ),
        Some(_) | None => Refusal::new(
            Status::INTERNAL_SERVER_ERROR,
            "the server cannot store this file",
        ),
    }
}
