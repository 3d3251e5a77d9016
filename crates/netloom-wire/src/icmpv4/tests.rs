//! Round trips, quoted packets, replies in place.

use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::{Ipv4Repr, TcpRepr, UdpRepr, protocol};

const SRC: Addr = Addr::v4([10, 0, 0, 1]);
const DST: Addr = Addr::v4([10, 0, 0, 2]);

fn emit(repr: &Icmpv4Repr<'_>) -> Vec<u8> {
    let mut message = vec![0xee; repr.len()];
    assert!(repr.emit(&mut message).unwrap().is_empty());
    assert_eq!(
        repr.emit(&mut message.clone()[1..]).unwrap_err(),
        WireError::BufferTooSmall
    );
    #[cfg(feature = "alloc")]
    assert_eq!(repr.to_vec(), message);
    message
}

/// A packet as an error quotes it: its header and eight bytes.
fn quoted_tcp() -> Vec<u8> {
    let mut packet = vec![0; 40];
    let tcp = TcpRepr {
        src_port: 1234,
        dst_port: 80,
        seq: 0xdead_beef,
        ..TcpRepr::default()
    };
    tcp.emit(
        Ipv4Repr::new(SRC, DST, protocol::TCP, 20)
            .emit(&mut packet)
            .unwrap(),
    )
    .unwrap();
    packet.truncate(28);
    packet
}

#[test]
fn every_message_round_trips() {
    let quoted = &quoted_tcp()[..];
    let messages = [
        Icmpv4Repr::EchoRequest {
            ident: 1,
            seq: 0xffff,
            data: b"ping",
        },
        Icmpv4Repr::EchoReply {
            ident: 1,
            seq: 2,
            data: b"",
        },
        Icmpv4Repr::DestinationUnreachable {
            code: unreachable::PORT,
            mtu: 0,
            quoted,
        },
        Icmpv4Repr::DestinationUnreachable {
            code: unreachable::FRAGMENTATION_NEEDED,
            mtu: 1400,
            quoted,
        },
        Icmpv4Repr::SourceQuench { quoted },
        Icmpv4Repr::Redirect {
            code: 1,
            gateway: SRC,
            quoted,
        },
        Icmpv4Repr::TimeExceeded { code: 1, quoted },
        Icmpv4Repr::ParameterProblem {
            code: 0,
            pointer: 20,
            quoted,
        },
        Icmpv4Repr::Other {
            kind: 13,
            code: 0,
            rest_of_header: [1, 2, 3, 4],
            body: b"times",
        },
        Icmpv4Repr::Other {
            kind: 8,
            code: 1,
            rest_of_header: [1, 2, 3, 4],
            body: b"odd",
        },
    ];
    for message in messages {
        let bytes = emit(&message);
        let view = Icmpv4View::new(&bytes).unwrap();
        assert!(view.checksum_valid());
        assert_eq!(Icmpv4Repr::parse(&view), message);
    }
}

#[test]
fn what_errors_quote_is_read() {
    let tcp = quoted_tcp();
    let bytes = emit(&Icmpv4Repr::TimeExceeded {
        code: 0,
        quoted: &tcp,
    });
    let quoted = Icmpv4View::new(&bytes).unwrap().quoted().unwrap();
    assert_eq!(
        (quoted.src, quoted.dst, quoted.protocol),
        (SRC, DST, protocol::TCP)
    );
    assert_eq!(
        (quoted.ports(), quoted.tcp_seq()),
        (Some((1234, 80)), Some(0xdead_beef))
    );
    assert_eq!(quoted.echo(), None);

    let mut udp = vec![0; 28];
    let repr = UdpRepr {
        src_port: 5,
        dst_port: 6,
        payload_len: 0,
    };
    repr.emit(
        Ipv4Repr::new(SRC, DST, protocol::UDP, 8)
            .emit(&mut udp)
            .unwrap(),
    )
    .unwrap();
    let bytes = emit(&Icmpv4Repr::SourceQuench { quoted: &udp });
    let quoted = Icmpv4View::new(&bytes).unwrap().quoted().unwrap();
    assert_eq!((quoted.ports(), quoted.tcp_seq()), (Some((5, 6)), None));

    let mut echo = vec![0; 28];
    let request = Icmpv4Repr::EchoRequest {
        ident: 7,
        seq: 8,
        data: &[],
    };
    request
        .emit(
            Ipv4Repr::new(SRC, DST, protocol::ICMP, 8)
                .emit(&mut echo)
                .unwrap(),
        )
        .unwrap();
    let bytes = emit(&Icmpv4Repr::SourceQuench { quoted: &echo });
    let quoted = Icmpv4View::new(&bytes).unwrap().quoted().unwrap();
    assert_eq!((quoted.ports(), quoted.echo()), (None, Some((7, 8))));
}

#[test]
fn what_cannot_be_read_of_a_quotation_is_an_error() {
    let mut tcp = quoted_tcp();
    for len in 0..28 {
        let bytes = emit(&Icmpv4Repr::SourceQuench {
            quoted: &tcp[..len],
        });
        match Icmpv4View::new(&bytes).unwrap().quoted() {
            Ok(quoted) => {
                assert_eq!(quoted.ports().is_some(), len >= 24);
                assert_eq!(quoted.tcp_seq(), None);
            }
            Err(error) => assert!(error == WireError::Truncated && len < 20, "{error}"),
        }
    }
    tcp[7] = 1; // not the first fragment
    let bytes = emit(&Icmpv4Repr::SourceQuench { quoted: &tcp });
    let view = Icmpv4View::new(&bytes).unwrap();
    assert!(view.is_error());
    assert_eq!(view.quoted().unwrap_err(), WireError::Fragment);
    let bytes = emit(&Icmpv4Repr::EchoReply {
        ident: 1,
        seq: 1,
        data: &tcp,
    });
    assert_eq!(
        Icmpv4View::new(&bytes).unwrap().quoted().unwrap_err(),
        WireError::BadCode
    );
}

// RFC 792: "To form an echo reply message, the source and destination addresses are simply
// reversed, the type code changed to 0, and the checksum recomputed."
#[test]
fn requests_become_replies_in_place() {
    for ident in 0..=u16::MAX {
        let mut bytes = [0; 13];
        Icmpv4Repr::EchoRequest {
            ident,
            seq: 9,
            data: b"hello",
        }
        .emit(&mut bytes)
        .unwrap();
        reply_in_place(&mut bytes).unwrap();
        let view = Icmpv4View::new(&bytes).unwrap();
        assert!(view.checksum_valid(), "ident {ident}");
        assert_eq!(
            Icmpv4Repr::parse(&view),
            Icmpv4Repr::EchoReply {
                ident,
                seq: 9,
                data: b"hello"
            }
        );
        assert_eq!(reply_in_place(&mut bytes), Err(WireError::BadCode));
    }
    assert_eq!(reply_in_place(&mut [8; 7]), Err(WireError::Truncated));
}

proptest! {
    #[test]
    fn any_bytes_are_some_message(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let Ok(view) = Icmpv4View::new(&bytes) else {
            prop_assert!(bytes.len() < HEADER_LEN);
            return Ok(());
        };
        // What is written is read again as the same, with its checksum right.
        let repr = Icmpv4Repr::parse(&view);
        let again = emit(&repr);
        let view = Icmpv4View::new(&again).unwrap();
        prop_assert!(view.checksum_valid());
        prop_assert_eq!(Icmpv4Repr::parse(&view), repr);
    }
}
