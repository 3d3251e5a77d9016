//! ICMP errors sent and delivered, in both versions.

use netloom_wire::{Addr, Quoted, protocol};

use crate::counters::{DropReason, count};
use crate::icmp::Heard;
use crate::ip::{IcmpError, Packet};
use crate::list::Kind;
use crate::stack::Stack;
use crate::tuple::Tuple;

/// The type of a redirect (RFC 4861 §4.5), which is answered by no error (RFC 4443 §2.4 (e.2)).
const REDIRECT: u8 = 137;

impl Stack {
    /// Sends an ICMP error about a packet, unless it must not be answered or the rate is
    /// exceeded.
    pub(crate) fn send_icmp_error(&mut self, packet: &Packet<'_>, error: IcmpError) {
        if !self.may_answer(packet, error) {
            return;
        }
        let (now, tunables) = (self.clock.now, &self.tunables);
        if !self
            .icmp_limit
            .allow(now, &tunables.icmp_limit(), &mut self.rng)
        {
            self.drop_output(DropReason::RateLimited);
            return;
        }
        let result = match packet.src.v4_octets() {
            #[cfg(feature = "ipv4")]
            Some(_) => self.send_icmpv4_error(packet, error),
            #[cfg(feature = "ipv6")]
            None => self.send_icmpv6_error(packet, error),
            #[cfg(not(all(feature = "ipv4", feature = "ipv6")))]
            _ => return,
        };
        if result.is_ok() {
            count!(self, icmp_errors_sent);
        }
    }

    /// Whether a packet may be answered with an ICMP error at all.
    fn may_answer(&self, packet: &Packet<'_>, error: IcmpError) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc1122#section-3.2.2
        //# An ICMP error message MUST NOT be sent as the result of
        //# receiving:
        let group_allowed = match error {
            #[cfg(feature = "ipv6")]
            IcmpError::Parameter {
                even_if_multicast, ..
            } => even_if_multicast,
            #[cfg(feature = "udp")]
            IcmpError::Port => false,
            #[cfg(feature = "ipv4")]
            IcmpError::Protocol => false,
            #[cfg(feature = "flows")]
            IcmpError::Unreachable(_) => false,
        };
        if !packet.unicast && !group_allowed {
            return false;
        }
        if !packet.src.is_unicast() || packet.src.is_unspecified() {
            return false;
        }
        let (protocol, payload) = innermost(packet);
        match protocol {
            protocol::ICMP => matches!(payload.first(), Some(0 | 8)),
            //= https://www.rfc-editor.org/rfc/rfc4443#section-2.4
            //# (e) An ICMPv6 error message MUST NOT be originated as a result of
            //# receiving the following:
            protocol::ICMPV6 => payload
                .first()
                .is_some_and(|kind| kind & 0x80 != 0 && *kind != REDIRECT),
            _ => true,
        }
    }

    /// The source of an error about a packet: the address it was sent to, if that is one.
    pub(super) fn error_source(&self, packet: &Packet<'_>) -> Option<Addr> {
        //= https://www.rfc-editor.org/rfc/rfc4291#section-2.7
        //# Multicast addresses must not be used as source addresses in IPv6
        //# packets or appear in any Routing header.
        if packet.dst.is_unicast() && self.speaks_for(&packet.dst) {
            return Some(packet.dst);
        }
        self.source_for(&packet.src, packet.arrival.iface, &packet.src)
    }

    /// Delivers an ICMP error to the connection or socket whose packet it quotes.
    pub(super) fn icmp_error_heard(
        &mut self,
        iface: u8,
        quoted: &Quoted<'_>,
        heard: Heard,
    ) -> Result<(), DropReason> {
        #[cfg(feature = "flows")]
        if matches!(quoted.protocol, protocol::ICMP | protocol::ICMPV6) {
            return self.flow_echo_error(iface, quoted, heard);
        }
        let (src_port, dst_port) = quoted.ports().ok_or(DropReason::IcmpMalformed)?;
        // A socket on every address would take anybody's.
        if !self.speaks_for(&quoted.src) {
            return Err(DropReason::IcmpUnsolicited);
        }
        //= https://www.rfc-editor.org/rfc/rfc8899#section-4.6.1
        //# The PL MUST check the protocol information in the quoted packet
        //# carried in an ICMP PTB message payload to validate the message
        //# originated from the sending node.
        let tuple = Tuple::new((quoted.src, src_port), (quoted.dst, dst_port), iface);
        let found = self
            .demux
            .find(&self.keys, &self.tables, quoted.protocol, &tuple);
        match (found.kind(), quoted.protocol) {
            #[cfg(feature = "tcp")]
            (Some(Kind::Connection), protocol::TCP) => {
                self.tcp_icmp_error(found.index(), quoted, heard)
            }
            #[cfg(feature = "udp")]
            (_, protocol::UDP) => self.udp_icmp_error(&tuple, iface, heard),
            _ => Err(DropReason::IcmpUnsolicited),
        }
    }
}

/// What a packet carries behind its extension headers, one of which was perhaps refused: whatever
/// is in them, an error behind them is not answered.
fn innermost<'a>(packet: &Packet<'a>) -> (u8, &'a [u8]) {
    let (mut protocol, mut payload) = (packet.protocol, packet.payload);
    if packet.src.is_v4() {
        return (protocol, payload);
    }
    // Each is of 8 bytes at least.
    while let Some(&[next, len, ..]) = payload.first_chunk::<8>() {
        let len = match protocol {
            protocol::HOP_BY_HOP | protocol::ROUTING | protocol::DESTINATION_OPTIONS => {
                usize::from(len).wrapping_add(1).wrapping_mul(8)
            }
            protocol::FRAGMENT => 8,
            _ => break,
        };
        (protocol, payload) = (next, payload.get(len..).unwrap_or_default());
    }
    (protocol, payload)
}

/// Bytes of the packet in question that an error quotes.
pub(super) fn quote<'a>(packet: &Packet<'a>, limit: usize) -> &'a [u8] {
    packet.whole.get(..limit).unwrap_or(packet.whole)
}
