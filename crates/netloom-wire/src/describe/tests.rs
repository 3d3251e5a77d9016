//! What the recorded traffic does not hold: rare messages and broken packets.

use std::format;
use std::string::ToString;

#[cfg(any(feature = "ipv4", feature = "ipv6"))]
use crate::protocol;

use super::*;

#[cfg(feature = "ipv4")]
fn v4(protocol: u8, payload: &[u8]) -> std::string::String {
    let addr = |last| crate::Addr::v4([10, 0, 0, last]);
    let mut packet = std::vec![0; 20 + payload.len()];
    let ip = crate::Ipv4Repr::new(addr(1), addr(2), protocol, payload.len() as u16);
    ip.emit(&mut packet).unwrap().copy_from_slice(payload);
    let text = Ip(&packet).to_string();
    text.strip_prefix("IP 10.0.0.1").unwrap().to_string()
}

#[cfg(feature = "ipv6")]
fn v6(next_header: u8, payload: &[u8]) -> std::string::String {
    let (src, dst) = ("fd00::1".parse().unwrap(), "fd00::2".parse().unwrap());
    let mut packet = std::vec![0; 40 + payload.len()];
    let ip = crate::Ipv6Repr::new(src, dst, next_header, payload.len() as u16);
    ip.emit(&mut packet).unwrap().copy_from_slice(payload);
    let text = Ip(&packet).to_string();
    text.strip_prefix("IP6 fd00::1").unwrap().to_string()
}

/// A TCP segment with this first byte of offset, flags and options.
#[cfg(feature = "ipv4")]
fn tcp(offset: u8, flags: u16, options: &[u8], payload: &[u8]) -> std::vec::Vec<u8> {
    let mut segment = std::vec![0, 5, 0, 6, 0, 0, 0, 7, 0, 0, 0, 8, 0, 0, 0, 9, 0, 0, 0, 3];
    segment[12..14].copy_from_slice(&(u16::from(offset) << 12 | flags).to_be_bytes());
    [&segment, options, payload].concat()
}

#[cfg(feature = "ipv4")]
#[test]
fn tcp_segments() {
    let text = |offset, flags, options: &[u8], payload: &[u8]| {
        let text = v4(protocol::TCP, &tcp(offset, flags, options, payload));
        text.strip_prefix(".5 > 10.0.0.2.6: ").unwrap().to_string()
    };
    assert_eq!(
        text(5, 0x18, &[], b"xyz"),
        "Flags [P.], seq 7:10, ack 8, win 9, length 3"
    );
    assert_eq!(
        text(5, 0x20, &[], b"xyz"),
        "Flags [U], seq 7:10, win 9, urg 3, length 3"
    );
    assert_eq!(text(5, 0x04, &[], b""), "Flags [R], seq 7, win 9, length 0");
    assert_eq!(
        text(5, 0x1c2, &[], b""),
        "Flags [SEWe], seq 7, win 9, length 0"
    );
    assert_eq!(
        text(3, 0x02, &[], b""),
        "[bad hdr length 12 - too short, < 20]"
    );
    assert_eq!(
        text(15, 0x02, &[], b""),
        "[bad hdr length 60 - too long, > 20]"
    );
    assert_eq!(
        text(6, 0x10, &[2, 0, 1, 1], b""),
        "Flags [.], ack 8, win 9, options [[bad opt]"
    );
    assert_eq!(
        text(6, 0x10, &[200, 2, 1, 0], b""),
        "Flags [.], ack 8, win 9, options [unknown-200,nop,eol], length 0"
    );
    assert_eq!(
        v4(protocol::TCP, &[0, 5, 0, 6, 1]),
        ".5 > 10.0.0.2.6:  [|tcp]"
    );
    assert_eq!(v4(protocol::TCP, &[0, 5, 0]), " > 10.0.0.2: [|tcp]");
}

