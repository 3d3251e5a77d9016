//! Where the content goes.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::PathBuf;

use netloom_services::http::{ContentRange, Status};

use super::NOT_HTTP;
use super::exchange::Answer;
use crate::failure::Failure;

/// Standard output or a file, which may hold the beginning already.
#[derive(Debug)]
pub(super) enum Target {
    Stdout,
    File {
        path: PathBuf,
        file: Option<File>,
        /// Octets that are there already.
        len: u64,
    },
}

impl Target {
    /// The file, to be written from its end on if `resume`, or standard output. A file that is to
    /// be written anew stays as it is until there is something to write.
    ///
    /// # Errors
    ///
    /// The file to be continued cannot be opened.
    pub(super) fn open(path: Option<PathBuf>, resume: bool) -> Result<Target, Failure> {
        let Some(path) = path else {
            return Ok(Target::Stdout);
        };
        let (mut file, mut len) = (None, 0);
        if resume && path.exists() {
            let opened = File::options().append(true).open(&path);
            let measured = opened.and_then(|file| Ok((file.metadata()?.len(), file)));
            let (size, opened) = measured.map_err(|error| cannot(&path, &error))?;
            (file, len) = (Some(opened), size);
        }
        Ok(Target::File { path, file, len })
    }

    pub(super) fn is_file(&self) -> bool {
        matches!(self, Target::File { .. })
    }

    /// Octets that are there already.
    pub(super) fn len(&self) -> u64 {
        match self {
            Target::Stdout => 0,
            Target::File { len, .. } => *len,
        }
    }

    /// Whether nothing is missing, as an answer says that has none of the octets asked for.
    pub(super) fn is_complete(&self, range: Option<&ContentRange>) -> bool {
        let len = self.len();
        len > 0 && range.is_some_and(|range| range.complete_length == Some(len))
    }

    /// Makes ready for the content of an answer: all of it, or what was missing.
    ///
    /// # Errors
    ///
    /// The file cannot be written, or the answer holds another part than was asked for.
    pub(super) fn begin(&mut self, answer: &Answer) -> Result<(), Failure> {
        let is_part = answer.status == Status::PARTIAL_CONTENT;
        let first = answer.range.and_then(|range| Some(range.range?.first));
        if is_part && (self.len() == 0 || first != Some(self.len())) {
            return Err(Failure::new(
                "the server sends another part of the file than was asked for",
            )
            .with_exit_code(NOT_HTTP));
        }
        let Target::File { path, file, len } = self else {
            return Ok(());
        };
        let opened = match file {
            Some(file) if is_part => file.seek(SeekFrom::End(0)).map(drop),
            Some(file) => {
                *len = 0;
                file.set_len(0)
            }
            None => File::create(&*path).map(|created| *file = Some(created)),
        };
        opened.map_err(|error| cannot(path, &error))
    }

    /// Appends a piece of the content.
    pub(super) fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        match self {
            Target::Stdout => io::stdout().write_all(piece),
            Target::File { file, .. } => match file {
                Some(file) => file.write_all(piece),
                None => Ok(()),
            },
        }
    }

    /// The content is complete.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        match self {
            Target::Stdout => io::stdout().flush(),
            Target::File { .. } => Ok(()),
        }
    }
}

fn cannot(path: &std::path::Path, error: &io::Error) -> Failure {
    let path = path.display();
    Failure::new(format!(
        "cannot write `{path}`: {error}: name another file with --output"
    ))
}
