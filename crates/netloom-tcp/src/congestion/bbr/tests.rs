//! The draft's formulas, number by number.

use super::long_term::inflight_at_loss;
use super::{Ack, BbrState, BbrWindow, INFINITY, Lost, SECOND, State};
use crate::congestion::Controller;
use crate::delivery::RateSample;
use crate::pacing::Pacer;
use crate::rate::Rate;

const MSS: u32 = 1_000;
const RTT: u32 = 100_000;
/// 10 Mbit/s: a product of 125 000 octets with the round trip.
const BW: u64 = 1_250_000;
const BDP: u32 = 125_000;

/// A model and what it works on.
struct Bench {
    state: BbrState,
    window: BbrWindow,
    pacer: Pacer,
    now: u32,
    delivered: u32,
}

impl Bench {
    fn new() -> Bench {
        let mut bench = Bench {
            state: BbrState::EMPTY,
            window: BbrWindow::new(10 * MSS),
            pacer: Pacer::EMPTY,
            now: 7 * SECOND,
            delivered: 0,
        };
        bench
            .state
            .begin(&bench.window, &mut bench.pacer, bench.now, (RTT, 0, 1));
        bench
    }

    /// An acknowledgment of `newly` octets that measured `rate`, with `inflight` left.
    fn ack(&self, newly: u32, rate: u64, inflight: u32) -> Ack {
        Ack {
            now: self.now,
            mss: MSS,
            quantum: 2 * MSS,
            delivered: self.delivered,
            inflight,
            newly_acked: newly,
            srtt: RTT,
            sack: true,
            in_recovery: false,
            rs: Some(RateSample {
                delivery_rate: Rate::per_second(rate),
                is_app_limited: false,
                delivered: newly,
                prior_delivered: self.delivered.wrapping_sub(newly),
                tx_in_flight: Some(inflight + newly),
                lost: 0,
                rtt: Some(RTT),
            }),
        }
    }

    fn take(&mut self, ack: &Ack) {
        self.state.on_ack(&mut self.window, &mut self.pacer, ack);
    }

    /// A round trip goes by: a window's worth is acknowledged at once.
    fn round(&mut self, rate: u64, inflight: u32) {
        self.now += RTT;
        self.delivered += BDP;
        let ack = self.ack(BDP, rate, inflight);
        self.take(&ack);
    }

    /// In ProbeBW_CRUISE, the pipe having been found full: nothing was to be drained, so that
    /// ProbeBW_DOWN ended as it began.
    fn steady() -> Bench {
        let mut bench = Bench::new();
        for _ in 0..4 {
            bench.round(BW, 2 * BDP);
        }
        bench.round(BW, BDP / 2);
        assert_eq!(bench.state.state, State::ProbeBwCruise);
        bench
    }
}

/// `rate` with one percent less.
fn paced(rate: Rate) -> Rate {
    rate.percent(99)
}

#[test]
fn the_first_rate_is_the_first_window_a_round_trip_by_two_seventy_seven() {
    let bench = Bench::new();
    // 2.77 * 10 000 octets / 100 ms.
    assert_eq!(bench.pacer.rate(), Rate::of(10 * MSS, RTT).percent(277));
    assert_eq!(bench.state.pacing_gain(), 277);
    assert_eq!(bench.state.cwnd_gain(), 200);
}

#[test]
fn three_rounds_without_growth_end_startup() {
    let mut bench = Bench::new();
    // A quarter more each round, or twice as much, is growth.
    for rate in [BW / 4, BW / 2, BW / 2 * 5 / 4, BW] {
        bench.round(rate, BDP);
        assert_eq!(bench.state.state, State::Startup);
    }
    bench.round(BW, 2 * BDP);
    bench.round(BW * 5 / 4 - 100, 2 * BDP);
    assert_eq!(bench.state.state, State::Startup);
    bench.round(BW, 2 * BDP);
    assert_eq!(bench.state.state, State::Drain);
    assert!(bench.state.full_bw_reached);
    assert_eq!(bench.state.pacing_gain(), 50);
    // Rounds the application limited do not count.
    let mut bench = Bench::new();
    for _ in 0..9 {
        bench.now += RTT;
        bench.delivered += BDP;
        let mut ack = bench.ack(BDP, BW, BDP);
        ack.rs.as_mut().unwrap().is_app_limited = true;
        bench.take(&ack);
    }
    assert_eq!(bench.state.state, State::Startup);
}

