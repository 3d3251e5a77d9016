//! Asking, giving up, staying reachable: RFC 4861 appendix C, the rows about time and use.

use super::*;
#[cfg(feature = "alloc")]
use crate::list::{Kind, Links, List, Nodes, Ref};

#[test]
fn a_neighbour_is_asked_for_and_found() {
    let mut cache = cache(4);
    let id = pending(&mut cache, secs(1), &ip(1));
    assert_eq!(
        cache.next_deadline(),
        Some(secs(1)),
        "the first solicitation is due at once"
    );
    assert_eq!(due(&mut cache, secs(1)), [solicit(ip(1), None, id)]);
    assert_eq!(pending(&mut cache, secs(1), &ip(1)), id);
    assert_eq!(cache.learn(ms(1_200), 0, &ip(1), A, REPLY), Some(id));
    assert_eq!(cache.resolve(ms(1_300), 0, &ip(1), &T), Resolve::Found(A));
    assert_eq!(
        cache.next_deadline(),
        None,
        "a reachable neighbour costs no timer"
    );
}

//= https://www.rfc-editor.org/rfc/rfc4861#section-7.2.2
//= type=test
//# Retransmissions MUST be rate-limited to at most one solicitation per
//# neighbor every RetransTimer milliseconds.
#[test]
fn resolution_fails_after_three_solicitations_a_second_apart() {
    let mut cache = cache(4);
    let id = pending(&mut cache, secs(0), &ip(1));
    let mut log = Vec::new();
    while let Some(now) = cache.next_deadline() {
        for action in due(&mut cache, now) {
            log.push((now, action));
        }
    }
    let ask = solicit(ip(1), None, id);
    assert_eq!(
        log,
        [
            (secs(0), ask),
            (secs(1), ask),
            (secs(2), ask),
            (secs(3), Action::Failed { id }),
        ]
    );
    assert_eq!(state(&cache, secs(3), &ip(1)), NeighborState::Failed);
}

//= https://www.rfc-editor.org/rfc/rfc1122#section-2.3.2.1
//= type=test
//# A mechanism to prevent ARP flooding (repeatedly sending an
//# ARP Request for the same IP address, at a high rate) MUST be
//# included.
#[test]
fn an_absent_host_is_asked_for_once_a_second_however_often_it_is_used() {
    let mut cache = cache(4);
    let mut sent = Vec::new();
    // 20 s of a program that sends every 10 ms, whatever it is told.
    for now in (0..20_000).step_by(10).map(ms) {
        let _ = cache.resolve(now, 0, &ip(1), &T);
        for action in due(&mut cache, now) {
            match action {
                Action::Solicit { .. } => sent.push(now),
                Action::Failed { .. } => {}
                Action::Expired { .. } => panic!("{action:?}"),
            }
        }
    }
    assert!(sent.len() >= 18, "{sent:?}");
    for pair in sent.windows(2) {
        assert!(pair[1].micros_since(pair[0]) >= 1_000_000, "{pair:?}");
    }
}

#[test]
fn removing_and_asking_again_is_a_new_resolution() {
    let mut cache = cache(4);
    let old = pending(&mut cache, secs(0), &ip(1));
    assert!(cache.remove(0, &ip(1)));
    assert!(!cache.remove(0, &ip(1)));
    assert!(cache.get(old).is_none());
    let new = pending(&mut cache, secs(0), &ip(2));
    assert_ne!(old, new);
    assert!(
        cache.get(old).is_none(),
        "a stale id must not find another neighbour"
    );
    assert_eq!(cache.get_mut(new).unwrap().addr(), &ip(2));
}

