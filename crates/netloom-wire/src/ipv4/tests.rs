//! Every length against every other; options; round trips.

use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::Ipv4Option;

const SRC: Addr = Addr::v4([10, 0, 0, 1]);
const DST: Addr = Addr::v4([10, 0, 0, 2]);

/// A packet of `buf_len` bytes with these length fields.
fn packet(ihl: u8, total_len: u16, buf_len: usize) -> Vec<u8> {
    let mut packet = vec![0; buf_len.max(HEADER_LEN)];
    Ipv4Repr::new(SRC, DST, protocol::UDP, 0)
        .emit(&mut packet)
        .unwrap();
    packet[0] = 0x40 | ihl;
    packet[2..4].copy_from_slice(&total_len.to_be_bytes());
    packet.truncate(buf_len);
    packet
}

/// Attack class 1 (CVE-2020-11896 and kin): a total length that is not the buffer's.
//= https://www.rfc-editor.org/rfc/rfc791#section-3.1
//= type=test
//# Total Length is the length of the datagram, measured in octets,
//# including internet header and data.
//= https://www.rfc-editor.org/rfc/rfc791#section-3.1
//= type=test
//# Note that
//# the minimum value for a correct header is 5.
#[test]
fn every_total_length_against_every_buffer_length() {
    for ihl in 0..=15_u8 {
        for total_len in 0..100_u16 {
            for buf_len in 0..100 {
                let packet = packet(ihl, total_len, buf_len);
                let (header_len, total) = (usize::from(ihl) * 4, usize::from(total_len));
                let result = Ipv4View::new(&packet);
                let good = buf_len >= 20 && ihl >= 5 && total >= header_len && total <= buf_len;
                assert_eq!(result.is_ok(), good, "{ihl} {total_len} {buf_len}");
                let Ok(view) = result else { continue };
                assert_eq!(view.header_len(), header_len);
                assert_eq!(view.payload().len(), total - header_len);
                assert_eq!(view.options_bytes().len(), header_len - 20);
                assert_eq!(view.payload(), &packet[header_len..total]);
            }
        }
    }
}

#[test]
fn errors_say_which_length_is_wrong() {
    assert_eq!(
        Ipv4View::new(&packet(5, 20, 19)).unwrap_err(),
        WireError::Truncated
    );
    assert_eq!(
        Ipv4View::new(&packet(4, 20, 20)).unwrap_err(),
        WireError::BadHeaderLength
    );
    assert_eq!(
        Ipv4View::new(&packet(5, 21, 20)).unwrap_err(),
        WireError::BadTotalLength
    );
    assert_eq!(
        Ipv4View::new(&packet(6, 23, 30)).unwrap_err(),
        WireError::BadTotalLength
    );
}

//= https://www.rfc-editor.org/rfc/rfc1122#section-3.2.1.1
//= type=test
//# A datagram whose version number is not 4 MUST be silently
//# discarded.
#[test]
fn other_versions_are_refused() {
    for version in (0..16).filter(|version| *version != 4) {
        let mut packet = packet(5, 20, 20);
        packet[0] = version << 4 | 5;
        assert_eq!(Ipv4View::new(&packet).unwrap_err(), WireError::BadVersion);
    }
}

#[test]
fn quoted_packets_may_be_cut_short_but_not_in_their_header() {
    let packet = packet(6, 1500, 32);
    assert_eq!(
        Ipv4View::new(&packet).unwrap_err(),
        WireError::BadTotalLength
    );
    let view = Ipv4View::quoted(&packet).unwrap();
    assert_eq!((view.payload().len(), view.total_len()), (8, 1500));
    assert_eq!(
        Ipv4View::quoted(&packet[..23]).unwrap_err(),
        WireError::Truncated
    );
}

//= https://www.rfc-editor.org/rfc/rfc1122#section-3.2.1.2
//= type=test
//# A host MUST verify the IP header checksum on every received
//# datagram and silently discard every datagram that has a bad
//# checksum.
#[test]
fn every_bit_of_the_header_counts_in_the_checksum() {
    let mut packet = vec![0; 32];
    Ipv4Repr::new(SRC, DST, protocol::UDP, 8)
        .emit_with_options(&[148, 4, 0, 0], &mut packet)
        .unwrap();
    assert!(Ipv4View::new(&packet).unwrap().checksum_valid());
    for bit in 0..24 * 8 {
        let mut bad = packet.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(
            !Ipv4View::new(&bad).is_ok_and(|view| view.checksum_valid()),
            "bit {bit}"
        );
    }
}

//= https://www.rfc-editor.org/rfc/rfc791#section-3.1
//= type=test
//# The fragment offset is measured in units of 8 octets (64 bits).
#[test]
fn fragment_offsets_are_bytes_here_and_eighths_on_the_wire() {
    let mut packet = [0; 28];
    let repr = Ipv4Repr {
        fragment_offset: 65_528,
        ..Ipv4Repr::new(SRC, DST, protocol::UDP, 8)
    };
    repr.emit(&mut packet).unwrap();
    //= https://www.rfc-editor.org/rfc/rfc8899#section-3
    //= type=test
    //# In IPv4, a probe packet MUST be sent with the Don't
    //# Fragment (DF) bit set in the IP header and without network layer
    //# endpoint fragmentation.
    assert_eq!(&packet[6..8], [0x5f, 0xff]);
    assert_eq!(Ipv4View::new(&packet).unwrap().fragment_offset(), 65_528);
}

