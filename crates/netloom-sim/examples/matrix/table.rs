//! The matrix as text, and what is read back from it.

use crate::cell::{Outcome, Row};

/// A row's line.
pub(crate) fn line(row: &Row, outcomes: &[(&'static str, Outcome)]) -> String {
    let bound = row.bound();
    let mut line = format!("| {} | {bound}", row.name());
    let mut letters: Vec<String> = Vec::new();
    for (congestion, outcome) in outcomes {
        line += &format!(" | {outcome}");
        if !outcome.is_within(bound) {
            let letter = match row.excuse() {
                Some(words) => words.split(':').next().unwrap_or_default(),
                None => "?",
            };
            letters.push(format!("{congestion}: {letter}"));
        }
    }
    line + &format!(" | {} |", letters.join(", "))
}

/// What a line says of its outcomes: megabits a second, segments sent again, needlessly.
fn figures(line: &str) -> Vec<[f64; 3]> {
    let cells = line.split('|').skip(6);
    cells
        .filter_map(|cell| {
            let (goodput, rest) = cell.split_once('(')?;
            let (again, spurious) = rest.trim().strip_suffix(')')?.split_once(',')?;
            let number = |text: &str| text.trim().parse().ok();
            Some([number(goodput)?, number(again)?, number(spurious)?])
        })
        .collect()
}

/// What is worse in a new line than in the old one, beyond what chance makes of a small change.
pub(crate) fn worse(old: &str, new: &str) -> Option<&'static str> {
    for (old, new) in figures(old).iter().zip(figures(new)) {
        if new[0] < old[0] * 0.8 {
            return Some("slower");
        }
        if new[1] > old[1] * 1.3 + 30.0 {
            return Some("more is sent again");
        }
        if new[2] > old[2] * 1.3 + 30.0 {
            return Some("more is sent again needlessly");
        }
    }
    None
}

/// The line of a text that begins like this one, up to the bound.
pub(crate) fn counterpart<'a>(text: &'a str, row: &Row) -> Option<&'a str> {
    let start = format!("| {} |", row.name());
    text.lines().find(|line| line.starts_with(&start))
}
