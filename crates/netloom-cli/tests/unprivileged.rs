//! The program as an ordinary user, who may neither open a device nor read root's folders.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

/// `nobody`'s numbers.
const ID: &str = "65534";

/// A folder everybody may read and write, with the program and a file in it; a command that runs
/// the program there as nobody. `None`, aloud, if we may not become somebody else.
fn as_nobody(test: &str) -> Option<(tempfile::TempDir, Command)> {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let program = folder.path().join("netloom");
    // By a process of its own: what another test starts meanwhile would hold a file of this one's
    // that is open for writing, and such a program cannot be run.
    let copied = Command::new("cp")
        .args(["-p", env!("CARGO_BIN_EXE_netloom")])
        .arg(&program)
        .status();
    assert!(copied.unwrap().success());
    fs::write(folder.path().join("small"), "small").unwrap();
    let command = |program: &std::path::Path| {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid", ID, "--regid", ID, "--clear-groups"])
            .arg(program)
            .current_dir(folder.path());
        command
    };
    let possible = command("/bin/true".as_ref()).output();
    if !possible.is_ok_and(|output| output.status.success()) {
        let _ = writeln!(std::io::stderr(), "skipped: {test}: cannot become nobody");
        return None;
    }
    let command = command(&program);
    Some((folder, command))
}

#[test]
fn serve_needs_no_rights() {
    let Some((_folder, mut command)) = as_nobody("serve_needs_no_rights") else {
        return;
    };
    let mut child = command
        .args(["serve", "--port", "0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    let (_, address) = line.rsplit_once("http://").unwrap();
    let mut stream = TcpStream::connect(address.trim_end_matches('/')).unwrap();
    stream.write_all(b"GET /small HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let _ = child.kill();
    let _ = child.wait();
    assert!(answer.ends_with("\r\n\r\nsmall"), "{answer}");
}

#[test]
fn a_device_needs_rights_and_the_error_says_what_to_do() {
    let test = "a_device_needs_rights_and_the_error_says_what_to_do";
    let Some((_folder, mut command)) = as_nobody(test) else {
        return;
    };
    let output = command.args(["serve", "--tap"]).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(errors.contains("leave out the device"), "{errors}");
}

#[test]
fn demo_needs_no_rights() {
    let Some((_folder, mut command)) = as_nobody("demo_needs_no_rights") else {
        return;
    };
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
