//! How real programs wait: within a time, told apart from the end and from failure, and once more
//! when the connection is lost.
//!
//! Client and server run here, on two stacks with a cable in memory between them.

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use std::io::{ErrorKind, Read, Write};
    use std::time::Duration;

    use netloom::TcpConnection;
    use netloom::net::{Backoff, Keepalive, Net};

    let (left, right) = netloom::device::LinkEnd::pair(1500)?;
    let plc = right.address("10.0.0.2/24").start()?;
    // Names are the program's own here; a DNS client would be asked in the same way.
    let net =
        left.address("10.0.0.1/24")
            .start()?
            .with_resolver(|_: &Net, name: &str, _: Duration| match name {
                "plc.local" => Ok(vec![[10, 0, 0, 2].into()]),
                _ => Err(ErrorKind::NotFound.into()),
            });
    let listener = plc.tcp_listen("0.0.0.0:502")?;

    let seconds = Duration::from_secs;
    let mut connection = TcpConnection::connect(&net, "plc.local:502", seconds(20))?;
    connection.set_keepalive(Some(Keepalive {
        idle: seconds(30),
        interval: seconds(5),
        count: 3,
    }))?;
    let (mut there, _) = listener.accept()?;

    // Nothing comes: a timeout is not an end, and not an error of the connection.
    let mut buffer = [0; 64];
    match connection.read_at_least_one(&mut buffer, Duration::from_millis(20)) {
        Err(error) if error.kind() == ErrorKind::TimedOut => println!("nothing yet"),
        other => println!("unexpected: {other:?}"),
    }
    println!("connected: {}", connection.is_connected());

    // A write has a time in all, and says how much went if that was too short.
    if let Err(partial) = connection.write_within(b"read coils", seconds(20)) {
        println!("{} bytes went: {}", partial.written, partial.error);
    }
    there.read_exact(&mut buffer[..10])?;
    there.write_all(b"0110")?;
    let length = connection.read_at_least_one(&mut buffer, seconds(20))?;
    println!("coils: {}", String::from_utf8_lossy(&buffer[..length]));

    // The other side restarts.
    there.abort()?;
    match connection.read_at_least_one(&mut buffer, seconds(20)) {
        Err(error) if error.kind() == ErrorKind::ConnectionReset => println!("lost: {error}"),
        other => println!("unexpected: {other:?}"),
    }
    if !connection.is_connected() {
        connection.reconnect(Backoff::default())?;
        println!("connected again: {}", connection.is_connected());
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("devices and sockets exist on Linux only");
}
