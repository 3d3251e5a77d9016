use std::string::ToString;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn record<'a>(owner: &'a Name, kind: RecordType, data: Rdata<'a>) -> Record<'a> {
    Record {
        name: owner.view(),
        kind,
        class: class::IN,
        ttl: 300,
        data,
    }
}

/// A response with every type of record, in all sections.
fn everything() -> Vec<u8> {
    let (www, zone, host) = (
        name("www.example.org"),
        name("example.org"),
        name("h.example.org"),
    );
    let mut buffer = [0; 1024];
    let header = DnsHeader {
        id: 0x1234,
        response: true,
        recursion_desired: true,
        recursion_available: true,
        ..DnsHeader::default()
    };
    let mut message = DnsWriter::new(&mut buffer, &header).unwrap();
    message
        .question(&Question {
            name: www.view(),
            kind: RecordType::ANY,
            class: class::IN,
        })
        .unwrap();
    let answers = [
        (RecordType::CNAME, Rdata::Cname(host.view())),
        (RecordType::A, Rdata::A([192, 0, 2, 1].into())),
        (RecordType::AAAA, Rdata::Aaaa([0xfd; 16].into())),
        (RecordType::PTR, Rdata::Ptr(zone.view())),
        (
            RecordType::TXT,
            Rdata::Txt(Txt::new(b"\x05hello\x00").unwrap()),
        ),
        (
            RecordType::SRV,
            Rdata::Srv(Srv {
                priority: 1,
                weight: 2,
                port: 3,
                target: host.view(),
            }),
        ),
        (
            RecordType::MX,
            Rdata::Mx(Mx {
                preference: 10,
                exchange: host.view(),
            }),
        ),
        (RecordType(65), Rdata::Other(&[0, 1, 0])),
    ];
    for (kind, data) in answers {
        message
            .record(Section::Answer, &record(&www, kind, data))
            .unwrap();
    }
    let soa = Soa {
        primary: host.view(),
        mailbox: zone.view(),
        serial: 1,
        refresh: 2,
        retry: 3,
        expire: 4,
        minimum: 5,
    };
    message
        .record(
            Section::Authority,
            &record(&zone, RecordType::SOA, Rdata::Soa(soa)),
        )
        .unwrap();
    message
        .record(
            Section::Additional,
            &record(&zone, RecordType::NS, Rdata::Ns(host.view())),
        )
        .unwrap();
    message.edns(&Edns::new(1232)).unwrap();
    message.as_octets().to_vec()
}

#[test]
fn every_type_of_record_is_written_and_read() {
    let message = everything();
    let view = DnsView::new(&message).unwrap();
    assert_eq!(view.header().id, 0x1234);
    assert!(view.header().response && !view.header().truncated && !view.is_cut());
    let question = view.question().unwrap();
    assert_eq!(question.name.to_string(), "www.example.org");
    let shown: Vec<_> = view
        .answers()
        .map(|record| std::format!("{} {}", record.kind, record.data))
        .collect();
    assert_eq!(
        shown,
        [
            "CNAME h.example.org",
            "A 192.0.2.1",
            "AAAA fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd",
            "PTR example.org",
            "TXT \"hello\" \"\"",
            "SRV 1 2 3 h.example.org",
            "MX 10 h.example.org",
            "TYPE65 \\# 3 000100",
        ]
    );
    let soa = view.records(Section::Authority).next().unwrap();
    assert_eq!(soa.data.to_string(), "h.example.org example.org 1 2 3 4 5");
    assert_eq!(view.records(Section::Additional).count(), 2);
    assert_eq!(view.edns().unwrap().payload, 1232);
    assert_eq!(view.rcode(), rcode::NO_ERROR);
}

/// Put together by hand from the RFC's figures, not by this crate.
#[test]
fn a_response_made_by_hand_is_read() {
    let message = b"\x84\x5c\x85\x80\x00\x01\x00\x02\x00\x00\x00\x00\x05alias\x04test\x00\x00\x01\
        \x00\x01\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x00\x00\x07\x04real\xc0\x12\xc0\x28\x00\x01\
        \x00\x01\x00\x00\x00\x00\x00\x04\x0a\x00\x00\x07";
    let view = DnsView::new(message).unwrap();
    let shown: Vec<_> = view
        .answers()
        .map(|r| std::format!("{} {} {}", r.name, r.kind, r.data))
        .collect();
    assert_eq!(
        shown,
        ["alias.test CNAME real.test", "real.test A 10.0.0.7"]
    );
    assert!(view.header().authoritative);
}

#[test]
fn names_are_compressed_but_for_srv() {
    let message = everything();
    let count = |text: &[u8]| message.windows(text.len()).filter(|w| w == &text).count();
    // Once in the question, and once whole in SRV data.
    assert_eq!(count(b"\x07example\x03org\x00"), 2);
    assert_eq!(count(b"\x01h"), 2);
}

