//! Forged and broken replies (attack classes 10, 18, 26; known bugs S20, S21).

use std::boxed::Box;
use std::collections::HashSet;
use std::format;
use std::vec;
use std::vec::Vec;

use netloom_wire::dns::{DnsView, RecordType};

use super::super::*;
use super::world::*;

/// The reply of a forger who wants www.example.org to be 203.0.113.66.
fn evil(reply: &[u8]) -> Vec<u8> {
    let mut forged = reply.to_vec();
    let at = forged.windows(4).position(|w| w == [192, 0, 2, 1]).unwrap();
    forged[at..at + 4].copy_from_slice(&[203, 0, 113, 66]);
    forged
}

/// Looks up www.example.org while these replies come before the right one.
fn forged(
    forger: impl FnMut(&Asked, &[u8]) -> Vec<(core::net::SocketAddr, Vec<u8>)> + 'static,
) -> Counters {
    let mut world = World::new();
    world.forger = Some(Box::new(forger));
    let answer = world.look_up("www.example.org", RecordType::A).unwrap();
    assert_eq!(answer.addresses, ["192.0.2.1"]);
    assert_eq!(world.dns.counters().taken, 1);
    *world.dns.counters()
}

//= https://www.rfc-editor.org/rfc/rfc5452#section-9.1
//= type=test
//# A resolver implementation MUST match responses to all of the
//# following attributes of the query:
//= https://www.rfc-editor.org/rfc/rfc5452#section-9.1
//= type=test
//# A mismatch and the response MUST be considered invalid.
#[test]
fn a_spoofed_reply_is_dropped_and_counted() {
    let [first, second] = servers();
    let other_port = "10.0.0.2:5353".parse().unwrap();
    // From another server, and another port of the right one.
    let counters = forged(move |_, reply| vec![(second, evil(reply)), (other_port, evil(reply))]);
    assert_eq!((counters.wrong_address, counters.spoofed()), (2, 2));
    // With every other id: the queue takes some dozens, here some hundreds in all.
    let counters = forged(move |asked, reply| {
        let others = (1..=100_u16).map(|n| {
            let mut bad = evil(reply);
            bad[..2].copy_from_slice(&asked.id.wrapping_add(n).to_be_bytes());
            (first, bad)
        });
        others.collect()
    });
    assert_eq!((counters.wrong_id, counters.spoofed()), (100, 100));
    // To another question: name, type, class, none, a query instead of a reply.
    let counters = forged(move |asked, reply| {
        let end = 12 + asked.exact.len() + 2;
        let change = |at: usize, octet: u8| {
            let mut bad = evil(reply);
            bad[at] = octet;
            (first, bad)
        };
        vec![
            change(13, b'x'),
            change(end + 1, 16),
            change(end + 3, 3),
            change(2, 0x01),
            change(2, 0x89),
        ]
    });
    assert_eq!((counters.wrong_question, counters.spoofed()), (5, 5));
    assert_eq!(counters.malformed, 0);
}

/// The same in letters that were not sent.
fn in_other_letters(reply: &[u8]) -> Vec<u8> {
    let mut bad = evil(reply);
    let name = bad.iter().skip(12);
    let at = name.clone().position(u8::is_ascii_alphabetic).unwrap() + 12;
    bad[at] ^= 0x20;
    bad
}

#[test]
fn a_reply_in_other_letters_is_dropped_and_counted() {
    let [first, _] = servers();
    let counters = forged(move |_, reply| vec![(first, in_other_letters(reply))]);
    // The right one that follows is taken: it is in letters that were sent.
    assert_eq!((counters.wrong_case, counters.spoofed()), (1, 1));
}

/// The letters of a question that is out have to be guessed, however often a guess is repeated.
#[test]
fn a_reply_in_other_letters_is_dropped_every_time() {
    let [first, _] = servers();
    let counters = forged(move |_, reply| vec![(first, in_other_letters(reply)); 3]);
    assert_eq!((counters.wrong_case, counters.spoofed()), (3, 3));
}

