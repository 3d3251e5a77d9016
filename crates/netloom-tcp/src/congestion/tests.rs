use super::{Acked, Congestion, CongestionControl, Controller, initial_window};

fn ack(octets: u32, flight: u32) -> Acked {
    Acked {
        octets,
        flight,
        mss: 1000,
        #[cfg(feature = "fast-retransmit")]
        unit: 0,
        after_timeout: false,
        #[cfg(feature = "cubic")]
        prior_cwnd: 0,
        #[cfg(feature = "cubic")]
        now_ms: 1,
        #[cfg(feature = "cubic")]
        rtt: 0,
        #[cfg(feature = "cubic")]
        srtt: 0,
        #[cfg(feature = "cubic")]
        una: crate::SeqNum(0),
        #[cfg(feature = "cubic")]
        nxt: crate::SeqNum(0),
    }
}

#[test]
fn initial_windows_of_rfc_6928() {
    //= https://www.rfc-editor.org/rfc/rfc5681#section-3.1
    //= type=test
    //# IW, the initial value of cwnd, MUST be set using the following
    //# guidelines as an upper bound.
    assert_eq!(initial_window(10, 1460), 14_600);
    assert_eq!(initial_window(10, 536), 5_360);
    assert_eq!(initial_window(10, 8_960), 17_920);
    assert_eq!(initial_window(0, 1000), 1000);
}

#[test]
fn slow_start_counts_octets_up_to_two_segments() {
    //= https://www.rfc-editor.org/rfc/rfc5681#section-7
    //= type=test
    //# The recommended initial value for ssthresh has been changed to say
    //# that it SHOULD be arbitrarily high, where it was previously MAY.
    let mut c = Congestion::new(CongestionControl::Reno, 10_000);
    c.on_ack(&ack(100, 10_000));
    assert_eq!(c.cwnd(), 10_100);
    c.on_ack(&ack(5_000, 10_000));
    assert_eq!(c.cwnd(), 12_100);
    c.on_ack(&Acked {
        after_timeout: true,
        ..ack(5_000, 10_000)
    });
    assert_eq!(c.cwnd(), 13_100);
}

#[cfg(feature = "fast-retransmit")]
#[test]
fn slow_start_counts_all_of_a_super_segment() {
    let mut c = Congestion::new(CongestionControl::Reno, 10_000);
    c.on_ack(&Acked {
        unit: 4_000,
        ..ack(5_000, 10_000)
    });
    assert_eq!(c.cwnd(), 14_000);
    c.on_ack(&Acked {
        unit: 4_000,
        after_timeout: true,
        ..ack(5_000, 10_000)
    });
    assert_eq!(c.cwnd(), 15_000);
}

#[test]
fn a_window_that_is_not_used_does_not_grow() {
    let mut c = Congestion::new(CongestionControl::Reno, 10_000);
    c.on_ack(&ack(1_000, 4_999));
    assert_eq!(c.cwnd(), 10_000);
}

#[test]
fn loss_halves_and_timeouts_start_over() {
    //= https://www.rfc-editor.org/rfc/rfc5681#section-3.1
    //= type=test
    //# When a TCP sender detects segment loss using the retransmission timer
    //# and the given segment has not yet been resent by way of the
    //# retransmission timer, the value of ssthresh MUST be set to no more
    //# than the value given in equation (4):
    //= https://www.rfc-editor.org/rfc/rfc5681#section-3.1
    //= type=test
    //# Furthermore, upon a timeout (as specified in [RFC2988]) cwnd MUST be
    //# set to no more than the loss window, LW, which equals 1 full-sized
    //# segment (regardless of the value of IW).
    let mut c = Congestion::new(CongestionControl::Reno, 10_000);
    // Two segments of limited transmit do not count.
    c.on_loss(12_000, 1000);
    assert_eq!((c.cwnd(), c.ssthresh()), (5_000, 5_000));
    // A retransmission was lost: the second reduction.
    c.on_rto(10_000, 1000, true);
    assert_eq!((c.cwnd(), c.ssthresh()), (1_000, 2_500));
    c.on_rto(1_000, 1000, false);
    assert_eq!(c.ssthresh(), 2_500);
    c.on_rto(100, 1000, true);
    assert_eq!(c.ssthresh(), 2_000);
}

/// A window that is not used.
#[cfg(feature = "cubic")]
mod unused {
    use super::*;

    const MINUTE: u32 = 60_000;

    /// One of each that has a threshold, in congestion avoidance with a window of 100 segments.
    fn both() -> [Congestion; 2] {
        [CongestionControl::Reno, CongestionControl::Cubic].map(|algorithm| {
            let mut c = Congestion::new(algorithm, 10_000);
            c.on_loss(8_000, 1_000);
            c.on_undo(100_000, 20_000);
            assert_eq!((c.cwnd(), c.ssthresh()), (100_000, 20_000));
            c
        })
    }

    #[test]
    fn for_five_minutes_it_is_halved() {
        //= https://www.rfc-editor.org/rfc/rfc7661#section-4.4.3
        //= type=test
        //# The sender MUST then update cwnd to be not greater than:
        for begin in [0, 1, u32::MAX - 2 * MINUTE] {
            for mut c in both() {
                let at = |minutes: u32| begin.wrapping_add(minutes * MINUTE);
                assert!(!c.on_unused(at(0)));
                assert!(!c.on_unused(at(4)), "{begin}");
                assert!(c.on_unused(at(5)), "{begin}");
                c.on_long_unused(10_000);
                assert_eq!((c.cwnd(), c.ssthresh()), (50_000, 75_000));
                // The period begins anew.
                assert!(!c.on_unused(at(9)));
                assert!(c.on_unused(at(10)));
                c.on_long_unused(40_000);
                assert_eq!((c.cwnd(), c.ssthresh()), (40_000, 75_000));
                // Never more than it was.
                c.on_long_unused(60_000);
                assert_eq!(c.cwnd(), 40_000);
            }
        }
    }

    #[test]
    fn what_uses_or_reduces_it_begins_the_time_anew() {
        let uses: [fn(&mut Congestion); 4] = [
            |c| c.on_ack(&ack(1_000, 100_000)),
            |c| c.on_loss(50_000, 1_000),
            |c| c.on_rto(50_000, 1_000, true),
            |c| c.on_idle(10_000),
        ];
        for used in uses {
            for mut c in both() {
                c.on_unused(MINUTE);
                used(&mut c);
                assert!(!c.on_unused(7 * MINUTE));
                assert!(!c.on_unused(11 * MINUTE));
                assert!(c.on_unused(12 * MINUTE));
            }
        }
    }

    #[test]
    fn the_first_slow_start_goes_on_from_what_is_left() {
        let mut c = Congestion::new(CongestionControl::Cubic, 100_000);
        c.on_unused(0);
        assert!(c.on_unused(5 * MINUTE));
        c.on_long_unused(10_000);
        assert_eq!((c.cwnd(), c.ssthresh()), (50_000, u32::MAX));
    }
}
