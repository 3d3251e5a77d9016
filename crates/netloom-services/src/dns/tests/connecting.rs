//! Happy eyeballs.

use core::net::SocketAddr;
use core::time::Duration;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use netloom_stack::{Error, TcpHandle};
use netloom_wire::dns::RecordType;

use super::super::*;
use super::world::*;

/// Connects to dual.example.org; says whom it tried, when after the start in milliseconds, and
/// whom it got.
fn connect(world: &mut World, name: &str) -> (Vec<(String, u64)>, Result<String, ConnectError>) {
    let start = world.now;
    let mut tried = Vec::new();
    let World { dns, client, .. } = &mut *world;
    let settings = ConnectorSettings::default();
    let mut connector = Connector::<8>::begin(client, dns, name, 80, settings).unwrap();
    for _ in 0..1000 {
        let now = world.now;
        let World { dns, client, .. } = &mut *world;
        let mut open =
            |stack: &mut netloom_stack::Stack, to: SocketAddr| -> Result<TcpHandle, Error> {
                tried.push((to.ip().to_string(), now.micros_since(start) / 1000));
                stack.tcp_connect(to)
            };
        if let Some(result) = connector.poll(client, dns, &mut open) {
            let peer = result.map(|connection| {
                let peer = client.tcp_peer_addr(connection).unwrap().ip().to_string();
                client.tcp_abort(connection).unwrap();
                client.tcp_close(connection).unwrap();
                peer
            });
            assert_eq!(client.usage().udp, 0);
            assert_eq!(dns.query_count(), 0);
            return (tried, peer);
        }
        world.turn();
    }
    panic!("there is no end to it");
}

fn listening(addresses: &[&str]) -> World {
    let mut world = World::new();
    for address in addresses {
        let at: SocketAddr = address.parse().unwrap();
        world.server.tcp_listen(at).unwrap();
    }
    world.zone(
        "dual.example.org",
        RecordType::AAAA,
        &["2001:db8::2", "2001:db8::3"],
    );
    world.zone("dual.example.org", RecordType::A, &["10.0.0.2", "10.0.0.3"]);
    world
}

//= https://www.rfc-editor.org/rfc/rfc8305#section-3
//= type=test
//# Both queries SHOULD be made as soon after
//# one another as possible, with the AAAA query made first and
//# immediately followed by the A query.
#[test]
fn ipv6_is_asked_for_and_tried_first() {
    let mut world = listening(&["[2001:db8::2]:80", "10.0.0.2:80"]);
    let (tried, got) = connect(&mut world, "dual.example.org");
    assert_eq!(tried, [("2001:db8::2".to_string(), 0)]);
    assert_eq!(got.unwrap(), "2001:db8::2");
    let kinds: Vec<_> = world.asked.iter().map(|asked| asked.kind).collect();
    assert_eq!(kinds, [RecordType::AAAA, RecordType::A]);
}

#[test]
fn a_dead_address_costs_a_quarter_of_a_second() {
    // Nobody is at 2001:db8::9, and nothing says so.
    let mut world = listening(&["10.0.0.2:80"]);
    world.zone("half.example.org", RecordType::AAAA, &["2001:db8::9"]);
    world.zone("half.example.org", RecordType::A, &["10.0.0.2"]);
    let (tried, got) = connect(&mut world, "half.example.org");
    assert_eq!(
        tried,
        [
            ("2001:db8::9".to_string(), 0),
            ("10.0.0.2".to_string(), 250)
        ]
    );
    assert_eq!(got.unwrap(), "10.0.0.2");
}

//= https://www.rfc-editor.org/rfc/rfc8305#section-4
//= type=test
//# Next, the client SHOULD modify the ordered list to interleave address
//# families.
#[test]
fn the_versions_are_tried_in_turn() {
    let mut world = listening(&[]);
    world.zone(
        "dead.example.org",
        RecordType::AAAA,
        &["2001:db8::7", "2001:db8::8", "2001:db8::9"],
    );
    world.zone("dead.example.org", RecordType::A, &["10.0.0.7", "10.0.0.8"]);
    let (tried, got) = connect(&mut world, "dead.example.org");
    let whom: Vec<_> = tried.iter().map(|(whom, _)| whom.as_str()).collect();
    assert_eq!(
        whom,
        [
            "2001:db8::7",
            "10.0.0.7",
            "2001:db8::8",
            "10.0.0.8",
            "2001:db8::9"
        ]
    );
    let when: Vec<_> = tried.iter().map(|(_, when)| *when).collect();
    assert_eq!(when, [0, 250, 500, 750, 1000]);
    assert!(matches!(got, Err(ConnectError::Connect(Error::Closed(_)))));
}

