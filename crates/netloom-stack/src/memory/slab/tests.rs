use super::*;
use proptest::prelude::*;
use std::boxed::Box;
use std::collections::BTreeMap;
use std::vec::Vec;

#[derive(Debug, PartialEq)]
struct Thing {
    link: u32,
    value: u64,
    /// Survives removal, as a generation does.
    lives: u32,
}

impl Item for Thing {
    const EMPTY: Thing = Thing {
        link: 0,
        value: 0,
        lives: 0,
    };

    fn free_link(&mut self) -> &mut u32 {
        &mut self.link
    }

    fn reset(&mut self) {
        *self = Thing {
            lives: self.lives + 1,
            ..Thing::EMPTY
        };
    }
}

/// Lent memory full of what somebody else left there.
fn lent(len: usize) -> Slab<Thing> {
    let rubbish = (0..len).map(|_| Thing {
        link: !0,
        value: !0,
        lives: 77,
    });
    Slab::lent(Box::leak(rubbish.collect::<Vec<_>>().into_boxed_slice()))
}

#[test]
fn an_empty_slab_has_no_room() {
    let mut slab = Slab::<Thing>::empty();
    assert!(slab.is_full() && slab.is_empty());
    assert_eq!(slab.insert(), None);
    assert!(slab.get(0).is_none() && !slab.remove(0));
}

#[test]
fn what_was_never_used_is_neither_found_nor_touched() {
    let mut slab = lent(10);
    assert!(slab.get(0).is_none());
    assert_eq!(slab.insert(), Some(0));
    // What its owner put into lent memory survives as `reset` lets it; the rubbish does not.
    assert_eq!(
        slab.get(0),
        Some(&Thing {
            lives: 78,
            ..Thing::EMPTY
        })
    );
    assert!(slab.get(1).is_none() && slab.get2_mut(0, 1).is_none());
    assert_eq!(slab.lent[1].value, !0);
}

#[test]
fn the_index_freed_last_comes_back_first() {
    let mut slab = lent(4);
    for expected in 0..4 {
        assert_eq!(slab.insert(), Some(expected));
    }
    assert_eq!((slab.insert(), slab.is_full()), (None, true));
    assert!(slab.remove(1) && slab.remove(3));
    assert_eq!(slab.insert(), Some(3));
    assert_eq!(
        slab.get(3),
        Some(&Thing {
            lives: 79,
            ..Thing::EMPTY
        })
    );
    assert_eq!((slab.insert(), slab.insert()), (Some(1), None));
}

#[test]
fn freeing_twice_does_not_hand_an_index_out_twice() {
    let mut slab = lent(4);
    let index = slab.insert().unwrap();
    assert!(slab.remove(index));
    assert!(!slab.remove(index));
    assert_eq!((slab.len(), slab.contains(index)), (0, false));
    assert_eq!((slab.insert(), slab.insert()), (Some(0), Some(1)));
}

#[test]
fn two_items_at_once() {
    let mut slab = lent(4);
    for _ in 0..3 {
        slab.insert();
    }
    let (a, b) = slab.get2_mut(2, 0).unwrap();
    (a.value, b.value) = (22, 0xAA);
    assert_eq!(
        (slab.get(2).unwrap().value, slab.get(0).unwrap().value),
        (22, 0xAA)
    );
    assert!(slab.get2_mut(1, 1).is_none() && slab.get2_mut(0, 3).is_none());
}

#[cfg(feature = "alloc")]
mod heap {
    use super::*;

    #[test]
    fn chunks_never_move() {
        let mut slab = Slab::<Thing>::heap(1000);
        slab.insert();
        let first = std::ptr::from_ref(slab.get(0).unwrap());
        for _ in 1..1000 {
            slab.insert().unwrap();
        }
        assert_eq!(slab.insert(), None);
        assert_eq!(std::ptr::from_ref(slab.get(0).unwrap()), first);
        assert_eq!(slab.chunks.len(), 1000_usize.div_ceil(64));
    }

