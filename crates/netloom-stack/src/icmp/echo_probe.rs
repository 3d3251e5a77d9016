//! Whether a host answers at an address: echo requests to one that is watched.
//!
//! Beyond the link, where ARP does not reach, this is how a DHCP server looks before it offers an
//! address (RFC 2131 §3.1). There is no socket behind it, and no memory but the place among the
//! addresses watched ([`Stack::arp_watch`] has the others).

use netloom_wire::checksum::Sum;
use netloom_wire::icmpv4::kind;
use netloom_wire::{Addr, protocol};

use crate::counters::DropReason;
use crate::error::Error;
use crate::event::IfaceId;
use crate::ip::Packet;
use crate::output::IpHeader;
use crate::stack::Stack;

impl Stack {
    /// Sends an echo request to an address of whatever network, and has the stack remember whether a
    /// reply to it comes: [`echo_probe_answered`](Stack::echo_probe_answered) tells, and
    /// [`arp_unwatch`](Stack::arp_unwatch) ends it. `iface` is the interface the address is kept
    /// under; routes say where the request leaves.
    ///
    /// Only a reply from that address that repeats what was unpredictable in the request counts.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the address is not an IPv4 unicast address;
    /// [`Error::CapacityExhausted`]: as many are watched as there is room for. Nothing is watched, or
    /// what was watched already goes on being watched, with [`Error::NoRoute`],
    /// [`Error::NoSourceAddress`], and [`Error::OutOfMemory`] while the store of packets that wait to
    /// be sent is full.
    pub fn echo_probe(&mut self, iface: IfaceId, addr: impl Into<Addr>) -> Result<(), Error> {
        let dst = addr.into();
        if !dst.is_v4() || !dst.is_unicast() {
            return Err(Error::InvalidArgument);
        }
        let (leaves_by, next_hop) = self.route(&dst, None).ok_or(Error::NoRoute)?;
        let src = self
            .source_for(&dst, leaves_by, &next_hop)
            .ok_or(Error::NoSourceAddress)?;
        // 0 stands for no request.
        let fresh = self.random_u32().max(1);
        let token = self.arp_watches.probe(iface.0, &dst, fresh)?;
        // Identifier and sequence number.
        let rest = token.to_be_bytes();
        let sum = Sum::new().add(&[kind::ECHO_REQUEST, 0]).add(&rest);
        let [high, low] = sum.finish().to_be_bytes();
        let [a, b, c, d] = rest;
        let ip = IpHeader {
            src,
            dst,
            protocol: protocol::ICMP,
            ttl: self.tunables.ip_default_ttl,
            tos: 0,
        };
        let message = [kind::ECHO_REQUEST, 0, high, low, a, b, c, d];
        self.send_packet(&ip, None, [&message, &[]])
            .map_err(|_| Error::OutOfMemory)
    }

    /// Takes whether a host has answered at an address since it was last asked here.
    pub fn echo_probe_answered(&mut self, iface: IfaceId, addr: impl Into<Addr>) -> bool {
        self.arp_watches.take_answer(iface.0, &addr.into())
    }

    /// Takes in an echo reply if it answers such a request; says whether it does.
    pub(super) fn probe_replied(&mut self, packet: &Packet<'_>) -> Result<bool, DropReason> {
        let header = packet.payload.first_chunk();
        let &[_, _, _, _, a, b, c, d] = header.ok_or(DropReason::IcmpMalformed)?;
        let token = u32::from_be_bytes([a, b, c, d]);
        Ok(packet.unicast && self.arp_watches.answered(&packet.src, token))
    }
}
