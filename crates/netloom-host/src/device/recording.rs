//! A capture that a device writes, and whose end somebody else sees to.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use netloom_driver::pcapng::{Interface, LinkType, Packet, StdOutput, Writer};
use netloom_driver::{Direction, Instant};

#[cfg(test)]
mod tests;

/// A capture (pcapng) that is being written. Clones are the same one: the device has one, and
/// whoever wants to know whether all of it was written keeps another, and calls
/// [`finish`](Recording::finish) when the device is gone.
///
/// What is written is buffered. Without `finish` the rest goes out when the last clone is dropped, and
/// nobody hears whether that worked.
#[derive(Clone)]
pub struct Recording {
    state: Arc<Mutex<State>>,
}

enum State {
    Open(Writer<StdOutput<BufWriter<Box<dyn Write + Send>>>>),
    Failed(io::Error),
    Finished,
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match &*self.state() {
            State::Open(_) => "open",
            State::Failed(_) => "failed",
            State::Finished => "finished",
        };
        f.debug_struct("Recording").field("state", &state).finish()
    }
}

impl Recording {
    /// Makes a file for a capture, in the place of one that is there.
    ///
    /// # Errors
    /// The file's.
    pub fn create(path: impl AsRef<Path>) -> io::Result<Recording> {
        Recording::new(File::create(path)?)
    }

    /// A capture that is written to anything.
    ///
    /// # Errors
    /// The output's.
    pub fn new(output: impl Write + Send + 'static) -> io::Result<Recording> {
        let output: Box<dyn Write + Send> = Box::new(output);
        let writer = Writer::new(StdOutput(BufWriter::new(output)))?;
        Ok(Recording {
            state: Arc::new(Mutex::new(State::Open(writer))),
        })
    }

    /// Describes an interface.
    ///
    /// # Errors
    /// The output's, now or before; [`io::ErrorKind::NotConnected`] after
    /// [`finish`](Recording::finish).
    pub fn interface(&self, link: LinkType, name: &str) -> io::Result<Interface> {
        let mut state = self.state();
        match &mut *state {
            State::Open(writer) => {
                let described = writer.interface(link, name);
                described.map_err(|error| state.fail(error))
            }
            State::Failed(error) => Err(again(error)),
            State::Finished => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Writes a frame of an interface that passes now, by the time of day. After a failure, which is
    /// told once here, and after [`finish`](Recording::finish) it does nothing.
    ///
    /// # Errors
    /// The output's.
    pub fn packet(
        &self,
        interface: Interface,
        direction: Direction,
        frame: &[u8],
    ) -> io::Result<()> {
        let mut state = self.state();
        let State::Open(writer) = &mut *state else {
            return Ok(());
        };
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        let micros = since_1970.unwrap_or_default().as_micros();
        let at = Instant::from_micros(u64::try_from(micros).unwrap_or(u64::MAX));
        let written = writer.packet(&Packet::new(interface, at, direction), frame);
        written.map_err(|error| state.fail(error))
    }

    /// Writes what is buffered, and calls `then` before anything else can be written: up to here the
    /// capture is whole, whatever becomes of the program.
    ///
    /// # Errors
    /// The output's, now or before. `then` is called whatever they are.
    pub fn whole_while<T>(&self, then: impl FnOnce() -> T) -> (io::Result<()>, T) {
        let mut state = self.state();
        let flushed = state.flush();
        (flushed, then())
    }

    /// Writes what is buffered, and closes the capture: what devices record afterwards goes nowhere.
    ///
    /// # Errors
    /// The output's, now or before: some of the capture is missing.
    pub fn finish(&self) -> io::Result<()> {
        let mut state = self.state();
        let flushed = state.flush();
        if flushed.is_ok() {
            *state = State::Finished;
        }
        flushed
    }

    /// What is under the lock is right whoever panicked with it: a frame is in it, or partly in it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn flush(&mut self) -> io::Result<()> {
        match self {
            State::Open(writer) => {
                let flushed = writer.get_mut().0.flush();
                flushed.map_err(|error| self.fail(error))
            }
            State::Failed(error) => Err(again(error)),
            State::Finished => Ok(()),
        }
    }

    /// Nothing more is written.
    fn fail(&mut self, error: io::Error) -> io::Error {
        let told = again(&error);
        // The buffer is not tried again when it is dropped.
        if let State::Open(writer) = std::mem::replace(self, State::Failed(error)) {
            let _ = writer.into_inner().0.into_parts();
        }
        told
    }
}

/// The same error once more.
fn again(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}
