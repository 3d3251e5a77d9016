//! With an address: renewed, rebound, lost, given back. RFC 2131 §4.4.5, §4.4.6; RFC 5227 §2.4.

use std::net::Ipv4Addr;
use std::vec;

use netloom_stack::driver::Instant;
use netloom_wire::Addr;
use netloom_wire::dhcpv4::{MessageType, code};

use super::super::*;
use super::bench::{Bench, MAC, OFFERED, OTHER, Reply, SERVER};
use crate::dhcp::{ConflictCheck, INFINITE};

fn request() -> Request<'static> {
    Request {
        conflict_check: ConflictCheck::None,
        ..Request::default()
    }
}

fn after(bench: &Bench, at: Instant) -> f64 {
    let since = bench.client.lease().unwrap().since;
    at.micros_since(since) as f64 / 1e6
}

/// Lets the client find its server and returns what it then says to it.
pub(super) fn next_to_server(bench: &mut Bench) -> super::bench::Sent {
    loop {
        if let Some(message) = bench.sent.pop_front() {
            return message;
        }
        let due = bench.stack.next_deadline().unwrap();
        bench.now = bench.now.max(due);
        bench.turn();
        bench.server_answers_arp();
    }
}

#[test]
fn at_t1_the_server_is_asked_and_the_lease_goes_on() {
    let mut bench = Bench::bound(request(), &Reply::default());
    let bound = bench.client.lease().unwrap().clone();
    bench.arp.clear();
    let renew = next_to_server(&mut bench);
    assert_eq!(bench.client.state(), State::Renewing);
    assert_eq!(renew.kind(), MessageType::Request);
    let seconds = after(&bench, renew.at);
    // Half of the lease, up to a 64th less.
    assert!((1743.0..=1800.1).contains(&seconds), "{seconds}");
    assert_eq!(
        (renew.src, renew.dst),
        (Addr::from(OFFERED), Addr::from(SERVER))
    );
    assert_eq!(renew.to, OTHER);
    let view = renew.view();
    //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.2
    //= type=test
    //# 'server identifier' MUST NOT be filled in, 'requested IP address'
    //# option MUST NOT be filled in, 'ciaddr' MUST be filled in with
    //# client's IP address.
    assert_eq!(view.server_identifier(), None);
    assert_eq!(view.requested_address(), None);
    assert_eq!(view.ciaddr(), OFFERED);
    assert!(view.yiaddr().is_unspecified() && !view.broadcast());
    assert!(renew.option(code::CLIENT_IDENTIFIER).is_some());
    assert!(renew.option(code::PARAMETER_REQUEST_LIST).is_some());
    bench.say(&Reply::default().ack(&renew), true);
    assert_eq!(bench.client.state(), State::Bound);
    let renewed = Event::Renewed {
        server: SERVER,
        seconds: 3600,
    };
    assert_eq!(bench.event(), Some(renewed));
    let lease = bench.client.lease().unwrap();
    //= https://www.rfc-editor.org/rfc/rfc2131#section-4.4.1
    //= type=test
    //# The client records the lease expiration time
    //# as the sum of the time at which the original request was sent and the
    //# duration of the lease from the DHCPACK message.
    assert_eq!(lease.since, bound.renew_at);
    assert_eq!(lease.expires_at, lease.since.plus_micros(3600 * 1_000_000));
    assert!(bench.stack.is_local(OFFERED));
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-4.4.5
//= type=test
//# In both RENEWING and REBINDING states, if the client receives no
//# response to its DHCPREQUEST message, the client SHOULD wait one-half
//# of the remaining time until T2 (in RENEWING state) and one-half of
//# the remaining lease time (in REBINDING state), down to a minimum of
//# 60 seconds, before retransmitting the DHCPREQUEST message.
#[test]
fn a_server_that_is_gone_is_asked_again_then_all_are_then_the_address_goes() {
    let mut bench = Bench::bound(request(), &Reply::default());
    let lease = bench.client.lease().unwrap().clone();
    let (t2, end) = (lease.rebind_at, lease.expires_at);
    let mut expected = lease.renew_at;
    while expected < t2 {
        let renew = next_to_server(&mut bench);
        assert_eq!(renew.at, expected);
        assert_eq!(renew.dst, Addr::from(SERVER));
        let left = t2.micros_since(expected);
        expected = expected.plus_micros((left / 2).max(60_000_000));
    }
    expected = t2;
    while expected < end {
        let rebind = next_to_server(&mut bench);
        assert_eq!(bench.client.state(), State::Rebinding);
        assert_eq!(rebind.at, expected);
        assert_eq!(
            (rebind.src, rebind.dst),
            (Addr::from(OFFERED), Addr::V4_BROADCAST)
        );
        assert_eq!(rebind.view().ciaddr(), OFFERED);
        assert_eq!(rebind.view().server_identifier(), None);
        let left = end.micros_since(expected);
        expected = expected.plus_micros((left / 2).max(60_000_000));
    }
    let discover = next_to_server(&mut bench);
    assert_eq!((discover.kind(), discover.at), (MessageType::Discover, end));
    assert_eq!(discover.view().requested_address(), Some(OFFERED));
    assert_eq!(bench.event(), Some(Event::Lost(Loss::Expired)));
    assert!(!bench.stack.is_local(OFFERED));
    assert!(
        bench
            .stack
            .routes()
            .iter()
            .all(|route| route.iface != 0 || route.dst.addr.is_v6())
    );
    assert!(bench.client.lease().is_none());
}

#[test]
fn another_server_may_extend_the_lease_once_all_are_asked() {
    let mut bench = Bench::bound(request(), &Reply::default());
    let other = Reply {
        server: Ipv4Addr::new(10, 0, 0, 2),
        ..Reply::default()
    };
    let t2 = bench.client.lease().unwrap().rebind_at;
    bench.run_until(t2);
    let rebind = bench.sent.pop_back().unwrap();
    assert_eq!(rebind.dst, Addr::V4_BROADCAST);
    bench.say(&other.ack(&rebind), true);
    assert_eq!(bench.client.state(), State::Bound);
    assert_eq!(bench.client.lease().unwrap().server, other.server);
}

#[test]
fn times_the_server_tells_are_kept_if_they_make_sense() {
    let told = |t1: u32, t2: u32| {
        let reply = Reply::default()
            .with(code::RENEWAL_TIME, &t1.to_be_bytes())
            .with(code::REBINDING_TIME, &t2.to_be_bytes());
        let bench = Bench::bound(request(), &reply);
        let lease = bench.client.lease().unwrap();
        let of = |at: Instant| at.micros_since(lease.since) / 1_000_000;
        let (t1, t2) = (of(lease.renew_at), of(lease.rebind_at));
        assert!(t1 <= t2 && t2 < 3600);
        (t1, t2)
    };
    let near = |(a, b): (u64, u64), (x, y): (u64, u64)| {
        assert!(x.saturating_sub(a) <= 57 && a <= x, "T1 {a} is not {x}");
        assert!(y.saturating_sub(b) <= 57 && b <= y, "T2 {b} is not {y}");
    };
    near(told(100, 200), (100, 200));
    near(told(1000, 3000), (1000, 3000));
    // T2 after the end, T1 after T2, none: the defaults.
    near(told(1000, 4000), (1000, 3150));
    near(told(3000, 2000), (1800, 2000));
    near(told(3000, 1000), (500, 1000));
    near(told(0, 0), (1800, 3150));
    // T1 after what T2 would be.
    near(told(3400, 0), (3400, 3400));
}

/// The server's own, however long the lease is beside them: a T1 of zero would be asked at again
/// and again.
#[test]
fn times_that_are_short_beside_the_lease_are_kept_too() {
    let reply = Reply {
        seconds: 86_400,
        ..Reply::default()
    };
    let reply = reply
        .with(code::RENEWAL_TIME, &300_u32.to_be_bytes())
        .with(code::REBINDING_TIME, &600_u32.to_be_bytes());
    for seed in 0..30 {
        let mut bench = Bench::seeded(request(), seed);
        bench.bind(&reply);
        let lease = bench.client.lease().unwrap().clone();
        let t1 = after(&bench, lease.renew_at);
        let t2 = after(&bench, lease.rebind_at);
        assert!((290.0..=300.0).contains(&t1), "T1 {t1}");
        assert!((590.0..=600.0).contains(&t2), "T2 {t2}");
    }
}

#[test]
fn a_lease_without_an_end_has_none() {
    let reply = Reply {
        seconds: INFINITE,
        ..Reply::default()
    };
    let mut bench = Bench::bound(request(), &reply);
    bench.silent(1_000_000_000);
    assert_eq!(bench.client.state(), State::Bound);
}

#[test]
fn a_lease_of_seconds_is_kept_alive() {
    let reply = Reply {
        seconds: 8,
        ..Reply::default()
    };
    let mut bench = Bench::bound(request(), &reply);
    for _ in 0..20 {
        let renew = next_to_server(&mut bench);
        assert_eq!(renew.dst, Addr::from(SERVER));
        bench.say(&reply.ack(&renew), true);
        assert!(matches!(bench.event(), Some(Event::Renewed { .. })));
    }
}

/// S5: NAK in RENEWING and REBINDING.
#[test]
fn s05_a_nak_takes_the_address_away_and_all_begins_anew() {
    for rebinding in [false, true] {
        let mut bench = Bench::bound(request(), &Reply::default());
        let lease = bench.client.lease().unwrap().clone();
        bench.run_until(if rebinding {
            lease.rebind_at
        } else {
            lease.renew_at
        });
        bench.arp.clear();
        bench
            .stack
            .add_neighbor(super::bench::IF, SERVER, OTHER)
            .unwrap();
        bench.turn();
        let asked = bench.sent.pop_back().unwrap();
        bench.sent.clear();
        if !rebinding {
            let other = Reply {
                server: Ipv4Addr::new(10, 0, 0, 2),
                ..Reply::default()
            };
            bench.say(&other.nak(&asked), false);
            assert_eq!(bench.client.state(), State::Renewing, "it was not asked");
        }
        bench.say(&Reply::default().nak(&asked), false);
        assert_eq!(bench.event(), Some(Event::Refused { server: SERVER }));
        assert_eq!(bench.event(), Some(Event::Lost(Loss::Refused)));
        assert!(!bench.stack.is_local(OFFERED));
        let discover = bench.expect(MessageType::Discover);
        assert_eq!(discover.at, bench.now);
        assert_eq!(discover.option(code::REQUESTED_ADDRESS), None);
    }
}

#[test]
fn a_nak_to_a_client_that_asked_nothing_is_ignored() {
    let mut bench = Bench::bound(request(), &Reply::default());
    let lease = bench.client.lease().unwrap().clone();
    bench.run_until(lease.renew_at);
    bench.server_answers_arp();
    let asked = bench.sent.pop_back().unwrap();
    bench.say(&Reply::default().ack(&asked), true);
    bench.say(&Reply::default().nak(&asked), false);
    assert_eq!(bench.client.state(), State::Bound);
    assert!(bench.stack.is_local(OFFERED));
    // An ACK without a question is none either.
    bench.say(&Reply::default().ack(&asked), true);
    bench.assert_got(ClientCounters {
        offers: 1,
        acks: 2,
        unexpected: 2,
        ..ClientCounters::ZERO
    });
}

#[test]
fn an_address_is_given_back_then_gone() {
    let mut bench = Bench::bound(request(), &Reply::default());
    bench.arp.clear();
    bench.client.release(&mut bench.stack);
    let release = next_to_server(&mut bench);
    assert_eq!(release.kind(), MessageType::Release);
    assert_eq!(
        (release.src, release.dst),
        (Addr::from(OFFERED), Addr::from(SERVER))
    );
    let view = release.view();
    assert_eq!(
        (view.ciaddr(), view.server_identifier()),
        (OFFERED, Some(SERVER))
    );
    assert_eq!(view.requested_address(), None);
    assert!(release.option(code::CLIENT_IDENTIFIER).is_some());
    assert_eq!(release.option(code::PARAMETER_REQUEST_LIST), None);
    bench.run_for(1);
    assert_eq!(bench.event(), Some(Event::Lost(Loss::Released)));
    assert_eq!(bench.client.state(), State::Stopped);
    assert!(!bench.stack.is_local(OFFERED));
    bench.silent(10_000);
    let counters = bench.client.counters();
    assert_eq!((counters.releases, counters.sent()), (1, 3));
}

/// It is the server's to give to others from then on.
#[test]
fn an_address_given_back_is_gone_when_all_begins_anew() {
    let mut bench = Bench::bound(request(), &Reply::default());
    bench.arp.clear();
    bench.client.release(&mut bench.stack);
    bench.client.begin(request());
    let release = next_to_server(&mut bench);
    assert_eq!(release.kind(), MessageType::Release);
    let discover = next_to_server(&mut bench);
    assert_eq!(discover.kind(), MessageType::Discover);
    assert_eq!(bench.event(), Some(Event::Lost(Loss::Released)));
    assert!(!bench.stack.is_local(OFFERED));
    assert_eq!(bench.client.lease(), None);
    bench.say(&Reply::default().offer(&discover), true);
    let asked = bench.expect(MessageType::Request);
    bench.say(&Reply::default().ack(&asked), true);
    assert!(matches!(bench.event(), Some(Event::Acquired { .. })));
}

#[test]
fn what_begins_after_an_address_is_given_back_can_be_called_off() {
    let by: [fn(&mut Bench); 2] = [
        |bench| bench.client.stop(&mut bench.stack),
        |bench| bench.client.release(&mut bench.stack),
    ];
    for call_off in by {
        let mut bench = Bench::bound(request(), &Reply::default());
        bench.client.release(&mut bench.stack);
        bench.client.begin(request());
        call_off(&mut bench);
        bench.run_for(2);
        assert_eq!(bench.client.state(), State::Stopped);
        assert!(!bench.stack.is_local(OFFERED));
        bench.sent.clear();
        bench.silent(10_000);
    }
}

//= https://www.rfc-editor.org/rfc/rfc5227#section-2.4
//= type=test
//# (b) If a host currently has active TCP connections or other reasons
//# to prefer to keep the same IPv4 address, and it has not seen any
//# other conflicting ARP packets within the last DEFEND_INTERVAL
//# seconds, then it MAY elect to attempt to defend its address by
//# recording the time that the conflicting ARP packet was received,
//# and then broadcasting one single ARP Announcement
#[test]
fn an_address_is_defended_once_in_ten_seconds_then_declined() {
    let mut bench = Bench::bound(request(), &Reply::default());
    bench.run_for(10);
    for _ in 0..3 {
        bench.arp.clear();
        bench.arp_from(OTHER, OFFERED, OFFERED);
        let (_, defence) = bench.arp.pop_front().expect("it is defended");
        assert_eq!(
            (defence.sender_mac, defence.sender_ip),
            (MAC, OFFERED.into())
        );
        assert!(bench.arp.is_empty(), "once");
        bench.run_for(11);
    }
    bench.arp_from(OTHER, OFFERED, OFFERED);
    bench.run_for(5);
    bench.arp_from(OTHER, OFFERED, OFFERED);
    let conflict = Event::Conflict {
        address: OFFERED,
        mac: OTHER,
    };
    assert_eq!(bench.event(), Some(conflict));
    assert_eq!(bench.event(), Some(Event::Lost(Loss::Conflict)));
    assert!(!bench.stack.is_local(OFFERED));
    let decline = bench.expect(MessageType::Decline);
    assert_eq!(decline.src, Addr::V4_UNSPECIFIED);
    assert_eq!(decline.view().requested_address(), Some(OFFERED));
    let again = bench.expect(MessageType::Discover);
    assert!(again.at.micros_since(decline.at) >= 10_000_000);
    let counters = bench.client.counters();
    assert_eq!((counters.declines, counters.sent()), (1, 4));
}

#[test]
fn a_probe_for_the_address_in_use_is_answered_not_feared() {
    let mut bench = Bench::bound(request(), &Reply::default());
    bench.run_for(10);
    for _ in 0..5 {
        bench.arp.clear();
        bench.arp_from(OTHER, Ipv4Addr::UNSPECIFIED, OFFERED);
        let (_, reply) = bench.arp.pop_front().unwrap();
        assert_eq!((reply.sender_ip, reply.sender_mac), (OFFERED.into(), MAC));
    }
    assert_eq!(bench.client.state(), State::Bound);
}

/// S21: ARP was lost after DHCP had set the address.
#[test]
fn s21_arp_is_answered_for_the_address_that_was_leased() {
    let mut bench = Bench::bound(request(), &Reply::default());
    bench.run_for(10);
    bench.arp.clear();
    bench.arp_from(OTHER, SERVER, OFFERED);
    let (_, reply) = bench.arp.pop_front().expect("an answer");
    assert_eq!((reply.sender_ip, reply.sender_mac), (OFFERED.into(), MAC));
    assert_eq!(reply.target_ip, SERVER.into());
}

#[test]
fn after_the_link_was_gone_the_address_is_verified_and_kept_meanwhile() {
    let mut bench = Bench::bound(request(), &Reply::default());
    bench.client.reconnected(&mut bench.stack);
    let reboot = bench.expect(MessageType::Request);
    assert_eq!(reboot.view().requested_address(), Some(OFFERED));
    assert_eq!(reboot.view().server_identifier(), None);
    assert!(bench.stack.is_local(OFFERED));
    bench.say(&Reply::default().ack(&reboot), true);
    assert_eq!(bench.client.state(), State::Bound);
    assert!(matches!(bench.event(), Some(Event::Acquired { .. })));
    // Another network: its server says so.
    bench.client.reconnected(&mut bench.stack);
    let reboot = bench.expect(MessageType::Request);
    bench.say(&Reply::default().nak(&reboot), false);
    assert_eq!(bench.event(), Some(Event::Refused { server: SERVER }));
    assert_eq!(bench.event(), Some(Event::Lost(Loss::Refused)));
    let discover = bench.expect(MessageType::Discover);
    let elsewhere = Reply {
        address: Ipv4Addr::new(192, 168, 7, 7),
        server: Ipv4Addr::new(192, 168, 7, 1),
        ..Reply::default()
    };
    bench.say(&elsewhere.offer(&discover), true);
    let request = bench.expect(MessageType::Request);
    bench.say(&elsewhere.ack(&request), true);
    assert!(bench.stack.is_local(elsewhere.address));
}

#[test]
fn a_lease_is_kept_until_another_takes_its_place() {
    let mut bench = Bench::bound(request(), &Reply::default());
    bench.client.begin(request());
    let other = Reply {
        address: Ipv4Addr::new(10, 0, 0, 51),
        ..Reply::default()
    };
    bench.turn();
    let discover = bench.expect(MessageType::Discover);
    assert!(bench.stack.is_local(OFFERED));
    assert!(bench.client.lease().is_some());
    bench.say(&other.offer(&discover), true);
    let asked = bench.expect(MessageType::Request);
    bench.say(&other.ack(&asked), true);
    assert_eq!(bench.event(), Some(Event::Lost(Loss::Replaced)));
    assert!(matches!(bench.event(), Some(Event::Acquired { .. })));
    assert!(!bench.stack.is_local(OFFERED) && bench.stack.is_local(other.address));
}

#[test]
fn inform_asks_for_all_but_an_address() {
    let mut bench = Bench::heap(Request::default());
    assert_eq!(
        bench.client.inform(&mut bench.stack, request()),
        Err(Error::NoSourceAddress)
    );
    let own: netloom_wire::Cidr = "10.0.0.7/24".parse().unwrap();
    bench.stack.add_address(super::bench::IF, own).unwrap();
    bench.client.inform(&mut bench.stack, request()).unwrap();
    bench.sent.clear();
    bench.turn();
    let inform = bench.expect(MessageType::Inform);
    let view = inform.view();
    assert_eq!((inform.src, inform.dst), (own.addr, Addr::V4_BROADCAST));
    assert_eq!(view.ciaddr(), Ipv4Addr::new(10, 0, 0, 7));
    assert_eq!(
        (view.requested_address(), view.server_identifier()),
        (None, None)
    );
    assert_eq!(inform.option(code::LEASE_TIME), None);
    let again = bench.expect(MessageType::Inform);
    let reply = Reply {
        address: Ipv4Addr::UNSPECIFIED,
        without: vec![code::LEASE_TIME],
        ..Reply::default()
    }
    .with(code::DNS_SERVER, &[10, 0, 0, 53]);
    // A network with such a mask there is not.
    let impossible = reply.clone().with(code::SUBNET_MASK, &[255, 0, 255, 0]);
    bench.say(&impossible.ack(&again), false);
    assert_eq!(bench.client.counters().unusable, 1);
    bench.say(&reply.ack(&again), false);
    assert_eq!(bench.event(), Some(Event::Informed { server: SERVER }));
    let counters = bench.client.counters();
    assert_eq!((counters.informs, counters.acks), (2, 1));
    assert_eq!((counters.sent(), counters.dropped()), (3, 1));
    assert_eq!(bench.client.state(), State::Informed);
    let lease = bench.client.lease().unwrap();
    assert_eq!(lease.dns[..], [Ipv4Addr::new(10, 0, 0, 53)]);
    assert_eq!(lease.address, own);
    assert!(bench.stack.is_local(own.addr));
    assert_eq!(
        bench
            .stack
            .routes()
            .iter()
            .filter(|r| r.is_default())
            .count(),
        0
    );
    bench.silent(100_000);
    bench.client.stop(&mut bench.stack);
    assert!(bench.stack.is_local(own.addr), "it was not the client's");
}
