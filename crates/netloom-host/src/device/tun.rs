//! TUN: a virtual point-to-point interface that carries IP packets.

use std::os::fd::OwnedFd;

use super::tuntap::{TunTap, delegate_to_tuntap};
use super::{DeviceError, KernelEnd, Medium, Offload};
use crate::sys::TunFlags;

/// A virtual wire between the kernel and this program that carries bare IPv4 and IPv6 packets.
///
/// The interface vanishes with the value, unless somebody made it persistent
/// (`ip tuntap add NAME mode tun user USER`, after which `USER` needs no other right).
#[derive(Debug)]
pub struct Tun {
    tuntap: TunTap,
}

impl Tun {
    /// Creates the interface `name`, or attaches to an existing persistent one. In a new name
    /// `%d` stands for the first free number: `tun%d`.
    ///
    /// The interface is down and has no addresses: see [`Tun::kernel_end`].
    ///
    /// # Errors
    /// [`DeviceError::PermissionDenied`] without access to `/dev/net/tun` or without
    /// `CAP_NET_ADMIN`; [`DeviceError::Busy`] if another program holds the interface;
    /// [`DeviceError::WrongKind`] if it is no TUN interface; [`DeviceError::InvalidName`];
    /// [`DeviceError::Unsupported`] if the kernel has no such driver.
    pub fn create(name: &str) -> Result<Tun, DeviceError> {
        Ok(Tun {
            tuntap: TunTap::create(name, TunFlags::TUN)?,
        })
    }

    /// Takes over a descriptor on which somebody with the rights has opened a TUN interface
    /// with `IFF_NO_PI`, and with `IFF_VNET_HDR` if there are to be offloads. It may be in another
    /// network namespace, where its MTU cannot be read, so `mtu` says it, in bytes. The descriptor
    /// is made non-blocking.
    ///
    /// # Errors
    /// [`DeviceError::WrongKind`] if it is anything else.
    pub fn from_owned_fd(fd: OwnedFd, mtu: u16) -> Result<Tun, DeviceError> {
        Ok(Tun {
            tuntap: TunTap::from_owned_fd(fd, TunFlags::TUN, mtu)?,
        })
    }

    /// The same device with less or more of the stack's work left to the kernel. As made, it has
    /// as much as the kernel offers: see [`Tun::offload`].
    ///
    /// # Errors
    /// [`DeviceError::WrongKind`] if a descriptor opened without `IFF_VNET_HDR` is asked for more
    /// than [`Offload::None`]; what the kernel says if it lacks the offload.
    pub fn with_offload(mut self, offload: Offload) -> Result<Tun, DeviceError> {
        self.tuntap.set_offload(offload)?;
        Ok(self)
    }

    /// What of the stack's work the kernel takes over.
    pub fn offload(&self) -> Offload {
        self.tuntap.offload()
    }

    /// Configures the kernel's end of the interface.
    ///
    /// # Errors
    /// [`DeviceError::NoSuchDevice`] if the interface is not in this thread's network namespace;
    /// [`DeviceError::Removed`] if it is gone.
    pub fn kernel_end(&self) -> Result<KernelEnd, DeviceError> {
        self.tuntap.kernel_end()
    }

    fn medium(&self) -> Medium {
        Medium::Ip
    }
}

delegate_to_tuntap!(Tun);
