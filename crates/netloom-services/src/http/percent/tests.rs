use std::string::ToString;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

#[test]
fn decoding() {
    let mut buffer = [0; 16];
    for (text, plain, form) in [
        ("", &b""[..], &b""[..]),
        ("a+b", b"a+b", b"a b"),
        ("%41%62%7e", b"Ab~", b"Ab~"),
        ("%2B%00%ff", b"+\0\xff", b"+\0\xff"),
        ("%25%34%31", b"%41", b"%41"),
    ] {
        assert_eq!(
            Encoded::new(text.as_bytes()).decode(&mut buffer),
            Ok(plain),
            "{text}"
        );
        assert_eq!(
            Encoded::form(text.as_bytes()).decode(&mut buffer),
            Ok(form),
            "{text}"
        );
        assert!(Encoded::new(text.as_bytes()).is(plain));
    }
    for bad in ["%", "%4", "%4g", "%g4", "a%", "%%41", "%-1", "%+1"] {
        let encoded = Encoded::new(bad.as_bytes());
        assert_eq!(
            encoded.decode(&mut buffer),
            Err(DecodeError::Percent),
            "{bad}"
        );
        assert!(encoded.decoded().last() == Some(Err(BadPercent)) && !encoded.is(b"a"));
    }
    assert_eq!(Encoded::new(b"ab").decode(&mut [0]), Err(DecodeError::Full));
    assert_eq!(
        Encoded::new(b"%ff").decode_str(&mut [0]),
        Err(DecodeError::Utf8)
    );
    assert_eq!(
        Encoded::new(b"%c3%bc").decode_str(&mut [0; 2]),
        Ok("\u{fc}")
    );
}

#[test]
fn numbers() {
    for (text, number) in [
        ("0", Some(0)),
        ("%34%32", Some(42)),
        ("18446744073709551615", Some(u64::MAX)),
        ("18446744073709551616", None),
        ("", None),
        ("-1", None),
        ("1a", None),
        ("%", None),
    ] {
        assert_eq!(Encoded::new(text.as_bytes()).number(), number, "{text}");
    }
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded_again(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let text = PercentEncoded(&bytes).to_string();
        prop_assert!(text.bytes().all(|b| is_unreserved(b) || b == b'%'));
        let mut buffer = [0; 60];
        prop_assert_eq!(Encoded::new(text.as_bytes()).decode(&mut buffer), Ok(&bytes[..]));
        prop_assert_eq!(Encoded::form(text.as_bytes()).decode(&mut buffer), Ok(&bytes[..]));
    }

    #[test]
    fn no_octets_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let decoded: Vec<_> = Encoded::form(&bytes).decoded().collect();
        prop_assert!(decoded.len() <= bytes.len());
        let _ = Encoded::new(&bytes).number();
    }
}
