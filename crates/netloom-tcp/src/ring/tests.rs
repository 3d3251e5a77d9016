use super::Ring;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::vec;
use std::vec::Vec;

proptest! {
    /// Against a queue: any capacity, any mixture of writes, reads and moves.
    #[test]
    fn behaves_like_a_queue(capacity in 0usize..40, ops in prop::collection::vec((0u8..4, 0usize..40), 0..200)) {
        let mut memory = vec![0xaau8; capacity];
        let mut ring = Ring::EMPTY;
        let mut model: VecDeque<u8> = VecDeque::new();
        let mut next = 0u8;
        for (op, n) in ops {
            match op {
                0 | 1 => {
                    let data: Vec<u8> = (0..n).map(|_| { next = next.wrapping_add(1); next }).collect();
                    let fits = n.min(ring.room(memory.len()));
                    let placed = ring.place(&mut memory, ring.len as usize, &data[..fits]);
                    prop_assert_eq!(placed, fits);
                    ring.len += placed as u32;
                    model.extend(&data[..fits]);
                }
                2 => {
                    let mut out = vec![0; n];
                    let got = ring.copy_out(&memory, 0, &mut out);
                    ring.consume(memory.len(), got as u32);
                    if n % 2 == 0 {
                        ring.rewind();
                    }
                    let want: Vec<u8> = model.drain(..n.min(model.len())).collect();
                    prop_assert_eq!(&out[..got], &want[..]);
                }
                _ => {
                    let mut larger = vec![0x55; memory.len() + n];
                    ring.relocate(&memory, &mut larger, ring.len as usize);
                    memory = larger;
                }
            }
            prop_assert_eq!(ring.len as usize, model.len());
            let (a, b) = ring.slices(&memory, 0, ring.len as usize);
            let all: Vec<u8> = a.iter().chain(b).copied().collect();
            prop_assert_eq!(all, model.iter().copied().collect::<Vec<_>>());
        }
    }
}

#[test]
fn nothing_fits_into_nothing() {
    let ring = Ring::EMPTY;
    assert_eq!(ring.place(&mut [], 0, &[1, 2]), 0);
    assert_eq!(ring.slices(&[], 5, 5), (&[][..], &[][..]));
}
