//! The netloom program.

#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

/// A TCP/IP stack outside the kernel.
#[derive(Debug, Parser)]
#[command(name = "netloom", version)]
enum Program {
    #[cfg(target_os = "linux")]
    Serve(netloom_cli::serve::command::ServeArgs),
}

/// The command line makes no sense.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let program = match Program::try_parse() {
        Ok(program) => program,
        Err(error) => return explain(&error),
    };
    let result = match program {
        #[cfg(target_os = "linux")]
        Program::Serve(args) => args.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(&failure.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Prints help where it was asked for, else one line on what is wrong.
fn explain(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    if !error.use_stderr() {
        let _ = io::stdout().write_all(text.as_bytes());
        return ExitCode::SUCCESS;
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        complain("a command is missing: see `netloom --help`");
        return ExitCode::from(USAGE);
    }
    let what = text
        .lines()
        .next()
        .unwrap_or_default()
        .trim_start_matches("error: ");
    complain(&format!("{what}: see `netloom --help`"));
    ExitCode::from(USAGE)
}

fn complain(what: &str) {
    // Nobody is left to tell if this fails.
    let _ = writeln!(io::stderr(), "netloom: {what}");
}