#[test]
fn drain_ends_when_no_more_than_the_product_is_in_flight() {
    let mut bench = Bench::new();
    for _ in 0..4 {
        bench.round(BW, 2 * BDP);
    }
    assert_eq!(bench.state.state, State::Drain);
    let rate = paced(Rate::per_second(BW).percent(50));
    assert_eq!(bench.pacer.rate(), rate);
    bench.round(BW, BDP + 1);
    assert_eq!(bench.state.state, State::Drain);
    bench.round(BW, BDP);
    // Nothing is left to drain.
    assert_eq!(bench.state.state, State::ProbeBwCruise);
    assert_eq!(bench.pacer.rate(), paced(Rate::per_second(BW)));
    // After three rounds it ends anyway.
    let mut bench = Bench::new();
    for _ in 0..4 {
        bench.round(BW, 2 * BDP);
    }
    for _ in 0..3 {
        bench.round(BW, 2 * BDP);
        assert_eq!(bench.state.state, State::Drain);
    }
    bench.round(BW, 2 * BDP);
    assert_eq!(bench.state.state, State::ProbeBwDown);
    assert_eq!(bench.pacer.rate(), paced(Rate::per_second(BW).percent(90)));
}

/// Loses `ranges` single segments of which each was among `tx_in_flight`.
fn lose(bench: &mut Bench, ranges: u32, tx_in_flight: u32) {
    for _ in 0..ranges {
        bench.state.delivery.lost += MSS;
        let ack = bench.ack(0, 0, tx_in_flight);
        let lost = Lost {
            size: MSS,
            tx_in_flight,
            lost: bench.state.delivery.lost,
            is_app_limited: false,
            adjacent: false,
        };
        bench.state.on_lost(&mut bench.window, &ack, &lost);
    }
}

#[test]
fn losses_end_startup_if_they_are_many_enough() {
    // Six stretches in a round of recovery, and more than two percent.
    for (ranges, lost, state) in [
        (6, 3 * MSS, State::Drain),
        (5, 3 * MSS, State::Startup),
        (6, 2 * MSS, State::Startup),
    ] {
        let mut bench = Bench::new();
        bench.round(BW / 2, 99 * MSS);
        bench.window.on_loss(0, MSS);
        lose(&mut bench, ranges, 100 * MSS);
        bench.now += RTT;
        bench.delivered += BDP;
        let mut ack = bench.ack(BDP, BW, 99 * MSS);
        ack.in_recovery = true;
        let rs = ack.rs.as_mut().unwrap();
        (rs.lost, rs.tx_in_flight) = (lost, Some(100 * MSS));
        bench.take(&ack);
        assert_eq!(bench.state.state, state, "{ranges} {lost}");
        if state == State::Drain {
            // max(BDP, what was delivered in the round).
            assert_eq!(bench.state.inflight_longterm, BDP);
            // It was a mistake: Startup goes on, and the bound is gone.
            bench.window.on_undo(0, 0);
            bench.round(BW, BDP);
            assert_eq!(bench.state.state, State::Startup);
            assert_eq!(bench.state.inflight_longterm, INFINITY);
        }
    }
}

#[test]
fn the_threshold_is_crossed_somewhere_within_a_burst() {
    // 100 segments in flight, ten of them this burst; one was lost before it. Two percent of the 90
    // before it are 1.8: (1.8 - 1) / 0.98 = 0.816 of the burst may be lost.
    let lost = Lost {
        size: 10 * MSS,
        tx_in_flight: 100 * MSS,
        lost: 11 * MSS,
        is_app_limited: false,
        adjacent: false,
    };
    assert_eq!(inflight_at_loss(&lost), 90 * MSS + 816);
}

