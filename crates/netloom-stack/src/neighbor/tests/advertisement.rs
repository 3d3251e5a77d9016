//! What messages do to an entry: RFC 4861 §7.2.5 and appendix C row by row, RFC 826's merge.

use NeighborState::{Delay, Free, Incomplete, Probe, Reachable, Stale};

use super::*;

/// A cache whose entry for `ip(1)` is in the given state at 100 s, at [`A`] if anywhere.
fn in_state(wanted: NeighborState) -> NeighborCache {
    let mut cache = cache(8);
    match wanted {
        Free => {}
        Incomplete => drop(pending(&mut cache, secs(100), &ip(1))),
        Reachable => known(&mut cache, secs(100), &ip(1)),
        Stale => known(&mut cache, secs(0), &ip(1)),
        Delay | Probe => {
            known(&mut cache, secs(0), &ip(1));
            assert_eq!(cache.resolve(secs(96), 0, &ip(1), &T), Resolve::Found(A));
            if wanted == Probe {
                cache.suspect(secs(99), 0, &ip(1));
                assert_eq!(due(&mut cache, secs(99)).len(), 1);
            }
        }
        NeighborState::Failed => {
            let _ = pending(&mut cache, secs(90), &ip(1));
            for now in 90..95 {
                let _ = due(&mut cache, secs(now));
            }
        }
        NeighborState::Static => drop(cache.add_static(0, &ip(1), A)),
    }
    assert_eq!(state(&cache, secs(100), &ip(1)), wanted);
    cache
}

fn after(cache: &NeighborCache) -> (NeighborState, Option<MacAddr>) {
    let entry = cache.find(0, &ip(1));
    (
        state(cache, secs(100), &ip(1)),
        entry.and_then(Neighbor::mac),
    )
}

fn advertise(solicited: bool, override_flag: bool) -> Learn {
    Learn::Reply {
        solicited,
        override_flag,
        router: false,
    }
}

/// Every state × solicited × override × (same, different, no) link-layer address.
#[test]
fn every_advertisement_in_every_state() {
    for before in [Free, Incomplete, Reachable, Stale, Delay, Probe] {
        for solicited in [false, true] {
            for override_flag in [false, true] {
                for mac in [Some(A), Some(B), None] {
                    let mut cache = in_state(before);
                    let resolved = cache.learn(
                        secs(100),
                        0,
                        &ip(1),
                        mac,
                        advertise(solicited, override_flag),
                    );
                    let differs = mac == Some(B);
                    let expected = match before {
                        // "If no entry exists, the advertisement SHOULD be silently discarded."
                        Free => (Free, None),
                        Incomplete => match mac {
                            None => (Incomplete, None),
                            Some(_) if solicited => (Reachable, mac),
                            Some(_) => (Stale, mac),
                        },
                        // I.a and I.b
                        Reachable if differs && !override_flag => (Stale, Some(A)),
                        _ if differs && !override_flag => (before, Some(A)),
                        // II.
                        _ if solicited => (Reachable, mac.or(Some(A))),
                        _ if differs => (Stale, mac),
                        _ => (before, Some(A)),
                    };
                    let case = (before, solicited, override_flag, mac);
                    assert_eq!(after(&cache), expected, "{case:?}");
                    let was_resolved = before == Incomplete && mac.is_some();
                    assert_eq!(resolved.is_some(), was_resolved, "{case:?}");
                }
            }
        }
    }
}

/// Appendix C, the rows of messages other than advertisements; for ARP they are RFC 826's merge.
#[test]
fn every_other_message_in_every_state() {
    let creating = [
        Learn::Request,
        Learn::NdSolicitation,
        Learn::RouterSolicitation,
        Learn::RouterAdvertisement,
        Learn::Redirect { to_router: true },
    ];
    for how in creating.into_iter().chain([Learn::Gratuitous]) {
        for before in [Free, Incomplete, Reachable, Stale, Delay, Probe] {
            for mac in [Some(A), Some(B), None] {
                let mut cache = in_state(before);
                cache.learn(secs(100), 0, &ip(1), mac, how);
                let expected = match (before, mac) {
                    (Free, Some(_)) if how != Learn::Gratuitous => (Stale, mac),
                    (Free, _) => (Free, None),
                    (Incomplete, None) => (Incomplete, None),
                    (Incomplete, Some(_)) => (Stale, mac),
                    (_, Some(B)) => (Stale, mac),
                    _ => (before, Some(A)),
                };
                assert_eq!(after(&cache), expected, "{how:?} {before:?} {mac:?}");
            }
        }
    }
}