/// RFC 6724: addresses of a private network lie behind IPv4's, as the default policy has it.
#[test]
fn unique_local_addresses_are_tried_after_ipv4() {
    let mut world = listening(&["10.0.0.2:80"]);
    for stack in [&mut world.client, &mut world.server] {
        let number = if stack.is_local(core::net::Ipv4Addr::new(10, 0, 0, 1)) {
            1
        } else {
            2
        };
        let address = std::format!("fd00::{number}/64").parse().unwrap();
        stack
            .add_address(netloom_stack::IfaceId::FIRST, address)
            .unwrap();
    }
    world.zone("ula.example.org", RecordType::AAAA, &["fd00::2"]);
    world.zone("ula.example.org", RecordType::A, &["10.0.0.2"]);
    let (tried, _) = connect(&mut world, "ula.example.org");
    assert_eq!(tried, [("10.0.0.2".to_string(), 0)]);
}

//= https://www.rfc-editor.org/rfc/rfc8305#section-5
//= type=test
//# More specifically, a
//# subsequent connection MUST NOT be started within 10 milliseconds of
//# the previous attempt.
#[test]
fn a_refusal_is_followed_soon_by_the_next() {
    let mut world = listening(&["10.0.0.3:80"]);
    let (tried, got) = connect(&mut world, "dual.example.org");
    let when: Vec<_> = tried.iter().map(|(_, when)| *when).collect();
    assert_eq!(when, [0, 10, 20, 30]);
    assert_eq!(got.unwrap(), "10.0.0.3");
}

//= https://www.rfc-editor.org/rfc/rfc8305#section-3
//= type=test
//# If a positive
//# A response is received first due to reordering, the client SHOULD
//# wait a short time for the AAAA response to ensure that preference is
//# given to IPv6 (it is common for the AAAA response to follow the A
//# response by a few milliseconds).
#[test]
fn addresses_of_one_version_wait_for_those_of_the_other() {
    // AAAA is asked of a server that is silent at first, A comes at once.
    let mut world = listening(&["[2001:db8::2]:80", "10.0.0.2:80"]);
    world.look_up("dual.example.org", RecordType::A).unwrap();
    world.manners[0] = Manner::Silent;
    let (tried, got) = connect(&mut world, "dual.example.org");
    assert_eq!(tried, [("10.0.0.2".to_string(), 50)]);
    assert_eq!(got.unwrap(), "10.0.0.2");
}

#[test]
fn addresses_that_come_late_are_tried_too() {
    let mut world = listening(&["[2001:db8::2]:80"]);
    world.zone("late.example.org", RecordType::AAAA, &["2001:db8::2"]);
    world.zone("late.example.org", RecordType::A, &["10.0.0.7"]);
    world.look_up("late.example.org", RecordType::A).unwrap();
    world.manners[0] = Manner::Silent;
    let (tried, got) = connect(&mut world, "late.example.org");
    assert_eq!(
        tried,
        [
            ("10.0.0.7".to_string(), 50),
            ("2001:db8::2".to_string(), 2000)
        ]
    );
    assert_eq!(got.unwrap(), "2001:db8::2");
}

#[test]
fn one_version_is_enough() {
    let mut world = listening(&["10.0.0.2:80"]);
    world.zone("v4.example.org", RecordType::A, &["10.0.0.2"]);
    let (tried, got) = connect(&mut world, "v4.example.org");
    assert_eq!(
        (tried, got.unwrap()),
        (vec![("10.0.0.2".into(), 0)], "10.0.0.2".into())
    );
}

#[test]
fn numeric_addresses_never_ask() {
    let mut world = listening(&["10.0.0.2:80", "[2001:db8::2]:80"]);
    world.asked.clear();
    assert_eq!(connect(&mut world, "10.0.0.2").1.unwrap(), "10.0.0.2");
    assert_eq!(connect(&mut world, "2001:db8::2").1.unwrap(), "2001:db8::2");
    assert!(world.asked.is_empty());
}

