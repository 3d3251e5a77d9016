use std::vec::Vec;

use super::*;
use crate::rand::Seed;

const T: ErrorLimitTunables = ErrorLimitTunables::DEFAULT;

fn burst(limit: &mut ErrorLimit, now: Instant, rng: &mut Rng) -> usize {
    (0..10_000)
        .take_while(|_| limit.allow(now, &T, rng))
        .count()
}

//= https://www.rfc-editor.org/rfc/rfc4443#section-2.4
//= type=test
//# Finally, in order to limit the bandwidth and forwarding costs
//# incurred by originating ICMPv6 error messages, an IPv6 node MUST
//# limit the rate of ICMPv6 error messages it originates.
#[test]
fn a_flood_gets_the_rate_and_no_more() {
    let mut rng = Rng::new(&Seed::for_tests(1));
    let mut limit = ErrorLimit::EMPTY;
    let start = Instant::from_secs(5);
    // 100 s of 20 000 packets a second that each deserve an error.
    let sent = (0..2_000_000_u64)
        .filter(|n| limit.allow(start.plus_micros(n * 50), &T, &mut rng))
        .count();
    assert!((99_000..101_500).contains(&sent), "{sent}");
}

#[test]
fn a_burst_is_bounded_and_its_size_cannot_be_told() {
    let mut rng = Rng::new(&Seed::for_tests(2));
    let mut limit = ErrorLimit::EMPTY;
    let sizes: Vec<usize> = (1..400)
        .map(|n| burst(&mut limit, Instant::from_secs(n), &mut rng))
        .collect();
    let mean = sizes.iter().sum::<usize>() as f64 / sizes.len() as f64;
    assert!((33.0..43.0).contains(&mean), "{mean}");
    let variance = sizes
        .iter()
        .map(|size| (*size as f64 - mean).powi(2))
        .sum::<f64>()
        / sizes.len() as f64;
    // One answer more or less is a seventh of this.
    assert!(
        variance.sqrt() > 7.0,
        "standard deviation {}",
        variance.sqrt()
    );
    assert!(
        sizes.iter().all(|size| (5..100).contains(size)),
        "{sizes:?}"
    );
}

/// Slow traceroutes and the like never notice the limit.
#[test]
fn an_honest_rate_is_never_refused() {
    let mut rng = Rng::new(&Seed::for_tests(3));
    let mut limit = ErrorLimit::EMPTY;
    for n in 0..100_000_u64 {
        assert!(limit.allow(Instant::from_millis(n * 3), &T, &mut rng));
    }
}

#[test]
fn rate_and_burst_can_be_set_to_nothing() {
    let mut rng = Rng::new(&Seed::for_tests(4));
    for silent in [
        ErrorLimitTunables { rate: 0, burst: 50 },
        ErrorLimitTunables {
            rate: 1_000,
            burst: 0,
        },
    ] {
        let mut limit = ErrorLimit::EMPTY;
        assert!((0..100).all(|n| !limit.allow(Instant::from_secs(n), &silent, &mut rng)));
    }
}

#[test]
fn extremes_do_not_overflow() {
    let mut rng = Rng::new(&Seed::for_tests(5));
    for tunables in [
        ErrorLimitTunables {
            rate: u32::MAX,
            burst: u32::MAX,
        },
        ErrorLimitTunables {
            rate: 1,
            burst: u32::MAX,
        },
        ErrorLimitTunables {
            rate: u32::MAX,
            burst: 1,
        },
    ] {
        let mut limit = ErrorLimit::EMPTY;
        for now in [Instant::ZERO, Instant::from_secs(1), Instant::FAR_FUTURE] {
            assert!(limit.allow(now, &tunables, &mut rng), "{tunables:?}");
        }
    }
}
