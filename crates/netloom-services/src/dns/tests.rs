//! A resolver on one stack, servers made by hand on another, a clock the tests turn.

mod attacks;
mod connecting;
mod servers;
mod world;

use core::time::Duration;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use netloom_wire::dns::{Rdata, RecordType, Txt};

use super::*;
use world::*;

#[test]
fn a_name_is_looked_up() {
    let mut world = World::new();
    let answer = world.look_up("www.example.org", RecordType::A).unwrap();
    assert_eq!(answer.addresses, ["192.0.2.1"]);
    assert_eq!(answer.canonical, "www.example.org");
    let query = &world.asked[0];
    assert_eq!(query.name, "www.example.org");
    assert!(query.edns == Some(1232) && query.recursion && !query.tcp);
    assert_eq!(world.dns.counters().sent, 1);
    assert_eq!(world.dns.counters().taken, 1);
    assert_eq!(world.dns.query_count(), 0);
}

#[test]
fn every_type_is_looked_up() {
    let mut world = World::new();
    world.zone("x.example.org", RecordType::AAAA, &["fd00::7"]);
    world.zone("x.example.org", RecordType::TXT, &["some text"]);
    world.zone("_sip._udp.example.org", RecordType::SRV, &["x.example.org"]);
    world.zone(
        "1.2.0.192.in-addr.arpa",
        RecordType::PTR,
        &["www.example.org"],
    );
    let shown = |world: &mut World, name, kind| world.look_up(name, kind).unwrap().records;
    let aaaa = shown(&mut world, "x.example.org", RecordType::AAAA);
    assert_eq!(aaaa, ["AAAA fd00::7"]);
    let txt = shown(&mut world, "x.example.org", RecordType::TXT);
    assert_eq!(txt, ["TXT \"some text\""]);
    let srv = shown(&mut world, "_sip._udp.example.org", RecordType::SRV);
    assert_eq!(srv, ["SRV 1 2 5060 x.example.org"]);
    let World { dns, client, .. } = &mut world;
    let query = dns.begin_reverse(client, "192.0.2.1".parse().unwrap());
    let ptr = world.finish(query.unwrap()).unwrap().records;
    assert_eq!(ptr, ["PTR www.example.org"]);
}

#[test]
fn an_answer_is_remembered_for_its_time() {
    let mut world = World::new();
    world.look_up("www.example.org", RecordType::A).unwrap();
    world.advance(Duration::from_secs(100));
    let again = world.look_up("WWW.example.org.", RecordType::A).unwrap();
    assert_eq!(again.addresses, ["192.0.2.1"]);
    assert_eq!(again.ttls, [200]);
    assert_eq!(world.asked.len(), 1);
    assert_eq!(world.dns.counters().from_memory, 1);
    world.advance(Duration::from_secs(200));
    world.look_up("www.example.org", RecordType::A).unwrap();
    assert_eq!(world.asked.len(), 2);
    world.dns.clear();
    world.look_up("www.example.org", RecordType::A).unwrap();
    assert_eq!(world.asked.len(), 3);
}

#[test]
fn that_there_is_nothing_is_remembered_too() {
    let mut world = World::new();
    for _ in 0..3 {
        let failure = world.look_up("none.example.org", RecordType::A);
        assert_eq!(failure.unwrap_err(), Failure::NoSuchName);
        let failure = world.look_up("www.example.org", RecordType::AAAA);
        assert_eq!(failure.unwrap_err(), Failure::NoSuchRecord);
    }
    assert_eq!(world.asked.len(), 2);
    // No such name: no records of any type either.
    let failure = world.look_up("none.example.org", RecordType::TXT);
    assert_eq!(
        (failure.unwrap_err(), world.asked.len()),
        (Failure::NoSuchName, 2)
    );
    // As long as the zone's minimum says, which is less than the TTL.
    world.advance(Duration::from_secs(60));
    let _ = world.look_up("none.example.org", RecordType::A);
    assert_eq!(world.asked.len(), 3);
}

#[test]
fn what_the_zone_does_not_vouch_for_is_not_remembered() {
    for soa in [None, Some("example.net"), Some("none.example.org.evil")] {
        let mut world = World::new();
        world.soa = soa.map(ToString::to_string);
        for count in 1..4 {
            let failure = world.look_up("none.example.org", RecordType::A);
            assert_eq!(failure.unwrap_err(), Failure::NoSuchName);
            assert_eq!(world.asked.len(), count, "{soa:?}");
        }
    }
}

#[test]
fn a_ttl_of_zero_or_below_is_for_once() {
    for ttl in [0, 0x8000_0000, u32::MAX] {
        let mut world = World::new();
        world.ttl = ttl;
        world.look_up("www.example.org", RecordType::A).unwrap();
        world.look_up("www.example.org", RecordType::A).unwrap();
        assert_eq!(world.asked.len(), 2);
    }
}

