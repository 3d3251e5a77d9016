//! The netloom program.

#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use netloom_cli::demo::DemoArgs;

/// A TCP/IP stack outside the kernel.
///
/// Without a command it shows what it can do: `netloom demo`.
#[derive(Debug, Parser)]
#[command(name = "netloom", version)]
struct Program {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Demo(DemoArgs),
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
    let result = match program.command {
        None => DemoArgs::default().run(),
        Some(Command::Demo(args)) => args.run(),
        #[cfg(target_os = "linux")]
        Some(Command::Serve(args)) => args.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(&failure.to_string());
            ExitCode::from(failure.exit_code())
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
