//! ICMPv6 (RFC 4443) and neighbour discovery for resolution (RFC 4861 §7).

use netloom_wire::icmpv6::{Icmpv6Repr, Icmpv6View, kind, unreachable};
#[cfg(feature = "ethernet")]
use netloom_wire::{Addr, EtherType, EthernetRepr, MacAddr, NdpMessage, NdpOption, ndp};
use netloom_wire::{ipv6, protocol};

use crate::counters::DropReason;
#[cfg(feature = "icmp-errors")]
use crate::icmp::{Heard, quote};
use crate::ip::{IcmpError, Packet};
#[cfg(feature = "ethernet")]
use crate::neighbor::Learn;
use crate::output::IpHeader;
use crate::stack::Stack;

/// An error fits the minimum MTU (RFC 4443 §2.4 (c)).
const QUOTE_LIMIT: usize = ipv6::MIN_MTU - 40 - 8;

impl Stack {
    pub(crate) fn icmpv6_input(&mut self, packet: &Packet<'_>) -> Result<(), DropReason> {
        let view = Icmpv6View::new(packet.payload).map_err(|_| DropReason::IcmpMalformed)?;
        if !view.checksum_valid(&packet.src, &packet.dst) {
            return Err(DropReason::IcmpChecksum);
        }
        match (view.kind(), view.code()) {
            (kind::ECHO_REQUEST, 0) => self.answer_echo(packet, kind::ECHO_REPLY, Some(())),
            #[cfg(feature = "echo")]
            (kind::ECHO_REPLY, 0) => self.echo_replied(packet),
            #[cfg(feature = "ethernet")]
            (kind::NEIGHBOR_SOLICITATION | kind::NEIGHBOR_ADVERTISEMENT, _) => {
                self.nd_input(packet, &view)
            }
            #[cfg(feature = "icmp-errors")]
            _ => self.icmpv6_error_input(packet, &view),
            #[cfg(not(feature = "icmp-errors"))]
            _ => Err(DropReason::IcmpUnhandled),
        }
    }

    #[cfg(feature = "icmp-errors")]
    fn icmpv6_error_input(
        &mut self,
        packet: &Packet<'_>,
        view: &Icmpv6View<'_>,
    ) -> Result<(), DropReason> {
        let heard = match (view.kind(), view.code()) {
            (kind::DESTINATION_UNREACHABLE, code) => match code {
                unreachable::NO_ROUTE => Heard::NetworkUnreachable,
                unreachable::PROHIBITED | 5 | 6 => Heard::Prohibited,
                unreachable::BEYOND_SCOPE => Heard::SourceRouteFailed,
                unreachable::ADDRESS => Heard::HostUnreachable,
                unreachable::PORT => Heard::PortUnreachable,
                _ => return Err(DropReason::IcmpUnhandled),
            },
            (kind::PACKET_TOO_BIG, _) => {
                Heard::PacketTooBig(u32::from_be_bytes(view.rest_of_header()))
            }
            (kind::TIME_EXCEEDED, _) => Heard::TimeExceeded,
            //= https://www.rfc-editor.org/rfc/rfc4443#section-3.4
            //# A node receiving this ICMPv6 message MUST notify the upper-layer
            //# process if the relevant process can be identified
            (kind::PARAMETER_PROBLEM, 1) => Heard::ProtocolUnreachable,
            (kind::PARAMETER_PROBLEM, _) => Heard::ParameterProblem,
            _ => return Err(DropReason::IcmpUnhandled),
        };
        let quoted = view.quoted().map_err(|_| DropReason::IcmpMalformed)?;
        #[cfg(feature = "echo")]
        if quoted.echo().is_some() {
            return self.echo_error_heard(packet, &quoted, heard);
        }
        self.icmp_error_heard(packet.arrival.iface, &quoted, heard)
    }

