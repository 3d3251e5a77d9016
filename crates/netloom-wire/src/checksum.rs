//! The Internet checksum (RFC 1071): sums, sums made while copying, and incremental update.

use crate::addr::Addr;
#[cfg(not(target_pointer_width = "64"))]
use compact as lanes;
#[cfg(target_pointer_width = "64")]
use wide as lanes;

/// A one's complement sum in the making. It knows whether an odd number of bytes went in, so
/// that data may come in pieces of any length.
///
/// ```
/// use netloom_wire::checksum::Sum;
/// let whole = Sum::new().add(&[1, 2, 3, 4, 5]);
/// assert_eq!(Sum::new().add(&[1]).add(&[2, 3, 4]).add(&[5]), whole);
/// ```
#[derive(Copy, Clone, Default, Debug, PartialEq, Eq)]
pub struct Sum {
    /// The folded sum, in the machine's byte order: RFC 1071 §2(B) says the order of the bytes
    /// in a word does not matter until the end.
    folded: u16,
    /// An odd number of bytes was added: the next one is the low half of a word.
    odd: bool,
}

impl Sum {
    /// The sum of nothing.
    #[inline]
    #[must_use]
    pub const fn new() -> Self {
        Self {
            folded: 0,
            odd: false,
        }
    }

    /// Appends `len` bytes whose own sum is `folded`.
    #[inline]
    const fn append(self, folded: u16, odd: bool) -> Self {
        //= https://www.rfc-editor.org/rfc/rfc1071#section-2
        //# The sum of 16-bit integers can be computed in either byte order.
        //# Thus, if we calculate the swapped sum:
        let folded = if self.odd {
            folded.swap_bytes()
        } else {
            folded
        };
        Self {
            folded: add(self.folded, folded),
            odd: self.odd ^ odd,
        }
    }

    /// Appends bytes.
    #[inline]
    #[must_use]
    #[expect(
        clippy::should_implement_trait,
        reason = "a sum appends; it is no operand"
    )]
    pub fn add(self, bytes: &[u8]) -> Self {
        self.append(lanes::sum(bytes), bytes.len() % 2 != 0)
    }

    /// Appends a 16-bit number in network byte order.
    #[inline]
    #[must_use]
    pub const fn add_u16(self, value: u16) -> Self {
        self.append(value.to_be(), false)
    }

    /// Appends a 32-bit number in network byte order.
    #[inline]
    #[must_use]
    pub const fn add_u32(self, value: u32) -> Self {
        self.add_u16((value >> 16) as u16).add_u16(value as u16)
    }

    /// Appends what another sum was made of.
    #[inline]
    #[must_use]
    pub const fn combine(self, other: Self) -> Self {
        self.append(other.folded, other.odd)
    }

    /// The checksum to store, in network byte order: the complement of the sum.
    #[inline]
    #[must_use]
    pub const fn finish(self) -> u16 {
        //= https://www.rfc-editor.org/rfc/rfc1071#section-1
        //# To generate a checksum, the checksum field itself is cleared,
        //# the 16-bit 1's complement sum is computed over the octets
        //# concerned, and the 1's complement of this sum is placed in the
        //# checksum field.
        !u16::from_be(self.folded)
    }

    /// Whether data summed together with its checksum field is intact.
    #[inline]
    #[must_use]
    pub const fn is_valid(self) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc1071#section-1
        //# If the result is all 1 bits (-0 in 1's complement
        //# arithmetic), the check succeeds.
        self.folded == 0xffff
    }
}

/// One's complement addition.
#[inline]
const fn add(a: u16, b: u16) -> u16 {
    let (sum, carry) = a.overflowing_add(b);
    // With a carry the sum is at most 0xfffe, so this cannot overflow.
    sum.wrapping_add(carry as u16)
}

/// The pseudo-header of TCP, UDP and ICMPv6 (RFC 9293 §3.1, RFC 8200 §8.1). `len` is the length
/// of the transport header and its payload in bytes.
#[inline]
#[must_use]
pub fn pseudo_header(src: &Addr, dst: &Addr, protocol: u8, len: u32) -> Sum {
    // IPv4 addresses may be summed in their sixteen-byte form: the ::ffff: before them adds
    // 0xffff, which is zero in one's complement. The protocol keeps the sum from being zero.
    Sum::new()
        .add(src.as_bytes())
        .add(dst.as_bytes())
        .add_u32(len)
        .add_u16(u16::from(protocol))
}

/// Copies `src` to `dst` and appends it to `sum`, reading each byte once. As many bytes as the
/// shorter slice has.
#[inline]
#[must_use]
pub fn copy_and_sum(dst: &mut [u8], src: &[u8], sum: Sum) -> Sum {
    let len = dst.len().min(src.len());
    match (dst.split_at_mut_checked(len), src.split_at_checked(len)) {
        (Some((dst, _)), Some((src, _))) => sum.append(lanes::copy_and_sum(dst, src), len % 2 != 0),
        // `len` is no longer than either.
        _ => sum,
    }
}

