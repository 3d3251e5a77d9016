//! Small files that were read lately, so that they need not be opened for every request.
//!
//! A path is looked up for every request; what is kept counts only while the file there is the one
//! that was read: same file, size, time of change and time of modification. A file that changed a
//! moment ago is not kept: the next change might leave it with the same times. Some changes show in
//! no time (mapped memory, files of other hosts, another disk in the same place), so nothing counts
//! for longer than [`LIFE`].

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::Stat;

use super::condition::SETTLED;

#[cfg(test)]
mod tests;

/// The largest file that is kept, in octets.
const LARGEST: u64 = 16 * 1024;

/// All that is kept, in octets, at most. When that is reached, all is forgotten: what is asked for
/// often is soon there again.
const MOST: usize = 4 * 1024 * 1024;

/// How long what was read counts.
const LIFE: Duration = Duration::from_secs(1);

/// What a file's entry costs beside its octets.
const ENTRY: usize = size_of::<Kept>() + 64;

/// A regular file to be read from.
#[derive(Debug)]
pub(crate) enum Source {
    /// Open for reading.
    File(File),
    /// Read already.
    Kept(Arc<[u8]>),
}

impl Source {
    /// Whether it was read already.
    pub(crate) fn is_kept(&self) -> bool {
        matches!(self, Self::Kept(_))
    }

    /// Reads from a place of the file on; says how much there was.
    ///
    /// # Errors
    ///
    /// The system's.
    pub(crate) fn read_at(&self, at: u64, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => loop {
                match file.read_at(room, at) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    done => return done,
                }
            },
            Self::Kept(octets) => {
                let left = usize::try_from(at).ok().and_then(|at| octets.get(at..));
                let left = left.unwrap_or_default();
                let count = left.len().min(room.len());
                room[..count].copy_from_slice(&left[..count]);
                Ok(count)
            }
        }
    }
}

/// The small files of a folder that were read lately.
#[derive(Debug, Default)]
pub(super) struct KeptFiles(Mutex<Files>);

#[derive(Debug, Default)]
struct Files {
    /// By device and inode.
    files: HashMap<(u64, u64), Kept>,
    /// What they cost, in octets.
    cost: usize,
}

#[derive(Debug)]
struct Kept {
    metadata: Metadata,
    octets: Arc<[u8]>,
    read: Instant,
}

impl KeptFiles {
    /// The file that was found to be `stat`, if it is kept.
    pub(super) fn find(&self, stat: &Stat, now: Instant) -> Option<(Source, Metadata)> {
        let files = self.files();
        let kept = files.files.get(&(stat.st_dev, stat.st_ino))?;
        let Kept {
            metadata,
            octets,
            read,
        } = kept;
        if now.saturating_duration_since(*read) > LIFE {
            return None;
        }
        let same_time = |seconds: (i64, i64), nanos: (i64, u64)| {
            seconds.0 == seconds.1 && u64::try_from(nanos.0).is_ok_and(|n| n == nanos.1)
        };
        let is_same = metadata.mode() == stat.st_mode
            && u64::try_from(stat.st_size).is_ok_and(|size| size == metadata.len())
            && same_time(
                (metadata.mtime(), stat.st_mtime),
                (metadata.mtime_nsec(), stat.st_mtime_nsec),
            )
            && same_time(
                (metadata.ctime(), stat.st_ctime),
                (metadata.ctime_nsec(), stat.st_ctime_nsec),
            );
        is_same.then(|| (Source::Kept(Arc::clone(octets)), metadata.clone()))
    }

    /// Reads a file and keeps it, if it is one to be kept; else it stays as it is.
    pub(super) fn keep(&self, file: File, metadata: &Metadata, now: SystemTime) -> Source {
        if metadata.len() > LARGEST || !is_settled(metadata, now) {
            return Source::File(file);
        }
        let mut octets = vec![0; metadata.len() as usize];
        if file.read_exact_at(&mut octets, 0).is_err() {
            // It has become shorter, or cannot be read: whoever sends it finds out.
            return Source::File(file);
        }
        let octets: Arc<[u8]> = octets.into();
        let mut files = self.files();
        if files.cost > MOST {
            *files = Files::default();
        }
        files.cost += octets.len() + ENTRY;
        let kept = Kept {
            metadata: metadata.clone(),
            octets: Arc::clone(&octets),
            read: Instant::now(),
        };
        if let Some(before) = files.files.insert((metadata.dev(), metadata.ino()), kept) {
            files.cost -= before.octets.len() + ENTRY;
        }
        Source::Kept(octets)
    }

    /// What is under this lock is right whoever panicked with it.
    fn files(&self) -> MutexGuard<'_, Files> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a further change of the file would be seen by its times.
fn is_settled(metadata: &Metadata, now: SystemTime) -> bool {
    let (seconds, nanos) = (metadata.ctime(), metadata.ctime_nsec());
    let changed = u64::try_from(seconds)
        .ok()
        .zip(u32::try_from(nanos).ok())
        .and_then(|(seconds, nanos)| {
            SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanos))
        });
    [metadata.modified().ok(), changed].iter().all(|time| {
        time.and_then(|time| time.checked_add(SETTLED))
            .is_some_and(|settled| settled <= now)
    })
}
