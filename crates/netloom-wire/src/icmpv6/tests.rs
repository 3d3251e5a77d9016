//! Round trips, quoted packets, replies in place.

use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::{Ipv6Repr, TcpRepr};

const SRC: Addr = Addr::v6([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
const DST: Addr = Addr::v6([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);

fn emit(repr: &Icmpv6Repr<'_>) -> Vec<u8> {
    let mut message = vec![0xee; repr.len()];
    assert!(repr.emit(&SRC, &DST, &mut message).unwrap().is_empty());
    let mut short = vec![0; repr.len() - 1];
    assert_eq!(
        repr.emit(&SRC, &DST, &mut short).unwrap_err(),
        WireError::BufferTooSmall
    );
    #[cfg(feature = "alloc")]
    assert_eq!(repr.to_vec(&SRC, &DST), message);
    message
}

//= https://www.rfc-editor.org/rfc/rfc4443#section-3.4
//= type=test
//# Identifies the octet offset within the
//# invoking packet where the error was detected.
#[test]
fn every_message_round_trips() {
    let quoted = &[0x60; 48][..];
    let messages = [
        Icmpv6Repr::EchoRequest {
            ident: 1,
            seq: 0xffff,
            data: b"ping",
        },
        Icmpv6Repr::EchoReply {
            ident: 1,
            seq: 2,
            data: b"",
        },
        Icmpv6Repr::DestinationUnreachable {
            code: unreachable::PORT,
            quoted,
        },
        Icmpv6Repr::PacketTooBig { mtu: 1280, quoted },
        Icmpv6Repr::TimeExceeded { code: 1, quoted },
        Icmpv6Repr::ParameterProblem {
            code: 2,
            pointer: 0x1_0000,
            quoted,
        },
        Icmpv6Repr::Other {
            kind: 143,
            code: 0,
            rest_of_header: [0, 0, 0, 1],
            body: b"report",
        },
        Icmpv6Repr::Other {
            kind: 128,
            code: 1,
            rest_of_header: [1, 2, 3, 4],
            body: b"odd",
        },
    ];
    for message in messages {
        let bytes = emit(&message);
        let view = Icmpv6View::new(&bytes).unwrap();
        assert_eq!(Icmpv6Repr::parse(&view), message);
        assert_eq!(view.is_error(), view.kind() < 128);
    }
}

//= https://www.rfc-editor.org/rfc/rfc4443#section-2.3
//= type=test
//# The checksum is the 16-bit one's complement of the one's complement
//# sum of the entire ICMPv6 message, starting with the ICMPv6 message
//# type field, and prepended with a "pseudo-header" of IPv6 header
//# fields, as specified in [IPv6, Section 8.1].
#[test]
fn checksums_cover_message_and_addresses() {
    let bytes = emit(&Icmpv6Repr::EchoRequest {
        ident: 1,
        seq: 2,
        data: b"odd",
    });
    let view = Icmpv6View::new(&bytes).unwrap();
    assert!(view.checksum_valid(&SRC, &DST) && !view.checksum_valid(&SRC, &SRC));
    for bit in 0..bytes.len() * 8 {
        let mut bad = bytes.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(
            !Icmpv6View::new(&bad).unwrap().checksum_valid(&SRC, &DST),
            "bit {bit}"
        );
    }
}

//= https://www.rfc-editor.org/rfc/rfc4443#section-3.2
//= type=test
//# Set to 0 (zero) by the originator and ignored by the
//# receiver.
#[test]
fn the_code_of_packet_too_big_is_ignored() {
    let mut bytes = emit(&Icmpv6Repr::PacketTooBig {
        mtu: 1400,
        quoted: b"",
    });
    bytes[1] = 9;
    let repr = Icmpv6Repr::parse(&Icmpv6View::new(&bytes).unwrap());
    assert_eq!(
        repr,
        Icmpv6Repr::PacketTooBig {
            mtu: 1400,
            quoted: b""
        }
    );
}

#[test]
fn what_errors_quote_is_read() {
    let mut packet = vec![0; 60];
    let tcp = TcpRepr {
        src_port: 1234,
        dst_port: 80,
        seq: 0xdead_beef,
        ..TcpRepr::default()
    };
    let ip = Ipv6Repr::new(SRC, DST, protocol::TCP, 1440);
    tcp.emit(ip.emit(&mut packet).unwrap()).unwrap();
    let bytes = emit(&Icmpv6Repr::PacketTooBig {
        mtu: 1280,
        quoted: &packet,
    });
    let quoted = Icmpv6View::new(&bytes).unwrap().quoted().unwrap();
    assert_eq!((quoted.src, quoted.dst), (SRC, DST));
    assert_eq!(
        (quoted.ports(), quoted.tcp_seq()),
        (Some((1234, 80)), Some(0xdead_beef))
    );
    let bytes = emit(&Icmpv6Repr::EchoRequest {
        ident: 0,
        seq: 0,
        data: &packet,
    });
    assert_eq!(
        Icmpv6View::new(&bytes).unwrap().quoted().unwrap_err(),
        WireError::BadCode
    );

    let mut packet = vec![0; 48];
    let rest = Ipv6Repr::new(SRC, DST, protocol::ICMPV6, 8)
        .emit(&mut packet)
        .unwrap();
    Icmpv6Repr::EchoRequest {
        ident: 7,
        seq: 8,
        data: &[],
    }
    .emit(&SRC, &DST, rest)
    .unwrap();
    let bytes = emit(&Icmpv6Repr::TimeExceeded {
        code: 0,
        quoted: &packet,
    });
    let quoted = Icmpv6View::new(&bytes).unwrap().quoted().unwrap();
    assert_eq!((quoted.ports(), quoted.echo()), (None, Some((7, 8))));
}

#[test]
fn a_quoted_first_fragment_has_ports_and_a_later_one_has_none() {
    for (offset, expected) in [(0, Ok(Some((1, 2)))), (8, Err(WireError::Fragment))] {
        let fragment = crate::Fragment {
            ident: 1,
            offset,
            more: true,
        };
        let mut packet = vec![0; 56];
        let ip = Ipv6Repr::new(SRC, DST, protocol::FRAGMENT, 16);
        let rest = fragment
            .emit(protocol::UDP, ip.emit(&mut packet).unwrap())
            .unwrap();
        rest.copy_from_slice(&[0, 1, 0, 2, 0, 8, 0, 0]);
        let bytes = emit(&Icmpv6Repr::TimeExceeded {
            code: 1,
            quoted: &packet,
        });
        let quoted = Icmpv6View::new(&bytes).unwrap().quoted();
        assert_eq!(quoted.map(|quoted| quoted.ports()), expected);
    }
}

#[test]
fn requests_become_replies_in_place() {
    for seq in 0..=u16::MAX {
        let mut bytes = [0; 13];
        let data = b"hello";
        Icmpv6Repr::EchoRequest {
            ident: 9,
            seq,
            data,
        }
        .emit(&SRC, &DST, &mut bytes)
        .unwrap();
        reply_in_place(&mut bytes).unwrap();
        let view = Icmpv6View::new(&bytes).unwrap();
        assert!(view.checksum_valid(&DST, &SRC), "seq {seq}");
        assert_eq!(
            Icmpv6Repr::parse(&view),
            Icmpv6Repr::EchoReply {
                ident: 9,
                seq,
                data
            }
        );
        assert_eq!(reply_in_place(&mut bytes), Err(WireError::BadCode));
    }
    assert_eq!(reply_in_place(&mut [128; 7]), Err(WireError::Truncated));
}

proptest! {
    #[test]
    fn any_bytes_are_some_message(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let Ok(view) = Icmpv6View::new(&bytes) else {
            prop_assert!(bytes.len() < HEADER_LEN);
            return Ok(());
        };
        let _ = (view.ndp(), view.quoted());
        let repr = Icmpv6Repr::parse(&view);
        let again = emit(&repr);
        let view = Icmpv6View::new(&again).unwrap();
        prop_assert!(view.checksum_valid(&SRC, &DST));
        prop_assert_eq!(Icmpv6Repr::parse(&view), repr);
    }
}
