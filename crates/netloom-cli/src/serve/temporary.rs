//! A file that is not there until it is complete.
//!
//! It has no name while it is written where the system offers that (Linux's `O_TMPFILE`), so that
//! even a killed server leaves nothing behind; elsewhere it has a name of its own, which goes with
//! the value.

use std::fs::{File, Metadata};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Mode, OFlags, linkat, openat, renameat, unlinkat};

/// What the file's permissions are before the umask.
const MODE: Mode = Mode::from_bits_truncate(0o666);

/// A file in the making, in the folder where it will appear.
#[derive(Debug)]
pub(super) struct Temporary {
    folder: OwnedFd,
    file: File,
    /// The name it has for now, if it has one.
    name: Option<String>,
}

impl Temporary {
    /// An empty file that will appear in `folder`.
    pub(super) fn create(folder: OwnedFd) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        if let Some(file) = nameless(&folder)? {
            return Ok(Self {
                folder,
                file,
                name: None,
            });
        }
        let name = random_name();
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(openat(&folder, &name, flags, MODE)?);
        Ok(Self {
            folder,
            file,
            name: Some(name),
        })
    }

    /// The file, to be written.
    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Waits until what was written is on the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// What the system knows of the file; it stays true of the name it will appear as.
    pub(super) fn metadata(&self) -> io::Result<Metadata> {
        self.file.metadata()
    }

    /// Has it appear as `name`; an error of kind [`io::ErrorKind::AlreadyExists`] if something
    /// has that name, which then stays as it is.
    pub(super) fn publish_new(self, name: &[u8]) -> io::Result<()> {
        self.link(name)
    }

    /// Has it appear as `name` in the place of the file that has that name, if there is one: there
    /// is no moment without either.
    pub(super) fn publish_over(mut self, name: &[u8]) -> io::Result<()> {
        let temporary = match self.name.clone() {
            Some(name) => name,
            None => {
                // A link cannot replace a file, a rename can.
                let temporary = random_name();
                self.link(temporary.as_bytes())?;
                self.name = Some(temporary.clone());
                temporary
            }
        };
        renameat(&self.folder, &temporary, &self.folder, name)?;
        self.name = None;
        Ok(())
    }

    fn link(&self, name: &[u8]) -> io::Result<()> {
        match &self.name {
            Some(own) => linkat(&self.folder, own, &self.folder, name, AtFlags::empty())?,
            #[cfg(target_os = "linux")]
            None => {
                let path = descriptor_path(&self.file);
                let from = rustix::fs::CWD;
                linkat(from, path, &self.folder, name, AtFlags::SYMLINK_FOLLOW)?;
            }
            #[cfg(not(target_os = "linux"))]
            None => return Err(io::ErrorKind::Unsupported.into()),
        }
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // Nobody is left to tell if this fails.
            let _ = unlinkat(&self.folder, name, AtFlags::empty());
        }
    }
}

/// A file without a name; `None` where the file system or a missing /proc does not allow it.
#[cfg(target_os = "linux")]
fn nameless(folder: &OwnedFd) -> io::Result<Option<File>> {
    use rustix::io::Errno;
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    match openat(folder, c".", flags, MODE) {
        Ok(fd) => {
            let file = File::from(fd);
            let can_be_linked = std::fs::symlink_metadata(descriptor_path(&file)).is_ok();
            Ok(can_be_linked.then_some(file))
        }
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(target_os = "linux")]
fn descriptor_path(file: &File) -> String {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// A name nobody knows beforehand.
fn random_name() -> String {
    format!(".netloom-{:016x}.part", RandomState::new().hash_one(()))
}
