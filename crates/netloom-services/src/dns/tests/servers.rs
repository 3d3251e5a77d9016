//! Servers that are silent, fail, know no EDNS, or answer over TCP.

use core::time::Duration;
use std::format;
use std::vec::Vec;

use netloom_wire::dns::RecordType;

use super::super::*;
use super::world::*;

fn servers_asked(world: &World) -> Vec<usize> {
    world.asked.iter().map(|asked| asked.server).collect()
}

#[test]
fn a_dead_first_server_costs_one_retry() {
    let mut world = World::new();
    world.manners[0] = Manner::Silent;
    let start = world.now;
    let answer = world.look_up("www.example.org", RecordType::A).unwrap();
    assert_eq!(answer.addresses, ["192.0.2.1"]);
    assert_eq!(servers_asked(&world), [0, 1]);
    assert_eq!(world.now.micros_since(start), 2_000_000);
    let counters = *world.dns.counters();
    assert_eq!((counters.retries, counters.timeouts), (1, 1));
    // It is asked last for a while: the next query is not slowed down.
    world.look_up("mail.example.org", RecordType::A).unwrap();
    assert_eq!(servers_asked(&world), [0, 1, 1]);
    assert_eq!(world.dns.counters().retries, 1);
    // And first again after that.
    world.advance(Duration::from_secs(30));
    world.manners[0] = Manner::Answer;
    world.dns.clear();
    world.look_up("mail.example.org", RecordType::A).unwrap();
    assert_eq!(servers_asked(&world), [0, 1, 1, 0]);
}

#[test]
fn all_servers_are_asked_twice_and_given_twice_the_time() {
    let mut world = World::new();
    world.manners = [Manner::Silent; 2];
    let start = world.now;
    let failure = world.look_up("www.example.org", RecordType::A).unwrap_err();
    assert_eq!(failure, Failure::TimedOut);
    assert_eq!(servers_asked(&world), [0, 1, 0, 1]);
    let at: Vec<_> = world
        .asked
        .iter()
        .map(|a| a.at.micros_since(start))
        .collect();
    assert_eq!(at, [0, 2_000_000, 4_000_000, 8_000_000]);
    assert_eq!(world.now.micros_since(start), 12_000_000);
    // Each time from another port, with another id.
    let mut seen: Vec<_> = world.asked.iter().map(|a| (a.port, a.id)).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 4);
    // Nothing is left.
    assert_eq!(world.client.usage().udp, 0);
}

#[test]
fn a_server_that_fails_is_passed_over_at_once() {
    for code in [2, 5, 4] {
        let mut world = World::new();
        world.manners[0] = Manner::Fail(code, true);
        let start = world.now;
        world.look_up("www.example.org", RecordType::A).unwrap();
        assert_eq!(servers_asked(&world), [0, 1]);
        assert_eq!(world.now, start);
        assert_eq!(world.dns.counters().server_failures, 1);
        world.manners[1] = Manner::Fail(code, true);
        let failure = world
            .look_up("mail.example.org", RecordType::A)
            .unwrap_err();
        assert_eq!(failure, Failure::ServerFailed(code.into()));
    }
}

#[test]
fn a_port_that_is_closed_is_passed_over_at_once() {
    let mut world = World::new();
    let mut servers: Vec<_> = servers().into();
    servers.insert(0, "10.0.0.2:54".parse().unwrap());
    world.dns.set_servers(&servers);
    let start = world.now;
    world.look_up("www.example.org", RecordType::A).unwrap();
    assert_eq!((servers_asked(&world), world.now), (Vec::from([0]), start));
    assert_eq!(world.dns.counters().unreachable, 1);
}

#[test]
fn where_nothing_leads_it_says_so() {
    let mut world = World::new();
    world.dns.set_servers(&["192.0.2.1:53".parse().unwrap()]);
    let failure = world.look_up("www.example.org", RecordType::A).unwrap_err();
    let no_route = netloom_stack::Error::NoRoute;
    assert_eq!(failure, Failure::Unreachable(no_route));
    world.dns.set_servers(&[]);
    let failure = world.look_up("www.example.org", RecordType::A).unwrap_err();
    assert_eq!(failure, Failure::NoServers);
}

