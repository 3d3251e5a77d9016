//! For want of a lease: RFC 3927, and a static address.

use std::net::Ipv4Addr;
use std::vec::Vec;

use netloom_wire::dhcpv4::MessageType;
use netloom_wire::{Addr, Cidr};

use super::super::*;
use super::bench::{Bench, IF, OFFERED, OTHER, Reply, SERVER};
use crate::dhcp::ConflictCheck;

fn link_local() -> Request<'static> {
    Request {
        fallback: Fallback::LinkLocal,
        ..Request::default()
    }
}

fn in_use(bench: &mut Bench) -> Cidr {
    while let Some(event) = bench.event() {
        if let Event::FallbackInUse(address) = event {
            return address;
        }
    }
    panic!("no address is in use");
}

//= https://www.rfc-editor.org/rfc/rfc3927#section-2.1
//= type=test
//# When a host wishes to configure an IPv4 Link-Local address, it
//# selects an address using a pseudo-random number generator with a
//# uniform distribution in the range from 169.254.1.0 to 169.254.254.255
//# inclusive.
#[test]
fn a_link_local_address_is_probed_announced_and_used() {
    let mut bench = Bench::heap(link_local());
    bench.run_for(27);
    assert!(bench.arp.is_empty());
    bench.run_for(15);
    let address = in_use(&mut bench);
    let [a, b, third, _] = address.addr.v4_octets().unwrap();
    assert_eq!((a, b, address.prefix), (169, 254, 16));
    assert!((1..=254).contains(&third));
    assert!(bench.stack.is_local(address.addr));
    assert_eq!(bench.client.fallback_address(), Some(address));
    let sender = |n: usize| bench.arp[n].1.sender_ip;
    assert!((0..3).all(|n| sender(n).is_unspecified()));
    assert!((3..5).all(|n| sender(n) == address.addr));
    // The server is asked all the while, from no address.
    let count = bench.sent.len();
    bench.run_for(200);
    assert!(bench.sent.len() > count);
    let last = bench.sent.pop_back().unwrap();
    assert_eq!(last.src, Addr::V4_UNSPECIFIED);
    // It answers: the address makes way.
    bench.sent.clear();
    bench.say(&Reply::default().offer(&last), true);
    let request = bench.expect(MessageType::Request);
    assert_eq!(request.src, Addr::V4_UNSPECIFIED);
    bench.say(&Reply::default().ack(&request), true);
    bench.events.clear();
    bench.run_for(10);
    assert_eq!(bench.event(), Some(Event::FallbackLost(address)));
    assert!(matches!(bench.event(), Some(Event::Acquired { .. })));
    assert!(!bench.stack.is_local(address.addr) && bench.stack.is_local(OFFERED));
}

#[test]
fn the_same_host_tries_the_same_addresses_and_others_do_not() {
    let first = |seed| {
        let mut bench = Bench::seeded(link_local(), seed);
        bench.run_for(60);
        in_use(&mut bench)
    };
    assert_eq!(first(1), first(2));
    let mut addresses: Vec<Cidr> = (0..200)
        .map(|n| fallback::link_local(MacAddr([2, 0, 0, 0, 0, n]), 0))
        .chain((0..10).map(|n| fallback::link_local(super::bench::MAC, n)))
        .collect();
    addresses.sort();
    addresses.dedup();
    assert!(addresses.len() >= 205, "{}", addresses.len());
}

#[test]
fn a_link_local_address_somebody_has_is_left_for_another() {
    let mut bench = Bench::heap(link_local());
    bench.run_for(29);
    bench.run_for(2);
    let tried = bench.arp[0].1.target_ip;
    bench.arp_from(OTHER, v4(tried), v4(tried));
    bench.run_for(12);
    let address = in_use(&mut bench);
    assert_ne!(address.addr, tried);
    // It is defended once, then left.
    bench.arp_from(OTHER, v4(address.addr), v4(address.addr));
    assert!(bench.stack.is_local(address.addr));
    bench.arp_from(OTHER, v4(address.addr), v4(address.addr));
    assert!(!bench.stack.is_local(address.addr));
    assert_eq!(bench.event(), Some(Event::FallbackLost(address)));
    bench.run_for(12);
    let third = in_use(&mut bench);
    assert!(third.addr != address.addr && third.addr != tried);
}

//= https://www.rfc-editor.org/rfc/rfc3927#section-2.2.1
//= type=test
//# A host should maintain a counter of the number of address conflicts
//# it has experienced in the process of trying to acquire an address,
//# and if the number of conflicts exceeds MAX_CONFLICTS then the host
//# MUST limit the rate at which it probes for new addresses to no more
//# than one new address per RATE_LIMIT_INTERVAL.
#[test]
fn a_link_where_every_address_is_taken_is_probed_slowly() {
    let mut bench = Bench::heap(Request {
        conflict_check: ConflictCheck::Quick,
        ..link_local()
    });
    let mut begun = Vec::new();
    for _ in 0..14 {
        while bench.arp.is_empty() {
            bench.now = bench.stack.next_deadline().unwrap().max(bench.now);
            bench.turn();
        }
        begun.push(bench.now);
        let tried = v4(bench.arp[0].1.target_ip);
        bench.arp_from(OTHER, tried, tried);
        bench.arp.clear();
    }
    for pair in begun[..10].windows(2) {
        assert!(pair[1].micros_since(pair[0]) < 2_000_000);
    }
    for pair in begun[11..].windows(2) {
        assert!(pair[1].micros_since(pair[0]) >= 60_000_000);
    }
}

