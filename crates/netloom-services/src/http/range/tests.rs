use std::format;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

/// Ranges in one field.
const MAX_RANGES: usize = 64;

fn select(value: &[u8], size: u64) -> Selection<MAX_RANGES> {
    Ranges::select(value, size)
}

fn ranges(value: &str, size: u64) -> Vec<(u64, u64)> {
    match select(value.as_bytes(), size) {
        Selection::Ranges(ranges) => ranges
            .as_slice()
            .iter()
            .map(|r| (r.first, r.last))
            .collect(),
        other => panic!("{value}: {other:?}"),
    }
}

#[test]
fn one_range() {
    //= https://www.rfc-editor.org/rfc/rfc9110#section-14.1.2
    //= type=test
    //# If the selected representation
    //# is shorter than the specified suffix-length, the entire
    //# representation is used.
    for (value, expected) in [
        ("bytes=0-0", (0, 0)),
        ("bytes=0-499", (0, 499)),
        ("bytes=500-999", (500, 999)),
        ("bytes=9500-", (9500, 9999)),
        ("bytes=-500", (9500, 9999)),
        ("bytes=-1", (9999, 9999)),
        ("bytes=-10000", (0, 9999)),
        ("bytes=-99999999999999999999999", (0, 9999)),
        ("bytes=0-99999999999999999999999", (0, 9999)),
        ("bytes=9999-10000", (9999, 9999)),
        ("BYTES= 1-2 ", (1, 2)),
        ("bytes=,1-2,", (1, 2)),
    ] {
        assert_eq!(ranges(value, 10_000), [expected], "{value}");
    }
}

#[test]
fn several_ranges() {
    //= https://www.rfc-editor.org/rfc/rfc9110#section-15.3.7.2
    //= type=test
    //# A server that generates a multipart response SHOULD send the parts in
    //# the same order that the corresponding range-spec appeared in the
    //# received Range header field, excluding those ranges that were deemed
    //# unsatisfiable or that were coalesced into other ranges.
    assert_eq!(ranges("bytes=0-0,-1", 10_000), [(0, 0), (9999, 9999)]);
    let expected = [(0, 999), (4500, 5499), (9000, 9999)];
    assert_eq!(ranges("bytes= 0-999, 4500-5499, -1000", 10_000), expected);
    assert_eq!(
        ranges("bytes=5000-5001,0-1", 10_000),
        [(5000, 5001), (0, 1)],
        "their order"
    );
    assert_eq!(
        ranges("bytes=0-1,20000-", 10_000),
        [(0, 1)],
        "one cannot be had"
    );
    //= https://www.rfc-editor.org/rfc/rfc9110#section-15.3.7.2
    //= type=test
    //# When multiple ranges are requested, a server MAY coalesce any of the
    //# ranges that overlap, or that are separated by a gap that is smaller
    //# than the overhead of sending multiple parts, regardless of the order
    //# in which the corresponding range-spec appeared in the received Range
    //# header field.
    // Overlapping, touching and nearly touching ones are one.
    assert_eq!(ranges("bytes=500-600,601-999", 10_000), [(500, 999)]);
    assert_eq!(ranges("bytes=500-700,601-999", 10_000), [(500, 999)]);
    assert_eq!(ranges("bytes=0-9,89-99", 10_000), [(0, 99)]);
    assert_eq!(ranges("bytes=0-9,91-99", 10_000), [(0, 9), (91, 99)]);
    assert_eq!(
        ranges("bytes=9000-9001,100-109,0-50,9010-", 10_000),
        [(9000, 9999), (0, 109)]
    );
    // One made of several stands where the first of them was asked for.
    let expected = [(0, 109), (5000, 5001)];
    assert_eq!(ranges("bytes=100-109,5000-5001,0-50", 10_000), expected);
    assert_eq!(ranges("bytes=0-,0-,0-,0-", 10_000), [(0, 9999)]);
}

#[test]
fn what_cannot_be_satisfied() {
    for value in [
        "bytes=10000-",
        "bytes=10000-10001",
        "bytes=-0",
        "bytes=99999999999999999999-",
    ] {
        assert_eq!(
            select(value.as_bytes(), 10_000),
            Selection::Unsatisfiable,
            "{value}"
        );
    }
}

