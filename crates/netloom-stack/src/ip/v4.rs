//! IPv4 in (RFC 791, RFC 1122 §3.2.1).

use netloom_wire::Ipv4View;

use crate::counters::DropReason;
use crate::ip::Packet;
use crate::link::Arrival;
use crate::stack::Stack;

impl Stack {
    #[inline]
    pub(super) fn ipv4_input(
        &mut self,
        arrival: &Arrival<'_>,
        bytes: &[u8],
    ) -> Result<(), DropReason> {
        //= https://www.rfc-editor.org/rfc/rfc1122#section-3.2.1.1
        //# A datagram whose version number is not 4 MUST be silently
        //# discarded.
        let view = Ipv4View::new(bytes).map_err(|_| DropReason::IpMalformed)?;
        //= https://www.rfc-editor.org/rfc/rfc1122#section-3.2.1.2
        //# A host MUST verify the IP header checksum on every received
        //# datagram and silently discard every datagram that has a bad
        //# checksum.
        if !view.checksum_valid() {
            return Err(DropReason::IpChecksum);
        }
        let (src, dst) = (view.src(), view.dst());
        let unicast = match self.check_addresses(arrival, &src, &dst, false) {
            #[cfg(feature = "udp")]
            Err(DropReason::IpNotForUs)
                if !arrival.link_group
                    && !view.is_fragment()
                    && view.protocol() == netloom_wire::protocol::UDP
                    && self.takes_unaddressed(arrival.iface, &dst, view.payload()) =>
            {
                false
            }
            checked => checked?,
        };
        if view.is_fragment() {
            return Err(DropReason::Fragment);
        }
        //= https://www.rfc-editor.org/rfc/rfc1122#section-3.2.1.8
        //# The IP
        //# and transport layer MUST each interpret those IP options
        //# that they understand and silently ignore the others.
        let whole = bytes
            .get(..usize::from(view.total_len()))
            .unwrap_or_default();
        self.deliver(&Packet {
            src,
            dst,
            protocol: view.protocol(),
            hops: view.ttl(),
            tos: view.tos(),
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.2
            //# When received options are passed up to TCP from the IP layer, a TCP
            //# implementation MUST ignore options that it does not understand (MUST-
            //# 50).
            payload: view.payload(),
            whole,
            unicast,
            #[cfg(all(feature = "ipv6", feature = "ethernet"))]
            fragmented: false,
            arrival,
        })
    }
}
