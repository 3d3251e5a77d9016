//! When a server says no, and when it says nothing: RFC 2131 §4.3.2.

use std::net::Ipv4Addr;
use std::vec;

use netloom_wire::dhcpv4::{MessageType, code};
use netloom_wire::{Addr, MacAddr};

use super::super::*;
use super::bench::{Asked, Bench, OWN, config, far_pool, ip, pool};

fn authoritative() -> ServerConfig<'static> {
    ServerConfig {
        authoritative: true,
        ..config(vec![pool()])
    }
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.2
//= type=test
//# Server SHOULD send a DHCPNAK message to the client if the 'requested
//# IP address' is incorrect, or is on the wrong network.
#[test]
fn an_address_of_another_network_or_another_client_is_refused() {
    let mut bench = Bench::new(config(vec![pool()]));
    let own = bench.lease(1);
    let elsewhere = Ipv4Addr::new(192, 168, 1, 2);
    let nak = bench.one(&Asked::rebooting(1, elsewhere));
    assert_eq!(nak.kind(), MessageType::Nak);
    assert_eq!(
        (nak.dst, nak.to, nak.port),
        (Addr::V4_BROADCAST, MacAddr::BROADCAST, 68)
    );
    let view = nak.view();
    assert!(view.yiaddr().is_unspecified() && view.ciaddr().is_unspecified());
    assert_eq!(view.server_identifier(), Some(OWN));
    for forbidden in [code::LEASE_TIME, code::SUBNET_MASK, code::ROUTER] {
        assert_eq!(nak.option(forbidden), None);
    }
    let other = if own == ip(100) { ip(101) } else { ip(100) };
    assert_eq!(
        bench.one(&Asked::rebooting(1, other)).kind(),
        MessageType::Nak
    );
    let nak = bench.one(&Asked::renewing(2, own));
    assert_eq!(
        (nak.kind(), nak.dst),
        (MessageType::Nak, Addr::V4_BROADCAST)
    );
    bench
        .events
        .retain(|event| matches!(event, ServerEvent::Refused { .. }));
    assert_eq!(bench.events.len(), 3);
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.2
//= type=test
//# If the DHCP server has no record of this client, then it MUST
//# remain silent, and MAY output a warning to the network administrator.
#[test]
fn of_a_client_it_does_not_know_a_server_says_nothing_unless_it_knows_all() {
    let mut bench = Bench::new(config(vec![pool()]));
    bench.none(&Asked::rebooting(1, ip(100)));
    bench.none(&Asked::renewing(1, ip(100)));
    let elsewhere = Asked::renewing(1, [192, 168, 1, 2].into());
    bench.none(&elsewhere);
    bench.assert_counters(ServerCounters {
        requests: 3,
        unknown: 2,
        no_network: 1,
        ..ServerCounters::ZERO
    });
    let mut bench = Bench::new(authoritative());
    for asked in [
        Asked::rebooting(1, ip(100)),
        Asked::renewing(1, ip(100)),
        elsewhere,
    ] {
        assert_eq!(bench.one(&asked).kind(), MessageType::Nak);
    }
    bench.assert_counters(ServerCounters {
        requests: 3,
        naks: 3,
        ..ServerCounters::ZERO
    });
}

#[test]
fn a_lease_ends_when_the_pool_has_changed() {
    let mut bench = Bench::new(config(vec![pool()]));
    let address = bench.lease(1);
    let store = bench.server.close(&mut bench.stack);
    let moved = Pool {
        first: ip(200),
        last: ip(210),
        ..pool()
    };
    let mut bench = Bench::with_store(config(vec![moved]), store, 1_000_000);
    assert_eq!(
        bench.one(&Asked::renewing(1, address)).kind(),
        MessageType::Nak
    );
    assert_eq!(
        bench.one(&Asked::rebooting(1, address)).kind(),
        MessageType::Nak
    );
    let offer = bench.one(&Asked::discover(1)).view().yiaddr();
    assert!((ip(200)..=ip(210)).contains(&offer));
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.3
//= type=test
//# The server MUST mark the network address
//# as not available and SHOULD notify the local system administrator of
//# a possible configuration problem.
#[test]
fn a_declined_address_is_given_to_nobody_for_a_while() {
    let one = Pool {
        last: ip(100),
        ..pool()
    };
    let mut bench = Bench::new(config(vec![one]));
    bench.lease(1);
    // Not by who did not get it, nor at another server.
    bench.none(&Asked::decline(2, ip(100)));
    bench.none(&Asked::decline(1, ip(100)).with(code::SERVER_IDENTIFIER, &[10, 0, 0, 2]));
    assert_eq!(
        bench.one(&Asked::renewing(1, ip(100))).kind(),
        MessageType::Ack
    );
    bench.events.clear();
    bench.none(&Asked::decline(1, ip(100)));
    assert!(matches!(bench.event(), Some(ServerEvent::Declined { .. })));
    // It does not say what.
    let mut nothing = Asked::decline(1, ip(100));
    nothing
        .options
        .retain(|(code, _)| *code != code::REQUESTED_ADDRESS);
    bench.none(&nothing);
    bench.assert_counters(ServerCounters {
        discovers: 1,
        offers: 1,
        requests: 2,
        acks: 2,
        declines: 4,
        unknown: 1,
        other_server: 1,
        incomplete: 1,
        ..ServerCounters::ZERO
    });
    bench.none(&Asked::discover(1));
    bench.none(&Asked::discover(2));
    assert_eq!(
        bench.one(&Asked::renewing(1, ip(100))).kind(),
        MessageType::Nak
    );
    bench.run_for(3_599_000);
    bench.none(&Asked::discover(2));
    bench.run_for(2_000);
    assert_eq!(bench.one(&Asked::discover(2)).view().yiaddr(), ip(100));
}

#[test]
fn who_was_offered_an_address_long_ago_cannot_decline_it() {
    let mut bench = Bench::new(config(vec![pool()]));
    // A place that is free again, which the next client gets.
    let first = bench.one(&Asked::discover(3)).view().yiaddr();
    let address = bench.one(&Asked::discover(1)).view().yiaddr();
    bench.none(&Asked::selecting(3, first).with(code::SERVER_IDENTIFIER, &[10, 0, 0, 2]));
    bench.run_for(61_000);
    let wished = Asked::discover(2).with(code::REQUESTED_ADDRESS, &address.octets());
    assert_eq!(bench.one(&wished).view().yiaddr(), address);
    let ack = bench.one(&Asked::selecting(2, address));
    assert_eq!(ack.kind(), MessageType::Ack);
    bench.none(&Asked::decline(1, address));
    let known = bench.server.store().by_address(address).unwrap();
    assert_eq!(known.state, BindingState::Leased);
    let renewed = bench.one(&Asked::renewing(2, address));
    assert_eq!(renewed.kind(), MessageType::Ack);
}

#[test]
fn where_it_has_no_pool_a_server_says_nothing() {
    let mut bench = Bench::new(ServerConfig {
        server_identifier: Some(OWN),
        ..config(vec![far_pool()])
    });
    bench.none(&Asked::discover(1));
    bench.none(&Asked::new(1, MessageType::Inform));
    let mut relayed = Asked::discover(1).relayed();
    relayed.header.giaddr = Ipv4Addr::new(172, 16, 0, 1);
    bench.none(&relayed);
    assert_eq!(
        bench.one(&Asked::discover(1).relayed()).kind(),
        MessageType::Offer
    );
    bench.assert_counters(ServerCounters {
        discovers: 3,
        informs: 1,
        relayed: 2,
        no_network: 3,
        offers: 1,
        ..ServerCounters::ZERO
    });
}
