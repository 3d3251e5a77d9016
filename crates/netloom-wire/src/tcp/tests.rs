//! Data offsets, flags, checksums and round trips.

use std::format;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::checksum::copy_and_sum;
use crate::tcp_options::{FastOpenCookie, MAX_LEN, SackBlocks, Timestamps, UserTimeout};

const SRC: Addr = Addr::v4([10, 0, 0, 1]);
const DST: Addr = Addr::v4([10, 0, 0, 2]);

/// Attack class 7: a data offset below the minimum or past the segment.
//= https://www.rfc-editor.org/rfc/rfc9293#section-3.1
//= type=test
//# The number of 32-bit words in the TCP header.
#[test]
fn every_data_offset_against_every_segment_length() {
    for offset in 0..16_u8 {
        for len in 0..80_usize {
            let mut segment = vec![0; len];
            if let Some(byte) = segment.get_mut(12) {
                *byte = offset << 4;
            }
            let header_len = usize::from(offset) * 4;
            match TcpView::new(&segment) {
                Ok(tcp) => {
                    assert!(offset >= 5 && header_len <= len);
                    assert_eq!(tcp.header_len(), header_len);
                    assert_eq!(tcp.payload().len(), len - header_len);
                }
                Err(WireError::Truncated) => assert!(len < 20),
                Err(error) => {
                    assert_eq!(error, WireError::BadHeaderLength);
                    assert!(offset < 5 || header_len > len);
                }
            }
        }
    }
}

#[test]
fn flags_are_written_as_tcpdump_writes_them() {
    let texts = [
        (TcpFlags::SYN, "S"),
        (TcpFlags::SYN | TcpFlags::ACK, "S."),
        (TcpFlags::PSH | TcpFlags::ACK, "P."),
        (TcpFlags::FIN | TcpFlags::PSH | TcpFlags::ACK, "FP."),
        (TcpFlags::RST, "R"),
        (TcpFlags::ACK | TcpFlags::URG, ".U"),
        (TcpFlags::SYN | TcpFlags::ECE | TcpFlags::CWR, "SEW"),
        (
            TcpFlags::SYN | TcpFlags::ECE | TcpFlags::CWR | TcpFlags::AE,
            "SEWe",
        ),
        (TcpFlags::NONE, "none"),
    ];
    for (flags, text) in texts {
        assert_eq!(format!("{flags}"), text);
    }
}

#[test]
fn flag_sets() {
    let mut flags = TcpFlags::SYN | TcpFlags::ACK;
    assert!(flags.contains(TcpFlags::SYN) && !flags.contains(TcpFlags::SYN | TcpFlags::FIN));
    assert!(flags.intersects(TcpFlags::SYN | TcpFlags::FIN) && !flags.intersects(TcpFlags::RST));
    assert_eq!(flags.without(TcpFlags::SYN), TcpFlags::ACK);
    assert_eq!(flags & TcpFlags::SYN, TcpFlags::SYN);
    assert_eq!(flags.sequence_len(), 1);
    flags |= TcpFlags::FIN;
    assert_eq!(flags.sequence_len(), 2);
    assert!(flags.syn() && flags.fin() && flags.ack() && !flags.rst());
}

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.1
//= type=test
//# Must be zero in generated segments and must
//# be ignored in received segments if the corresponding future
//# features are not implemented by the sending or receiving host.
#[test]
fn reserved_bits_are_neither_read_nor_written() {
    let repr = TcpRepr {
        flags: TcpFlags(0xffff),
        ..TcpRepr::default()
    };
    let mut segment = [0xff; 20];
    repr.emit(&mut segment).unwrap();
    assert_eq!(&segment[12..14], [0x51, 0xff]);
    segment[12] = 0x5f;
    assert_eq!(TcpView::new(&segment).unwrap().flags(), TcpFlags(0x1ff));
}

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.1
//= type=test
//# The window size MUST be treated as an unsigned number, or else
//# large window sizes will appear like negative windows and TCP will
//# not work (MUST-1).
#[test]
fn windows_are_unsigned() {
    let repr = TcpRepr {
        window: 0xffff,
        ..TcpRepr::default()
    };
    let mut segment = [0; 20];
    repr.emit(&mut segment).unwrap();
    assert_eq!(u32::from(TcpView::new(&segment).unwrap().window()), 65_535);
}

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.1
//= type=test
//# The TCP checksum is never optional.  The sender MUST generate it
//# (MUST-2) and the receiver MUST check it (MUST-3).
#[test]
fn checksums_cover_every_bit() {
    let repr = TcpRepr {
        src_port: 1,
        options: TcpOptions {
            timestamps: Some(Timestamps { value: 3, echo: 4 }),
            ..TcpOptions::default()
        },
        ..TcpRepr::default()
    };
    let mut segment = vec![0; 37];
    let body = repr.emit(&mut segment).unwrap();
    let sum = copy_and_sum(body, b"hello", Sum::new());
    let header_len = repr.header_len();
    let value = checksum(&SRC, &DST, &segment[..header_len], 5, sum);
    set_checksum(&mut segment, value);
    assert!(TcpView::new(&segment).unwrap().checksum_valid(&SRC, &DST));
    assert!(!TcpView::new(&segment).unwrap().checksum_valid(&SRC, &SRC));
    for bit in 0..segment.len() * 8 {
        let mut bad = segment.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let valid = TcpView::new(&bad).is_ok_and(|tcp| tcp.checksum_valid(&SRC, &DST));
        assert!(!valid, "bit {bit}");
    }
    let mut short = [1; 19];
    set_checksum(&mut short, 0xffff);
    assert_eq!(short, [1; 19]);
}

