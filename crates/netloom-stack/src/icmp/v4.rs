//! ICMPv4 (RFC 792, RFC 1122 §3.2.2).

use netloom_wire::checksum::Sum;
use netloom_wire::icmpv4::{Icmpv4View, kind, unreachable};
use netloom_wire::protocol;

use crate::counters::DropReason;
#[cfg(feature = "icmp-errors")]
use crate::icmp::{Heard, quote};
use crate::ip::{IcmpError, Packet};
use crate::output::IpHeader;
use crate::stack::Stack;

/// The largest ICMPv4 error: every host takes 576 bytes (RFC 1812 §4.3.2.3).
const QUOTE_LIMIT: usize = 576 - 20 - 8;

impl Stack {
    pub(crate) fn icmpv4_input(&mut self, packet: &Packet<'_>) -> Result<(), DropReason> {
        let view = Icmpv4View::new(packet.payload).map_err(|_| DropReason::IcmpMalformed)?;
        if !view.checksum_valid() {
            return Err(DropReason::IcmpChecksum);
        }
        match (view.kind(), view.code()) {
            (kind::ECHO_REQUEST, 0) => self.answer_echo(packet, kind::ECHO_REPLY, None),
            #[cfg(feature = "acd")]
            (kind::ECHO_REPLY, 0) if self.probe_replied(packet)? => Ok(()),
            #[cfg(feature = "echo")]
            (kind::ECHO_REPLY, 0) => self.echo_replied(packet),
            #[cfg(feature = "icmp-errors")]
            _ => self.icmpv4_error_input(packet, &view),
            #[cfg(not(feature = "icmp-errors"))]
            _ => Err(DropReason::IcmpUnhandled),
        }
    }

    #[cfg(feature = "icmp-errors")]
    fn icmpv4_error_input(
        &mut self,
        packet: &Packet<'_>,
        view: &Icmpv4View<'_>,
    ) -> Result<(), DropReason> {
        let heard = match (view.kind(), view.code()) {
            (kind::DESTINATION_UNREACHABLE, code) => match code {
                unreachable::NET | 6 | 8 | 11 => Heard::NetworkUnreachable,
                unreachable::HOST | 7 | 12 => Heard::HostUnreachable,
                unreachable::PROTOCOL => Heard::ProtocolUnreachable,
                unreachable::PORT => Heard::PortUnreachable,
                unreachable::FRAGMENTATION_NEEDED => {
                    let [_, _, high, low] = view.rest_of_header();
                    Heard::PacketTooBig(u32::from(u16::from_be_bytes([high, low])))
                }
                unreachable::SOURCE_ROUTE_FAILED => Heard::SourceRouteFailed,
                9 | 10 | unreachable::PROHIBITED => Heard::Prohibited,
                _ => return Err(DropReason::IcmpUnhandled),
            },
            (kind::TIME_EXCEEDED, _) => Heard::TimeExceeded,
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.2.2
            //# Source Quench
            //# TCP implementations MUST silently discard any received ICMP Source
            //# Quench messages (MUST-55).
            (kind::PARAMETER_PROBLEM, _) => Heard::ParameterProblem,
            //= https://www.rfc-editor.org/rfc/rfc6633#section-3
            //# TCP MUST silently discard any received ICMP Source Quench
            //# messages.
            //= https://www.rfc-editor.org/rfc/rfc1122#section-3.2.2
            //# If an ICMP message of unknown type is received, it MUST be
            //# silently discarded.
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
    pub(super) fn send_icmpv4_error(
        &mut self,
        packet: &Packet<'_>,
        error: IcmpError,
    ) -> Result<(), DropReason> {
        let code = match error {
            #[cfg(feature = "udp")]
            IcmpError::Port => unreachable::PORT,
            IcmpError::Protocol => unreachable::PROTOCOL,
            #[cfg(feature = "ipv6")]
            IcmpError::Parameter { .. } => return Err(DropReason::IcmpUnhandled),
            #[cfg(feature = "flows")]
            IcmpError::Unreachable(what) => match what {
                crate::flow::Unreachable::Network => unreachable::NET,
                crate::flow::Unreachable::Host => unreachable::HOST,
                crate::flow::Unreachable::Port => unreachable::PORT,
                crate::flow::Unreachable::Prohibited => unreachable::PROHIBITED,
            },
        };
        //= https://www.rfc-editor.org/rfc/rfc1122#section-3.2.2
        //# Every ICMP error message includes the Internet header and at
        //# least the first 8 data octets of the datagram that triggered
        //# the error
        let quoted = quote(packet, QUOTE_LIMIT);
        let kind_and_code = [kind::DESTINATION_UNREACHABLE, code];
        let checksum = Sum::new().add(&kind_and_code).add(quoted).finish();
        let ip = IpHeader {
            src: self.error_source(packet).ok_or(DropReason::SourceGone)?,
            dst: packet.src,
            protocol: protocol::ICMP,
            ttl: self.tunables.ip_default_ttl,
            tos: 0,
        };
        let scope = Some(packet.arrival.iface);
        let [high, low] = checksum.to_be_bytes();
        // The last four are unused: there is no MTU to tell.
        let head = [kind::DESTINATION_UNREACHABLE, code, high, low, 0, 0, 0, 0];
        self.send_packet(&ip, scope, [&head, quoted])
    }
}
