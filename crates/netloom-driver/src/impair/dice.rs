//! What happens to each frame, drawn from a seed.

use super::Impairments;

/// A small deterministic generator (SplitMix64): the same seed, the same numbers. For test
/// networks, not for secrets.
#[derive(Debug, Clone)]
pub struct Dice {
    state: u64,
}

/// What happens to one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fate {
    /// It is lost.
    pub lost: bool,
    /// It arrives twice.
    pub duplicated: bool,
    /// One bit is flipped: which, as a fraction of the frame's length in 2^-32.
    pub flipped: Option<u32>,
    /// How many later frames overtake it; 0: none.
    pub overtaken_by: u16,
    /// How long it takes, in microseconds.
    pub delay: u64,
}

impl Dice {
    /// A generator.
    pub const fn new(seed: u64) -> Dice {
        Dice { state: seed }
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        (self.next_u64() >> 32) as u32
    }

    /// A number from 0 to `n - 1`; 0 for an `n` of 0.
    pub fn below(&mut self, n: u32) -> u32 {
        ((u64::from(self.next_u32()) * u64::from(n)) >> 32) as u32
    }

    /// Whether something happens that does so in `ppm` of 1 000 000 cases.
    pub fn chance(&mut self, ppm: u32) -> bool {
        self.below(1_000_000) < ppm
    }

    /// Draws the fate of a frame. As many numbers are drawn whatever the impairments are, so
    /// that changing one leaves the others' draws alone.
    pub fn fate(&mut self, impairments: &Impairments) -> Fate {
        let lost = self.chance(impairments.loss);
        let duplicated = self.chance(impairments.duplicate);
        let corrupted = self.chance(impairments.corrupt);
        let flipped = self.next_u32();
        let reordered = self.chance(impairments.reorder);
        let jitter = u32::try_from(impairments.jitter).unwrap_or(u32::MAX);
        let jitter = self.below(jitter.saturating_add(1));
        Fate {
            lost,
            duplicated,
            flipped: corrupted.then_some(flipped),
            overtaken_by: if reordered {
                impairments.reorder_by.max(1)
            } else {
                0
            },
            delay: impairments.delay.saturating_add(u64::from(jitter)),
        }
    }
}

impl Fate {
    /// The bit of a frame of `len` bytes that is flipped.
    pub fn flipped_bit(&self, len: usize) -> Option<usize> {
        let bits = u64::try_from(len).ok()?.checked_mul(8)?;
        let bit = (u64::from(self.flipped?).checked_mul(bits)?) >> 32;
        usize::try_from(bit).ok().filter(|bit| bit / 8 < len)
    }

    /// Flips the bit, if one is to be.
    pub fn corrupt(&self, frame: &mut [u8]) {
        let Some(bit) = self.flipped_bit(frame.len()) else {
            return;
        };
        if let Some(byte) = frame.get_mut(bit / 8) {
            *byte ^= 0x80 >> (bit % 8);
        }
    }
}
