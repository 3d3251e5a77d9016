//! The served folder, and opening what lies in it without ever leaving it.
//!
//! A path is opened name by name, each relative to the folder before it, and no symbolic link is
//! ever followed by the system on our behalf (`O_NOFOLLOW` at every step). Where a link stands in
//! the way, the path is resolved by `canonicalize`; if what comes out lies in the folder, *that*
//! path is opened name by name, again without following links. So links that stay inside work,
//! links that lead outside are refused, and whoever swaps folders for links while we look gains
//! nothing: the resolved path is advice, the opening is what keeps the law. (Hard links and mounts
//! are the folder's own contents.)

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, openat, statat};
use rustix::io::Errno;

use super::kept::{KeptFiles, Source};
use super::path::RelativePath;
use netloom_services::http::{Refusal, Status};

#[cfg(test)]
mod tests;

/// An open folder to serve from.
#[derive(Debug)]
pub struct Root {
    folder: OwnedFd,
    /// Where it was when it was opened, without symbolic links.
    path: PathBuf,
    kept: KeptFiles,
}

/// What a path names.
#[derive(Debug)]
pub(crate) enum Found {
    /// A regular file, to be read.
    File(Source, Metadata),
    /// A folder, open for [`listing`](super::listing) or only for looking up names in it.
    Folder(OwnedFd),
}

/// A folder handle needs no more rights than looking names up takes.
pub(super) const LOOK_UP: OFlags = OFlags::PATH;

impl Root {
    /// Opens the folder at `path`.
    ///
    /// # Errors
    ///
    /// What the system says; [`io::ErrorKind::NotADirectory`] for what is no folder.
    pub fn open(path: &Path) -> io::Result<Self> {
        let path = path.canonicalize()?;
        let flags = LOOK_UP | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(&path, flags, Mode::empty())?;
        let kept = KeptFiles::default();
        Ok(Self { folder, path, kept })
    }

    /// Where the folder was when it was opened: an absolute path without symbolic links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Finds what `path` names.
    pub(crate) fn find(&self, path: &RelativePath) -> Result<Found, Refusal> {
        match self.walk(path.names()) {
            Err(Stop::Link) => {}
            Err(Stop::Refused(refusal)) => return Err(refusal),
            Ok(found) => return Ok(found),
        }
        let resolved = self
            .path
            .join(OsStr::from_bytes(path.as_bytes()))
            .canonicalize()
            .map_err(refuse)?;
        let Ok(inside) = resolved.strip_prefix(&self.path) else {
            return Err(forbidden("a symbolic link leads out of the served folder"));
        };
        Ok(self.walk(inside.iter().map(OsStr::as_bytes))?)
    }

    fn walk<'p>(&self, names: impl Iterator<Item = &'p [u8]>) -> Result<Found, Stop> {
        let mut names = names.peekable();
        // The served folder itself, until there is one below it.
        let mut below: Option<OwnedFd> = None;
        while let Some(name) = names.next() {
            let folder = below.as_ref().unwrap_or(&self.folder);
            let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Symlink => return Err(Stop::Link),
                FileType::Directory => below = Some(open_folder(folder, name)?),
                FileType::RegularFile if names.peek().is_none() => {
                    if let Some((source, metadata)) = self.kept.find(&stat, Instant::now()) {
                        return Ok(Found::File(source, metadata));
                    }
                    let (file, metadata) = open_file(folder, name)?;
                    let source = self.kept.keep(file, &metadata, SystemTime::now());
                    return Ok(Found::File(source, metadata));
                }
                FileType::RegularFile => return Err(Stop::Refused(not_found())),
                FileType::Fifo
                | FileType::Socket
                | FileType::CharacterDevice
                | FileType::BlockDevice
                | FileType::Unknown => {
                    return Err(Stop::Refused(forbidden(
                        "this is neither a file nor a folder",
                    )));
                }
            }
        }
        Ok(Found::Folder(match below {
            Some(folder) => folder,
            None => reopen(&self.folder, LOOK_UP)?,
        }))
    }
}

/// Opens the folder `name`, which was one when it was looked at, and fails if it is a link by now.
fn open_folder(folder: &OwnedFd, name: &[u8]) -> rustix::io::Result<OwnedFd> {
    let flags = LOOK_UP | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(folder, name, flags, Mode::empty())
}

/// Opens the regular file `name`. It was one when it was looked at; it may be anything by now, so
/// opening must not wait (fifo), acquire a terminal or follow a link, and it is looked at again.
pub(super) fn open_file(folder: &OwnedFd, name: &[u8]) -> Result<(File, Metadata), Stop> {
    let flags =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(openat(folder, name, flags, Mode::empty())?);
    let metadata = file
        .metadata()
        .map_err(|error| Stop::Refused(refuse(error)))?;
    if !metadata.is_file() {
        return Err(Stop::Refused(forbidden(
            "this is neither a file nor a folder",
        )));
    }
    Ok((file, metadata))
}

/// Another handle of `folder`, with other rights.
pub(super) fn reopen(folder: &OwnedFd, access: OFlags) -> rustix::io::Result<OwnedFd> {
    openat(
        folder,
        c".",
        access | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
}

/// Why a walk ended before its goal.
pub(super) enum Stop {
    /// A symbolic link stands in the way.
    Link,
    Refused(Refusal),
}

impl From<Stop> for Refusal {
    fn from(stop: Stop) -> Self {
        match stop {
            // No link was there a moment ago.
            Stop::Link => forbidden("the folder is changing under this request"),
            Stop::Refused(refusal) => refusal,
        }
    }
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Self {
        match errno {
            // What was a folder or a file when it was looked at is a link now.
            Errno::LOOP => Self::Link,
            _ => Self::Refused(refuse(errno.into())),
        }
    }
}

/// The answer to a client whose path the system could not open.
pub(super) fn refuse(error: io::Error) -> Refusal {
    match Errno::from_io_error(&error) {
        Some(Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG | Errno::LOOP | Errno::ILSEQ) => {
            not_found()
        }
        Some(Errno::ACCESS | Errno::PERM) => forbidden("the server may not read this"),
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM) => Refusal::new(
            Status::SERVICE_UNAVAILABLE,
            "the server has too many files open",
        ),
        Some(_) | None => {
            Refusal::new(Status::INTERNAL_SERVER_ERROR, "the server cannot read this")
        }
    }
}

pub(super) fn not_found() -> Refusal {
    Refusal::new(Status::NOT_FOUND, "nothing has this name here")
}

fn forbidden(why: &'static str) -> Refusal {
    Refusal::new(Status::FORBIDDEN, why)
}
