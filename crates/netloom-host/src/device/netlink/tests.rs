use super::{Message, Refusal, Request, read_message};

#[test]
fn a_request_is_aligned_and_says_its_length() {
    let bytes = Request::new(16, 0x500, &[1; 8])
        .attribute(3, b"abcde")
        .attribute(4, &7_u32.to_ne_bytes())
        .finish(42);
    assert_eq!(bytes.len(), 16 + 8 + 12 + 8);
    assert_eq!(bytes[0..4], 44_u32.to_ne_bytes());
    assert_eq!(bytes[4..6], 16_u16.to_ne_bytes());
    assert_eq!(
        bytes[6..8],
        0x505_u16.to_ne_bytes(),
        "the flags, REQUEST and ACK"
    );
    assert_eq!(bytes[8..12], 42_u32.to_ne_bytes());
    assert_eq!(
        bytes[24..26],
        9_u16.to_ne_bytes(),
        "the attribute's length without padding"
    );
    assert_eq!(&bytes[28..36], b"abcde\0\0\0");
}

fn reply(sequence: u32, code: i32, attributes: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 36];
    bytes[4..6].copy_from_slice(&2_u16.to_ne_bytes());
    bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
    bytes[16..20].copy_from_slice(&code.to_ne_bytes());
    bytes.extend(attributes);
    bytes
}

#[test]
fn an_answer_is_matched_by_its_number() {
    assert!(read_message(&reply(1, 0, &[]), 2).is_none());
    assert!(matches!(
        read_message(&reply(2, 0, &[]), 2),
        Some(Message::Acknowledged)
    ));
}

#[test]
fn a_reply_is_told_from_an_acknowledgement() {
    let mut route = reply(2, 0, b"body");
    route[4..6].copy_from_slice(&libc::RTM_NEWROUTE.to_ne_bytes());
    let Some(Message::Reply(body)) = read_message(&route, 2) else {
        panic!("no reply")
    };
    assert!(body.len() == 24 && body.ends_with(b"body"));
}

fn refusal(bytes: &[u8]) -> Refusal {
    match read_message(bytes, 1) {
        Some(Message::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_refusal_keeps_the_error_and_the_explanation() {
    let mut attributes = Vec::new();
    for (kind, value) in [(2_u16, b"seven b".as_slice()), (1, b"Invalid MTU\0")] {
        attributes.extend((4 + value.len() as u16).to_ne_bytes());
        attributes.extend(kind.to_ne_bytes());
        attributes.extend(value);
        attributes.resize(attributes.len().next_multiple_of(4), 0);
    }
    let refusal = refusal(&reply(1, -libc::EINVAL, &attributes));
    assert_eq!(refusal.error.raw_os_error(), Some(libc::EINVAL));
    assert_eq!(refusal.message.as_deref(), Some("Invalid MTU"));
}

#[test]
fn malformed_answers_end() {
    let whole = reply(1, i32::MIN, &[0; 8]);
    for len in 0..whole.len() {
        let _ = read_message(&whole[..len], 1);
    }
    assert!(refusal(&whole).message.is_none());
}
