//! Against the plainest implementation there is, for every length, split and alignment.

use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

/// The sum as RFC 1071 §1 defines it: 16-bit words, end-around carry.
fn reference(bytes: &[u8]) -> u16 {
    let mut sum = 0u32;
    for word in bytes.chunks(2) {
        sum += u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Bytes without pattern or period.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(|_| next()).collect()
}

// RFC 1071: "Therefore, the sum may be calculated in exactly the same way regardless of the byte
// order ("big-endian" or "little-endian") of the underlaying hardware."
#[test]
fn every_length_and_alignment() {
    let data = noise(300);
    for start in 0..16 {
        for end in start..data.len() {
            let bytes = &data[start..end];
            let expected = reference(bytes);
            assert_eq!(Sum::new().add(bytes).finish(), expected, "{start}..{end}");
            assert_eq!(
                !u16::from_be(fold(compact::sum(bytes))),
                expected,
                "{start}..{end}"
            );
            assert_eq!(
                !u16::from_be(fold(wide::sum(bytes))),
                expected,
                "{start}..{end}"
            );
        }
    }
}

#[test]
fn every_split() {
    let data = noise(150);
    let expected = reference(&data);
    for a in 0..=data.len() {
        for b in a..=data.len() {
            let (x, y, z) = (&data[..a], &data[a..b], &data[b..]);
            assert_eq!(
                Sum::new().add(x).add(y).add(z).finish(),
                expected,
                "{a} {b}"
            );
            let joined = Sum::new().add(x).combine(Sum::new().add(y).add(z));
            assert_eq!(joined.finish(), expected, "{a} {b}");
        }
    }
}

#[test]
fn extreme_bytes_carry_right() {
    for byte in [0x00, 0xff, 0x80, 0x01] {
        for len in [0, 1, 2, 63, 64, 65, 1460, 1461, 65_535] {
            let data = vec![byte; len];
            assert_eq!(
                Sum::new().add(&data).finish(),
                reference(&data),
                "{byte} x {len}"
            );
        }
    }
}

#[test]
fn copies_sum_what_they_copy() {
    let data = noise(300);
    for start in 0..8 {
        for end in start..data.len() {
            let src = &data[start..end];
            for (copy, name) in [
                (wide::copy_and_sum as fn(&mut [u8], &[u8]) -> u32, "wide"),
                (compact::copy_and_sum, "compact"),
            ] {
                let mut dst = vec![0xee; src.len() + 1];
                let sum = copy(&mut dst[1..], src);
                assert_eq!(
                    !u16::from_be(fold(sum)),
                    reference(src),
                    "{name} {start}..{end}"
                );
                assert_eq!((dst[0], &dst[1..]), (0xee, src), "{name} {start}..{end}");
            }
        }
    }
}

#[test]
fn copies_end_with_the_shorter_slice_and_continue_a_sum() {
    let src = noise(100);
    let mut dst = [0; 7];
    let sum = copy_and_sum(&mut dst, &src, Sum::new().add(&[9]));
    assert_eq!(dst, src[..7]);
    assert_eq!(sum, Sum::new().add(&[9]).add(&src[..7]));
    let mut long = [0xee; 120];
    let sum = copy_and_sum(&mut long, &src, Sum::new());
    assert_eq!(long[..100], src);
    assert_eq!(long[100..], [0xee; 20]);
    assert_eq!(sum.finish(), reference(&src));
}

#[test]
fn numbers_are_bytes_in_network_order() {
    let sum = Sum::new().add_u16(0x1234).add_u32(0xdead_beef);
    assert_eq!(
        sum.finish(),
        reference(&[0x12, 0x34, 0xde, 0xad, 0xbe, 0xef])
    );
    let odd = Sum::new().add(&[7]).add_u16(0x1234).add_u32(0xdead_beef);
    assert_eq!(
        odd.finish(),
        reference(&[7, 0x12, 0x34, 0xde, 0xad, 0xbe, 0xef])
    );
}

//= https://www.rfc-editor.org/rfc/rfc1071#section-1
//= type=test
//# If the result is all 1 bits (-0 in 1's complement
//# arithmetic), the check succeeds.
#[test]
fn data_with_its_checksum_is_valid_and_one_flipped_bit_is_not() {
    let mut data = noise(64);
    data[10..12].fill(0);
    let checksum = Sum::new().add(&data).finish();
    data[10..12].copy_from_slice(&checksum.to_be_bytes());
    assert!(Sum::new().add(&data).is_valid());
    for bit in 0..data.len() * 8 {
        data[bit / 8] ^= 1 << (bit % 8);
        assert!(!Sum::new().add(&data).is_valid(), "bit {bit}");
        data[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn nothing_sums_to_zero_and_is_not_valid() {
    assert_eq!(Sum::new().finish(), 0xffff);
    assert!(!Sum::new().is_valid());
}

//= https://www.rfc-editor.org/rfc/rfc1624#section-3
//= type=test
//# HC' = ~(C + (-m) + m')    --    [Eqn. 3]
//#     = ~(~HC + ~m + m')
#[test]
fn the_example_of_rfc_1624() {
    // Section 4: RFC 1141's equation gives 0xffff here, which is wrong.
    assert_eq!(update(0xdd2f, 0x5555, 0x3285), 0x0000);
}

#[test]
fn pseudo_headers_of_both_versions() {
    let (a, b) = (Addr::v4([10, 0, 0, 1]), Addr::v4([192, 168, 255, 254]));
    let bytes = [10, 0, 0, 1, 192, 168, 255, 254, 0, 6, 0x12, 0x34];
    assert_eq!(pseudo_header(&a, &b, 6, 0x1234).finish(), reference(&bytes));
    #[cfg(feature = "ipv6")]
    {
        let (a, b) = (noise(16), noise(48).split_off(32));
        let (src, dst): ([u8; 16], [u8; 16]) =
            (a[..].try_into().unwrap(), b[..].try_into().unwrap());
        let bytes = [&a[..], &b[..], &[0, 1, 0x12, 0x34, 0, 0, 0, 58]].concat();
        let sum = pseudo_header(&Addr::v6(src), &Addr::v6(dst), 58, 0x1_1234);
        assert_eq!(sum.finish(), reference(&bytes));
    }
}

proptest! {
    #[test]
    fn updating_is_computing_again(
        mut words in prop::collection::vec(any::<u16>(), 1..40),
        at in any::<prop::sample::Index>(),
        new in any::<u16>(),
    ) {
        let at = at.index(words.len());
        let bytes = |words: &[u16]| words.iter().flat_map(|w| w.to_be_bytes()).collect::<Vec<_>>();
        // A word that never changes and is not zero, as every header has: without it the sum of
        // nothing but zeros has two checksums.
        words.push(0x4500);
        let before = reference(&bytes(&words));
        let old = core::mem::replace(&mut words[at], new);
        prop_assert_eq!(update(before, old, new), reference(&bytes(&words)));
    }

    #[test]
    fn pieces_of_any_size(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..90), 0..8),
    ) {
        let sum = pieces.iter().fold(Sum::new(), |sum, piece| sum.add(piece));
        prop_assert_eq!(sum.finish(), reference(&pieces.concat()));
        let mut copied = Sum::new();
        for piece in &pieces {
            let mut place = vec![0; piece.len()];
            copied = copy_and_sum(&mut place, piece, copied);
            prop_assert_eq!(&place, piece);
        }
        prop_assert_eq!(copied, sum);
    }
}
