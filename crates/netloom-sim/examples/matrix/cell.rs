//! The cells of the matrix: a path, a congestion control, and what may be expected of them.

use std::fmt;
use std::time::Duration;

use netloom_sim::{Bottleneck, Bulk, BulkReport, Rate, mbit, ms, us};

/// Payload of a full packet: 1500 octets less IPv4 and TCP headers with timestamps.
const MSS: f64 = 1_448.0;
/// A full packet.
const MTU: f64 = 1_500.0;
/// What a retransmission timeout lasts beyond the round trip (`tcp_rto_min`), in seconds.
const RTO_MIN: f64 = 0.2;
/// A transfer has so many octets at least, however slow.
const LEAST: f64 = 200_000.0;
/// How much longer than its bound a transfer may take before it is given up.
const PATIENCE: u32 = 60;
/// How much less than the bound is no reason to look for a reason.
const SLACK: f64 = 4.0;

/// Loss in percent.
pub(crate) const LOSSES: [f64; 6] = [0.0, 0.003, 0.1, 1.0, 5.0, 30.0];
/// Packets overtaken in percent, and by how many.
pub(crate) const REORDERINGS: [(f64, u16); 3] = [(0.0, 0), (0.5, 3), (5.0, 10)];
/// Queues in bandwidth-delay products.
pub(crate) const BUFFERS: [f64; 3] = [0.2, 1.0, 5.0];
/// Round trips in microseconds; for each the rate of the bottleneck, and how many seconds a transfer
/// at that rate lasts: so chosen that a window has from a handful of segments to thousands, and a
/// transfer has some ten thousand.
pub(crate) const ROUND_TRIPS: [(u64, Rate, u64); 4] = [
    (100, mbit(1_000), 1),
    (10_000, mbit(100), 8),
    (66_000, mbit(50), 16),
    (300_000, mbit(20), 40),
];

/// A path of the matrix: a row of its table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Row {
    pub(crate) loss: f64,
    pub(crate) rtt: u64,
    pub(crate) rate: Rate,
    pub(crate) seconds: u64,
    pub(crate) reordering: (f64, u16),
    pub(crate) buffer: f64,
}

/// All rows.
pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (rtt, rate, seconds) in ROUND_TRIPS {
        for loss in LOSSES {
            for reordering in REORDERINGS {
                for buffer in BUFFERS {
                    rows.push(Row {
                        loss,
                        rtt,
                        rate,
                        seconds,
                        reordering,
                        buffer,
                    });
                }
            }
        }
    }
    rows
}

/// What limits a flow of loss-based congestion control, in bits a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bound {
    /// The bottleneck.
    Rate(f64),
    /// The square root of the loss: MSS/RTT * sqrt(3/2p) (Mathis, Semke, Mahdavi and Ott, 1997).
    Mathis(f64),
    /// Timeouts: MSS / (RTT * sqrt(2p/3) + T0 * min(1, 3 sqrt(3p/8)) * p * (1 + 32 p^2))
    /// (Padhye, Firoiu, Towsley and Kurose, 1998).
    Rto(f64),
}

impl Bound {
    pub(crate) fn bits(self) -> f64 {
        match self {
            Bound::Rate(bits) | Bound::Mathis(bits) | Bound::Rto(bits) => bits,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Bound::Rate(_) => "rate",
            Bound::Mathis(_) => "Mathis",
            Bound::Rto(_) => "RTO",
        };
        write!(f, "{} {kind}", Figure(self.bits() / 1e6))
    }
}

/// A number with three digits that say something.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Figure(pub(crate) f64);

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = match self.0 {
            n if n >= 99.95 => 0,
            n if n >= 9.995 => 1,
            n if n >= 0.9995 => 2,
            _ => 3,
        };
        write!(f, "{:.decimals$}", self.0)
    }
}

impl Row {
    /// What names it: the first columns of its line.
    pub(crate) fn name(&self) -> String {
        let reordering = match self.reordering {
            (0.0, _) => "none".to_owned(),
            (part, by) => format!("{part} % by {by}"),
        };
        format!(
            "{} ms | {} % | {reordering} | {} BDP",
            self.rtt as f64 / 1e3,
            self.loss,
            self.buffer
        )
    }