//= https://www.rfc-editor.org/rfc/rfc4861#section-7.3.3
//= type=test
//# The first time a node sends a packet to a neighbor whose entry is
//# STALE, the sender changes the state to DELAY and sets a timer to
//# expire in DELAY_FIRST_PROBE_TIME seconds.
#[test]
fn reachable_becomes_stale_then_delay_then_probe_then_is_deleted() {
    let mut cache = cache(4);
    known(&mut cache, secs(0), &ip(1));
    let id = NeighborId(cache.entries.id(0));
    assert_eq!(state(&cache, ms(29_999), &ip(1)), NeighborState::Reachable);
    assert_eq!(state(&cache, secs(30), &ip(1)), NeighborState::Stale);
    assert_eq!(
        cache.next_deadline(),
        None,
        "stale and unused, nothing is done"
    );

    assert_eq!(cache.resolve(secs(100), 0, &ip(1), &T), Resolve::Found(A));
    assert_eq!(state(&cache, secs(100), &ip(1)), NeighborState::Delay);
    assert_eq!(due(&mut cache, ms(104_999)), []);
    // Probed where it was last seen, three times.
    let probe = solicit(ip(1), Some(A), id);
    assert_eq!(cache.next_deadline(), Some(secs(105)));
    assert_eq!(due(&mut cache, secs(105)), [probe]);
    assert_eq!(state(&cache, secs(105), &ip(1)), NeighborState::Probe);
    assert_eq!(cache.resolve(secs(105), 0, &ip(1), &T), Resolve::Found(A));
    assert_eq!(due(&mut cache, secs(106)), [probe]);
    assert_eq!(due(&mut cache, secs(107)), [probe]);
    let expired = Action::Expired {
        iface: 0,
        addr: ip(1),
        router: false,
    };
    assert_eq!(due(&mut cache, secs(108)), [expired]);
    assert_eq!(cache.len(), 0);
    assert!(cache.get(id).is_none());
}

#[test]
fn confirmation_by_the_upper_layer_ends_delay_and_probe() {
    for wait in [0, 5] {
        let mut cache = cache(4);
        known(&mut cache, secs(0), &ip(1));
        let _ = cache.resolve(secs(40), 0, &ip(1), &T);
        let _ = due(&mut cache, secs(40 + wait));
        cache.confirm(secs(46), 0, &ip(1));
        assert_eq!(state(&cache, secs(46), &ip(1)), NeighborState::Reachable);
        assert_eq!(cache.next_deadline(), None);
        // And keeps it reachable for as long as it comes: bulk transfer never probes.
        for now in 47..200 {
            cache.confirm(secs(now), 0, &ip(1));
            assert_eq!(cache.resolve(secs(now), 0, &ip(1), &T), Resolve::Found(A));
        }
        assert_eq!(cache.next_deadline(), None);
    }
}

//= https://www.rfc-editor.org/rfc/rfc4861#section-7.3.3
//= type=test
//# The one exception is that upper-layer advice
//# has no effect on entries in the INCOMPLETE state (e.g., for which no
//# link-layer address is cached).
#[test]
fn confirmation_cannot_resolve() {
    let mut cache = cache(4);
    let id = pending(&mut cache, secs(0), &ip(1));
    cache.confirm(secs(0), 0, &ip(1));
    assert_eq!(cache.resolve(secs(0), 0, &ip(1), &T), Resolve::Pending(id));
}

#[test]
fn a_suspect_is_probed_at_once_but_never_twice_a_second() {
    let mut cache = cache(4);
    known(&mut cache, secs(0), &ip(1));
    let id = NeighborId(cache.entries.id(0));
    let probe = solicit(ip(1), Some(A), id);
    cache.suspect(secs(10), 0, &ip(1));
    assert_eq!(due(&mut cache, secs(10)), [probe]);
    cache.learn(ms(10_100), 0, &ip(1), A, REPLY);
    cache.suspect(ms(10_200), 0, &ip(1));
    assert_eq!(due(&mut cache, ms(10_200)), []);
    assert_eq!(cache.next_deadline(), Some(secs(11)));
    assert_eq!(due(&mut cache, secs(11)), [probe]);
    cache.suspect(ms(11_500), 0, &ip(1));
    assert_eq!(
        due(&mut cache, ms(11_500)),
        [],
        "it is being probed already"
    );
}

#[test]
fn a_solicitation_that_found_no_room_does_not_count() {
    let mut cache = cache(4);
    let id = pending(&mut cache, secs(0), &ip(1));
    for now in 0..10 {
        assert_eq!(due(&mut cache, secs(now)), [solicit(ip(1), None, id)]);
        cache.not_sent(id, secs(now));
        assert_eq!(cache.next_deadline(), Some(secs(now)));
    }
    assert_eq!(due(&mut cache, secs(10)).len(), 1);
    assert_eq!(due(&mut cache, secs(11)).len(), 1);
    assert_eq!(due(&mut cache, secs(12)).len(), 1);
    assert_eq!(due(&mut cache, secs(13)), [Action::Failed { id }]);
}

#[test]
fn one_interface_is_polled_without_the_others() {
    let mut cache = cache(8);
    for iface in 0..3 {
        assert!(matches!(
            cache.resolve(secs(0), iface, &ip(1), &T),
            Resolve::Pending(_) | Resolve::Full
        ));
    }
    let asked = |action: Option<Action>| match action {
        Some(Action::Solicit { iface, .. }) => Some(iface),
        Some(Action::Failed { .. } | Action::Expired { .. }) | None => None,
    };
    assert_eq!(asked(cache.poll_iface(secs(0), 1, &T)), Some(1));
    assert_eq!(cache.poll_iface(secs(0), 1, &T), None);
    assert_eq!(asked(cache.poll_iface(secs(0), 0, &T)), Some(0));
    assert_eq!(cache.poll(secs(0), &T), None);
}

