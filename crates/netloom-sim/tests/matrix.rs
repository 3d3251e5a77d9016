//! A slice of the robustness matrix (`examples/matrix`): rows of every kind against what
//! docs/robustness.md says of them.

#[path = "../examples/matrix/cell.rs"]
#[allow(dead_code, reason = "the example uses all of it")]
mod cell;
#[path = "../examples/matrix/share.rs"]
#[allow(dead_code, reason = "the example uses all of it")]
mod share;
#[path = "../examples/matrix/table.rs"]
mod table;

use cell::{Outcome, Row, rows};

const PAGE: &str = include_str!("../../../docs/robustness.md");
/// Payload a row may ask for, so that the slice takes seconds: a long one is as much work as many.
const SLIGHT: f64 = 6e6;

fn outcomes(row: &Row) -> Vec<(&'static str, Outcome)> {
    let built_in = netloom_sim::stack::Tunables::default();
    ["cubic", "reno", "bbr"]
        .into_iter()
        .filter(|name| {
            let mut tunables = built_in.clone();
            tunables.set_named("tcp_congestion_control", name).is_ok()
        })
        .map(|name| (name, row.run(name)))
        .collect()
}

fn octets(row: &Row) -> f64 {
    row.transfer("cubic").flows[0].octets.unwrap_or(0) as f64
}

#[test]
fn every_row_has_its_line() {
    for row in rows() {
        let line = table::counterpart(PAGE, &row);
        let line = line.unwrap_or_else(|| panic!("no line for {}", row.name()));
        assert!(!line.contains('?'), "no reason is given: {line}");
        assert!(!line.contains("incomplete"), "{line}");
    }
}

#[test]
fn a_slice_is_as_it_was() {
    // Every seventh of those that are soon done: all losses, round trips, reorderings and queues.
    let slight = rows().into_iter().filter(|row| octets(row) <= SLIGHT);
    let slice: Vec<Row> = slight.step_by(7).collect();
    assert!(slice.len() >= 12, "{}", slice.len());
    for row in slice {
        let new = table::line(&row, &outcomes(&row));
        let old = table::counterpart(PAGE, &row).expect("every row has its line");
        assert!(!new.contains('?') && !new.contains("incomplete"), "{new}");
        let worse = table::worse(old, &new);
        assert_eq!(worse, None, "was {old}\nis  {new}");
    }
}

#[test]
fn what_is_worse_is_seen() {
    let row = rows()[100];
    let outcome = Outcome {
        complete: true,
        goodput: row.bound().bits(),
        retransmissions: 500,
        spurious: 3,
    };
    let line = |outcome| table::line(&row, &[("cubic", outcome), ("reno", outcome)]);
    let old = line(outcome);
    assert_eq!(table::worse(&old, &old), None);
    let with = |change: fn(&mut Outcome)| {
        let mut outcome = outcome;
        change(&mut outcome);
        table::worse(&old, &line(outcome))
    };
    assert_eq!(with(|o| o.goodput *= 0.9), None);
    assert_eq!(with(|o| o.goodput *= 0.7), Some("slower"));
    assert_eq!(
        with(|o| o.retransmissions = 800),
        Some("more is sent again")
    );
    assert!(with(|o| o.spurious = 100).is_some());
    assert!(
        line(Outcome {
            complete: false,
            ..outcome
        })
        .contains("incomplete")
    );
}

#[test]
fn eight_flows_share_evenly() {
    let shared = share::share(8, "cubic");
    assert!(shared.complete);
    assert!(shared.index >= 0.95, "{}", shared.line(8, "cubic"));
    assert!(shared.used > 0.9, "{}", shared.line(8, "cubic"));
}
