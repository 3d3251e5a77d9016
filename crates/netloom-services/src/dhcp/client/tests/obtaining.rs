//! From nothing to an address: RFC 2131 §4.4.1, §4.4.2.

use std::net::Ipv4Addr;
use std::time::Duration;
use std::vec;
use std::vec::Vec;

use netloom_stack::driver::Instant;
use netloom_wire::dhcpv4::{MessageType, code};
use netloom_wire::{Addr, MacAddr};

use super::super::*;
use super::bench::{Bench, IF, MAC, OFFERED, OTHER, Reply, SERVER, hardware, shown};
use crate::dhcp::ConflictCheck;

const QUICK: Request<'static> = Request {
    conflict_check: ConflictCheck::Quick,
    ..DEFAULT
};
const DEFAULT: Request<'static> = Request {
    requested_address: None,
    remembered_address: None,
    lease_time: None,
    xid: None,
    hostname: "",
    fqdn: "",
    vendor_class: "",
    client_id: None,
    offers: OfferPolicy::First,
    conflict_check: ConflictCheck::Full,
    fallback: Fallback::None,
    fallback_after: Duration::from_secs(28),
    broadcast: false,
    start_delay: Duration::ZERO,
};

/// DISCOVER, OFFER, REQUEST, ACK, with every field as table 5 has it, on both kinds of memory.
#[test]
fn an_address_is_found_with_messages_as_table_5_has_them() {
    for bench in [Bench::heap, Bench::lent] {
        let mut bench = bench(Request {
            xid: Some(0x1234_5678),
            hostname: "loom",
            lease_time: Some(7200),
            requested_address: Some(OFFERED),
            ..Request::default()
        });
        let discover = bench.expect(MessageType::Discover);
        let view = discover.view();
        assert_eq!(
            (discover.src, discover.dst),
            (Addr::V4_UNSPECIFIED, Addr::V4_BROADCAST)
        );
        assert_eq!(discover.to, MacAddr::BROADCAST);
        assert_eq!((view.xid(), view.secs(), view.hops()), (0x1234_5678, 0, 0));
        assert!(!view.broadcast());
        assert_eq!(view.hardware(), hardware());
        for field in [view.ciaddr(), view.yiaddr(), view.siaddr(), view.giaddr()] {
            assert!(field.is_unspecified());
        }
        let id = vec![255, 0, 0, 0, 1, 0, 3, 0, 1, 2, 0, 0, 0, 0, 1];
        assert_eq!(discover.option(code::CLIENT_IDENTIFIER), Some(id.clone()));
        assert_eq!(discover.option(code::HOST_NAME), Some(b"loom".to_vec()));
        assert_eq!(
            discover.option(code::LEASE_TIME),
            Some(vec![0, 0, 0x1c, 0x20])
        );
        assert_eq!(
            discover.option(code::REQUESTED_ADDRESS),
            Some(OFFERED.octets().to_vec())
        );
        assert_eq!(discover.option(code::SERVER_IDENTIFIER), None);
        let wanted = discover.option(code::PARAMETER_REQUEST_LIST).unwrap();
        let place = |code| wanted.iter().position(|c| *c == code).unwrap();
        assert!(place(code::CLASSLESS_ROUTES) < place(code::ROUTER));

        let reply = Reply::default();
        bench.say(&reply.offer(&discover), true);
        assert_eq!(bench.client.state(), State::Requesting);
        let request = bench.expect(MessageType::Request);
        let view = request.view();
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.2
        //= type=test
        //# Client inserts the address of the selected server in 'server
        //# identifier', 'ciaddr' MUST be zero, 'requested IP address' MUST be
        //# filled in with the yiaddr value from the chosen DHCPOFFER.
        assert_eq!(view.server_identifier(), Some(SERVER));
        assert_eq!(view.requested_address(), Some(OFFERED));
        for field in [view.ciaddr(), view.yiaddr(), view.siaddr(), view.giaddr()] {
            assert!(field.is_unspecified());
        }
        assert_eq!((view.xid(), view.secs()), (0x1234_5678, 0));
        assert_eq!(
            (request.src, request.dst),
            (Addr::V4_UNSPECIFIED, Addr::V4_BROADCAST)
        );
        assert_eq!(request.option(code::CLIENT_IDENTIFIER), Some(id));
        assert_eq!(request.option(code::PARAMETER_REQUEST_LIST), Some(wanted));
        assert_eq!(request.option(code::HOST_NAME), Some(b"loom".to_vec()));

        bench.say(&reply.ack(&request), true);
        assert_eq!(bench.client.state(), State::Checking);
        assert!(bench.client.lease().is_none(), "not in use yet");
        assert!(
            bench
                .stack
                .addresses()
                .iter()
                .all(|a| a.iface != 0 || a.addr().is_v6())
        );
        bench.run_for(9);
        assert_eq!(bench.client.state(), State::Bound);
        assert_eq!(
            shown(bench.event()),
            "10.0.0.50/24 from 10.0.0.1 for 3600 s"
        );
        assert!(bench.stack.is_local(OFFERED));
        let lease = bench.client.lease().unwrap();
        assert_eq!((lease.ip(), lease.server), (OFFERED, SERVER));
        assert_eq!(lease.routers().collect::<Vec<_>>(), [SERVER]);
    }
}

