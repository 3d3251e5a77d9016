use std::collections::VecDeque;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

const A: RecordType = RecordType::A;
const FOUND: Known = Known::Records { complete: true };

fn name(number: u8) -> Name {
    std::format!("n{number}").parse().unwrap()
}

fn at(seconds: u64) -> Instant {
    Instant::from_secs(seconds)
}

#[test]
fn the_oldest_make_room() {
    let (mut memory, mut used) = ([0; 100], 0);
    let mut cache = Cache {
        memory: &mut memory,
        used: &mut used,
    };
    // 21 and 4 octets of a name, and 8: three fit.
    for number in 0..4 {
        cache.put(at(1), &name(number), A, FOUND, 60, &[number; 8]);
    }
    let found = |cache: &Cache<'_>, n| cache.get(at(2), &name(n), A).map(|hit| hit.packed.to_vec());
    assert_eq!(found(&cache, 0), None);
    assert_eq!(found(&cache, 1), Some(vec![1; 8]));
    assert_eq!(found(&cache, 3), Some(vec![3; 8]));
    // What can never fit displaces nobody.
    cache.put(at(2), &name(9), A, FOUND, 60, &[9; 80]);
    assert_eq!(found(&cache, 1), Some(vec![1; 8]));
    // What has expired goes first.
    cache.put(at(2), &name(3), A, FOUND, 5, &[3; 8]);
    cache.put(at(20), &name(5), A, FOUND, 60, &[5; 8]);
    assert_eq!(found(&cache, 2), Some(vec![2; 8]));
    assert_eq!(cache.get(at(21), &name(5), A).map(|hit| hit.age), Some(1));
}

#[test]
fn a_cache_of_nothing_forgets() {
    let mut used = 0;
    let mut cache = Cache {
        memory: &mut [],
        used: &mut used,
    };
    cache.put(at(1), &name(1), A, FOUND, 60, &[]);
    assert!(cache.get(at(1), &name(1), A).is_none());
    assert!(!cache.pin(at(1), &name(1), A, &[]));
}

#[test]
fn that_there_is_no_such_name_is_about_every_type() {
    let (mut memory, mut used) = ([0; 100], 0);
    let mut cache = Cache {
        memory: &mut memory,
        used: &mut used,
    };
    cache.put(at(1), &name(1), A, Known::NoName, 60, &[]);
    assert!(cache.get(at(1), &name(1), RecordType::TXT).is_some());
    // Until something is heard of it.
    cache.put(at(2), &name(1), RecordType::TXT, FOUND, 60, &[7]);
    assert!(cache.get(at(2), &name(1), A).is_none());
}

/// An entry of the plain model: name, expiry, content, pinned.
type Plain = (u8, u64, Vec<u8>, bool);

proptest! {
    /// The cache is a queue of entries: whatever is done, it holds what a plain one holds.
    #[test]
    fn it_holds_what_a_plain_queue_holds(
        size in 0_usize..300,
        steps in prop::collection::vec((0_u8..12, 0_u64..4, 0_u32..50, 0_usize..40, 0_u8..10), 1..80),
    ) {
        let (mut memory, mut used) = (vec![0xaa; size], 0);
        let mut cache = Cache { memory: &mut memory, used: &mut used };
        let mut plain: VecDeque<Plain> = VecDeque::new();
        let mut now = 1;
        let len = |n: u8, content: &[u8]| HEAD + name(n).as_octets().len() + content.len();
        for (number, pass, ttl, octets, action) in steps {
            now += pass;
            let content = vec![number; octets];
            match action {
                0 => {
                    cache.clear();
                    plain.retain(|e| e.3);
                }
                1 => {
                    cache.unpin(&name(number));
                    plain.retain(|e| !(e.3 && e.0 == number));
                }
                _ => {
                    let pin = action == 2;
                    if pin {
                        cache.unpin(&name(number));
                        plain.retain(|e| !(e.3 && e.0 == number));
                    }
                    let pinned: usize =
                        plain.iter().filter(|e| e.3).map(|e| len(e.0, &e.2)).sum();
                    let fits = len(number, &content) <= size.saturating_sub(pinned);
                    if pin {
                        prop_assert_eq!(cache.pin(at(now), &name(number), A, &content), fits);
                    } else {
                        cache.put(at(now), &name(number), A, FOUND, ttl, &content);
                    }
                    if fits && (pin || ttl > 0) {
                        plain.retain(|e| e.3 || (e.1 > now && e.0 != number));
                        while plain.iter().map(|e| len(e.0, &e.2)).sum::<usize>()
                            + len(number, &content) > size
                        {
                            let oldest = plain.iter().position(|e| !e.3).unwrap();
                            plain.remove(oldest);
                        }
                        let expires = if pin { u64::MAX } else { now + u64::from(ttl) };
                        plain.push_back((number, expires, content, pin));
                    }
                }
            }
            for number in 0..12 {
                let expected = plain.iter().find(|e| e.0 == number && e.1 > now);
                let found = cache.get(at(now), &name(number), A);
                prop_assert_eq!(found.map(|hit| hit.packed.to_vec()), expected.map(|e| e.2.clone()));
                let pinned = plain.iter().any(|e| e.0 == number && e.3);
                prop_assert_eq!(cache.is_pinned(&name(number)), pinned);
            }
        }
    }
}
