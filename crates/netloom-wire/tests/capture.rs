//! Real kernel traffic: every header is read, every checksum holds, every packet is written again
//! byte for byte, and every line is tcpdump's.
#![cfg(all(feature = "ipv4", feature = "ipv6"))]

mod common;

use std::collections::BTreeMap;

use netloom_wire::checksum::{Sum, copy_and_sum};
use netloom_wire::*;

/// Where we say something else than tcpdump: its text, ours, and why.
const DEVIATIONS: [(&str, &str); 1] = [
    // tcpdump reads the granularity from the wrong end (RFC 5482 §2: it is the first bit).
    ("uto 0x8005 983160", "uto 0x8005 300"),
];

fn expected(line: &str) -> String {
    DEVIATIONS
        .iter()
        .fold(line.to_owned(), |line, (theirs, ours)| {
            line.replace(theirs, ours)
        })
}

#[test]
fn describe_writes_what_tcpdump_writes() {
    let frames = common::kernel();
    let lines: Vec<_> = include_str!("captures/kernel.txt").lines().collect();
    assert_eq!(frames.len(), lines.len());
    for (number, (frame, line)) in frames.iter().zip(lines).enumerate() {
        let ours = describe::Ethernet(frame).to_string();
        assert_eq!(ours, expected(line), "frame {}", number + 1);
    }
}

/// DHCP, DNS and NTP of real programs: see `captures/record-services`. Of a DHCP message we say more:
/// of which kind it is, and the address it is about.
#[test]
fn describe_of_services_is_what_tcpdump_says() {
    let frames = common::frames(include_bytes!("captures/services.pcap"));
    let lines: Vec<_> = include_str!("captures/services.txt").lines().collect();
    assert_eq!(frames.len(), lines.len());
    let mut dhcp = Vec::new();
    for (frame, line) in frames.iter().zip(lines) {
        let ours = describe::Ethernet(frame).to_string();
        if line.contains("BOOTP/DHCP") {
            dhcp.push(ours.strip_prefix(line).unwrap().to_owned());
        } else {
            assert_eq!(ours, line);
        }
    }
    let of = |kind: &str| format!(", {kind} 10.5.0.55");
    let kinds = [
        ", DISCOVER".to_owned(),
        of("OFFER"),
        of("REQUEST"),
        of("ACK"),
    ];
    assert_eq!(dhcp, kinds);
}

#[test]
fn describe_with_link_layer_writes_what_tcpdump_e_writes() {
    let frames = common::kernel();
    for line in include_str!("captures/kernel-link.txt").lines() {
        let (number, line) = line.split_once('\t').unwrap();
        let frame = frames[number.parse::<usize>().unwrap() - 1];
        assert_eq!(
            format!("{:#}", describe::Ethernet(frame)),
            expected(line),
            "frame {number}"
        );
    }
}

#[test]
fn describe_of_a_bare_packet_is_that_of_its_frame() {
    for frame in common::kernel() {
        let eth = Frame::new(frame).ethernet().unwrap();
        if eth.ip().is_ok() {
            assert_eq!(
                describe::Ip(eth.payload()).to_string(),
                describe::Ethernet(frame).to_string()
            );
        }
    }
}

#[test]
fn every_checksum_the_kernel_made_is_valid() {
    let mut seen = BTreeMap::new();
    for frame in common::kernel() {
        let eth = Frame::new(frame).ethernet().unwrap();
        if eth.ethertype() == EtherType::ARP {
            *seen.entry("arp").or_insert(0) += u32::from(eth.arp().is_ok());
            continue;
        }
        let ip = eth.ip().unwrap();
        let (src, dst) = (ip.src(), ip.dst());
        let (protocol, fragment) = match ip {
            IpView::V4(ip) => {
                assert!(ip.checksum_valid());
                (ip.protocol(), ip.is_fragment())
            }
            IpView::V6(ip) => {
                let upper = ip.upper().unwrap();
                (upper.protocol, upper.is_fragment())
            }
        };
        let kind = match (ip, protocol) {
            _ if fragment => "fragment",
            (_, protocol::TCP) => {
                assert!(ip.tcp().unwrap().checksum_valid(&src, &dst));
                "tcp"
            }
            (_, protocol::UDP) => {
                assert!(ip.udp().unwrap().checksum_valid(&src, &dst));
                "udp"
            }
            (IpView::V4(ip), protocol::ICMP) => {
                assert!(ip.icmpv4().unwrap().checksum_valid());
                "icmpv4"
            }
            (IpView::V6(ip), protocol::ICMPV6) => {
                let icmp = ip.icmpv6().unwrap();
                assert!(icmp.checksum_valid(&src, &dst));
                if let Ok(ndp) = icmp.ndp() {
                    ndp.check(&src, &dst, ip.hop_limit()).unwrap();
                    *seen.entry("ndp").or_insert(0) += 1;
                }
                "icmpv6"
            }
            _ => panic!("no such protocol was recorded"),
        };
        *seen.entry(kind).or_insert(0) += 1;
    }
    for kind in ["arp", "fragment", "tcp", "udp", "icmpv4", "icmpv6", "ndp"] {
        assert!(
            seen.get(kind).is_some_and(|count| *count > 3),
            "{kind} in {seen:?}"
        );
    }
}

