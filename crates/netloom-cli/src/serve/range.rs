//! Byte ranges (RFC 9110 §14).

use super::body::parse_decimal;
use super::request::trim_ows;

#[cfg(test)]
mod tests;

/// Octets `first` to `last`, both included, of a representation that has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ByteRange {
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl ByteRange {
    /// The number of octets, at least one.
    pub(crate) fn len(self) -> u64 {
        self.last - self.first + 1
    }
}

/// What a `Range` field selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selection {
    /// The field is to be ignored.
    Whole,
    /// These ranges, at least one, far enough apart to be sent as parts, in the order they were
    /// asked for.
    Ranges(Vec<ByteRange>),
    /// None of the ranges has an octet: 416.
    Unsatisfiable,
}

/// Ranges in one field; more are a fault or an attack (RFC 9110 §17.15), and the field is ignored.
const MAX_RANGES: usize = 64;

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

/// The ranges of a representation of `size` octets that a `Range` field with this value selects.
pub(crate) fn select(value: &[u8], size: u64) -> Selection {
    //= https://www.rfc-editor.org/rfc/rfc9110#section-14.2
    //# A server that supports range requests MAY ignore a Range header field
    //# when the selected representation has no content (i.e., the selected
    //# representation's data is of zero length).
    if size == 0 {
        return Selection::Whole;
    }
    let Some(equals) = value.iter().position(|&b| b == b'=') else {
        return Selection::Whole;
    };
    //= https://www.rfc-editor.org/rfc/rfc9110#section-14.2
    //# An origin server MUST ignore a Range header field that contains a
    //# range unit it does not understand.
    if !value[..equals].eq_ignore_ascii_case(b"bytes") {
        return Selection::Whole;
    }
    let (mut ranges, mut count) = (Vec::new(), 0);
    for spec in value[equals + 1..].split(|&b| b == b',').map(trim_ows) {
        if spec.is_empty() {
            continue;
        }
        count += 1;
        //= https://www.rfc-editor.org/rfc/rfc9110#section-14.2
        //# A server that supports range requests MAY ignore or reject a Range
        //# header field that contains an invalid ranges-specifier
        let Some(range) = parse_spec(spec, size).filter(|_| count <= MAX_RANGES) else {
            return Selection::Whole;
        };
        ranges.extend(range);
    }
    match (count, ranges.is_empty()) {
        (0, _) => Selection::Whole,
        (_, true) => Selection::Unsatisfiable,
        (_, false) => Selection::Ranges(coalesce(&ranges)),
    }
}

/// One range-spec: `None` if it is invalid, `Some(None)` if no octet answers it.
fn parse_spec(spec: &[u8], size: u64) -> Option<Option<ByteRange>> {
    let dash = spec.iter().position(|&b| b == b'-')?;
    let (first, last) = (&spec[..dash], &spec[dash + 1..]);
    let end = size - 1;
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

/// Merges ranges that overlap or nearly touch; a merged range stands where the first of its
/// ranges stood.
//= https://www.rfc-editor.org/rfc/rfc9110#section-15.3.7.2
//# A server that generates a multipart response SHOULD send the parts in
//# the same order that the corresponding range-spec appeared in the
//# received Range header field, excluding those ranges that were deemed
//# unsatisfiable or that were coalesced into other ranges.
fn coalesce(ranges: &[ByteRange]) -> Vec<ByteRange> {
    let mut by_offset: Vec<(usize, ByteRange)> = ranges.iter().copied().enumerate().collect();
    by_offset.sort_by_key(|(_, range)| range.first);
    let mut merged: Vec<(usize, ByteRange)> = Vec::with_capacity(ranges.len());
    for (order, range) in by_offset {
        match merged.last_mut() {
            Some((place, last)) if range.first.saturating_sub(last.last) <= PART_OVERHEAD => {
                last.last = last.last.max(range.last);
                *place = (*place).min(order);
            }
            _ => merged.push((order, range)),
        }
    }
    merged.sort_by_key(|(order, _)| *order);
    merged.into_iter().map(|(_, range)| range).collect()
}
