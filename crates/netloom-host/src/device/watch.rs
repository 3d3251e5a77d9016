//! News that something about an interface has changed.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};

use crate::sys;

/// Messages read at a time at most: a namespace where interfaces come and go all the time must
/// not keep its reader.
const MOST: usize = 64;

/// A socket at which the kernel tells of every change of every interface of one network namespace
/// (rtnetlink's group for links).
///
/// What it says is not looked at: it is old by the time it is read, and may have been lost when
/// there was much of it. It tells when to ask for the present state.
#[derive(Debug)]
pub(super) struct LinkWatch {
    socket: File,
}

impl LinkWatch {
    /// Listens in the calling thread's namespace.
    pub(super) fn open() -> io::Result<LinkWatch> {
        Ok(LinkWatch {
            socket: File::from(sys::link_events_socket()?),
        })
    }

    /// Becomes readable when there is news.
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Forgets the news so far.
    pub(super) fn forget(&mut self) {
        // Longer messages are cut, which is all the same here.
        let mut message = [0; 64];
        for _ in 0..MOST {
            match self.socket.read(&mut message) {
                Ok(_) => {}
                // A signal, or a queue that has overflowed: more is there.
                Err(error) if matches!(error.raw_os_error(), Some(libc::EINTR | libc::ENOBUFS)) => {
                }
                Err(_) => return,
            }
        }
    }
}
