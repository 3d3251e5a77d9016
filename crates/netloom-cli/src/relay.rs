//! The kernel's connections, carried over netloom, and netloom's over the kernel: for hosts where
//! we may not have a device.
//!
//! Each connection the kernel accepts gets one on a netloom stack; bytes go both ways, and so do
//! the ends of the two directions (FIN) and failures (RST).

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use netloom::control::Control;
use netloom::{LinkEnd, Net};
use rustix::net::sockopt::set_socket_linger;

use crate::device::{Watch, Watched};
use crate::serve::{Failure, Pool};

#[cfg(test)]
mod tests;

/// Connections carried at once; further ones wait in the kernel.
const CONNECTIONS: usize = 2048;

/// Carried at once in one direction of a connection, in octets.
const BUFFER: usize = 64 * 1024;

/// The thread of a direction keeps its buffer on the heap.
const STACK_SIZE: usize = 64 * 1024;

/// While there is no descriptor or memory for another connection.
const BACK_OFF: Duration = Duration::from_millis(50);

/// The near end's addresses on the link, and the far end's.
const NEAR: [&str; 2] = ["10.71.0.1/24", "fd71::1/64"];
const FAR: [&str; 2] = ["10.71.0.2/24", "fd71::2/64"];

/// The first of the far end's.
pub(crate) const FAR_V4: Ipv4Addr = Ipv4Addr::new(10, 71, 0, 2);

/// The IP packets of the link, in octets: Ethernet's.
const MTU: u16 = 1500;

/// Two stacks on a link in memory, of which the first is watched.
///
/// # Errors
///
/// No descriptor, thread or randomness is left.
pub(crate) fn link(watch: Watch) -> io::Result<(Net, Net)> {
    let (near, far) = LinkEnd::pair(MTU)?;
    let near = if watch.is_idle() {
        Net::builder(near)
    } else {
        Net::builder(Watched::new(near, watch)?)
    };
    let near = near.address(NEAR[0]).address(NEAR[1]);
    let far = far.address(FAR[0]).address(FAR[1]);
    let near = near.control(Control::IfPossible).start()?;
    let far = far.control(Control::IfPossible).start()?;
    Ok((near, far))
}

/// Carries the connections of `listener` to `server` on `net` until there are no more.
///
/// # Errors
///
/// What accepting ended with.
pub(crate) fn run(listener: &TcpListener, net: &Net, server: SocketAddr) -> io::Result<()> {
    let pool = Pool::new(CONNECTIONS);
    loop {
        match listener.accept() {
            Ok((kernel, _)) => {
                let net = net.clone();
                pool.run(move || carry(&kernel, &net, server));
            }
            Err(error) => match Failure::of(&error) {
                Failure::OfConnection => {}
                Failure::Passing => thread::sleep(BACK_OFF),
                Failure::Final => return Err(error),
            },
        }
    }
}

/// Carries one connection until both directions have ended, or one has failed.
fn carry(kernel: &TcpStream, net: &Net, server: SocketAddr) {
    let Ok(netloom) = net.tcp_connect(server) else {
        reset(kernel);
        return;
    };
    join(kernel, &netloom);
}

/// Carries what two connections bring to one another until both directions have ended, or one has
/// failed.
pub(crate) fn join(kernel: &TcpStream, netloom: &netloom::TcpStream) {
    let _ = kernel.set_nodelay(true);
    let _ = netloom.set_nodelay(true);
    thread::scope(|scope| {
        let outbound = thread::Builder::new()
            .name("relay".into())
            .stack_size(STACK_SIZE)
            .spawn_scoped(scope, || {
                let mut to = netloom;
                match copy(&mut &*kernel, &mut to) {
                    Ok(()) => drop(netloom.shutdown(Shutdown::Write)),
                    Err(_) => {
                        fail(kernel, netloom);
                        // The other direction may be stuck in a write that nobody reads.
                        let _ = kernel.shutdown(Shutdown::Both);
                    }
                }
            });
        if outbound.is_err() {
            fail(kernel, netloom);
            return;
        }
        let mut from = netloom;
        match copy(&mut from, &mut &*kernel) {
            Ok(()) => drop(kernel.shutdown(Shutdown::Write)),
            Err(_) => {
                fail(kernel, netloom);
                // Ends the other direction's read, without telling the client anything: the
                // reset does that.
                let _ = kernel.shutdown(Shutdown::Read);
            }
        }
    });
}

/// Copies until the source ends.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let data = buffer.get(..read).unwrap_or_default();
        to.write_all(data)?;
    }
}

/// One connection failed: so does the other.
fn fail(kernel: &TcpStream, netloom: &netloom::TcpStream) {
    let _ = netloom.abort();
    reset(kernel);
}

/// Has the kernel reset the connection once it is closed, rather than end it in order.
fn reset(kernel: &TcpStream) {
    let _ = set_socket_linger(kernel, Some(Duration::ZERO));
}