#[test]
fn a_static_address_stands_in_until_there_is_a_lease_and_after_it() {
    let own: Cidr = "192.168.9.9/24".parse().unwrap();
    let router = Ipv4Addr::new(192, 168, 9, 1);
    let mut bench = Bench::heap(Request {
        fallback: Fallback::Static(own, Some(router)),
        fallback_after: std::time::Duration::from_secs(5),
        conflict_check: ConflictCheck::Quick,
        ..Request::default()
    });
    bench.run_for(7);
    assert_eq!(in_use(&mut bench), own);
    let has_router = |bench: &Bench| {
        let routes = bench.stack.routes();
        routes.iter().any(|r| r.via == Some(router.into()))
    };
    assert!(bench.stack.is_local(own.addr) && has_router(&bench));
    let discover = bench.sent.pop_back().unwrap();
    bench.sent.clear();
    let reply = Reply {
        seconds: 120,
        ..Reply::default()
    };
    bench.say(&reply.offer(&discover), true);
    let request = bench.expect(MessageType::Request);
    bench.say(&reply.ack(&request), true);
    bench.run_for(2);
    assert!(!bench.stack.is_local(own.addr) && !has_router(&bench));
    bench.run_for(119);
    assert!(!bench.stack.is_local(OFFERED));
    bench.run_for(7);
    assert_eq!(in_use(&mut bench), own);
    bench.client.stop(&mut bench.stack);
    assert!(!bench.stack.is_local(own.addr) && !has_router(&bench));
}

/// A client that has had this static address and router, and has a lease of this address now.
fn leased_after(own: Cidr, router: Ipv4Addr, leased: Ipv4Addr, prepare: fn(&mut Bench)) -> Bench {
    let mut bench = Bench::heap(Request {
        fallback: Fallback::Static(own, Some(router)),
        fallback_after: std::time::Duration::from_secs(5),
        conflict_check: ConflictCheck::Quick,
        ..Request::default()
    });
    prepare(&mut bench);
    bench.run_for(7);
    assert_eq!(in_use(&mut bench), own);
    let discover = bench.sent.pop_back().unwrap();
    bench.sent.clear();
    let reply = Reply {
        address: leased,
        ..Reply::default()
    };
    bench.say(&reply.offer(&discover), true);
    let request = bench.expect(MessageType::Request);
    bench.say(&reply.ack(&request), true);
    bench.run_for(5);
    assert_eq!(bench.event(), Some(Event::FallbackLost(own)));
    assert!(matches!(bench.event(), Some(Event::Acquired { .. })));
    assert_eq!(bench.client.fallback_address(), None);
    bench
}

/// Metrics of the default routes through a router.
fn defaults(bench: &Bench, router: Ipv4Addr) -> Vec<u16> {
    let routes = bench.stack.routes().iter();
    let through = routes.filter(|route| route.is_default() && route.via == Some(router.into()));
    through.map(|route| route.metric).collect()
}

#[test]
fn a_lease_through_the_router_of_the_static_address_keeps_its_route() {
    let own = "10.0.0.9/24".parse().unwrap();
    let mut bench = leased_after(own, SERVER, OFFERED, |_| {});
    assert_eq!(defaults(&bench, SERVER), [100]);
    assert!(!bench.stack.is_local(own.addr) && bench.stack.is_local(OFFERED));
    bench.client.stop(&mut bench.stack);
    assert_eq!(defaults(&bench, SERVER), []);
}

#[test]
fn a_router_by_hand_stays_when_the_static_address_through_it_goes() {
    let own = "10.0.0.9/24".parse().unwrap();
    let mut bench = leased_after(own, SERVER, OFFERED, |bench| {
        bench.stack.add_gateway(IF, SERVER).unwrap();
    });
    assert_eq!(defaults(&bench, SERVER), [0, 100]);
    bench.client.stop(&mut bench.stack);
    assert_eq!(defaults(&bench, SERVER), [0]);
}

#[test]
fn a_lease_of_the_static_address_keeps_it() {
    let own: Cidr = "10.0.0.9/24".parse().unwrap();
    let mut bench = leased_after(own, SERVER, v4(own.addr), |_| {});
    assert!(bench.stack.is_local(own.addr));
    assert_eq!(defaults(&bench, SERVER), [100]);
    // It is the lease's, and watched.
    bench.arp.clear();
    bench.arp_from(OTHER, v4(own.addr), v4(own.addr));
    assert_eq!(bench.arp.pop_front().unwrap().1.sender_ip, own.addr);
    bench.client.stop(&mut bench.stack);
    assert!(!bench.stack.is_local(own.addr));
}

fn v4(addr: Addr) -> Ipv4Addr {
    addr.v4_octets().unwrap().into()
}
