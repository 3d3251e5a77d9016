//! Datagrams in.

use netloom_driver::RxChecksum;
#[cfg(feature = "ethernet")]
use netloom_wire::Quoted;
use netloom_wire::{Addr, UdpView};

use crate::counters::DropReason;
use crate::demux::UDP;
use crate::error::Error;
use crate::icmp::Heard;
use crate::ip::{IcmpError, Packet, Refusal};
use crate::list::Ref;
use crate::stack::Stack;
use crate::tuple::Tuple;
use crate::udp::bind::{bound_key, wildcard_keys};
use crate::udp::queue::Meta;

impl Stack {
    pub(crate) fn udp_input(&mut self, packet: &Packet<'_>) -> Result<(), Refusal> {
        let view = UdpView::new(packet.payload).map_err(|_| DropReason::UdpMalformed)?;
        let verify = match packet.arrival.meta.checksum {
            RxChecksum::Verified | RxChecksum::Partial(_) => !crate::output::OFFLOAD,
            // Unverified, and whatever a later driver may say.
            _ => true,
        };
        //= https://www.rfc-editor.org/rfc/rfc1122#section-4.1.3.4
        //# A host MUST implement the facility to generate and validate
        //# UDP checksums.
        if verify && !view.checksum_valid(&packet.src, &packet.dst) {
            return Err(DropReason::UdpChecksum.into());
        }
        let local = (packet.dst, view.dst_port());
        let remote = (packet.src, view.src_port());
        let iface = packet.arrival.iface;
        let found = self.find_udp(local, remote, iface);
        let meta = Meta {
            remote: packet.src,
            remote_port: remote.1,
            //= https://www.rfc-editor.org/rfc/rfc1122#section-4.1.3.5
            //# When a UDP datagram is received, its specific-destination
            //# address MUST be passed up to the application layer.
            local: packet.dst,
            iface,
            hop_limit: packet.hops,
            tos: packet.tos,
            len: 0,
        };
        let payload = view.payload();
        #[cfg(feature = "flows")]
        if packet.unicast && self.is_flows(iface, &packet.dst) {
            if found.is_none() {
                let tuple = Tuple::new(local, remote, iface);
                return self.flow_datagram(packet, &tuple, &meta, payload);
            }
            let index = found.index();
            if let Some(taken) = self.flow_udp_input(index, &meta, payload, packet.arrival.flow) {
                return taken.map_err(Refusal::from);
            }
        }
        if found.is_none() {
            //= https://www.rfc-editor.org/rfc/rfc1122#section-4.1.3.1
            //# If a datagram arrives addressed to a UDP port for which
            //# there is no pending LISTEN call, UDP SHOULD send an ICMP
            //# Port Unreachable message.
            return Err(Refusal::Tell(DropReason::UdpNoSocket, IcmpError::Port));
        }
        self.udp_memory(found.index());
        let slot = self
            .tables
            .udp
            .get_mut(found.index())
            .ok_or(DropReason::UdpNoSocket)?;
        slot.rx
            .push(&mut slot.rx_memory, &meta, &[], payload)
            .map_err(|_| DropReason::UdpQueueFull)?;
        self.news(found);
        Ok(())
    }

    /// The socket for a datagram: connected before bound to an address before bound to all.
    pub(crate) fn find_udp(&mut self, local: (Addr, u16), remote: (Addr, u16), iface: u8) -> Ref {
        let mut find = |key: &Tuple| self.demux.find(&self.keys, &self.tables, UDP, key);
        let connected = find(&Tuple::new(local, remote, iface));
        if connected.is_some() {
            return connected;
        }
        let bound_to_iface = self.udp.bound_to_interfaces > 0;
        for on in [Some(iface), None] {
            if on.is_some() && !bound_to_iface {
                continue;
            }
            let found = find(&bound_key(local, iface, on));
            if found.is_some() {
                return found;
            }
            for key in wildcard_keys(&local.0, local.1, on) {
                let found = find(&key);
                if found.is_some() {
                    return found;
                }
            }
        }
        Ref::NONE
    }

    /// Delivers an ICMP error to the socket that sent the quoted datagram.
    pub(crate) fn udp_icmp_error(
        &mut self,
        tuple: &Tuple,
        iface: u8,
        heard: Heard,
    ) -> Result<(), DropReason> {
        let local = (tuple.local(), tuple.local_port);
        let remote = (tuple.remote, tuple.remote_port);
        let found = self.find_udp(local, remote, iface);
        let slot = self
            .tables
            .udp
            .get_mut(found.index())
            .filter(|slot| found.is_some() && slot.live)
            .ok_or(DropReason::IcmpUnsolicited)?;
        let connected = slot.is_connected();
        let error = match heard {
            Heard::PacketTooBig(mtu) => {
                #[cfg(feature = "icmp-errors")]
                if connected {
                    self.lower_pmtu(&tuple.remote, iface, mtu);
                }
                return Ok(());
            }
            Heard::PortUnreachable => Error::PortUnreachable,
            Heard::NetworkUnreachable => Error::NetworkUnreachable,
            Heard::HostUnreachable
            | Heard::ProtocolUnreachable
            | Heard::Prohibited
            | Heard::SourceRouteFailed
            | Heard::TimeExceeded
            | Heard::ParameterProblem => Error::HostUnreachable,
        };
        //= https://www.rfc-editor.org/rfc/rfc1122#section-4.1.3.3
        //# UDP MUST pass to the application layer all ICMP error
        //# messages that it receives from the IP layer.
        slot.error = Some(error);
        self.news(found);
        Ok(())
    }

    /// The neighbour that a held packet was for does not answer: if it is a datagram, its
    /// socket is told.
    #[cfg(feature = "ethernet")]
    pub(crate) fn held_datagram_failed(&mut self, index: u32) {
        let mut head = [0; 48];
        let Some(iface) = self.tables.packets.head(index, &mut head) else {
            return;
        };
        let quoted = match head.first().map(|b| b >> 4) {
            #[cfg(feature = "ipv4")]
            Some(4) => netloom_wire::Ipv4View::quoted(&head).and_then(|ip| Quoted::ipv4(&ip)),
            #[cfg(feature = "ipv6")]
            Some(6) => netloom_wire::Ipv6View::quoted(&head).and_then(|ip| Quoted::ipv6(&ip)),
            Some(_) | None => return,
        };
        let Ok(quoted) = quoted else { return };
        #[cfg(feature = "echo")]
        if quoted.echo().is_some() {
            // This stack itself says so.
            let (from, hops) = (quoted.src, 0);
            let _ = self.echo_failed(&from, iface, hops, &quoted, Heard::HostUnreachable);
            return;
        }
        if let (UDP, Some((src_port, dst_port))) = (quoted.protocol, quoted.ports()) {
            let tuple = Tuple::new((quoted.src, src_port), (quoted.dst, dst_port), iface);
            let _ = self.udp_icmp_error(&tuple, iface, Heard::HostUnreachable);
        }
    }

    /// The neighbour a socket's datagram was for does not answer: the datagram is dropped.
    pub(crate) fn udp_next_hop_failed(&mut self, index: u32) {
        let Some(slot) = self.tables.udp.get_mut(index) else {
            return;
        };
        slot.error = Some(Error::HostUnreachable);
        let iface = slot.iface;
        self.pop_datagram(index);
        self.drop_output(DropReason::NeighborFailed);
        let item = Ref::new(crate::list::Kind::Udp, index);
        self.news(item);
        self.owe(iface, item);
    }
}
