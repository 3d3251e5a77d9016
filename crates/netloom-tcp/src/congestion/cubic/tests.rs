//! The window at given times, worked out from the formulas of RFC 9438.

use super::super::{Acked, Congestion, CongestionControl, Controller};
use super::{cube_root, time_to_regain};
use crate::SeqNum;

const MSS: u32 = 1_000;

/// One segment acknowledged at `ms`, the window in full use.
fn ack(ms: u32, flight: u32) -> Acked {
    Acked {
        octets: MSS,
        flight,
        mss: MSS,
        #[cfg(feature = "fast-retransmit")]
        unit: 0,
        after_timeout: false,
        prior_cwnd: u32::MAX,
        now_ms: 1_000 + ms,
        rtt: 0,
        srtt: 100_000,
        una: SeqNum(0),
        nxt: SeqNum(0),
    }
}

fn reduced(from: u32) -> Congestion {
    let mut c = Congestion::new(CongestionControl::Cubic, from);
    c.on_loss(from, MSS);
    c
}

/// Acknowledges a window of segments every 100 ms from `from` to `to`.
fn run(c: &mut Congestion, from: u32, to: u32) {
    for ms in (from..=to).step_by(100) {
        let window = c.cwnd();
        for _ in 0..window / MSS {
            c.on_ack(&ack(ms, c.cwnd()));
        }
    }
}

#[test]
fn cube_roots() {
    for n in [0u64, 1, 7, 8, 26, 27, 999, 1_000, 1 << 60] {
        let root = u64::from(cube_root(n));
        assert!(root.pow(3) <= n && n < (root + 1).pow(3), "{n}: {root}");
    }
    assert_eq!(cube_root(u64::MAX), 2_642_245);
}

#[test]
fn k_is_the_time_to_regain_the_window() {
    //= https://www.rfc-editor.org/rfc/rfc9438#section-5.1
    //= type=test
    //# However, it is NOT RECOMMENDED to set _C_ to a very low value like
    //# 0.04, since CUBIC with a low _C_ cannot efficiently use the bandwidth
    //# in fast and long- distance networks.
    //= https://www.rfc-editor.org/rfc/rfc9438#section-5.1
    //= type=test
    //# Therefore, _C_ SHOULD be set to 0.4.
    // 100 segments, reduced to 70: K = cbrt(30 / 0.4) = 4.2172 s.
    assert_eq!(time_to_regain(30 * MSS, MSS), 4_217);
    assert_eq!(time_to_regain(0, MSS), 0);
    assert_eq!(time_to_regain(u32::MAX, 1), 2_206_141);
}

#[test]
fn loss_reduces_to_seven_tenths_of_what_is_in_flight() {
    //= https://www.rfc-editor.org/rfc/rfc9438#section-4.6
    //= type=test
    //# The parameter β__cubic_ SHOULD be set to 0.7, which is different from
    //# the multiplicative decrease factor used in [RFC5681] (and [RFC6675])
    //# during fast recovery.
    //= https://www.rfc-editor.org/rfc/rfc9438#section-4.6
    //= type=test
    //# In the case of packet loss, the
    //# sender MUST reduce _cwnd_ and _ssthresh_ immediately upon entering
    //# loss recovery, similar to [RFC5681] (and [RFC6675]).
    let c = reduced(100 * MSS);
    assert_eq!((c.cwnd(), c.ssthresh()), (70 * MSS, 70 * MSS));
    let mut c = Congestion::new(CongestionControl::Cubic, 100 * MSS);
    c.on_loss(40 * MSS, MSS);
    assert_eq!((c.cwnd(), c.ssthresh()), (28 * MSS, 28 * MSS));
    let mut c = Congestion::new(CongestionControl::Cubic, 2 * MSS);
    c.on_loss(2 * MSS, MSS);
    assert_eq!((c.cwnd(), c.ssthresh()), (2 * MSS, 2 * MSS));
}

