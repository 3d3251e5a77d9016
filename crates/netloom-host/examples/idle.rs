//! What do connections that say nothing cost a bulk transfer beside them?
//!
//! Moves data to and from the kernel over a TAP interface, in a network namespace of its own, alone
//! and beside 2,000 idle connections, in turns. Needs root.
//!
//! ```text
//! cargo run --release -p netloom-host --example idle [ROUNDS]
//! ```

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Instant;

use netloom_host::device::Tap;
use nix::sched::{CloneFlags, unshare};
use nix::time::ClockId;

/// Bytes of one transfer.
const BULK: usize = 512 << 20;
const IDLE: usize = 2000;

fn main() -> io::Result<()> {
    let rounds = std::env::args().nth(1).and_then(|n| n.parse().ok());
    unshare(CloneFlags::CLONE_NEWNET)?;
    let mut results = [const { Vec::new() }; 2];
    for _ in 0..rounds.unwrap_or(7) {
        for (idle, results) in [0, IDLE].into_iter().zip(&mut results) {
            results.push(measure(idle)?);
        }
    }
    println!("| idle connections | out, GB/s | in, GB/s | out, CPU ms a GB | in, CPU ms a GB |");
    println!("|---|---|---|---|---|");
    for (idle, results) in [0, IDLE].into_iter().zip(&results) {
        let column = |i: usize| median(results.iter().map(|r| r[i]).collect());
        let [out, back, out_cpu, back_cpu] = [0, 1, 2, 3].map(column);
        println!("| {idle} | {out:.2} | {back:.2} | {out_cpu:.0} | {back_cpu:.0} |");
    }
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Gigabytes a second out and in beside so many idle connections, and milliseconds of processor
/// time a gigabyte, both ends and the kernel's work for them, which other programs disturb less.
fn measure(idle: usize) -> io::Result<[f64; 4]> {
    let net = Tap::create("idle0")?
        .address("10.71.0.2/24")
        .kernel_address("10.71.0.1/24")
        .start()?;
    let listener = net.tcp_listen("10.71.0.2:0")?;
    let at = listener.local_addr()?;
    let connect = || -> io::Result<_> {
        let theirs = TcpStream::connect(at)?;
        Ok((theirs, listener.accept()?.0))
    };
    let _idle = (0..idle)
        .map(|_| connect())
        .collect::<io::Result<Vec<_>>>()?;
    let (theirs, ours) = connect()?;
    let (out, out_cpu) = transfer(ours, theirs)?;
    let (theirs, ours) = connect()?;
    let (back, back_cpu) = transfer(theirs, ours)?;
    Ok([out, back, out_cpu, back_cpu])
}

/// Moves everything from one to the other: gigabytes a second, milliseconds of processor time a
/// gigabyte.
fn transfer<W, R>(mut from: W, mut to: R) -> io::Result<(f64, f64)>
where
    W: Write + Close + Send + 'static,
    R: Read,
{
    let (start, cpu) = (Instant::now(), processor_time()?);
    let sender = thread::spawn(move || {
        let buffer = vec![0; 1 << 17];
        for _ in 0..BULK / buffer.len() {
            from.write_all(&buffer)?;
        }
        from.close()
    });
    let mut buffer = vec![0; 1 << 17];
    while to.read(&mut buffer)? > 0 {}
    let gigabytes = BULK as f64 / 1e9;
    let speed = gigabytes / start.elapsed().as_secs_f64();
    sender.join().expect("the sender does not panic")?;
    Ok((speed, (processor_time()? - cpu) / gigabytes))
}

/// What the process has used, in milliseconds.
fn processor_time() -> io::Result<f64> {
    let time = ClockId::CLOCK_PROCESS_CPUTIME_ID.now()?;
    Ok(time.tv_sec() as f64 * 1e3 + time.tv_nsec() as f64 / 1e6)
}

/// Ending the stream of bytes.
trait Close {
    fn close(&self) -> io::Result<()>;
}

impl Close for TcpStream {
    fn close(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl Close for netloom_host::net::TcpStream {
    fn close(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}
