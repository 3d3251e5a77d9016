//! The kernel's side of an interface: addresses, MTU, MAC, up or down.

use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};
use std::{io, thread};

use super::netlink::{Netlink, Refusal, Request};
use super::{DeviceError, InterfaceName};
use crate::sys;

/// How long the kernel may take to make an IPv6 address usable. It takes a fraction of a
/// millisecond, once a kernel thread gets round to it.
const USABLE_TIMEOUT: Duration = Duration::from_secs(5);

/// Configures an interface as the kernel sees it, in the network namespace of the thread that
/// made the value. Needs `CAP_NET_ADMIN` there.
///
/// ```no_run
/// # use netloom_host::device::{DeviceError, KernelEnd};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// KernelEnd::of("netloom0")?
///     .address("10.71.0.1".parse()?, 24)?
///     .address("fd71::1".parse()?, 64)?
///     .mtu(1400)?
///     .up()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct KernelEnd {
    netlink: Netlink,
    control: OwnedFd,
    /// IPv6 addresses that become usable only once the interface is up.
    waiting: Vec<Ipv6Addr>,
    name: String,
    /// Found once, so that a rename changes nothing and a newcomer of the same name is safe.
    index: i32,
}

impl KernelEnd {
    /// The kernel's side of the interface `name`.
    ///
    /// # Errors
    /// [`DeviceError::NoSuchDevice`], [`DeviceError::InvalidName`].
    pub fn of(name: &str) -> Result<KernelEnd, DeviceError> {
        let name = InterfaceName::new(name)?;
        let failed = |error| DeviceError::about(name.as_str(), "find", error);
        let control = sys::control_socket().map_err(failed)?;
        let index = sys::interface_index(control.as_fd(), &name).map_err(failed)?;
        let netlink = Netlink::open().map_err(failed)?;
        Ok(KernelEnd {
            netlink,
            control,
            waiting: Vec::new(),
            name: name.as_str().to_owned(),
            index,
        })
    }

    /// Gives the kernel an address here, and a route to the addresses that share its first
    /// `prefix_len` bits. An address that is there already is no error.
    ///
    /// A listener on the address is reachable as soon as this and [`KernelEnd::up`] have returned,
    /// in either order: an IPv6 address skips duplicate address detection (RFC 4862 §5.4), and
    /// the later of the two calls waits until the kernel delivers to it.
    ///
    /// # Errors
    /// [`DeviceError::InvalidArgument`] for a prefix longer than the address or an address no
    /// station can have; [`DeviceError::PermissionDenied`]; [`DeviceError::Os`], for example
    /// where IPv6 is switched off.
    pub fn address(
        &mut self,
        address: IpAddr,
        prefix_len: u8,
    ) -> Result<&mut KernelEnd, DeviceError> {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        if prefix_len > bits || address.is_unspecified() || address.is_multicast() {
            let reason = format!("{address}/{prefix_len} is not the address of a station");
            return Err(DeviceError::InvalidArgument { reason });
        }
        let family = if address.is_ipv4() {
            libc::AF_INET
        } else {
            libc::AF_INET6
        } as u8;
        // struct ifaddrmsg: family, prefix length, flags, scope (global), index.
        let mut body = [family, prefix_len, 0, 0, 0, 0, 0, 0];
        body[4..].copy_from_slice(&self.index.to_ne_bytes());
        let create = (libc::NLM_F_CREATE | libc::NLM_F_REPLACE) as u16;
        let request = Request::new(libc::RTM_NEWADDR, create, &body);
        let request = match address {
            IpAddr::V4(v4) => {
                let octets = v4.octets();
                let request = request
                    .attribute(libc::IFA_LOCAL, &octets)
                    .attribute(libc::IFA_ADDRESS, &octets);
                // A /31 or /32 has no broadcast address (RFC 3021).
                let host_bits = u32::MAX.checked_shr(u32::from(prefix_len)).unwrap_or(0);
                if prefix_len < 31 {
                    let broadcast = (u32::from(v4) | host_bits).to_be_bytes();
                    request.attribute(libc::IFA_BROADCAST, &broadcast)
                } else {
                    request
                }
            }
            IpAddr::V6(v6) => request
                .attribute(libc::IFA_LOCAL, &v6.octets())
                .attribute(libc::IFA_FLAGS, &libc::IFA_F_NODAD.to_ne_bytes()),
        };
        self.execute(
            request,
            &format!("give the address {address}/{prefix_len} to"),
        )?;
        if let IpAddr::V6(v6) = address {
            self.waiting.push(v6);
            let name = sys::interface_name(self.control.as_fd(), self.index);
            let up = name.and_then(|name| sys::interface_is_up(self.control.as_fd(), &name));
            if up.unwrap_or(false) {
                self.wait_until_usable()?;
            }
        }
        Ok(self)
    }

