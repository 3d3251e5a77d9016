use super::*;
use crate::units::{mbit, secs, us};

#[test]
fn the_stream_is_the_same_however_it_is_cut() {
    let mut whole = [0; 100];
    Content::new(3).fill(&mut whole);
    let mut content = Content::new(3);
    let mut pieces = Vec::new();
    for len in [1, 2, 3, 8, 0, 9, 15, 16, 17, 7, 22] {
        let mut piece = vec![0; len];
        content.fill(&mut piece);
        pieces.extend(piece);
    }
    assert_eq!(pieces, whole);
    assert_ne!(whole[..8], whole[8..16]);
}

#[test]
fn shares_are_judged_by_jain() {
    assert_eq!(fairness(&[1.0, 1.0, 1.0, 1.0]), 1.0);
    assert_eq!(fairness(&[1.0, 0.0, 0.0, 0.0]), 0.25);
    assert_eq!(fairness(&[2.0, 1.0]), 0.9);
    assert_eq!(fairness(&[0.0, 0.0]), 0.0);
}

#[test]
fn what_is_lost_is_told_from_what_was_sent_again_for_nothing() {
    let path = Bottleneck {
        loss: 0.02,
        ..Bottleneck::new(mbit(10), ms(20))
    };
    let report = Bulk::octets(path, "reno", 500_000, secs(60)).run();
    assert!(report.is_intact());
    assert_eq!(report.flows[0].received, 500_000);
    assert!(report.lost() > 0);
    assert_eq!(report.retransmissions() - report.spurious(), report.lost());
    let finished = report.flows[0].finished.unwrap();
    assert_eq!(finished, report.time);
    assert!(report.goodput() < 10e6);
}

#[test]
fn a_run_ends_in_time() {
    let report = Bulk::timed(Bottleneck::new(mbit(1), us(100)), "cubic", secs(2)).run();
    assert_eq!(report.flows[0].finished, None);
    assert!(report.time <= secs(2) + ms(1));
    let whole = report.flows[0].goodput_between(secs(0), secs(2));
    assert!((0.9e6..1e6).contains(&whole), "{whole}");
}