#[test]
fn servers_over_ipv6() {
    let mut world = World::new();
    let server = world
        .server
        .udp_bind("[2001:db8::2]:53".parse::<core::net::SocketAddr>().unwrap());
    world
        .dns
        .set_servers(&["[2001:db8::2]:53".parse().unwrap()]);
    let World { dns, client, .. } = &mut world;
    let query = dns.begin(client, "www.example.org", RecordType::A).unwrap();
    world.settle();
    let mut buffer = [0; 512];
    let got = world.server.udp_recv(server.unwrap(), &mut buffer).unwrap();
    assert!(got.meta.remote.is_v6());
    let World { dns, client, .. } = &mut world;
    dns.end(client, query);
}

#[test]
fn a_server_without_edns_is_asked_without() {
    for manner in [Manner::NoEdns, Manner::Fail(1, false)] {
        let mut world = World::new();
        world.manners = [manner; 2];
        let result = world.look_up("www.example.org", RecordType::A);
        let with: Vec<_> = world.asked.iter().map(|a| a.edns.is_some()).collect();
        if manner == Manner::NoEdns {
            assert_eq!(result.unwrap().addresses, ["192.0.2.1"]);
            assert_eq!(with, [true, false]);
            assert_eq!(world.dns.counters().retries, 0);
        } else {
            assert_eq!(result.unwrap_err(), Failure::ServerFailed(1));
        }
    }
    // One that knows EDNS means what it says.
    let mut world = World::new();
    world.manners = [Manner::Fail(1, true); 2];
    world.look_up("www.example.org", RecordType::A).unwrap_err();
    assert!(world.asked.iter().all(|asked| asked.edns.is_some()));
}

//= https://www.rfc-editor.org/rfc/rfc7766#section-5
//= type=test
//# resolution library) MUST support TCP since to do otherwise would
//# limit the interoperability between their own clients and upstream
//# servers.
#[test]
fn what_is_cut_comes_over_tcp() {
    let mut world = World::new();
    world.manners[0] = Manner::Truncate;
    let many: Vec<_> = (0..40).map(|n| format!("192.0.2.{n}")).collect();
    let refs: Vec<_> = many.iter().map(|a| a.as_str()).collect();
    world.zone("many.example.org", RecordType::A, &refs);
    let answer = world.look_up("many.example.org", RecordType::A).unwrap();
    assert!(answer.complete && answer.addresses == many);
    let over: Vec<_> = world.asked.iter().map(|a| (a.server, a.tcp)).collect();
    assert_eq!(over, [(0, false), (0, true)]);
    assert_ne!(world.asked[0].id, world.asked[1].id);
    assert_eq!(world.dns.counters().tcp, 1);
    assert_eq!(world.client.usage().udp, 0);
    // From memory now.
    world.look_up("many.example.org", RecordType::A).unwrap();
    assert_eq!(world.asked.len(), 2);
}

#[test]
fn a_server_that_fails_over_tcp_is_passed_over() {
    for (manner, time) in [
        (Manner::TruncateAndHangUp, 0),
        (Manner::TruncateAndSleep, 4_000_000),
        // What is cut off says nothing of what there is.
        (Manner::TruncateAndStall, 4_000_000),
    ] {
        let mut world = World::new();
        world.manners[0] = manner;
        let start = world.now;
        let answer = world.look_up("www.example.org", RecordType::A).unwrap();
        assert_eq!(answer.addresses, ["192.0.2.1"]);
        assert_eq!(servers_asked(&world), [0, 0, 1], "{manner:?}");
        assert_eq!(world.now.micros_since(start), time);
    }
}

#[test]
fn what_is_longer_than_the_memory_over_tcp_is_taken_as_far_as_it_goes() {
    let mut world = World::new();
    world.manners[0] = Manner::Truncate;
    let many: Vec<_> = (0..250).map(|n| format!("192.0.2.{n}")).collect();
    let refs: Vec<_> = many.iter().map(|a| a.as_str()).collect();
    world.zone("many.example.org", RecordType::A, &refs);
    // 4 KiB, where messages of 2 KiB are read.
    let answer = world.look_up("many.example.org", RecordType::A).unwrap();
    assert!(!answer.complete && answer.addresses.len() > 30);
}

#[test]
fn sockets_that_are_taken_are_waited_for() {
    // Two UDP sockets, and three queries that need one each beside the one to find the address.
    let mut world = World::small();
    let World { dns, client, .. } = &mut world;
    let queries = ["www.example.org", "mail.example.org", "none.example.org"]
        .map(|name| dns.begin(client, name, RecordType::A).unwrap());
    let results = queries.map(|query| world.finish(query).map(|a| a.addresses.join(" ")));
    assert_eq!(
        results,
        [
            Ok("192.0.2.1".into()),
            Ok("192.0.2.2".into()),
            Err(Failure::NoSuchName)
        ]
    );
}
