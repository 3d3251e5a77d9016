//! `netloom get` from netloom's own server, without rights.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use common::Running;
use netloom::capture::Reader;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn get(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_netloom"))
        .arg("get")
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the program starts")
}

/// The exit code and the one line of a failure.
fn failure(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output = get(folder, arguments);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(errors.lines().count(), 1, "{errors}");
    (output.status.code().unwrap(), errors)
}

fn content() -> Vec<u8> {
    (0_u32..1 << 18)
        .flat_map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes())
        .collect()
}

/// A server of the kernel's that answers every connection with these octets.
fn says(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    format!("http://{address}/")
}

#[test]
fn to_standard_output_and_to_files() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("large"), content()).unwrap();
    let server = Running::serving(folder.path());
    let here = tempfile::tempdir().unwrap();
    let url = format!("http://{}/large", server.address);
    assert!(get(here.path(), &[&url]).stdout == content());
    for arguments in [&["-o", "file", &url][..], &["-O", &url]] {
        assert!(get(here.path(), arguments).status.success());
    }
    for name in ["file", "large"] {
        assert!(
            fs::read(here.path().join(name)).unwrap() == content(),
            "{name}"
        );
    }
}

#[test]
fn a_file_is_continued() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("large"), content()).unwrap();
    let server = Running::serving(folder.path());
    let here = tempfile::tempdir().unwrap();
    let url = format!("http://{}/large", server.address);
    let file = here.path().join("file");
    // From the beginning, from the middle, and when nothing is missing.
    for len in [None, Some(300_000), Some(content().len())] {
        if let Some(len) = len {
            fs::write(&file, &content()[..len]).unwrap();
        }
        let output = get(here.path(), &["-c", "-o", "file", &url]);
        assert!(output.status.success(), "{output:?}");
        assert!(fs::read(&file).unwrap() == content());
    }
    // A server that cannot.
    fs::write(&file, "begun ").unwrap();
    let whole = says("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole");
    assert!(
        get(here.path(), &["-c", "-o", "file", &whole])
            .status
            .success()
    );
    assert_eq!(fs::read(&file).unwrap(), b"whole");
    let other = says("HTTP/1.1 206 P\r\nContent-Range: bytes 1-2/9\r\nContent-Length: 2\r\n\r\nxx");
    assert_eq!(failure(here.path(), &["-c", "-o", "file", &other]).0, 6);
    assert_eq!(fs::read(&file).unwrap(), b"whole");
}

#[test]
fn redirections_are_followed_so_far() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    fs::write(folder.path().join("sub/index.html"), "the index").unwrap();
    let server = Running::serving(folder.path());
    let url = format!("http://{}/sub", server.address);
    assert_eq!(get(folder.path(), &[&url]).stdout, b"the index");
    let (code, errors) = failure(folder.path(), &["--max-redirects", "0", &url]);
    assert!(code == 9 && errors.contains("--max-redirects"), "{errors}");
    let round = says("HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(failure(folder.path(), &[&round]).0, 9);
    let tls = says("HTTP/1.1 301 Moved\r\nLocation: https://h/\r\nContent-Length: 0\r\n\r\n");
    let (code, errors) = failure(folder.path(), &[&tls]);
    assert!(code == 9 && errors.contains("TLS"), "{errors}");
}

