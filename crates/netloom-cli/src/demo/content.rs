//! What is transferred.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// Octets transferred in each part.
pub(super) const LEN: usize = 10_000_000;

/// Octets no two parts of which are the same.
pub(super) fn content() -> Vec<u8> {
    // Knuth's multiplicative hash of the position: any shift or loss shows.
    (0..LEN.div_ceil(4) as u32)
        .flat_map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes())
        .take(LEN)
        .collect()
}

/// The SHA-256 of `data`, in hexadecimal.
pub(super) fn sha256(data: &[u8]) -> String {
    let mut text = String::new();
    for octet in Sha256::digest(data) {
        // Writing to a string does not fail.
        let _ = write!(text, "{octet:02x}");
    }
    text
}
