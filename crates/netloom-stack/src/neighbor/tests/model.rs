//! Random lives of a small cache, and what must hold at every moment of them.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::neighbor::cache::{Queue, queue_of};

#[derive(Debug, Clone)]
enum Step {
    Resolve(u16),
    Learn(u16, bool, Learn),
    Confirm(u16),
    Suspect(u16),
    AddStatic(u16),
    Remove(u16),
    /// Milliseconds pass, then everything due is done; some of it finds no room in the device.
    Pass(u32, bool),
}

fn how() -> impl Strategy<Value = Learn> {
    prop_oneof![
        any::<(bool, bool, bool)>().prop_map(|(solicited, override_flag, router)| Learn::Reply {
            solicited,
            override_flag,
            router,
        }),
        Just(Learn::Request),
        Just(Learn::Gratuitous),
        Just(Learn::NdSolicitation),
        Just(Learn::RouterAdvertisement),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let n = 0..12_u16;
    prop_oneof![
        6 => n.clone().prop_map(Step::Resolve),
        4 => (n.clone(), any::<bool>(), how()).prop_map(|(n, b, how)| Step::Learn(n, b, how)),
        2 => n.clone().prop_map(Step::Confirm),
        2 => n.clone().prop_map(Step::Suspect),
        1 => n.clone().prop_map(Step::AddStatic),
        1 => n.prop_map(Step::Remove),
        6 => (prop_oneof![0..50_u32, 0..3_000_u32, 0..60_000_u32], any::<bool>())
            .prop_map(|(ms, blocked)| Step::Pass(ms, blocked)),
    ]
}

/// Every entry is in the queue its state asks for and in no other, and timers are in order.
fn check_queues(cache: &mut NeighborCache) {
    #[cfg(feature = "alloc")]
    check_orders(cache);
    let incomplete = cache
        .iter()
        .filter(|entry| entry.state == NeighborState::Incomplete)
        .count();
    assert_eq!(incomplete, cache.incomplete());
    assert!(incomplete <= cache.share());
}

#[cfg(feature = "alloc")]
fn check_orders(cache: &mut NeighborCache) {
    let mut placed: HashMap<u16, Queue> = HashMap::new();
    for queue in [
        Queue::Soliciting,
        Queue::Delayed,
        Queue::Recent,
        Queue::Cold,
    ] {
        let order = *cache.queues.get(queue);
        let mut next = order.front();
        let mut count = 0;
        let mut last = Instant::ZERO;
        while let Some(index) = next {
            let entry = cache.entries.get(index).unwrap();
            assert!(placed.insert(index, queue).is_none(), "in two queues");
            if matches!(queue, Queue::Soliciting | Queue::Delayed) {
                assert!(entry.deadline >= last, "timers out of order");
                last = entry.deadline;
            }
            count += 1;
            next = cache.entries.after(index);
        }
        assert_eq!(count, order.len());
    }
    let mut alive = 0;
    for index in 0..cache.entries.end() {
        let entry = cache.entries.get(index).unwrap();
        assert_eq!(queue_of(entry), placed.get(&index).copied(), "{entry:?}");
        alive += usize::from(entry.state != NeighborState::Free);
    }
    assert_eq!(alive, cache.len());
}

proptest! {
    #[test]
    fn whatever_happens(capacity in 1..10_usize, steps in prop::collection::vec(step(), 1..150)) {
        let mut cache = cache(capacity);
        let mut now = secs(1);
        let mut asked: HashMap<Addr, Instant> = HashMap::new();
        for step in steps {
            match step {
                Step::Resolve(n) => {
                    let known = cache.find(0, &ip(n)).and_then(Neighbor::mac);
                    match cache.resolve(now, 0, &ip(n), &T) {
                        Resolve::Found(mac) => prop_assert_eq!(Some(mac), known),
                        Resolve::Pending(id) => {
                            prop_assert_eq!(known, None);
                            prop_assert_eq!(cache.get(id).unwrap().addr(), &ip(n));
                            prop_assert!(cache.next_deadline().is_some(), "pending for ever");
                        }
                        Resolve::Full => prop_assert_eq!(known, None),
                    }
                }
                Step::Learn(n, b, how) => {
                    let is_static = state(&cache, now, &ip(n)) == NeighborState::Static;
                    let before = cache.find(0, &ip(n)).and_then(Neighbor::mac);
                    let resolved = cache.learn(now, 0, &ip(n), if b { A } else { B }, how);
                    let after = cache.find(0, &ip(n)).and_then(Neighbor::mac);
                    if is_static {
                        prop_assert_eq!(before, after);
                    }
                    if let Some(id) = resolved {
                        prop_assert!(before.is_none() && after.is_some());
                        prop_assert_eq!(cache.get(id).unwrap().addr(), &ip(n));
                    }
                }
                Step::Confirm(n) => cache.confirm(now, 0, &ip(n)),
                Step::Suspect(n) => cache.suspect(now, 0, &ip(n)),
                Step::AddStatic(n) => drop(cache.add_static(0, &ip(n), A)),
                Step::Remove(n) => {
                    cache.remove(0, &ip(n));
                    prop_assert!(cache.find(0, &ip(n)).is_none());
                }
                Step::Pass(ms, blocked) => {
                    now = now.plus_micros(u64::from(ms) * 1_000);
                    let mut refused = false;
                    let mut rounds = 0;
                    while let Some(action) = cache.poll(now, &T) {
                        rounds += 1;
                        prop_assert!(rounds <= 3 * capacity + 1, "no progress");
                        match action {
                            Action::Solicit { addr, id, .. } => {
                                if blocked && !refused {
                                    refused = true;
                                    cache.not_sent(id, now);
                                } else {
                                    asked.insert(addr, now);
                                }
                                let entry = cache.get(id).unwrap();
                                prop_assert_eq!(entry.addr(), &addr);
                            }
                            Action::Failed { id } => {
                                prop_assert!(cache.get(id).unwrap().mac().is_none());
                            }
                            Action::Expired { addr, .. } => {
                                prop_assert!(cache.find(0, &addr).is_none());
                            }
                        }
                        check_queues(&mut cache);
                    }
                    prop_assert!(cache.next_deadline().is_none_or(|next| next > now));
                }
            }
            check_queues(&mut cache);
        }
    }

    /// An entry that is not evicted, removed or configured is solicited at most once a second,
    /// whatever is learnt, confirmed or suspected of it.
    #[test]
    fn never_twice_a_second(steps in prop::collection::vec(step(), 1..200)) {
        let mut cache = cache(64);
        let mut now = secs(1);
        let mut asked: HashMap<Addr, Instant> = HashMap::new();
        for step in steps {
            match step {
                Step::Resolve(n) => drop(cache.resolve(now, 0, &ip(n), &T)),
                Step::Learn(n, b, how) => {
                    cache.learn(now, 0, &ip(n), if b { A } else { B }, how);
                }
                Step::Confirm(n) => cache.confirm(now, 0, &ip(n)),
                Step::Suspect(n) => cache.suspect(now, 0, &ip(n)),
                Step::AddStatic(_) | Step::Remove(_) => {}
                Step::Pass(ms, _) => now = now.plus_micros(u64::from(ms) * 1_000),
            }
            while let Some(action) = cache.poll(now, &T) {
                if let Action::Solicit { addr, .. } = action {
                    if let Some(last) = asked.insert(addr, now) {
                        prop_assert!(now.micros_since(last) >= 1_000_000, "{addr}: {last:?} {now:?}");
                    }
                }
            }
        }
    }
}
