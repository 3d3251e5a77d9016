//! TCP carries a stream of octets, not messages: two writes may arrive as one read, and one write as
//! several. Who wants messages must say where each ends: here by its length in front of it.
//!
//! Both ends run here, on two stacks with a cable in memory between them.

#[cfg(target_os = "linux")]
mod messages {
    use std::io::{self, Read, Write};

    /// Longer messages are refused: the length comes from the other side, and could say anything.
    const LONGEST: usize = 1 << 16;

    /// Sends a message: its length in four octets, most significant first, and itself.
    pub(super) fn send(stream: &mut impl Write, message: &[u8]) -> io::Result<()> {
        let length = u32::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        stream.write_all(&length.to_be_bytes())?;
        stream.write_all(message)
    }

    /// The next message, however it was cut on its way; `None` at the end of the stream, if that
    /// is between messages.
    pub(super) fn receive(stream: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
        let mut length = [0; 4];
        // An end before the first octet is an end; one behind it is an error.
        if stream.read(&mut length[..1])? == 0 {
            return Ok(None);
        }
        stream.read_exact(&mut length[1..])?;
        let length = u32::from_be_bytes(length) as usize;
        if length > LONGEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut message = vec![0; length];
        stream.read_exact(&mut message)?;
        Ok(Some(message))
    }
}

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    use std::io::{Read, Write};
    use std::net::Shutdown;

    let (left, right) = netloom::device::LinkEnd::pair(1500)?;
    let server = right.address("10.0.0.2/24").start()?;
    let client = left.address("10.0.0.1/24").start()?;
    let listener = server.tcp_listen("0.0.0.0:9")?;
    let mut here = client.tcp_connect("10.0.0.2:9")?;
    let (mut there, _) = listener.accept()?;

    here.write_all(b"one")?;
    here.write_all(b"two")?;
    let mut six = [0; 6];
    there.read_exact(&mut six)?;
    // Nothing tells where the first ended.
    println!("two writes, one stream: {}", String::from_utf8_lossy(&six));

    for message in ["one", "two", "", "and a longer one"] {
        messages::send(&mut here, message.as_bytes())?;
    }
    here.shutdown(Shutdown::Write)?;
    while let Some(message) = messages::receive(&mut there)? {
        println!("a message: {:?}", String::from_utf8_lossy(&message));
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("devices and sockets exist on Linux only");
}