/// The checksum after one 16-bit word it covers changed from `old` to `new` (RFC 1624 eqn. 3).
#[inline]
#[must_use]
pub const fn update(checksum: u16, old: u16, new: u16) -> u16 {
    //= https://www.rfc-editor.org/rfc/rfc1624#section-3
    //# HC' = ~(C + (-m) + m')    --    [Eqn. 3]
    //#     = ~(~HC + ~m + m')
    !add(add(!checksum, !old), new)
}

/// The last bytes, fewer than eight, as a word padded with zeros at its end.
#[inline]
fn tail_word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    for (place, byte) in word.iter_mut().zip(bytes) {
        *place = *byte;
    }
    u64::from_ne_bytes(word)
}

/// 64-bit machines: four 64-bit lanes, each the sum of 32-bit halves so that no carry is lost.
/// Nothing depends on the order of the additions, so compilers make vector code of it.
#[cfg_attr(not(target_pointer_width = "64"), allow(dead_code))]
mod wide {
    use super::tail_word;

    /// Bytes a step.
    const STEP: usize = 32;

    /// A lane takes fewer than 2^32 values below 2^33: it overflows after 64 GiB.
    #[derive(Default)]
    struct Lanes([u64; 4]);

    impl Lanes {
        #[inline(always)]
        fn add(&mut self, block: &[u8; STEP]) {
            for (lane, word) in self.0.iter_mut().zip(block.chunks_exact(8)) {
                let word = word
                    .first_chunk()
                    .map_or(0, |word| u64::from_ne_bytes(*word));
                *lane = lane
                    .wrapping_add(word & 0xffff_ffff)
                    .wrapping_add(word >> 32);
            }
        }

        #[inline(always)]
        fn fold(self, rest: u64) -> u16 {
            let [a, b, c, d] = self.0;
            fold(fold(a) + fold(b) + fold(c) + fold(d) + fold(rest)) as u16
        }
    }

    /// Down to 16 bits and their carries, twice: at most 0xffff.
    #[inline(always)]
    fn fold(sum: u64) -> u64 {
        let sum = (sum & 0xffff_ffff) + (sum >> 32);
        let sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
        let sum = (sum & 0xffff) + (sum >> 16);
        (sum & 0xffff) + (sum >> 16)
    }

    #[inline]
    pub(super) fn sum(bytes: &[u8]) -> u16 {
        let mut lanes = Lanes::default();
        let mut blocks = bytes.chunks_exact(STEP);
        for block in blocks.by_ref() {
            if let Some(block) = block.first_chunk() {
                lanes.add(block);
            }
        }
        let mut words = blocks.remainder().chunks_exact(8);
        let mut rest = 0;
        for word in words.by_ref() {
            rest += fold(tail_word(word));
        }
        rest += fold(tail_word(words.remainder()));
        lanes.fold(rest)
    }

    #[inline]
    pub(super) fn copy_and_sum(dst: &mut [u8], src: &[u8]) -> u16 {
        let mut lanes = Lanes::default();
        let mut places = dst.chunks_exact_mut(STEP);
        let mut blocks = src.chunks_exact(STEP);
        for (place, block) in places.by_ref().zip(blocks.by_ref()) {
            if let (Some(place), Some(block)) = (place.first_chunk_mut(), block.first_chunk()) {
                *place = *block;
                lanes.add(block);
            }
        }
        let (places, blocks) = (places.into_remainder(), blocks.remainder());
        let mut rest = 0;
        for (place, word) in places.chunks_mut(8).zip(blocks.chunks(8)) {
            place.copy_from_slice(word);
            rest += fold(tail_word(word));
        }
        lanes.fold(rest)
    }
}

/// Smaller machines: one word at a time with its carry, little code.
#[cfg_attr(target_pointer_width = "64", allow(dead_code))]
mod compact {
    #[inline]
    fn add_word(sum: u32, word: &[u8]) -> u32 {
        let mut padded = [0; 4];
        match word.first_chunk() {
            Some(word) => padded = *word,
            None => {
                for (place, byte) in padded.iter_mut().zip(word) {
                    *place = *byte;
                }
            }
        }
        let (sum, carry) = sum.overflowing_add(u32::from_ne_bytes(padded));
        sum.wrapping_add(u32::from(carry))
    }

    #[inline]
    fn fold(sum: u32) -> u16 {
        let sum = (sum & 0xffff) + (sum >> 16);
        ((sum & 0xffff) + (sum >> 16)) as u16
    }

    pub(super) fn sum(bytes: &[u8]) -> u16 {
        fold(bytes.chunks(4).fold(0, add_word))
    }

    pub(super) fn copy_and_sum(dst: &mut [u8], src: &[u8]) -> u16 {
        let mut sum = 0;
        for (place, word) in dst.chunks_mut(4).zip(src.chunks(4)) {
            place.copy_from_slice(word);
            sum = add_word(sum, word);
        }
        fold(sum)
    }
}

#[cfg(test)]
mod tests;