#[cfg(feature = "ipv4")]
#[test]
fn udp_datagrams() {
    let text = |len, payload: &[u8]| {
        v4(
            protocol::UDP,
            &[&[0, 5, 0, 6, 0, len, 0, 0][..], payload].concat(),
        )
    };
    assert_eq!(text(12, b"abcd"), ".5 > 10.0.0.2.6: UDP, length 4");
    assert_eq!(
        text(100, b"abcd"),
        ".5 > 10.0.0.2.6: UDP, bad length 92 > 4"
    );
    assert_eq!(text(4, b"abcd"), ".5 > 10.0.0.2.6: UDP, bad length field 4");
    assert_eq!(
        v4(protocol::UDP, &[0, 5, 0, 6, 0]),
        ".5 > 10.0.0.2.6: truncated-udp 5"
    );
    assert_eq!(v4(protocol::UDP, &[]), " > 10.0.0.2: [|udp]");
}

#[cfg(feature = "ipv4")]
#[test]
fn ipv4_headers() {
    let good = [
        0x45, 0, 0, 24, 0, 0, 0, 0, 64, 99, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 1, 2, 3, 4,
    ];
    let with = |at: usize, byte: u8| {
        let mut packet = good;
        packet[at] = byte;
        Ip(&packet).to_string()
    };
    assert_eq!(
        Ip(&good).to_string(),
        "IP 10.0.0.1 > 10.0.0.2:  ip-proto-99 4"
    );
    assert_eq!(with(0, 0x43), "IP bad-hlen 12");
    assert_eq!(with(3, 10), "IP bad-len 10");
    assert_eq!(
        with(3, 30),
        "IP truncated-ip - 6 bytes missing! 10.0.0.1 > 10.0.0.2:  ip-proto-99 4"
    );
    assert_eq!(with(0, 0x4f), "IP bad-len 24");
    assert_eq!(with(7, 1), "IP 10.0.0.1 > 10.0.0.2: ip-proto-99");
    assert_eq!(with(0, 0x75), "IP, unknown version 7");
    assert_eq!(Ip(&good[..12]).to_string(), "IP  [|ip]");
    assert_eq!(Ip(&[]).to_string(), "[|ip]");
}

#[cfg(feature = "ipv4")]
#[test]
fn icmpv4_messages() {
    let quoted = [
        0x45, 0, 0, 28, 0, 0, 0, 0, 64, 132, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 5, 0, 6, 0, 8, 0, 0,
    ];
    let text = |kind: u8, code: u8| {
        let message = [&[kind, code, 0, 0, 1, 2, 3, 4][..], &quoted].concat();
        let text = v4(protocol::ICMP, &message);
        let text = text.strip_prefix(" > 10.0.0.2: ICMP ").unwrap();
        text.strip_suffix(", length 36").unwrap().to_string()
    };
    for (code, expected) in [
        (0, "net 10.0.0.2 unreachable"),
        (2, "10.0.0.2 protocol 132 unreachable"),
        (3, "10.0.0.2 protocol 132 port 6 unreachable"),
        (4, "10.0.0.2 unreachable - need to frag (mtu 772)"),
        (5, "10.0.0.2 unreachable - source route failed"),
        (6, "net 10.0.0.2 unreachable - unknown"),
        (7, "host 10.0.0.2 unreachable - unknown"),
        (8, "10.0.0.2 unreachable - source host isolated"),
        (9, "net 10.0.0.2 unreachable - admin prohibited"),
        (10, "host 10.0.0.2 unreachable - admin prohibited"),
        (11, "net 10.0.0.2 unreachable - tos prohibited"),
        (12, "host 10.0.0.2 unreachable - tos prohibited"),
        (14, "host 10.0.0.2 unreachable - host precedence violation"),
        (15, "host 10.0.0.2 unreachable - precedence cutoff"),
        (16, "10.0.0.2 unreachable - #16"),
    ] {
        assert_eq!(text(3, code), expected);
    }
    for (kind, code, expected) in [
        (5, 0, "redirect 10.0.0.2 to net 1.2.3.4"),
        (5, 2, "redirect-tos 10.0.0.2 to net 1.2.3.4"),
        (5, 3, "redirect-tos 10.0.0.2 to host 1.2.3.4"),
        (5, 5, "redirect-#5 10.0.0.2 to 1.2.3.4"),
        (11, 5, "time exceeded-#5"),
        (12, 1, "parameter problem - code 1"),
        (42, 1, "type-#42"),
    ] {
        assert_eq!(text(kind, code), expected);
    }
    assert_eq!(v4(protocol::ICMP, &[8, 0]), " > 10.0.0.2:  [|icmp]");
    assert_eq!(
        v4(protocol::ICMP, &[3, 3, 0, 0, 0, 0, 0, 0, 1]),
        " > 10.0.0.2: ICMP [|icmp]"
    );
}

