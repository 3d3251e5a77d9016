//! The kernel's connections, carried over netloom, and netloom's over the kernel: for hosts where
//! we may not have a device.
//!
//! Each connection the kernel accepts gets one on a netloom stack; bytes go both ways, and so do
//! the ends of the two directions (FIN) and failures (RST).
//!
//! A client that says nothing, or does not listen, holds two threads. Once all there may be are
//! held, whoever has been silent for longest makes room for the next client; one whose server is
//! done with it has a moment to end its side; and none is silent for ever. While something is on its
//! way to a client it has all the time it wants, however slowly it reads; if it stops reading, or
//! takes less than 64 KiB in half a minute, it has that until others need the room. So has one whose
//! server has been asked and does not answer yet.

mod carried;

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use netloom::control::Control;
use netloom::stack::Limits as StackLimits;
use netloom::{LinkEnd, Net};
use rustix::net::sockopt::set_socket_linger;

use crate::device::{Watch, Watched};
use crate::serve::{Failure, Pool};
use carried::{Carried, Table};

#[cfg(test)]
mod tests;

/// What clients may take.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Connections carried at once; further ones wait in the kernel, or take the room of a silent
    /// one.
    connections: usize,
    /// How long one is silent before it makes room for another.
    room: Duration,
    /// How long nothing moves, though something is on its way or the server has been asked, before one
    /// makes room for another: a window that grew to megabytes opens once in many seconds.
    stuck: Duration,
    /// How long the threads of one that was ended may take to go: one makes room for one.
    going: Duration,
    /// How long the client may be silent once its server has said all and it has taken all. The
    /// server itself waits for as long.
    linger: Duration,
    /// How long both may be silent: longer than any limit of the server, which then ends it better.
    idle: Duration,
    /// How often that is looked after.
    watch: Duration,
}

const LIMITS: Limits = Limits {
    connections: 2048,
    room: Duration::from_secs(1),
    stuck: Duration::from_secs(30),
    going: Duration::from_secs(1),
    linger: Duration::from_secs(2),
    idle: Duration::from_secs(120),
    watch: Duration::from_secs(1),
};

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
    // Both stacks are this process's, and have half each of what one would have.
    let mut limits = StackLimits::default();
    limits.buffers /= 2;
    let near = near.address(NEAR[0]).address(NEAR[1]).limits(limits);
    let far = far.address(FAR[0]).address(FAR[1]).limits(limits);
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
    run_within(&LIMITS, listener, net, server)
}

fn run_within(
    limits: &Limits,
    listener: &TcpListener,
    net: &Net,
    server: SocketAddr,
) -> io::Result<()> {
    let pool = Pool::new(limits.connections);
    let table = Arc::new(Table::default());
    watch(*limits, &table)?;
    loop {
        match listener.accept() {
            Ok((kernel, _)) => {
                let (net, shared) = (net.clone(), Arc::clone(&table));
                pool.run(
                    // Listed no sooner than it has a thread: who waits has no room to give up.
                    move || carry(&shared.add(kernel), &net, server),
                    || table.make_room(limits),
                );
            }
            Err(error) => match Failure::of(&error) {
                Failure::OfConnection => {}
                Failure::Passing => {
                    // Mostly no descriptor is left: that is room too.
                    table.make_room(limits);
                    thread::sleep(BACK_OFF);
                }
                Failure::Final => return Err(error),
            },
        }
    }
}

/// Ends connections that are silent for too long, for as long as there is the relay.
fn watch(limits: Limits, table: &Arc<Table>) -> io::Result<()> {
    let table: Weak<Table> = Arc::downgrade(table);
    let watch = move || {
        while let Some(table) = table.upgrade() {
            table.end_idle(&limits);
            drop(table);
            thread::sleep(limits.watch);
        }
    };
    let thread = thread::Builder::new().name("relay watch".into());
    thread.stack_size(STACK_SIZE).spawn(watch).map(drop)
}

/// Carries one connection until both directions have ended, or one has failed.
fn carry(carried: &Carried, net: &Net, server: SocketAddr) {
    let Ok(netloom) = net.tcp_connect(server) else {
        reset(&carried.kernel);
        return;
    };
    if let Some(netloom) = carried.connected(netloom) {
        join_telling(&carried.kernel, netloom, carried);
    }
}

/// An end of a connection that is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The kernel's.
    Client,
    /// netloom's.
    Server,
}

/// Who is told how a connection goes on.
trait Follow: Sync {
    /// Octets came from one end, and are on their way to the other.
    fn took(&self, from: End);
    /// Some of them went on.
    fn moved(&self);
    /// All of them have.
    fn gave(&self);
    /// netloom's end has said all it has to say.
    fn answered(&self);
}

impl Follow for () {
    fn took(&self, _: End) {}
    fn moved(&self) {}
    fn gave(&self) {}
    fn answered(&self) {}
}

/// Carries what two connections bring to one another until both directions have ended, or one has
/// failed.
pub(crate) fn join(kernel: &TcpStream, netloom: &netloom::TcpStream) {
    join_telling(kernel, netloom, &());
}

fn join_telling(kernel: &TcpStream, netloom: &netloom::TcpStream, follow: &impl Follow) {
    let _ = kernel.set_nodelay(true);
    let _ = netloom.set_nodelay(true);
    thread::scope(|scope| {
        let outbound = thread::Builder::new()
            .name("relay".into())
            .stack_size(STACK_SIZE)
            .spawn_scoped(scope, || {
                let mut to = netloom;
                match copy(&mut &*kernel, &mut to, End::Client, follow) {
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
        match copy(&mut from, &mut &*kernel, End::Server, follow) {
            Ok(()) => {
                let _ = kernel.shutdown(Shutdown::Write);
                follow.answered();
            }
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
fn copy(
    from: &mut impl Read,
    to: &mut impl Write,
    end: End,
    follow: &impl Follow,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        follow.took(end);
        let mut data = buffer.get(..read).unwrap_or_default();
        while !data.is_empty() {
            match to.write(data) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => data = data.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            follow.moved();
        }
        follow.gave();
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