#[test]
fn a_server_that_does_not_keep_the_case_costs_a_retry() {
    let mut world = World::new();
    world.manners = [Manner::LowerCase; 2];
    let answer = world.look_up("www.example.org", RecordType::A).unwrap();
    assert_eq!(answer.addresses, ["192.0.2.1"]);
    assert_eq!(world.dns.counters().wrong_case, 1);
    assert_eq!(world.dns.counters().retries, 1);
    assert_eq!(world.asked[1].exact, "www.example.org");
}

#[test]
fn a_broken_reply_is_dropped_and_counted() {
    let [first, _] = servers();
    let counters = forged(move |_, reply| {
        (0..reply.len())
            .map(|len| (first, reply[..len].to_vec()))
            .collect()
    });
    assert!(counters.malformed > 30);
    // Every octet of the right reply changed: nothing but the right reply, or one that says the
    // same in other words, is taken, and nothing breaks.
    let mut world = World::new();
    world.forger = Some(Box::new(move |_, reply| {
        let changes = (2..reply.len()).flat_map(|at| [0x01, 0x80, 0xff].map(|bits| (at, bits)));
        let changed = changes.map(|(at, bits)| {
            let mut bad = reply.to_vec();
            bad[at] ^= bits;
            (first, bad)
        });
        changed.take(200).collect()
    }));
    let _ = world.look_up("www.example.org", RecordType::A);
}

/// Attack class 10, known bug S20: ids, ports and letters follow no rule.
//= https://www.rfc-editor.org/rfc/rfc5452#section-9.2
//= type=test
//# Use an unpredictable source port for outgoing queries from the
//# range of available ports (53, or 1024 and above) that is as large
//# as possible and practicable;
//= https://www.rfc-editor.org/rfc/rfc5452#section-9.2
//= type=test
//# Use an unpredictable query ID for outgoing queries, utilizing the
//# full range available (0-65535).
#[test]
fn s20_ids_ports_and_letters_are_unpredictable() {
    let mut world = World::new();
    let (mut ids, mut ports, mut words) = (HashSet::new(), HashSet::new(), HashSet::new());
    let (mut steps, mut last) = (HashSet::new(), 0);
    let mut ones = [0; 16];
    const COUNT: usize = 2000;
    for number in 0..COUNT {
        let name = format!("host-number-{number}.example.org");
        let _ = world.look_up(&name, RecordType::A);
        let asked = world.asked.pop().unwrap();
        ids.insert(asked.id);
        ports.insert(asked.port);
        steps.insert(asked.id.wrapping_sub(last));
        last = asked.id;
        words.insert(
            asked
                .exact
                .chars()
                .filter(|c| c.is_alphabetic())
                .collect::<Vec<_>>(),
        );
        for (bit, ones) in ones.iter_mut().enumerate() {
            *ones += usize::from(asked.id >> bit & 1);
        }
    }
    // Of 2000 throws of 65 536, about 30 meet by chance.
    assert!(
        ids.len() > 1940 && steps.len() > 1940,
        "{} {}",
        ids.len(),
        steps.len()
    );
    assert!(ports.len() > 1800, "{}", ports.len());
    assert!(words.len() > 1990, "{}", words.len());
    let fair = COUNT * 4 / 10..COUNT * 6 / 10;
    assert!(ones.iter().all(|ones| fair.contains(ones)), "{ones:?}");
}

