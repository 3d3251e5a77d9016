//! Learns whether the compiler knows `core::hint::cold_path` (since 1.95). Without it everything is
//! compiled as well, only laid out less well.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(has_cold_path)");
    if minor().is_some_and(|minor| minor >= 95) {
        println!("cargo::rustc-cfg=has_cold_path");
    }
}

/// The second number of the compiler's version: 95 of "rustc 1.95.0 (...)".
fn minor() -> Option<u32> {
    let rustc = std::env::var_os("RUSTC")?;
    let said = Command::new(rustc).arg("--version").output().ok()?;
    let said = String::from_utf8(said.stdout).ok()?;
    // Of a version that is being made some have it and some do not.
    let is_released = !said.contains("nightly") && !said.contains("dev");
    said.split('.').filter(|_| is_released).nth(1)?.parse().ok()
}
