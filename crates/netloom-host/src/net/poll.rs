//! Waiting for many sockets at once.

use std::io;
use std::ops::BitOr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Net;
use super::descriptor::Level;
use super::error::invalid;
use super::parking::{Parking, Side, thread_number};
use super::places::SocketId;
use super::runtime::Running;

/// What to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Interest(u8);

impl Interest {
    /// Something to read, receive or accept, or the end of it.
    pub const READABLE: Interest = Interest(1);
    /// Room to write or send; a connection that has opened, or failed to.
    pub const WRITABLE: Interest = Interest(2);

    fn contains(self, other: Interest) -> bool {
        self.0 & other.0 != 0
    }
}

impl BitOr for Interest {
    type Output = Interest;

    fn bitor(self, other: Interest) -> Interest {
        Interest(self.0 | other.0)
    }
}

/// What can be done with a socket now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Ready {
    /// Reading, receiving or accepting would not wait.
    pub readable: bool,
    /// Writing or sending would not wait; a connection is open, or has failed to open.
    pub writable: bool,
    /// The peer has finished sending; unread data may remain. Told without being asked for.
    pub read_closed: bool,
    /// The connection is over: [`TcpStream::close_reason`](super::TcpStream::close_reason) says
    /// why. Told without being asked for.
    pub closed: bool,
}

impl Ready {
    pub(super) fn of(level: Level, interest: Interest) -> Ready {
        Ready {
            readable: level.readable && interest.contains(Interest::READABLE),
            writable: level.writable && interest.contains(Interest::WRITABLE),
            read_closed: level.read_closed,
            closed: level.closed,
        }
    }

    /// Whether anything is to be told.
    pub(super) fn any(self) -> bool {
        self.readable || self.writable || self.closed
    }
}

/// What can be waited for: the sockets of this crate.
pub trait Source: Sealed {}

/// Keeps [`Source`] to the sockets of this crate.
pub trait Sealed {
    #[doc(hidden)]
    fn source(&self) -> Origin<'_>;
}

/// Which socket of which stack.
#[derive(Debug, Clone)]
pub struct Origin<'s> {
    pub(super) running: &'s Arc<Running>,
    pub(super) socket: SocketId,
}

/// A socket to wait for, and what was found out about it.
#[derive(Debug, Clone)]
pub struct PollEntry<'s> {
    running: &'s Arc<Running>,
    socket: SocketId,
    interest: Interest,
    ready: Ready,
}

impl<'s> PollEntry<'s> {
    /// An entry for [`Net::poll`].
    pub fn new(source: &'s impl Source, interest: Interest) -> PollEntry<'s> {
        let Origin { running, socket } = source.source();
        PollEntry {
            running,
            socket,
            interest,
            ready: Ready::default(),
        }
    }

    /// What the last [`Net::poll`] found.
    pub fn ready(&self) -> Ready {
        self.ready
    }

    /// Changes what is waited for.
    pub fn set_interest(&mut self, interest: Interest) {
        self.interest = interest;
    }
}

impl Net {
    /// Waits until at least one of the sockets is ready for what its entry says, or `timeout` has
    /// passed (`None`: for ever); says how many are. Like poll(2), it looks at every entry: for
    /// thousands, there is [`Net::poll_set`].
    ///
    /// ```no_run
    /// # fn f(net: netloom_host::net::Net, a: netloom_host::net::TcpStream,
    /// #      b: netloom_host::net::UdpSocket) -> std::io::Result<()> {
    /// use netloom_host::net::{Interest, PollEntry};
    ///
    /// let mut entries = [
    ///     PollEntry::new(&a, Interest::READABLE | Interest::WRITABLE),
    ///     PollEntry::new(&b, Interest::READABLE),
    /// ];
    /// net.poll(&mut entries, None)?;
    /// if entries[1].ready().readable {
    ///     b.recv_from(&mut [0; 1500])?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for a socket of another stack; the device's fault, once
    /// nothing can become ready any more.
    pub fn poll(
        &self,
        entries: &mut [PollEntry<'_>],
        timeout: Option<Duration>,
    ) -> io::Result<usize> {
        if entries
            .iter()
            .any(|entry| !Arc::ptr_eq(entry.running, &self.running))
        {
            return Err(invalid("a socket of another stack cannot be polled here"));
        }
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let watcher = Arc::new(Parking::default());
        let shared = self.running.shared();
        let mut engine = shared.lock();
        engine.let_go();
        let mut watched = false;
        let mut expired = timeout.is_some_and(|timeout| timeout.is_zero());
        let found = loop {
            let mut count = 0;
            for entry in entries.iter_mut() {
                entry.ready = Ready::of(engine.level(entry.socket), entry.interest);
                count += usize::from(entry.ready.any());
            }
            if count > 0 || expired {
                break Ok(count);
            }
            if let Some(fault) = engine.fault() {
                break Err(fault.into());
            }
            if !watched {
                watched = true;
                for entry in entries.iter() {
                    engine.watch(entry.socket, &watcher, true);
                }
            }
            let lane = watcher.lane(Side::Read);
            (engine, expired) = lane.wait(thread_number(), engine, deadline);
        };
        if watched {
            for entry in entries.iter() {
                engine.watch(entry.socket, &watcher, false);
            }
        }
        shared.unlock(engine);
        found
    }
}
