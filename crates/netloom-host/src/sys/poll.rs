//! Waiting for descriptors, and a descriptor to be woken by.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use super::check;

/// One entry of a [`poll`].
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub(crate) struct PollFd(libc::pollfd);

impl PollFd {
    /// Waits for `fd` to become readable, writable, or either. An error on the descriptor is
    /// always reported; an entry that must stay silent is [`PollFd::IGNORED`].
    pub(crate) fn new(fd: BorrowedFd<'_>, readable: bool, writable: bool) -> PollFd {
        let mut events = 0;
        if readable {
            events |= libc::POLLIN;
        }
        if writable {
            events |= libc::POLLOUT;
        }
        PollFd(libc::pollfd {
            fd: fd.as_raw_fd(),
            events,
            revents: 0,
        })
    }

    /// An entry the kernel skips.
    pub(crate) const IGNORED: PollFd = PollFd(libc::pollfd {
        fd: -1,
        events: 0,
        revents: 0,
    });

    /// Whether anything was reported, errors included.
    pub(crate) fn is_ready(self) -> bool {
        self.0.revents != 0
    }

    /// Whether the descriptor takes a write.
    pub(crate) fn is_writable(self) -> bool {
        self.0.revents & libc::POLLOUT != 0
    }

    /// Whether the descriptor is in error.
    pub(crate) fn is_error(self) -> bool {
        self.0.revents & (libc::POLLERR | libc::POLLNVAL) != 0
    }
}

/// One ppoll(2): returns how many entries are ready, 0 at the end of `timeout` (`None`: never).
/// A signal ends it with [`io::ErrorKind::Interrupted`].
pub(crate) fn poll(entries: &mut [PollFd], timeout: Option<Duration>) -> io::Result<usize> {
    let timeout = timeout.map(|t| libc::timespec {
        tv_sec: t.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: t.subsec_nanos() as _,
    });
    let timeout = timeout
        .as_ref()
        .map_or(std::ptr::null(), std::ptr::from_ref);
    let count = entries.len() as libc::nfds_t;
    // SAFETY: `PollFd` is transparent over `pollfd`; pointer and count are those of the slice;
    // the timeout is null or points to a live timespec; the signal mask is null: unchanged.
    let ready = unsafe {
        libc::ppoll(
            entries.as_mut_ptr().cast(),
            count,
            timeout,
            std::ptr::null(),
        )
    };
    check(ready as isize)
}

/// A non-blocking eventfd(2) at zero.
pub(crate) fn event_fd() -> io::Result<OwnedFd> {
    // SAFETY: eventfd(2) takes no pointers.
    let fd = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
    check(fd as isize)?;
    // SAFETY: the kernel just returned this descriptor and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
