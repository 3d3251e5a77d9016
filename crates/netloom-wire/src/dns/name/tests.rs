use core::net::IpAddr;
use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// A message whose header is zeros, and this behind it.
fn message(rest: &[u8]) -> Vec<u8> {
    [&[0; 12], rest].concat()
}

fn parse(rest: &[u8], at: usize) -> Result<(String, usize), WireError> {
    let message = message(rest);
    NameView::parse(&message, at).map(|(name, end)| (name.to_string(), end))
}

#[test]
fn the_example_of_rfc_1035() {
    // Section 4.1.4: F.ISI.ARPA at 20, FOO.F.ISI.ARPA at 40, ARPA at 64, the root at 92.
    let mut octets = vec![0; 93];
    octets[20..32].copy_from_slice(b"\x01F\x03ISI\x04ARPA\x00");
    octets[40..46].copy_from_slice(b"\x03FOO\xc0\x14");
    octets[64..66].copy_from_slice(b"\xc0\x1a");
    let read = |at| {
        let (name, end) = NameView::parse(&octets, at).unwrap();
        (name.to_string(), end)
    };
    assert_eq!(read(20), ("F.ISI.ARPA".into(), 32));
    assert_eq!(read(40), ("FOO.F.ISI.ARPA".into(), 46));
    assert_eq!(read(64), ("ARPA".into(), 66));
    assert_eq!(read(92), (".".into(), 93));
}

//= https://www.rfc-editor.org/rfc/rfc1035#section-4.1.4
//= type=test
//# In this scheme, an
//# entire domain name or a list of labels at the end of a domain name is
//# replaced with a pointer to a prior occurance of the same name.
#[test]
fn pointers_lead_backwards_or_nowhere() {
    // To itself, forward, into the header, round in a circle of two.
    for (rest, at) in [
        (&b"\xc0\x0c"[..], 12),
        (b"\xc0\x0e\x01a\x00", 12),
        (b"\xc0\x00", 12),
        (b"\xc0\x0b", 12),
        (b"\xc0\x0e\xc0\x0c", 14),
        (b"\x01a\xc0\x0c", 12),
        (b"\x01a\xc0\x0e", 14),
        (b"\x01a\x01b\xc0\x0c\xc0\x0e", 12),
    ] {
        assert_eq!(parse(rest, at), Err(WireError::BadName), "{rest:?}");
    }
    // The same as the last but one, entered where it ends.
    assert_eq!(parse(b"\x01a\x00\xc0\x0c", 15), Ok(("a".into(), 17)));
}

#[test]
fn a_long_chain_of_pointers_ends() {
    let mut rest = b"\x01a\x00".to_vec();
    let mut last = 12_u16;
    for count in 1..=200 {
        let at = 12 + rest.len() as u16;
        rest.extend((last | 0xc000).to_be_bytes());
        last = at;
        let expected = count <= MAX_POINTERS;
        assert_eq!(parse(&rest, usize::from(at)).is_ok(), expected, "{count}");
    }
}

#[test]
fn other_label_types_are_refused() {
    for first in [0x40, 0x41, 0x7f, 0x80, 0xbf] {
        assert_eq!(parse(&[first, 0, 0], 12), Err(WireError::BadName));
    }
}

//= https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4
//= type=test
//# labels          63 octets or less
//#
//# names           255 octets or less
#[test]
fn a_name_has_255_octets_at_most() {
    let label = |len: usize| [vec![len as u8], vec![b'x'; len]].concat();
    let longest = [label(63), label(63), label(63), label(61), vec![0]].concat();
    assert_eq!(longest.len(), 255);
    let (view, end) = {
        let message = message(&longest);
        let (view, end) = NameView::parse(&message, 12).unwrap();
        (view.to_name(), end)
    };
    assert_eq!((view.view().len(), end), (255, 267));
    assert_eq!(view.as_octets(), longest);
    let longer = [label(63), label(63), label(63), label(62), vec![0]].concat();
    assert_eq!(parse(&longer, 12), Err(WireError::BadName));
    // The same by compression: one octet too many behind the pointer.
    let tail = [label(63), label(63), label(63), vec![0]].concat();
    let at = 12 + tail.len();
    let with = |len| [tail.clone(), label(len), vec![0xc0, 12]].concat();
    assert!(parse(&with(61), at).is_ok());
    assert_eq!(parse(&with(62), at), Err(WireError::BadName));
    // 127 labels of one octet are the most there can be.
    let many = [b"\x01x".repeat(127), vec![0]].concat();
    assert_eq!(Name::from_octets(&many).unwrap().label_count(), 127);
    assert!(Name::from_octets(&[b"\x01x".repeat(128), vec![0]].concat()).is_err());
}

#[test]
fn every_truncation_is_refused() {
    let whole = message(b"\x03www\x07example\x03org\x00");
    for len in 0..whole.len() {
        assert_eq!(
            NameView::parse(&whole[..len], 12).map(|_| ()),
            Err(WireError::Truncated)
        );
    }
    assert_eq!(parse(b"\xc0", 12), Err(WireError::Truncated));
}

