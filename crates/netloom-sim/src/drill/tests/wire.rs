//! Packets built here are read here, and no bit of them can be wrong unnoticed.

use std::net::IpAddr;

use crate::drill::ast::{Gre, MplsLabel, TcpOption};
use crate::drill::live::{Body, Icmp, Ip, Outer, Packet, Tcp, Udp, build, read};

fn ip(v6: bool) -> Ip {
    let (src, dst): (IpAddr, IpAddr) = if v6 {
        (
            "2001:db8::1".parse().unwrap(),
            "2001:db8::2".parse().unwrap(),
        )
    } else {
        ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap())
    };
    Ip {
        src,
        dst,
        tos: 0x2a,
        ttl: 61,
        flow_label: if v6 { 0x1_2345 } else { 0 },
        dont_fragment: true,
    }
}

fn segment() -> Tcp {
    Tcp {
        src_port: 40_000,
        dst_port: 8080,
        seq: 0xffff_fff0,
        ack: 7,
        flags: 0x018,
        window: 1_000,
        urgent: 3,
        options: vec![
            TcpOption::Mss(1460),
            TcpOption::SackPermitted,
            TcpOption::Timestamps { val: 1, ecr: 2 },
            TcpOption::Nop,
            TcpOption::WindowScale(7),
            TcpOption::Other {
                kind: 253,
                data: vec![1, 2, 3],
            },
            TcpOption::Sack(vec![(5, 9)]),
            TcpOption::Eol,
        ],
        data: b"hello".to_vec(),
    }
}

fn packets() -> Vec<Packet> {
    let mut packets = Vec::new();
    for v6 in [false, true] {
        let bodies = [
            Body::Tcp(segment()),
            Body::Udp(Udp {
                src_port: 1,
                dst_port: 2,
                data: b"odd".to_vec(),
            }),
            Body::Icmp(Icmp {
                kind: 3,
                code: 4,
                rest: [0, 0, 5, 0],
                data: b"quoted".to_vec(),
            }),
            Body::Other {
                protocol: 253,
                data: b"whatever".to_vec(),
            },
        ];
        for body in bodies {
            packets.push(Packet {
                outer: Vec::new(),
                ip: ip(v6),
                body,
            });
        }
    }
    packets
}

#[test]
fn what_is_built_is_what_is_read() {
    for packet in packets() {
        assert_eq!(read(&build(&packet)).as_ref(), Ok(&packet));
    }
}

#[test]
fn what_is_around_a_packet_is_read_too() {
    let labels = |bottom| MplsLabel {
        label: 0xf_fff0,
        tc: 5,
        bottom,
        ttl: 9,
    };
    let gre = Gre {
        sum: Some(0xbeef),
        key: Some(1),
        seq: Some(2),
    };
    for v6 in [false, true] {
        for outer in [
            vec![Outer::Ip(ip(v6))],
            vec![Outer::Ip(ip(v6)), Outer::Ip(ip(!v6))],
            vec![Outer::Ip(ip(v6)), Outer::Gre(Gre::default())],
            vec![
                Outer::Ip(ip(v6)),
                Outer::Gre(gre),
                Outer::Mpls(vec![labels(false), labels(true)]),
            ],
        ] {
            for packet in packets() {
                let packet = Packet {
                    outer: outer.clone(),
                    ..packet
                };
                assert_eq!(read(&build(&packet)).as_ref(), Ok(&packet));
            }
        }
    }
}

#[test]
fn no_bit_can_be_wrong_unnoticed() {
    for packet in packets() {
        // The data of an unknown protocol has no checksum.
        let checked = !matches!(packet.body, Body::Other { .. });
        let bytes = build(&packet);
        for bit in 0..bytes.len() * 8 {
            let mut wrong = bytes.clone();
            wrong[bit / 8] ^= 1 << (bit % 8);
            let told = read(&wrong);
            assert_ne!(told.as_ref(), Ok(&packet), "bit {bit} of {packet:?}");
            let header_v6 = packet.ip.is_v6() && bit < 40 * 8;
            assert!(
                told.is_err() || header_v6 || !checked,
                "bit {bit} of {packet:?}"
            );
        }
    }
}

#[test]
fn no_prefix_of_a_packet_is_one() {
    for packet in packets() {
        let bytes = build(&packet);
        for len in 0..bytes.len() {
            assert!(read(&bytes[..len]).is_err(), "{len} bytes of {packet:?}");
        }
    }
}

#[test]
fn a_known_packet_has_known_bytes() {
    // Worked out from RFC 791, RFC 9293 and RFC 1071, apart from the code under test.
    let packet = Packet {
        outer: Vec::new(),
        ip: Ip {
            tos: 0,
            ttl: 64,
            ..ip(false)
        },
        body: Body::Tcp(Tcp {
            seq: 1,
            ack: 0,
            flags: 0x002,
            window: 0xffff,
            urgent: 0,
            options: vec![TcpOption::Mss(1460)],
            data: Vec::new(),
            ..segment()
        }),
    };
    let expected: [u8; 44] = [
        0x45, 0, 0, 44, 0, 0, 0x40, 0, 64, 6, 0xb6, 0xc8, 192, 0, 2, 1, 192, 0, 2, 2, 0x9c, 0x40,
        0x1f, 0x90, 0, 0, 0, 1, 0, 0, 0, 0, 0x60, 2, 0xff, 0xff, 0x58, 0x51, 0, 0, 2, 4, 5, 0xb4,
    ];
    assert_eq!(build(&packet), expected);
}
