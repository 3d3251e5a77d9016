use std::io::ErrorKind;
use std::time::Duration;

use netloom_driver::{Direction, Instant, pcapng};

use super::{LinkType, Packet, Reader};

/// What a reader makes of a file: time, link type, length on the wire, bytes.
type Read = (Duration, LinkType, Option<Direction>, usize, Vec<u8>);

fn all(file: &[u8]) -> std::io::Result<Vec<Read>> {
    let mut reader = Reader::new(file)?;
    let mut packets = Vec::new();
    while let Some(Packet {
        at,
        link,
        direction,
        wire_len,
        frame,
        ..
    }) = reader.next()?
    {
        packets.push((at, link, direction, wire_len, frame.to_vec()));
    }
    Ok(packets)
}

fn words(words: &[u32], big: bool) -> Vec<u8> {
    let bytes = |word: &u32| {
        if big {
            word.to_be_bytes()
        } else {
            word.to_le_bytes()
        }
    };
    words.iter().flat_map(bytes).collect()
}

#[test]
fn what_our_own_writer_writes_is_read_back() {
    let mut capture = pcapng::Writer::new(Vec::new()).unwrap();
    let tap = capture
        .interface(pcapng::LinkType::Ethernet, "tap0")
        .unwrap();
    let tun = capture.interface(pcapng::LinkType::Ip, "tun0").unwrap();
    for (interface, micros, direction, frame) in [
        (tun, 1_500_000, Direction::Inbound, b"one".as_slice()),
        (tap, 1_500_001, Direction::Outbound, b"eighteen"),
    ] {
        let packet = pcapng::Packet::new(interface, Instant::from_micros(micros), direction);
        capture.packet(&packet.comment("why"), frame).unwrap();
    }
    let micros = Duration::from_micros;
    assert_eq!(
        all(&capture.into_inner()).unwrap(),
        [
            (
                micros(1_500_000),
                LinkType::Ip,
                Some(Direction::Inbound),
                3,
                b"one".to_vec()
            ),
            (
                micros(1_500_001),
                LinkType::Ethernet,
                Some(Direction::Outbound),
                8,
                b"eighteen".to_vec()
            ),
        ]
    );
}

#[test]
fn pcap_is_read_in_both_orders_and_resolutions() {
    for big in [false, true] {
        for (magic, fraction) in [(0xa1b2_c3d4, 250_000), (0xa1b2_3c4d, 250_000_000)] {
            let version = if big { 0x0002_0004 } else { 0x0004_0002 };
            let mut file = words(&[magic, version, 0, 0, 65_535, 1], big);
            file.extend(words(&[7, fraction, 4, 60], big));
            file.extend(b"cut!");
            let expected = (
                Duration::from_millis(7_250),
                LinkType::Ethernet,
                None,
                60,
                b"cut!".to_vec(),
            );
            assert_eq!(all(&file).unwrap(), [expected]);
        }
    }
}

/// A section with an interface of link type 101 whose options are given, in either order.
fn section(big: bool, options: &[u32]) -> Vec<u8> {
    let mut file = words(
        &[0x0a0d_0d0a, 28, 0x1a2b_3c4d, 0, u32::MAX, u32::MAX, 28],
        big,
    );
    let len = 20 + 4 * options.len() as u32;
    let link = if big { 101 << 16 } else { 101 };
    file.extend(words(&[&[1, len, link, 0], options, &[len]].concat(), big));
    file
}

#[test]
fn times_have_the_resolution_and_offset_the_interface_says() {
    // if_tsresol: nanoseconds; if_tsoffset: -10 s.
    let mut nanos = section(
        false,
        &[9 | 1 << 16, 9, 14 | 8 << 16, -10_i32 as u32, u32::MAX, 0],
    );
    nanos.extend(words(
        &[6, 36, 0, 2, 3_000_000_000, 4, 4, 0x6461_7461, 36],
        false,
    ));
    let expected = (u64::from(2_u32) << 32) + 3_000_000_000;
    let read = all(&nanos).unwrap();
    assert_eq!(
        read[0].0,
        Duration::from_nanos(expected) - Duration::from_secs(10)
    );
    // Units of 2^-10 s, and the byte order of another machine, in a second section.
    let mut file = nanos.clone();
    file.extend(section(true, &[9 << 16 | 1, 0x8a << 24]));
    file.extend(words(&[6, 36, 0, 0, 1536, 4, 4, 0x6461_7461, 36], true));
    let read = all(&file).unwrap();
    assert_eq!((read.len(), read[1].0), (2, Duration::from_millis(1500)));
}

#[test]
fn other_blocks_are_passed_over_and_simple_ones_read() {
    let mut file = section(false, &[]);
    file.extend(words(&[0x0bad, 16, 1, 16], false));
    file.extend(words(&[3, 20, 3, 0x0063_6261, 20], false));
    let expected = (Duration::ZERO, LinkType::Ip, None, 3, b"abc".to_vec());
    assert_eq!(all(&file).unwrap(), [expected]);
}

#[test]
fn damage_is_an_error_wherever_it_is() {
    let mut file = section(false, &[9 | 1 << 16, 9]);
    file.extend(words(&[6, 36, 0, 2, 3, 4, 4, 0x6461_7461, 36], false));
    assert_eq!(all(&file).unwrap().len(), 1);
    for end in 1..file.len() {
        // Between blocks a file may end.
        let whole = [28, 28 + 28].contains(&end);
        let read = all(&file[..end]);
        assert_eq!(read.is_ok(), whole, "cut after {end}");
    }
    for at in (0..file.len()).step_by(4) {
        for value in [0, 3, u32::MAX] {
            let mut damaged = file.clone();
            damaged[at..at + 4].copy_from_slice(&u32::to_le_bytes(value));
            // No panic, no endless loop, no endless memory.
            let _ = all(&damaged);
        }
    }
    let error = all(b"#!/bin/sh, not a capture").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
}
