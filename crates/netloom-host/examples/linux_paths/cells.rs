//! The paths both makes are compared on.

use std::time::Duration;

use netloom_sim::{Bottleneck, mbit, ms, secs};

/// A path with a name.
pub(crate) struct Cell {
    pub(crate) name: &'static str,
    pub(crate) path: Bottleneck,
    pub(crate) time: Duration,
}

/// Name, Mbit/s, RTT in ms, loss in %, part reordered in %, by how many places, queue in
/// bandwidth-delay products, seconds.
type Row = (&'static str, u64, u64, f64, f64, u16, f64, u64);

const ROWS: &[Row] = &[
    ("long-fat", 1_000, 66, 0.003, 0.5, 3, 1.0, 60),
    ("clean", 200, 66, 0.0, 0.0, 1, 1.0, 20),
    ("shallow", 200, 66, 0.0, 0.0, 1, 0.2, 20),
    ("bloated", 50, 66, 0.0, 0.0, 1, 5.0, 20),
    ("near", 200, 10, 0.0, 0.0, 1, 1.0, 20),
    ("near-lossy", 200, 10, 0.1, 0.5, 3, 1.0, 20),
    ("reordered", 200, 10, 0.0, 5.0, 10, 1.0, 20),
    ("long-lossy", 200, 66, 0.1, 5.0, 10, 1.0, 20),
    ("random-loss", 100, 100, 1.0, 0.0, 1, 1.0, 30),
    ("very-lossy", 100, 10, 5.0, 0.5, 3, 1.0, 20),
    ("hardly", 100, 10, 30.0, 0.0, 1, 1.0, 30),
    ("far", 100, 300, 0.003, 0.0, 1, 1.0, 40),
    ("far-lossy", 50, 300, 0.1, 0.5, 3, 1.0, 40),
];

/// All of them.
pub(crate) fn cells() -> Vec<Cell> {
    let cell = |&(name, rate, rtt, loss, reorder, reorder_by, buffer, time): &Row| Cell {
        name,
        path: Bottleneck {
            loss: loss / 100.0,
            reorder: reorder / 100.0,
            reorder_by,
            buffer,
            ..Bottleneck::new(mbit(rate), ms(rtt))
        },
        time: secs(time),
    };
    ROWS.iter().map(cell).collect()
}

impl Cell {
    /// The path in words.
    pub(crate) fn describe(&self) -> String {
        let path = &self.path;
        let overtaken = if path.reorder > 0.0 {
            format!(", {} % by {}", path.reorder * 100.0, path.reorder_by)
        } else {
            String::new()
        };
        format!(
            "{} Mbit/s, {} ms, {} % loss{overtaken}, {} BDP, {} s",
            path.rate.0 / 1_000_000,
            path.rtt.as_millis(),
            path.loss * 100.0,
            path.buffer,
            self.time.as_secs()
        )
    }
}
