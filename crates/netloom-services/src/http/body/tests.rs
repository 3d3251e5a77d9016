use std::format;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::super::status::Status;
use super::*;

/// Takes all that belongs to the body; returns how many octets those are, and the content.
fn all(decoder: &mut Decoder, bytes: &[u8]) -> Result<(usize, Vec<u8>), Refusal> {
    let (mut taken, mut content) = (0, Vec::new());
    while taken < bytes.len() && !decoder.is_done() {
        let (count, piece) = decoder.take(&bytes[taken..])?;
        taken += count;
        content.extend(piece);
    }
    Ok((taken, content))
}

/// The number of octets alone.
fn count(decoder: &mut Decoder, bytes: &[u8]) -> Result<usize, Refusal> {
    all(decoder, bytes).map(|(taken, _)| taken)
}

fn chunked(limit: u64) -> Decoder {
    Decoder::new(Framing::Chunked, limit).unwrap()
}

#[test]
fn chunked_bodies_end_where_they_say() {
    //= https://www.rfc-editor.org/rfc/rfc9112#section-7.1
    //= type=test
    //# A recipient MUST be able to parse and decode the chunked transfer
    //# coding.

    //= https://www.rfc-editor.org/rfc/rfc9112#section-7.1.1
    //= type=test
    //# A recipient MUST ignore unrecognized chunk extensions.
    for body in [
        "0\r\n\r\n",
        "000\r\n\r\n",
        "5\r\nhello\r\n0\r\n\r\n",
        "00A;name=value ; b=\"c\"\r\n0123456789\r\n1 \r\nx\r\n0;x\r\nTrailer: yes\r\nT: 2\r\n\r\n",
        "4\r\n\r\n\r\n\r\n0\r\n\r\n",
    ] {
        let stream = format!("{body}GET / HTTP/1.1\r\n");
        // All at once, and octet by octet.
        let mut decoder = chunked(100);
        assert_eq!(
            count(&mut decoder, stream.as_bytes()),
            Ok(body.len()),
            "{body:?}"
        );
        assert!(decoder.is_done());
        let mut decoder = chunked(100);
        let taken = stream
            .as_bytes()
            .chunks(1)
            .map(|b| count(&mut decoder, b).unwrap())
            .sum::<usize>();
        assert_eq!(taken, body.len(), "{body:?}");
    }
}

#[test]
fn malformed_chunks_are_refused() {
    for body in [
        "\r\n",
        ";x\r\n",
        "g\r\n",
        "-1\r\n",
        "0x5\r\n",
        " 5\r\n",
        "5\nhello",
        "5\r\r",
        "5;a\nb",
        "5;a\rb",
        "5\r\nhelloX",
        "5\r\nhello\n0",
        "5\r\nhello\rX",
        "0\r\nA: b\n",
        "0\r\n\rX",
        "5;\0\r\n",
        "0\r\nA\0",
        "0\r\nA\r\n",
        "0\r\nA : b\r\n",
        "0\r\n A: b\r\n",
        "0\r\nA: b\r\n c\r\n",
        "0\r\nA: b\rc",
        "0\r\n: b\r\n",
        "5 5\r\nhello",
        "5;\r\nhello",
        "5;a=\r\nhello",
        "5;a=\"b\r\nhello",
        "5;=b\r\nhello",
        "5;a b\r\nhello",
        "5;a=b=c\r\nhello",
        "5;a,b\r\nhello",
        "0\r\nGET / HTTP/1.1\r\n",
    ] {
        let refusal = count(&mut chunked(100), body.as_bytes());
        assert_eq!(
            refusal.map_err(|r| r.status),
            Err(Status::BAD_REQUEST),
            "{body:?}"
        );
    }
}

