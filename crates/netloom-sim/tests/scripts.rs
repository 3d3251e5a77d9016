//! Every script under `scripts/`: over IPv4 and IPv6, and from sequence numbers at the wrap.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use netloom_sim::drill::{IpVersion, RunOptions, Script};

/// The runs of each script.
struct Run {
    name: &'static str,
    version: IpVersion,
    wraps: bool,
    options: RunOptions,
}

/// Both versions; and both ends' numbers wrapping, once with the SYN's own and once within the
/// first kilobyte of data.
fn runs() -> Vec<Run> {
    let mut runs = Vec::new();
    for (version, name, name_at_wrap, isn) in [
        (IpVersion::V4, "IPv4", "IPv4, SYN at the wrap", u32::MAX),
        (
            IpVersion::V6,
            "IPv6",
            "IPv6, data at the wrap",
            u32::MAX - 500,
        ),
    ] {
        let options = RunOptions {
            ip_version: Some(version),
            ..RunOptions::default()
        };
        runs.push(Run {
            name,
            version,
            wraps: false,
            options,
        });
        runs.push(Run {
            name: name_at_wrap,
            version,
            wraps: true,
            options: RunOptions {
                local_isn: Some(isn),
                remote_ahead: isn,
                ..options
            },
        });
    }
    runs
}

fn scripts_under(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            scripts_under(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "pkt") {
            found.push(path);
        }
    }
}

#[test]
fn every_script_passes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let mut scripts = Vec::new();
    scripts_under(&folder, &mut scripts);
    assert!(!scripts.is_empty(), "no scripts under {}", folder.display());
    let only = std::env::var("SCRIPT").ok();
    let (mut ran, mut failures, mut failed) = (0, String::new(), 0);
    for path in &scripts {
        let name = path.strip_prefix(&folder).unwrap().display().to_string();
        if only.as_ref().is_some_and(|only| !name.contains(only)) {
            continue;
        }
        let text = std::fs::read_to_string(path).unwrap();
        let script = match Script::parse(&text) {
            Ok(script) => script,
            Err(error) => {
                failed += 1;
                let _ = writeln!(failures, "FAILED scripts/{name}:{error}");
                continue;
            }
        };
        for run in runs() {
            if !script.runs_over(run.version) || run.wraps && !script.runs_at_the_wrap() {
                continue;
            }
            ran += 1;
            if let Err(failure) = script.run(&run.options) {
                failed += 1;
                let _ = writeln!(failures, "FAILED ({}) scripts/{name}:{failure}", run.name);
            }
        }
    }
    println!("{} scripts, {ran} runs, {failed} failed", scripts.len());
    assert!(failed == 0, "\n{failures}");
}
