//! How a script can be wrong, and how a run can fail: always with a place in the file.

use std::fmt;

/// A place in a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A script that makes no sense: nothing of it was run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where.
    pub at: Position,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl SyntaxError {
    pub(crate) fn new(at: Position, message: impl Into<String>) -> SyntaxError {
        SyntaxError {
            at,
            message: message.into(),
        }
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.message)
    }
}

impl std::error::Error for SyntaxError {}

/// A run that did not go as the script says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The event that failed.
    pub at: Position,
    /// What went otherwise, on as many lines as it takes: the packet that came stands beneath
    /// the one that was expected.
    pub message: String,
}

impl Mismatch {
    pub(crate) fn new(at: Position, message: impl Into<String>) -> Mismatch {
        Mismatch {
            at,
            message: message.into(),
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.message)
    }
}

impl std::error::Error for Mismatch {}