#[test]
fn each_kind_of_failure_has_its_code() {
    let folder = tempfile::tempdir().unwrap();
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let nobody = format!("http://{}/", unused.unwrap());
    for (url, expected) in [
        (nobody, 4),
        (says("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"), 5),
        (says("220 mail.example ESMTP\r\n"), 6),
        (
            says("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
            7,
        ),
        (says("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"), 8),
        ("https://10.71.0.2/".to_owned(), 9),
        ("ftp://10.71.0.2/".to_owned(), 2),
        ("http://10.71.0.2/ --gateway 10.71.0.1".to_owned(), 2),
        ("http://127.0.0.1/ -c".to_owned(), 2),
        ("http://127.0.0.1/ -O".to_owned(), 2),
    ] {
        let arguments: Vec<&str> = url.split(' ').collect();
        assert_eq!(failure(folder.path(), &arguments).0, expected, "{url}");
    }
    let (code, _) = failure(
        folder.path(),
        &[
            "-o",
            "no/such/folder",
            &says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ],
    );
    assert_eq!(code, 1);
}

#[test]
fn packets_are_told_and_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let url = says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let output = get(folder.path(), &["-v", "--pcap", "get.pcapng", &url]);
    assert_eq!(output.stdout, b"ok");
    let told = String::from_utf8(output.stderr).unwrap();
    for word in ["ARP, Request", "Flags [S]", "Flags [S.]", ": 200 OK"] {
        assert!(told.contains(word), "{word}: {told}");
    }
    let capture = fs::read(folder.path().join("get.pcapng")).unwrap();
    assert_eq!(capture[..4], [0x0a, 0x0d, 0x0d, 0x0a]);
    assert!(capture.len() > 1000);
}

#[test]
fn a_capture_that_is_not_whole_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let url = says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let (code, errors) = failure(folder.path(), &["--pcap", "/dev/full", &url]);
    assert_eq!(code, 1);
    assert!(
        errors.starts_with("netloom: the capture `/dev/full` is not whole: "),
        "{errors}"
    );
    // What was fetched is there, and a failure to fetch has its own code.
    assert_eq!(
        get(folder.path(), &["--pcap", "/dev/full", &url]).stdout,
        b"ok"
    );
    let url = says("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    let output = get(folder.path(), &["--pcap", "/dev/full", &url]);
    assert_eq!(output.status.code(), Some(7));
}

/// A server that sends some of what it promises, and then waits for the end of the client.
fn says_less_than_it_promises(octets: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", octets + 1);
        let _ = stream.write_all(head.as_bytes());
        let _ = stream.write_all(&vec![b'x'; octets]);
        let _ = stream.read(&mut [0; 1]);
    });
    format!("http://{address}/")
}

#[test]
fn a_capture_is_whole_when_a_signal_ends_it() {
    const OCTETS: usize = 300_000;
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let folder = tempfile::tempdir().unwrap();
        let url = says_less_than_it_promises(OCTETS);
        let mut child = Command::new(env!("CARGO_BIN_EXE_netloom"))
            .args(["get", "--pcap", "get.pcapng", &url])
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        await_octets(&mut child, OCTETS);
        kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(signal as i32), "as without a capture");
        let file = fs::read(folder.path().join("get.pcapng")).unwrap();
        let mut capture = Reader::new(file.as_slice()).unwrap();
        let mut octets = 0;
        while let Some(packet) = capture.next().expect("a whole capture") {
            octets += packet.frame.len();
        }
        assert!(octets > OCTETS, "{octets}");
    }
}

/// Waits until a program has said so much.
fn await_octets(child: &mut Child, octets: usize) {
    let stdout = child.stdout.as_mut().unwrap();
    stdout.read_exact(&mut vec![0; octets]).unwrap();
}

/// What was ignored when it was started, as by nohup(1), ends nothing.
#[test]
fn a_signal_that_is_ignored_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let url = says_less_than_it_promises(100_000);
    let mut child = Command::new("sh")
        .args(["-c", r#"trap "" HUP; exec "$0" get --pcap get.pcapng "$1""#])
        .args([env!("CARGO_BIN_EXE_netloom"), &url])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    await_octets(&mut child, 100_000);
    let id = Pid::from_raw(child.id().try_into().unwrap());
    kill(id, Signal::SIGHUP).unwrap();
    thread::sleep(Duration::from_millis(100));
    assert!(child.try_wait().unwrap().is_none());
    kill(id, Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(Signal::SIGTERM as i32));
}
