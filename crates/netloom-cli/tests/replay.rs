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
    let path = folder.join("script.pkt");
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
