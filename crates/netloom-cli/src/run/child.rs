//! The command: started, sent the signals that netloom is sent, waited for.

use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::inside::{self, Rendezvous};
use crate::failure::Failure;
use crate::signals::Interrupts;

/// What shells exit with when there is no such command, and when it cannot be run.
const NO_COMMAND: u8 = 127;
const CANNOT_RUN: u8 = 126;

/// Why a command could not be started, with the exit code shells have for that.
pub(super) fn cannot_start(program: &OsStr, error: &io::Error) -> Failure {
    let name = std::path::Path::new(program).display();
    match error.kind() {
        ErrorKind::NotFound => {
            Failure::new(format!("{name}: no such command")).with_exit_code(NO_COMMAND)
        }
        _ => Failure::new(format!("cannot run {name}: {error}")).with_exit_code(CANNOT_RUN),
    }
}

/// Starts this program again, as the process in the namespace.
pub(super) fn start_inside(
    at: &std::path::Path,
    command: &[OsString],
    interrupts: &Interrupts,
) -> Result<Child, Failure> {
    let itself = std::env::current_exe()
        .map_err(|error| Failure::new(format!("cannot find this program: {error}")))?;
    let mut inside = Command::new(itself);
    inside
        .arg("run-inside")
        .arg("--at")
        .arg(at)
        .arg("--")
        .args(command);
    interrupts
        .let_through(|| inside.spawn())
        .map_err(|error| Failure::new(format!("cannot start this program again: {error}")))
}

/// The process in the namespace and the cable's end it sent.
pub(super) type Met = (UnixStream, OwnedFd);

/// Waits until the process in the namespace comes; `None` if it has ended instead.
pub(super) fn meet(
    mut child: Child,
    rendezvous: &Rendezvous,
    interrupts: &Interrupts,
) -> Result<(Child, Option<Met>), Failure> {
    let lost = |error| Failure::new(format!("cannot speak with the namespace: {error}"));
    loop {
        if let Some(stream) = rendezvous.take().map_err(lost)? {
            let cable = inside::receive(&stream).map_err(lost)?;
            return Ok((child, cable.map(|cable| (stream, cable))));
        }
        pass_on(&child, interrupts);
        if child.try_wait().map_err(lost)?.is_some() {
            return Ok((child, None));
        }
        let mut entries = [
            PollFd::new(interrupts.as_fd(), PollFlags::POLLIN),
            PollFd::new(rendezvous.as_fd(), PollFlags::POLLIN),
        ];
        let _ = poll(&mut entries, PollTimeout::NONE);
    }
}

/// Passes on the signals that came.
fn pass_on(child: &Child, interrupts: &Interrupts) {
    while let Some(came) = interrupts.take() {
        // The terminal has told the command already.
        if came.from_process {
            if let Ok(pid) = i32::try_from(child.id()) {
                let _ = kill(Pid::from_raw(pid), came.signal);
            }
        }
    }
}

/// Waits for the command's end; returns its exit code.
pub(super) fn finish(mut child: Child, interrupts: &Interrupts) -> Result<u8, Failure> {
    let status = wait(&mut child, interrupts)
        .map_err(|error| Failure::new(format!("cannot wait for the command: {error}")))?;
    Ok(code(status))
}

/// Waits for the end, and passes signals on meanwhile.
fn wait(child: &mut Child, interrupts: &Interrupts) -> io::Result<ExitStatus> {
    loop {
        pass_on(child, interrupts);
        // After the signals: the one that tells of the end may be among those just taken.
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        let mut entries = [PollFd::new(interrupts.as_fd(), PollFlags::POLLIN)];
        // The command's end is a signal too. After one that is not held back: look again.
        let _ = poll(&mut entries, PollTimeout::NONE);
    }
}

/// The exit code as shells have it.
fn code(status: ExitStatus) -> u8 {
    let number = match (status.code(), status.signal()) {
        (Some(code), _) => code,
        (None, signal) => 128 + signal.unwrap_or(0),
    };
    u8::try_from(number).unwrap_or(u8::MAX)
}