/// Other seeds, other ids; the same, the same.
#[test]
fn the_same_seed_gives_the_same_queries() {
    let ids = || {
        let mut world = World::new();
        for name in ["a.example.org", "b.example.org"] {
            let _ = world.look_up(name, RecordType::A);
        }
        world
            .asked
            .iter()
            .map(|asked| (asked.id, asked.exact.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(), ids());
}

/// Kashpureff's attack: what nobody asked about is in nobody's memory afterwards.
#[test]
fn records_that_were_not_asked_for_are_not_taken() {
    use netloom_wire::dns::*;
    let [first, _] = servers();
    let mut world = World::new();
    world.forger = Some(Box::new(move |asked, reply| {
        // The server itself is the attacker here: all matches but what it adds.
        let view = DnsView::new(reply).unwrap();
        let mut buffer = [0; 1024];
        let mut message = DnsWriter::new(&mut buffer, view.header()).unwrap();
        message.question(&view.question().unwrap()).unwrap();
        let (bank, own): (Name, Name) = (
            "bank.example.com".parse().unwrap(),
            asked.exact.parse().unwrap(),
        );
        let evil = |name: &Name| Record {
            name: bank.view(),
            kind: RecordType::A,
            class: class::IN,
            ttl: 9999,
            data: Rdata::A([203, 0, 113, if *name == own { 66 } else { 67 }].into()),
        };
        message.record(Section::Answer, &evil(&bank)).unwrap();
        for record in view.answers() {
            message.record(Section::Answer, &record).unwrap();
        }
        // The right name in another class.
        let chaos = Record {
            name: own.view(),
            class: 3,
            ..evil(&own)
        };
        message.record(Section::Answer, &chaos).unwrap();
        message.record(Section::Authority, &evil(&bank)).unwrap();
        message.record(Section::Additional, &evil(&bank)).unwrap();
        vec![(first, message.as_octets().to_vec())]
    }));
    let answer = world.look_up("www.example.org", RecordType::A).unwrap();
    assert_eq!(answer.addresses, ["192.0.2.1"]);
    world.forger = None;
    let bank = world.look_up("bank.example.com", RecordType::A);
    assert_eq!(bank.unwrap_err(), Failure::NoSuchName);
}

/// Attack class 18 with a resolver behind it: names that point in circles, forward, into the
/// header, or say they are longer than they are.
#[test]
fn class_18_names_that_lead_nowhere_are_dropped() {
    let [first, _] = servers();
    let counters = forged(move |asked, reply| {
        let at = 12 + asked.exact.len() + 2 + 4;
        // The owner of the first answer is a pointer to the question.
        assert_eq!(reply[at..at + 2], [0xc0, 12]);
        let to = |target: usize| {
            let mut bad = evil(reply);
            bad[at..at + 2].copy_from_slice(&(0xc000 | target as u16).to_be_bytes());
            (first, bad)
        };
        let mut bad = vec![to(at), to(at + 2), to(0), to(11), to(0x3fff)];
        for len in [0x40, 0x80, 0xbf, 63] {
            let mut changed = evil(reply);
            changed[at] = len;
            bad.push((first, changed));
        }
        bad
    });
    assert_eq!(counters.malformed, 9);
}

/// Known bug S21, a copy of a name into a buffer that was too short for it: the longest name of
/// all is asked, answered, kept and found again.
#[test]
fn s21_the_longest_name_is_looked_up() {
    let label = "x".repeat(63);
    let name = [&label[..], &label, &label, &"y".repeat(49), "example.org"].join(".");
    assert_eq!(name.parse::<Name>().unwrap().as_octets().len(), 255);
    let mut world = World::new();
    world.zone(&name, RecordType::A, &["192.0.2.44"]);
    for _ in 0..2 {
        let answer = world.look_up(&name, RecordType::A).unwrap();
        assert_eq!(answer.addresses, ["192.0.2.44"]);
        assert_eq!(answer.canonical, name);
    }
    assert_eq!(world.asked.len(), 1);
}

/// A message that is no reply at all, in any state, does nothing.
#[test]
fn whatever_comes_nothing_breaks() {
    let mut dice = netloom_stack::rand::Rng::new(&netloom_stack::Seed::for_tests(9));
    let [first, _] = servers();
    for _ in 0..200 {
        let mut world = World::new();
        let junk: Vec<u8> = (0..dice.below(200))
            .map(|_| dice.next_u32() as u8)
            .collect();
        let position = dice.below(40) as usize;
        world.forger = Some(Box::new(move |_, reply| {
            let mut bad = reply.to_vec();
            for (place, octet) in bad.iter_mut().skip(position + 2).zip(&junk) {
                *place = *octet;
            }
            let _ = DnsView::new(&bad);
            vec![(first, junk.clone()), (first, bad)]
        }));
        let _ = world.look_up("www.example.org", RecordType::A);
    }
}
