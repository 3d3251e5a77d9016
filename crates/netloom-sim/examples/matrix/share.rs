//! Flows that share a bottleneck: how evenly, and how soon.

use std::time::Duration;

use netloom_sim::{Bottleneck, Bulk, BulkReport, Flow, fairness, mbit, ms, secs};

/// How long they run.
const TIME: Duration = secs(120);
/// When a flow follows the one before.
const STAGGER: Duration = ms(500);
/// The time over which shares are taken.
const SHARE: Duration = secs(10);
/// Shares as equal as this have converged.
const EQUAL: f64 = 0.95;

/// Numbers of flows.
pub(crate) const MANY: [usize; 3] = [2, 8, 32];

/// How flows have shared.
pub(crate) struct Shared {
    /// Jain's index over the second half of the run.
    pub(crate) index: f64,
    /// How long after the last one's start every ten seconds are shared equally; `None`: never.
    pub(crate) converged: Option<Duration>,
    /// The part of the rate that is used in the second half, payload and headers.
    pub(crate) used: f64,
    pub(crate) complete: bool,
}

fn path() -> Bottleneck {
    Bottleneck::new(mbit(100), ms(20))
}

/// So many flows of one congestion control, one after the other.
pub(crate) fn share(many: usize, congestion: &'static str) -> Shared {
    let flow = |n: usize| Flow {
        congestion,
        start: STAGGER * n as u32,
        octets: None,
    };
    let transfers = Bulk {
        flows: (0..many).map(flow).collect(),
        sample: ms(100),
        ..Bulk::timed(path(), congestion, TIME)
    };
    let report = transfers.run();
    let halves = shares(&report, TIME / 2, TIME);
    let last = STAGGER * (many as u32 - 1);
    let mut converged = None;
    let mut at = TIME - SHARE;
    while at >= last && fairness(&shares(&report, at, at + SHARE)) >= EQUAL {
        converged = Some(at - last);
        at = at.saturating_sub(ms(500));
    }
    Shared {
        index: fairness(&halves),
        converged,
        used: halves.iter().sum::<f64>() * 1500.0 / 1448.0 / path().rate.0 as f64,
        complete: report.is_intact(),
    }
}

fn shares(report: &BulkReport, from: Duration, to: Duration) -> Vec<f64> {
    let flows = report.flows.iter();
    flows.map(|flow| flow.goodput_between(from, to)).collect()
}

impl Shared {
    pub(crate) fn line(&self, many: usize, congestion: &str) -> String {
        assert!(self.complete, "what arrived is not what was sent");
        let converged = match self.converged {
            Some(time) => format!("{:.1} s", time.as_secs_f64()),
            None => "not in two minutes".to_owned(),
        };
        format!(
            "| {congestion}, {many} flows | {:.3} | {converged} | {:.1} % |",
            self.index,
            self.used * 100.0
        )
    }
}
