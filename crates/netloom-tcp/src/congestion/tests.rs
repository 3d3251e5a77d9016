use super::{Acked, Congestion, Controller, initial_window};

fn ack(octets: u32, flight: u32) -> Acked {
    Acked {
        octets,
        flight,
        mss: 1000,
        unit: 0,
        after_timeout: false,
    }
}

#[test]
fn initial_windows_of_rfc_6928() {
    assert_eq!(initial_window(10, 1460), 14_600);
    assert_eq!(initial_window(10, 536), 5_360);
    assert_eq!(initial_window(10, 8_960), 17_920);
    assert_eq!(initial_window(0, 1000), 1000);
}

#[test]
fn slow_start_counts_octets_up_to_two_segments() {
    let mut c = Congestion::new(10_000);
    c.on_ack(&ack(100, 10_000));
    assert_eq!(c.cwnd(), 10_100);
    c.on_ack(&ack(5_000, 10_000));
    assert_eq!(c.cwnd(), 12_100);
    c.on_ack(&Acked {
        unit: 4_000,
        ..ack(5_000, 10_000)
    });
    assert_eq!(c.cwnd(), 17_100);
    c.on_ack(&Acked {
        after_timeout: true,
        ..ack(5_000, 10_000)
    });
    assert_eq!(c.cwnd(), 18_100);
}

#[test]
fn a_window_that_is_not_used_does_not_grow() {
    let mut c = Congestion::new(10_000);
    c.on_ack(&ack(1_000, 4_999));
    assert_eq!(c.cwnd(), 10_000);
}

#[test]
fn loss_halves_and_timeouts_start_over() {
    let mut c = Congestion::new(10_000);
    c.on_loss(12_000, 1000);
    assert_eq!((c.cwnd(), c.ssthresh()), (6_000, 6_000));
    c.on_rto(10_000, 1000, true);
    assert_eq!((c.cwnd(), c.ssthresh()), (1_000, 5_000));
    c.on_rto(1_000, 1000, false);
    assert_eq!(c.ssthresh(), 5_000);
    c.on_rto(100, 1000, true);
    assert_eq!(c.ssthresh(), 2_000);
}