#[test]
fn aliases_are_followed_within_a_reply() {
    let mut world = World::new();
    world.zone(
        "alias.example.org",
        RecordType::CNAME,
        &["other.example.org"],
    );
    world.zone("other.example.org", RecordType::CNAME, &["www.example.org"]);
    world.chase = true;
    let answer = world.look_up("alias.example.org", RecordType::A).unwrap();
    assert_eq!(answer.addresses, ["192.0.2.1"]);
    assert_eq!(answer.canonical, "www.example.org");
    assert_eq!(world.asked.len(), 1);
    world.look_up("alias.example.org", RecordType::A).unwrap();
    assert_eq!(world.asked.len(), 1);
    // The alias itself can be asked for.
    let alias = world
        .look_up("alias.example.org", RecordType::CNAME)
        .unwrap();
    assert_eq!(alias.records, ["CNAME other.example.org"]);
}

#[test]
fn aliases_are_followed_from_reply_to_reply() {
    let mut world = World::new();
    world.zone(
        "alias.example.org",
        RecordType::CNAME,
        &["other.example.org"],
    );
    world.zone("other.example.org", RecordType::CNAME, &["www.example.org"]);
    let answer = world.look_up("alias.example.org", RecordType::A).unwrap();
    assert_eq!(answer.addresses, ["192.0.2.1"]);
    let names: Vec<_> = world.asked.iter().map(|q| q.name.as_str()).collect();
    assert_eq!(
        names,
        ["alias.example.org", "other.example.org", "www.example.org"]
    );
    // Where they lead to nothing, there is nothing.
    world.zone(
        "dangling.example.org",
        RecordType::CNAME,
        &["none.example.org"],
    );
    let failure = world.look_up("dangling.example.org", RecordType::A);
    assert_eq!(failure.unwrap_err(), Failure::NoSuchName);
}

#[test]
fn a_circle_of_aliases_ends() {
    for chase in [false, true] {
        let mut world = World::new();
        world.zone("a.example.org", RecordType::CNAME, &["b.example.org"]);
        world.zone("b.example.org", RecordType::CNAME, &["a.example.org"]);
        world.zone("self.example.org", RecordType::CNAME, &["self.example.org"]);
        world.chase = chase;
        for name in ["a.example.org", "self.example.org"] {
            let failure = world.look_up(name, RecordType::A);
            assert_eq!(failure.unwrap_err(), Failure::TooManyAliases);
        }
        // A circle that does not lead back to the name is ended when it has been too long.
        world.zone("tail.example.org", RecordType::CNAME, &["a.example.org"]);
        let failure = world.look_up("tail.example.org", RecordType::A);
        assert_eq!(failure.unwrap_err(), Failure::TooManyAliases);
        let expected = if chase { 3 } else { 2 + 1 + 12 };
        assert_eq!(world.asked.len(), expected);
    }
}

#[test]
fn the_search_list_completes_names() {
    let mut world = World::new();
    let domains = ["lan", "example.org"].map(|d| d.parse().unwrap());
    world.dns.set_search(&domains).unwrap();
    let names = |world: &mut World| {
        let asked = core::mem::take(&mut world.asked);
        asked.into_iter().map(|q| q.name).collect::<Vec<_>>()
    };
    // Below ndots: completed first.
    let answer = world.look_up("www", RecordType::A).unwrap();
    assert_eq!(answer.canonical, "www.example.org");
    assert_eq!(names(&mut world), ["www.lan", "www.example.org"]);
    // From ndots on: as it stands first.
    world.look_up("no.where", RecordType::A).unwrap_err();
    assert_eq!(
        names(&mut world),
        ["no.where", "no.where.lan", "no.where.example.org"]
    );
    // With a dot at the end: as it stands and no other way.
    world.look_up("www2.", RecordType::A).unwrap_err();
    assert_eq!(names(&mut world), ["www2"]);
    // A name that exists without such a record is found to exist.
    world.zone("only.lan", RecordType::A, &["192.0.2.9"]);
    let failure = world.look_up("only", RecordType::AAAA).unwrap_err();
    assert_eq!(failure, Failure::NoSuchRecord);
    assert_eq!(names(&mut world), ["only.lan", "only.example.org", "only"]);
    // What would be too long is left out.
    let long = [["x".repeat(60).as_str(); 4].join("."), "y".repeat(8)].join(".");
    world.look_up(&long, RecordType::A).unwrap_err();
    assert_eq!(names(&mut world), [long]);
}

#[test]
fn the_search_list_is_bounded() {
    let config = Config::new();
    assert!(config.clone().search(&Name::ROOT).is_err());
    let long: Name = ["x".repeat(60).as_str(); 4].join(".").parse().unwrap();
    let config = config.search(&long).unwrap();
    assert!(config.clone().search(&long).is_err());
    assert_eq!(config.search_list().collect::<Vec<_>>(), [long]);
}

