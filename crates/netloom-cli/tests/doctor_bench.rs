//! `netloom doctor` and `netloom bench`.
#![cfg(target_os = "linux")]

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_netloom"))
        .args(arguments)
        .output()
        .expect("the program starts")
}

#[test]
fn the_doctor_names_a_remedy_for_each_no() {
    let output = run(&["doctor"]);
    let told = String::from_utf8(output.stdout).unwrap();
    let noes = told
        .lines()
        .filter(|line| line.starts_with("no ") || line.starts_with("NO "))
        .count();
    assert_eq!(told.matches("  do: ").count(), noes, "{told}");
    assert_eq!(
        output.status.code() == Some(1),
        told.contains("NO "),
        "{told}"
    );
    let json = run(&["doctor", "--json"]);
    let told = String::from_utf8(json.stdout).unwrap();
    assert!(
        told.starts_with("[{\"name\":\"namespaces\",") && told.ends_with("}]\n"),
        "{told}"
    );
    assert_eq!(json.status.code(), output.status.code());
    let is_ok = |name: &str| {
        let (_, row) = told.split_once(&format!("{{\"name\":\"{name}\",")).unwrap();
        let (_, ok) = row.split_once("\"ok\":").unwrap();
        ok.starts_with("true")
    };
    // Every kernel with a tun driver that netloom can use offers it.
    assert!(
        is_ok("offload") || !(is_ok("namespaces") && is_ok("tun")),
        "{told}"
    );
}

#[test]
fn the_bench_measures_both_ways() {
    let measure = |seconds: &str| {
        let output = run(&["bench", "--seconds", seconds, "--json"]);
        assert!(output.status.success(), "{output:?}");
        output
    };
    let mut output = measure("0.2");
    // While the processors are others' so short a measurement moves nothing: then a longer one.
    if String::from_utf8_lossy(&output.stdout).contains(":0,") {
        output = measure("5");
    }
    let told = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = told.lines().collect();
    assert!(
        lines[0].starts_with("{\"what\":\"in memory\",\"bulk_mbit_s\":"),
        "{told}"
    );
    if lines.len() == 1 {
        eprintln!(
            "skipped: the kernel: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        return;
    }
    assert_eq!(lines.len(), 3, "{told}");
    for line in lines {
        assert!(line.ends_with('}') && !line.contains(":0,"), "{line}");
    }
}
