use super::*;
use proptest::prelude::*;
use std::vec;

const MIB: usize = 1 << 20;

#[test]
fn blocks_are_powers_of_two_from_256_bytes_on() {
    assert_eq!(Pool::<u8>::MIN_LEN, 256);
    assert_eq!(Pool::<u32>::MIN_LEN, 64);
    assert_eq!(Pool::<[u8; 20]>::MIN_LEN, 8);
    assert_eq!(Pool::<[u64; 32]>::MIN_LEN, 1);
    for (asked, given) in [(0, 256), (1, 256), (256, 256), (257, 512), (4096, 4096)] {
        assert_eq!(Pool::<u8>::block_len(asked), Some(given));
    }
    assert_eq!(Pool::<u8>::block_len(usize::MAX), None);
    assert_eq!(Pool::<u64>::block_len(usize::MAX / 8), None);
}

#[test]
fn a_new_block_is_zero_and_a_recycled_one_is_as_it_was() {
    let mut pool = Pool::<u8>::new(MIB);
    let mut block = pool.take(1000).unwrap();
    assert!(block.len() == 1024 && block.iter().all(|byte| *byte == 0));
    block.fill(0xAA);
    let place = block.as_ptr();
    pool.give(block);
    // Clearing it again would cost as much as the copy it is for; its owner must not rely on it.
    let block = pool.take(600).unwrap();
    assert_eq!(block.as_ptr(), place);
    assert!(block.iter().all(|byte| *byte == 0xAA));
}

#[test]
fn the_budget_is_exact() {
    let mut pool = Pool::<u8>::new(4096 + 256);
    let large = pool.take(4096).unwrap();
    let small = pool.take(1).unwrap();
    assert_eq!(pool.in_use(), pool.budget());
    assert!(pool.take(1).is_none());
    pool.give(small);
    assert_eq!((pool.in_use(), pool.idle()), (4096, 256));
    // Idle memory makes room for a block of another size, but only if that is enough.
    assert!(pool.take(512).is_none());
    pool.give(large);
    let half = pool.take(2048).unwrap();
    assert_eq!(pool.in_use(), 2048);
    assert!(pool.in_use() + pool.idle() <= pool.budget());
    pool.give(half);
}

#[test]
fn after_a_burst_memory_goes_back() {
    let mut pool = Pool::<u8>::new(64 * MIB);
    let burst: Vec<_> = (0..1024).map(|_| pool.take(65536).unwrap()).collect();
    assert!(pool.in_use() == 64 * MIB && pool.take(1).is_none());
    burst.into_iter().for_each(|block| pool.give(block));
    assert_eq!((pool.in_use(), pool.idle()), (0, 8 * MIB));
    pool.trim();
    assert_eq!(pool.idle(), 0);
}

#[test]
fn what_is_in_demand_displaces_what_is_not() {
    let mut pool = Pool::<u8>::new(2 * MIB);
    let large: Vec<_> = (0..16).map(|_| pool.take(65536).unwrap()).collect();
    large.into_iter().for_each(|block| pool.give(block));
    assert_eq!(pool.idle(), MIB);
    let small = pool.take(4096).unwrap();
    let place = small.as_ptr();
    pool.give(small);
    assert!(pool.idle() <= MIB);
    let again = pool.take(4096).unwrap();
    assert_eq!(again.as_ptr(), place);
}

#[test]
fn a_foreign_block_is_not_counted() {
    let mut pool = Pool::<u8>::new(MIB);
    let ours = pool.take(256).unwrap();
    pool.give(vec![0; 300].into_boxed_slice());
    pool.give(vec![0; 128].into_boxed_slice());
    pool.give(vec![].into_boxed_slice());
    assert_eq!((pool.in_use(), pool.idle()), (256, 0));
    pool.give(ours);
}

proptest! {
    /// What is counted is what is held, and every block is its owner's alone.
    #[test]
    fn counts_are_true(operations in prop::collection::vec((any::<bool>(), 0usize..20_000), 0..400)) {
        let mut pool = Pool::<u8>::new(256 << 10);
        let mut held: Vec<(u8, Box<[u8]>)> = vec![];
        for (serial, (take, size)) in operations.into_iter().enumerate() {
            if take {
                let in_use = pool.in_use();
                match pool.take(size) {
                    Some(mut block) => {
                        prop_assert!(block.len() >= size && block.len() <= (2 * size).max(256));
                        block.fill(serial as u8);
                        held.push((serial as u8, block));
                    }
                    None => {
                        let len = Pool::<u8>::block_len(size).unwrap();
                        prop_assert!(in_use + len > pool.budget());
                    }
                }
            } else if !held.is_empty() {
                let (mark, mut block) = held.swap_remove(size % held.len());
                prop_assert!(block.iter().all(|byte| *byte == mark));
                block.fill(0xAA);
                pool.give(block);
            }
            let bytes: usize = held.iter().map(|(_, block)| block.len()).sum();
            let idle: usize = pool.classes.iter().flatten().map(|block| block.len()).sum();
            prop_assert_eq!((pool.in_use(), pool.idle()), (bytes, idle));
            prop_assert!(bytes + idle <= pool.budget() && idle <= pool.idle_limit());
        }
    }
}
