use core::time::Duration;
use std::format;
use std::string::ToString;
use std::vec::Vec;

use super::*;

fn sample() -> NtpRepr {
    NtpRepr {
        leap: LeapIndicator::Insert,
        version: 4,
        mode: NtpMode::Server,
        stratum: 2,
        poll: 6,
        precision: -23,
        root_delay: NtpShort(0x0000_1234),
        root_dispersion: NtpShort(0x0001_0000),
        reference_id: ReferenceId([192, 0, 2, 1]),
        reference: NtpTimestamp(0xe000_0000_0000_0001),
        origin: NtpTimestamp(2),
        receive: NtpTimestamp(3),
        transmit: NtpTimestamp(0xffff_ffff_ffff_ffff),
    }
}

/// A response put together by hand from the RFC's figure 8, not by this crate.
const BY_HAND: [u8; 48] = [
    0x24, 0x01, 0x06, 0xe8, 0, 0, 0, 0, 0, 0, 0, 0x49, 0x47, 0x50, 0x53, 0, 0xe8, 0xf6, 0x4d, 0x71,
    0x1c, 0xac, 0x08, 0x31, 0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4, 0xe8, 0xf6, 0x4d, 0x72, 0, 0, 0, 0,
    0xe8, 0xf6, 0x4d, 0x72, 0, 0, 0x10, 0,
];

#[test]
fn a_response_made_by_hand_is_read() {
    let view = NtpView::new(&BY_HAND).unwrap();
    let repr = NtpRepr::parse(&view);
    assert_eq!(repr.leap, LeapIndicator::None);
    assert_eq!(
        (repr.version, repr.mode, repr.stratum),
        (4, NtpMode::Server, 1)
    );
    assert_eq!((repr.poll, repr.precision), (6, -24));
    assert_eq!(repr.reference_id.to_string(), "GPS");
    assert_eq!(repr.origin, NtpTimestamp(0xdead_beef_0102_0304));
    assert_eq!(repr.transmit.nanos_since(repr.receive), 954);
    assert_eq!(repr.kiss(), None);
    let mut again = [0; 48];
    repr.emit(&mut again).unwrap();
    assert_eq!(again, BY_HAND);
}

#[test]
fn what_is_written_is_read_again() {
    let mut buffer = [0xaa; 60];
    let rest = sample().emit(&mut buffer).unwrap();
    assert_eq!(rest.len(), 12);
    let view = NtpView::new(&buffer).unwrap();
    assert_eq!(NtpRepr::parse(&view), sample());
    assert_eq!(view.rest(), [0xaa; 12]);
}

#[test]
fn every_truncation_is_refused() {
    let mut buffer = [0; 48];
    sample().emit(&mut buffer).unwrap();
    for len in 0..48 {
        assert_eq!(
            NtpView::new(&buffer[..len]).map(|_| ()),
            Err(WireError::Truncated)
        );
        assert_eq!(
            sample().emit(&mut std::vec![0; len]).map(|_| ()),
            Err(WireError::BufferTooSmall)
        );
    }
}

#[test]
fn versions_without_this_header_are_refused() {
    let mut buffer = [0; 48];
    sample().emit(&mut buffer).unwrap();
    for version in 0..8_u8 {
        buffer[0] = version << 3 | 4;
        let expected = (1..=4).contains(&version);
        assert_eq!(NtpView::new(&buffer).is_ok(), expected, "{version}");
        let repr = NtpRepr {
            version,
            ..sample()
        };
        assert_eq!(repr.emit(&mut [0; 48]).is_ok(), expected);
    }
}

#[test]
fn leap_and_mode_take_all_their_values() {
    let mut seen = Vec::new();
    for first in (0..=255).filter(|first| first >> 3 & 7 == 4) {
        let mut message = BY_HAND;
        message[0] = first;
        let repr = NtpRepr::parse(&NtpView::new(&message).unwrap());
        let mut again = [0; 48];
        repr.emit(&mut again).unwrap();
        assert_eq!(again[0], first);
        seen.push((repr.leap, repr.mode));
    }
    assert_eq!(seen.len(), 32);
    assert_eq!(
        seen[3 * 8 + 3],
        (LeapIndicator::Unsynchronized, NtpMode::Client)
    );
}