#[test]
fn every_truncation_is_refused() {
    let message = everything();
    for len in 0..message.len() {
        assert!(DnsView::new(&message[..len]).is_err(), "{len}");
    }
}

#[test]
fn a_beginning_has_the_records_that_are_complete() {
    let mut message = everything();
    let whole = DnsView::new(&message).unwrap();
    let total = whole.answers().count();
    let mut seen = 0;
    for len in 33..message.len() {
        let view = DnsView::of_beginning(&message[..len]).unwrap();
        assert!(view.is_cut());
        let answers = view.answers().count();
        assert!(answers >= seen && view.answers().zip(whole.answers()).all(|(a, b)| a == b));
        seen = answers;
    }
    assert_eq!(seen, total);
    // A message that says it was cut is read the same way.
    let cut = message.len() - 40;
    message[2] |= 2;
    assert!(DnsView::new(&message[..cut]).unwrap().is_cut());
    assert!(DnsView::new(&message[..20]).is_err());
}

#[test]
fn lengths_that_contradict_the_data_are_refused() {
    let owner = name("a");
    for (kind, data) in [
        (RecordType::A, &[1, 2, 3][..]),
        (RecordType::A, &[1, 2, 3, 4, 5]),
        (RecordType::AAAA, &[0; 15]),
        (RecordType::CNAME, b""),
        (RecordType::CNAME, b"\x01b\x00\x00"),
        (RecordType::PTR, b"\x01b"),
        (RecordType::MX, b"\x00"),
        (RecordType::SRV, b"\x00\x01\x00\x01\x00"),
        (RecordType::TXT, b""),
        (RecordType::TXT, b"\x05four"),
        (RecordType::SOA, b"\x00\x00\x00\x00\x00\x01"),
    ] {
        let mut buffer = [0; 512];
        let mut message = DnsWriter::new(&mut buffer, &DnsHeader::default()).unwrap();
        message
            .record(Section::Answer, &record(&owner, kind, Rdata::Other(data)))
            .unwrap();
        // Something behind it, into which a reader could run.
        message
            .record(
                Section::Answer,
                &record(&owner, RecordType(999), Rdata::Other(&[0; 40])),
            )
            .unwrap();
        let error = DnsView::new(message.as_octets()).map(|_| ());
        assert_eq!(error, Err(WireError::BadTotalLength), "{kind} {data:?}");
    }
}

//= https://www.rfc-editor.org/rfc/rfc6891#section-6.1.1
//= type=test
//# If a query message with more than one
//# OPT RR is received, a FORMERR (RCODE=1) MUST be returned.
//= https://www.rfc-editor.org/rfc/rfc6891#section-6.2.3
//= type=test
//# Values lower than 512 MUST be treated as equal to 512.
#[test]
fn there_is_one_opt_record_and_it_is_additional() {
    let root = Name::ROOT;
    let opt = |section: Section, owner: &Name, count: usize| {
        let mut buffer = [0; 512];
        let mut message = DnsWriter::new(&mut buffer, &DnsHeader::default()).unwrap();
        for _ in 0..count {
            let record = Record {
                name: owner.view(),
                kind: RecordType::OPT,
                class: 100,
                ttl: 0x1200_8000,
                data: Rdata::Other(b"\x00\x0a\x00\x02hi"),
            };
            message.record(section, &record).unwrap();
        }
        message.as_octets().to_vec()
    };
    let message = opt(Section::Additional, &root, 1);
    let view = DnsView::new(&message).unwrap();
    let edns = view.edns().unwrap();
    assert_eq!((edns.payload, edns.version, edns.dnssec_ok), (512, 0, true));
    assert_eq!(edns.options().collect::<Vec<_>>(), [(10, &b"hi"[..])]);
    assert_eq!(view.rcode(), 0x120);
    for bad in [
        opt(Section::Additional, &root, 2),
        opt(Section::Answer, &root, 1),
        opt(Section::Additional, &name("a"), 1),
    ] {
        assert_eq!(DnsView::new(&bad).map(|_| ()), Err(WireError::BadOption));
    }
    // Options that do not fill the data.
    let mut cut = opt(Section::Additional, &root, 1);
    let at = cut.len() - 3;
    cut[at] = 3;
    assert_eq!(DnsView::new(&cut).map(|_| ()), Err(WireError::BadOption));
}

