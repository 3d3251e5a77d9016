//! Pairs of virtual Ethernet interfaces, for programs that make their own network namespace.

use super::netlink::{Netlink, Refusal, Request};
use super::{DeviceError, InterfaceName};

/// Makes a pair of Ethernet interfaces joined like the ends of a cable, both down and without
/// addresses: a [`PacketSocket`](super::PacketSocket) on one of them is a station that the kernel
/// sees behind the other. They vanish with their network namespace, or when one is deleted.
///
/// Needs `CAP_NET_ADMIN`, which an ordinary user has in a user namespace of their own.
///
/// # Errors
/// [`DeviceError::InvalidName`]; [`DeviceError::PermissionDenied`]; [`DeviceError::Os`], for
/// example if one of the names is taken or the kernel has no such driver.
pub fn create_veth_pair(name: &str, peer: &str) -> Result<(), DeviceError> {
    // From linux/if_link.h and linux/veth.h.
    const IFLA_INFO_KIND: u16 = 1;
    const IFLA_INFO_DATA: u16 = 2;
    const VETH_INFO_PEER: u16 = 1;
    /// struct ifinfomsg, in which a new interface leaves everything open.
    const ANY_INTERFACE: [u8; 16] = [0; 16];

    let [first, second] = [InterfaceName::new(name)?, InterfaceName::new(peer)?];
    let failed = |error| DeviceError::about(name, "create the interface", error);
    let peer = Request::part(&ANY_INTERFACE)
        .attribute(libc::IFLA_IFNAME, second.as_bytes_with_nul())
        .into_part();
    let data = Request::part(&[])
        .attribute(VETH_INFO_PEER, &peer)
        .into_part();
    let info = Request::part(&[])
        .attribute(IFLA_INFO_KIND, b"veth")
        .attribute(IFLA_INFO_DATA, &data)
        .into_part();
    let create = (libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;
    let request = Request::new(libc::RTM_NEWLINK, create, &ANY_INTERFACE)
        .attribute(libc::IFLA_IFNAME, first.as_bytes_with_nul())
        .attribute(libc::IFLA_LINKINFO, &info);
    let result = Netlink::open().map_err(failed)?.execute(request);
    result
        .map(drop)
        .map_err(|Refusal { error, .. }| failed(error))
}
