//! Bulk, request and response, connecting: from one end to another, whatever those are.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use netloom::Net;

/// Octets written at once in bulk.
const PIECE: usize = 64 * 1024;

/// Connections of the connecting measurement at most: what ephemeral ports last for.
const MAX_CONNECTIONS: u32 = 5_000;

/// How long anything may take before the measurement gives up on it.
const PATIENCE: Duration = Duration::from_secs(20);

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Figures {
    /// Mbit/s, from the client to the server.
    pub(super) bulk: f64,
    /// Of one octet there and one back.
    pub(super) median: Duration,
    pub(super) percentile_99: Duration,
    /// Connections a second: opened, one octet each way, closed.
    pub(super) connections: f64,
}

/// A TCP: the kernel's, or netloom's.
pub(super) trait End {
    /// A connection of it.
    type Stream: Read + Write + Send + 'static;

    /// Where it listens.
    fn address(&self) -> SocketAddr;

    /// Has each connection that comes served by `serve`, on a thread of its own, for as long as
    /// the program lasts or the last one has come.
    fn listen(&self, serve: fn(Self::Stream)) -> io::Result<()>;

    /// Connects, without a delay for small writes.
    fn connect(&self, to: SocketAddr) -> io::Result<Self::Stream>;
}

/// The kernel's TCP, at this address.
#[derive(Debug)]
pub(super) struct Kernel(pub(super) SocketAddr);

/// netloom's, at this address.
#[derive(Debug)]
pub(super) struct Netloom(pub(super) Net, pub(super) SocketAddr);

impl End for Kernel {
    type Stream = TcpStream;

    fn address(&self) -> SocketAddr {
        self.0
    }

    fn listen(&self, serve: fn(TcpStream)) -> io::Result<()> {
        let listener = TcpListener::bind(self.0)?;
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = stream.set_nodelay(true);
                thread::spawn(move || serve(stream));
            }
        });
        Ok(())
    }

    fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(stream)
    }
}

impl End for Netloom {
    type Stream = netloom::TcpStream;

    fn address(&self) -> SocketAddr {
        self.1
    }

    fn listen(&self, serve: fn(netloom::TcpStream)) -> io::Result<()> {
        let listener = self.0.tcp_listen(self.1)?;
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let _ = stream.set_nodelay(true);
                thread::spawn(move || serve(stream));
            }
        });
        Ok(())
    }

    fn connect(&self, to: SocketAddr) -> io::Result<netloom::TcpStream> {
        let stream = self.0.tcp_connect_timeout(&to, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(stream)
    }
}

/// Measures from `client` to `server`, each figure for about `time`.
///
/// # Errors
///
/// A connection failed.
pub(super) fn measure<C: End, S: End>(
    client: &C,
    server: &S,
    time: Duration,
) -> io::Result<Figures> {
    server.listen(serve)?;
    let to = server.address();
    let (median, percentile_99) = round_trips(&mut client.connect(to)?, time)?;
    Ok(Figures {
        bulk: bulk(&mut client.connect(to)?, time)?,
        median,
        percentile_99,
        connections: connections(client, to, time)?,
    })
}

/// Answers single octets with one, and takes everything else, until the client has no more.
fn serve<S: Read + Write>(mut stream: S) {
    let mut buffer = vec![0; PIECE];
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        if read == 1 && stream.write_all(&[0]).is_err() {
            return;
        }
    }
}

/// Mbit/s of a client that writes for a while and then waits until all has arrived.
fn bulk(stream: &mut (impl Read + Write), time: Duration) -> io::Result<f64> {
    let piece = vec![0x55; PIECE];
    let (start, mut octets) = (Instant::now(), 0_u64);
    while start.elapsed() < time {
        stream.write_all(&piece)?;
        octets += PIECE as u64;
    }
    // What is still under way is a few buffers of many.
    let seconds = start.elapsed().as_secs_f64();
    Ok(octets as f64 * 8.0 / seconds / 1e6)
}

/// Median and 99th percentile of one octet there and one back.
fn round_trips(
    stream: &mut (impl Read + Write),
    time: Duration,
) -> io::Result<(Duration, Duration)> {
    let mut times = Vec::new();
    let start = Instant::now();
    while start.elapsed() < time {
        let sent = Instant::now();
        stream.write_all(&[1])?;
        stream.read_exact(&mut [0])?;
        times.push(sent.elapsed());
    }
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).copied();
    Ok((at(50).unwrap_or_default(), at(99).unwrap_or_default()))
}

/// Connections a second, one after the other.
fn connections<C: End>(client: &C, to: SocketAddr, time: Duration) -> io::Result<f64> {
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < time && count < MAX_CONNECTIONS {
        let mut stream = client.connect(to)?;
        stream.write_all(&[1])?;
        stream.read_exact(&mut [0])?;
        count += 1;
    }
    Ok(f64::from(count) / start.elapsed().as_secs_f64())
}
