//! Groups: joining and leaving them, and sending to them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netloom_stack::wire::Addr;
use netloom_stack::{Error as StackError, Stack};

use super::engine::IFACE;
use super::error::{invalid, to_io};
use super::udp_socket::UdpSocket;

impl UdpSocket {
    /// Takes datagrams for an IPv4 group, on the interface that has the address `interface`, or
    /// the stack's own choice for the unspecified one. The membership ends with the socket.
    ///
    /// No report is sent (IGMP): a switch or router that forwards groups only where somebody has
    /// reported them does not learn of it.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for what is no group; [`io::ErrorKind::AddrInUse`] if the
    /// socket is a member already; [`io::ErrorKind::AddrNotAvailable`] for an address that is not
    /// this stack's.
    pub fn join_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.check_interface((*interface).into())?;
        self.join((*group).into())
    }

    /// Takes datagrams for an IPv6 group on the interface of that number: 1, or 0 for the stack's
    /// own choice. The membership ends with the socket. No report is sent (MLD).
    ///
    /// # Errors
    /// As [`join_multicast_v4`](UdpSocket::join_multicast_v4); [`io::ErrorKind::NotFound`] for
    /// another interface; [`io::ErrorKind::InvalidInput`] if the socket is bound for IPv4: it would
    /// hear nothing.
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        check_number(interface)?;
        if self.local_addr()?.is_ipv4() {
            return Err(invalid("a socket of IPv4 hears no group of IPv6"));
        }
        self.join((*group).into())
    }

    /// Ends the membership in an IPv4 group.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrNotAvailable`] if the socket is no member, or the address not this
    /// stack's.
    pub fn leave_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.check_interface((*interface).into())?;
        self.leave((*group).into())
    }

    /// Ends the membership in an IPv6 group.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrNotAvailable`] if the socket is no member.
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        check_number(interface)?;
        self.leave((*group).into())
    }

    /// Sets whether members on this stack hear what this socket sends to their group; they do at
    /// first. It holds for IPv6 too.
    ///
    /// # Errors
    /// None today.
    pub fn set_multicast_loop_v4(&self, on: bool) -> io::Result<()> {
        self.socket()
            .call(|stack, handle| stack.udp_set_multicast_loop(handle, on))
    }

    /// Whether members on this stack hear what this socket sends to their group.
    ///
    /// # Errors
    /// None today.
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        Ok(self.settings()?.multicast_loop)
    }

    /// [`set_multicast_loop_v4`](UdpSocket::set_multicast_loop_v4): it is one setting.
    ///
    /// # Errors
    /// None today.
    pub fn set_multicast_loop_v6(&self, on: bool) -> io::Result<()> {
        self.set_multicast_loop_v4(on)
    }

    /// [`multicast_loop_v4`](UdpSocket::multicast_loop_v4): it is one setting.
    ///
    /// # Errors
    /// None today.
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        self.multicast_loop_v4()
    }

    /// Sets the TTL of datagrams to groups: 1 at first, 0 for such as do not leave this stack. It
    /// is the hop limit of IPv6 too.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] above 255.
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> io::Result<()> {
        let ttl = u8::try_from(ttl).map_err(|_| to_io(StackError::InvalidArgument))?;
        self.socket()
            .call(|stack, handle| stack.udp_set_multicast_ttl(handle, ttl))
    }

    /// The TTL of datagrams to groups.
    ///
    /// # Errors
    /// None today.
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        Ok(self.settings()?.multicast_ttl.into())
    }

    fn check_interface(&self, interface: IpAddr) -> io::Result<()> {
        let ours = |stack: &mut Stack, _| {
            let known =
                interface.is_unspecified() || interface.is_loopback() || stack.is_local(interface);
            known.then_some(()).ok_or(StackError::AddressNotAvailable)
        };
        self.socket().look(ours)
    }

    fn join(&self, group: Addr) -> io::Result<()> {
        let mut groups = self.groups();
        if groups.contains(&group) {
            return Err(to_io(StackError::AddressInUse));
        }
        self.socket().with_engine(|engine, _| {
            if engine.stack.join_group(IFACE, group)? {
                engine.set_device_groups();
            }
            Ok(())
        })?;
        groups.push(group);
        Ok(())
    }

    fn leave(&self, group: Addr) -> io::Result<()> {
        let mut groups = self.groups();
        let Some(at) = groups.iter().position(|joined| *joined == group) else {
            return Err(to_io(StackError::AddressNotAvailable));
        };
        groups.swap_remove(at);
        self.socket().with_engine(|engine, _| {
            if engine.stack.leave_group(IFACE, group)? {
                engine.set_device_groups();
            }
            Ok(())
        })
    }
}

/// The stack has one interface, and 0 stands for any.
fn check_number(interface: u32) -> io::Result<()> {
    if interface <= 1 {
        Ok(())
    } else {
        Err(to_io(StackError::NoSuchInterface))
    }
}