#[test]
fn marks_reduce_down_to_one_segment() {
    //= https://www.rfc-editor.org/rfc/rfc9438#section-4.6
    //= type=test
    //# Note that CUBIC MUST continue to reduce _cwnd_ in response to
    //# congestion events detected by ECN-Echo ACKs until it reaches a value
    //# of 1 SMSS.
    let mut c = Congestion::new(CongestionControl::Cubic, 4 * MSS);
    let mut windows = std::vec::Vec::new();
    for _ in 0..5 {
        c.on_ecn(c.cwnd(), MSS);
        windows.push(c.cwnd());
    }
    assert_eq!(windows, [2_800, 1_960, 1_372, 1_000, 1_000]);
    assert_eq!(c.ssthresh(), 2 * MSS);
}

#[test]
fn the_window_follows_the_curve_in_its_concave_and_its_convex_part() {
    //= https://www.rfc-editor.org/rfc/rfc9438#section-4.4
    //= type=test
    //# In this region, _cwnd_ MUST be incremented
    //# by
    //= https://www.rfc-editor.org/rfc/rfc9438#section-4.5
    //= type=test
    //# In this region, _cwnd_ MUST be
    //# incremented by
    // From 1000 segments to 700: K = cbrt(300 / 0.4) = 9.0856 s; W(t) = 0.4 (t - K)^3 + 1000.
    // W(1) = 788.5, W(4) = 947.4, W(9.1) = 1000, W(12) = 1009.9, W(16) = 1132.2.
    let mut c = reduced(1_000 * MSS);
    let mut at = 0;
    for (until, segments) in [
        (1_000, 788),
        (4_000, 947),
        (9_000, 1000),
        (12_000, 1010),
        (16_000, 1132),
    ] {
        run(&mut c, at, until);
        at = until + 100;
        let window = c.cwnd() / MSS;
        // The target is where the curve is a round trip later.
        assert!(
            window.abs_diff(segments) <= 1 + segments / 100,
            "{window} at {until} ms for {segments}"
        );
    }
}

#[test]
fn fast_convergence_gives_way() {
    //= https://www.rfc-editor.org/rfc/rfc9438#section-4.7
    //= type=test
    //# To speed up this
    //# bandwidth release by existing flows, the following fast convergence
    //# mechanism SHOULD be implemented.
    // Reduced at 1000 to 700, and again at once: 700 < W_max, so that W_max = 700 * 0.85 = 595
    // and cwnd = 490. K = cbrt(105 / 0.4) = 6.403 s; plateau at 595.
    let mut c = reduced(1_000 * MSS);
    c.on_loss(700 * MSS, MSS);
    assert_eq!(c.cwnd(), 490 * MSS);
    run(&mut c, 0, 6_400);
    assert!((c.cwnd() / MSS).abs_diff(595) <= 2, "{}", c.cwnd());
}

#[test]
fn small_windows_grow_as_reno_does() {
    //= https://www.rfc-editor.org/rfc/rfc9438#section-4.3
    //= type=test
    //# If so, CUBIC is in the
    //# Reno-friendly region and _cwnd_ SHOULD be set to _W_est_ at each
    //# reception of a new ACK.
    // Ten segments to seven, round trip 100 ms. The curve: K = cbrt(3 / 0.4) = 1.957 s, and
    // W(1) = 9.65 - too flat at first: W_est = 7 + 9/17 a round. After 0.5 s (five rounds) W_est
    // = 9.65 at most, W(0.5) = 8.76.
    let mut c = reduced(10 * MSS);
    run(&mut c, 0, 400);
    let window = c.cwnd();
    assert!((9_350..=9_650).contains(&window), "{window}");
}

#[test]
fn beyond_the_window_before_the_reduction_by_a_segment_a_round() {
    //= https://www.rfc-editor.org/rfc/rfc9438#section-4.3
    //= type=test
    //# Once _W_est_ has grown to reach the _cwnd_ at the time of most
    //# recently setting _ssthresh_ -- that is, _W_est_ >= _cwnd_prior_ --
    //# the sender SHOULD set α__cubic_ to 1 to ensure that it can achieve
    //# the same congestion window increment rate as Reno, which uses AIMD(1,
    //# 0.5).
    let grown = |prior_cwnd| {
        let mut c = reduced(10 * MSS);
        for _ in 0..7 {
            c.on_ack(&Acked {
                prior_cwnd,
                ..ack(0, 10 * MSS)
            });
        }
        c.cwnd()
    };
    // Seven acknowledgments of a window of seven: a round.
    assert!((7_500..=7_540).contains(&grown(10 * MSS)));
    assert!((7_900..=8_010).contains(&grown(7 * MSS)));
}

