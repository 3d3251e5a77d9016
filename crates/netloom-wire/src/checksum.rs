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
#[derive(Copy, Clone, Default, Debug)]
pub struct Sum {
    /// The sum in the machine's byte order, which RFC 1071 §2 (B) allows until the end, and in 32
    /// bits: 2^16 is 1 modulo 2^16 - 1, so the halves may be added late.
    sum: u32,
    /// An odd number of bytes was added: the next one is the low half of a word.
    odd: bool,
}

impl PartialEq for Sum {
    /// Whether both stand for the same bytes' sum.
    fn eq(&self, other: &Self) -> bool {
        self.odd == other.odd && self.finish() == other.finish()
    }
}

impl Eq for Sum {}

impl Sum {
    /// The sum of nothing.
    #[inline]
    #[must_use]
    pub const fn new() -> Self {
        Self { sum: 0, odd: false }
    }

    /// Appends bytes whose own sum is `sum`.
    #[inline(always)]
    const fn append(self, sum: u32, odd: bool) -> Self {
        // RFC 1071: "Therefore, the sum may be calculated in exactly the same way regardless of the
        // byte order ("big-endian" or "little-endian") of the underlaying hardware."
        //
        // After an odd byte every byte has changed places with its neighbour.
        let sum = if self.odd { sum.rotate_left(8) } else { sum };
        Self {
            sum: add32(self.sum, sum),
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

    /// The sum of 32-bit words in network byte order, whose values were added up to `total`: for
    /// headers that are summed while they are in registers.
    #[inline]
    #[must_use]
    pub const fn of_words(total: u64) -> Self {
        // In one's complement the words' bytes may as well change places after the addition.
        Self {
            sum: add32((total >> 32) as u32, total as u32).to_be(),
            odd: false,
        }
    }

    /// The sum of `N` bytes, a multiple of four: of a header whose length is known when this is
    /// compiled.
    #[inline(always)]
    #[must_use]
    pub fn of_chunk<const N: usize>(bytes: &[u8; N]) -> Self {
        const {
            assert!(
                N % 4 == 0 && N <= 64,
                "whole words, and no more than a header"
            )
        }
        let total = bytes.chunks_exact(4).fold(0u64, |total, word| {
            let word = word
                .first_chunk()
                .map_or(0, |word| u32::from_ne_bytes(*word));
            total.wrapping_add(u64::from(word))
        });
        Self {
            sum: add32((total >> 32) as u32, total as u32),
            odd: false,
        }
    }

    /// Appends a 16-bit number in network byte order.
    #[inline]
    #[must_use]
    pub const fn add_u16(self, value: u16) -> Self {
        self.append(value.to_be() as u32, false)
    }

    /// Appends a 32-bit number in network byte order.
    #[inline]
    #[must_use]
    pub const fn add_u32(self, value: u32) -> Self {
        self.append(value.to_be(), false)
    }

    /// Appends what another sum was made of.
    #[inline]
    #[must_use]
    pub const fn combine(self, other: Self) -> Self {
        self.append(other.sum, other.odd)
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
        !u16::from_be(fold(self.sum))
    }

    /// Whether data summed together with its checksum field is intact.
    #[inline]
    #[must_use]
    pub const fn is_valid(self) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc1071#section-1
        //# If the result is all 1 bits (-0 in 1's complement
        //# arithmetic), the check succeeds.
        fold(self.sum) == 0xffff
    }
}

/// One's complement addition of words.
#[inline(always)]
const fn add16(a: u16, b: u16) -> u16 {
    let (sum, carry) = a.overflowing_add(b);
    // A sum that carried is at most 0xfffe, so this cannot overflow.
    sum.wrapping_add(carry as u16)
}

/// One's complement addition of 32-bit sums.
#[inline(always)]
const fn add32(a: u32, b: u32) -> u32 {
    let (sum, carry) = a.overflowing_add(b);
    sum.wrapping_add(carry as u32)
}

/// A 32-bit sum as the sum of its halves.
#[inline(always)]
const fn fold(sum: u32) -> u16 {
    add16((sum >> 16) as u16, sum as u16)
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
#[cfg_attr(target_pointer_width = "64", inline(always))]
#[cfg_attr(not(target_pointer_width = "64"), inline)]
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
    !add16(add16(!checksum, !old), new)
}

/// The first `N` bytes, cut off the front.
#[inline(always)]
fn take<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (chunk, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(chunk)
}

/// The first `N` bytes, cut off the front.
#[inline(always)]
fn take_mut<'a, const N: usize>(bytes: &mut &'a mut [u8]) -> Option<&'a mut [u8; N]> {
    if bytes.len() < N {
        return None;
    }
    let (chunk, rest) = core::mem::take(bytes).split_first_chunk_mut()?;
    *bytes = rest;
    Some(chunk)
}

/// 64-bit machines. Long data goes through a loop over words that loses no carry and whose steps
/// do not depend on each other: compilers make vector code of it.
#[cfg_attr(not(target_pointer_width = "64"), allow(dead_code))]
mod wide {
    use super::{add32, take, take_mut};

