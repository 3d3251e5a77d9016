//! Replies that are not the answer, or not meant well: nothing changes, nothing breaks.

use std::net::Ipv4Addr;
use std::vec::Vec;

use netloom_stack::DropReason;
use netloom_wire::dhcpv4::{ClasslessRoute, MessageType, code};
use proptest::prelude::*;

use super::super::*;
use super::bench::{Bench, OFFERED, Reply, SERVER, Sent, datagram};
use super::keeping::next_to_server;
use crate::dhcp::ConflictCheck;

fn request() -> Request<'static> {
    Request {
        conflict_check: ConflictCheck::None,
        ..Request::default()
    }
}

/// Somebody else's replies: by xid, by address, by identifier, by direction.
#[test]
fn what_answers_somebody_else_is_ignored() {
    let none = ClientCounters::ZERO;
    let (wrong_xid, wrong_hardware, unexpected) = (
        ClientCounters {
            wrong_xid: 1,
            ..none
        },
        ClientCounters {
            wrong_hardware: 1,
            ..none
        },
        ClientCounters {
            unexpected: 1,
            ..none
        },
    );
    type Change = fn(&mut Vec<u8>);
    let change: [(Change, _); 5] = [
        (|m| m[4] ^= 1, wrong_xid),
        (|m| m[28] ^= 4, wrong_hardware),
        (|m| m[1] = 6, wrong_hardware),
        (|m| m[2] = 5, wrong_hardware),
        (|m| m[0] = 1, unexpected),
    ];
    for (change, counted) in change {
        let mut bench = Bench::heap(request());
        let discover = bench.expect(MessageType::Discover);
        let mut offer = Reply::default().offer(&discover);
        change(&mut offer);
        bench.say(&offer, true);
        assert_eq!(bench.client.state(), State::Selecting);
        bench.assert_got(counted);
    }
}

/// What only clients say, and what says nothing.
#[test]
fn messages_of_other_kinds_are_ignored() {
    let mut bench = Bench::heap(request());
    let discover = bench.expect(MessageType::Discover);
    for kind in [1, 3, 4, 7, 8, 77] {
        bench.say(&Reply::default().to(kind.into(), &discover), true);
    }
    let nothing = Reply {
        without: [code::MESSAGE_TYPE].to_vec(),
        ..Reply::default()
    };
    bench.say(&nothing.offer(&discover), true);
    bench.say(b"no message", true);
    // Longer than what is read: what is missing could be anything.
    let mut long = Reply::default().offer(&discover);
    long.resize(1025, 0);
    bench.say(&long, true);
    assert_eq!(bench.client.state(), State::Selecting);
    bench.assert_got(ClientCounters {
        unexpected: 6,
        malformed: 2,
        cut: 1,
        ..ClientCounters::ZERO
    });
}

/// What the stack has no room for is not said to have been sent.
#[test]
fn what_the_stack_does_not_take_is_counted_as_such() {
    let mut bench = Bench::lent(request());
    bench.expect(MessageType::Discover);
    for _ in 0..5 {
        bench.now = bench.now.plus_micros(70_000_000);
        bench.stack.advance(bench.now);
        while bench.client.poll(&mut bench.stack).is_some() {}
    }
    let counters = *bench.client.counters();
    assert!(counters.unsent > 0, "{counters:?}");
    assert_eq!(counters.discovers + counters.unsent, 6);
    bench.turn();
    assert_eq!(counters.sent(), 1 + bench.sent.len() as u32);
}

//= https://www.rfc-editor.org/rfc/rfc6842#section-3
//= type=test
//# If the two client identifiers do
//# not match, the client MUST silently discard the message.
#[test]
fn a_reply_with_anothers_identifier_is_discarded() {
    let mut bench = Bench::heap(request());
    let discover = bench.expect(MessageType::Discover);
    let id = discover.option(code::CLIENT_IDENTIFIER).unwrap();
    let wrong = Reply::default().with(code::CLIENT_IDENTIFIER, &id[1..]);
    bench.say(&wrong.offer(&discover), true);
    assert_eq!(bench.client.state(), State::Selecting);
    bench.assert_got(ClientCounters {
        wrong_id: 1,
        ..ClientCounters::ZERO
    });
    let right = Reply::default().with(code::CLIENT_IDENTIFIER, &id);
    bench.say(&right.offer(&discover), true);
    assert_eq!(bench.client.state(), State::Requesting);
}