#[test]
fn a_name_without_addresses_says_why() {
    let mut world = listening(&[]);
    let (_, got) = connect(&mut world, "none.example.org");
    assert_eq!(got, Err(ConnectError::Lookup(Failure::NoSuchName)));
    world.zone("mx.example.org", RecordType::TXT, &["x"]);
    let (_, got) = connect(&mut world, "mx.example.org");
    assert_eq!(got, Err(ConnectError::Lookup(Failure::NoSuchRecord)));
    world.manners = [Manner::Silent; 2];
    let (_, got) = connect(&mut world, "other.example.org");
    assert_eq!(got, Err(ConnectError::Lookup(Failure::TimedOut)));
}

#[test]
fn addresses_that_are_known_are_tried_in_their_order() {
    let mut world = listening(&["10.0.0.2:80"]);
    let start = world.now;
    let mut attempts = Attempts::<4>::new(&world.client, Attempts::<4>::DELAY);
    for to in ["[2001:db8::9]:80", "10.0.0.7:80", "10.0.0.2:80"] {
        assert!(attempts.add(to.parse().unwrap()));
    }
    let mut when = Vec::new();
    let connection = loop {
        let now = world.now;
        let result = attempts.poll(&mut world.client, |stack, to| {
            when.push(now.micros_since(start) / 1000);
            stack.tcp_connect(to)
        });
        if let Some(result) = result {
            break result.unwrap();
        }
        world.turn();
    };
    assert_eq!(when, [0, 250, 500]);
    let peer = world.client.tcp_peer_addr(connection).unwrap();
    assert_eq!(peer.to_string(), "10.0.0.2:80");
    // The others are given up, and so is the timer.
    assert_eq!(world.client.usage().udp, 0);
    assert_eq!(world.client.usage().connections, 1);
}

#[test]
fn no_address_is_no_connection() {
    let mut world = listening(&[]);
    let mut attempts = Attempts::<1>::new(&world.client, Duration::ZERO);
    let open = |stack: &mut netloom_stack::Stack, to| stack.tcp_connect(to);
    let result = attempts.poll(&mut world.client, open);
    assert_eq!(result, Some(Err(Error::InvalidArgument)));
    assert!(attempts.add("10.0.0.2:80".parse().unwrap()));
    assert!(!attempts.add("10.0.0.3:80".parse().unwrap()), "it is full");
}

//= https://www.rfc-editor.org/rfc/rfc8305#section-5
//= type=test
//# Once one of the connection attempts succeeds (generally when the TCP
//# handshake completes), all other connections attempts that have not
//# yet succeeded SHOULD be canceled.
#[test]
fn given_up_it_leaves_nothing_behind() {
    let mut world = listening(&[]);
    world.zone("dead.example.org", RecordType::AAAA, &["2001:db8::9"]);
    let World { dns, client, .. } = &mut world;
    let settings = ConnectorSettings {
        attempt_delay: Duration::ZERO,
        ..ConnectorSettings::default()
    };
    let mut connector =
        Connector::<4>::begin(client, dns, "dead.example.org", 80, settings).unwrap();
    world.settle();
    let World { dns, client, .. } = &mut world;
    assert!(
        connector
            .poll(client, dns, |stack, to| stack.tcp_connect(to))
            .is_none()
    );
    connector.end(client, dns);
    assert_eq!((client.usage().udp, dns.query_count()), (0, 0));
}

#[test]
fn hosts_and_ports_in_text() {
    for (text, expected) in [
        ("example.org:80", Some(("example.org", 80))),
        ("[2001:db8::1]:443", Some(("2001:db8::1", 443))),
        ("10.0.0.1:1", Some(("10.0.0.1", 1))),
        ("plc.local:502", Some(("plc.local", 502))),
        ("example.org", None),
        ("example.org:", None),
        ("example.org:+80", None),
        ("example.org:65536", None),
        ("fd00::1:80", None),
        ("[2001:db8::1]", None),
        ("[example.org]:80", None),
        (":80", None),
        ("a b:80", None),
    ] {
        assert_eq!(split_host_port(text), expected, "{text}");
    }
}
