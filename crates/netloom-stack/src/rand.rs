//! Everything unpredictable: keyed hashes and random numbers, all from one [`Seed`].
//!
//! The stack has no source of entropy and no global state: the program hands over 32 secret bytes
//! once. From them comes a key for every purpose ([`Rng::derive_key`]) and a stream of numbers, the
//! same for the same seed.

use core::fmt;

#[cfg(any(test, not(target_pointer_width = "64")))]
#[cfg_attr(
    target_pointer_width = "64",
    expect(dead_code, unreachable_pub, reason = "tested here, used on 32 bits")
)]
mod chaskey;
#[cfg(test)]
mod tests;

#[cfg(not(target_pointer_width = "64"))]
pub use chaskey::Chaskey;

/// What tuples and the keys of tables are hashed with: a hash of 64 bits that nobody without the
/// key can predict, of words of 32 bits. Small machines have one for all purposes.
#[cfg(target_pointer_width = "64")]
pub type WordHash = SipHash13;

/// See the one for 64 bits.
#[cfg(not(target_pointer_width = "64"))]
pub type WordHash = Chaskey;

/// What keys and random numbers are made with.
#[cfg(target_pointer_width = "64")]
type Maker = SipHash24;
#[cfg(not(target_pointer_width = "64"))]
type Maker = Chaskey;

/// SipHash with `C` rounds a block and `D` at the end: a keyed hash of 64 bits that nobody without
/// the key can predict, or find collisions of.
#[derive(Clone)]
pub struct SipHash<const C: usize, const D: usize> {
    key: [u64; 2],
}

/// The fast variant, for hash tables: its output is not seen on the wire.
pub type SipHash13 = SipHash<1, 3>;

/// The conservative variant, for numbers a peer gets to see.
pub type SipHash24 = SipHash<2, 4>;

impl<const C: usize, const D: usize> SipHash<C, D> {
    /// The hash under a key of 128 bits.
    pub const fn new(k0: u64, k1: u64) -> Self {
        SipHash { key: [k0, k1] }
    }

    /// Hashes bytes.
    pub fn hash(&self, bytes: &[u8]) -> u64 {
        let mut state = State::new(&self.key);
        let mut blocks = bytes.chunks_exact(8);
        for block in blocks.by_ref() {
            state.block(C, block.try_into().map_or(0, u64::from_le_bytes));
        }
        // The last block: what is left, and the length modulo 256 in the highest byte.
        let mut last = (bytes.len() as u64) << 56;
        for (i, byte) in blocks.remainder().iter().enumerate() {
            last |= u64::from(*byte) << (8 * i);
        }
        state.block(C, last);
        state.finish(D)
    }

    /// Hashes words: the hash of their little-endian bytes, without going through bytes. This is
    /// the way for addresses and ports.
    #[inline]
    pub fn hash_words(&self, words: &[u32]) -> u64 {
        hash_words(&self.key, words, C, D)
    }
}

/// Shows nothing: the key is secret.
impl<const C: usize, const D: usize> fmt::Debug for SipHash<C, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SipHash(..)")
    }
}

/// [`SipHash::hash_words`] with `c` and `d` rounds, which are constants and the loops unrolled.
#[inline(always)]
fn hash_words(key: &[u64; 2], words: &[u32], c: usize, d: usize) -> u64 {
    let mut state = State::new(key);
    let mut pairs = words.chunks_exact(2);
    for pair in pairs.by_ref() {
        if let [low, high] = *pair {
            state.block(c, u64::from(low) | u64::from(high) << 32);
        }
    }
    let rest = pairs.remainder().first().copied().unwrap_or(0);
    state.block(c, u64::from(rest) | (words.len() as u64 * 4) << 56);
    state.finish(d)
}

/// SipHash's state while it absorbs blocks.
struct State {
    v0: u64,
    v1: u64,
    v2: u64,
    v3: u64,
}

impl State {
    #[inline]
    fn new(&[k0, k1]: &[u64; 2]) -> State {
        State {
            v0: k0 ^ 0x736f_6d65_7073_6575,
            v1: k1 ^ 0x646f_7261_6e64_6f6d,
            v2: k0 ^ 0x6c79_6765_6e65_7261,
            v3: k1 ^ 0x7465_6462_7974_6573,
        }
    }

    #[inline]
    fn block(&mut self, rounds: usize, block: u64) {
        self.v3 ^= block;
        for _ in 0..rounds {
            self.round();
        }
        self.v0 ^= block;
    }

    #[inline]
    fn finish(mut self, rounds: usize) -> u64 {
        self.v2 ^= 0xff;
        for _ in 0..rounds {
            self.round();
        }
        self.v0 ^ self.v1 ^ self.v2 ^ self.v3
    }

    /// One SipRound: 14 instructions, and inlined. A processor of 32 bits needs some 60, so there
    /// it stays a function of its own, called from loops.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn round(&mut self) {
        self.v0 = self.v0.wrapping_add(self.v1);
        self.v1 = self.v1.rotate_left(13) ^ self.v0;
        self.v0 = self.v0.rotate_left(32);
        self.v2 = self.v2.wrapping_add(self.v3);
        self.v3 = self.v3.rotate_left(16) ^ self.v2;
        self.v0 = self.v0.wrapping_add(self.v3);
        self.v3 = self.v3.rotate_left(21) ^ self.v0;
        self.v2 = self.v2.wrapping_add(self.v1);
        self.v1 = self.v1.rotate_left(17) ^ self.v2;
        self.v2 = self.v2.rotate_left(32);
    }
}

/// The secret all unpredictability comes from: 32 bytes from a hardware generator or the operating
/// system, different at every start. There is no default, so it cannot be forgotten.
pub struct Seed([u8; 32]);

