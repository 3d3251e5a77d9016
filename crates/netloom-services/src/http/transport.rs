//! The byte stream HTTP runs on, whatever it is.

use netloom_stack::{Error, Stack, TcpHandle};

/// A byte stream that says so when it would have to wait.
///
/// A connection of a [`Stack`] is one through [`Connection`]; with the feature `std` everything
/// that is [`Read`](std::io::Read) and [`Write`](std::io::Write) is one, and its time-outs count
/// as waiting.
pub trait Transport {
    /// What can go wrong.
    type Error;

    /// Receives something into `buffer`, which is not empty; 0 is the end of the stream.
    ///
    /// # Errors
    ///
    /// [`StreamError::WouldBlock`] while there is nothing.
    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, StreamError<Self::Error>>;

    /// Takes as much of `data`, which is not empty, as there is room for, and says how much that
    /// was: at least one octet.
    ///
    /// # Errors
    ///
    /// [`StreamError::WouldBlock`] while there is no room.
    fn send(&mut self, data: &[u8]) -> Result<usize, StreamError<Self::Error>>;
}

/// Why a stream did not do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamError<E> {
    /// Not now.
    WouldBlock,
    /// The stream has failed.
    Failed(E),
}

/// A TCP connection of a stack.
#[derive(Debug)]
pub struct Connection<'s> {
    stack: &'s mut Stack,
    handle: TcpHandle,
    sent: usize,
}

impl<'s> Connection<'s> {
    /// The connection `handle` of `stack`, for the time of a call or a few.
    pub fn new(stack: &'s mut Stack, handle: TcpHandle) -> Self {
        Self {
            stack,
            handle,
            sent: 0,
        }
    }

    /// Octets it took.
    pub(super) fn sent(&self) -> usize {
        self.sent
    }
}

impl Transport for Connection<'_> {
    type Error = Error;

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, StreamError<Error>> {
        self.stack
            .tcp_read(self.handle, buffer)
            .map_err(stream_error)
    }

    fn send(&mut self, data: &[u8]) -> Result<usize, StreamError<Error>> {
        let taken = self.stack.tcp_write(self.handle, data);
        self.sent = self.sent.saturating_add(*taken.as_ref().unwrap_or(&0));
        taken.map_err(stream_error)
    }
}

fn stream_error(error: Error) -> StreamError<Error> {
    if error == Error::WouldBlock {
        StreamError::WouldBlock
    } else {
        StreamError::Failed(error)
    }
}

#[cfg(feature = "std")]
impl<T: std::io::Read + std::io::Write> Transport for T {
    type Error = std::io::Error;

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, StreamError<Self::Error>> {
        loop {
            match self.read(buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                done => return done.map_err(io_error),
            }
        }
    }

    fn send(&mut self, data: &[u8]) -> Result<usize, StreamError<Self::Error>> {
        loop {
            match self.write(data) {
                Ok(0) => {
                    let error = std::io::ErrorKind::WriteZero.into();
                    return Err(StreamError::Failed(error));
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                done => return done.map_err(io_error),
            }
        }
    }
}

/// Blocking sockets say that their time is over with either kind.
#[cfg(feature = "std")]
fn io_error(error: std::io::Error) -> StreamError<std::io::Error> {
    match error.kind() {
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => StreamError::WouldBlock,
        _ => StreamError::Failed(error),
    }
}
