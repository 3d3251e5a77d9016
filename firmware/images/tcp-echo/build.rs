//! The image's address, chosen when it is built: `NETLOOM_ADDRESS` (with its prefix) and
//! `NETLOOM_GATEWAY`. The defaults are what QEMU's user network expects of its guest.

use std::net::Ipv4Addr;
use std::{env, fs, path::PathBuf};

fn variable(name: &str, default: &str) -> String {
    println!("cargo::rerun-if-env-changed={name}");
    env::var(name).unwrap_or_else(|_| default.into())
}

fn address(text: &str) -> Ipv4Addr {
    text.parse()
        .unwrap_or_else(|_| panic!("{text} is not an IPv4 address"))
}

fn main() {
    let with_prefix = variable("NETLOOM_ADDRESS", "10.0.2.15/24");
    let (own, prefix) = with_prefix
        .split_once('/')
        .expect("NETLOOM_ADDRESS is an address with its prefix, as in 10.0.2.15/24");
    let prefix: u8 = prefix.parse().expect("the prefix is a number");
    assert!(prefix <= 32, "a prefix has at most 32 bits");
    let gateway = address(&variable("NETLOOM_GATEWAY", "10.0.2.2"));

    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let constants = format!(
        "const ADDRESS: [u8; 4] = {:?};\nconst PREFIX: u8 = {prefix};\nconst GATEWAY: [u8; 4] = {:?};\n",
        address(own).octets(),
        gateway.octets()
    );
    fs::write(out.join("address.rs"), constants).expect("OUT_DIR is writable");
}