    #[cfg(feature = "icmp-errors")]
    pub(super) fn send_icmpv6_error(
        &mut self,
        packet: &Packet<'_>,
        error: IcmpError,
    ) -> Result<(), DropReason> {
        //= https://www.rfc-editor.org/rfc/rfc4443#section-2.4
        //# Every ICMPv6 error message (type < 128) MUST include as much of
        //# the IPv6 offending (invoking) packet (the packet that caused the
        //# error) as possible without making the error message packet
        //# exceed the minimum IPv6 MTU
        let quoted = quote(packet, QUOTE_LIMIT);
        let repr = match error {
            #[cfg(feature = "udp")]
            IcmpError::Port => Icmpv6Repr::DestinationUnreachable {
                code: unreachable::PORT,
                quoted,
            },
            IcmpError::Parameter { code, pointer, .. } => Icmpv6Repr::ParameterProblem {
                code,
                pointer,
                quoted,
            },
            #[cfg(feature = "ipv4")]
            IcmpError::Protocol => return Err(DropReason::IcmpUnhandled),
            #[cfg(feature = "flows")]
            IcmpError::Unreachable(what) => Icmpv6Repr::DestinationUnreachable {
                code: match what {
                    crate::flow::Unreachable::Network => unreachable::NO_ROUTE,
                    crate::flow::Unreachable::Host => unreachable::ADDRESS,
                    crate::flow::Unreachable::Port => unreachable::PORT,
                    crate::flow::Unreachable::Prohibited => unreachable::PROHIBITED,
                },
                quoted,
            },
        };
        let ip = IpHeader {
            src: self.error_source(packet).ok_or(DropReason::SourceGone)?,
            dst: packet.src,
            protocol: protocol::ICMPV6,
            ttl: self.tunables.ip_default_ttl,
            tos: 0,
        };
        let scope = Some(packet.arrival.iface);
        let mut message = [0; QUOTE_LIMIT + 8];
        let message = message.get_mut(..repr.len()).unwrap_or_default();
        repr.emit(&ip.src, &ip.dst, message)
            .map_err(|_| DropReason::TooBig)?;
        self.send_packet(&ip, scope, [message, &[]])
    }
}

#[cfg(feature = "ethernet")]
impl Stack {
    /// Neighbour solicitations and advertisements.
    fn nd_input(&mut self, packet: &Packet<'_>, view: &Icmpv6View<'_>) -> Result<(), DropReason> {
        //= https://www.rfc-editor.org/rfc/rfc6980#section-5
        //# Nodes MUST silently ignore the following Neighbor Discovery and
        //# SEcure Neighbor Discovery messages if the packets carrying them
        //# include an IPv6 Fragmentation Header:
        if packet.fragmented {
            return Err(DropReason::NdInvalid);
        }
        let nd = view.ndp().map_err(|_| DropReason::NdInvalid)?;
        nd.check(&packet.src, &packet.dst, packet.hops)
            .map_err(|_| DropReason::NdInvalid)?;
        let iface = packet.arrival.iface;
        match nd.message() {
            NdpMessage::NeighborSolicitation { target } => {
                let mut source_mac = None;
                for option in nd.options().flatten() {
                    if let NdpOption::SourceLinkLayerAddress(mac) = option {
                        source_mac = Some(mac);
                    }
                }
                self.answer_solicitation(packet, target, source_mac)
            }
            NdpMessage::NeighborAdvertisement {
                router,
                solicited,
                override_cached,
                target,
            } => {
                let mut target_mac = None;
                for option in nd.options().flatten() {
                    if let NdpOption::TargetLinkLayerAddress(mac) = option {
                        target_mac = Some(mac);
                    }
                }
                let how = Learn::Reply {
                    solicited,
                    override_flag: override_cached,
                    router,
                };
                self.learn_neighbor(iface, &target, target_mac, how);
                Ok(())
            }
            NdpMessage::RouterSolicitation
            | NdpMessage::RouterAdvertisement(_)
            | NdpMessage::Redirect { .. } => Err(DropReason::IcmpUnhandled),
        }
    }

