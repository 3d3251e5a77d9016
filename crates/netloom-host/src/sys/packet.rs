//! AF_PACKET: binding, options, and one frame in or out.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::{self, size_of};
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::{c_int, sockaddr_ll};

use super::check;
use super::socket::{get_option, set_option};

/// Receive buffer asked for, in bytes: the default (about 200 KiB) holds three frames of 64 KiB,
/// which is what a local sender's segmentation offload makes. The kernel cuts this to
/// `net.core.rmem_max`.
const RECEIVE_BUFFER: c_int = 4 << 20;

/// Whether a descriptor of unknown origin is a packet socket that carries whole frames.
pub(crate) fn is_raw_packet_socket(fd: BorrowedFd<'_>) -> io::Result<bool> {
    let domain: c_int = get_option(fd, libc::SOL_SOCKET, libc::SO_DOMAIN)?;
    let kind: c_int = get_option(fd, libc::SOL_SOCKET, libc::SO_TYPE)?;
    Ok(domain == libc::AF_PACKET && kind == libc::SOCK_RAW)
}

/// Asks for auxiliary data with each frame, for a `virtio_net_hdr` in front of it both ways, for
/// no copies of frames this host sends, and for a larger receive buffer.
pub(crate) fn set_packet_options(fd: BorrowedFd<'_>) -> io::Result<()> {
    const ON: c_int = 1;
    set_option(fd, libc::SOL_PACKET, libc::PACKET_AUXDATA, &ON)?;
    set_option(fd, libc::SOL_PACKET, libc::PACKET_VNET_HDR, &ON)?;
    // Linux before 4.20 has no such option; `receive_packet` marks those frames anyway.
    let _ = set_option(fd, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, &ON);
    // A smaller buffer than asked for is no reason to fail.
    let _ = set_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUF, &RECEIVE_BUFFER);
    Ok(())
}

/// Receives every protocol from the interface `index` from now on, and sends to it.
pub(crate) fn bind_packet(fd: BorrowedFd<'_>, index: i32) -> io::Result<()> {
    // SAFETY: `sockaddr_ll` is plain data, of which all-zero is a valid value.
    let mut address: sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    address.sll_ifindex = index;
    let len = size_of::<sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the kernel reads `len` bytes of `address`, which is that long.
    let result = unsafe { libc::bind(fd.as_raw_fd(), std::ptr::from_ref(&address).cast(), len) };
    check(result as isize).map(drop)
}

/// Index of the interface the socket is bound to: 0 if none was chosen, -1 once it has been
/// removed.
pub(crate) fn packet_binding(fd: BorrowedFd<'_>) -> io::Result<i32> {
    // SAFETY: `sockaddr_ll` is plain data, of which all-zero is a valid value.
    let mut address: sockaddr_ll = unsafe { mem::zeroed() };
    let mut len = size_of::<sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes to `address`, which is that long.
    let result = unsafe {
        libc::getsockname(
            fd.as_raw_fd(),
            std::ptr::from_mut(&mut address).cast(),
            &mut len,
        )
    };
    check(result as isize)?;
    Ok(address.sll_ifindex)
}

fn membership(index: i32, group: Option<[u8; 6]>) -> libc::packet_mreq {
    let mut request = libc::packet_mreq {
        mr_ifindex: index,
        mr_type: libc::PACKET_MR_PROMISC as u16,
        mr_alen: 0,
        mr_address: [0; 8],
    };
    if let Some(mac) = group {
        request.mr_type = libc::PACKET_MR_MULTICAST as u16;
        request.mr_alen = 6;
        request.mr_address[..6].copy_from_slice(&mac);
    }
    request
}

/// Receives frames to the multicast address `group` too; `None`: to any address. Ends with the
/// socket.
pub(crate) fn add_membership(
    fd: BorrowedFd<'_>,
    index: i32,
    group: Option<[u8; 6]>,
) -> io::Result<()> {
    let request = membership(index, group);
    set_option(fd, libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &request)
}

/// Undoes one [`add_membership`].
pub(crate) fn drop_membership(
    fd: BorrowedFd<'_>,
    index: i32,
    group: Option<[u8; 6]>,
) -> io::Result<()> {
    let request = membership(index, group);
    set_option(fd, libc::SOL_PACKET, libc::PACKET_DROP_MEMBERSHIP, &request)
}

/// Frames the kernel dropped for want of room in the receive buffer since the last call.
pub(crate) fn packet_drops(fd: BorrowedFd<'_>) -> io::Result<u32> {
    let stats: libc::tpacket_stats = get_option(fd, libc::SOL_PACKET, libc::PACKET_STATISTICS)?;
    Ok(stats.tp_drops)
}

