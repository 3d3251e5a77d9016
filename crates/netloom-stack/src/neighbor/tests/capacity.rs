//! What an attacker can do to the table: attack class 21.

use super::*;

/// Fills a table with neighbours in use, the first used longest ago.
fn full(capacity: u16) -> NeighborCache {
    let mut cache = cache(usize::from(capacity));
    for n in 0..capacity {
        let now = secs(u64::from(n) * 2);
        known(&mut cache, now, &ip(n));
        assert_eq!(cache.resolve(now, 0, &ip(n), &T), Resolve::Found(A));
    }
    assert_eq!(cache.len(), usize::from(capacity));
    cache
}

fn survivors(cache: &NeighborCache, capacity: u16) -> Vec<u16> {
    let known = |n: &u16| {
        cache
            .find(0, &ip(*n))
            .is_some_and(|entry| entry.mac().is_some())
    };
    (0..capacity).filter(known).collect()
}

#[test]
fn the_least_recently_used_makes_room() {
    let mut cache = full(8);
    // The oldest is used again.
    assert_eq!(cache.resolve(secs(16), 0, &ip(0), &T), Resolve::Found(A));
    known(&mut cache, secs(17), &ip(100));
    assert_eq!(survivors(&cache, 8), [0, 2, 3, 4, 5, 6, 7]);
    known(&mut cache, secs(18), &ip(101));
    assert_eq!(survivors(&cache, 8), [0, 3, 4, 5, 6, 7]);
}

#[test]
fn a_scan_costs_at_most_a_quarter_of_the_table() {
    let mut cache = full(64);
    let mut refused = 0;
    let mut most = 0;
    // A thousand absent hosts a second for a minute, as many times as the cache lets them.
    for tick in 0..60_000_u64 {
        let now = secs(200).plus_micros(tick * 1_000);
        let absent = Addr::v4([10, 1, (tick >> 8) as u8, tick as u8]);
        if cache.resolve(now, 0, &absent, &T) == Resolve::Full {
            refused += 1;
        }
        let _ = due(&mut cache, now);
        let incomplete = cache
            .iter()
            .filter(|entry| entry.state(now, &T) == NeighborState::Incomplete)
            .count();
        most = most.max(incomplete);
    }
    assert_eq!(most, 16);
    assert!(refused > 50_000);
    let survivors = survivors(&cache, 64);
    assert_eq!(
        survivors,
        (16..64).collect::<Vec<u16>>(),
        "the most recently used stay"
    );
}

#[test]
fn a_flood_of_requests_evicts_nobody_in_use() {
    let mut cache = full(64);
    for n in 0..10_000 {
        cache.learn(
            secs(200),
            0,
            &Addr::v4([10, 2, (n >> 8) as u8, n as u8]),
            B,
            Learn::Request,
        );
    }
    assert_eq!(survivors(&cache, 64).len(), 64);
    // With room, they take a quarter of the table, the newest of them.
    let mut cache = self::cache(64);
    for n in 0..1_000_u16 {
        cache.learn(secs(n.into()), 0, &ip(n), B, Learn::NdSolicitation);
    }
    assert_eq!(cache.len(), 16);
    assert_eq!(survivors(&cache, 1_000), (984..1_000).collect::<Vec<u16>>());
    // Who is then used is one of us.
    assert_eq!(
        cache.resolve(secs(1_001), 0, &ip(999), &T),
        Resolve::Found(B)
    );
    for n in 0..1_000_u16 {
        cache.learn(secs(1_001), 0, &ip(n + 2_000), B, Learn::NdSolicitation);
    }
    assert_eq!(cache.resolve(secs(1), 0, &ip(999), &T), Resolve::Found(B));
}

#[test]
fn an_entry_used_within_the_second_it_was_learnt_counts_as_used() {
    let mut cache = cache(4);
    cache.learn(secs(0), 0, &ip(1), A, Learn::Request);
    cache.confirm(secs(0), 0, &ip(1));
    assert_eq!(cache.resolve(secs(0), 0, &ip(1), &T), Resolve::Found(A));
    for n in 2..10 {
        cache.learn(secs(0), 0, &ip(n), A, Learn::Request);
    }
    assert_eq!(cache.resolve(secs(0), 0, &ip(1), &T), Resolve::Found(A));
}

#[test]
fn static_entries_stay_whatever_happens() {
    let mut cache = cache(4);
    for n in 0..3 {
        cache.add_static(0, &ip(n), A).unwrap();
    }
    for n in 10..50 {
        let now = secs(u64::from(n) * 10);
        let _ = cache.resolve(now, 0, &ip(n), &T);
        cache.learn(now, 0, &ip(n), B, REPLY);
        cache.learn(now, 0, &ip(n + 100), B, Learn::Request);
    }
    assert_eq!(survivors(&cache, 3), [0, 1, 2]);
    cache.add_static(0, &ip(3), A).unwrap();
    assert_eq!(cache.add_static(0, &ip(4), A), Err(CacheFull));
    assert_eq!(cache.resolve(secs(1_000), 0, &ip(5), &T), Resolve::Full);
    assert_eq!(
        cache.add_static(0, &ip(3), B).map(drop),
        Ok(()),
        "a known one may change"
    );
    cache.flush(0);
    assert!(cache.is_empty());
}

#[test]
fn a_cache_without_memory_is_full() {
    let mut cache = NeighborCache::empty();
    assert_eq!(cache.resolve(secs(0), 0, &ip(1), &T), Resolve::Full);
    assert_eq!(cache.learn(secs(0), 0, &ip(1), A, Learn::Request), None);
    assert_eq!(cache.add_static(0, &ip(1), A), Err(CacheFull));
    assert_eq!(cache.poll(secs(0), &T), None);
}

/// The smallest table a program would have: a gateway and a few hosts.
#[test]
fn four_entries_are_enough_for_a_gateway_and_a_resolver() {
    let mut cache = cache(4);
    let gateway = pending(&mut cache, secs(0), &ip(1));
    let resolver = pending(&mut cache, secs(0), &ip(2));
    assert_eq!(cache.learn(secs(0), 0, &ip(1), A, REPLY), Some(gateway));
    assert_eq!(cache.learn(secs(0), 0, &ip(2), B, REPLY), Some(resolver));
    for n in 10..100 {
        let now = secs(u64::from(n));
        let _ = cache.resolve(now, 0, &ip(n), &T);
        let _ = due(&mut cache, now);
        cache.confirm(now, 0, &ip(1));
        assert_eq!(
            cache.resolve(now, 0, &ip(1), &T),
            Resolve::Found(A),
            "the gateway was lost"
        );
        cache.confirm(now, 0, &ip(2));
        assert_eq!(cache.resolve(now, 0, &ip(2), &T), Resolve::Found(B));
    }
}

/// What firmware pays for each neighbour; the hot fields of a resolved one share two cache lines.
#[test]
fn an_entry_is_small() {
    let address = size_of::<Addr>();
    assert!(
        size_of::<Neighbor>() <= 64 + address,
        "{}",
        size_of::<Neighbor>()
    );
    assert!(align_of::<Neighbor>() <= 8);
}
