//! ioctl(2) requests: questions about interfaces, and `/dev/net/tun`.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::{c_int, c_short, ifreq};

use super::check;
use crate::device::{InterfaceName, Offload};

/// Where TUN and TAP interfaces come from.
pub(crate) const TUN_DEVICE: &str = "/dev/net/tun";

/// The flags of `TUNSETIFF` and `TUNGETIFF`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TunFlags(c_int);

impl TunFlags {
    /// Ethernet frames behind a `virtio_net_hdr`, without the packet information header.
    pub(crate) const TAP: TunFlags = TunFlags(libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR);
    /// IP packets behind a `virtio_net_hdr`, without the packet information header.
    pub(crate) const TUN: TunFlags = TunFlags(libc::IFF_TUN | libc::IFF_NO_PI | libc::IFF_VNET_HDR);

    /// Whether frames of a descriptor with these flags look as those of `wanted` do, but perhaps
    /// for the `virtio_net_hdr`.
    pub(crate) fn same_framing(self, wanted: TunFlags) -> bool {
        let framing = libc::IFF_TAP | libc::IFF_TUN | libc::IFF_NO_PI;
        self.0 & framing == wanted.0 & framing
    }

    /// Whether a `virtio_net_hdr` stands in front of each frame.
    pub(crate) fn vnet_header(self) -> bool {
        self.0 & libc::IFF_VNET_HDR != 0
    }
}

fn request(name: &InterfaceName) -> ifreq {
    // SAFETY: `ifreq` is plain data, of which all-zero is a valid value.
    let mut request: ifreq = unsafe { mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.as_bytes_with_nul()) {
        *to = *from as libc::c_char;
    }
    request
}

fn name_in(request: &ifreq) -> InterfaceName {
    InterfaceName::from_kernel(request.ifr_name.map(|c| c as u8))
}

/// The requests with an `ifreq`, all of which read and write one `ifreq` and nothing else.
#[derive(Clone, Copy)]
enum Op {
    Index,
    Name,
    Flags,
    Mtu,
    Hardware,
    TunSet,
    TunGet,
}

fn ioctl(fd: BorrowedFd<'_>, op: Op, request: &mut ifreq) -> io::Result<()> {
    // The type of a request differs between C libraries, hence the casts.
    let op = match op {
        Op::Index => libc::SIOCGIFINDEX as _,
        Op::Name => libc::SIOCGIFNAME as _,
        Op::Flags => libc::SIOCGIFFLAGS as _,
        Op::Mtu => libc::SIOCGIFMTU as _,
        Op::Hardware => libc::SIOCGIFHWADDR as _,
        Op::TunSet => libc::TUNSETIFF as _,
        Op::TunGet => libc::TUNGETIFF as _,
    };
    // SAFETY: each of these requests reads and writes at most an `ifreq`, which `request` is.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), op, std::ptr::from_mut(request)) };
    check(result as isize).map(drop)
}

/// Index of the interface called `name` in the namespace of `socket`.
pub(crate) fn interface_index(socket: BorrowedFd<'_>, name: &InterfaceName) -> io::Result<i32> {
    let mut request = request(name);
    ioctl(socket, Op::Index, &mut request)?;
    // SAFETY: every bit pattern is an integer, and SIOCGIFINDEX stored the index here.
    Ok(unsafe { request.ifr_ifru.ifru_ifindex })
}

/// Present name of the interface with this index in the namespace of `socket`.
pub(crate) fn interface_name(socket: BorrowedFd<'_>, index: i32) -> io::Result<InterfaceName> {
    let mut request = request(&InterfaceName::EMPTY);
    request.ifr_ifru.ifru_ifindex = index;
    ioctl(socket, Op::Name, &mut request)?;
    Ok(name_in(&request))
}

fn interface_flags(socket: BorrowedFd<'_>, name: &InterfaceName) -> io::Result<c_int> {
    let mut request = request(name);
    ioctl(socket, Op::Flags, &mut request)?;
    // SAFETY: every bit pattern is an integer, and SIOCGIFFLAGS stored the flags here.
    Ok(c_int::from(unsafe { request.ifr_ifru.ifru_flags }))
}

