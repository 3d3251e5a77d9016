use super::*;
use std::boxed::Box;
use std::vec::Vec;

#[derive(Debug, PartialEq)]
struct Thing {
    value: u32,
    /// Survives removal, as a generation does.
    lives: u32,
}

impl Item for Thing {
    const EMPTY: Thing = Thing { value: 0, lives: 0 };

    fn is_free(&self) -> bool {
        self.value == 0
    }

    fn reset(&mut self) {
        *self = Thing {
            lives: self.lives + 1,
            ..Thing::EMPTY
        };
    }
}

fn lent(len: usize) -> Slab<Thing> {
    let things = (0..len).map(|_| Thing::EMPTY);
    Slab::lent(Box::leak(things.collect::<Vec<_>>().into_boxed_slice()))
}

fn take(slab: &mut Slab<Thing>, value: u32) -> u32 {
    let index = slab.insert().unwrap();
    slab.get_mut(index).unwrap().value = value;
    index
}

#[test]
fn an_empty_slab_has_no_room() {
    let mut slab = Slab::<Thing>::empty();
    assert!(slab.is_full() && slab.is_empty());
    assert_eq!(slab.insert(), None);
    assert!(slab.get(0).is_none() && !slab.remove(0));
}

#[test]
fn the_lowest_free_item_is_the_next() {
    let mut slab = lent(3);
    for index in 0..3 {
        assert_eq!(take(&mut slab, 7 + index), index);
    }
    assert!(slab.is_full());
    assert_eq!(slab.insert(), None);
    assert!(slab.remove(2) && slab.remove(0));
    assert_eq!((slab.len(), slab.capacity()), (1, 3));
    assert_eq!(take(&mut slab, 5), 0);
    assert_eq!(take(&mut slab, 6), 2);
    assert_eq!(slab.get(1).unwrap().value, 8);
}

#[test]
fn a_free_item_is_not_freed_again() {
    let mut slab = lent(2);
    assert!(!slab.remove(0) && !slab.remove(2));
    let index = take(&mut slab, 1);
    assert!(slab.remove(index));
    assert!(!slab.remove(index));
    assert!(slab.is_empty());
    // What is to survive does.
    let kept = Thing { value: 0, lives: 1 };
    assert_eq!(slab.get(index), Some(&kept));
}
