//! Finding instances, and asking them.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::folder;
use super::message::{Ask, Instance, Line, Question, VERSION};
use super::server::{is_left_over, is_socket};

/// How long an instance may say nothing.
const PATIENCE: Duration = Duration::from_secs(30);

/// A line's length at most.
const LINE: u64 = 1 << 20;

/// A connection to an instance.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
}

/// The sockets of all instances of this user, in the order of their names. Those that were left
/// behind by a process that is gone are removed.
///
/// # Errors
/// A folder cannot be read.
pub fn instances() -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in folder::candidates() {
        if folder::check(&folder).is_err() {
            continue;
        }
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "sock") || !is_socket(&path) {
                continue;
            }
            if is_left_over(&path) {
                // Somebody else may have done so.
                let _ = fs::remove_file(&path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn malformed(what: impl std::fmt::Display) -> io::Error {
    let message = format!("the instance answers what cannot be understood: {what}");
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// The kernel's words for the other end having closed are no error here: what was read before
/// tells.
fn unless_it_left<T: Default>(done: io::Result<T>) -> io::Result<T> {
    match done {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
            ) =>
        {
            Ok(T::default())
        }
        done => done,
    }
}

impl Client {
    /// Connects to the instance behind a socket.
    ///
    /// # Errors
    /// What the kernel says: [`io::ErrorKind::NotFound`],
    /// [`io::ErrorKind::PermissionDenied`] for another user's,
    /// [`io::ErrorKind::ConnectionRefused`] if it is gone.
    pub fn connect(path: impl AsRef<Path>) -> io::Result<Client> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Client {
            stream: BufReader::new(stream),
        })
    }

    /// Asks, and calls `each` with every line of the answer but the last.
    ///
    /// # Errors
    /// The instance's own ([`io::ErrorKind::Other`]); it has gone; it answers what cannot be
    /// understood; what `each` says.
    pub fn ask(
        &mut self,
        ask: Ask,
        mut each: impl FnMut(Line) -> io::Result<()>,
    ) -> io::Result<()> {
        let question = Question {
            version: VERSION,
            ask,
        };
        let mut text = serde_json::to_vec(&question)?;
        text.push(b'\n');
        // An instance that turns its client away says so and closes, before the question or while
        // it is written: what it said is still there to be read.
        unless_it_left(self.stream.get_mut().write_all(&text))?;
        let mut line = Vec::new();
        loop {
            line.clear();
            unless_it_left((&mut self.stream).take(LINE).read_until(b'\n', &mut line))?;
            if line.last() != Some(&b'\n') {
                let message = "the instance has gone";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
            }
            match serde_json::from_slice(&line).map_err(malformed)? {
                Line::End => return Ok(()),
                Line::Error(message) => return Err(io::Error::other(message)),
                other => each(other)?,
            }
        }
    }

    /// Asks, and gathers what `pick` makes of the lines.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub fn gather<T>(
        &mut self,
        ask: Ask,
        mut pick: impl FnMut(Line) -> Option<T>,
    ) -> io::Result<Vec<T>> {
        let mut all = Vec::new();
        self.ask(ask, |line| {
            all.extend(pick(line));
            Ok(())
        })?;
        Ok(all)
    }

    /// Who it is.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub fn instance(&mut self) -> io::Result<Instance> {
        let mut found = self.gather(Ask::Instance, |line| match line {
            Line::Instance(instance) => Some(instance),
            _ => None,
        })?;
        found
            .pop()
            .ok_or_else(|| malformed("it does not say who it is"))
    }
}