#[test]
fn hosts_of_the_programs_own_are_not_asked_about() {
    let mut world = World::new();
    let name: Name = "printer".parse().unwrap();
    let addrs = ["10.9.9.9", "10.9.9.8"].map(|a| a.parse().unwrap());
    world.dns.add_host(&name, &addrs).unwrap();
    let answer = world.look_up("Printer", RecordType::A).unwrap();
    assert_eq!(answer.addresses, ["10.9.9.9", "10.9.9.8"]);
    let failure = world.look_up("printer", RecordType::AAAA).unwrap_err();
    assert_eq!(failure, Failure::NoSuchRecord);
    // They stay while others come and go.
    for number in 0..200 {
        let name = std::format!("h{number}.example.org");
        world.zone(&name, RecordType::A, &["192.0.2.77"]);
        world.look_up(&name, RecordType::A).unwrap();
    }
    world.dns.clear();
    world.advance(Duration::from_secs(1 << 30));
    assert_eq!(
        world
            .look_up("printer", RecordType::A)
            .unwrap()
            .addresses
            .len(),
        2
    );
    assert_eq!(world.asked.len(), 200);
    world.dns.remove_host(&name);
    world.look_up("printer", RecordType::A).unwrap_err();
    assert_eq!(world.asked.len(), 201);
    // More than there is room for is refused, and leaves nothing behind.
    let many = vec!["10.9.9.9".parse().unwrap(); 100];
    assert!(world.dns.add_host(&name, &many).is_err());
    world.look_up("printer", RecordType::A).unwrap_err();
}

//= https://www.rfc-editor.org/rfc/rfc6761#section-6.3
//= type=test
//# Name resolution APIs and libraries SHOULD recognize localhost
//# names as special and SHOULD always return the IP loopback address
//# for address queries and negative responses for all other query
//# types.
//= https://www.rfc-editor.org/rfc/rfc6761#section-6.4
//= type=test
//# Name resolution APIs and libraries SHOULD recognize "invalid"
//# names as special and SHOULD always return immediate negative
//# responses.
#[test]
fn special_names_are_not_asked_about() {
    let mut world = World::new();
    for name in ["localhost", "LOCALHOST.", "a.b.localhost"] {
        let v4 = world.look_up(name, RecordType::A).unwrap();
        let v6 = world.look_up(name, RecordType::AAAA).unwrap();
        assert_eq!(
            (v4.addresses, v6.addresses),
            (vec!["127.0.0.1".into()], vec!["::1".into()])
        );
        let txt = world.look_up(name, RecordType::TXT).unwrap_err();
        assert_eq!(txt, Failure::NoSuchRecord);
    }
    for name in ["invalid", "x.invalid", "abc.onion"] {
        let failure = world.look_up(name, RecordType::A).unwrap_err();
        assert_eq!(failure, Failure::NoSuchName);
    }
    // Numeric addresses are their own answers.
    let v4 = world.look_up("192.0.2.5", RecordType::A).unwrap();
    let v6 = world.look_up("fd00::5", RecordType::AAAA).unwrap();
    assert_eq!(
        (v4.addresses, v6.addresses),
        (vec!["192.0.2.5".into()], vec!["fd00::5".into()])
    );
    let failure = world.look_up("192.0.2.5", RecordType::AAAA).unwrap_err();
    assert_eq!(failure, Failure::NoSuchRecord);
    assert_eq!(world.asked.len(), 0);
}

/// With a search list too: completed, they would be names of somebody's, and told to servers.
#[test]
fn special_names_are_not_completed() {
    let mut world = World::new();
    let domain = "corp.example".parse().unwrap();
    world.dns.set_search(&[domain]).unwrap();
    for name in [
        "localhost",
        "x.localhost",
        "abc.onion",
        "x.invalid",
        "onion",
    ] {
        let completed = std::format!("{name}.corp.example");
        world.zone(&completed, RecordType::A, &["192.0.2.66"]);
        world.zone(&completed, RecordType::TXT, &["not this one"]);
    }
    for name in ["localhost", "x.localhost"] {
        let v4 = world.look_up(name, RecordType::A).unwrap();
        assert_eq!(v4.addresses, ["127.0.0.1"]);
        let txt = world.look_up(name, RecordType::TXT).unwrap_err();
        assert_eq!(txt, Failure::NoSuchRecord);
    }
    for name in ["abc.onion", "x.invalid", "onion"] {
        let failure = world.look_up(name, RecordType::A).unwrap_err();
        assert_eq!(failure, Failure::NoSuchName);
    }
    assert_eq!(world.asked.len(), 0, "{:?}", world.asked);
}