#[test]
fn text_is_read_and_written() {
    for text in [
        "a",
        "www.example.org",
        "_sip._udp.example",
        "xn--bcher-kva.example",
        "1.2.3.4",
    ] {
        assert_eq!(name(text).to_string(), text);
        assert_eq!(name(&format!("{text}.")), name(text));
    }
    assert_eq!(name(".").to_string(), ".");
    assert_eq!(name(r"a\.b.c").view().labels().next(), Some(&b"a.b"[..]));
    assert_eq!(name(r"a\.b.c").to_string(), r"a\.b.c");
    assert_eq!(name(r"a\000b").to_string(), r"a\000b");
    assert_eq!(name(r"\255\032\\").to_string(), r"\255\032\\");
    let long = "x".repeat(64);
    for bad in [
        "",
        "..",
        ".a",
        "a..b",
        "a b",
        "bücher",
        "a\n",
        "a\\",
        r"a\25",
        r"a\256",
        r"a\2x5",
        long.as_str(),
    ] {
        assert_eq!(bad.parse::<Name>(), Err(WireError::BadName), "{bad:?}");
    }
    assert!("x".repeat(63).parse::<Name>().is_ok());
    let too_long = ["x".repeat(63).as_str(); 4].join(".");
    assert_eq!(too_long.parse::<Name>(), Err(WireError::BadName));
}

/// A NUL within a label is printed as such: nothing that ends at it sees another name.
#[test]
fn a_nul_within_a_label_does_not_end_the_name() {
    let (text, _) = parse(b"\x0agood.com\x00x\x04evil\x00", 12).unwrap();
    assert_eq!(text, r"good\.com\000x.evil");
    assert_ne!(name("good.com"), text.parse().unwrap());
}

#[test]
fn names_are_equal_whatever_the_case() {
    assert_eq!(name("WWW.Example.ORG"), name("www.example.org"));
    assert!(!name("WWW.a").view().is_identical(&name("www.a").view()));
    assert_ne!(name("www.example.org"), name("example.org"));
    assert_ne!(name(r"a\.b"), name("a.b"));
    // Only ASCII letters have a case.
    assert_ne!(name(r"\192"), name(r"\224"));
}

#[test]
fn within() {
    let within = |a: &str, b: &str| name(a).view().is_within(&name(b).view());
    assert!(within("www.example.org", "EXAMPLE.org"));
    assert!(within("example.org", "example.org"));
    assert!(within("example.org", "."));
    assert!(!within("example.org", "www.example.org"));
    assert!(!within("badexample.org", "example.org"));
}

#[test]
fn names_below_others() {
    let below = name("www").below(&name("example.org").view()).unwrap();
    assert_eq!(below, name("www.example.org"));
    let long = name(&["x".repeat(63).as_str(); 3].join("."));
    assert_eq!(long.below(&long.view()), Err(WireError::BadName));
}

#[test]
fn names_of_addresses() {
    let reverse = |text: &str| Name::reverse(text.parse::<IpAddr>().unwrap()).to_string();
    assert_eq!(reverse("192.0.2.10"), "10.2.0.192.in-addr.arpa");
    assert_eq!(reverse("0.100.255.9"), "9.255.100.0.in-addr.arpa");
    // The example of RFC 3596 §2.5.
    assert_eq!(
        reverse("4321:0:1:2:3:4:567:89ab"),
        "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa"
    );
}

#[test]
fn the_case_of_letters_can_be_thrown_by_dice() {
    let mut dice = [true, false, true, true].into_iter().cycle();
    let changed = name("ab-1.cd").with_case(|| dice.next().unwrap());
    assert_eq!(changed.to_string(), "Ab-1.CD");
    assert_eq!(changed, name("ab-1.cd"));
}

fn any_label() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 1..=20)
}

proptest! {
    #[test]
    fn text_round_trips(labels in prop::collection::vec(any_label(), 0..10)) {
        let mut name = Name::ROOT;
        for label in &labels {
            name.push(label).unwrap();
        }
        prop_assert_eq!(name.view().labels().collect::<Vec<_>>(), labels);
        let again: Name = name.to_string().parse().unwrap();
        prop_assert!(again.view().is_identical(&name.view()));
        prop_assert!(name.to_string().bytes().all(|o| (0x21..=0x7e).contains(&o)));
        let from_octets = Name::from_octets(name.as_octets()).unwrap();
        prop_assert!(from_octets.view().is_identical(&name.view()));
        prop_assert_eq!(name.view().len(), name.as_octets().len());
    }

    #[test]
    fn any_bytes_are_a_name_or_refused(
        bytes in prop::collection::vec(prop_oneof![0_u8..4, 0xc0_u8..0xc2, any::<u8>()], 0..300),
        at in 0_usize..300,
    ) {
        if let Ok((view, end)) = NameView::parse(&bytes, at) {
            prop_assert!(end <= bytes.len() && end > at);
            let len: usize = view.labels().map(|label| label.len() + 1).sum();
            prop_assert!(len < MAX_NAME && len + 1 == view.len());
            prop_assert!(view.labels().all(|label| (1..=MAX_LABEL).contains(&label.len())));
            prop_assert_eq!(view, view.to_name());
        }
    }
}
