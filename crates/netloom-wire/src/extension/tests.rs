//! Chains of headers, good and bad, and what the source is told of the bad ones.

use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::{Addr, Ipv6Repr};

const UNICAST: Addr = Addr::V6_LOCALHOST;
const MULTICAST: Addr = Addr::V6_ALL_NODES;
const PADDING: [u8; 6] = [1, 4, 0, 0, 0, 0];

fn packet_to(dst: Addr, next_header: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; HEADER_LEN + payload.len()];
    Ipv6Repr::new(Addr::V6_LOCALHOST, dst, next_header, payload.len() as u16)
        .emit(&mut packet)
        .unwrap()
        .copy_from_slice(payload);
    packet
}

fn packet(next_header: u8, payload: &[u8]) -> Vec<u8> {
    packet_to(UNICAST, next_header, payload)
}

/// The walk's outcome: protocol, offset and pointer, or the error.
fn walk(packet: &[u8]) -> Result<(u8, u16, u16), ExtensionError> {
    let view = Ipv6View::new(packet).unwrap();
    view.upper().map(|upper| {
        assert_eq!(upper.payload, &packet[usize::from(upper.offset)..]);
        (upper.protocol, upper.offset, upper.protocol_at)
    })
}

fn problem(code: u8, pointer: u32) -> ExtensionError {
    ExtensionError::ParameterProblem {
        code,
        pointer,
        even_if_multicast: false,
    }
}

#[test]
fn without_extension_headers_the_upper_layer_follows() {
    for protocol in [
        protocol::TCP,
        protocol::NO_NEXT_HEADER,
        protocol::ESP,
        protocol::AH,
        200,
    ] {
        assert_eq!(walk(&packet(protocol, &[1, 2, 3])), Ok((protocol, 40, 6)));
    }
}

