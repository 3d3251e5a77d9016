//! `netloom replay`: packetdrill scripts against netloom, on a virtual clock.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use netloom::sim::drill::{IpVersion, RunOptions, Script};

use crate::failure::Failure;

/// Run packetdrill scripts against netloom.
///
/// Nothing leaves the program: the script's packets, its calls and its clock are virtual, so no
/// rights are needed and minutes pass in milliseconds. A script runs no command and opens no file.
///
/// Of several scripts all are run, and told how many passed. The exit code is 0 if none failed, 1 if one
/// did, and 2 if one makes no sense.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  netloom replay open.pkt                is that how netloom opens a connection?
  netloom replay -v open.pkt             and what happens when
  netloom replay --ipv6 *.pkt            every script here, over IPv6

Without --ipv4 and --ipv6 a script runs over the version of IP that it names, or else over IPv4.")]
pub struct ReplayArgs {
    /// The scripts
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Tell what happens, on standard output
    #[arg(long, short)]
    verbose: bool,

    /// Run over IPv4; a script that says `only=ipv6` is skipped
    #[arg(long, conflicts_with = "ipv6")]
    ipv4: bool,

    /// Run over IPv6; a script that says `only=ipv4` is skipped
    #[arg(long)]
    ipv6: bool,
}

/// Bytes that no script has.
const LONGEST: u64 = 16 << 20;
/// A script has an error in it: it was not run.
const BAD_SCRIPT: u8 = 2;

impl ReplayArgs {
    /// Runs all scripts in turn.
    ///
    /// # Errors
    ///
    /// A script cannot be read, makes no sense, or netloom did not do as it says.
    pub fn run(&self) -> Result<(), Failure> {
        let version = match (self.ipv4, self.ipv6) {
            (true, _) => Some(IpVersion::V4),
            (_, true) => Some(IpVersion::V6),
            _ => None,
        };
        if let [file] = &self.files[..] {
            let ran = self.replay(file, version)?;
            if self.verbose || !ran {
                tell_end(file, ran, version);
            }
            return Ok(());
        }
        let (mut passed, mut failed, mut skipped, mut exit_code) = (0, 0, 0, 1);
        for file in &self.files {
            match self.replay(file, version) {
                Ok(ran) => {
                    let count = if ran { &mut passed } else { &mut skipped };
                    *count += 1;
                    tell_end(file, ran, version);
                }
                Err(failure) => {
                    failed += 1;
                    exit_code = exit_code.max(failure.exit_code());
                    let _ = writeln!(io::stderr(), "netloom: {failure}");
                }
            }
        }
        let counts = format!("{passed} passed, {failed} failed, {skipped} skipped");
        if failed > 0 {
            return Err(Failure::new(counts).with_exit_code(exit_code));
        }
        tell(&counts);
        Ok(())
    }

    /// Runs a script, unless it is about the other version of IP: says whether it did.
    fn replay(&self, file: &Path, version: Option<IpVersion>) -> Result<bool, Failure> {
        let name = file.display();
        let text = read(file).map_err(|error| {
            let what = match error.kind() {
                ErrorKind::NotFound => "there is no such file".to_owned(),
                ErrorKind::InvalidData => "this is no script".to_owned(),
                _ => error.to_string(),
            };
            Failure::new(format!("{name}: {what}")).with_exit_code(BAD_SCRIPT)
        })?;
        let script = Script::parse(&text)
            .map_err(|error| Failure::new(format!("{name}:{error}")).with_exit_code(BAD_SCRIPT))?;
        if version.is_some_and(|version| !script.runs_over(version)) {
            return Ok(false);
        }
        let options = RunOptions {
            ip_version: version,
            ..RunOptions::default()
        };
        let mut narrator = |line: &str| tell(line);
        let result = if self.verbose {
            script.run_narrated(&options, Some(&mut narrator))
        } else {
            script.run(&options)
        };
        match result {
            Ok(()) => Ok(true),
            Err(failure) => Err(Failure::new(format!("{name}:{failure}"))),
        }
    }
}

/// The text of a script. What is longer than any script is none: a device, an archive.
fn read(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    let len = File::open(file)?.take(LONGEST).read_to_string(&mut text)?;
    if len as u64 == LONGEST {
        return Err(ErrorKind::InvalidData.into());
    }
    Ok(text)
}

/// A line on standard output; a reader that went away is no reason to stop.
fn tell(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// How a script ended that did not fail.
fn tell_end(file: &Path, ran: bool, version: Option<IpVersion>) {
    let name = file.display();
    match (ran, version) {
        (true, _) => tell(&format!("{name}: passed")),
        (false, Some(IpVersion::V4)) => tell(&format!("{name}: skipped: it is only for IPv6")),
        (false, _) => tell(&format!("{name}: skipped: it is only for IPv4")),
    }
}
