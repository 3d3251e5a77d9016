//! Keyed hashes of tuples: one key a purpose, so that no purpose gives another away.

use netloom_wire::Addr;

use crate::rand::{Rng, WordHash};
use crate::tuple::Tuple;

/// The keys of a stack.
pub(crate) struct Keys {
    /// Places in the index.
    pub(crate) index: WordHash,
    /// ISNs (RFC 6528), timestamp offsets, ephemeral ports (RFC 6056).
    pub(crate) tuple: WordHash,
    /// SYN cookies.
    #[cfg(feature = "syn-cookies")]
    pub(crate) cookie: WordHash,
}

/// What a hash of a tuple is for; part of what is hashed.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum Purpose {
    /// ISN and timestamp offset: one half each.
    Connection = 1,
    /// The two hashes of RFC 6056 §3.3.4: one half each.
    Port = 2,
}

impl Keys {
    pub(crate) fn new(rng: &Rng) -> Keys {
        Keys {
            // Without an index, and without listeners that share, nobody asks for its hash.
            index: if cfg!(any(feature = "alloc", feature = "reuseport")) {
                rng.derive_key(1)
            } else {
                WordHash::new(0, 0)
            },
            tuple: rng.derive_key(2),
            #[cfg(feature = "syn-cookies")]
            cookie: rng.derive_key(3),
        }
    }

    /// The place of a tuple in the index.
    #[inline]
    pub(crate) fn index_hash(&self, protocol: u8, tuple: &Tuple) -> u64 {
        hash(&self.index, tuple, u32::from(protocol))
    }

    /// Two numbers that only this stack can compute from a tuple.
    pub(crate) fn secrets(&self, purpose: Purpose, tuple: &Tuple) -> (u32, u32) {
        let hash = hash(&self.tuple, tuple, purpose as u32);
        (hash as u32, (hash >> 32) as u32)
    }

    /// The secret part of a SYN cookie.
    #[cfg(feature = "syn-cookies")]
    pub(crate) fn cookie(&self, tuple: &Tuple, counter: u32) -> u32 {
        hash(&self.cookie, tuple, counter) as u32
    }
}

#[inline]
fn hash(key: &WordHash, tuple: &Tuple, salt: u32) -> u64 {
    match (tuple.scoped_local().v4_octets(), tuple.remote.v4_octets()) {
        (Some(local), Some(remote)) => key.hash_words(&[
            u32::from_le_bytes(local),
            u32::from_le_bytes(remote),
            tuple.ports(),
            salt,
        ]),
        _ => {
            let local = words(tuple.scoped_local());
            let remote = words(&tuple.remote);
            let [a, b, c, d] = local;
            let [e, f, g, h] = remote;
            key.hash_words(&[a, b, c, d, e, f, g, h, tuple.ports(), salt])
        }
    }
}

#[inline]
fn words(addr: &Addr) -> [u32; 4] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = addr.octets16();
    [
        u32::from_le_bytes([a, b, c, d]),
        u32::from_le_bytes([e, f, g, h]),
        u32::from_le_bytes([i, j, k, l]),
        u32::from_le_bytes([m, n, o, p]),
    ]
}