#[test]
fn kiss_codes_are_those_of_servers_with_stratum_0() {
    let kiss = NtpRepr {
        stratum: 0,
        reference_id: ReferenceId::RATE,
        ..sample()
    };
    assert_eq!(kiss.kiss(), Some(ReferenceId::RATE));
    let client = NtpRepr {
        mode: NtpMode::Client,
        ..kiss
    };
    assert_eq!(client.kiss(), None);
    assert_eq!(ReferenceId::RATE.to_string(), "RATE");
    assert_eq!(ReferenceId([192, 0, 2, 1]).to_string(), "192.0.2.1");
    assert_eq!(ReferenceId([b'A', 0, b'B', 0]).to_string(), "65.0.66.0");
    assert_eq!(ReferenceId([0; 4]).to_string(), "0.0.0.0");
}

#[test]
fn unix_times_are_exact_to_the_nanosecond() {
    for (seconds, nanos) in [
        (0, 0),
        (1_700_000_000, 1),
        (1_700_000_000, 999_999_999),
        (2_085_978_495, 999_999_999), // the last second of era 0
        (2_085_978_496, 0),           // the first of era 1: 7 February 2036, 06:28:16
        (6_380_945_792, 0),           // the first of era 2
    ] {
        let time = Duration::new(seconds, nanos);
        assert_eq!(NtpTimestamp::from_unix(time).to_unix(time), Some(time));
    }
    assert_eq!(
        NtpTimestamp::from_unix(Duration::ZERO),
        NtpTimestamp(UNIX_IN_1900 << 32)
    );
}

const UNIX_IN_1900: u64 = 0x83aa_7e80;

/// The second in 2036 after which the seconds begin at zero again.
//= https://www.rfc-editor.org/rfc/rfc5905#section-6
//= type=test
//# Eras cannot be produced by NTP directly, nor is there need to do so.
#[test]
fn the_rollover_of_2036_is_a_second_like_any_other() {
    let before = Duration::new(2_085_978_495, 500_000_000);
    let after = Duration::new(2_085_978_496, 250_000_000);
    let (a, b) = (
        NtpTimestamp::from_unix(before),
        NtpTimestamp::from_unix(after),
    );
    assert_eq!(a.0 >> 32, 0xffff_ffff);
    assert_eq!(b.0 >> 32, 0);
    assert_eq!(b.nanos_since(a), 750_000_000);
    assert_eq!(a.nanos_since(b), -750_000_000);
    // Each is found from the other's era.
    assert_eq!(a.to_unix(after), Some(before));
    assert_eq!(b.to_unix(before), Some(after));
    // And from 60 years away, on either side.
    let years = Duration::from_secs(60 * 365 * 86_400);
    assert_eq!(b.to_unix(after + years), Some(after));
    assert_eq!(b.to_unix(after - years), Some(after));
    // What would lie before 1970 is nothing.
    let old = NtpTimestamp((UNIX_IN_1900 - 1) << 32);
    assert_eq!(old.to_unix(Duration::from_secs(10)), None);
}

#[test]
fn differences_are_exact_at_their_limits() {
    let zero = NtpTimestamp(0);
    assert_eq!(NtpTimestamp(1 << 32).nanos_since(zero), 1_000_000_000);
    assert_eq!(
        NtpTimestamp(i64::MAX as u64).nanos_since(zero),
        (1_i64 << 31) * 1_000_000_000
    );
    assert_eq!(
        NtpTimestamp(1 << 63).nanos_since(zero),
        -(1_i64 << 31) * 1_000_000_000
    );
}

#[test]
fn short_spans() {
    assert_eq!(NtpShort(0x0001_0000).as_nanos(), 1_000_000_000);
    assert_eq!(NtpShort::from_nanos(1_000_000_000), NtpShort(0x0001_0000));
    assert_eq!(NtpShort::from_nanos(1), NtpShort(1));
    assert_eq!(NtpShort::from_nanos(u64::MAX), NtpShort(u32::MAX));
    assert_eq!(format!("{:?}", NtpShort(0x8000)), "500ms");
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(0_u8.., 0..80)) {
        if let Ok(view) = NtpView::new(&bytes) {
            let repr = NtpRepr::parse(&view);
            let mut again = [0; 48];
            repr.emit(&mut again).unwrap();
            assert_eq!(again, bytes[..48]);
            let _ = (repr.transmit.to_unix(Duration::ZERO), format!("{repr:?}"));
        }
    }

    #[test]
    fn differences_add_up(a in 0_u64.., d in -(1_i64 << 61)..1 << 61) {
        let (from, to) = (NtpTimestamp(a), NtpTimestamp(a.wrapping_add(d as u64)));
        let nanos = to.nanos_since(from);
        assert!((nanos + from.nanos_since(to)).abs() <= 1);
        let seconds = d as f64 / f64::from(1 << 16) / f64::from(1 << 16);
        assert!((nanos as f64 / 1e9 - seconds).abs() < 1e-6 * seconds.abs() + 1e-9);
    }
}
