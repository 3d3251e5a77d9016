//! The kernel's own TCP talks to netloom, in a user and network namespace of our own.

use std::env;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use netloom::device::{KernelEnd, create_veth_pair};
use netloom::{Net, PacketSocket};
use nix::sched::{CloneFlags, unshare};

use super::content::{LEN, content, sha256};
use super::say;
use crate::failure::Failure;

/// The exit code that says: nothing failed, but this system does not allow it.
const NOT_ALLOWED: u8 = 3;

/// The kernel's end of the cable, and netloom's.
const KERNEL_IF: &str = "kernel0";
const NETLOOM_IF: &str = "netloom0";
const KERNEL_IP: Ipv4Addr = Ipv4Addr::new(10, 71, 0, 1);
const SERVER: (Ipv4Addr, u16) = (Ipv4Addr::new(10, 71, 0, 2), 80);

/// How long anything may take here before the demonstration gives up on it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs this part in a process of its own: only a process with a single thread can enter a user
/// namespace, and there is no way back out.
///
/// # Errors
///
/// The transfer failed. That this system does not allow the namespace is no error.
pub(super) fn run_in_namespace() -> Result<(), Failure> {
    say("The kernel's TCP and netloom, on a cable between them (veth, in a network namespace):");
    let status = env::current_exe()
        .and_then(|program| Command::new(program).args(["demo", "--kernel"]).status())
        .map_err(|error| Failure::new(format!("cannot run this program again: {error}")))?;
    match status.code() {
        Some(0) => {}
        Some(code) if code == i32::from(NOT_ALLOWED) => {}
        Some(_) | None => return Err(Failure::new("the transfer with the kernel's TCP failed")),
    }
    say("");
    Ok(())
}

/// Makes the namespace, and has the kernel fetch 10 MB from netloom and send them back.
///
/// # Errors
///
/// The transfer failed, or what came back is not what was sent.
pub(super) fn run_here() -> Result<(), Failure> {
    let net = match enter() {
        Ok(net) => net,
        Err(error) => {
            say(&format!(
                "  skipped: this system does not let you make a network namespace: {error}"
            ));
            return Err(Failure::new("no network namespace").with_exit_code(NOT_ALLOWED));
        }
    };
    let failed = |error: io::Error| Failure::new(format!("the kernel and netloom: {error}"));
    exchange(&net).map_err(failed)?
}

/// Enters a new namespace with a cable whose one end is the kernel's and the other netloom's.
fn enter() -> io::Result<Net> {
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?;
    create_veth_pair(KERNEL_IF, NETLOOM_IF)?;
    KernelEnd::of(NETLOOM_IF)?.up()?;
    KernelEnd::of(KERNEL_IF)?
        .address(KERNEL_IP.into(), 24)?
        .up()?;
    PacketSocket::open(NETLOOM_IF)?
        .address(format!("{}/24", SERVER.0).as_str())
        .start()
}

/// 10 MB from netloom to the kernel, and back on the same connection.
fn exchange(net: &Net) -> io::Result<Result<(), Failure>> {
    let listener = net.tcp_listen(SERVER)?;
    let data = content();
    let sent_sum = sha256(&data);
    let server = thread::spawn(move || -> io::Result<(Vec<u8>, String)> {
        let (mut stream, peer) = listener.accept()?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.write_all(&data)?;
        stream.shutdown(Shutdown::Write)?;
        let mut returned = Vec::with_capacity(LEN);
        stream.read_to_end(&mut returned)?;
        let info = stream.tcp_info()?;
        let told = format!(
            "accepted {peer}: MSS {}, timestamps {}, SACK {}",
            info.snd_mss,
            yes_or_no(info.timestamps),
            yes_or_no(info.sack),
        );
        Ok((returned, told))
    });
    let start = Instant::now();
    let mut client = TcpStream::connect_timeout(&SocketAddr::from(SERVER), PATIENCE)?;
    client.set_read_timeout(Some(PATIENCE))?;
    client.set_write_timeout(Some(PATIENCE))?;
    let mut received = Vec::with_capacity(LEN);
    client.read_to_end(&mut received)?;
    let there = start.elapsed();
    let start = Instant::now();
    client.write_all(&received)?;
    client.shutdown(Shutdown::Write)?;
    let joined = server.join();
    let back = start.elapsed();
    let (returned, told) = joined.unwrap_or_else(|_| Err(io::Error::other("a thread failed")))?;
    let returned_sum = sha256(&returned);
    let rate = |time: Duration| LEN as f64 * 8.0 / time.as_secs_f64() / 1e6;
    say(&format!(
        "  netloom {told}\n\
         \x20 {} octets from netloom to the kernel, {:.0} Mbit/s; back again, {:.0} Mbit/s\n\
         \x20 SHA-256 sent      {sent_sum}\n\
         \x20 SHA-256 returned  {returned_sum}",
        received.len(),
        rate(there),
        rate(back),
    ));
    Ok(if returned_sum == sent_sum {
        Ok(())
    } else {
        Err(Failure::new("what came back is not what was sent"))
    })
}

fn yes_or_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}
