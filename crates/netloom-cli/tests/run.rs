//! `netloom run` as an ordinary user, and `netloom ping` against the kernel.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

/// `nobody`'s numbers.
const ID: &str = "65534";

fn skip(test: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {why}");
}

/// The program in a folder everybody may enter, beside a file to serve.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    // By a process of its own: what another test starts meanwhile would hold a file of this one's
    // that is open for writing, and such a program cannot be run.
    let copied = Command::new("cp")
        .args(["-p", env!("CARGO_BIN_EXE_netloom")])
        .arg(folder.path().join("netloom"))
        .status();
    assert!(copied.unwrap().success());
    fs::write(folder.path().join("small"), "small").unwrap();
    folder
}

/// `netloom run --` in that folder as nobody.
fn run_command(folder: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", ID, "--regid", ID, "--clear-groups"])
        .arg(folder.join("netloom"))
        .args(["run", "--"])
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
        .current_dir(folder);
    command
}

/// The same with a command, if that is possible here.
fn run(test: &str, folder: &Path, command: &[&str]) -> Option<Output> {
    let possible = run_command(folder).arg("true").output();
    if !possible.is_ok_and(|output| output.status.success()) {
        skip(test, "nobody may not make a namespace here");
        return None;
    }
    Some(run_command(folder).args(command).output().unwrap())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_command_reaches_netloom_and_the_host_behind_it() {
    let test = "a_command_reaches_netloom_and_the_host_behind_it";
    let folder = folder();
    for url in ["http://10.71.0.2/small", "http://[fd71::2]/small"] {
        let Some(output) = run(test, folder.path(), &["curl", "-sSg", url]) else {
            return;
        };
        if output.status.code() == Some(127) {
            return skip(test, "there is no curl");
        }
        assert_eq!(text(&output.stdout), "small", "{output:?}");
    }
    // The host itself, by a socket of its own.
    for (at, seen_at) in [("127.0.0.1:0", "10.71.0.3"), ("[::1]:0", "[fd71::3]")] {
        let Ok(listener) = TcpListener::bind(at) else {
            skip(test, &format!("there is no {at} here"));
            continue;
        };
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let _ = std::io::Read::read(&mut stream, &mut request).unwrap();
            let answer = b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nhost";
            stream.write_all(answer).unwrap();
        });
        let url = format!("http://{seen_at}:{port}/");
        let output = run(test, folder.path(), &["curl", "-sSg", "-m", "20", &url]).unwrap();
        assert_eq!(text(&output.stdout), "host", "{output:?}");
        server.join().unwrap();
        // Nobody listens there any more.
        let output = run(test, folder.path(), &["curl", "-sg", "-m", "20", &url]).unwrap();
        assert_eq!(output.status.code(), Some(7), "{output:?}");
    }
    // A closed port of netloom's own.
    let closed = ["curl", "-s", "-m", "20", "http://10.71.0.2:81/"];
    let output = run(test, folder.path(), &closed).unwrap();
    assert_eq!(output.status.code(), Some(7));
}

#[test]
fn the_command_runs_as_the_user_and_its_exit_code_is_passed_on() {
    let test = "the_command_runs_as_the_user_and_its_exit_code_is_passed_on";
    let folder = folder();
    let Some(output) = run(test, folder.path(), &["sh", "-c", "id -u; id -g; exit 7"]) else {
        return;
    };
    assert_eq!(text(&output.stdout), "65534\n65534\n");
    assert_eq!(output.status.code(), Some(7));
    let code = |command: &[&str]| run(test, folder.path(), command).unwrap().status.code();
    assert_eq!(code(&["sh", "-c", "kill -9 $$"]), Some(137));
    assert_eq!(code(&["netloom-no-such-command"]), Some(127));
    assert_eq!(code(&["/"]), Some(126));
    let resolv = fs::read("/etc/resolv.conf").unwrap_or_default();
    let seen = run(test, folder.path(), &["cat", "/etc/resolv.conf"]).unwrap();
    assert_eq!(seen.stdout, resolv, "names are looked up as outside");
}

#[test]
fn signals_are_passed_on() {
    let test = "signals_are_passed_on";
    let folder = folder();
    if run(test, folder.path(), &["true"]).is_none() {
        return;
    }
    let started = folder.path().join("started");
    fs::write(&started, "").unwrap();
    fs::set_permissions(&started, fs::Permissions::from_mode(0o666)).unwrap();
    let script = "trap 'exit 3' TERM; echo yes >started; sleep 20 & wait";
    let mut child = run_command(folder.path())
        .args(["sh", "-c", script])
        .spawn()
        .unwrap();
    let began = Instant::now();
    while fs::read(&started).unwrap().is_empty() {
        assert!(began.elapsed() < Duration::from_secs(20), "it never starts");
        thread::sleep(Duration::from_millis(10));
    }
    let kill = Command::new("kill").arg(child.id().to_string()).status();
    assert!(kill.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(3));
}

#[test]
fn the_kernel_answers_pings() {
    let test = "the_kernel_answers_pings";
    let possible = Command::new("unshare").args(["-n", "true"]).status();
    let tun = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/net/tun");
    if !possible.is_ok_and(|status| status.success()) || tun.is_err() {
        return skip(test, "it needs a namespace and /dev/net/tun");
    }
    let ping = |arguments: &[&str]| {
        let output = Command::new("unshare")
            .args(["-n", env!("CARGO_BIN_EXE_netloom"), "ping", "-i", "0.01"])
            .args(arguments)
            .output()
            .unwrap();
        (output.status.code(), text(&output.stdout))
    };
    for address in ["10.71.0.1", "fd71::1"] {
        for device in ["--tap", "--tun"] {
            let (code, report) = ping(&[device, "-c", "5", "-s", "1000", address]);
            assert_eq!(code, Some(0), "{report}");
            assert_eq!(report.matches("1008 bytes from").count(), 5, "{report}");
            assert!(report.contains("5 received, 0% packet loss"), "{report}");
        }
    }
    let (code, report) = ping(&["--tap", "-c", "1", "-W", "20", "10.71.0.77"]);
    assert_eq!(code, Some(1));
    assert!(report.contains("Destination Host Unreachable"), "{report}");
}