/// The frame written again from representations and payload, or the reason why it cannot be.
fn rewrite(frame: &[u8]) -> Result<Vec<u8>, &'static str> {
    let eth = Frame::new(frame).ethernet().unwrap();
    let mut out = vec![0xee; frame.len()];
    let mut repr = EthernetRepr::parse(&eth);
    let rest = match eth.service_vlan() {
        None => repr.emit(&mut out).unwrap(),
        Some(outer) => {
            let inner = repr.vlan.unwrap();
            (repr.vlan, repr.ethertype) = (Some(outer), inner.kind);
            let rest = repr.emit(&mut out).unwrap();
            let (tag, rest) = rest.split_at_mut(VlanTag::LEN);
            tag[..2].copy_from_slice(&inner.tci().to_be_bytes());
            tag[2..].copy_from_slice(&eth.ethertype().0.to_be_bytes());
            rest
        }
    };
    let trailer = match eth.ethertype() {
        EtherType::ARP => {
            let rest = ArpRepr::parse(&eth.arp().unwrap()).emit(rest).unwrap();
            rest.len()
        }
        EtherType::IPV4 => {
            let ip = eth.ipv4().unwrap();
            let repr = Ipv4Repr::parse(&ip);
            let payload = if ip.options_bytes().is_empty() {
                repr.emit(rest).unwrap()
            } else {
                repr.emit_with_options(ip.options_bytes(), rest).unwrap()
            };
            let (payload, trailer) = payload.split_at_mut(ip.payload().len());
            if ip.is_fragment() {
                payload.copy_from_slice(ip.payload());
            } else {
                transport(&IpView::V4(ip), ip.protocol(), ip.payload(), payload)?;
            }
            trailer.len()
        }
        EtherType::IPV6 => {
            let ip = eth.ipv6().unwrap();
            let payload = Ipv6Repr::parse(&ip).emit(rest).unwrap();
            let (payload, trailer) = payload.split_at_mut(ip.payload().len());
            let upper = ip.upper().unwrap();
            let headers_len = ip.payload().len() - upper.payload.len();
            payload[..headers_len].copy_from_slice(&ip.payload()[..headers_len]);
            if let Some(fragment) = upper.fragment {
                // The only extension header in these packets.
                fragment.emit(upper.protocol, payload).unwrap();
            }
            if upper.is_fragment() {
                payload[headers_len..].copy_from_slice(upper.payload);
            } else {
                let payload = &mut payload[headers_len..];
                transport(&IpView::V6(ip), upper.protocol, upper.payload, payload)?;
            }
            trailer.len()
        }
        _ => panic!("no such type was recorded"),
    };
    let padding = frame.len() - trailer;
    out[padding..].copy_from_slice(&frame[padding..]);
    Ok(out)
}

