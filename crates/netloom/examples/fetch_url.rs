//! Fetches a web page and prints it.
//!
//! Without arguments a server on the other end of a cable in memory has the page. With a URL, as
//! root, it is fetched over a TAP device from this host's kernel or beyond it:
//! `fetch_url http://10.71.0.1:8000/`.

#[cfg(target_os = "linux")]
mod web {
    use std::io::{Error, ErrorKind, Read, Write};
    use std::time::Duration;

    use netloom::TcpConnection;
    use netloom::net::Net;

    /// A page at most, with its head.
    const LONGEST: u64 = 16 << 20;

    /// Fetches what a URL names.
    pub(super) fn fetch(net: &Net, url: &str) -> Result<Vec<u8>, Error> {
        let wrong = |what| Error::new(ErrorKind::InvalidInput, what);
        let rest = url
            .strip_prefix("http://")
            .ok_or_else(|| wrong("it is not http://"))?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        // An address of IPv6 has colons of its own, in brackets.
        let has_port = host
            .rfind(':')
            .is_some_and(|colon| !host[colon..].contains(']'));
        let remote = if has_port {
            host.to_owned()
        } else {
            format!("{host}:80")
        };
        let connection = TcpConnection::connect(net, remote, Duration::from_secs(10))?;
        let mut stream = connection.into_stream()?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        // HTTP/1.0: the end of the page is the end of the connection.
        write!(stream, "GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.take(LONGEST).read_to_end(&mut answer)?;
        let head = answer.windows(4).position(|four| four == b"\r\n\r\n");
        let body = head.ok_or_else(|| wrong("the answer is not HTTP"))? + 4;
        if !answer.starts_with(b"HTTP/1.") || answer.get(9..12) != Some(b"200") {
            let status = answer.split(|&c| c == b'\r').next().unwrap_or_default();
            return Err(Error::other(String::from_utf8_lossy(status).into_owned()));
        }
        Ok(answer.split_off(body))
    }
}

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    use std::io::{BufRead, BufReader, Write};

    let page = match std::env::args().nth(1) {
        Some(url) => {
            let net = netloom::Tap::create("netloom0")?
                .address("10.71.0.2/24")
                .kernel_address("10.71.0.1/24")
                .gateway("10.71.0.1")
                .start()?;
            web::fetch(&net, &url)?
        }
        None => {
            let (left, right) = netloom::device::LinkEnd::pair(1500)?;
            let server = right.address("10.0.0.2/24").start()?;
            let client = left.address("10.0.0.1/24").start()?;
            let listener = server.tcp_listen("0.0.0.0:80")?;
            std::thread::spawn(move || -> std::io::Result<()> {
                let (mut stream, _) = listener.accept()?;
                // The request says nothing that changes the answer, but all of it must be read:
                // what comes after the connection is closed is answered with a reset.
                for line in BufReader::new(stream.try_clone()?).lines() {
                    if line?.is_empty() {
                        break;
                    }
                }
                stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nA page from the other stack.\n")
            });
            web::fetch(&client, "http://10.0.0.2/")?
        }
    };
    std::io::stdout().write_all(&page)
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("devices and sockets exist on Linux only");
}
