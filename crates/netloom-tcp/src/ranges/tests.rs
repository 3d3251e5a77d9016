use super::{Insert, Range, insert, report, take_out};
use crate::SeqNum;
use netloom_wire::TcpOptionWords;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::vec;
use std::vec::Vec;

proptest! {
    /// Against a set of octets: apart, never more than there is room for.
    #[test]
    fn holds_the_union(
        base in any::<u32>(),
        capacity in 0usize..6,
        pieces in prop::collection::vec((1u32..60, 1u32..10), 0..40),
    ) {
        let at = |n: u32| SeqNum(base).plus(n);
        let mut ranges = vec![Range::EMPTY; capacity];
        let mut count = 0;
        let mut model = BTreeSet::new();
        for (left, len) in pieces {
            let octets: Vec<u32> = (left..left + len).collect();
            let known = octets.iter().all(|n| model.contains(n));
            match insert(&mut ranges, &mut count, at(left), at(left + len)) {
                Insert::Full => prop_assert!(!known && usize::from(count) == capacity),
                Insert::Known => prop_assert!(known),
                Insert::Done => {
                    prop_assert!(!known);
                    model.extend(octets);
                }
            }
            let mut list = ranges[..usize::from(count)].to_vec();
            list.sort_by_key(|range| range.left.since(at(0)));
            for pair in list.windows(2) {
                prop_assert!(pair[0].right.lt(pair[1].left));
            }
            let total: u32 = list.iter().map(|r| r.right.since(r.left)).sum();
            prop_assert_eq!(total as usize, model.len());
        }
        // Everything reachable from the left end goes.
        let start = Range { left: at(1), right: at(1) };
        let reached = take_out(&mut ranges, &mut count, &start);
        let mut n = 1;
        while model.contains(&n) {
            n += 1;
        }
        prop_assert_eq!(reached, at(n));
    }
}

#[test]
fn reports_the_latest_first_and_no_more_than_asked() {
    let mut ranges = [Range::EMPTY; 8];
    let mut count = 0;
    for left in [10, 50, 30, 70] {
        insert(&mut ranges, &mut count, SeqNum(left), SeqNum(left + 5));
    }
    insert(&mut ranges, &mut count, SeqNum(52), SeqNum(53));
    let mut blocks = TcpOptionWords::new();
    report(&ranges, &mut blocks, 3);
    assert_eq!(blocks.as_slice(), [50, 55, 70, 75, 30, 35]);
}
