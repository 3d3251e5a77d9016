//! What recovery must never do, whatever the figures are: bulk over bad paths. The figures are the
//! matrix's (`tests/matrix.rs`).

use netloom_sim::{Bottleneck, Bulk, mbit, ms, secs};

/// After so long a sender knows that the path reorders: the first packets overtaken have told it.
const ADAPTED: std::time::Duration = secs(10);

#[test]
fn reordering_without_loss_reduces_nothing() {
    // 60 s of a window that the path holds without dropping anything, 5 % of packets overtaken. By
    // ten at 1.2 ms each is more than the window of a quarter of 40 ms it begins with: it has
    // adapted after the first seconds.
    for congestion in ["cubic", "reno"] {
        for reorder_by in [3, 10] {
            let path = Bottleneck {
                reorder: 0.05,
                reorder_by,
                buffer: 5.0,
                ..Bottleneck::new(mbit(10), ms(40))
            };
            let window = || "60000".to_owned();
            let report = Bulk {
                sample: ms(5),
                tunables: vec![("tcp_wmem", window()), ("tcp_rmem", window())],
                ..Bulk::timed(path, congestion, secs(60))
            }
            .run();
            let case = format!("{congestion}, overtaken by {reorder_by}");
            assert!(report.is_intact(), "{case}");
            assert!(report.forward.reordered > 1_000, "{case}");
            assert_eq!(report.lost(), 0, "{case}");
            assert_eq!(report.flows[0].reductions_after(ADAPTED), 0, "{case}");
            assert!(report.goodput() > 8e6, "{case}: {}", report.goodput());
            // What was sent again before the window had adapted is the end of it.
            let again = report.retransmissions();
            assert!(again < 100, "{case}: {again}");
        }
    }
}

#[test]
fn what_is_lost_is_sent_again_once() {
    for congestion in ["cubic", "reno"] {
        let path = Bottleneck {
            loss: 0.001,
            ..Bottleneck::new(mbit(20), ms(66))
        };
        let report = Bulk::timed(path, congestion, secs(20)).run();
        assert!(report.is_intact() && report.lost() > 0);
        let (spurious, lost) = (report.spurious(), report.lost());
        assert!(
            spurious <= lost / 20 + 5,
            "{congestion}: {spurious} beside {lost}"
        );
    }
}