#[test]
fn an_address_heard_after_failure_is_not_wasted() {
    let mut cache = in_state(NeighborState::Failed);
    cache.learn(secs(100), 0, &ip(1), B, Learn::Gratuitous);
    assert_eq!(after(&cache), (Stale, Some(B)));
    assert_eq!(cache.resolve(secs(100), 0, &ip(1), &T), Resolve::Found(B));
}

#[test]
fn a_static_entry_is_never_learnt_over() {
    for how in [
        REPLY,
        Learn::Request,
        Learn::Gratuitous,
        Learn::NdSolicitation,
    ] {
        let mut cache = in_state(NeighborState::Static);
        assert_eq!(cache.learn(secs(100), 0, &ip(1), B, how), None);
        cache.suspect(secs(100), 0, &ip(1));
        assert_eq!(due(&mut cache, secs(1_000)), []);
        assert_eq!(cache.resolve(secs(1_000), 0, &ip(1), &T), Resolve::Found(A));
    }
}

#[test]
fn a_static_entry_resolves_who_waits() {
    let mut cache = in_state(Incomplete);
    let id = pending(&mut cache, secs(100), &ip(1));
    assert_eq!(cache.add_static(0, &ip(1), B), Ok(id));
    assert_eq!(cache.resolve(secs(100), 0, &ip(1), &T), Resolve::Found(B));
    assert_eq!(cache.next_deadline(), None);
    assert!(cache.remove(0, &ip(1)));
    assert!(cache.is_empty());
}

#[test]
fn only_unicast_addresses_are_learnt() {
    for mac in [
        MacAddr::BROADCAST,
        MacAddr([1, 0, 0x5e, 0, 0, 1]),
        MacAddr([0; 6]),
    ] {
        let mut cache = in_state(Incomplete);
        assert_eq!(cache.learn(secs(100), 0, &ip(1), mac, REPLY), None);
        assert_eq!(after(&cache), (Incomplete, None));
        let mut cache = in_state(Free);
        cache.learn(secs(100), 0, &ip(1), mac, Learn::Request);
        assert!(cache.is_empty());
        assert_eq!(cache.add_static(0, &ip(1), mac), Err(CacheFull));
    }
    let mut cache = in_state(Free);
    for addr in [
        Addr::V4_UNSPECIFIED,
        Addr::V4_BROADCAST,
        Addr::v4([224, 0, 0, 1]),
    ] {
        cache.learn(secs(100), 0, &addr, A, Learn::Request);
        assert!(cache.is_empty(), "{addr}");
    }
}

//= https://www.rfc-editor.org/rfc/rfc4861#section-7.2.3
//= type=test
//# If a Neighbor Cache entry already exists, its
//# IsRouter flag MUST NOT be modified.
#[test]
fn is_router_follows_appendix_d() {
    let router = |cache: &NeighborCache| cache.find(0, &ip(1)).unwrap().is_router();
    let mut cache = in_state(Free);
    let mut learn = |how| {
        cache.learn(secs(100), 0, &ip(1), A, how);
        (router(&cache), cache.take_lost_router())
    };
    assert_eq!(
        learn(Learn::NdSolicitation),
        (false, None),
        "created: no router"
    );
    assert_eq!(learn(Learn::RouterAdvertisement), (true, None));
    assert_eq!(
        learn(Learn::NdSolicitation),
        (true, None),
        "says nothing of routers"
    );
    assert_eq!(learn(Learn::Redirect { to_router: false }), (true, None));
    let still = Learn::Reply {
        solicited: true,
        override_flag: true,
        router: true,
    };
    assert_eq!(learn(still), (true, None));
    assert_eq!(
        learn(REPLY),
        (false, Some((0, ip(1)))),
        "a router no longer"
    );
    assert_eq!(learn(REPLY), (false, None));
    assert_eq!(learn(Learn::Redirect { to_router: true }), (true, None));
    assert_eq!(learn(Learn::RouterSolicitation), (false, Some((0, ip(1)))));
}

#[test]
fn the_loss_of_a_router_is_said() {
    let mut cache = in_state(Free);
    cache.learn(secs(0), 0, &ip(1), A, Learn::RouterAdvertisement);
    let _ = cache.resolve(secs(0), 0, &ip(1), &T);
    let expired = Action::Expired {
        iface: 0,
        addr: ip(1),
        router: true,
    };
    let actions: Vec<Action> = (0..10).flat_map(|now| due(&mut cache, secs(now))).collect();
    assert_eq!(actions.last(), Some(&expired));
}
