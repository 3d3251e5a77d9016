//! Many seeds, each a scenario of its own: memory, IP version, medium, sizes and impairments are
//! drawn from it. `NETLOOM_SEEDS=10000` runs more than the usual 200, `NETLOOM_FIRST_SEED=1234
//! NETLOOM_SEEDS=1` runs one.

mod common;

use std::sync::atomic::{AtomicU64, Ordering};

use common::Scenario;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| {
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name} is not a number"))
    })
}

#[test]
fn every_seed_delivers_everything_and_closes_in_order() {
    let first = number("NETLOOM_FIRST_SEED", 0);
    let end = first + number("NETLOOM_SEEDS", 200);
    let next = AtomicU64::new(first);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let failed: Vec<u64> = std::thread::scope(|scope| {
        let run = || {
            let mut failed = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= end {
                    return failed;
                }
                let checked = std::panic::catch_unwind(|| drop(Scenario::from_seed(seed).check()));
                if checked.is_err() {
                    eprintln!(
                        "seed {seed} failed; again: NETLOOM_FIRST_SEED={seed} NETLOOM_SEEDS=1 \
                         cargo test -p netloom-sim --test seeds"
                    );
                    failed.push(seed);
                }
            }
        };
        let handles: Vec<_> = (0..workers).map(|_| scope.spawn(run)).collect();
        handles
            .into_iter()
            .flat_map(|handle| handle.join().expect("a worker catches panics"))
            .collect()
    });
    assert!(
        failed.is_empty(),
        "{} seeds failed: {failed:?}",
        failed.len()
    );
}
