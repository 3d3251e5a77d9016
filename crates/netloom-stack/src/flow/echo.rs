//! Echo flows: requests handed on, replies sent in anybody's name.

use netloom_wire::checksum::{Sum, pseudo_header};
use netloom_wire::{Addr, protocol};

use crate::counters::{DropReason, count};
use crate::error::Error;
use crate::flow::{FlowId, FlowProtocol, FlowTuple, Open, Refusal, Unreachable};
use crate::icmp::Heard;
use crate::ip::{IcmpError, Packet};
use crate::list::Kind;
use crate::output::IpHeader;
use crate::stack::Stack;
use crate::tuple::Tuple;
use crate::udp::queue::Meta;

/// Bytes of the ICMP header: type, code, checksum, identifier, sequence number.
const HEADER_LEN: usize = 8;

/// The type of a reply (RFC 792; RFC 4443 §4.2), whichever version is compiled in.
const V4_REPLY: u8 = 0;
const V6_REPLY: u8 = 129;

impl Stack {
    /// An echo request, on the interface that takes everybody's packets.
    pub(crate) fn flow_echo(&mut self, packet: &Packet<'_>) -> Result<(), DropReason> {
        if !packet.unicast {
            return Err(DropReason::IcmpBroadcast);
        }
        let Some((&[_, _, _, _, a, b, c, d], data)) =
            packet.payload.split_first_chunk::<HEADER_LEN>()
        else {
            return Err(DropReason::IcmpMalformed);
        };
        let identifier = u16::from_be_bytes([a, b]);
        let iface = packet.arrival.iface;
        let tuple = Tuple::new((packet.dst, 0), (packet.src, identifier), iface);
        // The identifier is in the tuple: the queue has the sequence number in its place.
        let meta = Meta {
            remote: packet.src,
            remote_port: u16::from_be_bytes([c, d]),
            local: packet.dst,
            iface,
            hop_limit: packet.hops,
            tos: packet.tos,
            len: 0,
        };
        let found = self
            .demux
            .find(&self.keys, &self.tables, packet.protocol, &tuple);
        let index = if found.kind() == Some(Kind::Udp) {
            found.index()
        } else {
            self.open_echo(packet, &tuple)?
        };
        match self.flow_udp_input(index, &meta, data, packet.arrival.flow) {
            Some(taken) => taken,
            None => self
                .queue_datagram(index, &meta, data)
                .map_err(|_| DropReason::IcmpNoMemory),
        }
    }

    fn open_echo(&mut self, packet: &Packet<'_>, tuple: &Tuple) -> Result<u32, DropReason> {
        let id = self
            .flow_udp_slot(packet.protocol, tuple, packet.arrival.iface)
            .ok_or(DropReason::IcmpNoMemory)?;
        let asked = FlowTuple::of(FlowProtocol::Echo, tuple);
        match self.flow_opening(packet.arrival.flow, id, &asked) {
            Open::Accept => self.accept_flow_datagrams(id),
            Open::Hold => {}
            Open::Refuse(refusal) => {
                self.flow_refused(FlowProtocol::Echo, tuple, Some(refusal));
                self.forget_flow_udp(id);
                let what = match refusal {
                    Refusal::Rst => Some(Unreachable::Host),
                    Refusal::Icmp(what) => Some(what),
                    Refusal::Drop => None,
                };
                if let Some(what) = what {
                    self.send_icmp_error(packet, IcmpError::Unreachable(what));
                }
                return Err(DropReason::IcmpFlowRefused);
            }
        }
        self.flow(id)
            .map(|slot| slot.at.index())
            .map_err(|_| DropReason::IcmpUnhandled)
    }

    /// Answers an echo request of a flow: the data with its sequence number, from where the
    /// request went to.
    ///
    /// # Errors
    /// [`Error::StaleHandle`]; [`Error::InvalidArgument`] for a flow that is no echo flow or is
    /// held; [`Error::MessageTooLong`] beyond the path's MTU; [`Error::WouldBlock`] when as much
    /// waits to be sent as may.
    pub fn flow_echo_reply(&mut self, id: FlowId, sequence: u16, data: &[u8]) -> Result<(), Error> {
        let at = self.flow(id)?.at;
        let slot = self.tables.udp.get(at.index());
        let slot = slot
            .filter(|slot| at.kind() == Some(Kind::Udp) && slot.echo)
            .ok_or(Error::InvalidArgument)?;
        let (tuple, iface) = (slot.tuple, slot.iface);
        let (local, remote) = (tuple.local(), tuple.remote);
        if data.len() > self.flow_datagram_room(&remote, iface) {
            return Err(Error::MessageTooLong);
        }
        let kind = if remote.is_v4() { V4_REPLY } else { V6_REPLY };
        let ip = IpHeader {
            src: local,
            dst: remote,
            protocol: icmp_of(&remote),
            ttl: self.tunables.ip_default_ttl,
            tos: 0,
        };
        let [a, b] = tuple.remote_port.to_be_bytes();
        let [c, d] = sequence.to_be_bytes();
        let mut head = [kind, 0, 0, 0, a, b, c, d];
        let start = if remote.is_v4() {
            Sum::new()
        } else {
            let len = data.len().saturating_add(HEADER_LEN) as u32;
            pseudo_header(&ip.src, &ip.dst, ip.protocol, len)
        };
        let [high, low] = start.add(&head).add(data).finish().to_be_bytes();
        head[2] = high;
        head[3] = low;
        self.send_packet(&ip, tuple.scope().or(Some(iface)), [&head, data])
            .map_err(|_| Error::WouldBlock)?;
        self.flow_is_active(id, true);
        count!(self, icmp_echo_replies);
        Ok(())
    }

    /// An ICMP error that quotes an echo reply of a flow's.
    pub(crate) fn flow_echo_error(
        &mut self,
        iface: u8,
        quoted: &netloom_wire::Quoted<'_>,
        heard: Heard,
    ) -> Result<(), DropReason> {
        let (Some(&[kind, _, _, _, a, b, _, _]), protocol) =
            (quoted.transport.first_chunk(), quoted.protocol)
        else {
            return Err(DropReason::IcmpMalformed);
        };
        let reply = match protocol {
            protocol::ICMP => kind == V4_REPLY,
            protocol::ICMPV6 => kind == V6_REPLY,
            _ => false,
        };
        if !reply {
            return Err(DropReason::IcmpUnsolicited);
        }
        let identifier = u16::from_be_bytes([a, b]);
        let tuple = Tuple::new((quoted.src, 0), (quoted.dst, identifier), iface);
        let found = self.demux.find(&self.keys, &self.tables, protocol, &tuple);
        let slot = self.tables.udp.get_mut(found.index());
        let slot = slot
            .filter(|slot| found.kind() == Some(Kind::Udp) && slot.live)
            .ok_or(DropReason::IcmpUnsolicited)?;
        match heard {
            Heard::PacketTooBig(mtu) => {
                self.lower_pmtu(&tuple.remote, iface, mtu);
            }
            Heard::NetworkUnreachable => slot.error = Some(Error::NetworkUnreachable),
            Heard::HostUnreachable
            | Heard::PortUnreachable
            | Heard::ProtocolUnreachable
            | Heard::Prohibited
            | Heard::SourceRouteFailed
            | Heard::TimeExceeded
            | Heard::ParameterProblem => slot.error = Some(Error::HostUnreachable),
        }
        self.news(found);
        Ok(())
    }
}

/// The number of ICMP for packets to an address.
pub(super) fn icmp_of(addr: &Addr) -> u8 {
    if addr.is_v4() {
        protocol::ICMP
    } else {
        protocol::ICMPV6
    }
}
