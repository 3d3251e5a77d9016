//! What is known of the paths to others: the MTU.

use netloom_wire::Addr;

use crate::stack::Stack;

impl Stack {
    /// The largest packet the path to an address carries.
    pub(crate) fn path_mtu(&mut self, dst: &Addr, iface: u8) -> u16 {
        let link = self.interface(iface).map_or(1280, |i| i.mtu);
        self.path_mtu_within(dst, link)
    }

    /// The same, given what the first link carries.
    #[inline]
    pub(crate) fn path_mtu_within(&mut self, dst: &Addr, link: u16) -> u16 {
        #[cfg(feature = "icmp-errors")]
        return self.destinations.path_mtu(self.clock.now, dst, link);
        #[cfg(not(feature = "icmp-errors"))]
        {
            let _ = dst;
            link
        }
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
