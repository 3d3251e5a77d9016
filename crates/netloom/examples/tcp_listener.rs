//! A server that sends back what it is sent, each connection on a thread of its own; and a client.
//!
//! Both run here, on two stacks with a cable in memory between them: no rights are needed. On a TAP
//! device the server is the same (see `tap_server`).

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    use std::io::{Read, Write};
    use std::net::Shutdown;
    use std::thread;

    let (left, right) = netloom::device::LinkEnd::pair(1500)?;
    let server = right.address("10.0.0.2/24").start()?;
    let client = left.address("10.0.0.1/24").start()?;

    let listener = server.tcp_listen("0.0.0.0:7")?;
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream?;
            thread::spawn(move || std::io::copy(&mut stream.try_clone()?, &mut stream));
        }
        Ok::<(), std::io::Error>(())
    });

    let mut stream = client.tcp_connect("10.0.0.2:7")?;
    stream.write_all(b"hello, ")?;
    stream.write_all(b"echo\n")?;
    // It ends its own direction; the server sends the rest, and ends the other.
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    print!("{answer}");
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("devices and sockets exist on Linux only");
}
