//! The robustness matrix: bulk transfers over every kind of bad path, with every congestion control.
//!
//! ```text
//! cargo run --release -p netloom-sim --example matrix            # compares with docs/robustness.md
//! cargo run --release -p netloom-sim --example matrix -- --write # rewrites it
//! cargo run --release -p netloom-sim --example matrix -- --only "66 ms | 1 %"
//! cargo run --release -p netloom-sim --example matrix -- \
//!     --capture cell.pcapng --only "66 ms | 1 % | none | 1 BDP" --congestion cubic
//! netloom plot cell.pcapng                                       # draws cell.svg
//! ```
//!
//! The last two show one cell: what its sender's host saw, with its window and round trip as remarks.

mod cell;
mod share;
mod table;

use std::path::PathBuf;
use std::time::Instant;
use std::{fs, io};

use netloom_sim::Bulk;
use netloom_sim::stack::Tunables;

use cell::{Row, rows};
use share::{MANY, share};
use table::{counterpart, line, worse};

/// Where the table stands, from the root of the repository.
const PAGE: &str = "docs/robustness.md";
const BEGIN: &str = "<!-- made by the example `matrix` of netloom-sim: do not edit from here -->";
const END: &str = "<!-- to here -->";

#[derive(Default)]
struct Options {
    write: bool,
    only: Option<String>,
    congestion: Option<String>,
    capture: Option<PathBuf>,
}

fn usage<T>(word: &str) -> T {
    eprintln!("{word}? matrix [--write] [--only TEXT] [--congestion NAME] [--capture FILE]");
    std::process::exit(2);
}

fn options() -> Options {
    let mut options = Options::default();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap_or_else(|| usage(&word));
        match word.as_str() {
            "--write" => options.write = true,
            "--only" => options.only = Some(value()),
            "--congestion" => options.congestion = Some(value()),
            "--capture" => options.capture = Some(value().into()),
            _ => usage(&word),
        }
    }
    options
}

/// The congestion controls that are built in, of those the matrix has a column for.
fn built_in() -> Vec<&'static str> {
    let all = ["cubic", "reno", "bbr"].into_iter();
    all.filter(|name| {
        let set = Tunables::default().set_named("tcp_congestion_control", name);
        set.is_ok()
    })
    .collect()
}

fn page() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(PAGE)
}

fn main() -> io::Result<()> {
    let options = options();
    let mut congestion = built_in();
    if let Some(name) = &options.congestion {
        congestion.retain(|known| known == name);
        if congestion.is_empty() {
            usage::<()>(name);
        }
    }
    let wanted = |row: &Row| {
        let only = options.only.as_deref();
        only.is_none_or(|only| format!("{} |", row.name()).contains(only))
    };
    let rows: Vec<Row> = rows().into_iter().filter(wanted).collect();
    if let Some(file) = &options.capture {
        return capture(&rows, &congestion, file);
    }
    let old = fs::read_to_string(page()).unwrap_or_default();
    let start = Instant::now();
    let (mut lines, mut bad) = (Vec::new(), 0);
    for row in &rows {
        let outcomes: Vec<_> = congestion.iter().map(|c| (*c, row.run(c))).collect();
        let new = line(row, &outcomes);
        let before = counterpart(&old, row);
        let verdict = if new.contains("?") || new.contains("incomplete") {
            Some("not within the bound, and no rule says why")
        } else {
            before.and_then(|before| worse(before, &new))
        };
        match verdict {
            Some(verdict) => {
                bad += 1;
                println!("{new} <- {verdict}");
            }
            None if before == Some(new.as_str()) => {}
            None => println!("{new}"),
        }
        lines.push(new);
    }
    eprintln!(
        "{} rows in {:.0} s",
        rows.len(),
        start.elapsed().as_secs_f64()
    );
    let shared = if options.only.is_none() {
        let all = congestion.iter().flat_map(|c| MANY.map(|many| (many, *c)));
        let lines = all.map(|(many, c)| share(many, c).line(many, c));
        lines.collect()
    } else {
        Vec::new()
    };
    for line in &shared {
        println!("{line}");
    }
    if options.write {
        if options.only.is_some() || options.congestion.is_some() {
            usage::<()>("--write of a part");
        }
        write(&old, &lines, &shared, &congestion)?;
    }
    eprintln!("in all {:.0} s", start.elapsed().as_secs_f64());
    if bad > 0 && !options.write {
        eprintln!("{bad} rows are not as they should be");
        std::process::exit(1);
    }
    Ok(())
}

/// Writes what the sender's host of a cell saw.
fn capture(rows: &[Row], congestion: &[&'static str], file: &PathBuf) -> io::Result<()> {
    let ([row], [congestion, ..]) = (rows, congestion) else {
        eprintln!("--only is to name one row; it names {}", rows.len());
        std::process::exit(2);
    };
    let transfer = Bulk {
        capture: true,
        ..row.transfer(congestion)
    };
    let report = transfer.run();
    let outcome = row.run(congestion);
    println!("{}", line(row, &[(*congestion, outcome)]));
    fs::write(file, report.pcapng.unwrap_or_default())
}

/// Puts the tables between their marks.
fn write(old: &str, lines: &[String], shared: &[String], congestion: &[&str]) -> io::Result<()> {
    let (head, rest) = old.split_once(BEGIN).unwrap_or((old, ""));
    let tail = rest.split_once(END).map_or("\n", |(_, tail)| tail);
    let columns = congestion.join(" | ");
    let rules = "---|".repeat(6 + congestion.len());
    let mut text = format!(
        "{head}{BEGIN}\n\n## The matrix\n\n| RTT | loss | reordering | queue | bound, Mbit/s | {columns} | why less |\n|{rules}\n"
    );
    for line in lines {
        text += line;
        text += "\n";
    }
    text += "\nReasons:\n\n";
    for words in cell::excuses() {
        text += &format!("- {words}\n");
    }
    text += "\n## Shares\n\n| | Jain's index | converged after | link used |\n|---|---|---|---|\n";
    for line in shared {
        text += line;
        text += "\n";
    }
    text += &format!("\n{END}{tail}");
    fs::write(page(), text)
}
