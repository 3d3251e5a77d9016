//! IP packets in: validated, then handed to their protocol.

#[cfg(feature = "ipv4")]
mod v4;
#[cfg(feature = "ipv6")]
mod v6;

use netloom_wire::{Addr, protocol};

use crate::counters::{DropReason, Layer};
use crate::link::Arrival;
use crate::martian;
use crate::stack::Stack;

/// A packet whose network header is good: what the transport protocols see of it.
#[derive(Clone, Copy)]
pub(crate) struct Packet<'a> {
    pub(crate) src: Addr,
    pub(crate) dst: Addr,
    pub(crate) protocol: u8,
    /// TTL or hop limit as it arrived.
    pub(crate) hops: u8,
    /// DSCP and ECN.
    pub(crate) tos: u8,
    /// The transport header and what follows.
    pub(crate) payload: &'a [u8],
    /// The packet from its network header on, without what the link added behind it: what an
    /// ICMP error quotes.
    pub(crate) whole: &'a [u8],
    /// The destination is one address of this stack, and so was the link's: an answer may be
    /// sent.
    pub(crate) unicast: bool,
    /// There was a Fragment header, though the packet is whole.
    #[cfg(all(feature = "ipv6", feature = "ethernet"))]
    pub(crate) fragmented: bool,
    pub(crate) arrival: &'a Arrival<'a>,
}

/// What becomes of a packet that no protocol took.
pub(crate) enum Refusal {
    /// Nothing is said.
    Silent(DropReason),
    /// An ICMP error tells the sender.
    Tell(DropReason, IcmpError),
}

/// An ICMP error this stack sends, in terms of what is wrong; its form depends on the version.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum IcmpError {
    /// Nobody listens on the port.
    #[cfg(feature = "udp")]
    Port,
    /// IPv4: the protocol is unknown.
    #[cfg(feature = "ipv4")]
    Protocol,
    /// IPv6: something at an offset of the packet is wrong.
    #[cfg(feature = "ipv6")]
    Parameter {
        code: u8,
        pointer: u32,
        even_if_multicast: bool,
    },
    /// A flow was refused like this.
    #[cfg(feature = "flows")]
    Unreachable(crate::flow::Unreachable),
}

impl From<DropReason> for Refusal {
    fn from(reason: DropReason) -> Refusal {
        Refusal::Silent(reason)
    }
}

