//! Interfaces: what owes frames to which device.

#[cfg(feature = "ethernet")]
use netloom_wire::MacAddr;

use crate::config::{InterfaceConfig, Medium};
#[cfg(feature = "alloc")]
use crate::list::List;

/// An interface and the lists of what waits to be sent on it.
pub(crate) struct Interface {
    pub(crate) in_use: bool,
    /// The last transmit turn ended because the device was full.
    pub(crate) blocked: bool,
    pub(crate) loopback: bool,
    pub(crate) ethernet: bool,
    pub(crate) mtu: u16,
    #[cfg(feature = "ethernet")]
    pub(crate) mac: MacAddr,
    /// Answers, resolutions, SYN-ACKs: sent before any data.
    #[cfg(feature = "alloc")]
    pub(crate) control: List,
    /// Connections and sockets that may owe frames, in turn.
    #[cfg(feature = "alloc")]
    pub(crate) owing: List,
}

impl Interface {
    pub(crate) const EMPTY: Interface = Interface {
        in_use: false,
        blocked: false,
        loopback: false,
        ethernet: false,
        mtu: 0,
        #[cfg(feature = "ethernet")]
        mac: MacAddr([0; 6]),
        #[cfg(feature = "alloc")]
        control: List::EMPTY,
        #[cfg(feature = "alloc")]
        owing: List::EMPTY,
    };

    pub(crate) fn open(&mut self, config: &InterfaceConfig) {
        *self = Interface::EMPTY;
        self.in_use = true;
        self.mtu = config.mtu;
        match config.medium {
            #[cfg(feature = "ethernet")]
            Medium::Ethernet(mac) => {
                self.ethernet = true;
                self.mac = mac;
            }
            Medium::Ip => {}
        }
    }
}
