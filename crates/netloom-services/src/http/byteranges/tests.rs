use core::convert::Infallible;
use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::super::{Ranges, Selection};
use super::*;

const BOUNDARY: [u64; 2] = [0xabc, 0x1234_5678_9abc_def0];
const SHOWN: &str = "0000000000000abc123456789abcdef0";

fn file() -> Vec<u8> {
    (0..1000).map(|n| b'0' + (n % 10) as u8).collect()
}

fn parts(value: &str, content_type: &'static str) -> ByteRanges<'static, 8> {
    match Ranges::select(value.as_bytes(), 1000) {
        Selection::Ranges(ranges) => ByteRanges::new(ranges, 1000, content_type, BOUNDARY),
        other => panic!("{value}: {other:?}"),
    }
}

/// The content, in stretches of `room` octets, the file giving at most `most` at once.
fn content(parts: &ByteRanges<'_, 8>, room: usize, most: usize) -> String {
    let (file, mut all) = (file(), Vec::new());
    loop {
        let mut buffer = vec![b'!'; room];
        let len = parts.fill(all.len() as u64, &mut buffer, |at, room| {
            let len = room.len().min(most);
            let at = at as usize;
            room[..len].copy_from_slice(&file[at..at + len]);
            Ok::<_, Infallible>(len)
        });
        match len {
            Ok(0) => return String::from_utf8(all).unwrap(),
            Ok(len) => all.extend(&buffer[..len]),
            Err(never) => match never {},
        }
    }
}

#[test]
fn parts_in_stretches_of_every_length() {
    //= https://www.rfc-editor.org/rfc/rfc9110#section-15.3.7.2
    //= type=test
    //# Within the header area of each body part in the multipart content,
    //# the server MUST generate a Content-Range header field corresponding
    //# to the range being enclosed in that body part.
    //= https://www.rfc-editor.org/rfc/rfc9110#section-15.3.7.2
    //= type=test
    //# If the selected representation would have had a Content-Type header field in a 200
    //# (OK) response, the server SHOULD generate that same Content-Type
    //# header field in the header area of each body part.
    let part = |range: &str, octets: &str| {
        let kind = "Content-Type: text/plain";
        format!("--{SHOWN}\r\n{kind}\r\nContent-Range: bytes {range}/1000\r\n\r\n{octets}\r\n")
    };
    let expected = [
        part("998-999", "89"),
        part("0-12", "0123456789012"),
        part("500-500", "0"),
        format!("--{SHOWN}--\r\n"),
    ]
    .concat();
    let parts = parts("bytes=-2,0-12,500-500", "text/plain");
    assert_eq!(parts.len(), expected.len() as u64);
    for room in 1..expected.len() + 2 {
        assert_eq!(content(&parts, room, usize::MAX), expected, "{room}");
    }
    for most in 1..4 {
        assert_eq!(content(&parts, 64, most), expected, "{most}");
    }
    //= https://www.rfc-editor.org/rfc/rfc9110#section-15.3.7.2
    //= type=test
    //# If multiple parts are being transferred, the server generating the
    //# 206 response MUST generate "multipart/byteranges" content, as defined
    //# in Section 14.6, and a Content-Type header field containing the
    //# "multipart/byteranges" media type and its required boundary
    //# parameter.
    assert_eq!(
        parts.content_type().to_string(),
        format!("multipart/byteranges; boundary={SHOWN}")
    );
}

#[test]
fn a_type_that_is_not_known_is_not_told() {
    let untold = parts("bytes=0-0,999-999", "");
    assert!(content(&untold, 100, 100).starts_with(&format!("--{SHOWN}\r\nContent-Range")));
}

#[test]
fn what_cannot_be_read_is_said() {
    let parts = parts("bytes=0-99,500-599", "text/plain");
    let mut room = [0; 400];
    let failed = parts.fill(
        0,
        &mut room,
        |at, _| if at < 500 { Ok(100) } else { Err(at) },
    );
    assert_eq!(failed, Err(500));
    // A file that has become shorter ends the stretch; behind it nothing is made up.
    let head = parts
        .fill(0, &mut room, |_, _| Ok::<_, Infallible>(0))
        .unwrap();
    assert_eq!(
        parts.fill(head as u64, &mut room, |_, _| Ok::<_, Infallible>(0)),
        Ok(0)
    );
    assert_eq!(parts.fill(u64::MAX, &mut room, |_, _| Err(())), Ok(0));
}

/// No request costs notably more octets than the file has.
#[test]
fn the_whole_is_bounded_whatever_is_asked_for() {
    let many: Vec<String> = (0..8)
        .map(|n| format!("{}-{}", n * 100, n * 100 + 18))
        .collect();
    let parts = parts(&format!("bytes={}", many.join(",")), "text/plain");
    assert!(parts.len() < 1000 + 8 * 120, "{}", parts.len());
}
