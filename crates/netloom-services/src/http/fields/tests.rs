use std::vec::Vec;

use proptest::prelude::*;

use super::*;

#[test]
fn lines_in_order() {
    let fields = Fields::check(b"A: 1\r\nb:\t2 \r\na:\r\nC:x:y\r\n", 4).unwrap();
    let all: Vec<_> = fields.iter().map(|f| (f.name, f.value)).collect();
    let expected: [(&[u8], &[u8]); 4] = [(b"A", b"1"), (b"b", b"2"), (b"a", b""), (b"C", b"x:y")];
    assert_eq!(all, expected);
    assert_eq!(fields.values("A").collect::<Vec<_>>(), [&b"1"[..], b""]);
    assert_eq!(
        (fields.single("A"), fields.single("B")),
        (None, Some(&b"2"[..]))
    );
    assert!(fields.has("c") && !fields.has("d"));
    assert!(Fields::check(b"", 0).unwrap().iter().next().is_none());
}

#[test]
fn lists() {
    let fields = Fields::check(b"V: a, b\r\nV: ,C ,\r\n", 9).unwrap();
    assert_eq!(
        fields.members("v").collect::<Vec<_>>(),
        [&b"a"[..], b"b", b"C"]
    );
    assert!(fields.has_member("V", "c") && !fields.has_member("V", "d"));
}

#[test]
fn parameters_of_a_value() {
    let value = b"form-data; name=\"a\\\"b;c\" ;;\tfilename=x.txt; bad";
    let all: Vec<_> = parameters(value).collect();
    assert_eq!(all.len(), 2);
    assert_eq!((all[0].0, all[1].0), (&b"name"[..], &b"filename"[..]));
    assert!(all[0].1.is(b"a\"b;c") && all[1].1.is(b"x.txt"));
    assert_eq!(all[0].1.as_written(), b"a\\\"b;c");
    for none in [
        &b""[..],
        b"x",
        b"x;",
        b"x;=a",
        b"x; a",
        b"x; a=",
        b"x; a=\"b",
        b"x; a b=c",
    ] {
        assert_eq!(parameters(none).count(), 0, "{}", none.escape_ascii());
    }
}

#[test]
fn ends_of_heads() {
    assert_eq!(find_head_end(b"a\r\n\r\nb", 0), Ok(Some(5)));
    assert_eq!(find_head_end(b"a\r\n\r\nb\n", 1), Ok(Some(5)));
    assert_eq!(find_head_end(b"a\r\n\r\nb", 2), Ok(None), "it began before");
    for none in [&b""[..], b"\r\n", b"a\r\n\r", b"a\r\n\rb"] {
        assert_eq!(find_head_end(none, 0), Ok(None), "{}", none.escape_ascii());
    }
    for bare in [&b"\n"[..], b"a\n\n", b"a\r\n\n", b"a\n\r\n\r\n"] {
        assert!(find_head_end(bare, 0).is_err(), "{}", bare.escape_ascii());
    }
    assert_eq!(find_head_end(b"abc", 9), Ok(None));
}

proptest! {
    #[test]
    fn a_head_ends_where_a_search_says(
        bytes in prop::collection::vec(prop::sample::select(b"\r\nab".to_vec()), 0..40),
        from in 0_usize..44,
    ) {
        let end = bytes.get(from..).and_then(|tail| {
            tail.windows(4).position(|w| w == b"\r\n\r\n").map(|at| from + at + 4)
        });
        let bare = (from..bytes.len())
            .find(|&at| bytes[at] == b'\n' && (at == 0 || bytes[at - 1] != b'\r'));
        match find_head_end(&bytes, from) {
            Ok(found) => {
                prop_assert_eq!(found, end);
                prop_assert!(bare.is_none_or(|bare| end.is_some_and(|end| bare >= end)));
            }
            Err(_) => prop_assert!(bare.is_some_and(|bare| end.is_none_or(|end| bare < end))),
        }
        let line = bytes.windows(2).position(|w| w == b"\r\n");
        let split = split_line(&bytes);
        prop_assert_eq!(split.map(|(line, _)| line.len()), line);
        prop_assert_eq!(split.map(|(_, rest)| rest.len()), line.map(|at| bytes.len() - at - 2));
    }
}
