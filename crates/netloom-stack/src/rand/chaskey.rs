//! Chaskey-12: the keyed hash of processors of 32 bits (Mouha and others, SAC 2014; ISO/IEC
//! 29192-6). A round of it is ten of their instructions.

/// A keyed hash of 128 bits that nobody without the key can predict.
#[derive(Clone)]
pub struct Chaskey {
    key: [u32; 4],
}

impl Chaskey {
    /// The hash under a key of 128 bits.
    pub const fn new(k0: u64, k1: u64) -> Chaskey {
        Chaskey::with([k0 as u32, (k0 >> 32) as u32, k1 as u32, (k1 >> 32) as u32])
    }

    pub(super) const fn with(key: [u32; 4]) -> Chaskey {
        Chaskey { key }
    }

    /// The first half of the hash of words: of their little-endian bytes.
    pub fn hash_words(&self, words: &[u32]) -> u64 {
        let [low, high, ..] = self.hash(words);
        u64::from(low) | u64::from(high) << 32
    }

    /// The hash of words.
    #[inline(never)]
    pub(super) fn hash(&self, words: &[u32]) -> [u32; 4] {
        let mut state = self.key;
        let mut last = double(&self.key);
        let mut words = words;
        while words.len() > 4 {
            let (block, rest) = words.split_at(4);
            add(&mut state, block);
            permute(&mut state);
            words = rest;
        }
        add(&mut state, words);
        if let Some(end) = state.get_mut(words.len()) {
            // Less than a block: a bit ends it, and another key.
            *end ^= 1;
            last = double(&last);
        }
        add(&mut state, &last);
        permute(&mut state);
        add(&mut state, &last);
        state
    }
}

/// Shows nothing: the key is secret.
impl core::fmt::Debug for Chaskey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Chaskey(..)")
    }
}

/// Twice a number of GF(2^128).
#[inline(never)]
fn double(&[a, b, c, d]: &[u32; 4]) -> [u32; 4] {
    [
        a << 1 ^ (d >> 31).wrapping_mul(0x87),
        b << 1 | a >> 31,
        c << 1 | b >> 31,
        d << 1 | c >> 31,
    ]
}

/// Adds words, as many as there are, to the state.
#[inline(never)]
fn add(state: &mut [u32; 4], words: &[u32]) {
    for (to, word) in state.iter_mut().zip(words) {
        *to ^= word;
    }
}

#[inline(never)]
fn permute(state: &mut [u32; 4]) {
    let [mut a, mut b, mut c, mut d] = *state;
    for _ in 0..12 {
        a = a.wrapping_add(b);
        b = b.rotate_left(5) ^ a;
        a = a.rotate_left(16);
        c = c.wrapping_add(d);
        d = d.rotate_left(8) ^ c;
        a = a.wrapping_add(d);
        d = d.rotate_left(13) ^ a;
        c = c.wrapping_add(b);
        b = b.rotate_left(7) ^ c;
        c = c.rotate_left(16);
    }
    *state = [a, b, c, d];
}

#[cfg(test)]
mod tests {
    use super::Chaskey;

    /// The authors' key; their messages are the bytes 0, 1, 2 and so on.
    const KEY: [u32; 4] = [0x833d_3433, 0x009f_389f, 0x2398_e64f, 0x417a_cf39];

    /// The tags of messages of 0, 4, 8 and so on bytes.
    const TAGS: [[u32; 4]; 12] = [
        [0x43cb_1f41, 0x51eb_a0c2, 0xff0a_8ac3, 0x7ee3_f642],
        [0x0b2b_62db, 0x1e9e_3f50, 0xa1b8_dcad, 0xb427_9ae0],
        [0x9faf_57d6, 0xf4bc_02cf, 0x6af6_d831, 0xd293_0d90],
        [0xc040_258c, 0xf253_92c0, 0x9f6b_5dc0, 0x35c3_d638],
        [0x5dd0_e2a9, 0xfb5e_ac8c, 0x633a_392e, 0x500c_36f3],
        [0xece3_bdb9, 0x17e5_a589, 0x64aa_2eef, 0x9a75_eced],
        [0x9f01_c148, 0xae4f_c446, 0x6563_e38e, 0xd548_3b99],
        [0x76d1_eb98, 0x8c72_085a, 0x7715_5006, 0xbf38_9002],
        [0x7796_2784, 0x07c6_47fa, 0xdd75_2c0f, 0xd2f5_a799],
        [0xa98e_cb80, 0x5ef5_83cf, 0x4e20_e76e, 0x7873_b8f1],
        [0x155a_b3ab, 0x73d5_1ed7, 0xac6f_3601, 0xef6a_a85c],
        [0x4bdf_ff32, 0xb258_591a, 0x26ad_161b, 0xe344_5e89],
    ];

    #[test]
    fn tags_are_those_of_the_reference() {
        let bytes: [u8; 44] = core::array::from_fn(|at| at as u8);
        let words: [u32; 11] = core::array::from_fn(|at| {
            u32::from_le_bytes(core::array::from_fn(|byte| bytes[4 * at + byte]))
        });
        for (count, tag) in TAGS.iter().enumerate() {
            assert_eq!(
                Chaskey::with(KEY).hash(&words[..count]),
                *tag,
                "{count} words"
            );
        }
    }
}
