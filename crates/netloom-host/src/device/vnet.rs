//! The header in front of frames whose checksum or segmentation is left to whoever takes them:
//! `struct virtio_net_hdr` (virtio 1.2 §5.1.6), in the legacy layout, which TUN, TAP and packet
//! sockets share: ten bytes, integers in the machine's own order.
//!
//! | bytes | field | |
//! |---|---|---|
//! | 0 | `flags` | whether the checksum is to be finished, or has been verified |
//! | 1 | `gso_type` | what kind of super-segment this is |
//! | 2–3 | `hdr_len` | bytes of headers in front of the payload |
//! | 4–5 | `gso_size` | payload bytes of each segment but the last |
//! | 6–7 | `csum_start` | where the sum begins |
//! | 8–9 | `csum_offset` | where it is stored, from there |

use netloom_driver::{PartialChecksum, RxChecksum, RxMeta, TxMeta};

#[cfg(test)]
mod tests;

/// Bytes of the header.
pub(super) const HEADER_LEN: usize = 10;

/// A header as the kernel reads and writes it.
pub(super) type Header = [u8; HEADER_LEN];

const NEEDS_CSUM: u8 = 1;
const DATA_VALID: u8 = 2;

const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;
/// Beside a type: the segments carry explicit congestion notification.
const GSO_ECN: u8 = 0x80;

/// What the kernel is to do with a frame.
pub(super) fn encode(meta: &TxMeta) -> Header {
    let mut header = [0; HEADER_LEN];
    let mut put = |at: usize, value: u16| {
        header[at..at + 2].copy_from_slice(&value.to_ne_bytes());
    };
    if let Some(gso) = meta.gso {
        put(2, gso.header_len);
        put(4, gso.size);
    }
    if let Some(PartialChecksum { start, offset }) = meta.checksum {
        put(6, start);
        put(8, offset);
        header[0] = NEEDS_CSUM;
    }
    if let Some(gso) = meta.gso {
        header[1] = if gso.ipv6 { GSO_TCPV6 } else { GSO_TCPV4 };
    }
    header
}

/// What the kernel says of a frame.
pub(super) fn decode(header: &Header) -> RxMeta {
    let at = |at: usize| u16::from_ne_bytes([header[at], header[at + 1]]);
    let checksum = if header[0] & NEEDS_CSUM != 0 {
        RxChecksum::Partial(PartialChecksum {
            start: at(6),
            offset: at(8),
        })
    } else if header[0] & DATA_VALID != 0 {
        RxChecksum::Verified
    } else {
        RxChecksum::Unverified
    };
    let gso_size = match header[1] & !GSO_ECN {
        GSO_TCPV4 | GSO_TCPV6 => at(4),
        // Merged datagrams are not asked for, and would not be segments of a stream.
        _ => 0,
    };
    RxMeta { checksum, gso_size }
}
