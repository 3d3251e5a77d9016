//! TAP: a virtual Ethernet interface.

use std::os::fd::OwnedFd;

use super::tuntap::{TunTap, delegate_to_tuntap};
use super::{DeviceError, KernelEnd, Medium, Offload};
use crate::sys::{self, TunFlags};

/// A virtual Ethernet segment with two stations: the kernel, under the interface's own MAC, and
/// this program.
///
/// The interface vanishes with the value, unless somebody made it persistent
/// (`ip tuntap add NAME mode tap user USER`, after which `USER` needs no other right).
#[derive(Debug)]
pub struct Tap {
    tuntap: TunTap,
    mac: [u8; 6],
}

impl Tap {
    /// Creates the interface `name`, or attaches to an existing persistent one. In a new name
    /// `%d` stands for the first free number: `netloom%d`.
    ///
    /// The interface is down and has no addresses: see [`Tap::kernel_end`]. This program's
    /// station gets a random locally administered MAC.
    ///
    /// # Errors
    /// [`DeviceError::PermissionDenied`] without access to `/dev/net/tun` or without
    /// `CAP_NET_ADMIN`; [`DeviceError::Busy`] if another program holds the interface;
    /// [`DeviceError::WrongKind`] if it is no TAP interface; [`DeviceError::InvalidName`];
    /// [`DeviceError::Unsupported`] if the kernel has no such driver.
    pub fn create(name: &str) -> Result<Tap, DeviceError> {
        Tap::with_random_mac(TunTap::create(name, TunFlags::TAP)?)
    }

    /// Takes over a descriptor on which somebody with the rights has opened a TAP interface
    /// with `IFF_NO_PI`, and with `IFF_VNET_HDR` if there are to be offloads. It may be in another
    /// network namespace, where its MTU cannot be read, so `mtu` says it, in bytes. The descriptor
    /// is made non-blocking.
    ///
    /// # Errors
    /// [`DeviceError::WrongKind`] if it is anything else.
    pub fn from_owned_fd(fd: OwnedFd, mtu: u16) -> Result<Tap, DeviceError> {
        Tap::with_random_mac(TunTap::from_owned_fd(fd, TunFlags::TAP, mtu)?)
    }

    fn with_random_mac(tuntap: TunTap) -> Result<Tap, DeviceError> {
        let mut mac = [0; 6];
        sys::random_bytes(&mut mac).map_err(|source| DeviceError::Os {
            action: "choose a MAC at random".to_owned(),
            source,
        })?;
        // Locally administered (bit 1 of the first byte), unicast (bit 0).
        mac[0] = mac[0] & 0xfc | 0x02;
        Ok(Tap { tuntap, mac })
    }

    /// The same device with another MAC for this program's station. It must differ from the
    /// interface's own, which is the kernel's.
    ///
    /// # Errors
    /// [`DeviceError::InvalidArgument`] for a multicast or all-zero address.
    pub fn with_mac(mut self, mac: [u8; 6]) -> Result<Tap, DeviceError> {
        if mac[0] & 1 != 0 || mac == [0; 6] {
            let reason = format!("{mac:02x?} is not the address of a station");
            return Err(DeviceError::InvalidArgument { reason });
        }
        self.mac = mac;
        Ok(self)
    }

    /// The MAC of this program's station.
    pub fn mac(&self) -> [u8; 6] {
        self.mac
    }

    /// The same device with less or more of the stack's work left to the kernel. As made, it has
    /// as much as the kernel offers: see [`Tap::offload`].
    ///
    /// # Errors
    /// [`DeviceError::WrongKind`] if a descriptor opened without `IFF_VNET_HDR` is asked for more
    /// than [`Offload::None`]; what the kernel says if it lacks the offload.
    pub fn with_offload(mut self, offload: Offload) -> Result<Tap, DeviceError> {
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
        Medium::Ethernet { mac: self.mac }
    }
}

delegate_to_tuntap!(Tap);
