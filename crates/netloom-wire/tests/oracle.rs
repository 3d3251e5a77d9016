//! etherparse as oracle, both ways: what it writes we read, what we write it reads, and where
//! bytes are neither's both refuse them.
#![cfg(all(feature = "ipv4", feature = "ipv6"))]

mod common;

use etherparse::{
    EtherType as TheirType, IpNumber, Ipv4Header, Ipv6Header, PacketBuilder, SlicedPacket,
    TcpHeader, TcpHeaderSlice, TcpOptionElement, UdpHeader,
};
use netloom_wire::checksum::{Sum, copy_and_sum};
use netloom_wire::*;
use proptest::prelude::*;

/// A TCP header's fields, flags as the nine bits of the wire.
type TcpFields = (u16, u16, u32, u32, u16, u16, u16);

fn their_tcp(fields: TcpFields, options: &[TcpOptionElement]) -> TcpHeader {
    let (src_port, dst_port, seq, ack, flags, window, urgent) = fields;
    let mut header = TcpHeader::new(src_port, dst_port, seq, window);
    header.acknowledgment_number = ack;
    header.urgent_pointer = urgent;
    let flag = |flag: TcpFlags| TcpFlags(flags).contains(flag);
    header.fin = flag(TcpFlags::FIN);
    header.syn = flag(TcpFlags::SYN);
    header.rst = flag(TcpFlags::RST);
    header.psh = flag(TcpFlags::PSH);
    header.ack = flag(TcpFlags::ACK);
    header.urg = flag(TcpFlags::URG);
    header.ece = flag(TcpFlags::ECE);
    header.cwr = flag(TcpFlags::CWR);
    header.ns = flag(TcpFlags::AE);
    header.set_options(options).unwrap();
    header
}

fn our_tcp(fields: TcpFields, options: TcpOptions) -> TcpRepr {
    let (src_port, dst_port, seq, ack, flags, window, urgent) = fields;
    let flags = TcpFlags(flags);
    TcpRepr {
        src_port,
        dst_port,
        seq,
        ack,
        flags,
        window,
        urgent,
        options,
    }
}

fn any_tcp_fields() -> impl Strategy<Value = TcpFields> {
    (
        any::<u16>(),
        any::<u16>(),
        any::<u32>(),
        any::<u32>(),
        0..0x200_u16,
        any::<u16>(),
        any::<u16>(),
    )
}

/// The options of a SYN as both say them.
fn any_syn_options() -> impl Strategy<Value = (TcpOptions, Vec<TcpOptionElement>)> {
    (
        any::<Option<u16>>(),
        any::<bool>(),
        any::<Option<(u32, u32)>>(),
        prop::option::of(0..15_u8),
    )
        .prop_map(|(mss, sack_permitted, times, window_scale)| {
            let timestamps = times.map(|(value, echo)| Timestamps { value, echo });
            let ours = TcpOptions {
                mss,
                sack_permitted,
                timestamps,
                window_scale,
                ..Default::default()
            };
            let theirs = [
                mss.map(TcpOptionElement::MaximumSegmentSize),
                sack_permitted.then_some(TcpOptionElement::SelectiveAcknowledgementPermitted),
                times.map(|(value, echo)| TcpOptionElement::Timestamp(value, echo)),
                window_scale.map(TcpOptionElement::WindowScale),
            ];
            (ours, theirs.into_iter().flatten().collect())
        })
}

