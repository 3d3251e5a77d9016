//! What a program decides before the stack runs.

use netloom_wire::{Addr, Cidr, MacAddr};

use crate::tunables::Settings;

/// What an interface carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Medium {
    /// Ethernet II frames; next hops are resolved with ARP and ND.
    #[cfg(feature = "ethernet")]
    Ethernet(MacAddr),
    /// Bare IP packets (TUN, WireGuard, serial lines); there is nothing to resolve.
    Ip,
}

/// One interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InterfaceConfig {
    /// What the device carries.
    pub medium: Medium,
    /// The largest IP packet sent, in bytes; the device's own limit
    /// ([`TxCaps::mtu`](netloom_driver::TxCaps::mtu)) applies too. 1280 to 65535 (68 and up
    /// if IPv6 is not used).
    pub mtu: u16,
    /// Whether an IPv6 link-local address is made from the MAC address
    /// (RFC 4291 appendix A). On by default; needs the feature `ipv6` and Ethernet.
    pub link_local: bool,
}

impl InterfaceConfig {
    /// An Ethernet interface with an MTU of 1500 bytes.
    #[cfg(feature = "ethernet")]
    pub const fn ethernet(mac: MacAddr) -> InterfaceConfig {
        InterfaceConfig {
            medium: Medium::Ethernet(mac),
            mtu: 1500,
            link_local: true,
        }
    }

    /// An interface of bare IP packets with an MTU of 1500 bytes.
    pub const fn ip() -> InterfaceConfig {
        InterfaceConfig {
            medium: Medium::Ip,
            mtu: 1500,
            link_local: false,
        }
    }

    /// The same with another MTU.
    #[must_use]
    pub const fn mtu(mut self, mtu: u16) -> InterfaceConfig {
        self.mtu = mtu;
        self
    }
}

/// A stack with its first interface. More are added with
/// [`Stack::add_interface`](crate::Stack::add_interface).
#[derive(Debug, Clone)]
pub struct Config {
    /// The first interface.
    pub interface: InterfaceConfig,
    /// Its first addresses.
    pub addresses: [Option<Cidr>; 2],
    /// Default routers, one a version.
    pub gateways: [Option<Addr>; 2],
    /// Everything that can be tuned, with an expert's defaults.
    pub tunables: Settings,
}

impl Config {
    /// A stack on an Ethernet device.
    #[cfg(feature = "ethernet")]
    pub fn ethernet(mac: MacAddr) -> Config {
        Config::new(InterfaceConfig::ethernet(mac))
    }

    /// A stack on a device of bare IP packets.
    pub fn ip() -> Config {
        Config::new(InterfaceConfig::ip())
    }

    /// A stack on any interface.
    pub fn new(interface: InterfaceConfig) -> Config {
        Config {
            interface,
            addresses: [None, None],
            gateways: [None, None],
            tunables: Settings::DEFAULT,
        }
    }

    /// Adds an address with its prefix; two fit here, more are added with
    /// [`Stack::add_address`](crate::Stack::add_address).
    #[must_use]
    pub fn address(mut self, cidr: Cidr) -> Config {
        if let Some(free) = self.addresses.iter_mut().find(|a| a.is_none()) {
            *free = Some(cidr);
        }
        self
    }

    /// Sets the default router of its address's version.
    #[must_use]
    pub fn gateway(mut self, router: Addr) -> Config {
        let [v4, v6] = &mut self.gateways;
        *(if router.is_v4() { v4 } else { v6 }) = Some(router);
        self
    }

    /// Sets the MTU of the first interface.
    #[must_use]
    pub fn mtu(mut self, mtu: u16) -> Config {
        self.interface.mtu = mtu;
        self
    }
}

/// The limits of a stack on the heap. Memory is taken as it is needed and given back.
#[cfg(feature = "alloc")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections, open or still held by the program after their end.
    pub connections: u32,
    /// Connections in SYN-RECEIVED (64 bytes each); beyond it SYN cookies answer.
    pub half_open: u32,
    /// Connections in TIME-WAIT (64 bytes each); beyond it the oldest goes.
    pub time_wait: u32,
    /// TCP listeners.
    pub listeners: u32,
    /// UDP sockets.
    pub udp: u32,
    /// Echo sockets, with the feature `echo`; each may hold 256 KiB of replies not yet read.
    pub echo: u8,
    /// Network interfaces (at most 255).
    pub interfaces: u8,
    /// Addresses of all interfaces together.
    pub addresses: u16,
    /// Routes.
    pub routes: u16,
    /// Neighbours remembered on all Ethernet interfaces together.
    pub neighbors: u16,
    /// Paths remembered (PMTU).
    pub destinations: u16,
    /// Bytes of all connections' buffers together.
    pub buffers: usize,
    /// Bytes that answers without a connection (ICMP, RST) and packets waiting for a
    /// neighbour's address may occupy.
    pub packets: usize,
    /// Bytes in flight on the loopback interface; 0: there is none.
    pub loopback: usize,
}

#[cfg(feature = "alloc")]
impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 1 << 20,
            half_open: 1 << 16,
            time_wait: 1 << 16,
            listeners: 1 << 12,
            udp: 1 << 16,
            echo: 32,
            interfaces: 64,
            addresses: 256,
            routes: 256,
            neighbors: 1024,
            destinations: 1024,
            buffers: 1 << 30,
            packets: 1 << 20,
            loopback: 1 << 18,
        }
    }
}
