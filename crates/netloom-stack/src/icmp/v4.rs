//! ICMPv4 (RFC 792, RFC 1122 §3.2.2).

use netloom_wire::checksum::Sum;
use netloom_wire::icmpv4::{Icmpv4View, kind, unreachable};
use netloom_wire::protocol;

use crate::counters::DropReason;
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
        let heard = match (view.kind(), view.code()) {
            (kind::ECHO_REQUEST, 0) => return self.answer_echo(packet, kind::ECHO_REPLY, None),
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
        self.icmp_error_heard(packet.arrival.iface, &quoted, heard)
    }

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
        self.send_packet(&ip, scope, quoted.len().wrapping_add(8), &mut |writer| {
            writer.write(&kind_and_code);
            writer.write(&checksum.to_be_bytes());
            // Unused: there is no MTU to tell.
            writer.write(&[0; 4]);
            writer.write(quoted);
        })
    }
}