    fn answer_solicitation(
        &mut self,
        packet: &Packet<'_>,
        target: Addr,
        source_mac: Option<MacAddr>,
    ) -> Result<(), DropReason> {
        let iface = packet.arrival.iface;
        //= https://www.rfc-editor.org/rfc/rfc4861#section-7.2.3
        //# A valid Neighbor Solicitation that does not meet any of the following
        //# requirements MUST be silently discarded:
        if !self
            .addresses
            .get(iface, &target)
            .is_some_and(|a| a.is_answered())
        {
            return Err(DropReason::IcmpUnhandled);
        }
        let mac = self
            .interface(iface)
            .filter(|i| i.ethernet)
            .map(|i| i.mac)
            .ok_or(DropReason::NdInvalid)?;
        let probe = packet.src.is_unspecified();
        if !probe {
            self.learn_neighbor(iface, &packet.src, source_mac, Learn::NdSolicitation);
        }
        //= https://www.rfc-editor.org/rfc/rfc4861#section-7.2.4
        //# If the source of the solicitation is the unspecified address, the
        //# node MUST set the Solicited flag to zero and multicast the
        //# advertisement to the all-nodes address.
        let message = NdpMessage::NeighborAdvertisement {
            router: false,
            solicited: !probe,
            override_cached: true,
            target,
        };
        let dst = if probe {
            Addr::V6_ALL_NODES
        } else {
            packet.src
        };
        self.send_nd(
            iface,
            target,
            dst,
            &message,
            NdpOption::TargetLinkLayerAddress(mac),
        )
        .map_err(|_| DropReason::IcmpNoMemory)
    }

    fn send_nd(
        &mut self,
        iface: u8,
        src: Addr,
        dst: Addr,
        message: &NdpMessage,
        option: NdpOption<'_>,
    ) -> Result<(), DropReason> {
        let ip = IpHeader {
            src,
            dst,
            protocol: protocol::ICMPV6,
            ttl: ndp::HOP_LIMIT,
            tos: 0,
        };
        let options = [option];
        let len = message.len_with(&options);
        let mut bytes = [0; 64];
        let bytes = bytes.get_mut(..len).unwrap_or_default();
        message
            .emit(&options, &ip.src, &ip.dst, bytes)
            .map_err(|_| DropReason::TooBig)?;
        self.send_packet_on(iface, dst, &ip, [bytes, &[]])
    }
}

/// Writes the frame that asks for an IPv6 neighbour's link-layer address; returns its length.
#[cfg(feature = "ethernet")]
pub(crate) fn solicitation(
    frame: &mut [u8],
    mac: MacAddr,
    src: Addr,
    target: &Addr,
    unicast: Option<MacAddr>,
) -> usize {
    let message = NdpMessage::NeighborSolicitation { target: *target };
    //= https://www.rfc-editor.org/rfc/rfc4861#section-7.2.2
    //# If the solicitation is being sent to a solicited-node multicast
    //# address, the sender MUST include its link-layer address (if it has
    //# one) as a Source Link-Layer Address option.
    let options = [NdpOption::SourceLinkLayerAddress(mac)];
    let (dst, dst_mac) = match unicast {
        Some(mac) => (*target, mac),
        None => {
            let group = target.solicited_node();
            (group, MacAddr::from_ipv6_multicast(group.octets16()))
        }
    };
    let ip = IpHeader {
        src,
        dst,
        protocol: protocol::ICMPV6,
        ttl: ndp::HOP_LIMIT,
        tos: 0,
    };
    let ethernet = EthernetRepr {
        dst: dst_mac,
        src: mac,
        ethertype: EtherType::IPV6,
        vlan: None,
    };
    let len = message.len_with(&options);
    let Ok(packet) = ethernet.emit(frame) else {
        return 0;
    };
    match message.emit(&options, &src, &dst, ip.emit(packet, len)) {
        Ok(_) => netloom_wire::ethernet::HEADER_LEN
            .saturating_add(ipv6::HEADER_LEN)
            .saturating_add(len),
        Err(_) => 0,
    }
}