#[test]
fn what_does_not_fit_leaves_a_whole_message() {
    let (owner, text) = (name("a.example"), vec![b'x'; 200]);
    let data = [&[200][..], &text].concat();
    let record = record(
        &owner,
        RecordType::TXT,
        Rdata::Txt(Txt::new(&data).unwrap()),
    );
    for size in 12..600 {
        let mut buffer = vec![0; size];
        let mut message = DnsWriter::new(&mut buffer, &DnsHeader::default()).unwrap();
        let mut count = 0;
        while message.record(Section::Answer, &record).is_ok() {
            count += 1;
        }
        message.truncate();
        let view = DnsView::new(message.as_octets()).unwrap();
        assert!(view.header().truncated && !view.is_cut());
        assert_eq!(view.answers().count(), count);
    }
    assert!(DnsWriter::new(&mut [0; 11], &DnsHeader::default()).is_err());
}

#[test]
fn sections_come_in_order() {
    let owner = name("a");
    let a = record(&owner, RecordType::A, Rdata::A([1, 2, 3, 4].into()));
    let mut buffer = [0; 512];
    let mut message = DnsWriter::new(&mut buffer, &DnsHeader::default()).unwrap();
    message.record(Section::Authority, &a).unwrap();
    assert!(message.record(Section::Answer, &a).is_err());
    assert!(message.record(Section::Authority, &a).is_ok());
}

/// Attack class 18: the most expensive message there is costs what its length allows.
#[test]
fn the_dearest_message_is_checked_in_bounded_work() {
    // One name of 126 labels, then as many records as fit that point to its end by pointers to
    // pointers.
    let mut message = vec![0; 12];
    message[6..8].copy_from_slice(&u16::MAX.to_be_bytes());
    let mut last = 12_u16;
    message.extend(b"\x01x".repeat(126));
    message.push(0);
    message.extend([0; 10]);
    let mut records = 1;
    while message.len() + 12 <= 65_535 {
        let at = message.len() as u16;
        let hops = records % 120;
        message.extend((if hops == 0 { 12 } else { last } | 0xc000).to_be_bytes());
        message.extend([0; 10]);
        last = at & 0x3fff;
        if at >= 0x4000 {
            last = 12;
        }
        records += 1;
    }
    message[6..8].copy_from_slice(&(records as u16).to_be_bytes());
    let view = DnsView::new(&message).unwrap();
    assert_eq!(view.answers().count(), records);
    assert!(view.answers().all(|record| record.name.len() == 253));
}

#[test]
fn types_have_names() {
    for (text, kind) in [
        ("a", 1),
        ("AAAA", 28),
        ("srv", 33),
        ("TYPE65", 65),
        ("type1", 1),
    ] {
        assert_eq!(text.parse(), Ok(RecordType(kind)), "{text}");
    }
    for bad in ["", "B", "TYPE", "TYPE65536", "TYPE-1", "ä"] {
        assert!(bad.parse::<RecordType>().is_err(), "{bad}");
    }
    assert_eq!(RecordType::TXT.to_string(), "TXT");
    assert_eq!(RecordType(65).to_string(), "TYPE65");
}

/// Reads everything there is; writes it again, and reads that.
fn read_all(bytes: &[u8]) {
    let Ok(view) = DnsView::new(bytes) else {
        return;
    };
    let _ = (view.question().map(|q| q.name.to_string()), view.rcode());
    let mut buffer = vec![0; 65_535];
    let mut again = DnsWriter::new(&mut buffer, view.header()).unwrap();
    if let Some(question) = view.question() {
        again.question(&question).unwrap();
    }
    let mut fits = true;
    for section in [Section::Answer, Section::Authority, Section::Additional] {
        for record in view.records(section) {
            let _ = record.data.to_string();
            // Without its compression a hostile message can be too long.
            fits &= again.record(section, &record).is_ok();
        }
    }
    if !fits || view.is_cut() {
        return;
    }
    let copy = DnsView::new(again.as_octets()).unwrap();
    for section in [Section::Answer, Section::Authority, Section::Additional] {
        assert!(copy.records(section).eq(view.records(section)));
    }
}

#[test]
fn every_octet_of_a_message_changed() {
    let good = everything();
    read_all(&good);
    for at in 0..good.len() {
        let mut bad = good.clone();
        for value in (0..8)
            .map(|bit| good[at] ^ (1 << bit))
            .chain([0, 0x3f, 0x40, 0xc0, 0xff])
        {
            bad[at] = value;
            read_all(&bad);
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(
        counts in [0_u8..3, 0_u8..3, 0_u8..3, 0_u8..3],
        rest in prop::collection::vec(prop_oneof![0_u8..16, Just(0xc0), any::<u8>()], 0..200),
    ) {
        let [q, a, n, d] = counts;
        let message = [&[0, 0, 0, 0, 0, q, 0, a, 0, n, 0, d], &rest[..]].concat();
        read_all(&message);
        read_all(&rest);
        let _ = DnsView::of_beginning(&message).map(|view| view.answers().count());
    }

    #[test]
    fn mutated_messages(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut message = everything();
        for (at, octet) in changes {
            let at = at.index(message.len());
            message[at] = octet;
        }
        read_all(&message);
    }
}
