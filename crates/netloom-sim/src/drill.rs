//! packetdrill scripts: TCP's test language, run in-process on a virtual clock.
//!
//! A script says what arrives (`<`), what must be sent (`>`), what a program calls, and when:
//!
//! ```
//! use netloom_sim::drill::{RunOptions, Script};
//!
//! let script = Script::parse(
//!     "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
//!     +0 bind(3, ..., ...) = 0
//!     +0 listen(3, 1) = 0
//!     +0 < S 0:0(0) win 65535 <mss 1460>
//!     +0 > S. 0:0(0) ack 1 <mss 1460>
//!     +.1 < . 1:1(0) ack 1 win 65535
//!     +0 accept(3, ..., ...) = 4",
//! )?;
//! script.run(&RunOptions::default()).unwrap();
//! # Ok::<(), netloom_sim::drill::SyntaxError>(())
//! ```
//!
//! The language is that of Google's packetdrill. Packets are built and read by code of this module
//! alone, not by the stack's. Code blocks (`%{ }%`) can only assert, no command is run, and no
//! file is touched: a script is safe to run whoever wrote it.
//!
//! SYNs have the sequence numbers that a script gives them, all other segments count from the first
//! SYNs; the ISN that the stack chose is mapped onto the script's, and so are timestamps. Every
//! byte of data is known from its place in the stream and is compared on both ways.
//!
//! Everything that is driven is behind the trait [`Subject`]; [`NetloomHost`] is the one that is a
//! netloom stack.

pub mod ast;
mod calls;
mod code;
mod compare;
mod describe;
mod errno;
mod error;
mod flags;
mod flow;
mod host;
mod icmp_names;
mod lexer;
mod live;
pub mod names;
mod parser;
mod runner;
mod settings;
mod subject;
mod tcp_info;
mod values;

#[cfg(test)]
mod tests;

pub use ast::Script;
pub use errno::Errno;
pub use error::{Mismatch, Position, SyntaxError};
pub use host::NetloomHost;
pub use runner::Narrator;
pub use settings::{IpVersion, RunOptions, Settings};
pub use subject::{Fd, Received, Subject, Told};

use runner::Runner;

/// Checks what holds of every packet a stack sends: lengths, checksums, reserved bits, padding.
///
/// # Errors
/// What is wrong, in words.
pub fn check_packet(packet: &[u8]) -> Result<(), String> {
    live::read(packet).map(|_| ())
}

/// Why a script did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// Its options make no sense.
    Syntax(SyntaxError),
    /// The stack did not do as it says.
    Mismatch(Mismatch),
    /// The stack cannot be set up as it wants.
    Setup(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Syntax(error) => error.fmt(f),
            Failure::Mismatch(error) => error.fmt(f),
            Failure::Setup(text) => write!(f, "1:1: {text}"),
        }
    }
}

impl std::error::Error for Failure {}

impl Script {
    /// Runs the script against a netloom stack of its own.
    ///
    /// # Errors
    /// The first thing that did not go as the script says.
    pub fn run(&self, options: &RunOptions) -> Result<(), Failure> {
        self.run_narrated(options, None)
    }

    /// [`run`](Script::run), telling what happens.
    ///
    /// # Errors
    /// As [`run`](Script::run).
    pub fn run_narrated(
        &self,
        options: &RunOptions,
        narrate: Option<Narrator<'_>>,
    ) -> Result<(), Failure> {
        let mut settings = Settings::new(self, options).map_err(Failure::Syntax)?;
        if let Some(wanted) = options.local_isn {
            // The ISN is a clock and a secret: a first run tells how far the clock must be ahead.
            let (_, isn) = self.run_once(&settings, None)?;
            if let Some(isn) = isn {
                settings.clock_ahead = u64::from(wanted.wrapping_sub(isn)) * ISN_TICK;
                // Clocks of milliseconds tick elsewhere than the script's then.
                settings.tolerance += CLOCK_GRAIN;
            }
        }
        self.run_once(&settings, narrate)?
            .0
            .map_err(Failure::Mismatch)
    }

    /// One run, and the first ISN the stack chose in it.
    fn run_once(
        &self,
        settings: &Settings,
        narrate: Option<Narrator<'_>>,
    ) -> Result<(Result<(), Mismatch>, Option<u32>), Failure> {
        let mut host = NetloomHost::new(settings).map_err(Failure::Setup)?;
        let mut runner = Runner::new(&mut host, settings, narrate);
        let result = runner.run(self);
        let isn = runner.first_isn();
        Ok((result, isn))
    }

    /// Runs the script against any subject.
    ///
    /// # Errors
    /// The first thing that did not go as the script says.
    pub fn run_on(
        &self,
        subject: &mut dyn Subject,
        settings: &Settings,
        narrate: Option<Narrator<'_>>,
    ) -> Result<(), Mismatch> {
        Runner::new(subject, settings, narrate).run(self)
    }
}

/// The period of the clock in ISNs (RFC 9293 §3.4.1), µs.
const ISN_TICK: u64 = 4;
/// The coarsest clock of the stack that times packets, µs.
const CLOCK_GRAIN: u64 = 4_000;
