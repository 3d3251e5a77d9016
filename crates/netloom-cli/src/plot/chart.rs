//! A connection's picture: time and sequence numbers, windows, round trips.

use super::svg::{Marks, Panel, Style, draw};
use super::trace::Trace;

const SENT: Style = style("#1f6fb4", 1.4, "sent");
const AGAIN: Style = style("#e07b00", 2.2, "sent again");
const LOST: Style = style("#d01c1c", 1.4, "lost");
const ACKED: Style = style("#2c8c3c", 1.2, "acknowledged");
const SACKED: Style = style("#8c4bb8", 1.6, "SACK");
const EDGE: Style = style("#b8b8b8", 1.0, "window");
const FLIGHT: Style = style("#1f6fb4", 1.0, "in flight");
const CWND: Style = style("#d01c1c", 1.6, "congestion window");
const RTT: Style = style("#1f6fb4", 2.0, "measured");
const SRTT: Style = style("#d01c1c", 1.6, "smoothed");

const fn style(color: &'static str, width: f64, name: &'static str) -> Style {
    Style { color, width, name }
}

/// The picture as SVG.
pub(super) fn svg(trace: &Trace) -> String {
    let ends = [
        trace.segments.last().map(|s| s.at),
        trace.acks.last().map(|a| a.at),
    ];
    let seconds = ends.into_iter().flatten().fold(0.0, f64::max);
    let highest = trace.segments.iter().map(|s| s.seq + s.len);
    let highest = highest.fold(0.0, f64::max);
    let repeated = trace.segments.iter().filter(|s| s.again).count();
    let lost = trace.segments.iter().filter(|s| s.lost).count();
    let mut title = format!(
        "{} to {}: {} octets in {seconds:.3} s, {} segments, {repeated} sent again",
        trace.from,
        trace.to,
        highest,
        trace.segments.len(),
    );
    if lost > 0 {
        title.push_str(&format!(", {lost} lost"));
    }
    let mut panels = vec![
        sequence(trace),
        Panel {
            name: "Octets".to_owned(),
            height: 200.0,
            marks: vec![
                (FLIGHT, Marks::Line(trace.flight.clone())),
                (CWND, Marks::Steps(trace.cwnd.clone())),
            ],
        },
    ];
    if !(trace.rtt.is_empty() && trace.srtt.is_empty()) {
        panels.push(Panel {
            name: "Round trip, ms".to_owned(),
            height: 160.0,
            marks: vec![
                (RTT, Marks::Dots(trace.rtt.clone())),
                (SRTT, Marks::Steps(trace.srtt.clone())),
            ],
        });
    }
    draw(&title, seconds, &panels)
}

fn sequence(trace: &Trace) -> Panel {
    let strokes = |again: bool| {
        trace
            .segments
            .iter()
            .filter(move |s| s.again == again)
            .map(|s| (s.at, s.seq, s.seq + s.len))
            .collect()
    };
    let lost = trace.segments.iter().filter(|s| s.lost);
    let line = |value: fn(&super::trace::Ack) -> f64| {
        trace.acks.iter().map(|ack| (ack.at, value(ack))).collect()
    };
    let sacked = trace.acks.iter().flat_map(|ack| {
        ack.sacked
            .iter()
            .map(|&(left, right)| (ack.at, left, right))
    });
    Panel {
        name: if trace.far_acks {
            "Sequence numbers; acknowledgments as they were sent".to_owned()
        } else {
            "Sequence numbers".to_owned()
        },
        height: 440.0,
        marks: vec![
            (EDGE, Marks::Steps(line(|ack| ack.edge))),
            (SACKED, Marks::Strokes(sacked.collect())),
            (ACKED, Marks::Steps(line(|ack| ack.ack))),
            (SENT, Marks::Strokes(strokes(false))),
            (AGAIN, Marks::Strokes(strokes(true))),
            (
                LOST,
                Marks::Crosses(lost.map(|s| (s.at, s.seq + s.len / 2.0)).collect()),
            ),
        ],
    }
}
