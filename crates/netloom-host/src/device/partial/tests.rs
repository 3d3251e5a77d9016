use netloom_driver::PartialChecksum;

use super::{Medium, transport_checksum};

const ETHERNET: Medium = Medium::Ethernet { mac: [2; 6] };

fn ethernet(tags: &[u16], ethertype: u16, packet: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x11; 12];
    for tag in tags {
        frame.extend(tag.to_be_bytes());
        frame.extend([0, 7]);
    }
    frame.extend(ethertype.to_be_bytes());
    frame.extend(packet);
    frame
}

fn ipv4(options: usize, fragment: u16, protocol: u8, payload: usize) -> Vec<u8> {
    let mut packet = vec![0; 20 + options + payload];
    packet[0] = 0x40 | (5 + options / 4) as u8;
    packet[6..8].copy_from_slice(&fragment.to_be_bytes());
    packet[9] = protocol;
    packet
}

/// `extensions`: number and length in bytes of each extension header.
fn ipv6(extensions: &[(u8, usize)], protocol: u8, payload: usize) -> Vec<u8> {
    let mut packet = vec![0; 40];
    packet[0] = 0x60;
    let mut next_at = 6;
    for &(number, len) in extensions {
        packet[next_at] = number;
        next_at = packet.len();
        packet.resize(next_at + len, 0);
        packet[next_at + 1] = (len / 8 - 1) as u8;
    }
    packet[next_at] = protocol;
    packet.resize(packet.len() + payload, 0);
    packet
}

fn at(start: u16, offset: u16) -> Option<PartialChecksum> {
    Some(PartialChecksum { start, offset })
}

#[test]
fn tcp_and_udp_behind_every_header() {
    let frame = ethernet(&[], 0x0800, &ipv4(0, 0, 6, 20));
    assert_eq!(transport_checksum(&frame, ETHERNET), at(34, 16));
    let frame = ethernet(&[], 0x0800, &ipv4(8, 0x4000, 17, 8));
    assert_eq!(transport_checksum(&frame, ETHERNET), at(42, 6));
    let frame = ethernet(&[0x88a8, 0x8100], 0x86dd, &ipv6(&[], 6, 20));
    assert_eq!(transport_checksum(&frame, ETHERNET), at(62, 16));
    let frame = ethernet(&[], 0x86dd, &ipv6(&[(0, 8), (43, 24), (60, 16)], 17, 8));
    assert_eq!(transport_checksum(&frame, ETHERNET), at(102, 6));
    assert_eq!(
        transport_checksum(&ipv4(0, 0, 17, 8), Medium::Ip),
        at(20, 6)
    );
    assert_eq!(transport_checksum(&ipv6(&[], 17, 8), Medium::Ip), at(40, 6));
}

#[test]
fn nothing_where_there_is_no_such_checksum() {
    for packet in [
        ipv4(0, 0, 47, 40),
        ipv4(0, 0x2000, 6, 20),
        ipv4(0, 0x0001, 6, 20),
    ] {
        assert_eq!(transport_checksum(&packet, Medium::Ip), None);
    }
    // 44: a fragment header.
    assert_eq!(transport_checksum(&ipv6(&[], 44, 40), Medium::Ip), None);
    assert_eq!(
        transport_checksum(&ethernet(&[], 0x0806, &[0; 46]), ETHERNET),
        None
    );
    let mut short_header = ipv4(0, 0, 6, 20);
    short_header[0] = 0x44;
    assert_eq!(transport_checksum(&short_header, Medium::Ip), None);
}

#[test]
fn no_prefix_of_a_frame_is_read_past_its_end() {
    let whole = ethernet(&[0x8100], 0x86dd, &ipv6(&[(0, 16)], 6, 20));
    let field_end = whole.len() - 2;
    for len in 0..=whole.len() {
        let found = transport_checksum(&whole[..len], ETHERNET);
        assert_eq!(found.is_some(), len >= field_end, "{len} bytes");
    }
    let endless_tags = [0x81, 0x00].repeat(800);
    assert_eq!(transport_checksum(&endless_tags, ETHERNET), None);
    let endless_extensions = vec![0; 3000];
    assert_eq!(transport_checksum(&endless_extensions, Medium::Ip), None);
    let mut endless_extensions = ipv6(&[], 0, 70_000);
    endless_extensions[40..].fill(0);
    assert_eq!(transport_checksum(&endless_extensions, Medium::Ip), None);
}