/// Whether somebody has brought the interface up.
pub(crate) fn interface_is_up(socket: BorrowedFd<'_>, name: &InterfaceName) -> io::Result<bool> {
    interface_flags(socket, name).map(|flags| flags & libc::IFF_UP != 0)
}

/// Whether the interface is up and has a carrier.
pub(crate) fn interface_is_running(
    socket: BorrowedFd<'_>,
    name: &InterfaceName,
) -> io::Result<bool> {
    let wanted = libc::IFF_UP | libc::IFF_RUNNING;
    interface_flags(socket, name).map(|flags| flags & wanted == wanted)
}

/// The interface's MTU in bytes, cut to what an IP packet can be.
pub(crate) fn interface_mtu(socket: BorrowedFd<'_>, name: &InterfaceName) -> io::Result<u16> {
    let mut request = request(name);
    ioctl(socket, Op::Mtu, &mut request)?;
    // SAFETY: every bit pattern is an integer, and SIOCGIFMTU stored the MTU here.
    let mtu = unsafe { request.ifr_ifru.ifru_mtu };
    // The loopback interface says 65 536.
    Ok(u16::try_from(mtu.max(0)).unwrap_or(u16::MAX))
}

/// The interface's hardware type (`ARPHRD_*`) and the first six bytes of its address.
pub(crate) fn interface_hardware(
    socket: BorrowedFd<'_>,
    name: &InterfaceName,
) -> io::Result<(u16, [u8; 6])> {
    let mut request = request(name);
    ioctl(socket, Op::Hardware, &mut request)?;
    // SAFETY: a sockaddr is plain data, and SIOCGIFHWADDR stored one here.
    let address = unsafe { request.ifr_ifru.ifru_hwaddr };
    let mut mac = [0; 6];
    for (to, from) in mac.iter_mut().zip(address.sa_data) {
        *to = from as u8;
    }
    Ok((address.sa_family, mac))
}

/// Creates the interface `name` (in which `%d` stands for the first free number), or attaches to
/// it where it exists, and says what it is called.
pub(crate) fn tun_attach(
    tun: BorrowedFd<'_>,
    name: &InterfaceName,
    flags: TunFlags,
) -> io::Result<InterfaceName> {
    let mut request = request(name);
    request.ifr_ifru.ifru_flags = flags.0 as c_short;
    ioctl(tun, Op::TunSet, &mut request)?;
    Ok(name_in(&request))
}

/// The interface an open descriptor is attached to, and how.
pub(crate) fn tun_attached(tun: BorrowedFd<'_>) -> io::Result<(InterfaceName, TunFlags)> {
    let mut request = request(&InterfaceName::EMPTY);
    ioctl(tun, Op::TunGet, &mut request)?;
    // SAFETY: every bit pattern is an integer, and TUNGETIFF stored the flags here.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    Ok((name_in(&request), TunFlags(c_int::from(flags as u16))))
}

/// Says how long the `virtio_net_hdr` in front of each frame is, in bytes.
pub(crate) fn tun_set_vnet_header(tun: BorrowedFd<'_>, len: usize) -> io::Result<()> {
    let len = len as c_int;
    // SAFETY: TUNSETVNETHDRSZ reads one integer, which outlives the call.
    let result = unsafe {
        libc::ioctl(
            tun.as_raw_fd(),
            libc::TUNSETVNETHDRSZ as _,
            std::ptr::from_ref(&len),
        )
    };
    check(result as isize).map(drop)
}

/// Says what kinds of unfinished frames may be read from here.
pub(crate) fn tun_set_offload(tun: BorrowedFd<'_>, offload: Offload) -> io::Result<()> {
    let flags = match offload {
        Offload::None => 0,
        Offload::Checksum => libc::TUN_F_CSUM,
        Offload::Segmentation => libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6,
    };
    // SAFETY: TUNSETOFFLOAD takes its flags by value and touches no memory of ours.
    let result = unsafe {
        libc::ioctl(
            tun.as_raw_fd(),
            libc::TUNSETOFFLOAD as _,
            libc::c_ulong::from(flags),
        )
    };
    check(result as isize).map(drop)
}
