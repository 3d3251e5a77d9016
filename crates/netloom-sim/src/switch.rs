//! What joins more than two hosts.

use std::collections::HashMap;

use netloom_wire::{EthernetView, Frame, MacAddr};

use crate::link::Medium;

/// A learning switch of Ethernet, or of IP addresses that it is told.
#[derive(Debug)]
pub(crate) struct Switch {
    medium: Medium,
    /// The channel that leaves by each port.
    pub(crate) ports: Vec<usize>,
    stations: HashMap<MacAddr, usize>,
    addresses: HashMap<netloom_wire::Addr, usize>,
}

impl Switch {
    pub(crate) fn new(medium: Medium) -> Switch {
        Switch {
            medium,
            ports: Vec::new(),
            stations: HashMap::new(),
            addresses: HashMap::new(),
        }
    }

    pub(crate) fn add_address(&mut self, addr: netloom_wire::Addr, port: usize) {
        self.addresses.insert(addr, port);
    }

    /// Through which port a frame from `port` leaves: one, or all others.
    pub(crate) fn forward(&mut self, port: usize, frame: &[u8]) -> Egress {
        match self.medium {
            Medium::Ethernet => {
                let Ok(view) = EthernetView::new(frame) else {
                    return Egress::None;
                };
                if !view.src().is_multicast() {
                    self.stations.insert(view.src(), port);
                }
                match self.stations.get(&view.dst()) {
                    Some(out) if *out == port => Egress::None,
                    Some(out) => Egress::Port(*out),
                    None => Egress::Others,
                }
            }
            Medium::Ip => {
                let Some(dst) = destination(frame) else {
                    return Egress::None;
                };
                match self.addresses.get(&dst) {
                    Some(out) if *out == port => Egress::None,
                    Some(out) => Egress::Port(*out),
                    None if dst.is_multicast() || dst.is_broadcast() => Egress::Others,
                    None => Egress::None,
                }
            }
        }
    }
}

/// Where a frame goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Egress {
    None,
    Port(usize),
    Others,
}

fn destination(packet: &[u8]) -> Option<netloom_wire::Addr> {
    let ip = Frame::new(packet).ip().ok()?;
    Some(ip.dst())
}