#[test]
fn a_body_has_a_limit() {
    let too_large = Err(Status::CONTENT_TOO_LARGE);
    let status = |result: Result<usize, Refusal>| result.map_err(|r| r.status);
    assert!(Decoder::new(Framing::Length(10), 10).is_ok());
    assert!(Decoder::new(Framing::Length(11), 10).is_err());
    assert_eq!(status(count(&mut chunked(10), b"a\r\n")), Ok(3));
    assert_eq!(status(count(&mut chunked(10), b"b\r\n")), too_large);
    assert_eq!(
        status(count(&mut chunked(10), b"9\r\n123456789\r\n2\r\n")),
        too_large
    );
    //= https://www.rfc-editor.org/rfc/rfc9112#section-7.1
    //= type=test
    //# Therefore, recipients MUST
    //# anticipate potentially large hexadecimal numerals and prevent parsing
    //# errors due to integer conversion overflows or precision loss due to
    //# integer representation.
    assert_eq!(
        status(count(&mut chunked(u64::MAX), b"ffffffffffffffff\r\n")),
        Ok(18)
    );
    assert_eq!(
        status(count(&mut chunked(u64::MAX), b"10000000000000000\r\n")),
        too_large
    );
    // What is around the content is bounded too.
    let extension = format!("1;{}", "a".repeat(CHUNK_OVERHEAD as usize));
    assert_eq!(
        status(count(&mut chunked(10), extension.as_bytes())),
        too_large
    );
}

#[test]
fn plain_bodies() {
    let mut decoder = Decoder::new(Framing::Length(5), 10).unwrap();
    assert_eq!(count(&mut decoder, b"abc"), Ok(3));
    assert!(!decoder.is_done());
    assert_eq!(count(&mut decoder, b"deGET"), Ok(2));
    assert!(decoder.is_done());
    assert!(Decoder::new(Framing::Length(0), 10).unwrap().is_done());
}

#[test]
fn the_content_is_what_is_left_without_the_framing() {
    let body = b"5;x\r\nhello\r\n1\r\n \r\nA\r\n0123456789\r\n0\r\nT: 1\r\n\r\nGET";
    let (taken, content) = all(&mut chunked(16), body).unwrap();
    assert_eq!(
        (taken, &content[..]),
        (body.len() - 3, &b"hello 0123456789"[..])
    );
    let mut plain = Decoder::new(Framing::Length(5), 5).unwrap();
    assert_eq!(all(&mut plain, b"helloGET"), Ok((5, b"hello".to_vec())));
    let mut endless = Decoder::new(Framing::UntilClose, 10).unwrap();
    assert_eq!(all(&mut endless, b"hello"), Ok((5, b"hello".to_vec())));
    assert!(!endless.is_done() && endless.may_end());
    let refusal = all(&mut endless, b"world!").unwrap_err();
    assert_eq!(refusal.status, Status::CONTENT_TOO_LARGE);
    assert!(!chunked(1).may_end());
}

#[test]
fn a_sender_may_make_chunks_of_one_octet() {
    let body = ["1\r\nx\r\n".repeat(100_000), "0\r\n\r\n".into()].concat();
    let (_, content) = all(&mut chunked(100_000), body.as_bytes()).unwrap();
    assert_eq!(content.len(), 100_000);
}

proptest! {
    #[test]
    fn pieces_and_the_whole_agree(
        pieces in prop::collection::vec(
            prop::sample::select(vec!["0", "5", "a", "\r\n", "\r", "\n", ";", "hello", "\0", "T: x"]),
            0..30,
        ),
        cut in 1_usize..9,
    ) {
        let stream = pieces.concat();
        let mut whole = chunked(50);
        let at_once = count(&mut whole, stream.as_bytes());
        let mut cut_up = chunked(50);
        let mut taken = 0;
        for piece in stream.as_bytes().chunks(cut) {
            match count(&mut cut_up, piece) {
                Ok(count) => taken += count,
                Err(refusal) => {
                    prop_assert_eq!(at_once, Err(refusal));
                    return Ok(());
                }
            }
        }
        prop_assert_eq!(at_once, Ok(taken));
        prop_assert_eq!(whole.state, cut_up.state);
    }
}
