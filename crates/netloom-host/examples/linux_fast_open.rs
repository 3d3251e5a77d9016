//! TCP Fast Open between netloom and the kernel, both ways, over a TAP interface in a network
//! namespace of its own: a cookie is asked for, given, and used. Needs root and Python.
//!
//! ```text
//! cargo run -p netloom-host --example linux_fast_open
//! ```

use std::io::{self, BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use netloom_host::device::Tap;
use nix::sched::{CloneFlags, unshare};

/// A server of the kernel's that sends back what it gets, three times.
const SERVER: &str = "
import socket
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('10.71.0.1', 80))
s.setsockopt(socket.IPPROTO_TCP, 23, 16)
s.listen(16)
print('ready', flush=True)
for _ in range(3):
    c, _ = s.accept()
    c.sendall(c.recv(4096))
    c.close()
";

/// A client of the kernel's that asks three times.
const CLIENT: &str = "
import socket
for _ in range(3):
    s = socket.socket()
    assert s.sendto(b'a request', 0x20000000, ('10.71.0.2', 80)) == 9
    assert s.recv(4096) == b'a request'
    s.close()
";

/// A counter of the kernel's, as `nstat` calls it.
fn kernel(name: &str) -> io::Result<u64> {
    let text = std::fs::read_to_string("/proc/net/netstat")?;
    let mut lines = text.lines();
    while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
        let mut both = names.split(' ').zip(values.split(' '));
        if let Some((_, value)) = both.find(|(known, _)| *known == name) {
            return value.parse().map_err(io::Error::other);
        }
    }
    Err(io::Error::other(format!("no counter {name}")))
}

fn check(what: &str, is: u64, should_be: u64) -> io::Result<()> {
    println!("{what}: {is}");
    if is == should_be {
        Ok(())
    } else {
        Err(io::Error::other(format!("{should_be} expected")))
    }
}

fn main() -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNET)?;
    std::fs::write("/proc/sys/net/ipv4/tcp_fastopen", "3")?;
    let net = Tap::create("fast0")?
        .address("10.71.0.2/24")
        .kernel_address("10.71.0.1/24")
        .tunable("tcp_fastopen", 3)
        .start()?;

    let mut server = Command::new("python3")
        .args(["-c", SERVER])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut ready = String::new();
    if let Some(output) = server.stdout.take() {
        BufReader::new(output).read_line(&mut ready)?;
    }
    let to = SocketAddr::from(([10, 71, 0, 1], 80));
    for _ in 0..3 {
        let (mut stream, taken) = net.tcp_socket()?.connect_with_data(&to, b"a request")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        if taken != 9 || answer != b"a request" {
            return Err(io::Error::other("another answer than the request"));
        }
    }
    server.wait()?;
    check(
        "cookies the kernel gave",
        kernel("TCPFastOpenCookieReqd")?,
        1,
    )?;
    check(
        "SYNs whose data the kernel took",
        kernel("TCPFastOpenPassive")?,
        2,
    )?;

    let listener = net
        .tcp_socket()?
        .bind("10.71.0.2:80")?
        .fast_open(16)
        .listen(16)?;
    let client = std::thread::spawn(|| Command::new("python3").args(["-c", CLIENT]).status());
    for _ in 0..3 {
        let (mut stream, _) = listener.accept()?;
        let mut request = [0; 64];
        let n = stream.read(&mut request)?;
        io::Write::write_all(&mut stream, &request[..n])?;
    }
    let status = client.join().map_err(|_| io::Error::other("no client"))??;
    if !status.success() {
        return Err(io::Error::other("the kernel's client failed"));
    }
    check(
        "SYNs whose data netloom took",
        net.counters().tcp_fast_opens as u64,
        2,
    )?;
    check(
        "the kernel's data that was acknowledged with the SYN",
        kernel("TCPFastOpenActive")?,
        2,
    )?;
    Ok(())
}