#[cfg(feature = "ipv4")]
#[test]
fn igmp_messages() {
    let text = |message: &[u8]| {
        let text = v4(protocol::IGMP, message);
        text.strip_prefix(" > 10.0.0.2: ").unwrap().to_string()
    };
    assert_eq!(text(&[0x11, 100, 0, 0, 0, 0, 0, 0]), "igmp query v2");
    assert_eq!(
        text(&[0x11, 0, 0, 0, 224, 1, 1, 1]),
        "igmp query v1 [gaddr 224.1.1.1]"
    );
    assert_eq!(
        text(&[0x11, 100, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        "igmp query v3"
    );
    assert_eq!(
        text(&[0x12, 0, 0, 0, 224, 1, 1, 1]),
        "igmp v1 report 224.1.1.1"
    );
    assert_eq!(
        text(&[0x16, 0, 0, 0, 224, 1, 1, 1]),
        "igmp v2 report 224.1.1.1"
    );
    assert_eq!(text(&[0x17, 0, 0, 0, 224, 1, 1, 1]), "igmp leave 224.1.1.1");
    assert_eq!(
        text(&[0x22, 0, 0, 0, 0, 0, 0, 2]),
        "igmp v3 report, 2 group record(s)"
    );
    assert_eq!(text(&[0x61, 0, 0, 0, 0, 0, 0, 0]), "igmp-97");
    assert_eq!(text(&[0x61]), "[|igmp]");
}

#[cfg(feature = "ipv6")]
#[test]
fn ipv6_extension_headers() {
    let udp = [0, 5, 0, 6, 0, 12, 0, 0, 1, 2, 3, 4];
    let text = |next_header, header: &[u8]| {
        let text = v6(next_header, &[header, &udp].concat());
        text.strip_prefix(" > fd00::2: ").unwrap().to_string()
    };
    assert_eq!(v6(17, &udp), ".5 > fd00::2.6: UDP, length 4");
    assert_eq!(
        text(0, &[17, 0, 1, 4, 0, 0, 0, 0]),
        "HBH 5 > 6: UDP, length 4"
    );
    assert_eq!(
        text(0, &[60, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4, 0, 0, 0, 0]),
        "HBH DSTOPT 5 > 6: UDP, length 4"
    );
    assert_eq!(
        text(43, &[17, 0, 3, 0, 0, 0, 0, 0]),
        "RT6 (len=0, type=3, segleft=0) 5 > 6: UDP, length 4"
    );
    assert_eq!(
        text(44, &[17, 0, 0, 1, 0, 0, 0, 5]),
        "frag (0|12) 5 > 6: UDP, length 4"
    );
    assert_eq!(text(44, &[17, 0, 0, 9, 0, 0, 0, 5]), "frag (8|12)");
    assert_eq!(text(0, &[17, 9, 1, 4, 0, 0, 0, 0]), "HBH [|ip6]");
    assert_eq!(
        text(60, &[59, 0, 1, 4, 0, 0, 0, 0]),
        "DSTOPT no next header"
    );
    assert_eq!(v6(0, &[17, 0]), " > fd00::2: HBH [|ip6]");
    assert_eq!(v6(99, &[1, 2, 3]), " > fd00::2:  ip-proto-99 3");
    let chain = [60, 0, 1, 4, 0, 0, 0, 0].repeat(20);
    assert!(text(60, &chain).ends_with("DSTOPT [more extension headers]"));
}

#[cfg(feature = "ipv6")]
#[test]
fn ipv6_headers() {
    let mut packet = [0; 44];
    packet[..8].copy_from_slice(&[0x60, 0, 0, 0, 0, 10, 59, 64]);
    packet[8..24].copy_from_slice(&crate::Addr::v4([10, 0, 0, 1]).octets16());
    assert_eq!(
        Ip(&packet).to_string(),
        "IP6 truncated-ip6 - 6 bytes missing!::ffff:10.0.0.1 > ::: no next header"
    );
    assert_eq!(Ip(&packet[..30]).to_string(), "IP6  [|ip6]");
}

#[cfg(feature = "ipv6")]
#[test]
fn icmpv6_messages() {
    let mut quoted = std::vec![0x60, 0, 0, 0, 0, 8, 99, 64];
    quoted.extend([[1; 16], [2; 16]].concat());
    quoted.extend([0; 8]);
    let text = |kind: u8, code: u8, body: &[u8]| {
        let message = [&[kind, code, 0, 0, 0, 1, 0, 2][..], body].concat();
        let text = v6(protocol::ICMPV6, &message);
        text.strip_prefix(" > fd00::2: ICMP6, ")
            .unwrap()
            .to_string()
    };
    let (a, b) = (
        "101:101:101:101:101:101:101:101",
        "202:202:202:202:202:202:202:202",
    );
    assert_eq!(
        text(1, 2, &quoted),
        format!("destination unreachable, beyond scope {b}, source address {a}, length 56")
    );
    assert_eq!(
        text(1, 4, &quoted),
        format!("destination unreachable, unreachable port, {b} protocol 99, length 56")
    );
    assert_eq!(
        text(1, 9, &quoted),
        "destination unreachable, unknown unreach code (9), length 56"
    );
    assert_eq!(
        text(1, 3, b"abc"),
        "destination unreachable, [|icmp6], length 11"
    );
    assert_eq!(
        text(3, 9, &quoted),
        "time exceeded in-transit, unknown code (9), length 56"
    );
    assert_eq!(
        text(4, 3, &quoted),
        "parameter problem, code-#3 - octet 65538, length 56"
    );
    assert_eq!(text(135, 0, b"abc"), "neighbor solicitation [|icmp6]");
    assert_eq!(text(136, 0, b"abc"), "neighbor advertisement [|icmp6]");
    assert_eq!(text(137, 0, b"abc"), "redirect [|icmp6]");
    assert_eq!(
        text(130, 0, &[0; 16]),
        "multicast listener query max resp delay: 1 addr: ::, length 24"
    );
    assert_eq!(
        text(130, 0, &[0; 20]),
        "multicast listener query v2 [gaddr ::], length 28"
    );
    assert_eq!(
        text(132, 0, &[0; 3]),
        "multicast listener done [|icmp6], length 11"
    );
    assert_eq!(text(200, 0, &[]), "unknown icmp6 type (200), length 8");
    assert_eq!(
        v6(protocol::ICMPV6, &[128, 0]),
        " > fd00::2: ICMP6, [|icmp6]"
    );
}

#[test]
fn frames_of_other_types() {
    let addresses = [[2, 0, 0, 0, 0, 2], [2, 0, 0, 0, 0, 1]].concat();
    let text = |rest: &[u8]| Ethernet(&[&addresses[..], rest].concat()).to_string();
    let macs = "02:00:00:00:00:01 > 02:00:00:00:00:02, ";
    assert_eq!(
        text(&[0x12, 0x34, 1, 2]),
        format!("{macs}ethertype Unknown (0x1234), length 16: 2 bytes")
    );
    assert_eq!(
        text(&[0, 5, 1, 2, 3, 4, 5]),
        format!("{macs}802.3, length 5: 5 bytes")
    );
    assert_eq!(
        text(&[0x81, 0, 0x10, 5, 0x12, 0x34]),
        format!(
            "{macs}ethertype 802.1Q (0x8100), length 18: vlan 5, p 0, DEI, ethertype Unknown (0x1234), 0 bytes"
        )
    );
    assert_eq!(text(&[0x81, 0, 0]), "[|vlan]");
    assert_eq!(
        text(&[0x81, 0, 0, 1, 0x81, 0, 0, 1, 0x81, 0, 0, 1]),
        "[more than two VLAN tags]"
    );
    assert_eq!(Ethernet(&addresses).to_string(), "[|ether]");
}

#[cfg(feature = "ipv4")]
#[test]
fn arp_packets() {
    let text = |operation: u8, target: [u8; 6]| {
        let mut frame = std::vec![0; 12];
        frame.extend([
            8, 6, 0, 1, 8, 0, 6, 4, 0, operation, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1,
        ]);
        frame.extend(target);
        frame.extend([10, 0, 0, 2]);
        Ethernet(&frame).to_string()
    };
    assert_eq!(
        text(1, [0; 6]),
        "ARP, Request who-has 10.0.0.2 tell 10.0.0.1, length 28"
    );
    assert_eq!(
        text(1, [2, 0, 0, 0, 0, 9]),
        "ARP, Request who-has 10.0.0.2 (02:00:00:00:00:09) tell 10.0.0.1, length 28"
    );
    assert_eq!(
        text(2, [0; 6]),
        "ARP, Reply 10.0.0.1 is-at 02:00:00:00:00:01, length 28"
    );
    assert_eq!(text(9, [0; 6]), "ARP, Unknown operation (9), length 28");
    let frame = [&[0; 12][..], &[8, 6], &[0; 28]].concat();
    assert_eq!(
        Ethernet(&frame).to_string(),
        "ARP, Unknown hardware or protocol type, length 28"
    );
    assert_eq!(Ethernet(&frame[..30]).to_string(), "ARP,  [|arp]");
}

/// What services say is in tests/capture.rs; here is what is rare, and what only has their ports.
#[cfg(feature = "ipv4")]
#[test]
fn services() {
    let text = |ports: [u16; 2], payload: &[u8]| {
        let len = (8 + payload.len()) as u16;
        let header = [ports[0], ports[1], len, 0].map(u16::to_be_bytes).concat();
        let text = v4(protocol::UDP, &[&header, payload].concat());
        text.split_once(": ").unwrap().1.to_string()
    };
    let dns = |flags: u16, counts: [u16; 4]| {
        let words = [4660, flags, counts[0], counts[1], counts[2], counts[3]];
        text([53, 5], &words.map(u16::to_be_bytes).concat())
    };
    assert_eq!(dns(0x0000, [0; 4]), "4660 (12)");
    assert_eq!(dns(0x2110, [0; 4]), "4660 notify+% (12)");
    assert_eq!(dns(0x86a2, [0; 4]), "4660 ServFail*|$ [0q] 0/0/0 (12)");
    assert_eq!(dns(0x8009, [0; 4]), "4660 Resp9- [0q] 0/0/0 (12)");
    // What is no message is a datagram.
    assert_eq!(dns(0x0000, [1, 0, 0, 0]), "UDP, length 12");
    assert_eq!(text([67, 68], b"none"), "UDP, length 4");
    assert_eq!(text([5, 123], b"none"), "UDP, length 4");
    // One of DHCP's ports is anybody's.
    assert_eq!(text([68, 5], &[0; 300]), "UDP, length 300");
    let ntp = |first: u8| text([123, 123], &[&[first][..], &[0; 47]].concat());
    assert_eq!(ntp(0x1d), "NTPv3, Broadcast, length 48");
}
