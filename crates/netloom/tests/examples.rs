//! The examples do what they say.

use std::process::Command;

/// What an example prints. Cargo builds examples before tests, beside them.
fn example(name: &str) -> String {
    let mut path = std::env::current_exe().expect("this test's path");
    path.pop();
    path.pop();
    let output = Command::new(path.join("examples").join(name)).output();
    let output = output.expect("`cargo test` builds the examples");
    assert!(output.status.success(), "{name}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn two_stacks() {
    assert_eq!(example("two_stacks"), "hello\n");
}

#[test]
fn headers() {
    assert_eq!(
        example("headers"),
        "10.0.0.1:49152 > 10.0.0.2:80 syn true seq 1\n"
    );
}
