//! `netloom bench`: how fast netloom is here, against itself and against the kernel.
//!
//! | file | what is in it |
//! |---|---|
//! | `measure` | bulk, request and response, connecting: over any two ends |

mod measure;

use std::env;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use crate::device::Watch;
use crate::doctor::quoted;
use crate::failure::Failure;
use crate::relay;
use crate::run::namespace;
use crate::size::parse_seconds;
use measure::{Figures, measure};

/// The exit code that says: nothing failed, but this system does not allow a namespace.
const NOT_ALLOWED: u8 = 3;

/// Where the servers of a measurement listen.
const PORT: u16 = 7000;

/// Measure throughput, round trips and connections: in memory, and against the kernel.
///
/// In memory two stacks talk to one another in this process. Against the kernel the other end is
/// the kernel's own TCP, on a cable in a network namespace, where the system allows one.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  netloom bench
  netloom bench --seconds 5 --json

Figures depend on the machine and on what else it does: compare only what was measured together.")]
pub struct BenchArgs {
    /// How long each measurement takes
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = parse_seconds)]
    seconds: Duration,

    /// Write JSON instead of a table
    #[arg(long)]
    json: bool,

    /// Measure only against the kernel, in this process.
    #[arg(long, hide = true)]
    kernel: bool,
}

impl BenchArgs {
    /// Measures and tells.
    ///
    /// # Errors
    ///
    /// A connection failed. That the system allows no namespace is told and is no error.
    pub fn run(&self) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::new(format!("the measurement failed: {error}"));
        if self.kernel {
            namespace::enter().map_err(|failure| failure.with_exit_code(NOT_ALLOWED))?;
            let net = namespace::connect().map_err(failed)?;
            let kernel = measure::Kernel(SocketAddr::from(([10, 71, 0, 1], PORT)));
            let own = measure::Netloom(net, SocketAddr::from(([10, 71, 0, 2], PORT)));
            self.tell(
                "netloom to the kernel",
                &measure(&own, &kernel, self.seconds).map_err(failed)?,
            );
            self.tell(
                "the kernel to netloom",
                &measure(&kernel, &own, self.seconds).map_err(failed)?,
            );
            return Ok(());
        }
        if !self.json {
            say(&format!(
                "{:24}{:>14}{:>14}{:>16}{:>14}",
                "", "bulk", "round trip", "99th percentile", "connections"
            ));
        }
        let (near, far) = relay::link(Watch::default()).map_err(failed)?;
        let near = measure::Netloom(near, SocketAddr::from(([10, 71, 0, 1], PORT)));
        let far = measure::Netloom(far, SocketAddr::from(([10, 71, 0, 2], PORT)));
        self.tell(
            "in memory",
            &measure(&near, &far, self.seconds).map_err(failed)?,
        );
        self.against_the_kernel()
    }

    /// In a process of its own: there is no way back out of a namespace.
    fn against_the_kernel(&self) -> Result<(), Failure> {
        let failed =
            |error: io::Error| Failure::new(format!("cannot run this program again: {error}"));
        let mut command = Command::new(env::current_exe().map_err(failed)?);
        command.args(["bench", "--kernel", "--seconds"]);
        command.arg(self.seconds.as_secs_f64().to_string());
        if self.json {
            command.arg("--json");
        }
        let output = command.output().map_err(failed)?;
        let _ = io::stdout().write_all(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        if let Some(why) = outcome(output.status.code(), &errors)? {
            let _ = writeln!(io::stderr(), "skipped: against the kernel: {why}");
        }
        Ok(())
    }

    fn tell(&self, what: &str, figures: &Figures) {
        let Figures {
            bulk,
            median,
            percentile_99,
            connections,
        } = figures;
        let micros = |time: &Duration| time.as_secs_f64() * 1e6;
        say(&if self.json {
            format!(
                "{{\"what\":{},\"bulk_mbit_s\":{bulk:.0},\"round_trip_us\":{:.1},\
                 \"round_trip_p99_us\":{:.1},\"connections_s\":{connections:.0}}}",
                quoted(what),
                micros(median),
                micros(percentile_99),
            )
        } else {
            format!(
                "{what:24}{bulk:>7.0} Mbit/s{:>11.1} us{:>13.1} us{connections:>12.0}/s",
                micros(median),
                micros(percentile_99),
            )
        });
    }
}

/// Why there was no measurement against the kernel, if the system does not allow it, by the exit
/// code of its process and what that complained of.
///
/// # Errors
///
/// The measurement failed.
fn outcome(code: Option<i32>, errors: &str) -> Result<Option<&str>, Failure> {
    let why = errors.trim().trim_start_matches("netloom: ");
    match code {
        Some(0) => Ok(None),
        Some(code) if code == i32::from(NOT_ALLOWED) => Ok(Some(why)),
        Some(_) | None => {
            let why = if why.is_empty() {
                "its process was ended"
            } else {
                why
            };
            Err(Failure::new(format!("against the kernel: {why}")))
        }
    }
}

/// Standard output may be closed.
fn say(what: &str) {
    let _ = writeln!(io::stdout(), "{what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_that_failed_is_not_one_that_was_skipped() {
        assert_eq!(outcome(Some(0), ""), Ok(None));
        let why = "this system allows no user namespaces";
        let errors = format!("netloom: {why}\n");
        assert_eq!(outcome(Some(NOT_ALLOWED.into()), &errors), Ok(Some(why)));
        let failed = "netloom: the measurement failed: timed out\n";
        for code in [Some(1), Some(101), None] {
            let failure = outcome(code, failed).unwrap_err();
            assert_eq!(failure.exit_code(), 1);
            assert_eq!(
                failure.to_string(),
                "against the kernel: the measurement failed: timed out"
            );
        }
        // Ended by a signal, it says nothing.
        assert!(outcome(None, "").unwrap_err().to_string().len() > 20);
    }
}
