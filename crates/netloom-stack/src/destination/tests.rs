use std::boxed::Box;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

const T: DestinationTunables = DestinationTunables::DEFAULT;

fn cache(capacity: usize) -> DestinationCache {
    let entries: Vec<_> = (0..capacity).map(|_| Destination::EMPTY).collect();
    DestinationCache::lent(Box::leak(entries.into_boxed_slice()))
}

fn ip(n: u8) -> Addr {
    Addr::v4([10, 0, 0, n])
}

fn secs(n: u64) -> Instant {
    Instant::from_secs(n)
}

//= https://www.rfc-editor.org/rfc/rfc8899#section-3
//= type=test
//# Such methods MUST be robust to the wide variety of underlying
//# network forwarding behaviors.
#[test]
fn a_report_lowers_the_path_mtu_for_ten_minutes() {
    let mut cache = cache(4);
    assert_eq!(cache.pmtu(secs(0), &ip(1)), None);
    assert_eq!(
        cache.update_pmtu(secs(0), &ip(1), 1400, 1500, &T),
        Some(1400)
    );
    assert_eq!(cache.pmtu(secs(599), &ip(1)), Some(1400));
    assert_eq!(cache.pmtu(secs(600), &ip(1)), None);
    assert_eq!(cache.pmtu(secs(0), &ip(2)), None);
    // A lower report begins the time anew.
    cache.update_pmtu(secs(700), &ip(1), 1400, 1500, &T);
    assert_eq!(
        cache.update_pmtu(secs(1_200), &ip(1), 1300, 1500, &T),
        Some(1300)
    );
    assert_eq!(cache.pmtu(secs(1_799), &ip(1)), Some(1300));
}

//= https://www.rfc-editor.org/rfc/rfc1191#section-3
//= type=test
//# A host MUST not increase its estimate of the Path MTU in response to
//# the contents of a Datagram Too Big message.
//= https://www.rfc-editor.org/rfc/rfc8899#section-3
//= type=test
//# A
//# PTB message MUST NOT be used to increase the PLPMTU [RFC8201] but
//# could trigger a probe to test for a larger PLPMTU.
#[test]
fn a_report_never_raises_it() {
    let mut cache = cache(4);
    cache.update_pmtu(secs(0), &ip(1), 1300, 1500, &T);
    for mtu in [1300, 1400, 1500, 9000, u16::MAX] {
        assert_eq!(cache.update_pmtu(secs(1), &ip(1), mtu, 1500, &T), None);
        assert_eq!(cache.pmtu(secs(1), &ip(1)), Some(1300));
    }
    // Nor beyond the first link, nor does such a report take a place.
    assert_eq!(cache.update_pmtu(secs(1), &ip(2), 9000, 1500, &T), None);
    assert_eq!(cache.len(), 1);
}

//= https://www.rfc-editor.org/rfc/rfc1191#section-3
//= type=test
//# A host MUST never reduce its estimate of the Path MTU below 68
//# octets.
#[test]
fn ipv4_has_a_floor() {
    for (min_pmtu, report, expected) in [(552, 68, 552), (552, 0, 552), (0, 0, 68), (0, 100, 100)] {
        let mut cache = cache(4);
        let tunables = DestinationTunables { min_pmtu, ..T };
        assert_eq!(
            cache.update_pmtu(secs(0), &ip(1), report, 1500, &tunables),
            Some(expected)
        );
    }
}

//= https://www.rfc-editor.org/rfc/rfc8201#section-4
//= type=test
//# If a node receives a Packet Too Big message reporting a next-hop MTU
//# that is less than the IPv6 minimum link MTU, it must discard it.
#[cfg(feature = "ipv6")]
#[test]
fn ipv6_discards_what_is_below_1280() {
    let mut cache = cache(4);
    let dst = Addr::v6([0x20; 16]);
    for mtu in [0, 68, 1279] {
        assert_eq!(cache.update_pmtu(secs(0), &dst, mtu, 1500, &T), None);
    }
    assert!(cache.is_empty());
    assert_eq!(cache.update_pmtu(secs(0), &dst, 1280, 1500, &T), Some(1280));
}

//= https://www.rfc-editor.org/rfc/rfc8201#section-4
//= type=test
//# An attempt to detect an increase (by
//# sending a packet larger than the current estimate) must not be done
//# less than 5 minutes after a Packet Too Big message has been received
//# for the given path.
#[test]
fn no_increase_is_tried_within_five_minutes() {
    let mut cache = cache(4);
    let hasty = DestinationTunables {
        mtu_expires: 1,
        ..T
    };
    cache.update_pmtu(secs(0), &ip(1), 1400, 1500, &hasty);
    assert_eq!(cache.pmtu(secs(299), &ip(1)), Some(1400));
    let never = DestinationTunables {
        mtu_expires: u32::MAX,
        ..T
    };
    cache.update_pmtu(secs(0), &ip(2), 1400, 1500, &never);
    assert_eq!(cache.pmtu(secs(u64::from(u32::MAX)), &ip(2)), Some(1400));
}

