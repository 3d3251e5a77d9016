//! A user and a network namespace, and a cable in it between the kernel and netloom.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;

use netloom::control::Control;
use netloom::device::{KernelEnd, create_veth_pair};
use netloom::tokio::{FlowConfig, FlowListener};
use netloom::{Net, PacketSocket};
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};
use tokio::runtime::Handle;

use super::names::STUBS;
use crate::failure::Failure;

/// The kernel's end of the cable, and netloom's.
const KERNEL_IF: &str = "kernel0";
const NETLOOM_IF: &str = "netloom0";
const KERNEL: [(IpAddr, u8); 2] = [
    (IpAddr::V4(Ipv4Addr::new(10, 71, 0, 1)), 24),
    (IpAddr::V6(Ipv6Addr::new(0xfd71, 0, 0, 0, 0, 0, 0, 1)), 64),
];
/// netloom's first address.
pub(super) const SERVER: Ipv4Addr = Ipv4Addr::new(10, 71, 0, 2);
pub(super) const SERVER_V6: Ipv6Addr = Ipv6Addr::new(0xfd71, 0, 0, 0, 0, 0, 0, 2);
/// What stands for the host outside: its loopback addresses.
pub(super) const HOST: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(10, 71, 0, 3)),
    IpAddr::V6(Ipv6Addr::new(0xfd71, 0, 0, 0, 0, 0, 0, 3)),
];
/// Bytes that the command's connections may take.
const FLOW_MEMORY: usize = 64 << 20;
const OWN: [&str; 2] = ["10.71.0.2/24", "fd71::2/64"];

/// Enters a network namespace, and for that a user namespace in which the user is who they were.
/// There is no way back. To be called while there is but one thread.
///
/// # Errors
///
/// The system does not allow it: the failure says what stands in the way, and what to do.
pub(crate) fn enter() -> Result<(), Failure> {
    let (uid, gid) = (geteuid(), getegid());
    match unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET) {
        Ok(()) => map_ids(uid.as_raw(), gid.as_raw())
            .map_err(|error| Failure::new(format!("cannot keep your user id: {error}"))),
        // Root needs no user namespace for a network namespace.
        Err(_) if uid.is_root() && unshare(CloneFlags::CLONE_NEWNET).is_ok() => Ok(()),
        Err(errno) => Err(Failure::new(why_not(errno))),
    }
}

/// Maps a user and a group to themselves.
fn map_ids(uid: u32, gid: u32) -> io::Result<()> {
    fs::write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
    // Who may not leave groups may not be given any either (user_namespaces(7)).
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/gid_map", format!("{gid} {gid} 1"))
}

/// What keeps this system from making a user namespace, and what to do about it.
pub(crate) fn why_not(errno: Errno) -> String {
    let setting = |name: &str| {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        fs::read_to_string(path).map(|text| text.trim().to_owned())
    };
    let is = |name: &str, value: &str| setting(name).is_ok_and(|found| found == value);
    let what = if is("user.max_user_namespaces", "0") {
        "this system allows no user namespaces: as root, run \
         `sysctl -w user.max_user_namespaces=10000`"
    } else if is("kernel.unprivileged_userns_clone", "0") {
        "this system keeps user namespaces for root: as root, run \
         `sysctl -w kernel.unprivileged_userns_clone=1`"
    } else if is("kernel.apparmor_restrict_unprivileged_userns", "1") {
        "AppArmor keeps user namespaces for programs it knows: as root, run \
         `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`"
    } else if errno == Errno::EPERM {
        "this system does not let this user make a user namespace (a container's seccomp \
         profile, perhaps): allow it there, or run as root"
    } else {
        return format!("cannot make a user and network namespace: {errno}");
    };
    what.to_owned()
}

/// Lays the cable, gives its kernel's end addresses, and has everything routed to the other end,
/// which is returned.
///
/// # Errors
///
/// What the kernel says.
pub(super) fn lay_cable() -> io::Result<PacketSocket> {
    KernelEnd::of("lo")?.up()?;
    create_veth_pair(KERNEL_IF, NETLOOM_IF)?;
    KernelEnd::of(NETLOOM_IF)?.up()?;
    let mut kernel = KernelEnd::of(KERNEL_IF)?;
    for (address, prefix) in KERNEL {
        // A system without IPv6 has the other.
        match kernel.address(address, prefix) {
            Err(_) if address.is_ipv6() => {}
            done => drop(done?),
        }
    }
    kernel.up()?;
    let routers = [IpAddr::V4(SERVER), IpAddr::V6(SERVER_V6)];
    let everything = [
        IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    ];
    // What stands for the host would be on the link, where nobody has its address.
    let host = HOST.into_iter().chain(STUBS);
    let host = host.map(|address| (address, if address.is_ipv4() { 32 } else { 128 }));
    for (to, prefix) in everything.map(|all| (all, 0)).into_iter().chain(host) {
        let router = routers[usize::from(to.is_ipv6())];
        match kernel.route(to, prefix, Some(router)) {
            Err(_) if router.is_ipv6() => {}
            done => drop(done?),
        }
    }
    Ok(PacketSocket::open(NETLOOM_IF)?)
}

/// Lays the cable, and starts netloom behind it with its own addresses and nothing else.
///
/// # Errors
///
/// What the kernel says.
pub(crate) fn connect() -> io::Result<Net> {
    lay_cable()?.address(OWN[0]).address(OWN[1]).start()
}

/// Starts netloom behind the cable: its own addresses, and flows for everybody's.
///
/// # Errors
///
/// What the kernel says.
pub(super) fn start(cable: OwnedFd, runtime: &Handle) -> io::Result<(Net, FlowListener)> {
    let config = FlowConfig::default().memory_budget(FLOW_MEMORY);
    PacketSocket::from_owned_fd(cable)?
        .address(OWN[0])
        .address(OWN[1])
        .control(Control::IfPossible)
        .tunable("tcp_nagle", 0)
        .start_flows_on(runtime, &config)
}
