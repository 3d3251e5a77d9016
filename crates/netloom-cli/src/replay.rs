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
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  netloom replay open.pkt                is that how netloom opens a connection?
  netloom replay -v open.pkt             and what happens when
  netloom replay --ipv6 *.pkt            every script here, over IPv6")]
pub struct ReplayArgs {
    /// The scripts
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Tell what happens, on standard output
    #[arg(long, short)]
    verbose: bool,

    /// Run over IPv4 whatever the script says
    #[arg(long, conflicts_with = "ipv6")]
    ipv4: bool,

    /// Run over IPv6 whatever the script says
    #[arg(long)]
    ipv6: bool,
}

/// Bytes that no script has.
const LONGEST: u64 = 16 << 20;
/// A script has an error in it: nothing was run.
const BAD_SCRIPT: u8 = 2;

impl ReplayArgs {
    /// Runs the scripts in turn, up to the first that does not pass.
    ///
    /// # Errors
    ///
    /// A script cannot be read, makes no sense, or netloom did not do as it says.
    pub fn run(&self) -> Result<(), Failure> {
        let options = RunOptions {
            ip_version: match (self.ipv4, self.ipv6) {
                (true, _) => Some(IpVersion::V4),
                (_, true) => Some(IpVersion::V6),
                _ => None,
            },
            ..RunOptions::default()
        };
        for file in &self.files {
            self.replay(file, &options)?;
            if self.files.len() > 1 || self.verbose {
                tell(&format!("{}: passed", file.display()));
            }
        }
        Ok(())
    }

    fn replay(&self, file: &Path, options: &RunOptions) -> Result<(), Failure> {
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
        let mut narrator = |line: &str| tell(line);
        let result = if self.verbose {
            script.run_narrated(options, Some(&mut narrator))
        } else {
            script.run(options)
        };
        result.map_err(|failure| Failure::new(format!("{name}:{failure}")))
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
