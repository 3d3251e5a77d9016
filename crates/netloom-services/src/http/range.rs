//! Byte ranges (RFC 9110 §14).

use core::fmt;

use super::fields::{parse_decimal, split_at_byte, trim_ows};

#[cfg(test)]
mod tests;

/// Octets `first` to `last`, both included, of a representation that has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    /// The first octet, counted from 0.
    pub first: u64,
    /// The last one, no less than the first.
    pub last: u64,
}

impl ByteRange {
    /// The number of octets, at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub const fn len(self) -> u64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }
}

/// What a `Range` field selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection<const N: usize> {
    /// The field is to be ignored.
    Whole,
    /// These ranges, at least one, far enough apart to be sent as parts, in the order they were
    /// asked for.
    Ranges(Ranges<N>),
    /// None of the ranges has an octet: 416.
    Unsatisfiable,
}

/// Up to `N` ranges.
#[derive(Clone, Copy)]
pub struct Ranges<const N: usize> {
    ranges: [ByteRange; N],
    len: usize,
}

/// The octets another part costs: ranges closer than this are sent as one.
///
/// Together with this merging, no request makes the server send notably more than the file.
//= https://www.rfc-editor.org/rfc/rfc9110#section-15.3.7.2
//# When multiple ranges are requested, a server MAY coalesce any of the
//# ranges that overlap, or that are separated by a gap that is smaller
//# than the overhead of sending multiple parts, regardless of the order
//# in which the corresponding range-spec appeared in the received Range
//# header field.
const PART_OVERHEAD: u64 = 80;

impl<const N: usize> Ranges<N> {
    const EMPTY: Self = Self {
        ranges: [ByteRange { first: 0, last: 0 }; N],
        len: 0,
    };

    /// The ranges of a representation of `size` octets that a `Range` field with this value
    /// selects. With more than `N` ranges in it, which is a fault or an attack (RFC 9110 §17.15),
    /// the field is ignored.
    #[must_use]
    pub fn select(value: &[u8], size: u64) -> Selection<N> {
        //= https://www.rfc-editor.org/rfc/rfc9110#section-14.2
        //# A server that supports range requests MAY ignore a Range header field
        //# when the selected representation has no content (i.e., the selected
        //# representation's data is of zero length).
        if size == 0 {
            return Selection::Whole;
        }
        //= https://www.rfc-editor.org/rfc/rfc9110#section-14.2
        //# An origin server MUST ignore a Range header field that contains a
        //# range unit it does not understand.
        let Some((unit, specs)) = split_at_byte(value, b'=') else {
            return Selection::Whole;
        };
        if !unit.eq_ignore_ascii_case(b"bytes") {
            return Selection::Whole;
        }
        let (mut ranges, mut count) = (Self::EMPTY, 0_usize);
        for spec in specs.split(|&b| b == b',').map(trim_ows) {
            if spec.is_empty() {
                continue;
            }
            count = count.saturating_add(1);
            //= https://www.rfc-editor.org/rfc/rfc9110#section-14.2
            //# A server that supports range requests MAY ignore or reject a Range
            //# header field that contains an invalid ranges-specifier
            let Some(range) = parse_spec(spec, size).filter(|_| count <= N) else {
                return Selection::Whole;
            };
            if let Some(range) = range {
                ranges.push(range);
            }
        }
        match (count, ranges.len) {
            (0, _) => Selection::Whole,
            (_, 0) => Selection::Unsatisfiable,
            (_, _) => Selection::Ranges(ranges.coalesced()),
        }
    }

    /// The ranges, in the order they were asked for.
    #[must_use]
    pub fn as_slice(&self) -> &[ByteRange] {
        self.ranges.get(..self.len).unwrap_or_default()
    }

    fn push(&mut self, range: ByteRange) {
        if let Some(place) = self.ranges.get_mut(self.len) {
            *place = range;
            self.len = self.len.saturating_add(1);
        }
    }

    /// Merges ranges that overlap or nearly touch; a merged range stands where the first of its
    /// ranges stood.
    //= https://www.rfc-editor.org/rfc/rfc9110#section-15.3.7.2
    //# A server that generates a multipart response SHOULD send the parts in
    //# the same order that the corresponding range-spec appeared in the
    //# received Range header field, excluding those ranges that were deemed
    //# unsatisfiable or that were coalesced into other ranges.
    fn coalesced(self) -> Self {
        let mut merged = Self::EMPTY;
        for &range in self.as_slice() {
            merged.push(range);
            merged.settle();
        }
        merged
    }

