use super::*;
use crate::list::Kind;
use proptest::prelude::*;
use std::boxed::Box;
use std::collections::HashMap;
use std::vec;
use std::vec::Vec;

fn item(index: u32) -> Ref {
    Ref::new(Kind::Connection, index)
}

/// A hash as a keyed one would be: a permutation of numbers without structure.
fn hash(number: u64) -> u64 {
    let mut x = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ x >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ x >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ x >> 31
}

fn small(capacity: usize) -> Index {
    Index::small(Mem::Lent(Box::leak(
        vec![Ref::NONE; capacity].into_boxed_slice(),
    )))
}

fn fixed(capacity: usize) -> Index {
    Index::fixed(Box::leak(
        vec![Entry::new(!0, item(1)); capacity].into_boxed_slice(),
    ))
}

#[test]
fn an_index_without_memory_is_full() {
    for mut index in [Index::none(), small(0), fixed(0), fixed(1)] {
        assert_eq!(index.insert(1, item(1)), Err(IndexFull));
        assert_eq!(index.find(1, |_| true), None);
        assert!(!index.remove(1, item(1)) && !index.replace(1, item(1), item(2)));
        assert_eq!((index.len(), index.capacity()), (0, 0));
    }
    assert_eq!(size_of::<Entry>(), 8);
}

#[test]
fn a_small_index_ignores_hashes() {
    let mut index = small(4);
    assert!(!index.needs_hash());
    for number in 0..4 {
        index.insert(0, item(number)).unwrap();
    }
    assert_eq!(index.insert(0, item(9)), Err(IndexFull));
    assert_eq!(index.find(77, |r| r.index() == 2), Some(item(2)));
    assert!(index.remove(5, item(0)) && !index.remove(5, item(0)));
    assert!(index.replace(0, item(3), item(7)));
    let mut seen = Vec::new();
    assert_eq!(
        index.find(0, |r| {
            seen.push(r.index());
            false
        }),
        None
    );
    seen.sort_unstable();
    assert_eq!(seen, [1, 2, 7]);
}

#[test]
fn nothing_is_not_an_entry() {
    let mut index = fixed(32);
    assert_eq!(index.insert(0, Ref::NONE), Err(IndexFull));
    index.insert(0, item(0)).unwrap();
    assert!(!index.replace(0, item(0), Ref::NONE) && !index.remove(0, Ref::NONE));
    assert_eq!((index.len(), index.find(0, |_| true)), (1, Some(item(0))));
}

#[test]
fn the_entry_found_last_is_forgotten_when_it_goes() {
    let mut index = fixed(32);
    index.insert(hash(1), item(1)).unwrap();
    assert_eq!(index.find(hash(1), |_| true), Some(item(1)));
    assert!(index.replace(hash(1), item(1), item(2)));
    assert_eq!(index.find(hash(1), |_| true), Some(item(2)));
    assert!(index.remove(hash(1), item(2)));
    assert_eq!(index.find(hash(1), |_| true), None);
}

#[test]
fn a_fixed_index_fills_to_its_limit_and_no_further() {
    let mut index = fixed(64);
    assert_eq!(index.capacity(), 54);
    for number in 0..54 {
        index.insert(hash(number), item(number as u32)).unwrap();
    }
    assert_eq!(index.insert(hash(54), item(54)), Err(IndexFull));
    for number in 0..54 {
        assert!(
            index
                .find(hash(number), |r| r == item(number as u32))
                .is_some()
        );
    }
}

/// Tables of every size, with every entry at the same home.
#[test]
fn entries_that_collide_are_all_found() {
    for size in [2, 3, 16, 33, 100, 4096, 5000] {
        let mut index = fixed(size);
        // The last home of a table, so that runs wrap around its end.
        let same = 0xFFFF_FFFF_0000_0000;
        for number in 0..index.capacity() {
            index.insert(same, item(number)).unwrap();
        }
        for number in (0..index.capacity()).step_by(7) {
            assert_eq!(index.find(same, |r| r == item(number)), Some(item(number)));
        }
        for number in (0..index.capacity()).step_by(3) {
            assert!(index.remove(same, item(number)));
        }
        for number in 0..index.capacity() {
            let found = index.find(same, |r| r == item(number)).is_some();
            assert_eq!(found, number % 3 != 0);
        }
    }
}

/// Runs operations on an index and on a map from hashes to items. Few different hashes, so that
/// they collide.
fn against_a_map(mut index: Index, operations: &[(u8, u32)]) -> Result<(), TestCaseError> {
    let mut model: HashMap<u32, u64> = HashMap::new();
    // Each item has one hash, which others share: whole, or only its tag or home.
    let hash_of = |number: u32| match number % 4 {
        0 => hash(u64::from(number % 16)),
        1 => 0x0000_1FFF_0000_0000 | u64::from(number),
        2 => u64::from(number) << 60 | 0x0000_0FFF_0000_0000,
        _ => hash(number.into()),
    };
    for &(what, number) in operations {
        let (r, hash) = (item(number), hash_of(number));
        let known = model.contains_key(&number);
        match what {
            0..4 if !known => {
                let done = index.insert(hash, r).is_ok();
                prop_assert_eq!(done, model.len() < index.capacity() as usize);
                if done {
                    model.insert(number, hash);
                }
            }
            4..6 => {
                prop_assert_eq!(index.remove(hash, r), known);
                model.remove(&number);
            }
            6 => {
                // The item becomes one of another kind, and back.
                let other = Ref::new(Kind::TimeWait, number);
                prop_assert_eq!(index.replace(hash, r, other), known);
                prop_assert_eq!(index.find(hash, |r| r == other).is_some(), known);
                prop_assert_eq!(index.find(hash, |found| found == r), None);
                prop_assert_eq!(index.replace(hash, other, r), known);
            }
            _ => prop_assert_eq!(index.find(hash, |found| found == r).is_some(), known),
        }
        prop_assert_eq!(index.len() as usize, model.len());
    }
    for (number, hash) in model {
        prop_assert!(index.find(hash, |r| r == item(number)).is_some());
        prop_assert!(index.remove(hash, item(number)));
    }
    prop_assert!(index.is_empty());
    Ok(())
}

