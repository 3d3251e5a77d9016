use super::*;
use std::boxed::Box;
use std::format;
use std::vec;

#[test]
fn every_kind_is_a_slice() {
    let mut none: Mem<u8> = Mem::default();
    assert!(none.is_none() && none.is_empty() && none.first_mut().is_none());

    let mut lent = Mem::from(Box::leak(vec![1u8, 2, 3].into_boxed_slice()));
    lent[1] = 9;
    assert_eq!(&*lent, &[1, 9, 3]);
    assert_eq!(format!("{lent:?}"), "Lent(3)");
    // A slice of no length is still somebody's memory.
    assert!(!Mem::<u8>::Lent(&mut []).is_none());
}

#[test]
fn take_leaves_nothing_behind() {
    let mut lent = Mem::from(Box::leak(vec![7u32; 4].into_boxed_slice()));
    let taken = lent.take();
    assert!(lent.is_none());
    assert_eq!(&*taken, &[7; 4]);
}

#[cfg(feature = "alloc")]
#[test]
fn heap_memory_is_owned() {
    let mut heap = Mem::from(vec![1u8, 2].into_boxed_slice());
    heap[0] = 5;
    assert_eq!(&*heap, &[5, 2]);
    assert_eq!(format!("{heap:?}"), "Heap(2)");
}