    pub(crate) fn path(&self) -> Bottleneck {
        Bottleneck {
            loss: self.loss / 100.0,
            reorder: self.reordering.0 / 100.0,
            reorder_by: self.reordering.1,
            buffer: self.buffer,
            ..Bottleneck::new(self.rate, us(self.rtt))
        }
    }

    /// The least of the bounds.
    pub(crate) fn bound(&self) -> Bound {
        let (rtt, p) = (self.rtt as f64 / 1e6, self.loss / 100.0);
        let rate = Bound::Rate(self.rate.0 as f64 * MSS / MTU);
        if p == 0.0 {
            return rate;
        }
        let mathis = MSS * 8.0 / rtt * (1.5 / p).sqrt();
        let timeout = (rtt + RTO_MIN) * (3.0 * (3.0 * p / 8.0).sqrt()).min(1.0);
        let a_segment = rtt * (2.0 * p / 3.0).sqrt() + timeout * p * (1.0 + 32.0 * p * p);
        let bounds = [
            rate,
            Bound::Mathis(mathis),
            Bound::Rto(MSS * 8.0 / a_segment),
        ];
        let least = bounds
            .into_iter()
            .min_by(|a, b| a.bits().total_cmp(&b.bits()));
        least.unwrap_or(rate)
    }

    /// The transfer: as much as the bound carries in the row's time.
    pub(crate) fn transfer(&self, congestion: &'static str) -> Bulk {
        let octets = (self.bound().bits() / 8.0 * self.seconds as f64).max(LEAST);
        let time = octets * 8.0 / self.bound().bits();
        let patience = Duration::from_secs_f64(time) * PATIENCE;
        Bulk {
            sample: ms(20),
            ..Bulk::octets(self.path(), congestion, octets as u64, patience)
        }
    }

    /// Runs the transfer.
    pub(crate) fn run(&self, congestion: &'static str) -> Outcome {
        let transfer = self.transfer(congestion);
        Outcome::of(&transfer, &transfer.run())
    }

    /// Why less than a quarter of the bound may come of it, by what the path is like.
    pub(crate) fn excuse(&self) -> Option<&'static str> {
        let path = self.path();
        let window = (path.bdp() + path.queue() as f64) / MTU;
        let by = f64::from(self.reordering.1);
        EXCUSES
            .iter()
            .find(|excuse| (excuse.applies)(self, window, by))
            .map(|excuse| excuse.words)
    }
}

/// A rule by which the bound does not hold.
struct Excuse {
    /// Row, packets that path and queue hold, packets that overtake one.
    applies: fn(&Row, f64, f64) -> bool,
    words: &'static str,
}

const EXCUSES: &[Excuse] = &[
    Excuse {
        applies: |row, window, by| row.reordering.0 > 0.0 && window < 2.0 * by,
        words: "a: a packet is overtaken by about as many as the path and its queue hold: it waits for \
                them for up to 20 ms, or 200 round trips",
    },
    Excuse {
        applies: |row, _, _| row.path().queue() < 3 * MTU as usize,
        words: "b: the queue holds two packets, which one acknowledgment lets out: about one packet in ten \
                finds it full",
    },
];

/// What came of a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Outcome {
    /// Everything arrived as it was sent, and in time.
    pub(crate) complete: bool,
    /// Bits a second.
    pub(crate) goodput: f64,
    pub(crate) retransmissions: u64,
    pub(crate) spurious: u64,
}

impl Outcome {
    fn of(transfer: &Bulk, report: &BulkReport) -> Outcome {
        let flow = &report.flows[0];
        Outcome {
            complete: flow.intact
                && flow.finished.is_some()
                && transfer.flows[0].octets == Some(flow.received),
            goodput: report.goodput(),
            retransmissions: report.retransmissions(),
            spurious: report.spurious(),
        }
    }

    /// Whether it is what the bound lets expect.
    pub(crate) fn is_within(&self, bound: Bound) -> bool {
        self.complete && self.goodput * SLACK >= bound.bits()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.complete {
            f.write_str("incomplete, ")?;
        }
        let goodput = Figure(self.goodput / 1e6);
        write!(f, "{goodput} ({}, {})", self.retransmissions, self.spurious)
    }
}

/// All rules, each with its letter.
pub(crate) fn excuses() -> impl Iterator<Item = &'static str> {
    EXCUSES.iter().map(|excuse| excuse.words)
}
