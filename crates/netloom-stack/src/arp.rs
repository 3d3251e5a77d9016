//! ARP: who has an IPv4 address on this link (RFC 826), and is anybody using mine (RFC 5227).

use netloom_wire::arp::{ArpOperation, ArpRepr, ArpView};
use netloom_wire::{Addr, EtherType, EthernetRepr, MacAddr};

use crate::counters::DropReason;
#[cfg(feature = "hold")]
use crate::error::Error;
#[cfg(feature = "hold")]
use crate::event::IfaceId;
use crate::neighbor::Learn;
#[cfg(feature = "hold")]
use crate::packet::PacketKind;
use crate::stack::Stack;

/// Header and packet.
const FRAME_LEN: usize = netloom_wire::ethernet::HEADER_LEN + netloom_wire::arp::LEN;

/// Writes the frame that asks for an IPv4 neighbour's link-layer address; returns its length.
pub(crate) fn request(
    frame: &mut [u8],
    mac: MacAddr,
    source: Addr,
    target: &Addr,
    unicast: Option<MacAddr>,
) -> usize {
    let request = ArpRepr {
        operation: ArpOperation::Request,
        sender_mac: mac,
        sender_ip: source,
        target_mac: MacAddr::UNSPECIFIED,
        target_ip: *target,
    };
    emit(frame, unicast.unwrap_or(MacAddr::BROADCAST), &request)
}

/// Writes a frame with an ARP packet; returns its length.
fn emit(frame: &mut [u8], dst: MacAddr, repr: &ArpRepr) -> usize {
    let ethernet = EthernetRepr {
        dst,
        src: repr.sender_mac,
        ethertype: EtherType::ARP,
        vlan: None,
    };
    match ethernet.emit(frame).and_then(|rest| repr.emit(rest)) {
        Ok(_) => FRAME_LEN,
        Err(_) => 0,
    }
}

impl Stack {
    pub(crate) fn arp_input(
        &mut self,
        iface: u8,
        mac: MacAddr,
        packet: &[u8],
    ) -> Result<(), DropReason> {
        let view = ArpView::new(packet).map_err(|_| DropReason::ArpMalformed)?;
        let (sender_ip, sender_mac) = (view.sender_ip(), view.sender_mac());
        let target = view.target_ip();
        if !sender_mac.is_unicast() || sender_mac == mac {
            return Err(DropReason::ArpBadSender);
        }
        #[cfg(feature = "acd")]
        self.hear_claim(iface, &view);
        let for_us = self
            .addresses
            .get(iface, &target)
            .is_some_and(|a| a.is_answered());
        let probe = sender_ip.is_unspecified();
        if !probe {
            if !sender_ip.is_unicast() || self.addresses.contains(iface, &sender_ip) {
                return Err(DropReason::ArpBadSender);
            }
            // RFC 826: "If the pair <protocol type, sender protocol address> is already in my
            // translation table, update the sender hardware address field of the entry with the new
            // information in the packet and set Merge_flag to true."
            let how = match view.operation() {
                ArpOperation::Reply if for_us => Learn::Reply {
                    solicited: true,
                    override_flag: true,
                    router: false,
                },
                _ if for_us => Learn::Request,
                _ => Learn::Gratuitous,
            };
            self.learn_neighbor(iface, &sender_ip, sender_mac, how);
        }
        if !for_us {
            return Err(DropReason::ArpNotForUs);
        }
        if view.operation() == ArpOperation::Request {
            let reply = ArpRepr::parse(&view).reply(mac);
            #[cfg(not(feature = "alloc"))]
            if self.answer_arp(sender_mac, &reply) {
                return Ok(());
            }
            #[cfg(feature = "hold")]
            self.send_arp(iface, sender_mac, &reply)
                .map_err(|_| DropReason::ArpNoMemory)?;
        }
        Ok(())
    }

    /// Queues an ARP packet.
    #[cfg(feature = "hold")]
    pub(crate) fn send_arp(
        &mut self,
        iface: u8,
        dst: MacAddr,
        repr: &ArpRepr,
    ) -> Result<(), DropReason> {
        let mut frame = [0; FRAME_LEN];
        emit(&mut frame, dst, repr);
        self.hold(
            iface,
            PacketKind::Frame,
            Addr::UNSPECIFIED,
            [&frame, &[], &[]],
        )
    }

    /// Sends an ARP probe: asks whether anybody uses `addr`, without claiming it
    /// (RFC 5227 §2.1.1). When to send how many is the caller's to know.
    ///
    /// # Errors
    /// [`Error::NoSuchInterface`] if it is not an Ethernet interface;
    /// [`Error::InvalidArgument`] if the address is not an IPv4 unicast address;
    /// [`Error::OutOfMemory`] if there is no room for the packet now.
    #[cfg(feature = "hold")]
    pub fn arp_probe(&mut self, iface: IfaceId, addr: Addr) -> Result<(), Error> {
        //= https://www.rfc-editor.org/rfc/rfc5227#section-2.1.1
        //# The client MUST fill in the 'sender hardware
        //# address' field of the ARP Request with the hardware address of the
        //# interface through which it is sending the packet.
        //= https://www.rfc-editor.org/rfc/rfc5227#section-2.1.1
        //# The 'sender IP
        //# address' field MUST be set to all zeroes
        self.arp_claim(iface, Addr::V4_UNSPECIFIED, addr)
    }

    /// Announces that this stack uses `addr` (RFC 5227 §2.3).
    ///
    /// # Errors
    /// As [`arp_probe`](Stack::arp_probe).
    #[cfg(feature = "hold")]
    pub fn arp_announce(&mut self, iface: IfaceId, addr: Addr) -> Result<(), Error> {
        self.arp_claim(iface, addr, addr)
    }

    #[cfg(feature = "hold")]
    fn arp_claim(&mut self, iface: IfaceId, sender: Addr, addr: Addr) -> Result<(), Error> {
        if !addr.is_v4() || !addr.is_unicast() {
            return Err(Error::InvalidArgument);
        }
        let mac = self
            .interface(iface.0)
            .filter(|i| i.ethernet)
            .map(|i| i.mac)
            .ok_or(Error::NoSuchInterface)?;
        let request = ArpRepr {
            operation: ArpOperation::Request,
            sender_mac: mac,
            sender_ip: sender,
            target_mac: MacAddr::UNSPECIFIED,
            target_ip: addr,
        };
        self.send_arp(iface.0, MacAddr::BROADCAST, &request)
            .map_err(|_| Error::OutOfMemory)
    }
}