    /// Has the kernel send packets to the addresses that share the first `prefix_len` bits with
    /// `to` out of this interface: to the router `via`, or straight to the other end. `0.0.0.0/0`
    /// and `::/0` are everything. A route that is there already is replaced. The interface must be
    /// up.
    ///
    /// # Errors
    /// [`DeviceError::InvalidArgument`] for a prefix longer than the address, or a router of
    /// another version; [`DeviceError::PermissionDenied`]; [`DeviceError::Os`], for example if the
    /// router is not on the link.
    pub fn route(
        &mut self,
        to: IpAddr,
        prefix_len: u8,
        via: Option<IpAddr>,
    ) -> Result<&mut KernelEnd, DeviceError> {
        let (family, bits) = if to.is_ipv4() {
            (libc::AF_INET as u8, 32)
        } else {
            (libc::AF_INET6 as u8, 128)
        };
        if prefix_len > bits || via.is_some_and(|via| via.is_ipv4() != to.is_ipv4()) {
            let reason = format!("{to}/{prefix_len} is no destination of such a route");
            return Err(DeviceError::InvalidArgument { reason });
        }
        let scope = if via.is_none() && to.is_ipv4() {
            libc::RT_SCOPE_LINK
        } else {
            libc::RT_SCOPE_UNIVERSE
        };
        // struct rtmsg: family, lengths of destination and source, TOS, table, protocol, scope,
        // type, flags.
        let body = [
            family,
            prefix_len,
            0,
            0,
            libc::RT_TABLE_MAIN,
            libc::RTPROT_STATIC,
            scope,
            libc::RTN_UNICAST,
            0,
            0,
            0,
            0,
        ];
        let octets = |addr: IpAddr| match addr {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        let create = (libc::NLM_F_CREATE | libc::NLM_F_REPLACE) as u16;
        let mut request = Request::new(libc::RTM_NEWROUTE, create, &body)
            .attribute(libc::RTA_OIF, &self.index.to_ne_bytes());
        if prefix_len > 0 {
            request = request.attribute(libc::RTA_DST, &octets(to));
        }
        if let Some(via) = via {
            request = request.attribute(libc::RTA_GATEWAY, &octets(via));
        }
        self.execute(request, &format!("route {to}/{prefix_len} over"))
    }

    /// Sets the MTU in bytes. The device at the other end learns it by
    /// [`refresh`](super::Device::refresh).
    ///
    /// # Errors
    /// [`DeviceError::Os`] outside what the interface allows (an IPv4 interface: 68 at least, an
    /// IPv6 interface: 1280); [`DeviceError::PermissionDenied`].
    pub fn mtu(&mut self, mtu: u16) -> Result<&mut KernelEnd, DeviceError> {
        let mtu = u32::from(mtu).to_ne_bytes();
        let request = self.link(0, 0).attribute(libc::IFLA_MTU, &mtu);
        self.execute(request, "set the MTU of")
    }

    /// Sets how many packets may wait for the program at the other end of a TAP or TUN interface;
    /// 500 at first. What comes beyond is dropped, and the interface's statistics say so. Who is
    /// kept from the processor for long at high rates needs more.
    ///
    /// # Errors
    /// [`DeviceError::PermissionDenied`]; [`DeviceError::NoSuchDevice`] if it is gone.
    pub fn queue(&mut self, packets: u32) -> Result<&mut KernelEnd, DeviceError> {
        let request = self
            .link(0, 0)
            .attribute(libc::IFLA_TXQLEN, &packets.to_ne_bytes());
        self.execute(request, "set the queue of")
    }

    /// Sets the kernel's MAC.
    ///
    /// # Errors
    /// [`DeviceError::Os`] for an address no station can have or an interface without one;
    /// [`DeviceError::PermissionDenied`].
    pub fn mac(&mut self, mac: [u8; 6]) -> Result<&mut KernelEnd, DeviceError> {
        let request = self.link(0, 0).attribute(libc::IFLA_ADDRESS, &mac);
        self.execute(request, "set the MAC of")
    }

    /// Brings the interface up.
    ///
    /// # Errors
    /// [`DeviceError::PermissionDenied`]; [`DeviceError::NoSuchDevice`] if it is gone.
    pub fn up(&mut self) -> Result<&mut KernelEnd, DeviceError> {
        // The link-local address the kernel gives itself would be tentative for a second; where
        // /proc is read-only it is, and nothing else is lost.
        let path = format!("/proc/sys/net/ipv6/conf/{}/accept_dad", self.name);
        let _ = std::fs::write(path, "0");
        let up = libc::IFF_UP as u32;
        let request = self.link(up, up);
        self.execute(request, "bring up")?;
        self.wait_until_usable()?;
        Ok(self)
    }

    /// Takes the interface down.
    ///
    /// # Errors
    /// [`DeviceError::PermissionDenied`]; [`DeviceError::NoSuchDevice`] if it is gone.
    pub fn down(&mut self) -> Result<&mut KernelEnd, DeviceError> {
        let request = self.link(0, libc::IFF_UP as u32);
        self.execute(request, "take down")
    }

    /// A change of this interface: the flags in `mask` become those in `flags`.
    fn link(&self, flags: u32, mask: u32) -> Request {
        // struct ifinfomsg: family and padding, type, index, flags, mask.
        let mut body = [0; 16];
        body[4..8].copy_from_slice(&self.index.to_ne_bytes());
        body[8..12].copy_from_slice(&flags.to_ne_bytes());
        body[12..16].copy_from_slice(&mask.to_ne_bytes());
        Request::new(libc::RTM_NEWLINK, 0, &body)
    }

    /// Waits for the kernel to deliver packets for the IPv6 addresses given so far. It enters
    /// their routes some time after it has acknowledged the address; a packet that comes before
    /// is dropped.
    fn wait_until_usable(&mut self) -> Result<(), DeviceError> {
        let deadline = Instant::now() + USABLE_TIMEOUT;
        while let Some(&address) = self.waiting.last() {
            if self.is_local(address) {
                self.waiting.pop();
            } else if Instant::now() < deadline {
                thread::sleep(Duration::from_micros(200));
            } else {
                return Err(DeviceError::Os {
                    action: format!("use the address {address} of {}", self.name),
                    source: io::ErrorKind::TimedOut.into(),
                });
            }
        }
        Ok(())
    }

    /// Whether the kernel would deliver a packet for this address to itself.
    fn is_local(&mut self, address: Ipv6Addr) -> bool {
        /// Where struct rtmsg says what kind of route it is.
        const ROUTE_TYPE: usize = 7;
        // struct rtmsg: family, length of the destination in bits, eight more fields of no
        // matter here.
        let mut body = [0; 12];
        body[0] = libc::AF_INET6 as u8;
        body[1] = 128;
        let request =
            Request::new(libc::RTM_GETROUTE, 0, &body).attribute(libc::RTA_DST, &address.octets());
        let route = self.netlink.execute(request).ok().flatten();
        route.and_then(|route| route.get(ROUTE_TYPE).copied()) == Some(libc::RTN_LOCAL)
    }

    fn execute(&mut self, request: Request, action: &str) -> Result<&mut KernelEnd, DeviceError> {
        match self.netlink.execute(request) {
            Ok(_) => Ok(self),
            Err(Refusal { error, message }) => {
                let action = match message {
                    Some(message) => format!("({message}) {action}"),
                    None => action.to_owned(),
                };
                Err(DeviceError::about(&self.name, &action, error))
            }
        }
    }
}