fn operations(items: u32, most: usize) -> impl Strategy<Value = Vec<(u8, u32)>> {
    prop::collection::vec((0u8..9, 0..items), 0..most)
}

proptest! {
    #[test]
    fn small_behaves_like_a_map(operations in operations(50, 300)) {
        against_a_map(small(32), &operations)?;
    }

    #[test]
    fn fixed_behaves_like_a_map(operations in operations(80, 500), size in 2usize..70) {
        against_a_map(fixed(size), &operations)?;
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn growing_behaves_like_a_map(operations in operations(1500, 4000)) {
        against_a_map(Index::heap(1000), &operations)?;
    }
}

#[cfg(feature = "alloc")]
mod heap {
    use super::*;
    use crate::index::table::MAX_SIZE;

    fn directory(index: &Index) -> &directory::Directory {
        match &index.shape {
            Shape::Many(directory) => directory,
            Shape::Few(_) | Shape::Fixed(_) => panic!("not on the heap"),
        }
    }

    fn moved(index: &Index) -> u64 {
        directory(index).moved
    }

    #[test]
    fn nothing_is_allocated_before_the_first_entry() {
        let mut index = Index::heap(1_000_000);
        assert!(index.needs_hash());
        assert_eq!(directory(&index).bytes(), 0);
        assert_eq!(index.find(1, |_| true), None);
        assert!(!index.remove(1, item(1)));
    }

    #[test]
    fn two_hundred_thousand_entries_against_a_map() {
        const COUNT: u32 = 200_000;
        let mut index = Index::heap(COUNT);
        let mut map = HashMap::new();
        let (mut most, mut before) = (0, 0);
        for number in 0..COUNT {
            index.insert(hash(number.into()), item(number)).unwrap();
            map.insert(number, item(number));
            most = most.max(moved(&index) - before);
            before = moved(&index);
        }
        assert_eq!(index.insert(0, item(COUNT)), Err(IndexFull));
        // No insertion moved more than one full table.
        assert!(most > 0 && most <= u64::from(MAX_SIZE), "{most}");
        // All of them together moved each entry a few times.
        assert!(moved(&index) < 8 * u64::from(COUNT), "{}", moved(&index));

        // A third goes, a third changes its kind.
        for number in 0..COUNT {
            let hash = hash(number.into());
            match number % 3 {
                0 => assert_eq!(
                    index.remove(hash, item(number)),
                    map.remove(&number).is_some()
                ),
                1 => {
                    let new = Ref::new(Kind::TimeWait, number);
                    assert!(index.replace(hash, item(number), new));
                    map.insert(number, new);
                }
                _ => {}
            }
        }
        assert_eq!(index.len() as usize, map.len());
        for number in 0..COUNT {
            let mut asked = 0;
            let found = index.find(hash(number.into()), |r| {
                asked += 1;
                r.index() == number
            });
            assert_eq!(found, map.get(&number).copied());
            assert!(asked <= 3, "asked about {asked} others");
        }
    }

    #[test]
    fn memory_is_below_16_bytes_an_entry_and_goes_back() {
        let mut index = Index::heap(1 << 20);
        for number in 0..(1u32 << 20) {
            index.insert(hash(number.into()), item(number)).unwrap();
            if number >= 1000 && number % 997 == 0 {
                let bytes = directory(&index).bytes() as f64 / f64::from(number + 1);
                assert!(bytes <= 16.0, "{bytes} bytes an entry at {number}");
            }
        }
        let full = directory(&index).bytes();
        for number in 0..(1u32 << 20) {
            assert!(index.remove(hash(number.into()), item(number)));
        }
        assert!(index.is_empty());
        assert!(
            directory(&index).bytes() < full / 50,
            "{}",
            directory(&index).bytes()
        );
    }

    /// Whoever had the key could make hashes alike: the index then says that it is full, and grows
    /// neither its directory nor its work.
    #[test]
    fn equal_hashes_fill_one_table_and_stop_there() {
        let mut index = Index::heap(1_000_000);
        let same = 0xABCD_EF01_2345_6789;
        let mut entries = 0;
        while index.insert(same, item(entries)).is_ok() {
            entries += 1;
        }
        assert!(entries >= MAX_SIZE / 5 * 4, "{entries}");
        for _ in 0..100 {
            assert_eq!(index.insert(same, item(entries)), Err(IndexFull));
        }
        assert!(directory(&index).bytes() < 4 * 8 * MAX_SIZE as usize);
        // Only who belongs to that one table is concerned.
        let mut refused = 0;
        for number in 0..20_000 {
            let added = index.insert(hash(number), item(entries + number as u32));
            refused += u32::from(added.is_err());
        }
        assert!(refused <= 20_000 / 4, "{refused}");
        assert!(index.find(same, |r| r.index() == entries / 2).is_some());
        assert!(index.remove(same, item(0)));
    }
}