#[test]
fn the_cycle_refills_probes_and_drains() {
    let mut bench = Bench::steady();
    let wait = bench.state.bw_probe_wait;
    assert!((2 * SECOND..3 * SECOND).contains(&wait));
    let began = bench.state.cycle_stamp;
    while bench.state.state == State::ProbeBwCruise {
        bench.round(BW, BDP);
    }
    // The first acknowledgment after the wait.
    let elapsed = bench.now - began;
    assert!(elapsed > wait && elapsed <= wait + RTT, "{elapsed} {wait}");
    assert_eq!(bench.state.state, State::ProbeBwRefill);
    assert_eq!(bench.state.pacing_gain(), 100);
    bench.round(BW, BDP);
    assert_eq!(bench.state.state, State::ProbeBwUp);
    assert_eq!(
        (bench.state.pacing_gain(), bench.state.cwnd_gain()),
        (125, 225)
    );
    // Three rounds in which the rate does not grow.
    for _ in 0..2 {
        bench.round(BW, BDP * 5 / 4);
        assert_eq!(bench.state.state, State::ProbeBwUp);
    }
    bench.round(BW, BDP * 5 / 4);
    assert_eq!(bench.state.state, State::ProbeBwDown);
}

#[test]
fn small_paths_are_probed_as_often_as_reno_would() {
    // A product of ten segments: a probe after ten rounds or nine, well before two seconds.
    let mut bench = Bench::steady();
    bench.state.max_bw_filter = [Rate::ZERO, Rate::per_second(BW * 10 / 125)];
    bench.state.rounds_since_probe_up = 0;
    bench.state.state = State::ProbeBwCruise;
    let mut rounds = 0;
    while bench.state.state == State::ProbeBwCruise {
        bench.round(BW * 10 / 125, 9 * MSS);
        rounds += 1;
    }
    assert!((9..=10).contains(&rounds), "{rounds}");
}

#[test]
fn a_probe_that_loses_too_much_bounds_the_volume() {
    let mut bench = Bench::steady();
    bench.state.state = State::ProbeBwUp;
    bench.state.is_bw_probe_sample = true;
    // Three of 140 segments: more than two percent.
    lose(&mut bench, 2, 140 * MSS);
    assert_eq!(bench.state.inflight_longterm, INFINITY);
    lose(&mut bench, 1, 140 * MSS);
    // What was in flight before the one that was too much, and 0.78 / 0.98 of it.
    assert_eq!(bench.state.inflight_longterm, 139 * MSS + 795);
    assert_eq!(bench.state.state, State::ProbeBwDown);
    // Never below seven tenths of what is aimed at.
    let mut bench = Bench::steady();
    bench.state.is_bw_probe_sample = true;
    let cwnd = bench.window.cwnd();
    lose(&mut bench, 2, 50 * MSS);
    let least = BDP.min(cwnd) * 7 / 10;
    assert_eq!(bench.state.inflight_longterm, least);
    // Cruising leaves 15 % of it to others.
    assert_eq!(
        bench.state.inflight_with_headroom(MSS),
        least - least * 15 / 100
    );
}

#[test]
fn the_bound_grows_in_a_probe_that_reaches_it_by_one_two_four() {
    let mut bench = Bench::steady();
    bench.state.inflight_longterm = 100 * MSS;
    bench.window.set_cwnd(100 * MSS);
    bench.state.cwnd_limited = [true; 2];
    bench.state.state = State::ProbeBwUp;
    bench.state.bw_probe_up_rounds = 0;
    for (slope, per) in [(1, 100 * MSS), (2, 50 * MSS), (3, 25 * MSS)] {
        bench
            .state
            .raise_inflight_longterm_slope(&bench.window, MSS);
        assert_eq!(bench.state.bw_probe_up_rounds, slope);
        assert_eq!(bench.state.probe_up_acked_per_inc, per);
    }
    // A segment for each 25 acknowledged; what is left over counts later.
    for (acked, bound) in [(24, 100), (1, 101), (60, 103), (15, 104)] {
        let mut ack = bench.ack(acked * MSS, BW, 10 * MSS);
        ack.rs = None;
        bench.state.round_start = false;
        bench.state.adapt_long_term_model(&bench.window, &ack);
        assert_eq!(bench.state.inflight_longterm, bound * MSS, "{acked}");
        bench.window.set_cwnd(bench.state.inflight_longterm);
    }
}