#[test]
fn metrics_are_kept_for_the_next_connection() {
    let mut cache = cache(4);
    let metrics = PathMetrics {
        srtt: 20_000,
        rttvar: 5_000,
        ssthresh: 100_000,
        ..PathMetrics::default()
    };
    cache.record_metrics(secs(0), &ip(1), metrics, &T);
    assert_eq!(cache.metrics(secs(3_599), &ip(1)), Some(metrics));
    assert_eq!(cache.metrics(secs(3_600), &ip(1)), None);
    assert_eq!(
        cache.pmtu(secs(0), &ip(1)),
        None,
        "which says nothing of the MTU"
    );
}

#[test]
fn metrics_are_the_mean_of_what_was_known_and_what_is_new() {
    let mut cache = cache(4);
    let first = PathMetrics {
        srtt: 20_000,
        rttvar: 5_000,
        ssthresh: 0,
        reordering: true,
        ecn_failed: true,
    };
    let second = PathMetrics {
        srtt: 40_001,
        rttvar: 1_000,
        ssthresh: 100_000,
        reordering: false,
        ecn_failed: false,
    };
    cache.record_metrics(secs(0), &ip(1), first, &T);
    cache.record_metrics(secs(3_599), &ip(1), second, &T);
    let merged = PathMetrics {
        srtt: 30_000,
        rttvar: 3_000,
        ssthresh: 100_000,
        reordering: false,
        ecn_failed: true,
    };
    assert_eq!(cache.metrics(secs(3_600), &ip(1)), Some(merged));
    // What is no longer believed is not merged with.
    cache.record_metrics(secs(9_000), &ip(1), second, &T);
    assert_eq!(cache.metrics(secs(9_000), &ip(1)), Some(second));
}

#[test]
fn redirects_end_with_their_router() {
    let mut cache = cache(4);
    cache.set_redirect(&ip(1), &ip(100));
    cache.set_redirect(&ip(2), &ip(101));
    assert_eq!(cache.redirect(&ip(1)), Some(ip(100)));
    cache.forget_router(&ip(100));
    assert_eq!(cache.redirect(&ip(1)), None);
    assert_eq!(cache.redirect(&ip(2)), Some(ip(101)));
    cache.remove(&ip(2));
    assert_eq!(cache.redirect(&ip(2)), None);
}

#[test]
fn plateaus_go_down_to_the_last() {
    let mut len = u16::MAX;
    let mut steps = Vec::new();
    while len > 68 {
        len = plateau_below(len);
        steps.push(len);
    }
    assert_eq!(
        steps,
        [
            32_000, 17_914, 8_166, 4_352, 2_002, 1_492, 1_006, 508, 296, 68
        ]
    );
    assert_eq!(plateau_below(1500), 1_492);
    assert_eq!(plateau_below(0), 68);
}

#[test]
fn without_memory_nothing_is_remembered_and_nothing_breaks() {
    let mut cache = DestinationCache::empty();
    assert_eq!(
        cache.update_pmtu(secs(0), &ip(1), 1400, 1500, &T),
        Some(1400)
    );
    assert_eq!(cache.pmtu(secs(0), &ip(1)), None);
    cache.record_metrics(secs(0), &ip(1), PathMetrics::default(), &T);
    assert_eq!(cache.metrics(secs(0), &ip(1)), None);
}

proptest! {
    /// The least recently used goes, whoever floods the cache with reports.
    #[test]
    fn least_recently_used_first(uses in prop::collection::vec((0..12_u8, any::<bool>()), 1..200)) {
        let mut cache = cache(5);
        let mut order: Vec<u8> = Vec::new();
        for (n, lookup) in uses {
            let known = order.contains(&n);
            if lookup {
                let expected = known.then_some(600 + u16::from(n));
                prop_assert_eq!(cache.pmtu(secs(1), &ip(n)), expected);
            } else {
                cache.update_pmtu(secs(1), &ip(n), 600 + u16::from(n), 1500, &T);
            }
            if known || !lookup {
                order.retain(|other| *other != n);
                order.push(n);
                if order.len() > 5 {
                    order.remove(0);
                }
            }
            let mut found: Vec<Addr> = cache.iter().map(|entry| *entry.addr()).collect();
            let mut expected: Vec<Addr> = order.iter().map(|n| ip(*n)).collect();
            found.sort();
            expected.sort();
            prop_assert_eq!(found, expected);
        }
    }
}
