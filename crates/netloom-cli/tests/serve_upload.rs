//! `netloom serve --upload` as curl and the disk see it.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::Running;

/// How long to wait for what must come. Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(20);

fn curl(test: &str, arguments: &[&str]) -> Option<Output> {
    let output = Command::new("curl")
        .args(["-sS", "-m", "60"])
        .args(arguments)
        .output();
    if output.is_err() {
        let _ = writeln!(std::io::stderr(), "skipped: {test}: there is no curl");
    }
    output.ok()
}

/// The status curl was answered with.
fn put(test: &str, file: &Path, url: &str, options: &[&str]) -> Option<String> {
    let file = file.to_str().unwrap();
    let arguments = ["-T", file, "-o", "/dev/null", "-w", "%{http_code}"];
    let output = curl(test, &[&arguments[..], options, &[url]].concat())?;
    Some(String::from_utf8(output.stdout).unwrap())
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

#[test]
fn curl_uploads_with_a_length_and_in_chunks() {
    let test = "curl_uploads_with_a_length_and_in_chunks";
    let folder = tempfile::tempdir().unwrap();
    let store = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (0_u32..2 << 20)
        .flat_map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes())
        .collect();
    let file = folder.path().join("file");
    fs::write(&file, &content).unwrap();
    let server =
        Running::serving_with(folder.path(), &["--upload", store.path().to_str().unwrap()]);
    let url = format!("http://{}/", server.address);
    for (options, expected) in [
        (&[][..], "201"),
        (&["-H", "Transfer-Encoding: chunked"], "204"),
        (&["-H", "If-None-Match: *"], "412"),
    ] {
        let Some(status) = put(test, &file, &url, options) else {
            return;
        };
        assert_eq!(status, expected, "{options:?}");
        assert!(fs::read(store.path().join("file")).unwrap() == content);
    }
    // What is stored is not what is served.
    fs::remove_file(&file).unwrap();
    let url = format!("{url}file");
    let answer = curl(test, &["-o", "/dev/null", "-w", "%{http_code}", &url]);
    assert_eq!(answer.unwrap().stdout, b"404");
}

#[test]
fn a_client_that_vanishes_leaves_nothing() {
    let store = tempfile::tempdir().unwrap();
    let options = ["--upload", store.path().to_str().unwrap()];
    let server = Running::serving_with(store.path(), &options);
    for _ in 0..20 {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        stream
            .write_all(b"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n")
            .unwrap();
        stream.write_all(&[0; 100_000]).unwrap();
    }
    let begun = Instant::now();
    while !is_empty(store.path()) {
        assert!(begun.elapsed() < PATIENCE, "something is left");
        thread::sleep(Duration::from_millis(10));
    }
    // And the server goes on.
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream
        .write_all(b"PUT /a HTTP/1.0\r\nContent-Length: 2\r\n\r\nok")
        .unwrap();
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
}

#[test]
fn a_full_disk_is_told_and_nothing_is_left_behind() {
    let test = "a_full_disk_is_told_and_nothing_is_left_behind";
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let large = folder.path().join("large");
    fs::write(&large, vec![b'x'; 3 << 20]).unwrap();
    let small = folder.path().join("small");
    fs::write(&small, "small").unwrap();
    let possible = Command::new("unshare")
        .args(["-rm", "mount", "-t", "tmpfs", "none"])
        .arg(&disk)
        .stderr(Stdio::null())
        .status();
    if !possible.is_ok_and(|status| status.success()) {
        let why = "cannot mount in a namespace of its own";
        let _ = writeln!(std::io::stderr(), "skipped: {test}: {why}");
        return;
    }
    let script = "mount -t tmpfs -o size=1m none \"$1\" && \
                  exec \"$0\" serve --port 0 --upload \"$1\" \"$1\"";
    let mut command = Command::new("unshare");
    command
        .args(["-rm", "sh", "-c", script, env!("CARGO_BIN_EXE_netloom")])
        .arg(&disk);
    let server = Running::started(command);
    let url = format!("http://{}/", server.address);
    for _ in 0..3 {
        let Some(status) = put(test, &large, &url, &[]) else {
            return;
        };
        assert_eq!(status, "507");
        let listing = curl(test, &[&url]).unwrap();
        let listing = String::from_utf8(listing.stdout).unwrap();
        assert!(
            !listing.contains("large") && !listing.contains("part"),
            "{listing}"
        );
        assert!(["201", "204"].contains(&&*put(test, &small, &url, &[]).unwrap()));
    }
}
