//! How a run fails: the seed, the time, what happened, and what everybody waited for.

use std::fmt;
use std::path::PathBuf;

use netloom_driver::Instant;
use netloom_stack::Imbalance;

use crate::context::HostId;
use crate::link::LinkId;
use crate::wire::ChannelStats;

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// Nothing can happen any more, and programs still wait.
    Stalled,
    /// The time limit was reached ([`Sim::time_limit`](crate::Sim::time_limit)).
    TimeLimit,
    /// The same instant goes on and on: programs wake each other, or a stack's deadline stays in
    /// the past.
    Livelock,
    /// A program returned an error.
    Program {
        /// Where it ran.
        host: HostId,
        /// Its number, from 0 in the order of spawning.
        task: usize,
        /// The error.
        error: String,
    },
    /// The packets of a host do not add up.
    HostImbalance {
        /// Which host.
        host: HostId,
        /// Where.
        imbalance: Imbalance,
    },
    /// The frames of one direction of a link do not add up.
    LinkImbalance {
        /// Which link.
        link: LinkId,
        /// Its numbers.
        stats: Box<ChannelStats>,
        /// Frames on their way.
        in_flight: usize,
    },
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Stalled => f.write_str("nothing can happen any more, and programs still wait"),
            Cause::TimeLimit => f.write_str("the time limit was reached"),
            Cause::Livelock => f.write_str("time stands still while everybody is busy"),
            Cause::Program { host, task, error } => {
                write!(f, "program {task} on {host} failed: {error}")
            }
            Cause::HostImbalance { host, imbalance } => write!(
                f,
                "{host} lost count of packets at {}: {} in, {} accounted for",
                imbalance.layer.name(),
                imbalance.received,
                imbalance.accounted
            ),
            Cause::LinkImbalance {
                link,
                stats,
                in_flight,
            } => write!(
                f,
                "link {} lost count of frames: {stats:?}, {in_flight} in flight",
                link.0
            ),
        }
    }
}

/// A program that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Where it runs.
    pub host: HostId,
    /// Its number, from 0 in the order of spawning.
    pub task: usize,
    /// What for.
    pub what: String,
}

/// A run that failed. The same program with the same seed fails in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The world's seed.
    pub seed: u64,
    /// When, on the world's clock.
    pub at: Instant,
    /// What happened.
    pub cause: Cause,
    /// What programs waited for.
    pub waiting: Vec<Waiting>,
    /// Where the capture was written, if it was.
    pub capture: Option<PathBuf>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.at.as_micros();
        write!(
            f,
            "seed {} at {}.{:06} s: {}",
            self.seed,
            micros / 1_000_000,
            micros % 1_000_000,
            self.cause
        )?;
        for Waiting { host, task, what } in &self.waiting {
            write!(f, "\n  program {task} on {host} waits: {what}")?;
        }
        if let Some(path) = &self.capture {
            write!(f, "\n  the packets are in {}", path.display())?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}