#[test]
fn an_ack_without_a_lease_is_none() {
    for seconds in [None, Some(&[0, 0, 0, 0][..]), Some(&[0, 0, 9])] {
        let mut bench = Bench::heap(request());
        let discover = bench.expect(MessageType::Discover);
        bench.say(&Reply::default().offer(&discover), true);
        let asked = bench.expect(MessageType::Request);
        let mut reply = Reply {
            without: [code::LEASE_TIME].to_vec(),
            ..Reply::default()
        };
        reply.options = seconds
            .iter()
            .map(|s| (code::LEASE_TIME, s.to_vec()))
            .collect();
        bench.say(&reply.ack(&asked), true);
        assert_eq!(bench.client.state(), State::Requesting);
        bench.assert_got(ClientCounters {
            offers: 1,
            unusable: 1,
            ..ClientCounters::ZERO
        });
    }
}

/// Class 19: every truncation of every reply, in every state it is waited for.
#[test]
fn class_19_every_truncation_of_every_reply_is_taken_or_dropped_whole() {
    let reply = Reply::default()
        .with(code::CLASSLESS_ROUTES, &[24, 192, 168, 5, 10, 0, 0, 3])
        .with(code::DOMAIN_NAME, b"example.org");
    let mut bench = Bench::heap(request());
    let discover = bench.expect(MessageType::Discover);
    let offer = reply.offer(&discover);
    let end = offer.iter().rposition(|b| *b == code::END).unwrap();
    for cut in 0..end {
        if bench.client.state() != State::Selecting {
            // It was cut between two options, behind all an offer needs.
            assert!(cut > 248, "{cut}");
            break;
        }
        bench.say(&offer[..cut], false);
        let counters = bench.client.counters();
        let told = counters.taken() + counters.dropped();
        assert_eq!(told as usize, cut + 1, "{counters:?}");
    }
    let mut bench = Bench::heap(request());
    let discover = bench.expect(MessageType::Discover);
    bench.say(&offer_for(&reply, &discover), true);
    let asked = bench.expect(MessageType::Request);
    let nak = reply.nak(&asked);
    for cut in 0..243 {
        bench.say(&nak[..cut], false);
    }
    assert_eq!(bench.client.state(), State::Requesting);
    bench.assert_got(ClientCounters {
        offers: 1,
        malformed: 243,
        ..ClientCounters::ZERO
    });
}

/// A client that waits for an ACK in this state, and what it has asked.
fn waiting_in(state: State) -> (Bench, Sent) {
    let asks = |bench: &mut Bench| loop {
        let asked = next_to_server(bench);
        if bench.client.state() == state {
            break asked;
        }
    };
    let mut bench = match state {
        State::Requesting => Bench::heap(request()),
        State::Rebooting => Bench::heap(Request {
            remembered_address: Some(OFFERED),
            ..request()
        }),
        _ => Bench::bound(request(), &Reply::default()),
    };
    if state == State::Requesting {
        let discover = bench.expect(MessageType::Discover);
        bench.say(&Reply::default().offer(&discover), true);
    }
    let asked = asks(&mut bench);
    (bench, asked)
}