#[test]
fn a_lossy_round_leaves_what_is_delivered_or_seven_tenths() {
    let mut bench = Bench::steady();
    bench.round(BW, BDP - MSS);
    assert_eq!(bench.state.state, State::ProbeBwCruise);
    // 10 of 125 segments.
    lose(&mut bench, 10, BDP);
    let cwnd = bench.window.cwnd();
    bench.round(BW * 9 / 10, BDP);
    assert_eq!(bench.state.bw_shortterm, Rate::per_second(BW));
    assert_eq!(bench.state.inflight_shortterm, BDP.max(cwnd * 7 / 10));
    // The rates of the round before count no more.
    lose(&mut bench, 10, BDP);
    bench.round(BW / 2, BDP);
    let bound = Rate::per_second(BW)
        .percent(90)
        .max(Rate::per_second(BW * 9 / 10));
    assert_eq!(bench.state.bw_shortterm, bound);
    lose(&mut bench, 10, BDP);
    bench.round(BW / 2, BDP);
    assert_eq!(bench.state.bw_shortterm, bound.percent(70));
    assert_eq!(bench.state.bw, bound.percent(70));
    // Refilling forgets it.
    while bench.state.state == State::ProbeBwCruise {
        bench.round(BW / 2, BDP);
    }
    assert_eq!(bench.state.bw_shortterm, Rate::MAX);
    assert_eq!(bench.state.inflight_shortterm, INFINITY);
}

#[test]
fn a_round_that_loses_what_is_allowed_changes_nothing() {
    let mut bench = Bench::steady();
    bench.round(BW, BDP - MSS);
    // 2 of 127 segments.
    lose(&mut bench, 2, BDP);
    bench.round(BW / 2, BDP);
    assert_eq!(bench.state.bw_shortterm, Rate::MAX);
    // A mark of the network's always counts.
    bench.window.on_ecn(0, 0);
    bench.round(BW / 2, BDP);
    bench.round(BW / 2, BDP);
    assert!(bench.state.bw_shortterm < Rate::per_second(BW));
}

#[test]
fn probe_rtt_comes_after_five_seconds_and_lasts_two_hundred_milliseconds() {
    let mut bench = Bench::steady();
    let stamp = bench.state.probe_rtt_min_stamp;
    // Round trips grow: no new minimum.
    let longer = |bench: &mut Bench, inflight: u32| {
        bench.now += RTT + 10_000;
        bench.delivered += BDP;
        let mut ack = bench.ack(BDP, BW, inflight);
        ack.rs.as_mut().unwrap().rtt = Some(RTT + 10_000);
        bench.take(&ack);
    };
    while bench.state.state != State::ProbeRtt {
        longer(&mut bench, BDP);
    }
    let waited = bench.now - stamp;
    assert!(
        waited > 5 * SECOND && waited <= 5 * SECOND + RTT + 10_000,
        "{waited}"
    );
    let before = bench.window.prior_cwnd;
    // Half of the product; it is waited for.
    assert_eq!(bench.window.cwnd(), BDP / 2);
    assert_eq!(bench.state.pacing_gain(), 100);
    longer(&mut bench, BDP / 2 + 1);
    assert_eq!(bench.state.probe_rtt_since, None);
    longer(&mut bench, BDP / 2);
    let since = bench.now;
    assert_eq!(bench.state.probe_rtt_since, Some(since));
    while bench.state.state == State::ProbeRtt {
        longer(&mut bench, BDP / 2);
    }
    let lasted = bench.now - since;
    assert!(
        lasted > 200_000 && lasted <= 200_000 + RTT + 10_000,
        "{lasted}"
    );
    assert_eq!(bench.state.state, State::ProbeBwCruise);
    assert!(bench.window.cwnd() >= before.min(2 * BDP));
    // The least round trip is not forgotten before ten seconds.
    assert_eq!(bench.state.min_rtt, RTT);
    bench.now += 10 * SECOND;
    longer(&mut bench, BDP / 2);
    assert_eq!(bench.state.min_rtt, RTT + 10_000);
}

