use std::string::ToString;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

#[test]
fn pairs() {
    let form = Form::new(b"a=1&b=two+words&&c&=d&a=%26%3d&%61=x=y");
    let pairs: Vec<_> = form
        .pairs()
        .map(|(name, value)| (name.as_received(), value.as_received()))
        .collect();
    let expected: [(&[u8], &[u8]); 6] = [
        (b"a", b"1"),
        (b"b", b"two+words"),
        (b"c", b""),
        (b"", b"d"),
        (b"a", b"%26%3d"),
        (b"%61", b"x=y"),
    ];
    assert_eq!(pairs, expected);
    assert!(form.get("b").unwrap().is(b"two words"));
    assert!(form.get("c").unwrap().is(b"") && form.get("d").is_none());
    let all: Vec<_> = form.all("a").map(Encoded::as_received).collect();
    assert_eq!(all, [&b"1"[..], b"%26%3d", b"x=y"]);
    assert_eq!(Form::new(b"").pairs().count(), 0);
}

proptest! {
    #[test]
    fn what_is_shown_is_read_again(
        pairs in prop::collection::vec((".{1,9}", ".{0,9}"), 0..6),
    ) {
        let pairs: Vec<_> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let text = FormPairs(&pairs).to_string();
        let read: Vec<_> = Form::new(text.as_bytes()).pairs().collect();
        prop_assert_eq!(read.len(), pairs.len());
        for ((name, value), (n, v)) in pairs.iter().zip(read) {
            prop_assert!(n.is(name.as_bytes()) && v.is(value.as_bytes()));
        }
    }
}