/// A VLAN tag the kernel has taken out of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct VlanTag {
    /// Tag protocol identifier: 0x8100 or 0x88a8.
    pub(crate) tpid: u16,
    /// Tag control information: priority and VLAN.
    pub(crate) tci: u16,
}

/// What [`receive_packet`] tells of the frame it stored.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Received {
    /// Length of the frame and the header in front of it, which may exceed the buffer.
    pub(crate) len: usize,
    /// The buffer was too short: the frame's end is lost.
    pub(crate) truncated: bool,
    /// This host sent the frame.
    pub(crate) outgoing: bool,
    /// The outermost VLAN tag, which is not in the stored bytes.
    pub(crate) vlan: Option<VlanTag>,
}

/// Room for one control message with a `tpacket_auxdata`, aligned as control messages must be.
#[repr(C, align(8))]
struct Control([u8; 64]);

/// Receives one frame without waiting, its `virtio_net_hdr` first.
pub(crate) fn receive_packet(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Received> {
    let mut control = Control([0; 64]);
    // SAFETY: `sockaddr_ll` is plain data, of which all-zero is a valid value.
    let mut from: sockaddr_ll = unsafe { mem::zeroed() };
    // SAFETY: `msghdr` is plain data, of which all-zero (null pointers, no lengths) is valid.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_name = std::ptr::from_mut(&mut from).cast();
    message.msg_namelen = size_of::<sockaddr_ll>() as libc::socklen_t;
    let mut buffer = IoSliceMut::new(buffer);
    message.msg_iov = std::ptr::from_mut(&mut buffer).cast();
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = control.0.len() as _;
    let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
    // SAFETY: every pointer in `message` is to a live, exclusively borrowed object of the length
    // beside it; `IoSliceMut` is documented to have the layout of `iovec`.
    let len = check(unsafe { libc::recvmsg(fd.as_raw_fd(), &mut message, flags) })?;
    let mut received = Received {
        len,
        truncated: message.msg_flags & libc::MSG_TRUNC != 0,
        outgoing: from.sll_pkttype == libc::PACKET_OUTGOING,
        ..Received::default()
    };
    if let Some(aux) = auxiliary_data(&message) {
        if aux.tp_status & libc::TP_STATUS_VLAN_VALID != 0 {
            let known = aux.tp_status & libc::TP_STATUS_VLAN_TPID_VALID != 0;
            let tpid = if known {
                aux.tp_vlan_tpid
            } else {
                libc::ETH_P_8021Q as u16
            };
            received.vlan = Some(VlanTag {
                tpid,
                tci: aux.tp_vlan_tci,
            });
        }
    }
    Ok(received)
}

/// The `tpacket_auxdata` among the control messages that recvmsg(2) has just stored.
fn auxiliary_data(message: &libc::msghdr) -> Option<libc::tpacket_auxdata> {
    // SAFETY: `message` is as recvmsg(2) left it: `msg_control` is null or points to a live
    // buffer, aligned for `cmsghdr`, of which the first `msg_controllen` bytes were written.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !header.is_null() {
        // SAFETY: not null, so CMSG_* has checked that a whole `cmsghdr` lies in the buffer.
        let found = unsafe { *header };
        // SAFETY: CMSG_LEN only computes.
        let wanted = unsafe { libc::CMSG_LEN(size_of::<libc::tpacket_auxdata>() as u32) };
        if found.cmsg_level == libc::SOL_PACKET
            && found.cmsg_type == libc::PACKET_AUXDATA
            && found.cmsg_len as usize >= wanted as usize
        {
            // SAFETY: the message is long enough for the structure, which is plain data; it may
            // not be aligned for it.
            return Some(unsafe {
                libc::CMSG_DATA(header)
                    .cast::<libc::tpacket_auxdata>()
                    .read_unaligned()
            });
        }
        // SAFETY: `header` is a message of `message`.
        header = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
    None
}

/// Sends one frame in pieces, its `virtio_net_hdr` first, to the interface the socket is bound to,
/// without waiting.
pub(crate) fn send_packet(fd: BorrowedFd<'_>, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
    // SAFETY: `msghdr` is plain data, of which all-zero (null pointers, no lengths) is valid.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    // The kernel only reads them, whatever the type says.
    message.msg_iov = pieces.as_ptr().cast_mut().cast();
    message.msg_iovlen = pieces.len() as _;
    // SAFETY: `IoSlice` is documented to have the layout of `iovec`; pointer and count are those
    // of a slice of them, each of which borrows the bytes it names; all else is null.
    check(unsafe { libc::sendmsg(fd.as_raw_fd(), &message, libc::MSG_DONTWAIT) })
}