    /// Merges the range at the end into those before it that it nearly touches, and those into each
    /// other.
    fn settle(&mut self) {
        let mut last = self.len.saturating_sub(1);
        'again: loop {
            let Some(&range) = self.ranges.get(last) else {
                return;
            };
            for place in 0..self.len {
                let Some(&other) = self.ranges.get(place).filter(|_| place != last) else {
                    continue;
                };
                if !nearly_touch(range, other) {
                    continue;
                }
                let both = ByteRange {
                    first: range.first.min(other.first),
                    last: range.last.max(other.last),
                };
                let (kept, gone) = (place.min(last), place.max(last));
                if let Some(kept) = self.ranges.get_mut(kept) {
                    *kept = both;
                }
                self.remove(gone);
                last = kept;
                continue 'again;
            }
            return;
        }
    }

    fn remove(&mut self, place: usize) {
        if place < self.len && self.len <= N {
            self.ranges
                .copy_within(place.saturating_add(1)..self.len, place);
            self.len = self.len.saturating_sub(1);
        }
    }
}

impl<const N: usize> PartialEq for Ranges<N> {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl<const N: usize> Eq for Ranges<N> {}

impl<const N: usize> fmt::Debug for Ranges<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

fn nearly_touch(one: ByteRange, other: ByteRange) -> bool {
    one.first.saturating_sub(other.last) <= PART_OVERHEAD
        && other.first.saturating_sub(one.last) <= PART_OVERHEAD
}

/// One range-spec: `None` if it is invalid, `Some(None)` if no octet answers it.
fn parse_spec(spec: &[u8], size: u64) -> Option<Option<ByteRange>> {
    let (first, last) = split_at_byte(spec, b'-')?;
    let end = size.checked_sub(1)?;
    if first.is_empty() {
        //= https://www.rfc-editor.org/rfc/rfc9110#section-14.1.2
        //# If the selected representation
        //# is shorter than the specified suffix-length, the entire
        //# representation is used.
        let suffix = parse_decimal(last)?;
        let range = ByteRange {
            first: size.saturating_sub(suffix),
            last: end,
        };
        return Some((suffix > 0).then_some(range));
    }
    let first = parse_decimal(first)?;
    let last = if last.is_empty() {
        u64::MAX
    } else {
        parse_decimal(last)?
    };
    //= https://www.rfc-editor.org/rfc/rfc9110#section-14.1.1
    //# An int-range is invalid if the last-pos value is present and less
    //# than the first-pos.
    if last < first {
        return None;
    }
    Some((first < size).then_some(ByteRange {
        first,
        last: last.min(end),
    }))
}

/// `Content-Range` (RFC 9110 §14.4): `bytes 0-9/100`, `bytes */100`, `bytes 0-9/*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentRange {
    /// What the content is; none in a response that has none of the octets asked for.
    pub range: Option<ByteRange>,
    /// The length of the whole, if it is known.
    pub complete_length: Option<u64>,
}

impl ContentRange {
    /// `range` of a representation of `size` octets.
    #[must_use]
    pub const fn of(range: ByteRange, size: u64) -> Self {
        Self {
            range: Some(range),
            complete_length: Some(size),
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc9110#section-14.4
    //# A Content-Range field value is invalid if it contains a range-resp
    //# that has a last-pos value less than its first-pos value, or a
    //# complete-length value less than or equal to its last-pos value.
    /// Reads the value of the field; `None` if it is invalid, or of another unit.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (unit, rest) = split_at_byte(value, b' ')?;
        let (range, length) = split_at_byte(rest, b'/')?;
        if !unit.eq_ignore_ascii_case(b"bytes") {
            return None;
        }
        let range = if range == b"*" {
            None
        } else {
            let (first, last) = split_at_byte(range, b'-')?;
            let (first, last) = (parse_decimal(first)?, parse_decimal(last)?);
            Some(ByteRange { first, last })
        };
        let complete_length = match length {
            b"*" => None,
            length => Some(parse_decimal(length)?),
        };
        let is_valid = match (range, complete_length) {
            (Some(range), Some(length)) => range.first <= range.last && range.last < length,
            (Some(range), None) => range.first <= range.last,
            (None, length) => length.is_some(),
        };
        is_valid.then_some(Self {
            range,
            complete_length,
        })
    }
}

impl fmt::Display for ContentRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.range {
            Some(ByteRange { first, last }) => write!(f, "bytes {first}-{last}/")?,
            None => f.write_str("bytes */")?,
        }
        match self.complete_length {
            Some(length) => write!(f, "{length}"),
            None => f.write_str("*"),
        }
    }
}
