//! Messages that are not meant well: bounded, and without effect on others.

use std::vec;
use std::vec::Vec;

use netloom_wire::dhcpv4::{MessageType, code};
use proptest::prelude::*;

use super::super::*;
use super::bench::{Asked, Bench, OWN, config, datagram, far_pool, ip, mac, pool};

#[test]
fn replies_and_nonsense_are_not_answered() {
    let mut bench = Bench::new(config(vec![pool()]));
    let mut reply = Asked::discover(1);
    reply.header.request = false;
    bench.none(&reply);
    for kind in [
        MessageType::Offer,
        MessageType::Ack,
        MessageType::Nak,
        MessageType::Other(77),
    ] {
        bench.none(&Asked::new(1, kind));
    }
    let mut nothing = Asked::discover(1);
    nothing.options.clear();
    bench.none(&nothing);
    bench.none(&Asked::new(1, MessageType::Request));
    assert_eq!(bench.server.pending(), 0);
    let frame = datagram(mac(1), ip(99), OWN, b"no message");
    bench.receive(&frame);
    bench.assert_counters(ServerCounters {
        requests: 1,
        incomplete: 1,
        unexpected: 5,
        malformed: 2,
        ..ServerCounters::ZERO
    });
}

/// What does not fit the buffer may mean anything.
#[test]
fn a_message_longer_than_is_read_is_dropped() {
    let mut bench = Bench::new(config(vec![pool()]));
    let mut long = Asked::discover(1).bytes();
    long.resize(BUFFER + 1, 0);
    let frame = datagram(mac(1), ip(99), OWN, &long);
    bench.receive(&frame);
    bench.assert_counters(ServerCounters {
        cut: 1,
        ..ServerCounters::ZERO
    });
}

/// Class 19: every truncation of every message a client sends.
#[test]
fn class_19_every_truncation_of_every_message_is_taken_or_dropped_whole() {
    let mut bench = Bench::new(config(vec![pool()]));
    bench.lease(1);
    let mut said = 2;
    let messages = [
        Asked::discover(2).with(code::CLIENT_IDENTIFIER, &[1; 20]),
        Asked::selecting(1, ip(100)),
        Asked::renewing(1, ip(100)),
        Asked::decline(1, ip(100)),
        Asked::release(1, ip(100)),
        Asked::new(1, MessageType::Inform),
    ];
    for asked in messages {
        let bytes = asked.bytes();
        for cut in 0..bytes.len() {
            let frame = datagram(mac(asked.n), asked.src, asked.dst, &bytes[..cut]);
            bench.receive(&frame);
            said += 1;
        }
    }
    let counters = *bench.server.counters();
    assert_eq!(counters.got() + counters.dropped(), said);
    // A header and the magic cookie are a message, but of no kind.
    assert!(counters.malformed >= 6 * 240, "{counters:?}");
}

/// A thousand clients that ask and never take: the leases there are go on, and all is as before once
/// the offers have ended.
#[test]
fn a_flood_of_discovers_takes_no_lease_away() {
    let mut bench = Bench::new(config(vec![pool()]));
    let first = bench.lease(1);
    for n in 0..1000_u32 {
        let mut asked = Asked::discover(2);
        asked.header.hardware.chaddr[2..6].copy_from_slice(&n.to_be_bytes());
        let _ = bench.ask(&asked);
        assert!(bench.server.pending() <= 4);
    }
    assert_eq!(
        bench.one(&Asked::renewing(1, first)).kind(),
        MessageType::Ack
    );
    // One address is leased, three are offered, and there is none for the others, but for the one
    // whose interface is that of the lease.
    bench.assert_counters(ServerCounters {
        discovers: 1001,
        offers: 5,
        exhausted: 996,
        requests: 2,
        acks: 2,
        ..ServerCounters::ZERO
    });
    bench.run_for(61_000);
    bench.events.clear();
    assert_ne!(bench.lease(3), first);
}

fn any_asked() -> impl Strategy<Value = (Asked, u64)> {
    let option = (
        prop_oneof![
            Just(code::REQUESTED_ADDRESS),
            Just(code::SERVER_IDENTIFIER),
            Just(code::CLIENT_IDENTIFIER),
            Just(code::PARAMETER_REQUEST_LIST),
            Just(code::MAX_MESSAGE_SIZE),
            Just(code::RELAY_AGENT),
            1u8..254,
        ],
        prop_oneof![
            (98u8..106).prop_map(|last| ip(last).octets().to_vec()),
            Just(OWN.octets().to_vec()),
            prop::collection::vec(any::<u8>(), 0..30),
        ],
    );
    (
        1u8..7,
        1u8..10,
        prop::collection::vec(option, 0..5),
        prop_oneof![3 => Just(0u8), 1 => 98u8..106],
        any::<(bool, bool)>(),
        0u64..400_000,
    )
        .prop_map(|(n, kind, options, ciaddr, (relayed, broadcast), wait)| {
            let mut asked = Asked::new(n, kind.into());
            for (code, data) in options {
                if !matches!(code, code::OVERLOAD | code::MESSAGE_TYPE) {
                    asked = asked.with(code, &data);
                }
            }
            if ciaddr > 0 {
                asked.header.ciaddr = ip(ciaddr);
            }
            asked.header.broadcast = broadcast;
            if relayed {
                asked = asked.relayed();
            }
            (asked, wait)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is asked, by whomever: an address is never two clients', what is given is in a
    /// pool, and an ACK is in the store before it is on the wire.
    #[test]
    fn no_address_is_two_clients(asked in prop::collection::vec(any_asked(), 1..60)) {
        let mut bench = Bench::new(ServerConfig {
            conflict_check: std::time::Duration::from_millis(100),
            ..config(vec![pool(), far_pool()])
        });
        for (asked, wait) in asked {
            let bytes = asked.bytes();
            let view = Dhcpv4View::new(&bytes).unwrap();
            let key = ClientKey::of(&view);
            let before: Vec<Binding> = active(&bench);
            let replies = bench.ask(&asked);
            for reply in replies.iter().filter(|r| r.kind() == MessageType::Ack) {
                let given = reply.view().yiaddr();
                if given.is_unspecified() {
                    continue;
                }
                prop_assert!(pool().contains(given) || far_pool().contains(given));
                prop_assert!(before.iter().all(|b| b.address != given || b.client == key));
                let kept = bench.server.store().by_address(given).unwrap();
                prop_assert_eq!((kept.client, kept.state), (key, BindingState::Leased));
            }
            bench.run_for(wait);
            bench.sent.clear();
        }
    }

    #[test]
    fn any_bytes_at_all(messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 0..20)) {
        let mut bench = Bench::new(config(vec![pool()]));
        let said = messages.len();
        for message in messages {
            let frame = datagram(mac(1), ip(99), OWN, &message);
            bench.receive(&frame);
        }
        prop_assert!(bench.sent.is_empty());
        prop_assert_eq!(bench.server.counters().malformed as usize, said);
    }
}

fn active(bench: &Bench) -> Vec<Binding> {
    let now = bench.server.time(&bench.stack);
    let mut all = Vec::new();
    bench.server.store().for_each(&mut |binding| {
        if binding.is_active(now) {
            all.push(*binding);
        }
    });
    all
}
