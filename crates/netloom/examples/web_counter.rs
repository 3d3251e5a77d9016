//! A web page that counts its visitors.
//!
//! Without arguments a client visits it three times, over a cable in memory. With `tap`, as root, it
//! is served at <http://10.71.0.2/> for a browser: `web_counter tap`.

#[cfg(target_os = "linux")]
mod page {
    use std::io::{self, BufRead, BufReader, Read, Write};
    use std::sync::atomic::{AtomicU64, Ordering};

    use netloom::{TcpListener, TcpStream};

    /// A request's head at most.
    const HEAD: u64 = 8192;

    /// Serves the page for ever.
    pub(super) fn serve(listener: &TcpListener) -> io::Result<()> {
        let visits = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for stream in listener.incoming() {
                let (stream, visits) = (stream?, &visits);
                // A visitor who goes away early is no concern of others.
                scope.spawn(move || answer(&stream, visits));
            }
            Ok(())
        })
    }

    fn answer(mut stream: &TcpStream, visits: &AtomicU64) -> io::Result<()> {
        let mut head = BufReader::new(stream).take(HEAD);
        let mut request = String::new();
        head.read_line(&mut request)?;
        let mut line = String::new();
        while head.read_line(&mut line)? > 2 {
            line.clear();
        }
        // Browsers ask for more than the page.
        let (status, body) = match request.split(' ').nth(1) {
            Some("/") => {
                let visit = visits.fetch_add(1, Ordering::Relaxed) + 1;
                (
                    "200 OK",
                    format!("<!doctype html>\n<p>You are visitor {visit}.\n"),
                )
            }
            _ => (
                "404 Not Found",
                "<!doctype html>\n<p>There is nothing here.\n".to_owned(),
            ),
        };
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            body.len()
        )
    }
}

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    use std::io::{Read, Write};

    if std::env::args().nth(1).as_deref() == Some("tap") {
        let net = netloom::Tap::create("netloom0")?
            .address("10.71.0.2/24")
            .kernel_address("10.71.0.1/24")
            .start()?;
        let listener = net.tcp_listen("0.0.0.0:80")?;
        println!("listening at http://10.71.0.2/");
        return page::serve(&listener);
    }
    let (left, right) = netloom::device::LinkEnd::pair(1500)?;
    let server = right.address("10.0.0.2/24").start()?;
    let client = left.address("10.0.0.1/24").start()?;
    let listener = server.tcp_listen("0.0.0.0:80")?;
    std::thread::spawn(move || page::serve(&listener));
    for path in ["/", "/favicon.ico", "/", "/"] {
        let mut stream = client.tcp_connect("10.0.0.2:80")?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: 10.0.0.2\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        println!("{path}: {}", answer.lines().last().unwrap_or_default());
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("devices and sockets exist on Linux only");
}
