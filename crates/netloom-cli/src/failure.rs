//! Why a command could not do what it was told.

use std::fmt;

/// One line that says what is wrong and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    what: String,
    exit_code: u8,
}

impl Failure {
    /// A failure that ends the program with exit code 1.
    #[must_use]
    pub fn new(what: impl Into<String>) -> Failure {
        Failure {
            what: what.into(),
            exit_code: 1,
        }
    }

    /// The command line makes no sense: exit code 2.
    #[must_use]
    pub fn usage(what: impl Into<String>) -> Failure {
        Failure::new(what).with_exit_code(Failure::USAGE)
    }

    /// The exit code of a command line that makes no sense.
    pub const USAGE: u8 = 2;

    /// The same with another exit code, for callers that must tell failures apart.
    #[must_use]
    pub fn with_exit_code(mut self, exit_code: u8) -> Failure {
        self.exit_code = exit_code;
        self
    }

    /// What the program exits with.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.exit_code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Failure {}
