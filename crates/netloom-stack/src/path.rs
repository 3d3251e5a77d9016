//! What is known of the paths to others: the MTU.

use netloom_wire::Addr;

use crate::stack::Stack;

impl Stack {
    /// The largest packet the path to an address carries.
    pub(crate) fn path_mtu(&mut self, dst: &Addr, iface: u8) -> u16 {
        let link = self.interface(iface).map_or(1280, |i| i.mtu);
        self.destinations.path_mtu(self.clock.now, dst, link)
    }

    /// An ICMP error lowered the MTU of a path.
    #[cfg(feature = "icmp-errors")]
    pub(crate) fn lower_pmtu(&mut self, dst: &Addr, iface: u8, mtu: u32) {
        let link = self.interface(iface).map_or(1280, |i| i.mtu);
        let current = self.path_mtu(dst, iface);
        let reported = match mtu {
            // A router older than RFC 1191 does not say: the next plateau below.
            0 => crate::destination::plateau_below(current),
            mtu => u16::try_from(mtu).unwrap_or(u16::MAX),
        };
        self.destinations.update_pmtu(
            self.clock.now,
            dst,
            reported,
            link,
            &crate::destination::DestinationTunables::DEFAULT,
        );
    }
}
