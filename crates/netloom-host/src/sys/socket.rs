//! Making sockets, and their options.

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use libc::c_int;

use super::check;

fn socket(domain: c_int, kind: c_int, protocol: c_int) -> io::Result<OwnedFd> {
    // SAFETY: socket(2) takes no pointers.
    let fd = unsafe { libc::socket(domain, kind | libc::SOCK_CLOEXEC, protocol) };
    check(fd as isize)?;
    // SAFETY: the kernel just returned this descriptor and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A raw packet socket that receives nothing until it is bound: protocol 0 keeps the frames of
/// other interfaces out of it between socket(2) and bind(2).
pub(crate) fn packet_socket() -> io::Result<OwnedFd> {
    socket(libc::AF_PACKET, libc::SOCK_RAW, 0)
}

/// A socket that serves only to ask about interfaces of the calling thread's network namespace.
pub(crate) fn control_socket() -> io::Result<OwnedFd> {
    socket(libc::AF_UNIX, libc::SOCK_DGRAM, 0)
}

/// A routing netlink socket that reports errors in words and without echoing the request.
pub(crate) fn netlink_socket() -> io::Result<OwnedFd> {
    use std::os::fd::AsFd;
    let fd = socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE)?;
    for option in [libc::NETLINK_CAP_ACK, libc::NETLINK_EXT_ACK] {
        set_option(fd.as_fd(), libc::SOL_NETLINK, option, &1 as &c_int)?;
    }
    Ok(fd)
}

/// A routing netlink socket at which changes of interfaces are told, and that never blocks.
pub(crate) fn link_events_socket() -> io::Result<OwnedFd> {
    use std::os::fd::AsFd;
    let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK;
    let fd = socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE)?;
    // SAFETY: `sockaddr_nl` is plain data, of which all-zero is a valid value.
    let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    address.nl_family = libc::AF_NETLINK as u16;
    address.nl_groups = libc::RTMGRP_LINK as u32;
    let len = size_of::<libc::sockaddr_nl>() as libc::socklen_t;
    // SAFETY: the kernel reads `len` bytes of `address`, which is that long.
    let result = unsafe {
        libc::bind(
            fd.as_fd().as_raw_fd(),
            std::ptr::from_ref(&address).cast(),
            len,
        )
    };
    check(result as isize)?;
    Ok(fd)
}

/// Types setsockopt(2) and getsockopt(2) may exchange with the kernel.
///
/// # Safety
/// The type must be plain data: every bit pattern valid, no pointers.
pub(super) unsafe trait OptionValue: Copy {}
// SAFETY: integers and structures of integers.
unsafe impl OptionValue for c_int {}
// SAFETY: two integers.
unsafe impl OptionValue for libc::tpacket_stats {}
// SAFETY: integers and an array of bytes.
unsafe impl OptionValue for libc::packet_mreq {}

// SAFETY: three integers.
unsafe impl OptionValue for libc::ucred {}

pub(super) fn set_option<T: OptionValue>(
    fd: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: &T,
) -> io::Result<()> {
    let len = size_of::<T>() as libc::socklen_t;
    // SAFETY: the kernel reads `len` bytes of `value`, which is that long and outlives the call.
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            name,
            std::ptr::from_ref(value).cast(),
            len,
        )
    };
    check(result as isize).map(drop)
}

pub(super) fn get_option<T: OptionValue>(
    fd: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
) -> io::Result<T> {
    let mut value = MaybeUninit::<T>::zeroed();
    let mut len = size_of::<T>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes to `value`, which is that long.
    let result = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            level,
            name,
            value.as_mut_ptr().cast(),
            &mut len,
        )
    };
    check(result as isize)?;
    // SAFETY: zeroed, then perhaps written: plain data either way (`OptionValue`).
    Ok(unsafe { value.assume_init() })
}

/// Bounds what a socket may have queued to send; the kernel raises it to its least.
pub(crate) fn set_send_buffer(fd: BorrowedFd<'_>, bytes: c_int) -> io::Result<()> {
    set_option(fd, libc::SOL_SOCKET, libc::SO_SNDBUF, &bytes)
}

/// The user who connected a unix socket, or made it listen.
#[cfg(feature = "control")]
pub(crate) fn peer_user(fd: BorrowedFd<'_>) -> io::Result<u32> {
    let peer: libc::ucred = get_option(fd, libc::SOL_SOCKET, libc::SO_PEERCRED)?;
    Ok(peer.uid)
}

/// What the kernel's end of a TCP connection has sent or is to send, and the other has not
/// acknowledged, in bytes; its FIN counts for one.
pub(crate) fn send_queue(fd: BorrowedFd<'_>) -> io::Result<usize> {
    let mut bytes: c_int = 0;
    // SAFETY: TIOCOUTQ (which is SIOCOUTQ) writes one integer, which outlives the call.
    let result = unsafe {
        libc::ioctl(
            fd.as_raw_fd(),
            libc::TIOCOUTQ as _,
            std::ptr::from_mut(&mut bytes),
        )
    };
    check(result as isize)?;
    Ok(usize::try_from(bytes).unwrap_or(0))
}
