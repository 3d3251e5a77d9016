//! What recovery must never do, whatever the figures are: bulk over bad paths. The figures are the
//! matrix's (`tests/matrix.rs`).

use netloom_sim::{Bottleneck, Bulk, mbit, ms, secs};

/// A path that reorders.
struct Reordering {
    /// Megabits a second.
    rate: u64,
    /// Packets that overtake one.
    by: u16,
    /// How often a sender may take it for loss before it knows.
    mistakes: usize,
    /// When it knows.
    known: std::time::Duration,
}

#[test]
fn reordering_without_loss_reduces_nothing() {
    // 60 s of a window that the path holds without dropping anything, 5 % of packets overtaken. The
    // first one that three overtake tells it (RFC 8985 section 6.2 step 4: until then the reordering
    // window is 0); from then on it is a quarter of 40 ms. As long as the first windows hold no ten
    // packets more, one waits longer for them: that tells it once more. Ten at 1.2 ms each are
    // more than a quarter: there it has to grow twice (step 4, a D-SACK each).
    let paths = [
        Reordering {
            rate: 10,
            by: 3,
            mistakes: 1,
            known: ms(300),
        },
        Reordering {
            rate: 100,
            by: 10,
            mistakes: 2,
            known: ms(300),
        },
        Reordering {
            rate: 10,
            by: 10,
            mistakes: 3,
            known: secs(3),
        },
    ];
    for congestion in ["cubic", "reno"] {
        for reordering in &paths {
            let path = Bottleneck {
                reorder: 0.05,
                reorder_by: reordering.by,
                buffer: 5.0,
                ..Bottleneck::new(mbit(reordering.rate), ms(40))
            };
            let window = (reordering.rate * 6_000).to_string();
            let report = Bulk {
                sample: ms(5),
                tunables: vec![("tcp_wmem", window.clone()), ("tcp_rmem", window)],
                ..Bulk::timed(path, congestion, secs(60))
            }
            .run();
            let Reordering { rate, by, .. } = reordering;
            let case = format!("{congestion}, {rate} Mbit/s, overtaken by {by}");
            assert!(report.is_intact(), "{case}");
            assert!(report.forward.reordered > 1_000, "{case}");
            assert_eq!(report.lost(), 0, "{case}");
            let flow = &report.flows[0];
            let mistakes = flow.reductions_after(ms(0));
            assert!(mistakes <= reordering.mistakes, "{case}: {mistakes}");
            assert_eq!(flow.reductions_after(reordering.known), 0, "{case}");
            assert!(
                report.goodput() > *rate as f64 * 0.8e6,
                "{case}: {}",
                report.goodput()
            );
            // What was sent again before it knew is the end of it.
            let again = report.retransmissions();
            assert!(again < 10, "{case}: {again}");
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
