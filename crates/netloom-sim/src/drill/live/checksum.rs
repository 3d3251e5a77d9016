//! The internet checksum (RFC 1071), two bytes at a time.

use std::net::IpAddr;

/// The checksum of bytes and a sum to begin with.
pub(super) fn checksum(bytes: &[u8], initial: u64) -> u16 {
    let mut sum = initial;
    for pair in bytes.chunks(2) {
        let low = pair.get(1).copied().unwrap_or(0);
        sum += u64::from(u16::from_be_bytes([pair[0], low]));
    }
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// The sum of the pseudo-header of RFC 9293 §3.1 and RFC 8200 §8.1.
pub(super) fn pseudo_header(src: IpAddr, dst: IpAddr, protocol: u8, len: usize) -> u64 {
    let octets = |addr: IpAddr| -> Vec<u8> {
        match addr {
            IpAddr::V4(addr) => addr.octets().to_vec(),
            IpAddr::V6(addr) => addr.octets().to_vec(),
        }
    };
    let addresses = [octets(src), octets(dst)].concat();
    let words = addresses
        .chunks(2)
        .map(|pair| u64::from(u16::from_be_bytes([pair[0], pair[1]])));
    words.sum::<u64>() + u64::from(protocol) + len as u64
}
