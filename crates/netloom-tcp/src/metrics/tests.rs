use super::*;
use crate::Tunables;
use netloom_driver::Instant;

fn established(srtt: u32) -> Connection {
    let mut conn = Connection::EMPTY;
    conn.mss = 1000;
    if srtt > 0 {
        conn.rtt.sample(srtt, 1);
    }
    conn
}

#[test]
fn a_round_trip_of_the_handshake_is_the_next_measurement() {
    let tunables = Tunables::DEFAULT;
    let env = Env::at(Instant::from_micros(1_000_000), &tunables);
    let known = PathMetrics {
        srtt: 80_000,
        rttvar: 4_000,
        ..PathMetrics::default()
    };
    let mut conn = established(160_000);
    conn.adopt_metrics(&env, &known);
    // RFC 6298 (2.3): 7/8 of 80 and 1/8 of 160; 3/4 of 4 and 1/4 of 80.
    assert_eq!(conn.rtt.srtt(), 90_000);
    assert_eq!(conn.rtt.rttvar(), 23_000);
    // Without a round trip of its own what is known is all there is.
    let mut conn = established(0);
    conn.adopt_metrics(&env, &known);
    assert_eq!((conn.rtt.srtt(), conn.rtt.rttvar()), (80_000, 4_000));
    // The least round trip is that of this connection.
    assert_eq!(conn.rtt.min(), 0);
}

#[test]
fn a_threshold_is_two_segments_at_least() {
    let tunables = Tunables::DEFAULT;
    let env = Env::at(Instant::from_micros(1_000_000), &tunables);
    for (known, begins_with) in [(50_000, 50_000), (1, 2_000), (0, u32::MAX)] {
        let mut conn = established(1_000);
        conn.congestion =
            crate::congestion::Congestion::new(crate::CongestionControl::DEFAULT, 10_000);
        let metrics = PathMetrics {
            srtt: 1_000,
            ssthresh: known,
            reordering: known > 1,
            ..PathMetrics::default()
        };
        conn.adopt_metrics(&env, &metrics);
        assert_eq!(conn.congestion.ssthresh(), begins_with);
        assert_eq!(conn.congestion.cwnd(), 10_000);
        assert_eq!(conn.marks.has(Marks::REORDERING_SEEN), known > 1);
    }
}

#[test]
fn nothing_is_learnt_before_a_round_trip() {
    let tunables = Tunables::DEFAULT;
    let env = Env::at(Instant::from_micros(1_000_000), &tunables);
    assert_eq!(established(0).path_metrics(&env), None);
    let conn = established(10_000);
    let metrics = conn.path_metrics(&env).unwrap();
    assert_eq!((metrics.srtt, metrics.rttvar), (10_000, 5_000));
    assert!(!metrics.ecn_failed);
}

#[test]
fn a_repeated_syn_without_ecn_says_that_ecn_fails() {
    let mut tunables = Tunables::DEFAULT;
    tunables.ecn = 1;
    let env = Env::at(Instant::from_micros(1_000_000), &tunables);
    let mut conn = established(10_000);
    conn.flags.set(Flags::ACTIVE.with(Flags::SYN_REPEATED));
    assert!(conn.path_metrics(&env).unwrap().ecn_failed);
    conn.marks.set(Marks::ECN);
    assert!(!conn.path_metrics(&env).unwrap().ecn_failed);
}