#[test]
fn sequence_numbers_taken() {
    let repr = TcpRepr {
        flags: TcpFlags::SYN | TcpFlags::FIN,
        ..TcpRepr::default()
    };
    let mut segment = [0; 23];
    repr.emit(&mut segment).unwrap();
    assert_eq!(TcpView::new(&segment).unwrap().sequence_len(), 5);
}

prop_compose! {
    fn any_options()(
        mss: Option<u16>, window_scale in prop::option::of(0..=14_u8), sack_permitted: bool,
        times: Option<(u32, u32)>, blocks in prop::collection::vec(any::<(u32, u32)>(), 0..=4),
        uto: Option<u16>, cookie in prop::option::of(prop::collection::vec(any::<u16>(), 0..=8)),
    ) -> TcpOptions {
        let mut sack = SackBlocks::new();
        for (left, right) in blocks {
            sack.push(left, right);
        }
        let cookie = cookie.map(|c| c.iter().flat_map(|w| w.to_be_bytes()).collect::<Vec<_>>());
        TcpOptions {
            mss, window_scale, sack_permitted, sack,
            timestamps: times.map(|(value, echo)| Timestamps { value, echo }),
            user_timeout: uto.map(UserTimeout::from_bits),
            fast_open: cookie.and_then(|c| FastOpenCookie::new(&c)),
        }
    }
}

proptest! {
    #[test]
    fn headers_round_trip(
        ports: (u16, u16), numbers: (u32, u32), flags in 0..0x200_u16, fields: (u16, u16),
        options in any_options(), payload in prop::collection::vec(any::<u8>(), 0..50),
    ) {
        let repr = TcpRepr {
            src_port: ports.0, dst_port: ports.1, seq: numbers.0, ack: numbers.1,
            flags: TcpFlags(flags), window: fields.0, urgent: fields.1, options,
        };
        let mut segment = vec![0xee; repr.header_len() + payload.len()];
        if options.len() > MAX_LEN {
            prop_assert_eq!(repr.emit(&mut segment).unwrap_err(), WireError::BadOption);
            return Ok(());
        }
        repr.emit(&mut segment).unwrap().copy_from_slice(&payload);
        let view = TcpView::new(&segment).unwrap();
        prop_assert_eq!(view.payload(), &payload[..]);
        prop_assert_eq!(view.checksum(), 0);
        prop_assert_eq!(TcpRepr::parse(&view).unwrap(), repr);
        for len in 0..repr.header_len() {
            prop_assert_eq!(
                repr.emit(&mut segment[..len]).unwrap_err(),
                WireError::BufferTooSmall
            );
        }
    }
}
