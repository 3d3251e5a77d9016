//! What the program says when it cannot do what it was told.
#![cfg(target_os = "linux")]

use std::fs;
use std::net::TcpListener;
use std::process::Command;

/// Exit code, standard output, standard error.
fn run(args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_netloom"))
        .args(args)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

fn assert_fails(args: &[&str], code: i32, says: &[&str]) {
    let (exit, _, errors) = run(args);
    assert_eq!(exit, Some(code), "{args:?}: {errors}");
    assert_eq!(errors.lines().count(), 1, "{args:?}: {errors}");
    assert!(errors.starts_with("netloom: "), "{errors}");
    for part in says {
        assert!(errors.contains(part), "{args:?}: {errors}");
    }
}

#[test]
fn what_cannot_be_done_is_one_line_and_code_1() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let missing = folder.path().join("missing");
    let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    assert_fails(
        &["serve", &path(&missing)],
        1,
        &["no such folder", &path(&missing)],
    );
    assert_fails(&["serve", &path(&file)], 1, &["not a folder", &path(&file)]);
    assert_fails(
        &["serve", "--upload", &path(&missing)],
        1,
        &["store uploads in", "no such folder", &path(&missing)],
    );
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    assert_fails(&["serve", "--port", &port], 1, &["in use", &port, "--port"]);
    // An address for documentation is nobody's (RFC 5737).
    assert_fails(
        &["serve", "--listen", "192.0.2.1:8080"],
        1,
        &["no such address", "--bind"],
    );
}

#[test]
fn what_makes_no_sense_is_one_line_and_code_2() {
    for args in [
        &["brew"][..],
        &["serve", "--port", "70000"],
        &["serve", "--port", "x"],
        &["serve", "--bind", "localhost:80"],
        &["serve", "--listen", "127.0.0.1:1", "--port", "2"],
        &["serve", "--nothing"],
        &["serve", "--tap", "--listen", "127.0.0.1:1"],
        &["serve", "a", "b"],
        &["serve", "--address", "10.0.0.1/24"],
        &["serve", "--tap", "--tun"],
        &["serve", "--upload-limit", "1G"],
        &["serve", "--upload", ".", "--upload-limit", "much"],
        &["get"],
        &["run"],
        &["ping"],
        &["ping", "name"],
        &["ping", "-s", "70000", "10.71.0.1"],
        &["get", "--resolve", "x", "http://x/"],
        &["dns"],
        &["dns", "--tap", "--type", "XYZ", "example.org"],
        &["dns", "--tap", "--server", "nobody", "example.org"],
        &["dns", "--tap", "--search", "a..b", "example.org"],
        &["ntp"],
        &["ntp", "--tap", "--samples", "9", "10.71.0.1"],
        &["ntp", "--tap", "--serve", "10.71.0.1"],
        &["ntp", "--tap", "--stratum", "3", "10.71.0.1"],
        &["get", "--timeout", "0", "http://127.0.0.1/"],
        &["get", "--timeout", "1e19", "http://127.0.0.1/"],
        &["dhcp", "--tap", "--timeout", "1e19"],
        &["ping", "--tap", "-W", "1e19", "10.71.0.1"],
    ] {
        assert_fails(args, 2, &["--help"]);
    }
}

#[test]
fn what_is_missing_or_in_the_way_is_named() {
    for (args, says) in [
        (&["get"][..], &["<URL>", "see `netloom get --help`"][..]),
        (
            &["dhcpd", "--tap"],
            &["--pool", "see `netloom dhcpd --help`"],
        ),
        (
            &["serve", "--tap", "--tun", "--interface", "x"],
            &[
                "--tap",
                "--tun",
                "--interface",
                "see `netloom serve --help`",
            ],
        ),
        (
            &["serve", "--port", "x"],
            &["--port", "see `netloom serve --help`"],
        ),
        (&["brew"], &["brew", "see `netloom --help`"]),
        (&["--brew"], &["--brew", "see `netloom --help`"]),
        (&["help", "brew"], &["brew", "see `netloom --help`"]),
    ] {
        assert_fails(args, 2, says);
    }
}

#[test]
fn help_has_an_example() {
    for (command, option) in [
        ("serve", "--upload"),
        ("demo", "--pcap"),
        ("get", "--continue"),
        ("run", "--serve"),
        ("doctor", "--json"),
        ("bench", "--seconds"),
        ("ping", "--interval"),
        ("dns", "--server"),
        ("ntp", "--samples"),
        ("dhcp", "--hold"),
        ("dhcpd", "--pool"),
    ] {
        let (code, output, _) = run(&[command, "--help"]);
        assert_eq!(code, Some(0));
        assert!(
            output.contains("Examples:") && output.contains(option),
            "{output}"
        );
    }
    assert_eq!(run(&["--version"]).0, Some(0));
}

#[test]
fn what_dhcpd_cannot_give_away_is_named() {
    let pool = "10.71.0.100-10.71.0.200";
    for (args, says) in [
        (
            &["--pool", "10.71.0.0-10.71.0.50"][..],
            &["10.71.0.0-10.71.0.50", "10.71.0.0/24"][..],
        ),
        (
            &["--pool", "10.71.0.9-10.71.0.255"],
            &["10.71.0.9-10.71.0.255"],
        ),
        (&["--pool", pool, "--dns", "fd71::1"], &["--dns", "IPv4"]),
        (
            &["--pool", pool, "--option", "51=00000e10"],
            &["--option", "51", "--lease-time"],
        ),
        (
            &["--pool", pool, "--reserve", "02:00:00:00:00:07=10.72.0.7"],
            &["--reserve", "10.72.0.7"],
        ),
        (
            &["--pool", pool, "--reserve", "02:00:00:00:00:07=10.71.0.255"],
            &["--reserve", "10.71.0.255"],
        ),
        (
            &[
                "--pool",
                pool,
                "--reserve",
                "02:00:00:00:00:07=10.71.0.7",
                "--reserve",
                "02:00:00:00:00:08=10.71.0.8",
                "--reserve",
                "02:00:00:00:00:09=10.71.0.7",
            ],
            &["--reserve", "10.71.0.7"],
        ),
    ] {
        assert_fails(&[&["dhcpd", "--tap"], args].concat(), 2, says);
    }
}
