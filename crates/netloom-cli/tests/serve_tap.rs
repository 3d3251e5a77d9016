//! `netloom serve --tap` as the kernel's own programs see it, in a network namespace of its own.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// The program in a namespace; both end with the value.
struct Namespace {
    child: Child,
}

impl Namespace {
    /// Serves `folder`, or says why that cannot be tested here.
    fn serving(test: &str, folder: &Path) -> Option<Namespace> {
        let device = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/net/tun");
        let possible = Command::new("unshare").args(["-n", "true"]).output();
        let reason = match (device, possible) {
            (Err(error), _) => format!("cannot open /dev/net/tun: {error}"),
            (_, Err(error)) => format!("cannot run unshare: {error}"),
            (_, Ok(output)) if !output.status.success() => {
                String::from_utf8_lossy(&output.stderr).into_owned()
            }
            (Ok(_), Ok(_)) => return Some(Namespace::start(folder)),
        };
        let _ = writeln!(std::io::stderr(), "skipped: {test}: {reason}");
        None
    }

    fn start(folder: &Path) -> Namespace {
        let mut child = Command::new("unshare")
            .args(["-n", env!("CARGO_BIN_EXE_netloom"), "serve", "--tap"])
            .arg(folder)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next().expect("it says where it serves").unwrap();
        assert!(
            line.ends_with("http://[fd71::2]/ and http://10.71.0.2/"),
            "{line}"
        );
        Namespace { child }
    }

    /// Runs a command in the namespace; `None`, aloud, if there is no such program.
    fn run(&self, command: &[&str]) -> Option<Output> {
        let [program, ..] = command else { return None };
        if Command::new(program).arg("--version").output().is_err() {
            let _ = writeln!(std::io::stderr(), "skipped: there is no {program}");
            return None;
        }
        let output = Command::new("nsenter")
            .args(["-n", "-t", &self.child.id().to_string()])
            .args(command)
            .output()
            .expect("nsenter is where unshare is");
        assert!(output.status.success(), "{command:?}: {output:?}");
        Some(output)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn folder() -> (tempfile::TempDir, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (0_u32..8 << 20)
        .flat_map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes())
        .collect();
    fs::write(folder.path().join("large"), &content).unwrap();
    fs::write(folder.path().join("small"), "small").unwrap();
    (folder, content)
}

#[test]
fn curl_fetches_over_both_versions() {
    let (folder, content) = folder();
    let test = "curl_fetches_over_both_versions";
    let Some(namespace) = Namespace::serving(test, folder.path()) else {
        return;
    };
    for host in ["10.71.0.2", "[fd71::2]"] {
        for (name, expected) in [("small", &b"small"[..]), ("large", &content)] {
            let url = format!("http://{host}/{name}");
            let Some(output) = namespace.run(&["curl", "-sS", "-g", &url]) else {
                return;
            };
            assert!(output.stdout == expected, "{url}");
        }
    }
}

#[test]
fn a_flood_of_pings_loses_none() {
    let (folder, _) = folder();
    let test = "a_flood_of_pings_loses_none";
    let Some(namespace) = Namespace::serving(test, folder.path()) else {
        return;
    };
    for address in ["10.71.0.2", "fd71::2"] {
        let ping = ["ping", "-f", "-q", "-c", "10000", address];
        let mut reports = Vec::new();
        // It waits for its last reply no longer than two round trips: on a machine that stands
        // still just then it counts as lost.
        let loses_none = (0..3).any(|_| {
            let Some(output) = namespace.run(&ping) else {
                return true;
            };
            let report = String::from_utf8_lossy(&output.stdout).into_owned();
            let none = report.contains(" 0% packet loss");
            reports.push(report);
            none
        });
        assert!(loses_none, "{reports:?}");
    }
}

#[test]
fn two_hundred_connections_at_once() {
    let (folder, _) = folder();
    let test = "two_hundred_connections_at_once";
    let Some(namespace) = Namespace::serving(test, folder.path()) else {
        return;
    };
    let wrk = [
        "wrk",
        "-t2",
        "-c200",
        "-d5",
        "--timeout",
        "60s",
        "http://10.71.0.2/small",
    ];
    let Some(output) = namespace.run(&wrk) else {
        return;
    };
    let report = String::from_utf8_lossy(&output.stdout);
    // wrk reports these only where there are some.
    assert!(
        report.contains("requests in")
            && !report.contains("Socket errors")
            && !report.contains("Non-2xx"),
        "{report}"
    );
}
