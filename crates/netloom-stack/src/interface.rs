//! Interfaces: what owes frames to which device.

#[cfg(feature = "ethernet")]
use netloom_wire::MacAddr;

use crate::config::{InterfaceConfig, Medium};
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
    pub(crate) control: List,
    /// Connections and sockets that may owe frames, in turn.
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
        control: List::EMPTY,
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

    /// Whether a transmit turn would find something to look at.
    pub(crate) fn has_work(&self) -> bool {
        !self.control.is_empty() || !self.owing.is_empty()
    }
}
