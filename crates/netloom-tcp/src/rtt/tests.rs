use super::{RttEstimator, backed_off};
use crate::Tunables;

#[test]
fn first_and_later_samples_follow_rfc_6298() {
    let tunables = Tunables {
        rto_min: 0,
        ..Tunables::default()
    };
    let mut rtt = RttEstimator::EMPTY;
    assert_eq!(rtt.rto(&tunables, false), 1_000_000);
    assert_eq!(rtt.rto(&tunables, true), 3_000_000);
    rtt.sample(100_000);
    assert_eq!((rtt.srtt(), rtt.rttvar()), (100_000, 50_000));
    assert_eq!(rtt.rto(&tunables, false), 300_000);
    rtt.sample(180_000);
    assert_eq!((rtt.srtt(), rtt.rttvar()), (110_000, 57_500));
    assert_eq!(rtt.rto(&tunables, false), 340_000);
    assert_eq!(rtt.min, 100_000);
}

#[test]
fn a_steady_path_keeps_the_least_variance() {
    let tunables = Tunables::default();
    let mut rtt = RttEstimator::EMPTY;
    for _ in 0..100 {
        rtt.sample(10_000);
    }
    assert_eq!(rtt.srtt(), 10_000);
    assert_eq!(rtt.rto(&tunables, false), 210_000);
}

#[test]
fn extremes_stay_within_bounds() {
    let tunables = Tunables::default();
    let mut rtt = RttEstimator::EMPTY;
    for sample in [0, u64::MAX, 0, u64::MAX, 1] {
        rtt.sample(sample);
        assert!(rtt.rto(&tunables, false) <= tunables.rto_max);
    }
    assert_eq!(backed_off(1_000_000, 0, 120_000_000), 1_000_000);
    assert_eq!(backed_off(1_000_000, 3, 120_000_000), 8_000_000);
    assert_eq!(backed_off(u32::MAX, 255, 120_000_000), 120_000_000);
}
