//! Packets whose addresses cannot be: to be dropped in silence before anything looks at them.
//!
//! Nothing may be sent in answer to these, no ICMP error and no reset: their sender is not who
//! they say. The checks come before reassembly, before any lookup by tuple, and before any
//! state is made, for all protocols alike: a SYN from a broadcast address and a datagram from
//! this host's own address (a "land" attack) end here.

use netloom_wire::Addr;

use crate::address::AddressTable;

/// What is wrong with a packet's addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Martian {
    /// The source is a multicast address.
    MulticastSource,
    /// The source is the limited broadcast address, or that of a subnet of the interface.
    BroadcastSource,
    /// The source is a loopback address, off the loopback interface.
    LoopbackSource,
    /// The source is unspecified where it may not be.
    UnspecifiedSource,
    /// The source is in 0.0.0.0/8.
    NetworkZeroSource,
    /// The source is of class E (240.0.0.0/4).
    ReservedSource,
    /// The source is one of this host's own addresses, off the loopback interface.
    OwnSource,
    /// The source of an IPv6 packet is IPv4-mapped.
    MappedSource,
    /// The destination is unspecified, or in 0.0.0.0/8.
    UnspecifiedDestination,
    /// The destination is a loopback address, off the loopback interface.
    LoopbackDestination,
    /// The destination is of class E, and not the limited broadcast address.
    ReservedDestination,
    /// The destination of an IPv6 packet is IPv4-mapped.
    MappedDestination,
    /// The destination is a multicast address whose scope is reserved (0), or interface-local
    /// (1) off the loopback interface.
    MulticastScope,
}

/// A packet that arrived, as far as its addresses go.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// The source in the IP header.
    pub src: &'a Addr,
    /// The destination in the IP header.
    pub dst: &'a Addr,
    /// Whether the header is IPv6's: an [`Addr`] alone cannot tell an IPv4 address from an
    /// IPv4-mapped one.
    pub ipv6: bool,
    /// The interface it arrived on.
    pub iface: u8,
    /// Whether that is the loopback interface.
    pub loopback: bool,
}

/// Checks both addresses.
///
/// # Errors
/// What is wrong with them.
pub fn check(packet: &Arrival<'_>, addresses: &AddressTable) -> Result<(), Martian> {
    check_destination(packet)?;
    check_source(packet, addresses)
}

/// Checks the source (RFC 1122 §3.2.1.3, RFC 1812 §5.3.7, RFC 4291 §2.5 and §2.7).
///
//= https://www.rfc-editor.org/rfc/rfc1122#section-3.2.1.3
//# A host MUST silently discard an incoming datagram containing
//# an IP source address that is invalid by the rules of this
//# section.
///
/// # Errors
/// What is wrong with it.
pub fn check_source(packet: &Arrival<'_>, addresses: &AddressTable) -> Result<(), Martian> {
    let src = packet.src;
    if src.is_multicast() {
        return Err(Martian::MulticastSource);
    }
    if src.is_unspecified() {
        return if may_be_unspecified(packet) {
            Ok(())
        } else {
            Err(Martian::UnspecifiedSource)
        };
    }
    if packet.ipv6 && src.is_v4() {
        return Err(Martian::MappedSource);
    }
    if let Some([first, ..]) = src.v4_octets() {
        if src.is_broadcast() {
            return Err(Martian::BroadcastSource);
        }
        if first == 0 {
            return Err(Martian::NetworkZeroSource);
        }
        if first >= 240 {
            return Err(Martian::ReservedSource);
        }
    }
    if packet.loopback {
        return Ok(());
    }
    //= https://www.rfc-editor.org/rfc/rfc1122#section-3.2.1.3
    //# Internal host loopback address.  Addresses of this form
    //# MUST NOT appear outside a host.
    if src.is_loopback() {
        return Err(Martian::LoopbackSource);
    }
    //= https://www.rfc-editor.org/rfc/rfc1122#section-3.2.1.3
    //# Directed broadcast to the specified subnet.  It MUST
    //# NOT be used as a source address.
    if addresses.is_broadcast_for(packet.iface, src) {
        return Err(Martian::BroadcastSource);
    }
    if addresses.is_local_on(packet.iface, src) {
        return Err(Martian::OwnSource);
    }
    Ok(())
}

/// Where a host that does not yet know its address may send: IPv4, to all on its link (DHCP,
/// IGMP); IPv6, to a group (DAD, router solicitation, MLD).
///
//= https://www.rfc-editor.org/rfc/rfc1122#section-3.2.1.3
//# This host on this network.  MUST NOT be sent, except as
//# a source address as part of an initialization procedure
//# by which the host learns its own IP address.
fn may_be_unspecified(packet: &Arrival<'_>) -> bool {
    if packet.ipv6 {
        return packet.src.is_v6() && packet.dst.is_multicast();
    }
    let link_group = matches!(packet.dst.v4_octets(), Some([224, 0, 0, _]));
    packet.dst.is_broadcast() || link_group
}

/// Checks the destination: what it may not be whatever the host's addresses are. Whether it is
/// this host's is another question.
///
/// # Errors
/// What is wrong with it.
pub fn check_destination(packet: &Arrival<'_>) -> Result<(), Martian> {
    let dst = packet.dst;
    if dst.is_unspecified() {
        return Err(Martian::UnspecifiedDestination);
    }
    if packet.ipv6 && dst.is_v4() {
        return Err(Martian::MappedDestination);
    }
    match dst.v4_octets() {
        Some([0, ..]) => return Err(Martian::UnspecifiedDestination),
        Some([240..=255, ..]) if !dst.is_broadcast() => return Err(Martian::ReservedDestination),
        Some(_) => {}
        None => {
            let [first, second, ..] = dst.octets16();
            let scope = second & 0x0f;
            //= https://www.rfc-editor.org/rfc/rfc4291#section-2.7
            //# Nodes must not originate a packet to a multicast address whose scop
            //# field contains the reserved value 0; if such a packet is received, it
            //# must be silently dropped.
            if first == 0xff && (scope == 0 || (scope == 1 && !packet.loopback)) {
                return Err(Martian::MulticastScope);
            }
        }
    }
    //= https://www.rfc-editor.org/rfc/rfc4291#section-2.5.3
    //# A packet
    //# received on an interface with a destination address of loopback must
    //# be dropped.
    if dst.is_loopback() && !packet.loopback {
        return Err(Martian::LoopbackDestination);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