proptest! {
    #[test]
    fn tcp_over_ipv4_that_they_write(
        addresses: ([u8; 4], [u8; 4]), ttl: u8, fields in any_tcp_fields(),
        (ours, theirs) in any_syn_options(),
        payload in prop::collection::vec(any::<u8>(), 0..100),
        vlan in prop::option::of(0..4096_u16),
    ) {
        let (src, dst) = addresses;
        let builder = PacketBuilder::ethernet2([2; 6], [4; 6]);
        let header = their_tcp(fields, &theirs);
        let mut packet = Vec::new();
        match vlan {
            None => builder.ipv4(src, dst, ttl).tcp_header(header),
            Some(id) => {
                builder.single_vlan(id.try_into().unwrap()).ipv4(src, dst, ttl).tcp_header(header)
            }
        }
        .write(&mut packet, &payload)
        .unwrap();

        let eth = Frame::new(&packet).ethernet().unwrap();
        prop_assert_eq!((eth.src().0, eth.dst().0), ([2; 6], [4; 6]));
        prop_assert_eq!(eth.vlan().map(|tag| tag.id), vlan);
        let ip = eth.ipv4().unwrap();
        prop_assert!(ip.checksum_valid());
        prop_assert_eq!((ip.src(), ip.dst(), ip.ttl()), (src.into(), dst.into(), ttl));
        let tcp = ip.tcp().unwrap();
        prop_assert!(tcp.checksum_valid(&ip.src(), &ip.dst()));
        prop_assert_eq!(tcp.payload(), &payload[..]);
        prop_assert_eq!(TcpRepr::parse(&tcp).unwrap(), our_tcp(fields, ours));
    }

    #[test]
    fn tcp_over_ipv6_that_we_write(
        addresses: ([u8; 16], [u8; 16]), class: u8, label in 0..=0xf_ffff_u32, hop_limit: u8,
        fields in any_tcp_fields(), (ours, theirs) in any_syn_options(),
        payload in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let (src, dst) = (Addr::v6(addresses.0), Addr::v6(addresses.1));
        prop_assume!(src.is_v6() && dst.is_v6());
        let tcp = our_tcp(fields, ours);
        let mut packet = vec![0xee; 40 + tcp.header_len() + payload.len()];
        let ip = Ipv6Repr {
            traffic_class: class, flow_label: label, hop_limit,
            ..Ipv6Repr::new(src, dst, protocol::TCP, (packet.len() - 40) as u16)
        };
        let segment = ip.emit(&mut packet).unwrap();
        let sum = copy_and_sum(tcp.emit(segment).unwrap(), &payload, Sum::new());
        let header = &segment[..tcp.header_len()];
        let checksum = tcp::checksum(&src, &dst, header, payload.len(), sum);
        tcp::set_checksum(segment, checksum);

        let (ip, rest) = Ipv6Header::from_slice(&packet).unwrap();
        prop_assert_eq!((ip.source, ip.destination), addresses);
        prop_assert_eq!((ip.traffic_class, ip.flow_label.value()), (class, label));
        prop_assert_eq!((ip.hop_limit, ip.next_header), (hop_limit, IpNumber::TCP));
        prop_assert_eq!(usize::from(ip.payload_length), rest.len());
        let slice = TcpHeaderSlice::from_slice(rest).unwrap();
        let mut header = slice.to_header();
        let expected = slice.calc_checksum_ipv6_raw(ip.source, ip.destination, &payload).unwrap();
        prop_assert_eq!(header.checksum, expected);
        prop_assert_eq!(&rest[slice.slice().len()..], &payload[..]);
        let read: Vec<_> = slice.options_iterator().map(Result::unwrap).collect();
        let read: Vec<_> =
            read.into_iter().filter(|option| *option != TcpOptionElement::Noop).collect();
        prop_assert_eq!(&read, &theirs);
        // Apart from where the padding stands, it is the header they would have written.
        let mut their = their_tcp(fields, &[]);
        their.checksum = header.checksum;
        header.set_options(&[]).unwrap();
        prop_assert_eq!(header, their);
    }

    #[test]
    fn udp_over_ipv4_that_we_write(
        addresses: ([u8; 4], [u8; 4]), ports: (u16, u16), ident: u16, dont_fragment: bool, tos: u8,
        options in prop::collection::vec(any::<[u8; 4]>(), 0..=10),
        payload in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let (src, dst) = (Addr::from(addresses.0), Addr::from(addresses.1));
        let udp = UdpRepr {
            src_port: ports.0, dst_port: ports.1, payload_len: payload.len() as u16,
        };
        let ip = Ipv4Repr {
            ident, dont_fragment, tos,
            ..Ipv4Repr::new(src, dst, protocol::UDP, 8 + payload.len() as u16)
        };
        let options = options.concat();
        let mut packet = vec![0xee; 28 + options.len() + payload.len()];
        let datagram = ip.emit_with_options(&options, &mut packet).unwrap();
        let sum = copy_and_sum(udp.emit(datagram).unwrap(), &payload, Sum::new());
        udp::set_checksum(datagram, udp.checksum(&src, &dst, sum));

        let (ip, rest) = Ipv4Header::from_slice(&packet).unwrap();
        prop_assert_eq!((ip.source, ip.destination), addresses);
        prop_assert_eq!((ip.identification, ip.dont_fragment), (ident, dont_fragment));
        prop_assert_eq!(ip.header_checksum, ip.calc_header_checksum());
        prop_assert_eq!(ip.options.as_slice(), &options[..]);
        prop_assert_eq!((ip.dscp.value() << 2) | ip.ecn.value(), tos);
        let (header, rest) = UdpHeader::from_slice(rest).unwrap();
        prop_assert_eq!((header.source_port, header.destination_port), ports);
        prop_assert_eq!(header.checksum, header.calc_checksum_ipv4(&ip, &payload).unwrap());
        prop_assert_eq!(rest, &payload[..]);
    }

    #[test]
    fn udp_over_ipv6_that_they_write(
        addresses: ([u8; 16], [u8; 16]), ports: (u16, u16),
        payload in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        prop_assume!(Addr::v6(addresses.0).is_v6() && Addr::v6(addresses.1).is_v6());
        let mut packet = Vec::new();
        PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv6(addresses.0, addresses.1, 64)
            .udp(ports.0, ports.1)
            .write(&mut packet, &payload)
            .unwrap();
        let ip = Frame::new(&packet).ethernet().unwrap().ipv6().unwrap();
        let udp = ip.udp().unwrap();
        prop_assert!(udp.checksum_valid(&ip.src(), &ip.dst()));
        prop_assert_eq!((udp.src_port(), udp.dst_port(), udp.payload()), (ports.0, ports.1, &payload[..]));
    }

    #[test]
    fn echo_that_they_write(
        ident: u16, seq: u16, payload in prop::collection::vec(any::<u8>(), 0..100), reply: bool,
    ) {
        let mut packet = Vec::new();
        let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64);
        if reply { builder.icmpv4_echo_reply(ident, seq) } else { builder.icmpv4_echo_request(ident, seq) }
            .write(&mut packet, &payload)
            .unwrap();
        let icmp = Frame::new(&packet).ethernet().unwrap().ipv4().unwrap().icmpv4().unwrap();
        prop_assert!(icmp.checksum_valid());
        let data = &payload[..];
        let expected = if reply {
            Icmpv4Repr::EchoReply { ident, seq, data }
        } else {
            Icmpv4Repr::EchoRequest { ident, seq, data }
        };
        prop_assert_eq!(Icmpv4Repr::parse(&icmp), expected);

        let mut packet = Vec::new();
        let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv6([1; 16], [2; 16], 64);
        if reply { builder.icmpv6_echo_reply(ident, seq) } else { builder.icmpv6_echo_request(ident, seq) }
            .write(&mut packet, &payload)
            .unwrap();
        let ip = Frame::new(&packet).ethernet().unwrap().ipv6().unwrap();
        let icmp = ip.icmpv6().unwrap();
        prop_assert!(icmp.checksum_valid(&ip.src(), &ip.dst()));
        let expected = if reply {
            Icmpv6Repr::EchoReply { ident, seq, data }
        } else {
            Icmpv6Repr::EchoRequest { ident, seq, data }
        };
        prop_assert_eq!(Icmpv6Repr::parse(&icmp), expected);
    }

    /// Of a mutated kernel packet, both read the same addresses and ports, or we refuse it.
    #[test]
    fn mutated_packets_mean_the_same_to_both(
        frame in any::<prop::sample::Index>(),
        changes in prop::collection::vec((0..80_usize, any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
        whole: bool,
    ) {
        let frames = common::kernel();
        let mut frame = frame.get(&frames).to_vec();
        for (at, byte) in changes {
            if let Some(place) = frame.get_mut(at) {
                *place = byte;
            }
        }
        if !whole {
            frame.truncate(cut.index(frame.len()));
        }
        let Ok(ip) = Frame::new(&frame).ethernet().and_then(|eth| eth.ip()) else {
            return Ok(());
        };
        let Ok(theirs) = SlicedPacket::from_ethernet(&frame) else { return Ok(()) };
        match (ip, theirs.net) {
            (IpView::V4(ours), Some(etherparse::NetSlice::Ipv4(theirs))) => {
                let header = theirs.header();
                prop_assert_eq!(ours.src(), header.source().into());
                prop_assert_eq!(ours.dst(), header.destination().into());
                prop_assert_eq!(ours.total_len(), header.total_len());
                prop_assert_eq!(ours.ident(), header.identification());
                prop_assert_eq!(ours.fragment_offset(), header.fragments_offset().value() << 3);
                prop_assert_eq!(ours.options_bytes(), header.options());
                // Their header has no place for the reserved bit, so its checksum goes without.
                if header.slice()[6] & 0x80 == 0 {
                    let theirs = header.to_header().calc_header_checksum();
                    prop_assert_eq!(ours.checksum_valid(), theirs == header.header_checksum());
                }
            }
            (IpView::V6(ours), Some(etherparse::NetSlice::Ipv6(theirs))) => {
                let header = theirs.header();
                prop_assert_eq!(ours.src(), Addr::v6(header.source()));
                prop_assert_eq!(ours.dst(), Addr::v6(header.destination()));
                prop_assert_eq!(ours.payload_len(), header.payload_length());
                prop_assert_eq!(ours.flow_label(), header.flow_label().value());
            }
            (_, theirs) => prop_assert!(theirs.is_none(), "{theirs:?}"),
        }
        match theirs.transport {
            Some(etherparse::TransportSlice::Tcp(theirs)) => {
                if let Ok(ours) = ip.tcp() {
                    prop_assert_eq!(ours.seq(), theirs.sequence_number());
                    prop_assert_eq!(ours.window(), theirs.window_size());
                    prop_assert_eq!(ours.options_bytes(), theirs.options());
                    prop_assert_eq!(ours.payload(), theirs.payload());
                }
            }
            Some(etherparse::TransportSlice::Udp(theirs)) => {
                if let Ok(ours) = ip.udp() {
                    prop_assert_eq!(ours.src_port(), theirs.source_port());
                    prop_assert_eq!(ours.len(), theirs.length());
                }
            }
            _ => {}
        }
    }
}

#[test]
fn the_same_type_numbers() {
    for (ours, theirs) in [
        (EtherType::IPV4, TheirType::IPV4),
        (EtherType::IPV6, TheirType::IPV6),
        (EtherType::ARP, TheirType::ARP),
        (EtherType::VLAN, TheirType::VLAN_TAGGED_FRAME),
        (EtherType::SERVICE_VLAN, TheirType::PROVIDER_BRIDGING),
    ] {
        assert_eq!(ours.0, theirs.0);
    }
    for (ours, theirs) in [
        (protocol::ICMP, IpNumber::ICMP),
        (protocol::IGMP, IpNumber::IGMP),
        (protocol::TCP, IpNumber::TCP),
        (protocol::UDP, IpNumber::UDP),
        (protocol::HOP_BY_HOP, IpNumber::IPV6_HEADER_HOP_BY_HOP),
        (protocol::ROUTING, IpNumber::IPV6_ROUTE_HEADER),
        (protocol::FRAGMENT, IpNumber::IPV6_FRAGMENTATION_HEADER),
        (
            protocol::DESTINATION_OPTIONS,
            IpNumber::IPV6_DESTINATION_OPTIONS,
        ),
        (protocol::ICMPV6, IpNumber::IPV6_ICMP),
        (protocol::ESP, IpNumber::ENCAPSULATING_SECURITY_PAYLOAD),
        (protocol::AH, IpNumber::AUTHENTICATION_HEADER),
    ] {
        assert_eq!(ours, theirs.0);
    }
}
