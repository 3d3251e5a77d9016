//! Addresses given, given again, given back: RFC 2131 §4.3.1, §4.3.4.

use std::vec;
use std::vec::Vec;

use netloom_wire::dhcpv4::{MessageType, code};

use super::super::*;
use super::bench::{Asked, Bench, Fickle, IF, config, ip, mac, pool};
use crate::dhcp::ClientId;

#[test]
fn a_client_gets_an_address_and_the_same_again() {
    for bench in [Bench::new, Bench::lent] {
        let mut bench = bench(config(vec![pool()]));
        let address = bench.lease(1);
        assert!((ip(100)..=ip(103)).contains(&address));
        assert!(matches!(bench.event(), Some(ServerEvent::Offered { .. })));
        let leased = bench.event();
        assert!(matches!(
            leased,
            Some(ServerEvent::Leased {
                again: false,
                seconds: 600,
                ..
            })
        ));
        assert_eq!(bench.lease(1), address);
        bench.events.clear();
        let ack = bench.one(&Asked::renewing(1, address));
        assert_eq!(
            (ack.kind(), ack.view().yiaddr()),
            (MessageType::Ack, address)
        );
        assert!(matches!(
            bench.event(),
            Some(ServerEvent::Leased { again: true, .. })
        ));
        let ack = bench.one(&Asked::rebooting(1, address));
        assert_eq!(ack.kind(), MessageType::Ack);
        assert_eq!(bench.server.pending(), 0);
    }
}

#[test]
fn no_address_is_given_twice_and_when_none_is_left_nobody_gets_one() {
    let mut bench = Bench::new(config(vec![pool()]));
    let mut given: Vec<_> = (1..=4).map(|n| bench.lease(n)).collect();
    given.sort();
    assert_eq!(given, [ip(100), ip(101), ip(102), ip(103)]);
    bench.events.clear();
    bench.none(&Asked::discover(5));
    assert!(matches!(bench.event(), Some(ServerEvent::Exhausted { .. })));
    // Asking for one of them by name helps nobody.
    let nak = bench.one(&Asked::selecting(5, ip(100)));
    assert_eq!(nak.kind(), MessageType::Nak);
    // The lease ends: the next may have it.
    bench.run_for(601_000);
    assert_eq!(bench.one(&Asked::discover(5)).kind(), MessageType::Offer);
}