fn transport(
    ip: &IpView<'_>,
    protocol: u8,
    bytes: &[u8],
    out: &mut [u8],
) -> Result<(), &'static str> {
    let (src, dst) = (ip.src(), ip.dst());
    match protocol {
        protocol::TCP => {
            let view = ip.tcp().unwrap();
            let repr = TcpRepr::parse(&view).map_err(|_| "bad option")?;
            if repr.header_len() != view.header_len() {
                return Err("options we do not keep");
            }
            let payload = repr.emit(out).unwrap();
            let sum = copy_and_sum(payload, view.payload(), Sum::new());
            let header = &out[..repr.header_len()];
            let checksum = tcp::checksum(&src, &dst, header, view.payload().len(), sum);
            tcp::set_checksum(out, checksum);
        }
        protocol::UDP => {
            let view = ip.udp().unwrap();
            let repr = UdpRepr::parse(&view);
            let payload = repr.emit(out).unwrap();
            let sum = copy_and_sum(payload, view.payload(), Sum::new());
            udp::set_checksum(out, repr.checksum(&src, &dst, sum));
        }
        protocol::ICMP => {
            let view = Icmpv4View::new(bytes).unwrap();
            assert!(Icmpv4Repr::parse(&view).emit(out).unwrap().is_empty());
        }
        protocol::ICMPV6 => {
            let view = Icmpv6View::new(bytes).unwrap();
            match view.ndp() {
                Ok(ndp) => {
                    let options: Vec<_> = ndp.options().map(Result::unwrap).collect();
                    let rest = ndp.message().emit(&options, &src, &dst, out).unwrap();
                    assert!(rest.is_empty());
                }
                Err(_) => {
                    assert!(
                        Icmpv6Repr::parse(&view)
                            .emit(&src, &dst, out)
                            .unwrap()
                            .is_empty()
                    );
                }
            }
        }
        _ => panic!("no such protocol was recorded"),
    }
    Ok(())
}

#[test]
fn representations_write_every_packet_again() {
    let mut kept_by_views_only = Vec::new();
    for (number, frame) in common::kernel().into_iter().enumerate() {
        match rewrite(frame) {
            Ok(again) => assert_eq!(
                again,
                frame,
                "frame {}: {}",
                number + 1,
                describe::Ethernet(frame)
            ),
            Err(why) => kept_by_views_only.push(why),
        }
    }
    // The three odd segments of the recording.
    assert_eq!(
        kept_by_views_only,
        [
            "options we do not keep",
            "options we do not keep",
            "bad option"
        ]
    );
}

#[test]
fn sack_fast_open_and_urgent_data_were_recorded() {
    let mut blocks = 0;
    let mut cookies = 0;
    let mut urgent = 0;
    for frame in common::kernel() {
        let Ok(tcp) = Frame::new(frame)
            .ethernet()
            .unwrap()
            .ipv4()
            .and_then(|ip| ip.tcp())
        else {
            continue;
        };
        let Ok(options) = TcpOptions::parse(tcp.options_bytes()) else {
            continue;
        };
        blocks = blocks.max(options.sack.len());
        cookies += usize::from(options.fast_open.is_some_and(|c| !c.as_slice().is_empty()));
        urgent += usize::from(tcp.flags().contains(TcpFlags::URG) && tcp.urgent() == 1);
    }
    assert!(
        blocks >= 2 && cookies >= 2 && urgent >= 1,
        "{blocks} {cookies} {urgent}"
    );
}

#[test]
fn icmp_errors_quote_what_was_sent() {
    let mut seen = Vec::new();
    for frame in common::kernel() {
        let eth = Frame::new(frame).ethernet().unwrap();
        let quoted = match eth.ip() {
            Ok(IpView::V4(ip)) => ip.icmpv4().and_then(|icmp| icmp.quoted()),
            Ok(IpView::V6(ip)) => ip.icmpv6().and_then(|icmp| icmp.quoted()),
            Err(_) => continue,
        };
        if let Ok(quoted) = quoted {
            seen.push((quoted.protocol, quoted.ports().map(|(_, dst)| dst)));
        }
    }
    assert!(seen.contains(&(protocol::UDP, Some(40009))), "{seen:?}");
    assert!(seen.contains(&(protocol::ICMP, None)), "{seen:?}");
}

#[test]
fn truncated_frames_are_refused_or_shortened_but_never_panic() {
    for frame in common::kernel() {
        for len in 0..frame.len().min(200) {
            let short = &frame[..len];
            let _ = (
                describe::Ethernet(short).to_string(),
                format!("{:#}", describe::Ethernet(short)),
            );
            let Ok(eth) = Frame::new(short).ethernet() else {
                continue;
            };
            if let Ok(ip) = eth.ip() {
                // Only padding can be missing from a packet that is accepted.
                let whole = Frame::new(frame).ethernet().unwrap().ip().unwrap();
                assert_eq!((ip.src(), ip.dst()), (whole.src(), whole.dst()));
                let _ = (ip.tcp(), ip.udp());
            }
        }
    }
}