    /// Bytes from which on the vector loop pays.
    const LONG: usize = 64;
    /// Bytes that are copied before they are summed: they are in the first cache still, and a
    /// copy on its own is the fastest there is.
    const PIECE: usize = 4096;

    #[inline(always)]
    const fn add64(a: u64, b: u64) -> u64 {
        let (sum, carry) = a.overflowing_add(b);
        sum.wrapping_add(carry as u64)
    }

    #[inline(always)]
    const fn fold(sum: u64) -> u32 {
        add32((sum >> 32) as u32, sum as u32)
    }

    #[inline]
    pub(super) fn sum(mut bytes: &[u8]) -> u32 {
        let mut sum = 0;
        if bytes.len() >= LONG {
            let (words, rest) = bytes.split_at(bytes.len() & !7);
            sum = sum_words(words);
            bytes = rest;
        }
        while let Some(word) = take::<8>(&mut bytes) {
            sum = add64(sum, u64::from_ne_bytes(*word));
        }
        if let Some(word) = take::<4>(&mut bytes) {
            sum = add64(sum, u32::from_ne_bytes(*word).into());
        }
        if let Some(word) = take::<2>(&mut bytes) {
            sum = add64(sum, u16::from_ne_bytes(*word).into());
        }
        if let Some([last]) = take::<1>(&mut bytes) {
            sum = add64(sum, u16::from_ne_bytes([*last, 0]).into());
        }
        fold(sum)
    }

    /// Sums whole words: the words modulo 2^64, and beside them their upper halves, which would
    /// overflow after 32 GiB. From both follows the sum of the lower halves, and no carry is lost.
    #[inline(never)]
    fn sum_words(bytes: &[u8]) -> u64 {
        let (mut whole, mut upper) = (0u64, 0u64);
        for word in bytes.chunks_exact(8) {
            let word = word
                .first_chunk()
                .map_or(0, |word| u64::from_ne_bytes(*word));
            whole = whole.wrapping_add(word);
            upper = upper.wrapping_add(word >> 32);
        }
        add64(whole.wrapping_sub(upper << 32), upper)
    }

    #[inline(always)]
    pub(super) fn copy_and_sum(dst: &mut [u8], src: &[u8]) -> u32 {
        if src.len() < 8 {
            return fold(copy_and_sum_rest(dst, src));
        }
        copy_and_sum_words(dst, src)
    }

    /// Fewer than eight bytes.
    #[inline(always)]
    fn copy_and_sum_rest(mut dst: &mut [u8], mut src: &[u8]) -> u64 {
        let mut sum = 0;
        if let (Some(place), Some(word)) = (take_mut::<4>(&mut dst), take::<4>(&mut src)) {
            *place = *word;
            sum = add64(sum, u32::from_ne_bytes(*word).into());
        }
        if let (Some(place), Some(word)) = (take_mut::<2>(&mut dst), take::<2>(&mut src)) {
            *place = *word;
            sum = add64(sum, u16::from_ne_bytes(*word).into());
        }
        if let (Some([place]), Some([last])) = (take_mut::<1>(&mut dst), take::<1>(&mut src)) {
            *place = *last;
            sum = add64(sum, u16::from_ne_bytes([*last, 0]).into());
        }
        sum
    }

    fn copy_and_sum_words(mut dst: &mut [u8], mut src: &[u8]) -> u32 {
        let mut sum = 0;
        while src.len() >= LONG {
            let len = src.len().min(PIECE) & !7;
            let (Some((place, after)), Some((piece, rest))) = (
                core::mem::take(&mut dst).split_at_mut_checked(len),
                src.split_at_checked(len),
            ) else {
                // `dst` is as long as `src`.
                return fold(sum);
            };
            place.copy_from_slice(piece);
            sum = add64(sum, sum_words(piece));
            (dst, src) = (after, rest);
        }
        while let (Some(place), Some(word)) = (take_mut::<8>(&mut dst), take::<8>(&mut src)) {
            *place = *word;
            sum = add64(sum, u64::from_ne_bytes(*word));
        }
        fold(add64(sum, copy_and_sum_rest(dst, src)))
    }
}

/// Smaller machines: a word at a time with its carry, in little code.
#[cfg_attr(target_pointer_width = "64", allow(dead_code))]
mod compact {
    use super::{add32, take};

    #[inline(never)]
    pub(super) fn sum(mut bytes: &[u8]) -> u32 {
        let mut sum = 0;
        while let Some(word) = take::<4>(&mut bytes) {
            sum = add32(sum, u32::from_ne_bytes(*word));
        }
        add32(sum, padded(bytes))
    }

    /// One after the other: there are functions for both.
    pub(super) fn copy_and_sum(dst: &mut [u8], src: &[u8]) -> u32 {
        if let Some(dst) = dst.get_mut(..src.len()) {
            dst.copy_from_slice(src);
        }
        sum(src)
    }

    /// Fewer than four bytes, and zeros after them.
    #[inline(always)]
    fn padded(bytes: &[u8]) -> u32 {
        let join = |word, byte: &u8| word << 8 | u32::from(*byte);
        bytes.iter().rev().fold(0u32, join).to_le()
    }
}

#[cfg(test)]
mod tests;
