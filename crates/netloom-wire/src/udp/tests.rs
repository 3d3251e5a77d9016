//! Lengths, and the two meanings of a zero checksum.

use std::vec;

use super::*;
use crate::checksum::copy_and_sum;

const SRC: Addr = Addr::v4([10, 0, 0, 1]);
const DST: Addr = Addr::v4([10, 0, 0, 2]);

/// Attack class 1: a length that is not the buffer's.
// RFC 768: "Length is the length in octets of this user datagram including this header and the
// data. (This means the minimum value of the length is eight.)"
#[test]
fn every_length_against_every_buffer_length() {
    for len in 0..100_u16 {
        for buf_len in 0..100_usize {
            let mut datagram = vec![7; buf_len];
            if let Some(field) = datagram.get_mut(4..6) {
                field.copy_from_slice(&len.to_be_bytes());
            }
            match UdpView::new(&datagram) {
                Ok(udp) => {
                    assert!(len >= 8 && usize::from(len) <= buf_len);
                    assert_eq!(
                        (udp.len(), udp.payload()),
                        (len, &datagram[8..usize::from(len)])
                    );
                }
                Err(WireError::Truncated) => assert!(buf_len < 8),
                Err(error) => {
                    assert_eq!(error, WireError::BadTotalLength);
                    assert!(len < 8 || usize::from(len) > buf_len);
                }
            }
        }
    }
}

/// A datagram with this payload, checksum included.
fn datagram<const N: usize>(src: &Addr, dst: &Addr, payload: &[u8]) -> [u8; N] {
    let repr = UdpRepr {
        src_port: 5001,
        dst_port: 5002,
        payload_len: payload.len() as u16,
    };
    let mut out = [0; N];
    let body = repr.emit(&mut out).unwrap();
    let sum = copy_and_sum(body, payload, Sum::new());
    set_checksum(&mut out, repr.checksum(src, dst, sum));
    assert_eq!(UdpRepr::parse(&UdpView::new(&out).unwrap()), repr);
    out
}

#[test]
fn checksums_cover_header_payload_and_addresses() {
    let good: [u8; 13] = datagram(&SRC, &DST, b"hello");
    assert!(UdpView::new(&good).unwrap().checksum_valid(&SRC, &DST));
    assert!(!UdpView::new(&good).unwrap().checksum_valid(&SRC, &SRC));
    for at in (0..4).chain(6..13) {
        let mut bad = good;
        bad[at] ^= 0x10;
        assert!(
            !UdpView::new(&bad).unwrap().checksum_valid(&SRC, &DST),
            "byte {at}"
        );
    }
}

// RFC 768: "If the computed checksum is zero, it is transmitted as all ones (the equivalent in
// one's complement arithmetic)."
#[test]
fn computed_zeros_are_sent_as_ones() {
    let mut seen = false;
    for word in 0..=u16::MAX {
        let bytes: [u8; 10] = datagram(&SRC, &DST, &word.to_be_bytes());
        let udp = UdpView::new(&bytes).unwrap();
        assert_ne!(udp.checksum(), 0);
        assert!(udp.checksum_valid(&SRC, &DST));
        seen |= udp.checksum() == 0xffff;
    }
    assert!(seen, "one of 2^16 words makes the sum zero");
}

//= https://www.rfc-editor.org/rfc/rfc8200#section-8.1
//= type=test
//# IPv6 receivers must discard UDP packets containing a zero checksum
//# and should log the error.
#[test]
fn no_checksum_is_accepted_over_ipv4_alone() {
    let mut bytes: [u8; 13] = datagram(&SRC, &DST, b"hello");
    set_checksum(&mut bytes, 0);
    assert!(UdpView::new(&bytes).unwrap().checksum_valid(&SRC, &DST));
    #[cfg(feature = "ipv6")]
    {
        let (src, dst) = (Addr::V6_LOCALHOST, Addr::V6_LOCALHOST);
        assert!(!UdpView::new(&bytes).unwrap().checksum_valid(&src, &dst));
        let bytes: [u8; 13] = datagram(&src, &dst, b"hello");
        assert!(UdpView::new(&bytes).unwrap().checksum_valid(&src, &dst));
    }
}

#[test]
fn what_does_not_fit_is_not_written() {
    let repr = UdpRepr {
        src_port: 1,
        dst_port: 2,
        payload_len: 65_527,
    };
    assert!(repr.emit(&mut [0; 8]).is_ok());
    assert_eq!(
        repr.emit(&mut [0; 7]).unwrap_err(),
        WireError::BufferTooSmall
    );
    let long = UdpRepr {
        payload_len: 65_528,
        ..repr
    };
    assert_eq!(
        long.emit(&mut [0; 8]).unwrap_err(),
        WireError::BadTotalLength
    );
    let mut short = [1; 7];
    set_checksum(&mut short, 0xffff);
    assert_eq!(short, [1; 7]);
}
