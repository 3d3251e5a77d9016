use super::{LONGEST, MIN_WINDOW, RttEstimator, backed_off};
use crate::Tunables;

#[test]
fn first_and_later_samples_follow_rfc_6298() {
    //= https://www.rfc-editor.org/rfc/rfc6298#section-2
    //= type=test
    //# (2.2) When the first RTT measurement R is made, the host MUST set
    //= https://www.rfc-editor.org/rfc/rfc6298#section-2
    //= type=test
    //# (2.3) When a subsequent RTT measurement R' is made, a host MUST set
    //= https://www.rfc-editor.org/rfc/rfc6298#section-2
    //= type=test
    //# That
    //# is, updating RTTVAR and SRTT MUST be computed in the above
    //# order.
    //= https://www.rfc-editor.org/rfc/rfc6298#section-2
    //= type=test
    //# The above SHOULD be computed using alpha=1/8 and beta=1/4 (as
    //# suggested in [JK88]).
    //= https://www.rfc-editor.org/rfc/rfc6298#section-2
    //= type=test
    //# After the computation, a host MUST update
    //# RTO <- SRTT + max (G, K*RTTVAR)
    let tunables = Tunables {
        rto_min: 0,
        ..Tunables::default()
    };
    let mut rtt = RttEstimator::EMPTY;
    assert_eq!(rtt.rto(&tunables, false), 1_000);
    assert_eq!(rtt.rto(&tunables, true), 3_000);
    rtt.sample(100_000, 0);
    assert_eq!((rtt.srtt(), rtt.rttvar()), (100_000, 50_000));
    assert_eq!(rtt.rto(&tunables, false), 300);
    rtt.sample(180_000, 0);
    assert_eq!((rtt.srtt(), rtt.rttvar()), (110_000, 57_500));
    assert_eq!(rtt.rto(&tunables, false), 340);
    assert_eq!(rtt.min(), 100_000);
}

#[test]
fn a_steady_path_keeps_the_least_variance() {
    //= https://www.rfc-editor.org/rfc/rfc6298#section-4
    //= type=test
    //# However, if the K*RTTVAR term in the RTO calculation equals zero, the
    //# variance term MUST be rounded to G seconds (i.e., use the equation
    //# given in step 2.3).
    let tunables = Tunables::default();
    let mut rtt = RttEstimator::EMPTY;
    for _ in 0..100 {
        rtt.sample(10_000, 0);
    }
    assert_eq!(rtt.srtt(), 10_000);
    assert_eq!(rtt.rto(&tunables, false), 210);
}

#[test]
fn extremes_stay_within_bounds() {
    let tunables = Tunables::default();
    let mut rtt = RttEstimator::EMPTY;
    for sample in [0, u32::MAX, 0, u32::MAX, 1] {
        rtt.sample(sample, 0);
        assert!(rtt.rto(&tunables, false) <= tunables.rto_max);
    }
    assert_eq!(backed_off(1_000, 0, 120_000), 1_000);
    assert_eq!(backed_off(1_000, 3, 120_000), 8_000);
    assert_eq!(backed_off(u32::MAX, 255, 120_000), 120_000);
}

#[test]
fn the_least_round_trip_is_that_of_the_last_five_minutes() {
    //= https://www.rfc-editor.org/rfc/rfc8985#section-6.2
    //= type=test
    //# The sender SHOULD track a windowed min-filtered estimate of recent
    //# RTT measurements that can adapt when migrating to significantly
    //# longer paths rather than tracking a simple global minimum of all RTT
    //# measurements.
    let mut rtt = RttEstimator::EMPTY;
    let spells = |n: u32| n << 16;
    // Within the last spell before the clock wraps.
    let start = u32::MAX - 1_000;
    rtt.sample(10_000, start);
    rtt.sample(80_000, start.wrapping_add(spells(MIN_WINDOW)));
    assert_eq!(rtt.min(), 10_000);
    rtt.sample(80_000, start.wrapping_add(spells(MIN_WINDOW + 1)));
    assert_eq!(rtt.min(), 80_000);
    // As good again is as good as new.
    rtt.sample(80_000, start.wrapping_add(spells(2 * MIN_WINDOW)));
    rtt.sample(90_000, start.wrapping_add(spells(3 * MIN_WINDOW)));
    assert_eq!(rtt.min(), 80_000);
    // The longest is not taken for another time.
    let mut rtt = RttEstimator::EMPTY;
    rtt.sample(u32::MAX, 0);
    assert_eq!(rtt.min(), LONGEST - 1);
}