#[test]
fn transports_of_fragments_cannot_be_read() {
    for (more_fragments, fragment_offset) in [(true, 0), (false, 8), (true, 8)] {
        let repr = Ipv4Repr {
            more_fragments,
            fragment_offset,
            dont_fragment: false,
            ..Ipv4Repr::new(SRC, DST, protocol::UDP, 8)
        };
        let mut packet = [0; 28];
        repr.emit(&mut packet).unwrap();
        let view = Ipv4View::new(&packet).unwrap();
        assert_eq!(view.udp().unwrap_err(), WireError::Fragment);
        assert_eq!(view.tcp().unwrap_err(), WireError::BadProtocol);
        assert_eq!(view.icmpv4().unwrap_err(), WireError::BadProtocol);
    }
}

#[test]
fn what_does_not_fit_is_not_written() {
    let repr = Ipv4Repr::new(SRC, DST, protocol::UDP, 65_515);
    let mut buf = vec![0; 70];
    assert!(repr.emit(&mut buf).is_ok());
    assert_eq!(
        repr.emit(&mut buf[..19]).unwrap_err(),
        WireError::BufferTooSmall
    );
    let long = Ipv4Repr {
        payload_len: 65_516,
        ..repr
    };
    assert_eq!(long.emit(&mut buf).unwrap_err(), WireError::BadTotalLength);
    assert_eq!(
        repr.emit_with_options(&[1; 4], &mut buf).unwrap_err(),
        WireError::BadTotalLength
    );
    let short = Ipv4Repr {
        payload_len: 0,
        ..repr
    };
    assert_eq!(
        short.emit_with_options(&[1; 3], &mut buf).unwrap_err(),
        WireError::BadOption
    );
    assert_eq!(
        short.emit_with_options(&[1; 44], &mut buf).unwrap_err(),
        WireError::BadOption
    );
    assert_eq!(
        short
            .emit_with_options(&[1; 8], &mut buf[..27])
            .unwrap_err(),
        WireError::BufferTooSmall
    );
    #[cfg(feature = "ipv6")]
    {
        let mixed = Ipv4Repr {
            dst: Addr::UNSPECIFIED,
            ..short
        };
        assert_eq!(mixed.emit(&mut buf).unwrap_err(), WireError::BadAddress);
    }
}

#[test]
fn options_are_walked_to_the_end_of_the_list() {
    let bytes = [1, 148, 4, 0xab, 0xcd, 1, 7, 3, 4, 0, 148, 0];
    let options: Vec<_> = Ipv4Options::new(&bytes).collect();
    assert_eq!(
        options,
        [
            Ok(Ipv4Option {
                kind: Ipv4Option::ROUTER_ALERT,
                data: &[0xab, 0xcd]
            }),
            Ok(Ipv4Option {
                kind: Ipv4Option::RECORD_ROUTE,
                data: &[4]
            }),
        ]
    );
    let options = [Ipv4Option::ROUTER_ALERT, Ipv4Option::LOOSE_SOURCE_ROUTE]
        .map(|kind| Ipv4Option { kind, data: &[] });
    assert!(
        options[0].is_copied() && !options[0].is_source_route() && options[1].is_source_route()
    );
}

/// Attack class 6, for IPv4: all pairs of kind and length, cut off everywhere.
#[test]
fn every_option_pair_ends() {
    for kind in 2..=255 {
        for len in 0..=255 {
            let mut bytes = [Ipv4Option::NOP; 40];
            (bytes[0], bytes[1]) = (kind, len);
            for cut in 1..=bytes.len() {
                let walk = Ipv4Options::new(&bytes[..cut]);
                let sound = cut >= 2 && len >= 2 && usize::from(len) <= cut;
                assert_eq!(
                    walk.clone().all(|option| option.is_ok()),
                    sound,
                    "{kind} {len} {cut}"
                );
                assert_eq!(walk.count(), 1);
            }
        }
    }
}

prop_compose! {
    fn any_repr()(
        src in any::<[u8; 4]>(), dst in any::<[u8; 4]>(), protocol: u8, ttl: u8, tos: u8,
        ident: u16, flags in any::<[bool; 2]>(), offset in 0..8192_u16, payload_len in 0..2000_u16,
    ) -> Ipv4Repr {
        Ipv4Repr {
            src: Addr::v4(src), dst: Addr::v4(dst), protocol, ttl, tos, ident,
            dont_fragment: flags[0], more_fragments: flags[1], fragment_offset: offset << 3,
            payload_len,
        }
    }
}

proptest! {
    #[test]
    fn headers_round_trip(
        repr in any_repr(),
        options in prop::collection::vec(any::<[u8; 4]>(), 0..=10),
    ) {
        let options = options.concat();
        let mut packet = vec![0xee; 60 + usize::from(repr.payload_len)];
        repr.emit_with_options(&options, &mut packet).unwrap();
        let view = Ipv4View::new(&packet).unwrap();
        prop_assert!(view.checksum_valid());
        prop_assert_eq!(view.options_bytes(), &options[..]);
        prop_assert_eq!(Ipv4Repr::parse(&view), repr);
        prop_assert_eq!((view.dscp() << 2) | view.ecn(), repr.tos);
        let mut plain = packet.clone();
        repr.emit(&mut plain).unwrap();
        let view = Ipv4View::new(&plain).unwrap();
        prop_assert!(view.checksum_valid());
        prop_assert_eq!(Ipv4Repr::parse(&view), repr);
    }
}
