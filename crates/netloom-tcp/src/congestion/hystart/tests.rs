//! Rounds of a slow start with given round trips.

use super::{Growth, HyStart};
use crate::SeqNum;
use crate::congestion::Acked;

const MSS: u32 = 1_000;

/// One slow start, a round at a time.
struct Start {
    start: HyStart,
    una: u32,
    grown: u32,
    over: bool,
    /// Segments of each round but the first.
    window: u32,
}

impl Start {
    fn new(window: u32) -> Start {
        Start {
            start: HyStart::NEW,
            una: 0,
            grown: 0,
            over: false,
            window,
        }
    }

    /// A round of `acks` acknowledgments of a segment each, with a round trip in microseconds;
    /// returns by how much the window grew.
    fn round(&mut self, acks: u32, rtt: u32) -> u32 {
        let before = self.grown;
        let end = self.una + acks * MSS;
        for _ in 0..acks {
            self.una += MSS;
            let growth = self.start.on_ack(&Acked {
                octets: MSS,
                flight: 1 << 20,
                mss: MSS,
                #[cfg(feature = "fast-retransmit")]
                unit: 0,
                after_timeout: false,
                prior_cwnd: 0,
                now_ms: 0,
                rtt,
                srtt: rtt,
                una: SeqNum(self.una),
                // What the next round consists of was sent by now.
                nxt: SeqNum(end + self.window * MSS),
            });
            match growth {
                Growth::By(octets) => self.grown += octets,
                Growth::Last(octets) => {
                    self.grown += octets;
                    self.over = true;
                }
            }
        }
        self.grown - before
    }
}

#[test]
fn acknowledgments_count_up_to_eight_segments() {
    //= https://www.rfc-editor.org/rfc/rfc9406#section-4.3
    //= type=test
    //# It is RECOMMENDED that a HyStart++ implementation use the following
    //# constants:
    let mut start = HyStart::NEW;
    let acked = |octets, _unit| Acked {
        octets,
        flight: 0,
        mss: MSS,
        #[cfg(feature = "fast-retransmit")]
        unit: _unit,
        after_timeout: false,
        prior_cwnd: 0,
        now_ms: 0,
        rtt: 0,
        srtt: 0,
        una: SeqNum(0),
        nxt: SeqNum(0),
    };
    assert_eq!(start.on_ack(&acked(7_000, 0)), Growth::By(7_000));
    assert_eq!(start.on_ack(&acked(20_000, 0)), Growth::By(8_000));
    // What leaves in one piece may be acknowledged in one piece.
    let whole = if cfg!(feature = "fast-retransmit") {
        64_000
    } else {
        8_000
    };
    assert_eq!(start.on_ack(&acked(90_000, 64_000)), Growth::By(whole));
}

#[test]
fn a_round_trip_that_grows_slows_down_and_then_ends_slow_start() {
    //= https://www.rfc-editor.org/rfc/rfc9406#section-4.3
    //= type=test
    //# The minimum value of CSS_GROWTH_DIVISOR MUST be at least 2.
    let mut s = Start::new(10);
    s.round(1, 40_000); // The handshake's window.
    assert_eq!(s.round(10, 40_000), 10_000);
    assert_eq!(s.round(10, 44_999), 10_000);
    // 44.999 ms / 8 = 5.624 ms more is a queue: from the eighth sample on by a quarter.
    assert_eq!(s.round(10, 50_622), 10_000);
    assert_eq!(s.round(10, 57_000), 8_000 + 2 * 250);
    // The partial round was the first of five.
    for _ in 0..3 {
        assert_eq!(s.round(10, 57_000), 2_500);
        assert!(!s.over);
    }
    assert_eq!(s.round(10, 57_000), 2_500);
    assert!(s.over);
}

#[test]
fn the_threshold_is_four_to_sixteen_milliseconds() {
    for (base, grown, slower) in [
        (8_000, 11_999, false),
        (8_000, 12_000, true),
        (400_000, 415_999, false),
        (400_000, 416_000, true),
    ] {
        let mut s = Start::new(10);
        s.round(1, base);
        s.round(10, base);
        s.round(10, grown);
        assert_eq!(s.start.css_rounds > 0, slower, "{base} {grown}");
    }
}

#[test]
fn a_round_trip_that_falls_again_resumes_slow_start() {
    let mut s = Start::new(10);
    s.round(1, 40_000);
    s.round(10, 40_000);
    s.round(10, 60_000);
    assert!(s.start.css_rounds > 0);
    // Below the baseline of 60 ms: with the eighth sample it was no queue.
    assert_eq!(s.round(10, 59_000), 8 * 250 + 2 * 1_000);
    assert_eq!(s.round(10, 59_000), 10_000);
    assert!(!s.over);
}

#[test]
fn seven_samples_say_nothing() {
    let mut s = Start::new(7);
    s.round(1, 40_000);
    for _ in 0..10 {
        assert_eq!(s.round(7, 400_000), 7_000);
    }
    assert!(!s.over);
}
