//! A connection and what is to be sent on it.

use std::io::{self, ErrorKind};

use netloom_services::http::{ByteRange, Output, StreamError, Transport};

use super::kept::Source;
use super::response::Parts;
use crate::stream::{Connection, Timed};

#[cfg(test)]
mod tests;

/// Gathers what is to be sent, so that a small response leaves in one write and a large one in
/// writes of the buffer's size, and sends all of it before it waits for the client.
#[derive(Debug)]
pub(super) struct Wire<'b, C> {
    pub(super) connection: Timed<C>,
    pub(super) output: Output<'b>,
}

impl<C: Connection> Wire<'_, C> {
    /// Appends `bytes`, writing out what does not fit.
    pub(super) fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.output
            .push_all(bytes, &mut self.connection)
            .map_err(failed)
    }

    /// Appends `range` of `file`; an error if the file has become shorter than that.
    pub(super) fn push_file(&mut self, file: &Source, range: ByteRange) -> io::Result<()> {
        self.push_made(range.len(), |offset, room| {
            file.read_at(range.first + offset, room)
        })
    }

    /// Appends parts of `file`; an error if the file has become shorter.
    pub(super) fn push_parts(&mut self, file: &Source, parts: &Parts) -> io::Result<()> {
        self.push_made(parts.len(), |offset, room| {
            parts.fill(offset, room, |at, room| file.read_at(at, room))
        })
    }

    /// Appends `len` octets that `make` writes in the room it is given, from an offset on.
    fn push_made(
        &mut self,
        len: u64,
        mut make: impl FnMut(u64, &mut [u8]) -> io::Result<usize>,
    ) -> io::Result<()> {
        let mut offset = 0;
        while offset < len {
            if self.output.space().is_empty() {
                self.flush()?;
            }
            let room = self.output.space();
            let count = usize::try_from(len - offset).map_or(room.len(), |n| n.min(room.len()));
            let made = make(offset, &mut room[..count])?;
            if made == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            self.output.commit(made);
            offset += made as u64;
        }
        Ok(())
    }

    /// Writes out everything.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.output.flush(&mut self.connection).map_err(failed)
    }
}

impl<C: Connection> Transport for Wire<'_, C> {
    type Error = io::Error;

    /// The answers to pipelined requests wait for each other, but not for the client.
    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, StreamError<io::Error>> {
        self.flush().map_err(StreamError::Failed)?;
        self.connection.receive(buffer)
    }

    fn send(&mut self, data: &[u8]) -> Result<usize, StreamError<io::Error>> {
        self.connection.send(data)
    }
}

/// A connection that waits does not say that it would.
fn failed(error: StreamError<io::Error>) -> io::Error {
    match error {
        StreamError::WouldBlock => ErrorKind::TimedOut.into(),
        StreamError::Failed(error) => error,
    }
}
