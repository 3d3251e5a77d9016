//! System calls that `std` does not wrap, as safe functions. All `unsafe` of the crate is here.

mod interface;
mod packet;
mod poll;
mod socket;
#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

pub(crate) use interface::{
    TUN_DEVICE, TunFlags, interface_hardware, interface_index, interface_is_running,
    interface_is_up, interface_mtu, interface_name, tun_attach, tun_attached, tun_set_offload,
    tun_set_vnet_header,
};
pub(crate) use packet::{
    VlanTag, add_membership, bind_packet, drop_membership, is_raw_packet_socket, packet_binding,
    packet_drops, receive_packet, send_packet, set_packet_options,
};
pub(crate) use poll::{PollFd, event_fd, poll};
#[cfg(feature = "control")]
pub(crate) use socket::peer_user;
pub(crate) use socket::{
    control_socket, link_events_socket, netlink_socket, packet_socket, send_queue, set_send_buffer,
};

/// The last error of this thread if `result` is negative, else `result` as a length.
fn check(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// Makes reads and writes on the open file (shared by all its descriptors) return at once.
pub(crate) fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: F_GETFL takes no pointer.
    let flags = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) };
    check(flags as isize)?;
    // SAFETY: F_SETFL takes no pointer.
    let result = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) };
    check(result as isize).map(drop)
}

/// Takes the open file's lock for itself, until it is closed.
///
/// Fails with [`io::ErrorKind::WouldBlock`] if somebody has it.
pub(crate) fn lock(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: flock takes no pointer.
    let result = unsafe { libc::flock(fd.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) };
    check(result as isize).map(drop)
}

/// Has a tokio runtime watch a descriptor. To be called inside of one.
#[cfg(feature = "tokio")]
pub(crate) fn async_fd(
    fd: std::os::fd::OwnedFd,
    interest: tokio::io::Interest,
) -> io::Result<tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>> {
    // SAFETY: the descriptor is owned by the value that is registered, is always the same one, and
    // stays open until that is dropped.
    let registered = unsafe { tokio::io::unix::AsyncFd::register_with_interest(fd, interest) };
    Ok(registered?)
}

/// Fills `bytes` (at most 256) from the kernel's random generator.
pub(crate) fn random_bytes(bytes: &mut [u8]) -> io::Result<()> {
    debug_assert!(
        bytes.len() <= 256,
        "longer requests may be cut short by a signal"
    );
    // SAFETY: the pointer and length are those of an exclusively borrowed slice.
    let filled = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    if check(filled)? == bytes.len() {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// The user this process acts for.
#[cfg(feature = "control")]
pub(crate) fn effective_user() -> u32 {
    // SAFETY: geteuid(2) takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}