#[test]
fn the_same_address_on_two_interfaces_is_two_neighbours() {
    let mut cache = cache(8);
    known(&mut cache, secs(0), &ip(1));
    assert!(matches!(
        cache.resolve(secs(0), 1, &ip(1), &T),
        Resolve::Pending(_)
    ));
    cache.flush(1);
    assert_eq!(cache.resolve(secs(0), 0, &ip(1), &T), Resolve::Found(A));
    assert_eq!(cache.len(), 1);
}

#[test]
fn what_is_not_a_hosts_address_is_never_asked_for() {
    let mut cache = cache(4);
    for addr in [
        Addr::UNSPECIFIED,
        Addr::V4_BROADCAST,
        Addr::v4([224, 0, 0, 1]),
    ] {
        assert_eq!(
            cache.resolve(secs(0), 0, &addr, &T),
            Resolve::Full,
            "{addr}"
        );
    }
    assert!(cache.is_empty());
}

#[test]
fn reachable_time_lies_between_half_and_one_and_a_half() {
    let mut tunables = T;
    for (random, expected) in [(0, 15_000), (1 << 31, 30_000), (u32::MAX, 44_999)] {
        tunables.set_reachable_time(30_000, random);
        assert_eq!(tunables.reachable_time, expected);
    }
    tunables.set_reachable_time(u32::MAX, u32::MAX);
    assert_eq!(tunables.reachable_time, u32::MAX, "no overflow");
}

#[cfg(feature = "alloc")]
/// Two packets that can wait.
struct Packets([Links; 2]);

#[cfg(feature = "alloc")]
impl Nodes for Packets {
    fn links(&mut self, r: Ref) -> Option<&mut Links> {
        r.kind()?;
        self.0.get_mut(r.index() as usize)
    }
}

#[cfg(feature = "alloc")]
fn waiting(cache: &mut NeighborCache, id: NeighborId) -> Packets {
    let mut packets = Packets([Links::EMPTY; 2]);
    let entry = cache.get_mut(id).unwrap();
    for index in 0..2 {
        entry
            .waiting
            .push_back(&mut packets, Ref::new(Kind::Packet, index));
        entry.waiting_count += 1;
    }
    packets
}

#[cfg(feature = "alloc")]
#[test]
fn who_waits_for_a_removed_neighbour_is_told() {
    let mut cache = cache(4);
    let id = pending(&mut cache, secs(0), &ip(1));
    let mut packets = waiting(&mut cache, id);
    assert_eq!(due(&mut cache, secs(0)), [solicit(ip(1), None, id)]);
    assert!(cache.remove(0, &ip(1)));
    assert_eq!(due(&mut cache, secs(0)), [Action::Failed { id }]);
    let entry = cache.get_mut(id).unwrap();
    let mut list: List = entry.waiting.take();
    assert_eq!(
        list.pop_front(&mut packets),
        Some(Ref::new(Kind::Packet, 0))
    );
    assert_eq!(
        list.pop_front(&mut packets),
        Some(Ref::new(Kind::Packet, 1))
    );
    // Whoever asks again at once still keeps to the rate.
    assert_eq!(pending(&mut cache, secs(0), &ip(1)), id);
    assert_eq!(due(&mut cache, secs(0)), []);
    assert_eq!(cache.next_deadline(), Some(secs(1)));
}

#[test]
fn an_entry_somebody_waits_in_is_not_evicted() {
    let mut cache = cache(2);
    let id = pending(&mut cache, secs(0), &ip(1));
    cache.get_mut(id).unwrap().waiting_count = 2;
    known(&mut cache, secs(0), &ip(2));
    for now in 0..5 {
        let _ = due(&mut cache, secs(now));
    }
    // Failed, but whoever waits was not told yet: the other entry goes.
    let _ = pending(&mut cache, secs(5), &ip(3));
    assert!(cache.get(id).is_some());
    assert_eq!(state(&cache, secs(5), &ip(2)), NeighborState::Free);
    cache.get_mut(id).unwrap().waiting_count = 0;
    let _ = pending(&mut cache, secs(5), &ip(4));
    assert!(cache.get(id).is_none());
}
