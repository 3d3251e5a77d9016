//! What a program on a virtual host can be told.

use std::fmt;

use netloom_stack::{CloseReason, ErrorKind};

/// Why a call on a virtual host's sockets failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The stack refused, or the connection is over: [`CloseReason`] says why.
    Stack(netloom_stack::Error),
    /// The stream ended before the buffer was full.
    UnexpectedEnd,
    /// The world this belongs to is gone.
    WorldGone,
}

impl Error {
    /// Why the connection ended, if that is what happened.
    pub fn close_reason(&self) -> Option<CloseReason> {
        match self {
            Error::Stack(netloom_stack::Error::Closed(reason)) => Some(*reason),
            Error::Stack(_) | Error::UnexpectedEnd | Error::WorldGone => None,
        }
    }

    pub(crate) fn would_block(&self) -> bool {
        match self {
            Error::Stack(error) => error.kind() == ErrorKind::Again,
            Error::UnexpectedEnd | Error::WorldGone => false,
        }
    }
}

impl From<netloom_stack::Error> for Error {
    fn from(error: netloom_stack::Error) -> Error {
        Error::Stack(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Stack(error) => fmt::Display::fmt(error, f),
            Error::UnexpectedEnd => f.write_str("the stream ended early"),
            Error::WorldGone => f.write_str("the world is gone"),
        }
    }
}

impl std::error::Error for Error {}
