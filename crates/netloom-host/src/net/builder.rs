//! From a device to a running stack.

use std::io;

use netloom_stack::wire::{Addr, Cidr, MacAddr};
use netloom_stack::{Config, IfaceId, Limits, Seed, Stack, Tunables};

use super::clock::Clock;
use super::error::to_io;
use super::runtime::Running;
use super::{Net, ToAddr, ToCidr};
use crate::device::{Device, KernelEnd, LinkEnd, Medium, PacketSocket, Tap, Tun};
use crate::sys;

/// A stack about to run on a device. What is wrong with an argument is told by
/// [`Builder::start`].
#[derive(Debug)]
#[must_use = "nothing runs before `start`"]
pub struct Builder {
    device: Box<dyn DebugDevice>,
    addresses: Vec<Cidr>,
    gateways: Vec<Addr>,
    kernel_addresses: Vec<Cidr>,
    tunables: Tunables,
    limits: Limits,
    mistake: Option<io::Error>,
}

/// A device that can be shown in a [`Builder`]'s debug output.
trait DebugDevice: Device + std::fmt::Debug {
    fn into_device(self: Box<Self>) -> Box<dyn Device>;
}

impl<D: Device + std::fmt::Debug + 'static> DebugDevice for D {
    fn into_device(self: Box<Self>) -> Box<dyn Device> {
        self
    }
}

impl Builder {
    pub(super) fn new(device: impl Device + std::fmt::Debug + 'static) -> Builder {
        Builder {
            device: Box::new(device),
            addresses: Vec::new(),
            gateways: Vec::new(),
            kernel_addresses: Vec::new(),
            tunables: Tunables::default(),
            limits: Limits::default(),
            mistake: None,
        }
    }

    fn keep<T>(&mut self, value: io::Result<T>) -> Option<T> {
        value
            .map_err(|error| {
                self.mistake.get_or_insert(error);
            })
            .ok()
    }

    /// Gives the stack an address, with its prefix: `"10.71.0.2/24"`. As often as there are
    /// addresses; on Ethernet the stack makes an IPv6 link-local one by itself.
    pub fn address(mut self, address: impl ToCidr) -> Builder {
        let cidr = self.keep(address.to_cidr());
        self.addresses.extend(cidr);
        self
    }

    /// Names the router for what is not on the link, one for each IP version.
    pub fn gateway(mut self, router: impl ToAddr) -> Builder {
        let router = self.keep(router.to_addr());
        self.gateways.extend(router);
        self
    }

    /// Gives the kernel's end of the device an address and brings it up, for TAP and TUN
    /// devices. Needs `CAP_NET_ADMIN`. See [`KernelEnd`] for more than that.
    pub fn kernel_address(mut self, address: impl ToCidr) -> Builder {
        let cidr = self.keep(address.to_cidr());
        self.kernel_addresses.extend(cidr);
        self
    }

    /// Sets a tunable by its name, such as `tcp_rmem`.
    pub fn tunable(mut self, name: &str, value: u64) -> Builder {
        let set = self.tunables.set(name, value).map_err(to_io);
        self.keep(set);
        self
    }

    /// Replaces all tunables.
    pub fn tunables(mut self, tunables: Tunables) -> Builder {
        self.tunables = tunables;
        self
    }

    /// Bounds what the stack takes from the heap.
    pub fn limits(mut self, limits: Limits) -> Builder {
        self.limits = limits;
        self
    }

    /// Starts the stack, with a thread that drives the device. It runs until the [`Net`], its
    /// clones and all sockets are gone.
    ///
    /// # Errors
    /// What was wrong with an argument ([`io::ErrorKind::InvalidInput`]); what the kernel says of
    /// its own end; no descriptor, thread or randomness left.
    pub fn start(self) -> io::Result<Net> {
        let Builder {
            device,
            addresses,
            gateways,
            kernel_addresses,
            tunables,
            limits,
            mistake,
        } = self;
        if let Some(mistake) = mistake {
            return Err(mistake);
        }
        let mut device = device.into_device();
        if !kernel_addresses.is_empty() {
            let mut end = KernelEnd::of(device.name())?;
            for Cidr { addr, prefix } in kernel_addresses {
                end.address(addr.into(), prefix)?;
            }
            end.up()?;
            device.refresh_mtu()?;
        }
        let mut seed = [0; 32];
        sys::random_bytes(&mut seed)?;
        let mut config = match device.medium() {
            Medium::Ethernet { mac } => Config::ethernet(MacAddr(mac)),
            Medium::Ip => Config::ip(),
        }
        .mtu(device.mtu());
        config.tunables = tunables;
        let mut stack = Stack::with_heap(config, limits, Seed::from(seed));
        for address in addresses {
            stack.add_address(IfaceId::FIRST, address).map_err(to_io)?;
        }
        for router in gateways {
            stack.add_gateway(IfaceId::FIRST, router).map_err(to_io)?;
        }
        Running::start(stack, device, Clock::new()).map(Net::new)
    }
}

/// The builder's methods on the devices themselves, for the common case of one line.
macro_rules! start_from {
    ($($device:ty),+) => {$(
        impl $device {
            /// Begins a stack on this device with an address: see [`Builder::address`].
            pub fn address(self, address: impl ToCidr) -> Builder {
                Builder::new(self).address(address)
            }

            /// Begins a stack on this device with a router: see [`Builder::gateway`].
            pub fn gateway(self, router: impl ToAddr) -> Builder {
                Builder::new(self).gateway(router)
            }

            /// Begins a stack on this device with an address for the kernel's end: see
            /// [`Builder::kernel_address`].
            pub fn kernel_address(self, address: impl ToCidr) -> Builder {
                Builder::new(self).kernel_address(address)
            }

            /// Starts a stack on this device: see [`Builder::start`].
            ///
            /// # Errors
            /// As [`Builder::start`].
            pub fn start(self) -> io::Result<Net> {
                Builder::new(self).start()
            }
        }
    )+};
}
start_from!(Tap, Tun, PacketSocket, LinkEnd);