/// Class 19: an ACK that ends anywhere is taken with what it says whole, or not at all.
#[test]
fn class_19_every_truncation_of_an_ack_in_every_state() {
    let reply = Reply::default()
        .with(code::CLASSLESS_ROUTES, &[24, 192, 168, 5, 10, 0, 0, 3])
        .with(code::DOMAIN_NAME, b"example.org");
    for state in [
        State::Requesting,
        State::Rebooting,
        State::Renewing,
        State::Rebinding,
    ] {
        let len = {
            let (_, asked) = waiting_in(state);
            reply.ack(&asked).len()
        };
        let (mut taken, mut dropped) = (0, 0);
        for cut in 0..=len {
            let (mut bench, asked) = waiting_in(state);
            let got = |bench: &Bench| {
                let counters = bench.client.counters();
                counters.taken() + counters.dropped()
            };
            let (before, acks) = (got(&bench), bench.client.counters().acks);
            let ack = reply.ack(&asked);
            bench.say(&ack[..cut], true);
            assert_eq!(got(&bench), before + 1, "{state:?} {cut}");
            if bench.client.counters().acks == acks {
                dropped += 1;
                assert_eq!(bench.client.state(), state, "{cut}");
                bench.say(&ack, true);
            } else {
                taken += 1;
            }
            assert_eq!(bench.client.state(), State::Bound, "{state:?} {cut}");
            let lease = bench.client.lease().unwrap();
            assert_eq!((lease.ip(), lease.seconds), (OFFERED, 3600), "{cut}");
            let domain = lease.domain.as_str();
            assert!(
                ["", "example.org"].contains(&domain),
                "{state:?} {cut} {domain}"
            );
            let whole = |route: &ClasslessRoute| {
                [SERVER, Ipv4Addr::new(10, 0, 0, 3)].contains(&route.router)
            };
            assert!(lease.routes.len() <= 1 && lease.routes.iter().all(whole));
        }
        // Header, kind and lease time are needed; what comes behind them is not.
        assert!(dropped > 240 && taken > 1, "{state:?}: {dropped} {taken}");
    }
}

fn offer_for(reply: &Reply, discover: &Sent) -> Vec<u8> {
    reply.offer(discover)
}

#[test]
fn a_flood_of_messages_leaves_the_next_turn_for_the_answer() {
    let mut bench = Bench::heap(request());
    let discover = bench.expect(MessageType::Discover);
    let mut wrong = Reply::default().offer(&discover);
    wrong[4] ^= 1;
    let frame = datagram(&wrong, true, SERVER);
    for _ in 0..200 {
        let meta = netloom_stack::driver::RxMeta::default();
        bench
            .stack
            .receive(bench.now, super::bench::IF, &frame, &meta);
    }
    bench.turn();
    bench.say(&Reply::default().offer(&discover), true);
    bench.run_for(1);
    assert_eq!(bench.client.state(), State::Requesting);
    // The others found no room in the socket's queue.
    let lost = bench.stack.counters().dropped(DropReason::UdpQueueFull);
    bench.assert_got(ClientCounters {
        offers: 1,
        wrong_xid: 200 - lost as u32,
        ..ClientCounters::ZERO
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any options in any reply at any time: the client never panics, never spins, and uses no
    /// address a host could not have.
    #[test]
    fn any_options_in_any_reply(
        replies in prop::collection::vec(
            (
                1u8..9,
                prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..20)), 0..8),
                any::<[u8; 4]>(),
                any::<bool>(),
                0u64..5000,
            ),
            1..12,
        )
    ) {
        let mut bench = Bench::heap(Request {
            fallback: Fallback::LinkLocal,
            ..request()
        });
        let mut last = bench.expect(MessageType::Discover);
        for (kind, options, address, plausible, wait) in replies {
            let reply = Reply {
                address: if plausible { OFFERED } else { address.into() },
                options: options
                    .into_iter()
                    .filter(|(code, _)| !matches!(*code, 0 | 52 | 53 | 255))
                    .collect(),
                ..Reply::default()
            };
            bench.say(&reply.to(kind.into(), &last), true);
            bench.run_for(wait);
            if let Some(message) = bench.sent.pop_back() {
                last = message;
            }
            for known in bench.stack.addresses().iter().filter(|known| known.iface == 0) {
                if let Some([first, ..]) = known.addr().v4_octets() {
                    prop_assert!(first != 0 && first != 127 && first < 224);
                }
            }
            bench.sent.clear();
            bench.arp.clear();
        }
    }

    /// Any bytes at all.
    #[test]
    fn any_bytes_at_all(messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 0..20)) {
        let mut bench = Bench::heap(request());
        bench.expect(MessageType::Discover);
        let said = messages.len();
        for message in messages {
            bench.say(&message, false);
        }
        prop_assert_eq!(bench.client.state(), State::Selecting);
        prop_assert_eq!(bench.client.counters().taken(), 0);
        prop_assert_eq!(bench.client.counters().dropped() as usize, said);
        prop_assert!(!bench.stack.is_local(Ipv4Addr::new(10, 0, 0, 50)));
    }
}
