//! Puts the linker scripts where the linker looks for them.
//!
//! `NETLOOM_RAM_KIB` (default 4096, the board's) is the RAM the image may use: with less, the
//! stack begins lower, which shows how little an image runs in.

use std::{env, fs, path::PathBuf};

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let ram = env::var("NETLOOM_RAM_KIB").unwrap_or_else(|_| "4096".into());
    let kib: u32 = ram.parse().expect("NETLOOM_RAM_KIB is a number of KiB");
    assert!((1..=4096).contains(&kib), "the board has 4096 KiB of RAM");

    let memory = include_str!("memory.x").replace("@RAM_KIB@", &kib.to_string());
    fs::write(out.join("memory.x"), memory).expect("OUT_DIR is writable");
    // No handler has a name that an image could override: see src/vectors.rs.
    fs::write(out.join("device.x"), "").expect("OUT_DIR is writable");
    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rerun-if-changed=memory.x");
    println!("cargo::rerun-if-env-changed=NETLOOM_RAM_KIB");
}