#[test]
fn a_long_chain_is_followed_in_order() {
    let chain = [
        &[protocol::DESTINATION_OPTIONS, 0][..],
        &PADDING,
        &[protocol::ROUTING, 1],
        &[1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[protocol::FRAGMENT, 0, 4, 0, 0, 0, 0, 0],
        &[protocol::UDP, 0, 0, 0, 0, 0, 0, 7],
        &[9; 8],
    ]
    .concat();
    let packet = packet(protocol::HOP_BY_HOP, &chain);
    assert_eq!(walk(&packet), Ok((protocol::UDP, 80, 72)));
    let upper = Ipv6View::new(&packet).unwrap().upper().unwrap();
    assert_eq!(
        upper.fragment,
        Some(Fragment {
            ident: 7,
            offset: 0,
            more: false
        })
    );
    assert!(!upper.is_fragment(), "an atomic fragment is a whole packet");
    assert_eq!(upper.unrecognized(), problem(1, 72));
}

#[test]
fn headers_cut_off_anywhere_are_truncated() {
    let chain = [
        &[protocol::DESTINATION_OPTIONS, 0][..],
        &PADDING,
        &[protocol::UDP, 1],
        &PADDING,
        &[0; 8],
    ]
    .concat();
    for len in 0..24 {
        assert_eq!(
            walk(&packet(protocol::HOP_BY_HOP, &chain[..len])),
            Err(ExtensionError::Truncated)
        );
    }
    assert_eq!(
        walk(&packet(protocol::HOP_BY_HOP, &chain)),
        Ok((protocol::UDP, 64, 48))
    );
}

//= https://www.rfc-editor.org/rfc/rfc8200#section-4
//= type=test
//# The same
//# action should be taken if a node encounters a Next Header value of
//# zero in any header other than an IPv6 header.
#[test]
fn hop_by_hop_stands_first_or_nowhere() {
    let chain = [
        &[protocol::HOP_BY_HOP, 0][..],
        &PADDING,
        &[protocol::UDP, 0],
        &PADDING,
    ]
    .concat();
    assert_eq!(
        walk(&packet(protocol::DESTINATION_OPTIONS, &chain)),
        Err(problem(1, 40))
    );
    assert_eq!(
        walk(&packet(protocol::HOP_BY_HOP, &chain)),
        Err(problem(1, 40))
    );
}

//= https://www.rfc-editor.org/rfc/rfc8899#section-8
//= type=test
//# This processing
//# SHOULD be limited to avoid a denial-of-service attack when arbitrary
//# headers are included.
#[test]
fn the_number_of_headers_is_bounded() {
    let header = [&[protocol::DESTINATION_OPTIONS, 0][..], &PADDING].concat();
    let mut chain = header.repeat(MAX_HEADERS - 1);
    chain.extend([&[protocol::UDP, 0][..], &PADDING].concat());
    assert_eq!(
        walk(&packet(protocol::DESTINATION_OPTIONS, &chain)),
        Ok((protocol::UDP, 40 + 8 * 8, 40 + 7 * 8))
    );
    let chain = header.repeat(8_000);
    assert_eq!(
        walk(&packet(protocol::DESTINATION_OPTIONS, &chain)),
        Err(ExtensionError::TooMany)
    );
}

/// RFC 8200 §4.2: the four actions, to one host and to many.
//= https://www.rfc-editor.org/rfc/rfc8200#section-4.2
//= type=test
//# 10 - discard the packet and, regardless of whether or not the
//# packet's Destination Address was a multicast address, send an
//# ICMP Parameter Problem, Code 2, message to the packet's
//# Source Address, pointing to the unrecognized Option Type.
#[test]
fn unrecognized_options_are_handled_as_their_first_bits_say() {
    for header in [protocol::HOP_BY_HOP, protocol::DESTINATION_OPTIONS] {
        for kind in 2..=255_u8 {
            if kind == ROUTER_ALERT {
                continue;
            }
            let options = [protocol::UDP, 0, 0, kind, 2, 9, 9, 0];
            for dst in [UNICAST, MULTICAST] {
                let expected = match (kind >> 6, dst == MULTICAST) {
                    (0, _) => Ok((protocol::UDP, 48, 40)),
                    (1, _) | (3, true) => Err(ExtensionError::Discard),
                    (2, _) => Err(ExtensionError::ParameterProblem {
                        code: 2,
                        pointer: 43,
                        even_if_multicast: true,
                    }),
                    _ => Err(problem(2, 43)),
                };
                assert_eq!(
                    walk(&packet_to(dst, header, &options)),
                    expected,
                    "kind {kind}"
                );
            }
        }
    }
}

#[test]
fn options_past_their_header_are_erroneous() {
    // The length of the second option runs into the upper layer.
    let options = [protocol::UDP, 0, 1, 0, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(
        walk(&packet(protocol::HOP_BY_HOP, &options)),
        Err(problem(0, 45))
    );
    // No length at all.
    let options = [protocol::UDP, 0, 1, 3, 0, 0, 0, 1];
    assert_eq!(
        walk(&packet(protocol::HOP_BY_HOP, &options)),
        Err(problem(0, 48))
    );
}

#[test]
fn router_alerts_count_in_hop_by_hop_only() {
    let options = [protocol::UDP, 0, 5, 2, 0, 9, 1, 0];
    let alert = |header| {
        Ipv6View::new(&packet(header, &options))
            .unwrap()
            .upper()
            .map(|upper| upper.router_alert)
    };
    assert_eq!(alert(protocol::HOP_BY_HOP), Ok(Some(9)));
    assert_eq!(alert(protocol::DESTINATION_OPTIONS), Ok(None));
}

//= https://www.rfc-editor.org/rfc/rfc8200#section-4.4
//= type=test
//# If Segments Left is non-zero, the node must discard the packet and
//# send an ICMP Parameter Problem, Code 0, message to the packet's
//# Source Address, pointing to the unrecognized Routing Type.
#[test]
fn routing_headers_are_skipped_when_nothing_is_left_to_visit() {
    for kind in [0, 2, 3, 4, 253] {
        let mut header = [protocol::UDP, 0, kind, 0, 0, 0, 0, 0];
        assert_eq!(
            walk(&packet(protocol::ROUTING, &header)),
            Ok((protocol::UDP, 48, 40))
        );
        header[3] = 1;
        assert_eq!(
            walk(&packet(protocol::ROUTING, &header)),
            Err(problem(0, 42))
        );
    }
}

#[test]
fn fragments_end_the_walk() {
    for (offset, more) in [(0, true), (8, true), (65_528, false), (1232, false)] {
        let fragment = Fragment {
            ident: 0xdead_beef,
            offset,
            more,
        };
        let mut payload = [0; 16];
        // A fragment's contents are not looked at: this would be a bad Hop-by-Hop header.
        payload[8..].fill(0xff);
        if offset > 60_000 {
            assert!(!more, "the last fragment may be short");
        }
        fragment
            .emit(protocol::DESTINATION_OPTIONS, &mut payload)
            .unwrap();
        let payload = if offset > 60_000 {
            &payload[..8]
        } else {
            &payload[..]
        };
        let packet = packet(protocol::FRAGMENT, payload);
        let upper = Ipv6View::new(&packet).unwrap().upper().unwrap();
        assert_eq!(
            (upper.fragment, upper.is_fragment()),
            (Some(fragment), true)
        );
        assert_eq!(
            (upper.protocol, upper.offset),
            (protocol::DESTINATION_OPTIONS, 48)
        );
        let view = Ipv6View::new(&packet).unwrap();
        assert!(matches!(view.udp(), Err(WireError::BadProtocol)));
    }
    assert_eq!(
        Fragment {
            ident: 0,
            offset: 0,
            more: false
        }
        .emit(17, &mut [0; 7])
        .unwrap_err(),
        WireError::BufferTooSmall
    );
}

#[test]
fn transports_of_fragments_cannot_be_read() {
    let packet = packet(
        protocol::FRAGMENT,
        &[protocol::UDP, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 8, 0, 0],
    );
    assert_eq!(
        Ipv6View::new(&packet).unwrap().udp().unwrap_err(),
        WireError::Fragment
    );
}

//= https://www.rfc-editor.org/rfc/rfc8200#section-4.5
//= type=test
//# If the length of a fragment, as derived from the fragment
//# packet's Payload Length field, is not a multiple of 8 octets
//# and the M flag of that fragment is 1, then that fragment must
//# be discarded and an ICMP Parameter Problem, Code 0, message
//# should be sent to the source of the fragment, pointing to the
//# Payload Length field of the fragment packet.
#[test]
fn fragments_but_the_last_are_multiples_of_eight() {
    let fragment = [protocol::UDP, 0, 0, 1, 0, 0, 0, 1];
    for len in 0..17 {
        let payload = [&fragment[..], &vec![0; len]].concat();
        let expected = if len % 8 == 0 {
            Ok((protocol::UDP, 48, 40))
        } else {
            Err(problem(0, 4))
        };
        assert_eq!(walk(&packet(protocol::FRAGMENT, &payload)), expected);
    }
}

//= https://www.rfc-editor.org/rfc/rfc8200#section-4.5
//= type=test
//# If the length and offset of a fragment are such that the
//# Payload Length of the packet reassembled from that fragment
//# would exceed 65,535 octets, then that fragment must be
//# discarded and an ICMP Parameter Problem, Code 0, message should
//# be sent to the source of the fragment, pointing to the Fragment
//# Offset field of the fragment packet.
#[test]
fn fragments_that_end_past_the_longest_packet_are_erroneous() {
    for len in 0..20 {
        let payload = [
            &[protocol::UDP, 0, 0xff, 0xf8, 0, 0, 0, 1][..],
            &vec![0; len],
        ]
        .concat();
        let expected = if len <= 7 {
            Ok((protocol::UDP, 48, 40))
        } else {
            Err(problem(0, 42))
        };
        assert_eq!(walk(&packet(protocol::FRAGMENT, &payload)), expected);
        // Headers before the Fragment header count in the reassembled packet, so none is left.
        let payload = [&[protocol::FRAGMENT, 0][..], &PADDING, &payload].concat();
        assert_eq!(
            walk(&packet(protocol::HOP_BY_HOP, &payload)),
            Err(problem(0, 50))
        );
    }
}

proptest! {
    /// Attack class 4: whatever the chain, the walk ends, in order, within the packet.
    #[test]
    fn arbitrary_chains_end_within_the_packet(
        kinds in prop::collection::vec(prop::sample::select(vec![0_u8, 43, 44, 60, 17, 59]), 1..12),
        bodies in prop::collection::vec(any::<[u8; 6]>(), 12),
        lengths in prop::collection::vec(0..3_u8, 12),
    ) {
        let mut payload = Vec::new();
        for (index, next) in kinds.iter().skip(1).enumerate() {
            payload.extend([*next, lengths[index]]);
            payload.extend(bodies[index]);
            payload.extend(vec![0; usize::from(lengths[index]) * 8]);
        }
        let packet = packet(kinds[0], &payload);
        match walk(&packet) {
            Ok((_, offset, protocol_at)) => {
                prop_assert!(protocol_at < offset && usize::from(offset) <= packet.len());
            }
            Err(ExtensionError::ParameterProblem { pointer, .. }) => {
                prop_assert!((pointer as usize) < packet.len());
            }
            Err(_) => {}
        }
    }
}
