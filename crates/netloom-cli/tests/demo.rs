//! `netloom demo`, which is also `netloom`.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn netloom(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_netloom"))
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap()
}

#[test]
fn without_arguments_it_shows_everything_and_writes_a_capture() {
    let folder = tempfile::tempdir().unwrap();
    let output = netloom(folder.path(), &[]);
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    for part in ["Flags [S]", "Flags [S.]", "10000000 octets in", "Next:"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let sums: Vec<_> = told
        .lines()
        .filter(|line| line.contains("SHA-256"))
        .filter_map(|line| line.split_whitespace().last())
        .collect();
    assert!(
        sums.len() >= 2 && sums.iter().all(|sum| sum == &sums[0]),
        "{told}"
    );
    let capture = folder.path().join("demo.pcapng");
    assert!(fs::metadata(&capture).unwrap().len() > 10_000_000);
    no_malformed_packet(&capture);
}

/// Asks tshark, where there is one.
fn no_malformed_packet(capture: &Path) {
    let asked = Command::new("tshark")
        .args([
            "-o",
            "tcp.check_checksum:TRUE",
            "-o",
            "ip.check_checksum:TRUE",
        ])
        .args(["-Y", "_ws.malformed || tcp.checksum.status == 0", "-r"])
        .arg(capture)
        .output();
    match asked {
        Ok(output) => {
            assert!(output.status.success(), "{output:?}");
            assert_eq!(String::from_utf8_lossy(&output.stdout), "");
        }
        Err(error) => eprintln!("SKIPPED: tshark: {error}"),
    }
}

#[test]
fn the_same_seed_is_the_same_capture() {
    let folder = tempfile::tempdir().unwrap();
    let capture = |seed: &str, name: &str| {
        let output = netloom(folder.path(), &["demo", "--seed", seed, "--pcap", name]);
        assert!(output.status.success(), "{output:?}");
        fs::read(folder.path().join(name)).unwrap()
    };
    let first = capture("1", "a.pcapng");
    assert!(first == capture("1", "b.pcapng"));
    assert!(first != capture("2", "c.pcapng"));
}

#[test]
fn the_picture_of_the_page_is_the_one_that_plot_draws() {
    let folder = tempfile::tempdir().unwrap();
    let output = netloom(folder.path(), &["demo"]);
    assert!(output.status.success(), "{output:?}");
    let output = netloom(folder.path(), &["plot", "demo.pcapng"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "wrote demo.svg\n");
    let picture = fs::read_to_string(folder.path().join("demo.svg")).unwrap();
    for part in ["sent again", "congestion window", "smoothed", "</svg>"] {
        assert!(picture.contains(part), "{part}");
    }
    let page = fs::read_to_string(folder.path().join("demo.html")).unwrap();
    assert!(page.contains(&picture));
    let output = netloom(folder.path(), &["plot", "-n", "2", "demo.pcapng"]);
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "netloom: demo.pcapng: there is no connection 2: it has 1, see --list\n"
    );
    let output = netloom(folder.path(), &["plot", "--list", "demo.pcapng"]);
    let listed = String::from_utf8_lossy(&output.stdout);
    assert!(
        listed.starts_with("  1  10.0.0.2:80 > 10.0.0.1:47826  "),
        "{listed}"
    );
}

#[test]
fn a_capture_that_cannot_be_written_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let output = netloom(folder.path(), &["demo", "--pcap", "missing/a.pcapng"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(
        errors.contains("missing/a.pcapng") && errors.contains("--pcap"),
        "{errors}"
    );
}

/// The part of the output that is the same on every machine: up to the kernel's turn, without the
/// time it took.
fn reproducible(output: &str) -> Vec<&str> {
    output
        .lines()
        .take_while(|line| !line.starts_with("The kernel's TCP"))
        .map(|line| line.split(" (and ").next().unwrap_or(line))
        .collect()
}

#[test]
fn readme_shows_what_the_demo_prints() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    // A packaged crate stands alone.
    let Ok(readme) = fs::read_to_string(readme) else {
        println!("skipped: readme_shows_what_the_demo_prints: there is no README of the workspace");
        return;
    };
    let shown = readme
        .split_once("```text\n")
        .and_then(|(_, rest)| rest.split_once("```"))
        .map(|(block, _)| block)
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let output = netloom(folder.path(), &["demo"]);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(reproducible(shown), reproducible(&printed));
}
