//! `netloom serve` as raw sockets see it.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use common::Running;

fn serve() -> (tempfile::TempDir, Running) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "aaa").unwrap();
    fs::write(folder.path().join("big"), vec![b'x'; 8 << 20]).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("out")).unwrap();
    let running = Running::serving(folder.path());
    (folder, running)
}

/// All that comes back for `request`, the sending direction left open.
fn exchange(running: &Running, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(&running.address).unwrap();
    stream.write_all(request).unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).unwrap();
    String::from_utf8_lossy(&response).into_owned()
}

#[test]
fn requests_and_their_status() {
    let (_folder, running) = serve();
    let close = "Host: h\r\nConnection: close\r\n\r\n";
    let long = "a".repeat(9000);
    for (head, code) in [
        (format!("GET /a HTTP/1.1\r\n{close}"), "200"),
        (format!("GET http://h/a HTTP/1.1\r\n{close}"), "200"),
        ("GET /a HTTP/1.0\r\n\r\n".into(), "200"),
        (format!("GET /out HTTP/1.1\r\n{close}"), "403"),
        (format!("GET /../a HTTP/1.1\r\n{close}"), "400"),
        (
            format!("GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n{close}"),
            "400",
        ),
        (format!("GET //etc/passwd HTTP/1.1\r\n{close}"), "404"),
        (format!("GET /a%00 HTTP/1.1\r\n{close}"), "400"),
        (format!("DELETE /a HTTP/1.1\r\n{close}"), "405"),
        (format!("GET /{long} HTTP/1.1\r\n{close}"), "414"),
        (
            format!("GET / HTTP/1.1\r\nA: {long}{long}\r\n{close}"),
            "431",
        ),
        (
            format!("GET / HTTP/1.1\r\n{}{close}", "A: b\r\n".repeat(100)),
            "431",
        ),
        (format!("GET / HTTP/3.0\r\n{close}"), "505"),
        (format!("BREW / HTTP/1.1\r\n{close}"), "501"),
        (
            format!("GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n{close}"),
            "400",
        ),
        (
            format!("GET / HTTP/1.1\r\nContent-Length: 99999999\r\n{close}"),
            "413",
        ),
        ("GET / HTTP/1.1\r\nHost : h\r\n\r\n".into(), "400"),
        ("\u{16}\u{3}\u{1}".into(), "400"),
    ] {
        let response = exchange(&running, head.as_bytes());
        assert!(
            response.starts_with(&format!("HTTP/1.1 {code} ")),
            "{head:?}: {response}"
        );
        assert!(!response.contains("root:"), "{head:?}");
    }
}

#[test]
fn pipelined_requests() {
    let (_folder, running) = serve();
    let mut requests = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n".repeat(100);
    requests.push_str("GET /nothing HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    let responses = exchange(&running, requests.as_bytes());
    assert_eq!(responses.matches("HTTP/1.1 200 OK\r\n").count(), 100);
    assert_eq!(responses.matches("\r\n\r\naaa").count(), 100);
    assert!(responses.ends_with("nothing has this name here\n"));
}

/// The response arrives although the client goes on sending what nobody reads.
#[test]
fn a_refusal_is_not_lost_to_a_reset() {
    let (_folder, running) = serve();
    let mut request = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n".to_vec();
    request.extend(vec![b'x'; 200_000]);
    for _ in 0..50 {
        let response = exchange(&running, &request);
        assert!(response.starts_with("HTTP/1.1 405 "), "{response}");
    }
}

/// A client that leaves in the middle of a file harms nobody.
#[test]
fn clients_that_leave() {
    let (_folder, running) = serve();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(&running.address).unwrap();
        stream
            .write_all(b"GET /big HTTP/1.1\r\nHost: h\r\n\r\n")
            .unwrap();
        stream.read_exact(&mut [0; 1000]).unwrap();
    }
    assert!(exchange(&running, b"GET /a HTTP/1.0\r\n\r\n").ends_with("aaa"));
}
