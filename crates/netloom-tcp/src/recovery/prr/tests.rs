//! The numbers of RFC 6937 by hand.

use super::Prr;
use crate::CongestionControl;
use crate::congestion::{Congestion, Controller};

const MSS: u32 = 1_000;

/// Sends what is allowed, in whole segments, and says how many.
fn step(prr: &mut Prr, newly: u32, pipe: &mut u32, ssthresh: u32, safe: bool) -> u32 {
    let count = prr.send_count(newly, *pipe, ssthresh, MSS, safe) / MSS;
    prr.out += count * MSS;
    *pipe += count * MSS;
    count
}

#[test]
fn one_loss_of_twenty_halved_goes_down_evenly() {
    // RFC 6937 §4: 20 in flight, the first lost, ssthresh 10: of the 19 acknowledgments every
    // other one lets a segment out, the first one the retransmission.
    let mut prr = Prr {
        delivered: 0,
        out: 0,
        recover_fs: 20 * MSS,
    };
    // Two duplicates were answered by nothing; the third begins recovery: 3 reported, 1 lost.
    let mut pipe = 16 * MSS;
    let mut sent = std::vec![step(&mut prr, 3 * MSS, &mut pipe, 10 * MSS, false)];
    for _ in 0..16 {
        pipe -= MSS;
        sent.push(step(&mut prr, MSS, &mut pipe, 10 * MSS, false));
    }
    // 3 / 2 = 1.5 segments: one. Then at 4, 6, 8, ... delivered, until the pipe is at ssthresh,
    // where it is held.
    assert_eq!(sent, [1, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 1, 1, 1]);
    assert_eq!(pipe, 10 * MSS);
    assert_eq!(prr.out, 10 * MSS);
}

#[test]
fn below_ssthresh_what_arrived_may_leave_and_one_more_if_all_is_well() {
    let mut prr = Prr {
        delivered: 0,
        out: 0,
        recover_fs: 20 * MSS,
    };
    // 16 of 20 were lost: the pipe is far below ssthresh.
    let mut pipe = MSS;
    assert_eq!(step(&mut prr, 3 * MSS, &mut pipe, 10 * MSS, false), 3);
    pipe -= MSS;
    assert_eq!(step(&mut prr, MSS, &mut pipe, 10 * MSS, false), 1);
    // Slow start while SND.UNA moves and nothing more is lost.
    pipe -= MSS;
    assert_eq!(step(&mut prr, MSS, &mut pipe, 10 * MSS, true), 2);
    // Never beyond ssthresh.
    pipe = 9 * MSS + 500;
    assert_eq!(prr.send_count(4 * MSS, pipe, 10 * MSS, MSS, true), 500);
}

#[test]
fn the_first_retransmission_leaves_whatever_the_numbers_say() {
    let mut prr = Prr {
        delivered: 0,
        out: 0,
        recover_fs: 100 * MSS,
    };
    assert_eq!(prr.send_count(100, 90 * MSS, 50 * MSS, MSS, false), MSS);
}

#[test]
fn without_a_threshold_a_recovery_leaves_the_window_as_it_is() {
    // As where a model of the path began it.
    let mut conn = crate::Connection::EMPTY;
    conn.congestion = Congestion::new(CongestionControl::Reno, 10_000);
    conn.end_reduction();
    assert_eq!(conn.congestion.cwnd(), 10_000);
}