#[test]
fn what_is_ignored() {
    //= https://www.rfc-editor.org/rfc/rfc9110#section-14.1.1
    //= type=test
    //# An int-range is invalid if the last-pos value is present and less
    //# than the first-pos.

    //= https://www.rfc-editor.org/rfc/rfc9110#section-14.2
    //= type=test
    //# An origin server MUST ignore a Range header field that contains a
    //# range unit it does not understand.
    for value in [
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes=-",
        "bytes=5-4",
        "bytes=a-b",
        "bytes=1-2-3",
        "bytes=0-0,x",
        "bytes=--1",
        "bytes=+1-2",
        "bytes=1 -2",
        "lines=0-1",
        "bytes 0-1",
    ] {
        assert_eq!(
            select(value.as_bytes(), 10_000),
            Selection::Whole,
            "{value}"
        );
    }
    //= https://www.rfc-editor.org/rfc/rfc9110#section-14.2
    //= type=test
    //# A server that supports range requests MAY ignore a Range header field
    //# when the selected representation has no content (i.e., the selected
    //# representation's data is of zero length).
    assert_eq!(select(b"bytes=0-", 0), Selection::Whole, "an empty file");
    //= https://www.rfc-editor.org/rfc/rfc9110#section-14.2
    //= type=test
    //# A server that supports range requests MAY ignore or reject a Range
    //# header field that contains an invalid ranges-specifier
    let many = |count| format!("bytes={}", vec!["0-0"; count].join(","));
    assert_eq!(ranges(&many(MAX_RANGES), 10), [(0, 0)]);
    assert_eq!(
        select(many(MAX_RANGES + 1).as_bytes(), 10),
        Selection::Whole
    );
}

proptest! {
    /// Every octet asked for is sent once, and no more than the file is.
    #[test]
    fn ranges_cover_what_was_asked_for(
        specs in prop::collection::vec((0_u64..1200, 0_u64..300), 1..20),
    ) {
        const SIZE: u64 = 1000;
        let value = specs.iter().map(|(first, more)| format!("{first}-{}", first + more));
        let value = format!("bytes={}", value.collect::<Vec<_>>().join(","));
        let asked = |octet| specs.iter().any(|&(first, more)| (first..=first + more).contains(&octet));
        match select(value.as_bytes(), SIZE) {
            Selection::Ranges(ranges) => {
                let ranges = ranges.as_slice();
                let times = |octet| ranges.iter().filter(|r| (r.first..=r.last).contains(&octet)).count();
                for octet in 0..SIZE {
                    prop_assert!(times(octet) <= 1);
                    prop_assert!(times(octet) == 1 || !asked(octet));
                }
                prop_assert!(ranges.iter().all(|r| r.last < SIZE && r.len() >= 1));
            }
            Selection::Unsatisfiable => prop_assert!(!(0..SIZE).any(asked)),
            Selection::Whole => prop_assert!(false, "{} is valid", value),
        }
    }

    #[test]
    fn no_octets_make_it_panic(value in "bytes=[-0-9, ]{0,40}", size in any::<u64>()) {
        let _ = select(value.as_bytes(), size);
    }
}

#[test]
fn content_ranges() {
    let parse = |text: &str| ContentRange::parse(text.as_bytes());
    let range = |ends: Option<(u64, u64)>, complete_length| {
        Some(ContentRange {
            range: ends.map(|(first, last)| ByteRange { first, last }),
            complete_length,
        })
    };
    //= https://www.rfc-editor.org/rfc/rfc9110#section-14.4
    //= type=test
    //# A Content-Range field value is invalid if it contains a range-resp
    //# that has a last-pos value less than its first-pos value, or a
    //# complete-length value less than or equal to its last-pos value.
    assert_eq!(parse("bytes 7-9/10"), range(Some((7, 9)), Some(10)));
    assert_eq!(parse("Bytes 7-9/*"), range(Some((7, 9)), None));
    assert_eq!(parse("bytes */10"), range(None, Some(10)));
    for text in ["bytes 7-9/10", "bytes 7-9/*", "bytes */10"] {
        assert_eq!(format!("{}", parse(text).unwrap()), text);
    }
    for bad in [
        "bytes 9-7/10",
        "bytes 7-10/10",
        "bytes 7-/10",
        "bytes */*",
        "lines 1-2/3",
        "bytes 1-2",
        "1-2/3",
        "",
    ] {
        assert_eq!(parse(bad), None, "{bad}");
    }
}