#[test]
fn time_without_use_of_the_window_does_not_count() {
    //= https://www.rfc-editor.org/rfc/rfc9438#section-4.2
    //= type=test
    //# The elapsed time _t_ in Figure 1 MUST NOT include periods during
    //# which _cwnd_ has not been updated due to application-limited behavior
    //# (see Section 5.8).
    let mut c = reduced(1_000 * MSS);
    run(&mut c, 0, 1_000);
    let before = c.cwnd();
    // Half a minute with a tenth of the window in use.
    for ms in (1_100..31_000).step_by(100) {
        c.on_ack(&ack(ms, before / 10));
    }
    assert_eq!(c.cwnd(), before);
    // Three more seconds of use: W(4) = 947, and not what W(34) would be.
    run(&mut c, 31_000, 34_000);
    let window = c.cwnd() / MSS;
    assert!(window.abs_diff(947) <= 10, "{window}");
}

#[test]
fn a_timeout_begins_a_stage_without_w_max() {
    //= https://www.rfc-editor.org/rfc/rfc9438#section-4.10
    //= type=test
    //# When _cwnd_ is no more than _ssthresh_, CUBIC MUST employ a slow start
    //# algorithm.
    //= https://www.rfc-editor.org/rfc/rfc9406#section-4.3
    //= type=test
    //# An implementation SHOULD use HyStart++ only for the initial slow start
    //# (when the ssthresh is at its initial value of arbitrarily high per
    //# [RFC5681]) and fall back to using standard slow start for the
    //# remainder of the connection lifetime.
    //= https://www.rfc-editor.org/rfc/rfc9438#section-4.8
    //= type=test
    //# In
    //# addition, for the Reno-friendly region, _W_est_ SHOULD be set to the
    //# congestion window size at the beginning of the current congestion
    //# avoidance stage.
    let mut c = Congestion::new(CongestionControl::Cubic, 1_000 * MSS);
    c.on_rto(1_000 * MSS, MSS, true);
    assert_eq!((c.cwnd(), c.ssthresh()), (MSS, 700 * MSS));
    // Again: ssthresh stays.
    c.on_rto(MSS, MSS, false);
    assert_eq!(c.ssthresh(), 700 * MSS);
    while c.cwnd() < c.ssthresh() {
        c.on_ack(&Acked {
            after_timeout: true,
            ..ack(0, c.cwnd())
        });
    }
    assert_eq!(c.cwnd(), 700 * MSS);
    // K = 0, W_max = 700: W(3) = 0.4 * 27 + 700 = 710.8; by Reno's estimate 700 + 30 * 9/17 = 715.9.
    run(&mut c, 0, 2_900);
    let window = c.cwnd() / MSS;
    assert!((715..=717).contains(&window), "{window}");
}

#[test]
fn a_reduction_by_mistake_is_taken_back() {
    //= https://www.rfc-editor.org/rfc/rfc9438#section-4.9.2
    //= type=test
    //# In rare cases, when the detection happens long after a spurious fast
    //# retransmit event and the current _cwnd_ is already higher than
    //# _cwnd_prior_, CUBIC SHOULD continue to use the current and the most
    //# recent values of these variables.
    let mut c = reduced(100 * MSS);
    c.on_undo(100 * MSS, u32::MAX);
    assert_eq!((c.cwnd(), c.ssthresh()), (100 * MSS, u32::MAX));
    let mut c = reduced(100 * MSS);
    c.set_cwnd(120 * MSS);
    c.on_undo(100 * MSS, u32::MAX);
    assert_eq!((c.cwnd(), c.ssthresh()), (120 * MSS, 70 * MSS));
}

#[test]
fn algorithms_take_over_from_each_other_with_the_window_as_it_is() {
    let mut c = reduced(100 * MSS);
    c.switch(CongestionControl::Reno);
    assert_eq!(c.algorithm(), CongestionControl::Reno);
    assert_eq!((c.cwnd(), c.ssthresh()), (70 * MSS, 70 * MSS));
    c.switch(CongestionControl::Cubic);
    assert_eq!((c.cwnd(), c.ssthresh()), (70 * MSS, 70 * MSS));
}