#[test]
fn restart_from_idle_is_paced_at_the_rate_of_the_path() {
    let mut bench = Bench::steady();
    bench.pacer.set_rate(Rate::per_second(BW).percent(90));
    bench.now += 20 * SECOND;
    bench.state.delivery.mark_app_limited(bench.delivered, 0);
    let cwnd = bench.window.cwnd();
    let ack = Ack {
        newly_acked: 0,
        rs: None,
        ..bench.ack(0, 0, MSS)
    };
    bench
        .state
        .on_sent(&mut bench.window, &mut bench.pacer, &ack, 0);
    assert_eq!(bench.pacer.rate(), paced(Rate::per_second(BW)));
    assert_eq!(bench.window.cwnd(), cwnd);
    // The idle time was as good as ProbeRTT.
    bench.round(BW, BDP / 2);
    assert_ne!(bench.state.state, State::ProbeRtt);
}

#[test]
fn a_timeout_leaves_what_is_in_flight_and_one_segment() {
    let mut bench = Bench::steady();
    let cwnd = bench.window.cwnd();
    bench.window.on_rto(BDP, MSS, true);
    let mut ack = Ack {
        newly_acked: 0,
        rs: None,
        ..bench.ack(0, 0, 3 * MSS)
    };
    ack.in_recovery = true;
    bench.state.on_timeout(&mut bench.window, &ack);
    assert_eq!(bench.window.cwnd(), 4 * MSS);
    // When it is repaired the window is back, within what the model allows.
    bench.round(BW, BDP / 2);
    assert!(bench.window.cwnd() >= cwnd.min(2 * BDP));
}

#[test]
fn acknowledgments_in_lumps_widen_the_window() {
    let mut bench = Bench::steady();
    // The bench acknowledges whole rounds at once: that is not to count here.
    bench.state.extra_acked_filter = [0, 0];
    bench.state.extra_acked_delivered = 0;
    bench.state.extra_acked_interval_start = bench.now;
    // Two segments a bit more than each 1.6 ms, for longer than ten round trips.
    let take = |bench: &mut Bench, after: u32, newly: u32| {
        bench.now += after;
        bench.delivered += newly;
        let mut ack = bench.ack(newly, BW, BDP / 2);
        let rs = ack.rs.as_mut().unwrap();
        rs.prior_delivered = bench.delivered.wrapping_sub(BDP);
        bench.take(&ack);
    };
    for _ in 0..1_000 {
        take(&mut bench, 1_600, 2 * MSS);
    }
    assert_eq!(bench.state.state, State::ProbeBwCruise);
    let most = |bench: &Bench| bench.state.extra_acked_filter.into_iter().max().unwrap();
    assert!(most(&bench) <= 3 * MSS, "{}", most(&bench));
    let before = bench.window.cwnd();
    // Then nothing for 16 ms, and all of it at once, less what the rate explains of it.
    take(&mut bench, 16_000, 2 * MSS);
    take(&mut bench, 0, 18 * MSS);
    let extra = most(&bench);
    assert!((18 * MSS..=20 * MSS).contains(&extra), "{extra}");
    take(&mut bench, 0, 2 * MSS);
    assert!(bench.window.cwnd() >= before + 15 * MSS, "{before}");
}

#[test]
fn the_window_never_falls_below_four_segments() {
    let mut bench = Bench::new();
    bench.window.set_cwnd(MSS);
    bench.round(15, 0);
    assert!(bench.window.cwnd() >= 4 * MSS);
    let mut bench = Bench::steady();
    bench.state.inflight_shortterm = MSS;
    bench.round(BW, MSS);
    assert_eq!(bench.window.cwnd(), 4 * MSS);
}
