//! IPv6 in (RFC 8200).

use netloom_wire::{ExtensionError, Ipv6View, ipv6, protocol};

use crate::counters::DropReason;
use crate::ip::{IcmpError, Packet, Refusal};
use crate::link::Arrival;
use crate::stack::Stack;

impl Stack {
    #[inline]
    pub(super) fn ipv6_input(
        &mut self,
        arrival: &Arrival<'_>,
        bytes: &[u8],
    ) -> Result<(), DropReason> {
        let view = Ipv6View::new(bytes).map_err(|_| DropReason::IpMalformed)?;
        let (src, dst) = (view.src(), view.dst());
        let unicast = self.check_addresses(arrival, &src, &dst, true)?;
        let whole = bytes
            .get(..ipv6::HEADER_LEN.saturating_add(usize::from(view.payload_len())))
            .unwrap_or_default();
        let mut packet = Packet {
            src,
            dst,
            protocol: view.next_header(),
            hops: view.hop_limit(),
            tos: view.traffic_class(),
            payload: view.payload(),
            whole,
            unicast,
            #[cfg(feature = "ethernet")]
            fragmented: false,
            arrival,
        };
        let upper = match view.upper() {
            Ok(upper) => upper,
            Err(error) => return Err(self.refuse_extension(&packet, error)),
        };
        if upper.is_fragment() {
            return Err(DropReason::Fragment);
        }
        packet.protocol = upper.protocol;
        packet.payload = upper.payload;
        #[cfg(feature = "ethernet")]
        {
            packet.fragmented = upper.fragment.is_some();
        }
        match upper.protocol {
            protocol::TCP | protocol::UDP | protocol::ICMPV6 => self.deliver(&packet),
            protocol::NO_NEXT_HEADER => Err(DropReason::UnknownProtocol),
            //= https://www.rfc-editor.org/rfc/rfc8200#section-4
            //# If, as a result of processing a header, the destination node is
            //# required to proceed to the next header but the Next Header value in
            //# the current header is unrecognized by the node, it should discard the
            //# packet and send an ICMP Parameter Problem message to the source of
            //# the packet
            _ => {
                let _ = self.refuse_extension(&packet, upper.unrecognized());
                Err(DropReason::UnknownProtocol)
            }
        }
    }

    /// Answers a chain of extension headers as RFC 8200 §4 and §4.2 say.
    fn refuse_extension(&mut self, packet: &Packet<'_>, error: ExtensionError) -> DropReason {
        match error {
            ExtensionError::Truncated => DropReason::IpMalformed,
            ExtensionError::TooMany | ExtensionError::Discard => DropReason::IpBadExtension,
            ExtensionError::ParameterProblem {
                code,
                pointer,
                even_if_multicast,
            } => {
                let error = IcmpError::Parameter {
                    code,
                    pointer,
                    even_if_multicast,
                };
                self.tell(packet, &Refusal::Tell(DropReason::IpBadExtension, error));
                DropReason::IpBadExtension
            }
        }
    }
}