    #[test]
    fn what_was_never_used_is_not_in_use() {
        let mut slab = Slab::<Thing>::heap(10);
        assert!(slab.get(0).is_none() && !slab.contains(0));
        slab.insert();
        // There is memory for it, but it was never handed out.
        assert_eq!(slab.get(1), Some(&Thing::EMPTY));
        assert!(!slab.contains(1) && !slab.remove(1));
        assert_eq!(slab.len(), 1);
    }

    #[test]
    fn two_items_of_different_chunks() {
        let mut slab = Slab::<Thing>::heap(600);
        for _ in 0..600 {
            slab.insert();
        }
        for (a, b) in [(599, 1), (63, 64), (300, 301)] {
            let (x, y) = slab.get2_mut(a, b).unwrap();
            (x.value, y.value) = (a.into(), b.into());
            assert_eq!(slab.get(a).unwrap().value, a.into());
            assert_eq!(slab.get(b).unwrap().value, b.into());
        }
        // Ten chunks of 64.
        assert!(slab.get2_mut(0, 640).is_none());
    }
}

/// Runs operations on a slab and on a map; an operation is (what, which).
fn against_a_map(mut slab: Slab<Thing>, operations: &[(u8, u16)]) -> Result<(), TestCaseError> {
    let limit = slab.capacity() as usize;
    let mut model: BTreeMap<u32, u64> = BTreeMap::new();
    let mut freed: Vec<u32> = Vec::new();
    for (time, &(what, which)) in operations.iter().enumerate() {
        if what < 6 {
            let index = slab.insert();
            prop_assert_eq!(index.is_none(), model.len() == limit);
            let Some(index) = index else { continue };
            if let Some(last) = freed.pop() {
                prop_assert_eq!(index, last);
            }
            let item = slab.get_mut(index).unwrap();
            prop_assert_eq!((item.value, item.link), (0, 0));
            item.value = time as u64;
            // The field is the item's own while it is in use.
            item.link = u32::from(which);
            prop_assert!(model.insert(index, time as u64).is_none());
        } else {
            let index = u32::from(which) % (limit as u32 + 3);
            let known = model.remove(&index).is_some();
            prop_assert_eq!(slab.contains(index), known);
            prop_assert_eq!(slab.remove(index), known);
            if known {
                freed.push(index);
            }
        }
        prop_assert_eq!(slab.len() as usize, model.len());
    }
    for (index, value) in &model {
        prop_assert_eq!(slab.get(*index).map(|item| item.value), Some(*value));
    }
    Ok(())
}

proptest! {
    #[test]
    fn lent_memory_behaves_like_a_map(
        operations in prop::collection::vec((0u8..10, any::<u16>()), 0..300),
    ) {
        against_a_map(lent(37), &operations)?;
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn heap_memory_behaves_like_a_map(
        operations in prop::collection::vec((0u8..10, any::<u16>()), 0..2000),
    ) {
        against_a_map(Slab::heap(700), &operations)?;
    }
}

#[cfg(all(feature = "alloc", feature = "flows"))]
#[test]
fn memory_is_counted_by_chunks_and_stays() {
    let size = size_of::<Thing>();
    let mut slab = Slab::<Thing>::heap(1_000);
    assert_eq!((slab.bytes(), slab.growth(0)), (0, 0));
    assert_eq!((slab.growth(1), slab.growth(65)), (64 * size, 128 * size));
    let indices: Vec<_> = (0..65).map(|_| slab.insert().unwrap()).collect();
    assert_eq!(slab.bytes(), 128 * size);
    assert_eq!((slab.growth(63), slab.growth(64)), (0, 64 * size));
    for index in indices {
        slab.remove(index);
    }
    assert_eq!((slab.bytes(), slab.growth(128)), (128 * size, 0));
    let mut slab = lent(10);
    slab.insert().unwrap();
    assert_eq!((slab.bytes(), slab.growth(2)), (size, 2 * size));
}
