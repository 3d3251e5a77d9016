//! A descriptor that shows what can be done with a socket, for epoll(7) and whatever is built on
//! it.
//!
//! The kernel knows nothing of our sockets, but it can say of an end of a socket pair what is true
//! of one of ours: the shown end is readable while a byte lies in it, writable unless its send
//! buffer was filled, and hung up once the other end is shut down. Edges are as those of the
//! kernel's own sockets, so edge-triggered users work too. The bytes mean nothing: nobody may read
//! or write them but this module.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};

use crate::sys;

/// What can be done with a socket now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Level {
    /// Reading, receiving or accepting would not wait.
    pub(super) readable: bool,
    /// Writing or sending would not wait; the connection is open, or has failed to open.
    pub(super) writable: bool,
    /// The peer has finished sending, for ever.
    pub(super) read_closed: bool,
    /// The connection is over.
    pub(super) closed: bool,
}

impl Level {
    /// Nobody drives the device any more: whatever is tried fails at once.
    pub(super) const ENDED: Level = Level {
        readable: true,
        writable: true,
        read_closed: true,
        closed: true,
    };
}

/// A socket pair, one end of which is shown.
#[derive(Debug)]
pub(super) struct Descriptor {
    shown: UnixStream,
    ours: UnixStream,
    now: Mutex<Shown>,
}

/// What the shown end says now.
#[derive(Debug)]
struct Shown {
    level: Level,
    serial: u64,
}

/// The least send buffer Linux gives a socket: filled by one block, so that showing "not writable"
/// is one call.
const SEND_BUFFER: i32 = 1;

/// What fills it. The kernel calls a stream writable while a quarter of its buffer is free.
const BLOCK: [u8; 2048] = [0; 2048];

impl Descriptor {
    /// A descriptor that shows a socket with which nothing can be done but writing.
    pub(super) fn new() -> io::Result<Descriptor> {
        let (shown, ours) = UnixStream::pair()?;
        shown.set_nonblocking(true)?;
        ours.set_nonblocking(true)?;
        sys::set_send_buffer(shown.as_fd(), SEND_BUFFER)?;
        let level = Level {
            writable: true,
            ..Level::default()
        };
        Ok(Descriptor {
            shown,
            ours,
            now: Mutex::new(Shown { level, serial: 0 }),
        })
    }

    /// Shows `wanted`, unless something later was shown already. `serial` counts from 1.
    pub(super) fn show(&self, wanted: Level, serial: u64) {
        // Nothing in here panics, and every step leaves a level that is true of the descriptor.
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if serial <= now.serial {
            return;
        }
        now.serial = serial;
        let shown = now.level;
        // Failures below mean that the descriptor shows the level already.
        if wanted.readable && !shown.readable {
            let _ = (&self.ours).write(&[1]);
        }
        if !wanted.readable && shown.readable {
            let _ = (&self.shown).read(&mut [0; 8]);
        }
        if wanted.writable && !shown.writable {
            let mut block = [0; BLOCK.len()];
            while matches!((&self.ours).read(&mut block), Ok(1..)) {}
        }
        if !wanted.writable && shown.writable {
            while matches!((&self.shown).write(&BLOCK), Ok(1..)) {}
        }
        if wanted.closed && !shown.closed {
            let _ = self.ours.shutdown(Shutdown::Both);
        } else if wanted.read_closed && !shown.read_closed {
            let _ = self.ours.shutdown(Shutdown::Write);
        }
        now.level = wanted;
    }
}

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shown.as_fd()
    }
}

#[cfg(test)]
mod tests;
