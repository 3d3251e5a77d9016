use netloom_driver::{PartialChecksum, RxChecksum, RxMeta};

use super::{VlanTag, unpack, vnet};

/// What the kernel stores for a frame: a header, then the frame.
fn received(flags: u8, csum_start: u16, frame: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; vnet::HEADER_LEN];
    bytes[0] = flags;
    bytes[6..8].copy_from_slice(&csum_start.to_ne_bytes());
    bytes.extend(frame);
    bytes
}

#[test]
fn an_untagged_frame_stays_as_it_is() {
    let frame = b"abcdefghijklmnopqr";
    let mut bytes = received(0, 0, frame);
    assert_eq!(
        unpack(&mut bytes, None),
        Some((frame.as_slice(), RxMeta::default()))
    );
}

#[test]
fn a_tag_goes_back_behind_the_addresses_and_moves_what_follows() {
    let tag = Some(VlanTag {
        tpid: 0x88a8,
        tci: 0x2007,
    });
    let mut bytes = received(1, 14, b"DDDDDDSSSSSS\x08\x00payload");
    let (frame, meta) = unpack(&mut bytes, tag).unwrap();
    assert_eq!(frame, b"DDDDDDSSSSSS\x88\xa8\x20\x07\x08\x00payload");
    let partial = PartialChecksum {
        start: 18,
        offset: 0,
    };
    assert_eq!(meta.checksum, RxChecksum::Partial(partial));
}

#[test]
fn a_frame_too_short_for_a_tag_gets_none() {
    let tag = Some(VlanTag {
        tpid: 0x8100,
        tci: 1,
    });
    let mut bytes = received(0, 0, b"runt");
    assert_eq!(unpack(&mut bytes, tag).unwrap().0, b"runt");
}

#[test]
fn what_is_shorter_than_its_header_is_no_frame() {
    assert_eq!(unpack(&mut [0; vnet::HEADER_LEN - 1], None), None);
}
