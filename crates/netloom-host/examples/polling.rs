//! Who should wait for the device: a blocked call itself, or a thread of the stack's own?
//!
//! Measures both against the kernel over a TAP interface, in a network namespace of its own, on one
//! CPU and on two, in turns. Needs root.
//!
//! ```text
//! cargo run --release -p netloom-host --example polling [ROUNDS]
//! ```

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Instant;

use netloom_host::device::Tap;
use netloom_host::net::{Net, Polling};
use nix::sched::{CloneFlags, CpuSet, sched_setaffinity, unshare};
use nix::unistd::Pid;

/// Round trips of one measurement.
const ROUND_TRIPS: usize = 20_000;
/// Bytes of one bulk transfer.
const BULK: usize = 256 << 20;

fn main() -> io::Result<()> {
    let rounds = std::env::args().nth(1).and_then(|n| n.parse().ok());
    unshare(CloneFlags::CLONE_NEWNET)?;
    println!("| CPUs | who polls | round trip, µs | out, GB/s | in, GB/s |");
    println!("|---|---|---|---|---|");
    for cpus in [1, 2] {
        let mut set = CpuSet::new();
        for cpu in 0..cpus {
            set.set(cpu)?;
        }
        sched_setaffinity(Pid::from_raw(0), &set)?;
        let kinds = [Polling::Adaptive, Polling::Thread];
        let mut results = [const { Vec::new() }; 2];
        for _ in 0..rounds.unwrap_or(5) {
            for (polling, results) in kinds.into_iter().zip(&mut results) {
                results.push(measure(polling)?);
            }
        }
        for (polling, results) in kinds.into_iter().zip(&results) {
            let [trip, out, back] =
                [0, 1, 2].map(|i| median(results.iter().map(|r| r[i]).collect()));
            println!("| {cpus} | {polling:?} | {trip:.1} | {out:.2} | {back:.2} |");
        }
    }
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The median round trip of one byte in microseconds, and gigabytes a second out and in.
fn measure(polling: Polling) -> io::Result<[f64; 3]> {
    let net = Tap::create("polling0")?
        .address("10.71.0.2/24")
        .kernel_address("10.71.0.1/24")
        .polling(polling)
        .start()?;
    Ok([round_trip(&net)?, bulk(&net, true)?, bulk(&net, false)?])
}

fn kernel(serve: impl FnOnce(TcpStream) -> io::Result<()> + Send + 'static) -> io::Result<u16> {
    let listener = TcpListener::bind("10.71.0.1:0")?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || listener.accept().and_then(|(stream, _)| serve(stream)));
    Ok(port)
}

fn round_trip(net: &Net) -> io::Result<f64> {
    let port = kernel(|mut stream| {
        stream.set_nodelay(true)?;
        let mut byte = [0];
        while stream.read(&mut byte)? > 0 {
            stream.write_all(&byte)?;
        }
        Ok(())
    })?;
    let mut stream = net.tcp_connect(("10.71.0.1", port))?;
    stream.set_nodelay(true)?;
    let mut times = Vec::with_capacity(ROUND_TRIPS);
    for _ in 0..ROUND_TRIPS {
        let start = Instant::now();
        stream.write_all(&[1])?;
        stream.read_exact(&mut [0])?;
        times.push(start.elapsed().as_nanos() as f64 / 1000.0);
    }
    Ok(median(times))
}

fn bulk(net: &Net, out: bool) -> io::Result<f64> {
    let port = kernel(move |stream| transfer(stream, !out))?;
    let stream = net.tcp_connect(("10.71.0.1", port))?;
    let start = Instant::now();
    transfer(stream, out)?;
    Ok(BULK as f64 / start.elapsed().as_secs_f64() / 1e9)
}

/// Sends everything and waits until the peer has it, or receives everything.
fn transfer(mut stream: impl Read + Write, sends: bool) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 17];
    if sends {
        for _ in 0..BULK / buffer.len() {
            stream.write_all(&buffer)?;
        }
        return stream.read_exact(&mut [0]);
    }
    let mut left = BULK;
    while left > 0 {
        match stream.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => left -= n,
        }
    }
    stream.write_all(&[1])
}
