use super::{CREDIT, HORIZON, LARGEST_QUANTUM, PathState};
use crate::rate::Rate;

/// 100 Mbit/s: 1250 octets take 100 µs.
const RATE: u64 = 12_500_000;

fn path(octets: u64) -> PathState {
    let mut path = PathState::EMPTY;
    path.set_max_pacing_rate(Some(octets));
    path
}

#[test]
fn each_piece_moves_the_departure_time_by_as_long_as_it_takes() {
    let pacer = &mut path(RATE).pacer;
    pacer.departure = 5_000;
    assert_eq!(pacer.wait(5_000), 0);
    pacer.depart(5_000, 1_250, false);
    assert_eq!(pacer.wait(5_000), 100);
    assert_eq!(pacer.wait(5_099), 1);
    assert_eq!(pacer.wait(5_100), 0);
    pacer.depart(5_100, 12_500, false);
    assert_eq!(pacer.wait(5_100), 1_000);
}

#[test]
fn what_comes_late_catches_up() {
    // A timer that is 300 µs late three times: the fourth piece is on time all the same.
    let pacer = &mut path(RATE).pacer;
    pacer.departure = 5_000;
    for late in [5_300, 5_400, 5_500] {
        assert_eq!(pacer.wait(late), 0);
        pacer.depart(late, 1_250, false);
    }
    assert_eq!(pacer.departure, 5_300);
}

#[test]
fn but_no_more_than_a_little() {
    let pacer = &mut path(RATE).pacer;
    pacer.departure = 5_000;
    let now = 5_000 + 10 * CREDIT;
    let mut sent = 0;
    while pacer.wait(now) == 0 {
        pacer.depart(now, 1_250, false);
        sent += 1;
    }
    // A millisecond's worth, and the one that is its own.
    assert_eq!(sent, CREDIT / 100 + 1);
}

#[test]
fn without_a_rate_nothing_waits() {
    let mut path = PathState::EMPTY;
    let pacer = &mut path.pacer;
    pacer.departure = 5_000;
    pacer.depart(5_000, 1 << 20, false);
    assert_eq!(pacer.wait(5_000), 0);
    assert_eq!(pacer.quantum(1_448), LARGEST_QUANTUM);
}

#[test]
fn the_lower_of_two_rates_holds() {
    let mut path = path(RATE);
    path.pacer.set_rate(Rate::per_second(RATE * 2));
    assert_eq!(path.pacing_rate(), Some(RATE));
    path.set_max_pacing_rate(Some(RATE * 4));
    assert_eq!(path.pacing_rate(), Some(RATE * 2));
    path.set_max_pacing_rate(None);
    assert_eq!(path.pacing_rate(), Some(RATE * 2));
    assert_eq!(path.max_pacing_rate(), None);
}

#[test]
fn a_quantum_is_a_millisecond() {
    let quantum = |rate| path(rate).pacer.quantum(1_448);
    assert_eq!(quantum(RATE), 12_500);
    // Two segments at least, 64 KiB at most.
    assert_eq!(quantum(1_000), 2 * 1_448);
    assert_eq!(quantum(1_250_000_000), LARGEST_QUANTUM);
}

#[test]
fn the_clock_wraps() {
    let pacer = &mut path(RATE).pacer;
    pacer.departure = u32::MAX - 49;
    pacer.depart(u32::MAX - 49, 1_250, false);
    assert_eq!(pacer.departure, 50);
    assert_eq!(pacer.wait(u32::MAX), 51);
    assert_eq!(pacer.wait(50), 0);
}

#[test]
fn nothing_waits_beyond_the_horizon() {
    let pacer = &mut path(16).pacer;
    pacer.departure = 5_000;
    for _ in 0..3 {
        pacer.depart(5_000, 1_448, false);
    }
    assert_eq!(pacer.wait(5_000), HORIZON);
}
