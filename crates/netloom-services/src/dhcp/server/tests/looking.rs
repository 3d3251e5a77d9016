//! The look whether somebody has an address before it is offered (RFC 2131 §4.3.1).

use std::time::Duration;
use std::vec;
use std::vec::Vec;

use netloom_stack::route::Route;
use netloom_wire::dhcpv4::{MessageType, code};

use super::super::*;
use super::bench::{Asked, Bench, IF, config, far_pool, ip, mac, pool};

fn looking() -> ServerConfig<'static> {
    ServerConfig {
        conflict_check: Duration::from_millis(500),
        ..config(vec![pool()])
    }
}

#[test]
fn an_address_is_looked_for_twice_then_offered() {
    for bench in [Bench::new, Bench::lent] {
        let mut bench = bench(looking());
        bench.none(&Asked::discover(1));
        let began = bench.now;
        bench.run_for(499);
        assert!(bench.sent.is_empty());
        bench.run_for(1);
        let offer = bench.sent.pop_front().unwrap();
        assert_eq!(offer.at, began.plus_micros(500_000));
        let address = offer.view().yiaddr();
        assert_eq!(bench.probes, [address, address]);
        // To ask again does not begin again.
        assert_eq!(bench.one(&Asked::discover(1)).view().yiaddr(), address);
        assert_eq!(
            bench.one(&Asked::selecting(1, address)).kind(),
            MessageType::Ack
        );
        // Its own address is not looked for: it would be found.
        bench.probes.clear();
        assert_eq!(bench.one(&Asked::discover(1)).kind(), MessageType::Offer);
        assert!(bench.probes.is_empty());
    }
}

#[test]
fn an_address_somebody_has_is_not_offered_for_a_while() {
    let mut bench = Bench::new(looking());
    bench.none(&Asked::discover(1));
    let first = bench.probes[0];
    bench.run_for(300);
    bench.arp_from(mac(50), first);
    assert_eq!(
        bench.event(),
        Some(ServerEvent::InUse {
            address: first,
            mac: Some(mac(50)),
        })
    );
    let second = *bench.probes.last().unwrap();
    assert_ne!(second, first);
    bench.run_for(500);
    assert_eq!(bench.sent.pop_front().unwrap().view().yiaddr(), second);
    let known = bench.server.store().by_address(first).unwrap();
    assert_eq!(known.state, BindingState::Quarantined);
    // When all are taken there is none.
    bench.events.clear();
    bench.none(&Asked::discover(2));
    for _ in 0..3 {
        if let Some(tried) = bench.probes.last().copied() {
            bench.arp_from(mac(50), tried);
        }
    }
    assert!(
        bench
            .events
            .iter()
            .any(|e| matches!(e, ServerEvent::Exhausted { .. }))
    );
    bench.run_for(1000);
    assert!(bench.sent.is_empty());
}

#[test]
fn who_asks_may_still_have_the_address_it_is_offered() {
    let mut bench = Bench::new(looking());
    bench.none(&Asked::discover(1));
    let address = bench.probes[0];
    bench.arp_from(mac(1), address);
    bench.run_for(500);
    assert_eq!(bench.sent.pop_front().unwrap().view().yiaddr(), address);
}

#[test]
fn the_newest_message_is_answered_after_the_look() {
    let mut bench = Bench::new(looking());
    bench.none(&Asked::discover(1));
    let mut again = Asked::discover(1);
    again.header.xid = 0x777;
    bench.none(&again);
    bench.run_for(500);
    let offer = bench.sent.pop_front().unwrap();
    assert_eq!(offer.view().xid(), 0x777);
    assert!(bench.sent.is_empty());
    bench.assert_counters(ServerCounters {
        discovers: 2,
        repeated: 1,
        offers: 1,
        ..ServerCounters::ZERO
    });
}

#[test]
fn places_are_bounded_and_who_finds_none_asks_again() {
    let big = Pool {
        last: ip(150),
        ..pool()
    };
    let mut bench = Bench::new(ServerConfig {
        conflict_check: Duration::from_millis(500),
        ..config(vec![big])
    });
    for n in 1..=6 {
        bench.none(&Asked::discover(n));
    }
    assert_eq!(bench.server.pending(), 4);
    for n in [5, 6] {
        let for_whom = netloom_wire::dhcpv4::Hardware::ethernet(mac(n).0);
        assert_eq!(bench.event(), Some(ServerEvent::NoPlace { for_whom }));
    }
    assert_eq!(bench.event(), None);
    bench.run_for(500);
    assert_eq!(bench.sent.len(), 4);
    bench.sent.clear();
    // Offers that were not taken make way after their time.
    bench.none(&Asked::discover(5));
    bench.run_for(60_000);
    bench.none(&Asked::discover(5));
    bench.run_for(500);
    assert_eq!(bench.sent.len(), 1);
    bench.assert_counters(ServerCounters {
        discovers: 8,
        no_place: 3,
        offers: 5,
        ..ServerCounters::ZERO
    });
}