#[test]
fn what_is_no_name_is_refused_at_once() {
    let mut world = World::new();
    let World { dns, client, .. } = &mut world;
    for bad in ["", "a..b", "-\u{e4}", &"x".repeat(64)] {
        let begun = dns.begin(client, bad, RecordType::A);
        assert_eq!(begun, Err(BeginError::BadName), "{bad:?}");
    }
    assert_eq!(dns.query_count(), 0);
}

#[test]
fn several_queries_at_once() {
    let mut world = World::new();
    let World { dns, client, .. } = &mut world;
    let names = [
        "www.example.org",
        "none.example.org",
        "mail.example.org",
        "localhost",
    ];
    let queries = names.map(|name| dns.begin(client, name, RecordType::A).unwrap());
    let full = dns.begin(client, "more.example.org", RecordType::A);
    assert_eq!(full, Err(BeginError::TooMany));
    let results = queries.map(|query| world.finish(query).map(|a| a.addresses.join(" ")));
    assert_eq!(
        results,
        [
            Ok("192.0.2.1".into()),
            Err(Failure::NoSuchName),
            Ok("192.0.2.2".into()),
            Ok("127.0.0.1".into()),
        ]
    );
    let mut ports: Vec<_> = world.asked.iter().map(|q| q.port).collect();
    ports.dedup();
    assert_eq!(ports.len(), 3);
}

/// RFC 5452 §5: as many equal questions as are out at once, as many chances has a forger.
#[test]
fn equal_questions_are_out_once() {
    let mut world = World::new();
    let World { dns, client, .. } = &mut world;
    let queries = ["www.example.org", "WWW.example.org", "www.example.org."]
        .map(|name| dns.begin(client, name, RecordType::A).unwrap());
    for query in queries {
        assert_eq!(world.finish(query).unwrap().addresses, ["192.0.2.1"]);
    }
    assert_eq!(world.asked.len(), 1);
    // If the one that asks is given up, another asks.
    let World { dns, client, .. } = &mut world;
    let [first, second] = [(); 2].map(|()| {
        dns.begin(client, "mail.example.org", RecordType::A)
            .unwrap()
    });
    dns.end(client, first);
    assert_eq!(world.finish(second).unwrap().addresses, ["192.0.2.2"]);
}

#[test]
fn a_query_that_was_ended_says_nothing_more() {
    let mut world = World::new();
    let World { dns, client, .. } = &mut world;
    let query = dns.begin(client, "www.example.org", RecordType::A).unwrap();
    dns.end(client, query);
    assert!(dns.answer(query).is_none());
    let next = dns
        .begin(client, "mail.example.org", RecordType::A)
        .unwrap();
    assert!(dns.answer(query).is_none());
    dns.end(client, query);
    assert_eq!(world.finish(next).unwrap().addresses, ["192.0.2.2"]);
    assert_eq!(world.client.usage().udp, 0);
}

#[test]
fn what_does_not_fit_an_answer_is_left_out() {
    let mut world = World::new();
    let many: Vec<_> = (0..60).map(|n| std::format!("192.0.2.{n}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    world.zone("many.example.org", RecordType::A, &many);
    let answer = world.look_up("many.example.org", RecordType::A).unwrap();
    assert!(!answer.complete);
    assert_eq!(answer.addresses, many[..answer.addresses.len()]);
    assert_eq!(answer.addresses.len(), (ANSWER - 18) / 12);
    // The same from memory.
    let again = world.look_up("many.example.org", RecordType::A).unwrap();
    assert_eq!((again.complete, again.addresses), (false, answer.addresses));
    let text = "x".repeat(250);
    let data = [text.as_str(); 3];
    world.zone("long.example.org", RecordType::TXT, &data);
    let record = [&[250][..], text.as_bytes()].concat();
    assert!(Txt::new(&record).is_ok_and(|txt| Rdata::Txt(txt).to_string().len() == 252));
    assert!(
        !world
            .look_up("long.example.org", RecordType::TXT)
            .unwrap()
            .complete
    );
}

/// Firmware: everything declared, one query at a time, two sockets.
#[test]
fn without_a_heap() {
    let mut world = World::small();
    let answer = world.look_up("www.example.org", RecordType::A).unwrap();
    assert_eq!(answer.addresses, ["192.0.2.1"]);
    world
        .look_up("none.example.org", RecordType::A)
        .unwrap_err();
    world
        .look_up("none.example.org", RecordType::A)
        .unwrap_err();
    assert_eq!(world.asked.len(), 2);
    type Small = Resolver<1, 64, 256, 512>;
    std::println!("Resolver<1, 64, 256, 512>: {} bytes", size_of::<Small>());
    assert!(size_of::<Small>() < 2048);
}