impl Seed {
    /// A seed everybody can guess, **for tests and simulations only**: whoever knows it knows every
    /// sequence number and port that follows from it.
    pub const fn for_tests(number: u64) -> Seed {
        let n = number.to_le_bytes();
        let mut bytes = *b"netloom: not secret, for testing";
        let mut i = 0;
        #[expect(
            clippy::indexing_slicing,
            reason = "i < 8, the length of `n`; `bytes` has 32"
        )]
        while i < n.len() {
            bytes[i] ^= n[i];
            i += 1;
        }
        Seed(bytes)
    }

    fn words(&self) -> [u64; 4] {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(self.0.chunks_exact(8)) {
            *word = bytes.try_into().map_or(0, u64::from_le_bytes);
        }
        words
    }
}

impl From<[u8; 32]> for Seed {
    fn from(bytes: [u8; 32]) -> Seed {
        Seed(bytes)
    }
}

/// Shows nothing: the seed is secret.
impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// Random numbers and keys from a [`Seed`]: SipHash-2-4, on 32 bits Chaskey-12, in counter mode under secret keys.
///
/// Without the seed its output is indistinguishable from noise, as far as that is a
/// pseudo-random function; with it, everything can be repeated. It is not meant for making keys of
/// other protocols.
pub struct Rng {
    /// The two halves of the seed. A key is made under both, so it is as strong as the stronger.
    halves: [Maker; 2],
    #[cfg(target_pointer_width = "64")]
    numbers: Maker,
    counter: u64,
}

impl Rng {
    /// Starts the stream of numbers of this seed.
    pub fn new(seed: &Seed) -> Rng {
        let [a, b, c, d] = seed.words();
        let halves = [Maker::new(a, b), Maker::new(c, d)];
        Rng {
            #[cfg(target_pointer_width = "64")]
            numbers: numbers(&halves),
            halves,
            counter: 0,
        }
    }

    /// The key of the stream of numbers. Small machines derive it whenever a number is asked for,
    /// which is seldom.
    #[inline]
    fn numbers(&self) -> Maker {
        #[cfg(target_pointer_width = "64")]
        return self.numbers.clone();
        #[cfg(not(target_pointer_width = "64"))]
        numbers(&self.halves)
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.counter = self.counter.wrapping_add(1);
        self.numbers()
            .hash_words(&[self.counter as u32, (self.counter >> 32) as u32])
    }

    /// 32 random bits.
    #[inline]
    pub fn next_u32(&mut self) -> u32 {
        self.next_u64() as u32
    }

    /// A number below `n`, all equally likely; 0 if `n` is 0.
    pub fn below(&mut self, n: u32) -> u32 {
        // Lemire's method: of the 2^32 products those that make some results likelier are refused.
        let mut product = u64::from(self.next_u32()) * u64::from(n);
        if (product as u32) < n {
            let refused = n.wrapping_neg() % n;
            while (product as u32) < refused {
                product = u64::from(self.next_u32()) * u64::from(n);
            }
        }
        (product >> 32) as u32
    }

    /// A key for one purpose, numbered by the caller. The same purpose always gets the same key of
    /// a seed; the keys of different purposes, and the stream of numbers, tell nothing about each
    /// other.
    pub fn derive_key(&self, domain: u32) -> WordHash {
        #[cfg(not(target_pointer_width = "64"))]
        return derive(&self.halves, u64::from(domain));
        #[cfg(target_pointer_width = "64")]
        {
            let [k0, k1] = derive(&self.halves, u64::from(domain));
            SipHash::new(k0, k1)
        }
    }

    /// Like [`derive_key`](Rng::derive_key), for a hash whose output goes onto the wire. A purpose
    /// has one key: do not use its number for both.
    pub fn derive_wire_key(&self, domain: u32) -> Maker {
        #[cfg(not(target_pointer_width = "64"))]
        return derive(&self.halves, u64::from(domain));
        #[cfg(target_pointer_width = "64")]
        {
            let [k0, k1] = derive(&self.halves, u64::from(domain));
            SipHash::new(k0, k1)
        }
    }
}

/// The domain of the stream of numbers: beyond any the caller can name.
const NUMBERS: u64 = 1 << 32;

#[cfg(target_pointer_width = "64")]
fn numbers(halves: &[Maker; 2]) -> Maker {
    let [k0, k1] = derive(halves, NUMBERS);
    SipHash::new(k0, k1)
}

#[cfg(not(target_pointer_width = "64"))]
fn numbers(halves: &[Maker; 2]) -> Maker {
    derive(halves, NUMBERS)
}

#[cfg(target_pointer_width = "64")]
fn derive([first, second]: &[Maker; 2], domain: u64) -> [u64; 2] {
    let (low, high) = (domain as u32, (domain >> 32) as u32);
    [0, 1].map(|half| {
        // Different labels: two equal halves must not cancel each other out.
        first.hash_words(&[low, high, half]) ^ second.hash_words(&[low, high, half | 2])
    })
}

/// The key of a purpose: one half of the seed says 0, the other 2, as where a hash is of 64 bits.
#[cfg(not(target_pointer_width = "64"))]
#[inline(never)]
fn derive([first, second]: &[Maker; 2], domain: u64) -> Chaskey {
    let (low, high) = (domain as u32, (domain >> 32) as u32);
    let mut key = first.hash(&[low, high, 0]);
    for (word, other) in key.iter_mut().zip(second.hash(&[low, high, 2])) {
        *word ^= other;
    }
    Chaskey::with(key)
}

/// Shows nothing: its state is secret.
impl fmt::Debug for Rng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rng(..)")
    }
}
