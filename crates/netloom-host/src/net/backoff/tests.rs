use super::*;

const MS: fn(u64) -> Duration = Duration::from_millis;

#[test]
fn waits_double_up_to_the_longest() {
    let backoff = Backoff {
        first: MS(100),
        most: MS(500),
        attempts: 6,
    };
    let waits: Vec<_> = backoff.delays(|| 0).collect();
    assert_eq!(waits, [100, 200, 400, 500, 500].map(MS));
}

#[test]
fn at_most_half_of_a_wait_is_left_out() {
    let backoff = Backoff {
        first: MS(1000),
        most: MS(1000),
        attempts: 3,
    };
    let mut random = [u32::MAX, u32::MAX / 2].into_iter();
    let waits: Vec<_> = backoff.delays(|| random.next().unwrap()).collect();
    let near = |wait: Duration, millis: u64| wait.abs_diff(MS(millis)) < Duration::from_micros(1);
    assert!(near(waits[0], 500) && waits[0] >= MS(500), "{waits:?}");
    assert!(near(waits[1], 750), "{waits:?}");
}

#[test]
fn attempts_are_counted_from_the_first() {
    let count = |attempts| {
        let backoff = Backoff {
            attempts,
            ..Backoff::default()
        };
        backoff.delays(|| 0).take(1000).count()
    };
    assert_eq!([0, 1, 2, 10].map(count), [0, 0, 1, 9]);
    assert_eq!(count(u32::MAX), 1000);
    assert_eq!(Backoff::ONCE.delays(|| 0).count(), 0);
}

#[test]
fn the_longest_times_do_not_overflow() {
    let backoff = Backoff {
        first: Duration::MAX,
        most: Duration::MAX,
        attempts: 3,
    };
    assert_eq!(backoff.delays(|| 0).last(), Some(Duration::MAX));
}