impl Stack {
    /// Takes in an IP packet of either version.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    #[cfg_attr(not(target_pointer_width = "64"), inline)]
    pub(crate) fn ip_input(&mut self, arrival: &Arrival<'_>, bytes: &[u8]) {
        #[cfg(all(
            feature = "alloc",
            feature = "tcp",
            feature = "ipv4",
            feature = "fast-retransmit",
            target_pointer_width = "64"
        ))]
        if !arrival.link_group
            && !arrival.has_flow_handler()
            && self.plain_input(arrival.iface, bytes, arrival.meta)
        {
            return;
        }
        self.ip_input_any(arrival, bytes);
    }

    /// [`ip_input`](Stack::ip_input) through all layers.
    // Apart on 64 bits, where most packets take another way.
    #[cfg_attr(target_pointer_width = "64", inline(never))]
    #[cfg_attr(not(target_pointer_width = "64"), inline)]
    fn ip_input_any(&mut self, arrival: &Arrival<'_>, bytes: &[u8]) {
        self.counters.receive(Layer::Ip);
        let result = match bytes.first().map(|b| b >> 4) {
            #[cfg(feature = "ipv4")]
            Some(4) => self.ipv4_input(arrival, bytes),
            #[cfg(feature = "ipv6")]
            Some(6) => self.ipv6_input(arrival, bytes),
            #[cfg(not(feature = "ipv4"))]
            Some(4) => Err(DropReason::UnknownVersion),
            #[cfg(not(feature = "ipv6"))]
            Some(6) => Err(DropReason::UnknownVersion),
            Some(_) | None => Err(DropReason::IpMalformed),
        };
        match result {
            Ok(()) => self.counters.deliver(Layer::Ip),
            Err(reason) => self.counters.discard(reason),
        }
    }

    /// Checks both addresses of a packet; says whether the destination is unicast, and ours.
    #[inline]
    fn check_addresses(
        &mut self,
        arrival: &Arrival<'_>,
        src: &Addr,
        dst: &Addr,
        ipv6: bool,
    ) -> Result<bool, DropReason> {
        let iface = arrival.iface;
        let unicast = match self.recent.addresses(src, dst, iface) {
            Some(unicast) => unicast,
            None => {
                let unicast = self.judge_addresses(arrival, src, dst, ipv6)?;
                self.recent.note_addresses(src, dst, iface, unicast);
                unicast
            }
        };
        Ok(unicast && !arrival.link_group)
    }

    /// The whole of [`check_addresses`](Stack::check_addresses), but for the link's destination.
    #[inline(never)]
    fn judge_addresses(
        &self,
        arrival: &Arrival<'_>,
        src: &Addr,
        dst: &Addr,
        ipv6: bool,
    ) -> Result<bool, DropReason> {
        // There is a loopback interface on the heap alone.
        let loopback = cfg!(feature = "alloc")
            && self
                .interface(arrival.iface)
                .is_some_and(|interface| interface.loopback);
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.2.3
        //# |  An incoming SYN with an invalid source address MUST be ignored
        //# |  either by TCP or by the IP layer [(MUST-63)] (see
        //# |  Section 3.2.1.3).
        martian::check(
            &martian::Arrival {
                src,
                dst,
                ipv6,
                iface: arrival.iface,
                loopback,
            },
            &self.addresses,
        )
        .map_err(|_| DropReason::Martian)?;
        if self.addresses.is_local_on(arrival.iface, dst) || loopback {
            return Ok(!dst.is_multicast());
        }
        #[cfg(feature = "flows")]
        if self.flows.takes_all(arrival.iface)
            && dst.is_unicast()
            && !self.addresses.is_broadcast_for(arrival.iface, dst)
        {
            return Ok(true);
        }
        #[cfg(all(feature = "alloc", feature = "udp"))]
        if self.udp.groups.contains(arrival.iface, dst) {
            return Ok(false);
        }
        #[cfg(feature = "ipv6")]
        if ipv6
            && (*dst == Addr::V6_ALL_NODES
                || self.addresses.joins_solicited_node(arrival.iface, dst))
        {
            return Ok(false);
        }
        if !ipv6
            && (*dst == Addr::V4_ALL_SYSTEMS || self.addresses.is_broadcast_for(arrival.iface, dst))
        {
            Ok(false)
        } else {
            Err(DropReason::IpNotForUs)
        }
    }

    /// Hands a packet to its protocol.
    #[inline]
    fn deliver(&mut self, packet: &Packet<'_>) -> Result<(), DropReason> {
        let refusal = match packet.protocol {
            #[cfg(feature = "tcp")]
            protocol::TCP => {
                self.counters.receive(Layer::Tcp);
                match self.tcp_input(packet) {
                    Ok(()) => self.counters.deliver(Layer::Tcp),
                    Err(reason) => self.counters.discard(reason),
                }
                return Ok(());
            }
            #[cfg(feature = "udp")]
            protocol::UDP => {
                self.counters.receive(Layer::Udp);
                let refusal = match self.udp_input(packet) {
                    Ok(()) => {
                        self.counters.deliver(Layer::Udp);
                        return Ok(());
                    }
                    Err(refusal) => refusal,
                };
                self.counters.discard(refusal.reason());
                self.tell(packet, &refusal);
                return Ok(());
            }
            #[cfg(feature = "ipv4")]
            protocol::ICMP if packet.src.is_v4() => {
                self.counters.receive(Layer::Icmp);
                match self.icmpv4_input(packet) {
                    Ok(()) => self.counters.deliver(Layer::Icmp),
                    Err(reason) => self.counters.discard(reason),
                }
                return Ok(());
            }
            #[cfg(feature = "ipv6")]
            protocol::ICMPV6 if !packet.src.is_v4() => {
                self.counters.receive(Layer::Icmp);
                match self.icmpv6_input(packet) {
                    Ok(()) => self.counters.deliver(Layer::Icmp),
                    Err(reason) => self.counters.discard(reason),
                }
                return Ok(());
            }
            _ => self.unknown_protocol(packet),
        };
        let reason = refusal.reason();
        self.tell(packet, &refusal);
        Err(reason)
    }

    fn unknown_protocol(&self, packet: &Packet<'_>) -> Refusal {
        //= https://www.rfc-editor.org/rfc/rfc1122#section-3.2.2.1
        //# A host SHOULD generate Destination Unreachable messages with
        //# code:
        #[cfg(feature = "ipv4")]
        if packet.src.is_v4() {
            return Refusal::Tell(DropReason::UnknownProtocol, IcmpError::Protocol);
        }
        // IPv6: the walk of extension headers names the field; see `v6`.
        let _ = packet;
        Refusal::Silent(DropReason::UnknownProtocol)
    }

    /// Sends the ICMP error a refusal calls for, if the packet may be answered and the rate
    /// allows it.
    fn tell(&mut self, packet: &Packet<'_>, refusal: &Refusal) {
        #[cfg(all(feature = "icmp-errors", any(feature = "ipv4", feature = "ipv6")))]
        if let Refusal::Tell(_, error) = refusal {
            self.send_icmp_error(packet, *error);
        }
    }
}

impl Refusal {
    fn reason(&self) -> DropReason {
        match self {
            Refusal::Silent(reason) | Refusal::Tell(reason, _) => *reason,
        }
    }
}