#[test]
fn what_is_offered_is_offered_to_nobody_else_until_the_offer_ends() {
    let one = Pool {
        last: ip(100),
        ..pool()
    };
    let mut bench = Bench::new(config(vec![one]));
    assert_eq!(bench.one(&Asked::discover(1)).view().yiaddr(), ip(100));
    bench.none(&Asked::discover(2));
    // Nor can it be taken from under who has the offer.
    assert_eq!(
        bench.one(&Asked::selecting(2, ip(100))).kind(),
        MessageType::Nak
    );
    bench.run_for(61_000);
    assert_eq!(bench.one(&Asked::discover(2)).view().yiaddr(), ip(100));
    // Who was offered it first may still come, but late.
    assert_eq!(
        bench.one(&Asked::selecting(1, ip(100))).kind(),
        MessageType::Nak
    );
    assert_eq!(
        bench.one(&Asked::selecting(2, ip(100))).kind(),
        MessageType::Ack
    );
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-3.1
//= type=test
//# Those servers
//# not selected by the DHCPREQUEST message use the message as
//# notification that the client has declined that server's offer.
#[test]
fn an_offer_ends_when_the_client_takes_another_servers() {
    let one = Pool {
        last: ip(100),
        ..pool()
    };
    let mut bench = Bench::new(config(vec![one]));
    bench.one(&Asked::discover(1));
    bench.none(&Asked::selecting(1, ip(100)).with(code::SERVER_IDENTIFIER, &[10, 0, 0, 2]));
    assert_eq!(bench.server.pending(), 0);
    assert_eq!(bench.server.counters().other_server, 1);
    assert_eq!(bench.one(&Asked::discover(2)).kind(), MessageType::Offer);
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
//= type=test
//# o The client's previous address as recorded in the client's (now
//# expired or released) binding, if that address is in the server's
//# pool of available addresses and not already allocated, ELSE
#[test]
fn who_comes_back_gets_the_address_it_had() {
    let mut bench = Bench::new(config(vec![pool()]));
    let first = bench.lease(1);
    bench.none(&Asked::release(1, first));
    // Others come before the one that is remembered.
    assert_ne!(bench.lease(2), first);
    assert_eq!(bench.lease(1), first);
    bench.run_for(700_000);
    assert_eq!(bench.lease(1), first);
    // The wish counts only for who has no history.
    let wish = Asked::discover(3).with(code::REQUESTED_ADDRESS, &ip(103).octets());
    let offer = bench.one(&wish).view().yiaddr();
    assert!(offer == ip(103) || first == ip(103));
}

#[test]
fn an_address_that_was_given_back_is_the_last_choice() {
    let mut bench = Bench::new(config(vec![pool()]));
    let first = bench.lease(1);
    bench.none(&Asked::release(1, first));
    let others: Vec<_> = (2..=4).map(|n| bench.lease(n)).collect();
    assert!(!others.contains(&first));
    assert_eq!(bench.lease(5), first);
    // The one it was has to take another; there is none.
    bench.none(&Asked::discover(1));
}

#[test]
fn only_the_client_itself_can_give_an_address_back() {
    let mut bench = Bench::new(config(vec![pool()]));
    let address = bench.lease(1);
    bench.none(&Asked::release(2, address));
    bench.events.clear();
    let known = bench.server.store().by_address(address).unwrap();
    assert_eq!(known.state, BindingState::Leased);
    bench.none(&Asked::release(1, address));
    let known = bench.server.store().by_address(address).unwrap();
    assert_eq!(known.state, BindingState::Released);
    assert!(matches!(bench.event(), Some(ServerEvent::Released { .. })));
    // Twice is once.
    bench.none(&Asked::release(1, address));
    assert_eq!(bench.event(), None);
    bench.assert_counters(ServerCounters {
        discovers: 1,
        offers: 1,
        requests: 1,
        acks: 1,
        releases: 3,
        unknown: 2,
        ..ServerCounters::ZERO
    });
}

#[test]
fn a_reserved_address_is_for_its_client_alone_and_its_client_has_no_other() {
    let id = ClientId::new(&[1, 2, 3]).unwrap();
    let reservations = vec![
        Reservation {
            who: Who::Mac(mac(7)),
            address: ip(101),
        },
        Reservation {
            who: Who::Id(id),
            address: ip(20),
        },
    ];
    let reservations: &'static [Reservation] = reservations.leak();
    let mut bench = Bench::new(ServerConfig {
        reservations,
        ..config(vec![pool()])
    });
    for n in 1..=3 {
        assert_ne!(bench.lease(n), ip(101));
    }
    bench.none(&Asked::discover(4));
    assert_eq!(bench.lease(7), ip(101));
    let with_id = |asked: Asked| asked.with(code::CLIENT_IDENTIFIER, &[1, 2, 3]);
    let offer = bench.one(&with_id(Asked::discover(9)));
    assert_eq!(offer.view().yiaddr(), ip(20));
    assert_eq!(
        bench.one(&with_id(Asked::selecting(9, ip(20)))).kind(),
        MessageType::Ack
    );
    assert_eq!(
        bench.one(&with_id(Asked::selecting(9, ip(100)))).kind(),
        MessageType::Nak
    );
    assert_eq!(
        bench.one(&Asked::selecting(5, ip(20))).kind(),
        MessageType::Nak
    );
}

#[test]
fn clients_are_told_apart_by_identifier_then_by_interface() {
    let mut bench = Bench::new(config(vec![pool()]));
    let address = bench.lease(1);
    // The same interface with an identifier is somebody else.
    let other = Asked::discover(1).with(code::CLIENT_IDENTIFIER, &[255, 1]);
    assert_ne!(bench.one(&other).view().yiaddr(), address);
    // The same identifier on another interface is the same.
    let same = Asked::discover(2).with(code::CLIENT_IDENTIFIER, &[255, 1]);
    let first = bench.one(&other).view().yiaddr();
    assert_eq!(bench.one(&same).view().yiaddr(), first);
    // One that is too long to be kept counts as none.
    let long = Asked::discover(1).with(code::CLIENT_IDENTIFIER, &[9; 200]);
    assert_eq!(bench.one(&long).view().yiaddr(), address);
}

#[test]
fn the_lease_time_is_the_clients_wish_within_bounds() {
    let mut bench = Bench::new(config(vec![pool()]));
    for (asked, given) in [
        (None, 600),
        (Some(5), 60),
        (Some(700), 700),
        (Some(u32::MAX), 6000),
    ] {
        let mut discover = Asked::discover(1);
        if let Some(asked) = asked {
            discover = discover.with(code::LEASE_TIME, &u32::to_be_bytes(asked));
        }
        let offer = bench.one(&discover);
        let told = |code| offer.view().option(code).unwrap().u32().unwrap();
        assert_eq!(told(code::LEASE_TIME), given);
        assert_eq!(told(code::RENEWAL_TIME), given / 2);
        assert_eq!(told(code::REBINDING_TIME), given - given / 8);
    }
}

#[test]
fn what_could_not_be_kept_is_not_given() {
    let mut bench = Bench::new(config(vec![pool()]));
    let address = bench.one(&Asked::discover(1)).view().yiaddr();
    let mut store = bench.server.close(&mut bench.stack);
    store.fails = true;
    let mut bench = Bench::with_store(config(vec![pool()]), store, 1_000_000);
    bench.none(&Asked::selecting(1, address));
    assert_eq!(bench.event(), Some(ServerEvent::StoreFailed));
    assert_eq!(bench.event(), None);
    bench.assert_counters(ServerCounters {
        requests: 1,
        store_failed: 1,
        ..ServerCounters::ZERO
    });
}

#[test]
fn a_server_that_starts_anew_knows_what_its_store_knows() {
    let mut bench = Bench::new(config(vec![pool()]));
    let given: Vec<_> = (1..=4).map(|n| bench.lease(n)).collect();
    let store = bench.server.close(&mut bench.stack);
    // 100 seconds of its clock later, and a new stack whose clock begins again.
    let mut bench = Bench::with_store(config(vec![pool()]), store, 1_000_100);
    bench.none(&Asked::discover(5));
    for (n, address) in (1..=4).zip(&given) {
        let ack = bench.one(&Asked::rebooting(n, *address));
        assert_eq!(
            (ack.kind(), ack.view().yiaddr()),
            (MessageType::Ack, *address)
        );
    }
    // A long time later they have ended.
    let store = bench.server.close(&mut bench.stack);
    let mut bench = Bench::with_store(config(vec![pool()]), store, 2_000_000);
    assert_eq!(bench.one(&Asked::discover(5)).kind(), MessageType::Offer);
}

#[test]
fn a_store_in_memory_lets_what_has_ended_make_way() {
    let mut store = MemoryStore::<2>::new();
    let binding = |last: u8, expires| Binding {
        address: ip(last),
        expires,
        state: BindingState::Leased,
        ..Binding::NONE
    };
    store.put(&binding(1, 100), 0).unwrap();
    store.put(&binding(2, 50), 0).unwrap();
    assert_eq!(store.put(&binding(3, 500), 49), Err(StoreError::Full));
    store.put(&binding(1, 200), 49).unwrap();
    store.put(&binding(3, 500), 50).unwrap();
    assert!(store.by_address(ip(2)).is_none());
    let mut count = 0;
    store.for_each(&mut |_| count += 1);
    assert_eq!(count, 2);
}

#[test]
fn keys_survive_being_bytes() {
    assert_eq!(ClientKey::from_bytes(&[]), Some(ClientKey::NOBODY));
    let bytes = [&[1][..], &[7; 40]].concat();
    assert_eq!(ClientKey::from_bytes(&bytes).unwrap().as_bytes(), bytes);
    assert_eq!(ClientKey::from_bytes(&[3, 1]), None);
    assert_eq!(ClientKey::from_bytes(&[1; 42]), None);
}

#[test]
fn a_configuration_that_makes_no_sense_is_refused() {
    let reserved = |last| Reservation {
        who: Who::Mac(mac(1)),
        address: ip(last),
    };
    let pool_with = |change: fn(&mut Pool<'static>)| {
        let mut pool = pool();
        change(&mut pool);
        vec![pool]
    };
    let reserving = |reservations: Vec<Reservation>| ServerConfig {
        reservations: reservations.leak(),
        ..config(vec![pool()])
    };
    let network = pool().network;
    let addresses = |first, last| BadConfig::Pool {
        network,
        first,
        last,
    };
    let zero = LeaseTime::of(0);
    let beyond = LeaseTime {
        usual: 7000,
        ..pool().lease_time
    };
    let far = [10, 0, 1, 7].into();
    let wrong = [
        (config(vec![]), BadConfig::NoPool),
        (
            config(pool_with(|p| p.first = ip(104))),
            addresses(ip(104), ip(103)),
        ),
        (
            config(pool_with(|p| p.first = ip(0))),
            addresses(ip(0), ip(103)),
        ),
        (
            config(pool_with(|p| p.last = ip(255))),
            addresses(ip(100), ip(255)),
        ),
        (
            config(pool_with(|p| p.last = [10, 0, 1, 7].into())),
            addresses(ip(100), far),
        ),
        (
            config(pool_with(|p| p.lease_time = LeaseTime::of(0))),
            BadConfig::LeaseTime(zero),
        ),
        (
            config(pool_with(|p| p.lease_time.usual = 7000)),
            BadConfig::LeaseTime(beyond),
        ),
        (
            reserving(vec![reserved(7), reserved(8), reserved(7)]),
            BadConfig::ReservedTwice(ip(7)),
        ),
        (
            reserving(vec![reserved(7), reserved(255)]),
            BadConfig::Reservation(ip(255)),
        ),
    ];
    let mut bench = Bench::new(config(vec![pool()]));
    for (config, bad) in wrong {
        assert_eq!(config.check(), Err(bad));
        let store = Fickle::default();
        let made = Server::new(&mut bench.stack, IF, config, store, &mut [], 0);
        assert_eq!(made.err(), Some(Error::InvalidArgument));
    }
}
