//! `netloom replay`, as a program.

use std::path::Path;
use std::process::{Command, Output};

fn replay(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_netloom"))
        .arg("replay")
        .args(args)
        .output()
        .unwrap()
}

fn script(folder: &Path, text: &str) -> String {
    script_named(folder, "script.pkt", text)
}

fn script_named(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_script_that_passes_is_silent_unless_asked() {
    let folder = tempfile::tempdir().unwrap();
    let file = script(folder.path(), "0 < S 0:0(0) win 9\n+0 > R. 0:0(0) ack 1\n");
    let quiet = replay(&[&file]);
    assert!(quiet.status.success(), "{}", stderr(&quiet));
    assert!(quiet.stdout.is_empty());
    let told = replay(&["-v", "--ipv6", &file]);
    let text = String::from_utf8(told.stdout).unwrap();
    assert!(
        text.starts_with("0.000000 < S 0:0(0) win 9\n0.000000 > R. 0:0(0) ack 1 win "),
        "{text}"
    );
}

#[test]
fn a_failure_names_file_line_and_both_packets() {
    let folder = tempfile::tempdir().unwrap();
    let file = script(folder.path(), "0 < S 0:0(0) win 9\n+0 > R. 0:0(0) ack 2\n");
    let output = replay(&[&file]);
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(
        text.contains("script.pkt:2:1: ack: 2 expected, 1 came"),
        "{text}"
    );
    assert!(text.contains("came: 0.000000 > R. 0:0(0) ack 1"), "{text}");
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

const ONLY_IPV6: &str = "// netloom: only=ipv6
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0 > S 0:0(0) <...>
+.1 < icmp unreachable address_unreachable [0:0(0)]
";

#[test]
fn a_script_for_one_version_of_ip_runs_over_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = script(folder.path(), ONLY_IPV6);
    for args in [&[file.as_str()][..], &["--ipv6", &file]] {
        let output = replay(args);
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(output.stdout.is_empty(), "{}", stdout(&output));
    }
    // Over the other one it does not run, and says so.
    let output = replay(&["--ipv4", &file]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).ends_with("script.pkt: skipped: it is only for IPv6\n"));
}

#[test]
fn all_scripts_run_whichever_fails() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name, text| script_named(folder.path(), name, text);
    let wrong = file("a.pkt", "0 < S 0:0(0) win 9\n+0 > R. 0:0(0) ack 2\n");
    let right = file("b.pkt", "0 < S 0:0(0) win 9\n+0 > R. 0:0(0) ack 1\n");
    let other = file("c.pkt", ONLY_IPV6);
    let output = replay(&["--ipv4", &wrong, &right, &other]);
    assert_eq!(output.status.code(), Some(1));
    let told = stdout(&output);
    assert!(told.contains("b.pkt: passed\n"), "{told}");
    assert!(told.contains("c.pkt: skipped"), "{told}");
    let errors = stderr(&output);
    assert!(errors.contains("a.pkt:2:1: ack: 2 expected"), "{errors}");
    assert!(
        errors.contains("1 passed, 1 failed, 1 skipped\n"),
        "{errors}"
    );

    let output = replay(&[&right, &other]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).ends_with("\n2 passed, 0 failed, 0 skipped\n"));

    // One that makes no sense is the worst of all, and the rest runs all the same.
    let senseless = file("d.pkt", "0 `true`\n");
    let output = replay(&[&senseless, &wrong, &right]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stdout(&output).contains("b.pkt: passed\n"));
    assert!(stderr(&output).contains("1 passed, 2 failed, 0 skipped\n"));
}

#[test]
fn bad_input_is_one_line_and_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let file = script(folder.path(), "0 `rm -rf /tmp/x`\n");
    for (args, what) in [
        (
            [file.as_str()],
            "script.pkt:1:3: a script cannot run a shell",
        ),
        (["/nowhere.pkt"], "/nowhere.pkt: there is no such file"),
        (["/dev"], "/dev: "),
    ] {
        let output = replay(&args);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(what), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}
