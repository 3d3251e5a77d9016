//! No bytes make anything panic, and what is accepted is consistent (laws 1 and 8; attack classes
//! 1, 4, 6, 7, 26).
#![cfg(all(feature = "ipv4", feature = "ipv6"))]

mod common;

use netloom_wire::*;
use proptest::prelude::*;

/// Calls everything there is on a frame; returns how deep it got.
fn read(frame: &[u8]) -> u32 {
    let _ = describe::Ethernet(frame).to_string();
    let _ = format!("{:#}", describe::Ethernet(frame));
    let _ = describe::Ip(frame).to_string();
    let _ = Frame::new(frame).ip().map(read_ip);
    let Ok(eth) = Frame::new(frame).ethernet() else {
        return 0;
    };
    assert_eq!(eth.header_len() + eth.payload().len(), frame.len());
    let _ = EthernetRepr::parse(&eth);
    if let Ok(arp) = eth.arp() {
        let _ = ArpRepr::parse(&arp);
        return 2;
    }
    match eth.ip() {
        Ok(ip) => 1 + read_ip(ip),
        Err(_) => 1,
    }
}

fn read_ip(ip: IpView<'_>) -> u32 {
    let mut depth = 1;
    match ip {
        IpView::V4(ip) => {
            let _ = ip.checksum_valid();
            assert!(ip.options().count() <= 40);
            assert_eq!(
                ip.header_len() + ip.payload().len(),
                usize::from(ip.total_len())
            );
            let _ = Ipv4Repr::parse(&ip);
            if let Ok(icmp) = ip.icmpv4() {
                let _ = (
                    Icmpv4Repr::parse(&icmp),
                    icmp.quoted().map(|quoted| quoted.tcp_seq()),
                );
                depth += 1;
            }
        }
        IpView::V6(ip) => {
            let _ = Ipv6Repr::parse(&ip);
            if let Ok(upper) = ip.upper() {
                assert_eq!(
                    usize::from(upper.offset) + upper.payload.len(),
                    40 + ip.payload().len()
                );
            }
            if let Ok(icmp) = ip.icmpv6() {
                let _ = (
                    Icmpv6Repr::parse(&icmp),
                    icmp.quoted().map(|quoted| quoted.echo()),
                );
                if let Ok(ndp) = icmp.ndp() {
                    let _ = ndp.check(&ip.src(), &ip.dst(), ip.hop_limit());
                    assert!(ndp.options().all(|option| option.is_ok()));
                }
                depth += 1;
            }
        }
    }
    if let Ok(udp) = ip.udp() {
        let _ = (
            udp.checksum_valid(&ip.src(), &ip.dst()),
            UdpRepr::parse(&udp),
        );
        depth += 1;
    }
    if let Ok(tcp) = ip.tcp() {
        let _ = (
            tcp.checksum_valid(&ip.src(), &ip.dst()),
            TcpRepr::parse(&tcp),
        );
        assert!(tcp.options().count() <= 40);
        assert!((20..=60).contains(&tcp.header_len()));
        depth += 1;
    }
    depth
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn arbitrary_bytes(frame in prop::collection::vec(any::<u8>(), 0..200)) {
        read(&frame);
    }

    /// Arbitrary bytes below a good start, so that they get past the first checks.
    #[test]
    fn arbitrary_bytes_behind_a_header(
        version in prop::sample::select(vec![4_u8, 6]),
        protocol in prop::sample::select(vec![0_u8, 1, 6, 17, 43, 44, 58, 60]),
        payload in prop::collection::vec(any::<u8>(), 0..120),
    ) {
        let mut frame = vec![0; 54 + payload.len()];
        let len = payload.len() as u16;
        let (v4, v6) = (Addr::v4([10, 0, 0, 1]), Addr::V6_LOCALHOST);
        let mut eth = EthernetRepr {
            dst: MacAddr::BROADCAST, src: MacAddr([2; 6]), ethertype: EtherType::IPV4, vlan: None,
        };
        let used = if version == 4 {
            let rest = eth.emit(&mut frame).unwrap();
            Ipv4Repr::new(v4, v4, protocol, len).emit(rest).unwrap()[..payload.len()]
                .copy_from_slice(&payload);
            34 + payload.len()
        } else {
            eth.ethertype = EtherType::IPV6;
            let rest = eth.emit(&mut frame).unwrap();
            Ipv6Repr::new(v6, v6, protocol, len).emit(rest).unwrap().copy_from_slice(&payload);
            54 + payload.len()
        };
        prop_assert!(read(&frame[..used]) >= 2);
    }

    #[test]
    fn mutated_kernel_frames(
        frame in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut frame = frame.get(&common::kernel()).to_vec();
        for (at, byte) in changes {
            let at = at.index(frame.len().min(120));
            frame[at] = byte;
        }
        read(&frame);
        frame.truncate(cut.index(frame.len()));
        read(&frame);
    }
}

/// Every single byte of every recorded header set to each extreme, and every bit flipped.
#[test]
fn every_bit_of_every_kernel_header() {
    for frame in common::kernel() {
        assert!(read(frame) >= 2);
        let mut bad = frame.to_vec();
        for at in 0..frame.len().min(90) {
            for value in (0..8)
                .map(|bit| frame[at] ^ (1 << bit))
                .chain([0, 1, 0x7f, 0x80, 0xff])
            {
                bad[at] = value;
                read(&bad);
            }
            bad[at] = frame[at];
        }
    }
}

#[test]
fn every_truncation_of_every_kernel_frame() {
    for frame in common::kernel() {
        for len in 0..frame.len() {
            read(&frame[..len]);
        }
    }
}
