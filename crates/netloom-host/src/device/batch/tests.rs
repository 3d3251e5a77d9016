use super::{BATCH, Batch, LOOK_AGAIN, MOST_BYTES};

/// One call of `receive` that finds frames of these lengths; returns how many it takes, and
/// whether it asked in vain for another.
fn call(batch: &mut Batch, frames: &[usize]) -> (usize, bool) {
    batch.begin();
    let mut waiting = frames.iter();
    let mut taken = 0;
    let mut in_vain = false;
    while batch.wants_more() {
        let Some(&len) = waiting.next() else {
            in_vain = true;
            break;
        };
        batch.took(len);
        taken += 1;
    }
    batch.end();
    (taken, in_vain)
}

#[test]
fn a_flood_is_taken_in_bounded_pieces() {
    let mut batch = Batch::default();
    assert_eq!(call(&mut batch, &[60; 1000]), (BATCH, false));
    let large = 65_000;
    let (taken, _) = call(&mut batch, &[large; 1000]);
    assert_eq!(taken, MOST_BYTES.div_ceil(large));
}

#[test]
fn a_conversation_costs_few_reads_in_vain() {
    let mut batch = Batch::default();
    let in_vain = (0..80).filter(|_| call(&mut batch, &[60]).1).count();
    assert_eq!(in_vain, 80 / usize::from(LOOK_AGAIN));
}

#[test]
fn what_comes_in_numbers_is_found_out_soon() {
    let mut batch = Batch::default();
    call(&mut batch, &[60]);
    let mut calls = 0;
    while call(&mut batch, &[60; 10]).0 == 1 {
        calls += 1;
    }
    assert!(calls < LOOK_AGAIN);
    // And is not forgotten.
    assert_eq!(call(&mut batch, &[60; 10]).0, 10);
}

#[test]
fn an_idle_call_changes_nothing() {
    let mut batch = Batch::default();
    call(&mut batch, &[60]);
    assert_eq!(call(&mut batch, &[]), (0, true));
    assert_eq!(call(&mut batch, &[60]), (1, false));
}