#[test]
fn a_broadcast_reply_is_as_good_and_can_be_asked_for() {
    let mut bench = Bench::heap(Request {
        broadcast: true,
        ..QUICK
    });
    let discover = bench.expect(MessageType::Discover);
    assert!(discover.view().broadcast());
    bench.say(&Reply::default().offer(&discover), false);
    let request = bench.expect(MessageType::Request);
    assert!(request.view().broadcast());
    bench.say(&Reply::default().ack(&request), false);
    bench.run_for(2);
    assert_eq!(bench.client.state(), State::Bound);
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
//= type=test
//# For example, in a 10Mb/sec Ethernet
//# internetwork, the delay before the first retransmission SHOULD be 4
//# seconds randomized by the value of a uniform random number chosen
//# from the range -1 to +1.
//= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
//= type=test
//# The retransmission delay SHOULD be doubled with
//# subsequent retransmissions up to a maximum of 64 seconds.
#[test]
fn discover_is_repeated_after_4_8_16_32_64_seconds_give_or_take_one() {
    let mut firsts = Vec::new();
    for seed in 1..20 {
        let mut bench = Bench::seeded(Request::default(), seed);
        let mut last = bench.expect(MessageType::Discover);
        assert_eq!(last.at, Instant::from_secs(100));
        let began = last.at;
        for seconds in [4, 8, 16, 32, 64, 64, 64] {
            let again = bench.expect(MessageType::Discover);
            let delay = again.at.micros_since(last.at);
            let from = (seconds - 1) * 1_000_000;
            assert!(
                (from..=from + 2_000_000).contains(&delay),
                "{seconds}: {delay}"
            );
            assert_eq!(again.view().xid(), last.view().xid());
            let secs = again.at.micros_since(began) / 1_000_000;
            assert_eq!(u64::from(again.view().secs()), secs);
            if seconds == 4 {
                firsts.push(delay);
            }
            last = again;
        }
        assert_eq!(bench.event(), Some(Event::TimedOut));
        assert_eq!(bench.event(), None, "told once");
    }
    firsts.sort_unstable();
    firsts.dedup();
    assert!(firsts.len() > 15, "the jitter is none: {firsts:?}");
    assert!(firsts[0] < 3_300_000 && firsts[firsts.len() - 1] > 4_700_000);
}

#[test]
fn request_is_sent_four_times_in_a_minute_then_all_begins_anew() {
    let mut bench = Bench::heap(Request::default());
    let discover = bench.expect(MessageType::Discover);
    bench.run_for(2);
    bench.say(&Reply::default().offer(&discover), true);
    let first = bench.expect(MessageType::Request);
    for _ in 0..3 {
        let again = bench.expect(MessageType::Request);
        assert_eq!(again.view().xid(), discover.view().xid());
        // As the DISCOVER had it (§3.1).
        assert_eq!(again.view().secs(), discover.view().secs());
    }
    let anew = bench.expect(MessageType::Discover);
    let minute = anew.at.micros_since(first.at);
    assert!((56_000_000..=64_000_000).contains(&minute), "{minute}");
    assert_ne!(anew.view().xid(), discover.view().xid());
    assert_eq!(bench.event(), Some(Event::TimedOut));
}

#[test]
fn the_best_offer_within_a_time_is_taken() {
    let offers = OfferPolicy::BestWithin(Duration::from_millis(500));
    let reply = |server: u8, address: u8, seconds| Reply {
        server: Ipv4Addr::new(10, 0, 0, server),
        address: Ipv4Addr::new(10, 0, 0, address),
        seconds,
        ..Reply::default()
    };
    // The longest lease; the first of equals; the address asked for before all.
    for (wish, best) in [(None, 2), (Some(Ipv4Addr::new(10, 0, 0, 53)), 4)] {
        let mut bench = Bench::heap(Request {
            offers,
            requested_address: wish,
            ..Request::default()
        });
        let discover = bench.expect(MessageType::Discover);
        for offer in [
            reply(1, 50, 600),
            reply(2, 51, 900),
            reply(3, 52, 900),
            reply(4, 53, 60),
        ] {
            bench.say(&offer.offer(&discover), true);
        }
        assert_eq!(bench.client.state(), State::Selecting);
        let request = bench.expect(MessageType::Request);
        assert_eq!(request.at.micros_since(discover.at), 500_000);
        let server = request.view().server_identifier();
        assert_eq!(server, Some(Ipv4Addr::new(10, 0, 0, best)));
        let offers = if wish.is_some() { 3 } else { 2 };
        bench.assert_got(ClientCounters {
            offers,
            passed_over: 4 - offers,
            ..ClientCounters::ZERO
        });
    }
}

#[test]
fn an_offer_of_nobody_or_nothing_is_passed_over() {
    let mut bench = Bench::heap(Request::default());
    let discover = bench.expect(MessageType::Discover);
    let nobody = Reply {
        without: vec![code::SERVER_IDENTIFIER],
        ..Reply::default()
    };
    bench.say(&nobody.offer(&discover), true);
    for address in [
        [0, 0, 0, 0],
        [127, 0, 0, 1],
        [224, 0, 0, 1],
        [255; 4],
        [10, 0, 0, 255],
        [10, 0, 0, 0],
    ] {
        let reply = Reply {
            address: address.into(),
            ..Reply::default()
        };
        bench.say(&reply.offer(&discover), false);
    }
    for mask in [[255, 0, 255, 0], [0, 0, 0, 0], [255, 255, 255, 1]] {
        bench.say(
            &Reply::default()
                .with(code::SUBNET_MASK, &mask)
                .offer(&discover),
            true,
        );
    }
    assert_eq!(bench.client.state(), State::Selecting);
    // Nor may the server be one that no host can be.
    let impossible = Reply {
        server: Ipv4Addr::LOCALHOST,
        ..Reply::default()
    };
    bench.say(&impossible.offer(&discover), true);
    assert_eq!(bench.client.state(), State::Selecting);
    bench.say(&Reply::default().offer(&discover), true);
    assert_eq!(bench.client.state(), State::Requesting);
    // One more comes too late.
    bench.say(&Reply::default().offer(&discover), true);
    bench.assert_got(ClientCounters {
        offers: 1,
        unusable: 11,
        unexpected: 1,
        ..ClientCounters::ZERO
    });
}

/// S5: the server identifier is option 54 of the OFFER; `siaddr` is somebody else's, or 0.
#[test]
fn s05_the_server_is_who_the_offer_says_not_siaddr() {
    let mut bench = Bench::heap(Request::default());
    let discover = bench.expect(MessageType::Discover);
    let offer = Reply::default().offer(&discover);
    let view = dhcpv4::Dhcpv4View::new(&offer).unwrap();
    assert_eq!(view.siaddr(), Ipv4Addr::new(10, 0, 0, 99));
    bench.say(&offer, true);
    let request = bench.expect(MessageType::Request);
    assert_eq!(request.view().server_identifier(), Some(SERVER));
    assert!(request.view().siaddr().is_unspecified());
}

/// S5: a router that refuses the first REQUEST (and every other one) is asked again at once.
#[test]
fn s05_a_nak_to_the_first_request_is_recovered_from_within_the_first_step() {
    let mut bench = Bench::heap(QUICK);
    let discover = bench.expect(MessageType::Discover);
    bench.say(&Reply::default().offer(&discover), true);
    let request = bench.expect(MessageType::Request);
    bench.say(&Reply::default().nak(&request), false);
    assert_eq!(bench.event(), Some(Event::Refused { server: SERVER }));
    let again = bench.expect(MessageType::Discover);
    assert!(again.at.micros_since(request.at) <= 5_000_000);
    assert_ne!(again.view().xid(), request.view().xid());
    let id = |m: &super::bench::Sent| m.option(code::CLIENT_IDENTIFIER);
    assert_eq!(id(&again), id(&discover));
    bench.say(&Reply::default().offer(&again), true);
    let request = bench.expect(MessageType::Request);
    bench.say(&Reply::default().ack(&request), true);
    bench.run_for(2);
    assert_eq!(bench.client.state(), State::Bound);
}

/// S5: one that always refuses is asked ever more slowly.
#[test]
fn s05_naks_without_end_make_no_storm() {
    let mut bench = Bench::heap(QUICK);
    let mut delays = Vec::new();
    let mut refused: Option<Instant> = None;
    for _ in 0..8 {
        let discover = bench.expect(MessageType::Discover);
        if let Some(at) = refused {
            delays.push(discover.at.micros_since(at) / 1_000_000);
        }
        bench.say(&Reply::default().offer(&discover), true);
        let request = bench.expect(MessageType::Request);
        bench.say(&Reply::default().nak(&request), false);
        refused = Some(bench.now);
    }
    assert_eq!(
        *bench.client.counters(),
        ClientCounters {
            discovers: 8,
            requests: 8,
            offers: 8,
            naks: 8,
            ..ClientCounters::ZERO
        }
    );
    for (delay, expected) in delays.iter().zip([0, 4, 8, 16, 32, 64, 64]) {
        assert!(delay.abs_diff(expected) <= 1, "{delays:?}");
    }
}

/// S5: on a network of several servers the others refuse what was not asked of them.
#[test]
fn s05_a_nak_of_a_server_not_selected_is_ignored() {
    let mut bench = Bench::heap(QUICK);
    let discover = bench.expect(MessageType::Discover);
    let other = Reply {
        server: Ipv4Addr::new(10, 0, 0, 2),
        ..Reply::default()
    };
    bench.say(&other.nak(&discover), false);
    assert_eq!(bench.client.state(), State::Selecting);
    bench.say(&Reply::default().offer(&discover), true);
    let request = bench.expect(MessageType::Request);
    bench.say(&other.nak(&request), false);
    assert_eq!(bench.client.state(), State::Requesting);
    // Nor does its ACK count.
    bench.say(&other.ack(&request), false);
    assert_eq!(bench.client.state(), State::Requesting);
    bench.say(&Reply::default().ack(&request), true);
    assert_eq!(bench.client.state(), State::Checking);
    bench.say(&other.nak(&request), false);
    bench.run_for(2);
    assert_eq!(bench.client.state(), State::Bound);
    bench.assert_got(ClientCounters {
        offers: 1,
        acks: 1,
        // The first, when nothing had been asked of anybody.
        unexpected: 1,
        foreign: 3,
        ..ClientCounters::ZERO
    });
    assert!(matches!(bench.event(), Some(Event::Acquired { .. })));
}

#[test]
fn a_nak_while_the_address_is_checked_starts_anew() {
    let mut bench = Bench::heap(Request::default());
    let discover = bench.expect(MessageType::Discover);
    bench.say(&Reply::default().offer(&discover), true);
    let request = bench.expect(MessageType::Request);
    bench.say(&Reply::default().ack(&request), true);
    bench.say(&Reply::default().nak(&request), false);
    assert_eq!(bench.event(), Some(Event::Refused { server: SERVER }));
    bench.expect(MessageType::Discover);
    bench.silent(2);
    assert_eq!(bench.event(), None);
}

//= https://www.rfc-editor.org/rfc/rfc5227#section-2.1.1
//= type=test
//# When ready to begin probing, the host should then wait for a random
//# time interval selected uniformly in the range zero to PROBE_WAIT
//# seconds, and should then send PROBE_NUM probe packets, each of these
//# probe packets spaced randomly and uniformly, PROBE_MIN to PROBE_MAX
//# seconds apart.
#[test]
fn an_address_is_probed_three_times_and_announced_twice() {
    for seed in 1..10 {
        let mut bench = Bench::seeded(Request::default(), seed);
        let discover = bench.expect(MessageType::Discover);
        bench.say(&Reply::default().offer(&discover), true);
        let request = bench.expect(MessageType::Request);
        bench.say(&Reply::default().ack(&request), true);
        let began = bench.now;
        bench.run_for(20);
        let probes: Vec<_> = bench
            .arp
            .iter()
            .filter(|(_, a)| a.sender_ip.is_unspecified())
            .collect();
        let announced: Vec<_> = bench
            .arp
            .iter()
            .filter(|(_, a)| a.sender_ip == a.target_ip)
            .collect();
        assert_eq!((probes.len(), announced.len()), (3, 2));
        assert!(
            bench
                .arp
                .iter()
                .all(|(_, a)| a.target_ip == OFFERED.into() && a.sender_mac == MAC)
        );
        assert!(probes[0].0.micros_since(began) <= 1_000_000);
        for pair in probes.windows(2) {
            let gap = pair[1].0.micros_since(pair[0].0);
            assert!((1_000_000..=2_000_000).contains(&gap), "{gap}");
        }
        assert_eq!(announced[0].0.micros_since(probes[2].0), 2_000_000);
        assert_eq!(announced[1].0.micros_since(announced[0].0), 2_000_000);
    }
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-3.1
//= type=test
//# If the client detects that the address is already in use
//# (e.g., through the use of ARP), the client MUST send a DHCPDECLINE
//# message to the server and restarts the configuration process.
#[test]
fn an_address_somebody_has_is_declined_and_ten_seconds_pass() {
    // A claim, and a probe of somebody who wants it too.
    for (sender, target) in [(OFFERED, SERVER), (Ipv4Addr::UNSPECIFIED, OFFERED)] {
        let mut bench = Bench::heap(Request::default());
        let discover = bench.expect(MessageType::Discover);
        bench.say(&Reply::default().offer(&discover), true);
        let request = bench.expect(MessageType::Request);
        bench.say(&Reply::default().ack(&request), true);
        bench.run_for(2);
        bench.arp_from(OTHER, sender, target);
        let conflict = Event::Conflict {
            address: OFFERED,
            mac: OTHER,
        };
        assert_eq!(bench.event(), Some(conflict));
        let decline = bench.expect(MessageType::Decline);
        let view = decline.view();
        assert_eq!(
            (decline.src, decline.dst),
            (Addr::V4_UNSPECIFIED, Addr::V4_BROADCAST)
        );
        assert_eq!(view.server_identifier(), Some(SERVER));
        assert_eq!(view.requested_address(), Some(OFFERED));
        assert!(view.ciaddr().is_unspecified() && view.secs() == 0);
        assert_eq!(
            decline.option(code::CLIENT_IDENTIFIER),
            discover.option(code::CLIENT_IDENTIFIER)
        );
        for forbidden in [
            code::PARAMETER_REQUEST_LIST,
            code::LEASE_TIME,
            code::HOST_NAME,
        ] {
            assert_eq!(decline.option(forbidden), None);
        }
        let again = bench.expect(MessageType::Discover);
        //= https://www.rfc-editor.org/rfc/rfc2131#section-3.1
        //= type=test
        //# The client SHOULD wait a minimum of ten
        //# seconds before restarting the configuration process to avoid
        //# excessive network traffic in case of looping.
        assert!(again.at.micros_since(decline.at) >= 10_000_000);
        assert_eq!(
            again.option(code::REQUESTED_ADDRESS),
            None,
            "it would be the same again"
        );
        assert!(!bench.stack.is_local(OFFERED));
    }
}

#[test]
fn conflicts_without_end_are_slow() {
    let mut bench = Bench::heap(QUICK);
    let mut last = None;
    for turn in 0..13 {
        let discover = bench.expect(MessageType::Discover);
        if let Some(last) = last {
            let waited = discover.at.micros_since(last);
            assert!(waited >= if turn > 10 { 60_000_000 } else { 10_000_000 });
        }
        bench.say(&Reply::default().offer(&discover), true);
        let request = bench.expect(MessageType::Request);
        bench.say(&Reply::default().ack(&request), true);
        bench.arp_from(OTHER, OFFERED, SERVER);
        last = Some(bench.expect(MessageType::Decline).at);
    }
}

#[test]
fn without_a_check_the_address_is_there_at_once() {
    let mut bench = Bench::heap(Request {
        conflict_check: ConflictCheck::None,
        ..Request::default()
    });
    let discover = bench.expect(MessageType::Discover);
    bench.say(&Reply::default().offer(&discover), true);
    let request = bench.expect(MessageType::Request);
    bench.say(&Reply::default().ack(&request), true);
    assert_eq!(bench.client.state(), State::Bound);
    assert!(bench.arp.iter().all(|(_, a)| a.sender_ip == OFFERED.into()));
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.2
//= type=test
//# 'server identifier' MUST NOT be filled in, 'requested IP address'
//# option MUST be filled in with client's notion of its previously
//# assigned address. 'ciaddr' MUST be zero.
#[test]
fn a_remembered_address_is_asked_for_at_once() {
    let mut bench = Bench::heap(Request {
        remembered_address: Some(OFFERED),
        ..QUICK
    });
    let request = bench.expect(MessageType::Request);
    assert_eq!(bench.client.state(), State::Rebooting);
    let view = request.view();
    assert_eq!(view.server_identifier(), None);
    assert_eq!(view.requested_address(), Some(OFFERED));
    assert!(view.ciaddr().is_unspecified());
    // Another address is no answer.
    let other = Reply {
        address: Ipv4Addr::new(10, 0, 0, 51),
        ..Reply::default()
    };
    bench.say(&other.ack(&request), true);
    assert_eq!(bench.client.state(), State::Rebooting);
    bench.say(&Reply::default().ack(&request), true);
    bench.run_for(2);
    assert_eq!(bench.client.state(), State::Bound);
}

#[test]
fn a_remembered_address_nobody_knows_is_wished_for() {
    let mut bench = Bench::heap(Request {
        remembered_address: Some(OFFERED),
        ..QUICK
    });
    let first = bench.expect(MessageType::Request);
    bench.expect(MessageType::Request);
    let discover = bench.expect(MessageType::Discover);
    let waited = discover.at.micros_since(first.at);
    assert!((10_000_000..=14_000_000).contains(&waited), "{waited}");
    assert_eq!(discover.view().requested_address(), Some(OFFERED));
}

#[test]
fn a_remembered_address_that_is_refused_is_forgotten() {
    let mut bench = Bench::heap(Request {
        remembered_address: Some(OFFERED),
        ..QUICK
    });
    let request = bench.expect(MessageType::Request);
    // Any server may say that the network is another one.
    let other = Reply {
        server: Ipv4Addr::new(10, 0, 0, 2),
        ..Reply::default()
    };
    bench.say(&other.nak(&request), false);
    let discover = bench.expect(MessageType::Discover);
    assert_eq!(discover.option(code::REQUESTED_ADDRESS), None);
    assert_eq!(discover.at, request.at);
}

#[test]
fn the_beginning_can_be_put_off() {
    let mut starts = Vec::new();
    for seed in 1..10 {
        let mut bench = Bench::seeded(
            Request {
                start_delay: Duration::from_secs(10),
                ..Request::default()
            },
            seed,
        );
        let at = bench.expect(MessageType::Discover).at;
        starts.push(at.micros_since(Instant::from_secs(100)));
        assert!(starts.iter().all(|micros| *micros <= 10_000_000));
    }
    starts.dedup();
    assert!(starts.len() > 7);
}

#[test]
fn one_client_an_interface() {
    let mut bench = Bench::heap(Request::default());
    let second = Client::new(&mut bench.stack);
    assert_eq!(second.err(), Some(Error::AddressInUse));
    bench.client.stop(&mut bench.stack);
    assert_eq!(bench.client.state(), State::Stopped);
    bench.sent.clear();
    bench.silent(100);
    let Bench {
        client, mut stack, ..
    } = bench;
    client.close(&mut stack);
    assert!(Client::on(&mut stack, IF).is_ok());
}
