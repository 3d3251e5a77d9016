use netloom_driver::{Gso, PartialChecksum, RxChecksum, RxMeta, TxMeta};

use super::{HEADER_LEN, decode, encode};

const TCP: PartialChecksum = PartialChecksum {
    start: 34,
    offset: 16,
};

fn header(flags: u8, gso_type: u8, rest: [u16; 4]) -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    header[..2].copy_from_slice(&[flags, gso_type]);
    for (bytes, field) in header[2..].chunks_mut(2).zip(rest) {
        bytes.copy_from_slice(&field.to_ne_bytes());
    }
    header
}

#[test]
fn a_frame_that_needs_nothing_has_a_header_of_zeros() {
    assert_eq!(encode(&TxMeta::default()), [0; HEADER_LEN]);
    assert_eq!(decode(&[0; HEADER_LEN]), RxMeta::default());
}

#[test]
fn a_checksum_is_left_to_the_kernel_by_its_place() {
    let meta = TxMeta {
        checksum: Some(TCP),
        gso: None,
    };
    assert_eq!(encode(&meta), header(1, 0, [0, 0, 34, 16]));
}

#[test]
fn a_super_segment_says_its_version_and_how_to_cut_it() {
    for (ipv6, gso_type) in [(false, 1), (true, 4)] {
        let gso = Gso {
            size: 1448,
            header_len: 66,
            ipv6,
        };
        let meta = TxMeta {
            checksum: Some(TCP),
            gso: Some(gso),
        };
        assert_eq!(encode(&meta), header(1, gso_type, [66, 1448, 34, 16]));
    }
}

#[test]
fn what_the_kernel_says_of_a_checksum_is_told() {
    let partial = decode(&header(1, 0, [0, 0, 34, 16]));
    assert_eq!(partial.checksum, RxChecksum::Partial(TCP));
    assert_eq!(decode(&header(2, 0, [0; 4])).checksum, RxChecksum::Verified);
}

#[test]
fn merged_segments_are_told_and_merged_datagrams_are_not() {
    for (gso_type, gso_size) in [(1, 1448), (4, 1448), (0x81, 1448), (3, 0), (5, 0), (0, 0)] {
        let meta = decode(&header(1, gso_type, [66, 1448, 34, 16]));
        assert_eq!(meta.gso_size, gso_size, "type {gso_type}");
    }
}
