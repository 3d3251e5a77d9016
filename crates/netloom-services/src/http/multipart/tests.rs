use std::format;
use std::string::String;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

const TYPE: &[u8] = b"multipart/form-data; boundary=AaB03x";

const BODY: &[u8] = b"ignored\r\n--AaB03x\r\n\
Content-Disposition: form-data; name=\"title\"\r\n\r\n\
hello\r\n-- world\r\n--AaB03\r\n--AaB03x \t\r\n\
content-disposition: form-data; filename=\"a \\\"b\\\".txt\"; name=file\r\n\
Content-Type: text/plain\r\n\r\n\
\r\n--AaB03x\r\n\r\nno head\r\n--AaB03x\r\n\r\n--AaB03x--\r\nignored";

/// The parts of a body that arrives so many octets at a time: names, file names, contents.
fn parts(body: &[u8], at_once: usize) -> Result<Vec<(String, String, Vec<u8>)>, u16> {
    let mut buffer = [0; 200];
    let mut multipart = Multipart::new(TYPE, &mut buffer).unwrap();
    let (mut parts, mut ended) = (Vec::new(), false);
    for piece in body.chunks(at_once) {
        let mut at = 0;
        while at < piece.len() {
            let (taken, found) = multipart
                .take(&piece[at..])
                .map_err(|refusal| refusal.status.code())?;
            assert!(taken > 0 || matches!(found, Piece::Data(_)), "it goes on");
            at += taken;
            match found {
                Piece::Nothing => {}
                Piece::End => ended = true,
                Piece::Data(data) => {
                    let (.., content): &mut (String, String, Vec<u8>) = parts.last_mut().unwrap();
                    content.extend(data);
                }
                Piece::Part(part) => {
                    let text = |value: Option<Quotable<'_>>| {
                        let bytes = value.map(|v| v.bytes().collect()).unwrap_or_default();
                        String::from_utf8(bytes).unwrap()
                    };
                    parts.push((text(part.name()), text(part.file_name()), Vec::new()));
                }
            }
        }
    }
    assert_eq!(ended, multipart.is_done());
    if ended { Ok(parts) } else { Err(0) }
}

#[test]
fn parts_in_whatever_pieces() {
    let expected = vec![
        (
            "title".into(),
            String::new(),
            b"hello\r\n-- world\r\n--AaB03".to_vec(),
        ),
        ("file".into(), "a \"b\".txt".into(), Vec::new()),
        (String::new(), String::new(), b"no head".to_vec()),
        (String::new(), String::new(), Vec::new()),
    ];
    for at_once in 1..=BODY.len() {
        assert_eq!(parts(BODY, at_once), Ok(expected.clone()), "{at_once}");
    }
    assert_eq!(parts(b"--AaB03x--", 3), Ok(vec![]));
}

#[test]
fn every_truncation_is_noticed() {
    let end = BODY.len() - b"\r\nignored".len();
    for len in 0..end {
        assert_eq!(parts(&BODY[..len], 7), Err(0), "{len}");
    }
    assert!(parts(&BODY[..end], 7).is_ok());
}

#[test]
fn what_is_malformed() {
    let long = format!("--AaB03x\r\nA: {}\r\n\r\n", "x".repeat(200));
    for (body, code) in [
        ("--AaB03xy\r\n", 400),
        ("--AaB03x\n", 400),
        ("--AaB03x-x", 400),
        ("--AaB03x\r\nno colon\r\n\r\n", 400),
        ("--AaB03x\r\nA : b\r\n\r\n", 400),
        ("--AaB03x\r\nA: b\r\n c\r\n\r\n", 400),
        (long.as_str(), 431),
    ] {
        assert_eq!(parts(body.as_bytes(), 5), Err(code), "{body}");
    }
    let padded = format!("--AaB03x{}\r\n", " ".repeat(65));
    assert_eq!(parts(padded.as_bytes(), 9), Err(400));
}

#[test]
fn types_and_boundaries() {
    let new = |value: &str| {
        Multipart::new(value.as_bytes(), &mut [])
            .map(|_| ())
            .map_err(|refusal| refusal.status.code())
    };
    let seventy = "b".repeat(70);
    assert_eq!(
        new(&format!(
            "Multipart/Form-Data; charset=x; BOUNDARY={seventy}"
        )),
        Ok(())
    );
    assert_eq!(new("multipart/form-data; boundary=\"a b:c\""), Ok(()));
    assert_eq!(
        new(&format!("multipart/form-data; boundary=b{seventy}")),
        Err(400)
    );
    assert_eq!(new("multipart/form-data"), Err(400));
    assert_eq!(new("multipart/form-data; boundary=\"\""), Err(400));
    assert_eq!(new("multipart/form-data; boundary=\"a*b\""), Err(400));
    assert_eq!(new("multipart/mixed; boundary=b"), Err(415));
    assert_eq!(new("text/plain"), Err(415));
}

proptest! {
    /// The pieces a body arrives in make no difference, and nothing makes it panic.
    #[test]
    fn pieces_and_the_whole_agree(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "--AaB03x", "\r\n", "\r", "\n", "-", "--", "A: b\r\n\r\n", "text", "\r\n--AaB03x\r\n", " ",
            "Content-Disposition: form-data; name=x\r\n\r\n", "\r\n--AaB0",
        ]), 0..20),
        cut in 1_usize..9,
    ) {
        let body = pieces.concat();
        prop_assert_eq!(parts(body.as_bytes(), cut), parts(body.as_bytes(), 1000));
    }
}