/// The last address there is turns out to be somebody's.
#[test]
fn an_address_found_in_use_may_leave_none() {
    let one = Pool {
        last: ip(100),
        ..pool()
    };
    let mut bench = Bench::new(ServerConfig {
        pools: vec![one].leak(),
        ..looking()
    });
    bench.none(&Asked::discover(1));
    bench.arp_from(mac(50), ip(100));
    bench.run_for(500);
    assert!(bench.sent.is_empty());
    bench.assert_counters(ServerCounters {
        discovers: 1,
        exhausted: 1,
        ..ServerCounters::ZERO
    });
}

/// Somebody may have taken it since.
#[test]
fn an_address_whose_offer_has_ended_is_looked_for_again() {
    let mut bench = Bench::new(looking());
    bench.none(&Asked::discover(1));
    bench.run_for(500);
    let address = bench.sent.pop_front().unwrap().view().yiaddr();
    bench.run_for(3_600_000);
    bench.probes.clear();
    bench.none(&Asked::discover(1));
    assert_eq!(bench.probes, [address]);
    bench.arp_from(mac(50), address);
    bench.run_for(500);
    let other = bench.sent.pop_front().unwrap().view().yiaddr();
    assert_ne!(other, address);
}

/// With fewer watches than clients they are looked for one after the other.
#[test]
fn looks_wait_for_one_another() {
    let mut bench = Bench::lent(looking());
    for last in [201, 202, 203] {
        bench.stack.arp_watch(IF, ip(last)).unwrap();
    }
    for n in 1..=3 {
        bench.none(&Asked::discover(n));
    }
    for _ in 0..3 {
        bench.run_for(650);
        assert_eq!(bench.sent.len(), 1);
        bench.sent.clear();
    }
    assert_eq!(bench.probes.len(), 6);
}

/// Networks of the link and behind a relay agent.
fn looking_far() -> ServerConfig<'static> {
    ServerConfig {
        conflict_check: Duration::from_millis(500),
        ..config(vec![pool(), far_pool()])
    }
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-2.2
//= type=test
//# As a consistency check, the allocating
//# server SHOULD probe the reused address before allocating the address,
//# e.g., with an ICMP echo request, and the client SHOULD probe the
//# newly received address, e.g., with ARP.
#[test]
fn behind_a_relay_agent_an_echo_asks() {
    let mut bench = Bench::new(looking_far());
    bench.none(&Asked::discover(1).relayed());
    bench.run_for(500);
    let address = bench.sent.pop_front().unwrap().view().yiaddr();
    let asked: Vec<_> = bench.echoes.iter().map(|echo| echo.0).collect();
    assert_eq!((asked, bench.probes.len()), (vec![address, address], 0));
    // Its own address is not asked for, and would answer, even after the lease.
    let ack = bench.one(&Asked::selecting(1, address).relayed());
    assert_eq!(ack.kind(), MessageType::Ack);
    bench.run_for(700_000);
    bench.echoes.clear();
    let again = bench.one(&Asked::discover(1).relayed());
    assert_eq!(again.view().yiaddr(), address);
    assert!(bench.echoes.is_empty());
    // Nor is one that is reached by no route, but it is offered all the same.
    let far = "10.9.0.0/24".parse().unwrap();
    let router = ip(9).into();
    bench.stack.remove_route(far, Some(router), IF);
    let relay = Route::via("10.9.0.1/32".parse().unwrap(), router, 0);
    bench.stack.add_route(relay).unwrap();
    let offer = bench.one(&Asked::discover(2).relayed());
    assert_eq!(offer.kind(), MessageType::Offer);
    assert!(bench.echoes.is_empty());
}

#[test]
fn an_address_that_answers_behind_a_relay_agent_is_not_offered() {
    let mut bench = Bench::new(looking_far());
    bench.none(&Asked::discover(1).relayed());
    let (first, request) = bench.echoes[0].clone();
    bench.echo_from(first, &request);
    let found = ServerEvent::InUse {
        address: first,
        mac: None,
    };
    assert_eq!(bench.event(), Some(found));
    bench.run_for(500);
    let second = bench.sent.pop_front().unwrap().view().yiaddr();
    assert_ne!(second, first);
    let known = bench.server.store().by_address(first).unwrap();
    assert_eq!(known.state, BindingState::Quarantined);
}

#[test]
fn for_a_long_message_there_is_no_look() {
    let mut bench = Bench::new(looking_far());
    bench.one(&Asked::discover(2).with(code::VENDOR_CLASS, &[b'x'; 600]));
    assert!(bench.probes.is_empty() && bench.echoes.is_empty());
}
