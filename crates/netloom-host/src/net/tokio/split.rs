//! Halves of connections. Each derefs to the whole, for what is no reading or writing.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::stream::TcpStream;

/// The reading half of a borrowed stream: [`TcpStream::split`].
#[derive(Debug)]
pub struct ReadHalf<'s>(&'s TcpStream);

/// The writing half of a borrowed stream: [`TcpStream::split`].
#[derive(Debug)]
pub struct WriteHalf<'s>(&'s TcpStream);

/// The reading half of a stream: [`TcpStream::into_split`].
#[derive(Debug)]
pub struct OwnedReadHalf(Arc<TcpStream>);

/// The writing half of a stream: [`TcpStream::into_split`]. Dropping it sends FIN behind what was
/// written.
#[derive(Debug)]
pub struct OwnedWriteHalf {
    stream: Arc<TcpStream>,
    /// Dropping it leaves the direction open.
    forgotten: bool,
}

/// Two halves that are not of one stream.
#[derive(Debug)]
pub struct ReuniteError(pub OwnedReadHalf, pub OwnedWriteHalf);

impl fmt::Display for ReuniteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the halves are not of the same stream")
    }
}

impl std::error::Error for ReuniteError {}

pub(super) fn split(stream: &mut TcpStream) -> (ReadHalf<'_>, WriteHalf<'_>) {
    (ReadHalf(stream), WriteHalf(stream))
}

pub(super) fn into_split(stream: TcpStream) -> (OwnedReadHalf, OwnedWriteHalf) {
    let stream = Arc::new(stream);
    let write = OwnedWriteHalf {
        stream: Arc::clone(&stream),
        forgotten: false,
    };
    (OwnedReadHalf(stream), write)
}

impl OwnedReadHalf {
    /// The stream, if `write` is its other half.
    ///
    /// # Errors
    /// Both halves back, if they are not of one stream.
    pub fn reunite(self, write: OwnedWriteHalf) -> Result<TcpStream, ReuniteError> {
        if !Arc::ptr_eq(&self.0, &write.stream) {
            return Err(ReuniteError(self, write));
        }
        let mut write = write;
        write.forgotten = true;
        drop(write);
        // These two were all there are.
        Arc::try_unwrap(self.0).map_err(|stream| {
            let write = OwnedWriteHalf {
                stream: Arc::clone(&stream),
                forgotten: false,
            };
            ReuniteError(OwnedReadHalf(stream), write)
        })
    }
}

impl OwnedWriteHalf {
    /// The stream, if `read` is its other half.
    ///
    /// # Errors
    /// Both halves back, if they are not of one stream.
    pub fn reunite(self, read: OwnedReadHalf) -> Result<TcpStream, ReuniteError> {
        read.reunite(self)
    }

    /// Gives the half up without finishing: the direction stays open until the reading half is
    /// dropped.
    pub fn forget(mut self) {
        self.forgotten = true;
    }
}

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        if !self.forgotten {
            // A connection that is over is finished enough.
            let _ = self.stream.finish();
        }
    }
}

impl Deref for ReadHalf<'_> {
    type Target = TcpStream;
    fn deref(&self) -> &TcpStream {
        self.0
    }
}

impl Deref for WriteHalf<'_> {
    type Target = TcpStream;
    fn deref(&self) -> &TcpStream {
        self.0
    }
}

impl Deref for OwnedReadHalf {
    type Target = TcpStream;
    fn deref(&self) -> &TcpStream {
        &self.0
    }
}

impl Deref for OwnedWriteHalf {
    type Target = TcpStream;
    fn deref(&self) -> &TcpStream {
        &self.stream
    }
}
