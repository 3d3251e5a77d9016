//! `netloom serve` under many connections: no errors, whatever the speed.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::thread;

use common::Running;

fn serve() -> (tempfile::TempDir, Running) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("small"), "small").unwrap();
    fs::write(folder.path().join("large"), vec![b'x'; 300_000]).unwrap();
    let running = Running::serving(folder.path());
    (folder, running)
}

/// Runs wrk and asserts that nothing went wrong; `None`, aloud, where there is no wrk.
fn wrk(running: &Running, args: &[&str], path: &str) -> Option<()> {
    let url = format!("http://{}{path}", running.address);
    let output = match Command::new("wrk").args(args).arg(url).output() {
        Ok(output) => output,
        Err(error) => {
            eprintln!("SKIPPED: wrk: {error}");
            return None;
        }
    };
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && report.contains("requests in"),
        "{report}"
    );
    // wrk reports these only where there are some.
    assert!(
        !report.contains("Socket errors") && !report.contains("Non-2xx"),
        "{report}"
    );
    Some(())
}

#[test]
fn two_hundred_connections_for_ten_seconds() {
    let (_folder, running) = serve();
    if wrk(
        &running,
        &["-t2", "-c200", "-d10", "--timeout", "60s"],
        "/small",
    )
    .is_some()
    {
        wrk(
            &running,
            &["-t2", "-c200", "-d2", "--timeout", "60s"],
            "/large",
        );
    }
}

/// More connections than threads: all are served in turn.
#[test]
fn more_connections_than_threads() {
    let (_folder, running) = serve();
    wrk(
        &running,
        &["-t2", "-c1500", "-d3", "--timeout", "60s"],
        "/small",
    );
}

#[test]
fn twenty_thousand_short_connections() {
    let (_folder, running) = serve();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..2500 {
                    let mut stream = TcpStream::connect(&running.address).unwrap();
                    stream.write_all(b"GET /small HTTP/1.0\r\n\r\n").unwrap();
                    let mut response = String::new();
                    stream.read_to_string(&mut response).unwrap();
                    assert!(response.ends_with("\r\n\r\nsmall"), "{response}");
                }
            });
        }
    });
}
