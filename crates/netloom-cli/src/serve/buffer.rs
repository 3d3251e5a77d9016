//! The two buffers of a connection. Each is allocated once, and its pages are touched only as far
//! as they are used.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use super::connection::{Connection, Timed};
use super::range::ByteRange;

#[cfg(test)]
mod tests;

/// Octets received and not yet consumed.
#[derive(Debug)]
pub(crate) struct Input {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Input {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            buffer: vec![0; capacity].into_boxed_slice(),
            start: 0,
            end: 0,
        }
    }

    pub(crate) fn unread(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Takes `count` octets off the front of [`Self::unread`].
    pub(crate) fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }

    /// Reads more behind what is unread, and returns how much; zero at the end of the stream. There
    /// is room, or the caller has refused what fills the buffer.
    pub(crate) fn fill<C: Connection>(
        &mut self,
        from: &mut Timed<C>,
        time: Duration,
    ) -> io::Result<usize> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let read = from.read(&mut self.buffer[self.end..], time)?;
        self.end += read;
        Ok(read)
    }

    /// All of the buffer, for a caller that needs its contents no more.
    pub(crate) fn scratch(&mut self) -> &mut [u8] {
        &mut self.buffer
    }
}

/// Octets to be sent, gathered so that a small response leaves in one write and a large one in
/// writes of the buffer's size.
#[derive(Debug)]
pub(crate) struct Output {
    buffer: Box<[u8]>,
    len: usize,
    /// How long the client may take over one full buffer.
    time: Duration,
}

impl Output {
    pub(crate) fn new(capacity: usize, time: Duration) -> Self {
        Self {
            buffer: vec![0; capacity].into_boxed_slice(),
            len: 0,
            time,
        }
    }

    /// Appends `bytes`, writing out what does not fit.
    pub(crate) fn push<C: Connection>(
        &mut self,
        mut bytes: &[u8],
        to: &mut Timed<C>,
    ) -> io::Result<()> {
        while !bytes.is_empty() {
            let room = self.room(to)?;
            let count = bytes.len().min(room.len());
            room[..count].copy_from_slice(&bytes[..count]);
            self.len += count;
            bytes = &bytes[count..];
        }
        Ok(())
    }

    /// Appends `range` of `file`; an error if the file has become shorter than that.
    pub(crate) fn push_file<C: Connection>(
        &mut self,
        file: &File,
        range: ByteRange,
        to: &mut Timed<C>,
    ) -> io::Result<()> {
        let (mut offset, mut left) = (range.first, range.len());
        while left > 0 {
            let room = self.room(to)?;
            let count = usize::try_from(left).map_or(room.len(), |left| left.min(room.len()));
            let read = match file.read_at(&mut room[..count], offset) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                done => done?,
            };
            self.len += read;
            offset += read as u64;
            left -= read as u64;
        }
        Ok(())
    }

    /// Writes out everything.
    pub(crate) fn flush<C: Connection>(&mut self, to: &mut Timed<C>) -> io::Result<()> {
        let pending = &self.buffer[..std::mem::take(&mut self.len)];
        to.write_all(pending, self.time)
    }

    /// The free end of the buffer, at least one octet.
    fn room<C: Connection>(&mut self, to: &mut Timed<C>) -> io::Result<&mut [u8]> {
        if self.len == self.buffer.len() {
            self.flush(to)?;
        }
        Ok(&mut self.buffer[self.len..])
    }
}
