//! Two ends of the real connection over a channel that loses, duplicates and reorders, explored
//! state by state: what the channel, the clocks and the programs do next is every time every
//! choice there is.
//!
//! Of every state that can be reached it is checked that nothing panics; that no end reads a wrong
//! octet, or end of file before the last one; that nothing is sent beyond the window and no window
//! moves left; that a connection ends only when both streams have arrived whole; that a passed
//! deadline leads to something, and a refused plan to nothing; and, going backwards over the graph
//! of all steps, that a clean close is still possible: there is no deadlock that a timer does not
//! end.
//!
//! Windows are of two octets, segments of one or two, sequence numbers wrap. Each end has a clock
//! of its own that only its timers move, so that any timer may expire before any other; how often
//! a retransmission timer may do so while segments are on their way in order is limited, as losses,
//! duplicates and delays are, because nothing else would make the number of states finite.
//!
//! The searches in `cargo test` are small and whole: some 2.5 million states. The large ones take
//! minutes each: `cargo test --release -p netloom-tcp --lib explore -- --ignored --nocapture
//! --test-threads=1`.
//!
//! That it finds faults is tried by `.ci/break-lines .ci/breakings/explorer`, which breaks FIN
//! handling, the ACK check and the window update in several ways, one after the other, and wants
//! these tests to fail.

mod canonical;
mod exchange;
mod search;
mod step;
mod world;

use search::explore;
use std::println;
use world::{Budget, Rules};

/// Two losses, one duplicate, one reordering, one early timer.
const BAD: Budget = Budget {
    losses: 2,
    duplicates: 1,
    delays: 1,
    early_timers: 1,
};

/// Segments of one octet, so that two fill the window; three octets there, one back.
const PLAIN: Rules = Rules {
    name: "plain",
    sack: false,
    mss: 1,
    window: 2,
    data: [3, 1],
    simultaneous: false,
    batches: false,
    budget: BAD,
};

const SACK: Rules = Rules {
    name: "sack",
    sack: true,
    ..PLAIN
};

/// Both open at once.
const SIMULTANEOUS: Rules = Rules {
    name: "simultaneous",
    simultaneous: true,
    data: [1, 1],
    ..PLAIN
};

/// Several segments may be received before anything is sent.
const BATCHES: Rules = Rules {
    name: "batches",
    batches: true,
    data: [2, 1],
    ..PLAIN
};

/// A segment of two octets fills the window: silly windows, partial acknowledgments.
const LARGE_SEGMENTS: Rules = Rules {
    name: "large segments",
    mss: 2,
    data: [4, 1],
    ..PLAIN
};

/// Whether every state was seen.
fn run(rules: Rules, limit: usize) -> bool {
    match explore(rules, limit) {
        Ok((told, whole)) => {
            println!("{told}");
            whole
        }
        Err(fault) => panic!("{fault}"),
    }
}

const GOOD: Budget = Budget {
    losses: 0,
    duplicates: 0,
    delays: 0,
    early_timers: 0,
};

/// Every state of exchanges whose windows close and open, over a good channel.
#[test]
fn over_a_good_channel() {
    for rules in [PLAIN, SACK, LARGE_SEGMENTS] {
        let budget = GOOD;
        let data = [3, 0];
        assert!(run(
            Rules {
                budget,
                data,
                ..rules
            },
            usize::MAX
        ));
    }
}

/// Every state of a short exchange over a channel that does one bad thing.
fn one_bad_thing(rules: &Rules) {
    let budgets = [
        Budget { losses: 1, ..GOOD },
        Budget {
            duplicates: 1,
            ..GOOD
        },
        Budget { delays: 1, ..GOOD },
        Budget {
            early_timers: 1,
            ..GOOD
        },
    ];
    for budget in budgets {
        let data = [1, 1];
        assert!(run(
            Rules {
                budget,
                data,
                ..rules.clone()
            },
            usize::MAX
        ));
    }
}

#[test]
fn plain() {
    one_bad_thing(&PLAIN);
}

#[test]
fn sack() {
    one_bad_thing(&SACK);
}

/// A window that closes, and whose opening is lost.
#[test]
fn closed_window() {
    let budget = Budget { losses: 1, ..GOOD };
    let data = [3, 0];
    assert!(run(
        Rules {
            budget,
            data,
            ..PLAIN
        },
        usize::MAX
    ));
}

#[test]
fn simultaneous() {
    one_bad_thing(&SIMULTANEOUS);
}

#[test]
fn large_segments() {
    one_bad_thing(&LARGE_SEGMENTS);
}

#[test]
#[ignore = "takes five minutes and 5 GB: run it alone, in release mode"]
fn all_batches() {
    one_bad_thing(&BATCHES);
}

#[test]
#[ignore = "takes minutes and 10 GB: run it alone, in release mode"]
fn all_simultaneous() {
    run(SIMULTANEOUS, 12_000_000);
}

#[test]
#[ignore = "takes minutes and 10 GB: run it alone, in release mode"]
fn all_plain() {
    run(PLAIN, 12_000_000);
}

#[test]
#[ignore = "takes minutes and 10 GB: run it alone, in release mode"]
fn all_sack() {
    run(SACK, 12_000_000);
}

#[test]
#[ignore = "takes minutes and 10 GB: run it alone, in release mode"]
fn all_large_segments() {
    run(LARGE_SEGMENTS, 12_000_000);
}
