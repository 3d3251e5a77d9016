//! Lengths and round trips. Extension headers have tests of their own.

use std::vec;

use proptest::prelude::*;

use super::*;

fn repr(payload_len: u16) -> Ipv6Repr {
    let (src, dst) = (Addr::V6_LOCALHOST, Addr::V6_ALL_NODES);
    Ipv6Repr::new(src, dst, protocol::UDP, payload_len)
}

/// Attack class 1: a payload length that is not the buffer's.
#[test]
fn every_payload_length_against_every_buffer_length() {
    for payload_len in 0..130_u16 {
        for buf_len in 0..150_usize {
            let mut packet = vec![7; buf_len.max(HEADER_LEN)];
            repr(payload_len).emit(&mut packet).unwrap();
            packet.truncate(buf_len);
            let end = HEADER_LEN + usize::from(payload_len);
            match Ipv6View::new(&packet) {
                Ok(view) => assert_eq!(view.payload(), &packet[HEADER_LEN..end]),
                Err(WireError::Truncated) => assert!(buf_len < HEADER_LEN),
                Err(error) => {
                    assert_eq!(error, WireError::BadTotalLength);
                    assert!(end > buf_len);
                }
            }
        }
    }
}

#[test]
fn quoted_packets_may_be_cut_short_but_not_in_their_header() {
    let mut packet = [0; 60];
    repr(100).emit(&mut packet).unwrap();
    assert_eq!(Ipv6View::quoted(&packet).unwrap().payload().len(), 20);
    assert_eq!(
        Ipv6View::quoted(&packet[..39]).unwrap_err(),
        WireError::Truncated
    );
}

#[test]
fn other_versions_are_refused() {
    for version in (0..16).filter(|version| *version != 6) {
        let mut packet = [0; 40];
        repr(0).emit(&mut packet).unwrap();
        packet[0] = version << 4;
        assert_eq!(Ipv6View::new(&packet).unwrap_err(), WireError::BadVersion);
    }
}

/// Else a packet from `::ffff:10.0.0.1` would find the connections of `10.0.0.1`.
#[test]
fn mapped_addresses_are_refused() {
    for at in [8, 24] {
        let mut packet = [0; 40];
        repr(0).emit(&mut packet).unwrap();
        packet[at..at + 16].copy_from_slice(&Addr::v4([10, 0, 0, 1]).octets16());
        assert_eq!(Ipv6View::new(&packet).unwrap_err(), WireError::BadAddress);
    }
    let mixed = Ipv6Repr {
        src: Addr::v4([10, 0, 0, 1]),
        ..repr(0)
    };
    assert_eq!(mixed.emit(&mut [0; 40]).unwrap_err(), WireError::BadAddress);
    assert_eq!(
        repr(0).emit(&mut [0; 39]).unwrap_err(),
        WireError::BufferTooSmall
    );
}

proptest! {
    #[test]
    fn headers_round_trip(
        addresses in any::<[[u8; 16]; 2]>(), next_header: u8, hop_limit: u8, traffic_class: u8,
        flow_label in 0..=0xf_ffff_u32, payload_len in 0..2000_u16,
    ) {
        let [src, dst] = addresses.map(Addr::v6);
        prop_assume!(src.is_v6() && dst.is_v6());
        let repr = Ipv6Repr {
            src, dst, next_header, hop_limit, traffic_class, flow_label, payload_len,
        };
        let mut packet = vec![0; HEADER_LEN + usize::from(payload_len)];
        prop_assert_eq!(repr.emit(&mut packet).unwrap().len(), usize::from(payload_len));
        let view = Ipv6View::new(&packet).unwrap();
        prop_assert_eq!(Ipv6Repr::parse(&view), repr);
        prop_assert_eq!((view.dscp() << 2) | view.ecn(), traffic_class);
    }
}
