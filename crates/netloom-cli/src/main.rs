//! The netloom program.

#![forbid(unsafe_code)]

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use netloom_cli::demo::DemoArgs;
use netloom_cli::failure::Failure;

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
    #[cfg(target_os = "linux")]
    Bench(netloom_cli::bench::BenchArgs),
    Demo(DemoArgs),
    #[cfg(target_os = "linux")]
    Dhcp(netloom_cli::dhcp::DhcpArgs),
    #[cfg(target_os = "linux")]
    Dhcpd(netloom_cli::dhcpd::DhcpdArgs),
    #[cfg(target_os = "linux")]
    Dns(netloom_cli::dns::DnsArgs),
    #[cfg(target_os = "linux")]
    Doctor(netloom_cli::doctor::DoctorArgs),
    #[cfg(target_os = "linux")]
    Get(netloom_cli::get::GetArgs),
    #[cfg(target_os = "linux")]
    Ntp(netloom_cli::ntp::NtpArgs),
    #[cfg(target_os = "linux")]
    Ping(netloom_cli::ping::PingArgs),
    Plot(netloom_cli::plot::PlotArgs),
    #[cfg(target_os = "linux")]
    Proxy(netloom_cli::proxy::ProxyArgs),
    Replay(netloom_cli::replay::ReplayArgs),
    #[cfg(target_os = "linux")]
    Run(netloom_cli::run::RunArgs),
    /// What `run` starts in the namespace.
    #[cfg(target_os = "linux")]
    #[command(hide = true)]
    RunInside(netloom_cli::run::InsideArgs),
    #[cfg(target_os = "linux")]
    Serve(netloom_cli::serve::command::ServeArgs),
    #[cfg(target_os = "linux")]
    Ss(netloom_cli::ss::SsArgs),
    #[cfg(target_os = "linux")]
    Stat(netloom_cli::stat::StatArgs),
    #[cfg(target_os = "linux")]
    Sysctl(netloom_cli::sysctl::SysctlArgs),
}

fn main() -> ExitCode {
    let program = match Program::try_parse() {
        Ok(program) => program,
        Err(error) => return explain(&error),
    };
    let result = match program.command {
        None => DemoArgs::default().run(),
        #[cfg(target_os = "linux")]
        Some(Command::Bench(args)) => args.run(),
        Some(Command::Demo(args)) => args.run(),
        #[cfg(target_os = "linux")]
        Some(Command::Dhcp(args)) => args.run(),
        #[cfg(target_os = "linux")]
        Some(Command::Dhcpd(args)) => args.run(),
        #[cfg(target_os = "linux")]
        Some(Command::Dns(args)) => args.run(),
        #[cfg(target_os = "linux")]
        Some(Command::Doctor(args)) => args.run(),
        #[cfg(target_os = "linux")]
        Some(Command::Get(args)) => args.run(),
        #[cfg(target_os = "linux")]
        Some(Command::Ntp(args)) => args.run(),
        #[cfg(target_os = "linux")]
        Some(Command::Ping(args)) => args.run(),
        Some(Command::Plot(args)) => args.run(),
        #[cfg(target_os = "linux")]
        Some(Command::Proxy(args)) => args.run(),
        Some(Command::Replay(args)) => args.run(),
        #[cfg(target_os = "linux")]
        Some(Command::Run(args)) => match args.run() {
            Ok(code) => return ExitCode::from(code),
            Err(failure) => Err(failure),
        },
        #[cfg(target_os = "linux")]
        Some(Command::RunInside(args)) => args.run(),
        #[cfg(target_os = "linux")]
        Some(Command::Serve(args)) => args.run(),
        #[cfg(target_os = "linux")]
        Some(Command::Ss(args)) => args.run(),
        #[cfg(target_os = "linux")]
        Some(Command::Stat(args)) => args.run(),
        #[cfg(target_os = "linux")]
        Some(Command::Sysctl(args)) => args.run(),
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
    // What is missing or in the way stands on lines of its own; behind an empty one, the usage.
    let lines = text.lines().map(str::trim);
    let lines: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    let what = lines.join(" ");
    let what = what.trim_start_matches("error: ");
    complain(&format!("{what}: see `{} --help`", whose_help()));
    ExitCode::from(Failure::USAGE)
}

/// The program with the command it was given, if that is one.
fn whose_help() -> String {
    let program = Program::command();
    let given = env::args_os().nth(1);
    match given.and_then(|name| program.find_subcommand(name)) {
        Some(command) if !command.is_hide_set() => format!("netloom {}", command.get_name()),
        Some(_) | None => "netloom".to_owned(),
    }
}

fn complain(what: &str) {
    // Nobody is left to tell if this fails.
    let _ = writeln!(io::stderr(), "netloom: {what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_option_is_two() {
        Program::command().debug_assert();
    }
}
