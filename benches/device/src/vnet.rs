//! What smoltcp's adapter and the fake put in front of a frame.

/// Bytes of `virtio_net_hdr`.
pub const HEADER_LEN: usize = 10;

const TCP: u8 = 6;
/// Payload of a frame of 1500 bytes without options.
pub const MSS: usize = 1460;

/// Leaves the checksum of a TCP segment, and its segmentation, to the kernel: fills in a header of
/// zeros, and the sum of the pseudo-header. Other frames stay as they are. `ip` is the length of the
/// link's header.
pub fn finish(header: &mut [u8], frame: &mut [u8], ip: usize) {
    if frame.len() < ip + 40 || frame[ip] >> 4 != 4 || frame[ip + 9] != TCP {
        return;
    }
    let tcp = ip + usize::from(frame[ip] & 0xf) * 4;
    let headers = tcp + usize::from(frame[tcp + 12] >> 4) * 4;
    let sum = pseudo_header(frame, ip, tcp);
    frame[tcp + 16..tcp + 18].copy_from_slice(&(sum as u16).to_be_bytes());
    let mut put = |at: usize, value: usize| {
        header[at..at + 2].copy_from_slice(&(value as u16).to_ne_bytes());
    };
    put(6, tcp);
    put(8, 16);
    if frame.len() - headers > MSS {
        put(2, headers);
        put(4, MSS);
        header[1] = 1;
    }
    header[0] = 1;
}

/// The folded sum of an IPv4 segment's pseudo-header.
pub fn pseudo_header(frame: &[u8], ip: usize, tcp: usize) -> u32 {
    let addresses = sum(&frame[ip + 12..ip + 20], 0);
    fold(addresses + u32::from(TCP) + (frame.len() - tcp) as u32)
}

/// Adds up 16-bit words.
pub fn sum(bytes: &[u8], start: u32) -> u32 {
    bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |&low| u32::from(low)))
        .fold(start, |sum, word| sum + word)
}

/// Folds a sum into 16 bits.
pub fn fold(mut sum: u32) -> u32 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum
}
